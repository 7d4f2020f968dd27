package sqltest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/parse"
)

// The files of a test that is a folder.
const (
	statementsFile = "statements.sql"
	inputFile      = "input.json"
	outputFile     = "output.json"
)

// The directives of tests in .sql files.
const (
	testDirective    = "@test:"
	errorDirective   = "@expected.error:"
	messageDirective = "@expected.message:"
)

// find returns the tests below the places, files or folders, in the order of their paths.
func find(places []string, byQuery bool) ([]test, error) {
	var tests []test
	for _, place := range places {
		err := filepath.WalkDir(place, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != place && strings.HasPrefix(d.Name(), "."):
				return filepath.SkipDir
			case d.IsDir() || filepath.Ext(path) != ".sql":
				return nil
			}
			found, err := inFile(path, byQuery)
			tests = append(tests, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return tests, nil
}

// inFile returns the tests that an .sql file holds: parts with a name, or with the files beside it one; most files hold none.
func inFile(path string, byQuery bool) ([]test, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	tests := scripts(path, string(text))
	dir := filepath.Dir(path)
	if len(tests) > 0 || filepath.Base(path) != statementsFile {
		return tests, nil
	}
	if _, err := os.Stat(filepath.Join(dir, outputFile)); err != nil {
		return nil, fmt.Errorf("%s: a test needs an %s beside it, or lines --%s name: %w", path, outputFile, testDirective, err)
	}
	return []test{{name: dir, run: folder{dir, string(text), byQuery}.run}}, nil
}

// scripts returns the tests that are parts of a file.
func scripts(path, text string) []test {
	var shared []parse.Part
	var all []*script
	for _, part := range parse.Split(text) {
		for _, d := range part.Directives {
			name, begins := strings.CutPrefix(d, testDirective)
			if begins {
				all = append(all, &script{dir: filepath.Dir(path), name: path + ": " + strings.TrimSpace(name)})
			}
			if len(all) == 0 {
				continue
			}
			last := all[len(all)-1]
			if kind, ok := strings.CutPrefix(d, errorDirective); ok {
				last.wantError = strings.TrimSpace(kind)
			}
			if message, ok := strings.CutPrefix(d, messageDirective); ok {
				last.wantMessage = strings.TrimSpace(message)
			}
		}
		if len(all) == 0 {
			shared = append(shared, part)
			continue
		}
		last := all[len(all)-1]
		last.parts = append(last.parts, part)
	}
	var tests []test
	for _, s := range all {
		s.parts = append(shared[:len(shared):len(shared)], s.parts...)
		tests = append(tests, test{name: s.name, run: s.run})
	}
	return tests
}
