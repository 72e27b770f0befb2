package bilingual

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEachLanguageIsFormattedWithItsOwnTexts(t *testing.T) {
	found := Text{"found %[1]s in %[2]d files", "在 %[2]d 个文件中发现%[1]s"}
	assert.Equal(t, Text{"found a key in 2 files; remove it.pem", "在 2 个文件中发现密钥；请删除 it.pem"},
		found.With(Text{"a key", "密钥"}, 2).Then(Text{"remove %s", "请删除 %s"}.With(Same("it.pem"))))
}
