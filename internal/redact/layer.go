package redact

import (
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxLayers is how many layers of nested escapes are searched, the text itself
// included.
const maxLayers = 6

// layer is a text with some escapes undone. It knows where in the original each of
// its bytes comes from.
type layer struct {
	text []byte
	span []span // of each byte; nil where the text is the original
	size int    // of the original
}

func plainLayer(s string) layer { return layer{text: []byte(s), size: len(s)} }

func (l layer) from(i int) int {
	if l.span == nil {
		return i
	}
	return l.span[i].from
}

// to is the end, in the original, of what ends before position i.
func (l layer) to(i int) int {
	if l.span == nil {
		return i
	}
	return l.span[i-1].to
}

// decoded undoes one layer of escapes. Where the text was cut off, an escape that
// was cut in half is left out.
func (l layer) decoded(cut bool) (next layer, changed bool) {
	s := string(l.text)
	next = layer{text: make([]byte, 0, len(s)), span: make([]span, 0, len(s)), size: l.size}
	for i := 0; i < len(s); {
		plain, length := s[i:i+1], 1
		if strings.IndexByte(`%\&`, s[i]) >= 0 {
			var whole bool
			if plain, length, whole = unescape(s[i:]); !whole && cut {
				changed = true
				break
			}
			changed = changed || length > 1
		}
		at := span{l.from(i), l.to(i + length)}
		for _, c := range []byte(plain) {
			next.text, next.span = append(next.text, c), append(next.span, at)
		}
		i += length
	}
	return next, changed
}

// unescape reads the escape that s begins with, or its first byte if it begins
// with none. whole is false if s may end in the middle of an escape.
func unescape(s string) (plain string, length int, whole bool) {
	none := s[:1]
	hex := func(from, digits int) (n int, ok, whole bool) {
		if rest := s[from:]; len(rest) < digits {
			return 0, false, !isHex(rest)
		}
		digit := s[from : from+digits]
		if !isHex(digit) {
			return 0, false, true
		}
		value, _ := strconv.ParseUint(digit, 16, 32)
		return int(value), true, true
	}
	if s[0] == '&' {
		return unescapeHTML(s)
	}
	if len(s) == 1 {
		return none, 1, false
	}
	switch {
	case s[1] == 'u' || s[1] == 'U': // \u5f20, and %u5f20 as JavaScript's escape has it
		n, ok, whole := hex(2, 4)
		if !ok {
			return none, 1, whole
		}
		r, length := rune(n), 6
		if strings.HasPrefix(s[6:], s[:1]) && len(s) > 7 && s[7]|0x20 == 'u' {
			if low, ok, _ := hex(8, 4); ok {
				if pair := utf16.DecodeRune(r, rune(low)); pair != utf8.RuneError {
					r, length = pair, 12
				}
			}
		}
		return string(r), length, true
	case s[0] == '%':
		n, ok, whole := hex(1, 2)
		if !ok {
			return none, 1, whole
		}
		return string([]byte{byte(n)}), 3, true
	case s[1] == 'x':
		n, ok, whole := hex(2, 2)
		if !ok {
			return none, 1, whole
		}
		return string([]byte{byte(n)}), 4, true
	}
	if i := strings.IndexByte(`"\/'bfnrt`, s[1]); i >= 0 {
		return "\"\\/'\b\f\n\r\t"[i : i+1], 2, true
	}
	return none, 1, true
}

// maxEntity is longer than any entity name of a common character.
const maxEntity = 32

func unescapeHTML(s string) (plain string, length int, whole bool) {
	end := 1
	for end < len(s) && end < maxEntity && (IsWordByte(s[end]) || s[end] == '#') {
		end++
	}
	switch {
	case end == len(s) && end < maxEntity:
		return s[:1], 1, false
	case end < len(s) && s[end] == ';':
		end++
	case !strings.HasPrefix(s, "&#"): // a numeric one may lack its semicolon
		return s[:1], 1, true
	}
	if plain = html.UnescapeString(s[:end]); plain == s[:end] {
		return s[:1], 1, true
	}
	return plain, end, true
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	return true
}
