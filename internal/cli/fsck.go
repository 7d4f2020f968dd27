package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstemio/mainstem/internal/fsck"
)

func newFsck(env Env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "fsck DIR", Short: "Verify a data directory offline and explain every finding", Args: exact("DIR"),
		Long: `Reads everything in the data directory of a stopped node, changes nothing, and says of each finding which file and
which offsets are concerned, what the node will do about it, and what you can do.

Exit codes: 0 clean, or only findings that are harmless or that the next start repairs; 1 data is damaged; 2 the directory could
not be checked.`,
		Example: "  mainstem fsck mainstem-data\n  mainstem fsck /var/lib/mainstem --json",
		RunE: func(_ *cobra.Command, args []string) error {
			progress := newProgress(env, "checking")
			r, err := fsck.Check(args[0], fsck.Options{Progress: progress.show})
			progress.clear()
			if err != nil {
				return notChecked(err)
			}
			if asJSON {
				enc := json.NewEncoder(env.Out)
				enc.SetEscapeHTML(false)
				err = enc.Encode(r)
			} else {
				err = printReport(env.Out, r)
			}
			if err == nil && r.Worst() == fsck.Damage {
				err = failed("damaged", fmt.Errorf("%s: %d finding(s) of damage", args[0], countDamage(r)), "follow the next step of each finding; keep a copy of the directory first")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// notChecked is an error of fsck itself: never exit code 1, which says that data is damaged.
func notChecked(err error) error {
	f := &failure{code: exitUsage, name: "not_checked", err: err}
	switch {
	case errors.Is(err, fsck.ErrLocked):
		f.name, f.next = "locked", "stop the node that uses the directory, or check a copy made while it was stopped"
	case errors.Is(err, fsck.ErrNoData):
		f.name, f.next = "no_data", "give the directory that was given to --data; it holds broker/ or state/"
	case errors.Is(err, fs.ErrPermission):
		f.name, f.next = "permission", "run fsck as the user that runs the node"
	}
	return f
}

func countDamage(r fsck.Report) (n int) {
	for _, f := range r.Findings {
		if f.Severity == fsck.Damage {
			n++
		}
	}
	return n
}

// printReport writes what was read, each finding and the conclusion.
func printReport(w io.Writer, r fsck.Report) error {
	var b strings.Builder
	ending := "a process that was killed, or is a copy of a running node's"
	if r.Clean {
		ending = "an orderly end"
	}
	fmt.Fprintf(&b, "%s\n", r.Dir)
	b.WriteString(wrap("  ", fmt.Sprintf("%s partition(s), %s segment(s), %s batch(es), %s record(s); %s journal frame(s) behind checkpoint %d; "+
		"%s table(s); %s read. Left by %s.", countText(r.Partitions), countText(r.Segments), countText(r.Batches), countText(r.Records),
		countText(r.Frames), r.Checkpoint, countText(r.Tables), sizeText(r.Bytes), ending)))
	for _, f := range r.Findings {
		b.WriteString("\n" + findingText(f))
	}
	b.WriteString("\n" + verdict(r) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func findingText(f fsck.Finding) string {
	head := fmt.Sprintf("%s [%s] %s", strings.ToUpper(string(f.Severity)), f.Code, f.File)
	if f.At >= 0 {
		head += fmt.Sprintf(" at %d", f.At)
	}
	if f.Topic != "" {
		head += fmt.Sprintf("\n  %s/%d, offsets %d to %d", f.Topic, f.Partition, f.From, f.To-1)
	}
	return head + "\n" + wrap("  what  ", f.About) + wrap("  node  ", f.Node) + wrap("  next  ", f.Next)
}

func verdict(r fsck.Report) string {
	switch worst := r.Worst(); {
	case worst == fsck.Damage && !r.Starts:
		return "Damaged: the node does not start."
	case worst == fsck.Damage:
		return "Damaged: the node starts and serves what is whole."
	case worst == "":
		return "Clean."
	case worst == fsck.Repaired:
		return "No data is damaged: the node repairs what was found by itself."
	}
	return "No data is damaged."
}

// A progress redraws one line on a terminal, and is silent elsewhere.
type progress struct {
	env   Env
	what  string
	shown int64 // percent; -1 nothing yet
}

func newProgress(env Env, what string) *progress { return &progress{env, what, -1} }

func (p *progress) show(done, total int64) {
	if !p.env.Terminal || total == 0 {
		return
	}
	if percent := done * 100 / total; percent != p.shown {
		p.shown = percent
		fmt.Fprintf(p.env.Err, "\r%s: %3d %% of %s", p.what, percent, sizeText(total))
	}
}

func (p *progress) clear() {
	if p.shown >= 0 {
		fmt.Fprintf(p.env.Err, "\r%60s\r", "")
	}
}
