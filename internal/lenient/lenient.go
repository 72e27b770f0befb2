// Package lenient reads JSON as the platform writes it: numbers and booleans
// where the schema says string, null for absent, raw control characters inside
// strings. Its errors have fixed texts, since those of encoding/json may quote
// the answer.
package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
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
		if object := valid(withoutGBK(body)); object != nil {
			return object, nil
		}
	}
	if object := valid(body); object != nil {
		return object, nil
	}
	return nil, ErrNotJSON
}

// valid returns body with its control characters escaped, nil if it is no JSON.
func valid(body []byte) []byte {
	if json.Valid(body) {
		return body
	}
	if escaped := escapeControls(body); escaped != nil && json.Valid(escaped) {
		return escaped
	}
	return nil
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
// encoding/json refuses. It returns nil where there are none.
func escapeControls(data []byte) []byte {
	const hex = "0123456789abcdef"
	var out []byte
	copied, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++ // an escaped quote does not end the string; a control character here stays wrong
		case c == '"':
			inString = !inString
		case inString && c < ' ':
			out = append(out, data[copied:i]...)
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			copied = i + 1
		}
	}
	if out == nil {
		return nil
	}
	return append(out, data[copied:]...)
}

// withoutGBK replaces the characters of GBK. The second byte of one may be a
// backslash or another character of ASCII.
func withoutGBK(body []byte) []byte {
	const replaced = "\uFFFD"
	var out []byte
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c < utf8.RuneSelf:
			out = append(out, c)
		case c != 0x80 && c != 0xff && i+1 < len(body) && body[i+1] >= 0x40 && body[i+1] != 0x7f && body[i+1] != 0xff:
			out = append(out, replaced+replaced...)
			i++
		default:
			out = append(out, replaced...)
		}
	}
	return out
}

// String reads a JSON value as Alipay's Java SDK reads a string: numbers and
// booleans as they are spelled. A null is empty, which Java refuses for a known
// member; this is the more lenient of the two.
func String(value []byte) (string, error) {
	if len(value) == 0 {
		return "", ErrNotJSON
	}
	switch value[0] {
	case '"':
		if len(value) < 2 {
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
