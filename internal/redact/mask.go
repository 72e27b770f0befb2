package redact

import (
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Masked replaces a value that was taken out.
const Masked = "***"

// The bounds of a mask. What a call sends and what a gateway says about it is a few
// kilobytes; beyond these bounds a text is not searched but masked as a whole.
const (
	maxSent   = 256 << 10 // bytes that are looked for
	maxBody   = 1 << 20   // bytes of a JSON body that is read for values
	maxValue  = 1 << 10   // bytes of a value that are looked for; what follows its beginning is masked
	maxText   = 8 << 10   // bytes of a text that are shown
	maxSteps  = 32 << 20  // bytes that all searches together may look at
	maxLayers = 6         // of nested escapes, the text itself included

	// roomForEscapes is how much longer a value or text is read before its escapes
	// are undone, so that enough of it is left.
	roomForEscapes = 16 * maxValue

	// shortValue is the number of characters up to which a value is masked only
	// where it is a separate word.
	shortValue = 3
)

// Mask masks what a call has sent in what the gateway says. A text in which the
// gateway repeats a value escaped, for JSON, a URL or HTML and even several times
// over, is masked as a whole. Values of one or two ASCII characters and names of
// parameters stay: they identify nobody, and say what was wrong. Make a Mask only
// when there is an error to show: it costs more than a call that succeeds.
type Mask struct {
	values []string // folded
	sent   int
	steps  int
	blind  bool // more was sent than can be looked for
}

// Add adds values to look for, and each with its own escapes undone: the text may
// have it that way.
func (m *Mask) Add(values ...string) {
	for _, value := range values {
		if m.sent += min(len(value), maxValue); m.sent > maxSent {
			m.blind = true
			return
		}
		cut := len(value) > roomForEscapes
		value = value[:min(len(value), roomForEscapes)]
		for range maxLayers {
			bare := strings.Trim(strings.TrimSpace(value), "+") // a plus at an end is easily lost
			m.add(bare)
			m.blind = m.blind || cut && len(bare) < maxValue // what follows would not be masked
			undone := unescape(value)
			if undone == value {
				break
			}
			value = undone
		}
	}
}

func (m *Mask) add(value string) {
	value = fold(value[:min(len(value), maxValue)])
	if len(value) > 2 || strings.ContainsFunc(value, func(r rune) bool { return r >= utf8.RuneSelf }) {
		m.values = append(m.values, value)
	}
}

// AddQuery adds the values of a query, and names that do not look like those of
// parameters.
func (m *Mask) AddQuery(query url.Values) {
	for name, values := range query {
		m.addName(name)
		for _, value := range values {
			m.addValue(value)
		}
	}
}

// AddJSON does the same with a JSON text.
func (m *Mask) AddJSON(text []byte) {
	if len(text) > maxBody {
		m.blind = true
		return
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var document any
	if decoder.Decode(&document) == nil {
		m.addLeaves(document)
	}
}

func (m *Mask) addLeaves(document any) {
	switch v := document.(type) {
	case string:
		m.addValue(v)
	case json.Number:
		m.Add(v.String())
	case []any:
		for _, item := range v {
			m.addLeaves(item)
		}
	case map[string]any:
		for name, item := range v {
			m.addName(name)
			m.addLeaves(item)
		}
	}
}

// addValue also adds the values inside one that is JSON itself.
func (m *Mask) addValue(value string) {
	m.Add(value)
	if trimmed := strings.TrimSpace(value); !m.blind && (strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")) {
		m.AddJSON([]byte(trimmed))
	}
}

// The key of a map may be anything, a telephone number for one.
var parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z_.\-]*[0-9]{0,3}[A-Za-z_.\-]*$`)

func (m *Mask) addName(name string) {
	if !parameterName.MatchString(name) {
		m.Add(name)
	}
}

// Apply returns s with every value replaced by [Masked], cut to so many bytes.
func (m *Mask) Apply(s string, limit int) string {
	limit = min(limit, maxText)
	masked, _ := m.masked(s[:min(len(s), limit+roomForEscapes)])
	escaped := masked
	for range maxLayers - 1 {
		undone := unescape(escaped)
		if undone == escaped {
			break
		}
		if _, found := m.masked(undone); found {
			return Masked
		}
		escaped = undone
	}
	if m.blind && s != "" {
		return Masked
	}
	return masked[:min(len(masked), limit)]
}

// masked replaces the values that stand in a text as they are, adjacent ones by one
// mask.
func (m *Mask) masked(text string) (masked string, found bool) {
	folded := fold(text)
	covered := make([]bool, len(text)+1)
	for _, value := range m.values {
		if m.blind = m.blind || m.steps > maxSteps; m.blind {
			return "", true
		}
		for at := 0; ; at++ {
			next := strings.Index(folded[at:], value)
			if m.steps += max(next, 0) + len(value); next < 0 {
				m.steps += len(text) - at
				break
			}
			at += next
			to := at + len(value)
			if utf8.RuneCountInString(value) <= shortValue && (at > 0 && IsWordByte(folded[at-1]) || to < len(text) && IsWordByte(folded[to])) {
				continue
			}
			if len(value) == maxValue {
				to = len(text)
			}
			found = true
			for i := at; i < to; i++ {
				covered[i] = true
			}
			if to == len(text) {
				break
			}
		}
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !covered[i]:
			b.WriteByte(text[i])
		case !covered[i+1]:
			b.WriteString(Masked)
		}
	}
	return b.String(), found
}

// fold removes differences that a gateway may make: the case of ASCII, such as the
// x of an identity number, and a space that was a plus. Positions do not change.
func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case c == '+':
			b[i] = ' '
		}
	}
	return string(b)
}

// IsWordByte reports whether c is an ASCII letter or digit.
func IsWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// escapes are those of JSON and JavaScript, of URLs, and of HTML.
var escapes = regexp.MustCompile(`(?:[\\%][uU][0-9a-fA-F]{4})+|(?:%|\\x)[0-9a-fA-F]{2}|\\["\\/'bfnrt]|&#(?:[xX][0-9a-fA-F]{1,6}|[0-9]{1,7});?|&[a-zA-Z0-9]{2,31};`)

// unescape undoes one layer of escapes.
func unescape(s string) string {
	return escapes.ReplaceAllStringFunc(s, func(escape string) (plain string) {
		hex, isHex := strings.CutPrefix(strings.ToLower(strings.Trim(escape, "&#;")), "x")
		switch {
		case strings.HasPrefix(escape, "&#"): // html.UnescapeString takes control characters for Windows-1252
			base := 10
			if isHex {
				base = 16
			}
			n, _ := strconv.ParseInt(hex, base, 32)
			return string(rune(n))
		case escape[0] == '&':
			return html.UnescapeString(escape)
		case escape == `\'`:
			return "'"
		case escape[1] == 'x', escape[0] == '%' && len(escape) == 3:
			plain, _ = url.PathUnescape("%" + escape[len(escape)-2:])
		default:
			_ = json.Unmarshal([]byte(`"`+strings.NewReplacer("%", `\`, "U", "u").Replace(escape)+`"`), &plain)
		}
		return plain
	})
}
