package crash

import (
	"fmt"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/examples/payments"
)

// Any service may be down: the others go on, and after its return the data is complete.

func TestPaymentServiceDown(tt *testing.T) {
	t := newTrial(tt)
	c := t.newChain(2, 20)
	cards, transfers := c.services[0], c.services[1]
	c.publish()
	c.movesOn()
	cards.stop(t)
	c.acksOn(200, transfers)
	c.movesOn()
	cards.run(t)
	c.acksOn(200, cards)
	t.Log(c.settle())
}

func TestPipelineDown(tt *testing.T) {
	t := newTrial(tt)
	c := t.newChain(2, 20)
	c.publish()
	c.movesOn()
	c.pipeline.kill()
	c.acksOn(200, c.services...)
	c.answersCustomer(c.someCustomer())
	c.startPipeline()
	c.movesOn()
	t.Log(c.settle())
}

func TestCustomerServiceDown(tt *testing.T) {
	t := newTrial(tt)
	c := t.newChain(2, 20)
	c.publish()
	c.movesOn()
	c.customer.kill()
	c.acksOn(200, c.services...)
	c.grows(payments.LastFiveTopic, 200)
	c.startCustomer()
	c.movesOn()
	c.answersCustomer(c.someCustomer())
	t.Log(c.settle())
}

func TestBrokerRestarts(tt *testing.T) {
	for name, end := range map[string]func(*process){"cleanly": (*process).stop, "killed": (*process).kill} {
		tt.Run(name, func(tt *testing.T) {
			t := newTrial(tt)
			c := t.newChain(2, 20)
			c.publish()
			c.movesOn()
			pipeline, customer := c.pipeline, c.customer
			end(c.broker)
			for range 5 { // nothing of it needs the broker
				c.answersCustomer(c.someCustomer())
			}
			c.startBroker()
			c.acksOn(200, c.services...)
			c.movesOn()
			v := c.settle()
			if c.pipeline != pipeline || c.customer != customer {
				t.Error("a program was started anew")
			}
			t.Log(v)
		})
	}
}

// TestChannelJoins adds the e-wallet channel to a running system: a new program, and nothing else.
func TestChannelJoins(tt *testing.T) {
	const wallets = 200
	t := newTrial(tt)
	c := t.newChain(2, 20)
	c.publish()
	c.movesOn()
	joined := t.start("ewallet", "-bootstrap", c.bootstrap, "-rate", "100", "-count", fmt.Sprint(wallets), "-dir", "ewallet")
	c.grows(payments.LastFiveTopic, 100)
	c.await("wallet payments", 2*time.Minute, func() error {
		joined.mustLive()
		n, err := c.end(walletTopic)
		if err == nil && n < wallets {
			err = fmt.Errorf("%d of %d", n, wallets)
		}
		return err
	})
	c.wallets = true
	v := c.settle() // which demands that the programs are the ones that were started
	if v.acknowledged+v.unknownThere+wallets != v.payments {
		t.Errorf("%d payments of others and %d of wallets make %d", v.acknowledged+v.unknownThere, wallets, v.payments)
	}
	joined.stop()
	t.Log(v)
}

// someCustomer returns one that customer.db knows.
func (c *chain) someCustomer() int64 {
	c.Helper()
	lists, err := readDatabase(c.ctx, c.database)
	if err != nil {
		c.Fatal(err)
	}
	for id := range lists {
		return id
	}
	c.Fatal("customer.db is empty")
	return 0
}
