package roundtrippers

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gregjones/httpcache"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// around are RoundTrippers that send through a base.
var around = map[string]func(base http.RoundTripper) http.RoundTripper{
	"go-retryablehttp": func(base http.RoundTripper) http.RoundTripper {
		client := retryablehttp.NewClient()
		client.HTTPClient = &http.Client{Transport: base}
		client.RetryWaitMin, client.RetryWaitMax = time.Millisecond, time.Millisecond
		client.Logger = nil
		return &retryablehttp.RoundTripper{Client: client}
	},
	"otelhttp": func(base http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(base) },
	"httpcache": func(base http.RoundTripper) http.RoundTripper {
		cache := httpcache.NewMemoryCacheTransport()
		cache.Transport = base
		return cache
	},
	"otelhttp around go-retryablehttp": func(base http.RoundTripper) http.RoundTripper {
		client := retryablehttp.NewClient()
		client.HTTPClient = &http.Client{Transport: base}
		client.RetryWaitMin, client.RetryWaitMax = time.Millisecond, time.Millisecond
		client.Logger = nil
		return otelhttp.NewTransport(&retryablehttp.RoundTripper{Client: client})
	},
}

const waiting = `{"identity_result":"WAITING_VERIFY"}`

// answer writes a signed answer that a cache would like to keep.
func answer(w http.ResponseWriter) {
	if err := alipaytest.SignAnswer(w.Header(), []byte(waiting), time.Now()); err != nil {
		panic(err)
	}
	w.Header().Set("Cache-Control", "max-age=3600")
	w.Header().Set("Etag", `"x"`)
	_, _ = io.WriteString(w, waiting)
}

func clientOf(t *testing.T, baseURL string, rt http.RoundTripper) *alipay.ZhimaCustomerJobworthAuthentication {
	client, err := alipay.NewClient(alipaytest.Config(baseURL), alipay.WithHTTPClient(&http.Client{Transport: rt}),
		alipay.WithTimeout(10*time.Second), alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client.ZhimaCustomerJobworthAuthentication
}

var servers = map[string]func(*httptest.Server){
	"HTTP/1.1":     (*httptest.Server).Start,
	"HTTP/1.1 TLS": (*httptest.Server).StartTLS,
	"HTTP/2":       func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
}

func TestEachCallIsAnsweredByTheGateway(t *testing.T) {
	for protocol, start := range servers {
		for name, wrap := range around {
			t.Run(name+", "+protocol, func(t *testing.T) {
				var requests atomic.Int64
				s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					requests.Add(1)
					answer(w)
				}))
				start(s)
				defer s.Close()
				service := clientOf(t, s.URL, wrap(s.Client().Transport))
				for range 3 {
					got, err := service.Query(t.Context(), &alipay.QueryParams{OnceToken: "1"})
					require.NoError(t, err)
					assert.Equal(t, alipay.IdentityResultWaitingVerify, got.IdentityResult)
				}
				assert.EqualValues(t, 3, requests.Load())
				_, err := service.WaitForResult(t.Context(), nil, alipay.PollPolicy{Initial: time.Millisecond, Timeout: 50 * time.Millisecond})
				require.ErrorIs(t, err, alipay.ErrStillWaiting)
				assert.Greater(t, requests.Load(), int64(3))
			})
		}
	}
}

func TestARequestIsDeliveredAtMostOnce(t *testing.T) {
	failing := map[string]http.HandlerFunc{
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"503":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	}
	for protocol, start := range servers {
		for failure, handler := range failing {
			for name, wrap := range around {
				t.Run(name+", "+protocol+", "+failure, func(t *testing.T) {
					var requests atomic.Int64
					s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						requests.Add(1)
						handler(w, r)
					}))
					s.Config.ErrorLog = log.New(io.Discard, "", 0)
					start(s)
					defer s.Close()
					_, err := clientOf(t, s.URL, wrap(s.Client().Transport)).Query(t.Context(), &alipay.QueryParams{OnceToken: "1"})
					require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
					assert.EqualValues(t, 1, requests.Load())
				})
			}
		}
	}
}

// TestAKeptConnectionThatBreaksIsNoReasonToRepeat: net/http itself would.
func TestAKeptConnectionThatBreaksIsNoReasonToRepeat(t *testing.T) {
	for name, wrap := range around {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						r := bufio.NewReader(conn)
						if _, err := http.ReadRequest(r); err != nil {
							return
						}
						requests.Add(1)
						recorder := httptest.NewRecorder()
						answer(recorder)
						resp := recorder.Result()
						resp.ContentLength = int64(len(waiting))
						_ = resp.Write(conn)
						if _, err := http.ReadRequest(r); err == nil {
							requests.Add(1)
						}
					}()
				}
			}()
			service := clientOf(t, "http://"+listener.Addr().String(), wrap(new(http.Transport)))
			_, err = service.Query(t.Context(), nil)
			require.NoError(t, err)
			_, err = service.Query(t.Context(), nil)
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			assert.EqualValues(t, 2, requests.Load())
		})
	}
}

func TestNothingIsSentWithoutTLS(t *testing.T) {
	for name, wrap := range around {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			received := make(chan []byte, 1)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				data, _ := io.ReadAll(conn)
				received <- data
			}()
			transport := &http.Transport{DialTLSContext: new(net.Dialer).DialContext}
			_, err = clientOf(t, "https://"+listener.Addr().String(), wrap(transport)).Query(t.Context(), nil)
			require.ErrorIs(t, err, alipay.ErrNotDelivered)
			assert.Empty(t, <-received)
		})
	}
}

// TestHTTP3 is quic-go's transport, which is not an *http.Transport.
func TestHTTP3(t *testing.T) {
	var requests, fails atomic.Int64
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer udp.Close()
	config, pool := certificate(t)
	server := &http3.Server{TLSConfig: http3.ConfigureTLSConfig(config), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		if fails.Load() > 0 {
			panic(http.ErrAbortHandler)
		}
		answer(w)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(udp) }()
	defer func() { server.Close(); <-served }()
	transport := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.Close()
	service := clientOf(t, "https://"+udp.LocalAddr().String(), transport)
	for range 3 {
		got, err := service.Query(t.Context(), &alipay.QueryParams{OnceToken: "1"})
		require.NoError(t, err)
		assert.Equal(t, alipay.IdentityResultWaitingVerify, got.IdentityResult)
	}
	assert.EqualValues(t, 3, requests.Load())
	fails.Store(1)
	_, err = service.Query(t.Context(), &alipay.QueryParams{OnceToken: "1"})
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.EqualValues(t, 4, requests.Load())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = service.Query(ctx, nil)
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
}

// certificate is one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}
