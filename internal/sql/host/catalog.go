package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
)

// A logged statement, as the catalog topic has it.
type logged struct {
	Statement string            `json:"statement"`
	Settings  map[string]string `json:"settings,omitempty"`
	Plan      *loggedPlan       `json:"plan,omitempty"`
	Rebuild   *loggedStep       `json:"rebuild,omitempty"` // in place of a statement
}

// A loggedStep says how far a query has come that was built beside another one: see rebuild.go.
type loggedStep struct {
	Query string `json:"query"`
	Step  string `json:"step"`
}

// The steps of a rebuilt query that are recorded.
const (
	stepSwitched = "switched" // it is in the place of the old one
	stepDone     = "done"     // and the topic of its sink has what it computed before
)

// rebuildVersion is that of plans of queries that are built beside others: programs before it would put them in their place at once.
const rebuildVersion = plan.Version + 1

// A loggedPlan is how a query was planned: by which rules, and what its state holds.
type loggedPlan struct {
	Version int      `json:"version"`
	State   []string `json:"state,omitempty"`
}

// lasting tells the statements that must be executed again at a restart: those that change what has a name, what runs, or the node's settings.
func lasting(text string) bool {
	st, err := parse.Statement(text)
	if err != nil {
		return false
	}
	switch st.(type) {
	case *ast.CreateSource, *ast.CreateAs, *ast.InsertInto, *ast.AlterSource, *ast.DropSource, *ast.CreateType, *ast.DropType, *ast.Terminate,
		*ast.Pause, *ast.Resume, *ast.AlterSystem, *ast.CreateConnector, *ast.DropConnector:
		return true
	}
	return false
}

// logLocked appends a statement that took effect to the catalog topic.
func (h *Host) logLocked(ctx context.Context, env *session.Env, done session.Result) error {
	l := logged{Statement: done.Statement, Settings: maps.Clone(h.snapshots.Load().Settings)}
	maps.Copy(l.Settings, env.Settings)
	maps.Copy(l.Settings, done.Settings)
	if done.Query != "" {
		l.Plan = &loggedPlan{plan.Version, done.State}
		if h.mu.session.Query(done.Query).Beside != "" {
			l.Plan.Version = rebuildVersion
		}
	}
	return h.recordLocked(ctx, l)
}

// recordLocked appends a record to the catalog topic.
func (h *Host) recordLocked(ctx context.Context, l logged) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	// What has happened is noted also when the caller has gone.
	return h.appendLocked(context.WithoutCancel(ctx), record.TopicPartition{Topic: h.o.Service.CatalogTopic()}, session.Record{Value: b, Timestamp: h.o.Now()})
}

// errNewer: the catalog was written by a newer program.
var errNewer = errors.New("it was planned by a newer program: start that one")

// resumeLocked executes what the catalog topic holds, and then starts what is left. A query that cannot start is there, in state ERROR.
func (h *Host) resumeLocked(ctx context.Context) error {
	misfits := map[string]error{}
	err := h.readCatalog(ctx, func(at record.Offset, l logged) error {
		if l.Rebuild != nil {
			return h.repeatLocked(ctx, at, *l.Rebuild)
		}
		if l.Plan != nil && l.Plan.Version > rebuildVersion {
			return fmt.Errorf("statement at offset %d of %s: %w", at, h.o.Service.CatalogTopic(), errNewer)
		}
		env := session.NewEnv(l.Settings, nil)
		env.Again = true
		for _, part := range parse.Split(l.Statement) {
			done, err := h.mu.session.Statement(ctx, env, part)
			if err != nil {
				return fmt.Errorf("statement at offset %d of %s: %w", at, h.o.Service.CatalogTopic(), err)
			}
			if done.Query != "" {
				misfits[done.Query] = misfit(l.Plan, done)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, q := range h.mu.session.Queries() {
		h.resumeQueryLocked(ctx, q, misfits[q.ID])
	}
	h.mu.session.Resume(ctx, func(c *session.Connector, err error) { h.o.Failed(c.Name, "connector", err) })
	return nil
}

// misfit says why a query cannot go on with the state that it has, nil if it can.
func misfit(l *loggedPlan, done session.Result) error {
	if l == nil || slices.Equal(l.State, done.State) {
		return nil
	}
	return fmt.Errorf("this program keeps other state for the query than the one that made it: [%s], was [%s]. "+
		"Start that one, or terminate the query and make it anew", strings.Join(done.State, "; "), strings.Join(l.State, "; "))
}

// readCatalog calls f for each statement of the catalog topic.
func (h *Host) readCatalog(ctx context.Context, f func(record.Offset, logged) error) error {
	return client.ReadAll(ctx, h.o.Door, record.TopicPartition{Topic: h.o.Service.CatalogTopic()}, func(c client.Chunk) error {
		for i, value := range c.Values {
			var l logged
			if err := json.Unmarshal(value, &l); err != nil {
				return fmt.Errorf("record at offset %d of %s: %w", c.Offsets[i], h.o.Service.CatalogTopic(), err)
			}
			if err := f(c.Offsets[i], l); err != nil {
				return err
			}
		}
		return nil
	})
}
