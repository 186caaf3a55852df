-- Hours of the last 2 days with the most permanent bounces of a recipient domain, by status, beside the mails sent.
SELECT hour, recipient_domain, status, bounces, hour_bounces, hour_sends
FROM (
  SELECT
    hour,
    recipient_domain,
    status,
    bounces,
    sum(bounces) OVER (PARTITION BY hour, recipient_domain) AS hour_bounces,
    sum(sends) OVER (PARTITION BY hour, recipient_domain) AS hour_sends
  FROM (
    SELECT
      hour,
      recipient_domain,
      status,
      count(DISTINCT IF(event_type = 'send', mailing)) AS sends,
      count(DISTINCT IF(status IS NOT NULL, mailing)) AS bounces
    FROM (
      SELECT
        date_trunc('hour', least(coalesce(occurred_at, sent_at, arrived_at), arrived_at)) AS hour,
        element_at(split(recipient, '@'), -1) AS recipient_domain,
        event_type,
        concat(message_id, ' ', recipient) AS mailing,
        element_at(
          transform(
            filter(facts, f -> f.address = recipient AND f.fact IN ('hard', 'blocked')),
            f -> f.status
          ),
          1
        ) AS status
      FROM events
      CROSS JOIN UNNEST(recipients) AS r (recipient)
      WHERE dt >= date_format(current_date - INTERVAL '2' DAY, '%Y-%m-%d')
        AND event_type IN ('send', 'bounce')
    )
    GROUP BY hour, recipient_domain, status
  )
)
WHERE bounces > 0
ORDER BY hour_bounces DESC, hour, recipient_domain, bounces DESC
LIMIT 1000
