package alipay

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const masked = "***"

// mask takes the values that a call has sent out of what the gateway says, in
// every spelling in which a gateway repeats them. It is made only when there is
// an error to show.
type mask struct {
	long  *strings.Replacer
	short []string // masked only where they stand as a word, lest "0" eat every digit
}

// shortValue is the number of characters up to which a value counts as short.
const shortValue = 3

func newMask(values []string) mask {
	var m mask
	var long []string
	for _, value := range values {
		for _, spelling := range spellings(value) {
			switch n := utf8.RuneCountInString(spelling); {
			case n == 0:
			case n <= shortValue:
				m.short = append(m.short, spelling)
			default:
				long = append(long, spelling)
			}
		}
	}
	// The longest first: a value may hold another.
	slices.SortFunc(long, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(long))
	for _, value := range slices.Compact(long) {
		pairs = append(pairs, value, masked)
	}
	m.long = strings.NewReplacer(pairs...)
	return m
}

// spellings returns a value as it is, percent-encoded in the usual ways and as
// the inside of a JSON string.
func spellings(value string) []string {
	encoded, inPath := url.QueryEscape(value), url.PathEscape(value)
	spaced := strings.ReplaceAll(encoded, "+", "%20")
	quoted, _ := json.Marshal(value)
	return []string{
		value, strings.TrimSpace(value),
		encoded, spaced, lowerHex(encoded), lowerHex(spaced), inPath, lowerHex(inPath),
		string(quoted[1 : len(quoted)-1]),
	}
}

// lowerHex spells the escapes of a percent-encoded string in lower case.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i:], strings.ToLower(s[i:i+3]))
			i += 2
		}
	}
	return string(b)
}

func (m mask) apply(s string) string {
	if s == "" {
		return ""
	}
	s = m.long.Replace(s)
	for _, value := range m.short {
		s = replaceWord(s, value)
	}
	return s
}

func replaceWord(s, word string) string {
	var b strings.Builder
	for from := 0; ; {
		i := strings.Index(s[from:], word)
		if i < 0 {
			return b.String() + s[from:]
		}
		start, end := from+i, from+i+len(word)
		b.WriteString(s[from:start])
		if (start > 0 && isWordByte(s[start-1])) || (end < len(s) && isWordByte(s[end])) {
			b.WriteString(word)
		} else {
			b.WriteString(masked)
		}
		from = end
	}
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// sentValues returns the values that went out in a query string and a JSON body.
func sentValues(rawQuery string, body []byte) []string {
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
