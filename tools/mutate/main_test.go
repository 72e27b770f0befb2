package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func fixture() settings {
	return settings{seed: 1, n: 100, pkg: "./...", tests: "./...", dir: "testdata/fixture", parallel: "1", timeout: 2 * time.Second}
}

func output(t *testing.T, s settings) string {
	t.Helper()
	var out bytes.Buffer
	if err := mutate(t.Context(), s, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWhatTestsWatchIsKilledAndTheRestSurvives(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command some forty times")
	}
	before, err := os.ReadFile("testdata/fixture/fixture.go")
	if err != nil {
		t.Fatal(err)
	}
	got := output(t, fixture())
	for _, want := range []string{
		"killed    fixture.go:8: > → <=",
		"killed    fixture.go:8: left out: if a > b {",
		"killed    fixture.go:16: == → !=", // by the tests of another package
		"timeout   fixture.go:34: left out: steps++",
		"SURVIVED  fixture.go:8: > → >=", // makes no difference
		"SURVIVED  fixture.go:24: < → <=",
		"SURVIVED  fixture.go:25: left out: sum += i",
		"killed    user/user.go:7: == → !=",
	} {
		verdict, rest, _ := strings.Cut(want, "  ")
		if !slices.ContainsFunc(strings.Split(got, "\n"), func(line string) bool {
			return strings.Contains(line, verdict) && strings.HasSuffix(line, "  "+strings.TrimSpace(rest))
		}) {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
	if !strings.Contains(got, "18 mutants, 10 killed (1 of them by a timeout), 8 survived: 56 % killed; 2 more did not compile") {
		t.Errorf("the figures are\n%s", got)
	}
	if !strings.Contains(got, "\t- sum += i\n\t+ sum -= i\n") {
		t.Errorf("a survivor is not shown in\n%s", got)
	}
	if after, err := os.ReadFile("testdata/fixture/fixture.go"); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the tree has changed: %v", err)
	}
}

func TestTheSameSeedGivesTheSameMutants(t *testing.T) {
	s := fixture()
	s.list, s.n = true, 10
	first, again := output(t, s), output(t, s)
	if first != again || strings.Count(first, "\n") != 11 {
		t.Errorf("first\n%s\nthen\n%s", first, again)
	}
	s.seed = 2
	if output(t, s) == first {
		t.Error("another seed gives the same mutants")
	}
}

func TestFilesCanBeLeftAlone(t *testing.T) {
	s := fixture()
	s.list, s.skip = true, `^fixture\.go$`
	if got := output(t, s); strings.Contains(got, "fixture.go") || !strings.Contains(got, "user/user.go") {
		t.Errorf("the mutants are\n%s", got)
	}
}

func TestTestsThatFailWithoutAChangeAreAnError(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.com/broken\n\ngo 1.25.0\n",
		"a.go":      "package broken\n\nfunc one() int { return 1 }\n",
		"a_test.go": "package broken\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) {\n\tif one() != 2 {\n\t\tt.Fatal(\"wrong\")\n\t}\n}\n",
	} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := fixture()
	s.dir = dir
	var out bytes.Buffer
	if err := mutate(t.Context(), s, &out); err == nil || !strings.Contains(err.Error(), "fail without a change") {
		t.Errorf("got %v\n%s", err, &out)
	}
}

func TestReachGivesTheSameVerdicts(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command some forty times")
	}
	s := fixture()
	s.reach = true
	got := output(t, s)
	if !strings.Contains(got, "18 mutants, 10 killed (1 of them by a timeout), 8 survived") {
		t.Errorf("the figures are\n%s", got)
	}
}
