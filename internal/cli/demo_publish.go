package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/generate"
)

// An eventSource returns the next payment to publish, io.EOF after the last.
type eventSource func() (*kgo.Record, error)

// source chooses what is published by the flags.
func (d *demo) source() (eventSource, error) {
	if d.input != "" {
		return d.inputSource()
	}
	total := d.generate
	if total == 0 && d.once {
		return func() (*kgo.Record, error) { return nil, io.EOF }, nil
	}
	cfg := generate.Config{Seed: d.seed}
	if total == 0 {
		cfg.Start = payments.Date(time.Now().UnixMilli()) // at a human pace payments happen now
		cfg.Seed ^= uint64(time.Now().UnixNano()) * boolUint(d.paced())
		cfg.Step = time.Duration(float64(time.Second) / max(d.rate, 0.001))
	}
	src, err := generate.New(cfg)
	if err != nil {
		return nil, failed("generate", err, "")
	}
	if first, err := src.At(nil, 0); err == nil {
		d.someone = first.Payment.CustomerID
	}
	i := int64(0)
	return func() (*kgo.Record, error) {
		if total > 0 && i >= total {
			return nil, io.EOF
		}
		e, err := src.At(nil, i)
		i++
		return &kgo.Record{Topic: e.Topic, Key: []byte(e.Key), Value: e.Value, Timestamp: time.Now()}, err
	}, nil
}

func (d *demo) paced() bool { return d.generate == 0 && d.input == "" }

func boolUint(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// inputSource reads both files line by line, one after the other's turn.
func (d *demo) inputSource() (eventSource, error) {
	var files []*lineFile
	for _, f := range []struct{ name, topic string }{{"cc-payment.jsonl", payments.CardTopic}, {"bank-transfer-payment.jsonl", payments.TransferTopic}} {
		lf, err := openLines(filepath.Join(d.input, f.name), f.topic)
		if err != nil {
			return nil, err
		}
		files = append(files, lf)
	}
	next := 0
	return func() (*kgo.Record, error) {
		for len(files) > 0 {
			next %= len(files)
			r, err := files[next].next()
			if errors.Is(err, io.EOF) {
				files = append(files[:next], files[next+1:]...)
				continue
			}
			next++
			return r, err
		}
		return nil, io.EOF
	}, nil
}

// A lineFile is one input file.
type lineFile struct {
	path, topic string
	file        *os.File
	lines       *bufio.Scanner
	line        int
}

// maxLine bounds a line of input in bytes: more than any broker takes by default.
const maxLine = 16 << 20

func openLines(path, topic string) (*lineFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, failed("input", err, "--input takes a directory with cc-payment.jsonl and bank-transfer-payment.jsonl")
	}
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 64<<10), maxLine)
	return &lineFile{path: path, topic: topic, file: f, lines: s}, nil
}

func (l *lineFile) next() (*kgo.Record, error) {
	if !l.lines.Scan() {
		err := l.lines.Err()
		_ = l.file.Close() // read only
		if err == nil {
			err = io.EOF
		} else {
			err = fmt.Errorf("%s line %d: %w", l.path, l.line+1, err)
		}
		return nil, err
	}
	l.line++
	var in struct {
		Key       *string         `json:"key"`
		Value     json.RawMessage `json:"value"`
		Timestamp *int64          `json:"timestamp"`
	}
	if err := json.Unmarshal(l.lines.Bytes(), &in); err != nil {
		return nil, fmt.Errorf("%s line %d is not {\"key\":…,\"value\":{…},\"timestamp\":ms}", l.path, l.line) // the line may hold a card number
	}
	r := &kgo.Record{Topic: l.topic, Value: in.Value, Timestamp: time.Now()}
	if in.Key != nil {
		r.Key = []byte(*in.Key)
	}
	if in.Timestamp != nil {
		r.Timestamp = time.UnixMilli(*in.Timestamp)
	}
	return r, nil
}

// publish sends everything and returns how many payments were acknowledged.
func (s *system) publish(ctx context.Context, next eventSource) (int64, error) {
	if s.paced() && s.rate == 0 {
		return 0, nil
	}
	cl, err := s.producer()
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var mu sync.Mutex
	var acked int64
	var first error
	done := func(r *kgo.Record, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			acked++
		} else if first == nil {
			first = fmt.Errorf("publish to %s: %w", r.Topic, err)
		}
	}
	began := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		if s.paced() {
			due := began.Add(time.Duration(float64(i) / s.rate * float64(time.Second)))
			select {
			case <-ctx.Done():
			case <-time.After(time.Until(due)):
			}
		}
		r, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, failed("input", err, "")
		}
		s.published.note(r)
		cl.Produce(ctx, r, done)
	}
	flushErr := cl.Flush(ctx)
	mu.Lock()
	defer mu.Unlock()
	if err := errors.Join(first, flushErr); err != nil {
		return acked, failed("publish", err, "")
	}
	return acked, nil
}

// ensureTopics creates the topics of payments as an organisation would: they are kept, whatever their dates. Those of --input may be
// years old, and retention goes by them.
func (s *system) ensureTopics(ctx context.Context) error {
	cl, err := s.producer()
	if err != nil {
		return err
	}
	defer cl.Close()
	forever := "-1"
	created, err := kadm.NewClient(cl).CreateTopics(ctx, -1, -1, map[string]*string{"retention.ms": &forever},
		payments.CardTopic, payments.TransferTopic, payments.PaymentTopic)
	for _, t := range created {
		if !errors.Is(t.Err, kerr.TopicAlreadyExists) {
			err = errors.Join(err, t.Err)
		}
	}
	if err != nil {
		return failed("topics", fmt.Errorf("create the topics: %w", err), "")
	}
	return nil
}

// producer publishes as an outside service would: over the wire, idempotent, acknowledged by all replicas.
func (s *system) producer() (*kgo.Client, error) {
	brokers := s.bootstrap
	if len(brokers) == 0 {
		brokers = []string{s.node.kafka}
	}
	linger := time.Duration(0)
	if !s.paced() {
		linger = 5 * time.Millisecond
	}
	opts, err := s.login.opts()
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(brokers...), kgo.ClientID("payment-services"), kgo.ProducerLinger(linger),
		kgo.AllowAutoTopicCreation(), kgo.AlwaysRetryEOF(), kgo.MaxBufferedRecords(50_000))...)
	if err != nil {
		return nil, failed("publish", err, "")
	}
	return cl, nil
}
