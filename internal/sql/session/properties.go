package session

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// A Property is a setting with its value and where that is from.
type Property struct {
	Name   string
	Scope  string // KSQL or KAFKA STREAMS, as clients of ksqlDB group them
	Value  string
	Source string // default, node or session
	Doc    string
	// Editable tells that SET and ALTER SYSTEM change it.
	Editable bool
}

// A setting is one that statements look at.
type setting struct {
	name, value, doc string
	check            *check // nil: any value
	system           bool   // of the whole node: ALTER SYSTEM sets it, SET does not
	fixed            bool   // neither does
}

// The names of settings that the host looks at.
const (
	SettingOffsetReset  = "auto.offset.reset"
	SettingStrictTimes  = "ksql.timestamp.throw.on.invalid"
	SettingStopOnDecode = "ksql.fail.on.deserialization.error"
	SettingCacheBytes   = "cache.max.bytes.buffering"
	SettingCommit       = "commit.interval.ms"
	SettingLogTopic     = "ksql.logging.processing.topic.auto.create"
	SettingLogStream    = "ksql.logging.processing.stream.auto.create"
	SettingLogName      = "ksql.logging.processing.topic.name"
	SettingLogRows      = "ksql.logging.processing.rows.include"
	SettingService      = "ksql.service.id"
	SettingReplace      = "mainstem.create.or.replace"
)

// What SettingReplace can be.
const (
	replaceInPlace = "in-place"
	replaceRebuild = "rebuild"
)

// A check says which values a setting can have.
type check struct {
	words string
	holds func(string) bool
}

func oneOf(values ...string) *check {
	return &check{strings.Join(values, " or "), func(v string) bool { return slices.Contains(values, strings.ToLower(v)) }}
}

var (
	truth = oneOf("true", "false")
	whole = &check{"a whole number", func(v string) bool { n, err := strconv.ParseInt(v, 10, 64); return err == nil && n >= 0 }}
)

// settings are those that mean something here, in the order of their names.
var settings = []setting{
	{name: SettingOffsetReset, value: "earliest", doc: "where a new query begins in its streams; tables always from their beginning", check: oneOf("earliest", "latest")},
	{name: SettingCacheBytes, value: "0", doc: "how much of updates is held back until the next commit, to merge those of a key", check: whole},
	{name: SettingCommit, value: "2", doc: "least time between two commits", check: whole},
	{name: SettingStopOnDecode, value: "false", doc: "a record that cannot be decoded stops its query instead of being left out", check: truth},
	{name: "ksql.functions.collect_list.limit", value: "unlimited", doc: "how many values COLLECT_LIST keeps"},
	{name: "ksql.functions.collect_set.limit", value: "unlimited", doc: "how many values COLLECT_SET keeps"},
	{name: SettingLogRows, value: "false", doc: "records of the processing log quote what they are about", check: truth},
	{name: SettingLogStream, value: "false", doc: "the node makes the stream KSQL_PROCESSING_LOG", check: truth, system: true},
	{name: SettingLogTopic, value: "false", doc: "the node writes what went wrong with records to a topic", check: truth, system: true},
	{name: SettingLogName, value: "ksql_processing_log", doc: "the topic of the processing log", system: true},
	{name: "ksql.output.topic.name.prefix", value: "", doc: "stands in front of the names of sink topics"},
	{name: "ksql.persistence.default.format.key", value: "KAFKA", doc: "the format of keys where a statement names none"},
	{name: "ksql.persistence.default.format.value", value: "", doc: "the format of values where a statement names none"},
	{name: "ksql.persistence.wrap.single.values", value: "", doc: "whether a single value column stands in a structure", check: truth},
	{name: "ksql.query.pull.table.scan.enabled", value: "true", doc: "pull queries may read a whole table", check: truth},
	{name: SettingService, value: "", doc: "the name of this SQL among others on the cluster; the node is started with it", system: true, fixed: true},
	{name: SettingStrictTimes, value: "false", doc: "a record whose TIMESTAMP column gives no time stops its query instead of being left out", check: truth},
	{name: SettingReplace, value: replaceInPlace, doc: "what CREATE OR REPLACE ... AS does when the query keeps other state: refuse (in-place), or build the new query beside the old one (rebuild)", check: oneOf(replaceInPlace, replaceRebuild)},
	{name: "processing.guarantee", value: "exactly_once_v2", doc: "exactly once always, which is at least once too", check: oneOf("exactly_once_v2", "exactly_once_beta", "exactly_once", "at_least_once")},
}

// streamsPrefix begins settings of Kafka Streams in files of ksqlDB servers.
const streamsPrefix = "ksql.streams."

// canonicalSetting is a setting's name without ksqlDB's prefix for those of Kafka Streams.
func canonicalSetting(name string) string { return strings.TrimPrefix(name, streamsPrefix) }

func settingOf(name string) *setting {
	name = canonicalSetting(name)
	if i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name }); i >= 0 {
		return &settings[i]
	}
	return nil
}

// clients begins the settings that ksqlDB hands to Kafka's clients. They can be set, so that scripts run, and mean nothing here.
var clients = []string{"ksql.", "producer.", "consumer.", "admin.", "main.consumer.", "restore.consumer.", "topic."}

// KnownSetting tells whether a setting can be set: it means something, or ksqlDB has it.
func KnownSetting(name string) bool {
	return settingOf(name) != nil || slices.ContainsFunc(clients, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		slices.Contains(otherSettings, canonicalSetting(name))
}

// otherSettings are of Kafka Streams and its clients; they mean nothing here.
var otherSettings = []string{
	"application.id", "bootstrap.servers", "buffered.records.per.partition", "client.id", "default.deserialization.exception.handler",
	"fetch.max.bytes", "fetch.min.bytes", "isolation.level", "max.partition.fetch.bytes", "max.poll.interval.ms", "max.poll.records",
	"max.task.idle.ms", "num.standby.replicas", "num.stream.threads", "replication.factor", "request.timeout.ms", "session.timeout.ms",
	"state.cleanup.delay.ms", "state.dir", "statestore.cache.max.bytes", "topology.optimization",
}

// properties executes the statements on settings and variables; ok tells that it is one.
func (s *Session) properties(env *Env, st ast.Statement) (r Result, ok bool, err error) {
	switch st := st.(type) {
	case *ast.SetProperty:
		if err := checkSetting(st, st.Name, st.Value, false); err != nil {
			return r, true, err
		}
		env.Settings[canonicalSetting(st.Name)] = st.Value
		return Result{Message: "Set " + st.Name}, true, nil
	case *ast.UnsetProperty:
		if err := checkSetting(st, st.Name, "", false); err != nil {
			return r, true, err
		}
		delete(env.Settings, canonicalSetting(st.Name))
		return Result{Message: "Unset " + st.Name}, true, nil
	case *ast.AlterSystem:
		if err := checkSetting(st, st.Name, st.Value, true); err != nil {
			return r, true, err
		}
		s.settings = maps.Clone(s.settings)
		s.settings[canonicalSetting(st.Name)] = st.Value
		return Result{Message: "System property '" + st.Name + "' was set to '" + st.Value + "'.", Command: Command{"systemproperty", st.Name, "alter"}}, true, nil
	case *ast.Define:
		env.Variables[st.Name] = st.Value
		return r, true, nil
	case *ast.Undefine:
		if _, there := env.Variables[st.Name]; !there {
			return r, true, errorAt(st, CodeUnknown, "Cannot undefine variable '%s' which was never defined", st.Name).
				hint(didYouMean(st.Name, slices.Sorted(maps.Keys(env.Variables))))
		}
		delete(env.Variables, st.Name)
		return r, true, nil
	}
	return r, false, nil
}

// checkSetting refuses names that no setting has, and values that one cannot have; an empty value is not looked at. system tells ALTER SYSTEM.
func checkSetting(at ast.Node, name, value string, system bool) error {
	known := settingOf(name)
	switch {
	case !KnownSetting(name):
		var names []string
		for _, k := range settings {
			names = append(names, k.name)
		}
		return errorAt(at, CodeSetting, "Not recognizable as ksql, streams, consumer, or producer property: '%s'", name).hint(didYouMean(name, names))
	case known != nil && known.fixed:
		return errorAt(at, CodeSetting, "The setting '%s' cannot be changed while the node runs", name).hint(known.doc)
	case known == nil || value == "":
		return nil
	case known.system && !system:
		return errorAt(at, CodeSetting, "The setting '%s' is that of the whole node", name).hint("ALTER SYSTEM '" + name + "'='" + value + "';")
	case known.check != nil && !known.check.holds(value):
		return errorAt(at, CodeSetting, "Invalid value %s for configuration %s: %s", value, name, known.doc).hint("it is " + known.check.words)
	}
	return nil
}

// listProperties are the settings with what is in force for a request.
func (s *Session) listProperties(env *Env) []Property {
	var out []Property
	node := s.defaults()
	names := map[string]bool{}
	for _, k := range settings {
		names[k.name] = true
	}
	for _, given := range []map[string]string{node, env.Settings} {
		for name := range given {
			names[name] = true
		}
	}
	for name := range names {
		p := Property{Name: name, Scope: scopeOf(name), Source: "default", Editable: true}
		if k := settingOf(name); k != nil {
			p.Value, p.Doc, p.Editable = k.value, k.doc, !k.fixed
		}
		if v, ok := node[name]; ok {
			p.Value, p.Source = v, "node"
		}
		if v, ok := env.Settings[name]; ok {
			p.Value, p.Source = v, "session"
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Property) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func scopeOf(name string) string {
	if strings.HasPrefix(name, "ksql.") {
		return "KSQL"
	}
	return "KAFKA STREAMS"
}
