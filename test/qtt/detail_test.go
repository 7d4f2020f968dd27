package qtt

import (
	"fmt"
	"slices"
	"strings"
)

// detail shows a case and what came of it, for somebody who wants to know why it fails.
func (r *caseRun) detail() string {
	var b strings.Builder
	for i, s := range splitScript(r.c.script()) {
		fmt.Fprintf(&b, "statement %d: %s\n", i+1, s)
	}
	for _, name := range sortedNames(r.c.Properties) {
		fmt.Fprintf(&b, "property %s = %v\n", name, r.c.Properties[name])
	}
	for i, n := range r.c.Inputs {
		fmt.Fprintf(&b, "input  %s\n", n)
		if i < len(r.inputs) {
			fmt.Fprintf(&b, "       as key %s value %s\n", quotedBytes(r.inputs[i].Key), quotedBytes(r.inputs[i].Value))
		}
	}
	var topics []string
	for _, n := range r.c.Outputs {
		fmt.Fprintf(&b, "want   %s\n", n)
		if !slices.Contains(topics, n.Topic) {
			topics = append(topics, n.Topic)
		}
	}
	for _, topic := range topics {
		for _, record := range r.logs[topic] {
			fmt.Fprintf(&b, "got    %s\n", r.show(topic, record))
		}
	}
	for _, s := range r.driver.Sources() {
		fmt.Fprintf(&b, "source %s %s (%s) topic %s, key %v, value %v, window %v\n", s.Type, s.Name, s.Schema, s.Topic, s.Key, s.Value, s.Window)
	}
	for _, t := range r.driver.Topics() {
		fmt.Fprintf(&b, "topic  %s, %d partitions\n", t.Name, t.Partitions)
	}
	return b.String()
}

func (r *caseRun) show(topic string, record Record) string {
	c, err := r.codecs.of(topic)
	if err != nil {
		return fmt.Sprintf("%s key %s value %s: %v", topic, quotedBytes(record.Key), quotedBytes(record.Value), err)
	}
	d, err := c.decode(record)
	if err != nil {
		return fmt.Sprintf("%s %v", topic, err)
	}
	window := ""
	if d.window != nil {
		window = " " + d.window.String()
	}
	return fmt.Sprintf("%s key %s%s value %s at %d%s", topic, show(d.key), window, show(d.value), d.timestamp, headersText(d.headers))
}

// String writes a case's record in one line.
func (n recordNode) String() string {
	oneLine := func(text []byte) string {
		v, err := parseJSON(text)
		if err != nil {
			return string(text)
		}
		return string(appendJSON(nil, v))
	}
	window, at := "", ""
	if n.Window != nil {
		window = " " + n.Window.String()
	}
	if n.Timestamp != nil {
		at = fmt.Sprintf(" at %d", *n.Timestamp)
	}
	var headers []Header
	for _, h := range n.Headers {
		headers = append(headers, Header(h))
	}
	return fmt.Sprintf("%s key %s%s value %s%s%s", n.Topic, oneLine(n.Key), window, oneLine(n.Value), at, headersText(headers))
}

func quotedBytes(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%q", b)
}

func headersText(headers []Header) string {
	var b strings.Builder
	for _, h := range headers {
		fmt.Fprintf(&b, " header %s=%q", h.Key, h.Value)
	}
	return b.String()
}

func sortedNames[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
