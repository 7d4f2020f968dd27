package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// A cluster is what every command on a cluster needs: where to connect, how long to wait, how to print.
type cluster struct {
	env       Env
	bootstrap []string
	login     clientLogin
	timeout   time.Duration
	json      bool
}

// register adds the flags that every command on a cluster has.
func (c *cluster) register(cmd *cobra.Command) {
	cmd.PersistentFlags().StringSliceVarP(&c.bootstrap, "bootstrap", "b", []string{defaultKafka}, "addresses of the cluster, host:port")
	c.login.register(cmd.PersistentFlags())
	cmd.PersistentFlags().DurationVar(&c.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
	cmd.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON")
}

// connect opens a client; opts are added to the common ones.
func (c *cluster) connect(opts ...kgo.Opt) (*kgo.Client, error) {
	login, err := c.login.opts()
	if err != nil {
		return nil, err
	}
	opts = append(append(login,
		kgo.SeedBrokers(c.bootstrap...), kgo.ClientID("mainstem"), kgo.AlwaysRetryEOF(), kgo.RetryTimeout(c.timeout),
		// Not RecordDeliveryTimeout: it counts from a record's timestamp, which the input may set.
		kgo.RecordRetries(20), kgo.DialTimeout(min(c.timeout, 5*time.Second)),
	), opts...)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, usage("%w", err)
	}
	return cl, nil
}

// admin runs f with an admin client within the timeout and explains an unreachable cluster.
func (c *cluster) admin(ctx context.Context, f func(ctx context.Context, adm *kadm.Client) error) error {
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := c.ping(ctx, cl); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return f(ctx, kadm.NewClient(cl))
}

// ping tells early and clearly when no broker answers.
func (c *cluster) ping(ctx context.Context, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := cl.Ping(ctx); err != nil {
		if refused := c.login.loginError(err); refused != nil {
			return refused
		}
		return c.unreachable(err)
	}
	return nil
}

func (c *cluster) unreachable(err error) error {
	return failed("unreachable", fmt.Errorf("no Kafka broker answers at %s: %w", strings.Join(c.bootstrap, ", "), err),
		"start one with `mainstem dev`, or name the cluster with --bootstrap host:port")
}

// explain names a topic error by Kafka's stable word.
func explain(topic string, err error) error {
	var ke *kerr.Error
	if !errors.As(err, &ke) {
		return failed("failed", fmt.Errorf("topic %s: %w", topic, err), "")
	}
	next := ""
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		next = "mainstem topic list, or mainstem topic create " + topic
	}
	return failed(strings.ToLower(ke.Message), fmt.Errorf("topic %s: %s", topic, ke.Description), next)
}

func (c *cluster) print(v any) error {
	enc := json.NewEncoder(c.env.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (c *cluster) table(header string, rows func(row func(cells ...any))) error {
	w := tabwriter.NewWriter(c.env.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, header)
	rows(func(cells ...any) {
		texts := make([]string, len(cells))
		for i, cell := range cells {
			texts[i] = fmt.Sprint(cell)
		}
		fmt.Fprintln(w, strings.Join(texts, "\t"))
	})
	return w.Flush()
}

// A clientLogin is how a command shows a cluster who it is. Passwords come from a file or the environment, where no list of
// processes shows them.
type clientLogin struct {
	user, mechanism, passwordFile string
	tls                           bool
	ca, cert, key, serverName     string
}

// saslPasswordEnv holds the password of --sasl-user.
const saslPasswordEnv = "MAINSTEM_SASL_PASSWORD"

func (l *clientLogin) register(flags *pflag.FlagSet) {
	flags.StringVar(&l.user, "sasl-user", "", "log in as this user; the password comes from "+saslPasswordEnv+" or --sasl-password-file")
	flags.StringVar(&l.mechanism, "sasl-mechanism", "SCRAM-SHA-256", "how to log in: SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN")
	flags.StringVar(&l.passwordFile, "sasl-password-file", "", "file with the password")
	flags.BoolVar(&l.tls, "tls", false, "connect by TLS; the system's authorities count unless --tls-ca is given")
	flags.StringVar(&l.ca, "tls-ca", "", "authority of the cluster's certificate, in PEM")
	flags.StringVar(&l.cert, "tls-cert", "", "certificate of this client, in PEM")
	flags.StringVar(&l.key, "tls-key", "", "key of --tls-cert, in PEM")
	flags.StringVar(&l.serverName, "tls-server-name", "", "name in the cluster's certificate, if not the host")
}

// opts are what kgo needs.
func (l *clientLogin) opts() ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if l.tls || l.ca != "" || l.cert != "" || l.key != "" || l.serverName != "" {
		c, err := l.tlsConfig()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(c))
	}
	if l.user == "" {
		return opts, nil
	}
	password, err := secret(saslPasswordEnv, l.passwordFile, nil)
	if err != nil {
		return nil, err
	}
	if password == "" {
		return nil, usage("--sasl-user needs a password: set %s or give --sasl-password-file", saslPasswordEnv)
	}
	var m sasl.Mechanism
	switch strings.ToUpper(l.mechanism) {
	case "SCRAM-SHA-256":
		m = scram.Auth{User: l.user, Pass: password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		m = scram.Auth{User: l.user, Pass: password}.AsSha512Mechanism()
	case "PLAIN":
		m = plain.Auth{User: l.user, Pass: password}.AsMechanism()
	default:
		return nil, usage("--sasl-mechanism takes SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN, got %q", l.mechanism)
	}
	return append(opts, kgo.SASL(m)), nil
}

func (l *clientLogin) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: l.serverName}
	if l.ca != "" {
		pem, err := os.ReadFile(l.ca)
		if err != nil {
			return nil, usage("--tls-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usage("--tls-ca %s holds no certificate in PEM", l.ca)
		}
	}
	if l.cert != "" || l.key != "" {
		pair, err := tls.LoadX509KeyPair(l.cert, l.key)
		if err != nil {
			return nil, usage("--tls-cert and --tls-key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// secret reads a password from a file, else from the environment; "-" is standard input. It ends at the first line's end.
func secret(env, file string, stdin io.Reader) (string, error) {
	text := os.Getenv(env)
	switch {
	case file == "-" && stdin != nil:
		b, err := io.ReadAll(io.LimitReader(stdin, maxSecret))
		if err != nil {
			return "", failed("password", fmt.Errorf("read the password: %w", err), "")
		}
		text = string(b)
	case file != "":
		b, err := os.ReadFile(file)
		if err != nil {
			return "", failed("password", fmt.Errorf("read the password: %w", err), "name a file that holds it")
		}
		text = string(b)
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

// maxSecret bounds a password on standard input, in bytes.
const maxSecret = 1 << 20

// loginError explains why a cluster let nobody in; nil when that is not the matter.
func (l *clientLogin) loginError(err error) error {
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return failed("login_failed", fmt.Errorf("log in as %s: %w", l.user, err), "check --sasl-user, --sasl-mechanism and the password")
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return failed("login_failed", fmt.Errorf("log in by %s: %w", l.mechanism, err), "choose another --sasl-mechanism; PLAIN is offered over TLS only")
	}
	return nil
}
