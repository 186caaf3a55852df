-- Number of addresses with each kind of fact, and since when.
SELECT fact, sub_type, count(DISTINCT address) AS addresses, min(fact_at) AS first_at, max(fact_at) AS last_at
FROM suppression_facts
GROUP BY fact, sub_type
ORDER BY addresses DESC
