package sqlfunc

import (
	"errors"

	"github.com/mainstemio/mainstem/row"
)

var errNoAdd = errors.New("the aggregate has no Add")

// A Fold1 aggregates one argument A by way of a state S to a result R. The functions may change the state that they get and return it.
//
// Where Add fails the row is left out of the group. Where Undo fails it stays in it, and where Merge fails the rows of the later session are
// lost: these two ought not to fail.
type Fold1[A, S, R any] struct {
	Initial S // of an empty group
	Add     func(state S, a A) (S, error)
	// Undo takes back an Add, which groups of a table's rows need; nil: the aggregate is for streams only.
	Undo func(state S, a A) (S, error)
	// Merge joins the states of two sessions that became one; nil: the aggregate is not for SESSION windows.
	Merge  func(earlier, later S) (S, error)
	Result func(state S) (R, error)
}

// Aggregate1 is an aggregate of one argument.
func Aggregate1[A, S, R any](f Fold1[A, S, R]) Aggregate {
	c := newFolding[S, R]()
	a := codecOf[A]()
	out := c.aggregate(a.param)
	if f.Add == nil {
		out.Err = errNoAdd
	}
	out.New = func([]*row.Type, []row.Value) (Accumulator, error) { return accumulate1(c, a, f) }
	return out
}

// Aggregate1With is an aggregate of one argument and a literal, which chooses the aggregate when a statement is planned: TOP(price, 3).
func Aggregate1With[L, A, S, R any](choose func(literal L) (Fold1[A, S, R], error)) Aggregate {
	c := newFolding[S, R]()
	a, l := codecOf[A](), codecOf[L]()
	literal := l.param
	literal.constant = true
	out := c.aggregate(a.param, literal)
	out.New = func(_ []*row.Type, literals []row.Value) (Accumulator, error) {
		x, err := l.read(literals[0])
		if err != nil {
			return Accumulator{}, err
		}
		f, err := choose(x)
		if err == nil && f.Add == nil {
			err = errNoAdd
		}
		if err != nil {
			return Accumulator{}, err
		}
		return accumulate1(c, a, f)
	}
	return out
}

func accumulate1[A, S, R any](c folding[S, R], a codec[A], f Fold1[A, S, R]) (Accumulator, error) {
	step := func(by func(S, A) (S, error)) func(row.Value, []row.Value) (row.Value, error) {
		if by == nil {
			return nil
		}
		return func(state row.Value, args []row.Value) (row.Value, error) {
			if !a.nulls && args[0].IsNull() {
				return state, nil
			}
			s, err := c.state.read(state)
			if err != nil {
				return state, err
			}
			x, err := a.read(args[0])
			if err != nil {
				return state, err
			}
			return c.state.result(by(s, x))
		}
	}
	return c.accumulator(Accumulator{Add: step(f.Add), Undo: step(f.Undo)}, ending[S, R]{f.Initial, f.Merge, f.Result})
}

// A Fold2 is as a Fold1, of two arguments.
type Fold2[A, B, S, R any] struct {
	Initial S
	Add     func(state S, a A, b B) (S, error)
	Undo    func(state S, a A, b B) (S, error)
	Merge   func(earlier, later S) (S, error)
	Result  func(state S) (R, error)
}

// Aggregate2 is an aggregate of two arguments.
func Aggregate2[A, B, S, R any](f Fold2[A, B, S, R]) Aggregate {
	c := newFolding[S, R]()
	a, b := codecOf[A](), codecOf[B]()
	out := c.aggregate(a.param, b.param)
	if f.Add == nil {
		out.Err = errNoAdd
	}
	step := func(by func(S, A, B) (S, error)) func(row.Value, []row.Value) (row.Value, error) {
		if by == nil {
			return nil
		}
		return func(state row.Value, args []row.Value) (row.Value, error) {
			if missing([]param{a.param, b.param}, args) {
				return state, nil
			}
			s, err := c.state.read(state)
			if err != nil {
				return state, err
			}
			x, err := a.read(args[0])
			if err != nil {
				return state, err
			}
			y, err := b.read(args[1])
			if err != nil {
				return state, err
			}
			return c.state.result(by(s, x, y))
		}
	}
	out.New = func([]*row.Type, []row.Value) (Accumulator, error) {
		return c.accumulator(Accumulator{Add: step(f.Add), Undo: step(f.Undo)}, ending[S, R]{f.Initial, f.Merge, f.Result})
	}
	return out
}

// A folding is what aggregates of any number of arguments share: the state and the result.
type folding[S, R any] struct {
	state  codec[S]
	result codec[R]
}

func newFolding[S, R any]() folding[S, R] { return folding[S, R]{codecOf[S](), codecOf[R]()} }

func (c folding[S, R]) aggregate(params ...param) Aggregate {
	signature, _, err := signatureOf(params, c.result.param)
	return Aggregate{Signature: signature, Err: errors.Join(err, c.state.err)}
}

// An ending is what of an aggregate has nothing to do with its arguments.
type ending[S, R any] struct {
	initial S
	merge   func(S, S) (S, error)
	result  func(S) (R, error)
}

// accumulator completes an aggregate on values of rows. Without a result the state is the result.
func (c folding[S, R]) accumulator(out Accumulator, f ending[S, R]) (Accumulator, error) {
	var err error
	out.State = c.state.typ
	out.Initial, err = c.state.result(f.initial, nil)
	if f.merge != nil {
		out.Merge = func(earlier, later row.Value) (row.Value, error) {
			x, err := c.state.read(earlier)
			if err != nil {
				return earlier, err
			}
			y, err := c.state.read(later)
			if err != nil {
				return earlier, err
			}
			return c.state.result(f.merge(x, y))
		}
	}
	if f.result != nil {
		out.Result = func(state row.Value) (row.Value, error) {
			s, err := c.state.read(state)
			if err != nil {
				return row.Null, err
			}
			return c.result.result(f.result(s))
		}
	} else if c.state.typ != nil && !c.state.typ.Equal(c.result.typ) {
		err = errors.Join(err, errors.New("the aggregate has no Result, and its state is of another type"))
	}
	return out, err
}
