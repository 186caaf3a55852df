-- Events of each type by day.
--
-- day: the day on which it happened, but never after its arrival. An event counts once, whatever day its copies lie on.
-- The view reads all days. To read less, copy it and add a condition on dt: what happened on a day has that dt, or that
-- of its arrival, mostly the same or the next.
--
-- Example: SELECT * FROM daily_counts WHERE day >= '2026-11-01' ORDER BY day, events DESC
CREATE OR REPLACE VIEW daily_counts AS
SELECT
  CAST(date(least(coalesce(occurred_at, sent_at, arrived_at), arrived_at)) AS varchar) AS day,
  event_type,
  count(DISTINCT event_id) AS events,
  count(DISTINCT message_id) AS mails
FROM events
GROUP BY 1, 2
