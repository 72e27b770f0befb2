package alipay_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

// meaning is what an error means for the caller: exactly one of three.
func meaning(t testing.TB, err error) string {
	unknown, not := errors.Is(err, alipay.ErrOutcomeUnknown), errors.Is(err, alipay.ErrNotDelivered)
	assert.False(t, unknown && not, "never both: %v", err)
	switch {
	case unknown:
		return "unknown"
	case not:
		return "not delivered"
	}
	return "no"
}

func signed(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) }
}

func unsigned(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("alipay-trace-id", "trace-1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// tampered signs an answer and then changes one of its headers.
func tampered(status int, body, header, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(body), time.Now())
		if value == "" {
			w.Header().Del(header)
		} else {
			w.Header().Set(header, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func dated(status int, off time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(successBody), time.Now().Add(off))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, successBody)
	}
}

// upgrade switches protocols and then says nothing.
func upgrade(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	_, _ = conn.Read(make([]byte, 1)) // until the client hangs up
}

func redirect(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		w.WriteHeader(status)
	}
}

func brokenOff(status int, signature bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if signature {
			signHeader(w.Header(), []byte(successBody), time.Now())
		}
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, successBody)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func bomb(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		z := gzip.NewWriter(w)
		_, _ = io.CopyN(z, zeros{}, 64<<20)
		_ = z.Close()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestEveryAnswerHasOneOfThreeMeanings is rule 2 as a table.
func TestEveryAnswerHasOneOfThreeMeanings(t *testing.T) {
	t.Parallel()
	const html = "<html>504 Gateway " + testCertNo + "</html>"
	code := func(c alipay.ErrorCode) string { return fmt.Sprintf(`{"code":%q,"message":"m"}`, string(c)) }
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string
		cause   error // also satisfied
		api     bool  // an *APIError
	}{
		{"200 unsigned", unsigned(200, successBody), "unknown", alipay.ErrResponseUnsigned, false},
		{"200 signature null", tampered(200, successBody, "alipay-signature", "null"), "unknown", alipay.ErrResponseUnsigned, false},
		{"200 signature of other content", tampered(200, successBody, "alipay-nonce", "other"), "unknown", alipay.ErrResponseSignature, false},
		{"200 signature no base64", tampered(200, successBody, "alipay-signature", "%%%"), "unknown", alipay.ErrResponseSignature, false},
		{"200 without timestamp", tampered(200, successBody, "alipay-timestamp", ""), "unknown", alipay.ErrResponseSignature, false},
		{"200 stale", dated(200, -11*time.Minute), "unknown", alipay.ErrResponseStale, false},
		{"200 from the future", dated(200, 11*time.Minute), "unknown", alipay.ErrResponseStale, false},
		{"200 HTML", unsigned(200, html), "unknown", alipay.ErrResponseUnsigned, false},
		{"200 signed HTML", signed(200, html), "unknown", nil, false},
		{"200 signed empty", signed(200, ""), "unknown", nil, false},
		{"200 signed array", signed(200, `[`+successBody+`]`), "unknown", nil, false},
		{"200 signed null", signed(200, `null`), "unknown", nil, false},
		{"200 signed, two objects", signed(200, successBody+successBody), "unknown", nil, false},
		{"200 signed, cut short", signed(200, successBody[:40]), "unknown", nil, false},
		{"200 signed, object for a string", signed(200, `{"open_id":{"x":"`+testOpenID+`"}}`), "unknown", nil, false},
		{"200 broken off", brokenOff(200, true), "unknown", io.ErrUnexpectedEOF, false},
		{"200 too large", signed(200, `{"x":"`+strings.Repeat("a", 1<<20)+`"}`), "unknown", alipay.ErrResponseTooLarge, false},
		{"200 compressed bomb", bomb(200), "unknown", alipay.ErrResponseTooLarge, false},
		{"201 signed", signed(201, successBody), "unknown", nil, false},
		{"202 unsigned", unsigned(202, successBody), "unknown", alipay.ErrResponseUnsigned, false},
		{"204", unsigned(204, ""), "unknown", alipay.ErrResponseUnsigned, false},
		{"206 signed", signed(206, successBody), "unknown", nil, false},
		{"301", redirect(301), "unknown", alipay.ErrRedirect, false},
		{"302", redirect(302), "unknown", alipay.ErrRedirect, false},
		{"303", redirect(303), "unknown", alipay.ErrRedirect, false},
		{"307", redirect(307), "unknown", alipay.ErrRedirect, false},
		{"308", redirect(308), "unknown", alipay.ErrRedirect, false},
		{"300", redirect(300), "unknown", alipay.ErrRedirect, false},
		{"305", redirect(305), "unknown", alipay.ErrRedirect, false},
		{"304", redirect(304), "unknown", nil, false},
		{"399 unsigned", unsigned(399, code(alipay.CodeTokenInvalid)), "unknown", alipay.ErrResponseUnsigned, false},
		{"399 signed", signed(399, code(alipay.CodeTokenInvalid)), "unknown", nil, false},
		{"101 with a connection of its own", upgrade, "unknown", nil, false},
		{"200 signed SYSTEM_ERROR", signed(200, code(alipay.CodeSystemError)), "unknown", alipay.CodeSystemError, true},
		{"200 signed SYSTEM_ERROR, escaped", signed(200, `{"code":"SYSTEM\u005fERROR"}`), "unknown", alipay.CodeSystemError, true},
		{"200 signed unknow-error", signed(200, code(alipay.CodeUnknowError)), "unknown", alipay.CodeUnknowError, true},
		{"500 HTML", unsigned(500, html), "unknown", nil, true},
		{"500 signed", signed(500, code("SOMETHING")), "unknown", nil, true},
		{"500 badly signed", tampered(500, code("X"), "alipay-nonce", "y"), "unknown", alipay.ErrResponseSignature, false},
		{"500 with TOKEN_INVALID", unsigned(500, code(alipay.CodeTokenInvalid)), "unknown", alipay.CodeTokenInvalid, true},
		{"500 with a throttle code", unsigned(500, code(alipay.CodeAppCallLimited)), "unknown", alipay.CodeAppCallLimited, true},
		{"502 empty", unsigned(502, ""), "unknown", nil, true},
		{"503", unsigned(503, html), "unknown", nil, true},
		{"504", unsigned(504, html), "unknown", nil, true},
		{"408", unsigned(408, ""), "unknown", nil, true},
		{"400 SYSTEM_ERROR", signed(400, code(alipay.CodeSystemError)), "unknown", alipay.CodeSystemError, true},
		{"400 unknow-error", unsigned(400, code(alipay.CodeUnknowError)), "unknown", alipay.CodeUnknowError, true},
		{"429 SYSTEM_ERROR", unsigned(429, code(alipay.CodeSystemError)), "unknown", alipay.CodeSystemError, true},
		{"400 badly signed", tampered(400, code(alipay.CodeTokenInvalid), "alipay-nonce", "y"), "unknown", alipay.ErrResponseSignature, false},
		{"400 stale", dated(400, -11*time.Minute), "unknown", alipay.ErrResponseStale, false},
		{"400 signed and broken off", brokenOff(400, true), "unknown", io.ErrUnexpectedEOF, false},
		{"429 badly signed", tampered(429, code("X"), "alipay-nonce", "y"), "unknown", alipay.ErrResponseSignature, false},
		{"429", unsigned(429, ""), "not delivered", nil, true},
		{"429 signed", signed(429, code("X")), "not delivered", nil, true},
		{"403 app-call-limited", unsigned(403, code(alipay.CodeAppCallLimited)), "not delivered", alipay.CodeAppCallLimited, true},
		{"400 method-call-limited", signed(400, code(alipay.CodeMethodCallLimited)), "not delivered", alipay.CodeMethodCallLimited, true},
		{"400 signed", signed(400, code(alipay.CodeTokenInvalid)), "no", alipay.CodeTokenInvalid, true},
		{"400 unsigned", unsigned(400, `{"code":"missing-timestamp","message":"缺少时间戳参数"}`), "no", alipay.CodeMissingTimestamp, true},
		{"400 signature null", tampered(400, code(alipay.CodeTokenInvalid), "alipay-signature", "null"), "no", alipay.CodeTokenInvalid, true},
		{"401", unsigned(401, code(alipay.CodeInvalidSignature)), "no", alipay.CodeInvalidSignature, true},
		{"403 HTML", unsigned(403, html), "no", nil, true},
		{"404 empty", unsigned(404, ""), "no", nil, true},
		{"400 not UTF-8", unsigned(400, "\xff\xfe{"), "no", nil, true},
		{"400 signed, not JSON", signed(400, html), "no", nil, true},
		{"400 unsigned and broken off", brokenOff(400, false), "no", io.ErrUnexpectedEOF, true},
		{"400 unsigned and too large", unsigned(400, strings.Repeat("x", 1<<20+1)), "no", alipay.ErrResponseTooLarge, true},
		{"400 a code nobody knows", signed(400, code("brand-new")), "no", alipay.ErrorCode("brand-new"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.handler)
			client := newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}))
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.Error(t, err)
			assert.Nil(t, got)
			assert.Equal(t, tt.want, meaning(t, err), "%v", err)
			if tt.cause != nil {
				assert.ErrorIs(t, err, tt.cause)
			}
			var apiErr *alipay.APIError
			assert.Equal(t, tt.api, errors.As(err, &apiErr), "%v", err)
			assert.EqualValues(t, 1, s.requests.Load())
			assert.NotContains(t, err.Error(), testCertNo)
			assert.NotContains(t, err.Error(), testOpenID)

			out := json.RawMessage("before")
			resp, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &out)
			if err != nil { // a signed object is fine for RawMessage
				assert.Nil(t, resp)
				assert.Equal(t, "before", string(out))
			}
		})
	}
}

func TestFreshnessIsCheckedBothWaysWithinTheSkew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		off   time.Duration
		opts  []alipay.Option
		stale bool
	}{
		"9 minutes behind":     {-9 * time.Minute, nil, false},
		"9 minutes ahead":      {9 * time.Minute, nil, false},
		"skew of 1 m, behind":  {-61 * time.Second, []alipay.Option{alipay.WithMaxClockSkew(time.Minute)}, true},
		"skew of 1 h, behind":  {-59 * time.Minute, []alipay.Option{alipay.WithMaxClockSkew(time.Hour)}, false},
		"the client's clock":   {-24 * time.Hour, []alipay.Option{alipay.WithClock(func() time.Time { return time.Now().Add(-24 * time.Hour) })}, false},
		"another clock, stale": {0, []alipay.Option{alipay.WithClock(func() time.Time { return time.Now().Add(time.Hour) })}, true},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, serve(t, dated(200, tt.off)).URL, tt.opts...)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			if tt.stale {
				assert.ErrorIs(t, err, alipay.ErrResponseStale)
			} else {
				assert.NoError(t, err)
			}
		})
	}
}

func TestTheBodyIsVerifiedAsReceived(t *testing.T) {
	// White space, escapes and order that a decoder would not keep.
	const body = "\n {\"user_id\" : \"\\u0032\", \"open_id\":\"\u9a8c\"} \r\n"
	client := newClient(t, serve(t, signed(200, body)).URL)
	got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, body, string(got.Meta.Body))
	assert.Equal(t, "2", got.UserID)
	assert.Equal(t, "验", got.OpenID)
}

func TestAnswersAreReadAsLenientlyAsTheJavaSDKDoes(t *testing.T) {
	const body = `{"identity_result":"SUCCESS","merchant_identity_id":12.50,"open_id":true,"token_status":null,` +
		`"user_id":2088402562742105000001,"nested":{"a":[1,"}"]},"OPEN_ID":"another name","":0}`
	client := newClient(t, serve(t, signed(200, body)).URL)
	got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
	assert.Equal(t, "12.50", got.MerchantIdentityID)
	assert.Equal(t, "true", got.OpenID)
	assert.Equal(t, alipay.TokenStatus(""), got.TokenStatus)
	assert.Equal(t, "2088402562742105000001", got.UserID)
	assert.Equal(t, map[string]json.RawMessage{
		"nested": json.RawMessage(`{"a":[1,"}"]}`), "OPEN_ID": json.RawMessage(`"another name"`), "": json.RawMessage("0"),
	}, got.Extra)
	assert.Equal(t, 200, got.Meta.StatusCode)
	assert.Equal(t, "21140000test", got.Meta.TraceID)
	assert.Equal(t, 1, got.Meta.Attempts)
	assert.Regexp(t, "^[A-Za-z0-9_-]{1,32}$", got.Meta.RequestID)
	assert.Equal(t, body, string(got.Meta.Body))
	assert.NotEmpty(t, got.Meta.Header.Get("alipay-signature"))
}

func TestAPIErrorHoldsAllThatTheGatewaySaid(t *testing.T) {
	t.Parallel()
	linkForms := map[string]struct {
		links string
		want  []alipay.ErrorLink
	}{
		"a string":          {`"https://open.alipay.com/x"`, []alipay.ErrorLink{{Link: "https://open.alipay.com/x"}}},
		"a list":            {`[{"link":"https://a","desc":"解决方案"},{"link":"https://b"}]`, []alipay.ErrorLink{{Link: "https://a", Desc: "解决方案"}, {Link: "https://b"}}},
		"a list of strings": {`["https://a"]`, []alipay.ErrorLink{{Link: "https://a"}}},
		"one object":        {`{"link":"https://a","desc":1}`, []alipay.ErrorLink{{Link: "https://a", Desc: "1"}}},
		"null":              {`null`, nil},
		"empty":             {`""`, nil},
		"a number":          {`7`, []alipay.ErrorLink{{Link: "7"}}},
		"nonsense":          {`[[1],2,{"link":[]},null]`, []alipay.ErrorLink{{Link: "2"}}},
	}
	for name, tt := range linkForms {
		t.Run("links: "+name, func(t *testing.T) {
			body := `{"details":[{}],"code":"TOKEN_INVALID","message":"token无效","links":` + tt.links + `}`
			client := newClient(t, serve(t, signed(400, body)).URL)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams(), alipay.WithRequestID("my-request_1"))
			var e *alipay.APIError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, 400, e.StatusCode)
			assert.Equal(t, alipay.CodeTokenInvalid, e.Code)
			assert.Equal(t, "token无效", e.Message)
			assert.Equal(t, tt.want, e.Links)
			assert.Equal(t, "21140000test", e.TraceID)
			assert.Equal(t, "my-request_1", e.RequestID)
			assert.Equal(t, 1, e.Attempts)
			assert.Equal(t, body, string(e.Body))
			assert.NotEmpty(t, e.Header.Get("alipay-signature"))
			assert.True(t, e.Verified)
			assert.NotEmpty(t, e.Hint())
			assert.Equal(t, "alipay: TOKEN_INVALID (400): token无效 [app 2021000000000001] [trace 21140000test] [request my-request_1]", e.Error())
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		client := newClient(t, serve(t, unsigned(403, "<html>no</html>")).URL)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		var e *alipay.APIError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, 403, e.StatusCode)
		assert.Empty(t, e.Code)
		assert.Equal(t, "<html>no</html>", string(e.Body))
		assert.Equal(t, "trace-1", e.TraceID)
		assert.False(t, e.Verified)
		assert.NotEmpty(t, e.Hint())
	})
}

func TestAMockedAPIErrorMeansWhatARealOneDoes(t *testing.T) {
	assert.ErrorIs(t, &alipay.APIError{StatusCode: 500}, alipay.ErrOutcomeUnknown)
	assert.ErrorIs(t, &alipay.APIError{StatusCode: 429}, alipay.ErrNotDelivered)
	assert.Equal(t, "no", meaning(t, &alipay.APIError{Code: alipay.CodeTokenInvalid}))
	assert.ErrorIs(t, &alipay.APIError{Code: alipay.CodeTokenInvalid}, alipay.CodeTokenInvalid)
	assert.NotErrorIs(t, &alipay.APIError{Code: alipay.CodeTokenInvalid}, alipay.CodeSystemError)
}

func TestATraceIDOfNullIsNone(t *testing.T) {
	t.Parallel()
	for _, handler := range []http.HandlerFunc{
		tampered(200, successBody, "alipay-trace-id", "null"),
		tampered(400, `{"code":"TOKEN_INVALID"}`, "alipay-trace-id", "null"),
	} {
		got, err := newClient(t, serve(t, handler).URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		if err == nil {
			assert.Empty(t, got.Meta.TraceID)
			continue
		}
		var e *alipay.APIError
		require.ErrorAs(t, err, &e)
		assert.Empty(t, e.TraceID)
		assert.NotContains(t, err.Error(), "null")
	}
}

func TestTheLargestLimitIsNoMistake(t *testing.T) {
	client := newClient(t, serve(t, signed(200, successBody)).URL, alipay.WithMaxResponseBytes(math.MaxInt64))
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.NoError(t, err)
}

func TestASuccessIsAJSONObjectAlsoForThoseWhoReadTheBody(t *testing.T) {
	t.Parallel()
	for body, fits := range map[string]bool{`{"a":1}`: true, "": false, "[]": false, "{}x": false, "<html>": false} {
		client := newClient(t, serve(t, signed(200, body)).URL)
		resp, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil)
		if fits {
			require.NoError(t, err)
			assert.Equal(t, body, string(resp.Body))
		} else {
			assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown, body)
		}
	}
}

func TestACancelledPauseSatisfiesTheContextsError(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(429)
	})
	ctx, cancel := context.WithCancel(t.Context())
	pausing := alipay.WithObserver(alipay.Observer{AttemptDone: func(_ context.Context, attempt alipay.AttemptInfo) {
		assert.Positive(t, attempt.Pause)
		cancel()
	}})
	_, err := newClient(t, s.URL, pausing).ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, alipay.ErrNotDelivered)
	var apiErr *alipay.APIError
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, 429, apiErr.StatusCode)
}

func TestExactlyTheLimitIsFine(t *testing.T) {
	t.Parallel()
	body := `{"x":"` + strings.Repeat("a", 1000) + `"}`
	for name, handler := range map[string]http.HandlerFunc{
		"with Content-Length": signed(200, body),
		"chunked": func(w http.ResponseWriter, r *http.Request) {
			signHeader(w.Header(), []byte(body), time.Now())
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, body)
		},
		"compressed": func(w http.ResponseWriter, r *http.Request) {
			signHeader(w.Header(), []byte(body), time.Now())
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, body)
			_ = z.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, handler).URL
			_, err := newClient(t, url, alipay.WithMaxResponseBytes(int64(len(body)))).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			assert.NoError(t, err)
			_, err = newClient(t, url, alipay.WithMaxResponseBytes(int64(len(body)-1))).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			assert.ErrorIs(t, err, alipay.ErrResponseTooLarge)
		})
	}
}

func TestConnectionsAreReusedAfterErrors(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"400":       unsigned(400, `{"code":"X"}`),
		"500":       unsigned(500, "<html>"),
		"signed no": signed(400, `{"code":"X"}`),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/")
			w.WriteHeader(302)
			_, _ = io.WriteString(w, strings.Repeat("x", 10000))
		},
		"too large": unsigned(200, strings.Repeat("x", 2000)),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, handler)
			client := newClient(t, s.URL, alipay.WithMaxResponseBytes(1000))
			for range 5 {
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
				require.Error(t, err)
			}
			assert.EqualValues(t, 1, s.connections.Load())
		})
	}
}

// The body is drained so that its connection can be used again, which is worth
// little of the time that the call has.
func TestABodyThatIsNotWantedTakesASecondAtMost(t *testing.T) {
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

func TestRedirectsReachNoSecondHost(t *testing.T) {
	t.Parallel()
	second := serve(t, func(http.ResponseWriter, *http.Request) {})
	for _, status := range []int{301, 302, 303, 307, 308} {
		first := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, second.URL+"/steal?"+r.URL.RawQuery, status)
		})
		followed := false
		caller := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { followed = true; return nil }}
		for name, opts := range map[string][]alipay.Option{"default": nil, "caller's": {alipay.WithHTTPClient(caller)}} {
			t.Run(fmt.Sprint(name, status), func(t *testing.T) {
				_, err := newClient(t, first.URL, opts...).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.ErrorIs(t, err, alipay.ErrRedirect)
				assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
				assert.Zero(t, second.requests.Load())
				assert.Zero(t, second.connections.Load())
				assert.False(t, followed)
				assert.NotContains(t, err.Error(), second.URL)
			})
		}
	}
}

func TestTheTimeoutCoversTheWholeCall(t *testing.T) {
	t.Parallel()
	slow := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	trickle := func(w http.ResponseWriter, r *http.Request) {
		signHeader(w.Header(), []byte(successBody), time.Now())
		for {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
	const timeout = time.Second
	for name, options := range map[string]func(http.RoundTripper) []alipay.Option{
		"WithTimeout": func(rt http.RoundTripper) []alipay.Option {
			return []alipay.Option{alipay.WithHTTPClient(&http.Client{Transport: rt}), alipay.WithTimeout(timeout)}
		},
		"the caller's http.Client": func(rt http.RoundTripper) []alipay.Option {
			return []alipay.Option{alipay.WithHTTPClient(&http.Client{Transport: rt, Timeout: timeout})}
		},
		"WithTimeout before the http.Client": func(rt http.RoundTripper) []alipay.Option {
			return []alipay.Option{alipay.WithTimeout(timeout), alipay.WithHTTPClient(&http.Client{Transport: rt, Timeout: time.Hour})}
		},
	} {
		for where, handler := range map[string]http.HandlerFunc{"before the answer": slow, "within the answer": trickle} {
			t.Run(name+" "+where, func(t *testing.T) {
				inBubble(t, handler, func(t *testing.T, transport *http.Transport) {
					client := newClient(t, "http://127.0.0.1", options(transport)...)
					began := time.Now()
					_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
					assert.Equal(t, timeout, time.Since(began))
					require.ErrorIs(t, err, context.DeadlineExceeded)
					assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
					var ended net.Error
					require.ErrorAs(t, err, &ended)
					assert.True(t, ended.Timeout())
				})
			})
		}
	}
	t.Run("cancelled by the caller", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		arrived := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel(errors.New("because of " + testCertNo))
			<-r.Context().Done()
		})
		_, err := newClient(t, arrived.URL).ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		assert.NotContains(t, err.Error(), testCertNo)
	})
	t.Run("with all attempts", func(t *testing.T) {
		s := serve(t, unsigned(429, ""))
		_, err := newClient(t, s.URL, alipay.WithTimeout(time.Minute),
			alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Hour, MaxDelay: time.Hour})).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrNotDelivered)
		assert.EqualValues(t, 1, s.requests.Load(), "the first pause is longer than the timeout")
	})
}

func TestAnErrorToALargeRequestIsMaskedInBounds(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		unsigned(400, `{"code":"X","message":`+string(body[:min(len(body), 900_000)])+`"}`)(w, r)
	}
	client := newClient(t, serve(t, echo).URL)
	for name, body := range map[string]any{
		"one repetitive value": strings.Repeat("A", 2<<20),
		"many small ones":      make([]int, 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: body}, nil)
			assert.Equal(t, "no", meaning(t, err))
			assert.NotContains(t, err.Error(), "AAAA")
		})
	}
}
