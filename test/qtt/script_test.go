package qtt

import (
	"regexp"
	"strconv"
	"strings"
)

// splitScript cuts a script into its statements, without their semicolons: those in quotes and comments do not count.
func splitScript(script string) []string {
	var statements []string
	start := 0
	add := func(end int) {
		if s := strings.TrimSpace(script[start:end]); s != "" {
			statements = append(statements, s)
		}
	}
	for i := 0; i < len(script); {
		switch rest := script[i:]; {
		case rest[0] == ';':
			add(i)
			i++
			start = i
		case strings.IndexByte("'\"`", rest[0]) >= 0:
			i += 1 + through(rest[1:], rest[:1])
		case strings.HasPrefix(rest, "--"):
			i += through(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			i += through(rest, "*/")
		default:
			i++
		}
	}
	add(len(script))
	return statements
}

// through returns the length up to and with the end mark, or all.
func through(text, end string) int {
	if i := strings.Index(text, end); i >= 0 {
		return i + len(end)
	}
	return len(text)
}

var (
	createSource = regexp.MustCompile(`(?is)^\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:SOURCE\s+)?(?:STREAM|TABLE)\s(.*)\bWITH\s*\((.*)\)\s*$`)
	isKey        = regexp.MustCompile(`(?i)\bKEY\b`)
	isQuery      = regexp.MustCompile(`(?is)\bAS\s+SELECT\b`)
	withProperty = regexp.MustCompile(`(?is)\b(KAFKA_TOPIC|PARTITIONS|REPLICAS|KEY_FORMAT|VALUE_FORMAT|FORMAT)\s*=\s*(?:'((?:[^']|'')*)'|(\d+))`)
)

// An inferredTopic is one that a CREATE statement speaks of.
type inferredTopic struct {
	topicNode
	columns bool // the statement has columns: upstream's runner makes the topic before it starts
	schemas int  // how many it registers for it then
}

func inferTopics(statements []string) []inferredTopic {
	var topics []inferredTopic
	for _, text := range statements {
		for _, s := range splitScript(text) {
			if t, ok := inferTopic(s); ok {
				topics = append(topics, t)
			}
		}
	}
	return topics
}

func inferTopic(statement string) (t inferredTopic, ok bool) {
	with := createSource.FindStringSubmatch(statement)
	if with == nil || isQuery.MatchString(statement) {
		return t, false
	}
	t.columns = strings.Contains(with[1], "(")
	keyed := isKey.MatchString(with[1])
	for _, p := range withProperty.FindAllStringSubmatch(with[2], -1) {
		value := strings.ReplaceAll(p[2], "''", "'") + p[3]
		switch strings.ToUpper(p[1]) {
		case "KAFKA_TOPIC":
			t.Name = value
		case "PARTITIONS":
			t.Partitions, _ = strconv.Atoi(value)
		case "REPLICAS":
			t.Replicas, _ = strconv.Atoi(value)
		case "KEY_FORMAT":
			t.schemas += count(keyed && hasSchema(value))
		case "VALUE_FORMAT":
			t.schemas += count(hasSchema(value))
		case "FORMAT":
			t.schemas += count(hasSchema(value)) + count(keyed && hasSchema(value))
		}
	}
	return t, t.Name != ""
}

// hasSchema tells whether a format's schemas are registered.
func hasSchema(format string) bool {
	switch strings.ToUpper(format) {
	case "AVRO", "PROTOBUF", "JSON_SR":
		return true
	}
	return false
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
