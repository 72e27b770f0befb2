package alipay_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

// unveiled says which connection it is over, as instrumentation does.
type unveiled struct{ net.Conn }

func (u unveiled) NetConn() net.Conn { return u.Conn }

// veiled does not.
type veiled struct{ net.Conn }

// TestADiallersConnectionIsHeldToTLS12: through DialTLSContext a caller decides
// what https is.
func TestADiallersConnectionIsHeldToTLS12(t *testing.T) {
	t.Parallel()
	type dial = func(ctx context.Context, network, addr string) (net.Conn, error)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, waitingBody) }, func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10}
		s.StartTLS()
	})
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	overTLS := func(maximum uint16) dial {
		return (&tls.Dialer{Config: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: maximum}}).DialContext
	}
	wrapped := func(next dial, wrap func(net.Conn) net.Conn) dial {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := next(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return wrap(conn), nil
		}
	}
	tcp := (&net.Dialer{}).DialContext
	for name, tt := range map[string]struct {
		dial  dial
		taken bool
	}{
		"TLS 1.3":                 {overTLS(0), true},
		"TLS 1.2":                 {overTLS(tls.VersionTLS12), true},
		"TLS 1.2, no handshake":   {wrapped(tcp, func(c net.Conn) net.Conn { return tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "example.com"}) }), true},
		"TLS 1.2, wrapped":        {wrapped(overTLS(tls.VersionTLS12), func(c net.Conn) net.Conn { return unveiled{c} }), true},
		"TLS 1.2, wrapped, twice": {wrapped(overTLS(tls.VersionTLS12), func(c net.Conn) net.Conn { return unveiled{&unveiled{c}} }), true},
		"TLS 1.2, veiled":         {wrapped(overTLS(tls.VersionTLS12), func(c net.Conn) net.Conn { return veiled{c} }), false},
		"TLS 1.1":                 {overTLS(tls.VersionTLS11), false},
		"TLS 1.0":                 {overTLS(tls.VersionTLS10), false},
		"TLS 1.0, wrapped":        {wrapped(overTLS(tls.VersionTLS10), func(c net.Conn) net.Conn { return unveiled{c} }), false},
		"TCP":                     {tcp, false},
		"TCP, wrapped":            {wrapped(tcp, func(c net.Conn) net.Conn { return unveiled{c} }), false},
	} {
		for caller, options := range callers() {
			t.Run(name+", "+caller, func(t *testing.T) {
				t.Parallel()
				transport := &http.Transport{DialTLSContext: tt.dial}
				t.Cleanup(transport.CloseIdleConnections)
				client := newClient(t, s.URL, append(options(transport), alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}))...)
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				if tt.taken {
					require.NoError(t, err)
					return
				}
				assert.Contains(t, err.Error(), "TLS 1.2")
				assert.False(t, alipay.Retryable(err), "it would be the same again")
				if caller != "dumping" { // which leaves no evidence of anything
					require.ErrorIs(t, err, alipay.ErrNotDelivered)
				}
			})
		}
	}
}

func TestNotAByteIsWrittenToAConnectionWithoutTLS(t *testing.T) {
	t.Parallel()
	for caller, options := range callers() {
		t.Run(caller, func(t *testing.T) {
			received := make(chan []byte, 8)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			base := "https://" + serveRaw(t, listener, func(conn net.Conn, _ int) {
				data, _ := io.ReadAll(conn)
				received <- data
			})
			transport := &http.Transport{DialTLSContext: (&net.Dialer{}).DialContext}
			client := newClient(t, base, append(options(transport), alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}))...)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.Error(t, err)
			assert.Empty(t, <-received)
		})
	}
}
