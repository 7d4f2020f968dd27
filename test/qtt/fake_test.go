package qtt

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A fakeDriver knows three statements, enough to be judged: CREATE STREAM with columns, CREATE STREAM … AS SELECT * FROM …, which copies
// records, and INSERT INTO … VALUES ('json'). Its faults are what a judge must see.
type fakeDriver struct {
	sources []Source
	queries []Query
	topics  []Topic
	written map[string][]Record
	piped   []string // "query topic value", in the order of the calls

	copied func(Record) []Record // what comes out for a record; nil copies it
}

var (
	fakeCreate = regexp.MustCompile(`(?is)^CREATE STREAM (\w+) \((.*)\) WITH \(KAFKA_TOPIC='(\w+)', FORMAT='(\w+)'(?:, WINDOW_TYPE='(\w+)')?\)$`)
	fakeSelect = regexp.MustCompile(`(?is)^CREATE STREAM (\w+) AS SELECT \* FROM (\w+)$`)
	fakeInsert = regexp.MustCompile(`(?is)^INSERT INTO (\w+) VALUES \('(.*)'\)$`)
)

func (f *fakeDriver) CreateTopic(name string, partitions, replicas int) error {
	f.topics = append(f.topics, Topic{Name: name, Partitions: partitions, Replicas: replicas})
	return nil
}

func (f *fakeDriver) Exec(script string, _ map[string]string) error {
	for i, s := range splitScript(script) {
		if err := f.statement(s); err != nil {
			phase := PhaseAnalyse
			if errors.Is(err, errFakeSyntax) {
				phase = PhaseParse
			}
			return &StatementError{Phase: phase, Statement: i, Err: err}
		}
	}
	return nil
}

var errFakeSyntax = errors.New("cannot make sense of it")

func (f *fakeDriver) statement(s string) error {
	if m := fakeCreate.FindStringSubmatch(s); m != nil {
		format, window := Format{Name: m[4]}, Window{}
		if m[5] != "" {
			window = Window{Type: m[5], Size: 10}
		}
		f.sources = append(f.sources, Source{
			Name: m[1], Type: "stream", Schema: m[2], Topic: m[3], Key: format, Value: format, Window: window,
		})
		return nil
	}
	if m := fakeSelect.FindStringSubmatch(s); m != nil {
		from, err := f.source(m[2])
		if err != nil {
			return err
		}
		copied := from
		copied.Name, copied.Topic = m[1], m[1]
		f.sources = append(f.sources, copied)
		f.queries = append(f.queries, Query{ID: "COPY_" + m[1], Sources: []string{from.Topic}, Sink: m[1]})
		return f.CreateTopic(m[1], 4, 1)
	}
	if m := fakeInsert.FindStringSubmatch(s); m != nil {
		to, err := f.source(m[1])
		if err != nil {
			return err
		}
		f.write(to.Topic, Record{Value: []byte(m[2]), Timestamp: 1234})
		return nil
	}
	return fmt.Errorf("%w: %s", errFakeSyntax, s)
}

func (f *fakeDriver) source(name string) (Source, error) {
	i := slices.IndexFunc(f.sources, func(s Source) bool { return s.Name == name })
	if i < 0 {
		return Source{}, fmt.Errorf("stream %s is unknown", name)
	}
	return f.sources[i], nil
}

func (f *fakeDriver) write(topic string, records ...Record) {
	if f.written == nil {
		f.written = map[string][]Record{}
	}
	f.written[topic] = append(f.written[topic], records...)
}

func (f *fakeDriver) Pipe(query, topic string, r Record) error {
	if strings.Contains(string(r.Value), "poison") {
		return errors.New("the query died of poison")
	}
	if strings.Contains(string(r.Value), "panic") {
		panic("the engine fell over")
	}
	f.piped = append(f.piped, fmt.Sprintf("%s %s %s", query, topic, r.Value))
	i := slices.IndexFunc(f.queries, func(q Query) bool { return q.ID == query })
	out := []Record{r}
	if f.copied != nil {
		out = f.copied(r)
	}
	f.write(f.queries[i].Sink, out...)
	return nil
}

func (f *fakeDriver) Drain(topic string) []Record {
	records := f.written[topic]
	delete(f.written, topic)
	return records
}

func (f *fakeDriver) Queries() []Query  { return f.queries }
func (f *fakeDriver) Sources() []Source { return f.sources }
func (f *fakeDriver) Topics() []Topic   { return f.topics }
func (f *fakeDriver) Close() error      { return nil }
