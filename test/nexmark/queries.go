package nexmark

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed queries
var files embed.FS

// Names are those of the queries, in order.
func Names() []string {
	entries, err := files.ReadDir("queries")
	if err != nil {
		panic(err) // they are in the program
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".sql"); ok && name != "sources" {
			names = append(names, name)
		}
	}
	number := func(name string) int { n, _ := strconv.Atoi(strings.TrimPrefix(name, "q")); return n }
	slices.SortFunc(names, func(a, b string) int { return number(a) - number(b) })
	return names
}

// Sources are the statements that name the topics, which have so many partitions.
func Sources(partitions int) string {
	return strings.ReplaceAll(text("sources"), "${partitions}", strconv.Itoa(partitions))
}

// Query are the statements of a query: the last one makes the stream or table that has its name.
func Query(name string) string { return text(name) }

func text(name string) string {
	b, err := files.ReadFile("queries/" + name + ".sql")
	if err != nil {
		panic(fmt.Sprintf("query %s: %v", name, err))
	}
	return string(b)
}
