-- Events of each type for each value of each message tag, by day of arrival, to compare campaigns.
--
-- SES's own tags, whose names begin with ses:, are omitted.
--
-- Example: SELECT value, event_type, sum(events) AS events FROM tag_counts WHERE tag = 'campaign' GROUP BY 1, 2
CREATE OR REPLACE VIEW tag_counts AS
SELECT
  dt,
  tag,
  value,
  event_type,
  count(DISTINCT event_id) AS events,
  count(DISTINCT message_id) AS mails
FROM events
CROSS JOIN UNNEST(tags) AS t (tag, tag_values)
CROSS JOIN UNNEST(tag_values) AS v (value)
WHERE tag NOT LIKE 'ses:%'
GROUP BY dt, tag, value, event_type
