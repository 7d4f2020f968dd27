package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A cluster is what every topic command needs: where to connect, how long to wait, how to print.
type cluster struct {
	env       Env
	bootstrap []string
	timeout   time.Duration
	json      bool
}

func newTopic(env Env) *cobra.Command {
	c := &cluster{env: env}
	cmd := &cobra.Command{Use: "topic", Short: "Create, list, describe, fill, read and delete topics on any Kafka cluster"}
	cmd.PersistentFlags().StringSliceVarP(&c.bootstrap, "bootstrap", "b", []string{defaultKafka}, "addresses of the cluster, host:port")
	cmd.PersistentFlags().DurationVar(&c.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
	cmd.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON")
	cmd.AddCommand(newTopicCreate(c), newTopicList(c), newTopicDescribe(c), newTopicDelete(c), newTopicProduce(c), newTopicConsume(c))
	return cmd
}

// connect opens a client; opts are added to the common ones.
func (c *cluster) connect(opts ...kgo.Opt) (*kgo.Client, error) {
	opts = append([]kgo.Opt{
		kgo.SeedBrokers(c.bootstrap...), kgo.ClientID("mainstem"), kgo.AlwaysRetryEOF(), kgo.RetryTimeout(c.timeout),
		// Not RecordDeliveryTimeout: it counts from a record's timestamp, which the input may set.
		kgo.RecordRetries(20), kgo.DialTimeout(min(c.timeout, 5*time.Second)),
	}, opts...)
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

func newTopicCreate(c *cluster) *cobra.Command {
	var partitions int32
	var replication int16
	var configs []string
	var exists bool
	cmd := &cobra.Command{
		Use: "create TOPIC", Short: "Create a topic", Args: exact("TOPIC"),
		Example: "  mainstem topic create CC-PAYMENT --partitions 3 --config cleanup.policy=compact",
		RunE: func(cmd *cobra.Command, args []string) error {
			settings := map[string]*string{}
			for _, kv := range configs {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					return usage("--config takes name=value, got %q", kv)
				}
				settings[k] = &v
			}
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				r, err := adm.CreateTopic(ctx, partitions, replication, settings, args[0])
				if err != nil {
					if exists && errors.Is(err, kerr.TopicAlreadyExists) {
						fmt.Fprintf(c.env.Err, "topic %s exists already\n", args[0])
						return nil
					}
					if r.ErrMessage != "" {
						err = fmt.Errorf("%w (%s)", err, r.ErrMessage)
					}
					return explain(args[0], err)
				}
				if c.json {
					return c.print(map[string]any{"topic": args[0], "id": r.ID.String(), "partitions": r.NumPartitions})
				}
				fmt.Fprintf(c.env.Out, "created %s with %d partition(s)\n", args[0], r.NumPartitions)
				return nil
			})
		},
	}
	cmd.Flags().Int32VarP(&partitions, "partitions", "p", -1, "number of partitions; -1: the cluster's default")
	cmd.Flags().Int16VarP(&replication, "replication", "r", -1, "number of replicas; -1: the cluster's default")
	cmd.Flags().StringArrayVarP(&configs, "config", "c", nil, "a topic setting, name=value")
	cmd.Flags().BoolVar(&exists, "if-not-exists", false, "do nothing when the topic exists")
	return cmd
}

func newTopicList(c *cluster) *cobra.Command {
	var internal bool
	cmd := &cobra.Command{
		Use: "list", Short: "List topics", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				list := adm.ListTopics
				if internal {
					list = adm.ListTopicsWithInternal
				}
				topics, err := list(ctx)
				if err != nil {
					return c.unreachable(err)
				}
				sorted := topics.Sorted()
				if c.json {
					out := make([]map[string]any, 0, len(sorted))
					for _, t := range sorted {
						out = append(out, map[string]any{"topic": t.Topic, "id": t.ID.String(), "partitions": len(t.Partitions)})
					}
					return c.print(out)
				}
				return c.table("TOPIC\tPARTITIONS", func(row func(...any)) {
					for _, t := range sorted {
						row(t.Topic, len(t.Partitions))
					}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&internal, "internal", false, "show internal topics too")
	return cmd
}

// A topicDescription is what describe prints.
type topicDescription struct {
	Topic      string                 `json:"topic"`
	ID         string                 `json:"id"`
	Partitions []partitionDescription `json:"partitions"`
	Configs    map[string]string      `json:"configs"`
}

type partitionDescription struct {
	Partition int32 `json:"partition"`
	Leader    int32 `json:"leader"`
	Start     int64 `json:"start"`
	End       int64 `json:"end"`
}

func newTopicDescribe(c *cluster) *cobra.Command {
	return &cobra.Command{
		Use: "describe TOPIC", Short: "Show a topic's partitions, offsets and settings", Args: exact("TOPIC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				d, err := describeTopic(ctx, adm, args[0])
				if err != nil {
					return explain(args[0], err)
				}
				if c.json {
					return c.print(d)
				}
				fmt.Fprintf(c.env.Out, "%s  id %s\n\n", d.Topic, d.ID)
				if err := c.table("PARTITION\tLEADER\tSTART\tEND\tRECORDS ≤", func(row func(...any)) {
					for _, p := range d.Partitions {
						row(p.Partition, p.Leader, p.Start, p.End, p.End-p.Start)
					}
				}); err != nil {
					return err
				}
				fmt.Fprintln(c.env.Out)
				return c.table("SETTING\tVALUE", func(row func(...any)) {
					names := make([]string, 0, len(d.Configs))
					for n := range d.Configs {
						names = append(names, n)
					}
					sort.Strings(names)
					for _, n := range names {
						row(n, d.Configs[n])
					}
				})
			})
		},
	}
}

// describeTopic asks without creating the topic.
func describeTopic(ctx context.Context, adm *kadm.Client, name string) (topicDescription, error) {
	topics, err := adm.ListTopics(ctx, name)
	if err != nil {
		return topicDescription{}, err
	}
	t := topics[name]
	if t.Err != nil {
		return topicDescription{}, t.Err
	}
	d := topicDescription{Topic: name, ID: t.ID.String(), Configs: map[string]string{}}
	starts, err := adm.ListStartOffsets(ctx, name)
	if err != nil {
		return d, err
	}
	ends, err := adm.ListEndOffsets(ctx, name)
	if err != nil {
		return d, err
	}
	for _, p := range t.Partitions.Sorted() {
		s, _ := starts.Lookup(name, p.Partition)
		e, _ := ends.Lookup(name, p.Partition)
		d.Partitions = append(d.Partitions, partitionDescription{p.Partition, p.Leader, s.Offset, e.Offset})
	}
	configs, err := adm.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return d, err
	}
	r, err := configs.On(name, nil)
	if err != nil {
		return d, err
	}
	for _, kv := range r.Configs {
		d.Configs[kv.Key] = kv.MaybeValue()
	}
	return d, nil
}

func newTopicDelete(c *cluster) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete TOPIC", Short: "Delete a topic and all its records", Args: exact("TOPIC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				d, err := describeTopic(ctx, adm, args[0])
				if err != nil {
					return explain(args[0], err)
				}
				records := int64(0)
				for _, p := range d.Partitions {
					records += p.End - p.Start
				}
				if !yes {
					return usage("deleting %s loses up to %d records in %d partition(s) for good: repeat with --yes", args[0], records, len(d.Partitions))
				}
				if _, err := adm.DeleteTopic(ctx, args[0]); err != nil {
					return explain(args[0], err)
				}
				if c.json {
					return c.print(map[string]any{"topic": args[0], "deleted": true})
				}
				fmt.Fprintf(c.env.Out, "deleted %s\n", args[0])
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete")
	return cmd
}
