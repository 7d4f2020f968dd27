// Package archtest holds the house to its plan: the floors, sizes and doors that ARCHITECTURE.md states are checked against
// the code, so that the page cannot rot and a wrong arrow fails the build.
package archtest

import (
	"bufio"
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const (
	module          = "github.com/mainstemio/mainstem"
	root            = "../.."
	maxFileLines    = 600
	maxPackageLines = 5000
	maxPackageFiles = 20
)

// A pkg is one directory with Go files.
type pkg struct {
	dir     string // relative to the root, "." for the root itself
	files   map[string]*ast.File
	tests   map[string]*ast.File
	lines   map[string]int
	imports map[string][]string // file → imports, tests excluded
}

func load(t *testing.T) map[string]*pkg {
	t.Helper()
	pkgs := map[string]*pkg{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		if d.IsDir() {
			if name := d.Name(); rel != "." && (strings.HasPrefix(name, ".") || name == "testdata" || rel == "bench" || rel == "internal/deps") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, p, src, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(rel))
		q := pkgs[dir]
		if q == nil {
			q = &pkg{dir: dir, files: map[string]*ast.File{}, tests: map[string]*ast.File{}, lines: map[string]int{}, imports: map[string][]string{}}
			pkgs[dir] = q
		}
		name := d.Name()
		q.lines[name] = bytes.Count(src, []byte("\n"))
		if strings.HasSuffix(name, "_test.go") {
			q.tests[name] = f
			return nil
		}
		q.files[name] = f
		for _, im := range f.Imports {
			s, _ := strconv.Unquote(im.Path.Value)
			q.imports[name] = append(q.imports[name], s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// floors reads the table of ARCHITECTURE.md: rows `| F3 | path, path | …`.
func floors(t *testing.T) map[string]int {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	row := regexp.MustCompile("^\\| F(\\d+) \\| `([^`]+)` \\|")
	out := map[string]int{}
	for s := bufio.NewScanner(f); s.Scan(); {
		m := row.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[1])
		if _, dup := out[m[2]]; dup {
			t.Errorf("ARCHITECTURE.md lists %s twice", m[2])
		}
		out[m[2]] = n
	}
	if len(out) == 0 {
		t.Fatal("ARCHITECTURE.md has no floor table")
	}
	return out
}

func TestArrowsGoDown(t *testing.T) {
	pkgs, floor := load(t), floors(t)
	for dir, p := range pkgs {
		if len(p.files) == 0 {
			continue // test-only packages may look at everything
		}
		if _, ok := floor[dir]; !ok {
			t.Errorf("package %s is missing in the table of ARCHITECTURE.md", dir)
			continue
		}
		for file, ims := range p.imports {
			for _, im := range ims {
				to, ok := inModule(im)
				if !ok {
					continue
				}
				if floor[to] >= floor[dir] {
					t.Errorf("%s/%s (F%d) imports %s (F%d): arrows go down only", dir, file, floor[dir], to, floor[to])
				}
			}
		}
	}
	for dir := range floor {
		if p := pkgs[dir]; p == nil || len(p.files) == 0 {
			t.Errorf("ARCHITECTURE.md lists %s, which does not exist", dir)
		}
	}
}

func inModule(im string) (string, bool) {
	if im == module {
		return ".", true
	}
	return strings.CutPrefix(im, module+"/")
}

func TestSizes(t *testing.T) {
	for dir, p := range load(t) {
		lines := 0
		for name, n := range p.lines {
			if n > maxFileLines {
				t.Errorf("%s/%s has %d lines, more than %d: one subject a file", dir, name, n, maxFileLines)
			}
			if _, code := p.files[name]; code {
				lines += n
			}
		}
		if lines > maxPackageLines {
			t.Errorf("package %s has %d lines, more than %d", dir, lines, maxPackageLines)
		}
		if n := len(p.files); n > maxPackageFiles && dir != "internal/server/kafka" { // one file an API there
			t.Errorf("package %s has %d files, more than %d", dir, n, maxPackageFiles)
		}
	}
}

// A door is a thing that only some packages may touch.
type door struct {
	name  string
	allow []string // directory prefixes
}

func (d door) open(dir string) bool {
	for _, a := range d.allow {
		if dir == a || strings.HasPrefix(dir, a+"/") {
			return true
		}
	}
	return false
}

func TestForbiddenImports(t *testing.T) {
	doors := map[string]door{
		"github.com/twmb/franz-go/pkg/kmsg": {"kmsg", []string{"internal/server/kafka", "internal/client/remote"}},
		"modernc.org/sqlite":                {"database drivers", []string{"internal/connector", "examples"}},
		"database/sql":                      {"databases", []string{"internal/connector", "examples"}},
		"math/rand":                         {"randomness", []string{"internal/clock"}},
		"math/rand/v2":                      {"randomness", []string{"internal/clock", "examples", "streamtest"}}, // streamtest shuffles by a seed
		"github.com/cockroachdb/pebble/v2":  {"Pebble", []string{"internal/kv", "internal/vfs"}},
		// Templates find methods by names that they read: the linker then keeps every exported method, a sixth of the binary.
		"html/template": {"templates", nil},
		"text/template": {"templates", nil},
	}
	engine := door{"the broker", []string{"internal/engine", "internal/task", "internal/store", "internal/operator", "internal/topology", "stream", "streamtest", "worker"}}
	for dir, p := range load(t) {
		for file, ims := range p.imports {
			for _, im := range ims {
				if d, ok := doors[im]; ok && !d.open(dir) {
					t.Errorf("%s/%s imports %s: %s belong to %v", dir, file, im, d.name, d.allow)
				}
				if strings.HasPrefix(dir, "examples") && strings.HasPrefix(im, module+"/internal/") {
					t.Errorf("%s/%s imports %s: examples use public packages only, as a user's program must", dir, file, im)
				}
				if im == module+"/internal/broker" && engine.open(dir) {
					t.Errorf("%s/%s imports the broker: the engine knows only the client door", dir, file)
				}
			}
		}
	}
}

// fileCalls are the functions of package os that touch files; its errors and types are everybody's.
var fileCalls = map[string]bool{
	"Open": true, "OpenFile": true, "Create": true, "ReadFile": true, "WriteFile": true, "Remove": true, "RemoveAll": true, "Rename": true,
	"Mkdir": true, "MkdirAll": true, "Stat": true, "ReadDir": true, "Truncate": true, "Link": true, "Symlink": true,
}

func TestForbiddenWords(t *testing.T) {
	files := door{"files", []string{"internal/vfs", "internal/need", "internal/cli", "cmd", "examples"}}
	clock := door{"time.Now", []string{"internal/clock", "examples", "internal/cli"}}
	gos := door{"go statements", []string{".", "internal/engine", "internal/broker", "internal/connector", "internal/server", "internal/client", "internal/cli", "examples", "worker"}}
	for dir, p := range load(t) {
		for file, f := range p.files {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && (n.Sel.Name == "Now" || n.Sel.Name == "Since") && !clock.open(dir) {
						t.Errorf("%s/%s reads the clock by time.%s: take a clock.Clock", dir, file, n.Sel.Name)
					}
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "os" && fileCalls[n.Sel.Name] && !files.open(dir) {
						t.Errorf("%s/%s calls os.%s: files are reached through internal/vfs", dir, file, n.Sel.Name)
					}
				case *ast.GoStmt:
					if !gos.open(dir) && !(dir == ".") {
						t.Errorf("%s/%s starts a goroutine: only the rim does", dir, file)
					}
				}
				return true
			})
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	var missing []string
	for dir, p := range load(t) {
		documented := len(p.files) == 0
		for _, f := range p.files {
			documented = documented || f.Doc != nil
		}
		if !documented {
			missing = append(missing, path.Join(module, dir))
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Errorf("packages without a package comment: %v", missing)
	}
}
