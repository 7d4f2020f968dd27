package crash

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"time"
)

// A chain is the payments system as separate programs: a broker, the pipeline, the Customer Service.
type chain struct {
	*trial
	system
	broker, pipeline, customer *process
	http                       string // the Customer Service's address
	brokerHTTP                 string
	data                       string // the broker's
}

// newChain starts the programs on a broker of their own.
func (t *trial) newChain(services, customers int) *chain {
	t.Helper()
	addrs := t.ports(3)
	c := &chain{
		trial: t, http: addrs[1], brokerHTTP: addrs[2], data: filepath.Join(t.dir, "broker"),
		system: system{bootstrap: addrs[0], database: filepath.Join(t.dir, "customer.db"), services: t.newServices(services, addrs[0], customers)},
	}
	c.startBroker()
	t.createTopics(c.bootstrap, spread)
	c.startPipeline()
	c.startCustomer()
	return c
}

func (c *chain) startBroker() {
	c.broker = c.start("mainstem", "dev", "--data", c.data, "--kafka", c.bootstrap, "--http", c.brokerHTTP)
}

func (c *chain) startPipeline() {
	c.pipeline = c.start("pipeline", "-bootstrap", c.bootstrap, "-dir", filepath.Join(c.dir, "pipeline"))
}

func (c *chain) startCustomer() {
	c.customer = c.start("customer", "-bootstrap", c.bootstrap, "-db", c.database, "-http", c.http)
}

// publish starts all payment services.
func (c *chain) publish() {
	for _, s := range c.services {
		s.run(c.trial)
	}
}

// settle ends publishing and checks everything; all programs must still run.
func (c *chain) settle() verdict {
	c.Helper()
	for _, s := range c.services {
		s.stop(c.trial)
	}
	v := c.check(c.system)
	for _, p := range []*process{c.broker, c.pipeline, c.customer} {
		if p != nil {
			p.mustLive()
		}
	}
	return v
}

// movesOn waits until customer.db changes, which takes the whole chain, and returns how long that took.
func (c *chain) movesOn() time.Duration {
	c.Helper()
	began := time.Now()
	before, err := readDatabase(c.ctx, c.database)
	if err != nil {
		before = nil // not made yet, or just being recovered
	}
	c.await("customer.db moves on", 2*time.Minute, func() error {
		for _, p := range []*process{c.broker, c.pipeline, c.customer} {
			if p != nil {
				p.mustLive()
			}
		}
		now, err := readDatabase(c.ctx, c.database)
		if err != nil {
			return err
		}
		if len(now) == 0 || before != nil && reflect.DeepEqual(now, before) {
			return fmt.Errorf("%d customers, and no change\n%s", len(now), c.tails())
		}
		return nil
	})
	return time.Since(began)
}

func (c *chain) tails() string {
	text := ""
	for _, p := range []*process{c.broker, c.pipeline, c.customer} {
		if p != nil {
			text += p.name + " said:\n" + p.tail() + "\n"
		}
	}
	return text
}

// acksOn waits until the services have n more records acknowledged, each of them.
func (c *chain) acksOn(n int64, services ...*service) {
	c.Helper()
	for i, s := range services {
		from := s.acks.Load()
		c.await(fmt.Sprintf("acknowledgements of payment service %d", i), 2*time.Minute, func() error {
			if got := s.acks.Load() - from; got < n {
				return fmt.Errorf("%d of %d", got, n)
			}
			return nil
		})
	}
}

// answersCustomer demands that the Customer Service shows a customer's payments.
func (c *chain) answersCustomer(id int64) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/customers/%d/payments", c.http, id), nil)
	if err != nil {
		c.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatalf("Customer Service: %v", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		c.Fatalf("Customer Service answers %s for customer %d", answer.Status, id)
	}
}

// end returns the sum of a topic's committed end offsets.
func (c *chain) end(topic string) (int64, error) { return ended(c.ctx, c.bootstrap, topic) }

// committed returns an application's positions in a topic.
func (c *chain) committed(app, topic string) (map[int32]int64, error) {
	return committed(c.ctx, c.bootstrap, app, topic)
}

// grows waits until a topic has at least n offsets more.
func (c *chain) grows(topic string, n int64) {
	c.Helper()
	from := int64(-1)
	c.await("growth of "+topic, 2*time.Minute, func() error {
		now, err := c.end(topic)
		if err == nil && from < 0 {
			from = now
		}
		if err == nil && now-from < n {
			err = fmt.Errorf("from %d to %d", from, now)
		}
		return err
	})
}
