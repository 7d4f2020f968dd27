package row

// Elements are an array that is not made yet: those of another one from From to To, which is not included, or of each of them, an array or a
// struct, one part. The zero Elements are null.
type Elements struct {
	Of       Row
	From, To int
	Part     int // -1: the elements themselves
}

// ElementsOf are all elements of an array, null if it is null.
func ElementsOf(array Value) Elements { return Elements{array.Row(), 0, array.Len(), -1} }

// IsNull tells null.
func (e Elements) IsNull() bool { return e.Of.IsNull() }

// Array makes the array.
func (e Elements) Array() Value {
	if e.IsNull() {
		return Null
	}
	if e.Part < 0 {
		return FromRow(KindArray, e.Of.Slice(e.From, e.To))
	}
	return FromRow(KindArray, Make(func(b *Builder) {
		for i := e.From; i < e.To; i++ {
			b.AddField(e.Of, i, e.Part)
		}
	}))
}
