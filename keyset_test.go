package alipay_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func TestSignerSignsInPlaceOfAPrivateKey(t *testing.T) {
	t.Parallel()
	certMode, p := certModeConfig(t)
	verified := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := protocol.ParseAuthorization(r.Header.Get("Authorization"))
		assert.NoError(t, err)
		assert.NoError(t, protocol.Verify(&p.appKey.PublicKey, protocol.StringToSign(c.AuthString, r.Method, r.RequestURI, nil, ""), c.Signature))
		verified++
		answer(w, 200, successBody)
	})
	for name, signer := range map[string]crypto.Signer{"KMS": signerThatMay(t, func() error { return nil }), "*rsa.PrivateKey": p.appKey} {
		for _, config := range []alipay.AlipayConfig{testConfig(t, ""), certMode} {
			config.BaseURL, config.PrivateKey, config.Signer = s.URL, "", signer
			require.NoError(t, config.Validate(), name)
			client := clientOf(t, config)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err, name)
		}
	}
	assert.Equal(t, 4, verified)
}

func TestEachAttemptIsSignedAnew(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]alipay.RequestOption{
		"random request id": nil,
		"fixed request id":  {alipay.WithRequestID("fixed")},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var auths, ids []string
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				auths = append(auths, r.Header.Get("Authorization"))
				ids = append(ids, r.Header.Get("alipay-request-id"))
				n := len(auths)
				mu.Unlock()
				if n < 3 {
					w.WriteHeader(429)
					return
				}
				answer(w, 200, successBody)
			})
			at := time.Now()
			clock := func() time.Time { at = at.Add(time.Second); return at }
			client := newClient(t, s.URL, alipay.WithClock(clock), soon)
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams(), opts...)
			require.NoError(t, err)
			assert.Equal(t, 3, got.Meta.Attempts)
			require.Len(t, auths, 3)
			nonces, timestamps, signatures, requestIDs := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
			for i, header := range auths {
				c, err := protocol.ParseAuthorization(header)
				require.NoError(t, err)
				nonces[c.Nonce], timestamps[c.Timestamp], signatures[c.Signature], requestIDs[ids[i]] = true, true, true, true
			}
			assert.Len(t, nonces, 3)
			assert.Len(t, timestamps, 3)
			assert.Len(t, signatures, 3)
			if opts == nil {
				assert.Len(t, requestIDs, 3)
			} else {
				assert.Equal(t, map[string]bool{"fixed": true}, requestIDs)
			}
			assert.Equal(t, ids[2], got.Meta.RequestID)
		})
	}
}

func TestContextSignerIsBoundedByTheCall(t *testing.T) {
	config := testConfig(t, "http://127.0.0.1:1")
	config.PrivateKey, config.Signer = "", slowSigner{appKey(t)}
	never := roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("sent without a signature, after the end")
		return nil, io.EOF
	})
	client := clientOf(t, config, alipay.WithTimeout(20*time.Millisecond), alipay.WithHTTPClient(&http.Client{Transport: never}))
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.True(t, alipay.Retryable(err), "the time was over: that is no mistake of the Signer")
	_, err = client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
	require.ErrorIs(t, err, context.Canceled)
}

// slowSigner waits for its context, as a KMS behind a network that is gone.
type slowSigner struct{ crypto.Signer }

func (slowSigner) SignContext(ctx context.Context, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestInvalidSignatureSaysWhichSideIsWrong(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	for name, tt := range map[string]struct {
		change func(*alipay.AlipayConfig)
		want   string
	}{
		"another key on file": {func(c *alipay.AlipayConfig) { c.PrivateKey = vector(t, "app_private_pkcs8.pem") }, "so the console has another public key (应用公钥) on file for this APPID"},
		"a Signer with PSS": {func(c *alipay.AlipayConfig) {
			c.PrivateKey, c.Signer = "", testSigner{alipayKey(), func(digest []byte, _ crypto.SignerOpts) ([]byte, error) {
				return rsa.SignPSS(rand.Reader, alipayKey(), crypto.SHA256, digest, nil)
			}}
		}, "the Signer's signature does not verify under its own public key: it must be PKCS #1 v1.5"},
	} {
		t.Run(name, func(t *testing.T) {
			config := gateway.Config()
			tt.change(&config)
			client := clientOf(t, config)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.CodeInvalidSignature)
			assert.Equal(t, "answered", meaning(t, err))
			assert.Contains(t, err.Error(), tt.want)
			var refused *alipay.APIError
			require.ErrorAs(t, err, &refused)
			assert.NotEmpty(t, refused.Hint())
		})
	}
}

func TestFailingSignerSendsNothingAndItsTextIsNotPrinted(t *testing.T) {
	s := serve(t, signed(200, successBody))
	denied := errors.New("kms: denied for key MIIEvSECRET")
	for name, tt := range map[string]struct {
		signature []byte
		err       error
	}{
		"an error":          {nil, denied},
		"nothing":           {nil, nil},
		"a short signature": {make([]byte, 255), nil},
	} {
		t.Run(name, func(t *testing.T) {
			config := testConfig(t, s.URL)
			config.PrivateKey, config.Signer = "", testSigner{alipayKey(), func([]byte, crypto.SignerOpts) ([]byte, error) { return tt.signature, tt.err }}
			config.AlipayPublicKey = vector(t, "app_public.pem") // any but the Signer's
			client := clientOf(t, config)
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrNotDelivered)
			assert.Equal(t, tt.err != nil, errors.Is(err, denied))
			for _, text := range allTexts(err) {
				assert.NotContains(t, text, "SECRET")
			}
		})
	}
	assert.Zero(t, s.requests.Load())
}
