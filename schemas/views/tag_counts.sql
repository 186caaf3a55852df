-- Events of each type for each value of each message tag, by day, to compare campaigns.
--
-- SES's own tags, whose names begin with ses:, are omitted.
-- day: the day on which it happened, but never after its arrival. An event counts once, whatever day its copies lie on.
-- The view reads all days. To read less, copy it and add a condition on dt: what happened on a day has that dt, or that
-- of its arrival, mostly the same or the next.
--
-- Example: SELECT value, event_type, sum(events) AS events FROM tag_counts WHERE tag = 'campaign' GROUP BY 1, 2
CREATE OR REPLACE VIEW tag_counts AS
SELECT
  CAST(date(least(coalesce(occurred_at, sent_at, arrived_at), arrived_at)) AS varchar) AS day,
  tag,
  value,
  event_type,
  count(DISTINCT event_id) AS events,
  count(DISTINCT message_id) AS mails
FROM events
CROSS JOIN UNNEST(tags) AS t (tag, tag_values)
CROSS JOIN UNNEST(tag_values) AS v (value)
WHERE tag NOT LIKE 'ses:%'
GROUP BY 1, 2, 3, 4
