package consumer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
)

// maxProgram bounds a compiled regular expression: matching takes time in proportion to it and nobody else is served meanwhile.
const maxProgram = 5000

var errTooComplex = errors.New("expression is too complex")

// A pattern is a regular expression with what it matches. Each name is matched once.
type pattern struct {
	re      *regexp.Regexp
	version uint64 // Topics.Version + 1 when decided was complete
	decided map[string]bool
}

// compile reads an expression (RE2 syntax) that must match a whole name.
func compile(expr string) (*regexp.Regexp, error) {
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > maxProgram {
		return nil, errTooComplex
	}
	re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("as a whole name: %w", err)
	}
	return re, nil
}

// wrong is what is wrong with an expression, in few words.
func wrong(err error) string {
	if e := (*syntax.Error)(nil); errors.As(err, &e) {
		return e.Code.String()
	}
	return err.Error()
}

// matches tells for each topic name whether an expression of a member matches it. One that cannot be compiled, which no heartbeat
// lets in, matches nothing.
func (g *Group) matches(t Topics, expr string) map[string]bool {
	if expr == "" {
		return nil
	}
	p := g.patterns[expr]
	if p == nil {
		re, err := compile(expr)
		if err != nil {
			return nil
		}
		p = &pattern{re: re}
		g.patterns[expr] = p
	}
	if p.version != t.Version()+1 {
		now := make(map[string]bool, len(p.decided))
		for name := range t.Names() {
			match, known := p.decided[name]
			if !known {
				match = p.re.MatchString(name)
			}
			now[name] = match
		}
		p.decided, p.version = now, t.Version()+1
	}
	return p.decided
}

// subscribes reports whether the member wants a topic, by name or by expression.
func (g *Group) subscribes(t Topics, m *Member, name string) bool {
	if _, ok := slices.BinarySearch(m.Topics, name); ok {
		return true
	}
	return g.matches(t, m.Regex)[name]
}

// Subscribes reports whether any member wants a topic.
func (g *Group) Subscribes(t Topics, name string) bool {
	for _, m := range g.members {
		if g.subscribes(t, m, name) {
			return true
		}
	}
	return false
}

// subscribed lists the topics that members want and that exist, by name.
func (g *Group) subscribed(t Topics) []assign.Topic {
	names := map[string]struct{}{}
	exprs := map[string]struct{}{}
	for _, m := range g.members {
		for _, name := range m.Topics {
			names[name] = struct{}{}
		}
		if m.Regex != "" {
			exprs[m.Regex] = struct{}{}
		}
	}
	for expr := range exprs {
		for name, match := range g.matches(t, expr) {
			if match {
				names[name] = struct{}{}
			}
		}
	}
	maps.DeleteFunc(g.patterns, func(expr string, _ *pattern) bool {
		_, used := exprs[expr]
		return !used
	})
	var out []assign.Topic
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if topic, ok := t.Topic(name); ok {
			out = append(out, topic)
		}
	}
	return out
}

// hash tells apart the sets of subscribed topics with their ids and partition counts. It is durable: the same in every version.
func (g *Group) hash(t Topics) uint64 {
	h := fnv.New64a()
	var b []byte
	for _, topic := range g.subscribed(t) {
		b = binary.BigEndian.AppendUint32(b[:0], uint32(len(topic.Name)))
		b = append(append(b, topic.Name...), topic.ID[:]...)
		_, _ = h.Write(binary.BigEndian.AppendUint32(b, uint32(topic.Partitions)))
	}
	g.seen = t.Version() + 1
	return h.Sum64()
}

// renew raises the group epoch when it must, or when the subscribed topics have changed, and makes the target for it.
func (c *Change) renew(t Topics, must bool) {
	g := c.g
	if must || g.seen != t.Version()+1 {
		if hash := g.hash(t); must || hash != g.metadata {
			c.bump(hash)
		}
	}
	if g.epoch != g.target {
		c.retarget(t)
	}
}

// retarget makes the target assignment of the group epoch.
func (c *Change) retarget(t Topics) {
	g := c.g
	r := assign.Request{Topics: g.subscribed(t)}
	at := make(map[string]int, len(r.Topics))
	for i := range r.Topics {
		at[r.Topics[i].Name] = i
	}
	members := g.Members()
	for _, m := range members {
		r.Members = append(r.Members, assign.Member{ID: m.ID, InstanceID: m.InstanceID, Topics: g.positions(t, m, at), Owned: m.Target})
	}
	for i, target := range g.assignor()(r) {
		if !target.Equal(members[i].Target) {
			m := *members[i]
			m.Target = target
			c.put(&m, partTarget)
		}
	}
	g.target = g.epoch
	c.epochs = true
}

// positions lists where a member's topics stand.
func (g *Group) positions(t Topics, m *Member, at map[string]int) []int {
	var out []int
	for _, name := range m.Topics {
		if i, ok := at[name]; ok {
			out = append(out, i)
		}
	}
	for name, match := range g.matches(t, m.Regex) {
		if i, ok := at[name]; ok && match {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Assignor is the name of the assignor that most members ask for; of equally many the one that stands first in assign.Names.
func (g *Group) Assignor() string {
	votes := map[string]int{}
	for _, m := range g.members {
		votes[m.Assignor]++
	}
	names := assign.Names()
	best := names[0]
	for _, name := range names[1:] {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

func (g *Group) assignor() assign.Assignor {
	a, ok := assign.Named(g.Assignor())
	if !ok {
		return assign.Uniform // Assignor names only those that exist
	}
	return a
}
