// Package lenient reads JSON as the platform writes it: numbers and booleans
// where the schema says string, null for absent, raw control characters inside
// strings. Its errors have fixed texts, since those of encoding/json may quote
// the answer.
package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Why an answer cannot be decoded.
var (
	ErrNotAnObject = errors.New("the answer is not a JSON object")
	ErrNotJSON     = errors.New("the answer is not valid JSON")
	ErrNotAString  = errors.New("an object or array where a string belongs")
)

// Object returns body as valid JSON if it is one JSON object and nothing else.
// Raw control characters inside its strings, which the platform may send, are
// escaped in the result. Of a body in GBK, which the gateway sends with some
// refusals although UTF-8 was asked for, each byte of a character beyond ASCII
// becomes U+FFFD. Otherwise the result is body itself.
func Object(body []byte) ([]byte, error) {
	if !StartsObject(body) {
		return nil, ErrNotAnObject
	}
	if !utf8.Valid(body) {
		if object, err := Object(WithoutGBK(body, "\uFFFD")); err == nil {
			return object, nil
		}
	}
	if json.Valid(body) {
		return body, nil
	}
	if escaped := escapeControls(body); json.Valid(escaped) {
		return escaped, nil
	}
	return nil, ErrNotJSON
}

// StartsObject reports whether the first byte that is not white space opens an
// object.
func StartsObject(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] == '{'
}

// IsNull reports whether data is the literal null.
func IsNull(data []byte) bool { return string(bytes.TrimSpace(data)) == "null" }

// escapeControls escapes the raw control characters inside strings, which
// encoding/json refuses. One behind a backslash stays wrong.
func escapeControls(data []byte) (out []byte) {
	inString, escaped := false, false
	for _, c := range data {
		if inString && !escaped && c < ' ' {
			out = fmt.Appendf(out, `\u%04x`, c)
			continue
		}
		out = append(out, c)
		if c == '"' && !escaped {
			inString = !inString
		}
		escaped = inString && c == '\\' && !escaped
	}
	return out
}

// WithoutGBK replaces each byte of the characters of GBK. The second byte of one may be
// a backslash or another character of ASCII.
func WithoutGBK(body []byte, replaced string) (out []byte) {
	for i := 0; i < len(body); i++ {
		c := body[i]
		if c < utf8.RuneSelf {
			out = append(out, c)
			continue
		}
		out = append(out, replaced...)
		if c != 0x80 && c != 0xff && i+1 < len(body) && body[i+1] >= 0x40 && body[i+1] != 0x7f && body[i+1] != 0xff {
			out = append(out, replaced...)
			i++
		}
	}
	return out
}

// String reads a JSON value as Alipay's Java SDK reads a string: numbers and
// booleans as they are spelled. A null, which Java refuses for a known member, is empty.
func String(value []byte) (string, error) {
	if len(value) == 0 {
		return "", ErrNotJSON
	}
	switch value[0] {
	case '"':
		if len(value) < 2 || value[len(value)-1] != '"' {
			return "", ErrNotJSON
		}
		if inner := value[1 : len(value)-1]; isPlain(inner) {
			return string(inner), nil
		}
		var s string
		if json.Unmarshal(value, &s) != nil {
			return "", ErrNotJSON
		}
		return s, nil
	case '{', '[':
		return "", ErrNotAString
	case 'n':
		return "", nil
	default:
		return string(value), nil
	}
}

// isPlain reports whether the inside of a JSON string is ASCII without escapes.
func isPlain(inner []byte) bool {
	for _, c := range inner {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

// Link is a page that explains an error.
type Link struct{ Link, Desc string }

// Links reads links in either form: documented as a string, it also arrives as a
// list of objects. Anything else is left out, and so is what is beyond limit.
func Links(value []byte, limit int) (links []Link) {
	var items []json.RawMessage
	if json.Unmarshal(value, &items) != nil {
		items = []json.RawMessage{value}
	}
	for _, item := range items[:min(len(items), limit)] {
		var link Link
		if StartsObject(item) {
			_ = Decode(item, &link)
		} else {
			link.Link, _ = String(item)
		}
		if link != (Link{}) {
			links = append(links, link)
		}
	}
	return links
}
