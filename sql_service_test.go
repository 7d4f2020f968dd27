package mainstem_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/mainstemio/mainstem"
)

// query returns the state of a query of the node, empty if there is none.
func (n *node) query(id string) string {
	n.t.Helper()
	p, err := n.Pipeline(id)
	if errors.Is(err, mainstem.ErrNoPipeline) {
		return ""
	}
	if err != nil {
		n.t.Fatal(err)
	}
	if err := p.Err(); err != nil {
		n.t.Fatal(err)
	}
	return p.Status().State.String()
}

// Two services on one cluster have the same statements and the same ids of queries. What one does, the other does not see.
func TestTwoServicesOfSQLOnOneCluster(t *testing.T) {
	far := open(t, t.TempDir())
	dir, cluster := t.TempDir(), "kafka://"+far.Kafka()
	service := func() *node {
		return open(t, dir, mainstem.WithKafka(nil), mainstem.WithBroker(cluster), mainstem.WithSQL(), mainstem.WithSQLService("other_"))
	}
	near := service()
	for _, n := range []*node{far, near} {
		script := strings.ReplaceAll(countVisits, "'visits-by-page'", "'"+map[*node]string{far: "first", near: "second"}[n]+"'")
		if _, err := n.SQL(within(t), script, map[string]string{"auto.offset.reset": "earliest"}); err != nil {
			t.Fatal(err)
		}
	}
	far.publish("visits", `{"who":"a","page":"/"}`, `not JSON`, `{"who":"b","page":"/"}`)
	counts := []string{`/ {"N":1}`, `/ {"N":2}`}
	if diff := cmp.Diff([][]string{counts, counts}, [][]string{far.records("first", 2), far.records("second", 2)}); diff != "" {
		t.Fatal(diff)
	}
	if _, err := far.SQL(within(t), "TERMINATE CTAS_VISITS_BY_PAGE_0; DROP TABLE visits_by_page; DROP STREAM visits;", nil); err != nil {
		t.Fatal(err)
	}
	near.close()

	near = service()
	far.publish("visits", `{"who":"c","page":"/"}`)
	if diff := cmp.Diff(append(counts, `/ {"N":3}`), far.records("second", 3)); diff != "" {
		t.Fatal(diff)
	}
	if state := near.query("_mainstem_sql-other__query_CTAS_VISITS_BY_PAGE_0"); state != "running" {
		t.Errorf("the query of the other service is %q", state)
	}
	if _, info := near.get("/info"); !strings.Contains(info, `"ksqlServiceId":"other_"`) {
		t.Errorf("info %s", info)
	}
	wantNoDeadLetters(t, far)
}

// wantNoDeadLetters looks for topics that queries of SQL have no use for.
func wantNoDeadLetters(t *testing.T, n *node) {
	t.Helper()
	topics, err := kadm.NewClient(n.kafka).ListTopics(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range topics.Names() {
		if strings.HasSuffix(name, ".dead") {
			t.Errorf("there is a topic %s", name)
		}
	}
}

func TestNamesOfServices(t *testing.T) {
	for _, name := range []string{"", "a/b", "a b", strings.Repeat("x", 65)} {
		_, err := mainstem.Open(context.Background(), t.TempDir(), mainstem.WithSQLService(name))
		if !errors.Is(err, mainstem.ErrSetting) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
