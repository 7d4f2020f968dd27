package sqlshell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// maxScripts bounds RUN SCRIPT within RUN SCRIPT.
const maxScripts = 20

const help = `Statements of ksqlDB's language end with a semicolon; docs/sql.md has them all.
  LIST STREAMS;  LIST TABLES;  LIST QUERIES;  LIST TOPICS;  LIST FUNCTIONS;
  DESCRIBE name;           the columns of a stream or table
  SELECT … ;               rows; with EMIT CHANGES until Ctrl-C
  PRINT 'topic' FROM BEGINNING;
  SET 'name'='value';      a setting of the statements that follow
  DEFINE name = 'value';   a variable, used as ${name}
  RUN SCRIPT 'file';       executes the statements of a file
  SPOOL 'file';  SPOOL OFF;
  output json  output table  help  exit
`

// isCommand tells lines that are the shell's own and no statements: they need no semicolon.
func isCommand(line string) bool {
	words := strings.Fields(strings.TrimRight(strings.TrimSpace(line), "; "))
	switch {
	case len(words) == 0:
		return false
	case strings.EqualFold(words[0], "spool"), strings.EqualFold(words[0], "output"):
		return true
	}
	return len(words) == 1 && slices.Contains([]string{"help", "exit", "quit"}, strings.ToLower(words[0]))
}

func (s *shell) command(line string) error {
	line = strings.TrimRight(strings.TrimSpace(line), "; ")
	name, argument, _ := strings.Cut(line, " ")
	argument = strings.TrimSpace(argument)
	switch strings.ToLower(name) {
	case "help":
		_, err := io.WriteString(s.out, help)
		return err
	case "output":
		if !strings.EqualFold(argument, "json") && !strings.EqualFold(argument, "table") {
			return refused("output takes json or table", nil)
		}
		s.json = strings.EqualFold(argument, "json")
		return nil
	case "spool":
		return s.spoolTo(argument)
	}
	return errExit
}

// spoolTo writes what is shown to a file too, until SPOOL OFF.
func (s *shell) spoolTo(argument string) error {
	if err := s.closeSpool(); err != nil || strings.EqualFold(argument, "off") {
		return err
	}
	if len(argument) < 3 || argument[0] != '\'' || argument[len(argument)-1] != '\'' {
		return refused("SPOOL takes a file in single quotes, or OFF", nil)
	}
	file, err := os.Create(strings.ReplaceAll(argument[1:len(argument)-1], "''", "'"))
	if err != nil {
		return &Failure{"spool", err, "name a file that can be written"}
	}
	s.spool, s.out = file, io.MultiWriter(s.io.Out, file)
	return nil
}

func (s *shell) closeSpool() error {
	if s.spool == nil {
		return nil
	}
	err := s.spool.Close()
	s.spool, s.out = nil, s.io.Out
	if err != nil {
		return &Failure{"spool", err, ""}
	}
	return nil
}

// own executes the statements that are the session's: settings, variables, scripts.
func (s *shell) own(ctx context.Context, st ast.Statement) (done bool, err error) {
	switch st := st.(type) {
	case *ast.SetProperty:
		if err := s.checkSetting(ctx, st.Name); err != nil {
			return true, err
		}
		s.settings[st.Name] = st.Value
		return true, s.say("Set %s to '%s'", st.Name, st.Value)
	case *ast.UnsetProperty:
		delete(s.settings, st.Name)
		return true, s.say("Unset %s", st.Name)
	case *ast.Define:
		s.variables[st.Name] = st.Value
		return true, nil
	case *ast.Undefine:
		if _, there := s.variables[st.Name]; !there {
			return true, refused("Cannot undefine variable '"+st.Name+"' which was never defined", nil)
		}
		delete(s.variables, st.Name)
		return true, nil
	case *ast.List:
		if st.Kind == ast.ListVariables {
			return true, s.listVariables()
		}
	case *ast.RunScript:
		return true, s.runScript(ctx, st.File)
	case *ast.AssertValues, *ast.AssertSource:
		return true, refused("this statement is one of tests: run it with `mainstem test`", nil)
	}
	return false, nil
}

// say prints a sentence, but not among JSON.
func (s *shell) say(format string, args ...any) error {
	if s.json {
		return nil
	}
	_, err := fmt.Fprintf(s.out, format+"\n", args...)
	return err
}

func (s *shell) listVariables() error {
	t := table{names: []string{"VARIABLE", "VALUE"}}
	for _, name := range slices.Sorted(maps.Keys(s.variables)) {
		t.rows = append(t.rows, []string{name, s.variables[name]})
	}
	if s.json {
		return s.object([]string{"variables"}, [][]byte{marshal(s.variables)})
	}
	return t.print(s.out, s.width())
}

func (s *shell) runScript(ctx context.Context, file string) error {
	if s.scripts == maxScripts {
		return refused(fmt.Sprintf("RUN SCRIPT '%s': more than %d scripts within scripts", file, maxScripts), nil)
	}
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return &Failure{"unreadable", err, "name a file of statements"}
	}
	s.scripts++
	defer func() { s.scripts-- }()
	err = s.script(ctx, string(text))
	var f *Failure
	if errors.As(err, &f) {
		return &Failure{f.Name, fmt.Errorf("%s: %w", file, f.Err), f.Next}
	}
	return err
}
