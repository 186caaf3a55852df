-- One row for each mail, with its sender and subject and with everything that happened to it.
--
-- Each time is the first of its kind. The view reads the whole log; for some days only, copy it and add a condition on
-- dt.
--
-- Example: SELECT * FROM mails WHERE bounces > 0 ORDER BY sent_at DESC LIMIT 20
CREATE OR REPLACE VIEW mails AS
SELECT
  message_id,
  min(sent_at) AS sent_at,
  arbitrary(source) AS source,
  arbitrary(subject) AS subject,
  arbitrary(configuration_set) AS configuration_set,
  min(IF(event_type = 'delivery', occurred_at)) AS delivered_at,
  min(IF(event_type = 'bounce', occurred_at)) AS bounced_at,
  min(IF(event_type = 'complaint', occurred_at)) AS complained_at,
  min(IF(event_type = 'open', occurred_at)) AS opened_at,
  min(IF(event_type = 'click', occurred_at)) AS clicked_at,
  count(DISTINCT IF(event_type = 'delivery', event_id)) AS deliveries,
  count(DISTINCT IF(event_type = 'bounce', event_id)) AS bounces,
  count(DISTINCT IF(event_type = 'complaint', event_id)) AS complaints,
  count(DISTINCT IF(event_type = 'open', event_id)) AS opens,
  count(DISTINCT IF(event_type = 'click', event_id)) AS clicks
FROM events
WHERE message_id IS NOT NULL
GROUP BY message_id
