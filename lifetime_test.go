package alipay_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
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

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestCertificateModeOnTheWire(t *testing.T) {
	var vectors struct {
		Requests []struct {
			Name      string `json:"name"`
			AppCertSN string `json:"app_cert_sn"`
		} `json:"requests"`
		RootCertSN map[string]string `json:"root_cert_sn"`
	}
	require.NoError(t, json.Unmarshal([]byte(vector(t, "vectors.json")), &vectors))
	want := ""
	for _, r := range vectors.Requests {
		if r.Name == "certificate mode" {
			want = r.AppCertSN
		}
	}
	require.NotEmpty(t, want)
	appKey := appKey(t)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := protocol.ParseAuthorization(r.Header.Get("Authorization"))
		assert.NoError(t, err)
		assert.Equal(t, want, c.AppCertSN)
		assert.Contains(t, c.AuthString, "app_cert_sn="+want+",")
		assert.Equal(t, "2021000000000001", c.AppID)
		assert.Equal(t, fmt.Sprint(vectorTime.UnixMilli()), c.Timestamp)
		assert.Equal(t, []string{vectors.RootCertSN["root_bundle.crt"]}, r.Header.Values("alipay-root-cert-sn"))
		assert.NoError(t, protocol.Verify(&appKey.PublicKey, protocol.StringToSign(c.AuthString, r.Method, r.RequestURI, nil, ""), c.Signature))
		signAs(w.Header(), alipayKey(), "ff979bd96125ad97131ce31255eac671", successBody, vectorTime)
		_, _ = io.WriteString(w, successBody)
	})
	config := vectorCertConfig(t)
	config.BaseURL = s.URL
	client := clientOf(t, config, alipay.WithClock(atVectorTime))
	answer, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "abc"})
	require.NoError(t, err)
	assert.Equal(t, alipay.IdentityResultSuccess, answer.IdentityResult)

	// Public-key mode sends neither.
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.NotContains(t, r.Header.Get("Authorization"), "cert_sn")
		assert.Empty(t, r.Header.Values("alipay-root-cert-sn"))
		final(w, r)
	})
	_, err = newClient(t, plain.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.NoError(t, err)
}

// certServer is a gateway in certificate mode; sign writes one answer.
func certServer(t *testing.T, sign func(h http.Header)) *server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		sign(w.Header())
		_, _ = io.WriteString(w, successBody)
	})
}

func TestAnswerIsVerifiedUnderTheCertificateItNames(t *testing.T) {
	t.Parallel()
	base, p := certModeConfig(t)
	oldSN, newSN := certSN(p.alipayFile), certSN(p.nextFile)
	middleSN := certSN(p.middle.PEM)
	foreign := rsaKey(t, "alipaytest/testkeys/foreign_private_key.pem")
	both, leaf := p.alipayFile+p.nextFile, p.alipay.PEM
	expired := issueNow("alipay", p.nextKey, p.middle, testpki.Valid(time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)))
	expiredSN := certSN(expired.PEM)
	for name, tc := range map[string]struct {
		configured string
		key        *rsa.PrivateKey
		sn         string
		want       error
	}{
		"known":                              {p.alipayFile, p.alipayKey, oldSN, nil},
		"known, in capitals":                 {p.alipayFile, p.alipayKey, strings.ToUpper(oldSN), nil},
		"known, leaf only":                   {leaf, p.alipayKey, oldSN, nil},
		"missing":                            {p.alipayFile, p.alipayKey, "", nil},
		"null means missing":                 {p.alipayFile, p.alipayKey, "null", nil},
		"rotation, old":                      {both, p.alipayKey, oldSN, nil},
		"rotation, new":                      {both, p.nextKey, newSN, nil},
		"rotation, missing, old":             {both, p.alipayKey, "", nil},
		"rotation, missing, new":             {both, p.nextKey, "", nil},
		"rotation, missing, neither":         {both, foreign, "", alipay.ErrResponseSignature},
		"rotation, the other's SN":           {both, p.nextKey, oldSN, alipay.ErrResponseSignature},
		"unknown":                            {p.alipayFile, p.nextKey, newSN, alipay.ErrUnknownCertificate},
		"unknown, though the key would do":   {p.alipayFile, p.alipayKey, newSN, alipay.ErrUnknownCertificate},
		"the intermediate is no signer":      {p.alipayFile, p.alipayKey, middleSN, alipay.ErrUnknownCertificate},
		"the expired one is no signer":       {expired.PEM + p.alipayFile, p.nextKey, expiredSN, alipay.ErrUnknownCertificate},
		"the expired one, missing SN":        {expired.PEM + p.alipayFile, p.nextKey, "", alipay.ErrResponseSignature},
		"known, signed by somebody else":     {p.alipayFile, foreign, oldSN, alipay.ErrResponseSignature},
		"known, signed by the application":   {p.alipayFile, p.appKey, oldSN, alipay.ErrResponseSignature},
		"missing, signed by the application": {p.alipayFile, p.appKey, "", alipay.ErrResponseSignature},
	} {
		t.Run(name, func(t *testing.T) {
			s := certServer(t, func(h http.Header) { signAs(h, tc.key, tc.sn, successBody, time.Now()) })
			config := base
			config.BaseURL, config.AlipayPublicCertContent = s.URL, tc.configured
			client := clientOf(t, config, alipay.WithCertificateDownload(false))
			answer, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			assert.EqualValues(t, 1, s.requests.Load())
			if tc.want == nil {
				require.NoError(t, err)
				assert.Equal(t, alipay.IdentityResultSuccess, answer.IdentityResult)
				return
			}
			assert.Nil(t, answer)
			require.ErrorIs(t, err, tc.want)
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			assert.NotErrorIs(t, err, alipay.ErrNotDelivered)
			if tc.want == alipay.ErrUnknownCertificate {
				assert.Contains(t, err.Error(), "alipay-sn is "+tc.sn, "the SN that came")
				configured := "configured: " + oldSN
				if tc.sn == expiredSN {
					configured = "which expired on"
				}
				assert.Contains(t, err.Error(), configured, "and those configured")
				assert.Contains(t, err.Error(), "AlipayPublicCertContent")
			}
		})
	}
	t.Run("all configured ones are named", func(t *testing.T) {
		s := certServer(t, func(h http.Header) { signAs(h, p.alipayKey, middleSN, successBody, time.Now()) })
		config := base
		config.BaseURL, config.AlipayPublicCertContent = s.URL, both
		client := testpki.Must(alipay.NewClient(config))
		t.Cleanup(client.CloseIdleConnections)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
		assert.Contains(t, err.Error(), oldSN)
		assert.Contains(t, err.Error(), newSN)
	})
}

func TestRefusedReloadChangesNothing(t *testing.T) {
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

func TestReloadAcceptsOtherSpellingsOfTheBaseURL(t *testing.T) {
	for before, after := range map[string]string{
		"":                                 alipay.DefaultBaseURL,
		alipay.DefaultBaseURL:              "https://OpenAPI.alipay.com:443/",
		"https://openapi.alipay.com:443":   "",
		"http://localhost:80/a%2Fb":        "http://localhost/a%2Fb/",
		"https://gateway.example:8443/%7E": "https://gateway.example:8443/~",
	} {
		client := clientOf(t, testConfig(t, before))
		assert.NoError(t, client.Reload(testConfig(t, after)), "%q, then %q", before, after)
	}
}

// TestCallDuringReloadIsVerifiedUnderOldAndNewKeys: an answer may be under the
// keys that the attempt began with, or under those that came with Reload.
func TestCallDuringReloadIsVerifiedUnderOldAndNewKeys(t *testing.T) {
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
			client = clientOf(t, before)
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

// TestNextAttemptAfterReloadIsSignedWithTheNewKeys: and, in a wait, the next
// poll.
func TestNextAttemptAfterReloadIsSignedWithTheNewKeys(t *testing.T) {
	t.Parallel()
	app, other := appKey(t), alipayKey()
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
			client = newClient(t, s.URL, soon)
			_, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), nil, quickly)
			require.NoError(t, err)
			assert.Equal(t, []string{"old", "new"}, seen)
		})
	}
}

func TestReloadChangesTheMode(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	client := clientOf(t, gateway.Config(), alipay.WithHTTPClient(gateway.HTTPClient()))
	for i, config := range []alipay.AlipayConfig{gateway.Config(), gateway.CertConfig(), gateway.Config()} {
		require.NoError(t, client.Reload(config))
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), finalResult(gateway, fmt.Sprint(i)))
		require.NoError(t, err)
	}
}

// TestDownloadedCertificateSurvivesReload as far as the new config trusts it too.
func TestDownloadedCertificateSurvivesReload(t *testing.T) {
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

func TestDownloadedCertificateIsDroppedWhenItsNamesAreNotConfigured(t *testing.T) {
	t.Parallel()
	config, p := certModeConfig(t)
	s := tamper(t, p.nextKey, certSN(p.next.PEM), certificateAnswer(p.nextFile))
	config.BaseURL = s.URL
	client := clientOf(t, config)
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
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

// TestReloadIsSafeForConcurrentUse is for the race detector: keys change as a
// whole, and no call fails.
func TestReloadIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t, alipaytest.WithHistory(0))
	outdated := gateway.CertConfig()
	both := outdated
	both.AlipayPublicCertContent += alipaytest.RotatedCertificate()
	configs := []alipay.AlipayConfig{outdated, both}
	client := clientOf(t, configs[0], alipay.WithHTTPClient(gateway.HTTPClient()), alipay.WithTimeout(time.Minute))
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

func TestExpiredCertificateIsNotTrusted(t *testing.T) {
	t.Parallel()
	config, p := certModeConfig(t)
	sn := certSN(p.alipay.PEM)
	var now atomic.Pointer[time.Time]
	at := func(tm time.Time) { now.Store(&tm) }
	at(time.Now())
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		signAs(w.Header(), p.alipayKey, sn, successBody, *now.Load())
		_, _ = io.WriteString(w, successBody)
	})
	config.BaseURL = s.URL
	client := clientOf(t, config, alipay.WithClock(func() time.Time { return *now.Load() }), alipay.WithCertificateDownload(false))
	query := func() error {
		return second(client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil))
	}
	require.NoError(t, query())
	at(p.alipay.Cert.NotAfter)
	require.NoError(t, query(), "its last second")
	at(p.alipay.Cert.NotAfter.Add(time.Second))
	err := query()
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	assert.Contains(t, err.Error(), "which expired on")
	require.NotNil(t, sealedIn(err))
}

// An answer is judged by when it was received: the certificate that signed it may
// have expired since, if it is still configured.
func TestAnswerUnderACertificateExpiredSinceOpens(t *testing.T) {
	t.Parallel()
	config, p := certModeConfig(t)
	began := time.Now()
	old := issueNow("Alipay", p.alipayKey, p.middle, testpki.Valid(began.Add(-24*time.Hour), began.Add(time.Hour)))
	oldSN, age := certSN(old.PEM), time.Hour
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		signAs(w.Header(), p.alipayKey, oldSN, successBody, began.Add(-age))
		_, _ = io.WriteString(w, successBody)
	})
	config.BaseURL, config.AlipayPublicCertContent = s.URL, old.PEM+p.next.PEM+p.middle.PEM
	client := func(at time.Time, config alipay.AlipayConfig) *alipay.Client {
		return clientOf(t, config, alipay.WithClock(func() time.Time { return at }), alipay.WithMaxClockSkew(2*time.Hour), alipay.WithCertificateDownload(false))
	}
	strict := clientOf(t, config, alipay.WithCertificateDownload(false))
	_, err := strict.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrResponseStale)
	answer := stored(t, sealedIn(err))

	later := client(began.Add(2*time.Hour), config)
	got, err := later.ZhimaCustomerJobworthAuthentication.Open(answer)
	require.NoError(t, err)
	assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
	age = -2 * time.Hour
	_, err = later.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate, "a new answer under it is refused")
	assert.Contains(t, err.Error(), "which expired on")
	_, err = later.ZhimaCustomerJobworthAuthentication.Open(stored(t, sealedIn(err)))
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate, "whenever it is opened")

	config.AlipayPublicCertContent = p.nextFile
	_, err = client(began.Add(2*time.Hour), config).ZhimaCustomerJobworthAuthentication.Open(answer)
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate, "it has to be configured")
}

// TestExpiryOfACertificateIsAnnounced: in the log once a day, and in what the
// Observer gets with each call.
func TestExpiryOfACertificateIsAnnounced(t *testing.T) {
	t.Parallel()
	config, p := certModeConfig(t)
	sn := certSN(p.alipay.PEM)
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
	var log lockedBuffer
	var told time.Time
	opts := []alipay.Option{
		alipay.WithClock(func() time.Time { return *now.Load() }), logTo(&log),
		alipay.WithObserver(alipay.Observer{CallDone: func(_ context.Context, r alipay.CallResult) { told = r.CertificateExpires }}),
	}
	at(ends.Add(-31 * day))
	client := clientOf(t, config, opts...)
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
	_, err := alipay.NewClient(config, opts...)
	require.NoError(t, err)
	assert.Equal(t, 2, warnings(), "NewClient tells it too")

	_, err = newClient(t, s.URL, logTo(&log)).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	assert.Equal(t, 2, warnings(), "public-key mode has nothing that ends: %v", err)
}

// TestReloadChangesTheAppAuthTokenOfTheNextAttempt: an attempt is of one config.
func TestReloadChangesTheAppAuthTokenOfTheNextAttempt(t *testing.T) {
	t.Parallel()
	var tokens []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.Header.Get("alipay-app-auth-token"))
		if len(tokens)%2 == 1 {
			w.WriteHeader(429)
			return
		}
		answer(w, 200, successBody)
	})
	config := testConfig(t, s.URL)
	config.AppAuthToken = "old"
	var client *alipay.Client
	client, err := alipay.NewClient(config, soon,
		alipay.WithObserver(alipay.Observer{AttemptDone: func(context.Context, alipay.AttemptInfo) {
			config.AppAuthToken = "new"
			assert.NoError(t, client.Reload(config))
		}}))
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	for _, opts := range [][]alipay.RequestOption{nil, {alipay.WithAppAuthToken("own")}, {alipay.WithAppAuthToken("")}} {
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{}, opts...)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"old", "new", "own", "own", "", ""}, tokens)
}

func TestNewAlipayCertificateLosesNoAnswer(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]alipaytest.Option{
		"http":               nil,
		"TLS":                {alipaytest.WithTLS()},
		"content encryption": {alipaytest.WithEncryptKey(oldAESKey)},
		"a path prefix":      {alipaytest.WithPathPrefix("/behind/proxy")},
	} {
		t.Run(name, func(t *testing.T) {
			gateway := alipaytest.NewGateway(t, opts...)
			var log lockedBuffer
			client := certClient(t, gateway, logTo(&log))
			service := client.ZhimaCustomerJobworthAuthentication
			_, err := service.Query(t.Context(), finalResult(gateway, "before"))
			require.NoError(t, err)
			for rotation := 1; rotation <= 3; rotation++ {
				gateway.RotateCertificate()
				for n := range 3 {
					got, err := service.Query(t.Context(), finalResult(gateway, fmt.Sprint(rotation, n)))
					require.NoError(t, err)
					assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
					assert.Equal(t, 1, got.Meta.Attempts)
				}
				gateway.SetError("no", 400, alipay.CodeUserNotAuthorize, "no")
				assert.Equal(t, rotation, gateway.Downloads())
				assert.Equal(t, rotation, strings.Count(log.String(), `msg="alipay: new certificate"`))
			}
			assert.Contains(t, log.String(), "level=WARN")
			assert.Contains(t, log.String(), "AlipayPublicCertContent")
			assert.Contains(t, log.String(), "not_after=20")
		})
	}
}

func TestRefusalUnderANewCertificateIsARefusal(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	client := certClient(t, gateway)
	gateway.RotateCertificate()
	gateway.SetError(testToken, 400, alipay.CodeUserNotAuthorize, "no")
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: testToken})
	require.ErrorIs(t, err, alipay.CodeUserNotAuthorize)
	assert.Equal(t, alipay.OutcomeRejected, alipay.OutcomeOf(err))
	assert.Equal(t, 1, gateway.Downloads())
}

// TestDownloadSendsNothingOfTheCall: neither a value of the call nor a header
// that was meant for it.
func TestDownloadSendsNothingOfTheCall(t *testing.T) {
	gateway := alipaytest.NewGateway(t, alipaytest.WithEncryptKey(oldAESKey))
	config := gateway.CertConfig()
	config.AppAuthToken = testAuthTok
	client := clientOf(t, config)
	gateway.RotateCertificate()
	params := testParams()
	gateway.SetResult(params.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess})
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params, alipay.WithHeader("X-Tenant", "tenant-4711"), alipay.WithRequestID("order-4711"))
	require.NoError(t, err)
	var download *alipaytest.ReceivedRequest
	for _, r := range gateway.Requests() {
		if r.Path == "/gateway.do" {
			require.Nil(t, download, "one")
			download = &r
		}
	}
	require.NotNil(t, download)
	assert.True(t, download.Verified)
	assert.Equal(t, http.MethodPost, download.Method)
	text := download.RequestURI + " " + string(download.Body) + fmt.Sprint(download.Header, download.Params)
	text, err = url.QueryUnescape(text)
	require.NoError(t, err)
	for _, value := range append(personalValues(), testAuthTok, "tenant-4711", "order-4711", "identity_type", "Authorization", "Alipay-Sn", "Alipay-Encrypt", "Alipay-App", "Alipay-Sdk") {
		assert.NotContains(t, text, value)
	}
	assert.Contains(t, text, "alipay_root_cert_sn=")
	sn, err := alipay.CertSN([]byte(alipaytest.RotatedCertificate()))
	require.NoError(t, err)
	assert.Equal(t, `{"alipay_cert_sn":"`+sn+`"}`, download.Params.Get("biz_content"))
	assert.NotContains(t, download.RequestURI, "biz_content", "it goes in the body")
	assert.NotContains(t, text, "encrypt_type", "it is never encrypted")
}

// TestAnotherMerchantsCertificateUnderTheSameRootIsNotTrusted: he is a merchant
// with a real application certificate, and answers both the call and the
// download. Each condition of trust is what stops one of his attempts.
func TestAnotherMerchantsCertificateUnderTheSameRootIsNotTrusted(t *testing.T) {
	t.Parallel()
	key := func(name string) *rsa.PrivateKey { return rsaKey(t, name) }
	alipayKey, nextKey, attacker := alipayKey(), key("alipaytest/testkeys/alipay_next_private_key.pem"), key("alipaytest/testkeys/foreign_private_key.pem")
	now := time.Now()
	root := issueNow("root", testpki.ECKey(), nil, testpki.Authority)
	class1, class2 := issueNow("Class 1", testpki.ECKey(), root, testpki.Authority), issueNow("Class 2", testpki.ECKey(), root, testpki.Authority)
	app := issueNow("2088000000000001-2021000000000001", key("testdata/vectors/app_private_pkcs8.pem"), class1)
	his := issueNow("2088000000000666-2021000000000666", attacker, class1)
	configured, next := issueNow("Alipay", alipayKey, class2), issueNow("Alipay", nextKey, class2)
	config := alipay.AlipayConfig{
		AppID: "2021000000000001", PrivateKey: vector(t, "app_private_pkcs8.pem"), AppCertContent: app.PEM,
		AlipayPublicCertContent: configured.PEM + class2.PEM, RootCertContent: vector(t, "root_bundle.crt") + root.PEM,
	}
	// forged has the names and the number of the next certificate, and so its SN.
	forged := func(by *testpki.Issued) string {
		template := &x509.Certificate{
			SerialNumber: next.Cert.SerialNumber, RawSubject: next.Cert.RawSubject, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature,
		}
		der := testpki.Must(x509.CreateCertificate(rand.Reader, template, &x509.Certificate{RawSubject: class2.Cert.RawSubject}, attacker.Public(), by.Key))
		return testpki.Armour("CERTIFICATE", der)
	}
	ownClass2 := issueNow("Class 2", attacker, his, testpki.Authority)
	expired := issueNow("Alipay", attacker, class2, testpki.Valid(now.Add(-48*time.Hour), now.Add(-24*time.Hour)))
	byClass1 := issueNow("Alipay", attacker, class1)

	for name, tt := range map[string]struct {
		key      *rsa.PrivateKey
		names    string // the certificate that the answer names
		download string
		says     string // "" when it is trusted
	}{
		"the real next certificate":                  {nextKey, next.PEM, next.PEM + class2.PEM, ""},
		"the SN is not the one asked for":            {attacker, next.PEM, his.PEM + class1.PEM, "no certificate with the SN that was asked for"},
		"the real one, but he cannot sign with it":   {attacker, next.PEM, next.PEM + class2.PEM, "is not the one that signed"},
		"his own, by its own SN":                     {attacker, his.PEM, his.PEM + class1.PEM, "subject and issuer"},
		"Alipay's name from another authority":       {attacker, byClass1.PEM, byClass1.PEM + class1.PEM, "subject and issuer"},
		"no longer valid":                            {attacker, expired.PEM, expired.PEM + class2.PEM, "not valid as downloaded: the certificate expired"},
		"forged: it does not lead to the root":       {attacker, next.PEM, forged(his) + class2.PEM, "does not lead to the configured root bundle"},
		"forged under his certificate as authority":  {attacker, next.PEM, forged(his) + his.PEM + class1.PEM, "does not lead to the configured root bundle"},
		"forged under an authority that he made":     {attacker, next.PEM, forged(ownClass2) + ownClass2.PEM + his.PEM + class1.PEM, "does not lead to the configured root bundle"},
		"the public key of the victim's application": {attacker, app.PEM, app.PEM + class1.PEM, "subject and issuer"},
		"no certificate at all":                      {attacker, next.PEM, "hello", "the download is not a certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			sn := certSN(tt.names)
			s := tamper(t, tt.key, sn, certificateAnswer(tt.download))
			config := config
			config.BaseURL = s.URL
			client := clientOf(t, config)
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			if tt.says == "" {
				require.NoError(t, err)
				_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
				require.NoError(t, err)
			} else {
				require.Error(t, err)
				assert.Nil(t, got)
				assert.Contains(t, err.Error(), tt.says)
				assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
				answer := stored(t, sealedIn(err))
				_, err = client.Open(answer, nil)
				assert.Error(t, err)
			}
			assert.EqualValues(t, 1, s.downloads.Load())
		})
	}
}

func TestFailedDownloadIsUnknownCertificateWithItsReason(t *testing.T) {
	t.Parallel()
	p := present()
	sn := certSN(p.next.PEM)
	for name, tt := range map[string]struct {
		download http.HandlerFunc
		says     string
	}{
		"not found":  {http.NotFound, "HTTP status 404"},
		"a redirect": {redirect(307), "HTTP status 307"},
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"alipay_open_app_alipaycert_download_response":{"code":"40004","sub_code":"isv.alipay-cert-not-exist"}}`)
		}, "downloading it failed: isv.alipay-cert-not-exist"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, io.LimitReader(zeros{}, 2<<20)) }, "larger than allowed"},
		"empty":     {certificateAnswer(""), "holds no certificate"},
		"no base64": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"alipay_open_app_alipaycert_download_response":{"code":"10000","alipay_cert_content":"%%%"},"sign":"bm9uZQ=="}`)
		}, "holds no certificate"},
		"no answer": {hangUp, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := tamper(t, p.nextKey, sn, tt.download)
			config, _ := certModeConfig(t)
			config.BaseURL = s.URL
			client := clientOf(t, config)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			assert.NotErrorIs(t, err, alipay.ErrNotDelivered)
			assert.Contains(t, err.Error(), sn)
			assert.Contains(t, err.Error(), tt.says)
			for _, text := range allTexts(err) {
				for _, value := range personalValues() {
					assert.NotContains(t, text, value)
				}
			}
			require.NotNil(t, sealedIn(err))
			assert.EqualValues(t, 1, s.downloads.Load())
		})
	}
}

// TestDownloadIsRetriedSoonOnlyAfterATransportFailure: a certificate that is not
// trusted would be the same one again.
func TestDownloadIsRetriedSoonOnlyAfterATransportFailure(t *testing.T) {
	p := present()
	sn := certSN(p.next.PEM)
	config, _ := certModeConfig(t)
	config.BaseURL = "http://127.0.0.1"
	now := time.Now() // the certificates are not valid in the bubble's year
	for name, tt := range map[string]struct {
		download http.HandlerFunc
		want     int64
	}{
		"failed on the way": {http.NotFound, 2},
		"not trusted":       {certificateAnswer(p.app.PEM), 1},
	} {
		t.Run(name, func(t *testing.T) {
			var downloads atomic.Int64
			var clock func() time.Time
			handler := func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/gateway.do" {
					downloads.Add(1)
					tt.download(w, r)
					return
				}
				signAs(w.Header(), p.nextKey, sn, successBody, clock())
				_, _ = io.WriteString(w, successBody)
			}
			inBubble(t, handler, func(t *testing.T, transport *http.Transport) {
				began := time.Now()
				clock = func() time.Time { return now.Add(time.Since(began)) }
				client := clientOf(t, config, alipay.WithHTTPClient(&http.Client{Transport: transport}), alipay.WithClock(clock))
				for range 2 {
					_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
					require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
					time.Sleep(10 * time.Second)
				}
				assert.Equal(t, tt.want, downloads.Load())
			})
		})
	}
}

func TestDownloadThatCannotBeSignedIsNotSent(t *testing.T) {
	p := present()
	sn := certSN(p.next.PEM)
	s := tamper(t, p.nextKey, sn, certificateAnswer(p.nextFile))
	config, _ := certModeConfig(t)
	config.BaseURL = s.URL
	cause, signing := errors.New("the KMS says no"), 0
	config.PrivateKey, config.Signer = "", signerThatMay(t, func() error {
		if signing++; signing > 1 {
			return cause
		}
		return nil
	})
	client := clientOf(t, config)
	signing = 0 // whatever NewClient has signed
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	assert.ErrorIs(t, err, cause)
	assert.NotContains(t, err.Error(), cause.Error())
	assert.Zero(t, s.downloads.Load())
	require.NotNil(t, sealedIn(err))
}

// TestDownloadOutlivesTheCallThatBeganIt: that its caller gives up is no failure of
// it, and the next call has the certificate.
func TestDownloadOutlivesTheCallThatBeganIt(t *testing.T) {
	p := present()
	asked, release := make(chan struct{}), make(chan struct{})
	s := tamper(t, p.nextKey, certSN(p.next.PEM), func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		certificateAnswer(p.nextFile)(w, r)
	})
	config, _ := certModeConfig(t)
	config.BaseURL = s.URL
	client := clientOf(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
	kept := stored(t, sealedIn(err))
	close(release)
	got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err)
	assert.Equal(t, testOpenID, got.OpenID)
	assert.EqualValues(t, 1, s.downloads.Load())
	_, err = client.ZhimaCustomerJobworthAuthentication.Open(kept)
	require.NoError(t, err)
}

func TestNoDownloadWithoutNeed(t *testing.T) {
	t.Parallel()
	p := present()
	for name, tt := range map[string]struct {
		sn   string
		opts []alipay.Option
	}{
		"switched off":  {strings.Repeat("0", 32), []alipay.Option{alipay.WithCertificateDownload(false)}},
		"not an SN":     {"../../x", nil},
		"without an SN": {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := tamper(t, p.nextKey, tt.sn, certificateAnswer(p.nextFile))
			config, _ := certModeConfig(t)
			config.BaseURL = s.URL
			client := clientOf(t, config, tt.opts...)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.Error(t, err)
			require.NotNil(t, sealedIn(err))
			assert.Zero(t, s.downloads.Load())
		})
	}
	t.Run("public-key mode", func(t *testing.T) {
		s := tamper(t, alipayKey(), strings.Repeat("0", 32), certificateAnswer(p.nextFile))
		_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		require.NoError(t, err)
		assert.Zero(t, s.downloads.Load())
	})
}

// TestCertificateRotationUnderLoad: 256 callers at full speed, and the gateway
// changes its certificate in the middle.
func TestCertificateRotationUnderLoad(t *testing.T) {
	t.Parallel()
	callers, calls := 256, 1
	switch {
	case testing.Short():
		callers = 32
	case *soak > 0:
		calls = 8
	}
	drill := func(t *testing.T, opts ...alipay.Option) (*alipaytest.Gateway, *alipay.Client, []error) {
		gateway := alipaytest.NewGateway(t, alipaytest.WithHistory(0))
		client := certClient(t, gateway, append(opts, alipay.WithTimeout(time.Minute))...)
		for caller := range callers {
			for n := range calls {
				finalResult(gateway, fmt.Sprint(caller, "-", n))
			}
		}
		var mu sync.Mutex
		var failed []error
		var all sync.WaitGroup
		var answered atomic.Int64
		rotated := make(chan struct{})
		for caller := range callers {
			all.Go(func() {
				for n := range calls {
					if caller%2 == 1 && n == calls-1 {
						<-rotated
					}
					_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: fmt.Sprint(caller, "-", n)})
					if err != nil {
						mu.Lock()
						failed = append(failed, err)
						mu.Unlock()
					}
					if answered.Add(1) == int64(callers*calls/2) {
						gateway.RotateCertificate()
						close(rotated)
					}
				}
			})
		}
		all.Wait()
		return gateway, client, failed
	}
	t.Run("with the download no call fails", func(t *testing.T) {
		gateway, _, failed := drill(t)
		assert.Empty(t, failed)
		assert.Equal(t, 1, gateway.Downloads())
	})
	t.Run("without it every answer opens after Reload", func(t *testing.T) {
		gateway, client, failed := drill(t, alipay.WithCertificateDownload(false))
		assert.Zero(t, gateway.Downloads())
		assert.NotEmpty(t, failed)
		require.NoError(t, client.Reload(gateway.CertConfig()))
		for _, err := range failed {
			require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
			got, err := client.ZhimaCustomerJobworthAuthentication.Open(stored(t, sealedIn(err)))
			require.NoError(t, err)
			assert.Equal(t, alipay.IdentityResultSuccess, got.IdentityResult)
		}
		t.Log(len(failed), "answers opened")
	})
}

func TestAnswerIsVerifiedUnderTheCertificateDownloadedForIt(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	var client *alipay.Client
	client = certClient(t, gateway, alipay.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func(record []byte) {
		if strings.Contains(string(record), "alipay: new certificate") {
			assert.NoError(t, client.Reload(gateway.Config())) // keys that do not know it
		}
	}), nil))))
	gateway.RotateCertificate()
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), finalResult(gateway, "1"))
	require.NoError(t, err)
	assert.Equal(t, 1, gateway.Downloads())
}

// TestSoakWithChangingKeys lets callers and waiters ask while Alipay changes its
// certificate, the merchant reloads his config, the gateway throttles and
// connections break, all at once. In the end it compares the gateway's ledger
// with what the calls returned: no token is spent without a result, an answer
// that is kept and opens, or an error that says outcome unknown. It runs for 3 s,
// or for as long as -soak says.
func TestSoakWithChangingKeys(t *testing.T) {
	const callers, rotations = 48, 8
	if testing.Short() {
		t.Skip("takes all processors")
	}
	t.Parallel()
	gateway := alipaytest.NewGateway(t, alipaytest.WithHistory(0))
	misbehave(gateway, []alipaytest.Fault{
		alipaytest.Drop, alipaytest.FaultNamed("drop by reset"), alipaytest.LostAnswer, alipaytest.HalfAnswer, alipaytest.TooManyRequests, alipaytest.TooManyRequests,
	}, 5)
	outdated := gateway.CertConfig()
	var mu sync.Mutex
	complete := outdated // with every certificate there has been
	opts := []alipay.Option{alipay.WithHTTPClient(gateway.HTTPClient()), alipay.WithTimeout(time.Minute), soon}
	clients := make([]*alipay.Client, 2)
	for i := range clients {
		var err error
		clients[i], err = alipay.NewClient(outdated, append(opts, alipay.WithCertificateDownload(i == 0))...)
		require.NoError(t, err)
		defer clients[i].CloseIdleConnections()
	}
	// How far it is: by the calls that were made, or by the time with -soak.
	const calls = 4 * callers
	var made atomic.Int64
	began := time.Now()
	progress := func() float64 {
		if *soak > 0 {
			return float64(time.Since(began)) / float64(*soak)
		}
		return float64(made.Load()) / calls
	}
	news := make(chan struct{}, 1)
	var operator, all sync.WaitGroup
	operator.Go(func() {
		for n := range 4 * rotations {
			for progress() < float64(n+1)/(4*rotations) {
				if _, more := <-news; !more {
					return
				}
			}
			mu.Lock()
			if n%4 == 0 {
				gateway.RotateCertificate()
				complete.AlipayPublicCertContent += gateway.CertConfig().AlipayPublicCertContent
			}
			config := complete
			mu.Unlock()
			switch { // the operator is late, and now and then takes the old file again
			case n%4 == 0:
				continue
			case n%5 == 4:
				config = outdated
			}
			assert.NoError(t, clients[n%2].Reload(config))
		}
	})

	type told struct {
		err    error
		client *alipay.Client
	}
	outcomes := map[string]told{}
	for caller := range callers {
		client := clients[caller%2]
		all.Go(func() {
			for progress() < 1 {
				params := &alipay.QueryParams{OnceToken: "token-" + rand.Text()}
				var err error
				if caller%3 == 0 {
					gateway.SetResult(params.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, WaitingPolls: mathrand.N(3)})
					_, err = client.ZhimaCustomerJobworthAuthentication.WaitForResult(t.Context(), params, alipay.PollPolicy{Initial: time.Millisecond, Max: time.Millisecond, Timeout: time.Minute})
				} else {
					gateway.SetResult(params.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess})
					_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params)
				}
				mu.Lock()
				outcomes[params.OnceToken] = told{err, client}
				mu.Unlock()
				made.Add(1)
				select {
				case news <- struct{}{}:
				default: // the operator has one to look at
				}
			}
		})
	}
	all.Wait()
	close(news)
	operator.Wait()

	for _, client := range clients {
		require.NoError(t, client.Reload(complete))
	}
	counts := map[string]int{}
	ledger := gateway.Ledger()
	for token, told := range outcomes {
		counts["calls"]++
		counts[alipay.OutcomeOf(told.err).String()]++
		state := ledger[token]
		answer := sealedIn(told.err)
		if answer != nil {
			counts["kept"]++
			got, err := told.client.ZhimaCustomerJobworthAuthentication.Open(stored(t, answer))
			switch {
			case errors.Is(err, alipay.ErrResponseAltered):
				counts["kept in part"]++ // the connection broke in it; the error may be about a later poll
			case errors.Is(err, alipay.CodeTokenInvalid):
				counts["kept refusals"]++
			case assert.NoError(t, err, "%v", told.err) && got.IdentityResult == alipay.IdentityResultSuccess:
				counts["kept results"]++
			}
		}
		switch alipay.OutcomeOf(told.err) {
		case alipay.OutcomeSuccess:
			assert.True(t, state.Spent)
		case alipay.OutcomeNotDelivered:
			assert.Zero(t, state.Acted, "%v", told.err)
		case alipay.OutcomeUnknown:
			if state.Spent {
				counts["unknown and spent"]++
			}
		default:
			assert.False(t, state.Spent, "a token that was spent, and the caller was not told: %v", told.err)
		}
	}
	t.Log(counts, "downloads:", gateway.Downloads())
	assert.LessOrEqual(t, gateway.Downloads(), 8*rotations, "no flood")
	assert.Positive(t, counts["success"])
}
