-- All records about one address, each once. Parameters: the first and the last day (dt), then the address four times.
--
-- Of each pair of addresses, the second may be the hash that took the place of the first. Rows are found by their columns;
-- `raw` is read only of those.
SELECT raw, min(arrived_at) AS first_arrived_at
FROM events
WHERE dt BETWEEN ? AND ?
  AND (arrays_overlap(recipients, ARRAY[?, ?]) OR arrays_overlap(transform(facts, f -> f.address), ARRAY[?, ?]))
GROUP BY raw
ORDER BY first_arrived_at
