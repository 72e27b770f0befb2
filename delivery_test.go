package alipay_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

// callers are the ways in which a merchant's program may send requests, each
// of which behaves differently.
func callers() map[string]func(base *http.Transport) []alipay.Option {
	with := func(rt http.RoundTripper) []alipay.Option {
		return []alipay.Option{alipay.WithHTTPClient(&http.Client{Transport: rt})}
	}
	return map[string]func(*http.Transport) []alipay.Option{
		"caller's transport": func(base *http.Transport) []alipay.Option { return with(base) },
		"wrapped":            func(base *http.Transport) []alipay.Option { return with(roundTripper(base.RoundTrip)) },
		"cloning": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (*http.Response, error) {
				return base.RoundTrip(r.Clone(r.Context()))
			}))
		},
		"repeating by itself": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (resp *http.Response, err error) {
				for range 3 {
					if resp, err = base.RoundTrip(r); err == nil {
						return resp, nil
					}
				}
				return nil, err
			}))
		},
		"repeating in a context of its own": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (resp *http.Response, err error) {
				for range 3 {
					again := r.Clone(context.WithoutCancel(r.Context()))
					again.Body, again.TransferEncoding = http.NoBody, nil
					if resp, err = base.RoundTrip(again); err == nil {
						return resp, nil
					}
				}
				return nil, err
			}))
		},
		"dumping": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (*http.Response, error) {
				_, _ = httputil.DumpRequestOut(r, true)
				return base.RoundTrip(r)
			}))
		},
		"repeating with a body of its own": func(base *http.Transport) []alipay.Option {
			return with(roundTripper(func(r *http.Request) (resp *http.Response, err error) {
				for range 3 {
					again := r.Clone(r.Context())
					again.Body, again.TransferEncoding = http.NoBody, nil
					if resp, err = base.RoundTrip(again); err == nil {
						return resp, nil
					}
				}
				return nil, err
			}))
		},
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestQueryIsDeliveredAtMostOnceOverHTTP1(t *testing.T) {
	t.Parallel()
	// The server answers the first request of each connection, and hangs up
	// after it has read the second: what net/http answers by sending again.
	makers := callers()
	makers["default"] = func(*http.Transport) []alipay.Option { return nil }
	for name, options := range makers {
		t.Run(name, func(t *testing.T) {
			// Several idle connections: net/http would try them all.
			const idle = 8
			var requests, first atomic.Int64
			hold := make(chan struct{})
			base := rawServer(t, func(conn net.Conn, number int) {
				r := bufio.NewReader(conn)
				if _, err := readRequest(r); err != nil {
					return
				}
				if first.Add(1) == idle {
					close(hold)
				}
				<-hold
				_, _ = conn.Write([]byte(rawAnswer(200, waitingBody)))
				if _, err := readRequest(r); err == nil {
					requests.Add(1)
				}
			})
			client := newClient(t, base, options(&http.Transport{MaxIdleConnsPerHost: 64})...)
			var all sync.WaitGroup
			for range idle {
				all.Go(func() {
					_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
					assert.NoError(t, err)
				})
			}
			all.Wait()

			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			assert.NotErrorIs(t, err, alipay.ErrNotDelivered)
			assert.EqualValues(t, 1, requests.Load(), "requests that reached the server")
		})
	}
}

func TestQueryIsDeliveredAtMostOnceOverHTTP2(t *testing.T) {
	t.Parallel()
	refuse := map[string]struct {
		refusal func(c h2conn, stream uint32)
		unknown bool
	}{
		"REFUSED_STREAM":            {func(c h2conn, stream uint32) { c.reset(stream, codeRefused) }, false},
		"GOAWAY below the stream":   {func(c h2conn, stream uint32) { c.goAway(stream-2, codeNo) }, false},
		"PROTOCOL_ERROR":            {func(c h2conn, stream uint32) { c.reset(stream, codeProtocol) }, true},
		"INTERNAL_ERROR":            {func(c h2conn, stream uint32) { c.reset(stream, codeInternal) }, true},
		"GOAWAY at the stream, end": {func(c h2conn, stream uint32) { c.goAway(stream, codeNo); c.Close() }, true},
		"connection lost":           {func(c h2conn, stream uint32) { c.Close() }, true},
	}
	for callerName, options := range callers() {
		for name, tt := range refuse {
			t.Run(callerName+"/"+name, func(t *testing.T) {
				var seen atomic.Int64
				base, httpClient := serveHTTP2(t, func(c h2conn, stream uint32, _ int) {
					if seen.Add(1) == 1 {
						h := http.Header{}
						signHeader(h, []byte(waitingBody), time.Now())
						c.respond(stream, 200, h, waitingBody)
						return
					}
					tt.refusal(c, stream)
				})
				client := newClient(t, base, append(options(httpClient.Transport.(*http.Transport)),
					alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}), alipay.WithTimeout(time.Minute))...)
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.NoError(t, err)
				_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.Error(t, err)
				assert.EqualValues(t, 2, seen.Load(), "requests that reached the server: %v", err)
				assert.False(t, errors.Is(err, alipay.ErrNotDelivered) && errors.Is(err, alipay.ErrOutcomeUnknown))
				switch {
				case tt.unknown:
					assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
				case !strings.HasPrefix(callerName, "repeating"): // those lose the evidence
					assert.ErrorIs(t, err, alipay.ErrNotDelivered)
				}
			})
		}
	}
}

func TestTriesAtTheSameTimeAreOneRequest(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(*httptest.Server){
		"HTTP/1.1": func(s *httptest.Server) { s.Start() }, "HTTP/1.1 TLS": overTLS, "HTTP/2": func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, waitingBody) }, configure)
			base := s.Client().Transport.(*http.Transport)
			hedging := roundTripper(func(r *http.Request) (*http.Response, error) {
				type result struct {
					resp *http.Response
					err  error
				}
				results := make(chan result, 4)
				for range cap(results) {
					go func() {
						resp, err := base.RoundTrip(r.Clone(r.Context()))
						results <- result{resp, err}
					}()
				}
				var first result
				for range cap(results) {
					if got := <-results; first.resp == nil {
						first = got
					}
				}
				return first.resp, first.err
			})
			client := newClient(t, s.URL, alipay.WithHTTPClient(&http.Client{Transport: hedging}))
			const calls = 20
			for range calls {
				if _, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams()); err != nil {
					assert.Equal(t, "unknown", meaning(t, err))
				}
			}
			assert.LessOrEqual(t, s.requests.Load(), int64(calls))
		})
	}
}

func TestARefusedHTTP2StreamIsTriedAgainWithANewSignature(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(h2conn, uint32){
		"REFUSED_STREAM": func(c h2conn, stream uint32) { c.reset(stream, codeRefused) },
		"GOAWAY":         func(c h2conn, stream uint32) { c.goAway(0, codeNo) },
	} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Int64
			base, httpClient := serveHTTP2(t, func(c h2conn, stream uint32, _ int) {
				if seen.Add(1) == 1 {
					refuse(c, stream)
					return
				}
				h := http.Header{}
				signHeader(h, []byte(successBody), time.Now())
				c.respond(stream, 200, h, successBody)
			})
			client := newClient(t, base, alipay.WithHTTPClient(httpClient))
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err)
			assert.Equal(t, 2, got.Meta.Attempts)
			assert.EqualValues(t, 2, seen.Load())
		})
	}
}

func TestNoBodyAndNoBodyHeadersAreOnTheWire(t *testing.T) {
	heads := make(chan string, 1)
	base := rawServer(t, func(conn net.Conn, _ int) {
		r := bufio.NewReader(conn)
		head, _ := readRequest(r)
		heads <- head
		_, _ = conn.Write([]byte(rawAnswer(200, successBody)))
		rest, _ := io.ReadAll(r)
		assert.Empty(t, rest)
	})
	client := newClient(t, base)
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err)
	head := <-heads
	assert.NotContains(t, head, "Content-Length")
	assert.NotContains(t, head, "Transfer-Encoding")
	assert.NotContains(t, head, "Content-Type")
	client.CloseIdleConnections()
}

func TestWhatDidNotLeaveIsTriedAgain(t *testing.T) {
	t.Parallel()
	t.Run("no connection", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		base := "http://" + listener.Addr().String()
		listener.Close()
		var log bytes.Buffer
		client := newClient(t, base, logTo(&log), alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}))
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrNotDelivered)
		assert.NotErrorIs(t, err, alipay.ErrOutcomeUnknown)
		assert.Contains(t, err.Error(), "connection refused")
		assert.Contains(t, err.Error(), strings.TrimPrefix(base, "http://")+jobworthPath)
		assert.NotContains(t, err.Error(), "?")
		assert.Equal(t, 1, strings.Count(log.String(), "alipay: attempt"))
		assert.Equal(t, 2, strings.Count(log.String(), "alipay: retry"))
	})
	t.Run("TLS handshake fails", func(t *testing.T) {
		s := serve(t, func(http.ResponseWriter, *http.Request) {}, overTLS)
		client := newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}))
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrNotDelivered)
		assert.Zero(t, s.requests.Load())
		assert.Contains(t, err.Error(), "unknown authority")
	})
	t.Run("a connection that died while it was idle", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, waitingBody) })
		var log bytes.Buffer
		var pauses []time.Duration
		var dead atomic.Bool
		client := newClient(t, s.URL, logTo(&log), pausesTo(&pauses), alipay.WithTimeout(time.Minute),
			alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Hour, MaxDelay: time.Hour, MaxTokens: 1}))
		alipay.ConfigureOwnForTest(client, func(own *http.Transport) {
			dial := own.DialContext
			own.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				return &mortal{conn, !dead.Load(), &dead}, err
			}
		})
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err)
		dead.Store(true)
		got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err, "on another connection")
		assert.Equal(t, 2, got.Meta.Attempts)
		assert.Equal(t, []time.Duration{0, 1, 0}, pauses, "at once, and the budget, which allows no retry, is not asked")
		assert.Equal(t, 1, strings.Count(log.String(), `level=WARN msg="alipay: retry"`))
		assert.Contains(t, log.String(), "pause=1ns")
		assert.EqualValues(t, 2, s.requests.Load())
	})
	t.Run("cancelled before sending", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, successBody) })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
		require.ErrorIs(t, err, alipay.ErrNotDelivered)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Zero(t, s.requests.Load())
	})
}

// mortal cannot be written to any more once dead is true, if it is one that dies.
type mortal struct {
	net.Conn
	dies bool
	dead *atomic.Bool
}

func (m *mortal) Write(p []byte) (int, error) {
	if m.dies && m.dead.Load() {
		return 0, syscall.EPIPE
	}
	return m.Conn.Write(p)
}

func TestATransportThatHidesItsTraceCountsAsSent(t *testing.T) {
	t.Parallel()
	hide := func(err error, reads bool) []alipay.Option {
		return []alipay.Option{
			alipay.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if reads {
					_, _ = io.ReadAll(r.Body)
				}
				return nil, err
			})}),
			alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}),
		}
	}
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New(testCertNo)}
	for name, tt := range map[string]struct {
		err   error
		reads bool // the request's body, as what sends it does
		want  error
	}{
		"any error":                {errors.New("https://x/?cert_no=" + testCertNo), false, alipay.ErrOutcomeUnknown},
		"a dial error":             {dial, false, alipay.ErrNotDelivered},
		"a dial error after all":   {dial, true, alipay.ErrOutcomeUnknown},
		"neither answer nor error": {nil, true, alipay.ErrOutcomeUnknown},
		"words of a refusal":       {errors.New("malformed HTTP response \"http2: Transport: cannot retry err [stream error: stream ID 1; REFUSED_STREAM] after Request.Body was written\""), true, alipay.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, "http://127.0.0.1:1", hide(tt.err, tt.reads)...).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, tt.want)
			assert.NotContains(t, err.Error(), testCertNo)
		})
	}
}

func TestConnectionsAreReusedInSteadyState(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, waitingBody) })
	client := newClient(t, s.URL)
	const callers, rounds = 100, 2
	run := func() {
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for range rounds {
					_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
					assert.NoError(t, err)
				}
			})
		}
		all.Wait()
	}
	run()
	// net/http gives a connection up when its writer was not scheduled for 50 ms:
	// on a starved machine one round may open some.
	for range 10 {
		warm := s.connections.Load()
		if run(); s.connections.Load() == warm {
			return
		}
	}
	t.Errorf("every round opened connections, %d in all", s.connections.Load())
}

func TestTLSBelow12IsRefused(t *testing.T) {
	for name, config := range map[string]*tls.Config{
		"MinVersion TLS 1.0": {MinVersion: tls.VersionTLS10},
		"MinVersion TLS 1.1": {MinVersion: tls.VersionTLS11},
		"MaxVersion TLS 1.1": {MaxVersion: tls.VersionTLS11},
	} {
		t.Run(name, func(t *testing.T) {
			httpClient := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
			_, err := alipay.NewClient(testConfig(t, ""), alipay.WithHTTPClient(httpClient))
			var mistake *alipay.ConfigError
			require.ErrorAs(t, err, &mistake)
			assert.Equal(t, "WithHTTPClient", mistake.Field)
		})
	}
}

func TestCloseIdleConnectionsClosesThem(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, waitingBody) })
	for name, opts := range map[string][]alipay.Option{
		"default":  nil,
		"caller's": {alipay.WithHTTPClient(&http.Client{Transport: &http.Transport{}})},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, s.URL, opts...)
			before := s.connections.Load()
			for range 2 {
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
				require.NoError(t, err)
			}
			assert.Equal(t, before+1, s.connections.Load())
			client.CloseIdleConnections()
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			require.NoError(t, err)
			assert.Equal(t, before+2, s.connections.Load())
		})
	}
}

func TestTLSBelow12IsNotSpoken(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
		s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
		s.StartTLS()
	})
	_, err := newClient(t, s.URL, once).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.Contains(t, err.Error(), "protocol version")
	assert.Zero(t, s.requests.Load())
}

// nowhere is a connection that does not say with whom it is.
type nowhere struct{ net.Conn }

func (nowhere) RemoteAddr() net.Addr { return nil }

func TestAConnectionWithoutAnAddressCountsAsAny(t *testing.T) {
	t.Parallel()
	for name, options := range callers() {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			base := rawServer(t, func(conn net.Conn, _ int) {
				if _, err := readRequest(bufio.NewReader(conn)); err == nil {
					requests.Add(1)
				}
			})
			client := newClient(t, base, options(&http.Transport{
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, addr)
					return nowhere{conn}, err
				},
			})...)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			if !strings.HasPrefix(name, "repeating") { // nothing is known of connections to stop it by
				assert.EqualValues(t, 1, requests.Load())
			}
		})
	}
}
