package qtt

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A postNode is what must be there after the case.
type postNode struct {
	Sources []sourceNode `json:"sources"`
	Topics  struct {
		Blacklist string          `json:"blacklist"`
		Topics    []postTopicNode `json:"topics"`
	} `json:"topics"`
}

// A sourceNode is a stream or table that must be there; what is not given does not matter.
type sourceNode struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Schema    *string `json:"schema"`
	KeyFormat *struct {
		Format     string `json:"format"`
		WindowType string `json:"windowType"`
		WindowSize int64  `json:"windowSize"`
	} `json:"keyFormat"`
	ValueFormat   string    `json:"valueFormat"`
	KeyFeatures   *[]string `json:"keyFeatures"`
	ValueFeatures *[]string `json:"valueFeatures"`
	IsSource      *bool     `json:"isSource"`
}

// A postTopicNode is a topic that must be there.
type postTopicNode struct {
	Name        string          `json:"name"`
	KeyFormat   formatNode      `json:"keyFormat"`
	ValueFormat formatNode      `json:"valueFormat"`
	Partitions  int             `json:"partitions"`
	KeySchema   json.RawMessage `json:"keySchema"`
	ValueSchema json.RawMessage `json:"valueSchema"`
}

type formatNode struct {
	Format     string            `json:"format"`
	Properties map[string]string `json:"properties"`
	Features   []string          `json:"features"`
}

// comparePost compares sources and topics.
func (r *caseRun) comparePost() error {
	var differ []error
	for _, want := range r.c.Post.Sources {
		if err := r.compareSource(want); err != nil {
			differ = append(differ, fmt.Errorf("source %s: %w", want.Name, err))
		}
	}
	topics := r.driver.Topics()
	if blacklist := r.c.Post.Topics.Blacklist; blacklist != "" {
		differ = append(differ, compareBlacklist(blacklist, topics))
	}
	for _, want := range r.c.Post.Topics.Topics {
		if want.isChangelog() {
			continue
		}
		i := slices.IndexFunc(topics, want.names)
		if i < 0 {
			differ = append(differ, fmt.Errorf("there is no topic as %s; topics: %v", want.Name, topicNames(topics)))
			continue
		}
		if err := r.compareTopicFormats(want, topics[i]); !topics[i].Internal && err != nil {
			differ = append(differ, fmt.Errorf("topic %s: %w", want.Name, err))
		}
		topics = slices.Delete(slices.Clone(topics), i, i+1) // one topic stands for one
	}
	return errors.Join(differ...)
}

func (r *caseRun) compareSource(want sourceNode) error {
	sources := r.driver.Sources()
	i := slices.IndexFunc(sources, func(s Source) bool { return s.Name == want.Name })
	if i < 0 {
		return errors.New("it is not there")
	}
	got := sources[i]
	if !strings.EqualFold(got.Type, want.Type) {
		return fmt.Errorf("want a %s, got a %s", want.Type, got.Type)
	}
	if want.Schema != nil {
		if err := compareColumns(*want.Schema, got.Schema); err != nil {
			return err
		}
	}
	if k := want.KeyFormat; k != nil {
		if k.Format != "" && k.Format != got.Key.Name {
			return fmt.Errorf("key format: want %s, got %s", k.Format, got.Key.Name)
		}
		if k.WindowType != got.Window.Type || k.WindowSize != got.Window.Size {
			return fmt.Errorf("window: want %q of %d ms, got %q of %d ms", k.WindowType, k.WindowSize, got.Window.Type, got.Window.Size)
		}
	}
	if want.ValueFormat != "" && want.ValueFormat != got.Value.Name {
		return fmt.Errorf("value format: want %s, got %s", want.ValueFormat, got.Value.Name)
	}
	if want.IsSource != nil && *want.IsSource != got.ReadOnly {
		return fmt.Errorf("read-only: want %t, got %t", *want.IsSource, got.ReadOnly)
	}
	return errors.Join(
		compareFeatures("key", want.KeyFeatures, got.Key.Features),
		compareFeatures("value", want.ValueFeatures, got.Value.Features))
}

func compareColumns(want, got string) error {
	w, err := parseColumns(want)
	if err != nil {
		return err
	}
	g, err := parseColumns(got)
	if err != nil {
		return err
	}
	if columnsText(w) != columnsText(g) {
		return fmt.Errorf("schema:\n  want %s\n   got %s", columnsText(w), columnsText(g))
	}
	return nil
}

func compareFeatures(what string, want *[]string, got []string) error {
	if want != nil && !slices.Equal(slices.Sorted(slices.Values(*want)), slices.Sorted(slices.Values(got))) {
		return fmt.Errorf("%s features: want %v, got %v", what, *want, got)
	}
	return nil
}

func compareBlacklist(pattern string, topics []Topic) error {
	black, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if black.MatchString(t.Name) {
			return fmt.Errorf("topic %s must not be there", t.Name)
		}
	}
	return nil
}

func topicNames(topics []Topic) []string {
	var names []string
	for _, t := range topics {
		names = append(names, t.Name)
	}
	return names
}

// internalName takes the names of topics apart that belong to a query: in its world, "<query>-<step>-repartition"; on a broker a prefix of
// the service stands before it.
var internalName = regexp.MustCompile(`(?:^|query_)([A-Z]\w*_\d+)-.*-(repartition|changelog)$`)

// isChangelog tells the topics that are not compared: which stores a query has is the engine's own affair.
func (want postTopicNode) isChangelog() bool {
	w := internalName.FindStringSubmatch(want.Name)
	return w != nil && w[2] == "changelog"
}

// names tells whether a topic can stand for the wanted one. Repartition topics are called after upstream's plan steps, of which some are
// numbered by Kafka Streams; what counts is that the query has as many, of these formats if the driver knows them.
func (want postTopicNode) names(got Topic) bool {
	w, g := internalName.FindStringSubmatch(want.Name), internalName.FindStringSubmatch(got.Name)
	if w == nil || g == nil {
		return want.Name == got.Name
	}
	return w[1] == g[1] && w[2] == g[2] && (got.Key.Name == "" || want.KeyFormat.same(got.Key) && want.ValueFormat.same(got.Value))
}

func (f formatNode) same(got Format) bool {
	return f.Format == got.Name && maps.Equal(f.Properties, got.Properties) &&
		slices.Equal(slices.Sorted(slices.Values(f.Features)), slices.Sorted(slices.Values(got.Features)))
}

func (r *caseRun) compareTopicFormats(want postTopicNode, got Topic) error {
	if want.Partitions != 0 && want.Partitions != got.Partitions {
		return fmt.Errorf("want %d partitions, got %d", want.Partitions, got.Partitions)
	}
	key, value := got.Key, got.Value
	for _, s := range r.driver.Sources() {
		if s.Topic == got.Name {
			key, value = s.Key, s.Value
		}
	}
	if !want.KeyFormat.same(key) {
		return fmt.Errorf("key format: want %v, got %v", want.KeyFormat, key)
	}
	if !want.ValueFormat.same(value) {
		return fmt.Errorf("value format: want %v, got %v", want.ValueFormat, value)
	}
	return errors.Join(r.compareSchema(want.Name+"-key", want.KeySchema), r.compareSchema(want.Name+"-value", want.ValueSchema))
}

// compareSchema compares a registered schema: as JSON, or as text if it is one.
func (r *caseRun) compareSchema(subject string, want json.RawMessage) error {
	w, err := parseJSON(want)
	if w == nil || err != nil {
		return err
	}
	schema, _, ok := r.registry.Latest(subject)
	if !ok {
		return fmt.Errorf("subject %s has no schema", subject)
	}
	if text, ok := w.(string); ok && schema.Type == "PROTOBUF" {
		if strings.Join(strings.Fields(text), " ") != strings.Join(strings.Fields(schema.Text), " ") {
			return fmt.Errorf("schema of %s:\n  want %s\n   got %s", subject, text, schema.Text)
		}
		return nil
	}
	g, err := parseJSON([]byte(schema.Text))
	if err != nil {
		return fmt.Errorf("schema of %s: %w", subject, err)
	}
	if err := match(w, decoded(g, true), "schema of "+subject); err != nil {
		return fmt.Errorf("%w\n  want %s\n   got %s", err, want, schema.Text)
	}
	return nil
}
