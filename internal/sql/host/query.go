package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/lower"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/query/steps"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/stream"
)

// Settings of queries of their own.
const (
	settingReset     = "auto.offset.reset"
	settingMaxPush   = "ksql.max.push.queries"
	settingMaxState  = "mainstem.query.max.state.bytes"
	defaultMaxPush   = 10_000
	defaultMaxState  = 256 << 20
	streamsPrefix    = "ksql.streams."
	sourceTableQuery = "CST_"
)

// QueryOptions are what a request brings along; both may be nil.
type QueryOptions struct {
	Settings  map[string]string // by ksqlDB's names
	Variables map[string]string
}

// own is what queries of their own share.
type own struct {
	next   atomic.Int64 // of ids
	push   atomic.Int64 // push queries that run or begin
	pushes sync.Map     // id → pushed: those that run

	mu      sync.Mutex // guards results
	results map[any]keptResult
}

// A keptResult is where a table's rows are. It is found once for each *session.Query and *catalog.Source, which never change.
type keptResult struct {
	app    string
	result *lower.Result // nil: nobody keeps them
}

// resultsKept is how many results are remembered besides those of the queries that run.
const resultsKept = 64

// A pushed query is a push query that runs.
type pushed struct {
	session.PushQuery
	rows query.Rows
}

// Pushes implements session.Pushes, in the order in which they began.
func (h *Host) Pushes() (all []session.PushQuery) {
	h.own.pushes.Range(func(_, p any) bool {
		all = append(all, p.(pushed).PushQuery)
		return true
	})
	number := func(q session.PushQuery) int64 { // ids end with it
		n, _ := strconv.ParseInt(q.ID[strings.LastIndexByte(q.ID, '_')+1:], 10, 64)
		return n
	}
	slices.SortFunc(all, func(a, b session.PushQuery) int { return cmp.Compare(number(a), number(b)) })
	return all
}

// EndPush implements session.Pushes.
func (h *Host) EndPush(id string) (found bool) {
	h.own.pushes.Range(func(_, p any) bool {
		if found = strings.EqualFold(p.(pushed).ID, id); found {
			p.(pushed).rows.Close()
		}
		return !found
	})
	return found
}

// PushQueries returns how many push queries run.
func (h *Host) PushQueries() int { return int(h.own.push.Load()) }

// Query executes a SELECT of its own. The error, a *session.StatementError, is of its planning or of its start; ctx counts for these only.
//
// Committed rows are read, of the moment at which Next asks for them: a pull query on a table sees each row as one epoch left it. A pull query
// on a stream ends at what is there when it is called. A push query begins with what comes then, or with auto.offset.reset=earliest with
// what its topics hold.
func (h *Host) Query(ctx context.Context, statement string, o QueryOptions) (query.Rows, error) {
	snapshot, err := h.snapshot()
	if err != nil {
		return nil, err
	}
	s, failed := snapshot.Select(session.Reading{
		Functions: h.o.Functions, Schemas: h.o.Schemas, Settings: o.Settings, Variables: o.Variables,
	}, statement)
	if failed != nil {
		return nil, failed
	}
	switch over, err := h.handedOver(ctx, s.Plan.Of().Name); {
	case err != nil:
		return nil, s.Failed(err)
	case s.Plan.Push || !s.Plan.Of().Table:
		return h.live(ctx, s)
	case over:
		return h.Query(ctx, statement, o)
	}
	return h.pullTable(ctx, snapshot, s)
}

func (h *Host) snapshot() (*session.Snapshot, error) {
	s := h.snapshots.Load()
	if s == nil {
		return nil, ErrClosed
	}
	return s, nil
}

// header says what the rows of a query are.
func (h *Host) header(s *session.Selected, kind string) query.Header {
	p := s.Plan
	out := query.Header{
		ID:   kind + strconv.FormatInt(h.own.next.Add(1), 10),
		Push: p.Push, Table: p.Root.Layout().Table,
	}
	for _, c := range p.Output {
		out.Columns = append(out.Columns, query.Column{Name: c.Name, Type: c.Type, Key: c.Key && !p.Push && out.Table})
	}
	return out
}

func (h *Host) env(id string) lower.Env {
	return lower.Env{Name: id, Schemas: h.o.Schemas, Failed: func(step string, err error) { h.o.Failed(id, step, err) }}
}

// live begins a query on records: a push query, or a pull query on a stream.
func (h *Host) live(ctx context.Context, s *session.Selected) (query.Rows, error) {
	p := s.Plan
	log := query.Log{Door: h.o.Door, ToEnd: !p.Push, FromStart: !p.Push || fromStart(s.Settings)}
	kind := "transient_" + p.Of().Name + "_"
	switch {
	case !p.Push:
		kind = "query_"
	case p.RowByRow && p.Of().Made && !log.FromStart:
		kind = "SCALABLE_PUSH_QUERY_" + p.Of().Name + "_"
	}
	for _, source := range p.Sources {
		log.Topics = append(log.Topics, source.Topic)
	}
	header := h.header(s, kind)
	if err := h.admit(s); err != nil {
		return nil, err
	}
	end := func() {
		if p.Push {
			h.own.pushes.Delete(header.ID)
			h.own.push.Add(-1)
		}
	}
	c, err := h.computation(ctx, s, header.ID)
	if err != nil {
		end()
		return nil, s.Failed(err)
	}
	rows, err := query.Open(ctx, header, log, c, p.Limit, end)
	if err != nil {
		return nil, s.Failed(err)
	}
	if p.Push { // before anybody could read it to its end
		h.own.pushes.Store(header.ID, pushed{session.PushQuery{ID: header.ID, Statement: s.Statement}, rows})
	}
	return rows, nil
}

func fromStart(settings map[string]string) bool {
	for _, name := range []string{settingReset, streamsPrefix + settingReset} {
		if v, given := settings[name]; given {
			return strings.EqualFold(v, "earliest")
		}
	}
	return false
}

// admit counts a push query, unless there are too many.
func (h *Host) admit(s *session.Selected) error {
	if !s.Plan.Push {
		return nil
	}
	most := number(s.Settings, settingMaxPush, defaultMaxPush)
	if h.own.push.Add(1) > most {
		h.own.push.Add(-1)
		return s.Refused("There are %d push queries already, as many as %s allows. End one of them first, or raise the setting.", most, settingMaxPush)
	}
	return nil
}

// number is a setting as a number, or what counts without it.
func number(settings map[string]string, name string, otherwise int64) int64 {
	n, err := strconv.ParseInt(settings[name], 10, 64)
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}

// computation is what makes rows of a query's records.
func (h *Host) computation(ctx context.Context, s *session.Selected, id string) (query.Computation, error) {
	env := h.env(id)
	if s.Plan.RowByRow {
		tap, err := lower.NewTap(s.Plan, env)
		if err != nil {
			return nil, err
		}
		return query.NewTap(tap), nil
	}
	topology, err := lower.BuildOwn(&s.Plan.Query, env)
	if err != nil {
		return nil, err
	}
	infos, err := h.o.Door.Topics(ctx, topology.SourceTopics()...)
	if err != nil {
		return nil, err
	}
	partitions := map[string]int32{}
	for topic, info := range infos {
		partitions[topic] = info.Partitions
	}
	return steps.New(steps.Options{
		Topology: topology, Result: lower.OwnTopic, Partitions: partitions, Now: h.o.Now(), Failed: h.decide(id),
		Gone:     func(key row.Row) row.Row { return lower.Gone(s.Plan.Key, key) },
		MaxBytes: number(s.Settings, settingMaxState, defaultMaxState),
	})
}

// pullTable looks up rows of a table.
func (h *Host) pullTable(ctx context.Context, snapshot *session.Snapshot, s *session.Selected) (query.Rows, error) {
	of := s.Plan.Of()
	header := h.header(s, "query_")
	k, err := h.resultOf(snapshot, of)
	if err != nil {
		return nil, s.Failed(err)
	}
	result := k.result
	if result == nil {
		return nil, s.Refused("The %s table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_%s AS SELECT * FROM %s'. See https://cnfl.io/queries for more info.",
			row.Quote(of.Name), of.Name, of.Name)
	}
	table, err := h.table(ctx, k, of)
	if err != nil {
		return nil, s.Failed(fmt.Errorf("table %s: %w", of.Name, err))
	}
	picker, err := lower.NewPicker(s.Plan, h.env(header.ID))
	if err != nil {
		return nil, s.Failed(err)
	}
	keys := len(of.Key)
	pull := query.Pull{Header: header, Access: s.Plan.Access, Limit: s.Plan.Limit, Row: func(f query.Found) (row.Row, bool) {
		k := stream.Windowed[row.Row]{Key: f.Key}
		if result.Windows != nil {
			k = stream.Windowed[row.Row]{
				Key: first(f.Key, keys), Start: record.Timestamp(f.Key.At(keys).Int64()), End: record.Timestamp(f.Key.At(keys + 1).Int64()),
			}
		}
		value := result.Row(k, f.Stored)
		if value.IsNull() {
			return "", false
		}
		return picker.Row(lower.Record{Key: f.Key, Value: value, Time: f.Time})
	}}
	return pull.Run(table), nil
}

// first is the first columns of a row.
func first(r row.Row, n int) row.Row {
	var out row.Builder
	for i := range n {
		out.AddFrom(r, i)
	}
	return out.Row()
}

// resultOf finds where the rows of a table are.
func (h *Host) resultOf(snapshot *session.Snapshot, of *catalog.Source) (k keptResult, err error) {
	maker := snapshot.Maker(of.Name)
	var key any = maker
	switch {
	case of.ReadOnly:
		key = of
	case maker == nil:
		return k, nil
	}
	h.own.mu.Lock()
	defer h.own.mu.Unlock()
	if k, known := h.own.results[key]; known {
		return k, nil
	}
	if of.ReadOnly {
		k.app = h.sourceApp(of)
		_, k.result, err = lower.BuildTable(of, h.env(k.app))
	} else {
		k.app = h.o.Service.App(maker.ID)
		k.result, err = lower.ResultOf(maker.Plan, h.env(k.app))
	}
	if err != nil {
		return k, err
	}
	if h.own.results == nil || len(h.own.results) > 2*len(snapshot.Queries)+resultsKept {
		h.own.results = map[any]keptResult{} // most are of queries that are gone
	}
	h.own.results[key] = k
	return k, nil
}

// table opens the committed rows of a running query's store.
func (h *Host) table(ctx context.Context, k keptResult, of *catalog.Source) (query.Table, error) {
	if h.o.Tables == nil {
		return nil, errors.New("its rows cannot be read here")
	}
	e, err := h.o.Tables(ctx, k.app)
	if err != nil {
		return nil, err
	}
	result := k.result
	if result.Windows == nil {
		view, err := engine.ViewOf[row.Row, row.Row](e, result.Store)
		if err != nil {
			return nil, err
		}
		return query.Plain(view, of.Window.Windowed()), nil
	}
	view, err := engine.ViewOf[stream.Windowed[row.Row], row.Row](e, result.Store)
	if err != nil {
		return nil, err
	}
	w := result.Windows
	return &query.Windows{View: view, AppendKey: w.Key.Append, Size: w.Size, Advance: w.Advance, Retention: w.Retention}, nil
}

// sourceApp is the application that keeps the rows of a source table.
func (h *Host) sourceApp(of *catalog.Source) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(of.Statement))
	return h.o.Service.App(fmt.Sprintf("%s%s_%08x", sourceTableQuery, of.Name, sum.Sum32()))
}

// keepSourceTablesLocked has the rows of source tables kept, and of none that is gone.
func (h *Host) keepSourceTablesLocked() error {
	kept := map[string]bool{}
	for of := range h.mu.session.Catalog().Each() {
		if !of.Table || !of.ReadOnly {
			continue
		}
		app := h.sourceApp(of)
		kept[app] = true
		if h.mu.tables[app] != nil {
			continue
		}
		t, _, err := lower.BuildTable(of, h.env(app))
		if err != nil {
			return fmt.Errorf("table %s: %w", of.Name, err)
		}
		running, err := h.o.Run(t, RunOptions{OnFailure: h.decide(app)})
		if err != nil {
			return fmt.Errorf("table %s: %w", of.Name, err)
		}
		if h.mu.tables == nil {
			h.mu.tables = map[string]func() error{}
		}
		h.mu.tables[app] = running.Stop
	}
	for app, stop := range h.mu.tables {
		if !kept[app] {
			delete(h.mu.tables, app)
			if err := stop(); err != nil {
				return fmt.Errorf("%s: %w", app, err)
			}
		}
	}
	return nil
}
