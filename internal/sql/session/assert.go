package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// defaultTimeout is how long an ASSERT waits that does not say.
const defaultTimeout = time.Second

// assertEvery is how often it looks.
const assertEvery = 50 * time.Millisecond

// A Waiter is a Host that can wait. Without one, what does not hold at once does not hold.
type Waiter interface {
	// Wait returns when the time has passed, or with ctx's error.
	Wait(ctx context.Context, d time.Duration) error
}

// Waits tells whether a statement may wait for long, and changes nothing: the host executes it beside others.
func Waits(st ast.Statement) bool {
	switch st.(type) {
	case *ast.AssertTopic, *ast.AssertSchema:
		return true
	}
	return false
}

// await calls holds until it is nil or the time is over, and returns the last error.
func (s *Session) await(ctx context.Context, timeout *ast.Duration, holds func() error) error {
	left := defaultTimeout
	if timeout != nil {
		ms, ok := timeout.Millis()
		if left = time.Duration(ms) * time.Millisecond; !ok || left > maxTimeout || left < 0 {
			return errorAt(timeout, CodeInvalid, "The TIMEOUT of an ASSERT is at most %s", maxTimeout)
		}
	}
	waiter, _ := s.o.Host.(Waiter)
	for {
		err := holds()
		if err == nil || waiter == nil || left <= 0 || errors.As(err, new(runError)) {
			return err
		}
		step := min(left, assertEvery)
		if waitErr := waiter.Wait(ctx, step); waitErr != nil {
			return running(waitErr)
		}
		left -= step
	}
}

func (s *Session) assertTopic(ctx context.Context, st *ast.AssertTopic) (Result, error) {
	wanted, err := wantedOf(st.With)
	if err != nil {
		return Result{}, err
	}
	err = s.await(ctx, st.Timeout, func() error { return s.topicHolds(ctx, st, wanted) })
	if err != nil {
		return Result{}, err
	}
	return Result{Shows: TopicAssertion{st.Topic.Text, !st.NotExists}}, nil
}

// wantedOf are the partitions and replicas that ASSERT TOPIC … WITH wants, by the names of these properties.
func wantedOf(props []ast.Property) (map[string]int, error) {
	wanted := map[string]int{}
	for _, p := range props {
		name := strings.ToUpper(p.Name.Text)
		n, ok := p.Value.(*ast.IntegerLiteral)
		if name != "PARTITIONS" && name != "REPLICAS" || !ok {
			return nil, errorAt(p, CodeInvalid, "Cannot assert unknown topic property: %s", ast.Format(p.Name)).hint("PARTITIONS and REPLICAS can be asserted, with a whole number")
		}
		wanted[name] = int(n.Value)
	}
	return wanted, nil
}

func (s *Session) topicHolds(ctx context.Context, st *ast.AssertTopic, wanted map[string]int) error {
	all, err := s.o.Host.Topics(ctx)
	if err != nil {
		return running(err)
	}
	for _, t := range all {
		if t.Name != st.Topic.Text {
			continue
		}
		if st.NotExists {
			return errorAt(st.Topic, CodeAssertion, "Topic %s exists", t.Name)
		}
		for name, have := range map[string]int{"PARTITIONS": int(t.Partitions), "REPLICAS": int(t.Replicas)} {
			if want, given := wanted[name]; given && want != have {
				return errorAt(st.Topic, CodeAssertion, "Mismatched configuration for topic %s: For config %s, expected %d got %d", t.Name, strings.ToLower(name), want, have)
			}
		}
		return nil
	}
	if st.NotExists {
		return nil
	}
	return errorAt(st.Topic, CodeAssertion, "Topic %s does not exist", st.Topic.Text).hint(s.nearTopic(ctx, st.Topic.Text))
}

func (s *Session) assertSchema(ctx context.Context, st *ast.AssertSchema) (Result, error) {
	switch {
	case !st.Subject.Given() && st.ID == nil:
		return Result{}, errorAt(st, CodeInvalid, "ASSERT SCHEMA needs a SUBJECT, an ID, or both")
	case s.o.Schemas == nil:
		return Result{}, errorAt(st, CodeInvalid, "There is no schema registry").hint("give the node the address of one")
	}
	a := SchemaAssertion{Subject: st.Subject.Text, Exists: !st.NotExists}
	if st.ID != nil {
		a.ID = int(st.ID.Value)
	}
	err := s.await(ctx, st.Timeout, func() error { return s.schemaHolds(st, a) })
	if err != nil {
		return Result{}, err
	}
	return Result{Shows: a}, nil
}

func (s *Session) schemaHolds(st *ast.AssertSchema, a SchemaAssertion) error {
	there, err := s.schemaThere(a)
	if err != nil {
		return running(err)
	}
	if there == a.Exists {
		return nil
	}
	what := "Schema"
	if a.Subject != "" {
		what += " with subject name " + a.Subject
	}
	if a.ID != 0 {
		what += " with id " + strconv.Itoa(a.ID)
	}
	return errorAt(st, CodeAssertion, "%s %s", what, map[bool]string{true: "exists", false: "does not exist"}[there])
}

// schemaThere tells whether the registry has a schema. With subject and id it must be the subject's newest: more the registry does not tell.
func (s *Session) schemaThere(a SchemaAssertion) (bool, error) {
	var found format.Registered
	var err error
	if a.Subject == "" {
		found, err = s.o.Schemas.ByID(a.ID)
	} else {
		found, err = s.o.Schemas.Latest(a.Subject)
	}
	switch {
	case errors.Is(err, format.ErrNoSchema):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("schema registry: %w", err)
	}
	return a.ID == 0 || found.ID == a.ID, nil
}
