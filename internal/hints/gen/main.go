// Gen writes what is made from the table of error codes: the constants in
// codes.go and the tables of the documents. It is run by go generate.
package main

import (
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-39a49030/alipay/internal/hints"
)

func main() {
	log.SetFlags(0)
	for _, target := range targets {
		path := filepath.Join("..", "..", target.file)
		if err := update(path, target); err != nil {
			log.Fatal(err)
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

func update(path string, t target) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data, err := apply(string(old), t)
	if err != nil || data == string(old) {
		return err
	}
	return os.WriteFile(path, []byte(data), 0o644)
}

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
		fmt.Fprintf(&b, "\t// %s\n\n", group.Title.EN)
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
