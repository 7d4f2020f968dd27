// Package connectors makes sinks of what CREATE SINK CONNECTOR says, sources of CREATE SOURCE CONNECTOR, and has them run.
//
// Callers: the session, through session.Connectors. It calls the SQLite sink, the poller of SQLite's tables, the codecs of formats, and what the
// node gives it to run them.
//
// Owner and locks: a Connectors belongs to the session that has it, whose host executes one statement at a time.
//
// A source connector writes the rows of tables to topics (package poll). A sink delivers each of its topics into a table, in one database. Columns, and how records are read, are those of the stream or table
// on the topic. Rows and positions are written in one transaction, so that each record counts once, also when the node is killed. What a
// statement asks for and the sink does not do is an error that says so; nothing is taken in silence that would change what arrives.
//
// Not here: reading topics and retrying (internal/connector), what is durable of a connector (the host logs its statement).
package connectors

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/internal/connector/poll"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/session"
)

// A Delivery is a sink that runs.
type Delivery interface {
	// Stop ends it and waits.
	Stop() error
	// Err returns why it ended by itself, nil while it runs.
	Err() error
	// Progress is how many records it delivered since it was started, and how many wait.
	Progress() (delivered, lag int64)
}

// Options of New.
type Options struct {
	Schemas format.Schemas // nil: there is no schema registry
	// Deliver starts a sink on a topic; target is what people know its target as.
	Deliver func(sink connect.Sink, topic, target string) (Delivery, error)
	// Poll starts a source of this name.
	Poll func(name string, p *poll.Poller) (Delivery, error)
}

// Connectors implements session.Connectors.
type Connectors struct {
	o       Options
	running map[string]*deliveries // by the connector's name
}

type deliveries struct {
	all []Delivery
	err error // why it could not be started
}

// New returns one without connectors.
func New(o Options) *Connectors { return &Connectors{o: o, running: map[string]*deliveries{}} }

// Plugins implements session.Connectors.
func (c *Connectors) Plugins() []session.Plugin {
	return []session.Plugin{
		{Class: ClassSQLite, Type: "sink", Doc: "a table of an SQLite database for each topic"},
		{Class: ClassJDBC, Type: "sink", Doc: "the same, with the settings of the JDBC sink, for jdbc:sqlite: only"},
		{Class: ClassSQLite, Type: "source", Doc: "new rows of tables of an SQLite database, a topic for each"},
		{Class: ClassJDBCSource, Type: "source", Doc: "the same, with the settings of the JDBC source, for jdbc:sqlite: only"},
	}
}

// Check implements session.Connectors.
func (c *Connectors) Check(made *session.Connector, sources []*catalog.Source) error {
	if !made.Sink {
		_, err := feed(made)
		return err
	}
	_, err := c.sinks(made, sources)
	return err
}

// A sink with where it delivers.
type sink struct {
	connect.Sink
	topic, target string
}

// sinks are those of a connector, one for each topic.
func (c *Connectors) sinks(made *session.Connector, sources []*catalog.Source) ([]sink, error) {
	config, err := read(made)
	if err != nil {
		return nil, err
	}
	var out []sink
	for _, topic := range made.Topics() {
		source := on(topic, sources)
		if source == nil {
			return nil, &session.ConfigError{
				Property: propTopics, Reason: fmt.Sprintf("there is no stream or table on topic %s, so its columns are not known", topic),
				Hint: "CREATE STREAM or CREATE TABLE over the topic first",
			}
		}
		s, err := config.sink(made.Name, source, c.o.Schemas)
		if err != nil {
			return nil, err
		}
		out = append(out, sink{s, topic, config.path})
	}
	if len(out) == 0 {
		return nil, &session.ConfigError{Property: propTopics, Reason: "it names no topic", Hint: "'topics'='a,b'"}
	}
	return out, nil
}

// on is the source that says what a topic's records are: the first, and a table goes before streams.
func on(topic string, sources []*catalog.Source) *catalog.Source {
	for _, s := range sources {
		if s.Topic == topic {
			return s
		}
	}
	return nil
}

// Start implements session.Connectors.
func (c *Connectors) Start(_ context.Context, made *session.Connector, sources []*catalog.Source) error {
	d := &deliveries{}
	c.running[made.Name] = d
	if !made.Sink {
		d.err = c.poll(made, d)
		return d.err
	}
	sinks, err := c.sinks(made, sources)
	for _, s := range sinks {
		var one Delivery
		if one, err = c.o.Deliver(s.Sink, s.topic, s.target); err != nil {
			break
		}
		d.all = append(d.all, one)
	}
	if err != nil {
		d.err = errors.Join(err, d.stop())
	}
	return d.err
}

// poll starts a source.
func (c *Connectors) poll(made *session.Connector, d *deliveries) error {
	p, err := feed(made)
	if err != nil {
		return err
	}
	one, err := c.o.Poll(made.Name, p)
	if err == nil {
		d.all = append(d.all, one)
	}
	return err
}

// stop ends all that run; one that ended by itself has told why.
func (d *deliveries) stop() error {
	var errs []error
	for _, one := range d.all {
		failed := one.Err()
		if err := one.Stop(); failed == nil {
			errs = append(errs, err)
		}
	}
	d.all = nil
	return errors.Join(errs...)
}

// Stop implements session.Connectors. The tables stay, with the positions in them: a connector of the same name goes on there.
func (c *Connectors) Stop(_ context.Context, made *session.Connector) error {
	d := c.running[made.Name]
	if d == nil {
		return nil
	}
	delete(c.running, made.Name)
	return d.stop()
}

// Status implements session.Connectors.
func (c *Connectors) Status(made *session.Connector) session.ConnectorStatus {
	d := c.running[made.Name]
	if d == nil {
		return session.ConnectorStatus{State: session.Failed, Err: errors.New("it does not run")}
	}
	s := session.ConnectorStatus{State: session.Running, Err: d.err}
	for _, one := range d.all {
		delivered, lag := one.Progress()
		s.Delivered, s.Lag = s.Delivered+delivered, s.Lag+lag
		if err := one.Err(); err != nil {
			s.Err = err
		}
	}
	if s.Err != nil {
		s.State = session.Failed
	}
	return s
}
