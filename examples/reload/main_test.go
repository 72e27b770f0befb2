package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeysAreReloadedAndAWrongFileChangesNothing(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(&out, make(chan os.Signal)))
	assert.Equal(t, 3, strings.Count(out.String(), ": SUCCESS"))
	assert.Equal(t, 1, strings.Count(out.String(), "\nreloaded\n"))
	assert.Contains(t, out.String(), "not reloaded, the keys of before stay: alipay: config AlipayPublicCertPath: ")
}
