package alipay_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/h2test"
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
		refusal func(c h2test.Conn, stream uint32)
		unknown bool
	}{
		"REFUSED_STREAM":            {func(c h2test.Conn, stream uint32) { c.Reset(stream, h2test.RefusedStream) }, false},
		"GOAWAY below the stream":   {func(c h2test.Conn, stream uint32) { c.GoAway(stream-2, h2test.NoError) }, false},
		"PROTOCOL_ERROR":            {func(c h2test.Conn, stream uint32) { c.Reset(stream, h2test.ProtocolError) }, true},
		"INTERNAL_ERROR":            {func(c h2test.Conn, stream uint32) { c.Reset(stream, h2test.InternalError) }, true},
		"GOAWAY at the stream, end": {func(c h2test.Conn, stream uint32) { c.GoAway(stream, h2test.NoError); c.Close() }, true},
		"connection lost":           {func(c h2test.Conn, stream uint32) { c.Close() }, true},
	}
	for callerName, options := range callers() {
		for name, tt := range refuse {
			t.Run(callerName+"/"+name, func(t *testing.T) {
				var seen atomic.Int64
				base, httpClient := serveHTTP2(t, func(c h2test.Conn, stream uint32, _ int) {
					if seen.Add(1) == 1 {
						h := http.Header{}
						signHeader(h, []byte(waitingBody), time.Now())
						c.Respond(stream, 200, h, waitingBody)
						return
					}
					tt.refusal(c, stream)
				})
				client := newClient(t, base, append(options(httpClient.Transport.(*http.Transport)),
					once, alipay.WithTimeout(time.Minute))...)
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

func TestHedgedRoundTripsSendOneRequest(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(*httptest.Server){
		"HTTP/1.1": func(s *httptest.Server) { s.Start() }, "HTTP/1.1 TLS": overTLS, "HTTP/2": func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, signed(200, waitingBody), configure)
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

func TestRefusedHTTP2StreamIsRetriedWithANewSignature(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(h2test.Conn, uint32){
		"REFUSED_STREAM": func(c h2test.Conn, stream uint32) { c.Reset(stream, h2test.RefusedStream) },
		"GOAWAY":         func(c h2test.Conn, stream uint32) { c.GoAway(0, h2test.NoError) },
	} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Int64
			base, httpClient := serveHTTP2(t, func(c h2test.Conn, stream uint32, _ int) {
				if seen.Add(1) == 1 {
					refuse(c, stream)
					return
				}
				h := http.Header{}
				signHeader(h, []byte(successBody), time.Now())
				c.Respond(stream, 200, h, successBody)
			})
			client := newClient(t, base, alipay.WithHTTPClient(httpClient))
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err)
			assert.Equal(t, 2, got.Meta.Attempts)
			assert.EqualValues(t, 2, seen.Load())
		})
	}
}

func TestRequestThatDidNotLeaveIsRetried(t *testing.T) {
	t.Parallel()
	t.Run("no connection", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		base := "http://" + listener.Addr().String()
		listener.Close()
		var log lockedBuffer
		client := newClient(t, base, logTo(&log), soon)
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
		client := newClient(t, s.URL, soon)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrNotDelivered)
		assert.Zero(t, s.requests.Load())
		assert.Contains(t, err.Error(), "which this machine does not trust")
		assert.False(t, alipay.Retryable(err))
	})
	t.Run("a connection that died while it was idle", func(t *testing.T) {
		s := serve(t, signed(200, waitingBody))
		var dead atomic.Bool
		client := newClient(t, s.URL, alipay.WithTimeout(time.Minute),
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
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err, "on another connection at once, and the budget, which allows no retry, is not asked")
		assert.EqualValues(t, 2, s.requests.Load())
	})
	t.Run("cancelled before sending", func(t *testing.T) {
		s := serve(t, signed(200, successBody))
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

func TestRoundTripperWithoutTraceCountsAsSent(t *testing.T) {
	t.Parallel()
	hide := func(err error, reads bool) []alipay.Option {
		return []alipay.Option{
			alipay.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if reads {
					_, _ = io.ReadAll(r.Body)
				}
				return nil, err
			})}),
			once,
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
	s := serve(t, signed(200, waitingBody))
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
	s.opens(t, 0, run)
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

func TestConnectionWithoutAnAddressIsDeliveredAtMostOnce(t *testing.T) {
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

// TestFaultMatrix sends one query on a connection that has served before, for
// every fault, both protocols and both kinds of client, and holds what the server
// saw against what the caller is told. Everything that could be logged or printed
// on the way is searched for personal values and keys.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	// What is not listed is outcome unknown, after one request.
	meanings := map[string]string{}
	for _, f := range []alipaytest.Fault{
		alipaytest.TooManyRequests, alipaytest.FaultNamed("429 app-call-limited"), alipaytest.FaultNamed("429 method-call-limited"),
		alipaytest.GatewayError(400, alipay.CodeAppCallLimited, ""), alipaytest.RetryAfter(time.Second),
	} {
		meanings[f.String()] = "not delivered"
	}
	meanings["403 HTML"] = "answered"
	meanings["403 RISK_INTERCEPT, signed"] = "answered"
	needCertificates := map[string]bool{"unknown alipay-sn": true, "missing alipay-sn": true}
	needEncryption := map[string]bool{"bad ciphertext": true, "plain answer": true}

	faults := alipaytest.Faults()
	require.GreaterOrEqual(t, len(faults), 40)
	wires := wires
	switch {
	case testing.Short():
		wires = wires[:1]
	case *soak == 0: // the checks try them all
		wires = slices.Concat(wires[:1], wires[3:])
	}
	for _, wire := range wires {
		for _, fault := range faults {
			t.Run(wire.name+"/"+fault.String(), func(t *testing.T) {
				t.Parallel()
				options := wire.gateway
				if needEncryption[fault.String()] {
					options = append([]alipaytest.Option{alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw==")}, options...)
				}
				gateway := alipaytest.NewGateway(t, options...)
				config := gateway.Config()
				if needCertificates[fault.String()] {
					config = gateway.CertConfig()
				}
				config.AppAuthToken = testAuthTok
				var log lockedBuffer
				client := gatewayClient(t, gateway, config, wire.caller, logTo(&log),
					alipay.WithTimeout(time.Minute), soon)
				service := client.ZhimaCustomerJobworthAuthentication

				_, err := service.Query(t.Context(), &alipay.QueryParams{OnceToken: "warm-up"})
				require.NoError(t, err)
				gateway.Inject(fault, -1)
				ctx := t.Context()
				if fault.String() == alipaytest.Hang.String() {
					ended, cancel := context.WithCancel(ctx)
					defer cancel()
					ctx = ended
					go func() {
						for gateway.Token(testToken).Requests == 0 && ended.Err() == nil {
							time.Sleep(time.Millisecond)
						}
						cancel()
					}()
				}
				got, err := service.Query(ctx, testParams())

				want, requests := "unknown", 1
				if m, ok := meanings[fault.String()]; ok {
					want = m
				}
				if want == "not delivered" {
					requests = 3
				}
				state := gateway.Token(testToken)
				assert.Equal(t, requests, state.Requests, "requests that the server saw")
				if fault.Harmless() {
					require.NoError(t, err)
					assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
					assert.True(t, state.Delivered)
				} else if fault.String() == "201 signed" { // the status is not signed
					require.NoError(t, err)
				} else {
					require.Error(t, err)
					assert.Nil(t, got, "no result is returned")
					assert.Equal(t, want, meaning(t, err), "%v", err)
				}
				if want == "not delivered" {
					assert.Zero(t, state.Acted, "what says not delivered was not")
				}
				searchForLeaks(t, config, append(allTexts(err), log.String(), fmt.Sprintf("%+v %#v %+v %#v", got, got, config, config),
					fmt.Sprintf("%+v %#v %s %+v %#v %v %+v", client, client, service, *client, *service, service, testParams())))
			})
		}
	}
}

// TestRandomFaultsDeliverNoTokenTwice is the property behind at most one
// delivery: whatever breaks, whenever, the gateway acts at most once for each
// call, and what says not delivered was not.
func TestRandomFaultsDeliverNoTokenTwice(t *testing.T) {
	t.Parallel()
	const callers = 16
	calls := 8
	switch {
	case testing.Short():
		calls = 3
	case *soak > 0:
		calls = 60
	}
	for _, wire := range wires {
		t.Run(wire.name, func(t *testing.T) {
			gateway := alipaytest.NewGateway(t, append([]alipaytest.Option{alipaytest.WithHistory(0)}, wire.gateway...)...)
			client := gatewayClient(t, gateway, gateway.Config(), wire.caller, soon)
			report := newReport()
			misbehave(gateway, breaks, wire.oneIn)
			runCallers(t, client, report, callers, func(n int) bool { return n < calls })
			report.check(t, gateway)
			t.Log(report)
		})
	}
}

// breaks are the faults of the connection alone.
var breaks = []alipaytest.Fault{
	alipaytest.Drop, alipaytest.FaultNamed("drop by reset"), alipaytest.FaultNamed("drop after 1 on a connection"), alipaytest.LostAnswer, alipaytest.FaultNamed("lost answer by reset"),
	alipaytest.FaultNamed("reset stream"), alipaytest.FaultNamed("close idle connection"), alipaytest.FaultNamed("announced close"),
	alipaytest.HalfAnswer, alipaytest.FaultNamed("half a head"),
}

// hangingUp counts whole requests, and hangs up on each.
func hangingUp(t testing.TB, requests *atomic.Int64) string {
	return rawServer(t, func(conn net.Conn, _ int) {
		if _, err := readRequest(bufio.NewReader(conn)); err == nil {
			requests.Add(1)
		}
	})
}

// repeating sends a request again and again, as prepare makes each.
func repeating(base http.RoundTripper, prepare func(*http.Request) *http.Request) roundTripper {
	return func(r *http.Request) (resp *http.Response, err error) {
		for range 3 {
			if resp, err = base.RoundTrip(prepare(r)); err == nil {
				return resp, nil
			}
		}
		return nil, err
	}
}

// TestHTTPTransportWithARegisteredRoundTripperIsNotTrusted: an *http.Transport
// may have been given another RoundTripper for the scheme, which may do anything.
func TestHTTPTransportWithARegisteredRoundTripperIsNotTrusted(t *testing.T) {
	t.Parallel()
	ownBody := func(r *http.Request) *http.Request {
		again := r.Clone(r.Context())
		again.Body, again.TransferEncoding = http.NoBody, nil
		return again
	}
	for name, inside := range map[string]func(base *http.Transport) http.RoundTripper{
		"one after the other": func(base *http.Transport) http.RoundTripper {
			return repeating(base, func(r *http.Request) *http.Request { return r.Clone(r.Context()) })
		},
		"with a body of its own": func(base *http.Transport) http.RoundTripper { return repeating(base, ownBody) },
		"at the same time": func(base *http.Transport) http.RoundTripper {
			return roundTripper(func(r *http.Request) (resp *http.Response, err error) {
				var all sync.WaitGroup
				var last atomic.Pointer[error]
				for range 3 {
					all.Go(func() {
						if resp, err := base.RoundTrip(ownBody(r)); err != nil {
							last.Store(&err)
						} else {
							resp.Body.Close()
						}
					})
				}
				all.Wait()
				return nil, *last.Load()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			base := hangingUp(t, &requests)
			outer := new(http.Transport)
			outer.RegisterProtocol("http", inside(new(http.Transport)))
			client := newClient(t, base, alipay.WithHTTPClient(&http.Client{Transport: outer}))
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			if name == "at the same time" { // the second may end all before the first is whole
				assert.LessOrEqual(t, requests.Load(), int64(1), "requests on the wire")
				return
			}
			assert.EqualValues(t, 1, requests.Load(), "requests on the wire")
		})
	}
}

// TestBodyIsSentOnce: a RoundTripper that sends the request again in another
// context removes the hooks. Then only the body stops it, which cannot be read
// again.
func TestBodyIsSentOnce(t *testing.T) {
	t.Parallel()
	inBackground := func(r *http.Request) *http.Request { return r.Clone(context.Background()) }
	t.Run("a request with a body", func(t *testing.T) {
		var requests atomic.Int64
		base := rawServer(t, func(conn net.Conn, _ int) {
			r := bufio.NewReader(conn)
			if _, err := readRequest(r); err != nil {
				return
			}
			if _, err := r.Peek(len(`{"a":"b"}`)); err == nil {
				requests.Add(1)
			}
		})
		client := newClient(t, base, alipay.WithHTTPClient(&http.Client{Transport: repeating(new(http.Transport), inBackground)}))
		_, err := client.Do(t.Context(), &alipay.Request{Method: http.MethodPost, Path: "/v3/x", Body: map[string]string{"a": "b"}}, nil)
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		assert.EqualValues(t, 1, requests.Load(), "whole requests on the wire")
	})
	t.Run("a GET over HTTP/2", func(t *testing.T) {
		var requests atomic.Int64
		base, httpClient := serveHTTP2(t, func(c h2test.Conn, _ uint32, _ int) {
			requests.Add(1)
			c.Close()
		})
		client := newClient(t, base, alipay.WithHTTPClient(&http.Client{Transport: repeating(httpClient.Transport, inBackground)}))
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		assert.EqualValues(t, 1, requests.Load(), "whole requests on the wire")
	})
	t.Run("a GET over HTTP/1.1, whose head is all of it, is never a success or not delivered", func(t *testing.T) {
		var requests atomic.Int64
		base := hangingUp(t, &requests)
		client := newClient(t, base, alipay.WithHTTPClient(&http.Client{Transport: repeating(new(http.Transport), inBackground)}))
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	})
}

func TestRoundTripperThatRewritesItsRequestDoesNotChangeTheNext(t *testing.T) {
	t.Parallel()
	var targets []string
	var mu sync.Mutex
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		targets = append(targets, r.RequestURI+" "+r.Header.Get("Accept")+" "+r.Header.Get("X-Mine"))
		mu.Unlock()
		answer(w, 429, `{"code":"app-call-limited","message":"`+testCertNo+`"}`)
	})
	rewriting := roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(r)
		r.URL.RawQuery, r.URL.Path, r.URL.Host = "nothing=sent", "/elsewhere", "elsewhere.example"
		r.Header["Accept"][0], r.Header["X-Mine"][0] = "rewritten", "rewritten"
		return resp, err
	})
	client := newClient(t, s.URL, alipay.WithHTTPClient(&http.Client{Transport: rewriting}),
		alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Microsecond, MaxTokens: -1}))
	for range 2 {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams(), alipay.WithHeader("X-Mine", "mine"))
		require.ErrorIs(t, err, alipay.CodeAppCallLimited)
		assert.Contains(t, err.Error(), "***")
		assert.NotContains(t, err.Error(), testCertNo, "the mask knows what was sent")
	}
	require.Len(t, targets, 6)
	for _, target := range targets {
		assert.Equal(t, targets[0], target)
		assert.Contains(t, target, testCertNo)
	}
}

// TestInformationalResponseCountsAsSent: a stream that was answered with a 1xx
// was looked at, whatever is said of it later.
func TestInformationalResponseCountsAsSent(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{"REFUSED_STREAM": false, "103, then REFUSED_STREAM": true} {
		for caller, options := range callers() {
			t.Run(name+", "+caller, func(t *testing.T) {
				base, httpClient := serveHTTP2(t, func(c h2test.Conn, stream uint32, _ int) {
					if early {
						c.Head(stream, 103, http.Header{"Link": {"</style.css>"}})
					}
					c.Reset(stream, h2test.RefusedStream)
				})
				client := newClient(t, base, append(options(httpClient.Transport.(*http.Transport)), once)...)
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				want := "not delivered"
				if early || caller == "repeating by itself" || caller == "repeating with a body of its own" || caller == "repeating in a context of its own" {
					want = "unknown"
				}
				assert.Equal(t, want, meaning(t, err), "%v", err)
			})
		}
	}
}

func TestConnectionsAreReusedAfterErrors(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"400":            unsigned(400, `{"code":"X"}`),
		"500":            unsigned(500, "<html>"),
		"signed refusal": signed(400, `{"code":"X"}`),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/")
			w.Header().Set("alipay-trace-id", "trace-1")
			w.WriteHeader(302)
			_, _ = io.WriteString(w, strings.Repeat("x", 10000))
		},
		"too large": unsigned(200, strings.Repeat("x", 2000)),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, handler)
			client := newClient(t, s.URL, alipay.WithMaxResponseBytes(1000))
			query := func() {
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
				require.Error(t, err)
			}
			query()
			s.opens(t, 0, query)
		})
	}
}

// The body is drained so that its connection can be used again, which is worth
// little of the time that the call has.
func TestDiscardedBodyIsDrainedForASecondAtMost(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		want   error
	}{"redirect": {302, alipay.ErrRedirect}, "too large": {200, alipay.ErrResponseTooLarge}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, strings.Repeat("x", 2000))
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done() // and never ends
			}, func(t *testing.T, transport *http.Transport) {
				client := newClient(t, "http://127.0.0.1", alipay.WithHTTPClient(&http.Client{Transport: transport}),
					alipay.WithMaxResponseBytes(1000), alipay.WithTimeout(time.Minute))
				began := time.Now()
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.ErrorIs(t, err, tt.want)
				assert.LessOrEqual(t, time.Since(began), time.Second)
			})
		})
	}
}

func TestConnectionOfAnUnacceptedAnswerIsNotReused(t *testing.T) {
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
		"about another user": signed(200, resultOf("2088000000000001")),
		"not JSON":           signed(200, "x"),
		"signed, no result":  signed(202, `{"user_id":"1"}`),
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

// TestAbandonedConnectionsCostNoAttempt: net/http hands them out for a moment
// yet, and there may be more of them than a call has attempts.
func TestAbandonedConnectionsCostNoAttempt(t *testing.T) {
	t.Parallel()
	const callers = 32
	var good atomic.Bool
	var came sync.WaitGroup
	came.Add(callers)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if good.Load() {
			final(w, r)
			return
		}
		came.Done()
		came.Wait() // so that each has a connection of its own
		signedBySwapped(t, successBody)(w, r)
	})
	client := newClient(t, s.URL)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			assert.ErrorIs(t, err, alipay.ErrResponseSignature)
		})
	}
	all.Wait()
	good.Store(true)
	for range callers {
		got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 1, got.Meta.Attempts)
	}
	assert.EqualValues(t, 2*callers, s.requests.Load())
}

// asksAgain is an answer type of the caller's that makes another call.
type asksAgain struct{}

var askAgain func()

func (*asksAgain) UnmarshalJSON([]byte) error { askAgain(); return nil }

// callback is a log handler that calls a function.
type callback struct {
	slog.Handler
	call func()
}

func (c callback) Handle(context.Context, slog.Record) error { c.call(); return nil }

// TestConnectionIsFreeWhileTheCallersCodeRuns: a call out of an Observer, a log
// handler or UnmarshalJSON has the only connection there may be.
func TestConnectionIsFreeWhileTheCallersCodeRuns(t *testing.T) {
	s := serve(t, signed(200, waitingBody))
	inner := newClient(t, s.URL) // replaced below
	nested := 0
	askAgain = func() {
		if nested++; nested > 1 {
			return // the nested call gets here, too
		}
		_, err := inner.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		assert.NoError(t, err)
	}
	for name, opts := range map[string][]alipay.Option{
		"UnmarshalJSON": nil,
		"AttemptDone":   {alipay.WithObserver(alipay.Observer{AttemptDone: func(context.Context, alipay.AttemptInfo) { askAgain() }})},
		"CallDone":      {alipay.WithObserver(alipay.Observer{CallDone: func(context.Context, alipay.CallResult) { askAgain() }})},
		"a log handler": {alipay.WithLogger(slog.New(callback{slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}), askAgain}))},
	} {
		all := callers()
		all["default client"] = func(*http.Transport) []alipay.Option { return nil }
		for caller, over := range all {
			t.Run(name+", "+caller, func(t *testing.T) {
				s.opens(t, 1, func() {
					transport := &http.Transport{MaxConnsPerHost: 1}
					t.Cleanup(transport.CloseIdleConnections)
					inner, nested = newClient(t, s.URL, append(over(transport), opts...)...), 0
					_, err := inner.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, new(asksAgain))
					require.NoError(t, err)
					assert.Greater(t, nested, 0)
				})
			})
		}
	}
}

// TestNothingIsSentOnAConnectionUntilItsAnswerIsAccepted: net/http lets the next
// request have a connection before anybody can know whether the answer on it was
// right.
func TestNothingIsSentOnAConnectionUntilItsAnswerIsAccepted(t *testing.T) {
	t.Parallel()
	for name, accepted := range map[string]bool{"accepted": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, signed(200, waitingBody))
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
			if accepted {
				require.NoError(t, <-first)
			} else {
				require.ErrorIs(t, <-first, alipay.ErrResponseStale)
				assert.EqualValues(t, 2, s.connections.Load())
			}
			assert.EqualValues(t, 2, s.requests.Load())
		})
	}
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

func TestSurplusBytesCloseTheConnection(t *testing.T) {
	captureLog(t) // net/http writes the beginning of it there
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
}

func TestSilentHandshakeHoldsNoGoroutineAfterTheCall(t *testing.T) {
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
		var ended net.Error // the context's, or that of a dial that its deadline ended just before
		require.ErrorAs(t, err, &ended)
		require.True(t, ended.Timeout())
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+calls }, time.Minute, time.Millisecond)
}

// unveiled says which connection it is over, as instrumentation does.
type unveiled struct{ net.Conn }

func (u unveiled) NetConn() net.Conn { return u.Conn }

// veiled does not.
type veiled struct{ net.Conn }

// TestConnectionOfACallersDiallerNeedsTLS12: through DialTLSContext a caller
// decides what https is.
func TestConnectionOfACallersDiallerNeedsTLS12(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("Go's FIPS mode speaks no TLS below 1.2")
	}
	t.Parallel()
	type dial = func(ctx context.Context, network, addr string) (net.Conn, error)
	s := serve(t, signed(200, waitingBody), func(s *httptest.Server) {
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
				client := newClient(t, s.URL, append(options(transport), once)...)
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

func TestNothingIsWrittenToAConnectionWithoutTLS(t *testing.T) {
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
			client := newClient(t, base, append(options(transport), once)...)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.Error(t, err)
			assert.Empty(t, <-received)
		})
	}
}

// A proxy that answers for the gateway may send the gateway's own answer later. So
// the next request is sent on another connection, while one on which the gateway
// itself refused is used again.
func TestConnectionOfAProxysErrorIsNotReused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		head   string
		reused bool
	}{
		"504":                     {"HTTP/1.1 504 Gateway Timeout", false},
		"403":                     {"HTTP/1.1 403 Forbidden", false},
		"redirect":                {"HTTP/1.1 302 Found\r\nLocation: /", false},
		"the gateway's 500":       {"HTTP/1.1 500 Internal Server Error\r\nalipay-trace-id: 1", true},
		"the gateway's 400":       {"HTTP/1.1 400 Bad Request\r\nalipay-trace-id: 1", true},
		"a redirect with a trace": {"HTTP/1.1 302 Found\r\nLocation: /\r\nalipay-trace-id: 1", true},
	} {
		for transport, opts := range map[string][]alipay.Option{
			"default client":     nil,
			"caller's transport": {alipay.WithHTTPClient(&http.Client{Transport: alipay.NewTransport()})},
		} {
			t.Run(name+", "+transport, func(t *testing.T) {
				var used string                                                         // the connection on which the second answer came
				for try := 0; try == 0 || tt.reused && used != "1" && try < 10; try++ { // see server.opens
					var asked atomic.Int64
					client := newClient(t, rawServer(t, func(conn net.Conn, number int) {
						r := bufio.NewReader(conn)
						if _, err := readRequest(r); err != nil {
							return
						}
						if asked.Add(1) == 1 {
							_, _ = io.WriteString(conn, tt.head+"\r\nContent-Length: 2\r\n\r\n{}")
							if _, err := readRequest(r); err != nil {
								return
							}
						}
						_, _ = io.WriteString(conn, rawAnswer(200, resultOf(strconv.Itoa(number))))
					}), append(opts, alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}))...)
					_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
					require.Error(t, err)
					got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
					require.NoError(t, err)
					used = got.UserID
				}
				assert.Equal(t, map[bool]string{true: "1", false: "2"}[tt.reused], used)
			})
		}
	}
}

// mixUps are the ways in which a proxy sends the wrong answer, rightly signed. Each
// is given the right one.
type mixUps struct {
	kinds []string
	swaps chan string
	count [4]atomic.Int64
}

// serve answers the requests of one connection.
func (m *mixUps) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	send := func(answer string) { _, _ = io.WriteString(conn, answer) }
	for {
		head, err := readRequest(r)
		if err != nil {
			return
		}
		line, _, _ := strings.Cut(head, "\r\n")
		target, err := url.ParseRequestURI(strings.Split(line, " ")[1])
		if err != nil {
			return
		}
		answer := rawAnswer(200, resultOf(target.Query().Get("once_token")))
		kind := ""
		if mathrand.N(20) == 0 {
			kind = m.kinds[mathrand.N(len(m.kinds))]
		}
		switch kind {
		case "twice":
			m.count[0].Add(1)
			send(answer + answer)
		case "twice, the second time late":
			m.count[1].Add(1)
			send(answer)
			time.Sleep(mathrand.N(2 * time.Millisecond))
			send(answer)
		case "late, behind an answer of the proxy's own":
			m.count[2].Add(1)
			send([]string{
				"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n",
				"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>",
				"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<html>\r\n0\r\n\r\n",
				"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
			}[mathrand.N(4)])
			time.Sleep(mathrand.N(2 * time.Millisecond))
			send(answer)
		case "to another connection":
			select {
			case m.swaps <- answer: // and it is given the other's
				m.count[3].Add(1)
				answer = <-m.swaps
			case other := <-m.swaps:
				m.swaps <- answer
				answer = other
			case <-time.After(30 * time.Millisecond): // nobody is there
			}
			send(answer)
		default:
			send(answer)
		}
	}
}

// TestProxyThatMixesAnswersUpGivesNobodyAnothersResult is many calls through a
// proxy that sends answers twice, late, and to the wrong connection, each of them
// rightly signed:
//
//	go test -run MixesAnswersUp -desync 1000000 -timeout 2h .
//
// A call with UserID never gets the result of another person in any of these ways.
// A call without it never gets one either, unless two new answers are swapped,
// which nobody can detect.
func TestProxyThatMixesAnswersUpGivesNobodyAnothersResult(t *testing.T) {
	t.Parallel()
	captureLog(t) // net/http's, over the caller's transport
	kinds := []string{"twice", "twice, the second time late", "late, behind an answer of the proxy's own"}
	for name, tt := range map[string]struct {
		kinds  []string
		byUser bool
	}{
		"asked with UserID":    {append([]string{"to another connection"}, kinds...), true},
		"asked without UserID": {kinds, false},
	} {
		for transport, opts := range map[string][]alipay.Option{
			"default client":     nil,
			"caller's transport": {alipay.WithHTTPClient(&http.Client{Transport: alipay.NewTransport()})},
			"wrapped":            {alipay.WithHTTPClient(&http.Client{Transport: roundTripper(alipay.NewTransport().RoundTrip)})},
		} {
			t.Run(name+", "+transport, func(t *testing.T) {
				m := &mixUps{kinds: tt.kinds, swaps: make(chan string)}
				var connections atomic.Int64
				config := testConfig(t, rawServer(t, func(conn net.Conn, _ int) { connections.Add(1); m.serve(conn) }))
				config.PrivateKey, config.Signer = "", testSigner{appKey(t), func([]byte, crypto.SignerOpts) ([]byte, error) {
					return make([]byte, 256), nil // which spares time, and this server does not look at it
				}}
				client := clientOf(t, config, append(opts, alipay.WithTimeout(time.Minute))...)
				var all sync.WaitGroup
				var mu sync.Mutex
				told := map[string]int{}
				const callers = 16
				for caller := range callers {
					all.Go(func() {
						own := map[string]int{}
						for n := range *desyncCalls / 6 / callers {
							user := fmt.Sprintf("2088%d0%d", caller, n)
							params := &alipay.QueryParams{OnceToken: user}
							if tt.byUser {
								params.UserID = user
							}
							got, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
							switch {
							case err == nil && got.UserID != user:
								own["another's result"]++
							case err == nil:
								own["its result"]++
							case errors.Is(err, alipay.ErrResponseReplayed):
								own["seen before"]++
							case errors.Is(err, alipay.ErrResponseMismatch):
								own["about another user"]++
							default:
								own[meaning(t, err)]++
							}
						}
						mu.Lock()
						defer mu.Unlock()
						for what, n := range own {
							told[what] += n
						}
					})
				}
				all.Wait()
				t.Log(told, "of", *desyncCalls/6, "calls over", connections.Load(), "connections; twice, twice with a pause, late, swapped:",
					m.count[0].Load(), m.count[1].Load(), m.count[2].Load(), m.count[3].Load())
				assert.Zero(t, told["another's result"])
				assert.Greater(t, told["its result"], *desyncCalls/6/2)
				assert.Less(t, connections.Load(), int64(*desyncCalls/6/2), "most are used again")
			})
		}
	}
}

// TestSoak lets 64 callers query a gateway that injects every fault at random, and
// compares the gateway's ledger with what the callers were told:
//
//	go test -run Soak -soak 60s .
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("run with -soak 60s")
	}
	const callers = 64
	faults := alipaytest.Faults()
	each := *soak / time.Duration(len(wires))
	for _, wire := range wires {
		t.Run(wire.name, func(t *testing.T) {
			gateway := alipaytest.NewGateway(t, append([]alipaytest.Option{alipaytest.WithHistory(0)}, wire.gateway...)...)
			client := gatewayClient(t, gateway, gateway.CertConfig(), wire.caller,
				alipay.WithTimeout(2*time.Second), soon)
			report := newReport()
			end := time.Now().Add(each)
			misbehave(gateway, faults, wire.oneIn)
			runCallers(t, client, report, callers, func(int) bool { return time.Now().Before(end) })
			report.check(t, gateway)
			t.Log(report)
		})
	}
}

// A call that got no answer says where it ended, as a field and in logs, and is
// retried where that can help. The texts are tested in internal/delivery.
func TestCallWithoutAnAnswerNamesWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	proxied := func(status int) alipay.Option {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(proxy.Close)
		address, err := url.Parse(proxy.URL)
		require.NoError(t, err)
		transport := alipay.NewTransport()
		transport.Proxy = http.ProxyURL(address)
		return alipay.WithHTTPClient(&http.Client{Transport: transport})
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts connections to it
	require.NoError(t, err)
	t.Cleanup(func() { silent.Close() })
	secured := serve(t, signed(200, successBody), overTLS)
	hanging := rawServer(t, func(conn net.Conn, _ int) { _, _ = io.Copy(io.Discard, conn) })
	brief := alipay.WithTimeout(2 * time.Second)
	for _, tt := range []struct {
		base      string
		option    alipay.Option
		cause     error // of the end of the caller's context
		stage     alipay.Stage
		says      string
		attempts  int
		outcome   alipay.Outcome
		retryable bool
	}{
		{"http://" + closed.Addr().String(), nil, nil, alipay.StageConnect, "connecting to " + closed.Addr().String() + ": connection refused; not delivered", 3, alipay.OutcomeNotDelivered, true},
		{"https://gateway.example", proxied(502), nil, alipay.StageProxy, "it refuses CONNECT to gateway.example:443 with status 502 (Bad Gateway); not delivered", 3, alipay.OutcomeNotDelivered, true},
		{"https://gateway.example", proxied(407), nil, alipay.StageProxy, "with status 407 (Proxy Authentication Required); it wants a user", 1, alipay.OutcomeNotDelivered, false},
		{"https://gateway.example", proxied(403), nil, alipay.StageProxy, "with status 403 (Forbidden); its operator has to allow this host and port; nothing was sent", 1, alipay.OutcomeNotDelivered, false},
		{secured.URL, nil, nil, alipay.StageTLS, `issued by "O=Acme Co", which this machine does not trust`, 1, alipay.OutcomeNotDelivered, false},
		{"https://" + silent.Addr().String(), brief, nil, alipay.StageTLS, "no answer before the end of the client's timeout, 2s (WithTimeout); a firewall may block", 1, alipay.OutcomeNotDelivered, true},
		{"https://" + silent.Addr().String(), nil, context.DeadlineExceeded, alipay.StageTLS, "no answer before the deadline of the caller's context; a firewall may block", 1, alipay.OutcomeNotDelivered, false},
		{"https://" + silent.Addr().String(), nil, context.Canceled, alipay.StageTLS, "no answer before the caller's context was cancelled; nothing was sent", 1, alipay.OutcomeNotDelivered, false},
		{hanging, nil, context.Canceled, alipay.StageAnswer, "no answer before the caller's context was cancelled; outcome unknown", 1, alipay.OutcomeUnknown, false},
		{hanging, brief, nil, alipay.StageAnswer, "waiting for the answer of " + strings.TrimPrefix(hanging, "http://") + ": no answer before the end of the client's timeout", 1, alipay.OutcomeUnknown, false},
	} {
		t.Run(tt.says, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			switch tt.cause {
			case context.Canceled:
				time.AfterFunc(2*time.Second, cancel)
			case context.DeadlineExceeded:
				ctx, cancel = context.WithTimeout(ctx, 2*time.Second)
				defer cancel()
			}
			opts := []alipay.Option{alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond})}
			if tt.option != nil {
				opts = append(opts, tt.option)
			}
			var log lockedBuffer
			_, err := newClient(t, tt.base, append(opts, logTo(&log))...).ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
			var failed *alipay.CallError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, tt.stage, failed.Stage)
			assert.Contains(t, log.String(), "stage="+string(tt.stage))
			assert.Equal(t, tt.attempts, failed.Attempts)
			assert.Contains(t, err.Error(), tt.says)
			assert.Equal(t, tt.outcome, alipay.OutcomeOf(err))
			assert.Equal(t, tt.retryable, alipay.Retryable(err))
			text, err := json.Marshal(err)
			require.NoError(t, err)
			assert.Contains(t, string(text), `"stage":"`+string(tt.stage)+`"`)
		})
	}
}

// An answer that is not the gateway's says whose it is, and repeats nothing of the
// request.
func TestUnsignedAnswerSaysWhereItComesFrom(t *testing.T) {
	t.Parallel()
	for says, header := range map[string]struct {
		status int
		header http.Header
	}{
		"HTTP status 200: the answer is not signed: Content-Type text/html, Server nginx; this is no answer of the gateway, but of a proxy or another server; outcome unknown": {200, http.Header{"Server": {"nginx"}, "Content-Type": {"text/html; charset=gbk"}}},
		"HTTP status 502 without an error code: Content-Type text/html, Server ***; this is no answer":                                                                         {502, http.Header{"Server": {testCertNo}, "Content-Type": {"text/html"}}},
		"HTTP status 302: the answer is a redirect, which is not followed: it points to login.example:8443; outcome unknown":                                                   {302, http.Header{"Location": {"https://login.example:8443/?x=" + testCertNo}}},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range header.header {
				w.Header()[name] = values
			}
			w.WriteHeader(header.status)
			_, _ = io.WriteString(w, "<html>")
		})
		_, err := newClient(t, s.URL, once).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.Error(t, err)
		assert.Contains(t, err.Error(), says)
		assert.NotContains(t, err.Error(), testCertNo)
		var failed *alipay.CallError
		if errors.As(err, &failed) {
			assert.Empty(t, failed.Stage, "an answer came")
		}
	}
}
