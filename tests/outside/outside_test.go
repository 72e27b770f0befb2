package outside

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const root = "github.com/seed-39a49030/alipay"

// tree is where this repository is.
const tree = "../.."

// version is that of the library, which the released modules have, too.
func version(t *testing.T) string {
	t.Helper()
	options, err := os.ReadFile(filepath.Join(tree, "options.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Version\s*=\s*"([0-9.]+)"`).FindSubmatch(options)
	if found == nil {
		t.Fatal("options.go has no Version")
	}
	return "v" + string(found[1])
}

// stranger is a directory outside the repository, and a go command that gets the
// modules of this repository from a proxy and everything else from where it has
// it already, or from the usual proxy.
type stranger struct {
	dir, version string
	env          []string
}

func newStranger(t *testing.T) stranger {
	t.Helper()
	s := stranger{dir: t.TempDir(), version: version(t)}
	proxy := t.TempDir()
	for path, dir := range map[string]string{root: tree, root + "/alipayotel": tree + "/alipayotel", root + "/opensslsigner": tree + "/opensslsigner"} {
		publish(t, proxy, module.Version{Path: path, Version: s.version}, dir)
	}
	modules := t.TempDir()
	s.env = append(os.Environ(), "GOWORK=off", "GOMODCACHE="+modules, "GOSUMDB=off", "GOFLAGS=-modcacherw -mod=mod",
		"GOPROXY="+strings.Join([]string{"file://" + proxy, "file://" + goEnv(t, "GOMODCACHE") + "/cache/download", goEnv(t, "GOPROXY")}, ","))
	return s
}

// publish writes a module as a proxy has it.
func publish(t *testing.T, proxy string, m module.Version, dir string) {
	t.Helper()
	to := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	goMod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, m, dir); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"list":              []byte(m.Version + "\n"),
		m.Version + ".info": fmt.Appendf(nil, `{"Version":%q}`, m.Version),
		m.Version + ".mod":  goMod,
		m.Version + ".zip":  archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(to, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (s stranger) run(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The programs of the library's own module need nothing but their name.
func TestProgramsRunByTheirNameAlone(t *testing.T) {
	s := newStranger(t)
	for _, c := range []struct{ program, args, want string }{
		{"examples/query", "", "SUCCESS"},
		{"examples/certmode", "", "SUCCESS"},
		{"examples/wait", "", "SUCCESS"},
		{"cmd/alipay", "doctor -h", "-live"},
		{"cmd/alipay", "gateway -h", "-addr"},
	} {
		out, err := s.run(append([]string{"run", root + "/" + c.program + "@" + s.version}, strings.Fields(c.args)...)...)
		// Printing the help need not count as success.
		if (err != nil && c.args == "") || !strings.Contains(out, c.want) {
			t.Errorf("%s %s: %v, no %q in\n%s", c.program, c.args, err, c.want, out)
		}
	}
}

func TestTheModulesBesideItAreUsedAsTheirREADMEsSay(t *testing.T) {
	s := newStranger(t)
	programs := map[string]string{"alipayotel": `package main

import (
	"fmt"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipayotel"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func main() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		panic(err)
	}
	defer gateway.Close()
	config := gateway.Config()
	client, err := alipay.NewClient(config, alipay.WithObserver(alipayotel.New()))
	fmt.Println(client != nil, err)
}
`}
	if goEnv(t, "CGO_ENABLED") == "1" {
		programs["opensslsigner"] = readmeProgram(t, tree+"/opensslsigner/README.md")
	}
	for name, program := range programs {
		use := s
		use.dir = filepath.Join(s.dir, name)
		if err := os.Mkdir(use.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(use.dir, "main.go"), []byte(program), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"mod", "init", "example.com/merchant"}, {"get", root + "/" + name}, {"mod", "tidy"}, {"build", "-o", "program", "."}} {
			if out, err := use.run(args...); err != nil {
				t.Fatalf("%s: go %s: %v\n%s", name, strings.Join(args, " "), err, out)
			}
		}
		out, _ := exec.Command(filepath.Join(use.dir, "program")).CombinedOutput()
		want := "true <nil>"
		if name == "opensslsigner" {
			want = "app_private_key.pem: no such file" // it has none
		}
		if !strings.Contains(string(out), want) {
			t.Errorf("%s says %s", name, out)
		}
	}
}

// readmeProgram is the first program of a README.
func readmeProgram(t *testing.T, name string) string {
	t.Helper()
	readme, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, program, found := strings.Cut(string(readme), "```go\npackage main\n")
	program, _, closed := strings.Cut(program, "```")
	if !found || !closed {
		t.Fatalf("%s has no program", name)
	}
	return "package main\n" + program
}
