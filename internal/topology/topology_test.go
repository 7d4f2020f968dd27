package topology_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/internal/topology"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGraphs reads the files in testdata. A case is a block of commands, a line "----" and what they give, up to an empty line.
//
//	graph <name>
//	source <name> <topic>…
//	step <name> <input>… [store=<store>]… [is=rekeying|keeping|merging]
//	repartition <name> <input> [partitions=<n>] [is=automatic]
//	sink <name> <input> [<topic>]
//	optimize
//	show describe | json | dot | rowwise | topics | plan <topic>=<partitions>…
func TestGraphs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, block := range strings.Split(strings.TrimSpace(string(data)), "\n====\n") {
				commands, _, _ := strings.Cut(block, "\n----\n")
				if got.Len() > 0 {
					got.WriteString("====\n")
				}
				fmt.Fprintf(&got, "%s\n----\n%s", strings.TrimSpace(commands), run(t, commands))
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(data), got.String()); diff != "" {
				t.Errorf("%s: -want +got\n%s", file, diff)
			}
		})
	}
}

func run(t *testing.T, commands string) string {
	t.Helper()
	g := topology.NewGraph("")
	ids := map[string]topology.NodeID{}
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(commands), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "graph":
			g = topology.NewGraph(strings.Join(words[1:], " "))
		case words[0] == "optimize":
			g.Optimize()
		case words[0] == "show":
			out.WriteString(show(t, g, words[1:]))
		default:
			n := parseNode(t, words, ids)
			ids[n.Name] = g.Add(n)
		}
	}
	return out.String()
}

func parseNode(t *testing.T, words []string, ids map[string]topology.NodeID) topology.Node {
	t.Helper()
	n := topology.Node{Name: words[1], Kind: topology.Processor}
	rest := words[2:]
	switch words[0] {
	case "source":
		n.Kind, n.Topics = topology.Source, rest
		return n
	case "sink":
		n.Kind = topology.Sink
		if len(rest) > 1 {
			n.Topics, rest = rest[1:], rest[:1]
		}
	case "repartition":
		n.Kind = topology.Repartition
	}
	for _, word := range rest {
		key, value, isOption := strings.Cut(word, "=")
		switch {
		case !isOption:
			id, known := ids[word]
			if !known {
				t.Fatalf("unknown input %q", word)
			}
			n.Inputs = append(n.Inputs, id)
		case key == "is":
			setFlag(t, &n, value)
		case key == "store":
			n.Stores = append(n.Stores, value)
		case key == "partitions":
			n.Partitions = int32(number(t, value))
		}
	}
	return n
}

func setFlag(t *testing.T, n *topology.Node, flag string) {
	t.Helper()
	switch flag {
	case "rekeying":
		n.Rekeys = true
	case "keeping":
		n.Keeps = true
	case "merging":
		n.Keeps, n.Merges = true, true
	case "automatic":
		n.Automatic = true
	default:
		t.Fatalf("unknown flag %q", flag)
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func show(t *testing.T, g *topology.Graph, words []string) string {
	t.Helper()
	topo, err := g.Build()
	if err != nil {
		return "error: " + strings.ReplaceAll(err.Error(), "\n", "\nerror: ") + "\n"
	}
	switch words[0] {
	case "describe":
		return topo.Describe()
	case "json":
		text, err := topo.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(text) + "\n"
	case "dot":
		return topo.DOT()
	case "topics":
		return fmt.Sprintf("read %v, write %v\n", topo.SourceTopics(), topo.SinkTopics())
	case "rowwise":
		var names []string
		for i := range topo.Nodes {
			if topo.Nodes[i].RowWise {
				names = append(names, topo.Nodes[i].Name)
			}
		}
		return fmt.Sprintf("row by row: %v\n", names)
	}
	partitions := map[string]int32{}
	for _, word := range words[1:] {
		topic, n, _ := strings.Cut(word, "=")
		partitions[topic] = int32(number(t, n))
	}
	plan, err := topo.Plan(partitions)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	out := fmt.Sprintf("tasks %v", plan.Tasks)
	for i := range topo.Nodes {
		if n, ok := plan.Counts[topology.NodeID(i)]; ok {
			out += fmt.Sprintf(", %s %d", topo.Nodes[i].Name, n)
		}
	}
	return out + "\n"
}

func TestNamesOfInternalTopics(t *testing.T) {
	for got, want := range map[string]string{
		topology.Changelog("app", "counts"):                       "app-counts-changelog",
		topology.RepartitionTopic("app", "by-author-repartition"): "app-by-author-repartition",
		topology.DeadLetter("orders"):                             "orders.dead",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestInternalTopicsAreThoseOfTheApplication(t *testing.T) {
	for topic, want := range map[string]bool{
		topology.Changelog("app", "counts"):                       true,
		topology.RepartitionTopic("app", "by-author-repartition"): true,
		topology.Changelog("app2", "counts"):                      false,
		"app-out":                                                 false,
		"counts-changelog":                                        false,
		topology.DeadLetter("app-counts-changelog"):               false,
	} {
		if got := topology.Internal("app", topic); got != want {
			t.Errorf("%s: %v", topic, got)
		}
	}
}

func TestBuildMayBeRepeated(t *testing.T) {
	g := topology.NewGraph("g")
	a := g.Add(topology.Node{Name: "a", Kind: topology.Source, Topics: []string{"in"}})
	first, err := g.Build()
	if err != nil {
		t.Fatal(err)
	}
	g.Add(topology.Node{Name: "b", Kind: topology.Sink, Topics: []string{"out"}, Inputs: []topology.NodeID{a}})
	second, err := g.Build()
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Nodes[0].Children) != 0 || len(second.Nodes[0].Children) != 1 {
		t.Errorf("children of a: first %v, second %v", first.Nodes[0].Children, second.Nodes[0].Children)
	}
}
