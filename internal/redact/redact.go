// Package redact makes what printing and logging show: which fields of a value
// are set, and texts of the other side with the sent values masked.
package redact

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
)

// Value is what printing or logging a value shows of it: which fields are set,
// and the content of those that carry no secret and nothing personal.
type Value struct {
	TypeName string
	Fields   []Field
}

// Field is one field of a Value; an empty Text leaves it out.
type Field struct{ Name, Text string }

// Hidden shows that a field is set, but not its value.
func Hidden(name, value string) Field {
	if value == "" {
		return Field{}
	}
	return Field{name, "[redacted]"}
}

// Count shows a number other than 0.
func Count(name string, n int) Field {
	if n == 0 {
		return Field{}
	}
	return Field{name, strconv.Itoa(n)}
}

func (v Value) String() string {
	var set []string
	for _, f := range v.Fields {
		if f.Text != "" {
			set = append(set, f.Name+":"+f.Text)
		}
	}
	return v.TypeName + "{" + strings.Join(set, " ") + "}"
}

// Format prints the same for every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }

// LogValue is a group of the fields that are set.
func (v Value) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, f := range v.Fields {
		if f.Text != "" {
			attrs = append(attrs, slog.String(f.Name, f.Text))
		}
	}
	return slog.GroupValue(attrs...)
}

// Printable makes text from the other side safe for a log line: control characters
// become spaces and the length is bounded, in characters.
func Printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	n := 0
	for i := range s {
		if n++; n > limit {
			return s[:i] + "…"
		}
	}
	return s
}
