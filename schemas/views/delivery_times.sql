-- Delivery times by day of arrival and recipient domain: from SES's acceptance of a mail to the remote server's.
--
-- The percentiles are approximations by Athena.
--
-- Example: SELECT * FROM delivery_times WHERE dt >= '2026-11-01' ORDER BY p99_seconds DESC LIMIT 20
CREATE OR REPLACE VIEW delivery_times AS
SELECT
  dt,
  recipient_domain,
  count(*) AS deliveries,
  approx_percentile(seconds, 0.5) AS p50_seconds,
  approx_percentile(seconds, 0.9) AS p90_seconds,
  approx_percentile(seconds, 0.99) AS p99_seconds
FROM (
  SELECT DISTINCT dt, event_id, recipient_domain, processing_time_ms / 1000e0 AS seconds
  FROM events
  CROSS JOIN UNNEST(recipient_domains) AS d (recipient_domain)
  WHERE event_type = 'delivery' AND processing_time_ms IS NOT NULL
)
GROUP BY dt, recipient_domain
