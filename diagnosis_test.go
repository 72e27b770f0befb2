package alipay_test

import (
	"crypto"
	"crypto/rsa"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// pssSigner makes the mistake of a KMS key set up for another padding.
type pssSigner struct{ *rsa.PrivateKey }

func (s pssSigner) Sign(rand io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return rsa.SignPSS(rand, s.PrivateKey, crypto.SHA256, digest, nil)
}

func TestAnInvalidSignatureSaysWhichSideIsToBlame(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	for name, tt := range map[string]struct {
		change func(*alipay.AlipayConfig)
		want   string
	}{
		"another key on file": {func(c *alipay.AlipayConfig) { c.PrivateKey = vector(t, "app_private_pkcs8.pem") }, "应用公钥"},
		"a Signer with PSS":   {func(c *alipay.AlipayConfig) { c.PrivateKey, c.Signer = "", pssSigner{alipayKey()} }, "PKCS #1 v1.5"},
	} {
		t.Run(name, func(t *testing.T) {
			config := gateway.Config()
			tt.change(&config)
			client, err := alipay.NewClient(config)
			require.NoError(t, err)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.CodeInvalidSignature)
			assert.Equal(t, "no", meaning(t, err))
			assert.Contains(t, err.Error(), tt.want)
			var refused *alipay.APIError
			require.ErrorAs(t, err, &refused)
			assert.NotEmpty(t, refused.Hint())
		})
	}
}

func TestAnAnswerSignedByAnotherKeyNamesTheCure(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	config := gateway.Config()
	config.AlipayPublicKey = vector(t, "alipay_public.pem") // of another environment
	client, err := alipay.NewClient(config)
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrResponseSignature)
	assert.Contains(t, err.Error(), "支付宝公钥")
}
