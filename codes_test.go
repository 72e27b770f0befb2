package alipay

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// codeRow is one code with all that is written about it: the constant and its
// doc comment in codes.go, and its entry of codeTable. The README tables are
// made of these.
type codeRow struct {
	Code               ErrorCode
	Name               string // of the constant
	Gateway            bool   // else a business code
	Meaning, MeaningZH string
	Cure               cure
}

// codeRows returns every code of codes.go, in its order.
func codeRows(tb testing.TB) []codeRow {
	tb.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, parser.ParseComments)
	require.NoError(tb, err)

	entries := map[ErrorCode]codeInfo{}
	for _, entry := range codeTable {
		entries[entry.Code] = entry
	}

	var rows []codeRow
	for _, decl := range file.Decls {
		consts, ok := decl.(*ast.GenDecl)
		if !ok || consts.Tok != token.CONST {
			continue
		}
		for _, spec := range consts.Specs {
			spec := spec.(*ast.ValueSpec)
			require.Len(tb, spec.Names, 1)
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(tb, err)

			row := codeRow{Code: ErrorCode(code), Name: spec.Names[0].Name, Gateway: code == strings.ToLower(code)}
			row.Meaning, row.MeaningZH = splitCodeDoc(tb, row.Name, spec.Doc.Text())
			entry, ok := entries[row.Code]
			require.True(tb, ok, "%s has no entry in codeTable", row.Name)
			require.NotEqual(tb, row.MeaningZH == "", entry.MeaningZH == "",
				"%s: the Chinese belongs in the doc comment or in codeTable, one of them", row.Name)
			row.MeaningZH += entry.MeaningZH
			row.Cure = entry.Cure
			rows = append(rows, row)
		}
	}
	return rows
}

var codeDoc = regexp.MustCompile(`^(Code\w+): (.*?)(?: \(([^()]*\p{Han}[^()]*)\))?\.\n$`)

// splitCodeDoc takes the doc comment of a code apart. It is a single line,
// "Name: meaning (中文).", and the Chinese may be missing.
func splitCodeDoc(tb testing.TB, name, doc string) (meaning, zh string) {
	tb.Helper()
	parts := codeDoc.FindStringSubmatch(doc)
	require.NotNil(tb, parts, "%s: doc comment %q", name, doc)
	require.Equal(tb, name, parts[1])
	require.NotEmpty(tb, parts[2])
	return parts[2], parts[3]
}

// goCodeName spells a code by the naming rule of the constants.
func goCodeName(code ErrorCode) string {
	if code == "invalid-parameter" { // would meet INVALID_PARAMETER
		return "CodeGatewayInvalidParameter"
	}
	initialisms := map[string]string{
		"api": "API", "id": "ID", "ip": "IP", "isv": "ISV", "json": "JSON",
		"oid": "OID", "sn": "SN", "uid": "UID", "zm": "ZM", "openid": "OpenID",
	}
	name := "Code"
	for _, word := range strings.FieldsFunc(strings.ToLower(string(code)), func(r rune) bool { return r == '-' || r == '_' }) {
		if initialism, ok := initialisms[word]; ok {
			name += initialism
		} else {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return name
}

func TestEveryListedCodeHasItsConstant(t *testing.T) {
	list, err := os.ReadFile("testdata/error_codes.txt")
	require.NoError(t, err)
	var want []string
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			want = append(want, goCodeName(ErrorCode(line))+" = "+line)
		}
	}
	require.Len(t, want, 110)

	var got []string
	for _, row := range codeRows(t) {
		got = append(got, row.Name+" = "+string(row.Code))
	}
	assert.Equal(t, want, got)
}

func TestCodeTableHoldsEveryCodeInOrder(t *testing.T) {
	rows := codeRows(t)
	require.Len(t, codeTable, len(rows))
	for i, row := range rows {
		assert.Equal(t, row.Code, codeTable[i].Code, "entry %d", i)
	}
}

func TestBusinessCodesStandBeforeGatewayCodes(t *testing.T) {
	for i, row := range codeRows(t) {
		assert.Equal(t, i >= 16, row.Gateway, row.Name)
	}
}

func TestErrorCodeIsAnErrorWithTheBareCodeAsText(t *testing.T) {
	var err error = CodeTokenInvalid
	assert.Equal(t, "TOKEN_INVALID", err.Error())
	wrapped := fmt.Errorf("query: %w", err)
	assert.ErrorIs(t, wrapped, CodeTokenInvalid)
	assert.NotErrorIs(t, wrapped, CodeParamError)

	var code ErrorCode
	require.True(t, errors.As(wrapped, &code))
	assert.Equal(t, CodeTokenInvalid, code)

	assert.Equal(t, "not-in-the-list", ErrorCode("not-in-the-list").Error())
}
