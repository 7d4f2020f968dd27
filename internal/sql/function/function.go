// Package function is the library of SQL's functions: what they are called with, what they give, and how one is chosen by its arguments.
//
// Purpose: scalar, aggregate and table functions are values in a Library, which the node fills with its own (package builtin) and users
// with theirs; nothing is registered behind anybody's back.
//
// Callers and callees: expressions look functions up and call them; DESCRIBE FUNCTION and LIST FUNCTIONS read descriptions. It calls row and
// decimal.
//
// Owner and locks: a Library is filled by its owner and only read afterwards, from any goroutine. What Bind returns belongs to one
// expression, which several goroutines may evaluate.
//
// Format: signatures are text, "(ARRAY<T>, FUNCTION(T) R) ARRAY<R>": types of SQL, generic types of one letter, FUNCTION for lambdas,
// INTERVALUNIT, ANY, "..." behind the type that may come any number of times, "const" behind one that must be a literal. The states of
// aggregates are row.Values, which lie in stores.
//
// Not here: the functions themselves (packages below), casts of arguments to the types of parameters (expr).
package function

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// A Kind says what a name is.
type Kind uint8

// The kinds of functions.
const (
	None Kind = iota
	ScalarFunction
	AggregateFunction
	TableFunction
)

// String is the kind's word in DESCRIBE FUNCTION.
func (k Kind) String() string { return [...]string{"NONE", "SCALAR", "AGGREGATE", "TABLE"}[k] }

// A Binding is what is known when a function is made ready for one expression.
type Binding struct {
	Args     []*row.Type // of the arguments as the function gets them; nil: always null, or no value (lambda, unit)
	Returns  *row.Type
	Consts   []row.Value // the literals among an aggregate's arguments, in order
	Settings map[string]string
}

// Setting is a property of the statement, in lower case as "ksql.functions.collect_list.limit".
func (b Binding) Setting(name string) (string, bool) {
	v, ok := b.Settings[name]
	return v, ok
}

// Eval computes a value. args is the caller's, is not changed, and valid during the call.
type Eval func(args []row.Value) (row.Value, error)

// A Cut tells which elements of its first argument, an array, a function gives: those from one place to another, from 0, the latter not
// included; not ok: the result is null.
type Cut func(args []row.Value) (from, to int, ok bool)

func (f Cut) eval(args []row.Value) (row.Value, error) {
	from, to, ok := f(args)
	if !ok {
		return row.Null, nil
	}
	return row.FromRow(row.KindArray, args[0].Row().Slice(from, to)), nil
}

// A Lambda is a lambda argument, ready to be called; args is kept no longer than the call.
type Lambda func(args ...row.Value) (row.Value, error)

// A Doc describes a function in the words of this library.
type Doc struct {
	Name     string // as messages show it
	Category string // MATHEMATICAL, STRING, …
	Text     string
	// Author and Version are those of a user's own function.
	Author, Version string
}

// A Scalar is a function that gives one value.
type Scalar struct {
	Doc
	Overloads []Overload
}

// An Overload is a scalar function with one signature. One of Eval, Cut, Apply and Bind is set.
type Overload struct {
	Signature string
	// Returns gives the result's type where the signature cannot.
	Returns func(args []*row.Type) *row.Type
	// Nulls: the function is called for null arguments too. Otherwise a null argument makes the result null.
	Nulls bool
	Eval  Eval
	Cut   Cut
	// Apply computes with lambdas, in the order in which they stand among the arguments. args has nulls in their places.
	Apply func(args []row.Value, fns []Lambda) (row.Value, error)
	// Bind makes an Eval for one expression, for functions that need types or settings, or remember something.
	Bind func(Binding) Eval
	// Varies: the result is not the same each time (RANDOM, UUID), so that it is no constant.
	Varies bool

	sig signature
}

// An Aggregate is a function over the rows of a group.
type Aggregate struct {
	Doc
	Overloads []AggregateOverload
}

// An AggregateOverload is an aggregate with one signature.
type AggregateOverload struct {
	Signature string
	Returns   func(args []*row.Type) *row.Type
	// New makes the aggregate ready for its arguments.
	New func(Binding) (Accumulator, error)

	sig signature
}

// An Accumulator computes one aggregate. A state is never changed: each call returns another one. Arguments are those that are no literals.
type Accumulator struct {
	State   *row.Type // the type of states
	Initial row.Value
	Add     func(state row.Value, args []row.Value) (row.Value, error)
	// AddTo is Add for a caller that makes the new state a part of a row: it adds it to out, or tells false, and adds nothing, where the state
	// stays. nil: Add costs no more.
	AddTo func(out *row.Builder, state row.Value, args []row.Value) bool
	// Undo takes back an Add, for groups of a table's rows. nil: the aggregate is for streams only.
	Undo func(state row.Value, args []row.Value) (row.Value, error)
	// Merge joins the states of two sessions that became one; a is the earlier. nil: the aggregate is not for session windows.
	Merge func(a, b row.Value) (row.Value, error)
	// Result is what a state amounts to. nil: the state itself.
	Result func(state row.Value) (row.Value, error)
}

// A Table is a function that gives any number of rows.
type Table struct {
	Doc
	Overloads []TableOverload
}

// A TableOverload is a table function with one signature, whose result type is that of a row.
type TableOverload struct {
	Signature string
	Returns   func(args []*row.Type) *row.Type
	Rows      func(args []row.Value) ([]row.Value, error)
	// Bind makes Rows for one expression where types matter.
	Bind func(Binding) func(args []row.Value) ([]row.Value, error)

	sig signature
}

// A Library holds functions by name, whatever its case.
type Library struct {
	functions map[string]any // *Scalar, *Aggregate or *Table by name in upper case
	settings  map[string]string
}

// New returns an empty library.
func New() *Library { return &Library{functions: map[string]any{}} }

// With returns the same functions with the properties of a statement.
func (l *Library) With(settings map[string]string) *Library {
	return &Library{functions: l.functions, settings: settings}
}

// Clone returns a copy to which functions can be added.
func (l *Library) Clone() *Library {
	return &Library{functions: maps.Clone(l.functions), settings: l.settings}
}

// Add adds a scalar function, or overloads to one that is there. The error is a signature that cannot be read.
func (l *Library) Add(s Scalar) error {
	s.Overloads = slices.Clone(s.Overloads)
	for i := range s.Overloads {
		sig, err := parseSignature(s.Overloads[i].Signature)
		if err != nil {
			return signatureError(s.Name, s.Overloads[i].Signature, err)
		}
		s.Overloads[i].sig = sig
	}
	if old, ok := l.functions[strings.ToUpper(s.Name)].(*Scalar); ok {
		s.Overloads = append(slices.Clone(old.Overloads), s.Overloads...)
		s.Doc = old.Doc
	}
	l.functions[strings.ToUpper(s.Name)] = &s
	return nil
}

// AddAggregate adds an aggregate; the error is a signature that cannot be read.
func (l *Library) AddAggregate(a Aggregate) error {
	a.Overloads = slices.Clone(a.Overloads)
	for i := range a.Overloads {
		sig, err := parseSignature(a.Overloads[i].Signature)
		if err != nil {
			return signatureError(a.Name, a.Overloads[i].Signature, err)
		}
		a.Overloads[i].sig = sig
	}
	l.functions[strings.ToUpper(a.Name)] = &a
	return nil
}

// AddTable adds a table function; the error is a signature that cannot be read.
func (l *Library) AddTable(t Table) error {
	t.Overloads = slices.Clone(t.Overloads)
	for i := range t.Overloads {
		sig, err := parseSignature(t.Overloads[i].Signature)
		if err != nil {
			return signatureError(t.Name, t.Overloads[i].Signature, err)
		}
		t.Overloads[i].sig = sig
	}
	l.functions[strings.ToUpper(t.Name)] = &t
	return nil
}

// Kind tells what a name is.
func (l *Library) Kind(name string) Kind {
	switch l.functions[strings.ToUpper(name)].(type) {
	case *Scalar:
		return ScalarFunction
	case *Aggregate:
		return AggregateFunction
	case *Table:
		return TableFunction
	}
	return None
}

// A Description is a function as DESCRIBE FUNCTION shows it.
type Description struct {
	Doc
	Kind       Kind
	Signatures []string
}

// Describe describes one function; the error is that there is none of the name.
func (l *Library) Describe(name string) (Description, error) {
	switch f := l.functions[strings.ToUpper(name)].(type) {
	case *Scalar:
		return describe(f.Doc, ScalarFunction, f.Overloads, func(o Overload) signature { return o.sig }), nil
	case *Aggregate:
		return describe(f.Doc, AggregateFunction, f.Overloads, func(o AggregateOverload) signature { return o.sig }), nil
	case *Table:
		return describe(f.Doc, TableFunction, f.Overloads, func(o TableOverload) signature { return o.sig }), nil
	}
	return Description{}, l.unknown(name)
}

func describe[O any](doc Doc, kind Kind, overloads []O, sig func(O) signature) Description {
	d := Description{Doc: doc, Kind: kind}
	for _, o := range overloads {
		d.Signatures = append(d.Signatures, sig(o).text)
	}
	return d
}

// Descriptions are those of all functions in order of their names.
func (l *Library) Descriptions() []Description {
	out := make([]Description, 0, len(l.functions))
	for name := range l.functions {
		d, _ := l.Describe(name) // it is there
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Description) int { return cmp.Compare(strings.ToUpper(a.Name), strings.ToUpper(b.Name)) })
	return out
}
