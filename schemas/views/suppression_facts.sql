-- One row for each fact about an address: what decides whether it is suppressed.
--
-- Facts are as the decoder found them; a record that the log holds more than once gives its facts once.
-- fact: hard, complaint, uncertain_complaint, soft, echo, opt_out, suppress or release. fact_at: what it counts from,
-- 1970 where unknown. It reads the whole log, of which facts are a small part.
--
-- Example: SELECT * FROM suppression_facts WHERE address = 'ann@example.com' ORDER BY fact_at
CREATE OR REPLACE VIEW suppression_facts AS
SELECT DISTINCT
  f.address,
  f.scope,
  f.fact,
  CAST(from_unixtime(f.at_ms / 1000e0) AS timestamp) AS fact_at,
  f.at_ms,
  f.event_id,
  f.message_id,
  f.sub_type,
  f.status,
  f.diagnostic,
  f.spelling,
  f.lifts
FROM events
CROSS JOIN UNNEST(facts) AS f (
  address, scope, fact, at_ms, event_id, message_id, sub_type, status, diagnostic, spelling, lifts
)
WHERE is_feedback
