package json

import (
	"fmt"
	"strconv"
	"strings"
)

// A path names a place in a JSON value.
type path struct {
	text  string
	steps []string // names of members, or indexes of elements
}

// parsePath reads "$.a.b[0]['c d']".
func parsePath(text string) (*path, error) {
	p := &path{text: text}
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, p.invalid()
	}
	for rest != "" {
		var step string
		switch {
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if len(rest) > 1 && (rest[1] == '\'' || rest[1] == '"') {
				if end = strings.Index(rest[2:], rest[1:2]+"]"); end >= 0 {
					end += 3
				}
			}
			if end < 2 {
				return nil, p.invalid()
			}
			step, rest = rest[1:end], rest[end+1:]
			if n := len(step); n >= 2 && (step[0] == '\'' || step[0] == '"') {
				step = step[1 : n-1]
			}
		case rest[0] == '.':
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, p.invalid()
			}
			step, rest = rest[:end], rest[end:]
		default:
			return nil, p.invalid()
		}
		p.steps = append(p.steps, step)
	}
	return p, nil
}

func (p *path) invalid() error {
	return fmt.Errorf("invalid JSON path %q: write it as $.field[0]", p.text)
}

// find returns the value at the path, nil: there is none.
func (p *path) find(d document) document {
	for _, step := range p.steps {
		switch d[d.start()] {
		case '{':
			d = d.named(step)
		case '[':
			i, err := strconv.Atoi(step)
			members := d.members()
			if err != nil || i < 0 || i >= len(members) {
				return nil
			}
			d = members[i].value
		default:
			return nil
		}
		if d == nil {
			return nil
		}
	}
	return d
}

func (d document) named(name string) document {
	for _, m := range d.members() {
		if m.name == name {
			return m.value
		}
	}
	return nil
}
