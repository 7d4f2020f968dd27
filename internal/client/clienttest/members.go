package clienttest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/record"
)

// longSession ends behind every test: nobody is expelled because a busy machine lets no heartbeat out, and nothing that comes about has waited
// for the end of one.
const longSession = 2 * patience

func number(n record.Offset) string { return fmt.Sprint(n) }

// await waits until ok; the kit's patience bounds it.
func (w *world) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	began := clock.System.Mono()
	for !ok() {
		select {
		case <-w.ctx.Done():
			t.Fatalf("%s: still not after %v", what, clock.System.Mono()-began)
		case <-clock.System.After(5 * time.Millisecond):
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (c *copier) has(n int) func() bool {
	return func() bool { granted, _, _, _ := c.state(); return len(granted) == n }
}

// share waits until the copiers have all partitions among them, evenly.
func (j *job) share(t *testing.T, cs ...*copier) {
	t.Helper()
	j.w.await(t, fmt.Sprintf("%d workers share", len(cs)), func() bool {
		all := 0
		for _, c := range cs {
			granted, _, _, _ := c.state()
			if len(granted) < len(j.in)/len(cs) {
				return false
			}
			all += len(granted)
		}
		return all == len(j.in)
	})
}

// reach waits until every partition's position is n at least.
func (j *job) reach(t *testing.T, n record.Offset) {
	t.Helper()
	j.w.await(t, fmt.Sprintf("every position is %d", n), func() bool {
		done := j.progress()
		for _, tp := range j.in {
			if done[tp] < n {
				return false
			}
		}
		return true
	})
}

// check reads the output: every number once, in order.
func (j *job) check(t *testing.T) {
	t.Helper()
	j.w.await(t, "all is done", func() bool {
		done, err := j.w.Door.Committed(j.w.ctx, j.w.app)
		return err == nil && len(done) == len(j.in) && !slices.ContainsFunc(j.in, func(tp record.TopicPartition) bool { return done[tp] != j.each })
	})
	want := log{}
	for _, tp := range j.out {
		for n := range j.each {
			want[tp] = append(want[tp], number(n))
		}
	}
	equal(t, "output", want, j.w.readToEnd(t, j.w.reader(t, at(0, j.out...)), j.out...))
}

// ShareWork lets workers at the given doors run one application until all is done, and checks that it was done once. meanwhile, if not nil,
// is called when they have begun.
func ShareWork(t *testing.T, h Harness, meanwhile func(), doors ...client.Door) {
	w := newWorld(t, h)
	j := w.job(t, 4, 150)
	for i, d := range doors {
		j.start(t, d, fmt.Sprintf("worker-%d", i))
	}
	j.reach(t, 3)
	if meanwhile != nil {
		meanwhile()
	}
	j.check(t)
}

// expelled stops a member for longer than its session, while another one goes on, and hands it to then with a producer that has not
// committed.
func expelled(t *testing.T, w *world, then func(*job, client.Member, client.Producer)) {
	t.Helper()
	j, p := w.job(t, 2, 30), w.Process(t)
	m, err := p.Door().Join(w.ctx, client.Membership{
		App: w.app, Worker: "z", Topics: []string{j.in[0].Topic}, Session: j.session,
		Metadata: func() []byte { return nil }, Assign: j.assign,
	})
	must(t, err)
	defer m.Close(w.ctx)
	if _, err := m.OpenProducer(w.ctx); err == nil {
		t.Error("a producer before the first grant")
	}
	_, err = m.Next(w.ctx)
	must(t, err)
	producer, err := m.OpenProducer(w.ctx)
	must(t, err)
	defer producer.Close()
	e := producer.NewEpoch()
	fill(t, e, j.out[0], "of nobody")
	if err := producer.Commit(w.ctx, e, nil); err == nil {
		t.Error("an epoch without a position was committed")
	}
	p.Stop()
	b := j.start(t, w.Second(t), "b")
	w.await(t, "the other one has all", b.has(2))
	p.Continue()
	then(j, m, producer)
}

// claim commits as if partition 0 were its own.
func (j *job) claim(t *testing.T, p client.Producer) error {
	e := p.NewEpoch()
	fill(t, e, j.out[0], "of a zombie")
	return p.Commit(j.w.ctx, e, positions{j.in[0]: 30})
}

var memberTests = map[string]func(*testing.T, *world){
	"AMemberAloneRunsEverything": func(t *testing.T, w *world) {
		j := w.job(t, 3, 20)
		j.session = longSession
		if names, err := w.Door.Workers(w.ctx, w.app); len(names) != 0 || err != nil {
			t.Errorf("workers %q before there is one: %v", names, err)
		}
		c := j.start(t, w.Second(t), "a")
		j.share(t, c)
		names, err := w.Door.Workers(w.ctx, w.app)
		must(t, err)
		equal(t, "workers", []string{"a"}, names)
		j.check(t)
	},

	"MembersComeAndGoWhileAllIsCommittedOnce": func(t *testing.T, w *world) {
		j := w.job(t, 4, 300)
		j.session = longSession
		a := j.start(t, w.Second(t), "a")
		j.reach(t, 5)
		b := j.start(t, w.Second(t), "b")
		j.share(t, a, b)
		c := j.start(t, w.Second(t), "c")
		j.share(t, a, b, c)
		j.reach(t, 20)
		a.close() // the leader as a rule
		j.share(t, b, c)
		a = j.start(t, w.Second(t), "a")
		j.share(t, a, b, c)
		b.close()
		c.close()
		j.share(t, a)
		j.check(t)
		for _, c := range []*copier{a, b, c} {
			c.undisturbed(t)
		}
	},

	"ALeaverHandsOverAtOnce": func(t *testing.T, w *world) {
		j := w.job(t, 4, 10)
		j.session = longSession
		a, b := j.start(t, w.Second(t), "a"), j.start(t, w.Second(t), "b")
		j.share(t, a, b)
		a.close()
		j.share(t, b)
		j.check(t)
	},

	"AKilledMembersWorkGoesOnAfterItsSession": func(t *testing.T, w *world) {
		j := w.job(t, 4, 100)
		p := w.Process(t)
		a, b := j.start(t, p.Door(), "a"), j.start(t, w.Second(t), "b")
		j.share(t, a, b)
		p.Kill()
		j.share(t, b)
		j.check(t)
	},

	"WorkGoesOnWhileADeadMemberHoldsUpARound": func(t *testing.T, w *world) {
		j := w.job(t, 4, 1<<20)
		j.session = longSession
		p := w.Process(t)
		dead, b := j.start(t, p.Door(), "dead"), j.start(t, w.Second(t), "b")
		j.share(t, dead, b)
		p.Kill()
		j.start(t, w.Second(t), "c") // its round waits for the dead one
		granted, _, _, _ := b.state()
		before := j.progress()
		w.await(t, "commits while the round waits", func() bool {
			now := j.progress()
			for p := range granted {
				if now[j.in[p]] < before[j.in[p]]+20 {
					return false
				}
			}
			return true
		})
	},

	"ARestartedMemberGetsItsPlaceBack": func(t *testing.T, w *world) {
		j := w.job(t, 4, 200)
		j.session = longSession
		p := w.Process(t)
		a, b := j.start(t, p.Door(), "a"), j.start(t, w.Second(t), "b")
		j.share(t, a, b)
		j.reach(t, 5)
		p.Kill()
		again := j.start(t, w.Second(t), "a")
		j.share(t, again, b)
		j.check(t)
		b.undisturbed(t)
	},

	"AProcessJoinsAgain": func(t *testing.T, w *world) {
		j := w.job(t, 4, 100)
		j.session = longSession
		d := w.Second(t)
		a, b := j.start(t, d, "a"), j.start(t, w.Second(t), "b")
		j.share(t, a, b)
		a.abandon() // as after an error: it is back at once
		a = j.start(t, d, "a")
		j.share(t, a, b)
		j.check(t)
	},

	"AnotherProcessOfTheSameNameFencesTheFirst": func(t *testing.T, w *world) {
		j := w.job(t, 2, 100)
		j.session = longSession
		p := w.Process(t)
		old := j.start(t, p.Door(), "a")
		j.reach(t, 3)
		p.Stop()
		young := j.start(t, w.Second(t), "a")
		j.share(t, young)
		j.reach(t, 10)
		p.Continue()
		w.await(t, "the first is fenced", func() bool { _, _, _, err := old.state(); return errors.Is(err, client.ErrFenced) })
		j.check(t)
		young.undisturbed(t)
	},

	"AMemberThatPausedIsExpelledAndComesBack": func(t *testing.T, w *world) {
		j := w.job(t, 2, 200)
		p := w.Process(t)
		stopped, held := make(chan struct{}), make(chan struct{})
		once := sync.OnceFunc(func() {
			p.Stop() // with an epoch in hand
			close(stopped)
			select {
			case <-held:
			case <-w.ctx.Done(): // the test has failed
			}
		})
		j.slow = func(c *copier) {
			if c.name == "z" && c.at[0]+c.at[1] > 5 {
				once()
			}
		}
		zombie := j.start(t, p.Door(), "z")
		w.await(t, "it is in the middle", func() bool { return isClosed(stopped) })
		b := j.start(t, w.Second(t), "b")
		w.await(t, "the other one has all", b.has(2))
		j.reach(t, 20)
		p.Continue()
		close(held)
		w.await(t, "it is told", func() bool { _, _, lost, _ := zombie.state(); return len(lost) > 0 })
		j.share(t, zombie, b)
		j.check(t)
	},

	"ACommitAfterTheGroupWentOnIsRefused": func(t *testing.T, w *world) {
		expelled(t, w, func(j *job, m client.Member, p client.Producer) {
			if err := j.claim(t, p); !errors.Is(err, client.ErrExpelled) {
				t.Errorf("a zombie's commit: %v", err)
			}
			if _, err := m.Next(w.ctx); !errors.Is(err, client.ErrExpelled) {
				t.Errorf("a zombie's Next: %v", err)
			}
		})
	},

	"ACommitOfWhatWasDoneBeforeJoiningAnewIsRefused": func(t *testing.T, w *world) {
		expelled(t, w, func(j *job, m client.Member, p client.Producer) {
			if _, err := m.Next(w.ctx); !errors.Is(err, client.ErrExpelled) {
				t.Errorf("a zombie's Next: %v", err)
			}
			_, err := m.Next(w.ctx)
			must(t, err)
			if err := j.claim(t, p); !errors.Is(err, client.ErrExpelled) {
				t.Errorf("its old producer's commit: %v", err)
			}
		})
	},

	"JoiningEndsAnInstanceThatRunsAlone": func(t *testing.T, w *world) {
		j := w.job(t, 2, 20)
		alone := w.producer(t, w.Door, w.app)
		must(t, alone.Commit(w.ctx, alone.NewEpoch(), positions{j.in[0]: 7, j.in[1]: 7}))
		c := j.start(t, w.Second(t), "a")
		if err := alone.Commit(w.ctx, alone.NewEpoch(), positions{j.in[0]: 3}); !errors.Is(err, client.ErrFenced) {
			t.Errorf("the one that ran alone: %v", err)
		}
		w.await(t, "it goes on", c.has(2))
		j.reach(t, 20)
		equal(t, "first", "7", w.readToEnd(t, w.reader(t, at(0, j.out...)), j.out...)[j.out[0]][0])
	},
}

// What workers ask of a door besides their place.
var settleTests = map[string]func(*testing.T, *world){
	"SettledEndsWaitForOpenTransactions": func(t *testing.T, w *world) {
		tp := w.topic(t, "t", 1)[0]
		f := w.Foreign(t, ForeignOptions{ID: w.app + "-f"})
		defer f.Close()
		f.Produce(t, tp, "a", "b")
		ends := make(chan positions, 1)
		go func() {
			m, err := w.Door.SettledEnds(w.ctx, tp)
			if err != nil {
				t.Error(err)
			}
			ends <- m
		}()
		select {
		case m := <-ends:
			t.Fatalf("%v while the transaction was open", m)
		case <-clock.System.After(100 * time.Millisecond):
		}
		f.End(t, true)
		if m := <-ends; m[tp] < 2 {
			t.Errorf("ends %v", m)
		}
	},

	"TrimDeletesWhatIsReadAndIgnoresWhatIsGone": func(t *testing.T, w *world) {
		tps := w.topic(t, "t", 2)
		p := w.producer(t, w.Door, w.app)
		w.commit(t, p, tps[0], numbered(10)...)
		w.ends(t, tps...)
		missing := record.TopicPartition{Topic: w.name("missing")}
		for range 2 {
			must(t, w.Door.Trim(w.ctx, positions{tps[0]: 4}))
		}
		must(t, w.Door.Trim(w.ctx, positions{tps[0]: 2, missing: 5}))
		starts, err := w.Door.Starts(w.ctx, tps...)
		must(t, err)
		equal(t, "starts", positions{tps[0]: 4, tps[1]: 0}, starts)
	},
}
