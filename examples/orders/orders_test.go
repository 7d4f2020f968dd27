package orders_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/examples/orders"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

func jumpers(id string, customer, quantity int64) orders.Order {
	return orders.Order{ID: id, CustomerID: &customer, State: orders.Created, Product: "JUMPERS", Quantity: quantity, Price: 75_00}
}

func (s *system) customer(c orders.Customer) {
	s.t.Helper()
	publish(s, orders.CustomersTopic, c.ID, c, serde.Int64, orders.CustomerJSON)
}

func (s *system) pay(p orders.Payment) {
	s.t.Helper()
	publish(s, orders.PaymentsTopic, p.ID, p, serde.String, orders.PaymentJSON)
}

func TestACustomerIsWrittenToOncePaid(t *testing.T) {
	inAllWays(t, allServices, func(t *testing.T, s *system) {
		s.stock(map[string]int64{"JUMPERS": 1})
		s.customer(orders.Customer{ID: 7, FirstName: "Ada", LastName: "Love", Email: "ada@example.org"})
		s.pay(orders.Payment{ID: "p1", OrderID: "o1", Ccy: "EUR", Amount: 75_00}) // before its order
		s.order(jumpers("o1", 7, 1))
		s.order(jumpers("o2", 7, 1))                                              // never paid
		s.pay(orders.Payment{ID: "p3", OrderID: "o3", Ccy: "EUR", Amount: 75_00}) // of a customer who is not known
		s.order(jumpers("o3", 8, 1))
		var got []string
		for _, e := range read(s, orders.EmailsTopic, orders.EmailJSON) {
			got = append(got, fmt.Sprint(e.To, " ", e.OrderID, " ", e.State, ": ", e.Text))
		}
		want := []string{
			"ada@example.org o1 CREATED: Dear Ada Love, your order o1 (1 JUMPERS) is CREATED. We got your payment of 75.00 EUR.",
			"ada@example.org o1 VALIDATED: Dear Ada Love, your order o1 (1 JUMPERS) is VALIDATED. We got your payment of 75.00 EUR.",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAPaymentThatComesTooLateIsNotWrittenAbout(t *testing.T) {
	s := newSystem(t, 1, orders.Emails)
	s.customer(orders.Customer{ID: 7})
	s.order(jumpers("o1", 7, 1))
	s.order(jumpers("o2", 7, 1))
	s.now += 59 * second
	s.pay(orders.Payment{ID: "p1", OrderID: "o1"}) // 61 s behind it
	s.pay(orders.Payment{ID: "p2", OrderID: "o2"})
	if got := read(s, orders.EmailsTopic, orders.EmailJSON); len(got) != 0 {
		t.Errorf("%d e-mails", len(got))
	}
	s.now -= 2 * second
	s.pay(orders.Payment{ID: "p3", OrderID: "o2"}) // out of order, and 60 s behind it
	if got := read(s, orders.EmailsTopic, orders.EmailJSON); len(got) != 1 || got[0].OrderID != "o2" {
		t.Errorf("e-mails %+v", got)
	}
}

func TestAnOrderFailsOnceForAllItsFaults(t *testing.T) {
	inAllWays(t, allServices, func(t *testing.T, s *system) {
		broken := jumpers("o1", 7, -1) // neither complete nor to be had
		s.order(broken)
		noProduct, noCustomer := jumpers("o2", 7, 1), jumpers("o3", 7, 1)
		noProduct.Product, noCustomer.CustomerID = "", nil
		s.order(noProduct)
		s.order(noCustomer)
		want := map[string][]orders.State{"o1": {orders.Failed}, "o2": {orders.Failed}, "o3": {orders.Failed}}
		if diff := cmp.Diff(want, s.decided()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestASessionOfSpendingEnds(t *testing.T) {
	s := newSystem(t, 1, orders.Fraud)
	const hour = 3600 * second
	s.order(jumpers("o1", 7, 20)) // 1500.00
	s.now += hour
	s.order(jumpers("o2", 7, 4)) // an hour and a second behind it: another session
	s.now += hour / 2
	s.order(jumpers("o3", 7, 2))
	s.order(jumpers("o4", 8, 26)) // 1950.00: another customer
	s.now -= hour + 10*second
	s.order(jumpers("o5", 7, 1)) // out of order, and it joins both sessions: 2025.00
	s.now += 10 * hour
	s.order(jumpers("o6", 9, 1))
	s.now -= 5 * hour
	s.order(jumpers("o7", 9, 27)) // late: answered all the same
	ids, results := s.results(orders.FraudCheck)
	if got := fmt.Sprint(ids, results); got != "[o1 o2 o3 o4 o5 o6 o7] [PASS PASS PASS PASS FAIL PASS FAIL]" {
		t.Error(got)
	}
}

func TestARestartedServiceDoesNotAnswerAgain(t *testing.T) {
	s := newSystem(t, 1, orders.Details)
	s.order(jumpers("o1", 7, 1))
	s.order(jumpers("o2", 7, -1))
	s.services[0].driver.Restart()
	s.order(jumpers("o3", 7, 1))
	cheap := jumpers("o4", 7, 1)
	cheap.Price = -1
	s.order(cheap)
	ids, results := s.results(orders.DetailsCheck)
	if got := fmt.Sprint(ids, results); got != "[o1 o2 o3 o4] [PASS FAIL PASS FAIL]" {
		t.Error(got)
	}
}

func TestStockThatArrivesIsReservedOnTopOfWhatWas(t *testing.T) {
	s := newSystem(t, 1, orders.Inventory)
	s.order(jumpers("o1", 7, 1)) // the warehouse does not know them yet
	s.stock(map[string]int64{"JUMPERS": 5})
	s.order(jumpers("o2", 7, 4))
	s.order(jumpers("o3", 7, 2))
	s.order(jumpers("o3", 7, -2))           // gives nothing back
	s.stock(map[string]int64{"JUMPERS": 6}) // one more came
	s.order(jumpers("o4", 7, 2))
	_, results := s.results(orders.InventoryCheck)
	if got := fmt.Sprint(results); got != "[FAIL PASS FAIL FAIL PASS]" {
		t.Error(got)
	}
}

func TestAServiceThatWasDownIsStillHeard(t *testing.T) {
	s := newSystem(t, 1, orders.Aggregator)
	answer := func(id string, c orders.Check) {
		publish(s, orders.ValidationsTopic, id, orders.Validation{OrderID: id, Check: c, Result: orders.Pass}, serde.String, orders.ValidationJSON)
	}
	s.order(jumpers("o1", 7, 1))
	answer("o1", orders.FraudCheck)
	answer("o1", orders.DetailsCheck)
	s.now += record.Timestamp(orders.Patience.Milliseconds()) / 2
	s.order(jumpers("o2", 7, 1)) // time goes on
	answer("o2", orders.FraudCheck)
	s.now = 5 * second
	answer("o1", orders.InventoryCheck) // answers keep the times of their orders
	answer("o1", orders.InventoryCheck) // twice is once
	if diff := cmp.Diff(map[string][]orders.State{"o1": {orders.Validated}}, s.decided()); diff != "" {
		t.Error(diff)
	}
}

func TestMoney(t *testing.T) {
	for text, want := range map[string]string{
		"5.0": "5.00", "75": "75.00", "-0.5": "-0.50", "1e2": "100.00", "0.10": "0.10", "-12.34": "-12.34", "1.000": "1.00",
		"1.005": "error", "1e30": "error", `"5"`: "error",
	} {
		var m orders.Money
		got := "error"
		if err := m.ParseJSON([]byte(text)); err == nil {
			json, _ := m.AppendJSON(nil)
			got = string(json)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	most := orders.Money(1<<63 - 1)
	for what, got := range map[string]bool{
		"3 times 0.50":        orders.Money(50).Times(3) == 150,
		"less than nothing":   orders.Money(50).Times(-3) == 0 && orders.Money(-50).Times(3) == 0,
		"sums stop growing":   most.Times(2).Plus(most.Times(3)) == most.Times(9) && most.Times(9) > orders.FraudLimit,
		"the least amount":    orders.Money(-1<<63).String() == "-92233720368547758.08",
		"a sum of two halves": orders.Money(50).Plus(50) == 100,
	} {
		if !got {
			t.Error(what)
		}
	}
}
