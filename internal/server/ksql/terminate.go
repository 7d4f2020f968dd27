package ksql

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/row"
)

// terminate serves /ksql/terminate: it ends all queries and drops all streams and tables, with those of their topics whose names match one
// of the patterns.
func (h *handlers) terminate(w http.ResponseWriter, r *http.Request) {
	var args struct {
		Topics []string `json:"deleteTopicList"`
	}
	if f := read(w, r, &args); f != nil {
		f.send(w)
		return
	}
	var patterns []*regexp.Regexp
	for _, text := range args.Topics {
		p, err := regexp.Compile("^(?:" + text + ")$")
		if err != nil {
			(&failure{status: http.StatusBadRequest, message: "Invalid pattern: " + text}).send(w)
			return
		}
		patterns = append(patterns, p)
	}
	shown, err := h.server.Exec(r.Context(), Request{Text: "LIST STREAMS; LIST TABLES;"})
	if err == nil {
		_, err = h.server.Exec(r.Context(), Request{Text: "TERMINATE ALL;" + drops(shown, patterns)})
	}
	if err != nil {
		failureOf(err, "TERMINATE CLUSTER;").send(w)
		return
	}
	answer(w, []any{map[string]any{
		"@type": "currentStatus", "statementText": "TERMINATE CLUSTER;", "commandId": "cluster/TerminateCluster/terminate", "commandSequenceNumber": -1,
		"warnings": []any{}, "commandStatus": map[string]any{"status": "SUCCESS", "message": "All queries are ended, everything is dropped", "queryId": nil},
	}})
}

// drops are the statements that drop what is listed.
func drops(shown []Result, delete []*regexp.Regexp) string {
	var out strings.Builder
	for _, one := range shown {
		list, _ := one.Shows.(session.SourceList)
		for _, s := range list.Sources {
			out.WriteString(" DROP " + strings.ToUpper(s.Kind()) + " " + row.Quote(s.Name))
			for _, p := range delete {
				if !s.ReadOnly && p.MatchString(s.Topic) {
					out.WriteString(" DELETE TOPIC")
					break
				}
			}
			out.WriteString(";")
		}
	}
	return out.String()
}
