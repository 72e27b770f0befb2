package alipay_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
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
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

func init() {
	if flag.Lookup("update") == nil { // golden files of other tests may have it, too
		flag.Bool("update", false, "write golden files anew")
	}
}

const modulePath = "github.com/seed-39a49030/alipay"

// TestAPIChangesAreIntended compares the exported names of the public packages
// with api.txt.
func TestAPIChangesAreIntended(t *testing.T) {
	t.Parallel()
	got := "# Every exported name and its type. To update: go test -run TestAPI . -update\n"
	imports := exportData(t)
	for _, dir := range []string{".", "check", "check/checktest", "check/sqlstore", "alipaytest"} {
		got += "\n" + strings.Join(exported(t, dir, imports), "\n") + "\n"
	}
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile("api.txt", []byte(got), 0o644))
		return
	}
	data, err := os.ReadFile("api.txt")
	require.NoError(t, err)
	want := strings.ReplaceAll(string(data), "\r\n", "\n")
	if got != want {
		t.Errorf("the API is not that of api.txt:\n%s%s\n"+
			"Programs are written against it. If the change is meant, run\n\n"+
			"\tgo test -run TestAPI . -update\n\nand tell of it in CHANGELOG.md.",
			missing("- ", want, got), missing("+ ", got, want))
	}
}

// TestAPIOfTheLastReleaseIsStillThere compares api.txt with that of the newest
// tag. What programs are written against may go with a new minor version while
// the major one is 0, later with a new major one only.
func TestAPIOfTheLastReleaseIsStillThere(t *testing.T) {
	tag := git(t, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
	if tag == "" {
		t.Log("there is no release yet")
		return
	}
	before := git(t, "show", tag+":api.txt")
	if before == "" {
		t.Logf("%s has no api.txt", tag)
		return
	}
	now, err := os.ReadFile("api.txt")
	require.NoError(t, err)
	gone := breaking(before, string(now))
	if gone == "" || mayBreak(tag, alipay.Version) {
		t.Logf("since %s:\n%s", tag, gone)
		return
	}
	t.Errorf("programs that compile with %s would not compile any more:\n%s\nKeep them, deprecated, "+
		"or raise Version and say in CHANGELOG.md what to write instead (CONTRIBUTING.md, Versions).", tag, gone)
}

// git returns what git says of this repository, "" where there is none.
func git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-c", "safe.directory=*"}, args...)...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(out), "\n")
}

// breaking lists the lines of an old api.txt that the new one lacks, and methods
// that the new one demands of an interface of old.
func breaking(before, now string) string {
	var lines strings.Builder
	for line := range strings.Lines(missing("- ", before+"\n", now+"\n")) {
		if !strings.HasPrefix(line, "- #") && !strings.Contains(line, ", const Version = ") {
			lines.WriteString(line)
		}
	}
	for line := range strings.Lines(missing("+ ", now+"\n", before+"\n")) {
		if of, _, isMethod := strings.Cut(strings.TrimPrefix(line, "+ "), " interface, "); isMethod && strings.Contains(before, of+" interface\n") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// mayBreak tells whether a version may take away what the release of a tag had.
func mayBreak(tag, version string) bool {
	var old, now [2]int
	if n, err := fmt.Sscanf(tag, "v%d.%d", &old[0], &old[1]); err != nil || n != 2 {
		return false
	}
	if n, err := fmt.Sscanf(version, "%d.%d", &now[0], &now[1]); err != nil || n != 2 {
		return false
	}
	return now[0] > old[0] || now[0] == 0 && old[0] == 0 && now[1] > old[1]
}

func TestBreakingChangesAreFound(t *testing.T) {
	before := "# Every exported name\n\npkg alipay, const Version = \"0.1.0\"\npkg alipay, func F(int)\n" +
		"pkg alipay, type I interface\npkg alipay, type I interface, M()\npkg alipay, type S struct, A int"
	require.Empty(t, breaking(before, before))
	require.Empty(t, breaking(before, "# Another\n"+strings.Replace(before, "0.1.0", "0.1.1", 1)+
		"\npkg alipay, func G()\npkg alipay, type J interface\npkg alipay, type J interface, M()\npkg alipay, type S struct, B int"))
	require.Equal(t, "- pkg alipay, func F(int)\n", breaking(before, strings.Replace(before, "F(int)", "F(int64)", 1)))
	require.Equal(t, "- pkg alipay, type S struct, A int\n", breaking(before, strings.Replace(before, ", A int", ", B int", 1)))
	require.Equal(t, "+ pkg alipay, type I interface, N()\n", breaking(before, before+"\npkg alipay, type I interface, N()"))

	for versions, may := range map[[2]string]bool{
		{"v0.1.0", "0.1.0"}: false, {"v0.1.0", "0.1.1"}: false, {"v0.1.0", "0.2.0"}: true, {"v0.9.0", "0.10.0"}: true, {"v0.9.0", "1.0.0"}: true,
		{"v1.0.0", "1.1.0"}: false, {"v1.9.0", "2.0.0"}: true, {"v2.0.0", "1.9.0"}: false, {"v1", "2"}: false,
	} {
		require.Equal(t, may, mayBreak(versions[0], versions[1]), versions)
	}
}

// TestSubmodulesRequireThisVersion keeps what is released together together: a
// released module is used with the release of the library it names.
func TestSubmodulesRequireThisVersion(t *testing.T) {
	for _, name := range []string{"alipayotel/go.mod", "opensslsigner/go.mod"} {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Contains(t, string(data), "module "+modulePath+"/"+filepath.Dir(name)+"\n")
		for line := range strings.Lines(string(data)) {
			if of, version, found := strings.Cut(strings.TrimSpace(line), modulePath+" v"); found && of == "" {
				require.Equal(t, alipay.Version, version, name)
			}
		}
	}
}

// missing returns the lines of a that are not in b.
func missing(mark, a, b string) string {
	var lines strings.Builder
	for line := range strings.Lines(a) {
		if !strings.Contains("\n"+b, "\n"+line) {
			lines.WriteString(mark + line)
		}
	}
	return lines.String()
}

// exportData returns an importer that reads what the compiler left behind.
func exportData(t *testing.T) types.Importer {
	t.Helper()
	var errs bytes.Buffer
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", ".", "./check/...", "./alipaytest")
	list.Stderr = &errs
	out, err := list.Output()
	require.NoError(t, err, errs.String())
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[path] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, errors.New("no export data for " + path)
		}
		return os.Open(files[path])
	})
}

// exported lists what the package in dir exports, one line each, sorted.
func exported(t *testing.T, dir string, imports types.Importer) []string {
	t.Helper()
	source, err := build.ImportDir(dir, 0)
	require.NoError(t, err)
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range source.GoFiles {
		file, err := parser.ParseFile(set, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	path := strings.TrimSuffix(modulePath+"/"+dir, "/.")
	pkg, err := (&types.Config{Importer: imports, IgnoreFuncBodies: true}).Check(path, set, files, nil)
	require.NoError(t, err)

	a := apiLister{pkg: pkg}
	for _, name := range pkg.Scope().Names() {
		if object := pkg.Scope().Lookup(name); object.Exported() {
			a.object(object)
		}
	}
	slices.Sort(a.lines)
	return a.lines
}

type apiLister struct {
	pkg   *types.Package
	lines []string
}

func (a *apiLister) add(format string, args ...any) {
	a.lines = append(a.lines, "pkg "+a.pkg.Name()+", "+fmt.Sprintf(format, args...))
}

func (a *apiLister) object(object types.Object) {
	switch object := object.(type) {
	case *types.Const:
		typ := " " + a.typ(object.Type())
		if basic, ok := object.Type().(*types.Basic); ok && basic.Info()&types.IsUntyped != 0 {
			typ = ""
		}
		a.add("const %s%s = %s", object.Name(), typ, object.Val().ExactString())
	case *types.Var:
		a.add("var %s %s", object.Name(), a.typ(object.Type()))
	case *types.Func:
		a.add("func %s%s", object.Name(), a.signature(object))
	case *types.TypeName:
		a.typeName(object)
	}
}

func (a *apiLister) typeName(object *types.TypeName) {
	name := object.Name()
	if object.IsAlias() {
		a.add("type %s = %s", name, a.typ(types.Unalias(object.Type())))
		return
	}
	switch under := object.Type().Underlying().(type) {
	case *types.Struct:
		a.fields(name, under)
	case *types.Interface:
		a.add("type %s interface", name)
		for method := range under.Methods() {
			a.add("type %s interface, %s%s", name, method.Name(), a.signature(method))
		}
		return // its method set is no news
	default:
		a.add("type %s %s", name, a.typ(under))
	}
	values := types.NewMethodSet(object.Type())
	for method := range types.NewMethodSet(types.NewPointer(object.Type())).Methods() {
		if !method.Obj().Exported() {
			continue
		}
		receiver := "*" + name
		if values.Lookup(a.pkg, method.Obj().Name()) != nil {
			receiver = name
		}
		a.add("method (%s) %s%s", receiver, method.Obj().Name(), a.signature(method.Obj().(*types.Func)))
	}
}

func (a *apiLister) fields(name string, of *types.Struct) {
	hidden := ""
	for i := range of.NumFields() {
		field := of.Field(i)
		switch {
		case !field.Exported():
			hidden = ", with unexported fields"
		case of.Tag(i) != "":
			a.add("type %s struct, %s %s `%s`", name, field.Name(), a.typ(field.Type()), of.Tag(i))
		default:
			a.add("type %s struct, %s %s", name, field.Name(), a.typ(field.Type()))
		}
	}
	a.add("type %s struct%s", name, hidden)
}

func (a *apiLister) signature(f *types.Func) string {
	return strings.TrimPrefix(a.typ(f.Signature()), "func")
}

func (a *apiLister) typ(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string {
		if p == a.pkg {
			return ""
		}
		return p.Name()
	})
}
