package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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
		join(conn, target)
	}
}

// join copies each of two connections to the other until both have ended.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(b, a); b.Close() })
	both.Go(func() { _, _ = io.Copy(a, b); a.Close() })
	both.Wait()
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
		for origin, want := range map[string]string{target.URL: "by target", "http://gateway.example": "by proxy"} {
			transport := Own(base.Clone())
			for range 2 {
				body, err := exchange(t, transport, origin, t.Context())
				require.NoError(t, err)
				assert.Equal(t, want, body)
			}
			transport.CloseIdleConnections()
		}
		assert.EqualValues(t, 1, connects.Load(), "the tunnel is used again")
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

	transport.CloseIdleConnections()
	_, err = exchange(t, transport, "https://other.example:"+port, t.Context())
	var wrong x509.HostnameError
	require.ErrorAs(t, err, &wrong, "the certificate is checked against the host that was asked for")
}

// TestASharedTransportServesOthers: their requests have no report.
func TestASharedTransportServesOthers(t *testing.T) {
	server, trusting := testTLS(t)
	for target, proxy := range map[string]*url.URL{raw(t, nil, answering): nil, raw(t, server, answering): connectProxy(t)} {
		shared := NewHTTPTransport()
		shared.Proxy, shared.TLSClientConfig.RootCAs = http.ProxyURL(proxy), trusting.RootCAs
		resp, err := (&http.Client{Transport: shared}).Get(target)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, "hello", string(body))
		shared.CloseIdleConnections()
	}
}
