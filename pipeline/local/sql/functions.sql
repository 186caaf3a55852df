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
CREATE MACRO json_list_length(document) AS CASE WHEN TRY(json_type(document)) = 'ARRAY' THEN json_array_length(document) END;
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
CREATE MACRO array_of(x, n) AS list_transform(range(n), lambda i: x);
CREATE MACRO sequence_of(first, last) AS generate_series(first, last, CASE WHEN first <= last THEN 1 ELSE -1 END);

CREATE MACRO array_union(a, b) AS array_first_occurrences(list_concat(a, b));

CREATE MACRO map_of_lists(ks, vs) AS
  map(list_distinct(ks), list_transform(list_distinct(ks), lambda k: vs[list_position(ks, k)]));
CREATE MACRO map_agg(k, v) AS map_of_lists(list(k), list(v));

-- A missing key or index is an error in Trino. Inside TRY, error() is not allowed.
CREATE MACRO map_value_or_null(m, k) AS m[k];
CREATE MACRO map_value_or_error(m, k) AS CASE
  WHEN m IS NULL OR k IS NULL OR map_contains(m, k) THEN m[k]
  ELSE error('Key not present in map: ' || CAST(k AS VARCHAR) || ': element_at(m, k) is null then')
END;
CREATE MACRO array_value_or_null(a, i) AS CASE WHEN i > 0 THEN a[i] END;
CREATE MACRO array_value_or_error(a, i) AS CASE
  WHEN a IS NULL OR i BETWEEN 1 AND len(a) OR i IS NULL THEN a[i]
  ELSE error('Array subscript ' || i || ' is not in 1 to ' || len(a) || ': element_at(a, i) is null beyond the end')
END;

-- Three-valued: null where a null decides.
CREATE MACRO any_true(tests) AS CASE
  WHEN list_contains(tests, true) THEN true
  WHEN len(list_filter(tests, lambda t: t IS NULL)) > 0 THEN NULL
  WHEN tests IS NULL THEN NULL
  ELSE false
END;
CREATE MACRO arrays_overlap_or_null(a, b) AS CASE
  WHEN list_has_any(list_filter(a, lambda x: x IS NOT NULL), list_filter(b, lambda x: x IS NOT NULL)) THEN true
  WHEN a IS NULL OR b IS NULL THEN NULL
  WHEN len(list_filter(list_concat(a, b), lambda x: x IS NULL)) > 0 AND len(a) > 0 AND len(b) > 0 THEN NULL
  ELSE false
END;

CREATE MACRO text_part(string, start, size) AS CASE
  WHEN start = 0 OR start < -length(string) THEN ''
  ELSE substring(string, start, greatest(size, 0))
END;

-- Trino takes text for a number, a date or a time only in their own form.
CREATE MACRO is_integer_text(t) AS regexp_full_match(t, '\s*[+-]?\d+\s*');
CREATE MACRO is_date_text(t) AS regexp_full_match(t, '\s*[+-]?\d{4,}-\d{1,2}-\d{1,2}\s*');
CREATE MACRO is_time_text(t) AS
  regexp_full_match(t, '\s*\d{4,}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}(:\d{1,2}(\.\d+)?)?( ?[+-]\d{1,2}:?\d{2}| UTC| Z)?)?\s*');
CREATE MACRO checked_or_null(t, is_valid) AS CASE WHEN is_valid THEN t END;
CREATE MACRO checked_or_error(t, is_valid, form) AS CASE
  WHEN t IS NULL OR is_valid THEN t
  ELSE error('Cannot cast a text that is not ' || form)
END;
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
  WHEN a IS NULL OR b IS NULL THEN NULL
  WHEN isnan(CAST(a AS DOUBLE)) THEN CAST('NaN' AS DOUBLE)
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

CREATE MACRO iso_time_or_null(text) AS CAST(text AS TIMESTAMP WITH TIME ZONE);
CREATE MACRO iso_time_or_error(text) AS CASE
  WHEN regexp_matches(text, 'T.*[+-]\d\d(:?\d\d)?$') AND NOT regexp_matches(text, '[+-]00(:?00)?$')
  THEN error('from_iso8601_timestamp of a time with an offset is not covered by the local Athena')
  ELSE CAST(text AS TIMESTAMP WITH TIME ZONE)
END;
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
  CASE WHEN regexp_matches(url, '[?&]' || regexp_escape(name) || '(=|&|#|$)')
  THEN url_text(regexp_extract(url, '[?&]' || regexp_escape(name) || '=([^&#]*)', 1)) END;
