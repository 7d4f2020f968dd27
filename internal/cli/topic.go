package cli

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func newTopic(env Env) *cobra.Command {
	c := &cluster{env: env}
	cmd := &cobra.Command{Use: "topic", Short: "Create, list, describe, fill, read and delete topics on any Kafka cluster"}
	c.register(cmd)
	cmd.AddCommand(newTopicCreate(c), newTopicList(c), newTopicDescribe(c), newTopicAlter(c), newTopicDelete(c), newTopicProduce(c), newTopicConsume(c))
	return cmd
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
	Sources    map[string]string      `json:"sources"` // of the settings: topic, broker, or default
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
				return c.table("SETTING\tVALUE\tFROM", func(row func(...any)) {
					names := make([]string, 0, len(d.Configs))
					for n := range d.Configs {
						names = append(names, n)
					}
					sort.Strings(names)
					for _, n := range names {
						row(n, d.Configs[n], d.Sources[n])
					}
				})
			})
		},
	}
}

// sourceText says where a setting comes from in a word.
func sourceText(source string) string {
	switch {
	case source == "DYNAMIC_TOPIC_CONFIG":
		return "topic"
	case strings.HasPrefix(source, "DEFAULT"):
		return "default"
	}
	return "broker"
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
	d := topicDescription{Topic: name, ID: t.ID.String(), Configs: map[string]string{}, Sources: map[string]string{}}
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
		d.Configs[kv.Key], d.Sources[kv.Key] = kv.MaybeValue(), sourceText(kv.Source.String())
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
