-- Functions of Trino that DuckDB lacks. trino.io/docs/current/functions.html
-- Functions that take a lambda cannot be written here: see rewrite_nested.py.

-- Null for text that is not JSON, for an object and for an array.
CREATE MACRO json_scalar(document, path) AS
  CASE WHEN TRY(json_type(document, path)) NOT IN ('OBJECT', 'ARRAY', 'NULL')
  THEN TRY(json_extract_string(document, path)) END;
CREATE MACRO json_text(document) AS CAST(document AS VARCHAR);
CREATE MACRO json_size(document, path) AS CASE TRY(json_type(document, path))
  WHEN 'OBJECT' THEN len(TRY(json_keys(document, path)))
  WHEN 'ARRAY' THEN TRY(json_array_length(document, path))
  ELSE 0
END;
CREATE MACRO json_array_contains(document, sought) AS list_contains(CAST(document AS JSON[]), to_json(sought));

-- In the order of the first occurrences, which list_distinct loses.
CREATE MACRO array_first_occurrences(a) AS list_filter(
  a,
  lambda x, i: i = CASE
    WHEN x IS NULL THEN list_position(list_transform(a, lambda y: y IS NULL), true)
    ELSE list_position(a, x)
  END
);
CREATE MACRO array_position_or_zero(a, x) AS CASE
  WHEN a IS NULL OR x IS NULL THEN NULL
  ELSE coalesce(list_position(a, x), 0)
END;
CREATE MACRO array_contains_or_null(a, x) AS CASE
  WHEN list_contains(a, x) THEN true
  WHEN x IS NULL OR len(list_filter(a, lambda y: y IS NULL)) > 0 THEN NULL
  ELSE false
END;
CREATE MACRO sequence_of(first, last) AS generate_series(first, last, CASE WHEN first <= last THEN 1 ELSE -1 END);

CREATE MACRO array_union(a, b) AS array_first_occurrences(list_concat(a, b));

CREATE MACRO map_agg(k, v) AS map(list(k), list(v));
CREATE MACRO map_from_lists(k, v) AS map(k, v);

-- Digits in lower case, as Trino writes them.
CREATE MACRO base_text(number, radix) AS lower(to_base(CAST(number AS BIGINT), radix));
CREATE MACRO from_base(digits, radix) AS list_reduce(
  list_transform(
    string_split(lower(digits), ''),
    lambda digit: CAST(strpos('0123456789abcdefghijklmnopqrstuvwxyz', digit) - 1 AS BIGINT)
  ),
  lambda number, digit: number * radix + digit
);

CREATE MACRO double_quotient(a, b) AS CASE
  WHEN b <> 0 THEN CAST(a AS DOUBLE) / CAST(b AS DOUBLE)
  WHEN a = 0 THEN CAST('NaN' AS DOUBLE)
  WHEN a > 0 THEN CAST('Infinity' AS DOUBLE)
  WHEN a < 0 THEN CAST('-Infinity' AS DOUBLE)
END;
-- As Java prints a double: 12345678.0 is 1.2345678E7, and 0.0001 is 1.0E-4.
CREATE MACRO mantissa(digits) AS digits[1] || '.' || CASE WHEN len(digits) > 1 THEN digits[2:] ELSE '0' END;
CREATE MACRO scientific(plain) AS CASE
  WHEN contains(plain, 'e')
  THEN mantissa(replace(split_part(plain, 'e', 1), '.', '')) || 'E' || CAST(split_part(plain, 'e', 2) AS INTEGER)
  WHEN starts_with(plain, '0.')
  THEN mantissa(ltrim(plain[3:], '0')) || 'E-' || (len(plain) - 1 - len(ltrim(plain[3:], '0')))
  ELSE mantissa(rtrim(replace(plain, '.', ''), '0')) || 'E' || (strpos(plain, '.') - 2)
END;
CREATE MACRO double_text(d) AS CASE
  WHEN isnan(d) THEN 'NaN'
  WHEN isinf(d) THEN CASE WHEN d > 0 THEN 'Infinity' ELSE '-Infinity' END
  WHEN d = 0 OR (abs(d) >= 1e-3 AND abs(d) < 1e7) THEN CAST(d AS VARCHAR)
  ELSE CASE WHEN d < 0 THEN '-' ELSE '' END || scientific(CAST(abs(d) AS VARCHAR))
END;
CREATE MACRO nan() AS CAST('NaN' AS DOUBLE);
CREATE MACRO infinity() AS CAST('Infinity' AS DOUBLE);

CREATE MACRO from_iso8601_date(text) AS CAST(text AS DATE);
CREATE MACRO to_iso8601(moment) AS CASE typeof(moment)
  WHEN 'DATE' THEN strftime(moment, '%Y-%m-%d')
  WHEN 'TIMESTAMP WITH TIME ZONE' THEN strftime(moment, '%Y-%m-%dT%H:%M:%S.%gZ')
  ELSE strftime(moment, '%Y-%m-%dT%H:%M:%S.%g')
END;

CREATE MACRO url_text(encoded) AS url_decode(replace(encoded, '+', ' '));
CREATE MACRO millisecond_of_second(moment) AS millisecond(moment) % 1000;

CREATE MACRO url_extract_protocol(url) AS nullif(regexp_extract(url, '^([A-Za-z][A-Za-z0-9+.-]*):', 1), '');
CREATE MACRO url_extract_host(url) AS
  nullif(regexp_extract(url, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@?#]*@)?([^/:?#]+)', 1), '');
CREATE MACRO url_extract_path(url) AS regexp_extract(url, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^?#]*)', 1);
CREATE MACRO url_extract_query(url) AS nullif(regexp_extract(url, '\?([^#]*)', 1), '');
CREATE MACRO url_extract_parameter(url, name) AS
  CASE WHEN regexp_matches(url, '[?&]' || name || '(=|&|#|$)')
  THEN url_text(regexp_extract(url, '[?&]' || name || '=([^&#]*)', 1)) END;
