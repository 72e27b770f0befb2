package delivery

import (
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A listener whose queue is full drops what comes, as a firewall does.
func init() {
	hindrances["an address that never answers"] = func(t *testing.T) hindrance {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		require.NoError(t, err)
		t.Cleanup(func() { _ = syscall.Close(fd) })
		require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		require.NoError(t, syscall.Listen(fd, 0))
		name, err := syscall.Getsockname(fd)
		require.NoError(t, err)
		port := strconv.Itoa(name.(*syscall.SockaddrInet4).Port)
		address := net.JoinHostPort("127.0.0.1", port)
		for range 4 { // more than the queue holds
			if conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond); err == nil {
				t.Cleanup(func() { conn.Close() })
			}
		}
		return hindrance{target: "https://" + address, endAt: StageConnect, cause: tenSeconds, stage: StageConnect,
			text: "connecting to " + address + ": no answer before the end of the client's timeout, 10s (WithTimeout); a firewall may block outgoing connections to port " + port}
	}
}
