-- Clicks of each link by day of arrival, by people and by machines that check links.
--
-- Example: SELECT link, sum(human_clicks) AS clicks FROM link_clicks GROUP BY 1 ORDER BY 2 DESC LIMIT 20
CREATE OR REPLACE VIEW link_clicks AS
SELECT
  dt,
  link,
  url_extract_host(link) AS host,
  count(DISTINCT event_id) AS clicks,
  count(DISTINCT IF(is_bot = 'likely', NULL, event_id)) AS human_clicks,
  count(DISTINCT message_id) AS mails
FROM events
WHERE event_type = 'click'
GROUP BY dt, link
