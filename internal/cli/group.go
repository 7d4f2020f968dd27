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

func newGroup(env Env) *cobra.Command {
	c := &cluster{env: env}
	cmd := &cobra.Command{Use: "group", Short: "List, describe, reset and delete consumer groups on any Kafka cluster"}
	c.register(cmd)
	cmd.AddCommand(newGroupList(c), newGroupDescribe(c), newGroupReset(c), newGroupDelete(c))
	return cmd
}

// explainGroup names a group error by Kafka's stable word.
func explainGroup(group string, err error) error {
	var ke *kerr.Error
	if !errors.As(err, &ke) {
		return failed("failed", fmt.Errorf("group %s: %w", group, err), "")
	}
	next := ""
	switch {
	case errors.Is(err, kerr.GroupIDNotFound):
		next = "mainstem group list"
	case errors.Is(err, kerr.NonEmptyGroup), errors.Is(err, kerr.GroupSubscribedToTopic), errors.Is(err, kerr.UnknownMemberID):
		next = "stop the group's members: mainstem group describe " + group + " shows them"
	}
	return failed(strings.ToLower(ke.Message), fmt.Errorf("group %s: %s", group, ke.Description), next)
}

func newGroupList(c *cluster) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List groups with their lag", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				groups, err := listGroups(ctx, adm)
				if err != nil {
					return err
				}
				if c.json {
					return c.print(groups)
				}
				return c.table("GROUP\tSTATE\tPROTOCOL\tMEMBERS\tLAG", func(row func(...any)) {
					for _, g := range groups {
						row(g.Group, g.State, orDash(g.Protocol), len(g.Members), g.Lag)
					}
				})
			})
		},
	}
}

func newGroupDescribe(c *cluster) *cobra.Command {
	return &cobra.Command{
		Use: "describe GROUP", Short: "Show a group's members, positions and lag", Args: exact("GROUP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				d, err := describeGroup(ctx, adm, args[0])
				if err != nil {
					return err
				}
				if c.json {
					return c.print(d)
				}
				return c.printGroup(d)
			})
		},
	}
}

func (c *cluster) printGroup(d groupDescription) error {
	fmt.Fprintf(c.env.Out, "%s  state %s, protocol %s, %d member(s), lag %d\n\n", d.Group, d.State, orDash(d.Protocol), len(d.Members), d.Lag)
	err := c.table("TOPIC\tPARTITION\tCOMMITTED\tEND\tLAG\tCLIENT", func(row func(...any)) {
		for _, p := range d.Partitions {
			row(p.Topic, p.Partition, lagText(p.Committed), lagText(p.End), lagText(p.Lag), orDash(p.Client))
		}
	})
	if err != nil || len(d.Members) == 0 {
		return err
	}
	fmt.Fprintln(c.env.Out)
	return c.table("MEMBER\tCLIENT\tHOST\tINSTANCE", func(row func(...any)) {
		for _, m := range d.Members {
			row(short(m.ID, 40), m.Client, m.Host, orDash(m.Instance))
		}
	})
}

func newGroupDelete(c *cluster) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete GROUP", Short: "Delete a group with its positions", Args: exact("GROUP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				d, err := describeGroup(ctx, adm, args[0])
				if err != nil {
					return err
				}
				if !yes {
					return usage("deleting %s loses its positions in %d partition(s) for good: repeat with --yes", args[0], committed(d))
				}
				if _, err := adm.DeleteGroup(ctx, args[0]); err != nil {
					return explainGroup(args[0], err)
				}
				if c.json {
					return c.print(map[string]any{"group": args[0], "deleted": true})
				}
				fmt.Fprintf(c.env.Out, "deleted %s\n", args[0])
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete")
	return cmd
}

func committed(d groupDescription) (n int) {
	for _, p := range d.Partitions {
		if p.Committed >= 0 {
			n++
		}
	}
	return n
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// lagText writes an offset or lag, a dash where there is none.
func lagText(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
