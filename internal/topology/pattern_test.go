package topology_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/topology"
)

// patterned is a topology that counts what a pattern matches, writes to orders-out and reads the topic named.
func patterned(t *testing.T, pattern, named string) *topology.Topology {
	t.Helper()
	g := topology.NewGraph("shop")
	expression := regexp.MustCompile(pattern)
	expression.Longest()
	all := g.Add(topology.Node{Name: "all", Kind: topology.Source, Pattern: expression})
	one := g.Add(topology.Node{Name: "one", Kind: topology.Source, Topics: []string{named}})
	moved := g.Add(topology.Node{Name: "orders-repartition", Kind: topology.Repartition, Inputs: []topology.NodeID{all}})
	counted := g.Add(topology.Node{Name: "count", Kind: topology.Processor, Inputs: []topology.NodeID{moved}, Stores: []string{"orders"}})
	g.Add(topology.Node{Name: "sink", Kind: topology.Sink, Inputs: []topology.NodeID{counted}, Topics: []string{"orders-out"}})
	g.Add(topology.Node{Name: "keep", Kind: topology.Processor, Inputs: []topology.NodeID{all, one}, Stores: []string{"both"}})
	built, err := g.Build()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func TestAPatternMatchesWholeNamesOfOthersTopics(t *testing.T) {
	built := patterned(t, "orders|.*orders.*", "named")
	exist := []string{
		"reorders", "orders", "orders-eu", "named", "orders-out", "orders-eu.dead", "named.orders.dead", "bad-orders", "shop-orders-changelog",
		"shop-orders-repartition", "other-orders-changelog", "__orders", "_mainstem_orders",
	}
	resolved, err := built.Resolve("shop", "bad-orders", exist)
	if err != nil {
		t.Fatal(err)
	}
	got := resolved.SourceTopics()
	want := []string{"named.orders.dead", "orders", "orders-eu", "other-orders-changelog", "reorders", "named"}
	if !slices.Equal(got, want) {
		t.Errorf("it reads %v, not %v", got, want)
	}
	if n := len(built.SourceTopics()); n != 1 {
		t.Errorf("the topology that was resolved reads %d topics now", n)
	}
	if !strings.Contains(resolved.Describe(), "Source: all (topics: orders|.*orders.*)") {
		t.Errorf("described as\n%s", resolved.Describe())
	}
	if again, err := resolved.Resolve("shop", "", []string{"orders-us"}); err != nil || !slices.Equal(again.SourceTopics(), []string{"orders-us", "named"}) {
		t.Errorf("resolved again it reads %v: %v", again.SourceTopics(), err)
	}
}

func TestATopicBelongsToOneSourceOnly(t *testing.T) {
	_, err := patterned(t, "orders.*", "orders-eu").Resolve("shop", "", []string{"orders-us", "orders-eu"})
	if err == nil || !strings.Contains(err.Error(), `both read topic "orders-eu"`) {
		t.Errorf("got %v", err)
	}
}

func TestAPatternWithoutTopicsSharesNothing(t *testing.T) {
	built := patterned(t, "orders.*", "named")
	plan, err := built.Plan(map[string]int32{"named": 3})
	if err != nil {
		t.Fatal(err)
	}
	if got := plan.IDs(); len(got) != 3 {
		t.Errorf("tasks %v", got)
	}
	resolved, err := built.Resolve("shop", "", []string{"orders-eu"})
	if err != nil {
		t.Fatal(err)
	}
	if plan, err = resolved.Plan(map[string]int32{"named": 3, "orders-eu": 3}); err != nil || len(plan.IDs()) != 6 {
		t.Errorf("%v: %v", plan, err)
	}
	if _, err := resolved.Plan(map[string]int32{"named": 3, "orders-eu": 2}); err == nil {
		t.Error("topics that share a store may have different numbers of partitions")
	}
}
