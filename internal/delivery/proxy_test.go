package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tunnelling is a proxy that does CONNECT, and answers everything else itself.
func tunnelling(connects *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			fmt.Fprint(w, "by proxy")
			return
		}
		connects.Add(1)
		target, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		var both sync.WaitGroup
		both.Go(func() { _, _ = io.Copy(target, conn); target.Close() })
		both.Go(func() { _, _ = io.Copy(conn, target); conn.Close() })
		both.Wait()
	}
}

// exchange sends one GET and returns the body.
func exchange(t *testing.T, transport *Transport, target string, ctx context.Context) (string, error) {
	u, err := url.Parse(target)
	require.NoError(t, err)
	var report Report
	defer report.Close()
	resp, err := transport.Send(ctx, Request{Method: http.MethodGet, URL: u, Header: http.Header{}}, &report)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestTheOwnTransportWorksThroughProxies(t *testing.T) {
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "by target") }))
	defer target.Close()
	pool := x509.NewCertPool()
	pool.AddCert(target.Certificate())
	for _, secureProxy := range []bool{false, true} {
		var connects atomic.Int64
		proxy := httptest.NewUnstartedServer(tunnelling(&connects))
		if secureProxy {
			proxy.StartTLS()
			pool.AddCert(proxy.Certificate())
		} else {
			proxy.Start()
		}
		defer proxy.Close()
		proxyURL, err := url.Parse(proxy.URL)
		require.NoError(t, err)
		base := NewHTTPTransport()
		base.Proxy, base.TLSClientConfig.RootCAs = http.ProxyURL(proxyURL), pool
		transport := Own(base)
		for range 2 {
			body, err := exchange(t, transport, target.URL, t.Context())
			require.NoError(t, err)
			assert.Equal(t, "by target", body)
			body, err = exchange(t, transport, "http://gateway.example", t.Context())
			require.NoError(t, err)
			assert.Equal(t, "by proxy", body)
		}
		assert.EqualValues(t, 1, connects.Load(), "the tunnel is used again")
		transport.CloseIdleConnections()
	}
}

func TestTheOwnTransportMakesTLSAsNetHTTPDoes(t *testing.T) {
	hellos := make(chan *tls.ClientHelloInfo, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS.ServerName) }))
	server.TLS = &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hellos <- h
		return nil, nil
	}}
	server.StartTLS()
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	base := NewHTTPTransport()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	base.TLSClientConfig.RootCAs = pool
	inner := base.DialContext
	base.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return inner(ctx, network, "127.0.0.1:"+port)
	}
	transport := Own(base)
	defer transport.CloseIdleConnections()
	var began, done atomic.Int64
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		TLSHandshakeStart: func() { began.Add(1) },
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			if err == nil && state.HandshakeComplete {
				done.Add(1)
			}
		},
	})
	body, err := exchange(t, transport, "https://example.com:"+port, ctx)
	require.NoError(t, err)
	assert.Equal(t, "example.com", body)
	hello := <-hellos
	assert.Equal(t, "example.com", hello.ServerName)
	assert.Empty(t, hello.SupportedProtos, "HTTP/1.1 only")
	assert.EqualValues(t, 1, began.Load())
	assert.EqualValues(t, 1, done.Load())

	_, err = exchange(t, transport, "https://other.example:"+port, t.Context())
	var wrong x509.HostnameError
	require.ErrorAs(t, err, &wrong, "the certificate is checked against the host that was asked for")
}

func TestADialThatFailsGivesNoConnection(t *testing.T) {
	base, failed := NewHTTPTransport(), errors.New("failed")
	base.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, failed }
	keepInStep(base)
	for _, dial := range []func(context.Context, string, string) (net.Conn, error){base.DialContext, base.DialTLSContext} {
		conn, err := dial(t.Context(), "tcp", "gateway.example:443")
		assert.ErrorIs(t, err, failed)
		assert.Nil(t, conn)
	}
	conn, err := base.DialTLSContext(t.Context(), "tcp", "gateway.example")
	var address *net.AddrError
	assert.ErrorAs(t, err, &address)
	assert.Nil(t, conn)
}

func TestNothingIsWrittenToAConnectionThatIsOutOfStep(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	conn := &answerConn{Conn: here, socket: here}
	go func() { _, _ = io.WriteString(there, "HTTP/1.1 408 Request Timeout\r\n\r\n") }()
	n, err := conn.Read(make([]byte, 100))
	assert.Zero(t, n)
	assert.ErrorIs(t, err, io.EOF)
	n, err = conn.Write([]byte("GET / HTTP/1.1\r\n"))
	assert.Zero(t, n)
	assert.ErrorIs(t, err, net.ErrClosed)
}

func TestAHandshakeIsBoundedWithoutACall(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	base := NewHTTPTransport()
	base.TLSHandshakeTimeout = 10 * time.Millisecond
	keepInStep(base)
	_, err = base.DialTLSContext(t.Context(), "tcp", silent.Addr().String())
	require.ErrorIs(t, err, errHandshakeTimeout)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	assert.True(t, timeout.Timeout())
	//lint:ignore SA1019 it is part of net.Error
	assert.True(t, timeout.Temporary())
	assert.Contains(t, SafeCause(err).Error(), "TLS handshake timeout")
}

// TestADialEndsWithTheCallThatHasNoConnection: one that got another connection
// leaves its own to later calls.
func TestADialEndsWithTheCallThatHasNoConnection(t *testing.T) {
	for _, gotAnother := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var report Report
			defer report.Close()
			dialling, stop := whileWanted(context.WithoutCancel(report.watch(ctx))) // as net/http detaches it
			defer stop()
			report.gotConn.Store(gotAnother)
			cancel()
			synctest.Wait()
			assert.Equal(t, !gotAnother, dialling.Err() != nil)
		})
	}
}
