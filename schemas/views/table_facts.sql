-- The facts that the suppression table keeps of each address and scope: the join of facts, restated in SQL.
--
-- Of copies of one event, the greatest is kept. Of soft bounces, the greatest of each mail, of the newest 64 mails; of
-- facts that suppress for good, the oldest and the newest 8; of all others, the newest.
--
-- Example: SELECT fact, count(*) AS facts FROM table_facts GROUP BY fact
CREATE OR REPLACE VIEW table_facts AS
SELECT address, scope, fact, at_ms, event_id, message_id, sub_type, status, diagnostic, spelling
FROM (
  SELECT
    address, scope, fact, at_ms, event_id, message_id, sub_type, status, diagnostic, spelling,
    row_number() OVER (PARTITION BY address, scope, fact ORDER BY at_ms, event_id) AS oldest,
    row_number() OVER (PARTITION BY address, scope, fact ORDER BY at_ms DESC, event_id DESC) AS newest
  FROM (
    SELECT
      address, scope, fact, at_ms, event_id, message_id, sub_type, status, diagnostic, spelling,
      row_number() OVER (
        PARTITION BY
          address,
          scope,
          fact,
          IF(fact = 'soft', IF(message_id = '', event_id, message_id), concat(CAST(at_ms AS varchar), ' ', event_id))
        ORDER BY
          at_ms DESC, event_id DESC, message_id DESC, sub_type DESC, status DESC, diagnostic DESC, spelling DESC
      ) AS copy
    FROM suppression_facts
  )
  WHERE copy = 1
)
WHERE newest <= CASE
    WHEN fact = 'soft' THEN 64
    WHEN fact IN ('hard', 'blocked', 'inferred', 'forwarded', 'complaint', 'uncertain_complaint') THEN 8
    ELSE 1
  END
  OR (oldest = 1 AND fact IN ('hard', 'blocked', 'inferred', 'forwarded', 'complaint', 'uncertain_complaint'))
