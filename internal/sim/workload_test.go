package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
)

// A fact is one thing that an outside service asked for, in the order of asking.
type fact struct {
	tp     record.TopicPartition
	values []string
	who    txn.Producer
	seq    int32
	txn    int // number of the transaction; 0: an idempotent producer outside of transactions
	end    bool
	commit bool // of an end
	acked  bool
}

// batch is the fact's record batch as its producer sends it, every time the same.
func (f *fact) batch() []byte {
	var b batch.Builder
	b.Reset(batch.Params{ProducerID: f.who.ID, ProducerEpoch: f.who.Epoch, BaseSequence: f.seq, Transactional: f.txn > 0})
	for _, v := range f.values {
		key, _, _ := strings.Cut(v, " ")
		b.Append(record.Timestamp(simTime.UnixMilli()), []byte(key), []byte(v), nil)
	}
	return b.AppendTo(nil)
}

// maxInFlight is how many batches of a partition a Kafka producer may have under way, and a broker remembers.
const maxInFlight = 5

const txnID = "outside"

// A workload drives a node as outside services would: an idempotent producer on left, with batches under way and repetitions,
// and a transactional one on right. In between the pipeline and the node are restarted.
type workload struct {
	seed uint64
	rng  *rand.Rand
	node *node
	open func() (*node, error)

	mu    sync.Mutex
	facts []fact

	nextID  int
	waiting []func() error
	under   map[record.TopicPartition][]int // facts under way
	who     txn.Producer
	seq     map[record.TopicPartition]int32
	txnWho  txn.Producer
	txnSeq  map[record.TopicPartition]int32
	txnNo   int
	txnOpen bool
}

const steps = 200

func newWorkload(seed uint64, open func() (*node, error)) *workload {
	return &workload{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), open: open, under: map[record.TopicPartition][]int{},
		seq: map[record.TopicPartition]int32{}, txnSeq: map[record.TopicPartition]int32{},
	}
}

// run works through all steps and leaves the node closed.
func (w *workload) run() (err error) {
	if w.node, err = w.open(); err != nil {
		return err
	}
	defer func() {
		if closing := w.node.close(); err == nil {
			err = closing
		}
	}()
	if err := createTopics(w.node.door); err != nil {
		return err
	}
	if err := w.node.run(); err != nil {
		return err
	}
	if w.who, err = initProducer(w.node.broker, ""); err != nil {
		return err
	}
	for i := range steps {
		if err := w.step(i); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	if err := w.wait(); err != nil {
		return err
	}
	return w.node.settle()
}

func createTopics(d client.Door) error {
	var specs []client.TopicSpec
	for _, name := range []string{leftTopic, rightTopic, eventsTopic, totalsTopic} {
		specs = append(specs, client.TopicSpec{Name: name, Partitions: partitions[name]})
	}
	_, err := d.EnsureTopics(context.Background(), specs...)
	return err
}

func initProducer(b *broker.Broker, id string) (txn.Producer, error) {
	r, err := b.InitProducer(txn.Init{ID: id, Timeout: time.Minute, Current: txn.None}).Wait(context.Background())
	if err == nil && r.Err != nil {
		err = r.Err
	}
	return r.Producer, err
}

func (w *workload) step(i int) error {
	switch {
	case i%60 == 59:
		return w.restartPipeline()
	case i%90 == 89:
		return w.restartNode()
	}
	switch k := w.rng.IntN(12); {
	case k < 4:
		return w.produce()
	case k < 5:
		return w.repeat()
	case k < 10:
		return w.transact()
	default:
		return w.wait()
	}
}

func (w *workload) restartPipeline() error {
	if err := w.node.halt(); err != nil {
		return err
	}
	return w.node.run()
}

// restartNode closes and opens everything; an open transaction stays open.
func (w *workload) restartNode() error {
	if err := w.wait(); err != nil {
		return err
	}
	if err := w.node.close(); err != nil {
		return err
	}
	n, err := w.open()
	if err != nil {
		return err
	}
	w.node = n
	return n.run()
}

// ask notes f before it is asked for.
func (w *workload) ask(f fact) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.facts = append(w.facts, f)
	return len(w.facts) - 1
}

func (w *workload) ack(at int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.facts[at].acked = true
}

// wait waits for everything asked so far.
func (w *workload) wait() error {
	for _, wait := range w.waiting {
		if err := wait(); err != nil {
			return err
		}
	}
	w.waiting = nil
	clear(w.under)
	return nil
}

func (w *workload) values() []string {
	out := make([]string, 1+w.rng.IntN(3))
	for i := range out {
		w.nextID++
		out[i] = fmt.Sprintf("%d a%d %d %0*d", w.nextID, w.rng.IntN(7), w.rng.IntN(1000), 20+w.rng.IntN(400), 0)
	}
	return out
}

// send asks for a fact's batch and waits for the answer later.
func (w *workload) send(at int, f fact) {
	r := send(w.node.broker, f)
	w.waiting = append(w.waiting, func() error {
		if err := answered(r); err != nil {
			return fmt.Errorf("fact %d: %w", at, err)
		}
		w.ack(at)
		return nil
	})
}

type produced = broker.Future[[]broker.ProduceResult]

func send(b *broker.Broker, f fact) *produced {
	p := broker.Produce{Items: []broker.ProduceItem{{Ref: broker.TopicRef{Name: f.tp.Topic}, Partition: f.tp.Partition, Bytes: f.batch()}}}
	if f.txn > 0 {
		p.TransactionalID, p.Implicit = txnID, true
	}
	return b.Produce(p)
}

func answered(r *produced) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	results, err := r.Wait(ctx)
	if err != nil {
		return err
	}
	if one := results[0]; one.Err != nil {
		return fmt.Errorf("%w: %s", one.Err, one.Detail)
	}
	return nil
}

func (w *workload) partition(topic string) record.TopicPartition {
	return record.TopicPartition{Topic: topic, Partition: w.rng.Int32N(partitions[topic])}
}

func (w *workload) produce() error {
	f := fact{tp: w.partition(leftTopic), values: w.values(), who: w.who}
	if len(w.under[f.tp]) == maxInFlight {
		if err := w.wait(); err != nil {
			return err
		}
	}
	f.seq = w.seq[f.tp]
	w.seq[f.tp] += int32(len(f.values))
	at := w.ask(f)
	w.under[f.tp] = append(w.under[f.tp], at)
	w.send(at, f)
	return nil
}

// repeat sends all batches under way of a partition again, as after a lost connection.
func (w *workload) repeat() error {
	for _, at := range w.under[w.partition(leftTopic)] {
		w.mu.Lock()
		f := w.facts[at]
		w.mu.Unlock()
		w.send(at, f)
	}
	return nil
}

// transact writes in the open transaction, or ends it.
func (w *workload) transact() (err error) {
	if !w.txnOpen {
		if err := w.wait(); err != nil {
			return err
		}
		w.txnNo++
		w.txnOpen = true
		if w.txnNo == 1 || w.rng.IntN(4) == 0 {
			if w.txnWho, err = initProducer(w.node.broker, txnID); err != nil {
				return err
			}
			w.txnSeq = map[record.TopicPartition]int32{}
		}
	}
	if len(w.txnSeq) > 0 && w.rng.IntN(3) == 0 {
		return w.endTransaction()
	}
	f := fact{tp: w.partition(rightTopic), values: w.values(), who: w.txnWho, txn: w.txnNo}
	f.seq = w.txnSeq[f.tp]
	w.txnSeq[f.tp] += int32(len(f.values))
	w.send(w.ask(f), f)
	return nil
}

func (w *workload) endTransaction() error {
	if err := w.wait(); err != nil {
		return err
	}
	f := fact{txn: w.txnNo, end: true, commit: w.rng.IntN(3) > 0}
	at := w.ask(f)
	w.txnOpen = false
	r, err := w.node.broker.EndTxn(txnID, w.txnWho, f.commit, true).Wait(context.Background())
	if err == nil && r.Err != nil {
		err = r.Err
	}
	if err != nil {
		return fmt.Errorf("end transaction %d: %w", w.txnNo, err)
	}
	w.ack(at)
	w.txnWho, w.txnSeq = r.Producer, map[record.TopicPartition]int32{}
	return nil
}
