package alipay_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
)

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
		return query(t, newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1})))
	}
	failing["TLS"] = func(t *testing.T) []error {
		s := serve(t, hangUp200, func(s *httptest.Server) { s.StartTLS() })
		return query(t, newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1})))
	}
	failing["a transport that tells all"] = func(t *testing.T) []error {
		return query(t, newClient(t, "https://gateway.example", alipay.WithHTTPClient(&http.Client{Transport: tellingTransport{}})))
	}
	failing["a signer that tells nothing"] = func(t *testing.T) []error {
		config := testConfig(t, "https://gateway.example")
		config.PrivateKey, config.Signer = "", failingSigner{ownPublicKey(t)}
		client, err := alipay.NewClient(config)
		require.NoError(t, err)
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
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 200, echo) })
		config := testConfig(t, s.URL)
		config.EncryptKey = "AAECAwQFBgcICQoLDA0ODw=="
		client, err := alipay.NewClient(config)
		require.NoError(t, err)
		return query(t, client)
	}
	failing["decrypted, then not JSON"] = func(t *testing.T) []error {
		cipher, err := aescbc.New("AAECAwQFBgcICQoLDA0ODw==")
		require.NoError(t, err)
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 200, string(cipher.Encrypt([]byte(echo)))) })
		config := testConfig(t, s.URL)
		config.EncryptKey = "AAECAwQFBgcICQoLDA0ODw=="
		client, err := alipay.NewClient(config)
		require.NoError(t, err)
		return query(t, client)
	}
	failing["unknown certificate"] = func(t *testing.T) []error {
		config, _ := certModeConfig(t)
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("alipay-sn", echo)
			answer(w, 200, successBody)
		})
		config.BaseURL = s.URL
		client, err := alipay.NewClient(config)
		require.NoError(t, err)
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

func hangUp200(w http.ResponseWriter, _ *http.Request) { answer(w, 200, successBody) }

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

type failingSigner struct{ public crypto.PublicKey }

func (s failingSigner) Public() crypto.PublicKey { return s.public }
func (failingSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("KMS: key disabled")
}

type tellingJSON struct{ secret string }

func (j tellingJSON) MarshalJSON() ([]byte, error) { return nil, errors.New(j.secret) }
