package alipay_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

// http1Clients are the transports over which an answer belongs to its request
// only by its place on the connection.
func http1Clients(t *testing.T, s *httptest.Server, plain bool, opts ...alipay.Option) map[string]*alipay.Client {
	callers := s.Client().Transport.(*http.Transport).Clone()
	own := newClient(t, s.URL, opts...)
	if !plain {
		alipay.TrustForTest(own, callers.TLSClientConfig.RootCAs)
	}
	return map[string]*alipay.Client{
		"default client":     own,
		"caller's transport": newClient(t, s.URL, append([]alipay.Option{alipay.WithHTTPClient(&http.Client{Transport: callers})}, opts...)...),
	}
}

func TestAConnectionWhoseAnswerWasNotAcceptedIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"unsigned": unsigned(200, successBody),
		"stale": func(w http.ResponseWriter, _ *http.Request) {
			signHeader(w.Header(), []byte(waitingBody), time.Now().Add(-time.Hour))
			_, _ = io.WriteString(w, waitingBody)
		},
		"altered": func(w http.ResponseWriter, _ *http.Request) {
			signHeader(w.Header(), []byte("x"), time.Now())
			_, _ = io.WriteString(w, waitingBody)
		},
		"about another user": signed(200, resultOf("1")),
		"not JSON":           signed(200, "x"),
		"signed 202":         signed(202, waitingBody),
		"from a cache": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Age", "5")
			answer(w, 200, waitingBody)
		},
	} {
		for scheme, configure := range map[string]func(*httptest.Server){"http": func(s *httptest.Server) { s.Start() }, "https": overTLS} {
			s := serve(t, handler, configure)
			for caller, client := range http1Clients(t, s.Server, scheme == "http") {
				t.Run(name+", "+scheme+", "+caller, func(t *testing.T) {
					before := s.connections.Load()
					for range 3 {
						_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
						require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
					}
					assert.EqualValues(t, 3, s.connections.Load()-before)
				})
			}
		}
	}
}

// TestNothingIsSentWhileAnAnswerIsUndecided: net/http lets the next request have
// a connection before anybody can know whether the answer on it was right.
func TestNothingIsSentWhileAnAnswerIsUndecided(t *testing.T) {
	t.Parallel()
	for name, accepted := range map[string]bool{"accepted": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				answer(w, 200, waitingBody)
			})
			undecided, decide := make(chan struct{}), make(chan bool)
			var asked atomic.Int64
			clock := func() time.Time {
				// An attempt asks for the time when it signs, and when its answer has come.
				if asked.Add(1) == 2 {
					close(undecided)
					if <-decide {
						return time.Now()
					}
					return time.Now().Add(time.Hour)
				}
				return time.Now()
			}
			transport := &http.Transport{MaxConnsPerHost: 1}
			client := newClient(t, s.URL, alipay.WithHTTPClient(&http.Client{Transport: transport}), alipay.WithClock(clock))
			asked.Store(0) // NewClient asks, too
			query := func() <-chan error {
				result := make(chan error, 1)
				go func() {
					_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
					result <- err
				}()
				return result
			}
			first := query()
			<-undecided
			second := query()
			select {
			case <-second:
				t.Fatal("a request went out on a connection whose answer was undecided")
			case <-time.After(100 * time.Millisecond):
			}
			assert.EqualValues(t, 1, s.requests.Load())
			decide <- accepted
			require.NoError(t, <-second)
			want := int64(1)
			if accepted {
				require.NoError(t, <-first)
			} else {
				want = 2
				require.ErrorIs(t, <-first, alipay.ErrResponseStale)
			}
			assert.Equal(t, want, s.connections.Load())
			assert.EqualValues(t, 2, s.requests.Load())
		})
	}
}

// captureLog collects what goes to the standard logger.
func captureLog(t *testing.T) *lockedBuffer {
	var b lockedBuffer
	before := log.Writer()
	log.SetOutput(&b)
	t.Cleanup(func() { log.SetOutput(before) })
	return &b
}

type lockedBuffer struct {
	lockedWriter
	b bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// withSurplus are answers with more behind them than was asked for.
var withSurplus = map[string]func() string{
	"the answer twice": func() string { a := rawAnswer(200, resultOf(testUserID)); return a + a },
	"a Content-Length too small": func() string {
		a := rawAnswer(200, resultOf(testUserID))
		return strings.Replace(a, "Content-Length: ", "Content-Length: 1\r\nX: ", 1)
	},
	"a body with 204": func() string { return "HTTP/1.1 204 No Content\r\n\r\n" + resultOf(testUserID) },
	"a body with 304": func() string { return "HTTP/1.1 304 Not Modified\r\n\r\n" + resultOf(testUserID) },
	"a body with 502": func() string {
		return "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n" + resultOf(testUserID)
	},
	"chunked, and more": func() string {
		return "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" + resultOf(testUserID)
	},
}

func TestWhatFollowsAnAnswerIsThrownAwayWithItsConnection(t *testing.T) {
	logged := captureLog(t)
	for name, surplus := range withSurplus {
		for _, later := range []bool{false, true} {
			for _, scheme := range []string{"http", "https"} {
				t.Run(name+map[bool]string{true: ", later, ", false: ", "}[later]+scheme, func(t *testing.T) {
					var connections atomic.Int64
					gone := make(chan error, 1)
					listener, err := net.Listen("tcp", "127.0.0.1:0")
					require.NoError(t, err)
					server := httptest.NewUnstartedServer(nil)
					defer server.Close()
					if scheme == "https" {
						server.StartTLS()
						config := server.TLS.Clone()
						config.NextProtos = nil
						listener = tls.NewListener(listener, config)
					}
					base := scheme + "://" + serveRaw(t, listener, func(conn net.Conn, number int) {
						connections.Add(1)
						r := bufio.NewReader(conn)
						if _, err := readRequest(r); err != nil {
							return
						}
						if number == 2 {
							_, _ = conn.Write([]byte(rawAnswer(200, waitingBody)))
							return
						}
						whole := surplus()
						if later {
							cut := strings.Index(whole, `{"identity`)
							if cut < 0 || name == "the answer twice" {
								cut = len(whole) / 2
							}
							_, _ = conn.Write([]byte(whole[:cut]))
							whole = whole[cut:]
						}
						_, _ = conn.Write([]byte(whole))
						_, err := r.ReadByte()
						gone <- err
					})
					client := newClient(t, base)
					if scheme == "https" {
						alipay.TrustForTest(client, server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs)
					}
					_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
					if name == "the answer twice" {
						require.NoError(t, err)
					} else {
						require.Error(t, err)
					}
					require.Error(t, <-gone, "the connection is closed")
					_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
					require.NoError(t, err)
					assert.EqualValues(t, 2, connections.Load())
				})
			}
		}
	}
	assert.Empty(t, logged.String())
}

func TestASilentHandshakeHoldsNoGoroutineBeyondTheCall(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	base := "https://" + serveRaw(t, listener, func(conn net.Conn, _ int) { _, _ = io.Copy(io.Discard, conn) })
	client := newClient(t, base, alipay.WithTimeout(100*time.Millisecond))
	alipay.ConfigureOwnForTest(client, func(own *http.Transport) { own.TLSHandshakeTimeout = time.Hour })
	before := runtime.NumGoroutine()
	const calls = 50
	results := make(chan error)
	for range calls {
		go func() {
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			results <- err
		}()
	}
	for range calls {
		err := <-results
		require.ErrorIs(t, err, alipay.ErrNotDelivered)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+calls }, time.Minute, time.Millisecond)
}
