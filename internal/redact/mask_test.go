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

func maskOf(values ...string) *Mask {
	m := new(Mask)
	m.Add(values...)
	return m
}

func unknown(string) bool { return false }

func TestMaskTakesOutEverySpellingOfAValue(t *testing.T) {
	m := maskOf("2f1c/8e=&?", " padded ", "uuid 含空格+plus", `quo"te`, "abc", "0", "04", "0420", "", "张三丰收", "it's <b>", "+8613912345678", "100%25")
	for in, want := range map[string]string{
		"token 2f1c/8e=&? bad":         "token *** bad",
		"token 2f1c%2F8e%3D%26%3F bad": "token *** bad",
		"token 2f1c%2f8e%3d%26%3f bad": "token *** bad",
		"padded":                       "***",
		"uuid%20%E5%90%AB%E7%A9%BA%E6%A0%BC%2Bplus, uuid 含空格+plus": "***, ***",
		`quo\"te and quo"te`:                 "*** and ***",
		"abc, abcd, xabc, abc":               "***, abcd, xabc, ***",
		"类型0不支持 10 04":                       "类型***不支持 10 ***",
		"0420":                               "***",
		"ABC Quo&#34;Te":                     "*** ***",
		"nothing here":                       "nothing here",
		"":                                   "",
		`name \u5f20\u4e09\u4e30\u6536!`:     "name ***!",
		`name \u5F20\u4E09\u4E30\u6536!`:     "name ***!",
		`name \\u5f20\\u4e09\\u4e30\\u6536!`: "name ***!",
		`{\"n\":\"{\\\"n\\\":\\\"quo\\\\\\\"te\\\"}\"}`: `{\"n\":\"{\\\"n\\\":\\\"***\\\"}\"}`,
		`2f1c\/8e=&?`:                "***",
		`2f1c\/8e=\u0026?`:           "***",
		"2f1c%252F8e%253D%2526%253F": "***",
		"%25E5%25BC%25A0%25E4%25B8%2589%25E4%25B8%25B0%25E6%2594%25B6": "***",
		"&#24352;&#19977;&#20016;&#25910;":                             "***",
		"&#x5f20;&#x4E09;&#x4e30;&#x6536;":                             "***",
		"&#24352;&#19977;&#20016;&#25910 x":                            "*** x",
		"&amp;#24352;&amp;#19977;&amp;#20016;&amp;#25910;":             "***",
		"quo&quot;te, quo&#x22;te":                                     "***, ***",
		"it&#x27;s &lt;b&gt;, it&apos;s <b>":                           "***, ***",
		`it\u0027s \u003cb\u003e`:                                      "***",
		`%U5F20%U4E09\U4E30\U6536`:                                     "***",
		"x0420y, 8a04, 049":                                            "x***y, 8a04, 049",
		`\xe5\xbc\xa0\xe4\xb8\x89\xe4\xb8\xb0\xe6\x94\xb6`:             "***",
		"%u5f20%u4e09%u4e30%u6536":                                     "***",
		"uuid 含空格 plus":                                                "***",
		"uuid+含空格+plus":                                                "***",
		"call 8613912345678, +8613912345678":                           "call ***, +***",
		"100%25, 100%, 100%2525":                                       "***, ***, ***",
		"张三丰收张三丰收":                                                     "******",
		"10%2":                                                         "10%2",
		"a \\ and & and %":                                             "a \\ and & and %",
	} {
		assert.Equal(t, want, m.Apply(in, maxText), in)
	}
}

func TestMaskUndoesSurrogatePairs(t *testing.T) {
	m := maskOf("emoji 😀 in it", "half")
	for in, want := range map[string]string{
		`emoji \ud83d\ude00 in it`:        "***",
		`emoji \uD83D\uDE00 in it`:        "***",
		`emoji %uD83D%uDE00 in it`:        "***",
		`emoji \ud83d\Ude00 in it`:        "***",
		`emoji \ud83d\tde00 in it`:        `emoji \ud83d\tde00 in it`,
		`emoji \ud83d in it`:              `emoji \ud83d in it`,
		`emoji \ud83d\u0041 in it`:        `emoji \ud83d\u0041 in it`,
		`\ud83dhalf \ud83d\uhalf \ud83d\`: `\ud83d*** \ud83d\u*** \ud83d\`,
		`half\ud83d`:                      `***\ud83d`,
		`\ud83d\u0068alf`:                 `\ud83d***`,
		`\ude00\u0068alf`:                 `\ude00***`,
	} {
		assert.Equal(t, want, m.Apply(in, maxText), in)
	}
}

func TestWhatOnlyLooksLikeAnEscapeStays(t *testing.T) {
	m := maskOf("secret value")
	for _, like := range []string{"&nosuch;", "&x", "&", "&#;", "%", "%4", "%zz", "%u5f2z", `\u5f2z`, `\x4`, `\q`, `\`, "&" + strings.Repeat("a", maxEntity-1), "&#" + strings.Repeat("0", maxEntity-3) + "65;"} {
		assert.Equal(t, like+" *** "+like, m.Apply(like+" secret%20value "+like, maxText))
		assert.Equal(t, like+" ***", m.Apply(like+" secret%20value ", len(like)+len(" secret%20v")), "in a text that is cut off")
	}
	m.Add("user name", "xavier x")
	for _, value := range []string{"secret%20value", "user%20name", "xavier%20x"} {
		for _, like := range []string{"&", "%", `\q\`} {
			assert.Equal(t, like+"***", m.Apply(like+value, maxText), "and takes nothing along")
		}
	}
	for _, like := range []string{"&nosuch;", "&x", "&#;", "%4@", "%4g", "%4`", "%4/", "%4:", "%u5f2@", `\x4G`, `\q`} {
		assert.Equal(t, "***", maskOf(like+"+secret").Apply(like+"%20secret", maxText), like)
		assert.Equal(t, like[:1]+"***", maskOf(like[1:]+"+secret").Apply(like+"%20secret", maxText), like)
	}
	assert.Equal(t, "***", m.Apply("SECRET VALUE", 2*maxText))
	assert.Equal(t, "***", m.Apply("secret&#"+strings.Repeat("0", maxEntity-4)+"32;value", maxText), "an entity may be so long")
}

func TestWhatOverlapsIsMaskedOnce(t *testing.T) {
	m := maskOf("1234%35", "345678", "7890", "Aword", "Zword")
	assert.Equal(t, "[***]", m.Apply("[1234%35678]", maxText))
	assert.Equal(t, "[******]", m.Apply("[1234%357890]", maxText))
	assert.Equal(t, "x😀😀😀x ***", maskOf("😀😀😀").Apply("x😀😀😀x 😀😀😀", maxText))
	short := maskOf("A", "Z", "abc")
	assert.Equal(t, "Aa aA ZA Az *** *** A0 9Z", short.Apply("Aa aA ZA Az A Z A0 9Z", maxText))
	assert.Equal(t, "*** ***", m.Apply("aword zword", maxText))
}

func TestMaskLooksForSoManyValuesAndNoMore(t *testing.T) {
	values := func(many int) (values []string) { // each is looked for in two ways
		for n := range many {
			values = append(values, fmt.Sprintf("value-%d-", n))
		}
		return values
	}
	long := strings.Repeat("x", 1<<10)
	var many []string
	for n := range 256 {
		many = append(many, fmt.Sprint(1000+n)+long)
	}
	for name, tt := range map[string]struct {
		values  []string
		oneMore string
	}{
		"4096":             {values(2048), "odd+"},
		"4095 and 2":       {append(values(2047), "odd+", "last"), "odd+"},
		"256 KiB of 1 KiB": {many, "x"},
	} {
		assert.Equal(t, "shown", maskOf(tt.values...).Apply("shown", maxText), name)
		assert.Equal(t, Masked, maskOf(append(tt.values, tt.oneMore)...).Apply("shown", maxText), name)
	}
	m := maskOf(values(2048)...)
	assert.Equal(t, "a *** b", m.Apply("a value-7- b", maxText))
	m.Add("one more")
	assert.Equal(t, "a *** b *** c", m.Apply("a value-7- b one more c", maxText))
}

func TestMaskKnowsNamesAndNestedValues(t *testing.T) {
	known := func(name string) bool { return name == "biz_content" || name == "name" }
	m := new(Mask)
	m.AddQuery(url.Values{"biz_content": {`{"name":"Zhang San","13912345678":1,"x":"{\"y\":\"nested value\"}"}`}, "zhang-san": {"v1"}, "name": {"Wang Wu"}}, known)
	m.AddJSON([]byte(`{"name":"Li Si","of Li Si":{"name":[88.8000,true,null,"deep down"," [\"in a list\"]"]}}`), known)
	for in, want := range map[string]string{
		"name Zhang San of biz_content": "name *** of biz_content",
		"13912345678 of zhang-san":      "*** of ***",
		"nested value, Li Si, of Li Si": "***, ***, ***",
		"deep down at 88.8000, true":    "*** at ***, true",
		"in a list, Wang Wu":            "***, ***",
		`nested\u0020value`:             "***",
	} {
		assert.Equal(t, want, m.Apply(in, maxText), in)
	}
	var broken Mask
	broken.AddJSON([]byte("no JSON"), unknown)
	assert.Equal(t, "no JSON", broken.Apply("no JSON", maxText))
}

func TestMaskCutsWhatIsLongAndNoValueInHalf(t *testing.T) {
	const value = "420192931233123123张三"
	m := maskOf(value)
	entities := ""
	for _, r := range value {
		entities += fmt.Sprintf("&#%d;", r)
	}
	escaped := ""
	for _, r := range value {
		escaped += fmt.Sprintf(`\\u%04x`, r)
	}
	bytes := ""
	for _, b := range []byte(value) {
		bytes += fmt.Sprintf(`\x%02x`, b)
	}
	for _, spelled := range []string{value, entities, escaped, bytes, url.QueryEscape(url.QueryEscape(value)), html.EscapeString(entities)} {
		for shift := range len(spelled) + 2 {
			got := m.Apply(strings.Repeat("x", 1000-shift)+spelled+"tail", 1000)
			assert.LessOrEqual(t, len(got), 1000+len(Masked))
			shown := strings.TrimLeft(got, "x")
			assert.True(t, shown == "" || strings.HasPrefix(shown, Masked) || strings.HasPrefix(spelled, shown) && len(shown) < 12, "%d: %s", shift, shown)
		}
	}
	m = maskOf("secret value")
	assert.Equal(t, "a secret", m.Apply("a secret", len("a secret")), "which is not cut off")
	assert.Equal(t, "a ***", m.Apply("a secret!", len("a secret")))
	assert.Len(t, m.Apply(strings.Repeat("z", 2*maxText), 2*maxText), 8<<10)
	long := strings.Repeat("abcdefg", 1000)
	assert.Equal(t, "x***", maskOf(long).Apply("x"+long+"y", maxText), "of a long value the beginning is found, and the rest goes with it")
}

func TestMaskingIsBounded(t *testing.T) {
	text := strings.Repeat("a", 1<<20)
	for name, values := range map[string]func() []string{
		"many values": func() (values []string) {
			for n := range 100_000 {
				values = append(values, fmt.Sprintf("value-%d", n))
			}
			return values
		},
		"values that are alike": func() (values []string) {
			for n := range 4000 {
				values = append(values, strings.Repeat("a", 60)+fmt.Sprint(n))
			}
			return values
		},
		"long values that are alike": func() (values []string) {
			for n := range 200 {
				values = append(values, strings.Repeat("a", 900)+fmt.Sprint(n))
			}
			return values
		},
		"escapes over escapes": func() []string {
			return []string{strings.Repeat("%2525252525252525", 1<<16), strings.Repeat("&amp;amp;amp;amp;amp;#x26;", 1<<16), strings.Repeat(`\\\\`, 1<<17)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := maskOf(values()...)
			for range 100 {
				got := m.Apply(text, maxText)
				require.LessOrEqual(t, len(got), maxText+len(Masked))
				require.LessOrEqual(t, m.steps, maxSteps+maxText)
			}
		})
	}
	blind := maskOf(strings.Split(strings.Repeat("x,", 2*maxValues), ",")...)
	assert.Equal(t, Masked, blind.Apply("anything", maxText), "what cannot be searched is not shown")
	assert.Empty(t, blind.Apply("", maxText))
	var body Mask
	body.AddJSON([]byte(`{"a":"`+strings.Repeat("x", maxBody)+`"}`), unknown)
	assert.Equal(t, Masked, body.Apply("anything", maxText))
	body = Mask{}
	body.AddJSON([]byte(`{"a":"secret value"}`+strings.Repeat(" ", 1<<20-len(`{"a":"secret value"}`))), unknown)
	assert.Equal(t, "x *** y", body.Apply("x secret value y", maxText), "a megabyte is read")

	m := maskOf("secret")
	assert.Equal(t, "***", m.Apply("secret", maxText))
	assert.Equal(t, len("secret")+2*len("ecret"), m.steps, "every comparison counts")
	m = &Mask{steps: 4 << 20}
	m.Add("secret")
	assert.Equal(t, "none", m.Apply("none", maxText))
	assert.Equal(t, Masked, m.Apply("some", maxText))
}

func TestEveryByteMayBeginAValue(t *testing.T) {
	for c := range 256 {
		value := string([]byte{byte(c)}) + "secret"
		assert.NotContains(t, maskOf(value).Apply("[ "+value+" ]", maxText), "secret", "%q", value)
	}
}

func TestSoManyEscapesOverOneAnotherAreUndone(t *testing.T) {
	spelled := "secret value"
	for layers := range 7 {
		want := Masked
		if layers == 6 {
			want = spelled
		}
		assert.Equal(t, want, maskOf("secret value").Apply(spelled, maxText), layers)
		spelled = strings.ReplaceAll(url.PathEscape(spelled), "e", "%65")
	}
}

// A value is cut before its escapes are undone. Where little is left of it, what
// followed could not be found.
func TestOfAValueFullOfEscapesEnoughIsLookedFor(t *testing.T) {
	for name, tt := range map[string]struct {
		value, want string
	}{
		"a KiB is left":         {strings.Repeat(`\x61`, 2000), "x***"},
		"nothing is cut off":    {strings.Repeat(`\u0061`, 681) + strings.Repeat("a", 10), "x***x"},
		"less than a KiB":       {strings.Repeat(`\u0061`, 700), Masked},
		"much less than that":   {strings.Repeat("%2525252561", 2000), Masked},
		"white space before it": {strings.Repeat(" ", 4<<10) + "aaaa", Masked},
	} {
		n := strings.Count(tt.value, "61") + strings.Count(tt.value, "a")
		assert.Equal(t, tt.want, maskOf(tt.value).Apply("x"+strings.Repeat("a", n)+"x", maxText), name)
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
		require.LessOrEqual(t, m.steps, maxSteps+maxText)

		// In any spelling it is found where nothing before it can be taken for the
		// beginning of an escape, if it is not a short word.
		plain := strings.TrimSpace(value)
		if utf8.RuneCountInString(plain) <= shortValue || strings.ContainsAny(value, `\%&+`) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > 0xffff || r == utf8.RuneError }) {
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
