-- Sends, deliveries, bounces and complaints of each recipient domain, by day, to compare mailbox providers.
--
-- A recipient of a mail counts once in each column.
-- day: the day on which it happened, but never after its arrival. An event counts once, whatever day its copies lie on.
-- The view reads all days. To read less, copy it and add a condition on dt: what happened on a day has that dt, or that
-- of its arrival, mostly the same or the next.
--
-- Example: SELECT recipient_domain, sum(hard_bounces) AS hard_bounces FROM domain_counts GROUP BY 1 ORDER BY 2 DESC
CREATE OR REPLACE VIEW domain_counts AS
SELECT
  day,
  element_at(split(recipient, '@'), -1) AS recipient_domain,
  count(DISTINCT IF(event_type = 'send', mailing)) AS sends,
  count(DISTINCT IF(event_type = 'delivery', mailing)) AS deliveries,
  count(DISTINCT IF(event_type = 'delivery_delay', mailing)) AS delays,
  count(DISTINCT IF(contains(found, 'hard'), mailing)) AS hard_bounces,
  count(DISTINCT IF(contains(found, 'blocked'), mailing)) AS blocked_bounces,
  count(DISTINCT IF(contains(found, 'soft'), mailing)) AS soft_bounces,
  count(DISTINCT IF(contains(found, 'complaint') OR contains(found, 'uncertain_complaint'), mailing)) AS complaints
FROM (
  SELECT
    CAST(date(least(coalesce(occurred_at, sent_at, arrived_at), arrived_at)) AS varchar) AS day,
    event_type,
    recipient,
    concat(message_id, ' ', recipient) AS mailing,
    transform(filter(facts, f -> f.address = recipient), f -> f.fact) AS found
  FROM events
  CROSS JOIN UNNEST(recipients) AS r (recipient)
)
GROUP BY day, element_at(split(recipient, '@'), -1)
