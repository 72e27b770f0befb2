package alipay_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
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

// What the READMEs quote is what the library says.

var readmes = []string{"README.md", "README.zh-CN.md"}

// askOnce makes a client of config and asks for token, without long pauses.
func askOnce(config alipay.AlipayConfig, token string, opts ...alipay.Option) error {
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

// askFaulty asks a gateway of its own that misbehaves.
func askFaulty(t *testing.T, fault alipaytest.Fault, opts ...alipaytest.Option) error {
	gateway := alipaytest.NewGateway(t, opts...)
	gateway.Inject(fault, -1)
	return askOnce(gateway.Config(), "token-1", alipay.WithTimeout(500*time.Millisecond))
}

// askRotated asks a gateway whose certificate is not the configured one.
func askRotated(t *testing.T) error {
	gateway := alipaytest.NewGateway(t)
	config := gateway.CertConfig()
	gateway.RotateCertificate()
	return askOnce(config, "token-1")
}

type proxyFunc func(*http.Request) (*http.Response, error)

func (f proxyFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through sends requests by way of f.
func through(f proxyFunc) alipay.Option {
	return alipay.WithHTTPClient(&http.Client{Transport: f})
}

// digestOfDigest is a Signer that hashes what is a digest already.
type digestOfDigest struct{ *rsa.PrivateKey }

func (s digestOfDigest) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	again := sha256.Sum256(digest)
	return s.PrivateKey.Sign(rand, again[:], opts)
}

// mistaken is the error of NewClient for a config with one mistake.
func mistaken(t *testing.T, certificates bool, mistake func(*alipay.AlipayConfig)) error {
	gateway := alipaytest.NewGateway(t)
	config := gateway.Config()
	if certificates {
		config = gateway.CertConfig()
	}
	mistake(&config)
	_, err := alipay.NewClient(config)
	return err
}

func TestReadmeFAQQuotesTheLibrary(t *testing.T) {
	const aesKey = "MDEyMzQ1Njc4OWFiY2RlZg=="
	gateway := alipaytest.NewGateway(t)
	says := []error{
		func() error {
			config := gateway.Config()
			config.PrivateKey = vector(t, "app_private_pkcs8.pem")
			return askOnce(config, "token-1")
		}(),
		func() error {
			config := gateway.Config()
			config.PrivateKey, config.Signer = "", digestOfDigest{alipayKey()}
			return askOnce(config, "token-1")
		}(),
		func() error {
			config := gateway.Config()
			config.AlipayPublicKey = vector(t, "alipay_public.pem")
			return askOnce(config, "token-2")
		}(),
		mistaken(t, false, func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.AlipayPublicKey = vector(t, "app_private_pkcs8.pem"), vector(t, "app_public.pem")
		}),
		mistaken(t, false, func(c *alipay.AlipayConfig) { c.PrivateKey = c.AlipayPublicKey }),
		mistaken(t, false, func(c *alipay.AlipayConfig) {
			c.PrivateKey = strings.Join(strings.Split(c.PrivateKey, "\n")[1:10], "")
		}),
		mistaken(t, false, func(c *alipay.AlipayConfig) { c.PrivateKey = "/etc/alipay/app_private_key.pem" }),
		mistaken(t, false, func(c *alipay.AlipayConfig) { c.BaseURL = "https://openapi.alipay.com/gateway.do" }),
		mistaken(t, true, func(c *alipay.AlipayConfig) { c.AlipayPublicCertContent = "" }),
		mistaken(t, true, func(c *alipay.AlipayConfig) { c.AlipayPublicKey = gateway.Config().AlipayPublicKey }),
		mistaken(t, true, func(c *alipay.AlipayConfig) { c.PrivateKey = vector(t, "app_private_pkcs8.pem") }),
		askRotated(t),
		askOnce(gateway.Config(), "token-3", alipay.WithClock(func() time.Time { return time.Now().Add(-time.Hour) })),
		askOnce(gateway.Config(), "token-4", through(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.Header.Del("Authorization")
			return gateway.HTTPClient().Transport.RoundTrip(r)
		})),
		func() error {
			client, err := alipay.NewClient(gateway.Config())
			require.NoError(t, err)
			gateway.Inject(alipaytest.LostAnswer, 1)
			_, err = client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(),
				&alipay.QueryParams{OnceToken: "token-5"}, alipay.PollPolicy{Initial: time.Millisecond})
			return err
		}(),
		askFaulty(t, alipaytest.GatewayError(http.StatusForbidden, alipay.CodeIllegalClientIP, "非法的来源IP")),
		askFaulty(t, alipaytest.FaultNamed("403 HTML")),
		func() error {
			config := alipaytest.NewGateway(t, alipaytest.WithEncryptKey(aesKey)).Config()
			config.EncryptKey = ""
			return askOnce(config, "token-1")
		}(),
		askFaulty(t, alipaytest.BadCiphertext, alipaytest.WithEncryptKey(aesKey)),
	}

	textBlock := regexp.MustCompile("(?s)```text\n(.*?)```")
	for _, name := range readmes {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		var quotes []string
		for _, b := range textBlock.FindAllStringSubmatch(string(data), -1) {
			quotes = append(quotes, strings.Split(strings.TrimSpace(b[1]), "\n")...)
		}
		require.Len(t, quotes, len(says), name)
		for i, quote := range quotes {
			pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(quote), "…", ".*") + "$"
			require.Error(t, says[i], quote)
			assert.Regexp(t, pattern, says[i].Error(), name)
		}
	}
}

func TestReadmeNetworkTableQuotesTheLibrary(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	gateway.SetError("spent", http.StatusBadRequest, alipay.CodeTokenInvalid, "token无效")
	dead := gateway.Config()
	dead.BaseURL = "http://" + closedPort(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()

	const unknown, notDelivered, no, nothing = "unknown", "not delivered", "answered no", "nothing"
	words := map[string]map[string]string{
		"README.md":       {unknown: "outcome unknown", notDelivered: "not delivered", no: "neither", nothing: "nothing"},
		"README.zh-CN.md": {unknown: "结果未知", notDelivered: "未送达", no: "均不满足", nothing: "不报错"},
	}
	// One per row of the table, with an error for each text that it quotes.
	rows := []struct {
		meaning string
		says    []error
	}{
		{notDelivered, []error{
			askOnce(dead, "token-1"),
			askOnce(gateway.Config(), "token-1", alipay.WithHTTPClient(&http.Client{Transport: &http.Transport{
				DialContext: func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "gateway", IsNotFound: true}}
				},
			}})),
			askOnce(alipaytest.NewGateway(t, alipaytest.WithTLS()).Config(), "token-1"),
		}},
		{notDelivered, []error{func() error {
			client, err := alipay.NewClient(gateway.Config())
			require.NoError(t, err)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(cancelled, nil)
			return err
		}()}},
		{nothing, nil},
		{notDelivered, []error{askFaulty(t, alipaytest.FaultNamed("429 app-call-limited"))}},
		{unknown, []error{askFaulty(t, alipaytest.Drop), askFaulty(t, alipaytest.DropReset)}},
		{unknown, []error{askFaulty(t, alipaytest.Hang)}},
		{unknown, []error{askFaulty(t, alipaytest.HalfAnswer)}},
		{unknown, []error{askFaulty(t, alipaytest.BadGateway), askFaulty(t, alipaytest.SystemError(http.StatusBadRequest))}},
		{unknown, []error{askFaulty(t, alipaytest.ProxyHTML)}},
		{unknown, []error{askFaulty(t, alipaytest.ForeignSignature)}},
		{unknown, []error{askFaulty(t, alipaytest.TimestampOff(-time.Hour))}},
		{unknown, []error{askRotated(t)}},
		{unknown, []error{askFaulty(t, alipaytest.BadCiphertext, alipaytest.WithEncryptKey("MDEyMzQ1Njc4OWFiY2RlZg=="))}},
		{unknown, []error{askFaulty(t, alipaytest.Redirect(http.StatusFound, "http://127.0.0.1:9/"))}},
		{unknown, []error{askFaulty(t, alipaytest.HugeBody(2<<20))}},
		{no, []error{askOnce(gateway.Config(), "spent")}},
	}
	sentinels := map[string]error{
		"ErrResponseUnsigned": alipay.ErrResponseUnsigned, "ErrResponseSignature": alipay.ErrResponseSignature,
		"ErrResponseStale": alipay.ErrResponseStale, "ErrUnknownCertificate": alipay.ErrUnknownCertificate,
		"ErrDecrypt": alipay.ErrDecrypt, "ErrRedirect": alipay.ErrRedirect, "ErrResponseTooLarge": alipay.ErrResponseTooLarge,
	}
	section := map[string]string{"README.md": "\n## When the network fails\n", "README.zh-CN.md": "\n## 网络出错时\n"}
	for _, name := range readmes {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		_, rest, ok := strings.Cut(string(data), section[name])
		require.True(t, ok, "%s: no section %q", name, section[name])
		rest, _, _ = strings.Cut(rest, "\n## ")
		var table []string
		for line := range strings.Lines(rest) {
			if strings.HasPrefix(line, "|") {
				table = append(table, line)
			}
		}
		require.Len(t, table, len(rows)+2, name)
		for i, row := range rows {
			column := strings.Split(table[i+2], "|")[2]
			assert.Contains(t, column, words[name][row.meaning], name)
			var quotes []string
			for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(column, -1) {
				if sentinel := sentinels[span[1]]; sentinel != nil {
					assert.ErrorIs(t, row.says[0], sentinel, name)
					continue
				}
				quotes = append(quotes, span[1])
			}
			require.Len(t, quotes, len(row.says), "%s: %s", name, column)
			for j, quote := range quotes {
				require.Error(t, row.says[j], quote)
				assert.Contains(t, row.says[j].Error(), quote, name)
				assert.Equal(t, row.meaning == unknown, errors.Is(row.says[j], alipay.ErrOutcomeUnknown), quote)
				assert.Equal(t, row.meaning == notDelivered, errors.Is(row.says[j], alipay.ErrNotDelivered), quote)
			}
		}
	}
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
