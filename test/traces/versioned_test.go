package traces

import (
	"math"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// withHistory returns the option of a table that the case keeps with its history.
func withHistory(n *node) []stream.Option {
	if !n.has("versioned") {
		return nil
	}
	return []stream.Option{stream.Versioned(milliseconds(n, "versioned"))}
}

// versionedRows asks a versioned store what the case has asked it.
func (r *run) versionedRows(name string, want storeRows) ([]string, error) {
	view, err := streamtest.VersionedViewOf[val, val](r.d, name)
	if err != nil {
		return nil, err
	}
	var rows []string
	for _, x := range want.Rows {
		k, asOf := fromJSON(x[0]), record.Timestamp(math.MaxInt64)
		if x[1] != nil {
			asOf = record.Timestamp(integer(x[1]))
		}
		v, from, ok, err := view.AsOf(k, asOf)
		if err != nil {
			return nil, err
		}
		cells := []string{k.exact(), fromJSON(x[1]).exact(), val{}.exact(), val{}.exact()}
		if ok {
			cells[2], cells[3] = v.exact(), strconv.FormatInt(int64(from), 10)
		}
		rows = append(rows, strings.Join(cells, " "))
	}
	return rows, nil
}
