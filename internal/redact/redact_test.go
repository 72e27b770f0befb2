package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMaskTakesOutEverySpellingOfAValue(t *testing.T) {
	m := NewMask([]string{"2f1c/8e=&?", " padded ", "uuid 含空格+plus", `quo"te`, "abc", "0", "04", "0420", ""})
	for in, want := range map[string]string{
		"token 2f1c/8e=&? bad":         "token *** bad",
		"token 2f1c%2F8e%3D%26%3F bad": "token *** bad",
		"token 2f1c%2f8e%3d%26%3f bad": "token *** bad",
		"padded":                       "***",
		"uuid%20%E5%90%AB%E7%A9%BA%E6%A0%BC%2Bplus, uuid 含空格+plus": "***, ***",
		`quo\"te and quo"te`:   "*** and ***",
		"abc, abcd, xabc, abc": "***, abcd, xabc, ***",
		"类型0不支持 10 04":         "类型***不支持 10 ***",
		"0420":                 "***",
		"ABC Quo&#34;Te":       "*** ***",
		"nothing here":         "nothing here",
		"":                     "",
	} {
		assert.Equal(t, want, m.Apply(in), in)
	}
}

func TestMaskCutsWhatIsLongAndNoValueInHalf(t *testing.T) {
	const value = "420192931233123123"
	m := NewMask([]string{value})
	for shift := range len(value) + 2 {
		got := m.Apply(strings.Repeat("x", maxMasked-shift) + value + "tail")
		assert.LessOrEqual(t, len(got), maxMasked+len(Masked))
		assert.NotContains(t, got, value[:2], shift)
	}
}

func TestPrintableKeepsALogLineWhole(t *testing.T) {
	assert.Equal(t, "a b  c\uFFFDd", Printable("a\nb\r\x00c\xffd", 100))
	assert.Equal(t, "验证…", Printable("验证中心", 2))
}
