package redact

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Masked replaces a value that was taken out.
const Masked = "***"

// The bounds of a mask. What a call sends and what a gateway says about it is a few
// kilobytes; beyond these bounds a text is not searched but masked as a whole.
const (
	maxSent   = 256 << 10 // bytes that are looked for
	maxValues = 4096      // values that are looked for
	maxBody   = 1 << 20   // bytes of a JSON body that is read for values
	maxValue  = 1 << 10   // bytes of a value that are looked for; what follows its beginning is masked
	maxText   = 8 << 10   // bytes of a text that are looked through; what is longer is cut off
	maxSteps  = 4 << 20   // of all searches together
)

// shortValue is the number of characters up to which a value is masked only where
// it is a separate word. Otherwise a sent "0" would mask every zero in the text.
const shortValue = 3

// Mask masks what a call has sent in what the gateway says, also where the gateway
// repeats it escaped for JSON, a URL or HTML, even several times over. Instead of
// escaping each value in every way, it undoes the escapes of the text, layer by
// layer, and looks for the values in each. Make one only when there is an error to
// show: it costs more than a call that succeeds.
type Mask struct {
	sent  int
	blind bool // more was sent than can be looked for
	steps int

	values   []string // in lower case; sorted before the first search
	prepared bool
	first    [257]int // where the values with a first byte begin
}

// Add adds values to look for.
func (m *Mask) Add(values ...string) {
	for _, value := range values {
		if m.sent += min(len(value), maxValue); m.sent > maxSent || len(m.values) >= maxValues {
			m.blind = true
		}
		if m.blind {
			return
		}
		m.addDecoded(value)
	}
}

// addDecoded adds a value, and the value with its own escapes undone: the text may
// have it that way.
func (m *Mask) addDecoded(value string) {
	const mostEscaped = 4 * maxValue
	cut := len(value) > mostEscaped
	layer := plainLayer(value[:min(len(value), mostEscaped)])
	for range maxLayers {
		text := string(layer.text)
		bare := strings.Trim(strings.TrimSpace(text), "+") // a plus at an end is easily lost
		if cut && len(bare) < maxValue {
			m.blind = true // what follows would not be masked
			return
		}
		m.addFolded(fold(bare))
		if strings.Trim(text, "+") == text {
			m.addFolded(fold(text))
		}
		var changed bool
		if layer, changed = layer.decoded(cut); !changed {
			break
		}
	}
	m.prepared = false
}

func (m *Mask) addFolded(value string) {
	if value != "" {
		m.values = append(m.values, value[:min(len(value), maxValue)])
	}
}

// AddQuery adds the values of a query, and those of its names that are not known.
func (m *Mask) AddQuery(query url.Values, known func(name string) bool) {
	for name, values := range query {
		if !known(name) {
			m.Add(name)
		}
		for _, value := range values {
			m.Add(value)
			m.addNested(value, known)
		}
	}
}

// AddJSON adds the values in a JSON text, and those of its names that are not
// known.
func (m *Mask) AddJSON(text []byte, known func(name string) bool) {
	if len(text) > maxBody {
		m.blind = true
		return
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var document any
	if decoder.Decode(&document) == nil {
		m.addLeaves(document, known)
	}
}

// addNested adds the values inside a value that is JSON itself.
func (m *Mask) addNested(value string, known func(name string) bool) {
	if trimmed := strings.TrimSpace(value); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		m.AddJSON([]byte(trimmed), known)
	}
}

func (m *Mask) addLeaves(document any, known func(name string) bool) {
	if m.blind {
		return
	}
	switch v := document.(type) {
	case string:
		m.Add(v)
		m.addNested(v, known)
	case json.Number:
		m.Add(v.String())
	case []any:
		for _, item := range v {
			m.addLeaves(item, known)
		}
	case map[string]any:
		for name, item := range v {
			if !known(name) {
				m.Add(name)
			}
			m.addLeaves(item, known)
		}
	}
}

// Apply returns s, cut to so many bytes, with every value replaced by [Masked].
func (m *Mask) Apply(s string, limit int) string {
	limit = min(limit, maxText)
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	m.prepare()
	var found []span
	layer := plainLayer(s)
	for range maxLayers {
		if m.blind {
			break
		}
		found = m.search(layer, cut, found)
		var changed bool
		if layer, changed = layer.decoded(cut); !changed {
			break
		}
	}
	switch {
	case m.blind && s != "":
		return Masked
	case len(found) == 0:
		return s
	}
	return replaced(s, found)
}

// span is a part of the text, in bytes.
type span struct{ from, to int }

// replaced replaces each span with Masked, overlapping spans with one.
func replaced(s string, spans []span) string {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	at := 0
	for i := 0; i < len(spans); {
		whole := spans[i]
		for i++; i < len(spans) && spans[i].from < whole.to; i++ {
			whole.to = max(whole.to, spans[i].to)
		}
		b.WriteString(s[at:whole.from])
		b.WriteString(Masked)
		at = whole.to
	}
	b.WriteString(s[at:])
	return b.String()
}

func (m *Mask) prepare() {
	if m.prepared {
		return
	}
	slices.Sort(m.values)
	m.values = slices.Compact(m.values)
	at := 0
	for c := range 257 {
		for at < len(m.values) && int(m.values[at][0]) < c {
			at++
		}
		m.first[c] = at
	}
	m.prepared = true
}

// search finds the values in one layer of a text, also where they overlap.
func (m *Mask) search(layer layer, cut bool, found []span) []span {
	folded := fold(string(layer.text))
	for i := range len(folded) {
		length, rest := m.at(folded, i, cut)
		if m.steps > maxSteps {
			m.blind = true
			return found
		}
		switch {
		case rest:
			return append(found, span{layer.from(i), layer.size})
		case length > 0:
			found = append(found, span{layer.from(i), layer.to(i + length)})
		}
	}
	return found
}

// at returns the length of the longest value that begins at position i, 0 for
// none. rest says that everything from there on is part of a value: either the text
// was cut off, where the beginning of a value counts too, or the value is longer
// than the part that is looked for.
func (m *Mask) at(folded string, i int, cut bool) (length int, rest bool) {
	text := folded[i:]
	low, high := m.first[text[0]], m.first[int(text[0])+1]
	for depth := 1; low < high; depth++ { // the values in between share so many bytes with the text
		m.steps++
		if value := m.values[low]; len(value) == depth { // the shortest is the first
			if m.counts(folded, i, value) {
				length = depth
				rest = depth == maxValue
			}
			low++
		}
		switch {
		case low == high:
			return length, rest
		case depth == len(text):
			return length, rest || cut
		}
		c := text[depth]
		values := m.values
		for bound := high; low < bound; { // the first that has c or more there
			m.steps++
			if middle := (low + bound) / 2; values[middle][depth] < c {
				low = middle + 1
			} else {
				bound = middle
			}
		}
		if low == high || values[low][depth] != c {
			return length, rest
		}
		after := low
		for bound := high; after < bound; { // the first that has more than c
			m.steps++
			if middle := (after + bound) / 2; values[middle][depth] <= c {
				after = middle + 1
			} else {
				bound = middle
			}
		}
		high = after
	}
	return length, rest
}

// counts reports whether a value at position i is to be masked there.
func (m *Mask) counts(folded string, i int, value string) bool {
	end := i + len(value)
	return len(value) > shortValue*utf8.UTFMax || utf8.RuneCountInString(value) > shortValue ||
		(i == 0 || !IsWordByte(folded[i-1])) && (end == len(folded) || !IsWordByte(folded[end]))
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
