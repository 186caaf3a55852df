-- Bounce and complaint rates by day and configuration set, in percent of the recipients of that day, as AWS counts them.
--
-- A bounce is a recipient with a hard bounce, named or inferred, or on SES's global suppression list. Bounces because the
-- remote server blocks the sender do not count, nor do bounces of the account's or a tenant's own list, nor mail to the
-- mailbox simulator. A complaint counts once, whatever its number of candidates. SES reviews an account at 5 percent of
-- bounces or 0.1 percent of complaints. docs.aws.amazon.com/ses/latest/dg/reputationdashboardmessages.html and
-- docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html
-- day: the day on which it happened, but never after its arrival. An event counts once, whatever day its copies lie on.
-- The view reads all days. To read less, copy it and add a condition on dt: what happened on a day has that dt, or that
-- of its arrival, mostly the same or the next.
--
-- Example: SELECT * FROM daily_rates WHERE day >= '2026-11-01' ORDER BY day
CREATE OR REPLACE VIEW daily_rates AS
SELECT
  day,
  configuration_set,
  recipients,
  bounced_recipients,
  complaints,
  100e0 * bounced_recipients / nullif(recipients, 0) AS bounce_percent,
  100e0 * complaints / nullif(recipients, 0) AS complaint_percent
FROM (
  SELECT
    day,
    configuration_set,
    count(DISTINCT IF(part = 'sent', item)) AS recipients,
    count(DISTINCT IF(part = 'bounced', item)) AS bounced_recipients,
    count(DISTINCT IF(part = 'complained', item)) AS complaints
  FROM (
    SELECT
      CAST(date(least(coalesce(occurred_at, sent_at, arrived_at), arrived_at)) AS varchar) AS day,
      configuration_set,
      'sent' AS part,
      concat(message_id, ' ', recipient) AS item
    FROM events
    CROSS JOIN UNNEST(recipients) AS r (recipient)
    WHERE event_type = 'send' AND recipient NOT LIKE '%@simulator.amazonses.com'
    UNION ALL
    SELECT
      CAST(date(least(coalesce(occurred_at, sent_at, arrived_at), arrived_at)) AS varchar) AS day,
      configuration_set,
      IF(event_type = 'bounce', 'bounced', 'complained') AS part,
      IF(event_type = 'bounce', concat(message_id, ' ', address), event_id) AS item
    FROM events
    CROSS JOIN UNNEST(transform(facts, f -> f.address), transform(facts, f -> f.fact)) AS f (address, fact)
    WHERE is_feedback
      AND fact IN ('hard', 'inferred', 'listed', 'complaint', 'uncertain_complaint')
      AND address NOT LIKE '%@simulator.amazonses.com'
  )
  GROUP BY day, configuration_set
)
