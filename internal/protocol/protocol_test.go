package protocol

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const vectorDir = "../../testdata/vectors/"

type vectors struct {
	AppID    string `json:"app_id"`
	Requests []struct {
		Name          string `json:"name"`
		Method        string `json:"method"`
		RequestURI    string `json:"request_uri"`
		Body          string `json:"body"`
		AppAuthToken  string `json:"app_auth_token"`
		AppCertSN     string `json:"app_cert_sn"`
		Nonce         string `json:"nonce"`
		Timestamp     string `json:"timestamp"`
		StringToSign  string `json:"string_to_sign"`
		Authorization string `json:"authorization"`
	} `json:"requests"`
	Responses []struct {
		Name      string `json:"name"`
		Timestamp string `json:"alipay_timestamp"`
		Nonce     string `json:"alipay_nonce"`
		Body      string `json:"body"`
		Content   string `json:"content"`
		Signature string `json:"alipay_signature"`
	} `json:"responses"`
}

func readVectors(t testing.TB) (v vectors) {
	data, err := os.ReadFile(vectorDir + "vectors.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &v))
	return v
}

func readKey(t testing.TB, name string) *rsa.PrivateKey {
	data, err := os.ReadFile(vectorDir + name)
	require.NoError(t, err)
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return key.(*rsa.PrivateKey)
}

func TestRequestsAreSignedAsTheVectorsAre(t *testing.T) {
	v, key := readVectors(t), readKey(t, "app_private_pkcs8.pem")
	require.NotEmpty(t, v.Requests)
	for _, r := range v.Requests {
		t.Run(r.Name, func(t *testing.T) {
			timestamp, err := strconv.ParseInt(r.Timestamp, 10, 64)
			require.NoError(t, err)
			auth := AuthString(v.AppID, r.AppCertSN, r.Nonce, timestamp)
			content := StringToSign(auth, r.Method, r.RequestURI, []byte(r.Body), r.AppAuthToken)
			assert.Equal(t, r.StringToSign, string(content))
			signature, err := SignContext(t.Context(), key, content)
			require.NoError(t, err)
			assert.Equal(t, r.Authorization, Authorization(auth, signature))

			c, err := ParseAuthorization(r.Authorization)
			require.NoError(t, err)
			assert.Equal(t, Credentials{auth, v.AppID, r.AppCertSN, r.Nonce, r.Timestamp, base64.StdEncoding.EncodeToString(signature)}, c)
			assert.NoError(t, Verify(&key.PublicKey, content, c.Signature))
		})
	}
}

func TestAnswersAreVerifiedAsTheVectorsAre(t *testing.T) {
	v, key := readVectors(t), readKey(t, "alipay_private_pkcs8.pem")
	require.NotEmpty(t, v.Responses)
	for _, r := range v.Responses {
		t.Run(r.Name, func(t *testing.T) {
			content := SignedContent(r.Timestamp, r.Nonce, []byte(r.Body))
			assert.Equal(t, r.Content, string(content))
			assert.NoError(t, Verify(&key.PublicKey, content, r.Signature))
			signature, err := Sign(key, content)
			require.NoError(t, err)
			assert.Equal(t, r.Signature, signature)

			assert.ErrorIs(t, Verify(&key.PublicKey, append(content, ' '), r.Signature), ErrSignature)
			assert.ErrorIs(t, Verify(&key.PublicKey, content, r.Signature[1:]), ErrSignature)
			assert.ErrorIs(t, Verify(&key.PublicKey, content, ""), ErrSignature)
		})
	}
}

func TestAuthorizationMembersMayComeInAnyOrder(t *testing.T) {
	c, err := ParseAuthorization(Scheme + " expired_seconds=600,timestamp=1,nonce=n,app_cert_sn=s,app_id=a,sign=ab+/==")
	require.NoError(t, err)
	assert.Equal(t, Credentials{
		AuthString: "expired_seconds=600,timestamp=1,nonce=n,app_cert_sn=s,app_id=a",
		AppID:      "a", AppCertSN: "s", Nonce: "n", Timestamp: "1", Signature: "ab+/==",
	}, c)
	c, err = ParseAuthorization(" " + Scheme + "  app_id=a, nonce = n,sign=old,sign=x ")
	require.NoError(t, err)
	assert.Equal(t, Credentials{AuthString: "app_id=a, nonce = n,sign=old", AppID: "a", Nonce: " n", Signature: "x"}, c)
	c, err = ParseAuthorization(Scheme + " ,sign=x")
	require.NoError(t, err)
	assert.Equal(t, Credentials{Signature: "x"}, c)
	_, err = ParseAuthorization("Bearer x")
	assert.EqualError(t, err, "authorization scheme is not ALIPAY-SHA256withRSA")
}

func TestNewIDIsWithinTheDocumentedForm(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		assert.Regexp(t, `^[A-Za-z0-9_-]{1,32}$`, id)
		assert.False(t, seen[id])
		seen[id] = true
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Fuzz(func(t *testing.T, header string) {
		c, err := ParseAuthorization(header)
		if err != nil {
			return
		}
		again, err := ParseAuthorization(Scheme + " " + c.AuthString + ",sign=" + c.Signature)
		require.NoError(t, err)
		if c.Signature != "" {
			assert.Equal(t, c, again)
		}
	})
}
