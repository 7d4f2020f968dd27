package clienttest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/record"
)

// A Process is a door as another process has it, which may be stopped and killed.
type Process interface {
	Door() client.Door
	// Stop lets nothing in or out any more, Continue lets it again.
	Stop()
	Continue()
	// Kill ends all connections for good.
	Kill()
}

// A copier shares with others of its kind the work of counting: partition p of the output gets the numbers 0, 1, 2… up to the job's
// length, and p's position is the next number. What two of them ran at once, or one ran from a wrong position, stands twice or not at all.
type copier struct {
	job  *job
	name string
	d    client.Door
	m    client.Member

	mu struct {
		sync.Mutex
		owned   map[int32]bool // what the leader is told
		granted map[int32]bool
		rounds  int
		lost    []error // why tenures ended
		failed  []error // what commits failed with
		err     error   // why it ended
	}
	stirred chan struct{} // capacity 1: granted changed
	stop    context.CancelFunc
	joined  sync.WaitGroup

	producer client.Producer
	at       map[int32]record.Offset // of the partitions that run
}

// A job is what copiers share.
type job struct {
	w       *world
	in, out []record.TopicPartition
	each    record.Offset
	session time.Duration
	// slow lets a commit take its time: it is called between filling an epoch and committing it.
	slow func(c *copier)

	mu struct {
		sync.Mutex
		done positions // as acknowledged
	}
}

func (w *world) job(t *testing.T, partitions int32, each record.Offset) *job {
	j := &job{w: w, in: w.topic(t, "in", partitions), out: w.topic(t, "out", partitions), each: each, session: w.Session, slow: func(*copier) {}}
	j.mu.done = positions{}
	return j
}

func (j *job) progress() positions {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.mu.done)
}

func (j *job) start(t *testing.T, d client.Door, name string) *copier {
	t.Helper()
	c := &copier{job: j, name: name, d: d, stirred: make(chan struct{}, 1), at: map[int32]record.Offset{}}
	c.mu.owned, c.mu.granted = map[int32]bool{}, map[int32]bool{}
	m, err := d.Join(j.w.ctx, client.Membership{
		App: j.w.app, Worker: name, Topics: []string{j.in[0].Topic}, Session: j.session, Heartbeat: j.w.Session / 15, // also of a long session
		Metadata: c.metadata, Assign: j.assign,
	})
	must(t, err)
	c.m = m
	var ctx context.Context
	ctx, c.stop = context.WithCancel(j.w.ctx)
	c.joined.Go(func() { c.listen(ctx) })
	c.joined.Go(func() { c.work(ctx) })
	t.Cleanup(func() {
		if t.Failed() {
			c.mu.Lock()
			t.Logf("%s: granted %v, owns %v, %d rounds, lost %v, failed %v, ended with %v", name, c.mu.granted, c.mu.owned, c.mu.rounds, c.mu.lost, c.mu.failed, c.mu.err)
			c.mu.Unlock()
		}
		c.abandon()
	})
	return c
}

// abandon ends the copier without a word to the group; close leaves it.
func (c *copier) abandon() {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	c.end(gone)
}

func (c *copier) close() { c.end(c.job.w.ctx) }

func (c *copier) end(ctx context.Context) {
	c.stop()
	c.joined.Wait()
	if c.producer != nil {
		c.producer.Close()
	}
	if c.m != nil {
		c.m.Close(ctx)
	}
	c.m, c.producer = nil, nil
}

func (c *copier) metadata() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return encode(slices.Sorted(maps.Keys(c.mu.owned)))
}

func encode(ps []int32) []byte {
	b, err := json.Marshal(ps)
	if err != nil {
		panic(err) // numbers
	}
	return b
}

func decode(b []byte) map[int32]bool {
	var ps []int32
	if len(b) > 0 {
		if err := json.Unmarshal(b, &ps); err != nil {
			panic(err)
		}
	}
	m := map[int32]bool{}
	for _, p := range ps {
		m[p] = true
	}
	return m
}

// assign gives everybody an even share, leaves what is in it where it is, and gives nothing away that another one has.
func (j *job) assign(members map[string][]byte) (map[string]client.Grant, error) {
	names := slices.Sorted(maps.Keys(members))
	share := map[string][]int32{}
	taken := map[int32]bool{}
	for i, name := range names {
		room := (len(j.in) + len(names) - 1 - i) / len(names)
		owned := decode(members[name])
		for _, p := range slices.Sorted(maps.Keys(owned)) {
			if len(share[name]) < room {
				share[name] = append(share[name], p)
			}
			taken[p] = true
		}
	}
	for p := range int32(len(j.in)) {
		if !taken[p] {
			name := slices.MinFunc(names, func(a, b string) int { return len(share[a]) - len(share[b]) })
			share[name] = append(share[name], p)
		}
	}
	grants := map[string]client.Grant{}
	for _, name := range names {
		g := client.Grant{Data: encode(share[name])}
		for _, p := range share[name] {
			g.Inputs = append(g.Inputs, j.in[p])
		}
		grants[name] = g
	}
	return grants, nil
}

// listen takes the grants. What is granted counts as owned at once.
func (c *copier) listen(ctx context.Context) {
	for {
		g, err := c.m.Next(ctx)
		c.mu.Lock()
		switch {
		case err == nil:
			c.mu.granted = decode(g.Data)
			maps.Copy(c.mu.owned, c.mu.granted)
			c.mu.rounds++
		case errors.Is(err, client.ErrExpelled):
			c.mu.granted, c.mu.owned = map[int32]bool{}, map[int32]bool{}
			c.mu.lost = append(c.mu.lost, err)
		default:
			c.mu.err = err
		}
		c.mu.Unlock()
		select {
		case c.stirred <- struct{}{}:
		default:
		}
		if err != nil && !errors.Is(err, client.ErrExpelled) {
			return
		}
	}
}

// state copies what listen knows.
func (c *copier) state() (granted map[int32]bool, rounds int, lost []error, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.mu.granted), c.mu.rounds, c.mu.lost, c.mu.err
}

// undisturbed checks that the copier kept its place and that every commit took place, whatever rounds it met.
func (c *copier) undisturbed(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.lost) > 0 || len(c.mu.failed) > 0 || c.mu.err != nil && !errors.Is(c.mu.err, context.Canceled) {
		t.Errorf("%s lost its place: %v, commits failed: %v, it ended with %v", c.name, c.mu.lost, c.mu.failed, c.mu.err)
	}
}

// work runs what is granted, one epoch after the other.
func (c *copier) work(ctx context.Context) {
	lostBefore := 0
	for ctx.Err() == nil {
		granted, _, lost, err := c.state()
		if errors.Is(err, client.ErrFenced) {
			return
		}
		if len(lost) > lostBefore {
			lostBefore = len(lost)
			c.drop()
		}
		c.giveUp(granted)
		err = c.open(ctx, granted)
		idle := true
		if err == nil {
			idle, err = c.epoch()
		}
		if err != nil {
			c.drop() // whatever it was: from the committed positions again
		}
		if idle || err != nil {
			select {
			case <-c.stirred:
			case <-clock.System.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

func (c *copier) drop() {
	if c.producer != nil {
		c.producer.Close()
		c.producer = nil
	}
	clear(c.at)
}

// giveUp stops what is not granted any more; its last epoch is committed.
func (c *copier) giveUp(granted map[int32]bool) {
	c.mu.Lock()
	gone := false
	for p := range c.mu.owned {
		if !granted[p] && !c.mu.granted[p] {
			delete(c.mu.owned, p)
			gone = true
		}
	}
	c.mu.Unlock()
	maps.DeleteFunc(c.at, func(p int32, _ record.Offset) bool { return !granted[p] })
	if gone {
		c.m.Rejoin()
	}
}

// open begins what is granted and does not run yet.
func (c *copier) open(ctx context.Context, granted map[int32]bool) (err error) {
	var fresh []record.TopicPartition
	for p := range granted {
		if _, runs := c.at[p]; !runs {
			fresh = append(fresh, c.job.in[p])
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if c.producer == nil {
		if c.producer, err = c.m.OpenProducer(ctx); err != nil {
			return err
		}
	}
	committed, err := c.m.Committed(ctx, fresh...)
	if err != nil {
		return err
	}
	for _, tp := range fresh {
		c.at[tp.Partition] = committed[tp]
	}
	return nil
}

// epoch adds one number to every partition that runs.
func (c *copier) epoch() (idle bool, err error) {
	if c.producer == nil {
		return true, nil
	}
	e, ps := c.producer.NewEpoch(), positions{}
	for p, next := range c.at {
		if next < c.job.each {
			if err := e.Append(c.job.out[p], 1, nil, []byte(number(next)), nil); err != nil {
				return false, err
			}
			ps[c.job.in[p]] = next + 1
		}
	}
	if len(ps) == 0 {
		return true, nil
	}
	c.job.slow(c)
	if err := c.producer.Commit(c.job.w.ctx, e, ps); err != nil { // an epoch once begun is ended
		c.mu.Lock()
		c.mu.failed = append(c.mu.failed, err)
		if c.mu.err == nil && errors.Is(err, client.ErrFenced) {
			c.mu.err = err
		}
		c.mu.Unlock()
		return false, err
	}
	c.job.mu.Lock()
	defer c.job.mu.Unlock()
	for tp, next := range ps {
		c.at[tp.Partition] = next
		c.job.mu.done[tp] = max(c.job.mu.done[tp], next)
	}
	return false, nil
}
