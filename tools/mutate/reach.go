package main

import (
	"bufio"
	"context"
	"fmt"
	"go/ast"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// reach says which tests run which code of the changed packages.
type reach struct {
	dirs  map[string]string      // of the packages with tests
	tests map[string][]testReach // by package
}

type testReach struct {
	name   string
	blocks []block
}

// block is a stretch of code that runs from its first statement to its last.
type block struct {
	file     string // import path and name
	from, to position
}

type position struct{ line, column int }

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// measure runs each test of the packages alone and notes what it runs.
func (t *tester) measure(ctx context.Context, paths []string, out io.Writer) error {
	r := &reach{dirs: map[string]string{}, tests: map[string][]testReach{}}
	packages, err := goList(ctx, t.module.dir, paths...)
	if err != nil {
		return err
	}
	for _, p := range packages {
		r.dirs[p.ImportPath] = p.Dir
	}
	var changed []string
	for _, p := range t.module.changed {
		changed = append(changed, p.path)
	}
	binary, profile := filepath.Join(t.dir, "reach.test"), filepath.Join(t.dir, "reach.out")
	for _, path := range paths {
		build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-cover", "-coverpkg="+strings.Join(changed, ","), "-o", binary, path)
		build.Dir = t.module.dir
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, text)
		}
		run := func(args ...string) (string, error) {
			cmd := exec.CommandContext(ctx, binary, args...)
			cmd.Dir = r.dirs[path]
			text, err := cmd.CombinedOutput()
			return string(text), err
		}
		names, err := run("-test.list=.")
		if err != nil {
			return fmt.Errorf("%w\n%s", err, names)
		}
		started, n := time.Now(), 0
		for name := range strings.FieldsSeq(names) {
			if strings.HasPrefix(name, "Benchmark") {
				continue
			}
			args := []string{"-test.run=^" + name + "$", "-test.coverprofile=" + profile}
			if !t.settings.long {
				args = append(args, "-test.short")
			}
			if text, err := run(args...); err != nil {
				return fmt.Errorf("%s of %s fails without a change: %w\n%s", name, path, err, text)
			}
			blocks, err := readProfile(profile)
			if err != nil {
				return err
			}
			r.tests[path], n = append(r.tests[path], testReach{name, blocks}), n+1
		}
		fmt.Fprintf(out, "reach     %5.1fs  %d tests of %s\n", time.Since(started).Seconds(), n, path)
	}
	t.reach = r
	return nil
}

// readProfile returns the blocks that ran.
func readProfile(file string) (blocks []block, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, rest, found := strings.Cut(lines.Text(), ".go:")
		if !found {
			continue // the mode
		}
		b := block{file: name + ".go"}
		var statements, count int
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.from.line, &b.from.column, &b.to.line, &b.to.column, &statements, &count); err != nil {
			return nil, fmt.Errorf("a line of %s: %w", file, err)
		}
		if count > 0 {
			blocks = append(blocks, b)
		}
	}
	return blocks, lines.Err()
}

// pattern returns what go test -run needs for the tests of a package that reach a
// mutant: "" for all of them, and false when there are none.
//
// What lies between blocks, such as the conditions of a switch, counts as reached
// by all tests that enter the function. Code outside functions runs in every test.
func (r *reach) pattern(path string, c mutant) (run string, any bool) {
	file := c.pkg.path + "/" + filepath.Base(c.file)
	at := c.position(c.start)
	from, to := c.function()
	if to == (position{}) {
		return "", true
	}
	var inBlock, inFunction []string
	for _, test := range r.tests[path] {
		if slices.ContainsFunc(test.blocks, func(b block) bool { return b.file == file && !at.before(b.from) && at.before(b.to) }) {
			inBlock = append(inBlock, regexp.QuoteMeta(test.name))
		}
		if slices.ContainsFunc(test.blocks, func(b block) bool { return b.file == file && !b.from.before(from) && !to.before(b.to) }) {
			inFunction = append(inFunction, regexp.QuoteMeta(test.name))
		}
	}
	names := inBlock
	if len(names) == 0 {
		names = inFunction
	}
	return "^(" + strings.Join(names, "|") + ")$", len(names) > 0
}

// position tells where an offset of the source lies.
func (m mutant) position(offset int) position {
	before := string(m.source[:offset])
	return position{1 + strings.Count(before, "\n"), offset - strings.LastIndexByte(before, '\n')}
}

// function tells from where to where the declaration of the function around the
// mutant goes.
func (m mutant) function() (from, to position) {
	for _, f := range m.pkg.files {
		if f.path != m.file {
			continue
		}
		for _, d := range f.ast.Decls {
			begin, end := m.pkg.set.Position(d.Pos()), m.pkg.set.Position(d.End())
			if _, ok := d.(*ast.FuncDecl); ok && begin.Offset <= m.start && m.start < end.Offset {
				return position{begin.Line, begin.Column}, position{end.Line, end.Column}
			}
		}
	}
	return position{}, position{}
}
