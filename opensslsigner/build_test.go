package opensslsigner

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build builds the package with these variables and returns what the go command
// says.
func build(t *testing.T, env ...string) (output string, failed bool) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", os.DevNull, ".")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err != nil
}

func TestWithoutCgoTheBuildSaysWhatIsMissing(t *testing.T) {
	out, failed := build(t, "CGO_ENABLED=0")
	if !failed || !strings.Contains(out, "opensslsigner_needs_cgo") {
		t.Errorf("failed: %v, output:\n%s", failed, out)
	}
}

// The compiler is given all headers of the system but those of OpenSSL.
func TestWithoutHeadersTheBuildSaysWhatToInstall(t *testing.T) {
	if _, err := os.Stat("/usr/include/openssl/evp.h"); err != nil {
		t.Skip("the headers are not where Debian has them")
	}
	own, err := exec.Command("gcc", "-print-file-name=include").Output()
	if err != nil {
		t.Skip("no gcc")
	}
	dir := t.TempDir()
	flags := "-nostdinc -isystem " + strings.TrimSpace(string(own))
	for i, from := range []string{"/usr/include", "/usr/include/" + triplet(t)} {
		to := filepath.Join(dir, string(rune('a'+i)))
		if err := os.Mkdir(to, 0o755); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if entry.Name() == "openssl" {
				continue
			}
			if err := os.Symlink(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
				t.Fatal(err)
			}
		}
		flags += " -isystem " + to
	}
	out, failed := build(t, "CGO_ENABLED=1", "CC=gcc", "CGO_CFLAGS="+flags)
	if !failed || !strings.Contains(out, "apt-get install libssl-dev") {
		t.Errorf("failed: %v, output:\n%s", failed, out)
	}
	if strings.Contains(out, "No such file") || strings.Contains(out, "could not determine") {
		t.Errorf("more than the one message:\n%s", out)
	}
}

func triplet(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("gcc", "-print-multiarch").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
