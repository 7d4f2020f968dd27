package session

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
)

// A Connector is one that CREATE CONNECTOR made. It does not change.
type Connector struct {
	Name      string
	Sink      bool
	Config    map[string]string // by the names of the statement, in lower case
	Statement string
}

// The properties of connectors that are looked at here.
const (
	configClass  = "connector.class"
	configTopics = "topics"
)

// Class is what it says it is.
func (c *Connector) Class() string { return c.Config[configClass] }

// Topics are those that it names.
func (c *Connector) Topics() []string {
	var out []string
	for t := range strings.SplitSeq(c.Config[configTopics], ",") {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// A RunningConnector is a connector with how it does.
type RunningConnector struct {
	*Connector
	Status ConnectorStatus
}

// A ConnectorStatus is how a connector does.
type ConnectorStatus struct {
	State     State
	Err       error
	Delivered int64 // records since it was started in this process
	Lag       int64 // offsets between what is delivered and the ends of its topics
}

// A Plugin is a class of connectors.
type Plugin struct {
	Class string
	Type  string // sink or source
	Doc   string
}

// Connectors run connectors.
type Connectors interface {
	Plugins() []Plugin
	// Check says what is wrong with a connector, given the sources on its topics; nil: it can be started. The error names the property.
	Check(c *Connector, sources []*catalog.Source) error
	// Start runs it from where its target is.
	Start(ctx context.Context, c *Connector, sources []*catalog.Source) error
	// Stop ends it.
	Stop(ctx context.Context, c *Connector) error
	Status(c *Connector) ConnectorStatus
}

// A ConfigError is what is wrong with a property of a connector.
type ConfigError struct {
	Property string // empty: none in particular
	Reason   string
	Hint     string
}

// Error implements error.
func (e *ConfigError) Error() string {
	if e.Property == "" {
		return e.Reason
	}
	return e.Property + ": " + e.Reason
}

func (s *Session) connector(name string) *Connector {
	if i := slices.IndexFunc(s.connectors, func(c *Connector) bool { return c.Name == name }); i >= 0 {
		return s.connectors[i]
	}
	return nil
}

func (s *Session) createConnector(ctx context.Context, env *Env, st *ast.CreateConnector, text string) (Result, error) {
	name := st.Name.Text
	command := Command{"connector", name, "create"}
	if old := s.connector(name); old != nil {
		if st.IfNotExists {
			message := "Connector " + name + " already exists"
			return Result{Message: message, Shows: Warning{message}}, nil
		}
		return Result{}, errorAt(st.Name, CodeExists, "Connector %s already exists", name).hint("DROP CONNECTOR " + st.Name.String() + "; or use another name")
	}
	c := &Connector{Name: name, Sink: st.Sink, Config: map[string]string{}, Statement: text}
	for _, p := range st.With {
		value, ok := plan.Literal(p.Value)
		if !ok {
			return Result{}, errorAt(p, CodeConnector, "The value of %s is not a literal", ast.Format(p.Name))
		}
		c.Config[strings.ToLower(p.Name.Text)] = value
	}
	if !env.Again {
		if err := s.runConnector(ctx, c, st); err != nil {
			return Result{}, err
		}
	}
	s.connectors = append(slices.Clone(s.connectors), c)
	return Result{Message: "Created connector " + name, Command: command, Shows: ConnectorMade{c}}, nil
}

// runConnector checks and starts a connector.
func (s *Session) runConnector(ctx context.Context, c *Connector, st *ast.CreateConnector) error {
	if s.o.Connectors == nil {
		return errorAt(st, CodeConnector, "Connectors cannot run here").hint("they run on a node")
	}
	sources := s.onTopics(c.Topics())
	if err := s.o.Connectors.Check(c, sources); err != nil {
		e := errorAt(st, CodeConnector, "Connector %s cannot be made: %s", c.Name, err)
		var config *ConfigError
		if errors.As(err, &config) {
			e.Hint = config.Hint
			if at := spanOf(st.With, config.Property); at != (ast.Span{}) {
				e.Span = at
			}
		}
		return e
	}
	return running(s.o.Connectors.Start(ctx, c, sources))
}

// onTopics are the sources on topics. Where a topic has several, those of a table come first, then the order of names counts.
func (s *Session) onTopics(topics []string) []*catalog.Source {
	var out []*catalog.Source
	for _, table := range []bool{true, false} {
		for _, source := range s.catalog.Sources() {
			if source.Table == table && slices.Contains(topics, source.Topic) {
				out = append(out, source)
			}
		}
	}
	return out
}

func (s *Session) unknownConnector(name ast.Name) error {
	var names []string
	for _, c := range s.connectors {
		names = append(names, c.Name)
	}
	return errorAt(name, CodeUnknown, "Connector %s does not exist", name.Text).hint(didYouMean(name.Text, names))
}

func (s *Session) dropConnector(ctx context.Context, env *Env, st *ast.DropConnector) (Result, error) {
	c := s.connector(st.Name.Text)
	switch {
	case c == nil && st.IfExists:
		message := "Connector '" + st.Name.Text + "' does not exist."
		return Result{Message: message, Shows: Warning{message}}, nil
	case c == nil:
		return Result{}, s.unknownConnector(st.Name)
	}
	if !env.Again {
		if err := s.o.Connectors.Stop(ctx, c); err != nil {
			return Result{}, running(err)
		}
	}
	s.connectors = slices.DeleteFunc(slices.Clone(s.connectors), func(o *Connector) bool { return o == c })
	return Result{Message: "Dropped connector \"" + c.Name + "\"", Command: Command{"connector", c.Name, "drop"}, Shows: ConnectorDropped{c.Name}}, nil
}

func (s *Session) runningConnector(c *Connector) RunningConnector {
	r := RunningConnector{Connector: c, Status: ConnectorStatus{State: Failed}}
	if s.o.Connectors != nil {
		r.Status = s.o.Connectors.Status(c)
	}
	return r
}

func (s *Session) listConnectors(kind ast.ListKind) Entity {
	var l ConnectorList
	for _, c := range s.connectors {
		if kind == ast.ListConnectors || c.Sink == (kind == ast.ListSinkConnectors) {
			l.Connectors = append(l.Connectors, s.runningConnector(c))
		}
	}
	return l
}

func (s *Session) describeConnector(ctx context.Context, st *ast.DescribeConnector) (Entity, error) {
	c := s.connector(st.Name.Text)
	if c == nil {
		return nil, s.unknownConnector(st.Name)
	}
	d := ConnectorDescription{RunningConnector: s.runningConnector(c)}
	for _, source := range s.onTopics(c.Topics()) {
		x, err := s.description(ctx, source, false)
		if err != nil {
			return nil, err
		}
		d.Sources = append(d.Sources, x)
	}
	return d, nil
}

// Resume starts the connectors again when the node starts. A connector that cannot start is told to failed and stays as it is.
func (s *Session) Resume(ctx context.Context, failed func(c *Connector, err error)) {
	for _, c := range s.connectors {
		if s.o.Connectors == nil {
			failed(c, errors.New("connectors cannot run here"))
			continue
		}
		sources := s.onTopics(c.Topics())
		err := s.o.Connectors.Check(c, sources)
		if err == nil {
			err = s.o.Connectors.Start(ctx, c, sources)
		}
		if err != nil {
			failed(c, err)
		}
	}
}
