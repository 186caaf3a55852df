-- Delivery times by day and recipient domain: from SES's acceptance of a mail to the remote server's.
--
-- The percentiles are approximations by Athena.
-- day: the day on which it happened, but never after its arrival. An event counts once, whatever day its copies lie on.
-- The view reads all days. To read less, copy it and add a condition on dt: what happened on a day has that dt, or that
-- of its arrival, mostly the same or the next.
--
-- Example: SELECT * FROM delivery_times WHERE day >= '2026-11-01' ORDER BY p99_seconds DESC LIMIT 20
CREATE OR REPLACE VIEW delivery_times AS
SELECT
  day,
  recipient_domain,
  count(*) AS deliveries,
  approx_percentile(seconds, 0.5) AS p50_seconds,
  approx_percentile(seconds, 0.9) AS p90_seconds,
  approx_percentile(seconds, 0.99) AS p99_seconds
FROM (
  SELECT DISTINCT
    CAST(date(least(coalesce(occurred_at, sent_at, arrived_at), arrived_at)) AS varchar) AS day,
    event_id,
    recipient_domain,
    processing_time_ms / 1000e0 AS seconds
  FROM events
  CROSS JOIN UNNEST(recipient_domains) AS d (recipient_domain)
  WHERE event_type = 'delivery' AND processing_time_ms IS NOT NULL
)
GROUP BY day, recipient_domain
