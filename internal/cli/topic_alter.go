package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func newTopicAlter(c *cluster) *cobra.Command {
	var partitions int
	var set, unset []string
	cmd := &cobra.Command{
		Use: "alter TOPIC", Short: "Change a topic's settings, or give it more partitions", Args: exact("TOPIC"),
		Long: `Changes settings one by one; --unset brings a setting back to the cluster's default. More partitions change which partition a
key goes to: records of one key are in order only within what was published before, or after.`,
		Example: "  mainstem topic alter orders --config retention.ms=86400000\n  mainstem topic alter orders --unset retention.ms --partitions 6",
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := parseChanges(set, unset)
			if err != nil {
				return err
			}
			if len(changes) == 0 && partitions == 0 {
				return usage("nothing to change: give --config, --unset or --partitions")
			}
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return c.alterTopic(ctx, adm, args[0], changes, partitions)
			})
		},
	}
	cmd.Flags().IntVarP(&partitions, "partitions", "p", 0, "number of partitions, more than now")
	cmd.Flags().StringArrayVarP(&set, "config", "c", nil, "a setting, name=value; may be repeated")
	cmd.Flags().StringArrayVar(&unset, "unset", nil, "a setting to bring back to its default; may be repeated")
	return cmd
}

func parseChanges(set, unset []string) ([]kadm.AlterConfig, error) {
	var out []kadm.AlterConfig
	for _, kv := range set {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return nil, usage("--config takes name=value, got %q", kv)
		}
		out = append(out, kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: kadm.StringPtr(v)})
	}
	for _, k := range unset {
		out = append(out, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: k})
	}
	return out, nil
}

// alterTopic changes the settings first: they can be taken back, partitions cannot.
func (c *cluster) alterTopic(ctx context.Context, adm *kadm.Client, topic string, changes []kadm.AlterConfig, partitions int) error {
	d, err := describeTopic(ctx, adm, topic)
	if err != nil {
		return explain(topic, err)
	}
	if partitions != 0 && partitions <= len(d.Partitions) {
		return usage("topic %s has %d partition(s) and can only get more: --partitions %d", topic, len(d.Partitions), partitions)
	}
	if len(changes) > 0 {
		rs, err := adm.AlterTopicConfigs(ctx, changes, topic)
		if err != nil {
			return explain(topic, err)
		}
		r, err := rs.On(topic, nil)
		if err == nil {
			err = r.Err
		}
		if err != nil {
			return explain(topic, withMessage(err, r.ErrMessage))
		}
	}
	if partitions != 0 {
		rs, err := adm.UpdatePartitions(ctx, partitions, topic)
		if err != nil {
			return explain(topic, err)
		}
		r, err := rs.On(topic, nil)
		if err == nil {
			err = r.Err
		}
		if err != nil {
			return explain(topic, withMessage(err, r.ErrMessage))
		}
	} else {
		partitions = len(d.Partitions)
	}
	if c.json {
		return c.print(map[string]any{"topic": topic, "changed": len(changes), "partitions": partitions})
	}
	fmt.Fprintf(c.env.Out, "changed %d setting(s) of %s, which has %d partition(s)\n", len(changes), topic, partitions)
	return nil
}

// withMessage adds the broker's own sentence to an error, keeping its code.
func withMessage(err error, message string) error {
	var ke *kerr.Error
	if message == "" || !errors.As(err, &ke) {
		return err
	}
	return &kerr.Error{Message: ke.Message, Code: ke.Code, Retriable: ke.Retriable, Description: message}
}
