package alipaytest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
)

// verdict is a testing.TB that records what is reported to it.
type verdict struct {
	testing.TB
	text string
}

func (v *verdict) Helper()                           {}
func (v *verdict) Errorf(format string, args ...any) { v.text += fmt.Sprintf(format, args...) }

func TestEqualNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	v := &verdict{}
	want := &alipay.QueryParams{OnceToken: "t", ConnKey: "1", CertType: alipay.CertTypePassport}
	got := *want
	require.True(t, Equal(v, want, &got))
	require.Empty(t, v.text)
	got.ConnKey, got.CertType, got.UserID = "2\n", "", "2088"
	require.False(t, Equal(v, want, &got))
	require.Equal(t, "alipaytest.Equal: *alipay.QueryParams differs:\n"+
		"  ConnKey: want \"1\", got \"2\\n\"\n  UserID: want \"\", got \"2088\"\n  CertType: want \"1\", got \"\"", v.text)

	v.text = ""
	require.False(t, Equal(v, nil, want))
	require.Equal(t, "alipaytest.Equal: *alipay.QueryParams differs:\n  want nil, got a *alipay.QueryParams", v.text)
	require.True(t, Equal[*alipay.QueryParams](v, nil, nil))
}

func TestEqualLooksIntoAnswersButNotTheirMeta(t *testing.T) {
	t.Parallel()
	v := &verdict{}
	want := alipay.QueryResponse{IdentityResult: "SUCCESS", Extra: map[string]json.RawMessage{"a": json.RawMessage("1"), "b": json.RawMessage("2")}}
	got := want
	got.Meta = alipay.Response{TraceID: "other", Attempts: 2}
	require.True(t, Equal(v, want, got))
	got.Extra = map[string]json.RawMessage{"a": json.RawMessage("3"), "c": json.RawMessage("4")}
	require.False(t, Equal(v, want, got))
	require.Equal(t, "alipaytest.Equal: alipay.QueryResponse differs:\n"+
		"  Extra.a: want \"1\", got \"3\"\n  Extra.b: want \"2\", got nothing\n  Extra.c: want nothing, got \"4\"", v.text)
	v.text = ""
	require.False(t, Equal(v, alipay.Response{TraceID: "1"}, alipay.Response{TraceID: "2"}), "on its own it is compared")
	require.Contains(t, v.text, `TraceID: want "1", got "2"`)
}

func TestEqualComparesWhatTypesThereAre(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, test := range map[string]struct {
		want, got any
		says      string // "" means equal
	}{
		"the same time":       {now, now.UTC(), ""},
		"another time":        {time.Unix(1, 0).UTC(), time.Unix(2, 0).UTC(), "want 1970-01-01 00:00:01 +0000 UTC, got 1970-01-01 00:00:02 +0000 UTC"},
		"a form":              {url.Values{"a": {"1"}}, url.Values{"a": {"1"}}, ""},
		"another form":        {url.Values{"a": {"1"}}, url.Values{"a": {"1", "2"}}, "a: want [1], got [1 2]"},
		"numbers":             {1, 2, "want 1, got 2"},
		"another type":        {1, "1", "want int, got string"},
		"nothing":             {nil, nil, ""},
		"something":           {nil, 1, "want nothing, got 1"},
		"no longer":           {"a", nil, `want "a", got nothing`},
		"a nested one":        {struct{ A, B any }{1, "b"}, struct{ A, B any }{1, "c"}, `B: want "b", got "c"`},
		"with Meta of one's":  {struct{ Meta string }{"1"}, struct{ Meta string }{"2"}, `Meta: want "1", got "2"`},
		"unexported":          {struct{ a int }{1}, struct{ a int }{2}, "want a struct { a int }, got a struct { a int }"},
		"unexported and even": {struct{ a int }{1}, struct{ a int }{1}, ""},
		"bytes":               {[]byte("a"), []byte("b"), `want "a", got "b"`},
		"by number":           {map[int]int{1: 2}, map[int]int{1: 3}, "want map[1:2], got map[1:3]"},
	} {
		v := &verdict{}
		equal := Equal(v, test.want, test.got)
		assert.Equal(t, test.says == "", equal, name)
		assert.Contains(t, v.text, test.says, name)
		assert.Equal(t, equal, v.text == "", name)
	}
}
