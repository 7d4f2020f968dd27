package mainstem

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/function/user"
	"github.com/mainstemio/mainstem/internal/sql/host"
	"github.com/mainstemio/mainstem/sqlfunc"
)

// An Option changes how Open starts a node.
type Option func(*options) error

type options struct {
	kafka, http net.Listener
	advertise   func(local net.Addr) (host string, port int32) // nil: where the client came in
	cluster     []string                                       // empty: the embedded broker
	log         *slog.Logger
	clock       clock.Clock
	version     string
	security    security
	minFree     int64 // bytes; 0: the broker's default
	stateBytes  int64 // 0: store.DefaultBudget
	settings    map[string]string
	schemas     format.Schemas // nil: the node's own
	functions   []sqlfunc.Function
	sql         bool         // resume the SQL of the cluster
	service     host.Service // of SQL
}

// WithKafka lets Kafka clients connect to the embedded broker through l; the node closes it. Without it only this process reaches the broker.
func WithKafka(l net.Listener) Option {
	return func(o *options) error { o.kafka = l; return nil }
}

// WithAdvertised says under which host:port Kafka clients find the node again: a proxy, a mapped port. Default: the address at which
// each of them came in.
func WithAdvertised(address string) Option {
	return func(o *options) error {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("advertised address: %w", err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || host == "" {
			return fmt.Errorf("advertised address %q: want host:port", address)
		}
		o.advertise = func(net.Addr) (string, int32) { return host, int32(n) }
		return nil
	}
}

// WithHTTP serves the page and the HTTP API on l; the node closes it.
func WithHTTP(l net.Listener) Option {
	return func(o *options) error { o.http = l; return nil }
}

// WithBroker runs the node's pipelines and sinks on an existing cluster instead of the embedded broker: kafka://host:port,host:port.
func WithBroker(url string) Option {
	return func(o *options) error {
		hosts, ok := strings.CutPrefix(url, "kafka://")
		if !ok || hosts == "" {
			return fmt.Errorf("broker %q: want kafka://host:port,…", url)
		}
		o.cluster = strings.Split(hosts, ",")
		return nil
	}
}

// WithSQL makes a node on a cluster (WithBroker) the one that runs the cluster's SQL from its start: streams, tables and queries that an
// earlier node made there are there again. A cluster has one such node for each WithSQLService; a later one takes the queries over, and
// those of the earlier one end. Without it the first statement does this. On the embedded broker SQL always goes on by itself.
func WithSQL() Option {
	return func(o *options) error { o.sql = true; return nil }
}

// WithFunctions adds functions of the program's own to those of SQL: see package sqlfunc. Every node that runs statements which call them
// needs them, from its start: one without them does not open its SQL, and the error names the statement. Open fails on a function that
// cannot be one. A later option adds to an earlier one.
func WithFunctions(functions ...sqlfunc.Function) Option {
	return func(o *options) error {
		o.functions = append(o.functions, functions...)
		return user.Add(builtin.New(builtin.Options{}), o.functions...)
	}
}

// WithSQLService names the node's SQL, as ksqlDB's ksql.service.id does: up to 64 letters, digits, dots, underscores and hyphens. Each name has
// its own statements, queries, groups and internal topics, so that several nodes run theirs beside each other on one cluster. With another
// name a node does not find what it made before. Default: no name.
func WithSQLService(name string) Option {
	return func(o *options) error {
		if !serviceName.MatchString(name) {
			return fmt.Errorf("%w: the name %q of an SQL service: want up to 64 letters, digits, dots, underscores and hyphens", ErrSetting, name)
		}
		o.service = host.Service(name)
		return nil
	}
}

var serviceName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// WithMinFreeDisk sets how many bytes of the data directory's disk have to stay free: below, the embedded broker refuses new records
// with a retriable error, while reading and deleting go on. Default 2 % of the disk, at least 256 MiB and at most 1 GiB; negative: none.
func WithMinFreeDisk(bytes int64) Option {
	return func(o *options) error { o.minFree = bytes; return nil }
}

// WithStateBytes bounds the memory that the tables of all pipelines take, in bytes. What there is no room for stays in the data directory
// and is read when it is needed; tables that are read in order or by time keep their keys in memory. Buffers, what the garbage collector has
// not taken yet, and a cache of what is read (a sixteenth of n, 8 to 128 MiB) come on top of it. Default: half of GOMEMLIMIT where that is set,
// or else 1 GiB.
func WithStateBytes(n int64) Option {
	return func(o *options) error { o.stateBytes = n; return nil }
}

// WithSettings sets settings of the embedded broker by the names that they have in Kafka's server.properties: what topics without a
// setting of their own follow ("log.retention.ms", "log.cleanup.policy", "log.segment.bytes", …, or by the topic setting's own name:
// "retention.ms"), when and how retention and compaction work ("log.retention.check.interval.ms", "log.cleaner.enable",
// "log.cleaner.backoff.ms", "log.cleaner.dedupe.buffer.size"), "num.partitions", "auto.create.topics.enable", and the limits of groups,
// offsets and transactions. Those that a client changes while the node runs go before. Open fails on a name or value that is none.
// Defaults: Kafka's, but for "group.initial.rebalance.delay.ms" (0). A later option adds to an earlier one.
func WithSettings(values map[string]string) Option {
	return func(o *options) error {
		if o.settings == nil {
			o.settings = map[string]string{}
		}
		maps.Copy(o.settings, values)
		return nil
	}
}

// WithSchemaRegistry names the schema registry that SQL's formats AVRO, PROTOBUF and JSON_SR need: the URLs of its servers with commas
// between them, the first with user:password@ where it wants a login. Without it a node with the embedded broker is its own registry, which
// clients reach at its HTTP address, and on a cluster statements that need one are refused.
func WithSchemaRegistry(urls string) Option {
	return func(o *options) error {
		all := strings.Split(urls, ",")
		first, err := url.Parse(all[0])
		if err != nil || first.Host == "" {
			return fmt.Errorf("schema registry %q: want http://host:port", all[0])
		}
		ro := registry.Options{URLs: all}
		if first.User != nil {
			ro.User = first.User.Username()
			ro.Password, _ = first.User.Password()
			first.User = nil
			all[0] = first.String()
		}
		o.schemas, err = registry.Open(ro)
		return err
	}
}

// WithLogger tells where the node reports what an operator should know; default nowhere.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) error { o.log = l; return nil }
}

// WithVersion is the version that pages show.
func WithVersion(v string) Option {
	return func(o *options) error { o.version = v; return nil }
}

func (o *options) apply(opts []Option) error {
	o.log = slog.New(slog.DiscardHandler)
	o.clock = clock.System
	o.version = "dev"
	for _, opt := range opts {
		if err := opt(o); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) listeners() []net.Listener {
	var ls []net.Listener
	for _, l := range []net.Listener{o.kafka, o.http} {
		if l != nil {
			ls = append(ls, l)
		}
	}
	return ls
}
