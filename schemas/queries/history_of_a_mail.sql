-- All events of one mail, in order. Put its message id into the condition.
SELECT DISTINCT occurred_at, event_type, recipients, bounce_type, bounce_sub_type, complaint_feedback_type, delay_type, link
FROM events
WHERE message_id = '0100018f00000000-00000000-0000-0000-0000-000000000000-000000'
ORDER BY occurred_at
