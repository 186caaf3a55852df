-- Recipient domains that delayed mail in the last 7 days, with the type of delay.
SELECT recipient_domain, delay_type, count(DISTINCT event_id) AS delays, count(DISTINCT message_id) AS mails
FROM events
CROSS JOIN UNNEST(recipient_domains) AS d (recipient_domain)
WHERE event_type = 'delivery_delay' AND dt >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
GROUP BY recipient_domain, delay_type
ORDER BY delays DESC
LIMIT 100
