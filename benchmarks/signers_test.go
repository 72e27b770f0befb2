package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The third row takes a compilation of the whole standard library.
func TestCallsSucceedWithBothSigners(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	defer func(all int) { builds = builds[:all] }(len(builds))
	builds = builds[:2]
	s := start(t)
	names, callers, err := startCallers(s)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range callers {
		defer c.close()
		if strings.Contains(c.by, "SSL") != (names[i] == "opensslsigner") {
			t.Errorf("in the row %s, %s signs", names[i], c.by)
		}
		for _, signOnly := range []bool{true, false} {
			latencies := make([]float64, 8)
			got, err := c.side(signOnly).measure(2, len(latencies), latencies)
			if err != nil || got.Wall == 0 || got.Allocs == 0 || min(latencies[0], latencies[7]) == 0 {
				t.Errorf("%s, signatures alone: %t: %+v, %v, %v", names[i], signOnly, got, latencies, err)
			}
		}
	}
	if len(callers) == 0 {
		t.Error("no row")
	}
}

func TestTheProgramOfTheSignersREADMECompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler")
	}
	readme, err := os.ReadFile("../opensslsigner/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, found := strings.Cut(string(readme), "```go\n")
	program, _, closed := strings.Cut(program, "```")
	if !found || !closed {
		t.Fatal("no program")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", os.DevNull, file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
