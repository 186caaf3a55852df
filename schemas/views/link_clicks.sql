-- Clicks of each link by day: by people, by machines that check links, and where SES does not say.
--
-- day: the day on which it happened, but never after its arrival. An event counts once, whatever day its copies lie on.
-- The view reads all days. To read less, copy it and add a condition on dt: what happened on a day has that dt, or that
-- of its arrival, mostly the same or the next.
--
-- Example: SELECT link, sum(human_clicks) AS clicks FROM link_clicks GROUP BY 1 ORDER BY 2 DESC LIMIT 20
CREATE OR REPLACE VIEW link_clicks AS
SELECT
  CAST(date(least(coalesce(occurred_at, sent_at, arrived_at), arrived_at)) AS varchar) AS day,
  link,
  url_extract_host(link) AS host,
  count(DISTINCT event_id) AS clicks,
  count(DISTINCT IF(is_bot = 'unlikely', event_id)) AS human_clicks,
  count(DISTINCT IF(is_bot = 'likely', event_id)) AS bot_clicks,
  count(DISTINCT message_id) AS mails
FROM events
WHERE event_type = 'click'
GROUP BY 1, 2, 3
