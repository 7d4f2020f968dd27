// Package cli is the mainstem command: dev and demo run a node, topic works on any Kafka cluster.
//
// cmd/mainstem calls Main; commands call the public packages and franz-go's admin client, as any program could. Results go to
// standard output, progress and errors to standard error. Exit codes: 0 ok, 1 failed, 2 usage, 3 a contract would break.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// An Env is where a command reads and writes.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // Err is a terminal: live lines may be redrawn
}

// Main runs the command of the process and returns its exit code. The first interrupt stops cleanly, the second at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from now on a signal kills
	info, err := os.Stderr.Stat()
	env := Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
	return Run(ctx, env, os.Args[1:])
}

// Run runs one command line.
func Run(ctx context.Context, env Env, args []string) int {
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{code: exitUsage, name: "usage", err: err, next: "mainstem help"}
	}
	f.print(env.Err)
	return f.code
}

const (
	exitFailed = 1
	exitUsage  = 2
)

// A failure is an error as a person sees it: a stable name, what happened, and what to do next.
type failure struct {
	code int
	name string
	err  error
	next string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func (f *failure) print(w io.Writer) {
	fmt.Fprintf(w, "mainstem: %s [%s]\n", strings.ReplaceAll(f.err.Error(), "\n", "\n  "), f.name)
	if f.next != "" {
		fmt.Fprintf(w, "  next: %s\n", f.next)
	}
}

func failed(name string, err error, next string) error {
	return &failure{code: exitFailed, name: name, err: err, next: next}
}

func usage(format string, args ...any) error {
	return &failure{code: exitUsage, name: "usage", err: fmt.Errorf(format, args...)}
}

// Version is set by release builds; otherwise the module's version or commit is shown.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}

func newRoot(env Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "mainstem",
		Short: "Share data between services as streams: broker, pipelines and delivery in one binary",
		Long: `Mainstem lets independent services share data as streams. Each publishes to a topic with any Kafka client;
pipelines derive new streams and tables; sinks write results into other services' databases, exactly once.`,
		Example:       "  mainstem demo payments\n  mainstem dev --data ./data\n  mainstem topic consume CC-PAYMENT --from start",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.AddCommand(newTopic(env), newGroup(env), newTransaction(env), newUser(env), newACL(env), newStatus(env), newPipeline(env), newSQL(env), newTest(env), newFsck(env), newDev(env), newWorker(env), newDemo(env))
	return root
}

// exact demands n arguments and names them.
func exact(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usage("%s takes %s, got %d argument(s)", cmd.CommandPath(), strings.Join(names, " and "), len(args))
		}
		return nil
	}
}
