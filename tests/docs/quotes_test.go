package docs

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

const aesKey = "MDEyMzQ1Njc4OWFiY2RlZg=="

// query makes a client of config and asks for a token, without long pauses.
func query(config alipay.AlipayConfig, token string, opts ...alipay.Option) error {
	client, err := alipay.NewClient(config, append([]alipay.Option{
		alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}),
	}, opts...)...)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: token})
	return err
}

// with is the error of a query, or of NewClient, after a change to the config.
func with(config alipay.AlipayConfig, change func(*alipay.AlipayConfig)) error {
	change(&config)
	return query(config, "token-1")
}

// meeting is the error of a query that meets a fault.
func meeting(t *testing.T, fault alipaytest.Fault, opts ...alipaytest.Option) error {
	gateway := alipaytest.NewGateway(t, opts...)
	gateway.Inject(fault, -1)
	timeout := time.Minute
	if fault.String() == alipaytest.Hang.String() {
		timeout = 2 * time.Second // to be waited for
	}
	return query(gateway.Config(), "token-1", alipay.WithTimeout(timeout))
}

// behindProxy is the error of a query behind a proxy that answers with a status.
func behindProxy(t *testing.T, status int) error {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	transport := alipay.NewTransport()
	transport.Proxy = http.ProxyURL(address)
	config := alipaytest.NewGateway(t, alipaytest.WithTLS()).Config()
	return query(config, "token-1", alipay.WithHTTPClient(&http.Client{Transport: transport}))
}

// overTLS is the error of a query over TLS with another config.
func overTLS(gateway *alipaytest.Gateway, change func(*tls.Config)) error {
	transport := gateway.HTTPClient().Transport.(*http.Transport).Clone()
	change(transport.TLSClientConfig)
	return query(gateway.Config(), "token-1", alipay.WithHTTPClient(&http.Client{Transport: transport}))
}

// rotated is the error of a query under a certificate that is not configured.
func rotated(t *testing.T) error {
	gateway := alipaytest.NewGateway(t)
	config := gateway.CertConfig()
	gateway.RotateCertificate()
	return query(config, "token-1", alipay.WithCertificateDownload(false))
}

// vector reads one of the known-good keys, which are not those of the gateway.
func vector(t *testing.T, name string) string {
	data, err := os.ReadFile("../../testdata/vectors/" + name)
	require.NoError(t, err)
	return string(data)
}

// hashedTwice is a Signer that hashes what is a digest already.
type hashedTwice struct{ *rsa.PrivateKey }

func (s hashedTwice) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	again := sha256.Sum256(digest)
	return s.PrivateKey.Sign(rand, again[:], opts)
}

// fromTheNetwork are the errors of the sections about the way to the gateway.
func fromTheNetwork(t *testing.T) []error {
	through := func(base string, change func(*http.Transport)) error {
		config := alipaytest.NewGateway(t).Config()
		config.BaseURL = base
		transport := alipay.NewTransport()
		change(transport)
		return query(config, "token-1", alipay.WithHTTPClient(&http.Client{Transport: transport}), alipay.WithTimeout(200*time.Millisecond))
	}
	dialling := func(dial func(context.Context) (net.Conn, error)) func(*http.Transport) {
		return func(transport *http.Transport) {
			transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
		}
	}
	proxy := func(status int) func(*http.Transport) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		address, err := url.Parse(server.URL)
		require.NoError(t, err)
		return func(transport *http.Transport) { transport.Proxy = http.ProxyURL(address) }
	}
	secure := alipaytest.NewGateway(t, alipaytest.WithTLS())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	silent := listener.Addr().String() // it accepts, and says nothing
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed.Close()
	return []error{
		through("https://openapi.alipay.com", dialling(func(context.Context) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "openapi.alipay.com", IsNotFound: true}}
		})),
		through("http://"+closed.Addr().String(), func(*http.Transport) {}),
		through("https://openapi.alipay.com", dialling(func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() })),
		through("https://openapi.alipay.com", proxy(http.StatusProxyAuthRequired)),
		through("https://openapi.alipay.com", proxy(http.StatusForbidden)),
		query(secure.Config(), "token-1"),
		overTLS(secure, func(config *tls.Config) { config.Time = func() time.Time { return time.Now().AddDate(100, 0, 0) } }),
		overTLS(secure, func(config *tls.Config) { config.ServerName = "openapi.alipay.com" }),
		through("https://"+silent, func(*http.Transport) {}),
		meeting(t, alipaytest.Hang),
		meeting(t, alipaytest.FaultNamed("200 HTML")),
		meeting(t, alipaytest.FaultNamed("redirect 302")),
	}
}

// posted is the error that the log has of a genuine notification after a change to
// the request, whose handler fails.
func posted(t *testing.T, config alipay.AlipayConfig, change func(*http.Request)) error {
	var logged lastError
	client, err := alipay.NewClient(config, alipay.WithLogger(slog.New(&logged)))
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resign(r, alipaytest.NewGateway(t), nil)
	change(r)
	client.NotificationHandler(func(context.Context, *alipay.Notification) error { return errors.New("no") }).ServeHTTP(httptest.NewRecorder(), r)
	return logged.err
}

// resign makes the body of r a genuine notification that has these values.
func resign(r *http.Request, gateway *alipaytest.Gateway, values url.Values) {
	form := url.Values{"app_id": {alipaytest.AppID}, "notify_id": {"1"}, "notify_type": {"trade_status_sync"}, "version": {"1.0"}}
	maps.Copy(form, values)
	r.Body = io.NopCloser(strings.NewReader(gateway.SignNotification(form).Encode()))
	r.ContentLength = 1000
}

// form changes values in the body of r.
func form(r *http.Request, change func(url.Values)) {
	body, _ := io.ReadAll(r.Body)
	values, _ := url.ParseQuery(string(body))
	change(values)
	r.Body = io.NopCloser(strings.NewReader(values.Encode()))
}

// lastError is a slog.Handler that keeps the error of the last record.
type lastError struct{ err error }

func (*lastError) Enabled(context.Context, slog.Level) bool { return true }
func (h *lastError) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h *lastError) WithGroup(string) slog.Handler          { return h }
func (h *lastError) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			h.err = err
		}
		return true
	})
	return nil
}

func TestErrorTextsAreWhatTheLibrarySays(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	public, certs := gateway.Config(), gateway.CertConfig()
	block, _ := pem.Decode([]byte(public.PrivateKey))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	client, err := alipay.NewClient(public)
	require.NoError(t, err)

	says := append(fromTheNetwork(t), []error{
		with(public, func(c *alipay.AlipayConfig) { c.PrivateKey = vector(t, "app_private_pkcs8.pem") }),
		with(public, func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.Signer = "", hashedTwice{key.(*rsa.PrivateKey)}
		}),
		with(public, func(c *alipay.AlipayConfig) { c.AlipayPublicKey = vector(t, "alipay_public.pem") }),
		with(public, func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.AlipayPublicKey = vector(t, "app_private_pkcs8.pem"), vector(t, "app_public.pem")
		}),
		with(public, func(c *alipay.AlipayConfig) { c.PrivateKey = c.AlipayPublicKey }),
		with(public, func(c *alipay.AlipayConfig) {
			c.PrivateKey = strings.Join(strings.Split(c.PrivateKey, "\n")[1:10], "")
		}),
		with(public, func(c *alipay.AlipayConfig) { c.PrivateKey = "/etc/alipay/app_private_key.pem" }),
		with(public, func(c *alipay.AlipayConfig) { c.PrivateKey = "MIIEvQIBADANBgkq…" }),
		with(public, func(c *alipay.AlipayConfig) { c.EncryptKey = "%" }),
		with(public, func(c *alipay.AlipayConfig) { c.AppID = "" }),
		with(public, func(c *alipay.AlipayConfig) { c.AppID = "2021 0000" }),
		with(public, func(c *alipay.AlipayConfig) { c.BaseURL = "https://openapi.alipay.com/gateway.do" }),
		with(certs, func(c *alipay.AlipayConfig) { c.AlipayPublicCertContent = "" }),
		with(certs, func(c *alipay.AlipayConfig) { c.AlipayPublicKey = public.AlipayPublicKey }),
		with(certs, func(c *alipay.AlipayConfig) { c.PrivateKey = vector(t, "app_private_pkcs8.pem") }),
		rotated(t),
		query(public, "token-2", alipay.WithClock(func() time.Time { return time.Now().Add(-time.Hour) })),
		meeting(t, alipaytest.GatewayError(http.StatusBadRequest, alipay.CodeMissingTimestamp, "缺少时间戳参数")),
		meeting(t, alipaytest.GatewayError(http.StatusBadRequest, alipay.CodeParamError, "参数错误")),
		func() error {
			_, err := client.ZhimaCreditPayafteruseCreditagreement.Sign(t.Context(), &alipay.CreditAgreementSignParams{OutAgreementNo: "1"})
			return err
		}(),
		func() error {
			gateway.Inject(alipaytest.LostAnswer, 1)
			_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(),
				&alipay.QueryParams{OnceToken: "token-4"}, alipay.PollPolicy{Initial: time.Millisecond})
			return err
		}(),
		meeting(t, alipaytest.GatewayError(http.StatusForbidden, alipay.CodeIllegalClientIP, "非法的来源IP")),
		meeting(t, alipaytest.FaultNamed("403 HTML")),
		with(alipaytest.NewGateway(t, alipaytest.WithEncryptKey(aesKey)).Config(), func(c *alipay.AlipayConfig) { c.EncryptKey = "" }),
		meeting(t, alipaytest.FaultNamed("bad ciphertext"), alipaytest.WithEncryptKey(aesKey)),
		posted(t, public, func(r *http.Request) { _, _ = io.ReadAll(r.Body) }),
		posted(t, public, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/json")
			r.Body = io.NopCloser(strings.NewReader("{}"))
		}),
		posted(t, public, func(r *http.Request) {
			resign(r, gateway, url.Values{"charset": {"GBK"}, "subject": {"\xb2\xe2"}})
		}),
		posted(t, public, func(r *http.Request) { form(r, func(v url.Values) { v.Set("version", "9") }) }),
		posted(t, public, func(r *http.Request) {
			form(r, func(v url.Values) { v.Set("sign", base64.StdEncoding.EncodeToString(make([]byte, 256))) })
		}),
		posted(t, certs, func(r *http.Request) {
			form(r, func(v url.Values) { v.Set("alipay_cert_sn", strings.Repeat("0", 32)) })
		}),
		posted(t, public, func(r *http.Request) { resign(r, gateway, url.Values{"app_id": {"2021000000000002"}}) }),
		posted(t, public, func(*http.Request) {}),
	}...)
	for _, file := range []string{"en/troubleshooting.md", "zh-CN/troubleshooting.md"} {
		var quotes []string
		for _, b := range parse(t, file).blocks {
			if b.language == "text" {
				quotes = append(quotes, strings.Split(strings.TrimSpace(b.text), "\n")...)
			}
		}
		require.Len(t, quotes, len(says), file)
		for i, quote := range quotes {
			require.Error(t, says[i], quote)
			assert.Regexp(t, "^"+strings.ReplaceAll(regexp.QuoteMeta(quote), "…", ".*")+"$", says[i].Error(), file)
		}
	}
}

// Each row of the table on the network, with an error for each text or sentinel
// that it quotes.
func TestTheNetworkTableIsWhatTheLibrarySays(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	gateway.SetError("spent", http.StatusBadRequest, alipay.CodeTokenInvalid, "token无效")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener.Close() // now nobody listens there
	dead := gateway.Config()
	dead.BaseURL = "http://" + listener.Addr().String()
	silence, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts connections to it
	require.NoError(t, err)
	defer silence.Close()
	silent := gateway.Config()
	silent.BaseURL = "https://" + silence.Addr().String()
	secured := alipaytest.NewGateway(t, alipaytest.WithTLS())
	nowhere := alipay.NewTransport()
	nowhere.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "gateway", IsNotFound: true}}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	client, err := alipay.NewClient(gateway.Config())
	require.NoError(t, err)
	_, neverSent := client.ZhimaCustomerJobworthAuthentication.Query(cancelled, nil)

	var first *alipaytest.Answer
	gateway.Inject(alipaytest.FaultFunc("twice", func(w http.ResponseWriter, _ *http.Request, answer *alipaytest.Answer) {
		if first == nil {
			first = answer
		}
		_ = first.Send(w)
	}), 2)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "token-1"})
	require.NoError(t, err)
	_, replayed := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "token-2"})
	gateway.Inject(alipaytest.SignedBody("another user", "application/json", `{"identity_result":"SUCCESS","user_id":"2088402562742106"}`), 1)
	_, mistaken := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "token-3", UserID: "2088402562742105"})

	rows := []struct {
		outcome alipay.Outcome
		says    []error
	}{
		{alipay.OutcomeNotDelivered, []error{query(gateway.Config(), "token-1", alipay.WithHTTPClient(&http.Client{Transport: nowhere}))}},
		{alipay.OutcomeNotDelivered, []error{query(dead, "token-1"), query(silent, "token-1", alipay.WithTimeout(time.Second))}},
		{alipay.OutcomeNotDelivered, []error{behindProxy(t, http.StatusProxyAuthRequired), behindProxy(t, http.StatusForbidden)}},
		{alipay.OutcomeNotDelivered, []error{
			query(secured.Config(), "token-1"),
			overTLS(secured, func(config *tls.Config) { config.Time = func() time.Time { return time.Now().AddDate(100, 0, 0) } }),
			overTLS(secured, func(config *tls.Config) { config.ServerName = "elsewhere.example" }),
		}},
		{alipay.OutcomeNotDelivered, []error{neverSent}},
		{alipay.OutcomeSuccess, nil},
		{alipay.OutcomeNotDelivered, []error{meeting(t, alipaytest.GatewayError(http.StatusTooManyRequests, alipay.CodeAppCallLimited, "应用调用次数超限"))}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.FaultNamed("drop")), meeting(t, alipaytest.FaultNamed("drop by reset"))}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.Hang)}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.HalfAnswer)}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.BadGateway), meeting(t, alipaytest.FaultNamed("400 SYSTEM_ERROR, signed"))}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.FaultNamed("200 HTML"))}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.FaultNamed("foreign signature"))}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.FaultNamed("altered body"))}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.TimestampOff(-time.Hour))}},
		{alipay.OutcomeUnknown, []error{rotated(t)}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.FaultNamed("bad ciphertext"), alipaytest.WithEncryptKey(aesKey))}},
		{alipay.OutcomeUnknown, []error{replayed, mistaken}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.FaultNamed("redirect 302"))}},
		{alipay.OutcomeUnknown, []error{meeting(t, alipaytest.FaultNamed("huge body, 8388608 bytes"))}},
		{alipay.OutcomeRejected, []error{query(gateway.Config(), "spent")}},
	}
	sentinels := map[string]error{
		"ErrResponseUnsigned": alipay.ErrResponseUnsigned, "ErrResponseSignature": alipay.ErrResponseSignature,
		"ErrResponseAltered": alipay.ErrResponseAltered, "ErrResponseStale": alipay.ErrResponseStale,
		"ErrResponseReplayed": alipay.ErrResponseReplayed, "ErrResponseMismatch": alipay.ErrResponseMismatch,
		"ErrUnknownCertificate": alipay.ErrUnknownCertificate, "ErrDecrypt": alipay.ErrDecrypt,
		"ErrRedirect": alipay.ErrRedirect, "ErrResponseTooLarge": alipay.ErrResponseTooLarge,
	}
	words := map[string]map[alipay.Outcome]string{
		"en/troubleshooting.md":    {alipay.OutcomeSuccess: "nothing", alipay.OutcomeNotDelivered: "not delivered", alipay.OutcomeUnknown: "unknown", alipay.OutcomeRejected: "rejected"},
		"zh-CN/troubleshooting.md": {alipay.OutcomeSuccess: "不报错", alipay.OutcomeNotDelivered: "未送达", alipay.OutcomeUnknown: "未知", alipay.OutcomeRejected: "被拒绝"},
	}
	span := regexp.MustCompile("`([^`]+)`")
	for file, word := range words {
		var table []string
		for _, line := range row.FindAllString(parse(t, file).prose, -1) {
			table = append(table, strings.Split(line, "|")[2])
		}
		require.Len(t, table, len(rows)+2, file)
		for i, want := range rows {
			column := table[i+2]
			assert.Contains(t, column, word[want.outcome], file)
			for j, quote := range span.FindAllStringSubmatch(column, -1) {
				says := want.says[min(j, len(want.says)-1)]
				require.Error(t, says, column)
				assert.Equal(t, want.outcome, alipay.OutcomeOf(says), column)
				if sentinel := sentinels[quote[1]]; sentinel != nil {
					assert.ErrorIs(t, says, sentinel, file)
				} else {
					assert.Contains(t, says.Error(), quote[1], file)
				}
			}
		}
	}
}
