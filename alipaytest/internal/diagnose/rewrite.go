package diagnose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// rewrite is a text that may have been signed instead of the one that was sent.
// signed and sent complete a sentence about both: "it was signed "+signed+" and
// sent "+sent. zh does so in Chinese, for both.
type rewrite struct {
	text             string
	signed, sent, zh string
}

// maxText is the longest text that is rewritten, maxJSON the longest that is
// parsed, which costs far more.
const (
	maxText = 4 << 20
	maxJSON = 64 << 10
)

// rewrites returns what usually happens to a text between signing and sending, as
// the texts that may have been signed: each once, and none equal to text. Their
// number is bounded, and for a text beyond 4 MiB there are none.
func rewrites(text string) []rewrite {
	c := collector{text: text}
	if len(text) <= maxText {
		c.lines()
	}
	if len(text) <= maxJSON {
		c.escapes()
		c.charset()
		if json.Valid([]byte(text)) {
			c.layout()
		}
	}
	return c.found
}

// collector gathers rewrites of one text.
type collector struct {
	text  string
	found []rewrite
}

func (c *collector) add(text, signed, sent, zh string) {
	if text == c.text || slices.ContainsFunc(c.found, func(r rewrite) bool { return r.text == text }) {
		return
	}
	c.found = append(c.found, rewrite{text, signed, sent, zh})
}

// lines covers line ends, white space around the text and byte order marks.
func (c *collector) lines() {
	const lf, crlf, bom = "\n", "\r\n", "\ufeff"
	text := c.text
	switch {
	case text == "":
		return
	case strings.Contains(text, crlf):
		c.add(strings.ReplaceAll(text, crlf, lf), "with line feeds (LF)", "with CR LF in their place", "换行是 LF，到达的是 CRLF")
	case strings.Contains(text, lf):
		c.add(strings.ReplaceAll(text, lf, crlf), "with CR LF at the line ends", "with line feeds (LF) in their place", "换行是 CRLF，到达的是 LF")
	}
	if rest, ok := strings.CutSuffix(text, crlf); ok {
		c.add(rest, "without a line end behind it", "with one (CR LF)", "末尾没有换行，到达的有（CRLF）")
	} else if rest, ok := strings.CutSuffix(text, lf); ok {
		c.add(rest, "without a line feed at the end", "with one", "末尾没有换行，到达的有")
	}
	c.add(text+lf, "with a line feed at the end", "without it", "末尾有换行，到达的没有")
	c.add(text+crlf, "with CR LF at the end", "without it", "末尾有 CRLF，到达的没有")
	if rest, ok := strings.CutPrefix(text, bom); ok {
		c.add(rest, "without a byte order mark", "with one", "没有 BOM，到达的有")
	} else {
		c.add(bom+text, "with a byte order mark", "without it", "有 BOM，到达的没有")
	}
	c.add(strings.TrimSpace(text), "without white space around it", "with some", "首尾没有空白，到达的有")
	c.add(strings.NewReplacer("\r", "", "\n", "").Replace(text), "in one line", "broken into several", "是一行，到达的被拆成多行")
}

// escapes covers the choices that JSON leaves for the characters of a string.
// What is escaped stands in strings only, so the text need not be parsed.
func (c *collector) escapes() {
	for _, class := range []struct {
		name, zh string
		has      func(r rune) bool
	}{
		{"<, > and &", "<、>、&", func(r rune) bool { return r == '<' || r == '>' || r == '&' }},
		{"<, >, &, ' and =", "<、>、&、'、=", func(r rune) bool { return strings.ContainsRune("<>&'=", r) }}, // as Gson does
		{"characters beyond ASCII", "非 ASCII 字符", func(r rune) bool { return r >= utf8.RuneSelf }},
		{"<, >, &, ', + and characters beyond ASCII", "<、>、&、'、+ 和非 ASCII 字符", func(r rune) bool { return strings.ContainsRune("<>&'+`\u007f", r) || r >= utf8.RuneSelf }}, // as .NET does
	} {
		const plain = "with the characters themselves"
		c.add(escape(c.text, class.has, "%04x"), "with "+class.name+` escaped (\u…)`, plain, class.zh+` 写成 \u…，到达的是字符本身`)
		c.add(escape(c.text, class.has, "%04X"), "with "+class.name+` escaped (\u… in capitals)`, plain, class.zh+` 写成大写的 \u…，到达的是字符本身`)
		c.add(unescape(c.text, class.has), "with "+class.name+" written as they are", `with them escaped (\u…)`, class.zh+` 是字符本身，到达的写成 \u…`)
	}
	c.add(unescape(c.text, func(r rune) bool { return r == '/' }), `with / written as it is`, `with it escaped (\/)`, `斜杠是 /，到达的是 \/`)
	if !strings.Contains(c.text, `\/`) {
		c.add(strings.ReplaceAll(c.text, "/", `\/`), `with / escaped (\/)`, `with it as it is`, `斜杠写成 \/，到达的是 /`)
	}
}

// escape writes the characters for which has is true as \uXXXX.
func escape(text string, has func(rune) bool, format string) string {
	if strings.IndexFunc(text, has) < 0 {
		return text
	}
	var out []byte
	for _, r := range text {
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
	return string(out)
}

// unescape writes the characters for which has is true as they are.
func unescape(text string, has func(rune) bool) string {
	var out strings.Builder
	for {
		plain, _, more := strings.Cut(text, `\`)
		out.WriteString(plain)
		if !more {
			return out.String()
		}
		text = text[len(plain):]
		r, size := escaped(text)
		if size == 0 || !has(r) {
			size = min(max(size, 2), len(text)) // the backslash and the byte after it
			out.WriteString(text[:size])
		} else {
			out.WriteRune(r)
		}
		text = text[size:]
	}
}

// escaped reads the \/ or \uXXXX, or pair of these, that text begins with.
func escaped(text string) (r rune, size int) {
	unit := func(text string) (rune, bool) {
		if len(text) < 6 || text[:2] != `\u` {
			return 0, false
		}
		value, err := strconv.ParseUint(text[2:6], 16, 16)
		return rune(value), err == nil
	}
	if strings.HasPrefix(text, `\/`) {
		return '/', 2
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

// charset covers characters that an encoding could not hold.
func (c *collector) charset() {
	c.add(strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, c.text), "with ? for each character beyond ASCII", "with the characters themselves", "非 ASCII 字符成了 ?（编码不对），到达的是字符本身")
}

// layout covers a JSON text that was parsed and written again.
func (c *collector) layout() {
	const sent, zh = "laid out in another way", "，到达的排版不同"
	var compact bytes.Buffer
	_ = json.Compact(&compact, []byte(c.text))
	c.add(compact.String(), "as JSON without spaces", sent, "是不带空格的 JSON"+zh)
	c.add(spaced(compact.String()), "as JSON with a space behind each comma and colon", sent, "是逗号和冒号后带空格的 JSON"+zh)
	for _, indent := range []struct{ with, name, zh string }{{"  ", "2 spaces", "两个空格"}, {"    ", "4 spaces", "四个空格"}, {"\t", "tabs", "制表符"}} {
		var b bytes.Buffer
		if json.Indent(&b, []byte(c.text), "", indent.with) == nil {
			c.add(b.String(), "as JSON indented by "+indent.name, sent, "是用"+indent.zh+"缩进的 JSON"+zh)
		}
	}
	quoted, _ := json.Marshal(c.text)
	c.add(string(quoted), "as a JSON string that holds the JSON", "as the JSON itself", "是装着 JSON 的字符串（序列化了两次），到达的是 JSON 本身")
	var inner string
	if json.Unmarshal([]byte(c.text), &inner) == nil {
		c.add(inner, "as the JSON itself", "as a JSON string that holds it", "是 JSON 本身，到达的是装着它的字符串（序列化了两次）")
	}
	if members, ok := jsonMembers(compact.Bytes()); ok {
		c.members(members)
	}
}

// members covers the members of an object: their order, and empty ones.
func (c *collector) members(members []member) {
	const sent, zh = "with them in another order", "，到达的顺序不同"
	object := func(members []member) string { return "{" + join(members, ",") + "}" }
	c.add(object(sorted(members)), "with its members sorted by name", sent, "JSON 成员按名称排序"+zh)
	if deep, ok := sortedDeep(c.text); ok {
		c.add(deep, "with its members sorted by name at every depth", sent, "JSON 成员逐层按名称排序"+zh)
	}
	without := func(values ...string) string {
		return object(slices.DeleteFunc(slices.Clone(members), func(m member) bool {
			return slices.Contains(values, strings.TrimPrefix(m.text, encoded(m.name)+":"))
		}))
	}
	c.add(without("null"), "without its members that are null", "with them", "没有值为 null 的成员，到达的有")
	c.add(without("null", `""`), "without its empty members", "with them", "没有空成员，到达的有")
}

// jsonOrders calls use with the JSON object in text, its members in every order and
// without spaces, until it returns false. It does nothing for an object with more
// than 6 members or of more than 4 KiB, and for anything else.
func jsonOrders(text string, use func(string) bool) {
	if len(text) > 4<<10 || !json.Valid([]byte(text)) {
		return
	}
	if members, ok := jsonMembers([]byte(text)); ok {
		orders(members, 6, func(m []member) bool { return use("{" + join(m, ",") + "}") })
	}
}

// orders calls use with every order of a list that is not longer than most, until
// it returns false.
func orders(list []member, most int, use func([]member) bool) {
	if len(list) > most {
		return
	}
	list = slices.Clone(list)
	var permute func(from int) bool
	permute = func(from int) bool {
		if from == len(list) {
			return use(list)
		}
		for i := from; i < len(list); i++ {
			list[from], list[i] = list[i], list[from]
			more := permute(from + 1)
			list[from], list[i] = list[i], list[from]
			if !more {
				return false
			}
		}
		return true
	}
	permute(0)
}

// spaced writes compact JSON as Python's json.dumps does.
func spaced(compact string) string {
	var out strings.Builder
	inString := false
	for i := 0; i < len(compact); i++ {
		b := compact[i]
		out.WriteByte(b)
		switch {
		case inString && b == '\\':
			i++
			out.WriteByte(compact[i])
		case b == '"':
			inString = !inString
		case !inString && (b == ',' || b == ':'):
			out.WriteByte(' ')
		}
	}
	return out.String()
}

// jsonMembers takes a JSON object apart, in order. What stands between tokens is
// lost.
func jsonMembers(text []byte) (members []member, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	for decoder.More() {
		var value json.RawMessage
		name, err := decoder.Token()
		if err != nil || decoder.Decode(&value) != nil {
			return nil, false
		}
		var compact bytes.Buffer
		_ = json.Compact(&compact, value)
		members = append(members, member{name.(string), encoded(name) + ":" + compact.String()})
	}
	return members, true
}

func sorted(members []member) []member {
	members = slices.Clone(members)
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return members
}

// sortedDeep parses JSON and writes it again with every object sorted.
func sortedDeep(text string) (string, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return "", false
	}
	return encoded(value), true
}

// encoded is json.Marshal without its escapes for HTML.
func encoded(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // strings, numbers and what is made of them
	return strings.TrimSuffix(b.String(), "\n")
}
