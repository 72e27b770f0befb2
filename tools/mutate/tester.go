package main

import (
	"context"
	"encoding/json"
	"fmt"
	"go/parser"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// tester runs tests with a change applied through an overlay.
type tester struct {
	module   *module
	settings settings
	dir      string                   // for changed files
	timeouts map[string]time.Duration // per package
	reach    *reach                   // nil: every test is run
}

// verdict is what the tests say about a mutant.
type verdict struct {
	survived, timedOut bool
	by                 string
	took               time.Duration
}

func (v verdict) String() string {
	switch {
	case v.survived:
		return "SURVIVED"
	case v.timedOut:
		return "timeout "
	}
	return "killed  "
}

// baseline runs all tests that will be needed without any change. They must pass,
// and it measures how long they take.
func (t *tester) baseline(ctx context.Context, out io.Writer) error {
	t.timeouts = map[string]time.Duration{}
	var paths []string
	for _, p := range t.module.changed {
		for _, path := range t.module.related(p.path) {
			if _, known := t.timeouts[path]; known {
				continue
			}
			limit := t.settings.timeout
			if limit == 0 {
				limit = 10 * time.Minute
			}
			paths = append(paths, path)
			started := time.Now()
			output, err := t.goTest(ctx, path, limit, t.settings.run, "")
			if err != nil {
				return fmt.Errorf("the tests of %s fail without a change: %w\n%s", path, err, output)
			}
			took := time.Since(started)
			t.timeouts[path] = t.settings.timeout
			if t.settings.timeout == 0 {
				t.timeouts[path] = 3*took + 20*time.Second
			}
			fmt.Fprintf(out, "unchanged %5.1fs  %s\n", took.Seconds(), path)
		}
	}
	if t.settings.reach {
		return t.measure(ctx, paths, out)
	}
	return ctx.Err()
}

// test applies a mutant through an overlay and runs the tests that could fail
// because of it, until one does.
func (t *tester) test(ctx context.Context, c mutant) (verdict, error) {
	changed := filepath.Join(t.dir, "changed.go")
	overlay := filepath.Join(t.dir, "overlay.json")
	data, err := json.Marshal(map[string]map[string]string{"Replace": {c.file: changed}})
	if err != nil {
		return verdict{}, err
	}
	if err := os.WriteFile(changed, c.changed(), 0o600); err != nil {
		return verdict{}, err
	}
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		return verdict{}, err
	}
	started := time.Now()
	for _, path := range t.module.related(c.pkg.path) {
		run, reached := t.settings.run, true
		if t.reach != nil {
			run, reached = t.reach.pattern(path, c)
		}
		if !reached {
			continue
		}
		output, err := t.goTest(ctx, path, t.timeouts[path], run, overlay)
		if err == nil {
			continue
		}
		if strings.Contains(output, "[build failed]") {
			return verdict{}, fmt.Errorf("%s: %s: it was thought to compile:\n%s", t.module.position(c), c, output)
		}
		return verdict{timedOut: strings.Contains(output, "panic: test timed out"), by: path, took: time.Since(started)}, nil
	}
	return verdict{survived: true, took: time.Since(started)}, nil
}

func (t *tester) goTest(ctx context.Context, path string, timeout time.Duration, run, overlay string) (string, error) {
	args := []string{"test", "-vet=off", "-count=1", "-failfast", "-p=" + t.settings.parallel, "-timeout=" + timeout.String()}
	if !t.settings.long {
		args = append(args, "-short")
	}
	if run != "" {
		args = append(args, "-run="+run)
	}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	// How much longer a test may take that does not end by its own timeout,
	// compilation included.
	ctx, cancel := context.WithTimeout(ctx, timeout+5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append(args, path)...)
	cmd.Dir = t.module.dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// compiles reports whether the package compiles with the change in it.
func (p *goPackage) compiles(c mutant) bool {
	files := p.asts()
	changed, err := parser.ParseFile(p.set, c.file, c.changed(), parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	for i, f := range p.files {
		if f.path == c.file {
			files[i] = changed
		}
	}
	return p.check(files, nil) == nil
}
