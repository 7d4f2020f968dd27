package mainstem

import (
	"context"
	"net/http"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/server/httpapi"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// sampleEvery is how often counts are read for rates while somebody looks at them, and for lookedFor after that; rateOver the number of
// samples a rate is taken over. Of a node with thousands of pipelines samples are taken less often: at most a sampleShare-th of the time.
const (
	sampleEvery = 500 * time.Millisecond
	lookedFor   = 10 * time.Second
	sampleShare = 20
	rateOver    = 6
)

// A flow keeps the figures of the page: counts are sampled here, so that a hundred visitors cost no more than one, and none costs nothing.
type flow struct {
	node *Node      // read only: its pipelines, sinks and door
	look sync.Mutex // one of those who find old figures has new ones made

	// Of the sampling goroutine alone.
	past      map[string][]sample           // forgotten while nobody looks
	described map[*topology.Topology]string // as text; forgotten too
	ends      map[record.TopicPartition]record.Offset
	watch     groupWatch

	wanted chan chan<- struct{} // those who want a sample now; closed when there is one

	mu struct {
		sync.Mutex
		flow   httpapi.Flow
		groups []groupFigures // never changed once stored
		looked time.Duration  // when somebody wanted them last
		due    time.Duration  // until when they are new
	}
}

type sample struct {
	at    time.Duration
	count int64
}

func newFlow(n *Node) *flow {
	f := &flow{node: n, watch: groupWatch{node: n}, wanted: make(chan chan<- struct{})}
	f.forget()
	return f
}

// now returns the newest figures. Where nobody has looked for a while, it waits for new ones.
func (f *flow) now() httpapi.Flow {
	f.look.Lock()
	if f.old() {
		f.refresh(f.node.work.ctx)
	}
	f.look.Unlock()
	return f.last()
}

// old notes that somebody looks, and tells whether the figures are old.
func (f *flow) old() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.looked = f.node.o.clock.Mono()
	return f.mu.looked > f.mu.due+sampleEvery
}

// last returns the figures of the last sample.
func (f *flow) last() httpapi.Flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.mu.flow
	out.Node.UptimeMs = (f.node.o.clock.Mono() - f.node.started).Milliseconds()
	return out
}

func (f *flow) run(ctx context.Context) {
	var done chan<- struct{}
	for {
		began := f.node.o.clock.Mono()
		f.sample(ctx)
		if done != nil {
			close(done)
			done = nil
		}
		next := f.next(began)
		if next == nil {
			f.forget()
		}
		select {
		case <-ctx.Done():
			return
		case done = <-f.wanted:
			f.watch.due = 0
		case <-next:
		}
	}
}

// forget gives up what only rates and pages need, until somebody looks again: a node has thousands of pipelines.
func (f *flow) forget() {
	f.past, f.described = map[string][]sample{}, map[*topology.Topology]string{}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.flow.Pipelines = slices.Clone(f.mu.flow.Pipelines) // others may hold the list
	for i := range f.mu.flow.Pipelines {
		f.mu.flow.Pipelines[i].Topology = ""
	}
}

// describe returns the text of a topology.
func (f *flow) describe(t *topology.Topology) string {
	text, known := f.described[t]
	if !known {
		text = t.Describe()
		f.described[t] = text
	}
	return text
}

// next tells when the next sample is due behind one that began at a time; nil: when somebody wants it.
func (f *flow) next(began time.Duration) <-chan time.Time {
	now := f.node.o.clock.Mono()
	wait := max(sampleEvery, sampleShare*(now-began))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.due = now + wait
	if now > f.mu.looked+lookedFor {
		f.mu.due = -sampleEvery // half of it will be forgotten: who looks next needs a new one
		return nil
	}
	return f.node.o.clock.After(wait)
}

// freshPatience bounds how long a fresh sample is waited for: a broker that is away must not keep the answer back.
const freshPatience = time.Second

// refresh waits for a sample that begins now.
func (f *flow) refresh(ctx context.Context) {
	done, over := make(chan struct{}), f.node.o.clock.After(freshPatience)
	select {
	case f.wanted <- done:
	case <-over:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-over:
	case <-ctx.Done():
	}
}

func (f *flow) sample(ctx context.Context) {
	n := f.node
	n.mu.Lock()
	pipelines, sinks := n.mu.pipelines, n.mu.sinks // join makes new ones
	n.mu.Unlock()
	next := httpapi.Flow{
		Node:   httpapi.Node{Version: n.o.version, Broker: "embedded", Kafka: n.Kafka(), Directory: n.dir},
		Topics: []httpapi.Topic{}, Pipelines: []httpapi.Pipeline{}, Sinks: []httpapi.Sink{},
	}
	if n.broker == nil {
		next.Node.Broker = n.Kafka()
	}
	names := map[string]bool{}
	for _, p := range pipelines {
		for _, t := range append(p.engine.SourceTopics(), p.topology.SinkTopics()...) {
			names[t] = true
		}
	}
	for _, d := range sinks {
		for _, t := range d.topics {
			names[t] = true
		}
	}
	if n.broker != nil {
		for name, t := range n.broker.Topics().ByName {
			names[name] = names[name] || !t.Internal && !internalTopic(name)
		}
	}
	topics, ends, err := f.topics(ctx, names)
	if err != nil { // the broker is away: the last figures are better than none
		topics, ends = f.last().Topics, f.ends
	}
	next.Topics, f.ends = topics, ends
	groups := f.watch.look(ctx)
	byName := make(map[string]groupFigures, len(groups))
	for _, g := range groups {
		byName[g.name] = g
	}
	for _, p := range pipelines {
		next.Pipelines = append(next.Pipelines, f.pipeline(p, byName))
	}
	for _, d := range sinks {
		next.Sinks = append(next.Sinks, f.sink(d))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.flow, f.mu.groups = next, groups
}

// groups returns the groups as of the last look.
func (f *flow) groups() []groupFigures {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.groups
}

// internalTopic tells the topics that pipelines keep for themselves by the suffixes that Kafka Streams' users know.
func internalTopic(name string) bool {
	for _, suffix := range []string{"-changelog", "-repartition"} {
		if len(name) > len(suffix) && name[len(name)-len(suffix):] == suffix {
			return true
		}
	}
	return false
}

// topics describes those of names that are shown, and returns the ends of all.
func (f *flow) topics(ctx context.Context, names map[string]bool) ([]httpapi.Topic, map[record.TopicPartition]record.Offset, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var list []string
	for name, show := range names {
		if show {
			list = append(list, name)
		}
	}
	sort.Strings(list)
	infos, err := f.node.door.Topics(ctx, list...)
	if err != nil {
		return nil, nil, err
	}
	var tps []record.TopicPartition
	for name, info := range infos {
		for p := range info.Partitions {
			tps = append(tps, record.TopicPartition{Topic: name, Partition: p})
		}
	}
	starts, err := f.node.door.Starts(ctx, tps...)
	if err != nil {
		return nil, nil, err
	}
	ends, err := f.node.door.Ends(ctx, tps...)
	if err != nil {
		return nil, nil, err
	}
	counts := map[string]int64{}
	for _, tp := range tps {
		counts[tp.Topic] += int64(ends[tp] - starts[tp])
	}
	out := []httpapi.Topic{}
	for _, name := range list {
		if info, ok := infos[name]; ok {
			out = append(out, httpapi.Topic{
				Name: name, Partitions: info.Partitions, Bytes: f.size(info), Records: counts[name], Rate: f.rate("topic "+name, counts[name]),
			})
		}
	}
	return out, ends, nil
}

func (f *flow) pipeline(p *Pipeline, groups map[string]groupFigures) httpapi.Pipeline {
	st := p.engine.Status()
	out := httpapi.Pipeline{
		Name: p.topology.Name, State: st.State.String(), Sources: p.engine.SourceTopics(), Sinks: p.topology.SinkTopics(),
		Processed: st.Processed, Rate: f.rate("pipeline "+p.topology.Name, st.Processed), Lag: p.engine.Lag(f.ends), Dropped: st.Dropped,
		Topology: f.describe(p.topology), Epochs: st.Epochs, BehindMs: -1,
	}
	if g, known := groups[p.app]; known {
		_, behind := g.total()
		out.BehindMs = millis(behind)
	}
	if st.Err != nil {
		out.Error = st.Err.Error()
	}
	return out
}

// size is the bytes of a topic's logs, -1 on a cluster.
func (f *flow) size(t client.TopicInfo) int64 {
	if f.node.broker == nil {
		return -1
	}
	size := int64(0)
	for p := range t.Partitions {
		size += max(0, f.node.broker.LogSize(record.TopicPartition{Topic: t.Name, Partition: p}))
	}
	return size
}

func (f *flow) sink(d *Delivery) httpapi.Sink {
	figures := d.Freshness()
	state, err := d.state()
	out := httpapi.Sink{
		Name: d.name, Target: d.target, Link: d.link, State: state, Topics: d.topics, Delivered: figures.Records, Lag: d.lag(f.ends),
		Rate: f.rate("sink "+d.name, figures.Records), FreshnessP50: millis(figures.P50), FreshnessP99: millis(figures.P99),
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

func millis(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}

// rate returns a count's growth per second over the last samples.
func (f *flow) rate(name string, count int64) float64 {
	now := f.node.o.clock.Mono()
	past := append(f.past[name], sample{now, count})
	if len(past) > rateOver {
		past = past[len(past)-rateOver:]
	}
	f.past[name] = past
	first := past[0]
	if now <= first.at || count < first.count {
		return 0
	}
	return float64(count-first.count) / (now - first.at).Seconds()
}

// metrics serves the figures as Prometheus text.
func (f *flow) metrics() http.Handler { return metricsHandler(f.node) }
