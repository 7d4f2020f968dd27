package crash

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A shop is a database that a source connector reads while rows come: orders have a number, and visits a time that several share.
type shop struct {
	path string
	db   *sql.DB

	mu     sync.Mutex // guards what follows
	orders int64      // rows so far, numbered from 1 on
	visits int64
}

// newShop makes one with rows.
func (t *trial) newShop(rows int) *shop {
	t.Helper()
	s := &shop{path: filepath.Join(t.dir, "shop.db")}
	var err error
	if s.db, err = sql.Open("sqlite", "file:"+s.path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(10000)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Close() }) // it was read by then
	for _, statement := range []string{
		"CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)",
		"CREATE TABLE visits (id INTEGER PRIMARY KEY, at TIMESTAMP)",
	} {
		if _, err := s.db.ExecContext(t.ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.insert(t.ctx, rows, rows); err != nil {
		t.Fatal(err)
	}
	return s
}

// visitsAtOnce is how many visits have one time.
const visitsAtOnce = 5

// insert adds rows in one transaction.
func (s *shop) insert(ctx context.Context, orders, visits int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // of what was not committed
	for i := range int64(orders) {
		if _, err := tx.ExecContext(ctx, "INSERT INTO orders VALUES (?, ?)", s.orders+i+1, fmt.Sprint("item ", s.orders+i+1)); err != nil {
			return err
		}
	}
	for i := range int64(visits) {
		id := s.visits + i + 1
		if _, err := tx.ExecContext(ctx, "INSERT INTO visits VALUES (?, ?)", id, 1_700_000_000_000+id/visitsAtOnce); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.orders, s.visits = s.orders+int64(orders), s.visits+int64(visits)
	return nil
}

// keepInserting adds a few rows again and again until stop.
func (s *shop) keepInserting(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-tick.C:
			}
			if err := s.insert(ctx, 3, 2*visitsAtOnce); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
		}
	}()
	return func() error {
		cancel()
		return <-done
	}
}

// executeSQL has a node execute statements, again until it is up.
func (t *trial) executeSQL(p *process, addr, statements string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"ksql": statements})
	if err != nil {
		t.Fatal(err)
	}
	t.await("statements", 2*time.Minute, func() error {
		p.mustLive()
		req, err := http.NewRequestWithContext(t.ctx, http.MethodPost, "http://"+addr+"/ksql", bytes.NewReader(body))
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		switch {
		case err != nil:
			return err
		case answer.StatusCode == http.StatusBadRequest:
			t.Fatalf("%s", text)
		case answer.StatusCode != http.StatusOK:
			return fmt.Errorf("%s: %s", answer.Status, text)
		}
		return nil
	})
}

// TestSourceSurvivesKills kills a node while its source connectors read rows that keep coming, also while it starts. Each row must be in its
// topic once, in the order of the database.
func TestSourceSurvivesKills(tt *testing.T) {
	t := newTrial(tt)
	s := t.newShop(500)
	addrs := t.ports(2)
	node := func() *process {
		return t.start("mainstem", "dev", "--data", filepath.Join(t.dir, "data"), "--kafka", addrs[0], "--http", addrs[1])
	}
	p := node()
	const common = "'connector.class'='sqlite', 'topic.prefix'='shop-', 'poll.interval.ms'='10', 'batch.max.rows'='7', 'busy.timeout.ms'='10000'"
	t.executeSQL(p, addrs[1], fmt.Sprintf(`
CREATE SOURCE CONNECTOR o WITH (%s, 'path'='%s', 'table.include.list'='orders', 'mode'='incrementing', 'incrementing.column.name'='id');
CREATE SOURCE CONNECTOR v WITH (%[1]s, 'path'='%[2]s', 'table.include.list'='visits', 'mode'='timestamp+incrementing',
  'incrementing.column.name'='id', 'timestamp.column.name'='at');`, common, s.path))
	stop := s.keepInserting(t.ctx)
	kills := t.count("MAINSTEM_SOURCE_KILLS", 6)
	for range kills {
		if t.rand.IntN(4) == 0 {
			t.pause(t.between(0, 150*time.Millisecond)) // perhaps before it reads
		} else {
			t.reads(p, addrs[0])
			t.pause(t.between(0, 150*time.Millisecond))
		}
		p.mustLive()
		p.kill()
		p = node()
	}
	t.reads(p, addrs[0])
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for topic, rows := range map[string]int64{"shop-orders": s.orders, "shop-visits": s.visits} {
		for n := int64(0); n < rows; { // however many rows the connector is behind
			t.await("more of "+topic, 2*time.Minute, func() error {
				p.mustLive()
				now, err := ended(t.ctx, addrs[0], topic)
				if err == nil && now <= n {
					err = fmt.Errorf("%d of %d rows", n, rows)
				}
				n = max(n, now)
				return err
			})
		}
		t.countsUp(addrs[0], topic, rows)
	}
	t.Logf("%d kills, %d orders, %d visits", kills, s.orders, s.visits)
	p.stop()
	if s.orders < 500+3*int64(kills) {
		t.Errorf("%d orders: nothing came while the node was killed", s.orders)
	}
}

// reads waits until rows come into both topics.
func (t *trial) reads(p *process, bootstrap string) {
	t.Helper()
	for _, topic := range []string{"shop-orders", "shop-visits"} {
		before := int64(-1)
		t.await("rows of "+topic, 2*time.Minute, func() error {
			p.mustLive()
			n, err := ended(t.ctx, bootstrap, topic)
			if err != nil {
				return err
			}
			if before < 0 {
				before = n
			}
			if n == before {
				return fmt.Errorf("%d records, none came", n)
			}
			return nil
		})
	}
}

// countsUp checks that a topic has the rows 1 to n, each once and in order.
func (t *trial) countsUp(bootstrap, topic string, n int64) {
	t.Helper()
	next := int64(1)
	t.readAll(bootstrap, topic, func(r *kgo.Record) error {
		var row struct{ ID int64 }
		if err := json.Unmarshal(r.Value, &row); err != nil {
			return fmt.Errorf("%.60s: %w", r.Value, err)
		}
		if row.ID != next {
			return fmt.Errorf("row %d comes where row %d is due", row.ID, next)
		}
		next++
		return nil
	})
	if next != n+1 {
		t.Errorf("%s has %d rows of %d", topic, next-1, n)
	}
}
