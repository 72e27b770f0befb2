package alipay

import (
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	readmeEN = "README.md"
	readmeZH = "README.zh-CN.md"
)

// document is what the tests below look at of a Markdown file.
type document struct {
	headings []string // "## Install"
	anchors  []string // as GitHub makes them of the headings
	blocks   []block
	tables   []string // "3 columns, 10 rows"
	links    []string // targets
}

// block is a fenced code block.
type block struct {
	line     int
	language string
	text     string
}

var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func readDocument(tb testing.TB, name string) document {
	tb.Helper()
	data, err := os.ReadFile(name)
	require.NoError(tb, err)
	var d document
	var open *block
	columns, rows := 0, 0
	for i, line := range strings.Split(string(data)+"\n", "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case open != nil && isFence:
			d.blocks = append(d.blocks, *open)
			open = nil
			continue
		case open != nil:
			open.text += line + "\n"
			continue
		case isFence:
			require.NotEmpty(tb, fence, "%s:%d: a block without a language", name, i+1)
			open = &block{line: i + 1, language: fence}
			continue
		}
		if cells := tableCells(line); cells != nil {
			if rows == 0 {
				columns = len(cells)
			}
			require.Len(tb, cells, columns, "%s:%d: a row of another width", name, i+1)
			rows++
			continue
		}
		if rows > 0 {
			d.tables = append(d.tables, fmt.Sprintf("%d columns, %d rows", columns, rows))
			rows = 0
		}
		if strings.HasPrefix(line, "#") {
			d.headings = append(d.headings, line)
			d.anchors = append(d.anchors, anchor(line))
		}
		for _, link := range markdownLink.FindAllStringSubmatch(line, -1) {
			d.links = append(d.links, link[1])
		}
	}
	require.Nil(tb, open, "%s: a block is not closed", name)
	return d
}

// tableCells returns the cells of a line of a table, nil for any other line.
func tableCells(line string) []string {
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|")
	cells := strings.Split(strings.ReplaceAll(inner, `\|`, "\x00"), "|")
	for i, cell := range cells {
		cells[i] = strings.TrimSpace(strings.ReplaceAll(cell, "\x00", "|"))
	}
	return cells
}

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	text := strings.ToLower(strings.TrimSpace(strings.TrimLeft(heading, "#")))
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return r
		}
		return -1
	}, text)
}

func TestReadmesHaveTheSameShape(t *testing.T) {
	en, zh := readDocument(t, readmeEN), readDocument(t, readmeZH)

	levels := func(d document) (out []string) {
		for _, h := range d.headings {
			out = append(out, h[:strings.Index(h, " ")])
		}
		return out
	}
	assert.Equal(t, levels(en), levels(zh), "levels of the headings:\n%s\n%s", strings.Join(en.headings, "\n"), strings.Join(zh.headings, "\n"))
	assert.Equal(t, en.tables, zh.tables)

	require.Len(t, zh.blocks, len(en.blocks))
	for i := range en.blocks {
		assert.Equal(t, en.blocks[i].language, zh.blocks[i].language)
		assert.Equal(t, withoutComments(en.blocks[i]), withoutComments(zh.blocks[i]),
			"%s:%d and %s:%d differ in more than comments", readmeEN, en.blocks[i].line, readmeZH, zh.blocks[i].line)
	}
}

// withoutComments is a block as far as both READMEs must agree on it.
func withoutComments(b block) string {
	switch b.language {
	case "go":
		var s scanner.Scanner
		source := []byte(b.text)
		s.Init(token.NewFileSet().AddFile("", -1, len(source)), source, nil, 0)
		var out strings.Builder
		for {
			_, tok, literal := s.Scan()
			if tok == token.EOF {
				return out.String()
			}
			fmt.Fprintf(&out, "%s %s\n", tok, literal)
		}
	case "sh":
		return regexp.MustCompile(`(?m)\s*#.*$`).ReplaceAllString(b.text, "")
	}
	return b.text
}

func TestReadmeLinksLeadSomewhere(t *testing.T) {
	for _, name := range []string{readmeEN, readmeZH, "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"} {
		d := readDocument(t, name)
		for _, link := range d.links {
			switch {
			case strings.HasPrefix(link, "https://"):
			case strings.HasPrefix(link, "#"):
				assert.Contains(t, d.anchors, link[1:], name)
			default:
				_, err := os.Stat(link)
				assert.NoError(t, err, name)
			}
		}
	}
}

// TestReadmeGoBlocksCompile compiles every Go block of both READMEs, by these
// rules, and runs the tests in them:
//
//   - a block that begins with "package" is a file;
//   - a block with a line that begins with "func" or "type" is the declarations
//     of a file;
//   - any other is statements, in a function that returns an error and knows
//     ctx, client, config, params and gateway.
//
// Imports are added to the last two. Blocks that differ in comments only are
// compiled once.
func TestReadmeGoBlocksCompile(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]bool{}
	for _, name := range []string{readmeEN, readmeZH} {
		for _, b := range readDocument(t, name).blocks {
			if b.language != "go" || seen[withoutComments(b)] {
				continue
			}
			seen[withoutComments(b)] = true
			// The name of the file leads from an error to the block. Statements
			// declare no names, so that they can share a package.
			file := fmt.Sprintf("%s_line_%d", strings.NewReplacer(".", "_", "-", "_").Replace(name), b.line)
			sub := filepath.Join(dir, "statements")
			if !isStatements(b.text) {
				sub = filepath.Join(dir, file)
			}
			if strings.Contains(b.text, "\nfunc Test") {
				file += "_test"
			}
			require.NoError(t, os.MkdirAll(sub, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(sub, file+".go"), []byte(asFile(b.text)), 0o600))
		}
	}
	require.NotEmpty(t, seen)

	root, err := os.Getwd()
	require.NoError(t, err)
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	mod = regexp.MustCompile(`(?m)^module .*$`).ReplaceAll(mod, []byte("module readme"))
	mod = fmt.Appendf(mod, "\nrequire github.com/seed-39a49030/alipay v0.0.0\nreplace github.com/seed-39a49030/alipay => %q\n", root)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o600))
	sum, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600))

	for _, args := range [][]string{{"vet", "./..."}, {"test", "-vet=off", "-ldflags=-s -w", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v\n%s", args, out)
	}
}

var importsOfBlocks = map[string]string{
	"alipay": "github.com/seed-39a49030/alipay", "alipaytest": "github.com/seed-39a49030/alipay/alipaytest",
	"atomic": "sync/atomic", "context": "context", "crypto": "crypto", "errors": "errors", "fmt": "fmt",
	"http": "net/http", "io": "io", "log": "log", "os": "os", "rsa": "crypto/rsa", "slog": "log/slog",
	"testing": "testing", "time": "time", "url": "net/url",
}

func isStatements(text string) bool {
	return !regexp.MustCompile(`(?m)^(package|func|type) `).MatchString(text)
}

// asFile makes a Go file of a block.
func asFile(text string) string {
	if strings.HasPrefix(text, "package ") {
		return text
	}
	if isStatements(text) {
		text = "func _(ctx context.Context, client *alipay.Client, config alipay.AlipayConfig, params *alipay.QueryParams, gateway *alipaytest.Gateway) error {\n" +
			"{\n" + text + "}\nreturn nil\n}\n"
	}
	var imports strings.Builder
	for name, path := range importsOfBlocks {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(text) {
			fmt.Fprintf(&imports, "import %q\n", path)
		}
	}
	return "package block\n" + imports.String() + text
}

func TestVersionIsTheNewestOfTheChangelog(t *testing.T) {
	data, err := os.ReadFile("CHANGELOG.md")
	require.NoError(t, err)
	newest := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$`).FindSubmatch(data)
	require.NotNil(t, newest, "no heading like ## [0.1.0] - 2026-11-21")
	assert.Equal(t, Version, string(newest[1]))
}
