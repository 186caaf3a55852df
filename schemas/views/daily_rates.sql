-- Bounce and complaint rates by day of arrival and configuration set, in percent of the mails sent that day.
--
-- Only hard bounces count, as in AWS's reputation metrics. SES reviews an account at 5 percent of bounces or
-- 0.1 percent of complaints. docs.aws.amazon.com/ses/latest/dg/reputationdashboardmessages.html
-- A bounce or complaint counts on the day of its arrival, not on the day its mail was sent.
--
-- Example: SELECT * FROM daily_rates WHERE dt >= '2026-11-01' ORDER BY dt
CREATE OR REPLACE VIEW daily_rates AS
SELECT
  dt,
  configuration_set,
  sends,
  hard_bounces,
  complaints,
  100e0 * hard_bounces / nullif(sends, 0) AS hard_bounce_percent,
  100e0 * complaints / nullif(sends, 0) AS complaint_percent
FROM (
  SELECT
    dt,
    configuration_set,
    count(DISTINCT IF(event_type = 'send', message_id)) AS sends,
    count(DISTINCT IF(any_match(facts, f -> f.fact = 'hard'), message_id)) AS hard_bounces,
    count(DISTINCT IF(any_match(facts, f -> f.fact IN ('complaint', 'uncertain_complaint')), message_id)) AS complaints
  FROM events
  GROUP BY dt, configuration_set
)
