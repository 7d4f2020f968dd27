package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mainstemio/mainstem"
)

// Where a node listens and keeps its data unless told otherwise.
const (
	defaultKafka = "127.0.0.1:9092"
	defaultHTTP  = "127.0.0.1:8080"
	defaultData  = "mainstem-data"
)

// nodeFlags are the flags that dev and demo share.
type nodeFlags struct {
	env     Env
	data    string
	kafka   string
	told    string // the address that Kafka clients are told
	http    string
	minFree int64
	set     []string
	schemas string // URLs of a schema registry
	service string // of SQL
	verbose bool
	options []mainstem.Option // of the command
}

func (f *nodeFlags) register(cmd *cobra.Command) {
	f.registerLocal(cmd)
	cmd.Flags().StringVar(&f.kafka, "kafka", defaultKafka, "address for Kafka clients")
	cmd.Flags().StringVar(&f.told, "advertise", "", "host:port under which Kafka clients find the node, if not the address they came in at")
	cmd.Flags().Int64Var(&f.minFree, "min-free", 0, "bytes of the disk that stay free: below, new records are refused (0: 2 %, at least 256 MiB, at most 1 GiB)")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "a setting of the node by its name in Kafka's server.properties, such as log.retention.hours=24; may be repeated")
}

// registerLocal registers the flags of nodes that have no broker either.
func (f *nodeFlags) registerLocal(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.data, "data", defaultData, "directory of all data")
	cmd.Flags().StringVar(&f.http, "http", defaultHTTP, "address of the page and the HTTP API")
	cmd.Flags().StringVar(&f.schemas, "registry", "", "URL of a schema registry, for SQL's formats AVRO, PROTOBUF and JSON_SR")
	cmd.Flags().StringVar(&f.service, "service-id", "", "name of this node's SQL among others on the cluster, as ksqlDB's ksql.service.id")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log what the node does")
}

func newDev(env Env) *cobra.Command {
	f, sec := &nodeFlags{env: env}, &securityFlags{}
	cmd := &cobra.Command{
		Use: "dev", Short: "Run a node on this machine: durable broker, page and API", Args: exact(),
		Example: "  mainstem dev --data ./data\n  mainstem dev --kafka 127.0.0.1:19092",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if f.options, err = sec.options(); err != nil {
				return err
			}
			n, err := f.open(cmd, nil)
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Out, "Kafka  %s\nPage   http://%s\nData   %s\n\nNext:\n", n.kafka, n.http, f.data)
			fmt.Fprintf(env.Out, "  echo 'hello' | mainstem topic produce greetings -b %s\n", n.kafka)
			fmt.Fprintf(env.Out, "  mainstem topic consume greetings -b %s\n  mainstem sql --server %s\n  mainstem demo payments\n", n.kafka, n.http)
			go reloadOnHangup(cmd.Context(), env, n.Node)
			return n.wait(cmd.Context())
		},
	}
	f.register(cmd)
	sec.register(cmd)
	return cmd
}

// newWorker runs a node without a broker of its own.
func newWorker(env Env) *cobra.Command {
	f, login := &nodeFlags{env: env}, &clientLogin{}
	var bootstrap []string
	cmd := &cobra.Command{
		Use: "worker", Short: "Run SQL on a Kafka cluster: queries, page and API, without a broker of its own", Args: exact(),
		Long: `Runs the SQL of a Kafka cluster: streams, tables and queries that "mainstem sql" makes here work on the cluster's topics, exactly once, and are
there again at the next start. A cluster has one such node for each --service-id: a later one takes over from an earlier one.`,
		Example: "  mainstem worker --bootstrap 127.0.0.1:9092 --data ./worker\n  mainstem sql -f payments.sql",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(bootstrap) == 0 {
				return usage("--bootstrap names the cluster: host:port,…")
			}
			connection, err := login.opts()
			if err != nil {
				return err
			}
			f.options = []mainstem.Option{mainstem.WithBrokerConnection(connection...), mainstem.WithSQL()}
			n, err := f.open(cmd, bootstrap)
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Out, "Kafka  %s\nPage   http://%s\nData   %s\n\nNext:\n  mainstem sql --server %s\n", n.kafka, n.http, f.data, n.http)
			return n.wait(cmd.Context())
		},
	}
	f.registerLocal(cmd)
	cmd.Flags().StringSliceVarP(&bootstrap, "bootstrap", "b", nil, "the cluster, host:port")
	login.register(cmd.Flags())
	return cmd
}

// A node is an open node with the addresses it really has.
type node struct {
	*mainstem.Node
	kafka, http string
}

// wait runs until ctx ends or the node fails, and closes it.
func (n *node) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-n.Done():
	}
	return n.close()
}

func (n *node) close() error {
	if err := n.Close(); err != nil {
		return nodeError(err)
	}
	return nil
}

// open listens and opens the node; on a cluster (bootstrap) there is no Kafka listener.
func (f *nodeFlags) open(cmd *cobra.Command, bootstrap []string) (*node, error) {
	settings, err := f.settings()
	if err != nil {
		return nil, err
	}
	opts := []mainstem.Option{mainstem.WithLogger(f.logger()), mainstem.WithVersion(version()), mainstem.WithMinFreeDisk(f.minFree), mainstem.WithSettings(settings)}
	if f.schemas != "" {
		opts = append(opts, mainstem.WithSchemaRegistry(f.schemas))
	}
	if f.service != "" {
		opts = append(opts, mainstem.WithSQLService(f.service))
	}
	opts = append(opts, f.options...)
	var listeners []net.Listener
	fail := func(err error) (*node, error) {
		for _, l := range listeners {
			_ = l.Close() // nothing was accepted yet
		}
		return nil, err
	}
	out := &node{}
	if len(bootstrap) == 0 {
		l, err := f.listen("kafka", f.kafka, cmd.Flags().Changed("kafka"))
		if err != nil {
			return fail(err)
		}
		listeners = append(listeners, l)
		opts = append(opts, mainstem.WithKafka(l))
		if f.told != "" {
			opts = append(opts, mainstem.WithAdvertised(f.told))
		}
	} else {
		opts = append(opts, mainstem.WithBroker("kafka://"+joinComma(bootstrap)))
	}
	l, err := f.listen("http", f.http, cmd.Flags().Changed("http"))
	if err != nil {
		return fail(err)
	}
	listeners = append(listeners, l)
	out.http = l.Addr().String()
	dir, err := filepath.Abs(f.data)
	if err != nil {
		return fail(failed("data", err, ""))
	}
	out.Node, err = mainstem.Open(cmd.Context(), dir, append(opts, mainstem.WithHTTP(l))...)
	if err != nil {
		return fail(nodeError(err))
	}
	out.kafka = out.Kafka()
	return out, nil
}

func (f *nodeFlags) settings() (map[string]string, error) {
	out := map[string]string{}
	for _, kv := range f.set {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return nil, usage("--set takes name=value, got %q", kv)
		}
		out[k] = v
	}
	return out, nil
}

func joinComma(s []string) string {
	out := s[0]
	for _, v := range s[1:] {
		out += "," + v
	}
	return out
}

func (f *nodeFlags) logger() *slog.Logger {
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(f.env.Err, &slog.HandlerOptions{Level: level}))
}

// portTries is how many ports after a taken default one are tried.
const portTries = 100

// listen opens addr. A default port that is taken moves to the next free one and says so; an explicit one is an error.
func (f *nodeFlags) listen(name, addr string, explicit bool) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	if explicit || !errors.Is(err, syscall.EADDRINUSE) {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, failed("port_in_use", fmt.Errorf("--%s %s is in use by another program", name, addr), "stop that program, or choose another address")
		}
		return nil, failed("listen", fmt.Errorf("--%s %s: %w", name, addr, err), "give an address of this machine as host:port")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usage("--%s %s: %w", name, addr, err)
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return nil, usage("--%s %s: %w", name, addr, err)
	}
	for p := first + 1; p <= first+portTries; p++ {
		if l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p))); err == nil {
			fmt.Fprintf(f.env.Err, "port %d is in use, %s moves to %d\n", first, name, p)
			return l, nil
		}
	}
	return nil, failed("port_in_use", fmt.Errorf("no free port from %d to %d for --%s: %w", first, first+portTries, name, err), "")
}

// nodeError gives what ends a node its stable name and next step.
func nodeError(err error) error {
	switch {
	case errors.Is(err, mainstem.ErrLocked):
		return failed("locked", err, "stop the other process, or choose another --data directory")
	case errors.Is(err, mainstem.ErrSetting):
		return failed("setting", err, "give a setting of Kafka's server.properties, or of a topic, as docs/settings.md lists them: --set log.retention.hours=24")
	case errors.Is(err, mainstem.ErrDiskFull), errors.Is(err, syscall.ENOSPC):
		return failed("disk_full", err, "free space and start again: everything acknowledged is there")
	case errors.Is(err, mainstem.ErrNewerFormat):
		return failed("newer_format", err, "run the version of mainstem that wrote it, or a later one; nothing was changed")
	case errors.Is(err, mainstem.ErrUnreadable):
		return failed("unreadable_data", err, "keep the directory and restore a backup, or choose another --data directory; nothing was changed")
	case errors.Is(err, mainstem.ErrUnprotected):
		return failed("unprotected_address", err, "let clients log in (--sasl, or --tls-client-ca), choose a 127.0.0.1 address, or say --trusted-network; the page (--http) has no logins")
	case errors.Is(err, mainstem.ErrNoUser):
		return failed("no_user", err, "give the first one by --admin-file or "+adminEnv)
	case errors.Is(err, mainstem.ErrNoAdministrator):
		return failed("no_administrator", err, "name one by --super-user or --admin-file")
	case errors.Is(err, mainstem.ErrTLSFiles):
		return failed("tls_files", err, "give a certificate, its key and the authority in PEM")
	case errors.Is(err, fs.ErrPermission):
		return failed("permission", err, "make the directory writable for this user, or choose another --data directory")
	}
	return failed("failed", err, "")
}
