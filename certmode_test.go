package alipay_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

// pki is a small world of certificates, valid around the present time.
type pki struct {
	appKey, alipayKey, nextKey *rsa.PrivateKey
	ecKey                      crypto.Signer
	middle                     *testpki.Issued
	app, alipay, next          *testpki.Issued // next comes after alipay, in a rotation
	alipayFile, nextFile       string          // as downloaded: with the intermediate
	rootBundle                 string
}

func issueNow(name string, key crypto.Signer, parent *testpki.Issued, change ...func(*x509.Certificate)) *testpki.Issued {
	return testpki.Issue(testpki.Name(name), key, parent, time.Now(), change...)
}

var present = sync.OnceValue(func() *pki {
	key := func(file string) *rsa.PrivateKey { return testpki.RSAKey(testpki.Must(os.ReadFile(file))) }
	p := &pki{
		appKey:    key("testdata/vectors/app_private_pkcs8.pem"),
		alipayKey: alipayKey(),
		nextKey:   key("alipaytest/testkeys/alipay_next_private_key.pem"),
		ecKey:     testpki.ECKey(),
	}
	root := issueNow("root", key("alipaytest/testkeys/foreign_private_key.pem"), nil, testpki.Authority)
	p.middle = issueNow("middle", key("alipaytest/testkeys/alipay_private_key.pem"), root, testpki.Authority)
	p.app = issueNow("app", p.appKey, p.middle)
	p.alipay = issueNow("alipay", p.alipayKey, p.middle)
	p.next = issueNow("alipay", p.nextKey, p.middle)
	p.alipayFile = p.alipay.PEM + p.middle.PEM
	p.nextFile = p.next.PEM + p.middle.PEM
	p.rootBundle = root.PEM
	return p
})

// certModeConfig is valid now, unlike the vectors one day.
func certModeConfig(t testing.TB) (alipay.AlipayConfig, *pki) {
	p := present()
	return alipay.AlipayConfig{
		AppID:                   "2021000000000001",
		PrivateKey:              vector(t, "app_private_pkcs8.pem"),
		AppCertContent:          p.app.PEM,
		AlipayPublicCertContent: p.alipayFile,
		RootCertContent:         vector(t, "root_bundle.crt") + p.rootBundle,
	}, p
}

// The vectors' certificates are valid from November 2026 to October 2045.
var vectorTime = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// vectorCertConfig is the vectors' certificate mode; it needs WithClock.
func vectorCertConfig(t testing.TB) alipay.AlipayConfig {
	return alipay.AlipayConfig{
		AppID:                   "2021000000000001",
		PrivateKey:              vector(t, "app_private_pkcs8.pem"),
		AppCertContent:          vector(t, "app_public_cert.crt"),
		AlipayPublicCertContent: vector(t, "alipay_public_cert.crt"),
		RootCertContent:         vector(t, "root_bundle.crt"),
	}
}

func atVectorTime() time.Time { return vectorTime }

// rsaKey reads a PKCS#8 key, which may have a note above it.
func rsaKey(t testing.TB, file string) *rsa.PrivateKey {
	return testpki.RSAKey([]byte(fileText(t, file)))
}

func fileText(t testing.TB, file string) string {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

func ownPublicKey(t testing.TB) crypto.PublicKey {
	return rsaKey(t, "testdata/vectors/app_private_pkcs8.pem").Public()
}

// signAs puts the headers of an answer signed by key under sn into h.
func signAs(h http.Header, key *rsa.PrivateKey, sn, body string, at time.Time) {
	timestamp, nonce := fmt.Sprint(at.UnixMilli()), protocol.NewID()
	h.Set("alipay-timestamp", timestamp)
	h.Set("alipay-nonce", nonce)
	h.Set("alipay-signature", testpki.Must(protocol.Sign(key, protocol.SignedContent(timestamp, nonce, []byte(body)))))
	if sn != "" {
		h.Set("alipay-sn", sn)
	}
}

// certServer is a gateway in certificate mode; sign writes one answer.
func certServer(t *testing.T, sign func(h http.Header)) *server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		sign(w.Header())
		_, _ = io.WriteString(w, successBody)
	})
}

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
	appKey := rsaKey(t, "testdata/vectors/app_private_pkcs8.pem")
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
	client, err := alipay.NewClient(config, alipay.WithClock(atVectorTime))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	answer, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "abc"})
	require.NoError(t, err)
	assert.Equal(t, alipay.IdentityResultSuccess, answer.IdentityResult)

	// Public-key mode sends neither.
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.NotContains(t, r.Header.Get("Authorization"), "cert_sn")
		assert.Empty(t, r.Header.Values("alipay-root-cert-sn"))
		answerPlain(w)
	})
	_, err = newClient(t, plain.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.NoError(t, err)
}

func answerPlain(w http.ResponseWriter) { answer(w, 200, successBody) }

func TestAnswersAreMatchedToACertificate(t *testing.T) {
	t.Parallel()
	base, p := certModeConfig(t)
	oldSN, newSN := testpki.Must(alipay.CertSN([]byte(p.alipayFile))), testpki.Must(alipay.CertSN([]byte(p.nextFile)))
	middleSN := testpki.Must(alipay.CertSN([]byte(p.middle.PEM)))
	foreign := rsaKey(t, "alipaytest/testkeys/foreign_private_key.pem")
	both, leaf := p.alipayFile+p.nextFile, p.alipay.PEM
	expired := issueNow("alipay", p.nextKey, p.middle, testpki.Valid(time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)))
	expiredSN := testpki.Must(alipay.CertSN([]byte(expired.PEM)))
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
			client, err := alipay.NewClient(config, alipay.WithCertificateDownload(false))
			require.NoError(t, err)
			t.Cleanup(client.CloseIdleConnections)
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
				assert.Contains(t, err.Error(), "configured: "+oldSN, "and those configured")
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

// fakeSigner is a KMS of the test's own.
type fakeSigner struct{ key crypto.Signer }

func (s *fakeSigner) Public() crypto.PublicKey { return s.key.Public() }
func (s *fakeSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(random, digest, opts)
}

func TestSignerSignsInPlaceOfAPrivateKey(t *testing.T) {
	t.Parallel()
	certMode, p := certModeConfig(t)
	verified := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := protocol.ParseAuthorization(r.Header.Get("Authorization"))
		assert.NoError(t, err)
		assert.NoError(t, protocol.Verify(&p.appKey.PublicKey, protocol.StringToSign(c.AuthString, r.Method, r.RequestURI, nil, ""), c.Signature))
		verified++
		answerPlain(w)
	})
	for name, signer := range map[string]crypto.Signer{"KMS": &fakeSigner{p.appKey}, "*rsa.PrivateKey": p.appKey} {
		for _, config := range []alipay.AlipayConfig{testConfig(t, ""), certMode} {
			config.BaseURL, config.PrivateKey, config.Signer = s.URL, "", signer
			require.NoError(t, config.Validate(), name)
			client, err := alipay.NewClient(config)
			require.NoError(t, err, name)
			t.Cleanup(client.CloseIdleConnections)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err, name)
		}
	}
	assert.Equal(t, 4, verified)
}
