package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/mainstemio/mainstem/internal/cli/sqlshell"
	"github.com/mainstemio/mainstem/internal/cli/sqltest"
	"github.com/mainstemio/mainstem/internal/server/httpapi"
)

func newStatus(env Env) *cobra.Command {
	c := &cluster{env: env}
	address := defaultHTTP
	cmd := &cobra.Command{
		Use: "status", Short: "Show how a node, or any Kafka cluster, is doing and what is wrong", Args: exact(),
		Long: `Asks a running node over its HTTP API. With --bootstrap it asks any Kafka cluster over the Kafka protocol, which tells less:
topics and groups only.

Exit codes: 0 all is well, or only warnings; 1 something does not work, or nobody answers.`,
		Example: "  mainstem status\n  mainstem status --http 127.0.0.1:8081 --json\n  mainstem status --bootstrap kafka-1:9092",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("bootstrap") {
				return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error { return c.clusterStatus(ctx, adm) })
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), c.timeout)
			defer cancel()
			s, err := fetchStatus(ctx, address)
			if err != nil {
				return failed("unreachable", fmt.Errorf("no node answers at http://%s: %w", address, err),
					"start one with `mainstem dev`, name its page with --http, or ask a Kafka cluster with --bootstrap host:port")
			}
			if c.json {
				err = c.print(s)
			} else {
				_, err = io.WriteString(env.Out, statusText(s))
			}
			if err != nil {
				return failed("output", err, "")
			}
			return broken(s.Problems)
		},
	}
	c.register(cmd)
	cmd.Flags().StringVar(&address, "http", defaultHTTP, "address of the node's page and HTTP API")
	return cmd
}

// newPipeline pauses and resumes the pipelines of a running node.
func newPipeline(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "pipeline", Short: "Pause and resume the pipelines of a running node"}
	cmd.AddCommand(
		turnPipeline(env, "pause", "Take no more records; what was taken is committed", "is paused until `mainstem pipeline resume`, or until the node ends"),
		turnPipeline(env, "resume", "Go on where a pipeline was paused", "goes on"),
	)
	return cmd
}

func turnPipeline(env Env, verb, short, done string) *cobra.Command {
	address, timeout := defaultHTTP, 10*time.Second
	cmd := &cobra.Command{
		Use: verb + " <name>", Short: short, Args: exact("a name"), Example: "  mainstem pipeline " + verb + " payments",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			if err := postPipeline(ctx, address, args[0], verb); err != nil {
				return err
			}
			_, err := fmt.Fprintf(env.Out, "pipeline %s %s\n", args[0], done)
			return err
		},
	}
	cmd.Flags().StringVar(&address, "http", defaultHTTP, "address of the node's page and HTTP API")
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for the node")
	return cmd
}

// postPipeline asks a node to pause or resume.
func postPipeline(ctx context.Context, address, name, verb string) error {
	at := "http://" + strings.TrimPrefix(address, "http://")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/v1/pipelines/"+url.PathEscape(name)+"/"+verb, nil)
	if err != nil {
		return failed("address", err, "give --http as host:port")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return failed("unreachable", fmt.Errorf("no node answers at %s: %w", at, err), "name the node's page with --http")
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		return failed("unknown_pipeline", fmt.Errorf("the node runs no pipeline %q", name), "mainstem status names those that it runs")
	}
	return failed("refused", fmt.Errorf("the node answered %s", resp.Status), "look into the node's log")
}

// broken is the error of a status with problems that are no mere warnings.
func broken(ps []httpapi.Problem) error {
	n := 0
	for _, p := range ps {
		if p.Severity == httpapi.SeverityError {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return failed("problems", fmt.Errorf("%d problem(s)", n), "follow the next step of each")
}

func fetchStatus(ctx context.Context, address string) (s httpapi.Status, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+strings.TrimPrefix(address, "http://")+"/v1/status", nil)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("it answered %s: is this a node of mainstem?", resp.Status)
	}
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// statusText is a status for people, in 80 columns. What is wrong comes last, where the eye rests.
func statusText(s httpapi.Status) string {
	var b strings.Builder
	up := time.Duration(s.Node.UptimeMs) * time.Millisecond
	fmt.Fprintf(&b, "Node      mainstem %s, up %s\nKafka     %s\nData      %s\n", s.Node.Version, spanText(up.Milliseconds()), s.Node.Kafka, s.Node.Directory)
	if d := s.Storage; d != nil {
		free := ""
		if d.TotalBytes > 0 {
			free = fmt.Sprintf(", %s of %s free", sizeText(d.FreeBytes), sizeText(d.TotalBytes))
		}
		fmt.Fprintf(&b, "Disk      %s in %s partition(s)%s\n", sizeText(d.LogBytes), countText(int64(d.Partitions)), free)
		fmt.Fprintf(&b, "Journal   sync p50 %.1f ms, p99 %.1f ms; checkpoint %s ago\n", d.SyncP50Ms, d.SyncP99Ms, spanText(d.CheckpointAgeMs))
		fmt.Fprintf(&b, "Clients   %d connection(s), %d open transaction(s)\n", d.Connections, d.OpenTransactions)
	}
	section(&b, "TOPIC\tPARTITIONS\tRECORDS\tSIZE\tIN/S", len(s.Topics), func(i int) []string {
		t := s.Topics[i]
		return []string{short(t.Name, 28), fmt.Sprint(t.Partitions), countText(t.Records), sizeText(t.Bytes), rateText(t.Rate)}
	})
	section(&b, "GROUP\tSTATE\tMEMBERS\tLAG\tBEHIND", len(s.Groups), func(i int) []string {
		g := s.Groups[i]
		return []string{short(g.Name, 24), short(g.State, 19), fmt.Sprint(g.Members), countText(g.Lag), spanText(g.BehindMs)}
	})
	section(&b, "PIPELINE\tSTATE\tPROCESSED\tIN/S\tLAG\tBEHIND", len(s.Pipelines), func(i int) []string {
		p := s.Pipelines[i]
		return []string{short(p.Name, 26), p.State, countText(p.Processed), rateText(p.Rate), countText(p.Lag), spanText(p.BehindMs)}
	})
	section(&b, "SINK\tSTATE\tDELIVERED\tLAG\tFRESH P50\tP99", len(s.Sinks), func(i int) []string {
		d := s.Sinks[i]
		return []string{short(d.Name, 26), d.State, countText(d.Delivered), countText(d.Lag), spanText(d.FreshnessP50), spanText(d.FreshnessP99)}
	})
	problemsText(&b, s.Problems)
	return b.String()
}

// section writes a table, or nothing when it has no rows. Columns of numbers stand at the right.
func section(b *strings.Builder, header string, rows int, row func(i int) []string) {
	if rows == 0 {
		return
	}
	b.WriteByte('\n')
	w := tabwriter.NewWriter(b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, header)
	for i := range rows {
		fmt.Fprintln(w, strings.Join(row(i), "\t"))
	}
	_ = w.Flush() // a strings.Builder takes everything
}

func problemsText(b *strings.Builder, ps []httpapi.Problem) {
	if len(ps) == 0 {
		b.WriteString("\nAll is well.\n")
		return
	}
	b.WriteString("\nPROBLEMS\n")
	for _, p := range ps {
		b.WriteString(wrap(fmt.Sprintf("  %-8s", p.Severity), fmt.Sprintf("%s: %s [%s]", p.Object, p.Message, p.Code)))
		b.WriteString(wrap("          next: ", p.Next))
	}
}

// A clusterState is what the Kafka protocol tells of any cluster.
type clusterState struct {
	Cluster    string             `json:"cluster"`
	Controller int32              `json:"controller"`
	Brokers    []string           `json:"brokers"`
	Topics     []topicRow         `json:"topics"`
	Groups     []groupDescription `json:"groups"`
}

// A topicRow counts offsets: with compaction or transactions there are fewer records.
type topicRow struct {
	Topic      string `json:"topic"`
	Partitions int    `json:"partitions"`
	Records    int64  `json:"records"`
	Offline    int    `json:"offline"` // partitions that nobody leads
}

// clusterStatus is status over the Kafka protocol.
func (c *cluster) clusterStatus(ctx context.Context, adm *kadm.Client) error {
	s, err := c.clusterState(ctx, adm)
	if err != nil {
		return err
	}
	if c.json {
		return c.print(s)
	}
	if _, err := io.WriteString(c.env.Out, clusterText(s)); err != nil {
		return failed("output", err, "")
	}
	offline := 0
	for _, t := range s.Topics {
		offline += t.Offline
	}
	if offline > 0 {
		return failed("problems", fmt.Errorf("%d partition(s) have no leader", offline), "look at the brokers that are missing; on a node of mainstem run `mainstem status`")
	}
	return nil
}

func (c *cluster) clusterState(ctx context.Context, adm *kadm.Client) (s clusterState, err error) {
	meta, err := adm.Metadata(ctx)
	if err != nil {
		return s, c.unreachable(err)
	}
	s = clusterState{Cluster: meta.Cluster, Controller: meta.Controller, Topics: []topicRow{}}
	for _, b := range meta.Brokers {
		s.Brokers = append(s.Brokers, fmt.Sprintf("%s:%d", b.Host, b.Port))
	}
	topics := meta.Topics
	topics.FilterInternal()
	starts, err := adm.ListStartOffsets(ctx, topics.Names()...)
	if err != nil {
		return s, failed("failed", fmt.Errorf("offsets: %w", err), "")
	}
	ends, err := adm.ListEndOffsets(ctx, topics.Names()...)
	if err != nil {
		return s, failed("failed", fmt.Errorf("offsets: %w", err), "")
	}
	for _, t := range topics.Sorted() {
		row := topicRow{Topic: t.Topic, Partitions: len(t.Partitions)}
		for p, d := range t.Partitions {
			if d.Leader < 0 {
				row.Offline++
			}
			start, _ := starts.Lookup(t.Topic, p)
			end, _ := ends.Lookup(t.Topic, p)
			row.Records += max(0, end.Offset-start.Offset)
		}
		s.Topics = append(s.Topics, row)
	}
	s.Groups, err = listGroups(ctx, adm)
	return s, err
}

func clusterText(s clusterState) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Cluster   %s, controller %d\n", orDash(s.Cluster), s.Controller)
	b.WriteString(wrap("Brokers   ", strings.Join(s.Brokers, " ")))
	section(&b, "TOPIC\tPARTITIONS\tRECORDS ≤\tOFFLINE", len(s.Topics), func(i int) []string {
		t := s.Topics[i]
		return []string{short(t.Topic, 40), fmt.Sprint(t.Partitions), countText(t.Records), fmt.Sprint(t.Offline)}
	})
	section(&b, "GROUP\tSTATE\tMEMBERS\tLAG", len(s.Groups), func(i int) []string {
		g := s.Groups[i]
		return []string{short(g.Group, 36), short(g.State, 20), fmt.Sprint(len(g.Members)), countText(g.Lag)}
	})
	return b.String()
}

// newSQL executes statements on a running node.
func newSQL(env Env) *cobra.Command {
	cmd := sqlshell.New(sqlshell.IO{In: env.In, Out: env.Out, Err: env.Err, Terminal: env.Terminal}, defaultHTTP)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		var f *sqlshell.Failure
		if errors.As(err, &f) {
			return failed(f.Name, f.Err, f.Next)
		}
		return err
	}
	return cmd
}

// newTest tests statements without a node.
func newTest(env Env) *cobra.Command {
	cmd := sqltest.New(env.Out)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch err := run(cmd, args); {
		case errors.Is(err, sqltest.ErrFailed):
			return failed("tests_failed", err, "")
		case errors.Is(err, sqltest.ErrNoTests):
			return failed("no_tests", err, "name a folder with statements.sql, input.json and output.json, or with .sql files that have lines --@test: name")
		case err != nil:
			return failed("tests", err, "")
		}
		return nil
	}
	return cmd
}
