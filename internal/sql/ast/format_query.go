package ast

func (w *printer) query(q *Query) {
	w.put("SELECT ")
	w.list(len(q.Select), func(i int) { w.selectItem(q.Select[i]) })
	w.put(" FROM ")
	w.relation(q.From)
	if q.Window != nil {
		w.window(q.Window)
	}
	if q.Where != nil {
		w.put(" WHERE ")
		w.expr(q.Where)
	}
	w.grouping(" GROUP BY ", q.GroupBy)
	w.grouping(" PARTITION BY ", q.PartitionBy)
	if q.Having != nil {
		w.put(" HAVING ")
		w.expr(q.Having)
	}
	if q.Emit != EmitNone {
		w.put(" ", q.Emit.String())
	}
	w.count(" LIMIT ", q.Limit)
}

func (w *printer) count(word string, c *Count) {
	if c != nil {
		w.put(word)
		w.number(c.Value)
	}
}

// grouping puts the list in parentheses only where they tell something: an empty list.
func (w *printer) grouping(words string, g *Grouping) {
	if g == nil {
		return
	}
	w.put(words)
	if len(g.Exprs) == 0 {
		w.put("()")
	}
	w.exprs(g.Exprs)
}

func (w *printer) selectItem(item SelectItem) {
	switch item := item.(type) {
	case *SelectExpr:
		w.expr(item.Expr)
		if item.Alias.Given() {
			w.put(" AS ")
			w.name(item.Alias)
		}
	case *SelectAll:
		if item.Source.Given() {
			w.name(item.Source)
			w.put(".")
		}
		w.put("*")
	case *SelectFields:
		w.operand(item.Struct)
		w.put("->*")
	}
}

func (w *printer) relation(r Relation) {
	switch r := r.(type) {
	case *Source:
		w.name(r.Name)
		if r.Alias.Given() {
			w.put(" AS ")
			w.name(r.Alias)
		}
	case *Join:
		w.relation(r.Left)
		w.put(" ", string(r.Kind), " JOIN ")
		w.relation(r.Right)
		if r.Within != nil {
			w.within(r.Within)
		}
		w.put(" ON ")
		w.expr(r.On)
	}
}

func (w *printer) within(in *Within) {
	w.put(" WITHIN ")
	if in.Both {
		w.put("(")
		w.duration(in.Before)
		w.put(", ")
		w.duration(in.After)
		w.put(")")
	} else {
		w.duration(in.Before)
	}
	if in.Grace != nil {
		w.put(" GRACE PERIOD ")
		w.duration(*in.Grace)
	}
}

func (w *printer) window(win *Window) {
	w.put(" WINDOW ")
	if win.Name.Given() {
		w.name(win.Name)
		w.put(" ")
	}
	w.put(string(win.Kind), " (")
	w.when(win.Kind != Session, "SIZE ")
	w.duration(win.Size)
	w.optional(", ADVANCE BY ", win.Advance)
	w.optional(", RETENTION ", win.Retention)
	w.optional(", GRACE PERIOD ", win.Grace)
	w.put(")")
}

func (w *printer) optional(words string, d *Duration) {
	if d != nil {
		w.put(words)
		w.duration(*d)
	}
}
