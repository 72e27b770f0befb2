package redact

import (
	"cmp"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Masked stands where a value was taken out.
const Masked = "***"

// Mask takes the values that a call has sent out of what the gateway says, in
// every spelling in which a gateway repeats them. Make it only when there is an
// error to show: it costs more than a call that succeeds.
type Mask [256][]string // in lower case, by the first byte, the longest first

// shortValue is the number of characters up to which a value is masked only
// where it stands as a word of its own. Otherwise a sent "0" would mask every
// zero in the text.
const shortValue = 3

// maxMasked bounds what is looked through, in bytes: a gateway's words are
// short. What is longer is cut off.
const maxMasked = 8 << 10

// NewMask returns a mask for the values.
func NewMask(values []string) *Mask {
	var m Mask
	for _, value := range values {
		for _, spelling := range spellings(value) {
			if spelling != "" {
				folded := lower(spelling)
				m[folded[0]] = append(m[folded[0]], folded)
			}
		}
	}
	for i, list := range m {
		slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
		m[i] = slices.Compact(list)
	}
	return &m
}

// spellings returns a value as it is, percent-encoded in the usual ways, as the
// inside of a JSON string and in HTML.
func spellings(value string) []string {
	encoded := url.QueryEscape(value)
	quoted, _ := json.Marshal(value)
	return []string{
		value, strings.TrimSpace(value),
		encoded, strings.ReplaceAll(encoded, "+", "%20"), url.PathEscape(value),
		string(quoted[1 : len(quoted)-1]), html.EscapeString(value),
	}
}

// lower folds the case of ASCII only, so that positions stay as they are: the x
// of an identity number comes back as X, and escapes in either case.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Apply returns s with every value replaced by [Masked].
func (m *Mask) Apply(s string) string {
	cut := len(s) > maxMasked
	if cut {
		s = s[:maxMasked]
	}
	folded := lower(s)
	var b strings.Builder
	for i := 0; i < len(s); {
		n := m.at(folded, i, cut)
		if n > 0 {
			b.WriteString(Masked)
		} else {
			n = 1
			b.WriteByte(s[i])
		}
		i += n
	}
	return b.String()
}

// at returns the length of the value that begins at position i, 0 for none.
// Where the text was cut off, the beginning of a value at its end counts as one.
func (m *Mask) at(folded string, i int, cut bool) int {
	rest := folded[i:]
	for _, value := range m[rest[0]] {
		switch {
		case cut && len(rest) < len(value):
			if strings.HasPrefix(value, rest) {
				return len(rest)
			}
		case !strings.HasPrefix(rest, value):
		case utf8.RuneCountInString(value) > shortValue,
			(i == 0 || !IsWordByte(folded[i-1])) && (len(rest) == len(value) || !IsWordByte(rest[len(value)])):
			return len(value)
		}
	}
	return 0
}

// IsWordByte reports whether c is an ASCII letter or digit.
func IsWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// SentValues returns the values that went out in a query string and a JSON body.
func SentValues(rawQuery string, body []byte) []string {
	var values []string
	query, _ := url.ParseQuery(rawQuery)
	for _, v := range query {
		values = append(values, v...)
	}
	if len(body) > 0 {
		decoder := json.NewDecoder(strings.NewReader(string(body)))
		decoder.UseNumber()
		var document any
		if decoder.Decode(&document) == nil {
			values = appendLeaves(values, document)
		}
	}
	return values
}

func appendLeaves(values []string, document any) []string {
	switch v := document.(type) {
	case string:
		values = append(values, v)
	case json.Number:
		values = append(values, v.String())
	case []any:
		for _, item := range v {
			values = appendLeaves(values, item)
		}
	case map[string]any:
		for _, item := range v {
			values = appendLeaves(values, item)
		}
	}
	return values
}
