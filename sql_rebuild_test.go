package mainstem_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/internal/need"
)

func TestAQueryIsBuiltBesideTheOldOneAndTakesItsPlace(t *testing.T) {
	t.Run("in the node", func(t *testing.T) { rebuild(t, "") })
	t.Run("on Kafka", func(t *testing.T) {
		rebuild(t, fmt.Sprintf("rebuild%d-", time.Now().UnixNano()),
			mainstem.WithKafka(nil), mainstem.WithBroker("kafka://"+need.Env(t, "MAINSTEM_KAFKA", "host:port of an Apache Kafka")), mainstem.WithSQL())
	})
}

// rebuild replaces a query while a restart comes between. With a prefix of its service and its topics it shares a cluster with others.
func rebuild(t *testing.T, prefix string, options ...mainstem.Option) {
	dir := t.TempDir()
	if prefix != "" {
		options = append(options, mainstem.WithSQLService(prefix))
	}
	topics := strings.NewReplacer("='visits", "='"+prefix+"visits")
	n := open(t, dir, options...)
	n.ask(topics.Replace(countVisits))
	n.publish(prefix+"visits", `{"who":"a","page":"/"}`, `{"who":"robot","page":"/"}`, `{"who":"b","page":"/x"}`)
	if diff := cmp.Diff([]string{"/,1", "/x,1"}, n.answer("SELECT page, n FROM visits_by_page;")); diff != "" {
		t.Fatal(diff)
	}
	n.ask(topics.Replace(`SET 'mainstem.create.or.replace'='rebuild';
		CREATE OR REPLACE TABLE visits_by_page WITH (kafka_topic='visits-by-page') AS
		SELECT page, COUNT(*) AS n, LATEST_BY_OFFSET(who) AS last FROM visits GROUP BY page;`))
	n.close()

	n = open(t, dir, options...) // it goes on being built
	n.until(within(t), "LIST QUERIES;", func(e map[string]any) bool {
		queries := e["queries"].([]any)
		return len(queries) == 1 && queries[0].(map[string]any)["id"] == "CTAS_VISITS_BY_PAGE_1"
	})
	n.publish(prefix+"visits", `{"who":"c","page":"/"}`)
	if diff := cmp.Diff([]string{"/,3,c", "/x,1,b"}, n.answer("SELECT page, n, last FROM visits_by_page;")); diff != "" {
		t.Error(diff)
	}
	want := []string{`/ {"N":1}`, `/x {"N":1}`, `/ {"N":2,"LAST":"robot"}`, `/x {"N":1,"LAST":"b"}`, `/ {"N":3,"LAST":"c"}`}
	if diff := cmp.Diff(want, n.records(prefix+"visits-by-page", 5)); diff != "" {
		t.Error(diff)
	}
	n.close()
}

func TestSettleDoesNotWaitForWhatWasStopped(t *testing.T) {
	n := open(t, t.TempDir())
	n.ask(countVisits + "CREATE STREAM known AS SELECT * FROM visits WHERE who <> 'robot'; TERMINATE CTAS_VISITS_BY_PAGE_0;")
	n.publish("visits", `{"who":"a","page":"/"}`)
	if err := n.Settle(within(t)); err != nil {
		t.Fatal(err)
	}
	if got := n.records("KNOWN", 1); len(got) != 1 {
		t.Error(got)
	}
	n.close()
}
