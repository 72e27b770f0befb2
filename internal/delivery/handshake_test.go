package delivery

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestANewConnectionResumesTheSession over both versions of TLS, on the own
// transport and on one that is shared.
func TestANewConnectionResumesTheSession(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server, client := testTLS(t)
		server.MaxVersion = version
		target := raw(t, server, answering)
		shared := NewHTTPTransport()
		shared.TLSClientConfig.RootCAs = client.RootCAs
		callers, err := NewTransport(&http.Client{Transport: shared})
		require.NoError(t, err)
		for name, transport := range map[string]*Transport{"own": ownTransport(t, client), "NewTransport": callers} {
			for i := range 3 {
				var report Report
				resp, err := transport.Send(t.Context(), requestFor(t, "GET", target, ""), &report)
				require.NoError(t, err)
				_, err = io.ReadAll(resp.Body)
				require.NoError(t, err)
				assert.Equal(t, version, resp.TLS.Version)
				assert.Equal(t, i > 0, resp.TLS.DidResume, "%s, %s, connection %d", tls.VersionName(version), name, i)
				report.Close()
				transport.CloseIdleConnections()
			}
		}
	}
}

// delaying is a proxy that lets every byte take half a round trip.
func delaying(b *testing.B, target string, half time.Duration) string {
	type piece struct {
		at   time.Time
		data []byte
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	pass := func(from, to net.Conn) {
		pieces := make(chan piece, 1000)
		go func() {
			defer close(pieces)
			for {
				data := make([]byte, 64<<10)
				n, err := from.Read(data)
				if err != nil {
					return
				}
				pieces <- piece{time.Now().Add(half), data[:n]}
			}
		}()
		for p := range pieces {
			time.Sleep(time.Until(p.at))
			_, _ = to.Write(p.data)
		}
		_ = to.Close()
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			time.Sleep(2 * half) // TCP's own handshake
			far, err := net.Dial("tcp", target)
			if err != nil {
				b.Error(err)
				return
			}
			all.Go(func() { pass(near, far) })
			all.Go(func() { pass(far, near) })
		}
	})
	b.Cleanup(func() { listener.Close(); all.Wait() })
	return listener.Addr().String()
}

// BenchmarkNewConnection counts the round trips of a call that has to make its
// connection: that of TCP and that of the answer are among them.
func BenchmarkNewConnection(b *testing.B) {
	const roundTrip = 30 * time.Millisecond
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, resumed := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/resumed=%t", strings.ReplaceAll(tls.VersionName(version), " ", ""), resumed), func(b *testing.B) {
				server, client := testTLS(b)
				server.MaxVersion = version
				target := raw(b, server, answering)
				near := delaying(b, strings.TrimPrefix(target, "https://"), roundTrip/2)
				transport := ownTransport(b, client, func(base *http.Transport) {
					if !resumed {
						base.TLSClientConfig.ClientSessionCache = nil
					}
				})
				call := func() {
					_, _, err := ask(b, transport, requestFor(b, "GET", "https://"+near, ""), nil)
					require.NoError(b, err)
					transport.CloseIdleConnections()
				}
				call()
				began := time.Now()
				for b.Loop() {
					call()
				}
				b.ReportMetric(float64(time.Since(began))/float64(b.N)/float64(roundTrip), "round-trips/op")
			})
		}
	}
}
