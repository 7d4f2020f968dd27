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

func newACL(env Env) *cobra.Command {
	c := &cluster{env: env}
	cmd := &cobra.Command{Use: "acl", Short: "Add, list and remove access control lists of any Kafka cluster"}
	c.register(cmd)
	cmd.AddCommand(newACLAdd(c), newACLList(c), newACLRemove(c))
	return cmd
}

// An aclSet is what flags say about ACLs: rules to add, or a filter.
type aclSet struct {
	allow, deny, hosts, operations []string
	topics, groups, ids            []string
	cluster, prefixed              bool
}

func (s *aclSet) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&s.allow, "allow", nil, "principals that are allowed, such as User:alice (User: may be left out) or User:*")
	flags.StringSliceVar(&s.deny, "deny", nil, "principals that are denied; this beats what is allowed")
	flags.StringSliceVar(&s.hosts, "host", nil, "client addresses that it is about")
	flags.StringSliceVarP(&s.operations, "operation", "o", nil, "read, write, create, delete, alter, describe, cluster-action, describe-configs, alter-configs, idempotent-write or all")
	flags.StringSliceVar(&s.topics, "topic", nil, "topics; * means all")
	flags.StringSliceVar(&s.groups, "group", nil, "consumer groups; * means all")
	flags.StringSliceVar(&s.ids, "transactional-id", nil, "transactional ids; * means all")
	flags.BoolVar(&s.cluster, "cluster", false, "the cluster itself")
	flags.BoolVar(&s.prefixed, "prefixed", false, "names are what names begin with")
}

func (s *aclSet) named() bool { return len(s.topics)+len(s.groups)+len(s.ids) > 0 || s.cluster }

// build makes the client's form. Without filter, what is not said takes the default of a rule; with it, it means any.
func (s *aclSet) build(filter bool) (*kadm.ACLBuilder, error) {
	b := kadm.NewACLs()
	ops := []kadm.ACLOperation{}
	for _, o := range s.operations {
		var op kadm.ACLOperation
		if err := op.UnmarshalText([]byte(o)); err != nil || op == kadm.OpUnknown {
			return nil, usage("--operation %s is unknown", o)
		}
		ops = append(ops, op)
	}
	principals := func(in []string) []string {
		out := make([]string, len(in))
		for i, p := range in {
			out[i] = principal(p)
		}
		return out
	}
	hosts := s.hosts
	if !filter && len(hosts) == 0 {
		hosts = []string{"*"}
	}
	if len(s.allow) > 0 || filter && len(s.deny) == 0 {
		b.Allow(principals(s.allow)...).AllowHosts(hosts...)
	}
	if len(s.deny) > 0 || filter && len(s.allow) == 0 {
		b.Deny(principals(s.deny)...).DenyHosts(hosts...)
	}
	b.Operations(ops...)
	s.resources(b, filter)
	return b, nil
}

func (s *aclSet) resources(b *kadm.ACLBuilder, filter bool) {
	if filter && !s.named() {
		b.AnyResource()
	}
	if len(s.topics) > 0 {
		b.Topics(s.topics...)
	}
	if len(s.groups) > 0 {
		b.Groups(s.groups...)
	}
	if len(s.ids) > 0 {
		b.TransactionalIDs(s.ids...)
	}
	if s.cluster {
		b.Clusters()
	}
	switch {
	case s.prefixed:
		b.ResourcePatternType(kadm.ACLPatternPrefixed)
	case filter:
		b.ResourcePatternType(kadm.ACLPatternAny)
	default:
		b.ResourcePatternType(kadm.ACLPatternLiteral)
	}
}

// aclLine is an ACL as it is printed.
type aclLine struct {
	Resource   string `json:"resource"`
	Name       string `json:"name"`
	Pattern    string `json:"pattern"`
	Permission string `json:"permission"`
	Principal  string `json:"principal"`
	Host       string `json:"host"`
	Operation  string `json:"operation"`
}

func (c *cluster) printACLs(lines []aclLine) error {
	if c.json {
		return c.print(lines)
	}
	return c.table("RESOURCE\tNAME\tPATTERN\tPERMISSION\tPRINCIPAL\tHOST\tOPERATION", func(row func(...any)) {
		for _, l := range lines {
			row(l.Resource, l.Name, l.Pattern, l.Permission, l.Principal, l.Host, l.Operation)
		}
	})
}

// explainACL names an error about ACLs by Kafka's stable word.
func explainACL(err error, detail string) error {
	if err == nil {
		return nil
	}
	var ke *kerr.Error
	if !errors.As(err, &ke) {
		return failed("failed", fmt.Errorf("ACLs: %w", err), "")
	}
	if detail == "" {
		detail = ke.Description
	}
	next := ""
	switch {
	case errors.Is(err, kerr.SecurityDisabled):
		next = "start the node with --authorize"
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		next = "log in as an administrator: --sasl-user, or a super user of the node"
	}
	return failed(strings.ToLower(ke.Message), fmt.Errorf("ACLs: %s", detail), next)
}

func newACLAdd(c *cluster) *cobra.Command {
	s := &aclSet{}
	cmd := &cobra.Command{
		Use: "add", Short: "Allow or deny principals operations on resources", Args: exact(),
		Example: "  mainstem acl add --allow alice --operation read --topic PAYMENT-OUTPUT --group customer\n" +
			"  mainstem acl add --allow pipeline --operation all --topic payment- --transactional-id payment- --prefixed",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(s.allow)+len(s.deny) == 0 || len(s.operations) == 0 || !s.named() {
				return usage("acl add needs --allow or --deny, --operation, and what it is about: --topic, --group, --transactional-id or --cluster")
			}
			b, err := s.build(false)
			if err != nil {
				return err
			}
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				res, err := adm.CreateACLs(ctx, b)
				if err != nil {
					return explainACL(err, "")
				}
				lines := []aclLine{}
				for _, r := range res {
					if r.Err != nil {
						return explainACL(r.Err, r.ErrMessage)
					}
					lines = append(lines, aclLine{r.Type.String(), r.Name, r.Pattern.String(), r.Permission.String(), r.Principal, r.Host, r.Operation.String()})
				}
				return c.printACLs(lines)
			})
		},
	}
	s.register(cmd)
	return cmd
}

func newACLList(c *cluster) *cobra.Command {
	s := &aclSet{}
	cmd := &cobra.Command{
		Use: "list", Short: "List ACLs, all or those that the flags describe", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := s.build(true)
			if err != nil {
				return err
			}
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				res, err := adm.DescribeACLs(ctx, b)
				if err != nil {
					return explainACL(err, "")
				}
				lines := []aclLine{}
				for _, r := range res {
					if r.Err != nil {
						return explainACL(r.Err, r.ErrMessage)
					}
					for _, d := range r.Described {
						lines = append(lines, aclLine{d.Type.String(), d.Name, d.Pattern.String(), d.Permission.String(), d.Principal, d.Host, d.Operation.String()})
					}
				}
				return c.printACLs(lines)
			})
		},
	}
	s.register(cmd)
	return cmd
}

func newACLRemove(c *cluster) *cobra.Command {
	s := &aclSet{}
	all := false
	cmd := &cobra.Command{
		Use: "remove", Short: "Remove the ACLs that the flags describe", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !all && len(s.allow)+len(s.deny)+len(s.operations)+len(s.hosts) == 0 && !s.named() {
				return usage("acl remove without any description removes all ACLs: repeat with --all")
			}
			b, err := s.build(true)
			if err != nil {
				return err
			}
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				res, err := adm.DeleteACLs(ctx, b)
				if err != nil {
					return explainACL(err, "")
				}
				lines := []aclLine{}
				for _, r := range res {
					if r.Err != nil {
						return explainACL(r.Err, r.ErrMessage)
					}
					for _, d := range r.Deleted {
						lines = append(lines, aclLine{d.Type.String(), d.Name, d.Pattern.String(), d.Permission.String(), d.Principal, d.Host, d.Operation.String()})
					}
				}
				return c.printACLs(lines)
			})
		},
	}
	s.register(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "really remove all ACLs")
	return cmd
}
