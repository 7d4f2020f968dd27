package rowstream_test

import (
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/server/ksql/rowstream"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/row"
)

func header(push, table bool) query.Header {
	return query.Header{ID: "q1", Push: push, Table: table, Columns: []query.Column{
		{Name: "ID", Type: row.StringType, Key: true}, {Name: "PRICE", Type: row.DecimalType(4, 2)}, {Name: "SHARE", Type: row.Double},
	}}
}

func price(text string) row.Value {
	d, err := row.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return row.FromDecimal(d)
}

var rows = []query.Row{
	{Values: row.NewRow(row.NewString("a\"<"), price("1.50"), row.NewDouble(1e7))},
	{Values: row.NewRow(row.NewString("b"), row.Null, row.Null), Tombstone: true},
}

const (
	streamedHead  = `[{"header":{"queryId":"q1","schema":"` + "`ID` STRING, `PRICE` DECIMAL(4, 2), `SHARE` DOUBLE" + `"}}`
	pullHead      = `[{"header":{"queryId":"q1","schema":"` + "`ID` STRING KEY, `PRICE` DECIMAL(4, 2), `SHARE` DOUBLE" + `"}}`
	rowA          = `{"row":{"columns":["a\"<",1.50,1.0E7]}}`
	rowB          = `{"row":{"columns":["b",null,null],"tombstone":true}}`
	plainHead     = `{"queryId":"q1","columnNames":["ID","PRICE","SHARE"],"columnTypes":["STRING","DECIMAL(4, 2)","DOUBLE"]}`
	protoSchema   = "`ID` STRING, `N` BIGINT" + `","protoSchema":"syntax = \"proto3\";\n\nmessage ConnectDefault1 {\n  string ID = 1;\n  int64 N = 2;\n}\n"}}`
	failure       = `{"@type":"generic_error","error_code":50000,"message":"lost"}`
	end, noEnd    = "Limit Reached", ""
	failed, whole = true, false
)

// encode writes the rows and the end, or the failure.
func encode(t *testing.T, media string, h query.Header, rows []query.Row, final string, fails bool) string {
	t.Helper()
	e, err := rowstream.New(media, h)
	if err != nil {
		t.Fatal(err)
	}
	out := e.Begin(nil)
	for _, r := range rows {
		if out, err = e.Row(out, r); err != nil {
			t.Fatal(err)
		}
	}
	if fails {
		return string(e.Fail(out, []byte(failure)))
	}
	return string(e.End(out, final))
}

func TestBytesOfEachEncoding(t *testing.T) {
	for name, tt := range map[string]struct {
		media  string
		header query.Header
		final  string
		fails  bool
		want   string
	}{
		"streamed push":          {rowstream.Streamed, header(true, true), end, whole, streamedHead + ",\n" + rowA + ",\n" + rowB + ",\n" + `{"finalMessage":"Limit Reached"}]`},
		"streamed push, closed":  {rowstream.Streamed, header(true, true), noEnd, whole, streamedHead + ",\n" + rowA + ",\n" + rowB + ",\n" + `{"finalMessage":"Query Completed"}]`},
		"streamed push, failed":  {rowstream.Streamed, header(true, false), end, failed, streamedHead + ",\n" + rowA + ",\n" + rowB + ",\n" + `{"errorMessage":` + failure + `}]`},
		"streamed pull":          {rowstream.Streamed, header(false, false), end, whole, pullHead + ",\n" + rowA + ",\n" + rowB + ",\n" + `{"finalMessage":"Limit Reached"}]`},
		"streamed pull of table": {rowstream.Streamed, header(false, true), end, whole, pullHead + ",\n" + rowA + ",\n" + rowB + "]"},
		"streamed pull, failed":  {rowstream.Streamed, header(false, true), end, failed, pullHead + ",\n" + rowA + ",\n" + rowB + ",\n" + `{"errorMessage":` + failure + `}]`},
		"delimited":              {rowstream.Delimited, header(true, true), end, whole, plainHead + "\n" + `["a\"<",1.50,1.0E7]` + "\n"},
		"delimited, failed":      {rowstream.Delimited, header(true, true), end, failed, plainHead + "\n" + `["a\"<",1.50,1.0E7]` + "\n" + failure + "\n"},
		"JSON":                   {rowstream.JSON, header(false, true), end, whole, "[" + plainHead + `,["a\"<",1.50,1.0E7]]`},
		"JSON, failed":           {rowstream.JSON, header(false, true), end, failed, "[" + plainHead + `,["a\"<",1.50,1.0E7],` + failure + "]"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := encode(t, tt.media, tt.header, rows, tt.final, tt.fails); got != tt.want {
				t.Errorf("%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestRowsInProtobuf(t *testing.T) {
	h := query.Header{ID: "q2", Push: true, Columns: []query.Column{{Name: "ID", Type: row.StringType}, {Name: "N", Type: row.Bigint}}}
	got := encode(t, rowstream.Protobuf, h, []query.Row{
		{Values: row.NewRow(row.NewString("a"), row.NewBigint(7))}, {Values: row.NewRow(row.NewString("a"), row.Null), Tombstone: true},
	}, noEnd, whole)
	want := `[{"header":{"queryId":"q2","schema":"` + protoSchema + ",\n" + `{"row":{"protobufBytes":"CgFhEAc="}}` + ",\n" +
		`{"row":{"columns":["a",null],"tombstone":true}}` + ",\n" + `{"finalMessage":"Query Completed"}]`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	h.Columns[1].Type = row.MapType(row.StringType, row.Bigint)
	const entries = `  repeated ConnectDefault2Entry N = 2;\n\n  message ConnectDefault2Entry {\n    string key = 1;\n    int64 value = 2;\n  }\n}\n"}}`
	if got := encode(t, rowstream.Protobuf, h, nil, noEnd, whole); !strings.Contains(got, entries) {
		t.Errorf("a map: %s", got)
	}
	h.Columns[0].Name = "no name for Protobuf"
	if _, err := rowstream.New(rowstream.Protobuf, h); err == nil || !strings.Contains(err.Error(), "rows in Protobuf") {
		t.Errorf("error %v", err)
	}
	if _, err := rowstream.New("text/html", h); err == nil {
		t.Error("a result in HTML")
	}
}
