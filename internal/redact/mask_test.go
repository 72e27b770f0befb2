package redact

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxText is as much as the library shows.
const maxText = 8 << 10

func maskOf(values ...string) *Mask {
	m := new(Mask)
	m.Add(values...)
	return m
}

func TestAValueIsReplacedWhereItStands(t *testing.T) {
	m := maskOf("2f1c/8e=&?", " padded ", "uuid 含空格+plus", `quo"te`, "abc", "0420", "", "张三丰收", "it's <b>", "+8613912345678", "100%25", "张三", "345678901", "9012345", "A-M-Z", "é")
	for in, want := range map[string]string{
		"token 2f1c/8e=&? bad": "token *** bad",
		"padded":               "***",
		"uuid 含空格+plus, uuid 含空格 plus":       "***, ***",
		"uuid+含空格+plus":                      "***",
		`and quo"te, QUO"TE`:                 "and ***, ***",
		"abc, abcd, xabc, ABC":               "***, abcd, xabc, ***",
		"x0420y, 8a04, 049":                  "x***y, 8a04, 049",
		"张三丰收,张三来了":                          "***,***来了",
		"张三丰收张三丰收":                           "***",
		"it's <b>":                           "***",
		"call 8613912345678, +8613912345678": "call ***, +***",
		"100%25, 100%":                       "***, ***",
		"[34567890123456]":                   "[***6]",
		"a-m-z, A-M-Z":                       "***, ***",
		"nothing here":                       "nothing here",
		"é, ü":                               "***, ü",
		`10%2 a \ and & and %`:               `10%2 a \ and & and %`,
		"":                                   "",
	} {
		assert.Equal(t, want, m.Apply(in, maxText), in)
	}
}

func TestATextThatRepeatsAnEscapedValueIsMaskedWhole(t *testing.T) {
	m := maskOf("2f1c/8e=&?", `quo"te`, "张三丰收", "it's <b>", "emoji 😀 in it", "uuid 含空格+plus", "control \u0098\u009f", "lt4zhang san")
	for _, escaped := range []string{
		"2f1c%2F8e%3D%26%3F", "2f1c%2f8e%3d%26%3f", "2f1c%252F8e%253D%2526%253F", `2f1c\/8e=&?`, `2f1c\/8e=\u0026?`, "2f1c/8e=&amp;?",
		"uuid%20%E5%90%AB%E7%A9%BA%E6%A0%BC%2Bplus", `quo\"te`, "quo&#34;Te", "quo&quot;te", "quo&#x22;te", "it&#x27;s &lt;b&gt;", "it&apos;s <b>", `it\u0027s \u003cb\u003e`, `it\'s <b>`,
		`\u5f20\u4e09\u4e30\u6536`, `\u5F20\u4E09\u4E30\u6536`, `\\u5f20\\u4e09\\u4e30\\u6536`, "%u5f20%u4e09%u4e30%u6536", `%U5F20%U4E09\U4E30\U6536`, `\xe5\xbc\xa0\xe4\xb8\x89\xe4\xb8\xb0\xe6\x94\xb6`,
		"&#24352;&#19977;&#20016;&#25910;", "&#x5f20;&#x4E09;&#x4e30;&#X6536;", "&#24352;&#19977;&#20016;&#25910", "&amp;#24352;&amp;#19977;&amp;#20016;&amp;#25910;",
		"%25E5%25BC%25A0%25E4%25B8%2589%25E4%25B8%25B0%25E6%2594%25B6", `{\"n\":\"{\\\"n\\\":\\\"quo\\\\\\\"te\\\"}\"}`,
		`emoji \ud83d\ude00 in it`, `emoji \uD83D\uDE00 in it`, `emoji %uD83D%uDE00 in it`, `emoji \ud83d\Ude00 in it`, "emoji &#128512; in it",
		`a=1&lt%34zhang%20san`, "control &#x98;\\u009f", "control &#152;&#x9F;", `control \u0098\u009f`,
	} {
		assert.Equal(t, Masked, m.Apply("got "+escaped+" here", maxText), escaped)
		assert.Equal(t, Masked, m.Apply(escaped, maxText), escaped)
	}
	for _, other := range []string{`emoji \ud83d\tde00 in it`, `emoji \ud83d in it`, `emoji \ud83d\u0041 in it`, `\ud83d`, "&nosuch; &x & &#; % %4 %zz %u5f2z", `\u5f2z \x4 \q \`, "&#99999999;", "&" + strings.Repeat("a", 40) + ";"} {
		assert.Equal(t, other, m.Apply(other, maxText), "nothing of it was sent")
		assert.Equal(t, other+" *** "+other, m.Apply(other+` quo"te `+other, maxText), "a plain repeat is replaced in place")
	}
	assert.Equal(t, "*** and ***", maskOf(`{"n":"\u5f20\u4e09"}`).Apply(`{"n":"\u5f20\u4e09"} and {"n":"张三"}`, maxText), "the sent value's own escapes may be undone")
}

func TestShortValuesAndNamesOfParametersStay(t *testing.T) {
	m := new(Mask)
	m.AddJSON([]byte(`{"quantity":1,"rate":100,"ok":true,"unit":"kg","user.name":"Zhang San","addr2":"x","sha256":"y","13912345678":2,"李四":3,"Li Si":4,"a@b.example":5}`))
	m.AddQuery(url.Values{"page_size": {"50"}, "filter": {`{"nested-name":"deep down","x1234567":"z"}`}, "conn-key": {"王五"}})
	for in, want := range map[string]string{
		"参数 quantity 的值 1 不合法，取值范围 1 到 100":             "参数 quantity 的值 1 不合法，取值范围 1 到 ***",
		"user.name, addr2, sha256, page_size, conn-key": "user.name, addr2, sha256, page_size, conn-key",
		"kg of nested-name is true":                     "kg of nested-name is true",
		"Zhang San, deep down, 王五":                      "***, ***, ***",
		"13912345678, 李四, Li Si, a@b.example, x1234567": "***, ***, ***, ***, ***",
	} {
		assert.Equal(t, want, m.Apply(in, maxText), in)
	}
}

func TestMaskKnowsNestedValues(t *testing.T) {
	m := new(Mask)
	m.AddQuery(url.Values{"biz_content": {`{"name":"Zhang San","x":"{\"y\":\"nested value\"}"}`}, "name": {"Wang Wu"}})
	m.AddJSON([]byte(`{"name":"Li Si","z":{"name":[88.8000,true,null,"deep down"," [\"in a list\"]"]}}`))
	for in, want := range map[string]string{
		"name Zhang San of biz_content": "name *** of biz_content",
		"nested value, Li Si":           "***, ***",
		"deep down at 88.8000, true":    "*** at ***, true",
		"in a list, Wang Wu":            "***, ***",
		`nested\u0020value`:             "***",
	} {
		assert.Equal(t, want, m.Apply(in, maxText), in)
	}
	var broken Mask
	broken.AddJSON([]byte("no JSON"))
	assert.Equal(t, "no JSON", broken.Apply("no JSON", maxText))
}

func TestMaskCutsWhatIsLongAndNoValueInHalf(t *testing.T) {
	const value = "420192931233123123张三"
	m := maskOf(value)
	entities, escaped, bytes := "", "", ""
	for _, r := range value {
		entities += fmt.Sprintf("&#%d;", r)
		escaped += fmt.Sprintf(`\\u%04x`, r)
	}
	for _, b := range []byte(value) {
		bytes += fmt.Sprintf(`\x%02x`, b)
	}
	for _, spelled := range []string{value, entities, escaped, bytes, url.QueryEscape(url.QueryEscape(value)), html.EscapeString(entities)} {
		for shift := range len(spelled) + 2 {
			got := m.Apply(strings.Repeat("x", 1000-shift)+spelled+"tail", 1000)
			assert.LessOrEqual(t, len(got), 1000)
			assert.NotContains(t, got, spelled[:1], shift)
		}
	}
	assert.Equal(t, "a secret", maskOf("secret value").Apply("a secret!", 8), "which may be anything")
	long := strings.Repeat("abcdefg", 1000)
	assert.Equal(t, "x***", maskOf(long).Apply("x"+long+"y", maxText), "of a long value the beginning is found, and the rest goes with it")
	assert.Equal(t, "xabcdefg", maskOf(long).Apply("xabcdefg", maxText))
}

// Whatever is sent and whatever is said about it, an error is made in about a tenth
// of a second.
func TestMaskingIsBounded(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	numbered := func(many int, with string) (values []string) {
		for n := range many {
			values = append(values, with+fmt.Sprint(n))
		}
		return values
	}
	for name, tt := range map[string]struct {
		values []string
		text   string
	}{
		"5,000 values":               {numbered(5000, "value-"), strings.Repeat("no such thing ", 75_000)},
		"100,000 values":             {numbered(100_000, "value-"), long},
		"values that are alike":      {numbered(4000, strings.Repeat("a", 60)), long},
		"long values that are alike": {numbered(200, strings.Repeat("a", 900)), long},
		"values that repeat":         {[]string{strings.Repeat("a", 900), strings.Repeat("a", 2000)}, long},
		"values of three characters": {numbered(900, "aa"), strings.Repeat("aa1 aa2 ", 1<<17)},
		"escapes over escapes":       {[]string{strings.Repeat("%2525252525252525", 1<<16), strings.Repeat("&amp;amp;amp;amp;amp;#x26;", 1<<16), strings.Repeat(`\\\\`, 1<<17)}, strings.Repeat("%2525252525&amp;amp;amp;", 1<<15)},
	} {
		t.Run(name, func(t *testing.T) {
			m := maskOf(tt.values...)
			for range 20 {
				got := m.Apply(tt.text, maxText)
				require.LessOrEqual(t, len(got), maxText)
			}
			require.LessOrEqual(t, m.steps, maxSteps+(maxText+room)*maxValue, "one more value, at most")
		})
	}
	m := maskOf(numbered(5000, "value-")...)
	assert.Equal(t, "a *** of "+strings.Repeat("x", 500), m.Apply("a value-4999 of "+strings.Repeat("x", 500), maxText), "as many as a call may send")
}

func TestWhatCannotBeSearchedIsNotShown(t *testing.T) {
	var body Mask
	body.AddJSON([]byte(`{"a":"` + strings.Repeat("x", maxBody) + `"}`))
	assert.Equal(t, Masked, body.Apply("anything", maxText))
	body = Mask{}
	body.AddJSON([]byte(`{"a":"secret value"}` + strings.Repeat(" ", maxBody-len(`{"a":"secret value"}`))))
	assert.Equal(t, "x *** y", body.Apply("x secret value y", maxText), "a megabyte is read")
	m := &Mask{steps: maxSteps + 1, values: []string{"secret"}}
	assert.Equal(t, Masked, m.Apply("some", maxText))
	blind := maskOf(strings.Split(strings.Repeat(strings.Repeat("x", 1<<10)+",", 257), ",")...)
	assert.Equal(t, Masked, blind.Apply("anything", maxText))
	assert.Equal(t, "shown", maskOf(strings.Split(strings.Repeat(strings.Repeat("x", 1<<10)+",", 256), ",")...).Apply("shown", maxText))
	m = &Mask{steps: maxSteps - len("some"), values: []string{"secret"}}
	assert.Equal(t, "some", m.Apply("some", maxText))
}

func TestEveryByteMayBeginAValue(t *testing.T) {
	for c := range 256 {
		value := string([]byte{byte(c)}) + "secret"
		assert.NotContains(t, maskOf(value).Apply("[ "+value+" ]", maxText), "secret", "%q", value)
	}
}

func TestSoManyEscapesOverOneAnotherAreUndone(t *testing.T) {
	spelled := "secret value"
	for layers := range maxLayers + 3 { // with more, the text is masked as one that cannot be looked through
		assert.Equal(t, Masked, maskOf("secret value").Apply(spelled, maxText), layers)
		assert.Equal(t, layers >= maxLayers, Masked == maskOf("another").Apply(spelled, maxText), layers)
		spelled = strings.ReplaceAll(url.PathEscape(spelled), "e", "%65")
	}
}

// A value is cut before its escapes are undone. Where little is left of it, what
// followed could not be found.
func TestOfAValueFullOfEscapesEnoughIsLookedFor(t *testing.T) {
	for name, tt := range map[string]struct {
		value, want string
	}{
		"a KiB is left":       {strings.Repeat(`\x61`, 5000), "x***"},
		"nothing is cut off":  {strings.Repeat(`\u0061`, 681) + strings.Repeat("a", 10), "x***x"},
		"white space first":   {strings.Repeat(" ", 20<<10) + "aaaa", Masked},
		"entities with zeros": {strings.Repeat("&amp;#x000061;", 2000), "x***"},
		"just a KiB":          {strings.Repeat("&amp;#x00000061;", 2000), "x***"},
		"less than a KiB":     {strings.Repeat("&amp;amp;#x000061;", 2000), Masked},
	} {
		assert.Equal(t, tt.want, maskOf(tt.value).Apply("x"+strings.Repeat("a", 4000)+"x", maxText), name)
	}
}

func TestWordBytesAreLettersAndDigits(t *testing.T) {
	for _, c := range []byte("09azAZ") {
		assert.True(t, IsWordByte(c), "%c", c)
	}
	for _, c := range []byte("/:@[`{_-\x80") {
		assert.False(t, IsWordByte(c), "%c", c)
	}
}

// spell escapes a value, in ways that a byte each decides.
func spell(value string, ways []byte) string {
	for _, way := range ways {
		switch way % 8 {
		case 0:
			quoted, _ := json.Marshal(value)
			value = string(quoted[1 : len(quoted)-1])
		case 1:
			value = url.QueryEscape(value)
		case 2:
			value = url.PathEscape(value)
		case 3:
			value = html.EscapeString(value)
		case 4:
			var b strings.Builder
			for _, r := range value {
				fmt.Fprintf(&b, "&#x%X;", r)
			}
			value = b.String()
		case 5:
			var b strings.Builder
			for _, r := range value {
				if r > 0x7e || r < ' ' {
					fmt.Fprintf(&b, `\u%04x`, r&0xffff)
				} else if r == '\\' || r == '"' {
					fmt.Fprintf(&b, `\%c`, r)
				} else {
					b.WriteRune(r)
				}
			}
			value = b.String()
		case 6:
			value = strings.ReplaceAll(value, "+", " ")
		case 7:
			value = strings.ToUpper(value)
			if len(value) != len(strings.ToLower(value)) { // not ASCII alone
				return strings.ToLower(value)
			}
		}
	}
	return value
}

// FuzzMask spells a value in some way, puts it into a text, and holds that the
// mask finds it; and that masking ends soon, whatever the text.
func FuzzMask(f *testing.F) {
	f.Fuzz(func(t *testing.T, before, value, after string, ways []byte) {
		if len(value) > 200 || len(before)+len(after) > 4000 || !utf8.ValidString(value) {
			return
		}
		spelled := spell(value, ways[:min(len(ways), 3)])
		if len(spelled) > 3000 {
			return
		}
		m := maskOf(value)
		m.Apply(before+spelled+after, maxText)
		require.LessOrEqual(t, m.steps, maxSteps)

		// In any spelling it is found where nothing before it can be taken for the
		// beginning of an escape, if it is not a short word.
		plain := strings.TrimSpace(value)
		if utf8.RuneCountInString(plain) <= 3 || strings.ContainsAny(value, `\%&+`) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > 0xffff || r == utf8.RuneError }) {
			return
		}
		for _, way := range ways[:min(len(ways), 3)] {
			if way%8 == 7 {
				return // capitals beyond ASCII are other letters
			}
		}
		require.Contains(t, m.Apply("[ "+spelled+" ]", maxText), Masked, "%q as %q", value, spelled)
		// As it is, it is found in any surroundings.
		require.NotContains(t, strings.ReplaceAll(m.Apply(before+value+after, maxText), Masked, "\x00"), plain)
	})
}
