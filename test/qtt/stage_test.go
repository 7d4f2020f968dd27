package qtt

import (
	"fmt"
	"regexp"
	"strings"
)

// The stages sort cases by what an engine must have for them, in the order in which it grows.
const (
	stageStateless = "stateless"           // projections, filters, functions, without a schema registry
	stageStateful  = "joins and groups"    // joins and aggregates too
	stageNegative  = "errors"              // of the first two
	stageSchemas   = "schemas"             // formats with schemas
	stageSchemaErr = "errors with schemas" // their errors
)

var (
	schemaFormats = regexp.MustCompile(`(?i)\b(AVRO|PROTOBUF|PROTOBUF_NOSR|JSON_SR)\b`)
	joinsOrGroups = regexp.MustCompile(`(?i)\b(JOIN|GROUP\s+BY)\b`)
)

// stage returns the case's stage, by its text.
func (c *testCase) stage() string {
	text := c.script() + fmt.Sprint(c.Properties)
	negative, schemas := c.Fails != nil || c.REST.Fails != nil, schemaFormats.MatchString(text)
	switch {
	case negative && schemas:
		return stageSchemaErr
	case schemas:
		return stageSchemas
	case negative:
		return stageNegative
	case joinsOrGroups.MatchString(text):
		return stageStateful
	}
	return stageStateless
}

// stagesText shows how far the cases of each stage are.
func stagesText(verdicts []verdict) string {
	tallies := map[string]*tally{}
	for _, v := range verdicts {
		stage := v.c.stage()
		if tallies[stage] == nil {
			tallies[stage] = &tally{}
		}
		tallies[stage].add(v)
	}
	var b strings.Builder
	for _, stage := range []string{stageStateless, stageStateful, stageNegative, stageSchemas, stageSchemaErr} {
		if t := tallies[stage]; t != nil {
			fmt.Fprintf(&b, "%-20s %s\n", stage, share(t.Passed, t.Cases-t.Skipped))
		}
	}
	return b.String()
}
