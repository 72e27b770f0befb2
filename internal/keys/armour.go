package keys

import (
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

// maxText bounds the work done for a text; a real one has a few kilobytes.
const maxText = 1 << 20

var (
	defectAlphabet     = both("it contains characters that are not base64", "含有 base64 以外的字符")
	defectPadding      = both("an '=' in the middle of the base64: something is appended to it", "base64 中间有 =，末尾接上了别的内容")
	defectConcatenated = both("two keys or certificates concatenated in one base64 text", "一段 base64 里连着两个密钥或证书")
	defectLength       = both("base64 cut short: one character is left over", "base64 被截断：末尾多出一个字符")
	defectNoEnd        = both("the -----END line is missing: the text was cut short", "缺少 -----END 行：内容被截断")
	defectNoBegin      = both("the -----BEGIN line is missing or damaged", "-----BEGIN 行缺失或损坏")
	defectNothing      = both("nothing between the -----BEGIN and -----END lines", "-----BEGIN 与 -----END 之间没有内容")
)

// block is one stretch of base64 found in a text.
type block struct {
	pem       bool
	label     string // of the PEM armour; a hint only, and never shown
	encrypted bool   // Proc-Type: 4,ENCRYPTED
	der       []byte
	defect    bilingual.Text
}

// split finds the pieces of base64 in text: its PEM blocks, or else the whole
// text. encoding/pem does not help here, since it silently skips what it cannot
// read and requires line ends where a pasted text has spaces.
func split(text string) []block {
	text = unescape(text)
	const begin, end, dashes = "-----BEGIN", "-----END", "-----"
	head, rest, found := strings.Cut(text, begin)
	if !found {
		// The END line alone, or a BEGIN line that lost a dash.
		body, _, cut := strings.Cut(text, end)
		b := newBlock(cut, "", unquote(body))
		if cut || strings.Contains(head, "BEGIN ") {
			b.defect = defectNoBegin
		}
		return []block{b}
	}
	var blocks []block
	for found {
		var part string
		part, rest, found = strings.Cut(rest, begin)
		label, body, ok := strings.Cut(part, dashes)
		label = strings.Join(strings.Fields(label), " ")
		if !ok || len(label) > 64 {
			blocks = append(blocks, block{pem: true, defect: defectNoBegin})
			continue
		}
		body, _, ended := strings.Cut(body, end)
		b := newBlock(true, label, body)
		if !ended && (b.defect == none || b.defect == defectNothing) {
			b.defect = defectNoEnd
		}
		blocks = append(blocks, b)
	}
	// openssl ecparam puts the curve in a block of its own before the key.
	var kept []block
	for _, b := range blocks {
		if !strings.HasSuffix(b.label, "PARAMETERS") {
			kept = append(kept, b)
		}
	}
	if kept == nil {
		kept = blocks
	}
	return kept
}

func newBlock(pem bool, label, body string) block {
	b := block{pem: pem, label: label}
	if pem && strings.Contains(body, ":") {
		b.encrypted = strings.Contains(body, "Proc-Type:") && strings.Contains(body, "ENCRYPTED")
		if !b.encrypted {
			body = pemHeader.ReplaceAllString(body, "")
		}
	}
	if b.encrypted {
		return b // what follows are the headers and a ciphertext
	}
	b.der, b.defect = decode(body)
	if b.defect == none && len(b.der) == 0 {
		b.defect = defectNothing
	}
	return b
}

var (
	pemHeader = regexp.MustCompile(`(?m)^.*:.*$`)
	// Line ends spelled out, once or (JSON in JSON) several times over, and the
	// backslash that a shell or a properties file needs at the end of a line.
	spelledOut = regexp.MustCompile(`\\+(?:[nrt]|\r?\n)`)
)

// unescape turns every line end, spelled out or real, into "\n".
func unescape(text string) string {
	text = spelledOut.ReplaceAllString(text, "\n")
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", `\/`, "/").Replace(text)
}

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

// fromUTF16 decodes text from UTF-16, which Windows calls Unicode: with a byte order
// mark, or with a zero in every other of the first bytes, as ASCII has then.
func fromUTF16(text string) string {
	if len(text) < 4 {
		return text
	}
	var order binary.ByteOrder
	switch {
	case text[:2] == "\xff\xfe", text[1] == 0 && text[3] == 0 && text[0] != 0:
		order = binary.LittleEndian
	case text[:2] == "\xfe\xff", text[0] == 0 && text[2] == 0 && text[1] != 0:
		order = binary.BigEndian
	default:
		return text
	}
	units := make([]uint16, len(text)/2) // half a line end may have been trimmed
	for i := range units {
		units[i] = order.Uint16([]byte(text[2*i:]))
	}
	return string(utf16.Decode(units))
}

// unquote strips blanks and quotes around text.
func unquote(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`“”‘’", r) })
}

// decode reads base64, the URL-safe one too, with or without padding and with blanks
// anywhere. If there is a defect, the DER is what came before it.
func decode(base64Text string) (der []byte, defect bilingual.Text) {
	plain := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return -1
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		}
		return r
	}, base64Text)
	plain = strings.TrimRight(plain, "=")
	if i := strings.IndexFunc(plain, func(r rune) bool { return r != '=' && !inAlphabet(r) }); i >= 0 {
		plain, defect = plain[:i], defectAlphabet
	}
	if first, second, found := strings.Cut(plain, "="); found {
		plain = first
		if defect == none {
			defect = defectPadding
			if tail, _ := base64.RawStdEncoding.DecodeString(strings.TrimLeft(second, "=")); announced(tail) > 0 {
				defect = defectConcatenated
			}
		}
	}
	der, err := base64.RawStdEncoding.DecodeString(plain) // up to the first thing that is wrong
	if err != nil && defect == none {
		defect = defectLength
	}
	return der, defect
}

func inAlphabet(r rune) bool {
	return 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '+' || r == '/'
}
