package crash

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A crew is several workers that share the smoke program's topology.
type crew struct {
	*smoke
	hands []*process // each in a directory of its own
	takes time.Duration
	began time.Time
	log   []string // what was done to them
}

// newCrew makes the topics and starts three workers, and then the feeders.
func newCrew(s *smoke) *crew {
	s.Helper()
	s.makeTopics()
	c := &crew{smoke: s, hands: make([]*process, 3), began: time.Now()}
	for i := range c.hands {
		c.startHand(i)
	}
	c.await("workers in the group", 2*time.Minute, func() error {
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap))
		if err != nil {
			return err
		}
		defer cl.Close()
		groups, err := kadm.NewClient(cl).DescribeGroups(c.ctx, "smoke")
		if n := len(groups["smoke"].Members); n < len(c.hands) {
			return errors.Join(err, fmt.Errorf("%d\n%s", n, c.pipeline.tail()))
		}
		return nil
	})
	s.feeders = s.feed(s.bootstrap, 2)
	return c
}

func (c *crew) startHand(i int) {
	c.hands[i] = c.start("smoke", "-shared", "-bootstrap", c.bootstrap, "-dir", filepath.Join(c.dir, fmt.Sprintf("hand-%d", i)), "-epoch", c.epoch())
	c.pipeline = c.hands[i]
}

// allMove waits until every partition of an input topic is read on: all tasks that read it run.
func (c *crew) allMove() {
	c.Helper()
	began := time.Now()
	var from map[int32]int64
	c.await("progress in all partitions", 2*time.Minute, func() error {
		for _, p := range c.hands {
			p.mustLive()
		}
		now, err := c.committed("smoke", "numbers")
		if err != nil {
			return err
		}
		if from == nil {
			from = now
		}
		for p := range smokeTopics["numbers"] {
			if now[p] <= from[p] {
				return fmt.Errorf("partition %d: still at %d\n%s", p, now[p], c.pipeline.tail())
			}
		}
		return nil
	})
	c.takes = max(c.takes, time.Since(began))
}

// did notes what was done, and when.
func (c *crew) did(what string, i int) {
	c.log = append(c.log, fmt.Sprintf("%s %d at %s", what, i, time.Since(c.began).Round(100*time.Millisecond)))
}

// kill ends a worker and starts it again at once: it comes back to its place.
func (c *crew) kill(i int) {
	c.did("kill", i)
	c.hands[i].kill()
	c.kills++
	c.startHand(i)
}

// lose ends a worker for longer than its session.
func (c *crew) lose(i int) {
	c.Helper()
	c.did("lose", i)
	c.hands[i].kill()
	c.kills++
	rest := c.hands
	c.hands = append(append([]*process{}, rest[:i]...), rest[i+1:]...)
	c.pipeline = c.hands[0]
	c.allMove()
	c.hands = rest
	c.startHand(i)
}

// leave has a worker end in order, and come back.
func (c *crew) leave(i int) {
	c.Helper()
	c.did("leave", i)
	c.hands[i].stop()
	c.pause(c.between(0, time.Second))
	c.startHand(i)
}

// visit has one more worker come and go.
func (c *crew) visit() {
	c.Helper()
	c.did("visit", len(c.hands))
	c.hands = append(c.hands, nil)
	i := len(c.hands) - 1
	c.startHand(i)
	c.allMove()
	c.pause(c.between(0, time.Second))
	c.hands[i].stop()
	c.hands = c.hands[:i]
	c.pipeline = c.hands[0]
}

// zombie stops a worker until the others have taken over, and continues it: it must notice, and take its place again.
func (c *crew) zombie(i int) {
	c.Helper()
	c.did("zombie", i)
	c.signal(i, syscall.SIGSTOP)
	c.pause(7 * time.Second) // longer than its session
	c.allMove()
	c.signal(i, syscall.SIGCONT)
	c.zombies++
}

// nap stops a worker for a moment.
func (c *crew) nap(i int) {
	c.Helper()
	c.did("nap", i)
	c.signal(i, syscall.SIGSTOP)
	c.pause(c.between(0, 4*time.Second))
	c.signal(i, syscall.SIGCONT)
}

func (c *crew) signal(i int, s syscall.Signal) {
	c.Helper()
	if err := c.hands[i].cmd.Process.Signal(s); err != nil {
		c.Fatal(errors.Join(err, c.hands[i].alive()))
	}
}

// trouble does something to one of the workers or to the broker. The first times it is one thing after the other.
func (c *crew) trouble(k int, restartBroker func()) {
	c.Helper()
	const kinds = 7
	i := c.rand.IntN(len(c.hands))
	draw := k
	if k >= kinds {
		draw = c.rand.IntN(kinds)
	}
	switch draw {
	case 0:
		c.zombie(i)
	case 1:
		c.kill(i)
	case 2:
		c.leave(i)
	case 3:
		c.did("restart the broker", 0)
		restartBroker()
	case 4:
		c.visit()
	case 5:
		c.nap(i)
	default:
		c.lose(i)
	}
}

// run makes trouble and checks the outputs.
func (c *crew) run(times int, restartBroker func()) {
	c.Helper()
	c.allMove()
	for k := range times {
		if c.rand.IntN(4) > 0 {
			c.allMove()
		}
		c.pause(c.between(0, 400*time.Millisecond))
		c.trouble(k, restartBroker)
	}
	c.allMove()
	c.did("settle", 0)
	c.settle(func() {
		c.did("restart", 0)
		for _, p := range c.hands {
			p.stop()
		}
		for i := range c.hands {
			c.startHand(i)
		}
		c.pause(time.Second) // what they might repeat
		for _, p := range c.hands {
			p.stop()
		}
	})
	c.Logf("%s; longest until all partitions moved %s", strings.Join(c.log, ", "), c.takes.Round(time.Millisecond))
}

// TestSmokeShared has workers on an embedded broker share the topology, while they are killed, stopped and continued, come and go, and while
// the broker is killed.
func TestSmokeShared(tt *testing.T) {
	t := newTrial(tt)
	addrs := t.ports(2)
	s := &smoke{chain: &chain{trial: t, data: filepath.Join(t.dir, "broker"), brokerHTTP: addrs[1]}}
	s.bootstrap = addrs[0]
	s.startBroker()
	newCrew(s).run(t.count("MAINSTEM_SMOKE_SHARED", 3), func() {
		s.broker.kill()
		s.brokerKills++
		s.startBroker()
	})
}

// TestSmokeSharedOnKafka is the same on Apache Kafka.
func TestSmokeSharedOnKafka(tt *testing.T) {
	t := newTrial(tt)
	s := &smoke{chain: &chain{trial: t}}
	s.bootstrap = t.startKafka()
	newCrew(s).run(t.count("MAINSTEM_SMOKE_KAFKA_SHARED", 2), s.restartKafka)
}
