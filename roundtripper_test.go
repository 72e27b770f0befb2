package alipay_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

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

// TestAnHTTPTransportWithARoundTripperInsideIsNotTrusted: an *http.Transport may
// have been given another RoundTripper for the scheme, which may do anything.
func TestAnHTTPTransportWithARoundTripperInsideIsNotTrusted(t *testing.T) {
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

// TestABodyIsSentOnce: a RoundTripper that sends the request again in another
// context removes the hooks. Then only the body stops it, which cannot be read
// again.
func TestABodyIsSentOnce(t *testing.T) {
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
		base, httpClient := serveHTTP2(t, func(c h2conn, _ uint32, _ int) {
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

func TestARoundTripperThatRewritesItsRequestReachesNoOther(t *testing.T) {
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

// TestAnEarlyAnswerIsEvidence: a stream that was answered with a 1xx was looked at,
// whatever is said of it later.
func TestAnEarlyAnswerIsEvidence(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{"REFUSED_STREAM": false, "103, then REFUSED_STREAM": true} {
		for caller, options := range callers() {
			t.Run(name+", "+caller, func(t *testing.T) {
				base, httpClient := serveHTTP2(t, func(c h2conn, stream uint32, _ int) {
					if early {
						c.hint(stream)
					}
					c.reset(stream, codeRefused)
				})
				client := newClient(t, base, append(options(httpClient.Transport.(*http.Transport)), alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}))...)
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
