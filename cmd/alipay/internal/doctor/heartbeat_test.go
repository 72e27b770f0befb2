package doctor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
)

func TestOneSignedCallIsExplained(t *testing.T) {
	gateway := alipaytest.NewGateway(t, alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="))
	// always is the address of a server of one answer.
	always := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	stale := alipaytest.TimestampOff(-time.Hour)
	const accepted = "the gateway took the request: APPID and private key are right"
	for name, tc := range map[string]struct {
		change func(*alipay.AlipayConfig)
		fault  *alipaytest.Fault
		status int
		says   []string
	}{
		"keys work": {nil, nil, 0, []string{accepted, "the signature is valid: Alipay's public key or certificate is right, too", "The gateway takes this configuration"}},
		"unsigned refusal of the endpoint": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(400)
				_, _ = io.WriteString(w, `{"code":"INVALID_PARAMETER","message":"参数有误"}`)
			})
		}, nil, 0, []string{"the endpoint itself answered", "the answer was not signed, as is usual for errors"}},
		"another private key": {func(c *alipay.AlipayConfig) { c.PrivateKey = read1(t, vectors+"app_private_pkcs8.pem") }, nil, 1,
			[]string{"FAIL  PrivateKey: heartbeat: alipay: invalid-signature", "The private key is the wrong side", "the answer was not signed, as is usual for errors"}},
		"another app id": {func(c *alipay.AlipayConfig) { c.AppID = "2021000000000002" }, nil, 1,
			[]string{"FAIL  heartbeat: alipay: invalid-app-id", (&alipay.APIError{StatusCode: 400, Code: alipay.CodeInvalidAppID}).Hint()}},
		"another public key of Alipay's": {func(c *alipay.AlipayConfig) { c.AlipayPublicKey = read1(t, vectors+"alipay_public.pem") }, nil, 1,
			[]string{accepted, "FAIL  AlipayPublicKey: ", "Alipay's key is the wrong side"}},
		"altered on the way": {nil, &alipaytest.AlteredBody, 1, []string{accepted, "No key is wrong: the answer was signed with Alipay's configured key, and changed afterwards"}},
		"page of a proxy": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<html>") })
		}, nil, 1, []string{"not signed", "This is not how Alipay's gateway answers (HTTP 200, Content-Type text/html; charset=utf-8, Server –)"}},
		"redirect": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://login.example/secret?secret", http.StatusFound)
			})
		}, nil, 1, []string{"This is not how Alipay's gateway answers (HTTP 302, ", "redirect to login.example)"}},
		"not there": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
		}, nil, 1, []string{"Nothing answers at this address"}},
		"nobody listens": {func(c *alipay.AlipayConfig) { c.BaseURL = closed.URL }, nil, 1, []string{"connect: 127.0.0.1:", "refuses connections"}},
		"hangs up": {func(c *alipay.AlipayConfig) {
			c.BaseURL = always(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}, nil, 1, []string{"The connection broke before a whole answer came"}},
		"stale": {nil, &stale, 1, []string{accepted, "Set the clock of this machine right"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := gateway.Config()
			if tc.change != nil {
				tc.change(&c)
			}
			if tc.fault != nil {
				gateway.Inject(*tc.fault, 1)
			}
			environment(t, c)
			status, out := examine(t, "-live")
			assert.Equal(t, tc.status, status, out)
			for _, words := range tc.says {
				assert.Contains(t, out, words)
			}
			// In Chinese the same is found.
			if tc.fault != nil {
				gateway.Inject(*tc.fault, 1)
			}
			status, out = examine(t, "-live", "-lang", "zh")
			assert.Equal(t, tc.status, status, out)
			assert.Contains(t, out, "一次签名调用")
			isChinese(t, out)
			assert.NotContains(t, out, "secret")
		})
	}
	for _, r := range gateway.Requests() {
		assert.Empty(t, r.Params, "nothing that could be spent")
		assert.Equal(t, "/v3/monitor/heartbeat/syn", r.Path)
	}
	t.Run("unknown certificate", func(t *testing.T) {
		environment(t, gateway.CertConfig())
		gateway.Inject(alipaytest.UnknownSN, -1)
		status, out := examine(t, "-live")
		assert.Equal(t, 1, status)
		assert.Contains(t, out, accepted)
		assert.Contains(t, out, "FAIL  AlipayPublicCertContent: ")
		assert.Contains(t, out, "alipay-sn is ")
	})
}

// Refusals and failures that no gateway here gives.
func TestEveryEndOfTheCallIsExplainedInBothLanguages(t *testing.T) {
	seen := &watcher{status: 502, header: http.Header{"Content-Type": {"text/html"}, "Server": {"nginx\x01"}}, location: "login.example"}
	for words, err := range map[string]error{
		"Alipay's public key or certificate is right, too":    nil,
		"EncryptKey is not the AES key":                       alipay.ErrDecrypt,
		"no answer came in time":                              errors.Join(alipay.ErrOutcomeUnknown, context.DeadlineExceeded),
		"The gateway, or a proxy in front of it, failed":      &alipay.APIError{StatusCode: 502},
		"The outcome is unknown":                              &alipay.APIError{StatusCode: 500, Code: alipay.CodeSystemError, TraceID: "trace-1"},
		"(HTTP 502, Content-Type text/html, Server ?): check": alipay.ErrResponseTooLarge,
		"redirect to login.example":                           alipay.ErrRedirect,
		"Set the clock of this machine right":                 alipay.ErrResponseStale,
		"open a moment ago":                                   alipay.ErrNotDelivered,
		"before a whole answer came":                          alipay.ErrOutcomeUnknown,
		"changed afterwards":                                  alipay.ErrResponseAltered,
		"did not sign this answer":                            alipay.ErrResponseSignature,
		"FAIL  AlipayPublicKey":                               alipay.ErrUnknownCertificate,
	} {
		r := &report{}
		r.begin("live", "One signed call", "一次签名调用")
		r.explain(err, "AlipayPublicKey", seen)
		var en, zh bytes.Buffer
		r.print(&en, "en", true)
		assert.Contains(t, en.String(), words)
		r.print(&zh, cli.Chinese, true)
		isChinese(t, zh.String())
	}
}

func TestAClockThatIsWrongIsTold(t *testing.T) {
	at := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	seen := &watcher{header: http.Header{"Date": {at.Format(http.TimeFormat)}}}
	for off, want := range map[time.Duration]string{
		59 * time.Second: "", -59 * time.Second: "", 20 * time.Minute: "20 minutes ahead", -3 * time.Hour: "180 minutes behind",
	} {
		r := &report{}
		r.clock(seen, at.Add(off))
		if want == "" {
			assert.Empty(t, r.findings)
			continue
		}
		require.Len(t, r.findings, 1)
		assert.Equal(t, levelWarn, r.findings[0].level)
		assert.Contains(t, r.findings[0].text.EN, want)
	}
	r := &report{}
	r.clock(&watcher{}, at)
	assert.Empty(t, r.findings, "without a Date nothing is known")
}
