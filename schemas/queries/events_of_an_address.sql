-- All records about one address, each once. Parameters: the first and the last day (dt), then the address twice.
--
-- Rows are found by their columns; `raw` is read only of those.
SELECT raw, min(arrived_at) AS first_arrived_at
FROM events
WHERE dt BETWEEN ? AND ?
  AND (contains(recipients, ?) OR contains(transform(facts, f -> f.address), ?))
GROUP BY raw
ORDER BY first_arrived_at
