package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is the code that is changed, and what the go command knows about it.
type module struct {
	dir     string
	changed []*goPackage
	tests   []string            // packages that have tests, those with fewer dependencies first
	deps    map[string][]string // of the tests of each
}

// goPackage is a package that is changed.
type goPackage struct {
	path    string
	set     *token.FileSet
	files   []goFile
	info    *types.Info
	imports types.Importer
	version string
}

type goFile struct {
	path string
	ast  *ast.File
}

// listed is what go list says about a package.
type listed struct {
	ImportPath, Dir, Export, ForTest   string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Deps                               []string
	Module                             *struct{ GoVersion string }
}

func goList(ctx context.Context, dir string, args ...string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json=ImportPath,Dir,Export,ForTest,GoFiles,TestGoFiles,XTestGoFiles,Deps,Module"}, args...)...)
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w\n%s", strings.Join(args, " "), err, &errs)
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
}

func loadModule(ctx context.Context, dir string, changed, tests []string) (*module, error) {
	m := &module{dir: dir, deps: map[string][]string{}}
	withDeps, err := goList(ctx, dir, append([]string{"-export", "-deps"}, changed...)...)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, l := range withDeps {
		exports[l.ImportPath] = l.Export
	}
	wanted, err := goList(ctx, dir, changed...)
	if err != nil {
		return nil, err
	}
	for _, l := range wanted {
		if len(l.GoFiles) == 0 {
			continue
		}
		p, err := loadPackage(l, exports)
		if err != nil {
			return nil, err
		}
		m.changed = append(m.changed, p)
	}
	withTests, err := goList(ctx, dir, append([]string{"-test"}, tests...)...)
	if err != nil {
		return nil, err
	}
	for _, l := range withTests {
		path, isTest := strings.CutSuffix(l.ImportPath, ".test")
		if !isTest || l.ForTest != "" {
			continue
		}
		m.tests = append(m.tests, path)
		for _, dep := range l.Deps {
			dep, _, _ = strings.Cut(dep, " [") // compiled anew for the test
			m.deps[path] = append(m.deps[path], dep)
		}
	}
	if len(m.tests) == 0 {
		return nil, errors.New("no tests in " + strings.Join(tests, " "))
	}
	slices.SortStableFunc(m.tests, func(a, b string) int { return len(m.deps[a]) - len(m.deps[b]) })
	return m, nil
}

func loadPackage(l listed, exports map[string]string) (*goPackage, error) {
	p := &goPackage{path: l.ImportPath, set: token.NewFileSet(), info: newInfo()}
	if l.Module != nil {
		p.version = "go" + l.Module.GoVersion
	}
	p.imports = importer.ForCompiler(p.set, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, errors.New("no export data of " + path)
		}
		return os.Open(exports[path])
	})
	for _, name := range l.GoFiles {
		path := filepath.Join(l.Dir, name)
		file, err := parser.ParseFile(p.set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, goFile{path, file})
	}
	return p, p.check(p.asts(), p.info)
}

func newInfo() *types.Info {
	return &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
}

func (p *goPackage) asts() (files []*ast.File) {
	for _, f := range p.files {
		files = append(files, f.ast)
	}
	return files
}

func (p *goPackage) check(files []*ast.File, info *types.Info) error {
	_, err := (&types.Config{Importer: p.imports, GoVersion: p.version}).Check(p.path, p.set, files, info)
	return err
}

// related returns the tests that a change of a package could make fail, its own
// first, since they are the likeliest to.
func (m *module) related(path string) (tests []string) {
	for _, t := range m.tests {
		switch {
		case t == path:
			tests = append([]string{t}, tests...)
		case slices.Contains(m.deps[t], path):
			tests = append(tests, t)
		}
	}
	return tests
}

func (m *module) relative(path string) string {
	if short, err := filepath.Rel(m.dir, path); err == nil {
		return filepath.ToSlash(short)
	}
	return path
}

func (m *module) position(c mutant) string { return fmt.Sprintf("%s:%d", m.relative(c.file), c.line()) }
