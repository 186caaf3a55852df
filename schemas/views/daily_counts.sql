-- How many events of each type arrived on each day.
--
-- dt is the day of arrival, so a condition on it keeps Athena from reading other days.
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
