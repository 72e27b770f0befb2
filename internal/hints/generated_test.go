package hints_test

import (
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/hints"
)

var update = flag.Bool("update", false, "write anew what is made from the table of codes")

// TestGeneratedPartsAreCurrent: the constants in codes.go and the tables of the
// documents are made from the table of error codes.
func TestGeneratedPartsAreCurrent(t *testing.T) {
	for _, target := range targets {
		file := filepath.Join("..", "..", target.file)
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		want, err := apply(string(data), target)
		require.NoError(t, err)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		} else {
			assert.Equal(t, want, string(data), "%s: run go generate ./...", target.file)
		}
	}
}

// target is a file with a generated part, which is between begin and end.
type target struct {
	file, begin, end string
	render           func() string
}

var targets = []target{
	{"codes.go", "go generate.\nconst (\n", "\n)\n", constants},
	{"docs/en/errors.md", tablesBegin, tablesEnd, func() string {
		return tables("| Code | Constant | Meaning | What to do |", func(t hints.Text) string { return t.EN })
	}},
	{"docs/zh-CN/errors.md", tablesBegin, tablesEnd, func() string {
		return tables("| 错误码 | 常量 | 含义 | 处理方式 |", func(t hints.Text) string { return t.ZH })
	}},
}

const (
	tablesBegin = "<!-- codes:begin -->\n"
	tablesEnd   = "<!-- codes:end -->"
)

// apply returns the text of a file with its generated part made new.
func apply(text string, t target) (string, error) {
	before, rest, hasBegin := strings.Cut(text, t.begin)
	_, after, hasEnd := strings.Cut(rest, t.end)
	if !hasBegin || !hasEnd {
		return "", fmt.Errorf("%s: nothing between %q and %q", t.file, t.begin, t.end)
	}
	text = before + t.begin + t.render() + t.end + after
	if !strings.HasSuffix(t.file, ".go") {
		return text, nil
	}
	formatted, err := format.Source([]byte(text))
	return string(formatted), err
}

// constants renders the body of the const block.
func constants() string {
	var b strings.Builder
	for i, group := range hints.Groups {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "\t// %s\n", group.Title.EN)
		for _, e := range group.Entries {
			fmt.Fprintf(&b, "\t%s ErrorCode = %q // %s\n", constant(e.Code), e.Code, e.Meaning.EN)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// constant spells a code the way Go names are spelled.
func constant(code string) string {
	if code == "invalid-parameter" {
		return "CodeGatewayInvalidParameter" // CodeInvalidParameter is INVALID_PARAMETER
	}
	name := "Code"
	for word := range strings.FieldsFuncSeq(strings.ToLower(code), func(r rune) bool { return r == '-' || r == '_' }) {
		if initialism, ok := initialisms[word]; ok {
			name += initialism
		} else {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return name
}

var initialisms = map[string]string{
	"api": "API", "id": "ID", "ip": "IP", "isv": "ISV", "json": "JSON",
	"oid": "OID", "openid": "OpenID", "sn": "SN", "uid": "UID", "zm": "ZM",
}

// tables renders a Markdown table for each group, in one language.
func tables(header string, in func(hints.Text) string) string {
	var b strings.Builder
	for _, group := range hints.Groups {
		fmt.Fprintf(&b, "\n%s\n\n%s\n|---|---|---|---|\n", in(group.Title), header)
		for _, e := range group.Entries {
			advice := in(e.Advice)
			if advice == "" {
				advice = "—"
			}
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", e.Code, constant(e.Code), in(e.Meaning), advice)
		}
	}
	return b.String() + "\n"
}

func TestFilesWithoutTheirMarkersAreRefused(t *testing.T) {
	for _, text := range []string{"", "const (", "\nconst (\n\tA = 1", "\n)\n"} {
		_, err := apply(text, targets[0])
		assert.Error(t, err, "%q", text)
	}
}

// The list is the platform's, with its order and its spelling.
func TestEveryListedCodeIsInTheTableInOrder(t *testing.T) {
	list, err := os.ReadFile("../../testdata/error_codes.txt")
	require.NoError(t, err)
	var want []string
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			want = append(want, line)
		}
	}
	require.Len(t, want, 116)

	var got []string
	for _, group := range hints.Groups {
		for _, entry := range group.Entries {
			got = append(got, entry.Code)
		}
	}
	assert.Equal(t, want, got)
}

func TestConstantsAreSpelledAsGoSpellsNames(t *testing.T) {
	for code, want := range map[string]string{
		"TOKEN_INVALID":                 "CodeTokenInvalid",
		"NOT_OPEN_ZM":                   "CodeNotOpenZM",
		"INVALID_PARAMETER":             "CodeInvalidParameter",
		"invalid-parameter":             "CodeGatewayInvalidParameter",
		"invalid-app-id":                "CodeInvalidAppID",
		"illegal-client-ip":             "CodeIllegalClientIP",
		"insufficient-isv-permissions":  "CodeInsufficientISVPermissions",
		"missing-alipay-root-cert-sn":   "CodeMissingAlipayRootCertSN",
		"missing-app-uid":               "CodeMissingAppUID",
		"illegal-json":                  "CodeIllegalJSON",
		"app-invalid-oid":               "CodeAppInvalidOID",
		"openid-error":                  "CodeOpenIDError",
		"app-api-punished":              "CodeAppAPIPunished",
		"sevice-not-been-subscribed-to": "CodeSeviceNotBeenSubscribedTo",
	} {
		assert.Equal(t, want, constant(code))
	}
}
