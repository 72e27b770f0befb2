// Package rewrite knows what happens to a text between signing and reading: line
// ends that an editor changes, JSON that a proxy parses and writes again, a byte
// order mark, a wrong charset. Given the text that arrived it lists the texts that
// may have been signed, so that a digest can be compared with each.
package rewrite

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Rewrite is a text that may have been signed instead of the one that arrived.
// Signed and Arrived complete a sentence about both: "it was signed "+Signed+
// " and arrived "+Arrived. SignedZH does so in Chinese, for what was signed.
type Rewrite struct {
	Text            []byte
	Signed, Arrived string
	SignedZH        string // "签名时" and then this
}

// maxText is the longest text that is rewritten, maxJSON the longest that is
// parsed, which costs far more.
const (
	maxText = 4 << 20
	maxJSON = 64 << 10
)

// All returns the texts that may have been signed instead of text, each once and
// none equal to text. Their number is bounded, and for a text beyond 4 MiB there
// are none.
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

func (c *collector) add(text []byte, signed, arrived, signedZH string) {
	if bytes.Equal(text, c.text) || slices.ContainsFunc(c.found, func(r Rewrite) bool { return bytes.Equal(r.Text, text) }) {
		return
	}
	c.found = append(c.found, Rewrite{text, signed, arrived, signedZH})
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
		c.add(bytes.ReplaceAll(text, crlf, lf), "with line feeds (LF)", "with CR LF in their place", "换行是 LF，到达的是 CRLF")
	case bytes.Contains(text, lf):
		c.add(bytes.ReplaceAll(text, lf, crlf), "with CR LF at the line ends", "with line feeds (LF) in their place", "换行是 CRLF，到达的是 LF")
	}
	if rest, ok := bytes.CutSuffix(text, crlf); ok {
		c.add(rest, "without a line end behind it", "with one (CR LF)", "末尾没有换行，到达的有（CRLF）")
	} else if rest, ok := bytes.CutSuffix(text, lf); ok {
		c.add(rest, "without a line feed at the end", "with one", "末尾没有换行，到达的有")
	}
	c.add(slices.Concat(text, lf), "with a line feed at the end", "without it", "末尾有换行，到达的没有")
	c.add(slices.Concat(text, crlf), "with CR LF at the end", "without it", "末尾有 CRLF，到达的没有")
	if rest, ok := bytes.CutPrefix(text, bom); ok {
		c.add(rest, "without a byte order mark", "with one", "没有 BOM，到达的有")
	} else {
		c.add(slices.Concat(bom, text), "with a byte order mark", "without it", "有 BOM，到达的没有")
	}
	c.add(bytes.TrimSpace(text), "without white space around it", "with some", "首尾没有空白，到达的有")
	if bytes.ContainsAny(text, "\r\n") {
		c.add(bytes.Map(func(r rune) rune {
			if r == '\r' || r == '\n' {
				return -1
			}
			return r
		}, text), "in one line", "broken into several", "是一行，到达的被拆成多行")
	}
}

// escapes covers the choices that JSON leaves for the characters of a string.
// What is escaped stands in strings only, so the text need not be parsed.
func (c *collector) escapes() {
	text := c.text
	for _, class := range []struct {
		name, zh string
		has      func(r rune) bool
	}{
		{"<, > and &", "<、>、&", func(r rune) bool { return r == '<' || r == '>' || r == '&' }},
		{"<, >, &, ' and =", "<、>、&、'、=", func(r rune) bool { return strings.ContainsRune("<>&'=", r) }},        // as Gson does
		{"<, >, &, ' and +", "<、>、&、'、+", func(r rune) bool { return strings.ContainsRune("<>&'+`\u007f", r) }}, // as .NET does
		{"characters beyond ASCII", "非 ASCII 字符", func(r rune) bool { return r >= utf8.RuneSelf }},
		{"<, >, &, ', + and characters beyond ASCII", "<、>、&、'、+ 和非 ASCII 字符", func(r rune) bool { return strings.ContainsRune("<>&'+`\u007f", r) || r >= utf8.RuneSelf }},
	} {
		const plain = "with the characters themselves"
		c.add(escape(text, class.has, "%04x"), "with "+class.name+` escaped (\u…)`, plain, class.zh+` 写成 \u…，到达的是字符本身`)
		c.add(escape(text, class.has, "%04X"), "with "+class.name+` escaped (\u… in capitals)`, plain, class.zh+` 写成大写的 \u…，到达的是字符本身`)
		c.add(unescape(text, class.has), "with "+class.name+" written as they are", `with them escaped (\u…)`, class.zh+` 是字符本身，到达的写成 \u…`)
	}
	if bytes.Contains(text, []byte(`\/`)) {
		c.add(unescapeSlashes(text), `with / written as it is`, `with it escaped (\/)`, `斜杠是 /，到达的是 \/`)
	} else {
		c.add(bytes.ReplaceAll(text, []byte("/"), []byte(`\/`)), `with / escaped (\/)`, `with it as it is`, `斜杠写成 \/，到达的是 /`)
	}
}

// charset covers UTF-8 that was mistaken for Latin-1 and encoded once more.
func (c *collector) charset() {
	if once, ok := latin1(c.text); ok {
		c.add(once, "in UTF-8", "encoded as UTF-8 once more", "是 UTF-8，到达的又被编码了一次（乱码）")
	}
	var twice []byte
	for _, b := range c.text {
		twice = utf8.AppendRune(twice, rune(b))
	}
	c.add(twice, "encoded as UTF-8 twice", "encoded once", "被编码成两次 UTF-8（乱码），到达的只编码一次")
	c.add(bytes.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, c.text), "with ? for each character beyond ASCII", "with the characters themselves", "非 ASCII 字符成了 ?（编码不对），到达的是字符本身")
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
	const arrived, arrivedZH = "laid out in another way", "，到达的排版不同"
	c.add(compact, "as JSON without spaces", arrived, "是不带空格的 JSON"+arrivedZH)
	c.add(spaced(compact), "as JSON with a space behind each comma and colon", arrived, "是逗号和冒号后带空格的 JSON"+arrivedZH)
	for _, indent := range []struct{ with, name, zh string }{{"  ", "2 spaces", "两个空格"}, {"    ", "4 spaces", "四个空格"}, {"\t", "tabs", "制表符"}} {
		var b bytes.Buffer
		if json.Indent(&b, c.text, "", indent.with) == nil {
			c.add(b.Bytes(), "as JSON indented by "+indent.name, arrived, "是用"+indent.zh+"缩进的 JSON"+arrivedZH)
		}
	}
	quoted, _ := json.Marshal(string(c.text))
	c.add(quoted, "as a JSON string that holds the JSON", "as the JSON itself", "是装着 JSON 的字符串（序列化了两次），到达的是 JSON 本身")
	var inner string
	if json.Unmarshal(c.text, &inner) == nil {
		c.add([]byte(inner), "as the JSON itself", "as a JSON string that holds it", "是 JSON 本身，到达的是装着它的字符串（序列化了两次）")
	}
	if members, ok := membersOf(compact); ok {
		c.members(members)
	}
}

// members covers the members of an object: their order, and empty ones.
func (c *collector) members(members []member) {
	const arrived, arrivedZH = "with them in another order", "，到达的顺序不同"
	sorted := slices.Clone(members)
	slices.SortStableFunc(sorted, func(a, b member) int { return strings.Compare(a.name, b.name) })
	c.add(join(sorted), "with its members sorted by name", arrived, "JSON 成员按名称排序"+arrivedZH)
	if deep, ok := sortedDeep(c.text); ok {
		c.add(deep, "with its members sorted by name at every depth", arrived, "JSON 成员逐层按名称排序"+arrivedZH)
	}
	reversed := slices.Clone(members)
	slices.Reverse(reversed)
	c.add(join(reversed), "with its members in reverse order", arrived, "JSON 成员是倒序"+arrivedZH)

	without := func(values ...string) []byte {
		return join(slices.DeleteFunc(slices.Clone(members), func(m member) bool { return slices.Contains(values, string(m.value)) }))
	}
	c.add(without("null"), "without its members that are null", "with them", "没有值为 null 的成员，到达的有")
	c.add(without("null", `""`), "without its empty members", "with them", "没有空成员，到达的有")
}

// maxPermuted is how many members are tried in every order: 6! is 720.
const maxPermuted = 6

// Orders calls yield with the JSON object in text, its members in every order and
// without spaces, until yield returns false. It does nothing for an object with
// many members or of more than 4 KiB, and for anything else.
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

// FirstValue returns the JSON value that text begins with, without what follows
// it; false when nothing does.
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
