package alipay_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

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

func bomb(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		z := gzip.NewWriter(w)
		_, _ = io.CopyN(z, zeros{}, 64<<20)
		_ = z.Close()
	}
}

// TestEveryAnswerHasExactlyOneOutcome is rule 2 as a table.
func TestEveryAnswerHasExactlyOneOutcome(t *testing.T) {
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
		{"200 broken off, unsigned", brokenOff(200, false), "unknown", io.ErrUnexpectedEOF, false},
		{"200 too large", signed(200, `{"x":"`+strings.Repeat("a", 1<<20)+`"}`), "unknown", alipay.ErrResponseTooLarge, false},
		{"200 compressed bomb", bomb(200), "unknown", alipay.ErrResponseTooLarge, false},
		{"201 signed, no result", signed(201, `{"user_id":"1"}`), "unknown", nil, false},
		{"202 unsigned", unsigned(202, successBody), "unknown", alipay.ErrResponseUnsigned, false},
		{"204", unsigned(204, ""), "unknown", alipay.ErrResponseUnsigned, false},
		{"304 signed", signed(304, successBody), "unknown", nil, false},
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
		{"200 app-call-limited", signed(200, code(alipay.CodeAppCallLimited)), "not delivered", alipay.CodeAppCallLimited, true},
		{"403 app-call-limited", unsigned(403, code(alipay.CodeAppCallLimited)), "not delivered", alipay.CodeAppCallLimited, true},
		{"400 method-call-limited", signed(400, code(alipay.CodeMethodCallLimited)), "not delivered", alipay.CodeMethodCallLimited, true},
		{"400 signed", signed(400, code(alipay.CodeTokenInvalid)), "answered", alipay.CodeTokenInvalid, true},
		{"400 unsigned", unsigned(400, `{"code":"missing-timestamp","message":"缺少时间戳参数"}`), "answered", alipay.CodeMissingTimestamp, true},
		{"400 signature null", tampered(400, code(alipay.CodeTokenInvalid), "alipay-signature", "null"), "answered", alipay.CodeTokenInvalid, true},
		{"401", unsigned(401, code(alipay.CodeInvalidSignature)), "answered", alipay.CodeInvalidSignature, true},
		{"403 HTML", unsigned(403, html), "answered", nil, true},
		{"404 empty", unsigned(404, ""), "answered", nil, true},
		{"400 not UTF-8", unsigned(400, "\xff\xfe{"), "answered", nil, true},
		{"400 signed, not JSON", signed(400, html), "answered", nil, true},
		{"400 unsigned and broken off", brokenOff(400, false), "answered", io.ErrUnexpectedEOF, true},
		{"400 unsigned and too large", unsigned(400, strings.Repeat("x", 1<<20+1)), "answered", alipay.ErrResponseTooLarge, true},
		{"400 a code nobody knows", signed(400, code("brand-new")), "answered", alipay.ErrorCode("brand-new"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.handler)
			client := newClient(t, s.URL, once)
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

func TestBodyIsVerifiedAsReceived(t *testing.T) {
	// White space, escapes and order that a decoder would not keep.
	const body = "\n {\"identity_result\":\"SUCCESS\", \"user_id\" : \"\\u0032\", \"open_id\":\"\u9a8c\"} \r\n"
	client := newClient(t, serve(t, signed(200, body)).URL)
	got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, body, string(got.Meta.Body))
	assert.Equal(t, "2", got.UserID)
	assert.Equal(t, "验", got.OpenID)
}

// TestNothingUnverifiedIsReturned changes every byte of an answer, and every
// character of what signs it, and leaves each of those out.
func TestNothingUnverifiedIsReturned(t *testing.T) {
	t.Parallel()
	const body = `{"identity_result":"SUCCESS","user_id":"2088402562742105"}`
	signedHeaders := []string{"alipay-signature", "alipay-timestamp", "alipay-nonce"}
	var change func(h http.Header, body []byte) []byte
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		signHeader(w.Header(), []byte(body), time.Now())
		_, _ = w.Write(change(w.Header(), []byte(body)))
	})
	client := newClient(t, s.URL)
	changes := map[string]func(h http.Header, body []byte) []byte{
		"body cut":      func(_ http.Header, body []byte) []byte { return body[:len(body)-1] },
		"body empty":    func(http.Header, []byte) []byte { return nil },
		"body extended": func(_ http.Header, body []byte) []byte { return append(body[:len(body)-1:len(body)-1], `,"a":1}`...) },
	}
	for i := range body {
		changes[fmt.Sprint("body ", i)] = func(_ http.Header, body []byte) []byte { body[i] ^= 1; return body }
	}
	for _, name := range signedHeaders {
		changes["without "+name] = func(h http.Header, body []byte) []byte { h.Del(name); return body }
		for i := range 20 {
			changes[fmt.Sprint(name, " ", i)] = func(h http.Header, body []byte) []byte {
				value := []byte(h.Get(name))
				at := i * len(value) / 20
				if value[at]++; value[at] > 'z' || value[at] > '9' && value[at] < 'A' {
					value[at] = '0'
				}
				h.Set(name, string(value))
				return body
			}
		}
	}
	for name, tampering := range changes {
		change = tampering
		got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown, name)
		require.Nil(t, got, name)
		out := struct{ A int }{7}
		resp, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &out)
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown, name)
		require.Nil(t, resp, name)
		require.Equal(t, 7, out.A, name)
	}
	change = func(_ http.Header, body []byte) []byte { return body }
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.NoError(t, err)
}

func TestAnswersAreDecodedAsLenientlyAsInTheJavaSDK(t *testing.T) {
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

// reset is a connection that is reset where the other one was only closed. A real
// reset also discards what has not been read yet.
type reset struct{ net.Conn }

func (c reset) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return n, err
}

func resetting(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	return reset{conn}, err
}

// TestSignatureSaysWhetherABodyIsComplete, and not its framing: what came before
// the end was broken off is all that Alipay has signed.
func TestSignatureSaysWhetherABodyIsComplete(t *testing.T) {
	t.Parallel()
	answerOf := func(body string, lines ...string) string {
		h := http.Header{}
		signHeader(h, []byte(successBody), time.Now())
		var b strings.Builder
		_ = h.Write(&b)
		return strings.Join(lines, "\r\n") + "\r\n" + b.String() + "\r\n" + body
	}
	packed := gzipped(successBody)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(successBody), successBody)
	length := func(n int) string { return fmt.Sprint("Content-Length: ", n) }
	answers := map[string]string{
		"without the last chunk":            answerOf(chunk, "HTTP/1.1 200 OK", "Transfer-Encoding: chunked"),
		"without the last line end":         answerOf(chunk+"0\r\n", "HTTP/1.1 200 OK", "Transfer-Encoding: chunked"),
		"without the line end of its chunk": answerOf(strings.TrimSuffix(chunk, "\r\n"), "HTTP/1.1 200 OK", "Transfer-Encoding: chunked"),
		"a length that is one too large":    answerOf(successBody, "HTTP/1.1 200 OK", length(len(successBody)+1)),
		"a length far too large":            answerOf(successBody, "HTTP/1.1 200 OK", length(100_000)),
		"gzip without its trailer":          answerOf(packed[:len(packed)-8], "HTTP/1.1 200 OK", "Content-Encoding: gzip", length(len(packed)-8)),
		"gzip without half of its trailer":  answerOf(packed[:len(packed)-4], "HTTP/1.1 200 OK", "Content-Encoding: gzip", length(len(packed)-4)),
		"gzip, and a length too large":      answerOf(packed, "HTTP/1.1 200 OK", "Content-Encoding: gzip", length(len(packed)+1)),
		"HTTP/1.0 without a length":         answerOf(successBody, "HTTP/1.0 200 OK"),
	}
	for name, answer := range answers {
		for end, opts := range map[string][]alipay.Option{
			"closed": nil,
			"reset":  {alipay.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: resetting}})},
		} {
			t.Run(name+", then "+end, func(t *testing.T) {
				base := rawServer(t, func(conn net.Conn, _ int) {
					_, _ = readRequest(bufio.NewReader(conn))
					_, _ = io.WriteString(conn, answer)
				})
				got, err := newClient(t, base, opts...).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.NoError(t, err)
				assert.Equal(t, testOpenID, got.OpenID)
				assert.Equal(t, successBody, string(got.Meta.Body))
			})
		}
		t.Run(name+", then open until the timeout", func(t *testing.T) {
			inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					panic(err)
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, answer)
				_, _ = conn.Read(make([]byte, 1)) // until the client hangs up
			}, func(t *testing.T, transport *http.Transport) {
				client := newClient(t, "http://127.0.0.1", alipay.WithHTTPClient(&http.Client{Transport: transport}), alipay.WithTimeout(5*time.Second),
					alipay.WithMaxClockSkew(100*365*24*time.Hour)) // the answers were signed outside of the bubble
				began := time.Now()
				got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.NoError(t, err)
				assert.Equal(t, testOpenID, got.OpenID)
				if !strings.HasPrefix(name, "gzip without") {
					assert.Equal(t, 5*time.Second, time.Since(began))
				}
			})
		})
	}
	t.Run("not all of it came", func(t *testing.T) {
		base := rawServer(t, func(conn net.Conn, _ int) {
			_, _ = readRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, answerOf(successBody[:len(successBody)-1], "HTTP/1.1 200 OK", length(len(successBody))))
		})
		_, err := newClient(t, base, once).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.NotErrorIs(t, err, alipay.ErrResponseSignature, "the bytes that did not come explain it")
		assert.NotContains(t, err.Error(), "store it", "nothing can open it")
	})
}

// TestDamageThatTheSignatureProvesIsUndoneAndLogged once for each kind and client.
// What was signed is verified, decoded and returned.
func TestDamageThatTheSignatureProvesIsUndoneAndLogged(t *testing.T) {
	t.Parallel()
	lines := strings.ReplaceAll(successBody, `,"`, ",\n\"")
	plus := func(sign string) string { return strings.ReplaceAll(sign, "+", " ") }
	asIs := func(sign string) string { return sign }
	for name, tt := range map[string]struct {
		signed, came string
		signature    func(string) string
		encoding     string
		change       string
	}{
		"a line feed at the end": {successBody, successBody + "\n", asIs, "", "white space at the end"},
		"blanks at the end":      {successBody, successBody + "  \r\n", asIs, "", "white space at the end"},
		"a byte order mark":      {successBody, "\ufeff" + successBody, asIs, "", "a byte order mark"},
		"CRLF for LF":            {lines, strings.ReplaceAll(lines, "\n", "\r\n"), asIs, "", "other line ends"},
		"x-gzip":                 {successBody, gzipped(successBody), asIs, "x-gzip", "compression"},
		"gzip that nobody names": {successBody, gzipped(successBody), asIs, "", "compression"},
		"deflate":                {successBody, deflated(successBody), asIs, "deflate", "compression"},
		"blanks in place of +":   {successBody, successBody, plus, "", "blanks in the signature"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				h := w.Header()
				for signHeader(h, []byte(tt.signed), time.Now()); tt.change == "blanks in the signature" && !strings.Contains(h.Get("alipay-signature"), "+"); {
					signHeader(h, []byte(tt.signed), time.Now())
				}
				h.Set("alipay-signature", tt.signature(h.Get("alipay-signature")))
				if tt.encoding != "" {
					h.Set("Content-Encoding", tt.encoding)
				}
				_, _ = io.WriteString(w, tt.came)
			})
			var log lockedBuffer
			client := newClient(t, s.URL, alipay.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			query := func() {
				got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.NoError(t, err)
				assert.Equal(t, testOpenID, got.OpenID)
				assert.Equal(t, tt.signed, string(got.Meta.Body))
			}
			query()
			s.opens(t, 0, query) // the answer was accepted
			assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
			assert.Contains(t, log.String(), "level=INFO")
			assert.Contains(t, log.String(), "change=")
			assert.Contains(t, log.String(), tt.change)
		})
	}
}

// TestStatusMakesNoSuccess: the status line is not signed. A success of a typed
// endpoint has a status of 2xx and a member of its own, one of Do has 200.
func TestStatusMakesNoSuccess(t *testing.T) {
	t.Parallel()
	const unusable, refused, done = "unusable", "refused", "done"
	for name, tt := range map[string]struct {
		status    int
		body      string
		query, do string
		code      alipay.ErrorCode
	}{
		"a result":                    {200, successBody, done, done, ""},
		"a result under 201":          {201, successBody, done, unusable, ""},
		"a result under 299":          {299, successBody, done, unusable, ""},
		"a result under 203":          {203, successBody, done, unusable, ""},
		"a result under 300":          {300, successBody, unusable, unusable, ""},
		"a result under 400":          {400, successBody, unusable, unusable, ""},
		"a result under 429":          {429, successBody, unusable, unusable, ""}, // which a refusal for load is repeated after
		"a result under 500":          {500, successBody, unusable, unusable, ""},
		"another's members under 429": {429, `{"agreement_status":"VALID","out_agreement_no":"1"}`, unusable, unusable, ""},
		"one that fits no type, 429":  {429, `{"identity_result":{}}`, unusable, unusable, ""},
		"a message under 400":         {400, `{"message":"m","links":[],"details":{}}`, refused, refused, ""},
		"an empty object under 400":   {400, `{}`, refused, refused, ""},
		"only ids":                    {200, `{"user_id":"1","open_id":"2"}`, unusable, done, ""},
		"its own member null":         {200, `{"identity_result":null}`, unusable, done, ""},
		"another endpoint's members":  {200, `{"agreement_status":"VALID","out_agreement_no":"1"}`, unusable, done, ""},
		"an error_response":           {200, `{"error_response":{"code":"1"}}`, unusable, done, ""},
		"SYSTEM_ERROR beside ids":     {200, `{"code":"SYSTEM_ERROR","user_id":"1"}`, refused, refused, alipay.CodeSystemError},
		"an empty object":             {200, `{}`, unusable, done, ""},
		"a code and a message":        {200, `{"code":"TOKEN_INVALID","message":"m"}`, refused, refused, alipay.CodeTokenInvalid},
		"with links and details":      {200, `{"code":"TOKEN_INVALID","message":"m","links":[],"details":{}}`, refused, refused, alipay.CodeTokenInvalid},
		"with another member":         {200, `{"code":"TOKEN_INVALID","message":"m","more":1}`, refused, done, alipay.CodeTokenInvalid},
		"without a message":           {200, `{"code":"TOKEN_INVALID"}`, refused, done, alipay.CodeTokenInvalid},
		"a message that is no string": {200, `{"code":"TOKEN_INVALID","message":1}`, refused, done, alipay.CodeTokenInvalid},
		"a code that nobody knows":    {200, `{"code":"brand-new","message":"m"}`, refused, done, "brand-new"},
		"a code that is no string":    {200, `{"code":40004,"message":"m"}`, refused, done, "40004"},
		"a code and a sub_code":       {200, `{"code":"40004","sub_code":"TOKEN_INVALID","msg":"m","sub_msg":"s"}`, refused, done, alipay.CodeTokenInvalid},
		"a code beside a result":      {200, `{"code":"TOKEN_INVALID","identity_result":"SUCCESS"}`, done, done, ""},
		"refused for load":            {200, `{"code":"app-call-limited","message":"m"}`, refused, refused, alipay.CodeAppCallLimited},
		"a code beside ids":           {202, `{"code":"TOKEN_INVALID","user_id":"1"}`, refused, unusable, alipay.CodeTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, serve(t, signed(tt.status, tt.body)).URL, once)
			out := map[string]any{"before": true}
			for by, err := range map[string]error{
				tt.query + " by Query": second(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)),
				tt.do + " by Do":       second(client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &out)),
			} {
				want, _, _ := strings.Cut(by, " ")
				var api *alipay.APIError
				switch want {
				case done:
					require.NoError(t, err, by)
				case refused:
					require.ErrorAs(t, err, &api, by)
					assert.Equal(t, tt.code, api.Code, by)
					assert.True(t, api.Verified, by)
				default:
					require.Error(t, err, by)
					assert.False(t, errors.As(err, &api), by)
					assert.Equal(t, "unknown", meaning(t, err), by)
					assert.NotNil(t, sealedIn(err), by)
				}
			}
			if tt.do != done {
				assert.Equal(t, map[string]any{"before": true}, out)
			}
		})
	}
}

func TestSuccessIsAJSONObjectEvenWithoutOut(t *testing.T) {
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

func TestBodyOfExactlyTheLimitIsAccepted(t *testing.T) {
	t.Parallel()
	body := `{"token_status":"` + strings.Repeat("a", 1000) + `"}`
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
			_, err = newClient(t, url, alipay.WithMaxResponseBytes(math.MaxInt64)).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			assert.NoError(t, err)
		})
	}
}

func TestMalformedHTTPIsOutcomeUnknownAndNotShown(t *testing.T) {
	t.Parallel()
	for _, garbage := range []string{
		testCertNo + " garbage\r\n\r\n", "HTTP/1.1 " + testCertNo + " OK\r\n\r\n", "HTTP/1.1 200 OK\r\n" + testCertNo + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: " + testCertNo + "x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + testCertNo + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + testCertNo + "zz\r\n", "HTTP/1.1 200 OK\r\nX-Half: " + testCertNo, "\x00\x01\x02", "",
	} {
		base := rawServer(t, func(conn net.Conn, _ int) {
			_, _ = readRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, garbage)
		})
		_, err := newClient(t, base).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		for _, text := range allTexts(err) {
			assert.NotContains(t, text, testCertNo)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
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

func TestAlteredAnswerIsToldFromOneUnderAnotherKey(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		altered bool
	}{
		"another key":        {signedBySwapped(t, successBody), false},
		"another body":       {tampered(200, successBody, "alipay-nonce", "other"), true},
		"no signature":       {tampered(200, successBody, "alipay-signature", "AAAA"), false},
		"another time":       {tampered(200, successBody, "alipay-timestamp", strconv.FormatInt(time.Now().UnixMilli()+1, 10)), true},
		"a refusal, altered": {tampered(400, `{"code":"TOKEN_INVALID"}`, "alipay-nonce", "other"), true},
		"a refusal under another key": {func(w http.ResponseWriter, r *http.Request) {
			signAs(w.Header(), appKey(t), "", "{}", time.Now())
			w.WriteHeader(400)
			_, _ = io.WriteString(w, "{}")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, serve(t, tt.handler).URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			require.ErrorIs(t, err, alipay.ErrResponseSignature)
			assert.Equal(t, tt.altered, errors.Is(err, alipay.ErrResponseAltered))
			assert.Equal(t, !tt.altered, strings.Contains(err.Error(), "支付宝公钥"), "which key to configure: %v", err)
		})
	}
}

// rawAnswerWithoutNonce is a whole signed answer that has no nonce.
func rawAnswerWithoutNonce(body string) string {
	timestamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	signature, err := protocol.Sign(alipayKey(), protocol.SignedContent(timestamp, "", []byte(body)))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nAlipay-Timestamp: %s\r\nAlipay-Signature: %s\r\n\r\n%s", len(body), timestamp, signature, body)
}

// alwaysAnswering answers every request with the same bytes.
func alwaysAnswering(t testing.TB, answer string) string {
	return rawServer(t, func(conn net.Conn, _ int) {
		r := bufio.NewReader(conn)
		for {
			if _, err := readRequest(r); err != nil {
				return
			}
			_, _ = conn.Write([]byte(answer))
		}
	})
}

func TestSignedAnswerIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"a result":                 resultOf(testUserID),
		"an answer without a user": waitingBody,
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, alwaysAnswering(t, rawAnswer(200, answer)))
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err)
			for n := range 20 {
				got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: strconv.Itoa(n)})
				require.ErrorIs(t, err, alipay.ErrResponseReplayed)
				assert.Equal(t, "unknown", meaning(t, err))
				assert.Nil(t, got)
				var failed *alipay.CallError
				require.ErrorAs(t, err, &failed)
				assert.Nil(t, failed.Answer, "it is somebody else's")
			}
		})
	}
	for name, change := range map[string]func(signature string) string{ // which is read in each of these spellings
		"its + lost":          func(s string) string { return strings.ReplaceAll(s, "+", " ") },
		"a blank in it":       func(s string) string { return s[:5] + " " + s[5:] },
		"a tab, a hard blank": func(s string) string { return s[:7] + "\t" + s[7:11] + "\u00a0" + s[11:] },
	} {
		t.Run("again, "+name, func(t *testing.T) {
			head := http.Header{}
			for !strings.Contains(head.Get("alipay-signature")[:min(20, len(head.Get("alipay-signature")))], "+") {
				signHeader(head, []byte(successBody), time.Now())
			}
			asItIs := func(s string) string { return s }
			for _, spellings := range [][]func(string) string{{asItIs, change}, {change, asItIs}, {change, change}} {
				handlers := make([]http.HandlerFunc, 0, 2)
				for _, spelling := range spellings {
					handlers = append(handlers, func(w http.ResponseWriter, _ *http.Request) {
						maps.Copy(w.Header(), head)
						w.Header().Set("alipay-signature", spelling(head.Get("alipay-signature")))
						_, _ = io.WriteString(w, successBody)
					})
				}
				client := newClient(t, script(t, handlers...).URL)
				_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
				require.NoError(t, err)
				_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "another"})
				require.ErrorIs(t, err, alipay.ErrResponseReplayed)
			}
		})
	}
	t.Run("a signed refusal", func(t *testing.T) {
		client := newClient(t, alwaysAnswering(t, rawAnswer(400, `{"code":"TOKEN_INVALID","message":"token无效"}`)))
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.CodeTokenInvalid)
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrResponseReplayed)
		assert.NotErrorIs(t, err, alipay.CodeTokenInvalid)
		assert.Equal(t, "unknown", meaning(t, err))
	})
	t.Run("one that does not verify", func(t *testing.T) {
		altered := strings.Replace(rawAnswer(200, waitingBody), "WAITING_VERIFY", "WAITING-VERIFY", 1)
		client := newClient(t, alwaysAnswering(t, altered))
		for range 2 { // nobody was given it
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrResponseAltered)
			assert.NotNil(t, sealedIn(err))
		}
	})
	t.Run("not so without a nonce", func(t *testing.T) {
		client := newClient(t, alwaysAnswering(t, rawAnswerWithoutNonce(resultOf(testUserID))))
		for range 3 {
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err)
		}
	})
}

// cachingTransport keeps the first answer, as a cache that takes no notice of
// Cache-Control does.
type cachingTransport struct {
	base http.RoundTripper
	kept []byte
	head http.Response
}

func (c *cachingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.kept == nil {
		resp, err := c.base.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		c.kept, _ = io.ReadAll(resp.Body)
		c.head = *resp
	}
	resp := c.head
	resp.Body = io.NopCloser(bytes.NewReader(c.kept))
	return &resp, nil
}

func TestCachedAnswerIsRefused(t *testing.T) {
	t.Parallel()
	t.Run("it is told so", func(t *testing.T) {
		var header atomic.Value
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			header.Store(r.Header.Get("Cache-Control"))
			answer(w, 200, waitingBody)
		})
		_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err)
		assert.Equal(t, "no-store", header.Load())
	})
	t.Run("one that keeps answers all the same", func(t *testing.T) {
		s := serve(t, signed(200, waitingBody))
		transport := &cachingTransport{base: http.DefaultTransport}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		attempts := 0
		endAfterTwoPolls := alipay.WithObserver(alipay.Observer{AttemptDone: func(context.Context, alipay.AttemptInfo) {
			if attempts++; attempts == 4 {
				cancel()
			}
		}})
		client := newClient(t, s.URL, alipay.WithHTTPClient(&http.Client{Transport: transport}), endAfterTwoPolls)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err)
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrResponseReplayed)
		_, err = client.ZhimaCustomerJobworthAuthentication.WaitForResult(ctx, testParams(), quickly)
		require.ErrorIs(t, err, alipay.ErrStillWaiting)
		assert.Equal(t, "unknown", meaning(t, err), "no poll was answered")
		// A client that has not seen the answer knows that nothing was sent.
		other := newClient(t, s.URL, alipay.WithHTTPClient(&http.Client{Transport: transport}))
		_, err = other.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrResponseReplayed)
		assert.Contains(t, err.Error(), "cache")
		assert.EqualValues(t, 1, s.requests.Load())
	})
	for age, taken := range map[string]bool{"0": true, "1": false, "86400": false, "-1": false, "x": false} {
		t.Run("Age "+age, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Age", age)
				answer(w, 200, waitingBody)
			})
			_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			assert.Equal(t, taken, err == nil)
			assert.Equal(t, !taken, errors.Is(err, alipay.ErrResponseReplayed))
		})
	}
}

// TestAnswerInGBKIsUsed is rule 17: it keeps its ASCII, what is not ASCII is not
// compared, and the log says so.
func TestAnswerInGBKIsUsed(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	client := newClient(t, serve(t, signed(200, "{\"identity_result\":\"SUCCESS\",\"open_id\":\"\xc4\xa3\x95\x5c\"}")).URL, logTo(&log))
	for range 2 {
		got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.NoError(t, err)
		assert.Equal(t, "\ufffd\ufffd\ufffd\ufffd", got.OpenID)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "an answer is not in UTF-8"), log.String())
	assert.NotContains(t, log.String(), "changed on its way")
	for _, sign := range []func(int, string) http.HandlerFunc{signed, unsigned} {
		_, err := newClient(t, serve(t, sign(400, "{\"message\":\"token\xce\xde\x95\x5c\",\"code\":\"TOKEN_INVALID\"}")).URL).
			ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.CodeTokenInvalid)
	}
}

// TestAnswerThatDoesNotFitIsKeptAndItsMemberNamed is rule 2: it verifies, which member does
// not fit, and nothing of its values.
func TestAnswerThatDoesNotFitIsKeptAndItsMemberNamed(t *testing.T) {
	t.Parallel()
	const body = `{"validity_seconds":"31536000","id":2026112722001426251450957042,"user":{"number":"420192931233123123x"}}`
	client := newClient(t, serve(t, signed(200, body)).URL)
	var fits struct {
		ValiditySeconds int64 `json:"validity_seconds"`
		ID              any   `json:"id"`
	}
	_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &fits)
	require.NoError(t, err)
	assert.EqualValues(t, 31536000, fits.ValiditySeconds)
	assert.Equal(t, json.Number("2026112722001426251450957042"), fits.ID)
	var open map[string]any
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &open)
	require.NoError(t, err)
	assert.Equal(t, json.Number("2026112722001426251450957042"), open["id"])

	var misfit struct {
		User struct {
			Number int64 `json:"number"`
		} `json:"user"`
	}
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, &misfit)
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.False(t, alipay.Retryable(err))
	assert.Contains(t, err.Error(), "the answer verifies, but its member user.number does not fit the Go value: a string where int64 belongs")
	assert.NotContains(t, err.Error(), "4201")
	_, err = client.Open(stored(t, sealedIn(err)), nil)
	require.NoError(t, err)
}

// TestAnAnswerThatWasGivenIsAReplayWhateverElseIsWrong: it is not kept, since nothing
// is lost.
func TestAnAnswerThatWasGivenIsAReplayWhateverElseIsWrong(t *testing.T) {
	signed, now := http.Header{}, time.Now()
	signHeader(signed, []byte(successBody), now)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), signed)
		_, _ = io.WriteString(w, successBody)
	})
	client := newClient(t, s.URL, alipay.WithClock(func() time.Time { return now }))
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err)
	now = now.Add(time.Hour) // it is stale as well
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrResponseReplayed)
	assert.NotErrorIs(t, err, alipay.ErrResponseStale)
	assert.Nil(t, sealedIn(err))
}
