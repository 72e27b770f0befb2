package alipay

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

const redacted = "[redacted]"

// shownFields is what printing or logging a value of this package shows of it:
// which fields are set, and of those that carry no secret and nothing personal
// the value.
type shownFields struct {
	typeName string
	fields   []shownField
}

type shownField struct{ name, text string } // text "" leaves the field out

func hidden(name, value string) shownField {
	if value == "" {
		return shownField{}
	}
	return shownField{name, redacted}
}

// known shows a value only when it is one of the platform's own words: anything
// else in such a field may be a misplaced personal value.
func known[T ~string](name string, value T, words ...T) shownField {
	if slices.Contains(words, value) {
		return shownField{name, string(value)}
	}
	return hidden(name, string(value))
}

func count(name string, n int) shownField {
	if n == 0 {
		return shownField{}
	}
	return shownField{name, strconv.Itoa(n)}
}

func (s shownFields) String() string {
	var b strings.Builder
	b.WriteString(s.typeName)
	separator := "{"
	for _, f := range s.fields {
		if f.text != "" {
			b.WriteString(separator + f.name + ":" + f.text)
			separator = " "
		}
	}
	if separator == "{" {
		b.WriteString("{")
	}
	return b.String() + "}"
}

func (s shownFields) writeTo(f fmt.State) { _, _ = io.WriteString(f, s.String()) }

func (s shownFields) logValue() slog.Value {
	var attrs []slog.Attr
	for _, f := range s.fields {
		if f.text != "" {
			attrs = append(attrs, slog.String(f.name, f.text))
		}
	}
	return slog.GroupValue(attrs...)
}
