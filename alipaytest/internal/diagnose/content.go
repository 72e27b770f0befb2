package diagnose

import "strings"

// kind is the kind of a line of a string to sign.
type kind int

const (
	authLine kind = iota
	methodLine
	targetLine
	bodyLine
	tokenLine
	otherLine
)

type line struct {
	kind
	text string
}

// content is a string to sign, right or wrong. It never changes: a mistake makes
// another one.
type content struct {
	lines    []line
	sep, end string
	before   string
}

// content is what the signature should cover.
func (s *search) content() content {
	lines := []line{
		{authLine, s.r.AuthString}, {methodLine, s.r.Method}, {targetLine, s.r.Target}, {bodyLine, string(s.r.Signed)},
	}
	if s.r.AppAuthToken != "" {
		lines = append(lines, line{tokenLine, s.r.AppAuthToken})
	}
	return content{lines: lines, sep: "\n", end: "\n"}
}

func (c content) bytes() []byte {
	size := len(c.before) + len(c.end)
	for _, l := range c.lines {
		size += len(l.text) + len(c.sep)
	}
	b := append(make([]byte, 0, size), c.before...)
	for i, l := range c.lines {
		if i > 0 {
			b = append(b, c.sep...)
		}
		b = append(b, l.text...)
	}
	return append(b, c.end...)
}

// get returns the line of that kind.
func (c content) get(k kind) (string, bool) {
	for _, l := range c.lines {
		if l.kind == k {
			return l.text, true
		}
	}
	return "", false
}

// with puts a text in the place of the line of that kind.
func (c content) with(k kind, text string) content {
	lines := make([]line, len(c.lines))
	copy(lines, c.lines)
	for i := range lines {
		if lines[i].kind == k {
			lines[i].text = text
		}
	}
	c.lines = lines
	return c
}

// without leaves out the line of that kind.
func (c content) without(k kind) content {
	lines := make([]line, 0, len(c.lines))
	for _, l := range c.lines {
		if l.kind != k {
			lines = append(lines, l)
		}
	}
	c.lines = lines
	return c
}

// plus adds a line after the last.
func (c content) plus(k kind, text string) content {
	c.lines = append(c.lines[:len(c.lines):len(c.lines)], line{k, text})
	return c
}

// ordered has its lines in the given order; those of other kinds are left out.
func (c content) ordered(kinds ...kind) content {
	var lines []line
	for _, k := range kinds {
		if text, ok := c.get(k); ok {
			lines = append(lines, line{k, text})
		}
	}
	c.lines = lines
	return c
}

// member is one name=value of a list, without decoding.
type member struct{ name, text string }

// membersOf takes a list apart at sep; an empty text has no members.
func membersOf(text, sep string) (members []member) {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, sep) {
		name, _, _ := strings.Cut(part, "=")
		members = append(members, member{name, part})
	}
	return members
}

func join(members []member, sep string) string {
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = m.text
	}
	return strings.Join(parts, sep)
}
