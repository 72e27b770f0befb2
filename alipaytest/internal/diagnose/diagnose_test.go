package diagnose

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func readKey(t testing.TB, name string) *rsa.PrivateKey {
	data, err := os.ReadFile("../../../testdata/vectors/" + name)
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
	info := "\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20" // of SHA-256, without its NULL
	bare, err := rsa.SignPKCS1v15(nil, key, 0, slices.Concat([]byte(info), digest[:]))
	require.NoError(t, err)
	long := sha512.Sum512(r.stringToSign())
	sha512, err := rsa.SignPKCS1v15(nil, key, crypto.SHA512, long[:])
	require.NoError(t, err)
	encoded := base64.StdEncoding.EncodeToString
	for signature, says := range map[string]string{
		`"` + right + `"`:                                               "quotes or spaces around its base64",
		"\t'" + right + "' ":                                            "quotes or spaces around its base64",
		strings.ReplaceAll(right, "+", " "):                             "the + of the base64 in sign became spaces",
		strings.NewReplacer("+", "-", "/", "_").Replace(right):          "sign is URL-safe base64",
		strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(right): "sign is URL-safe base64",
		url.QueryEscape(right):                                          "sign is percent-encoded",
		strings.TrimRight(right, "="):                                   "the padding (=) of the base64 in sign is missing",
		encoded([]byte(right)):                                          "encoded as base64 twice",
		right[:76] + `\n` + right[76:]:                                  `sign holds \n`,
		`\n` + right:                                                    `sign holds \n`,
		encoded(full):                                                   "the padding is PSS",
		encoded(bare):                                                   "the NULL is missing",
		encoded(sha512):                                                 "with SHA-512; RSA2 is SHA-256",
		sign(t, other, string(r.stringToSign())):                        "signed with another key",
		"undefined":                                                     "sign is the word undefined",
		"null":                                                          "sign is the word null", // although it is base64
		"nil":                                                           "sign is the word nil",
		"[object Object]":                                               "sign is the word [object Object]",
		"b'x'":                                                          "sign is the Python form of bytes",
		`b"x"y`:                                                         "sign is the Python form of bytes",
		"?":                                                             "sign is not base64",
		"":                                                              "sign is empty",
		`""`:                                                            "sign is empty",
		encoded(append([]byte{1}, bytes.Repeat([]byte{7}, 255)...)): "it comes from another RSA key",
	} {
		r.Signature = signature
		assert.Contains(t, Explain(r, keys).Text, says)
	}
}

func TestASignatureOfAnUnknownKeyIsDescribed(t *testing.T) {
	key := readKey(t, "app_private_pkcs8.pem").PublicKey
	for _, tc := range []struct {
		size, first int
		says        string
	}{
		{256, 0x30, "it has the right length"},
		{63, 0x30, "63 bytes instead of 256"}, {64, 0x30, "ECDSA or SM2"}, {71, 0x30, "ECDSA or SM2"}, {80, 0x30, "ECDSA or SM2"}, {81, 0x30, "81 bytes instead of 256"},
		{64, 0x31, "as an RSA key of 512 bits gives; the application's has 2048 bits"}, {71, 0x31, "71 bytes instead of 256"},
		{16, 0x30, "it has 16 bytes, as a plain hash"}, {20, 0x30, "it has 20 bytes, as a plain hash"}, {32, 0x30, "it has 32 bytes, as a plain hash"},
		{512, 0x30, "as an RSA key of 4096 bits gives"}, {100, 0, "100 bytes instead of 256"},
	} {
		raw := make([]byte, tc.size)
		raw[0] = byte(tc.first)
		assert.Contains(t, strange(&key, raw).en, tc.says, tc.size)
	}
	assert.Contains(t, strange(&key, nil).en, "0 bytes instead of 256")
}

// What people hash in place of the string, whichever hash function they use.
func TestDigestsOfDigestsAreNamed(t *testing.T) {
	r := request()
	text := r.stringToSign()
	for _, hash := range []crypto.Hash{0, crypto.SHA1, crypto.SHA256} {
		of := func(content []byte) []byte {
			h := cmp.Or(hash, crypto.SHA256).New()
			h.Write(content)
			return h.Sum(nil)
		}
		for says, signed := range map[string][]byte{
			"":                                    text,
			"the digest was hashed once more":     of(text),
			"the hexadecimal text of the digest":  []byte(hex.EncodeToString(of(text))),
			"the base64 of the digest was signed": []byte(base64.StdEncoding.EncodeToString(of(text))),
			"the base64 of the string was signed": []byte(base64.StdEncoding.EncodeToString(text)),
		} {
			s := &search{r: &r, digest: digest{hash: hash, sum: of(signed)}, hashed: maxHashed, compared: maxCompared}
			f, ok := s.find()
			require.True(t, ok, says)
			assert.Equal(t, says != "", f.en != "", says)
			assert.Contains(t, f.en, says)
			assert.Equal(t, text, f.content)
		}
		other := of([]byte(hex.EncodeToString(of(text[:len(text)-1]))))
		s := &search{r: &r, digest: digest{hash: hash, sum: other}, hashed: maxHashed, compared: maxCompared}
		f, _ := s.find()
		assert.Contains(t, f.en, "a line feed is missing at the end")
		assert.Contains(t, f.en, "; and the hexadecimal text of the digest")
	}
}

func TestAnExplanationQuotesTheBeginningOfALongRequest(t *testing.T) {
	assert.Len(t, shown(make([]byte, 600)), 600)
	assert.Equal(t, strings.Repeat("x", 600)+"…", string(shown([]byte(strings.Repeat("x", 601)))))
}

// A search ends, however long the request.
func TestASearchIsBounded(t *testing.T) {
	key, r := readKey(t, "app_private_pkcs8.pem"), request()
	cipher, err := aescbc.New(aesKey)
	require.NoError(t, err)
	r.Signature = sign(t, key, "something else")
	raw, err := base64.StdEncoding.DecodeString(r.Signature)
	require.NoError(t, err)
	digest, ok := signedDigest(&key.PublicKey, raw)
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
	cipher, err := aescbc.New(aesKey)
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
