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

// userPasswordEnv holds the password of a user that is made.
const userPasswordEnv = "MAINSTEM_USER_PASSWORD"

func newUser(env Env) *cobra.Command {
	c := &cluster{env: env}
	cmd := &cobra.Command{Use: "user", Short: "Create, list and delete users of any Kafka cluster (SCRAM credentials)"}
	c.register(cmd)
	cmd.AddCommand(newUserCreate(c), newUserList(c), newUserDelete(c))
	return cmd
}

var scramMechanisms = map[string]kadm.ScramMechanism{"SCRAM-SHA-256": kadm.ScramSha256, "SCRAM-SHA-512": kadm.ScramSha512}

func scramOf(names []string) ([]kadm.ScramMechanism, error) {
	var out []kadm.ScramMechanism
	for _, n := range names {
		m, ok := scramMechanisms[strings.ToUpper(n)]
		if !ok {
			return nil, usage("--mechanism takes SCRAM-SHA-256 and SCRAM-SHA-512, got %q", n)
		}
		out = append(out, m)
	}
	return out, nil
}

func newUserCreate(c *cluster) *cobra.Command {
	var names []string
	var iterations int32
	var file string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create a user, or give one a new password", Args: exact("NAME"),
		Long:    "The password comes from --password-file (- is standard input) or " + userPasswordEnv + ", never from the command line.",
		Example: "  mainstem user create alice --password-file alice.secret\n  pwgen 24 1 | tee alice.secret | mainstem user create alice --password-file -",
		RunE: func(cmd *cobra.Command, args []string) error {
			ms, err := scramOf(names)
			if err != nil {
				return err
			}
			password, err := secret(userPasswordEnv, file, c.env.In)
			if err != nil {
				return err
			}
			if password == "" {
				return usage("a user needs a password: give --password-file or set %s", userPasswordEnv)
			}
			var upserts []kadm.UpsertSCRAM
			for _, m := range ms {
				upserts = append(upserts, kadm.UpsertSCRAM{User: args[0], Mechanism: m, Iterations: iterations, Password: password})
			}
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				if err := alterUser(ctx, adm, args[0], nil, upserts); err != nil {
					return err
				}
				return c.done(map[string]any{"user": args[0], "created": true}, "created user %s\n", args[0])
			})
		},
	}
	cmd.Flags().StringSliceVar(&names, "mechanism", []string{"SCRAM-SHA-256", "SCRAM-SHA-512"}, "credentials to make")
	cmd.Flags().Int32Var(&iterations, "iterations", 4096, "cost of guessing the password from a stolen data directory: 4096 to 16384")
	cmd.Flags().StringVar(&file, "password-file", "", "file with the password; - is standard input")
	return cmd
}

// done prints the result of a change.
func (c *cluster) done(v any, format string, args ...any) error {
	if c.json {
		return c.print(v)
	}
	fmt.Fprintf(c.env.Out, format, args...)
	return nil
}

func alterUser(ctx context.Context, adm *kadm.Client, name string, del []kadm.DeleteSCRAM, upsert []kadm.UpsertSCRAM) error {
	res, err := adm.AlterUserSCRAMs(ctx, del, upsert)
	if err != nil {
		return explainUser(name, err, "")
	}
	r, ok := res[name]
	if !ok {
		return failed("failed", fmt.Errorf("user %s: the cluster does not answer", name), "")
	}
	return explainUser(name, r.Err, r.ErrMessage)
}

// explainUser names an error about a user by Kafka's stable word.
func explainUser(name string, err error, detail string) error {
	if err == nil {
		return nil
	}
	var ke *kerr.Error
	if !errors.As(err, &ke) {
		return failed("failed", fmt.Errorf("user %s: %w", name, err), "")
	}
	if detail == "" {
		detail = ke.Description
	}
	next := ""
	if errors.Is(err, kerr.ClusterAuthorizationFailed) {
		next = "log in as an administrator: --sasl-user, or a super user of the node"
	}
	return failed(strings.ToLower(ke.Message), fmt.Errorf("user %s: %s", name, detail), next)
}

// describedUser is one line of user list.
type describedUser struct {
	User       string   `json:"user"`
	Mechanisms []string `json:"mechanisms"`
	Iterations []int32  `json:"iterations"`
}

func newUserList(c *cluster) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List users and their mechanisms", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				described, err := adm.DescribeUserSCRAMs(ctx)
				if err != nil {
					return explainUser("*", err, "")
				}
				out := []describedUser{}
				for _, u := range described.Sorted() {
					d := describedUser{User: u.User}
					for _, i := range u.CredInfos {
						d.Mechanisms, d.Iterations = append(d.Mechanisms, i.Mechanism.String()), append(d.Iterations, i.Iterations)
					}
					out = append(out, d)
				}
				if c.json {
					return c.print(out)
				}
				return c.table("USER\tMECHANISMS\tITERATIONS", func(row func(...any)) {
					for _, d := range out {
						row(d.User, strings.Join(d.Mechanisms, ", "), strings.Trim(fmt.Sprint(d.Iterations), "[]"))
					}
				})
			})
		},
	}
}

func newUserDelete(c *cluster) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete all credentials of a user; connections that are open go on until their session ends", Args: exact("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				described, err := adm.DescribeUserSCRAMs(ctx, args[0])
				if err != nil {
					return explainUser(args[0], err, "")
				}
				if u := described[args[0]]; u.Err != nil {
					return explainUser(args[0], u.Err, u.ErrMessage)
				}
				var dels []kadm.DeleteSCRAM
				for _, i := range described[args[0]].CredInfos {
					dels = append(dels, kadm.DeleteSCRAM{User: args[0], Mechanism: i.Mechanism})
				}
				if err := alterUser(ctx, adm, args[0], dels, nil); err != nil {
					return err
				}
				return c.done(map[string]any{"user": args[0], "deleted": true}, "deleted user %s\n", args[0])
			})
		},
	}
}
