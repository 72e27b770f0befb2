package alipay_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func TestLeakDetectorDetects(t *testing.T) {
	secret := "once-7c1f5be0a9d24"
	type plain struct {
		Secret string
		Bytes  []byte
	}
	for _, v := range []any{secret, []byte(secret), plain{Secret: secret}, plain{Bytes: []byte("x" + secret)}, []plain{{secret, nil}}, errors.New("got " + secret)} {
		found := map[string]bool{}
		for name, text := range printed(v) {
			if leaks(text, secret) != "" {
				found[name] = true
			}
		}
		for _, name := range []string{"%v", "%+v", "%s", "%q", "%x", "%X", "% x", "%d", "Sprint", "Sprintln", "extra operand", "slog text", "slog JSON", "slog text, in containers"} {
			assert.True(t, found[name], "%T under %s", v, name)
		}
	}
	assert.Empty(t, leaks("nothing of it", secret))
}

// TestNoErrorShowsWhatWasSentOrReceived walks through every way in which a call
// fails and looks at every error of the tree.
func TestNoErrorShowsWhatWasSentOrReceived(t *testing.T) {
	t.Parallel()
	const received = "received-13912345678-zhang"
	echo := testToken + " " + testCertNo + " " + testUserID + " " + testOpenID + " " + testConnKey + " " + received
	type handler = func(http.ResponseWriter, *http.Request)
	echoing := func(f handler) handler {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Echo", echo)
			w.Header().Set("Location", "/elsewhere?"+r.URL.RawQuery+"#"+received)
			f(w, r)
		}
	}
	signedAs := func(status int, body string) handler {
		return func(w http.ResponseWriter, r *http.Request) { answer(w, status, body) }
	}
	raw := func(status int, body string) handler {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }
	}
	servers := map[string]handler{
		"html page of a proxy": raw(502, "<html>"+echo),
		"unsigned success":     raw(200, `{"user_id":"`+echo+`"}`),
		"unsigned error":       raw(400, `{"code":"`+testToken+`","message":"`+echo[:len(echo)-len(received)]+`"}`),
		"unsigned, not JSON":   raw(400, echo),
		"tampered": func(w http.ResponseWriter, r *http.Request) {
			signHeader(w.Header(), []byte("x"), time.Now())
			_, _ = io.WriteString(w, echo)
		},
		"tampered error": func(w http.ResponseWriter, r *http.Request) {
			signHeader(w.Header(), []byte("x"), time.Now())
			w.WriteHeader(400)
			_, _ = io.WriteString(w, echo)
		},
		"stale": func(w http.ResponseWriter, r *http.Request) {
			signHeader(w.Header(), []byte(echo), time.Now().Add(-time.Hour))
			_, _ = io.WriteString(w, echo)
		},
		"no timestamp": func(w http.ResponseWriter, r *http.Request) {
			signHeader(w.Header(), []byte(echo), time.Now())
			w.Header().Set("alipay-timestamp", echo)
			_, _ = io.WriteString(w, echo)
		},
		"signed, not JSON":            signedAs(200, echo),
		"signed, broken JSON":         signedAs(200, `{"user_id":"`+echo),
		"signed, array":               signedAs(200, `["`+echo+`"]`),
		"signed, object for a string": signedAs(200, `{"user_id":{"`+echo+`":1}}`),
		"signed 204":                  signedAs(204, ""),
		"signed 202":                  signedAs(202, `{"user_id":"`+echo+`"}`),
		"signed 500":                  signedAs(500, `{"code":"SYSTEM_ERROR","message":"`+echo[:len(echo)-len(received)]+`"}`),
		"signed 400, broken":          signedAs(400, `{"code":"`+echo),
		"too large":                   signedAs(200, `{"user_id":"`+strings.Repeat(echo, 100)+`"}`),
		"too large error":             signedAs(400, `{"code":"`+strings.Repeat(echo, 100)+`"}`),
		"redirect 302":                raw(302, echo),
		"redirect 307":                raw(307, echo),
		"hangs up":                    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"breaks off": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "9999")
			signHeader(w.Header(), []byte(echo), time.Now())
			_, _ = io.WriteString(w, echo)
			panic(http.ErrAbortHandler)
		},
		"gzip that is none": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			signHeader(w.Header(), []byte(echo), time.Now())
			_, _ = io.WriteString(w, echo)
		},
		"too late":                  func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() },
		"429":                       raw(429, echo),
		"malformed answer":          hijackedWith("HTTP/1.1 " + echo + "\r\n\r\n"),
		"not HTTP":                  hijackedWith(echo + "\r\n\r\n"),
		"malformed header":          hijackedWith("HTTP/1.1 200 OK\r\n" + strings.ReplaceAll(echo, " ", "\x01") + "\r\n\r\n"),
		"malformed chunk":           hijackedWith("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nAlipay-Signature: x\r\n\r\n" + echo + "\r\n"),
		"bad Content-Length":        hijackedWith("HTTP/1.1 200 OK\r\nContent-Length: " + testCertNo + "x\r\n\r\n"),
		"unknown transfer encoding": hijackedWith("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + testToken + "\r\n\r\n"),
	}
	failing := map[string]func(t *testing.T) []error{}
	for name, handle := range servers {
		failing[name] = func(t *testing.T) []error {
			s := serve(t, echoing(handle))
			timeout := time.Minute
			if name == "too late" {
				timeout = 150 * time.Millisecond
			}
			client := newClient(t, s.URL, alipay.WithMaxResponseBytes(2000), alipay.WithTimeout(timeout), alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Microsecond}))
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams(), alipay.WithAppAuthToken(testAuthTok))
			_, doErr := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/any", Body: testParams()}, &map[string]int{})
			return []error{err, doErr}
		}
	}
	query := func(t *testing.T, client *alipay.Client, opts ...alipay.RequestOption) []error {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams(), opts...)
		return []error{err}
	}
	failing["nobody listens"] = func(t *testing.T) []error {
		s := httptest.NewServer(http.NotFoundHandler())
		s.Close()
		return query(t, newClient(t, s.URL, once))
	}
	failing["TLS"] = func(t *testing.T) []error {
		s := serve(t, final, func(s *httptest.Server) { s.StartTLS() })
		return query(t, newClient(t, s.URL, once))
	}
	failing["a transport that tells all"] = func(t *testing.T) []error {
		return query(t, newClient(t, "https://gateway.example", alipay.WithHTTPClient(&http.Client{Transport: tellingTransport{}})))
	}
	failing["a signer that tells nothing"] = func(t *testing.T) []error {
		config := testConfig(t, "https://gateway.example")
		config.PrivateKey, config.Signer = "", failingSigner(t)
		client := clientOf(t, config)
		return query(t, client)
	}
	failing["cancelled"] = func(t *testing.T) []error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		client := newClient(t, "http://127.0.0.1:1")
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
		return []error{err}
	}
	failing["undecryptable"] = func(t *testing.T) []error {
		s := serve(t, signed(200, echo))
		config := testConfig(t, s.URL)
		config.EncryptKey = "AAECAwQFBgcICQoLDA0ODw=="
		client := clientOf(t, config)
		return query(t, client)
	}
	failing["decrypted, then not JSON"] = func(t *testing.T) []error {
		cipher, err := aescbc.New("AAECAwQFBgcICQoLDA0ODw==")
		require.NoError(t, err)
		s := serve(t, signed(200, string(cipher.Encrypt([]byte(echo)))))
		config := testConfig(t, s.URL)
		config.EncryptKey = "AAECAwQFBgcICQoLDA0ODw=="
		client := clientOf(t, config)
		return query(t, client)
	}
	failing["unknown certificate"] = func(t *testing.T) []error {
		config, _ := certModeConfig(t)
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("alipay-sn", echo)
			answer(w, 200, successBody)
		})
		config.BaseURL = s.URL
		client := clientOf(t, config)
		return query(t, client)
	}
	failing["options that are refused"] = func(t *testing.T) []error {
		client := newClient(t, "http://127.0.0.1:1")
		var errs []error
		for _, opt := range []alipay.RequestOption{
			alipay.WithAppAuthToken(echo + "\n"), alipay.WithHeader(echo, "x"), alipay.WithHeader("X-A", echo+"\n"), alipay.WithHeader("Authorization", echo),
			alipay.WithQueryParam("", echo), alipay.WithQueryParam(echo+"\x00", "x"), alipay.WithRequestID(echo),
		} {
			errs = append(errs, query(t, client, opt)...)
		}
		for _, req := range []*alipay.Request{
			{Method: echo, Path: "/v3/x"}, {Path: "no-slash" + echo}, {Path: "/v3/%zz" + echo}, {Path: "/v3/x?" + echo}, {Path: "/v3/x", Query: echo},
			{Path: "/v3/x", Query: []string{echo}}, {Method: "POST", Path: "/v3/x", Body: []byte(echo)}, {Method: "POST", Path: "/v3/x", Body: map[string]any{echo: func() {}}},
			{Method: "POST", Path: "/v3/x", Body: tellingJSON{echo}}, {Path: "/v3/x", Body: echo},
		} {
			_, err := client.Do(t.Context(), req, nil)
			errs = append(errs, err)
		}
		_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x", Query: testParams()}, *testParams())
		return append(errs, err)
	}
	failing["waited in vain"] = func(t *testing.T) []error {
		s := serve(t, raw(502, echo))
		_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{Initial: time.Millisecond, Timeout: 30 * time.Millisecond})
		return []error{err}
	}
	failing["lost, then spent"] = func(t *testing.T) []error {
		var s *server
		s = serve(t, func(w http.ResponseWriter, r *http.Request) {
			if s.requests.Load() == 1 {
				panic(http.ErrAbortHandler)
			}
			answer(w, 400, `{"code":"TOKEN_INVALID","message":"token `+testToken+`"}`)
		})
		_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), testParams(), alipay.PollPolicy{Initial: time.Millisecond})
		return []error{err}
	}
	var sentinels sync.Map
	for name, fail := range failing {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secrets := append(personalValues(), testAuthTok, received)
			for _, err := range fail(t) {
				require.Error(t, err)
				everyError(err, func(e error) {
					if _, seen := sentinels.LoadOrStore(fmt.Sprintf("%p", e), true); seen && errors.Unwrap(e) == nil && reflect.TypeOf(e) == reflect.TypeOf(io.EOF) {
						return // one of the package's own
					}
					out := printed(e)
					out["JSON"] = mustJSON(t, e)
					out["JSON, nested"] = mustJSON(t, map[string]any{"error": []any{e}})
					assertKeepsSecret(t, out, secrets...)
				})
			}
		})
	}
}

// hijacked answers with bytes of the test's own and closes the connection.
func hijackedWith(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// tellingTransport fails with all it knows, as a caller's transport may.
type tellingTransport struct{}

func (tellingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	told := r.URL.String() + fmt.Sprint(r.Header) + testToken
	return nil, fmt.Errorf("%s: %w", told, errors.Join(
		&url.Error{Op: "Get", URL: r.URL.String(), Err: errors.New(told)},
		&tls.CertificateVerificationError{Err: errors.New(told)},
		errors.New(told)))
}

type tellingJSON struct{ secret string }

func (j tellingJSON) MarshalJSON() ([]byte, error) { return nil, errors.New(j.secret) }

func TestMaskingALargeRequestIsBounded(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		body = bytes.TrimPrefix(body, []byte(`{"a":`))
		unsigned(400, `{"code":"X","message":`+string(body[:min(len(body), 900_000)])+`"}`)(w, r)
	}
	client := newClient(t, serve(t, echo).URL)
	for name, body := range map[string]any{
		"one repetitive value": map[string]string{"x": strings.Repeat("A", 2<<20)},
		"many small ones":      map[string][]int{"x": make([]int, 100_000)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: map[string]any{"a": body}}, nil)
			assert.Equal(t, "answered", meaning(t, err))
			assert.NotContains(t, err.Error(), "AAAA")
		})
	}
}

func TestRequestsAndServicesPrintRedacted(t *testing.T) {
	values := []any{
		alipay.ExecuteRequest{Method: "m", BizContent: testCertNo, AppAuthToken: testAuthTok, Params: map[string]string{"a": testCertNo}, NotifyURL: testCertNo},
		alipay.CreditAgreementSignParams{OutAgreementNo: testConnKey, ExternalLogonID: testUserID, ExtraParam: testToken, AppAuthToken: testAuthTok},
		alipay.CreditAgreementQueryParams{OutAgreementNo: testConnKey, CreditAgreementID: testUserID},
		alipay.CreditAgreementQueryResponse{AgreementStatus: testCertNo, AlipayUserID: testUserID, OpenID: testOpenID, Extra: map[string]json.RawMessage{"a": json.RawMessage(testCertNo)}},
		alipay.PreconsultParams{OutAgreementNo: testConnKey, OnceToken: testToken, IdentityType: testCertNo, QueryType: testUserID, ZmServiceID: testOpenID},
		alipay.PreconsultResponse{Reason: testCertNo, Extra: map[string]json.RawMessage{"a": json.RawMessage(testCertNo)}},
		alipay.CreditAgreementUnsignParams{CreditAgreementID: testUserID},
		alipay.CreditAgreementUnsignResponse{Extra: map[string]json.RawMessage{"a": json.RawMessage(testCertNo)}},
		alipay.File{Field: testConnKey, Name: testCertNo, Content: []byte(testToken)},
		alipay.Notification{BizContent: json.RawMessage(testCertNo), Values: url.Values{"a": {testToken}}},
	}
	config := testConfig(t, "https://gateway.example")
	config.AppAuthToken = testAuthTok
	client := clientOf(t, config, alipay.WithRequestDefaults(alipay.WithAppAuthToken(testAuthTok), alipay.WithHeader("X-A", testToken)))
	values = append(values, alipay.Request{Path: "/v3/x", Query: testParams(), Body: testCertNo, Files: []alipay.File{{Name: testCertNo}}},
		*client.ZhimaCustomerJobworthAuthentication, *client.ZhimaCreditPayafteruseCreditagreement)
	for _, v := range values {
		assertKeepsSecret(t, printed(v), testCertNo, testToken, testUserID, testOpenID, testConnKey, testAuthTok)
	}
	answer := alipay.CreditAgreementQueryResponse{
		AgreementStatus: alipay.AgreementStatusInvalid, AlipayUserID: "1", OpenID: "2", BizTime: "3", CreditAgreementID: "4", OutAgreementNo: "5", ExtInfo: "6",
		Extra: map[string]json.RawMessage{"a": nil}, Meta: alipay.Response{StatusCode: 200, RequestID: "r", Attempts: 1},
	}
	at := time.Date(2027, 4, 1, 1, 30, 0, 0, time.FixedZone("", 8*60*60))
	for want, v := range map[string]any{
		"alipay.Request{GET /v3/x}":  alipay.Request{Path: "/v3/x", Query: 1},
		"alipay.Request{POST /v3/x}": &alipay.Request{Method: "POST", Path: "/v3/x"},
		"alipay.CreditAgreementSignParams{OutAgreementNo:[redacted] ProductCode:ZHIMA_AUTH ExtraParam:[redacted] AppAuthToken:[redacted]}": alipay.CreditAgreementSignParams{OutAgreementNo: "1", ProductCode: alipay.ProductCodeZhimaAuth, ExtraParam: 0, AppAuthToken: testAuthTok},
		"alipay.CreditAgreementSignParams{}":                              alipay.CreditAgreementSignParams{},
		"alipay.CreditAgreementQueryParams{CreditAgreementID:[redacted]}": alipay.CreditAgreementQueryParams{CreditAgreementID: "1"},
		"alipay.CreditAgreementQueryResponse{AgreementStatus:INVALID AlipayUserID:[redacted] OpenID:[redacted] BizTime:[redacted] CreditAgreementID:[redacted] OutAgreementNo:[redacted] ExtInfo:[redacted] Extra:1 StatusCode:200 RequestID:r Attempts:1}": answer,
		"alipay.Notification{ID:1 Method:m AppID:2021 Time:2027-03-31T17:30:00Z Values:1}": alipay.Notification{ID: "1", Method: "m", AppID: "2021", Time: at, Values: url.Values{"a": nil}},
		"alipay.Notification{}": alipay.Notification{},
		"alipay.PreconsultParams{OnceToken:[redacted] IdentityType:04 QueryType:exact}":                        alipay.PreconsultParams{OnceToken: "1", IdentityType: "04", QueryType: "exact"},
		"alipay.PreconsultResponse{PreCheckSuccess:false Reason:[redacted] Extra:1 StatusCode:200 Attempts:1}": alipay.PreconsultResponse{Reason: "1", Extra: map[string]json.RawMessage{"a": nil}, Meta: alipay.Response{StatusCode: 200, Attempts: 1}},
		"alipay.CreditAgreementUnsignParams{CreditAgreementID:[redacted]}":                                     alipay.CreditAgreementUnsignParams{CreditAgreementID: "1"},
		"alipay.CreditAgreementUnsignResponse{Extra:1 StatusCode:200}":                                         alipay.CreditAgreementUnsignResponse{Extra: map[string]json.RawMessage{"a": nil}, Meta: alipay.Response{StatusCode: 200}},
	} {
		assert.Equal(t, want, fmt.Sprintf("%+v", v))
	}
}

// apiErrorOf asks a server that gives this answer.
func apiErrorOf(t *testing.T, status int, body string, params *alipay.QueryParams, opts ...alipay.RequestOption) *alipay.APIError {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=very-secret-cookie")
		answer(w, status, body)
	})
	_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), params, opts...)
	var refused *alipay.APIError
	require.ErrorAs(t, err, &refused)
	return refused
}

func TestAPIErrorNeverShowsHeaderOrBody(t *testing.T) {
	t.Parallel()
	body := `{"code":"PARAM_ERROR","message":"参数错误 once_token=` + testToken + `","links":[{"link":"https://open.example/?cert_no=` + testCertNo + `","desc":"` + testUserID + `"}],"details":{"mobile":"13912345678"}}`
	e := apiErrorOf(t, 400, body, testParams(), alipay.WithAppAuthToken(testAuthTok))
	secrets := append(personalValues(), testAuthTok, "13912345678", "very-secret-cookie", e.Header.Get("Alipay-Signature"))
	for name, v := range map[string]any{
		"pointer": e, "value": *e, "slice": []*alipay.APIError{e}, "slice of values": []alipay.APIError{*e},
		"map": map[string]error{"k": e}, "struct": struct{ Err error }{e}, "struct of a value": struct{ Err alipay.APIError }{*e},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(v)
			out["JSON"] = mustJSON(t, v)
			out["JSON, nested"] = mustJSON(t, map[string]any{"error": []any{v}})
			assertKeepsSecret(t, out, secrets...)
		})
	}
	assert.Contains(t, string(e.Body), testToken, "Body is for the caller's eyes, as received")
	assert.Equal(t, "session=very-secret-cookie", e.Header.Get("Set-Cookie"))
	assert.JSONEq(t, `{"error":`+mustJSON(t, e.Error())+`,"method":"GET","host":`+mustJSON(t, strings.Split(strings.SplitN(mustJSON(t, e), `"host":"`, 2)[1], `"`)[0])+`,"path":"`+jobworthPath+`","status":400,"code":"PARAM_ERROR","message":"参数错误 once_token=***","links":[{"link":"https://open.example/?cert_no=***","desc":"***"}],
		"trace_id":"21140000test","request_id":"`+e.RequestID+`","attempts":1,"verified":true,"outcome":"rejected","hint":`+mustJSON(t, e.Hint())+`}`, mustJSON(t, e))

	// An error made by hand hides Header and Body too.
	made := alipay.APIError{StatusCode: 400, Code: "X", Message: "told", Header: http.Header{"Authorization": {"secret-header"}}, Body: []byte("secret-body"), Links: []alipay.ErrorLink{{Link: "https://open.example"}}}
	out := printed(made)
	out["JSON"] = mustJSON(t, &made)
	assertKeepsSecret(t, out, "secret-header", "secret-body")
}

func TestGatewayMessageMasksWhatWasSent(t *testing.T) {
	t.Parallel()
	token := "2f1c/8e=&? 中文+~"
	params := &alipay.QueryParams{OnceToken: token, CertNo: testCertNo, ConnKey: "  padded-key \t", CertType: "0", IdentityType: "04", QueryType: "abc"}
	lower := func(s string) string {
		return regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(s, strings.ToLower)
	}
	for name, tc := range map[string]struct {
		message, want string
		escaped       bool
	}{
		"raw":                              {message: "token " + token + " is unknown", want: "token *** is unknown"},
		"twice":                            {message: token + " " + token, want: "*** ***"},
		"several":                          {message: testCertNo + "/" + token, want: "***/***"},
		"percent-encoded, + for a space":   {message: url.QueryEscape(token), want: "***", escaped: true},
		"percent-encoded, %20 for a space": {message: strings.ReplaceAll(url.QueryEscape(token), "+", "%20"), want: "***", escaped: true},
		"in lower-case hex":                {message: lower(url.QueryEscape(token)), want: "***", escaped: true},
		"in lower-case hex, %20":           {message: lower(strings.ReplaceAll(url.QueryEscape(token), "+", "%20")), want: "***", escaped: true},
		"as a path segment":                {message: url.PathEscape(token), want: "***", escaped: true},
		"trimmed":                          {message: "key padded-key!", want: "key ***!"},
		"as it is, with blanks":            {message: "key   padded-key \t!", want: "key   *** \t!"},
		"inside a longer word":             {message: "x" + testCertNo + "y", want: "x***y"},
		"one or two ASCII characters stay": {message: "cert_type 0, identity_type=04, (0), 类型0不支持, 2024-04, 50%", want: "cert_type 0, identity_type=04, (0), 类型0不支持, 2024-04, 50%"},
		"three as whole words":             {message: "query_type:abc, abc", want: "query_type:***, ***"},
		"three not inside others":          {message: "abcd, xabc", want: "abcd, xabc"},
		"what was not sent stays":          {message: "应用 2021000000000001 参数错误", want: "应用 2021000000000001 参数错误"},
		"names of parameters stay":         {message: "once_token and cert_no", want: "once_token and cert_no"},
	} {
		t.Run(name, func(t *testing.T) {
			body := mustJSON(t, map[string]any{"code": "PARAM_ERROR", "message": tc.message, "links": []any{map[string]string{"link": "https://x.example/" + tc.message, "desc": tc.message}}})
			e := apiErrorOf(t, 400, body, params)
			assert.Equal(t, tc.want, e.Message)
			link := "https://x.example/" + tc.want
			if tc.escaped { // what repeats an escaped value is masked whole
				link = tc.want
			}
			assert.Equal(t, []alipay.ErrorLink{{Link: link, Desc: tc.want}}, e.Links)
			assert.Contains(t, e.Error(), strings.NewReplacer("\t", " ").Replace(tc.want))
			assert.Equal(t, body, string(e.Body))
		})
	}
	t.Run("links as a string", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"X","message":"m","links":"https://x.example/?id=`+testCertNo+`"}`, params)
		assert.Equal(t, []alipay.ErrorLink{{Link: "https://x.example/?id=***"}}, e.Links)
	})
	t.Run("as the code", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"`+testCertNo+`","message":"m"}`, params)
		assert.Equal(t, alipay.ErrorCode(testCertNo), e.Code, "the code is kept as it came")
		assert.Contains(t, e.Error(), "alipay: *** (400): m")
		out := printed(e)
		out["JSON"] = mustJSON(t, e)
		assertKeepsSecret(t, out, testCertNo)
	})
	t.Run("a message with control characters is one line", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"X\n\u001b[31m","message":"a\r\nlevel=ERROR\u0000\u2028b"}`, params)
		assert.NotRegexp(t, `[\x00-\x1f\x{2028}]`, e.Error())
		assert.NotRegexp(t, `[\x00-\x1f]`, fmt.Sprintf("%+v", *e))
	})
	t.Run("what a body held", func(t *testing.T) {
		s := serve(t, signed(400, `{"code":"X","message":"mobile 13912345678 of Zhang \"San\" amount 88.8000"}`))
		type body struct {
			Mobile int64 `json:"mobile"`
			Nested any   `json:"nested"`
		}
		nested := []any{map[string]string{"name": `Zhang "San"`}, json.Number("88.8000")}
		for _, body := range []any{body{13912345678, nested}, &body{13912345678, nested}} {
			_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: body}, nil)
			require.ErrorIs(t, err, alipay.ErrorCode("X"))
			assert.Contains(t, err.Error(), "mobile *** of *** amount ***")
		}
		_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: map[string]any{"mobile": 13912345678}}, nil)
		assert.Contains(t, err.Error(), `mobile *** of Zhang`)
		s = serve(t, signed(400, `{"code":"X","message":"参数 quantity 的值 1 不合法，取值范围 1 到 100"}`))
		_, err = newClient(t, s.URL).Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: map[string]any{"quantity": 1}}, nil)
		assert.Contains(t, err.Error(), "参数 quantity 的值 1 不合法，取值范围 1 到 100")
	})
	t.Run("the app auth token", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"X","message":"token `+testAuthTok+`"}`, params, alipay.WithAppAuthToken(testAuthTok))
		assert.Equal(t, "token ***", e.Message)
	})
	t.Run("a header line and the name of a file", func(t *testing.T) {
		s := serve(t, signed(400, `{"code":"X","message":"header 13912345678, file zhang-san.png, a.png"}`))
		_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Files: []alipay.File{{Field: "f", Name: "zhang-san.png"}}}, nil, alipay.WithHeader("X-Mobile", "13912345678"))
		require.ErrorIs(t, err, alipay.ErrorCode("X"))
		assert.Contains(t, err.Error(), "header ***, file ***, a.png")
	})
	t.Run("names that were given at run time", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"X","message":"unknown parameter mobile-13912345678, once_token, user_id"}`, params, alipay.WithQueryParam("mobile-13912345678", "1"))
		assert.Equal(t, "unknown parameter ***, once_token, user_id", e.Message)
		s := serve(t, signed(400, `{"code":"X","message":"unknown members Zhang San, 13912345678 of cert_no, credit_agreement_id"}`))
		for _, request := range []*alipay.Request{
			{Path: "/v3/x", Query: url.Values{"Zhang San": {"x"}, "13912345678": {"y"}, "cert_no": {"z"}, "credit_agreement_id": {"z"}}},
			{Method: "POST", Path: "/v3/x", Body: map[string]any{"Zhang San": map[string]int{"13912345678": 1}, "cert_no": nil, "credit_agreement_id": nil}},
			{Method: "POST", Path: "/v3/x", Body: json.RawMessage(`{"Zhang San":{"13912345678":1},"cert_no":null,"credit_agreement_id":null}`)},
		} {
			_, err := newClient(t, s.URL).Do(t.Context(), request, nil)
			require.ErrorIs(t, err, alipay.ErrorCode("X"))
			assert.Contains(t, err.Error(), "unknown members ***, *** of cert_no, credit_agreement_id")
		}
	})
	for name, tc := range map[string]struct{ sent, message string }{
		"a Chinese name in JSON":     {"张三丰", `{"name":"\u5f20\u4e09\u4e30"}`},
		"JSON in JSON":               {`Zhang "San"`, `{\"n\":\"Zhang \\\"San\\\"\"}`},
		"a slash, escaped":           {"2f1c/8e", `2f1c\/8e`},
		"percent-encoding, twice":    {"2f1c/8e=", "2f1c%252F8e%253D"},
		"a numeric entity":           {"张三丰", "&#24352;&#19977;&#20016;"},
		"a hexadecimal entity":       {"it's me", "it&#x27;s me"},
		"a named entity":             {`say "x"`, "say &quot;x&quot;"},
		"a plus that became a space": {"2f1c+8e", "2f1c 8e"},
		"a space that became a plus": {"2f1c 8e", "2f1c+8e"},
		"escapes of different kinds": {"张三/丰", `%5Cu5f20%5Cu4e09\/&#20016;`},
	} {
		t.Run(name, func(t *testing.T) {
			body := mustJSON(t, map[string]any{"code": "X", "message": "got " + tc.message + "!", "links": []any{map[string]string{"link": "https://x.example/?a=" + tc.message}}})
			e := apiErrorOf(t, 400, body, &alipay.QueryParams{OnceToken: tc.sent})
			assert.Contains(t, e.Message, "***")
			random := regexp.MustCompile(`[0-9a-f]{32}|127\.0\.0\.1:\d+`) // a request's id and a port may hold any digits
			for _, text := range append(allTexts(e), e.Links[0].Link) {
				text = random.ReplaceAllString(text, "")
				for _, part := range []string{"Zhang", "San", "u5f20", "24352", "2f1c", "it&", "say", "张", "5f20"} {
					assert.NotContains(t, text, part)
				}
			}
		})
	}
}

func TestGatewayMessageMasksIDsInThePath(t *testing.T) {
	const message = "order 2088102992921777 of zhang.san@x.example (张三) at /v3/alipay/orders/2088102992921777 is closed, query v3"
	client := newClient(t, serve(t, unsigned(400, mustJSON(t, map[string]any{"code": "PARAM_ERROR", "message": message}))).URL)
	for path, want := range map[string]string{
		"/v3/alipay/orders/2088102992921777/query":    "order *** of zhang.san@x.example (张三) at /v3/alipay/orders/*** is closed, query v3",
		"/v3/alipay/zhang.san%40x.example/%E5%BC%A0三": "order 2088102992921777 of *** (***) at /v3/alipay/orders/2088102992921777 is closed, query v3",
		"/v3/alipay/orders/query":                     message,
	} {
		_, err := client.Do(t.Context(), &alipay.Request{Path: path}, nil)
		var refused *alipay.APIError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, want, refused.Message, path)
	}
}

func TestAppAuthTokenAndSignatureAreMasked(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := protocol.ParseAuthorization(r.Header.Get("Authorization"))
		assert.NoError(t, err)
		answer(w, 400, `{"code":"X","message":"token `+testAuthTok+` signature `+c.Signature+`"}`)
	})
	config := testConfig(t, s.URL)
	config.AppAuthToken = testAuthTok
	client := clientOf(t, config)
	_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil)
	var refused *alipay.APIError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "token *** signature ***", refused.Message)
}

// fullConfig has every field set, and every string in it is a secret.
func fullConfig(t *testing.T) (alipay.AlipayConfig, []string) {
	key := alipayKey()
	c := alipay.AlipayConfig{
		BaseURL: "https://user-name:pass-word@gateway.example/secret-prefix?secret-query",
		AppID:   "app-id-that-is-a-token",
		Signer:  key,
	}
	secrets := []string{
		"user-name", "pass-word", "secret-prefix", "secret-query", c.AppID,
		key.D.String(), key.N.String(), key.Primes[0].String(),
	}
	v, text := reflect.ValueOf(&c).Elem(), vector(t, "app_private_pkcs8.pem")
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() != reflect.String || !f.IsZero() {
			continue
		}
		f.SetString(text[80*i : 80*i+80])
		secrets = append(secrets, f.String())
	}
	return c, secrets
}

func TestConfigNeverShowsWhatIsSet(t *testing.T) {
	t.Parallel()
	c, secrets := fullConfig(t)
	for name, v := range map[string]any{
		"value": c, "pointer": &c, "slice": []alipay.AlipayConfig{c}, "slice of pointers": []*alipay.AlipayConfig{&c},
		"map": map[string]alipay.AlipayConfig{"k": c}, "struct": struct{ Config alipay.AlipayConfig }{c},
		"embedded": struct{ alipay.AlipayConfig }{c}, "array": [1]alipay.AlipayConfig{c},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(v)
			data, err := json.Marshal(v)
			require.NoError(t, err)
			out["JSON"] = string(data)
			data, err = json.MarshalIndent(map[string]any{"config": v}, "", " ")
			require.NoError(t, err)
			out["JSON, nested"] = string(data)
			assertKeepsSecret(t, out, secrets...)
		})
	}
	// Instead they show which fields are set: all of them here.
	fields := reflect.TypeOf(c)
	for _, text := range []string{fmt.Sprintf("%+v", c), fmt.Sprint(&c), mustJSON(t, c)} {
		for i := range fields.NumField() {
			assert.Contains(t, text, fields.Field(i).Name)
		}
	}
}

func TestConfigShowsWhereCallsGoAndWhatIsSet(t *testing.T) {
	c := alipay.AlipayConfig{BaseURL: "https://Proxy.example:8443/alipay/", AppID: "2021000000000001", PrivateKey: "x", Signer: (*nilSigner)(nil)}
	assert.Equal(t, "alipay.AlipayConfig{BaseURL:https://proxy.example:8443 AppID:2021000000000001 Signer:*alipay_test.nilSigner PrivateKey:[redacted]}", fmt.Sprint(c))
	assert.JSONEq(t, `{"BaseURL":"https://proxy.example:8443","AppID":"2021000000000001","Signer":"*alipay_test.nilSigner","PrivateKey":"[redacted]"}`, mustJSON(t, c))
	assert.Equal(t, "alipay.AlipayConfig{}", fmt.Sprintf("%#v", alipay.AlipayConfig{}))
	assert.Equal(t, "{}", mustJSON(t, alipay.AlipayConfig{}))
	c = alipay.AlipayConfig{AppID: testCertNo + testCertNo + testCertNo, BaseURL: "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC"}
	assert.Equal(t, "alipay.AlipayConfig{BaseURL:[redacted] AppID:[redacted]}", fmt.Sprint(c), "another value that lost its way")
	for length, shown := range map[int]string{32: strings.Repeat("7", 32), 33: "[redacted]"} {
		assert.Equal(t, "alipay.AlipayConfig{AppID:"+shown+"}", fmt.Sprint(alipay.AlipayConfig{AppID: strings.Repeat("7", length)}))
	}
	assert.Equal(t, "<nil>", fmt.Sprint((*alipay.AlipayConfig)(nil)))
}

type nilSigner struct{ crypto.Signer }

func TestQueryParamsAreNeverShown(t *testing.T) {
	t.Parallel()
	p := testParams()
	misplaced := &alipay.QueryParams{QueryType: testToken, IdentityType: testUserID, CertType: testCertNo}
	for name, v := range map[string]any{
		"value": *p, "pointer": p, "misplaced": misplaced, "misplaced value": *misplaced,
		"slice": []alipay.QueryParams{*p}, "map": map[int]*alipay.QueryParams{1: p}, "struct": struct{ Params alipay.QueryParams }{*p},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(v)
			switch v.(type) {
			case alipay.QueryParams, *alipay.QueryParams:
			default: // slog's JSON handler writes a container's JSON, and that of QueryParams is faithful
				delete(out, "slog JSON")
			}
			assertKeepsSecret(t, out, personalValues()...)
		})
	}
	assert.Equal(t, "alipay.QueryParams{ConnKey:[redacted] OnceToken:[redacted] QueryType:exact IdentityType:04 ServiceID:[redacted] UserID:[redacted] OpenID:[redacted] CertNo:[redacted] CertType:0}", fmt.Sprintf("%+v", p))
	assert.Equal(t, "alipay.QueryParams{OnceToken:[redacted]}", fmt.Sprint(alipay.QueryParams{OnceToken: "t"}))
	assert.Equal(t, "alipay.QueryParams{}", fmt.Sprint(alipay.QueryParams{}))
}

func TestAnswersAreNeverShown(t *testing.T) {
	t.Parallel()
	r, secrets := fullResponse(t)
	other := alipay.QueryResponse{IdentityResult: "13912345678", TokenStatus: testToken}
	for name, v := range map[string]any{
		"QueryResponse": r, "*QueryResponse": &r, "Response": r.Meta, "*Response": &r.Meta, "values of another version": other,
		"slice": []alipay.QueryResponse{r}, "map": map[int]*alipay.QueryResponse{1: &r},
		"struct": struct {
			Answer alipay.QueryResponse
			Meta   *alipay.Response
		}{r, &r.Meta},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(v)
			switch v.(type) {
			case alipay.QueryResponse, *alipay.QueryResponse, alipay.Response, *alipay.Response:
			default: // see QueryParams
				delete(out, "slog JSON")
			}
			assertKeepsSecret(t, out, append(secrets, testToken)...)
		})
	}
	assert.Equal(t, fmt.Sprintf("alipay.QueryResponse{IdentityResult:SUCCESS IdentityResultSkipURL:[redacted] MerchantIdentityID:[redacted] OpenID:[redacted] TokenStatus:FINISH UserID:[redacted] Extra:2 StatusCode:200 TraceID:21140000test RequestID:request-1 Attempts:1 BodyBytes:%d}", len(r.Meta.Body)), fmt.Sprint(r))
	assert.Equal(t, fmt.Sprintf("alipay.Response{StatusCode:200 TraceID:21140000test RequestID:request-1 Attempts:1 BodyBytes:%d}", len(r.Meta.Body)), fmt.Sprintf("%#v", &r.Meta))
	assert.Equal(t, "alipay.QueryResponse{IdentityResult:[redacted] TokenStatus:[redacted]}", fmt.Sprint(other))
	assert.NotContains(t, fmt.Sprint(alipay.Response{TraceID: "a\nlevel=ERROR"}), "\n", "an id cannot begin a line of the log")
}

// TestReplaceAttrRedactsContainers: slog's JSON handler encodes a container as
// JSON, and that of its elements is faithful.
func TestReplaceAttrRedactsContainers(t *testing.T) {
	printAny := func(_ []string, a slog.Attr) slog.Attr { // as in ExampleQueryParams_logging
		if a.Value.Kind() == slog.KindAny {
			a.Value = slog.StringValue(fmt.Sprint(a.Value.Any()))
		}
		return a
	}
	r, secrets := fullResponse(t)
	for name, v := range map[string]any{
		"slice": []alipay.QueryParams{*testParams()}, "map": map[string]*alipay.QueryParams{"k": testParams()},
		"struct": struct{ Params *alipay.QueryParams }{testParams()}, "value": testParams(), "answers": []*alipay.QueryResponse{&r},
	} {
		var b bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{ReplaceAttr: printAny}))
		logger.Info("as it is", "value", v, slog.Group("g", "value", v))
		logger.WithGroup("h").With("value", v).Info("with", "number", 1, "error", io.EOF)
		assertKeepsSecret(t, map[string]string{name: b.String()}, append(personalValues(), secrets...)...)
	}
}
