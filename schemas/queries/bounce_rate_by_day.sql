-- Bounce and complaint rates of the last 30 days, in percent of the mails sent: SES reviews an account from 5 and 0.1 on.
SELECT dt, configuration_set, sends, hard_bounces, complaints, hard_bounce_percent, complaint_percent
FROM daily_rates
WHERE dt >= date_format(current_date - INTERVAL '30' DAY, '%Y-%m-%d')
ORDER BY dt DESC, sends DESC
