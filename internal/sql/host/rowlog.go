package host

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
)

// How much is told of what goes wrong with rows: a query may tell so many at once, and from then on so many in a second. All are counted.
const (
	logBurst     = 100
	logPerSecond = 10
)

// A rowLog counts what goes wrong with the rows of one query, and tells some of it. It is called by the loop of the query.
type rowLog struct {
	query  *session.Query
	to     *processingLog
	errors atomic.Int64
	mu     struct {
		sync.Mutex
		last    string
		left    float64 // how many may be told now
		at      record.Timestamp
		skipped int64 // since the last one that was told
	}
}

func newRowLog(q *session.Query, to *processingLog) *rowLog {
	l := &rowLog{query: q, to: to}
	l.mu.left = logBurst
	return l
}

// count is how many rows went wrong, and what was wrong with the last of them.
func (l *rowLog) count() (int64, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errors.Load(), l.mu.last
}

// may counts an error and tells whether it is to be told, and how many before it were not.
func (l *rowLog) may(err error, now record.Timestamp) (skipped int64, ok bool) {
	l.errors.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.last = err.Error()
	l.mu.left = min(l.mu.left+float64(now-l.mu.at)*logPerSecond/1000, logBurst)
	l.mu.at = max(l.mu.at, now)
	if l.mu.left < 1 {
		l.mu.skipped++
		return 0, false
	}
	l.mu.left--
	skipped, l.mu.skipped = l.mu.skipped, 0
	return skipped, true
}

// expression tells of an expression that became null, or of a row that was left out.
func (l *rowLog) expression(step string, err error) {
	l.tell(entry{step: step, err: err, message: map[string]any{
		"type": 1, "recordProcessingError": map[string]any{"errorMessage": err.Error(), "record": nil, "cause": []string{}},
	}})
}

// decide leaves out what cannot be decoded, as ksqlDB does, unless the query is to stop there; any other failure ends the query.
func (l *rowLog) decide(r failure.Record) failure.Decision {
	if r.Phase != failure.Decode {
		return failure.Stop
	}
	if isTrue(l.query.Settings[session.SettingStopOnDecode]) {
		return failure.Stop
	}
	err := fmt.Errorf("record %s/%d at offset %d is left out: %s", r.Topic, r.Partition, r.Offset, r.Reason)
	var quoted any
	if isTrue(l.query.Settings[session.SettingLogRows]) {
		quoted = base64.StdEncoding.EncodeToString(r.Value)
	}
	l.tell(entry{step: r.Step, err: err, message: map[string]any{
		"type": 0, "deserializationError": map[string]any{
			"target": "value", "errorMessage": err.Error(), "recordB64": quoted, "cause": []string{r.Reason}, "topic": r.Topic,
		},
	}})
	return failure.Continue
}

// An entry is one record of the processing log.
type entry struct {
	step    string
	err     error
	message map[string]any
}

func (l *rowLog) tell(e entry) {
	now := l.to.now()
	skipped, ok := l.may(e.err, now)
	if !ok {
		return
	}
	if skipped > 0 {
		e.err = fmt.Errorf("%w (%d more before it were only counted)", e.err, skipped)
	}
	l.to.failed(l.query.ID, e.step, e.err)
	l.to.write(l.query.ID, e, now)
}

// A processingLog writes what went wrong with rows to a topic, if the node's settings say so, in ksqlDB's form. Queries call it from their
// loops, seldom (see rowLog), and wait until a record is durable.
type processingLog struct {
	app    string // that writes it
	now    func() record.Timestamp
	failed func(query, step string, err error)
	mu     struct {
		sync.Mutex
		topic    string // empty: nobody wants it
		producer client.Producer
	}
}

// defaultLog is the topic of the processing log unless a setting names another; behind the service's name, as in ksqlDB.
const defaultLog = "ksql_processing_log"

// logStream is the statement that makes a stream of the processing log.
const logStream = "CREATE STREAM IF NOT EXISTS KSQL_PROCESSING_LOG (logger VARCHAR, level VARCHAR, time BIGINT, message STRUCT<`type` INT, " +
	"deserializationError STRUCT<target VARCHAR, errorMessage VARCHAR, recordB64 VARCHAR, cause ARRAY<VARCHAR>, `topic` VARCHAR>, " +
	"recordProcessingError STRUCT<errorMessage VARCHAR, record VARCHAR, cause ARRAY<VARCHAR>>>) " +
	"WITH (kafka_topic='%s', value_format='JSON', timestamp='TIME');"

// open has the log written to a topic from now on.
func (p *processingLog) open(ctx context.Context, door client.Door, topic string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.topic == topic {
		return nil
	}
	if _, err := door.EnsureTopics(ctx, client.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		return fmt.Errorf("processing log: %w", err)
	}
	if p.mu.producer == nil {
		producer, err := door.OpenProducer(ctx, p.app)
		if err != nil {
			return fmt.Errorf("processing log: %w", err)
		}
		p.mu.producer = producer
	}
	p.mu.topic = topic
	return nil
}

func (p *processingLog) write(query string, e entry, now record.Timestamp) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.topic == "" || p.mu.producer == nil {
		return
	}
	b, err := json.Marshal(map[string]any{"level": "ERROR", "logger": "processing." + query + "." + e.step, "time": int64(now), "message": e.message})
	if err == nil {
		epoch := p.mu.producer.NewEpoch()
		if err = epoch.Append(record.TopicPartition{Topic: p.mu.topic}, now, nil, b, nil); err == nil {
			err = p.mu.producer.Commit(context.Background(), epoch, nil)
		}
	}
	if err != nil { // it is a help, not a reason to stop
		p.failed(query, e.step, errors.Join(errors.New("processing log"), err))
		p.closeLocked()
	}
}

func (p *processingLog) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeLocked()
}

func (p *processingLog) closeLocked() {
	if p.mu.producer != nil {
		p.mu.producer.Close()
	}
	p.mu.producer, p.mu.topic = nil, ""
}
