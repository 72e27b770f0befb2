package alipay_test

import (
	"crypto"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
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
		"another key on file": {func(c *alipay.AlipayConfig) { c.PrivateKey = vector(t, "app_private_pkcs8.pem") }, "so the console has another public key (应用公钥) on file for this APPID"},
		"a Signer with PSS":   {func(c *alipay.AlipayConfig) { c.PrivateKey, c.Signer = "", pssSigner{alipayKey()} }, "the Signer's signature does not verify under its own public key: it must be PKCS #1 v1.5"},
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

// oddSigner fails, or gives a signature that is none.
type oddSigner struct {
	*rsa.PrivateKey
	signature []byte
	err       error
}

func (s oddSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.signature, s.err
}

func TestASignerThatFailsSendsNothingAndItsWordsAreNotPrinted(t *testing.T) {
	s := serve(t, signed(200, successBody))
	denied := errors.New("kms: denied for key MIIEvSECRET")
	for name, signer := range map[string]oddSigner{
		"an error":    {alipayKey(), nil, denied},
		"nothing":     {alipayKey(), nil, nil},
		"a short one": {alipayKey(), make([]byte, 255), nil},
	} {
		t.Run(name, func(t *testing.T) {
			config := testConfig(t, s.URL)
			config.PrivateKey, config.Signer = "", signer
			config.AlipayPublicKey = vector(t, "app_public.pem") // any but the Signer's
			client, err := alipay.NewClient(config)
			require.NoError(t, err)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrNotDelivered)
			assert.Equal(t, signer.err != nil, errors.Is(err, denied))
			for _, text := range allTexts(err) {
				assert.NotContains(t, text, "SECRET")
			}
		})
	}
	assert.Zero(t, s.requests.Load())
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

func TestFilesOfBinaryDERAreReadAsTheyAre(t *testing.T) {
	der := func(name string) string {
		block, _ := pem.Decode([]byte(vector(t, name)))
		path := filepath.Join(t.TempDir(), name+".der")
		require.NoError(t, os.WriteFile(path, block.Bytes, 0o600))
		return path
	}
	publicKeys := alipay.AlipayConfig{
		AppID: "2021000000000001", PrivateKeyPath: der("app_private_pkcs8.pem"), AlipayPublicKeyPath: der("alipay_public.pem"),
	}
	require.NoError(t, publicKeys.Validate())
	pkcs1 := publicKeys
	pkcs1.PrivateKeyPath = der("app_private_pkcs1.pem")
	require.NoError(t, pkcs1.Validate())

	wrong := publicKeys
	wrong.PrivateKeyPath = der("app_public_cert.crt")
	var mistake *alipay.ConfigError
	require.ErrorAs(t, wrong.Validate(), &mistake)
	assert.Equal(t, "PrivateKeyPath", mistake.Field)
	assert.Contains(t, mistake.Reason, "certificate")
}
