package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

// A target is where reset moves positions.
type target struct {
	kind  targetKind
	value int64 // offset, milliseconds or shift
}

type targetKind int

const (
	toEarliest targetKind = iota
	toLatest
	toOffset
	toTime
	toShift
)

// parseTarget reads what --to takes.
func parseTarget(text string) (target, error) {
	switch text {
	case "earliest":
		return target{kind: toEarliest}, nil
	case "latest":
		return target{kind: toLatest}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if strings.HasPrefix(text, "+") || n < 0 {
			return target{toShift, n}, nil
		}
		return target{toOffset, n}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return target{toTime, t.UnixMilli()}, nil
		}
	}
	return target{}, usage("--to takes earliest, latest, an offset, a shift such as +10 or -10, or a time such as 2026-01-31T12:00:00Z, got %q", text)
}

// A move is one position before and after.
type move struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"` // -1: none yet
	To        int64  `json:"to"`
}

// A resetReport is what group reset prints.
type resetReport struct {
	Group    string `json:"group"`
	Executed bool   `json:"executed"`
	Moves    []move `json:"moves"`
}

func newGroupReset(c *cluster) *cobra.Command {
	var to string
	var topics []string
	var execute bool
	cmd := &cobra.Command{
		Use: "reset GROUP --to WHERE", Short: "Move a group's positions; shows what it would do unless --execute is given", Args: exact("GROUP"),
		Long: `Moves the positions of a group that has no members. WHERE is earliest, latest, an offset, a shift (+10, -10), or a time: the
first record at or after it. Positions stay within each partition's log. Without --topic all topics with a position are moved; with
it, all partitions of the topics, or those named as TOPIC:0,1.`,
		Example: "  mainstem group reset billing --to earliest --topic orders\n  mainstem group reset billing --to 2026-01-31T12:00:00Z --execute",
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(to)
			if err != nil {
				return err
			}
			only, err := parseTopics(topics)
			if err != nil {
				return err
			}
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return c.resetGroup(ctx, adm, resetRequest{args[0], t, only, execute})
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "where to: earliest, latest, an offset, +N, -N or a time")
	cmd.Flags().StringArrayVar(&topics, "topic", nil, "only this topic, or these partitions of it: orders or orders:0,2; may be repeated")
	cmd.Flags().BoolVar(&execute, "execute", false, "really move")
	_ = cmd.MarkFlagRequired("to") // the flag exists
	return cmd
}

type resetRequest struct {
	group   string
	to      target
	only    map[string][]int32 // topic → partitions, nil for all of it; empty: what has a position
	execute bool
}

// parseTopics reads TOPIC and TOPIC:0,1.
func parseTopics(texts []string) (map[string][]int32, error) {
	only := map[string][]int32{}
	for _, text := range texts {
		topic, list, some := strings.Cut(text, ":")
		if topic == "" {
			return nil, usage("--topic takes TOPIC or TOPIC:0,1, got %q", text)
		}
		if !some {
			only[topic] = nil
			continue
		}
		for _, n := range strings.Split(list, ",") {
			p, err := strconv.ParseInt(n, 10, 32)
			if err != nil || p < 0 {
				return nil, usage("--topic takes TOPIC or TOPIC:0,1, got %q", text)
			}
			only[topic] = append(only[topic], int32(p))
		}
	}
	return only, nil
}

func (c *cluster) resetGroup(ctx context.Context, adm *kadm.Client, r resetRequest) error {
	d, err := loadGroup(ctx, adm, r.group)
	unknown := err != nil
	if unknown && len(r.only) == 0 {
		return explainGroup(r.group, err) // with topics, a reset may make the group
	}
	if !unknown && d.active() {
		return failed("group_active", fmt.Errorf("group %s is %s with %d member(s), which would overwrite the new positions", r.group, d.State, len(d.Members)),
			"stop the members first: mainstem group describe "+r.group+" shows them")
	}
	moves, err := plannedMoves(ctx, adm, r, d)
	if err != nil {
		return err
	}
	if len(moves) == 0 {
		return failed("nothing_to_reset", fmt.Errorf("group %s has no position", r.group), "name a topic with --topic")
	}
	if r.execute {
		var os kadm.Offsets
		for _, m := range moves {
			os.AddOffset(m.Topic, m.Partition, m.To, -1)
		}
		if err := adm.CommitAllOffsets(ctx, r.group, os); err != nil {
			return explainGroup(r.group, err)
		}
	}
	return c.printMoves(resetReport{r.group, r.execute, moves})
}

func (c *cluster) printMoves(r resetReport) error {
	if c.json {
		return c.print(r)
	}
	err := c.table("TOPIC\tPARTITION\tFROM\tTO\tCHANGE", func(row func(...any)) {
		for _, m := range r.Moves {
			change := "new"
			if m.From >= 0 {
				change = fmt.Sprintf("%+d", m.To-m.From)
			}
			row(m.Topic, m.Partition, lagText(m.From), m.To, change)
		}
	})
	if err != nil {
		return err
	}
	if r.Executed {
		fmt.Fprintf(c.env.Out, "\nmoved %d position(s) of %s\n", len(r.Moves), r.Group)
	} else {
		fmt.Fprintf(c.env.Out, "\nnothing was changed: repeat with --execute to move %d position(s) of %s\n", len(r.Moves), r.Group)
	}
	return nil
}

// plannedMoves finds where each position would go.
func plannedMoves(ctx context.Context, adm *kadm.Client, r resetRequest, d groupDescription) ([]move, error) {
	current := map[string]map[int32]int64{}
	for _, p := range d.Partitions {
		if p.Committed < 0 {
			continue
		}
		if current[p.Topic] == nil {
			current[p.Topic] = map[int32]int64{}
		}
		current[p.Topic][p.Partition] = p.Committed
	}
	var topics []string
	if len(r.only) > 0 {
		for t := range r.only {
			topics = append(topics, t)
		}
	} else {
		for t := range current {
			topics = append(topics, t)
		}
	}
	slices.Sort(topics)
	if len(topics) == 0 {
		return nil, nil
	}
	b, err := boundsOf(ctx, adm, r.to, topics)
	if err != nil {
		return nil, err
	}
	var moves []move
	for _, t := range topics {
		for p := range int32(len(b.starts[t])) {
			from, has := current[t][p]
			only := r.only[t]
			if len(r.only) == 0 && !has || len(only) > 0 && !slices.Contains(only, p) {
				continue
			}
			if !has {
				from = -1
			}
			moves = append(moves, move{t, p, from, b.place(r.to, t, p, from)})
		}
		for _, p := range r.only[t] {
			if int(p) >= len(b.starts[t]) {
				return nil, usage("topic %s has no partition %d", t, p)
			}
		}
	}
	return moves, nil
}

// bounds are the first and next offsets of topics, and where the target's time is.
type bounds struct{ starts, ends, times kadm.ListedOffsets }

func boundsOf(ctx context.Context, adm *kadm.Client, to target, topics []string) (b bounds, err error) {
	if b.starts, err = adm.ListStartOffsets(ctx, topics...); err == nil {
		b.ends, err = adm.ListEndOffsets(ctx, topics...)
	}
	if err == nil && to.kind == toTime {
		b.times, err = adm.ListOffsetsAfterMilli(ctx, to.value, topics...)
	}
	if err != nil {
		return b, failed("failed", fmt.Errorf("offsets of %s: %w", strings.Join(topics, ", "), err), "")
	}
	for _, listed := range []kadm.ListedOffsets{b.starts, b.ends, b.times} {
		for topic, ps := range listed {
			for _, o := range ps {
				if o.Err != nil {
					return b, explain(topic, o.Err)
				}
			}
		}
	}
	return b, nil
}

// place is where a position goes, within the partition's log.
func (b bounds) place(to target, topic string, partition int32, from int64) int64 {
	start, end := b.starts[topic][partition].Offset, b.ends[topic][partition].Offset
	at := start
	switch to.kind {
	case toEarliest:
	case toLatest:
		at = end
	case toOffset:
		at = to.value
	case toTime:
		if at = b.times[topic][partition].Offset; at < 0 { // nothing is that new
			at = end
		}
	case toShift:
		at = max(from, 0) + to.value
	}
	return min(max(at, start), end)
}
