-- All facts about one address, in order. Put the address into the condition, in lower case.
SELECT fact_at, fact, sub_type, status, diagnostic, message_id, event_id
FROM suppression_facts
WHERE address = 'ann@example.com'
ORDER BY fact_at
