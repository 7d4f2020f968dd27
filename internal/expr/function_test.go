package expr

import "testing"

func TestFunctionResolution(t *testing.T) {
	s := columns(t, "i INT, b BIGINT, d DOUBLE, m DECIMAL(9, 2), n DECIMAL(7, 6), t STRING, dt DATE, a ARRAY<INT>")
	r := values(t, s, "3", "4", "5.5", "1234567.89", "0.123456", "'x'", "'2022-06-01'", "ARRAY[1]")
	check(t, s, r, [][2]string{
		{"ABS(-3)", "3 INTEGER"},
		{"ABS(b)", "4 BIGINT"},
		{"SQRT(m)", "1111.1111060555554 DOUBLE"},
		{"ROUND(i)", "3 BIGINT"},
		{"GREATEST(i, b, m, d, NULL)", "1234567.89 DOUBLE"},
		{"LEAST(m, n)", "0.123456 DECIMAL(13, 6)"},
		{"GREATEST(dt, NULL, '2022-06-14')", "2022-06-14 DATE"},
		{"IFNULL(b, 0)", "4 BIGINT"},
		{"COALESCE(NULL, i)", "3 INTEGER"},
		{"SUBSTRING(t, NULL)", "null STRING"},
		{"DATEADD(DAYS, 2, dt)", "2022-06-03 DATE"},
		{"DATEADD(DAY, 2, dt)", "2022-06-03 DATE"},
	})
	checkErrors(t, s, [][2]string{
		{"GREATEST(i, b)", "Function 'greatest' cannot be resolved due to ambiguous method parameters (INTEGER, BIGINT)."},
		{"LEAST(NULL, NULL)", "Function 'least' cannot be resolved due to ambiguous method parameters (null, null)."},
		{"GREATEST()", "Function 'greatest' does not accept parameters ()."},
		{"GREATEST(t, i)", "Function 'greatest' does not accept parameters (STRING, INTEGER)."},
		{"COALESCE()", "Function 'COALESCE' does not accept parameters ()"},
		{"DATEADD(dt, 5, dt)", "Function 'dateadd' does not accept parameters (DATE, INTEGER, DATE)."},
		{"GEO_DISTANCE(d, d, 'foo', 0)", "Function 'geo_distance' does not accept parameters"},
		{"WONT_FIND_ME(i)", "Can't find any functions with the name 'WONT_FIND_ME'"},
		{"COUNT(i)", "Aggregate function COUNT cannot be used here"},
		{"EXPLODE(a)", "Table function EXPLODE cannot be used here"},
	})
}

func TestLambdas(t *testing.T) {
	s := columns(t, "a ARRAY<INT>, h ARRAY<INT>, z ARRAY<INT>, m MAP<STRING, ARRAY<INT>>, b BIGINT, i INT, x INT")
	r := values(t, s, "ARRAY[3, 6]", "ARRAY[5, NULL]", "NULL", "MAP('a' := ARRAY[2, 5, 4], 'bc' := ARRAY[-1, -2])", "NULL", "100", "7")
	check(t, s, r, [][2]string{
		{"TRANSFORM(a, x => x + 5)", "[8, 11] ARRAY<INTEGER>"},
		{"TRANSFORM(a, e => e + i + x)", "[110, 113] ARRAY<INTEGER>"},
		{"TRANSFORM(z, x => x + 5)", "null ARRAY<INTEGER>"},
		{"TRANSFORM(ARRAY[a], q => ARRAY_LENGTH(q) + 1)[1]", "3 INTEGER"},
		{"TRANSFORM(ARRAY[a], q => TRANSFORM(q, r => r + ARRAY_LENGTH(q)))[1]", "[5, 8] ARRAY<INTEGER>"},
		{"TRANSFORM(ARRAY[z], q => ARRAY_LENGTH(q))[1]", "null INTEGER"},
		{"TRANSFORM(ARRAY[a], q => q)[2]", "null ARRAY<INTEGER>"},
		{"TRANSFORM(ARRAY[CAST(NULL AS INT)], q => q + 1)[1]", "error: transform: null in an arithmetic expression of a lambda"},
		{"TRANSFORM(h, x => CASE WHEN x > 3 THEN 'big' ELSE 'small' END)", "[big, small] ARRAY<STRING>"},
		{"TRANSFORM(h, x => x + 5)", "error: transform: null in an arithmetic expression of a lambda"},
		{"FILTER(h, x => x < 6)", "[5] ARRAY<INTEGER>"},
		{"FILTER(m, (k, v) => LEN(k) > 1)", "{bc=[-1, -2]} MAP<STRING, ARRAY<INTEGER>>"},
		{"TRANSFORM(m, (k, v) => UCASE(k), (k, v) => ARRAY_MAX(v))", "{A=5, BC=-1} MAP<STRING, INTEGER>"},
		{"REDUCE(a, 0, (s, e) => s + e)", "9 INTEGER"},
		{"REDUCE(a, CAST(0 AS BIGINT), (s, e) => e)", "6 BIGINT"},
		{"REDUCE(a, b, (s, e) => s + e)", "null BIGINT"},
		{"REDUCE(z, 1, (s, e) => s + e)", "1 INTEGER"},
		{"REDUCE(m, 2, (s, k, v) => s + REDUCE(v, 0, (t, e) => t + e))", "10 INTEGER"},
		{"TRANSFORM(TRANSFORM(m, (k, v) => k, (k, v) => FILTER(v, e => e < 5)), (k, v) => k, (k, v) => ARRAY_LENGTH(v))", "{a=2, bc=2} MAP<STRING, INTEGER>"},
	})
	checkErrors(t, s, [][2]string{
		{"TRANSFORM(a, (x, y) => x)", "Function 'transform' does not accept parameters (ARRAY<INTEGER>, LAMBDA)."},
		{"FILTER(a, x => x + 1)", "Function 'filter' wants a lambda that gives BOOLEAN"},
		{"REDUCE(a, 0, (s, e) => s + 1.5)", "wants a lambda that gives INTEGER"},
		{"TRANSFORM(a, x => y)", "no column Y"},
	})
}

func TestNumericFunctions(t *testing.T) {
	s := columns(t, "d DOUBLE, m DECIMAL(12, 7), b BIGINT")
	check(t, s, values(t, s, "-1.5", "-12345.678", "2147483648"), [][2]string{
		{"ABS(m)", "12345.6780000 DECIMAL(12, 7)"},
		{"CEIL(d)", "-1.0 DOUBLE"},
		{"FLOOR(m)", "-12346.0000000 DECIMAL(12, 7)"},
		{"CEIL(b)", "2147483648 BIGINT"},
		{"ROUND(d)", "-1 BIGINT"},
		{"ROUND(2.5E0)", "3 BIGINT"},
		{"ROUND(m)", "-12346 DECIMAL(5, 0)"},
		{"ROUND(m, 0)", "-12346.0000000 DECIMAL(12, 7)"},
		{"ROUND(m, -2)", "-12300.0000000 DECIMAL(12, 7)"},
		{"ROUND(1.2345E0, 2)", "1.23 DOUBLE"},
		{"ROUND(-1.5)", "-1 DECIMAL(1, 0)"},
		{"TRUNC(m, 1)", "-12345.6000000 DECIMAL(12, 7)"},
		{"TRUNC(m)", "-12345 DECIMAL(5, 0)"},
		{"TRUNC(m, -1)", "-12340.0000000 DECIMAL(12, 7)"},
		{"TRUNC(d)", "-1 BIGINT"},
		{"LN(0)", "-Infinity DOUBLE"},
		{"SQRT(-1)", "NaN DOUBLE"},
		{"LOG(13)", "2.5649493574615367 DOUBLE"},
		{"LOG(15, 13)", "0.9471572411831843 DOUBLE"},
		{"LOG(1, 13)", "NaN DOUBLE"},
		{"COT(0)", "Infinity DOUBLE"},
		{"SIGN(d)", "-1 INTEGER"},
		{"POWER(15, -1)", "0.06666666666666667 DOUBLE"},
		{"PI()", "3.141592653589793 DOUBLE"},
		{"RANDOM()", "0.5 DOUBLE"},
		{"CBRT(27)", "3.0 DOUBLE"},
		{"ACOS(2)", "NaN DOUBLE"},
		{"ROUND(DEGREES(2), 9)", "114.591559026 DOUBLE"},
		{"ROUND(GEO_DISTANCE(37.4439, -122.1663, 51.5257, -0.1122), 3)", "8634.66 DOUBLE"},
		{"ROUND(GEO_DISTANCE(37.4439, -122.1663, 51.5257, -0.1122, 'MI'), 3)", "5365.66 DOUBLE"},
		{"GEO_DISTANCE(91, 0, 0, 0)", "error: geo_distance: latitude must be within -90 to 90, longitude within -180 to 180, and the unit KM or MILES"},
		{"GREATEST('a', NULL, 'b')", "b STRING"},
	})
}

func TestTextFunctions(t *testing.T) {
	s := columns(t, "t STRING, b BYTES, z STRING")
	check(t, s, values(t, s, "'some_string'", "'YWJj'", "NULL"), [][2]string{
		{"SUBSTRING(t, 6)", "string STRING"},
		{"SUBSTRING(t, 6, 3)", "str STRING"},
		{"SUBSTRING(t, -3)", "ing STRING"},
		{"SUBSTRING(t, 0, 2)", "so STRING"},
		{"SUBSTRING(t, 20)", " STRING"},
		{"SUBSTRING('a😀b', 4)", "b STRING"},
		{"FROM_BYTES(SUBSTRING(b, 2), 'utf8')", "bc STRING"},
		{"LEN('a😀b')", "4 INTEGER"},
		{"LEN(b)", "3 INTEGER"},
		{"UCASE('straße')", "STRASSE STRING"},
		{"LCASE('MiX')", "mix STRING"},
		{"TRIM(' \t x ')", "x STRING"},
		{"INITCAP('the   Quick br0wn fOx')", "The   Quick Br0wn Fox STRING"},
		{"INSTR('corporate floor', 'or', 4, 2)", "14 INTEGER"},
		{"INSTR('corporate floor', 'or', -4, 2)", "2 INTEGER"},
		{"INSTR('corporate floor', 'or', -3)", "5 INTEGER"},
		{"INSTR(t, 'x')", "0 INTEGER"},
		{"LPAD('foo', 7, 'Bar')", "BarBfoo STRING"},
		{"RPAD('foo', 2, 'Bar')", "fo STRING"},
		{"RPAD('foo', -1, 'Bar')", "null STRING"},
		{"RPAD('', 2, '')", "null STRING"},
		{"FROM_BYTES(LPAD(b, 5, TO_BYTES('no', 'ascii')), 'ascii')", "noabc STRING"},
		{"CONCAT('a', z, 'b')", "ab STRING"},
		{"CONCAT_WS('-', 'a', z, 'b')", "a-b STRING"},
		{"CONCAT_WS(z, 'a', 'b')", "null STRING"},
		{"ELT(FIELD('b', 'a', 'b'), 'x', 'y')", "y STRING"},
		{"FIELD(z, 'a')", "0 INTEGER"},
		{"REPLACE('anaconda', 'a', 'o')", "onocondo STRING"},
		{"REPLACE('x', z, 'o')", "null STRING"},
		{"SPLIT('..a.', '.')", "[, , a, ] ARRAY<STRING>"},
		{"SPLIT('ab', '')", "[a, b] ARRAY<STRING>"},
		{"SPLIT('', ',')", "[] ARRAY<STRING>"},
		{"SPLIT_TO_MAP('a:1//b:2/c', '/', ':')", "{a=1, b=2} MAP<STRING, STRING>"},
		{"SPLIT_TO_MAP('a:1', '', ':')", "null MAP<STRING, STRING>"},
		{"SPLIT_TO_MAP('a:1', ':', ':')", "null MAP<STRING, STRING>"},
		{"MASK('My Test $123')", "Xx-Xxxx--nnn STRING"},
		{"MASK('My Test $123', '*', NULL, '1', NULL)", "*y *est $111 STRING"},
		{"MASK('My Test', 'ab', NULL, NULL, NULL)", "error: mask: a mask must be one character, it is \"ab\""},
		{"MASK('My Test', '', NULL, NULL, NULL)", "error: mask: a mask must be one character, it is \"\""},
		{"MASK_KEEP_LEFT('My Test $123', 4)", "My Txxx--nnn STRING"},
		{"MASK_KEEP_RIGHT('My Test $123', 4)", "Xx-Xxxx-$123 STRING"},
		{"MASK_LEFT('My Test $123', 4)", "Xx-Xest $123 STRING"},
		{"MASK_RIGHT('My Test $123', 4)", "My Test -nnn STRING"},
		{"MD5('')", "d41d8cd98f00b204e9800998ecf8427e STRING"},
		{"ENCODE('Example!', 'ascii', 'hex')", "4578616d706c6521 STRING"},
		{"ENCODE('Ελλ', 'ascii', 'base64')", "Pz8/ STRING"},
		{"ENCODE('0x41', 'hex', 'utf8')", "A STRING"},
		{"ENCODE('0x141', 'hex', 'base64')", "AUE= STRING"},
		{"ENCODE('X''4142''', 'hex', 'ascii')", "AB STRING"},
		{"ENCODE('141', 'hex', 'base64')", "error: encode: decode hex: encoding/hex: odd length hex string"},
		{"ENCODE('x', 'utf8', 'UTF8')", "error: encode: both encodings are the same"},
		{"FROM_BYTES(TO_BYTES('lmno', 'utf8'), 'hex')", "6C6D6E6F STRING"},
		{"ENCODE('x', 'null', 'utf8')", "error: encode: unknown encoding \"null\": the encodings are hex, utf8, ascii and base64"},
		{"INT_FROM_BYTES(TO_BYTES('000007e5', 'hex'))", "2021 INTEGER"},
		{"INT_FROM_BYTES(TO_BYTES('e5070000', 'hex'), 'LITTLE_ENDIAN')", "2021 INTEGER"},
		{"BIGINT_FROM_BYTES(TO_BYTES('000000012a05f200', 'hex'))", "5000000000 BIGINT"},
		{"DOUBLE_FROM_BYTES(TO_BYTES('QICm/ZvJ9YI=', 'base64'))", "532.8738323 DOUBLE"},
		{"CHR(22909)", "好 STRING"},
		{"CHR('\\u597d')", "好 STRING"},
		{"CHR('\\ud83d\\ude00')", "😀 STRING"},
		{"CHR('\\u597d!')", "好! STRING"},
		{"CHR('597d')", "null STRING"},
		{"CHR('\\u59zz')", "error: chr: four hexadecimal digits must follow \\u"},
		{"CHR(-1)", "null STRING"},
		{"UUID()", "80000000-0000-4000-8000-000000000000 STRING"},
	})
}

func TestRegexFunctions(t *testing.T) {
	s := columns(t, "t STRING")
	check(t, s, values(t, s, "'some_test_string_testab'"), [][2]string{
		{"REGEXP_EXTRACT('test.', t)", "test_ STRING"},
		{"REGEXP_EXTRACT('x', t)", "null STRING"},
		{"REGEXP_EXTRACT('(.*) (.*)', 'hello there', 2)", "there STRING"},
		{"REGEXP_EXTRACT('(a)(b)?', 'ac', 2)", "null STRING"},
		{"REGEXP_EXTRACT_ALL('test.', t)", "[test_, testa] ARRAY<STRING>"},
		{"REGEXP_EXTRACT_ALL('(\\w+) (\\w+)', 'hello there nice day', 2)", "[there, day] ARRAY<STRING>"},
		{"REGEXP_EXTRACT('(?<=_)t(.)', t, 1)", "e STRING"},
		{"REGEXP_EXTRACT('(.)\\1', 'abccd')", "cc STRING"},
		{"REGEXP_REPLACE('foo123', '([a-z]+)([0-9]+)', '$2-$1')", "123-foo STRING"},
		{"REGEXP_SPLIT_TO_ARRAY('aabcda', '(ab|cd)')", "[a, , a] ARRAY<STRING>"},
		{"REGEXP_SPLIT_TO_ARRAY('zxy', '')", "[z, x, y] ARRAY<STRING>"},
		{"REGEXP_EXTRACT('\\p{Alpha}+', '1ab2')", "ab STRING"},
	})
	x, err := compileText(t, s, "REGEXP_EXTRACT('(', t)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Eval(values(t, s, "'a'")); err == nil {
		t.Error("an expression that is none gave a result")
	}
}

func TestURLFunctions(t *testing.T) {
	s := columns(t, "u STRING")
	check(t, s, values(t, s, "'http://test@confluent.io:8080/nested/path%20x?one=a&two=c%20d&three#frag%20x'"), [][2]string{
		{"URL_EXTRACT_PROTOCOL(u)", "http STRING"},
		{"URL_EXTRACT_PROTOCOL('www.confluent.io')", "null STRING"},
		{"URL_EXTRACT_HOST(u)", "confluent.io STRING"},
		{"URL_EXTRACT_PORT(u)", "8080 INTEGER"},
		{"URL_EXTRACT_PORT('http://a.b')", "null INTEGER"},
		{"URL_EXTRACT_PATH(u)", "/nested/path x STRING"},
		{"URL_EXTRACT_PATH('http://www.test.com?query#fragment')", " STRING"},
		{"URL_EXTRACT_QUERY(u)", "one=a&two=c d&three STRING"},
		{"URL_EXTRACT_FRAGMENT(u)", "frag x STRING"},
		{"URL_EXTRACT_PARAMETER(u, 'two')", "c d STRING"},
		{"URL_EXTRACT_PARAMETER(u, 'three')", "null STRING"},
		{"URL_EXTRACT_HOST('http://a b')", "error: url_extract_host: \"http://a b\": not a URI"},
		{"URL_ENCODE_PARAM('?foo $bar')", "%3Ffoo+%24bar STRING"},
		{"URL_DECODE_PARAM('%3Ffoo+%24bar')", "?foo $bar STRING"},
	})
}

func TestDateFunctions(t *testing.T) {
	s := columns(t, "ts TIMESTAMP, dt DATE, tm TIME")
	check(t, s, values(t, s, "'2018-05-11T21:58:33'", "'2018-05-11'", "'23:59:59.995'"), [][2]string{
		{"FORMAT_TIMESTAMP(ts, 'yyyy-MM-dd HH:mm:ss')", "2018-05-11 21:58:33 STRING"},
		{"FORMAT_TIMESTAMP(ts, 'yyyy-MM-dd HH:mm:ss zzz', 'America/Los_Angeles')", "2018-05-11 14:58:33 PDT STRING"},
		{"FORMAT_DATE(dt, 'dd-MMM-yyyy''Sophia''')", "11-May-2018Sophia STRING"},
		{"FORMAT_DATE(dt, 'HH')", "error: format_date: format by \"HH\": unsupported field: a part of the time"},
		{"FORMAT_TIME(tm, 'hh:mm:ss.SSS a')", "11:59:59.995 PM STRING"},
		{"TIMESTAMPTOSTRING(1526075913000, 'yyyy')", "2018 STRING"},
		{"DATETOSTRING(17662, 'yyyy-MM-dd')", "2018-05-11 STRING"},
		{"PARSE_TIMESTAMP('2018-05-11T21:58:33', 'yyyy-MM-dd''T''HH:mm:ss')", "2018-05-11T21:58:33.000 TIMESTAMP"},
		{"PARSE_TIMESTAMP('2018-05-11 14:58', 'yyyy-MM-dd HH:mm', 'America/Los_Angeles')", "2018-05-11T21:58:00.000 TIMESTAMP"},
		{"STRINGTOTIMESTAMP('2020-05-11T21:58:33z', 'yyyy-MM-dd''T''HH:mm:ssX')", "1589234313000 BIGINT"},
		{"PARSE_DATE('JAN-2022', 'MMM-yyyy')", "2022-01-01 DATE"},
		{"PARSE_TIME('01:00:00 Pm', 'hh:mm:ss a')", "13:00 TIME"},
		{"STRINGTODATE('foo', 'yyyyMMdd')", "error: stringtodate: parse \"foo\": text does not follow the pattern \"yyyyMMdd\": \"foo\" at 1"},
		{"CONVERT_TZ(ts, '+0200', '+0500')", "2018-05-12T00:58:33.000 TIMESTAMP"},
		{"CONVERT_TZ(ts, 'America/Los_Angeles', 'America/New_York')", "2018-05-12T00:58:33.000 TIMESTAMP"},
		{"TIMEADD(MILLISECONDS, 10, tm)", "00:00:00.005 TIME"},
		{"TIMESUB(MILLISECONDS, -5, tm)", "00:00 TIME"},
		{"TIMESTAMPADD(HOURS, -2, ts)", "2018-05-11T19:58:33.000 TIMESTAMP"},
		{"TIMESTAMPSUB(MINUTE, 1, ts)", "2018-05-11T21:57:33.000 TIMESTAMP"},
		{"DATESUB(DAYS, 11, dt)", "2018-04-30 DATE"},
		{"DATESUB(HOURS, 5, dt)", "2018-05-10 DATE"},
		{"DATEADD(HOURS, 23, dt)", "2018-05-11 DATE"},
		{"DATEADD(HOURS, -24, dt)", "2018-05-10 DATE"},
		{"UNIX_DATE(dt)", "17662 INTEGER"},
		{"UNIX_DATE()", "19782 INTEGER"},
		{"UNIX_TIMESTAMP()", "1709202030000 BIGINT"},
		{"UNIX_TIMESTAMP(ts)", "1526075913000 BIGINT"},
		{"FROM_DAYS(-10)", "1969-12-22 DATE"},
		{"FROM_UNIXTIME(1526075913000)", "2018-05-11T21:58:33.000 TIMESTAMP"},
	})
}

func TestJSONFunctions(t *testing.T) {
	s := columns(t, "j STRING, m MAP<STRING, ARRAY<INT>>, d DATE, ts TIMESTAMP, st STRUCT<ID INT, `n` DOUBLE>, b BYTES")
	r := values(t, s, `'{"a": {"b": [1.23450, "x"]}, "c d": null, "t": true}'`, "MAP('id' := ARRAY[1, 2])", "'1972-09-27'",
		"'1971-11-28T23:46:40'", "STRUCT(ID := 1, `n` := 1E7)", "'IQ=='")
	check(t, s, r, [][2]string{
		{"EXTRACTJSONFIELD(j, '$.a.b[0]')", "1.23450 STRING"},
		{"EXTRACTJSONFIELD(j, '$.a.b[1]')", "x STRING"},
		{"EXTRACTJSONFIELD(j, '$.a.b[-1]')", "null STRING"},
		{"EXTRACTJSONFIELD(j, '$[''c d'']')", "null STRING"},
		{"EXTRACTJSONFIELD(j, '$.a')", `{"b":[1.23450,"x"]} STRING`},
		{"EXTRACTJSONFIELD(j, 'a')", "error: extractjsonfield: invalid JSON path \"a\": write it as $.field[0]"},
		{"IS_JSON_STRING(j)", "true BOOLEAN"},
		{"IS_JSON_STRING('abc')", "false BOOLEAN"},
		{"IS_JSON_STRING('1 2')", "false BOOLEAN"},
		{"IS_JSON_STRING(CAST(NULL AS STRING))", "false BOOLEAN"},
		{"JSON_ARRAY_LENGTH('[1, [2], 3]')", "3 INTEGER"},
		{"JSON_ARRAY_LENGTH('{}')", "null INTEGER"},
		{"JSON_ARRAY_CONTAINS('[1, 2.5, \"a\", null]', 1)", "true BOOLEAN"},
		{"JSON_ARRAY_CONTAINS('[1, 2.5, \"a\", null]', 'a')", "true BOOLEAN"},
		{"JSON_ARRAY_CONTAINS('[1, 2.5, \"a\", null]', CAST(NULL AS INT))", "true BOOLEAN"},
		{"JSON_ARRAY_CONTAINS('[1]', 3)", "false BOOLEAN"},
		{"JSON_CONCAT('{\"a\": 1}', '{\"b\": 2, \"a\": 3}')", `{"a":3,"b":2} STRING`},
		{"JSON_CONCAT('[1, 2]', '{\"a\": 1}', '4')", `[1,2,{"a":1},4] STRING`},
		{"JSON_CONCAT('[]', '[]')", "[] STRING"},
		{"JSON_KEYS(j)", "[a, c d, t] ARRAY<STRING>"},
		{"JSON_RECORDS('{\"x\": \"Seven\", \"y\": 8, \"z\": {\"k\": []}}')", `{x=Seven, y=8, z={"k":[]}} MAP<STRING, STRING>`},
		{"JSON_ITEMS('[{\"a\" : 1}, 2]')", `[{"a":1}, 2] ARRAY<STRING>`},
		{"TO_JSON_STRING(m)", `{"id":[1,2]} STRING`},
		{"TO_JSON_STRING(d)", `"1972-09-27" STRING`},
		{"TO_JSON_STRING(ts)", `"1971-11-28T23:46:40.000" STRING`},
		{"TO_JSON_STRING(st)", `{"ID":1,"n":1.0E7} STRING`},
		{"TO_JSON_STRING(STRUCT(z := 1, a := STRUCT(y := 2, x := 3)))", `{"A":{"X":3,"Y":2},"Z":1} STRING`},
		{"TO_JSON_STRING(b)", `"IQ==" STRING`},
		{"TO_JSON_STRING(CAST(NULL AS INT))", "null STRING"},
	})
}

func TestCollectionFunctions(t *testing.T) {
	s := columns(t, "a ARRAY<INT>, z ARRAY<INT>, m MAP<STRING, INT>, w ARRAY<STRING>")
	r := values(t, s, "ARRAY[0, NULL, 1, 0, -1]", "NULL", "MAP('b' := 2, 'a' := 1)", "ARRAY['x', NULL]")
	check(t, s, r, [][2]string{
		{"ARRAY_LENGTH(a)", "5 INTEGER"},
		{"ARRAY_CONTAINS(a, 1)", "true BOOLEAN"},
		{"ARRAY_CONTAINS(z, 1)", "false BOOLEAN"},
		{"ARRAY_DISTINCT(a)", "[0, null, 1, -1] ARRAY<INTEGER>"},
		{"ARRAY_UNION(a, ARRAY[7, 0])", "[0, null, 1, -1, 7] ARRAY<INTEGER>"},
		{"ARRAY_UNION(a, z)", "null ARRAY<INTEGER>"},
		{"ARRAY_EXCEPT(a, ARRAY[0])", "[null, 1, -1] ARRAY<INTEGER>"},
		{"ARRAY_INTERSECT(a, ARRAY[1, 0])", "[0, 1] ARRAY<INTEGER>"},
		{"ARRAY_CONCAT(z, a)", "[0, null, 1, 0, -1] ARRAY<INTEGER>"},
		{"ARRAY_CONCAT(a, ARRAY[9])", "[0, null, 1, 0, -1, 9] ARRAY<INTEGER>"},
		{"ARRAY_REMOVE(a, 0)", "[null, 1, -1] ARRAY<INTEGER>"},
		{"ARRAY_REMOVE(a, NULL)", "[0, 1, 0, -1] ARRAY<INTEGER>"},
		{"ARRAY_MAX(a)", "1 INTEGER"},
		{"ARRAY_MIN(a)", "-1 INTEGER"},
		{"ARRAY_SORT(a)", "[-1, 0, 0, 1, null] ARRAY<INTEGER>"},
		{"ARRAY_SORT(a, 'desc')", "[1, 0, 0, -1, null] ARRAY<INTEGER>"},
		{"ARRAY_JOIN(a)", "0,null,1,0,-1 STRING"},
		{"ARRAY_JOIN(w, NULL)", "xnull STRING"},
		{"SLICE(a, 2, 3)", "[null, 1] ARRAY<INTEGER>"},
		{"SLICE(a, 2, 9)", "null ARRAY<INTEGER>"},
		{"GENERATE_SERIES(4, 2)", "[4, 3, 2] ARRAY<INTEGER>"},
		{"GENERATE_SERIES(1, 10, 4)", "[1, 5, 9] ARRAY<INTEGER>"},
		{"GENERATE_SERIES(1, 10, -4)", "error: generate_series: the step must not be zero and must lead from the start to the end"},
		{"AS_MAP(ARRAY['k', 'j'], ARRAY[1, 2, 3])", "{j=2, k=1} MAP<STRING, INTEGER>"},
		{"AS_MAP(ARRAY['k', 'j'], ARRAY[1])", "{j=null, k=1} MAP<STRING, INTEGER>"},
		{"MAP_KEYS(m)", "[a, b] ARRAY<STRING>"},
		{"MAP_VALUES(m)", "[1, 2] ARRAY<INTEGER>"},
		{"MAP_UNION(m, MAP('a' := 5))", "{a=5, b=2} MAP<STRING, INTEGER>"},
		{"ENTRIES(m, true)", "[Struct{K=a,V=1}, Struct{K=b,V=2}] ARRAY<STRUCT<K STRING, V INTEGER>>"},
		{"IFNULL(m['x'], -1)", "-1 INTEGER"},
		{"NULLIF(m['a'], 1)", "null INTEGER"},
		{"NULLIF(z, a)", "null ARRAY<INTEGER>"},
		{"AS_VALUE(w)", "[x, null] ARRAY<STRING>"},
	})
}
