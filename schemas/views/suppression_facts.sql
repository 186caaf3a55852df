-- One row for each fact about an address. The facts decide whether it is suppressed.
--
-- Facts are as decoded. A record that the log contains more than once adds its facts once.
-- fact: hard, blocked, inferred, forwarded, listed, complaint, uncertain_complaint, not_spam, soft, echo, opt_out,
-- suppress or release. scope: * for all mail, or the SES tenant. fact_at: time from which it counts, 1970 if unknown.
-- The view reads the whole log, of which facts are a small part.
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
  f.spelling
FROM events
CROSS JOIN UNNEST(
  transform(facts, f -> f.address),
  transform(facts, f -> f.scope),
  transform(facts, f -> f.fact),
  transform(facts, f -> f.at_ms),
  transform(facts, f -> f.event_id),
  transform(facts, f -> f.message_id),
  transform(facts, f -> f.sub_type),
  transform(facts, f -> f.status),
  transform(facts, f -> f.diagnostic),
  transform(facts, f -> f.spelling)
) AS f (address, scope, fact, at_ms, event_id, message_id, sub_type, status, diagnostic, spelling)
WHERE is_feedback
