package alipay_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

// swapped is the config in which both sides have the keys of the other.
func swapped(t testing.TB, baseURL string) alipay.AlipayConfig {
	config := testConfig(t, baseURL)
	config.PrivateKey, config.AlipayPublicKey = vector(t, "alipay_private_pkcs8.pem"), vector(t, "app_public.pem")
	return config
}

// signedBy signs an answer with the key of the application, which is Alipay's in
// the swapped config.
func signedBySwapped(t testing.TB, body string) http.HandlerFunc {
	key := rsaKey(t, "testdata/vectors/app_private_pkcs8.pem")
	return func(w http.ResponseWriter, _ *http.Request) {
		signAs(w.Header(), key, "", body, time.Now())
		_, _ = io.WriteString(w, body)
	}
}

func TestARefusedReloadChangesNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, signed(200, successBody))
	client := newClient(t, s.URL)
	for name, tt := range map[string]struct {
		change func(*alipay.AlipayConfig)
		field  string
	}{
		"a mistake as in NewClient":      {func(c *alipay.AlipayConfig) { c.PrivateKey = "x" }, "PrivateKey"},
		"the application's own key":      {func(c *alipay.AlipayConfig) { c.AlipayPublicKey = vector(t, "alipay_public.pem") }, "AlipayPublicKey"},
		"another application":            {func(c *alipay.AlipayConfig) { c.AppID = "2021000000000002" }, "AppID"},
		"another gateway":                {func(c *alipay.AlipayConfig) { c.BaseURL = alipay.SandboxBaseURL }, "BaseURL"},
		"another port":                   {func(c *alipay.AlipayConfig) { c.BaseURL = "http://127.0.0.1:1" }, "BaseURL"},
		"another path":                   {func(c *alipay.AlipayConfig) { c.BaseURL += "/prefix" }, "BaseURL"},
		"another scheme":                 {func(c *alipay.AlipayConfig) { c.BaseURL = strings.Replace(c.BaseURL, "http:", "https:", 1) }, "BaseURL"},
		"http beyond loopback":           {func(c *alipay.AlipayConfig) { c.BaseURL = "http://gateway.example" }, "BaseURL"},
		"a file that is not there (yet)": {func(c *alipay.AlipayConfig) { c.PrivateKey, c.PrivateKeyPath = "", "testdata/none" }, "PrivateKeyPath"},
	} {
		t.Run(name, func(t *testing.T) {
			config := swapped(t, s.URL)
			tt.change(&config)
			var mistake *alipay.ConfigError
			require.ErrorAs(t, client.Reload(config), &mistake)
			assert.Equal(t, tt.field, mistake.Field)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			require.NoError(t, err, "with the keys of before")
		})
	}
	for _, none := range []*alipay.Client{nil, new(alipay.Client)} {
		assert.Error(t, none.Reload(testConfig(t, s.URL)))
	}
}

func TestOneGatewayMayBeSpelledInSeveralWays(t *testing.T) {
	for before, after := range map[string]string{
		"":                                 alipay.DefaultBaseURL,
		alipay.DefaultBaseURL:              "https://OpenAPI.alipay.com:443/",
		"https://openapi.alipay.com:443":   "",
		"http://localhost:80/a%2Fb":        "http://localhost/a%2Fb/",
		"https://gateway.example:8443/%7E": "https://gateway.example:8443/~",
	} {
		client, err := alipay.NewClient(testConfig(t, before))
		require.NoError(t, err)
		assert.NoError(t, client.Reload(testConfig(t, after)), "%q, then %q", before, after)
	}
}

// TestACallUnderWayIsHeldAgainstTheKeysOfBothMoments: an answer may be under the
// keys that the attempt began with, or under those that came with Reload.
func TestACallUnderWayIsHeldAgainstTheKeysOfBothMoments(t *testing.T) {
	t.Parallel()
	encryptedBy := func(key string) http.HandlerFunc { return encrypted(key, successBody) }
	for name, tt := range map[string]struct {
		before, after func(*alipay.AlipayConfig)
		answer        http.HandlerFunc
		want          error
	}{
		"signed with the old key":   {nil, swap(t), signed(200, successBody), nil},
		"signed with the new key":   {nil, swap(t), signedBySwapped(t, successBody), nil},
		"signed with neither":       {nil, swap(t), tampered(200, successBody, "alipay-nonce", "x"), alipay.ErrResponseSignature},
		"encrypted, old AES key":    {aesKey(oldAESKey), aesKey(newAESKey), encryptedBy(oldAESKey), nil},
		"encrypted, new AES key":    {aesKey(oldAESKey), aesKey(newAESKey), encryptedBy(newAESKey), nil},
		"encryption switched on":    {nil, aesKey(newAESKey), encryptedBy(newAESKey), nil},
		"encryption switched off":   {aesKey(oldAESKey), nil, encryptedBy(oldAESKey), nil},
		"switched off, in the open": {aesKey(oldAESKey), nil, signed(200, successBody), nil},
		"switched on, with neither": {nil, aesKey(newAESKey), encryptedBy(oldAESKey), alipay.ErrDecrypt},
		"encrypted with neither":    {aesKey(oldAESKey), nil, encryptedBy(newAESKey), alipay.ErrDecrypt},
	} {
		t.Run(name, func(t *testing.T) {
			var client *alipay.Client
			var after alipay.AlipayConfig
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				assert.NoError(t, client.Reload(after))
				tt.answer(w, r)
			})
			before := testConfig(t, s.URL)
			if tt.before != nil {
				tt.before(&before)
			}
			after = testConfig(t, s.URL)
			if tt.after != nil {
				tt.after(&after)
			}
			var err error
			client, err = alipay.NewClient(before)
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, testOpenID, got.OpenID)
		})
	}
}

func swap(t testing.TB) func(*alipay.AlipayConfig) {
	other := swapped(t, "")
	return func(c *alipay.AlipayConfig) {
		c.PrivateKey, c.AlipayPublicKey = other.PrivateKey, other.AlipayPublicKey
	}
}

func aesKey(key string) func(*alipay.AlipayConfig) {
	return func(c *alipay.AlipayConfig) { c.EncryptKey = key }
}

// TestTheNextAttemptIsSignedWithTheNewKeys: and, in a wait, the next poll.
func TestTheNextAttemptIsSignedWithTheNewKeys(t *testing.T) {
	t.Parallel()
	app, other := rsaKey(t, "testdata/vectors/app_private_pkcs8.pem"), alipayKey()
	signer := func(r *http.Request) string {
		c, err := protocol.ParseAuthorization(r.Header.Get("Authorization"))
		assert.NoError(t, err)
		content := protocol.StringToSign(c.AuthString, r.Method, r.RequestURI, nil, "")
		switch {
		case protocol.Verify(&app.PublicKey, content, c.Signature) == nil:
			return "old"
		case protocol.Verify(&other.PublicKey, content, c.Signature) == nil:
			return "new"
		}
		return "neither"
	}
	for name, first := range map[string]http.HandlerFunc{"a retry": unsigned(429, ""), "a poll": signed(200, waitingBody)} {
		t.Run(name, func(t *testing.T) {
			var client *alipay.Client
			var seen []string
			var s *server
			s = serve(t, func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, signer(r))
				if len(seen) == 1 {
					assert.NoError(t, client.Reload(swapped(t, s.URL)))
					first(w, r)
					return
				}
				signedBySwapped(t, successBody)(w, r)
			})
			client = newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}))
			_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), nil, quickly)
			require.NoError(t, err)
			assert.Equal(t, []string{"old", "new"}, seen)
		})
	}
}

func TestReloadChangesTheMode(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	client, err := alipay.NewClient(gateway.Config(), alipay.WithHTTPClient(gateway.HTTPClient()))
	require.NoError(t, err)
	for i, config := range []alipay.AlipayConfig{gateway.Config(), gateway.CertConfig(), gateway.Config()} {
		require.NoError(t, client.Reload(config))
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), finalResult(gateway, fmt.Sprint(i)))
		require.NoError(t, err)
	}
}

// TestADownloadedCertificateSurvivesReload as far as the new config trusts it too.
func TestADownloadedCertificateSurvivesReload(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	outdated := gateway.CertConfig()
	client := certClient(t, gateway)
	query := func() error {
		return second(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), finalResult(gateway, protocol.NewID())))
	}
	gateway.RotateCertificate()
	require.NoError(t, query())
	require.Equal(t, 1, gateway.Downloads())

	for range 2 {
		require.NoError(t, client.Reload(outdated))
		require.NoError(t, query())
		assert.Equal(t, 1, gateway.Downloads(), "the outdated file again")
	}

	require.NoError(t, client.Reload(gateway.CertConfig()))
	require.NoError(t, query())
	require.NoError(t, client.Reload(outdated))
	require.NoError(t, query())
	assert.Equal(t, 2, gateway.Downloads(), "it was configured, and is no longer")

	gateway.RotateCertificate()
	require.NoError(t, query())
	require.Equal(t, 3, gateway.Downloads())
	outdated.AlipayPublicCertContent += alipaytest.RotatedCertificate()
	require.NoError(t, client.Reload(outdated))
	require.NoError(t, query())
	assert.Equal(t, 3, gateway.Downloads(), "the first of two is configured, the second is not")
}

func TestADownloadedCertificateDoesNotSurviveAConfigWithOtherNames(t *testing.T) {
	t.Parallel()
	config, p := certModeConfig(t)
	s := tamper(t, p.nextKey, testpki.Must(alipay.CertSN([]byte(p.next.PEM))), certificateAnswer(p.nextFile))
	config.BaseURL = s.URL
	client, err := alipay.NewClient(config)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.NoError(t, err)

	other := config
	other.AlipayPublicCertContent = issueNow("another Alipay", p.alipayKey, p.middle).PEM
	require.NoError(t, client.Reload(other))
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	assert.Contains(t, err.Error(), "subject and issuer")
	answer := stored(t, sealedIn(err))
	require.NoError(t, client.Reload(config))
	_, err = client.Open(answer, nil)
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate, "what was dropped is not remembered")
	config.AlipayPublicCertContent += p.nextFile
	require.NoError(t, client.Reload(config))
	_, err = client.Open(answer, nil)
	require.NoError(t, err)
}

// TestReloadAmidstManyCallers is for the race detector: keys change as a whole,
// and no call fails.
func TestReloadAmidstManyCallers(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t, alipaytest.WithHistory(0))
	outdated := gateway.CertConfig()
	both := outdated
	both.AlipayPublicCertContent += alipaytest.RotatedCertificate()
	configs := []alipay.AlipayConfig{outdated, both}
	client, err := alipay.NewClient(configs[0], alipay.WithHTTPClient(gateway.HTTPClient()), alipay.WithTimeout(time.Minute))
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	var callers, reloaders sync.WaitGroup
	var done atomic.Bool
	reloads := 0
	reloaders.Go(func() {
		for ; !done.Load(); reloads++ {
			assert.NoError(t, client.Reload(configs[reloads%2]))
			if reloads == 5 {
				gateway.RotateCertificate()
			}
		}
	})
	for caller := range 256 {
		params := finalResult(gateway, fmt.Sprint(caller))
		callers.Go(func() {
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params)
			assert.NoError(t, err)
		})
	}
	callers.Wait()
	done.Store(true)
	reloaders.Wait()
	t.Log(reloads, "reloads")
}

func TestACertificateThatHasEndedIsNotTrustedAnyMore(t *testing.T) {
	t.Parallel()
	config, p := certModeConfig(t)
	sn := testpki.Must(alipay.CertSN([]byte(p.alipay.PEM)))
	var now atomic.Pointer[time.Time]
	at := func(tm time.Time) { now.Store(&tm) }
	at(time.Now())
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		signAs(w.Header(), p.alipayKey, sn, successBody, *now.Load())
		_, _ = io.WriteString(w, successBody)
	})
	config.BaseURL = s.URL
	client, err := alipay.NewClient(config, alipay.WithClock(func() time.Time { return *now.Load() }), alipay.WithCertificateDownload(false))
	require.NoError(t, err)
	query := func() error {
		return second(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil))
	}
	require.NoError(t, query())
	at(p.alipay.Cert.NotAfter)
	require.NoError(t, query(), "its last second")
	at(p.alipay.Cert.NotAfter.Add(time.Second))
	err = query()
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	assert.Contains(t, err.Error(), "which expired on")
	require.NotNil(t, sealedIn(err))
}

// TestTheEndOfACertificateIsSeenComing: in the log once a day, and in what the
// Observer gets with each call.
func TestTheEndOfACertificateIsSeenComing(t *testing.T) {
	t.Parallel()
	config, p := certModeConfig(t)
	sn := testpki.Must(alipay.CertSN([]byte(p.alipay.PEM)))
	const day = 24 * time.Hour
	ends := p.alipay.Cert.NotAfter.Add(-10 * day) // of the application's, which is the first
	config.AppCertContent = issueNow("app", p.appKey, p.middle, testpki.Valid(p.app.Cert.NotBefore, ends)).PEM
	var now atomic.Pointer[time.Time]
	at := func(tm time.Time) { now.Store(&tm) }
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		signAs(w.Header(), p.alipayKey, sn, successBody, *now.Load())
		_, _ = io.WriteString(w, successBody)
	})
	config.BaseURL = s.URL
	var log bytes.Buffer
	var told time.Time
	opts := []alipay.Option{
		alipay.WithClock(func() time.Time { return *now.Load() }), logTo(&log),
		alipay.WithObserver(alipay.Observer{CallDone: func(_ context.Context, r alipay.CallResult) { told = r.CertificateExpires }}),
	}
	at(ends.Add(-31 * day))
	client, err := alipay.NewClient(config, opts...)
	require.NoError(t, err)
	query := func() { require.NoError(t, second(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil))) }
	warnings := func() int { return strings.Count(log.String(), `msg="alipay: certificate expires"`) }
	query()
	assert.True(t, told.IsZero())
	assert.Zero(t, warnings())

	at(ends.Add(-29 * day))
	require.NoError(t, client.Reload(config))
	assert.Equal(t, 1, warnings(), "Reload tells it")
	for range 5 {
		query()
		assert.Equal(t, ends.UTC(), told.UTC())
	}
	require.NoError(t, client.Reload(config))
	assert.Equal(t, 1, warnings(), "an hourly reload does not repeat it either")
	assert.Contains(t, log.String(), "field=AppCertContent")
	assert.NotContains(t, log.String(), "field=AlipayPublicCertContent", "that one ends ten days later")
	assert.Contains(t, log.String(), "level=WARN")
	at(ends.Add(-28*day - time.Second))
	query()
	assert.Equal(t, 1, warnings(), "not within a day")
	at(ends.Add(-28 * day))
	query()
	query()
	assert.Equal(t, 2, warnings(), "the next day")

	log.Reset()
	at(ends.Add(-19 * day))
	query()
	assert.Equal(t, ends.UTC(), told.UTC(), "the first to end")
	assert.Equal(t, 2, warnings(), "both")
	assert.Contains(t, log.String(), "field=AlipayPublicCertContent sn="+sn)
	log.Reset()
	_, err = alipay.NewClient(config, opts...)
	require.NoError(t, err)
	assert.Equal(t, 2, warnings(), "NewClient tells it too")

	_, err = newClient(t, s.URL, logTo(&log)).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	assert.Equal(t, 2, warnings(), "public-key mode has nothing that ends: %v", err)
}
