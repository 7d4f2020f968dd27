package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func newTopicProduce(c *cluster) *cobra.Command {
	var format, key string
	var partition int32
	cmd := &cobra.Command{
		Use: "produce TOPIC", Short: "Publish records read from standard input", Args: exact("TOPIC"),
		Long: `Reads records from standard input and publishes them; ends when all are acknowledged by all replicas.
The format is rpk's: %k key, %v value, %h headers, %t topic, %p partition, %d timestamp; \n, \t and \xNN are escapes.`,
		Example: "  echo '42 hello' | mainstem topic produce greetings -f '%k %v\\n'",
		RunE: func(cmd *cobra.Command, args []string) error {
			reader, err := kgo.NewRecordReader(c.env.In, format)
			if err != nil {
				return usage("format %q: %w", format, err)
			}
			opts := []kgo.Opt{kgo.DefaultProduceTopic(args[0])}
			if partition >= 0 {
				opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
			}
			cl, err := c.connect(opts...)
			if err != nil {
				return err
			}
			defer cl.Close()
			if err := c.ping(cmd.Context(), cl); err != nil {
				return err
			}
			n, err := produceAll(cmd.Context(), cl, func() (*kgo.Record, error) {
				r, err := reader.ReadRecord()
				if err == nil && partition >= 0 {
					r.Partition = partition
				}
				if err == nil && key != "" && r.Key == nil {
					r.Key = []byte(key)
				}
				return r, err
			})
			if err != nil {
				return explain(args[0], fmt.Errorf("after %d acknowledged record(s): %w", n, err))
			}
			if c.json {
				return c.print(map[string]any{"topic": args[0], "records": n})
			}
			fmt.Fprintf(c.env.Err, "published %d record(s) to %s\n", n, args[0])
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "%v\n", "how a record stands in the input")
	cmd.Flags().StringVarP(&key, "key", "k", "", "key of records that have none")
	cmd.Flags().Int32VarP(&partition, "partition", "p", -1, "publish to this partition; -1: by key")
	return cmd
}

// produceAll publishes until next ends with io.EOF and returns how many records were acknowledged.
func produceAll(ctx context.Context, cl *kgo.Client, next func() (*kgo.Record, error)) (int, error) {
	var mu sync.Mutex
	acked, first := 0, error(nil)
	done := func(_ *kgo.Record, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			acked++
		} else if first == nil {
			first = err
		}
	}
	var readErr error
	for ctx.Err() == nil {
		r, err := next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				readErr = fmt.Errorf("read record %d: %w", acked+1, err)
			}
			break
		}
		cl.Produce(ctx, r, done)
		mu.Lock()
		stop := first != nil
		mu.Unlock()
		if stop {
			break
		}
	}
	flushErr := cl.Flush(ctx)
	mu.Lock()
	defer mu.Unlock()
	return acked, errors.Join(first, readErr, flushErr)
}

// A consumption is what topic consume was asked for.
type consumption struct {
	topic      string
	format     string
	from       string
	group      string
	count      int
	partitions []int32
	follow     bool
	committed  bool
	json       bool
}

func newTopicConsume(c *cluster) *cobra.Command {
	q := consumption{}
	uncommitted := false
	cmd := &cobra.Command{
		Use: "consume TOPIC", Short: "Print a topic's records", Args: exact("TOPIC"),
		Long: `Prints records and ends at the end of the topic as it was at the start, unless --follow is given.
The format is rpk's: %k key, %v value, %h headers, %t topic, %p partition, %o offset, %d timestamp; \n, \t and \xNN are escapes.`,
		Example: "  mainstem topic consume PAYMENT-OUTPUT --from start -f '%p %o %k %v\\n'\n  mainstem topic consume PAYMENT-TRX-AGGR --follow",
		RunE: func(cmd *cobra.Command, args []string) error {
			q.topic, q.committed = args[0], !uncommitted
			q.json = c.json && !cmd.Flags().Changed("format")
			return c.consume(cmd.Context(), q)
		},
	}
	cmd.Flags().StringVarP(&q.format, "format", "f", "%v\n", "how a record is printed")
	cmd.Flags().StringVar(&q.from, "from", "start", "where to begin: start, end, an offset, or a time (RFC 3339)")
	cmd.Flags().StringVarP(&q.group, "group", "g", "", "read as a member of this consumer group and commit what was printed")
	cmd.Flags().IntVarP(&q.count, "num", "n", 0, "stop after this many records; 0: no limit")
	cmd.Flags().Int32SliceVarP(&q.partitions, "partition", "p", nil, "only these partitions")
	cmd.Flags().BoolVar(&q.follow, "follow", false, "wait for new records at the end")
	cmd.Flags().BoolVar(&uncommitted, "read-uncommitted", false, "show records of open and aborted transactions too")
	return cmd
}

func (c *cluster) consume(ctx context.Context, q consumption) error {
	formatter, err := kgo.NewRecordFormatter(q.format)
	if err != nil {
		return usage("format %q: %w", q.format, err)
	}
	appendRecord := formatter.AppendRecord
	if q.json {
		appendRecord = appendJSON
	}
	start, err := startOffset(q.from)
	if err != nil {
		return err
	}
	left := map[int32]int64{}
	if err := c.admin(ctx, func(ctx context.Context, adm *kadm.Client) error {
		left, err = ends(ctx, adm, q)
		return err
	}); err != nil {
		return err
	}
	opts := []kgo.Opt{kgo.ConsumeResetOffset(start)}
	switch {
	case q.group != "":
		opts = append(opts, kgo.ConsumerGroup(q.group), kgo.ConsumeTopics(q.topic), kgo.DisableAutoCommit())
	default:
		at := map[int32]kgo.Offset{}
		for p := range left {
			at[p] = start
		}
		opts = append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{q.topic: at}))
	}
	if q.committed {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	cl, err := c.connect(append(opts, kgo.KeepControlRecords())...) // control records show that a partition's end was reached
	if err != nil {
		return err
	}
	defer cl.Close()
	return c.printRecords(ctx, cl, appendRecord, q, left)
}

// ends returns the offsets at which a consumer without --follow is done, for each partition asked for.
func ends(ctx context.Context, adm *kadm.Client, q consumption) (map[int32]int64, error) {
	list := adm.ListEndOffsets
	if q.committed {
		list = adm.ListCommittedOffsets
	}
	offsets, err := list(ctx, q.topic)
	if err != nil {
		return nil, explain(q.topic, err)
	}
	starts, err := adm.ListStartOffsets(ctx, q.topic)
	if err != nil {
		return nil, explain(q.topic, err)
	}
	left := map[int32]int64{}
	for p, o := range offsets[q.topic] {
		if o.Err != nil {
			return nil, explain(q.topic, o.Err)
		}
		if s, ok := starts.Lookup(q.topic, p); ok && s.Offset < o.Offset || q.follow || q.group != "" {
			left[p] = o.Offset
		}
	}
	if len(q.partitions) > 0 {
		only := map[int32]int64{}
		for _, p := range q.partitions {
			if _, ok := offsets[q.topic][p]; !ok {
				return nil, usage("topic %s has no partition %d", q.topic, p)
			}
			if end, ok := left[p]; ok {
				only[p] = end
			}
		}
		left = only
	}
	return left, nil
}

func startOffset(from string) (kgo.Offset, error) {
	switch from {
	case "start":
		return kgo.NewOffset().AtStart(), nil
	case "end":
		return kgo.NewOffset().AtEnd(), nil
	}
	if n, err := strconv.ParseInt(from, 10, 64); err == nil && n >= 0 {
		return kgo.NewOffset().At(n), nil
	}
	if t, err := time.Parse(time.RFC3339, from); err == nil {
		return kgo.NewOffset().AfterMilli(t.UnixMilli()), nil
	}
	return kgo.Offset{}, usage("--from takes start, end, an offset or a time such as 2026-01-31T12:00:00Z, got %q", from)
}

func (c *cluster) printRecords(ctx context.Context, cl *kgo.Client, appendRecord func([]byte, *kgo.Record) []byte, q consumption, left map[int32]int64) error {
	printed, buf := 0, []byte(nil)
	finished := func() bool {
		return q.count > 0 && printed >= q.count || !q.follow && len(left) == 0
	}
	if q.from == "end" && !q.follow {
		return nil
	}
	for !finished() && ctx.Err() == nil {
		poll, cancel := ctx, context.CancelFunc(func() {})
		if !q.follow {
			poll, cancel = context.WithTimeout(ctx, c.timeout)
		}
		fetches := cl.PollRecords(poll, pollLimit(q.count, printed))
		idle := poll.Err() != nil && ctx.Err() == nil
		cancel()
		if idle && q.group != "" {
			break // another member may hold the rest
		}
		if idle {
			return stalled(q.topic, left, c.timeout)
		}
		var bad error
		fetches.EachError(func(_ string, p int32, err error) {
			if ctx.Err() == nil {
				bad = errors.Join(bad, fmt.Errorf("partition %d: %w", p, err))
			}
		})
		if bad != nil {
			return explain(q.topic, bad)
		}
		buf = buf[:0]
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() && (q.count == 0 || printed < q.count) {
				buf = appendRecord(buf, r)
				printed++
			}
			if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		})
		if _, err := c.env.Out.Write(buf); err != nil {
			return failed("output", fmt.Errorf("write records: %w", err), "")
		}
		if q.group != "" {
			if err := cl.CommitUncommittedOffsets(ctx); err != nil && ctx.Err() == nil {
				return explain(q.topic, err)
			}
		}
	}
	return nil
}

// stalled is the error of partitions that have records and give none: clients try again in silence when a log is damaged.
func stalled(topic string, left map[int32]int64, waited time.Duration) error {
	partitions := slices.Sorted(maps.Keys(left))
	return failed("stalled", fmt.Errorf("topic %s: no record came for %s, though partition(s) %v have more", topic, waited, partitions),
		"mainstem status; when a partition is damaged, stop the node and run mainstem fsck on its data directory")
}

func pollLimit(count, printed int) int {
	if count == 0 {
		return math.MaxInt32
	}
	return count - printed
}

// A jsonRecord is a line of consume --json. Bytes that are no UTF-8 text stand in base64 under the other name; null is null.
type jsonRecord struct {
	Topic       string            `json:"topic"`
	Partition   int32             `json:"partition"`
	Offset      int64             `json:"offset"`
	Timestamp   int64             `json:"timestamp"`
	Key         *string           `json:"key"`
	KeyBase64   []byte            `json:"keyBase64,omitempty"`
	Value       *string           `json:"value"`
	ValueBase64 []byte            `json:"valueBase64,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
}

func appendJSON(dst []byte, r *kgo.Record) []byte {
	out := jsonRecord{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli()}
	out.Key, out.KeyBase64 = textOrBytes(r.Key)
	out.Value, out.ValueBase64 = textOrBytes(r.Value)
	for _, h := range r.Headers {
		if out.Headers == nil {
			out.Headers = map[string]string{}
		}
		out.Headers[h.Key] = string(h.Value)
	}
	line, err := json.Marshal(out)
	if err != nil {
		panic("cli: a record of strings and numbers is always JSON: " + err.Error())
	}
	return append(append(dst, line...), '\n')
}

func textOrBytes(b []byte) (text *string, raw []byte) {
	if b == nil {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}
