-- Bounce and complaint rates of the last 30 days, in percent of mails sent. SES reviews an account at 5 or 0.1.
SELECT dt, configuration_set, sends, hard_bounces, complaints, hard_bounce_percent, complaint_percent
FROM daily_rates
WHERE dt >= date_format(current_date - INTERVAL '30' DAY, '%Y-%m-%d')
ORDER BY dt DESC, sends DESC
