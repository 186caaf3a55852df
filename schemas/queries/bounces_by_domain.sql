-- Recipient domains with the most bounces of the last 7 days, with a diagnostic of their servers.
SELECT
  element_at(split(f.address, '@'), -1) AS recipient_domain,
  f.fact,
  f.sub_type,
  f.status,
  count(DISTINCT event_id) AS bounces,
  arbitrary(f.diagnostic) AS one_diagnostic
FROM events
CROSS JOIN UNNEST(facts) AS f (
  address, scope, fact, at_ms, event_id_of_fact, message_id_of_fact, sub_type, status, diagnostic, spelling, lifts
)
WHERE is_feedback
  AND dt >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
  AND f.fact IN ('hard', 'soft')
GROUP BY 1, 2, 3, 4
ORDER BY bounces DESC
LIMIT 100
