-- The digest of all facts of the log, which equals that of the suppression table if the table lacks none: `mailfold replay`.
SELECT array_join(array_agg(lpad(lower(to_base(mod(total, 4294967296), 16)), 8, '0') ORDER BY position), '') AS digest
FROM (
  SELECT position, sum(from_base(substr(hash, 8 * position - 7, 8), 16)) AS total
  FROM (
    SELECT
      to_hex(sha256(to_utf8(concat(
        concat(CAST(length(address) AS varchar), ':', address),
        concat(CAST(length(scope) AS varchar), ':', scope),
        array_join(array_agg(fact_text ORDER BY fact_text), '')
      )))) AS hash
    FROM (
      SELECT
        address,
        scope,
        array_join(
          transform(
            ARRAY[
              fact, CAST(at_ms AS varchar), event_id, message_id, sub_type, status, diagnostic, spelling
            ],
            part -> concat(CAST(length(part) AS varchar), ':', part)
          ),
          ''
        ) AS fact_text
      FROM table_facts
    )
    GROUP BY address, scope
  )
  CROSS JOIN UNNEST(sequence(1, 8)) AS p (position)
  GROUP BY position
)
