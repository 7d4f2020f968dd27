package crash

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A smoke is one run of the smoke program: every kind of step in one topology, whose outputs are recomputed from the acknowledged
// inputs, as Kafka Streams' smoke test does.
type smoke struct {
	*chain  // its broker; the pipeline is the smoke program
	feeders []*feeder
	workers int // so many have been started in a directory of their own
	slowest time.Duration
	// kills of the smoke program and of its broker, and how many workers were stopped, replaced and continued.
	kills, brokerKills, zombies int
}

// begin makes the topics and starts the feeders.
func (s *smoke) begin() {
	s.Helper()
	s.makeTopics()
	s.feeders = s.feed(s.bootstrap, 2)
}

func (s *smoke) makeTopics() {
	s.Helper()
	topics := map[string]int32{}
	for topic, n := range smokeTopics {
		topics[topic] = n
	}
	for i, topic := range smokeOutputs {
		topics[topic] = int32(1 + i%3)
	}
	s.createTopics(s.bootstrap, topics)
}

func (s *smoke) startWorker() {
	dir := filepath.Join(s.dir, fmt.Sprintf("worker-%d", s.workers%2))
	s.pipeline = s.start("smoke", "-bootstrap", s.bootstrap, "-dir", dir, "-epoch", s.epoch())
}

// epoch is the workers' interval of commits.
func (s *smoke) epoch() string { return (50 * time.Millisecond * s.patience()).String() }

func (s *smoke) killWorker() {
	s.pipeline.kill()
	s.kills++
	s.startWorker()
}

func (s *smoke) startNode() {
	s.pipeline = s.start("smoke", "-listen", s.bootstrap, "-dir", s.data)
}

// moves waits until a result is committed, which takes everything.
func (s *smoke) moves() {
	s.Helper()
	began := time.Now()
	from := int64(-1)
	s.await("a result", 2*time.Minute, func() error {
		s.pipeline.mustLive()
		now, err := s.end("count")
		if err == nil && from < 0 {
			from = now
		}
		if err == nil && now <= from {
			err = fmt.Errorf("still %d\n%s", now, s.tails())
		}
		return err
	})
	s.slowest = max(s.slowest, time.Since(began))
}

// zombie stops the worker, lets a second one take over, and continues the first: it must notice, also when the broker was killed meanwhile
// and it starts again behind a lost connection.
func (s *smoke) zombie() {
	s.Helper()
	s.moves() // it is in charge
	s.pause(s.between(0, 200*time.Millisecond))
	old := s.pipeline
	if err := old.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		s.Fatal(err)
	}
	s.workers++
	s.startWorker()
	s.moves()
	if s.broker != nil && s.rand.IntN(2) == 0 {
		s.broker.kill()
		s.brokerKills++
		s.startBroker()
		s.moves()
	}
	s.pause(s.between(0, 200*time.Millisecond))
	if err := old.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		s.Fatal(err)
	}
	s.await("the end of the fenced worker", 2*time.Minute, func() error {
		select {
		case <-old.done:
			return nil
		default:
			return errors.New("it goes on\n" + old.tail())
		}
	})
	if code := old.cmd.ProcessState.ExitCode(); code != 3 {
		s.Fatalf("the fenced worker ended with %d\n%s", code, old.tail())
	}
	s.pipeline.mustLive()
	s.zombies++
}

// next is the moment of the next kill: sometimes before everything works again.
func (s *smoke) next() {
	s.Helper()
	if s.rand.IntN(4) == 0 {
		s.pause(s.between(0, 400*time.Millisecond))
		return
	}
	s.moves()
	s.pause(s.between(0, 400*time.Millisecond))
}

// settle ends publishing and waits until the outputs are what the inputs must give; then restart is called, after which they must
// still be.
func (s *smoke) settle(restart func()) {
	s.Helper()
	for _, f := range s.feeders {
		f.stop(s.trial)
	}
	in := s.acknowledgedInputs(s.bootstrap, s.feeders)
	var got outputs
	s.await("the outputs", 10*time.Minute, func() error {
		s.pipeline.mustLive()
		s.pause(200 * time.Millisecond)
		got = s.outputs()
		return judge(in, got)
	})
	restart()
	if err := judge(in, s.outputs()); err != nil {
		s.Errorf("after a clean restart: %v", err)
	}
	var text []string
	for topic, partitions := range in {
		n := 0
		for _, log := range partitions {
			n += len(log)
		}
		text = append(text, fmt.Sprintf("%d %s", n, topic))
	}
	results := 0
	for _, byKey := range got {
		for _, values := range byKey {
			results += len(values)
		}
	}
	s.Logf("%d kills, %d restarts of the broker, %d zombies; %s give %d results; longest until one was committed %s", s.kills, s.brokerKills, s.zombies, strings.Join(text, ", "), results, s.slowest.Round(time.Millisecond))
	if results < 100 {
		s.Error("hardly anything happened")
	}
}

// outputs reads what is committed in the output topics.
func (s *smoke) outputs() outputs {
	s.Helper()
	got := outputs{}
	for _, topic := range smokeOutputs {
		places := map[string]int32{}
		s.readAll(s.bootstrap, topic, func(r *kgo.Record) error {
			key, value := string(r.Key), string(r.Value)
			if r.Value == nil {
				value = none
			}
			if at, known := places[key]; known && at != r.Partition {
				return fmt.Errorf("%s is in partition %d, too", key, at)
			}
			places[key] = r.Partition
			got.add(topic, key, value)
			return nil
		})
	}
	return got
}

// TestSmokeInNode kills a node that runs the topology.
func TestSmokeInNode(tt *testing.T) {
	t := newTrial(tt)
	s := &smoke{chain: &chain{trial: t, data: filepath.Join(t.dir, "node")}}
	addrs := t.ports(2)
	s.bootstrap = addrs[0]
	first := t.start("mainstem", "dev", "--data", s.data, "--kafka", s.bootstrap, "--http", addrs[1])
	s.begin()
	first.stop()
	s.startNode()
	for range t.count("MAINSTEM_SMOKE_KILLS", 3) {
		s.next()
		s.pipeline.mustLive()
		s.pipeline.kill()
		s.kills++
		s.startNode()
	}
	s.moves()
	s.settle(func() {
		s.pipeline.stop()
		s.startNode()
		s.ready(s.bootstrap)
	})
	s.pipeline.stop()
}

// TestSmokeInWorker kills a broker and a worker that runs the topology on it, and lets workers become zombies.
func TestSmokeInWorker(tt *testing.T) {
	t := newTrial(tt)
	addrs := t.ports(2)
	s := &smoke{chain: &chain{trial: t, data: filepath.Join(t.dir, "broker"), brokerHTTP: addrs[1]}}
	s.bootstrap = addrs[0]
	s.startBroker()
	s.begin()
	s.startWorker()
	for k := range t.count("MAINSTEM_SMOKE_KILLS", 3) {
		s.next()
		switch draw := t.rand.IntN(4); {
		case draw == 0 || k == 0:
			s.zombie()
		case draw == 1:
			s.broker.kill()
			s.brokerKills++
			s.startBroker()
		default:
			s.killWorker()
		}
		s.pipeline.mustLive()
	}
	s.moves()
	s.settle(s.restartWorker)
}

func (s *smoke) restartWorker() {
	s.pipeline.stop()
	s.startWorker()
	s.pause(500 * time.Millisecond) // what it might repeat
	s.pipeline.mustLive()
	s.pipeline.stop()
}

// TestSmokeOnKafka is TestSmokeInWorker on Apache Kafka, which is killed seldom since it starts slowly.
func TestSmokeOnKafka(tt *testing.T) {
	t := newTrial(tt)
	s := &smoke{chain: &chain{trial: t}}
	s.bootstrap = t.startKafka()
	s.begin()
	s.startWorker()
	for k := range t.count("MAINSTEM_SMOKE_KAFKA_KILLS", 2) {
		s.next()
		switch draw := t.rand.IntN(40); {
		case draw == 0:
			s.restartKafka()
		case draw < 10 || k == 0:
			s.zombie()
		default:
			s.killWorker()
		}
		s.pipeline.mustLive()
	}
	s.moves()
	s.settle(s.restartWorker)
}

// restartKafka stops the node of startKafka and starts it again. It is not killed: a 4.3.1 that is killed between a transaction's decision
// and its markers can note the transaction as complete, as it starts, with markers in only some of its partitions (its transaction log and
// the partitions show that). The others hide those records, which nobody can mend, and the next abort drops them.
func (s *smoke) restartKafka() {
	s.Helper()
	_, port, err := net.SplitHostPort(s.bootstrap)
	if err != nil {
		s.Fatal(err)
	}
	s.brokerKills++
	dir := filepath.Join(s.dir, "kafka")
	for _, args := range [][]string{{"stop", dir}, {"start", dir, port}} {
		if out, err := exec.CommandContext(s.ctx, "../compat/kafka/kafka.sh", args...).CombinedOutput(); err != nil {
			s.Fatalf("%s Apache Kafka: %v\n%s", args[0], err, out)
		}
	}
}
