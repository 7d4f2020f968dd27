package session

import (
	"context"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
)

// shows executes the statements that show something and change nothing; ok tells that it is one.
func (s *Session) shows(ctx context.Context, env *Env, st ast.Statement) (shown Entity, ok bool, err error) {
	switch st := st.(type) {
	case *ast.List:
		shown, err = s.list(ctx, env, st)
	case *ast.Describe:
		shown, err = s.describe(ctx, st)
	case *ast.DescribeAll:
		shown, err = s.describeAll(ctx, st.Tables, st.Extended)
	case *ast.DescribeFunction:
		shown, err = s.describeFunction(st)
	case *ast.DescribeConnector:
		shown, err = s.describeConnector(ctx, st)
	case *ast.Explain:
		shown, err = s.explain(env, st)
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err // not an entity without anything in it
	}
	return shown, true, nil
}

func (s *Session) list(ctx context.Context, env *Env, st *ast.List) (Entity, error) {
	switch st.Kind {
	case ast.ListStreams, ast.ListTables:
		return s.listSources(ctx, st)
	case ast.ListQueries:
		return s.listQueries(env, st)
	case ast.ListTopics:
		return s.listTopics(ctx, st)
	case ast.ListFunctions:
		return FunctionList{s.o.Functions.Descriptions()}, nil
	case ast.ListProperties:
		return PropertyList{s.listProperties(env)}, nil
	case ast.ListTypes:
		return TypeList{s.catalog.Types()}, nil
	case ast.ListVariables:
		return VariableList{env.Variables}, nil
	case ast.ListConnectorPlugins:
		if s.o.Connectors == nil {
			return PluginList{}, nil
		}
		return PluginList{s.o.Connectors.Plugins()}, nil
	default:
		return s.listConnectors(st.Kind), nil
	}
}

func (s *Session) listSources(ctx context.Context, st *ast.List) (Entity, error) {
	tables := st.Kind == ast.ListTables
	if st.Extended {
		return s.describeAll(ctx, tables, true)
	}
	l := SourceList{Tables: tables}
	for _, source := range s.catalog.Sources() {
		if source.Table == tables {
			l.Sources = append(l.Sources, source)
		}
	}
	return l, nil
}

// hidden are the topics that LIST TOPICS shows with ALL only: those of the node itself.
func hidden(topic string) bool {
	return strings.HasPrefix(topic, "_") || strings.HasSuffix(topic, "-changelog") || strings.HasSuffix(topic, "-repartition")
}

func (s *Session) listTopics(ctx context.Context, st *ast.List) (Entity, error) {
	all, err := s.o.Host.Topics(ctx)
	if err != nil {
		return nil, running(err)
	}
	l := TopicList{Extended: st.Extended}
	for _, t := range all {
		if !st.All && hidden(t.Name) {
			continue
		}
		for _, q := range s.queries { // each is a group with one member
			if slices.ContainsFunc(q.Plan.Sources, func(o *catalog.Source) bool { return o.Topic == t.Name }) {
				t.Groups, t.Consumers = t.Groups+1, t.Consumers+1
			}
		}
		l.Topics = append(l.Topics, t)
	}
	return l, nil
}

func (s *Session) listQueries(env *Env, st *ast.List) (Entity, error) {
	if !st.Extended {
		return QueryList{s.runs(func(*Query) bool { return true }), s.pushes()}, nil
	}
	var all QueryDescriptions
	for _, q := range s.queries {
		d, err := s.describeQuery(q)
		if err != nil {
			return nil, err
		}
		all.Queries = append(all.Queries, d)
	}
	for _, p := range s.pushes() {
		d, err := s.describePush(env, p)
		if err != nil {
			return nil, err
		}
		all.Queries = append(all.Queries, d)
	}
	return all, nil
}

// pushes are the push queries that run.
func (s *Session) pushes() []PushQuery {
	if h, ok := s.o.Host.(Pushes); ok {
		return h.Pushes()
	}
	return nil
}

// runs are the queries that a caller wants, with how they do.
func (s *Session) runs(want func(*Query) bool) []RunningQuery {
	var out []RunningQuery
	for _, q := range s.queries {
		if want(q) {
			out = append(out, RunningQuery{q, s.o.Host.Status(q)})
		}
	}
	return out
}

func (s *Session) describe(ctx context.Context, st *ast.Describe) (Entity, error) {
	source := s.catalog.Source(st.Name.Text)
	if source == nil {
		return nil, s.unknownSource(st.Name, "Could not find STREAM/TABLE '%s' in the Metastore")
	}
	d, err := s.description(ctx, source, st.Extended)
	return SourceDescriptions{Sources: []SourceDescription{d}}, err
}

func (s *Session) describeAll(ctx context.Context, tables, extended bool) (Entity, error) {
	all := SourceDescriptions{List: true}
	for _, source := range s.catalog.Sources() {
		if source.Table != tables {
			continue
		}
		d, err := s.description(ctx, source, extended)
		if err != nil {
			return nil, err
		}
		all.Sources = append(all.Sources, d)
	}
	return all, nil
}

func (s *Session) description(ctx context.Context, source *catalog.Source, extended bool) (SourceDescription, error) {
	d := SourceDescription{
		Source: source, Extended: extended,
		Readers: s.runs(func(q *Query) bool {
			return slices.ContainsFunc(q.Plan.Sources, func(o *catalog.Source) bool { return o.Name == source.Name })
		}),
		Writers: s.runs(func(q *Query) bool { return q.Plan.Sink.Name == source.Name }),
	}
	d.Topic = TopicInfo{Name: source.Topic, Partitions: source.Partitions, Replicas: 1, Records: -1}
	offsets, ok := s.o.Host.(Offsets)
	if !extended || !ok {
		return d, nil
	}
	info, err := offsets.Topic(ctx, source.Topic)
	if err != nil {
		return d, running(err)
	}
	d.Topic = info
	for _, r := range d.Readers {
		g, err := offsets.Of(ctx, r.Query, source.Topic)
		if err != nil {
			return d, running(err)
		}
		d.Groups = append(d.Groups, g)
	}
	return d, nil
}

// Offsets is a Host that knows how far queries are.
type Offsets interface {
	// Topic describes a topic with the number of its records.
	Topic(ctx context.Context, topic string) (TopicInfo, error)
	// Of tells how far a query is in a topic that it reads.
	Of(ctx context.Context, q *Query, topic string) (GroupOffsets, error)
}

func (s *Session) describeFunction(st *ast.DescribeFunction) (Entity, error) {
	d, err := s.o.Functions.Describe(st.Name.Text)
	if err == nil {
		return FunctionDescription{d}, nil
	}
	var names []string
	for _, f := range s.o.Functions.Descriptions() {
		names = append(names, f.Name)
	}
	return nil, errorAt(st.Name, CodeUnknown, "Can't find any functions with the name '%s'", st.Name.Text).hint(didYouMean(st.Name.Text, names))
}
