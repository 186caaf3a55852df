-- How many addresses have a fact of each kind, and since when: why addresses are suppressed.
SELECT fact, sub_type, count(DISTINCT address) AS addresses, min(fact_at) AS first_at, max(fact_at) AS last_at
FROM suppression_facts
GROUP BY fact, sub_type
ORDER BY addresses DESC
