-- Recipient domains with the most bounces of the last 7 days, with a diagnostic of their servers.
SELECT
  element_at(split(f.address, '@'), -1) AS recipient_domain,
  f.fact,
  f.sub_type,
  f.status,
  count(DISTINCT event_id) AS bounces,
  arbitrary(f.diagnostic) AS one_diagnostic
FROM events
CROSS JOIN UNNEST(
  transform(facts, f -> f.address),
  transform(facts, f -> f.fact),
  transform(facts, f -> f.sub_type),
  transform(facts, f -> f.status),
  transform(facts, f -> f.diagnostic)
) AS f (address, fact, sub_type, status, diagnostic)
WHERE is_feedback
  AND dt >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
  AND f.fact IN ('hard', 'blocked', 'inferred', 'soft')
GROUP BY 1, 2, 3, 4
ORDER BY bounces DESC
LIMIT 100
