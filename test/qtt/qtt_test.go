package qtt

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestCases runs the cases of query-validation-tests. One file or case by case: QTT='file - part of a name' go test -v ./test/qtt
func TestCases(t *testing.T) {
	cases := loadCases(t, "query-validation-tests")
	report(t, "MAINSTEM_QTT_REPORT", runAll(cases, func(c *testCase) verdict { return runCase(c, openDriver) }))
}

// TestRESTCases runs the cases of rest-query-validation-tests over HTTP; QTT filters them too.
func TestRESTCases(t *testing.T) {
	cases := loadCases(t, "rest-query-validation-tests")
	report(t, "MAINSTEM_QTT_REST_REPORT", runAll(cases, func(c *testCase) verdict { return runREST(c, openServer) }))
}

// report logs the verdicts and fails where a case was lost, or where the filter asks about one.
func report(t *testing.T, fileVariable string, verdicts []verdict) {
	t.Helper()
	t.Logf("\n%s%s\n%s", table(verdicts), stagesText(verdicts), groupsText(groups(verdicts)))
	if file := os.Getenv(fileVariable); file != "" {
		writeReport(t, file, verdicts)
	}
	passed := readRatchet(t, passingFile)
	for _, v := range passed.lost(verdicts) {
		t.Errorf("%s passed before:\n%v", v.c.full, v.err)
	}
	if os.Getenv("QTT") != "" {
		for _, v := range verdicts {
			switch {
			case v.err != nil && v.passed:
				t.Logf("%s: passes by class\n%v\n%s", v.c.full, v.err, v.detail)
			case v.err != nil:
				t.Errorf("%s\n%v\n%s", v.c.full, v.err, v.detail)
			}
		}
	}
	if *update {
		passed.add(t, passingFile, verdicts)
	}
}

// caseLimit is how long a case may take before it counts as hanging.
const caseLimit = 5 * time.Minute

var errHangs = errors.New("it hangs")

// runAll runs the cases side by side and returns the verdicts in the order of the cases. A case that hangs is given up.
func runAll(cases []*testCase, run func(*testCase) verdict) []verdict {
	verdicts := make([]verdict, len(cases))
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range cases {
		all.Go(func() error {
			done := make(chan verdict, 1)
			go func() { done <- run(c) }()
			limit := time.NewTimer(caseLimit)
			defer limit.Stop()
			select {
			case verdicts[i] = <-done:
			case <-limit.C:
				verdicts[i] = verdict{err: errHangs}
			}
			verdicts[i].c = c
			verdicts[i].negative = c.Fails != nil || c.REST.Fails != nil
			return nil
		})
	}
	_ = all.Wait() // no run returns an error
	return verdicts
}
