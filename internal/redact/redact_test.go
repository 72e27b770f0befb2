package redact

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPrintableKeepsALogLineWhole(t *testing.T) {
	assert.Equal(t, "a b  c\uFFFDd", Printable("a\nb\r\x00c\xffd", 100))
	assert.Equal(t, "验证…", Printable("验证中心", 2))
}
