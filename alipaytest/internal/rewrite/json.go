package rewrite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// compacted is valid JSON without the white space between its tokens.
func compacted(text []byte) []byte {
	var b bytes.Buffer
	_ = json.Compact(&b, text)
	return b.Bytes()
}

// spaced writes compact JSON as Python's json.dumps does.
func spaced(compact []byte) []byte {
	out := make([]byte, 0, len(compact)+len(compact)/8)
	inString := false
	for i := 0; i < len(compact); i++ {
		b := compact[i]
		out = append(out, b)
		switch {
		case inString && b == '\\':
			i++
			out = append(out, compact[i])
		case b == '"':
			inString = !inString
		case !inString && (b == ',' || b == ':'):
			out = append(out, ' ')
		}
	}
	return out
}

// escape writes the characters for which has is true as \uXXXX.
func escape(text []byte, has func(rune) bool, format string) []byte {
	if bytes.IndexFunc(text, has) < 0 {
		return text
	}
	var out []byte
	for _, r := range string(text) {
		switch {
		case !has(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u`+format+`\u`+format, high, low)
		default:
			out = fmt.Appendf(out, `\u`+format, r)
		}
	}
	return out
}

// unescape writes the characters for which has is true as they are.
func unescape(text []byte, has func(rune) bool) []byte {
	if !bytes.Contains(text, []byte(`\u`)) {
		return text
	}
	var out []byte
	for i := 0; i < len(text); {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			i++
			continue
		}
		r, size := escaped(text[i:])
		if size == 0 || !has(r) {
			size = max(size, 2) // the backslash and the byte after it
			out = append(out, text[i:i+size]...)
		} else {
			out = utf8.AppendRune(out, r)
		}
		i += size
	}
	return out
}

// escaped reads the \uXXXX, or pair of them, that text begins with.
func escaped(text []byte) (r rune, size int) {
	unit := func(text []byte) (rune, bool) {
		if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
			return 0, false
		}
		value, err := strconv.ParseUint(string(text[2:6]), 16, 16)
		return rune(value), err == nil
	}
	r, ok := unit(text)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, _ := unit(text[6:])
	if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
		return pair, 12
	}
	return utf8.RuneError, 6
}

// unescapeSlashes writes \/ as /.
func unescapeSlashes(text []byte) []byte {
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			if i++; text[i] != '/' {
				out = append(out, '\\')
			}
		}
		out = append(out, text[i])
	}
	return out
}

// member is a member of an object, its value as it was written.
type member struct {
	name  string
	value json.RawMessage
}

// membersOf takes a JSON object apart, in order.
func membersOf(compact []byte) ([]member, bool) {
	decoder := json.NewDecoder(bytes.NewReader(compact))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	var members []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		m := member{name: name.(string)}
		if decoder.Decode(&m.value) != nil {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}

// join is the object with these members, without spaces.
func join(members []member) []byte {
	out := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, encoded(m.name)...), ':'), m.value...)
	}
	return append(out, '}')
}

// sortedDeep parses JSON and writes it again with every object sorted.
func sortedDeep(text []byte) ([]byte, bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	return encoded(value), true
}

// encoded is json.Marshal without its escapes for HTML.
func encoded(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // strings, numbers and what is made of them
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
