package trial_test

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
	"github.com/mainstemio/mainstem/record"
)

// open returns a trial with a registry in which the schemas are registered by their subjects, with ids from 1.
func open(t *testing.T, schemas ...[2]string) (*trial.Trial, *registry.Memory) {
	t.Helper()
	memory := registry.NewMemory()
	for _, s := range schemas {
		kind := "AVRO"
		if strings.HasPrefix(s[1], "syntax") {
			kind = "PROTOBUF"
		}
		if _, err := memory.Register(s[0], format.Definition{Kind: kind, Text: s[1]}); err != nil {
			t.Fatal(err)
		}
	}
	lib := builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))})
	return trial.New(trial.Options{Functions: lib, Schemas: memory}), memory
}

func exec(t *testing.T, tr *trial.Trial, script string) {
	t.Helper()
	if _, err := tr.Exec(context.Background(), script, nil); err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, tr *trial.Trial, script, want string) {
	t.Helper()
	_, err := tr.Exec(context.Background(), script, nil)
	var s *session.StatementError
	if !errors.As(err, &s) || s.Phase != session.Plan || !strings.Contains(err.Error(), want) {
		t.Errorf("%s\n%v, want %s", script, err, want)
	}
}

const orders = `{"type":"record","name":"Order","fields":[{"name":"item","type":"string"},{"name":"n","type":["null","int"]}]}`

func TestColumnsComeFromTheRegistry(t *testing.T) {
	tr, memory := open(t, [2]string{"orders-value", orders}, [2]string{"orders-key", `"long"`})
	exec(t, tr, `
		CREATE STREAM o WITH (KAFKA_TOPIC='orders', PARTITIONS=1, FORMAT='AVRO');
		CREATE STREAM big WITH (VALUE_FORMAT='PROTOBUF') AS SELECT * FROM o WHERE n > 1;
		CREATE STREAM byid (id INT KEY) WITH (KAFKA_TOPIC='orders', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=1);`)
	for name, want := range map[string]string{"O": "`ROWKEY` BIGINT|`ITEM` STRING, `N` INTEGER", "BYID": "`ID` INTEGER|`item` STRING, `n` INTEGER"} {
		s := tr.Catalog().Source(name)
		if got := s.Key.String() + "|" + s.Value.String(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	r := record.Record{Key: []byte("\x00\x00\x00\x00\x02\x0a"), Value: []byte("\x00\x00\x00\x00\x01\x02x\x02\x0e")}
	if err := tr.Pipe(tr.Queries()[0].ID, "orders", r); err != nil {
		t.Fatal(err)
	}
	key, err := memory.Latest("BIG-key")
	if err != nil || key.Text != `"long"` {
		t.Errorf("key's schema: %+v, %v", key, err)
	}
	value, err := memory.Latest("BIG-value")
	if err != nil || !strings.Contains(value.Text, "string ITEM = 1;\n  int32 N = 2;") {
		t.Errorf("value's schema: %+v, %v", value, err)
	}
	out := tr.Drain("BIG")
	if len(out) != 1 || hex.EncodeToString(out[0].Value) != "00000000030"+"00a01781007" || hex.EncodeToString(out[0].Key) != "00000000020a" {
		t.Errorf("%d records, %x", len(out), out)
	}
	if latest, err := memory.Latest("orders-value"); err != nil || latest.ID != 1 {
		t.Errorf("the topic of others has schema %d: %v", latest.ID, err)
	}
}

func TestStatementsAboutSchemasThatCannotBe(t *testing.T) {
	tr, _ := open(t, [2]string{"orders-value", orders})
	refused(t, tr, `CREATE STREAM o WITH (KAFKA_TOPIC='orders', PARTITIONS=1, FORMAT='AVRO');`, "Schema for message keys on topic 'orders' does not exist in the Schema Registry.")
	refused(t, tr, `CREATE STREAM o WITH (KAFKA_TOPIC='orders', PARTITIONS=1, VALUE_FORMAT='PROTOBUF');`, "You may want to set VALUE_FORMAT to 'AVRO'")
	refused(t, tr, `CREATE STREAM o WITH (KAFKA_TOPIC='orders', PARTITIONS=1, VALUE_FORMAT='JSON');`, "No columns supplied.")
	refused(t, tr, `CREATE STREAM o (a INT) WITH (KAFKA_TOPIC='orders', PARTITIONS=1, VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=1);`, "Table elements and VALUE_SCHEMA_ID cannot both exist")
	refused(t, tr, `CREATE STREAM o (a INT) WITH (KAFKA_TOPIC='orders', PARTITIONS=1, VALUE_FORMAT='JSON', VALUE_SCHEMA_ID=1);`, "VALUE_FORMAT should support schema inference when VALUE_SCHEMA_ID is provided. Current format is JSON.")
	refused(t, tr, `CREATE STREAM o (item INT KEY) WITH (KAFKA_TOPIC='orders', PARTITIONS=1, VALUE_FORMAT='AVRO');`, "Duplicate column names: `ITEM`")
	refused(t, tr, `CREATE STREAM o (a INT) WITH (KAFKA_TOPIC='o', PARTITIONS=1, VALUE_FORMAT='PROTOBUF', VALUE_PROTOBUF_NULLABLE_REPRESENTATION='MAYBE');`,
		"'maybe' is neither OPTIONAL nor WRAPPER")
	exec(t, tr, "CREATE STREAM s (`item` STRING, `n` BIGINT) WITH (KAFKA_TOPIC='s', PARTITIONS=1, VALUE_FORMAT='JSON');")
	refused(t, tr, `CREATE STREAM x WITH (VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=1) AS SELECT * FROM s;`,
		"The following value columns are changed, missing or reordered: [`n` BIGINT]. Schema from schema registry is [`item` STRING, `n` INTEGER]")
	refused(t, tr, `CREATE STREAM x WITH (VALUE_FORMAT='JSON', VALUE_SCHEMA_ID=1) AS SELECT * FROM s;`, "VALUE_FORMAT should support schema inference")
}

// Equal keys of two topics may have the ids of different schemas, and lie in different partitions.
func TestKeysWithSchemaIDsMeetInAJoin(t *testing.T) {
	tr, _ := open(t, [2]string{"l-key", `"int"`}, [2]string{"r-key", `["null","int"]`})
	for _, f := range []struct {
		format string
		moved  int
	}{{"AVRO", 2}, {"KAFKA", 0}} {
		exec(t, tr, strings.ReplaceAll(`
			CREATE STREAM l@ (k INT KEY, a INT) WITH (KAFKA_TOPIC='l', PARTITIONS=4, KEY_FORMAT='@', VALUE_FORMAT='JSON');
			CREATE STREAM r@ (k INT KEY, b INT) WITH (KAFKA_TOPIC='r', PARTITIONS=4, KEY_FORMAT='@', VALUE_FORMAT='JSON');
			CREATE STREAM j@ AS SELECT l@.k, a, b FROM l@ JOIN r@ WITHIN 1 HOUR ON l@.k = r@.k;`, "@", f.format))
		id := tr.Queries()[len(tr.Queries())-1].ID
		if got := tr.Internal(id); len(got) != f.moved {
			t.Errorf("%s: repartition topics %v", f.format, got)
		}
	}
	id := tr.Queries()[0].ID
	left := record.Record{Key: []byte("\x00\x00\x00\x00\x01\x0e"), Value: []byte(`{"A":1}`)}
	right := record.Record{Key: []byte("\x00\x00\x00\x00\x02\x02\x0e"), Value: []byte(`{"B":2}`)}
	if err := errors.Join(tr.Pipe(id, "l", left), tr.Pipe(id, "r", right)); err != nil {
		t.Fatal(err)
	}
	if out := tr.Drain("JAVRO"); len(out) != 1 || string(out[0].Value) != `{"A":1,"B":2}` {
		t.Errorf("%d results: %v", len(out), out)
	}
}

func TestInsertedValuesHaveTheTopicsSchema(t *testing.T) {
	tr, memory := open(t, [2]string{"orders-value", orders})
	exec(t, tr, `
		CREATE STREAM o (id INT KEY) WITH (KAFKA_TOPIC='orders', PARTITIONS=1, KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO');
		INSERT INTO o (id, item, n) VALUES (1, 'x', NULL);`)
	out := tr.Drain("orders")
	if len(out) != 1 || hex.EncodeToString(out[0].Value) != "0000000001"+"0278"+"00" {
		t.Errorf("%x", out)
	}
	if latest, err := memory.Latest("orders-value"); err != nil || latest.ID != 1 {
		t.Errorf("schema %d, %v", latest.ID, err)
	}
}

// A statement that is repeated after a restart means what it meant, whatever was registered since.
func TestRepeatedStatementsHaveTheColumnsThatTheyHad(t *testing.T) {
	const text = `CREATE STREAM o WITH (KAFKA_TOPIC='orders', PARTITIONS=1, VALUE_FORMAT='AVRO');`
	tr, memory := open(t, [2]string{"orders-value", orders})
	done, err := tr.Exec(context.Background(), text, nil)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(orders, `"fields":[`, `"fields":[{"name":"first","type":"int","default":0},`, 1)
	if _, err := memory.Register("orders-value", format.Definition{Kind: "AVRO", Text: newer}); err != nil {
		t.Fatal(err)
	}
	for want, settings := range map[string]map[string]string{
		"`ITEM` STRING, `N` INTEGER":                  done[0].Settings,
		"`FIRST` INTEGER, `ITEM` STRING, `N` INTEGER": nil,
	} {
		again := trial.New(trial.Options{Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}), Schemas: memory})
		if _, err := again.Exec(context.Background(), text, settings); err != nil {
			t.Fatal(err)
		}
		if got := again.Catalog().Source("O").Value.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
