package qtt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// caseFrom reads a file of one case.
func caseFrom(t *testing.T, body string) *testCase {
	t.Helper()
	cases, err := readCases("own", []byte(`{"tests": [{"name": "one", `+body+`}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 1 {
		t.Fatalf("%d cases", len(cases))
	}
	return cases[0]
}

func judge(t *testing.T, body string, f *fakeDriver) verdict {
	t.Helper()
	return runCase(caseFrom(t, body), func(*Registry) (Driver, error) { return f, nil })
}

const (
	readings = `CREATE STREAM READINGS (METER STRING KEY, KWH DECIMAL(5, 2)) WITH (KAFKA_TOPIC='readings', FORMAT='JSON');`
	billed   = `CREATE STREAM BILLED AS SELECT * FROM READINGS;`
)

const copying = `
	"statements": ["` + readings + `", "` + billed + `"],
	"inputs": [
		{"topic": "readings", "key": "m1", "value": {"kwh": 1.50, "at": [1, null, {"x": true}]}, "timestamp": 7,
		 "headers": [{"KEY": "h", "VALUE": "AQ=="}]},
		{"topic": "readings", "key": "m2", "value": null}],
	"outputs": [
		{"topic": "BILLED", "key": "m1", "value": {"kwh": 1.50, "at": [1, null, {"x": true}]}, "timestamp": 7,
		 "headers": [{"KEY": "h", "VALUE": "AQ=="}]},
		{"topic": "BILLED", "key": "m2", "value": null, "timestamp": 0}]`

// changed returns what comes out if the first record's value is another one.
func changed(value string) func(Record) []Record {
	return func(r Record) []Record {
		if r.Value != nil {
			r.Value = []byte(value)
		}
		return []Record{r}
	}
}

func TestJudgeSeesWhatDiffers(t *testing.T) {
	for name, tt := range map[string]struct {
		copied func(Record) []Record
		want   string // part of the error; "" passes
	}{
		"as it is":           {nil, ""},
		"upper-case names":   {changed(`{"KWH": 1.50, "AT": [1, null, {"X": true}]}`), ""},
		"a lost record":      {func(r Record) []Record { return []Record{r}[:min(len(r.Value), 1)] }, "want 2 records, got 1"},
		"a double record":    {func(r Record) []Record { return []Record{r, r} }, "want 2 records, got 4"},
		"another scale":      {changed(`{"kwh": 1.5, "at": [1, null, {"x": true}]}`), "value.kwh: want 1.50, got 1.5"},
		"another number":     {changed(`{"kwh": 1.51, "at": [1, null, {"x": true}]}`), "value.kwh"},
		"a missing field":    {changed(`{"at": [1, null, {"x": true}]}`), "value: want"},
		"one field more":     {changed(`{"kwh": 1.50, "at": [1, null, {"x": true}], "z": 1}`), "value: want"},
		"a null field":       {changed(`{"kwh": null, "at": [1, null, {"x": true}]}`), "value.kwh"},
		"a shorter list":     {changed(`{"kwh": 1.50, "at": [1, null]}`), "value.at: want"},
		"deep inside":        {changed(`{"kwh": 1.50, "at": [1, null, {"x": false}]}`), "value.at[2].x: want true, got false"},
		"null where it was":  {changed(`{"kwh": 1.50, "at": [1, 0, {"x": true}]}`), "value.at[1]: want null, got 0"},
		"a text as number":   {changed(`{"kwh": 1.50, "at": ["1", null, {"x": true}]}`), "value.at[0]"},
		"no JSON":            {changed(`{"kwh"`), "cannot be read"},
		"a value for null":   {func(r Record) []Record { r.Value = []byte(`{}`); return []Record{r} }, "value"},
		"another key":        {func(r Record) []Record { r.Key = []byte(`"m3"`); return []Record{r} }, `key: want "m1", got "m3"`},
		"no key":             {func(r Record) []Record { r.Key = nil; return []Record{r} }, `key: want "m1", got null`},
		"another time":       {func(r Record) []Record { r.Timestamp = 8; return []Record{r} }, "timestamp: want 7, got 8"},
		"no header":          {func(r Record) []Record { r.Headers = nil; return []Record{r} }, "headers"},
		"another header":     {func(r Record) []Record { r.Headers = []Header{{"h", nil}}; return []Record{r} }, "headers"},
		"headers everywhere": {func(r Record) []Record { r.Headers = []Header{{"h", []byte{1}}}; return []Record{r} }, "record 2: headers"},
	} {
		t.Run(name, func(t *testing.T) {
			wantVerdict(t, judge(t, copying, &fakeDriver{copied: tt.copied}), tt.want)
		})
	}
}

func wantVerdict(t *testing.T, v verdict, want string) {
	t.Helper()
	switch {
	case want == "" && (!v.passed || v.err != nil):
		t.Errorf("passed %t, %v", v.passed, v.err)
	case want != "" && (v.passed || v.err == nil || !strings.Contains(v.err.Error(), want)):
		t.Errorf("passed %t, %v, want %q", v.passed, v.err, want)
	}
}

func TestRecordsInAnotherOrderFail(t *testing.T) {
	var held []Record
	v := judge(t, copying, &fakeDriver{copied: func(r Record) []Record {
		held = append(held, r)
		if len(held) < 2 {
			return nil
		}
		return []Record{held[1], held[0]}
	}})
	wantVerdict(t, v, "record 1: key")
}

func TestOutputsOfATopicThatNobodyReads(t *testing.T) {
	body := strings.ReplaceAll(copying, `"topic": "BILLED"`, `"topic": "NOWHERE"`)
	wantVerdict(t, judge(t, body, &fakeDriver{}), "no stream or table is on topic NOWHERE")
}

func TestPanicIsAFailedCase(t *testing.T) {
	body := `"statements": ["` + readings + billed + `"], "inputs": [{"topic": "readings", "value": "panic"}]`
	wantVerdict(t, judge(t, body, &fakeDriver{}), "panic: the engine fell over")
}

// The second query reads a topic with inputs and one without: first the inputs, then what the first query and INSERT VALUES left.
func TestQueriesRunOneAfterAnother(t *testing.T) {
	f := &fakeDriver{}
	v := judge(t, `
		"statements": ["`+readings+billed+` INSERT INTO BILLED VALUES ('0'); CREATE STREAM PAID AS SELECT * FROM BILLED;"],
		"inputs": [{"topic": "readings", "value": 1}, {"topic": "readings", "value": 2}],
		"outputs": [
			{"topic": "PAID", "value": 0, "timestamp": 1234}, {"topic": "PAID", "value": 1}, {"topic": "PAID", "value": 2},
			{"topic": "BILLED", "value": 0}, {"topic": "BILLED", "value": 1}, {"topic": "BILLED", "value": 2}]`, f)
	wantVerdict(t, v, "")
	want := []string{
		"COPY_BILLED readings 1", "COPY_BILLED readings 2",
		"COPY_PAID BILLED 0", "COPY_PAID BILLED 1", "COPY_PAID BILLED 2",
	}
	if !slices.Equal(f.piped, want) {
		t.Errorf("piped %q, want %q", f.piped, want)
	}
}

func TestTimeOfInsertedRecords(t *testing.T) {
	body := func(at int, inputs string) string {
		return fmt.Sprintf(`"statements": ["%s%s INSERT INTO READINGS VALUES ('1');"], "inputs": [%s],
			"outputs": [{"topic": "BILLED", "value": 1, "timestamp": %d}]`, readings, billed, inputs, at)
	}
	wantVerdict(t, judge(t, body(0, ""), &fakeDriver{}), "")
	wantVerdict(t, judge(t, body(1, ""), &fakeDriver{}), "timestamp: want 1, got 1234")
	input := `{"topic": "readings", "value": 1, "timestamp": 5}`
	wantVerdict(t, judge(t, body(0, input), &fakeDriver{}), "timestamp: want 0, got 5")
}

func TestWindowsOfKeys(t *testing.T) {
	body := func(kind, in, out string) string {
		return `"statements": ["CREATE STREAM S (K STRING KEY, V INT) WITH (KAFKA_TOPIC='s', FORMAT='KAFKA', WINDOW_TYPE='` + kind + `');` +
			`CREATE STREAM T AS SELECT * FROM S;"],
			"inputs": [{"topic": "s", "key": "a", "value": 1, "window": {` + in + `}}],
			"outputs": [{"topic": "T", "key": "a", "value": 1` + out + `}]`
	}
	time, session := `"start": 20, "end": 30, "type": "time"`, `"start": 20, "end": 25, "type": "session"`
	wantVerdict(t, judge(t, body("TUMBLING", time, `, "window": {`+time+`}`), &fakeDriver{}), "")
	wantVerdict(t, judge(t, body("SESSION", session, `, "window": {`+session+`}`), &fakeDriver{}), "")
	wantVerdict(t, judge(t, body("TUMBLING", time, ""), &fakeDriver{}), "want no window, got time window 20-30")
	wantVerdict(t, judge(t, body("SESSION", session, `, "window": {"start": 20, "end": 26, "type": "session"}`), &fakeDriver{}), "20-26")
	late := func(r Record) []Record { r.Key = append(r.Key[:1:1], 0, 0, 0, 0, 0, 0, 0, 30); return []Record{r} }
	wantVerdict(t, judge(t, body("TUMBLING", time, `, "window": {`+time+`}`), &fakeDriver{copied: late}), "got time window 30-40")
}

func TestExpectedErrors(t *testing.T) {
	const refused = `CREATE STREAM X AS SELECT * FROM NOWHERE;`
	const parse, statement, streams = "a.b.ParseFailedException", "a.b.KsqlStatementException", "x.StreamsException"
	for name, tt := range map[string]struct {
		statements, input, class, message string
		want                              string
		text                              bool
	}{
		"refused":           {readings + refused, "", statement, "NOWHERE is unknown", "", true},
		"another text":      {readings + refused, "", statement, "NOWHERE is closed", "by class", false},
		"no syntax":         {readings + `SING;`, "", parse, "Syntax Error", "by class", false},
		"wrong phase":       {readings + `SING;`, "", statement, "cannot", "failed in phase parse", true},
		"wrong phase, too":  {readings + refused, "", parse, "Syntax Error", "failed in phase analyse", false},
		"a rule of parsers": {readings + refused, "", parse, "unknown", "", true},
		"wrong statement":   {refused + readings, "", statement, "unknown", "statement 1 failed, not 2", true},
		"accepted":          {readings + billed, "", statement, "unknown", "accepted", false},
		"a record":          {readings + billed, `"poison"`, streams, "died of", "", true},
		"not the record":    {readings + refused, "", streams, "unknown", "a record must fail", true},
		"the record":        {readings + billed, `"poison"`, statement, "died of", "a record must fail", true},
		"a record accepted": {readings + billed, `"food"`, streams, "died of", "accepted", false},
	} {
		t.Run(name, func(t *testing.T) {
			inputs := ""
			if tt.input != "" {
				inputs = `{"topic": "readings", "value": ` + tt.input + `}`
			}
			v := judge(t, fmt.Sprintf(`"statements": [%q], "inputs": [%s], "expectedException": {"type": %q, "message": %q}`,
				tt.statements, inputs, tt.class, tt.message), &fakeDriver{})
			if v.text != tt.text {
				t.Errorf("text %t: %v", v.text, v.err)
			}
			if tt.want == "by class" {
				if !v.passed || v.err == nil {
					t.Errorf("passed %t, %v", v.passed, v.err)
				}
				return
			}
			wantVerdict(t, v, tt.want)
		})
	}
	wantVerdict(t, judge(t, `"statements": ["`+readings+refused+`"]`, &fakeDriver{}), "analyse, statement 2 of 2: stream NOWHERE is unknown")
}

func TestWhatMustBeThereAfterwards(t *testing.T) {
	for post, want := range map[string]string{
		`"sources": [{"name": "BILLED", "type": "STREAM", "schema": "meter VARCHAR KEY,kwh DECIMAL(5,2)"}]`:                               "",
		`"sources": [{"name": "BILLED", "type": "stream", "keyFormat": {"format": "JSON"}, "valueFormat": "JSON"}]`:                       "",
		`"sources": [{"name": "OTHER", "type": "stream"}]`:                                                                                "source OTHER: it is not there",
		`"sources": [{"name": "BILLED", "type": "table"}]`:                                                                                "want a table, got a stream",
		`"sources": [{"name": "BILLED", "type": "stream", "schema": "METER STRING, KWH DECIMAL(5,2)"}]`:                                   "schema",
		`"sources": [{"name": "BILLED", "type": "stream", "schema": "METER STRING KEY, KWH DECIMAL(5,1)"}]`:                               "schema",
		`"sources": [{"name": "BILLED", "type": "stream", "keyFormat": {"format": "KAFKA"}}]`:                                             "key format",
		`"sources": [{"name": "BILLED", "type": "stream", "valueFormat": "AVRO"}]`:                                                        "value format",
		`"sources": [{"name": "BILLED", "type": "stream", "keyFeatures": ["UNWRAP_SINGLES"]}]`:                                            "key features",
		`"sources": [{"name": "BILLED", "type": "stream", "isSource": true}]`:                                                             "read-only",
		`"topics": {"blacklist": ".*-repartition"}`:                                                                                       "",
		`"topics": {"blacklist": "BILL.*"}`:                                                                                               "must not be there",
		`"topics": {"topics": [{"name": "BILLED", "keyFormat": {"format": "JSON"}, "valueFormat": {"format": "JSON"}, "partitions": 4}]}`: "",
		`"topics": {"topics": [{"name": "BILLED", "keyFormat": {"format": "JSON"}, "valueFormat": {"format": "JSON"}, "partitions": 5}]}`: "want 5 partitions",
		`"topics": {"topics": [{"name": "BILLED", "keyFormat": {"format": "KAFKA"}, "valueFormat": {"format": "JSON"}}]}`:                 "key format",
		`"topics": {"topics": [` + internal("p_query_COPY_BILLED_0-a-repartition", "JSON") + `]}`:                                         "",
		`"topics": {"topics": [` + internal("p_query_COPY_BILLED_0-a-repartition", "AVRO") + `]}`:                                         "no topic as p_query",
		`"topics": {"topics": [` + internal("p_query_OTHER_0-a-repartition", "JSON") + `]}`:                                               "no topic as p_query",
		`"topics": {"topics": [` + internal("p_query_COPY_BILLED_0-a-changelog", "JSON") + `]}`:                                           "",
		`"topics": {"topics": [` + internal("p_query_COPY_BILLED_0-a-repartition", "JSON") + "," +
			internal("p_query_COPY_BILLED_0-b-repartition", "JSON") + `]}`: "no topic as p_query_COPY_BILLED_0-b",
		`"topics": {"topics": [{"name": "x", "keyFormat": {"format": "KAFKA"}, "valueFormat": {"format": "JSON"}}]}`: "no topic as x",
	} {
		t.Run(post, func(t *testing.T) {
			json := Format{Name: "JSON"}
			f := &fakeDriver{topics: []Topic{{Name: "COPY_BILLED_0-step-repartition", Internal: true, Key: json, Value: json}}}
			if strings.Contains(post, "blacklist") {
				f.topics = nil
			}
			v := judge(t, `"statements": ["`+readings+billed+`"], "post": {`+post+`}`, f)
			wantVerdict(t, v, want)
		})
	}
}

// internal is a topic of a query that a case wants.
func internal(name, format string) string {
	return fmt.Sprintf(`{"name": %q, "keyFormat": {"format": %q}, "valueFormat": {"format": %[2]q}}`, name, format)
}

func TestDetailOfAFailedCase(t *testing.T) {
	t.Setenv("QTT", "own")
	v := judge(t, copying, &fakeDriver{copied: changed(`{"kwh": 1.5}`)})
	for _, want := range []string{
		"statement 2: CREATE STREAM BILLED AS SELECT * FROM READINGS\n",
		`input  readings key "m1" value {"kwh":1.50,"at":[1,null,{"x":true}]} at 7 header h="\x01"`,
		`       as key "\"m2\"" value null`,
		`want   BILLED key "m2" value null at 0`,
		`got    BILLED key "m1" value {"kwh":1.5} at 7 header h="\x01"`,
		"source stream BILLED (METER STRING KEY, KWH DECIMAL(5, 2)) topic BILLED",
	} {
		if !strings.Contains(v.detail, want) {
			t.Errorf("no %q in\n%s", want, v.detail)
		}
	}
}
