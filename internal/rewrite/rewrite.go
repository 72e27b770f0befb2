// Package rewrite knows what happens to a text between the one who signs it and
// the one who reads it: line ends that an editor changes, JSON that a proxy
// parses and writes again, a byte order mark, a wrong charset. Given the text
// that arrived it lists the texts that may have been signed, so that a digest
// can be compared with each.
package rewrite

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Rewrite is a text that may have been signed in place of the one that arrived.
// Signed and Arrived complete a sentence about both: "it was signed "+Signed+
// " and arrived "+Arrived.
type Rewrite struct {
	Text            []byte
	Signed, Arrived string
}

// maxText is the longest text that is rewritten at all, maxJSON the longest that
// is taken apart, which costs far more.
const (
	maxText = 4 << 20
	maxJSON = 64 << 10
)

// All returns what may have been signed in place of text, each once and none
// equal to text. Their number is bounded, whatever the text, and of one beyond
// 4 MiB there is none.
func All(text []byte) []Rewrite {
	c := collector{text: text}
	if len(text) <= maxText {
		c.lines()
	}
	if len(text) <= maxJSON {
		c.escapes()
		c.charset()
		if json.Valid(text) {
			c.layout()
		}
	}
	return c.found
}

// collector gathers rewrites of one text.
type collector struct {
	text  []byte
	found []Rewrite
}

func (c *collector) add(text []byte, signed, arrived string) {
	if bytes.Equal(text, c.text) || slices.ContainsFunc(c.found, func(r Rewrite) bool { return bytes.Equal(r.Text, text) }) {
		return
	}
	c.found = append(c.found, Rewrite{text, signed, arrived})
}

var (
	lf, crlf = []byte("\n"), []byte("\r\n")
	bom      = []byte("\ufeff")
)

// lines covers line ends, white space around the text and byte order marks.
func (c *collector) lines() {
	text := c.text
	switch {
	case len(text) == 0:
		return
	case bytes.Contains(text, crlf):
		c.add(bytes.ReplaceAll(text, crlf, lf), "with line feeds (LF)", "with CR LF in their place")
	case bytes.Contains(text, lf):
		c.add(bytes.ReplaceAll(text, lf, crlf), "with CR LF at the line ends", "with line feeds (LF) in their place")
	}
	if rest, ok := bytes.CutSuffix(text, crlf); ok {
		c.add(rest, "without a line end behind it", "with one (CR LF)")
	} else if rest, ok := bytes.CutSuffix(text, lf); ok {
		c.add(rest, "without a line feed at the end", "with one")
	}
	c.add(slices.Concat(text, lf), "with a line feed at the end", "without it")
	c.add(slices.Concat(text, crlf), "with CR LF at the end", "without it")
	if rest, ok := bytes.CutPrefix(text, bom); ok {
		c.add(rest, "without a byte order mark", "with one")
	} else {
		c.add(slices.Concat(bom, text), "with a byte order mark", "without it")
	}
	c.add(bytes.TrimSpace(text), "without white space around it", "with some")
	if bytes.ContainsAny(text, "\r\n") {
		c.add(bytes.Map(func(r rune) rune {
			if r == '\r' || r == '\n' {
				return -1
			}
			return r
		}, text), "in one line", "broken into several")
	}
}

// escapes covers the choices that JSON leaves for the characters of a string.
// What is escaped stands in strings only, so the text need not be parsed.
func (c *collector) escapes() {
	const (
		signed, plain = `with %s escaped`, `with the characters themselves`
		unescaped     = `with %s written as they are`
	)
	text := c.text
	for _, class := range []struct {
		name string
		has  func(r rune) bool
	}{
		{"<, > and &", func(r rune) bool { return r == '<' || r == '>' || r == '&' }},
		{"<, >, &, ' and =", func(r rune) bool { return strings.ContainsRune("<>&'=", r) }},        // as Gson does
		{"<, >, &, ' and +", func(r rune) bool { return strings.ContainsRune("<>&'+`\u007f", r) }}, // as .NET does
		{"characters beyond ASCII", func(r rune) bool { return r >= utf8.RuneSelf }},
		{"<, >, &, ', + and characters beyond ASCII", func(r rune) bool { return strings.ContainsRune("<>&'+`\u007f", r) || r >= utf8.RuneSelf }},
	} {
		c.add(escape(text, class.has, "%04x"), strings.Replace(signed, "%s", class.name, 1)+` (\u…)`, plain)
		c.add(escape(text, class.has, "%04X"), strings.Replace(signed, "%s", class.name, 1)+` (\u… in capitals)`, plain)
		c.add(unescape(text, class.has), strings.Replace(unescaped, "%s", class.name, 1), `with them escaped (\u…)`)
	}
	if bytes.Contains(text, []byte(`\/`)) {
		c.add(unescapeSlashes(text), `with / written as it is`, `with it escaped (\/)`)
	} else {
		c.add(bytes.ReplaceAll(text, []byte("/"), []byte(`\/`)), `with / escaped (\/)`, `with it as it is`)
	}
}

// charset covers UTF-8 that something took for Latin-1 and encoded once more.
func (c *collector) charset() {
	if once, ok := latin1(c.text); ok {
		c.add(once, "in UTF-8", "encoded as UTF-8 once more")
	}
	var twice []byte
	for _, b := range c.text {
		twice = utf8.AppendRune(twice, rune(b))
	}
	c.add(twice, "encoded as UTF-8 twice", "encoded once")
	c.add(bytes.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, c.text), "with ? for each character beyond ASCII", "with the characters themselves")
}

// latin1 undoes one encoding too many.
func latin1(text []byte) ([]byte, bool) {
	var once []byte
	for _, r := range string(text) {
		if r > 0xff {
			return nil, false
		}
		once = append(once, byte(r))
	}
	return once, utf8.Valid(once)
}

// layout covers a JSON text that was parsed and written again.
func (c *collector) layout() {
	compact := compacted(c.text)
	const arrived = "laid out in another way"
	c.add(compact, "as JSON without spaces", arrived)
	c.add(spaced(compact), "as JSON with a space behind each comma and colon", arrived)
	for _, indent := range []struct{ with, name string }{{"  ", "2 spaces"}, {"    ", "4 spaces"}, {"\t", "tabs"}} {
		var b bytes.Buffer
		if json.Indent(&b, c.text, "", indent.with) == nil {
			c.add(b.Bytes(), "as JSON indented by "+indent.name, arrived)
		}
	}
	quoted, _ := json.Marshal(string(c.text))
	c.add(quoted, "as a JSON string that holds the JSON", "as the JSON itself")
	var inner string
	if json.Unmarshal(c.text, &inner) == nil {
		c.add([]byte(inner), "as the JSON itself", "as a JSON string that holds it")
	}
	if members, ok := membersOf(compact); ok {
		c.members(members)
	}
}

// members covers the members of an object: their order, and those that say
// nothing.
func (c *collector) members(members []member) {
	const arrived = "with them in another order"
	sorted := slices.Clone(members)
	slices.SortStableFunc(sorted, func(a, b member) int { return strings.Compare(a.name, b.name) })
	c.add(join(sorted), "with its members sorted by name", arrived)
	if deep, ok := sortedDeep(c.text); ok {
		c.add(deep, "with its members sorted by name at every depth", arrived)
	}
	reversed := slices.Clone(members)
	slices.Reverse(reversed)
	c.add(join(reversed), "with its members in reverse order", arrived)

	without := func(values ...string) []byte {
		return join(slices.DeleteFunc(slices.Clone(members), func(m member) bool { return slices.Contains(values, string(m.value)) }))
	}
	c.add(without("null"), "without its members that are null", "with them")
	c.add(without("null", `""`), "without its empty members", "with them")
}

// maxPermuted is how many members are tried in every order: 6! is 720.
const maxPermuted = 6

// Orders calls yield with the JSON object that text holds, its members in every
// order and without spaces, until yield returns false. It does nothing for an
// object with many members or of more than 4 KiB, and for anything else.
func Orders(text []byte, yield func([]byte) bool) {
	if len(text) > 4<<10 || !json.Valid(text) {
		return
	}
	members, ok := membersOf(compacted(text))
	if ok && len(members) <= maxPermuted {
		permute(members, 0, func() bool { return yield(join(members)) })
	}
}

func permute(members []member, from int, yield func() bool) bool {
	if from == len(members) {
		return yield()
	}
	for i := from; i < len(members); i++ {
		members[from], members[i] = members[i], members[from]
		more := permute(members, from+1, yield)
		members[from], members[i] = members[i], members[from]
		if !more {
			return false
		}
	}
	return true
}

// FirstValue returns the JSON value that text begins with, without what stands
// behind it; false when nothing does.
func FirstValue(text []byte) ([]byte, bool) {
	if len(text) > maxJSON {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	var value json.RawMessage
	if decoder.Decode(&value) != nil || decoder.InputOffset() >= int64(len(text)) {
		return nil, false
	}
	return text[:decoder.InputOffset()], true
}
