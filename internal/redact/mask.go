package redact

import (
	"bytes"
	"encoding/json"
	"html"
	"iter"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Masked replaces a value that was taken out.
const Masked = "***"

// The bounds of a mask. What a call sends and what a gateway says about it is a few
// kilobytes; a text beyond these bounds is not searched but masked as a whole.
const (
	maxSent   = 256 << 10     // bytes that are looked for
	maxBody   = 1 << 20       // bytes of a JSON text that is read for values
	maxValue  = 1 << 10       // bytes of a value that are looked for; what follows its beginning is masked
	maxSteps  = 32 << 20      // bytes that all searches together may look at
	maxLayers = 6             // of nested escapes, the text itself included
	room      = 16 * maxValue // read beyond that, so that enough is left when escapes are undone
)

// Mask masks what a call has sent in what the gateway says. A text that repeats a value
// escaped, for JSON, a URL or HTML and even several times over, is masked whole.
// Values of one or two ASCII characters and names of parameters stay: they identify nobody, and
// say what was wrong.
type Mask struct {
	values []string // folded
	sent   int
	steps  int
	blind  bool // more was sent than can be looked for
}

// Add adds values to look for, each also with its own escapes undone, since the text
// may have it that way, and the values inside one that is JSON itself.
func (m *Mask) Add(values ...string) {
	for _, value := range values {
		if m.sent += min(len(value), maxValue); m.sent > maxSent {
			m.blind = true
			return
		}
		start := value[:min(len(value), room)]
		for layer := range layers(start) {
			bare := strings.Trim(strings.TrimSpace(layer), "+")                  // a plus at an end is easily lost
			m.blind = m.blind || len(start) < len(value) && len(bare) < maxValue // what follows would not be masked
			if bare = fold(bare[:min(len(bare), maxValue)]); len(bare) > 2 || bare != "" && bare[0] >= utf8.RuneSelf {
				m.values = append(m.values, bare)
			}
		}
		if value = strings.TrimSpace(value); strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
			m.AddJSON([]byte(value))
		}
	}
}

// AddQuery adds the values of a query, and names that do not look like those of
// parameters.
func (m *Mask) AddQuery(query url.Values) {
	for name, values := range query {
		m.addName(name)
		m.Add(values...)
	}
}

// AddJSON does the same with a JSON text.
func (m *Mask) AddJSON(text []byte) {
	if m.blind = m.blind || len(text) > maxBody; m.blind {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var document any
	if decoder.Decode(&document) == nil {
		m.addLeaves(document)
	}
}

func (m *Mask) addLeaves(document any) {
	switch v := document.(type) {
	case string:
		m.Add(v)
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

// The key of a map may be anything, a telephone number for one.
var parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z_.\-]*[0-9]{0,3}[A-Za-z_.\-]*$`)

func (m *Mask) addName(name string) {
	if !parameterName.MatchString(name) {
		m.Add(name)
	}
}

// Apply returns s with every value replaced by [Masked], cut to so many bytes.
func (m *Mask) Apply(s string, limit int) string {
	masked := m.masked(s[:min(len(s), limit+room)])
	last := masked
	for layer := range layers(masked) {
		if layer != masked && m.masked(layer) != layer {
			return Masked
		}
		last = layer
	}
	if unescape(last) != last { // escaped more often than is looked through
		return Masked
	}
	return masked[:min(len(masked), limit)]
}

// masked replaces the values that stand in a text as they are, adjacent ones by one
// mask.
func (m *Mask) masked(text string) string {
	folded, covered := fold(text), make([]bool, len(text)+1)
	for _, value := range m.values {
		m.steps += len(text)
		if m.blind = m.blind || m.steps > maxSteps; m.blind {
			break
		}
		isShort := utf8.RuneCountInString(value) <= 3 // masked only where it is a separate word
		for at, to := 0, 0; to < len(text); at++ {
			next := strings.Index(folded[at:], value)
			if next < 0 {
				break
			}
			at += next
			to = at + len(value)
			m.steps += len(value)
			if isShort && (at > 0 && IsWordByte(folded[at-1]) || to < len(text) && IsWordByte(folded[to])) {
				continue
			}
			if len(value) == maxValue {
				to = len(text)
			}
			for i := at; i < to; i++ {
				covered[i] = true
			}
		}
	}
	if m.blind {
		return Masked
	}
	var b strings.Builder
	for i := range len(text) {
		if !covered[i] {
			b.WriteByte(text[i])
		} else if !covered[i+1] {
			b.WriteString(Masked)
		}
	}
	return b.String()
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

// layers yields a text, and what is left of it when its escapes are undone, once and
// again.
func layers(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range maxLayers {
			last := s
			if s = unescape(s); !yield(last) || s == last {
				return
			}
		}
	}
}

// escapes are those of URLs, of JSON and JavaScript, and of HTML.
var escapes = regexp.MustCompile(`(?:[\\%][uU][0-9a-fA-F]{4})+|(?:%|\\x)[0-9a-fA-F]{2}|\\["\\/'bfnrt]|&#(?:[xX][0-9a-fA-F]+|[0-9]+);?|&[a-zA-Z0-9]{2,31};`)

var asJSON = strings.NewReplacer(`\'`, "'", "%", `\`, "U", "u")

// unescape undoes one layer of escapes.
func unescape(s string) string {
	if !strings.ContainsAny(s, `\%&`) {
		return s
	}
	return escapes.ReplaceAllStringFunc(s, func(escape string) (plain string) {
		switch hex, isHex := strings.CutPrefix(strings.ToLower(strings.Trim(escape, "&#;")), "x"); {
		case strings.HasPrefix(escape, "&#"): // package html takes control characters for Windows-1252
			base := 10
			if isHex {
				base = 16
			}
			n, _ := strconv.ParseInt(hex, base, 32)
			plain = string(rune(n))
		case escape[0] == '&':
			plain = html.UnescapeString(escape)
		case escape[1] == 'x', escape[0] == '%' && len(escape) == 3:
			plain, _ = url.PathUnescape("%" + escape[len(escape)-2:])
		default:
			_ = json.Unmarshal([]byte(`"`+asJSON.Replace(escape)+`"`), &plain)
		}
		return plain
	})
}
