package ast

import "strconv"

// show writes statements that look around, set something or assert something.
func (w *printer) show(s Statement) {
	switch s := s.(type) {
	case *List:
		w.put("LIST ")
		w.when(s.All, "ALL ")
		w.put(string(s.Kind))
		w.when(s.Extended, " EXTENDED")
	case *Describe:
		w.put("DESCRIBE ")
		w.nameNoKeyword(s.Name)
		w.when(s.Extended, " EXTENDED")
	case *DescribeAll:
		w.put("DESCRIBE ", kind(s.Tables), "S")
		w.when(s.Extended, " EXTENDED")
	case *DescribeFunction:
		w.put("DESCRIBE FUNCTION ")
		w.name(s.Name)
	case *DescribeConnector:
		w.put("DESCRIBE CONNECTOR ")
		w.name(s.Name)
	case *SetProperty:
		w.put("SET ", quoteString(s.Name), "=", quoteString(s.Value))
	case *UnsetProperty:
		w.put("UNSET ", quoteString(s.Name))
	case *AlterSystem:
		w.put("ALTER SYSTEM ", quoteString(s.Name), "=", quoteString(s.Value))
	case *Define:
		w.put("DEFINE ", s.Name, " = ", quoteString(s.Value))
	case *Undefine:
		w.put("UNDEFINE ", s.Name)
	case *RunScript:
		w.put("RUN SCRIPT ", quoteString(s.File))
	default:
		w.assert(s)
	}
}

func (w *printer) assert(s Statement) {
	switch s := s.(type) {
	case *AssertTopic:
		w.put("ASSERT ")
		w.when(s.NotExists, "NOT EXISTS ")
		w.put("TOPIC ")
		w.name(s.Topic)
		w.with(s.With)
		w.optional(" TIMEOUT ", s.Timeout)
	case *AssertSchema:
		w.put("ASSERT ")
		w.when(s.NotExists, "NOT EXISTS ")
		w.put("SCHEMA")
		if s.Subject.Given() {
			w.put(" SUBJECT ")
			w.name(s.Subject)
		}
		if s.ID != nil {
			w.put(" ID ", strconv.FormatInt(s.ID.Value, 10))
		}
		w.optional(" TIMEOUT ", s.Timeout)
	case *AssertValues:
		if s.Null {
			w.put("ASSERT NULL VALUES ")
			w.values(s.Source, s.Columns, " KEY ", s.Values)
			return
		}
		w.put("ASSERT VALUES ")
		w.values(s.Source, s.Columns, " VALUES ", s.Values)
	case *AssertSource:
		w.put("ASSERT ", kind(s.Table), " ")
		w.name(s.Name)
		w.elements(s.Elements)
		w.with(s.With)
	}
}
