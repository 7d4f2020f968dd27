package group

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/format"
)

// The settings of a group that are followed here, by Kafka's names. All others are only kept.
const (
	sessionSetting   = "consumer.session.timeout.ms"
	heartbeatSetting = "consumer.heartbeat.interval.ms"
)

// A tuning is what was set of one group. It belongs to the name: it may come before its group and stays when that is deleted.
type tuning struct {
	values map[string]string // never changed
	times                    // 0: the node's
}

// times are those of the members of a consumer group.
type times struct{ session, heartbeat time.Duration }

// WithDefaults fills what is not set. The bounds of what a group may set are Kafka's (45 s to 60 s, 5 s to 15 s), and hold the node's
// own time in any case.
func (o ConsumerOptions) WithDefaults() ConsumerOptions {
	o.Session = cmp.Or(o.Session, 45*time.Second)
	o.MinSession = cmp.Or(o.MinSession, min(o.Session, 45*time.Second))
	o.MaxSession = cmp.Or(o.MaxSession, max(o.Session, time.Minute))
	o.Heartbeat = cmp.Or(o.Heartbeat, 5*time.Second)
	o.MinHeartbeat = cmp.Or(o.MinHeartbeat, min(o.Heartbeat, 5*time.Second))
	o.MaxHeartbeat = cmp.Or(o.MaxHeartbeat, max(o.Heartbeat, 15*time.Second))
	o.Migration = cmp.Or(o.Migration, MigrateBoth)
	return o
}

// Validate refuses times that contradict each other; it is for what WithDefaults returned.
func (o ConsumerOptions) Validate() error {
	switch {
	case o.Session < o.MinSession || o.Session > o.MaxSession:
		return fmt.Errorf("the session timeout of consumer groups, %v, must be from %v to %v", o.Session, o.MinSession, o.MaxSession)
	case o.Heartbeat < o.MinHeartbeat || o.Heartbeat > o.MaxHeartbeat:
		return fmt.Errorf("the heartbeat interval of consumer groups, %v, must be from %v to %v", o.Heartbeat, o.MinHeartbeat, o.MaxHeartbeat)
	case o.Heartbeat >= o.Session:
		return fmt.Errorf("the heartbeat interval of consumer groups, %v, must be below their session timeout, %v", o.Heartbeat, o.Session)
	}
	return nil
}

// Configure replaces what is set of a group; none forgets it. The caller has checked the values, which are kept: times must be numbers
// of milliseconds. Members follow with their next heartbeat.
func (g *Groups) Configure(group string, values map[string]string) (Effects, error) {
	if err := g.configure(group, values); err != nil {
		return Effects{}, err
	}
	return Effects{Records: [][]byte{appendSettings(nil, group, values)}}, nil
}

func (g *Groups) configure(group string, values map[string]string) error {
	if len(values) == 0 {
		delete(g.tunings, group)
		return nil
	}
	session, err1 := readMillis(values, sessionSetting)
	heartbeat, err2 := readMillis(values, heartbeatSetting)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("settings of group %q: %w", group, err)
	}
	g.tunings[group] = tuning{values, times{session, heartbeat}}
	return nil
}

// Settings returns what is set of a group, which need not exist.
func (g *Groups) Settings(group string) map[string]string { return g.tunings[group].values }

// Configured returns the names of the groups of which something is set, sorted.
func (g *Groups) Configured() []string { return slices.Sorted(maps.Keys(g.tunings)) }

// times returns those of a group: its own, within the node's bounds as they are now, or else the node's.
func (g *Groups) times(group string) times {
	o := &g.options.Consumer
	t := times{o.Session, o.Heartbeat}
	if own, ok := g.tunings[group]; ok {
		t.session = clamp(cmp.Or(own.session, t.session), o.MinSession, o.MaxSession)
		t.heartbeat = clamp(cmp.Or(own.heartbeat, t.heartbeat), o.MinHeartbeat, o.MaxHeartbeat)
	}
	return t
}

func clamp(d, low, high time.Duration) time.Duration { return max(low, min(d, high)) }

// readMillis reads a setting; 0 is one that is missing.
func readMillis(values map[string]string, name string) (time.Duration, error) {
	v, ok := values[name]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%s is %q, no number of milliseconds", name, v)
	}
	return time.Duration(n) * time.Millisecond, nil
}

func appendSettings(dst []byte, group string, values map[string]string) []byte {
	dst = binary.AppendUvarint(appendHeader(dst, kindSettings, group), uint64(len(values)))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		dst = format.AppendString(format.AppendString(dst, name), values[name])
	}
	return dst
}

func readSettings(r *format.Reader) map[string]string {
	n := r.Count(2)
	values := make(map[string]string, n)
	for range n {
		name := r.String()
		if _, twice := values[name]; twice {
			r.Fail("a setting twice")
		}
		values[name] = r.String()
	}
	return values
}
