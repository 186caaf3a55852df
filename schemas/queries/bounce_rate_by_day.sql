-- Bounce and complaint rates of the last 30 days, in percent of recipients. SES reviews an account at 5 or 0.1.
SELECT day, configuration_set, recipients, bounced_recipients, complaints, bounce_percent, complaint_percent
FROM daily_rates
WHERE day >= date_format(current_date - INTERVAL '30' DAY, '%Y-%m-%d')
ORDER BY day DESC, recipients DESC
