package lower

import (
	"runtime"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
)

// A query runs for months, and a node has thousands: what only its building needs must go.
func TestATopologyDoesNotKeepItsBuilder(t *testing.T) {
	c := plan.Context{Catalog: catalog.New(), Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))})}
	for _, text := range []string{
		"CREATE STREAM s (k VARCHAR KEY, n BIGINT, moment BIGINT, tags ARRAY<VARCHAR>) WITH (kafka_topic='s', value_format='JSON', timestamp='moment', partitions=1);",
		"CREATE TABLE t (id BIGINT PRIMARY KEY, k VARCHAR) WITH (kafka_topic='t', value_format='JSON', partitions=1);",
		"CREATE TABLE u (k VARCHAR PRIMARY KEY, name VARCHAR) WITH (kafka_topic='u', value_format='JSON', partitions=1);",
	} {
		st, err := parse.Statement(text)
		if err != nil {
			t.Fatal(err)
		}
		source, err := plan.Define(c, st.(*ast.CreateSource))
		if err != nil {
			t.Fatal(err)
		}
		c.Catalog.Put(source)
	}
	for name, text := range map[string]string{
		"projection":  "CREATE STREAM o WITH (timestamp='moment') AS SELECT k, n + 1 AS n, moment FROM s WHERE n > 3 EMIT CHANGES;",
		"explosion":   "CREATE STREAM o AS SELECT k, EXPLODE(tags) AS tag FROM s EMIT CHANGES;",
		"partition":   "CREATE STREAM o AS SELECT n, k FROM s PARTITION BY n EMIT CHANGES;",
		"aggregate":   "CREATE TABLE o AS SELECT k, COUNT(*) AS c, SUM(n) AS n FROM s GROUP BY k HAVING COUNT(*) > 1 EMIT CHANGES;",
		"windows":     "CREATE TABLE o AS SELECT k, COUNT(*) AS c FROM s WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY k EMIT CHANGES;",
		"join":        "CREATE STREAM o AS SELECT s.k AS k, u.name AS name FROM s JOIN u ON s.k = u.k EMIT CHANGES;",
		"foreign key": "CREATE TABLE o AS SELECT t.id AS id, u.name AS name FROM t JOIN u ON t.k = u.k EMIT CHANGES;",
	} {
		t.Run(name, func(t *testing.T) {
			st, err := parse.Statement(text)
			if err != nil {
				t.Fatal(err)
			}
			q, err := plan.CreateAs(c, st.(*ast.CreateAs))
			if err != nil {
				t.Fatal(err)
			}
			gone := make(chan struct{})
			b := newBuilder(Env{Name: "query"})
			runtime.AddCleanup(b, func(gone chan struct{}) { close(gone) }, gone)
			b.names = plan.Names(q)
			if err := b.sink(q.Root.(*plan.Sink)); err != nil {
				t.Fatal(err)
			}
			topology, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			select {
			case <-gone:
			case <-time.After(time.Minute):
				t.Error("the builder is still there")
			}
			runtime.KeepAlive(topology)
			runtime.KeepAlive(q)
		})
	}
}
