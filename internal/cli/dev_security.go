package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstemio/mainstem"
)

// securityFlags say who may use a node's Kafka address, and how.
type securityFlags struct {
	tls         mainstem.TLS
	sasl        []string
	lifetime    time.Duration
	authorize   bool
	supers      []string
	openNoACL   bool
	adminFile   string
	trusted     bool
	connections int
	perAddress  int
}

// adminEnv may hold the administrator instead of --admin-file.
const adminEnv = "MAINSTEM_ADMIN"

func (f *securityFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.tls.CertFile, "tls-cert", "", "serve Kafka clients over TLS with this certificate, in PEM; changed files count at once")
	flags.StringVar(&f.tls.KeyFile, "tls-key", "", "key of --tls-cert, in PEM")
	flags.StringVar(&f.tls.ClientCAFile, "tls-client-ca", "", "authority of client certificates, in PEM")
	flags.StringVar(&f.tls.ClientAuth, "tls-client-auth", "", "client certificates: none, requested or required (default required with --tls-client-ca)")
	flags.StringSliceVar(&f.sasl, "sasl", nil, "Kafka clients log in by these mechanisms: SCRAM-SHA-512, SCRAM-SHA-256, PLAIN (--sasl alone: all)")
	flags.Lookup("sasl").NoOptDefVal = "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN"
	flags.DurationVar(&f.lifetime, "session-lifetime", 0, "clients repeat their login after this time (0: never)")
	flags.BoolVar(&f.authorize, "authorize", false, "enforce ACLs: what none allows is refused")
	flags.StringArrayVar(&f.supers, "super-user", nil, "a principal to whom ACLs do not apply, such as User:admin; implies --authorize")
	flags.BoolVar(&f.openNoACL, "allow-if-no-acl", false, "allow everybody what no ACL is about")
	flags.StringVar(&f.adminFile, "admin-file", "", "file with name:password of an administrator, who exists before anybody can connect; or "+adminEnv)
	flags.BoolVar(&f.trusted, "trusted-network", false, "serve addresses that other machines reach though nobody has to log in there")
	flags.IntVar(&f.connections, "max-connections", 0, "connections of Kafka clients (0: 8192)")
	flags.IntVar(&f.perAddress, "max-connections-per-address", 0, "connections of one client address (0: 2048)")
}

func (f *securityFlags) options() ([]mainstem.Option, error) {
	opts := []mainstem.Option{mainstem.WithLimits(mainstem.Limits{Connections: f.connections, ConnectionsPerAddress: f.perAddress})}
	if f.tls != (mainstem.TLS{}) {
		if f.tls.CertFile == "" || f.tls.KeyFile == "" {
			return nil, usage("TLS needs --tls-cert and --tls-key")
		}
		opts = append(opts, mainstem.WithTLS(f.tls))
	}
	if len(f.sasl) > 0 {
		opts = append(opts, mainstem.WithSASL(f.sasl...), mainstem.WithSessionLifetime(f.lifetime))
	}
	if f.authorize || len(f.supers) > 0 {
		supers := make([]string, len(f.supers))
		for i, s := range f.supers {
			supers[i] = principal(s)
		}
		opts = append(opts, mainstem.WithAuthorization(supers...))
	}
	if f.openNoACL {
		opts = append(opts, mainstem.WithOpenResources())
	}
	if f.trusted {
		opts = append(opts, mainstem.WithTrustedNetwork())
	}
	name, password, err := f.admin()
	if err != nil {
		return nil, err
	}
	if name != "" {
		opts = append(opts, mainstem.WithAdministrator(name, password))
	}
	return opts, nil
}

// principal adds the type that all users have.
func principal(s string) string {
	if strings.Contains(s, ":") {
		return s
	}
	return "User:" + s
}

// admin reads the administrator; a file that others may read is refused.
func (f *securityFlags) admin() (name, password string, err error) {
	if f.adminFile != "" {
		info, err := os.Stat(f.adminFile)
		if err != nil {
			return "", "", usage("--admin-file: %w", err)
		}
		if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			return "", "", failed("open_secret", fmt.Errorf("--admin-file %s can be read by others (mode %04o)", f.adminFile, info.Mode().Perm()), "chmod 600 "+f.adminFile)
		}
	}
	line, err := secret(adminEnv, f.adminFile, nil)
	if err != nil || line == "" {
		return "", "", err
	}
	name, password, ok := strings.Cut(line, ":")
	if !ok || name == "" || password == "" {
		return "", "", usage("an administrator is given as name:password")
	}
	return name, password, nil
}

// reloadOnHangup takes changed TLS files at each SIGHUP until ctx ends.
func reloadOnHangup(ctx context.Context, env Env, n *mainstem.Node) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-hangup:
			if err := n.ReloadTLS(); err != nil {
				fmt.Fprintf(env.Err, "mainstem: %v; the files as they were before go on\n", err)
			}
		case <-ctx.Done():
			return
		case <-n.Done():
			return
		}
	}
}
