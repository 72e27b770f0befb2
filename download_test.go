package alipay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/seed-39a49030/alipay/internal/testpki"
)

// certClient is a client of a gateway in certificate mode.
func certClient(t testing.TB, gateway *alipaytest.Gateway, opts ...alipay.Option) *alipay.Client {
	client, err := alipay.NewClient(gateway.CertConfig(), append([]alipay.Option{alipay.WithHTTPClient(gateway.HTTPClient())}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func finalResult(gateway *alipaytest.Gateway, token string) *alipay.QueryParams {
	gateway.SetResult(token, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, UserID: testUserID})
	return &alipay.QueryParams{OnceToken: token, UserID: testUserID, CertNo: testCertNo}
}

func TestANewCertificateOfAlipaysLosesNothing(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]alipaytest.Option{
		"http":               nil,
		"TLS":                {alipaytest.WithTLS()},
		"content encryption": {alipaytest.WithEncryptKey(oldAESKey)},
		"a path prefix":      {alipaytest.WithPathPrefix("/behind/proxy")},
	} {
		t.Run(name, func(t *testing.T) {
			gateway := alipaytest.NewGateway(t, opts...)
			var log bytes.Buffer
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

func TestASignedNoUnderANewCertificateIsANo(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	client := certClient(t, gateway)
	gateway.RotateCertificate()
	gateway.SetError(testToken, 400, alipay.CodeUserNotAuthorize, "no")
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: testToken})
	require.ErrorIs(t, err, alipay.CodeUserNotAuthorize)
	assert.Equal(t, alipay.OutcomeRejected, alipay.OutcomeOf(err))
	assert.Equal(t, 1, gateway.Downloads())
}

// TestTheDownloadBringsNothingOfTheCall: neither a value of the call nor a header
// that was meant for it.
func TestTheDownloadBringsNothingOfTheCall(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	config := gateway.CertConfig()
	config.AppAuthToken = testAuthTok
	client, err := alipay.NewClient(config)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	gateway.RotateCertificate()
	params := testParams()
	gateway.SetResult(params.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess})
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params, alipay.WithHeader("X-Tenant", "tenant-4711"), alipay.WithRequestID("order-4711"))
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
	for _, value := range append(personalValues(), testAuthTok, "tenant-4711", "order-4711", "identity_type", "Authorization", "Alipay-") {
		assert.NotContains(t, text, value)
	}
	assert.Contains(t, text, "alipay_root_cert_sn=")
	sn, err := alipay.CertSN([]byte(alipaytest.RotatedCertificate()))
	require.NoError(t, err)
	assert.Equal(t, `{"alipay_cert_sn":"`+sn+`"}`, download.Params.Get("biz_content"))
	assert.NotContains(t, download.RequestURI, "biz_content", "it goes in the body")
}

// tamperer answers every request but the download under a certificate of its own,
// and the download with what it likes.
type tamperer struct {
	*server
	downloads atomic.Int64
}

func tamper(t testing.TB, key *rsa.PrivateKey, sn string, download http.HandlerFunc) *tamperer {
	s := &tamperer{}
	s.server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gateway.do" {
			s.downloads.Add(1)
			download(w, r)
			return
		}
		signAs(w.Header(), key, sn, successBody, time.Now())
		_, _ = io.WriteString(w, successBody)
	})
	return s
}

func certificateAnswer(pem string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"alipay_open_app_alipaycert_download_response":{"code":"10000","msg":"Success","alipay_cert_content":%q},"sign":"bm9uZQ=="}`,
			base64.StdEncoding.EncodeToString([]byte(pem)))
	}
}

// TestAnAttackerWithACertificateUnderTheSameRootIsNotBelieved: he is a merchant
// with a real application certificate, and answers both the call and the
// download. Each condition of trust is what stops one of his attempts.
func TestAnAttackerWithACertificateUnderTheSameRootIsNotBelieved(t *testing.T) {
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
			sn, err := alipay.CertSN([]byte(tt.names))
			require.NoError(t, err)
			s := tamper(t, tt.key, sn, certificateAnswer(tt.download))
			config := config
			config.BaseURL = s.URL
			client, err := alipay.NewClient(config)
			require.NoError(t, err)
			defer client.CloseIdleConnections()
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

func TestADownloadThatFailsIsTheErrorOfTodayWithItsReason(t *testing.T) {
	t.Parallel()
	p := present()
	sn, err := alipay.CertSN([]byte(p.next.PEM))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		download http.HandlerFunc
		says     string
	}{
		"not found":  {http.NotFound, "HTTP status 404"},
		"a redirect": {redirect(307), "HTTP status 307"},
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"alipay_open_app_alipaycert_download_response":{"code":"40004","sub_code":"isv.alipay-cert-not-exist"}}`)
		}, "refused the download 40004 isv.alipay-cert-not-exist"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, io.LimitReader(zeros{}, 1<<20)) }, "larger than any real one"},
		"no answer": {hangUp, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := tamper(t, p.nextKey, sn, tt.download)
			config, _ := certModeConfig(t)
			config.BaseURL = s.URL
			client, err := alipay.NewClient(config)
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
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

// TestADownloadIsRepeatedSoonOnlyWhenItFailedOnTheWay: a certificate that is not
// trusted would be the same one again.
func TestADownloadIsRepeatedSoonOnlyWhenItFailedOnTheWay(t *testing.T) {
	p := present()
	sn, err := alipay.CertSN([]byte(p.next.PEM))
	require.NoError(t, err)
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
				client, err := alipay.NewClient(config, alipay.WithHTTPClient(&http.Client{Transport: transport}), alipay.WithClock(clock))
				require.NoError(t, err)
				for range 2 {
					_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
					require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
					time.Sleep(10 * time.Second)
				}
				assert.Equal(t, tt.want, downloads.Load())
			})
		})
	}
}

func TestADownloadThatCannotBeSignedIsNotSent(t *testing.T) {
	p := present()
	sn, err := alipay.CertSN([]byte(p.next.PEM))
	require.NoError(t, err)
	s := tamper(t, p.nextKey, sn, certificateAnswer(p.nextFile))
	config, _ := certModeConfig(t)
	config.BaseURL = s.URL
	cause, signing := errors.New("the KMS says no"), 0
	config.PrivateKey, config.Signer = "", &doubtfulSigner{Signer: rsaKey(t, "testdata/vectors/app_private_pkcs8.pem"), fail: func() error {
		if signing++; signing > 1 {
			return cause
		}
		return nil
	}}
	client, err := alipay.NewClient(config)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	signing = 0 // whatever NewClient has signed
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	assert.ErrorIs(t, err, cause)
	assert.NotContains(t, err.Error(), cause.Error())
	assert.Zero(t, s.downloads.Load())
	require.NotNil(t, sealedIn(err))
}

func TestTheDownloadEndsWithTheCall(t *testing.T) {
	p := present()
	sn, err := alipay.CertSN([]byte(p.next.PEM))
	require.NoError(t, err)
	asked := make(chan struct{})
	s := tamper(t, p.nextKey, sn, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that the client hangs up
		close(asked)
		<-r.Context().Done()
	})
	config, _ := certModeConfig(t)
	config.BaseURL = s.URL
	client, err := alipay.NewClient(config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
	require.NotNil(t, sealedIn(err))
}

func TestNoCertificateIsAskedForWithoutNeed(t *testing.T) {
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
			client, err := alipay.NewClient(config, tt.opts...)
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
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

// TestConnectionsThatWereGivenUpCostNoAttempt: net/http hands them out for a
// moment yet, and there may be more of them than a call has attempts.
func TestConnectionsThatWereGivenUpCostNoAttempt(t *testing.T) {
	t.Parallel()
	const callers = 32
	var good atomic.Bool
	var came sync.WaitGroup
	came.Add(callers)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if good.Load() {
			final(w, r)
			return
		}
		came.Done()
		came.Wait() // so that each has a connection of its own
		signedBySwapped(t, successBody)(w, r)
	})
	client := newClient(t, s.URL)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
			assert.ErrorIs(t, err, alipay.ErrResponseSignature)
		})
	}
	all.Wait()
	good.Store(true)
	for range callers {
		got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 1, got.Meta.Attempts)
	}
	assert.EqualValues(t, 2*callers, s.requests.Load())
}

// TestRotationDrill: 256 callers at full speed, and the gateway changes its
// certificate in the middle.
func TestRotationDrill(t *testing.T) {
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

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestAnAnswerIsHeldAgainstTheCertificateThatWasDownloadedForIt(t *testing.T) {
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
