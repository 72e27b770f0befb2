package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	_ "github.com/prometheus/client_golang/prometheus/promauto" // for the blocks
)

// imports are those of the names in blocks that name none themselves.
var imports = map[string]string{
	"alipay": "github.com/seed-39a49030/alipay", "alipaytest": "github.com/seed-39a49030/alipay/alipaytest",
	"check": "github.com/seed-39a49030/alipay/check", "sqlstore": "github.com/seed-39a49030/alipay/check/sqlstore",
	"prometheus": "github.com/prometheus/client_golang/prometheus",
	"promauto":   "github.com/prometheus/client_golang/prometheus/promauto",
	"assert":     "github.com/stretchr/testify/assert", "require": "github.com/stretchr/testify/require",
	"http": "net/http", "json": "encoding/json", "rsa": "crypto/rsa", "signal": "os/signal", "slog": "log/slog", "sql": "database/sql", "url": "net/url",
}

var (
	selector    = regexp.MustCompile(`\b([a-z]+)\.[A-Z]`)
	comment     = regexp.MustCompile(`(?m)(^|\s)//.*$`)
	declaration = regexp.MustCompile(`(?m)^(func|type) `)
)

// TestGoBlocksCompile compiles every Go block, by these rules, and runs the tests
// in them:
//
//   - a block that begins with "package" is a file;
//   - a block with a line that begins with "func" or "type" is the declarations
//     of a file;
//   - any other is statements, in a function that returns an error and knows
//     ctx, client, config, params and gateway.
//
// Imports are added to the last two. The Chinese blocks are the same but for
// their comments.
func TestGoBlocksCompile(t *testing.T) {
	blocks, err := os.MkdirTemp(".", "_blocks") // in this module, for its dependencies; ./... does not see it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(blocks) })
	var packages []string
	for _, pair := range pages(t) {
		for _, b := range pair[0].blocks {
			if b.language != "go" || strings.HasSuffix(filepath.Dir(pair[0].file), "otel") || strings.HasSuffix(filepath.Dir(pair[0].file), "signer") { // modules of their own
				continue
			}
			file := "block.go"
			if strings.Contains(b.text, "\nfunc Test") {
				file = "block_test.go"
			}
			// The name leads from an error to the block.
			block := filepath.Join(blocks, fmt.Sprintf("%s_line_%d", filepath.Base(pair[0].file), b.line))
			packages = append(packages, "./"+block)
			require.NoError(t, os.MkdirAll(block, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(block, file), []byte(asFile(b.text)), 0o600))
		}
	}
	for _, command := range []string{"vet", "test"} {
		out, err := exec.CommandContext(t.Context(), "go", append([]string{command, "-mod=readonly"}, packages...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// asFile makes a Go file of a block.
func asFile(text string) string {
	if strings.HasPrefix(text, "package ") {
		return text
	}
	if !declaration.MatchString(text) {
		text = "func _(ctx context.Context, client *alipay.Client, config alipay.AlipayConfig, params *alipay.QueryParams, gateway *alipaytest.Gateway) error {\n" +
			"{\n" + text + "}\nreturn nil\n}\n"
	}
	used := map[string]bool{}
	for _, match := range selector.FindAllStringSubmatch(comment.ReplaceAllString(text, ""), -1) {
		used[match[1]] = true
	}
	var header strings.Builder
	for name := range used {
		path := imports[name]
		switch name {
		case "context", "crypto", "errors", "fmt", "io", "os", "syscall", "testing", "time":
			path = name
		}
		if path != "" {
			fmt.Fprintf(&header, "import %q\n", path)
		}
	}
	return "package block\n" + header.String() + text
}
