-- One row for each fact about an address. The facts decide whether it is suppressed.
--
-- Facts are as decoded. A record that the log contains more than once adds its facts once.
-- fact: hard, complaint, uncertain_complaint, soft, echo, opt_out, suppress or release. fact_at: time from which it
-- counts, 1970 if unknown. The view reads the whole log, of which facts are a small part.
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
