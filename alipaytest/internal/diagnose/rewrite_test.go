package diagnose

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// what is the description of a rewrite of arrived that gives signed.
func what(t testing.TB, arrived, signed string) string {
	for _, r := range rewrites(arrived) {
		if r.text == signed {
			return r.signed + " / " + r.sent
		}
	}
	t.Errorf("nothing makes %q of %q", signed, arrived)
	return ""
}

func TestUsualChangesAreUndone(t *testing.T) {
	for _, tc := range []struct{ arrived, signed, says string }{
		{"a\r\nb", "a\nb", "with line feeds (LF) / with CR LF"},
		{"a\nb", "a\r\nb", "with CR LF"},
		{"a\n", "a", "without a line feed at the end / with one"},
		{"a\r\n", "a", "without a line end"},
		{"a", "a\n", "with a line feed at the end / without it"},
		{"a", "a\r\n", "with CR LF at the end"},
		{"\ufeffa", "a", "without a byte order mark"},
		{"a", "\ufeffa", "with a byte order mark"},
		{" a ", "a", "without white space around it"},
		{"YWFh\nYWFh\n", "YWFhYWFh", "in one line / broken into several"},
		{`{"a":"<b>"}`, `{"a":"\u003cb\u003e"}`, "with <, > and & escaped"},
		{`{"a":"\u003Cb\u003E"}`, `{"a":"<b>"}`, "with <, > and & written as they are"},
		{`{"a":"it's"}`, `{"a":"it\u0027s"}`, "with <, >, &, ' and"},
		{`{"a":"x=1"}`, `{"a":"x\u003d1"}`, "with <, >, &, ' and = escaped"},
		{`{"a":"<张>+"}`, `{"a":"\u003c\u5f20\u003e\u002b"}`, "with <, >, &, ', + and characters beyond ASCII escaped"},
		{"\u007f\u0080\uffff\U00010000", "\u007f" + `\u0080\uffff\ud800\udc00`, "with characters beyond ASCII escaped"},
		{`\u0080\ud800\udc00\ud83d\u0041`, "\u0080\U00010000\ufffd" + `\u0041`, "with characters beyond ASCII written as they are"},
		{"\u007f\u0080", "\u007f?", "with ? for each character"},
		{`{"a":"张"}`, `{"a":"\u5f20"}`, "with characters beyond ASCII escaped"},
		{`{"a":"\u5f20"}`, `{"a":"张"}`, "with characters beyond ASCII written as they are"},
		{`{"a":"😀"}`, `{"a":"\uD83D\uDE00"}`, "in capitals"},
		{`{"a":"\ud83d\ude00"}`, `{"a":"😀"}`, "written as they are"},
		{`{"a":"b/c"}`, `{"a":"b\/c"}`, `with / escaped`},
		{`{"a":"b\/c"}`, `{"a":"b/c"}`, `with / written as it is`},
		{`{"a":"\"\/\n"}`, `{"a":"\"/\n"}`, `with / written as it is`},
		{`<`, `\u003c`, "with <, > and & escaped"},
		{`{"a":"张三"}`, `{"a":"??"}`, "with ? for each character"},
		{`{"a": 1, "b": [1, 2]}`, `{"a":1,"b":[1,2]}`, "as JSON without spaces"},
		{`{"a":"x:,y","b":[1,2]}`, `{"a": "x:,y", "b": [1, 2]}`, "with a space behind each comma and colon"},
		{`{"a":1}`, "{\n  \"a\": 1\n}", "indented by 2 spaces"},
		{`{"a":1}`, "{\n    \"a\": 1\n}", "indented by 4 spaces"},
		{`{"a":1}`, "{\n\t\"a\": 1\n}", "indented by tabs"},
		{`{"a":"b"}`, `"{\"a\":\"b\"}"`, "as a JSON string that holds the JSON"},
		{`"{\"a\":1}"`, `{"a":1}`, "as the JSON itself"},
		{`{"b":1,"a":{"d":1,"c":2}}`, `{"a":{"d":1,"c":2},"b":1}`, "sorted by name /"},
		{`{"b":1,"a":{"d":1,"c":2}}`, `{"a":{"c":2,"d":1},"b":1}`, "at every depth"},
		{`{"b":1.0,"a":{"d":"<","c":12345678901234567890}}`, `{"a":{"c":12345678901234567890,"d":"<"},"b":1.0}`, "at every depth"},
		{`{"a":1,"b":null}`, `{"a":1}`, "without its members that are null"},
		{`{"a":1,"b":"","c":null}`, `{"a":1}`, "without its empty members"},
		{"a\rb\r\nc", "abc", "in one line"},
		{`{"a":"<&>"}`, `{"a":"\u003c\u0026\u003e"}`, "with <, > and & escaped"},
		{`\uffe5"\`, "￥\"\\", "with characters beyond ASCII written as they are"},
		{`\"\u003c`, `\"<`, "with <, > and & written as they are"},
		{`{"a":"\ud83dx\u0080"}`, "{\"a\":\"\ufffdx\u0080\"}", "with characters beyond ASCII written as they are"},
		{`\\/\/\`, `\\//\`, "with / written as it is"},
		{`{"a":"x\",:","b":2}`, `{"a": "x\",:", "b": 2}`, "with a space behind each comma and colon"},
		{`{"b":1.50,"<":{"d":">","c":2}}`, `{"<":{"c":2,"d":">"},"b":1.50}`, "at every depth"},
	} {
		assert.Contains(t, what(t, tc.arrived, tc.signed), tc.says, tc.arrived)
	}
}

// textsOf are the rewrites of a text.
func textsOf(text string) (texts []string) {
	for _, r := range rewrites(text) {
		texts = append(texts, r.text)
	}
	return texts
}

func TestAnEmptyTextHasNoRewrites(t *testing.T) {
	assert.Empty(t, textsOf(""))
}

func TestWhatIsCutOffBehindABackslashStays(t *testing.T) {
	assert.Contains(t, textsOf(`\u00e9\`), `é\`)
	assert.Contains(t, textsOf(`\u00e9\u00e`), `é\u00e`)
	assert.Contains(t, textsOf(`\/\`), `/\`)
}

// What is long is looked at in few ways or in none.
func TestTheWorkOfRewritingIsBounded(t *testing.T) {
	long := strings.Repeat("/", 4<<20+1)
	assert.Len(t, rewrites(long[1:]), 3, "line ends and a byte order mark")
	assert.Empty(t, rewrites(long))
	assert.Greater(t, len(rewrites(long[:64<<10])), 3)
	assert.Len(t, rewrites(long[:64<<10+1]), 3)
	for extra, ok := range []bool{true, false} {
		n := 0
		jsonOrders(`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":"`+strings.Repeat("x", 4<<10-38+extra)+`"}`, func(string) bool { n++; return true })
		assert.Equal(t, map[bool]int{true: 720}[ok], n)
	}
}

func TestAnEscapedBackslashIsNoEscape(t *testing.T) {
	for _, r := range rewrites(`{"a":"\\u003c \\/"}`) {
		assert.NotContains(t, r.text, "<")
	}
}

func TestWhatNobodySignsIsNotListed(t *testing.T) {
	for arrived, never := range map[string]string{
		"é": "\xe9", `\u00gg`: "Ġ", "\xff\\u": "\ufffd",
	} {
		for _, r := range rewrites(arrived) {
			assert.NotContains(t, r.text, never, r.signed)
		}
	}
}

func TestEachRewriteIsListedOnce(t *testing.T) {
	for _, arrived := range []string{"", "a", " a\r\nb\n", `{"b":"<张+'=/","a":[{"c":null}]}`, `"{\"a\":\"\\/\"}"`} {
		seen := map[string]bool{arrived: true}
		for _, r := range rewrites(arrived) {
			assert.False(t, seen[r.text], "%q: %s", r.text, r.signed)
			assert.NotEmpty(t, r.text, "%q: %s", arrived, r.signed)
			seen[r.text] = true
		}
	}
}

func TestOrdersAreAllOfThem(t *testing.T) {
	seen := map[string]bool{}
	jsonOrders(`{"a": 1, "b": {"c": 2}, "d": "x"}`, func(text string) bool {
		seen[text] = true
		return true
	})
	require.Len(t, seen, 6)
	require.True(t, seen[`{"d":"x","b":{"c":2},"a":1}`])

	calls := 0
	jsonOrders(`{"a":1,"b":2,"c":3}`, func(string) bool { calls++; return calls < 2 })
	require.Equal(t, 2, calls)
	for _, none := range []string{``, `[1,2]`, `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}`, `{"a":"` + strings.Repeat("x", 5000) + `"}`} {
		jsonOrders(none, func(string) bool { t.Error(none); return false })
	}
}

// A text of any kind gives few rewrites, all different from it and from each
// other, and none that is out of proportion.
func FuzzRewrites(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		seen := map[string]bool{text: true}
		all := rewrites(text)
		require.LessOrEqual(t, len(all), 40)
		for _, r := range all {
			require.False(t, seen[r.text], "%q", r.text)
			seen[r.text] = true
			require.NotEmpty(t, r.signed)
			require.NotEmpty(t, r.sent)
			require.NotEmpty(t, r.zh)
			if strings.HasPrefix(r.signed, "as JSON") || strings.Contains(r.signed, "sorted") {
				require.True(t, json.Valid([]byte(r.text)), "%q", r.text)
			}
		}
		n := 0
		jsonOrders(text, func(string) bool { n++; return true })
		require.LessOrEqual(t, n, 720)
	})
}
