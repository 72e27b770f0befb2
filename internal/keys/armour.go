package keys

import (
	"encoding/base64"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

const maxText = 1 << 20 // bounds the work; a real text has a few kilobytes

var (
	defectAlphabet     = both("it contains characters that are not base64", "含有 base64 以外的字符")
	defectPadding      = both("an '=' in the middle of the base64: something is appended to it", "base64 中间有 =，末尾接上了别的内容")
	defectConcatenated = both("two keys or certificates concatenated in one base64 text", "一段 base64 里连着两个密钥或证书")
	defectLength       = both("base64 cut short: one character is left over", "base64 被截断：末尾多出一个字符")
	defectNoEnd        = both("the -----END line is missing: the text was cut short", "缺少 -----END 行：内容被截断")
	defectNoBegin      = both("the -----BEGIN line is missing or damaged", "-----BEGIN 行缺失或损坏")
	defectNothing      = both("nothing between the -----BEGIN and -----END lines", "-----BEGIN 与 -----END 之间没有内容")
)

// block is one stretch of base64 in a text.
type block struct {
	pem    bool
	label  string // of the PEM armour; a hint only, and never shown
	body   string
	defect bilingual.Text // of the armour
}

// split finds the pieces of base64 in text: its PEM blocks, or else the whole text.
// encoding/pem silently skips what it cannot read, and needs line ends.
func split(text string) []block {
	text = spelledOut.ReplaceAllString(text, "")
	const begin, end, dashes = "-----BEGIN", "-----END", "-----"
	parts := strings.Split(text, begin)
	if len(parts) == 1 {
		// Bare base64, the END line alone, or a BEGIN line that lost a dash.
		body, _, cut := strings.Cut(text, end)
		b := block{pem: cut, body: unquote(body)}
		if cut || strings.Contains(text, "BEGIN ") {
			b.defect = defectNoBegin
		}
		return []block{b}
	}
	var blocks []block
	for _, part := range parts[1:] {
		label, body, ok := strings.Cut(part, dashes)
		body, _, ended := strings.Cut(body, end)
		b := block{pem: true, label: label, body: body}
		switch {
		case !ok || len(label) > 64:
			b = block{pem: true, defect: defectNoBegin}
		case !ended:
			b.defect = defectNoEnd
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// spelledOut matches line ends spelled out, once or (JSON in JSON) several times over,
// and the backslash that JSON, a shell or a properties file puts before something.
var spelledOut = regexp.MustCompile(`\\+[nrt]?`)

// Visible leaves out the invisible marks that editors, web pages and chat windows put
// into a text: byte order mark, zero-width space, word joiner, soft hyphen, direction.
func Visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
}

// unquote strips blanks and quotes around text, and UTF-16's byte order mark.
func unquote(text string) string {
	return strings.TrimFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || r == utf8.RuneError || strings.ContainsRune("\"'`“”‘’", r)
	})
}

var notBase64 = regexp.MustCompile(`[^A-Za-z0-9+/=]`)

// decode reads base64, the URL-safe one too, with or without padding and with blanks
// anywhere. If there is a defect, the DER is what came before it.
func decode(text string) (der []byte, defect bilingual.Text) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.Join(strings.Fields(text), ""))
	if i := notBase64.FindStringIndex(text); i != nil {
		text, defect = text[:i[0]], defectAlphabet
	}
	text, second, padded := strings.Cut(strings.TrimRight(text, "="), "=")
	if padded && defect == none {
		defect = defectPadding
		if tail, _ := base64.RawStdEncoding.DecodeString(strings.TrimLeft(second, "=")); announced(tail) > 0 {
			defect = defectConcatenated
		}
	}
	der, err := base64.RawStdEncoding.DecodeString(text) // up to the first thing that is wrong
	if err != nil && defect == none {
		defect = defectLength
	}
	return der, defect
}
