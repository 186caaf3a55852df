-- Events of each type by day of arrival.
--
-- dt is the day of arrival, so with a condition on it Athena reads no other days.
--
-- Example: SELECT * FROM daily_counts WHERE dt >= '2026-11-01' ORDER BY dt, events DESC
CREATE OR REPLACE VIEW daily_counts AS
SELECT
  dt,
  event_type,
  count(DISTINCT event_id) AS events,
  count(DISTINCT message_id) AS mails
FROM events
GROUP BY dt, event_type
