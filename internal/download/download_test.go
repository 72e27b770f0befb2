package download

import (
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/delivery"
)

const certificate = "-----BEGIN CERTIFICATE-----\n…"

func answerWith(members string) string {
	return `{"alipay_open_app_alipaycert_download_response":{` + members + `},"sign":"x"}`
}

func TestTheCertificateIsReadFromTheAnswer(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(certificate))
	for name, tt := range map[string]struct{ body, text string }{
		"as documented":              {answerWith(`"code":"10000","msg":"Success","alipay_cert_content":"` + encoded + `"`), ""},
		"in lines":                   {answerWith(`"code":"10000","alipay_cert_content":"` + encoded[:8] + `\n` + encoded[8:] + `\r\n"`), ""},
		"refused":                    {answerWith(`"code":"40004","sub_code":"isv.cert-not-exist","sub_msg":"m"`), "refused the download 40004 isv.cert-not-exist"},
		"error_response":             {`{"error_response":{"code":"40002","sub_code":"isv.invalid-app-id"}}`, "refused the download 40002 isv.invalid-app-id"},
		"no code":                    {answerWith(`"alipay_cert_content":"` + encoded + `"`), "refused the download"},
		"refused in an error beside": {`{"error_response":{"code":"1"},` + answerWith(`"code":"10000","alipay_cert_content":"` + encoded + `"`)[1:], ""},
		"empty content":              {answerWith(`"code":"10000","alipay_cert_content":" "`), "holds no certificate"},
		"a text as code":             {answerWith(`"code":"a long text","sub_code":"<b>"`), "refused the download"},
		"no content":                 {answerWith(`"code":"10000"`), "holds no certificate"},
		"no base64":                  {answerWith(`"code":"10000","alipay_cert_content":"%%%"`), "holds no certificate"},
		"another shape":              {answerWith(`"code":["10000"]`), "not that of the gateway"},
		"nothing":                    {`{}`, "not that of the gateway"},
		"HTML":                       {`<html>secret`, "not that of the gateway"},
		"empty":                      {``, "not that of the gateway"},
	} {
		pem, err := Parse([]byte(tt.body))
		if tt.text == "" {
			assert.NoError(t, err, name)
			assert.Equal(t, certificate, pem, name)
			continue
		}
		assert.Empty(t, pem, name)
		assert.ErrorContains(t, err, tt.text, name)
		assert.NotContains(t, err.Error(), "secret", name)
		assert.NotContains(t, err.Error(), "a long", name)
	}
}

func TestWhatIsNoAnswerIsNotTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		text    string
	}{
		"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "HTTP status 302"},
		"an error":   {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, "HTTP status 503"},
		"too large": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", maxAnswer+1))
		}, "larger"},
		"broken off": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}, "broke off"},
		"no answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { requests.Add(1); tt.handler(w, r) }))
			defer server.Close()
			transport, err := delivery.NewTransport(nil, "http")
			require.NoError(t, err)
			defer transport.CloseIdleConnections()
			target, err := url.Parse(server.URL + "/gateway.do?sign=secret")
			require.NoError(t, err)
			_, err = Fetch(t.Context(), transport, delivery.Request{Method: http.MethodPost, URL: target, Header: http.Header{}, Body: []byte("biz_content=x")})
			assert.ErrorContains(t, err, tt.text)
			assert.NotContains(t, err.Error(), "secret")
			assert.EqualValues(t, 1, requests.Load())

			ended, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = Fetch(ended, transport, delivery.Request{Method: http.MethodPost, URL: target, Header: http.Header{}})
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
}

func TestOnlyCodesAreShownOfARefusal(t *testing.T) {
	for _, code := range []string{"azAZ09._-", "7", strings.Repeat("x", 64)} {
		assert.EqualError(t, refusal(code, code), "the gateway refused the download "+code+" "+code)
	}
	for _, other := range []string{"", "`", "{", "@", "[", "/", ":", " ", "é", strings.Repeat("x", 65)} {
		assert.EqualError(t, refusal(other, other), "the gateway refused the download", other)
	}
}

func TestAnAnswerMayBeSoLong(t *testing.T) {
	body := answerWith(`"code":"10000","alipay_cert_content":"` + base64.StdEncoding.EncodeToString([]byte(certificate)) + `"`)
	for surplus, want := range []string{"", "larger"} {
		answer := &closing{Reader: strings.NewReader(body + strings.Repeat(" ", 128<<10-len(body)+surplus))}
		base := roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: answer, ContentLength: -1}, nil
		})
		transport, err := delivery.NewTransport(&http.Client{Transport: base}, "http")
		require.NoError(t, err)
		pem, err := Fetch(t.Context(), transport, delivery.Request{Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: "gateway"}, Header: http.Header{}})
		assert.True(t, answer.closed)
		if want == "" {
			require.NoError(t, err)
			assert.Equal(t, certificate, pem)
		} else {
			assert.ErrorContains(t, err, want)
		}
	}
}

// closing is a body that knows whether it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// roundTripper is a base transport as a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// slowToClose is open until it is closed for the second time, as net/http's idle
// connections are for a moment.
type slowToClose struct {
	net.Conn
	closed atomic.Bool
}

func (c *slowToClose) Close() error {
	if !c.closed.Swap(true) {
		return nil
	}
	return c.Conn.Close()
}

// TestDownloadSkipsConnectionsThatThisClientClosed: net/http hands out for a moment
// yet the connection of the answer that waits for the certificate.
func TestDownloadSkipsConnectionsThatThisClientClosed(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = io.WriteString(w, answerWith(`"code":"10000","alipay_cert_content":"`+base64.StdEncoding.EncodeToString([]byte(certificate))+`"`))
	}))
	defer server.Close()
	base := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &slowToClose{Conn: conn}, err
	}}
	transport, err := delivery.NewTransport(&http.Client{Transport: base}, "http")
	require.NoError(t, err)
	defer transport.CloseIdleConnections()
	target, err := url.Parse(server.URL)
	require.NoError(t, err)
	request := delivery.Request{Method: http.MethodPost, URL: target, Header: http.Header{}}
	var waiting delivery.Report
	resp, err := transport.Send(t.Context(), request, &waiting)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	waiting.Refuse()
	pem, err := Fetch(t.Context(), transport, request)
	require.NoError(t, err)
	assert.Equal(t, certificate, pem)
	assert.EqualValues(t, 2, requests.Load())
	waiting.Close()
}

// FuzzParse: whatever comes, a certificate's text or an error of few words.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		pem, err := Parse(body)
		assert.Equal(t, err != nil, pem == "")
		if err != nil {
			assert.Less(t, len(err.Error()), 200)
		}
	})
}
