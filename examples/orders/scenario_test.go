package orders_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/examples/orders"
	"github.com/mainstemio/mainstem/internal/need"
	"github.com/mainstemio/mainstem/serde"
)

// A caseOf is the input of one service's test and the results of its check, one for each order.
type caseOf struct {
	Stock    map[string]int64 `json:"stock"`
	Orders   []json.RawMessage
	Expected []orders.Result
	Reserved map[string]int64 `json:"reserved_after"`
}

// scenarios are the published tests of the order services, restated.
type scenarios struct {
	Fraud       caseOf
	Inventory   caseOf
	Details     caseOf `json:"order_details"`
	Aggregation struct {
		Orders      []json.RawMessage
		Validations [][3]string             // order, check, result
		Expected    map[string]orders.State `json:"expected_state"`
	}
	EndToEnd []struct {
		Stock    map[string]int64
		Orders   int
		Each     json.RawMessage
		Expected string
	} `json:"end_to_end"`
}

func load(t *testing.T) scenarios {
	t.Helper()
	folder := need.Folder(t, "MAINSTEM_DATA", "../../../shared/data")
	text, err := os.ReadFile(filepath.Join(folder, "reference-scenarios", "orders-services.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all scenarios
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func decoded(t *testing.T, raw []json.RawMessage) []orders.Order {
	t.Helper()
	var list []orders.Order
	for _, text := range raw {
		o, err := orders.OrderJSON.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
	return list
}

// TestEachCheck puts the orders of each service's scenario through the whole system and looks at that service's answers.
func TestEachCheck(t *testing.T) {
	all := load(t)
	for check, c := range map[orders.Check]caseOf{
		orders.FraudCheck: all.Fraud, orders.InventoryCheck: all.Inventory, orders.DetailsCheck: all.Details,
	} {
		t.Run(string(check), func(t *testing.T) {
			inAllWays(t, allServices, func(t *testing.T, s *system) {
				s.stock(c.Stock)
				var want []string
				for _, o := range decoded(t, c.Orders) {
					s.order(o)
					want = append(want, o.ID)
				}
				ids, results := s.results(check)
				if diff := cmp.Diff(want, ids); diff != "" {
					t.Errorf("orders: %s", diff)
				}
				if diff := cmp.Diff(c.Expected, results); diff != "" || len(results) == 0 {
					t.Errorf("results: %s", diff)
				}
				for product, n := range c.Reserved {
					if got := s.services[1].driver.Rows(orders.ReservedStore)[product]; got != strconv.FormatInt(n, 10) {
						t.Errorf("%s reserved of %s, want %d", got, product, n)
					}
				}
			})
		})
	}
}

func TestAggregation(t *testing.T) {
	c := load(t).Aggregation
	inAllWays(t, allServices[3:4], func(t *testing.T, s *system) {
		for _, o := range decoded(t, c.Orders) {
			s.order(o)
		}
		for _, v := range c.Validations {
			publish(s, orders.ValidationsTopic, v[0], orders.Validation{OrderID: v[0], Check: orders.Check(v[1]), Result: orders.Result(v[2])}, serde.String, orders.ValidationJSON)
		}
		want := map[string][]orders.State{}
		for id, state := range c.Expected {
			want[id] = []orders.State{state}
		}
		if diff := cmp.Diff(want, s.decided()); diff != "" || len(want) == 0 {
			t.Error(diff)
		}
	})
}

func TestEndToEnd(t *testing.T) {
	for _, c := range load(t).EndToEnd {
		t.Run(c.Expected, func(t *testing.T) {
			inAllWays(t, allServices, func(t *testing.T, s *system) {
				s.stock(c.Stock)
				want := map[string][]orders.State{}
				for i := range c.Orders {
					o := decoded(t, []json.RawMessage{c.Each})[0]
					o.ID = strconv.Itoa(i)
					s.order(o)
					want[o.ID] = map[string][]orders.State{"all VALIDATED": {orders.Validated}, "all FAILED": {orders.Failed}}[c.Expected]
				}
				if diff := cmp.Diff(want, s.decided()); diff != "" {
					t.Error(diff)
				}
				if n := len(s.topics[orders.OrdersTopic]); n != 2*c.Orders {
					t.Errorf("%d records of %d orders", n, c.Orders)
				}
			})
		})
	}
}
