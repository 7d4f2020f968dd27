package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
)

// pinPartitions begins the settings that say how many partitions a topic had when a statement was executed. The statement means the same
// again without asking for the topic, which may be gone by then.
const pinPartitions = "mainstem.topic.partitions."

// command tells what was done to a source.
func command(source *catalog.Source, action string) Command {
	return Command{source.Kind(), source.Name, action}
}

func kindWord(table bool) string {
	if table {
		return "table"
	}
	return "stream"
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// taken tells whether a name can be used for a new source: a message when nothing is to be done.
func (s *Session) taken(name ast.Name, table, orReplace, ifNotExists bool) (done string, err error) {
	old := s.catalog.Source(name.Text)
	kind := kindWord(table)
	refuse := func(code Code, reason string) error {
		return errorAt(name, code, "Cannot add %s '%s': %s", kind, name.Text, reason)
	}
	switch {
	case old == nil:
		return "", nil
	case ifNotExists:
		return fmt.Sprintf("Cannot add %s %s: A %s with the same name already exists.", kind, row.Quote(name.Text), old.Kind()), nil
	case !orReplace:
		return "", refuse(CodeExists, "A "+old.Kind()+" with the same name already exists")
	case old.ReadOnly:
		return "", refuse(CodeReplace, "CREATE OR REPLACE is not supported on source "+kind+"s.")
	case old.Table != table:
		return "", refuse(CodeExists, "A "+old.Kind()+" with the same name already exists")
	}
	return "", nil
}

func (s *Session) createSource(ctx context.Context, env *Env, st *ast.CreateSource, text string) (Result, error) {
	if st.SourceOnly && st.OrReplace {
		kind := kindWord(st.Table)
		return Result{}, errorAt(st.Name, CodeReplace, "Cannot add %s '%s': CREATE OR REPLACE is not supported on source %ss.", kind, st.Name.Text, kind)
	}
	done, err := s.taken(st.Name, st.Table, st.OrReplace, st.IfNotExists)
	switch {
	case err != nil:
		return Result{}, err
	case done != "":
		return Result{Message: done, Shows: Warning{done}}, nil
	}
	c := s.context(env)
	pins := &pinning{s.o.Schemas, c.Settings, map[string]string{}}
	if c.Schemas != nil {
		c.Schemas = pins
	}
	source, err := plan.Define(c, st)
	if err != nil {
		return Result{}, err
	}
	source.Statement = text
	if old := s.catalog.Source(source.Name); old != nil {
		if err := plan.CheckReplace(old, source); err != nil {
			return Result{}, err
		}
	}
	if source.Partitions, err = s.topicFor(ctx, env, st.With, source.Topic); err != nil {
		return Result{}, err
	}
	if !env.Again {
		if err := s.register(source, false); err != nil {
			return Result{}, err
		}
	}
	s.catalog.Put(source)
	pins.pins[pinPartitions+source.Topic] = strconv.Itoa(int(source.Partitions))
	return Result{Message: title(source.Kind()) + " created", Settings: pins.pins, Command: command(source, "create")}, nil
}

// partitions is how many partitions a topic has, or had when the statement was executed first.
func (s *Session) partitions(ctx context.Context, env *Env, topic string) (int32, error) {
	if env.Again {
		if n, err := strconv.ParseInt(env.Settings[pinPartitions+topic], 10, 32); err == nil {
			return int32(n), nil
		}
	}
	n, err := s.o.Host.Partitions(ctx, topic)
	return n, running(err)
}

// topicFor makes the topic of a source unless it is there.
func (s *Session) topicFor(ctx context.Context, env *Env, props []ast.Property, topic string) (int32, error) {
	n, err := s.partitions(ctx, env, topic)
	if err != nil {
		return 0, err
	}
	t, given, err := plan.TopicOf(props, topic)
	if err != nil {
		return 0, err
	}
	if n > 0 {
		if given && t.Partitions > 0 && t.Partitions != n {
			return 0, otherPartitions(t, n)
		}
		return n, nil
	}
	if !given {
		return 0, &Error{
			Code: CodeUnknown, Message: fmt.Sprintf("Topic '%s' does not exist. If you want to create a new topic for the stream/table please re-run the statement providing the required 'PARTITIONS' configuration in the WITH clause", topic),
			Span: spanOf(props, "KAFKA_TOPIC"), Hint: s.nearTopic(ctx, topic),
		}
	}
	if err := s.o.Host.CreateTopic(ctx, Topic(t)); err != nil {
		return 0, running(err)
	}
	return t.Partitions, nil
}

// spanOf is where a property of WITH stands.
func spanOf(props []ast.Property, name string) ast.Span {
	for _, p := range props {
		if strings.EqualFold(p.Name.Text, name) {
			return p.Span
		}
	}
	return ast.Span{}
}

// nearTopic is a hint that names a topic like one that is not there.
func (s *Session) nearTopic(ctx context.Context, topic string) string {
	all, err := s.o.Host.Topics(ctx)
	if err != nil {
		return ""
	}
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
	}
	return didYouMean(topic, names)
}

func didYouMean(name string, names []string) string {
	for _, n := range names {
		if n != name && strings.EqualFold(n, name) {
			return "did you mean " + n + "? The case of letters counts here"
		}
	}
	if near := parse.Nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

func otherPartitions(t plan.Topic, have int32) error {
	return &Error{Code: CodeExists, Message: fmt.Sprintf("A Kafka topic with the name '%s' already exists, with different partition/replica configuration than required. KSQL expects %d partitions (topic has %d)", t.Name, t.Partitions, have)}
}

func (s *Session) createAs(ctx context.Context, env *Env, st *ast.CreateAs, text string) (Result, error) {
	done, err := s.taken(st.Name, st.Table, st.OrReplace, st.IfNotExists)
	switch {
	case err != nil:
		return Result{}, err
	case done != "":
		return Result{Message: done, Shows: Warning{done}}, nil
	}
	q, err := plan.CreateAs(s.context(env), st)
	if err != nil {
		return Result{}, err
	}
	place, err := s.replaces(env, st, q)
	if err != nil {
		return Result{}, err
	}
	if err := s.checkSchemas(q.Sink); err != nil {
		return Result{}, err
	}
	if err := s.sinkTopic(ctx, env, st.With, q); err != nil {
		return Result{}, err
	}
	if !env.Again {
		if err := s.register(q.Sink, true); err != nil {
			return Result{}, err
		}
	}
	q.Sink.Statement = text
	result, err := s.start(ctx, env, &Query{ID: place.id, Statement: text, Plan: q, Beside: place.beside})
	result.Settings = map[string]string{pinPartitions + q.Sink.Topic: strconv.Itoa(int(q.Sink.Partitions))}
	if place.beside != "" {
		result.Settings[pinBeside] = place.beside
	}
	result.Command = command(q.Sink, "create")
	return result, err
}

func stateText(lines []string) string {
	if len(lines) == 0 {
		return "none"
	}
	return "[" + strings.Join(lines, "; ") + "]"
}

// sinkTopic makes the topic that a query writes: with as many partitions as what it reads, unless the statement says otherwise.
func (s *Session) sinkTopic(ctx context.Context, env *Env, props []ast.Property, q *plan.Query) error {
	t, _, err := plan.TopicOf(props, q.Sink.Topic)
	if err != nil {
		return err
	}
	have, err := s.partitions(ctx, env, t.Name)
	if err != nil {
		return err
	}
	if have > 0 {
		if t.Partitions > 0 && t.Partitions != have {
			return otherPartitions(t, have)
		}
		q.Sink.Partitions = have
		return nil
	}
	if t.Partitions == 0 {
		t.Partitions = q.Sources[0].Partitions
	}
	q.Sink.Partitions = t.Partitions
	if q.Sink.Table && !q.Sink.Window.Windowed() && t.Configs["cleanup.policy"] == "" {
		if t.Configs == nil {
			t.Configs = map[string]string{}
		}
		t.Configs["cleanup.policy"] = "compact"
	}
	return running(s.o.Host.CreateTopic(ctx, Topic(t)))
}

func (s *Session) alter(env *Env, st *ast.AlterSource) (Result, error) {
	old := s.catalog.Source(st.Name.Text)
	if old == nil {
		return Result{}, s.unknownSource(st.Name, "Source %s does not exist.")
	}
	changed, err := plan.Alter(s.context(env), old, st)
	if err != nil {
		return Result{}, err
	}
	s.catalog.Put(changed)
	return Result{Message: title(old.Kind()) + " " + old.Name + " altered.", Command: command(old, "alter")}, nil
}

// unknownSource says that no stream or table has a name, with one that is like it.
func (s *Session) unknownSource(name ast.Name, message string) *Error {
	var names []string
	for _, source := range s.catalog.Sources() {
		names = append(names, source.Name)
	}
	return errorAt(name, CodeUnknown, message, name.Text).hint(didYouMean(name.Text, names))
}

func (s *Session) drop(ctx context.Context, env *Env, st *ast.DropSource) (Result, error) {
	old := s.catalog.Source(st.Name.Text)
	switch {
	case old == nil && st.IfExists:
		return Result{Message: "Source " + row.Quote(st.Name.Text) + " does not exist.", Command: Command{kindWord(st.Table), st.Name.Text, "drop"}}, nil
	case old == nil:
		return Result{}, s.unknownSource(st.Name, "Source %s does not exist.")
	case old.Table != st.Table:
		return Result{}, errorAt(st.Name, CodeInvalid, "Incompatible data source type is %s, but statement was DROP %s", strings.ToUpper(old.Kind()), strings.ToUpper(kindWord(st.Table))).
			hint("use DROP " + strings.ToUpper(old.Kind()))
	case old.ReadOnly && st.DeleteTopic:
		return Result{}, errorAt(st.Name, CodeInvalid, "Cannot delete topic for read-only source: %s", old.Name)
	}
	i := slices.IndexFunc(s.queries, func(q *Query) bool { return q.Plan.Sink == old && !q.Plan.Inserts }) // the one that made it ends with it
	if i < 0 && env.Again {                                                                                // once a query that inserts into a stream ended with it, too
		i = slices.IndexFunc(s.queries, func(q *Query) bool { return q.Plan.Sink == old })
	}
	var others []string
	for n, q := range s.queries {
		if n != i && (q.reads(old) || q.Plan.Sink.Name == old.Name) {
			others = append(others, q.ID)
		}
	}
	if len(others) > 0 && !env.Again { // what took effect once does so again, by whichever rules
		return Result{}, errorAt(st.Name, CodeInUse, "Cannot drop %s. The following queries read from or write into it: [%s]. You need to terminate them before dropping %s.",
			old.Name, strings.Join(others, ", "), old.Name).hint("TERMINATE " + others[0] + ";")
	}
	if err := s.end(ctx, env, i); err != nil {
		return Result{}, err
	}
	if st.DeleteTopic && !env.Again { // behind the query, which would write to it
		if err := s.o.Host.DeleteTopic(ctx, old.Topic); err != nil {
			if i >= 0 {
				err = errors.Join(err, s.o.Host.Start(ctx, s.queries[i]))
			}
			return Result{}, running(err)
		}
	}
	if i >= 0 {
		s.queries = slices.Delete(slices.Clone(s.queries), i, i+1)
	}
	s.catalog.Drop(old.Name)
	return Result{
		Message: fmt.Sprintf("Source %s (topic: %s) was dropped.", row.Quote(old.Name), old.Topic), Command: command(old, "drop"),
	}, nil
}

func (s *Session) createType(st *ast.CreateType) (Result, error) {
	made := Command{"type", st.Name.Text, "create"}
	if old := s.catalog.Type(st.Name.Text); old != nil && st.IfNotExists {
		return Result{Message: fmt.Sprintf("%s is already registered with type %s", st.Name.Text, old), Command: made}, nil
	}
	t, err := plan.TypeOf(s.catalog, st.Type)
	if err != nil {
		return Result{}, err
	}
	if err := s.catalog.PutType(st.Name.Text, t); err != nil {
		return Result{}, &Error{Code: CodeExists, Message: err.Error(), Span: st.Name.Span, Hint: "DROP TYPE " + st.Name.String() + "; or use another name"}
	}
	return Result{Message: fmt.Sprintf("Registered custom type with name '%s' and SQL type %s", st.Name.Text, t), Command: made}, nil
}

func (s *Session) dropType(st *ast.DropType) (Result, error) {
	gone := Command{"type", st.Name.Text, "drop"}
	if s.catalog.Type(st.Name.Text) == nil {
		if !st.IfExists {
			return Result{}, errorAt(st.Name, CodeUnknown, "Type %s does not exist.", st.Name.Text).
				hint(didYouMean(st.Name.Text, slices.Sorted(maps.Keys(s.catalog.Types()))))
		}
		return Result{Message: "Type '" + st.Name.Text + "' does not exist", Command: gone}, nil
	}
	s.catalog.DropType(st.Name.Text)
	return Result{Message: "Dropped type '" + st.Name.Text + "'", Command: gone}, nil
}
