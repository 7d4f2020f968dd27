package orders_test

import (
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/examples/orders"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// second is the step between what is published, in ms.
const second = record.Timestamp(1000)

type build = func() (*stream.Topology, error)

var allServices = []build{orders.Fraud, orders.Inventory, orders.Details, orders.Aggregator, orders.Emails}

// A service is one topology with topics of its own, as a process of its own would be.
type service struct {
	driver   *streamtest.Driver
	topology *stream.Topology
	outputs  map[string]*streamtest.Output[[]byte, []byte]
}

// A message is a record on its way from a service, nil for the outside, to all others that read its topic.
type message struct {
	from *service
	record.Record
}

// A system is several services and the topics between them.
type system struct {
	t        *testing.T
	services []*service
	waiting  []message
	topics   map[string][]record.Record // what was written to each, in order
	restless bool                       // services are restarted before every record
	now      record.Timestamp
}

func newSystem(t *testing.T, partitions int32, builds ...build) *system {
	t.Helper()
	s := &system{t: t, topics: map[string][]record.Record{}}
	for _, b := range builds {
		topology, err := b()
		if err != nil {
			t.Fatal(err)
		}
		v := &service{topology: topology, outputs: map[string]*streamtest.Output[[]byte, []byte]{}}
		v.driver = streamtest.New(t, topology, streamtest.Partitions(partitions))
		for _, topic := range topology.SinkTopics() {
			v.outputs[topic] = streamtest.NewOutput(v.driver, topic, serde.Bytes, serde.Bytes)
		}
		s.services = append(s.services, v)
	}
	return s
}

// publish writes a record from outside, a second after the last one, and lets the services work until nothing moves any more.
func publish[K, V any](s *system, topic string, k K, v V, key serde.Serde[K], value serde.Serde[V]) {
	s.t.Helper()
	m := message{}
	s.now += second
	m.Topic, m.Timestamp = topic, s.now
	var err error
	if m.Key, err = key.Append(nil, k); err != nil {
		s.t.Fatal(err)
	}
	if m.Value, err = value.Append(nil, v); err != nil {
		s.t.Fatal(err)
	}
	s.waiting = append(s.waiting, m)
	for len(s.waiting) > 0 {
		m, s.waiting = s.waiting[0], s.waiting[1:]
		s.topics[m.Topic] = append(s.topics[m.Topic], m.Record)
		for _, v := range s.services {
			if v != m.from && slices.Contains(v.topology.SourceTopics(), m.Topic) { // the writer has it already
				s.deliver(v, m.Record)
			}
		}
	}
}

// deliver gives a service a record and takes what it writes because of it.
func (s *system) deliver(v *service, r record.Record) {
	if s.restless {
		v.driver.Restart()
	}
	v.driver.Pipe(r)
	for topic, out := range v.outputs {
		written := out.ReadAll()
		if topic == r.Topic {
			written = written[1:] // the first one is r itself
		}
		for _, w := range written {
			m := message{from: v}
			m.Topic, m.Key, m.Value, m.Timestamp, m.Headers = topic, w.Key, w.Value, w.Timestamp, w.Headers
			s.waiting = append(s.waiting, m)
		}
	}
}

func (s *system) order(o orders.Order) {
	s.t.Helper()
	publish(s, orders.OrdersTopic, o.ID, o, serde.String, orders.OrderJSON)
}

func (s *system) stock(pieces map[string]int64) {
	s.t.Helper()
	for product, n := range pieces {
		publish(s, orders.StockTopic, product, n, serde.String, orders.PiecesJSON)
	}
}

// read returns the values of a topic.
func read[V any](s *system, topic string, value serde.Serde[V]) []V {
	s.t.Helper()
	var all []V
	for _, r := range s.topics[topic] {
		v, err := value.Decode(r.Value)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// results returns what a check said of the orders, in the order of its answers.
func (s *system) results(c orders.Check) (ids []string, results []orders.Result) {
	s.t.Helper()
	for _, v := range read(s, orders.ValidationsTopic, orders.ValidationJSON) {
		if v.Check == c {
			ids, results = append(ids, v.OrderID), append(results, v.Result)
		}
	}
	return ids, results
}

// decided returns the states that were published for each order after CREATED.
func (s *system) decided() map[string][]orders.State {
	s.t.Helper()
	states := map[string][]orders.State{}
	for _, o := range read(s, orders.OrdersTopic, orders.OrderJSON) {
		if !o.IsCreated() {
			states[o.ID] = append(states[o.ID], o.State)
		}
	}
	return states
}

// inAllWays runs a test with one partition, with several, and with restarts between any two records.
func inAllWays(t *testing.T, builds []build, test func(t *testing.T, s *system)) {
	for name, way := range map[string]struct {
		partitions int32
		restless   bool
	}{
		"one partition": {1, false}, "4 partitions": {4, false}, "restarts": {1, true}, "4 partitions and restarts": {4, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(t, way.partitions, builds...)
			s.restless = way.restless
			test(t, s)
		})
	}
}
