package mainstem_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAQueryIsBuiltBesideTheOldOneAndTakesItsPlace(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	n.ask(countVisits)
	n.publish("visits", `{"who":"a","page":"/"}`, `{"who":"robot","page":"/"}`, `{"who":"b","page":"/x"}`)
	if diff := cmp.Diff([]string{"/,1", "/x,1"}, n.answer("SELECT page, n FROM visits_by_page;")); diff != "" {
		t.Fatal(diff)
	}
	n.ask(`SET 'mainstem.create.or.replace'='rebuild';
		CREATE OR REPLACE TABLE visits_by_page WITH (kafka_topic='visits-by-page') AS
		SELECT page, COUNT(*) AS n, LATEST_BY_OFFSET(who) AS last FROM visits GROUP BY page;`)
	n.close()

	n = open(t, dir) // it goes on being built
	n.until(within(t), "LIST QUERIES;", func(e map[string]any) bool {
		queries := e["queries"].([]any)
		return len(queries) == 1 && queries[0].(map[string]any)["id"] == "CTAS_VISITS_BY_PAGE_1"
	})
	n.publish("visits", `{"who":"c","page":"/"}`)
	if diff := cmp.Diff([]string{"/,3,c", "/x,1,b"}, n.answer("SELECT page, n, last FROM visits_by_page;")); diff != "" {
		t.Error(diff)
	}
	want := []string{`/ {"N":1}`, `/x {"N":1}`, `/ {"N":2,"LAST":"robot"}`, `/x {"N":1,"LAST":"b"}`, `/ {"N":3,"LAST":"c"}`}
	if diff := cmp.Diff(want, n.records("visits-by-page", 5)); diff != "" {
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
