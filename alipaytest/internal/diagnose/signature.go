package diagnose

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// reading is a signature taken out of one of the forms that it may come in.
type reading struct {
	bytes  []byte
	phrase // what is wrong with the form; empty of standard base64
}

// decode reads a signature in every form that it may be in. If it can be read in
// none, wrong says why; else the first reading is the likeliest.
func decode(signature string) (wrong phrase, readings []reading) {
	add := func(text []byte, p phrase) {
		readings = append(readings, reading{text, p})
	}
	standard := func(text string, p phrase) {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil && len(raw) > 0 {
			add(raw, p)
		}
	}
	trimmed := strings.Trim(signature, "\"' \t")
	if slices.Contains(noSignature, trimmed) { // null is base64, too
		return unreadable(trimmed), nil
	}
	standard(signature, phrase{})
	if trimmed != signature {
		standard(trimmed, phrase{"sign has quotes or spaces around its base64", "sign 的 base64 带了引号或空格"})
	}
	if strings.Contains(trimmed, "%") {
		if text, err := url.PathUnescape(trimmed); err == nil {
			standard(text, phrase{"sign is percent-encoded; a header takes the base64 as it is", "sign 做了 URL 编码；请求头里直接放 base64"})
		}
	}
	if strings.Contains(trimmed, " ") {
		standard(strings.ReplaceAll(trimmed, " ", "+"), phrase{"the + of the base64 in sign became spaces; it was decoded as if it were a form", "sign 的 base64 中 + 变成了空格，被当作表单解码过"})
	}
	if strings.ContainsAny(trimmed, "-_") {
		if raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(trimmed, "=")); err == nil {
			add(raw, phrase{"sign is URL-safe base64 (- and _); use the standard alphabet (+ and /)", "sign 是 URL 安全的 base64（- 和 _）；请用标准 base64（+ 和 /）"})
		}
	}
	if raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(trimmed, "=")); err == nil && len(readings) == 0 && len(raw) > 0 {
		add(raw, phrase{"the padding (=) of the base64 in sign is missing", "sign 的 base64 缺少结尾的 ="})
	}
	if raw, err := hex.DecodeString(trimmed); err == nil && len(raw) > 0 {
		add(raw, phrase{"sign is hexadecimal; it has to be base64", "sign 是十六进制；应当是 base64"})
	}
	if i := strings.Index(trimmed, `\n`); i >= 0 {
		standard(strings.ReplaceAll(trimmed, `\n`, ""), phrase{`sign holds \n where the base64 was broken into lines`, `sign 的 base64 中混入了 \n 换行`})
	}
	for _, r := range slices.Clone(readings) {
		if text := string(r.bytes); len(text) > 300 { // base64 of base64, of hexadecimal
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
				add(raw, r.phrase.and(phrase{"sign was encoded as base64 twice", "sign 做了两次 base64"}))
			}
			if raw, err := hex.DecodeString(text); err == nil {
				add(raw, r.phrase.and(phrase{"sign is the base64 of hexadecimal text; encode the bytes of the signature", "sign 是十六进制文本的 base64；应当对签名的字节做 base64"}))
			}
		}
		reversed := slices.Clone(r.bytes)
		slices.Reverse(reversed)
		add(reversed, r.phrase.and(phrase{"the bytes of the signature are in reverse order, as CryptoAPI gives them", "签名字节顺序颠倒（CryptoAPI 的小端格式）"}))
	}
	if len(readings) == 0 {
		return unreadable(trimmed), nil
	}
	return phrase{}, readings
}

// noSignature are the words that stand in sign where there is no signature.
var noSignature = []string{"undefined", "null", "None", "nil", "NaN", "false", "[object Promise]", "[object Object]"}

// unreadable says what stands in sign in place of a signature.
func unreadable(text string) phrase {
	switch {
	case text == "":
		return phrase{"sign is empty", "sign 是空的"}
	case slices.Contains(noSignature, text):
		return phrase{"sign is the word " + text + ": the signing function gave nothing, or its result was not awaited", "sign 是 " + text + "：签名函数没有返回值，或没有等待它的结果"}
	case strings.HasPrefix(text, "b'"), strings.HasPrefix(text, "b\""):
		return phrase{"sign is the Python form of bytes (b'…'); decode it to a str first", "sign 是 Python 的 bytes 写法（b'…'），请先 decode 成 str"}
	default:
		return phrase{"sign is not base64", "sign 不是 base64"}
	}
}
