package consumer

import (
	"cmp"
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

// An interest is an expression with whose eyes look at the topics: who may not see all of them.
type interest struct{ expr, principal, host string }

// interest is what the member's expression stands for now; the zero value when it has none. A member of whom nobody knows yet who it is,
// from a record of an older program, keeps what it had until it says so.
func (m *Member) interest(t Topics) interest {
	if m.Regex == "" || m.Principal == "" || !t.Guarded() {
		return interest{expr: m.Regex}
	}
	return interest{m.Regex, m.Principal, m.ClientHost}
}

// A pattern is an interest with what it matches. Each name is matched once.
type pattern struct {
	re      *regexp.Regexp
	version uint64          // Topics.Version + 1 when the maps were complete
	matched map[string]bool // by the expression alone
	decided map[string]bool // those of it that may be seen
}

// look matches names that are new and asks again which may be seen.
func (p *pattern) look(t Topics, of interest) {
	now := make(map[string]bool, len(p.matched))
	for name := range t.Names() {
		match, known := p.matched[name]
		if !known {
			match = p.re.MatchString(name)
		}
		now[name] = match
	}
	p.matched, p.decided, p.version = now, now, t.Version()+1
	if of.principal == "" {
		return
	}
	p.decided = make(map[string]bool, len(now))
	for name, match := range now {
		p.decided[name] = match && t.Visible(of.principal, of.host, name)
	}
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

// matches tells for each topic name whether a member's expression matches it and its member may see it. One that cannot be compiled,
// which no heartbeat lets in, matches nothing.
func (g *Group) matches(t Topics, of interest) map[string]bool {
	if of.expr == "" {
		return nil
	}
	p := g.patterns[of]
	if p == nil {
		re, err := compile(of.expr)
		if err != nil {
			return nil
		}
		p = &pattern{re: re}
		g.patterns[of] = p
	}
	if p.version != t.Version()+1 {
		p.look(t, of)
	}
	return p.decided
}

// subscribes reports whether the member wants a topic, by name or by expression.
func (g *Group) subscribes(t Topics, m *Member, name string) bool {
	if _, ok := slices.BinarySearch(m.Topics, name); ok {
		return true
	}
	return g.matches(t, m.interest(t))[name]
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
	wanted := map[interest]struct{}{}
	for _, m := range g.members {
		for _, name := range m.Topics {
			names[name] = struct{}{}
		}
		if m.Regex != "" {
			wanted[m.interest(t)] = struct{}{}
		}
	}
	for of := range wanted {
		for name, match := range g.matches(t, of) {
			if match {
				names[name] = struct{}{}
			}
		}
	}
	maps.DeleteFunc(g.patterns, func(of interest, _ *pattern) bool {
		_, used := wanted[of]
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

// hash tells apart the sets of subscribed topics with their ids and partition counts, and what of them those see who may not see all. It
// is durable: the same in every version.
func (g *Group) hash(t Topics) uint64 {
	h := fnv.New64a()
	var b []byte
	for _, topic := range g.subscribed(t) {
		b = binary.BigEndian.AppendUint32(b[:0], uint32(len(topic.Name)))
		b = append(append(b, topic.Name...), topic.ID[:]...)
		_, _ = h.Write(binary.BigEndian.AppendUint32(b, uint32(topic.Partitions)))
	}
	for _, of := range slices.SortedFunc(maps.Keys(g.patterns), interest.compare) {
		if of.principal == "" {
			continue
		}
		seen := []string{of.expr, of.principal, of.host}
		for _, name := range slices.Sorted(maps.Keys(g.patterns[of].decided)) {
			if g.patterns[of].decided[name] {
				seen = append(seen, name)
			}
		}
		for _, s := range append(seen, "") {
			_, _ = h.Write(append(binary.BigEndian.AppendUint32(b[:0], uint32(len(s))), s...))
		}
	}
	g.seen = t.Version() + 1
	return h.Sum64()
}

func (i interest) compare(o interest) int {
	return cmp.Or(cmp.Compare(i.expr, o.expr), cmp.Compare(i.principal, o.principal), cmp.Compare(i.host, o.host))
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
	for name, match := range g.matches(t, m.interest(t)) {
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
