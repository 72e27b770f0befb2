//go:build unix

package credentials

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOnlyRegularFilesAreRead: opening a pipe would wait for its other end, and
// /dev/zero has no end.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	pipe, socket := filepath.Join(newDir(t), "pipe"), filepath.Join(newDir(t), "socket")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	for field, pathField := range pathFields {
		for _, path := range []string{pipe, socket, "/dev/zero", "/dev/null"} {
			c := configFor(field)
			set(&c, field, "")
			set(&c, pathField, path)
			assertMistake(t, c, pathField, "this is a pipe, socket or device; name a regular file, or put its content into "+field)
		}
	}
}
