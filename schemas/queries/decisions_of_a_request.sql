-- The decisions of one request, each once. Put the request's id into the condition.
SELECT DISTINCT occurred_at, decision, recipients, raw
FROM events
WHERE dt >= '2026-01-01'
  AND decision IS NOT NULL
  AND json_extract_scalar(raw, '$.decision.batch') = '019cbd709d0070008000000000000001'
ORDER BY occurred_at, raw
