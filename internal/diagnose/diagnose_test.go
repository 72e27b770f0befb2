package diagnose

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func readKey(t testing.TB, name string) *rsa.PrivateKey {
	data, err := os.ReadFile("../../testdata/vectors/" + name)
	require.NoError(t, err)
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return key.(*rsa.PrivateKey)
}

func sign(t testing.TB, key *rsa.PrivateKey, content string) string {
	signature, err := protocol.Sign(key, []byte(content))
	require.NoError(t, err)
	return signature
}

// request is one whose signature the test chooses.
func request() Request {
	return Request{
		Method: "GET", RequestURI: "/proxy/v3/a?b=1&c=%20", Target: "/v3/a?b=1&c=%20", Prefix: "/proxy", Host: "127.0.0.1:80",
		AuthString: "app_id=1,nonce=n,timestamp=1700000000000", AppCertSN: "0123456789abcdef0123456789abcdef",
		Parameters: []string{"b", "c", "d"},
	}
}

func TestARightSignatureHasNoDiagnosis(t *testing.T) {
	key, r := readKey(t, "app_private_pkcs8.pem"), request()
	r.Signature = sign(t, key, string(r.stringToSign()))
	require.Zero(t, Explain(r, Keys{App: &key.PublicKey}))
}

// Mistakes beyond those of the test gateway's own table.
func TestMistakesAreNamed(t *testing.T) {
	key := readKey(t, "app_private_pkcs8.pem")
	keys := Keys{App: &key.PublicKey}
	const auth, target = "app_id=1,nonce=n,timestamp=1700000000000", "/v3/a?b=1&c=%20"
	for _, tc := range []struct{ signed, says string }{
		{auth + "\nGET\n/proxy" + target + "\n\n", "path prefix of the base URL (/proxy)"},
		{auth + "\nGET\nhttp://127.0.0.1:80/proxy" + target + "\n\n", "scheme and host (http://127.0.0.1:80)"},
		{auth + "\nGET\n127.0.0.1/proxy" + target + "\n\n", "the host (127.0.0.1) was signed along"},
		{auth + "\nGET\nv3/a?b=1&c=%20\n\n", "the slash that the path begins with"},
		{auth + "\nGET\n/a?b=1&c=%20\n\n", "/v3 was left out"},
		{auth + "\nGET\n/v3/a/?b=1&c=%20\n\n", "a slash stands between path and query"},
		{auth + "\nGET\n/v3/a?\n\n", "only the ? in front of it"},
		{auth + "\nGET\nb=1&c=%20\n\n", "only the query was signed"},
		{auth + "\nGET\n" + target + "\nb=1&c=%20\n", "the query was signed twice"},
		{auth + "\nGET\n/v3/a\nb=1&c= \n", "the decoded query was signed as the body"},
		{auth + "\nGET\n/v3/a?b=1&c=%2520\n\n", "encoded twice"},
		{auth + "\nGET\n/v3/a?b=1&c=%20&d=undefined\n\n", "with the word undefined as their value"},
		{auth + "\n\n" + target + "\n\n", "an empty line was signed in the place of the method"},
		{auth + "\n" + target + "\n\n", "the line with the method is missing"},
		{auth + "\nGET\n\n", "the line with path and query is missing"},
		{auth + "\n" + target + "\nGET\n\n", "path and method were signed in each other's place"},
		{"GET\n" + target + "\n" + auth + "\n\n", "authString was signed behind method and path"},
		{"\n" + auth + "\nGET\n" + target + "\n\n", "begins with a line feed"},
		{auth + "GET" + target, "without line feeds"},
		{auth + "&GET&" + target + "&", "joined by &"},
		{auth, "only authString was signed"},
		{"", "an empty string was signed"},
		{auth + "\nGET\n" + target + "\n\nnull\n", "the word null was signed as the app auth token"},
		{auth + ",sign=\nGET\n" + target + "\n\n", "an empty sign at its end"},
		{"Authorization: ALIPAY-SHA256withRSA " + auth + "\nGET\n" + target + "\n\n", "the whole Authorization header"},
		{`app_id="1",nonce="n",timestamp="1700000000000"` + "\nGET\n" + target + "\n\n", "in quotes, and sent without"},
		{"app_id=1&nonce=n&timestamp=1700000000000\nGET\n" + target + "\n\n", "signed with & between them"},
		{"app_id=1\nnonce=n\ntimestamp=1700000000000\nGET\n" + target + "\n\n", "signed with line feeds between them"},
		{"app_id=1,app_cert_sn=0123456789abcdef0123456789abcdef,nonce=n,timestamp=1700000000000\nGET\n" + target + "\n\n", "app_cert_sn was signed and not sent"},
		{strings.ToUpper(auth + "\nGET\n" + target + "\n\n"), "none of the usual mistakes explains"},
	} {
		r := request()
		r.Signature = sign(t, key, tc.signed)
		f := Explain(r, keys)
		assert.Contains(t, f.Text, tc.says)
		assert.NotEmpty(t, f.TextZH)
		if f.Signed != nil {
			assert.Equal(t, tc.signed, string(f.Signed))
		}
	}
}

func TestAPathOfTheBaseURLIsSeen(t *testing.T) {
	key := readKey(t, "app_private_pkcs8.pem")
	for prefix, says := range map[string]string{
		"/gateway.do": "the base URL ends in /gateway.do",
		"/v3":         "/v3 stands twice in the path",
		"/":           "the base URL ends in a slash",
		"/a/b":        "the path begins with /a/b, which was not signed",
	} {
		r := request()
		signed := string(r.stringToSign())
		r.Target, r.Prefix = prefix+r.Target, ""
		r.Signature = sign(t, key, signed)
		f := Explain(r, Keys{App: &key.PublicKey})
		assert.Contains(t, f.Text, says)
		assert.Equal(t, signed, string(f.Signed))
	}
}

func TestFileBytesDoNotBelongIntoTheSignature(t *testing.T) {
	key, r := readKey(t, "app_private_pkcs8.pem"), request()
	r.Method, r.Signed, r.Body = "POST", []byte(`{"a":1}`), []byte("--b\r\n{\"a\":1}\r\n--b\r\nfile\r\n--b--")
	r.Signature = sign(t, key, string(protocol.StringToSign(r.AuthString, r.Method, r.Target, r.Body, "")))
	require.Contains(t, Explain(r, Keys{App: &key.PublicKey}).Text, "the whole upload was signed")
}

func TestFormsOfASignature(t *testing.T) {
	key, other, r := readKey(t, "app_private_pkcs8.pem"), readKey(t, "alipay_private_pkcs8.pem"), request()
	keys := Keys{App: &key.PublicKey, Others: []OtherKey{{"another key", "另一把密钥", &other.PublicKey}}}
	right := sign(t, key, string(r.stringToSign()))
	digest := sha256.Sum256(r.stringToSign())
	full, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)
	require.NoError(t, err)
	for signature, says := range map[string]string{
		`"` + right + `"`: "quotes or spaces around its base64",
		right[:len(right)-2] + strings.Repeat("=", strings.Count(right, "=")/2): "The",
		strings.TrimRight(right, "="):                                           "the padding (=) of the base64 in sign is missing",
		base64.StdEncoding.EncodeToString([]byte(right)):                        "encoded as base64 twice",
		right[:76] + `\n` + right[76:]:                                          `sign holds \n`,
		base64.StdEncoding.EncodeToString(full):                                 "the padding is PSS",
		base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0x30}, 71)):       "ECDSA or SM2",
		base64.StdEncoding.EncodeToString(make([]byte, 512)):                    "as an RSA key of 4096 bits gives",
		base64.StdEncoding.EncodeToString(make([]byte, 100)):                    "100 bytes instead of 256",
		sign(t, other, string(r.stringToSign())):                                "signed with another key",
		"undefined":                                                             "sign is the word undefined",
		"?":                                                                     "sign is not base64",
		"":                                                                      "sign is empty",
		base64.StdEncoding.EncodeToString(append([]byte{1}, bytes.Repeat([]byte{7}, 255)...)): "it comes from another RSA key",
	} {
		r.Signature = signature
		assert.Contains(t, Explain(r, keys).Text, says)
	}
}

// A search ends, however long the request.
func TestASearchIsBounded(t *testing.T) {
	key, r := readKey(t, "app_private_pkcs8.pem"), request()
	cipher, err := aescbc.New("AAECAwQFBgcICQoLDA0ODw==")
	require.NoError(t, err)
	r.Signature = sign(t, key, "something else")
	raw, err := base64.StdEncoding.DecodeString(r.Signature)
	require.NoError(t, err)
	digest, ok := protocol.SignedDigest(&key.PublicKey, raw)
	require.True(t, ok)
	for _, size := range []int{0, 100, maxBody, 1 << 20, 8 << 20} {
		r.Body = []byte(`{"a":"` + strings.Repeat("<\n/", size/3) + `"}`)
		r.Signed = r.Body
		s := &search{r: &r, cipher: cipher, digest: digest, hashed: maxHashed, compared: maxCompared}
		_, found := s.find()
		require.False(t, found)
		require.GreaterOrEqual(t, s.hashed, -8*len(r.Body)-4096, "no more than one candidate passes the limit")
	}
	r.Body, r.Signed = nil, nil
	s := &search{r: &r, cipher: cipher, digest: digest, hashed: maxHashed, compared: 10}
	_, found := s.find()
	require.False(t, found)
	require.Zero(t, s.compared)
}

func FuzzExplain(f *testing.F) {
	key := readKey(f, "app_private_pkcs8.pem")
	cipher, err := aescbc.New("AAECAwQFBgcICQoLDA0ODw==")
	require.NoError(f, err)
	keys := Keys{App: &key.PublicKey, Cipher: cipher}
	f.Fuzz(func(t *testing.T, method, target, auth, token, signature string, body []byte) {
		r := Request{
			Method: method, RequestURI: target, Target: target, Prefix: "/p", Host: token, AuthString: auth, AppAuthToken: token,
			Signature: signature, Body: body, Signed: body, Parameters: []string{"a", "b"}, OtherTokens: []string{token},
		}
		require.NotEmpty(t, Explain(r, keys).Text)

		// Whatever single mistake is made, it is found, or a likelier one that
		// comes to the same.
		s := &search{r: &r, cipher: cipher, hashed: maxHashed, compared: maxCompared}
		left := len(signature) % 40
		var wrong content
		s.mistakes(s.content(), true, func(m mistake) bool {
			wrong = m.content
			left--
			return left > 0
		})
		r.Signature = sign(t, key, string(wrong.bytes()))
		finding := Explain(r, keys)
		if !bytes.Equal(wrong.bytes(), r.stringToSign()) {
			require.Equal(t, string(wrong.bytes()), string(finding.Signed), "%s", finding.Text)
			require.True(t, utf8.ValidString(finding.Text+finding.TextZH))
		}
	})
}

func BenchmarkExplain(b *testing.B) {
	key, r := readKey(b, "app_private_pkcs8.pem"), request()
	r.Signature = sign(b, key, "something else")
	for b.Loop() {
		Explain(r, Keys{App: &key.PublicKey})
	}
}
