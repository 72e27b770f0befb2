// Command mutate measures how much of the code the tests check. It changes the
// code in one small place, runs the tests that could fail because of it, and
// reports whether one did; then it goes on to the next place.
//
//	go run ./mutate -seed 1 -n 100 -pkg ./... -tests ./...
//
// It is run in the folder tools and works on the module above it. The patterns
// are that module's. The changed file lies outside the tree and replaces the
// original through the go command's -overlay, so the tree does not change and can
// be worked on.
//
// A mutant is killed when a test fails or ends by its timeout, and survives when
// all tests pass. Only mutants that compile are counted: they are type-checked
// before anything is run. A survivor is a line that no test checks, or a change
// that makes no difference; a person has to decide which. The same seed gives the
// same mutants of the same code.
//
// With -reach each test is run alone first, to see what it reaches, and a mutant
// meets only the tests that reach it: much sooner for code that few do.
//
// Changed code may allocate without end: on Linux no process of the run gets more
// than 8 GiB. Tests that run the go command themselves see the unchanged tree.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

type settings struct {
	seed     uint64
	n        int
	pkg      string
	tests    string
	dir      string
	skip     string
	run      string
	parallel string
	timeout  time.Duration
	long     bool
	reach    bool
	list     bool
}

func main() {
	var s settings
	flag.Uint64Var(&s.seed, "seed", 1, "which mutants: the same seed, the same ones")
	flag.IntVar(&s.n, "n", 100, "mutants that compile, at most")
	flag.StringVar(&s.pkg, "pkg", "./...", "packages to change, separated by spaces")
	flag.StringVar(&s.tests, "tests", "./...", "packages whose tests are run as far as they import the changed one, separated by spaces")
	flag.StringVar(&s.dir, "dir", "..", "folder of the module")
	flag.StringVar(&s.skip, "skip", "", "regular expression of files to leave alone, by their path in the module")
	flag.StringVar(&s.run, "run", "", "go test -run")
	flag.StringVar(&s.parallel, "p", "1", "go test -p")
	flag.DurationVar(&s.timeout, "timeout", 0, "for the tests of one package; 0: three times what they take unchanged, and 20 s")
	flag.BoolVar(&s.long, "long", false, "all tests, in place of those of -short")
	flag.BoolVar(&s.reach, "reach", false, "run only the tests that reach the changed code, which is measured first")
	flag.BoolVar(&s.list, "list", false, "print the mutants and run nothing")
	flag.Parse()
	boundMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := mutate(ctx, s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// result counts what happened to the mutants.
type result struct {
	viable, killed, timedOut, notViable int
	survivors                           []mutant
}

func mutate(ctx context.Context, s settings, out io.Writer) error {
	var err error
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return err
	}
	skip, err := regexp.Compile(s.skip)
	if err != nil {
		return err
	}
	m, err := loadModule(ctx, s.dir, strings.Fields(s.pkg), strings.Fields(s.tests))
	if err != nil {
		return err
	}
	var all []mutant
	for _, p := range m.changed {
		found, err := p.mutants()
		if err != nil {
			return err
		}
		for _, c := range found {
			if s.skip == "" || !skip.MatchString(m.relative(c.file)) {
				all = append(all, c)
			}
		}
	}
	if len(all) == 0 {
		return errors.New("nothing to change in " + s.pkg)
	}
	rand.New(rand.NewPCG(s.seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	fmt.Fprintf(out, "seed %d: %d places to change in %d packages\n", s.seed, len(all), len(m.changed))

	t := tester{module: m, settings: s}
	if !s.list {
		if t.dir, err = os.MkdirTemp("", "mutate"); err != nil {
			return err
		}
		defer os.RemoveAll(t.dir)
		if err := t.baseline(ctx, out); err != nil {
			return err
		}
	}
	started := time.Now()
	var r result
	for _, c := range all {
		if r.viable == s.n || ctx.Err() != nil {
			break
		}
		if !c.pkg.compiles(c) {
			r.notViable++
			continue
		}
		r.viable++
		if s.list {
			fmt.Fprintf(out, "%s: %s\n", m.position(c), c)
			continue
		}
		verdict, err := t.test(ctx, c)
		if err != nil {
			return err
		}
		switch {
		case ctx.Err() != nil:
			r.viable-- // interrupted: it says nothing
			continue
		case verdict.survived:
			r.survivors = append(r.survivors, c)
		case verdict.timedOut:
			r.killed++
			r.timedOut++
		default:
			r.killed++
		}
		fmt.Fprintf(out, "%3d %s %5.1fs  %s: %s\n", r.viable, verdict, verdict.took.Seconds(), m.position(c), c)
	}
	if s.list {
		return nil
	}
	if len(r.survivors) > 0 {
		fmt.Fprintln(out, "\nsurvivors:")
	}
	for _, c := range r.survivors {
		fmt.Fprintf(out, "%s: %s\n\t- %s\n\t+ %s\n", m.position(c), c, oneLine(c.lines(c.text())), oneLine(c.lines(c.replacement)))
	}
	fmt.Fprintf(out, "\nseed %d: %d mutants, %d killed (%d of them by a timeout), %d survived: %.0f %% killed; %d more did not compile; %.0f s\n",
		s.seed, r.viable, r.killed, r.timedOut, len(r.survivors), 100*float64(r.killed)/float64(max(1, r.viable)), r.notViable, time.Since(started).Seconds())
	return nil
}

// oneLine shortens a piece of code to what a line can show.
func oneLine(code string) string {
	code = strings.Join(strings.Fields(code), " ")
	if short := []rune(code); len(short) > 160 {
		return string(short[:160]) + "…"
	}
	return code
}
