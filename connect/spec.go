package connect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Kind is the type of an option's value.
type Kind int

// The kinds of options. Size is a number of bytes such as 4096, 64KiB or 1MiB.
const (
	String Kind = iota
	Int
	Bool
	Duration
	Size
)

var kindNames = [...]string{String: "string", Int: "int", Bool: "bool", Duration: "duration", Size: "size"}

// String returns the kind's name as documentation shows it.
func (k Kind) String() string { return kindNames[k] }

// An Option is one setting of a sink.
type Option struct {
	Name     string // lower case with dashes: busy-timeout
	Doc      string // one sentence
	Kind     Kind
	Default  string // in the form a user writes; empty means none
	Required bool
	// Check refuses values of the right kind that make no sense; nil accepts all. v is the option's value as written.
	Check func(v string) error
}

// A Spec describes one kind of sink. Validation, documentation and flags are all made from it.
type Spec struct {
	Name    string // lower case: sqlite
	Doc     string // what it does, one paragraph
	Options []Option
}

// Values are checked option values with defaults filled in. Reading an option the Spec does not have is a bug and panics.
type Values struct {
	spec Spec
	text map[string]string
}

// Parse checks the options a user has written. All mistakes are reported at once: unknown names with a suggestion, missing
// required options, values of the wrong kind or refused by the option's Check.
func (s Spec) Parse(written map[string]string) (Values, error) {
	var errs []error
	v := Values{spec: s, text: make(map[string]string, len(s.Options))}
	for _, o := range s.Options {
		text, ok := written[o.Name]
		switch {
		case !ok && o.Required:
			errs = append(errs, fmt.Errorf("%s: option %s is required: %s", s.Name, o.Name, o.Doc))
			continue
		case !ok && o.Default == "":
			continue
		case !ok:
			text = o.Default
		}
		if err := o.accept(text); err != nil {
			errs = append(errs, fmt.Errorf("%s: option %s: %w", s.Name, o.Name, err))
			continue
		}
		v.text[o.Name] = text
	}
	for _, name := range sortedKeys(written) {
		if s.option(name) == nil {
			errs = append(errs, fmt.Errorf("%s: unknown option %s%s", s.Name, name, s.suggest(name)))
		}
	}
	return v, errors.Join(errs...)
}

func (s Spec) option(name string) *Option {
	for i := range s.Options {
		if s.Options[i].Name == name {
			return &s.Options[i]
		}
	}
	return nil
}

func (s Spec) suggest(name string) string {
	names := make([]string, 0, len(s.Options))
	for _, o := range s.Options {
		if len(o.Name) >= 3 && len(name) >= 3 && o.Name[:3] == name[:3] {
			return "; did you mean " + o.Name + "?"
		}
		names = append(names, o.Name)
	}
	return "; there are " + strings.Join(names, ", ")
}

func (o Option) accept(text string) error {
	var err error
	switch o.Kind {
	case Int:
		_, err = strconv.ParseInt(text, 10, 64)
	case Bool:
		_, err = strconv.ParseBool(text)
	case Duration:
		_, err = time.ParseDuration(text)
	case Size:
		_, err = parseSize(text)
	case String:
	}
	if err != nil {
		return fmt.Errorf("%q is no %s", text, o.Kind)
	}
	if o.Check != nil {
		return o.Check(text)
	}
	return nil
}

// Table returns the options as a Markdown table.
func (s Spec) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| option | kind | default | meaning |\n|---|---|---|---|\n")
	for _, o := range s.Options {
		def := o.Default
		if o.Required {
			def = "required"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", o.Name, o.Kind, def, o.Doc)
	}
	return b.String()
}

// Has reports whether the option has a value, written or by default.
func (v Values) Has(name string) bool {
	_, ok := v.lookup(name, -1)
	return ok
}

// Text returns a String option, "" when it has no value.
func (v Values) Text(name string) string {
	text, _ := v.lookup(name, String)
	return text
}

// Int returns an Int option, 0 when it has no value.
func (v Values) Int(name string) int64 {
	text, _ := v.lookup(name, Int)
	n, _ := strconv.ParseInt(text, 10, 64) // checked by Parse
	return n
}

// Bool returns a Bool option, false when it has no value.
func (v Values) Bool(name string) bool {
	text, _ := v.lookup(name, Bool)
	b, _ := strconv.ParseBool(text) // checked by Parse
	return b
}

// Duration returns a Duration option, 0 when it has no value.
func (v Values) Duration(name string) time.Duration {
	text, _ := v.lookup(name, Duration)
	d, _ := time.ParseDuration(text) // checked by Parse
	return d
}

// Size returns a Size option in bytes, 0 when it has no value.
func (v Values) Size(name string) int64 {
	text, _ := v.lookup(name, Size)
	n, _ := parseSize(text) // checked by Parse
	return n
}

func (v Values) lookup(name string, kind Kind) (string, bool) {
	o := v.spec.option(name)
	if o == nil || kind >= 0 && o.Kind != kind {
		panic(fmt.Sprintf("connect: sink %s has no option %s of this kind", v.spec.Name, name))
	}
	text, ok := v.text[name]
	return text, ok
}

func parseSize(text string) (int64, error) {
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if t, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = t, n
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, err
	}
	if n < 0 || n > (1<<62)/unit {
		return 0, errors.New("out of range")
	}
	return n * unit, nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
