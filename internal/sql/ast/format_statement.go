package ast

func (w *printer) statement(s Statement) {
	switch s := s.(type) {
	case *CreateSource:
		w.createSource(s)
	case *CreateAs:
		w.put("CREATE ")
		w.when(s.OrReplace, "OR REPLACE ")
		w.put(kind(s.Table))
		w.when(s.IfNotExists, " IF NOT EXISTS")
		w.put(" ")
		w.name(s.Name)
		w.with(s.With)
		w.put(" AS ")
		w.query(s.Query)
	case *InsertInto:
		w.put("INSERT INTO ")
		w.name(s.Target)
		w.with(s.With)
		w.put(" ")
		w.query(s.Query)
	case *InsertValues:
		w.put("INSERT INTO ")
		w.values(s.Target, s.Columns, " VALUES ", s.Values)
	case *AlterSource:
		w.put("ALTER ", kind(s.Table), " ")
		w.name(s.Name)
		w.put(" ")
		w.list(len(s.Add), func(i int) {
			w.put("ADD COLUMN ")
			w.columnDef(s.Add[i])
		})
	case *DropSource:
		w.put("DROP ", kind(s.Table), " ")
		w.when(s.IfExists, "IF EXISTS ")
		w.name(s.Name)
		w.when(s.DeleteTopic, " DELETE TOPIC")
	case *Select:
		w.query(s.Query)
	default:
		w.objectStatement(s)
	}
}

// objectStatement writes statements on queries, types, connectors and topics.
func (w *printer) objectStatement(s Statement) {
	switch s := s.(type) {
	case *Print:
		w.put("PRINT ")
		w.name(s.Topic)
		w.when(s.FromBeginning, " FROM BEGINNING")
		w.count(" INTERVAL ", s.Interval)
		w.count(" LIMIT ", s.Limit)
	case *Terminate:
		w.target("TERMINATE ", s.QueryTarget)
	case *Pause:
		w.target("PAUSE ", s.QueryTarget)
	case *Resume:
		w.target("RESUME ", s.QueryTarget)
	case *Explain:
		w.explain(s)
	case *CreateType:
		w.put("CREATE TYPE ")
		w.when(s.IfNotExists, "IF NOT EXISTS ")
		w.name(s.Name)
		w.put(" AS ")
		w.typ(s.Type)
	case *DropType:
		w.drop("TYPE ", s.IfExists, s.Name)
	case *CreateConnector:
		w.put("CREATE ")
		w.put(map[bool]string{false: "SOURCE", true: "SINK"}[s.Sink], " CONNECTOR ")
		w.when(s.IfNotExists, "IF NOT EXISTS ")
		w.name(s.Name)
		w.with(s.With)
	case *DropConnector:
		w.drop("CONNECTOR ", s.IfExists, s.Name)
	default:
		w.show(s)
	}
}

func kind(table bool) string {
	if table {
		return "TABLE"
	}
	return "STREAM"
}

func (w *printer) drop(what string, ifExists bool, name Name) {
	w.put("DROP ", what)
	w.when(ifExists, "IF EXISTS ")
	w.name(name)
}

func (w *printer) target(word string, t QueryTarget) {
	w.put(word)
	if t.All {
		w.put("ALL")
		return
	}
	w.name(t.ID)
}

func (w *printer) explain(s *Explain) {
	w.put("EXPLAIN ")
	if s.Stage != ExplainDefault {
		w.put("(", string(s.Stage), ") ")
	}
	if s.Statement != nil {
		w.statement(s.Statement)
		return
	}
	w.nameNoKeyword(s.ID)
}

func (w *printer) createSource(s *CreateSource) {
	w.put("CREATE ")
	w.when(s.OrReplace, "OR REPLACE ")
	w.when(s.SourceOnly, "SOURCE ")
	w.put(kind(s.Table))
	w.when(s.IfNotExists, " IF NOT EXISTS")
	w.put(" ")
	w.name(s.Name)
	w.elements(s.Elements)
	w.with(s.With)
}

func (w *printer) elements(list []ColumnDef) {
	if len(list) == 0 {
		return
	}
	w.put(" (")
	w.list(len(list), func(i int) { w.columnDef(list[i]) })
	w.put(")")
}

func (w *printer) columnDef(c ColumnDef) {
	w.name(c.Name)
	w.put(" ")
	w.typ(c.Type)
	if c.Constraint != NoConstraint {
		w.put(" ", c.Constraint.String())
	}
	if c.Constraint == Header {
		w.put("(", quoteString(c.HeaderKey), ")")
	}
}

func (w *printer) with(props []Property) {
	if len(props) == 0 {
		return
	}
	w.put(" WITH (")
	w.list(len(props), func(i int) {
		p := props[i]
		if !p.Name.Variable && Quote(p.Name.Text) != p.Name.Text {
			w.put(quoteString(p.Name.Text))
		} else {
			w.name(p.Name)
		}
		w.put("=")
		w.expr(p.Value)
	})
	w.put(")")
}

func (w *printer) values(target Name, columns []Name, word string, values []Expr) {
	w.name(target)
	if columns != nil {
		w.put(" (")
		w.names(columns)
		w.put(")")
	}
	w.put(word, "(")
	w.exprs(values)
	w.put(")")
}
