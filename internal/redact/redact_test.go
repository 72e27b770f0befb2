package redact

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPrintableKeepsALogLineWhole(t *testing.T) {
	assert.Equal(t, "a b  c\uFFFDd", Printable("a\nb\r\x00c\xffd", 100))
	assert.Equal(t, "验证…", Printable("验证中心", 2))
	assert.Equal(t, "验证中心", Printable("验证中心", 4))
}

func TestAValueShowsWhichFieldsAreSet(t *testing.T) {
	v := Value{"T", []Field{Hidden("A", "secret"), Hidden("B", ""), {"C", "word"}, Count("F", 0), Count("G", 7)}}
	assert.Equal(t, "T{A:[redacted] C:word G:7}", fmt.Sprintf("%#v", v))
	assert.Equal(t, "T{}", Value{TypeName: "T"}.String())
	assert.Equal(t, slog.GroupValue(slog.String("A", "[redacted]"), slog.String("C", "word"), slog.String("G", "7")), v.LogValue())
}
