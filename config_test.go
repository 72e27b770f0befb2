package alipay_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// The vectors' certificates are valid from November 2026 to October 2045.
var vectorTime = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func orPanic[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// rsaKey reads a PKCS#8 key, which may have a note above it.
func rsaKey(t testing.TB, file string) *rsa.PrivateKey {
	block, _ := pem.Decode([]byte(fileText(t, file)))
	require.NotNil(t, block)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return key.(*rsa.PrivateKey)
}

func fileText(t testing.TB, file string) string {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

func armourPEM(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// bare is a PEM text without its armour and line ends.
func bareBase64(t testing.TB, text string) string {
	block, _ := pem.Decode([]byte(text))
	require.NotNil(t, block)
	return base64.StdEncoding.EncodeToString(block.Bytes)
}

func spkiOf(key crypto.PublicKey) string {
	return armourPEM("PUBLIC KEY", orPanic(x509.MarshalPKIXPublicKey(key)))
}

func alipayKeyPublicOf(t testing.TB) crypto.PublicKey {
	return rsaKey(t, "testdata/vectors/app_private_pkcs8.pem").Public()
}

// issued is a certificate made by the tests, valid around the present time: the
// real clock judges what Validate is given.
type issued struct {
	cert *x509.Certificate
	pem  string
	key  crypto.Signer
}

var serialNumber = func() func() *big.Int {
	var mu sync.Mutex
	n := int64(1000)
	return func() *big.Int {
		mu.Lock()
		defer mu.Unlock()
		n++
		return big.NewInt(n)
	}
}()

// issue makes a certificate for key's public half; without a parent a self-signed one.
func issueCert(name string, key crypto.Signer, parent *issued, change ...func(*x509.Certificate)) *issued {
	template := &x509.Certificate{
		SerialNumber: serialNumber(),
		Subject:      pkix.Name{Country: []string{"CN"}, CommonName: name},
		NotBefore:    time.Now().Add(-24 * time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	for _, f := range change {
		f(template)
	}
	by, byKey := template, key
	if parent != nil {
		by, byKey = parent.cert, parent.key
	}
	der := orPanic(x509.CreateCertificate(rand.Reader, template, by, key.Public(), byKey))
	return &issued{orPanic(x509.ParseCertificate(der)), armourPEM("CERTIFICATE", der), key}
}

func certAuthority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

func validFromTo(from, to time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

// pki is a small world of certificates.
type pki struct {
	appKey, alipayKey, nextKey       *rsa.PrivateKey
	ecKey                            *ecdsa.PrivateKey
	root, middle, foreignMiddle      *issued
	app, alipay, next                *issued // next comes after alipay, in a rotation
	alipayFile, nextFile, rootBundle string  // as downloaded: with the intermediate, with other roots
}

var pkiOnce = sync.OnceValue(func() *pki {
	var t testing.TB = panicTB{}
	p := &pki{
		appKey:    rsaKey(t, "testdata/vectors/app_private_pkcs8.pem"),
		alipayKey: alipayKey(),
		nextKey:   rsaKey(t, "alipaytest/testkeys/alipay_next_private_key.pem"),
		ecKey:     orPanic(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
	}
	p.root = issueCert("root", rsaKey(t, "alipaytest/testkeys/foreign_private_key.pem"), nil, certAuthority)
	p.middle = issueCert("middle", rsaKey(t, "alipaytest/testkeys/alipay_private_key.pem"), p.root, certAuthority)
	p.foreignMiddle = issueCert("middle of another root", p.ecKey, issueCert("another root", p.ecKey, nil, certAuthority), certAuthority)
	p.app = issueCert("app", p.appKey, p.middle)
	p.alipay = issueCert("alipay", p.alipayKey, p.middle)
	p.next = issueCert("alipay, next", p.nextKey, p.middle)
	p.alipayFile = p.alipay.pem + p.middle.pem
	p.nextFile = p.next.pem + p.middle.pem
	p.rootBundle = fileText(t, "testdata/vectors/root_bundle.crt") + p.root.pem
	return p
})

type panicTB struct{ testing.TB }

func (panicTB) Helper()                           {}
func (panicTB) FailNow()                          { panic("FailNow") }
func (panicTB) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// certModeConfig is valid now, unlike the vectors one day.
func certModeConfig(t testing.TB) (alipay.AlipayConfig, *pki) {
	p := pkiOnce()
	return alipay.AlipayConfig{
		AppID:                   "2021000000000001",
		PrivateKey:              vector(t, "app_private_pkcs8.pem"),
		AppCertContent:          p.app.pem,
		AlipayPublicCertContent: p.alipayFile,
		RootCertContent:         p.rootBundle,
	}, p
}

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

// pathFieldOf names the …Path variant of a content field.
var pathFieldOf = map[string]string{
	"PrivateKey": "PrivateKeyPath", "AlipayPublicKey": "AlipayPublicKeyPath", "AppCertContent": "AppCertPath",
	"AlipayPublicCertContent": "AlipayPublicCertPath", "RootCertContent": "RootCertPath",
}

func setField(c *alipay.AlipayConfig, field, value string) {
	reflect.ValueOf(c).Elem().FieldByName(field).SetString(value)
}

var readableWords = regexp.MustCompile(`[ -~]{4,}`)

// givenBy is everything that a config holds, and what is in the files it names.
func givenBy(c alipay.AlipayConfig) []string {
	var all []string
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if v.Field(i).Kind() != reflect.String {
			continue
		}
		text := v.Field(i).String()
		all = append(all, text)
		if data, err := os.ReadFile(text); strings.HasSuffix(v.Type().Field(i).Name, "Path") && err == nil {
			text = string(data[:min(len(data), 8<<10)])
			all = append(all, text)
		}
		if block, _ := pem.Decode([]byte(text)); block != nil {
			all = append(all, readableWords.Split(string(block.Bytes), -1)...) // what is readable in a certificate is common words
		}
	}
	return all
}

// Words of a Reason that everybody knows, though a config may hold them too.
var publicWords = strings.NewReplacer(alipay.DefaultBaseURL, "", alipay.SandboxBaseURL, "", "/gateway.do", "",
	"-----BEGIN line", "", "-----END line", "", "-----BEGIN and -----END lines", "")

// assertMistake checks the error for a config: the field, what the reason says,
// and that nothing of what was given shows, however it is printed.
func assertMistake(t *testing.T, err error, c alipay.AlipayConfig, field string, says ...string) {
	t.Helper()
	var mistake *alipay.ConfigError
	require.ErrorAs(t, err, &mistake)
	assert.Equal(t, field, mistake.Field, mistake.Reason)
	for _, words := range says {
		assert.Contains(t, mistake.Reason, words)
	}
	assert.Equal(t, "alipay: config "+mistake.Field+": "+mistake.Reason, err.Error())
	assert.NotContains(t, mistake.Reason, "; ;")
	assert.NotRegexp(t, `^\s|\s$|  |%!`, mistake.Reason)
	out := map[string]string{"text": err.Error()} // redact_test.go has every verb
	out["%#v"], out["JSON"] = fmt.Sprintf("%#v", *mistake), mustJSON(t, err)
	for name, text := range out {
		out[name] = publicWords.Replace(text)
	}
	assertKeepsSecret(t, out, givenBy(c)...)
}

// TestMisplacedAndDamagedMaterialIsCalledByItsName puts each text into a field,
// and into a file that the field's path variant names.
func TestMisplacedAndDamagedMaterialIsCalledByItsName(t *testing.T) {
	p := pkiOnce()
	dir := t.TempDir()
	appPKCS8, appPKCS1 := vector(t, "app_private_pkcs8.pem"), vector(t, "app_private_pkcs1.pem")
	appPublic, alipayPublic := vector(t, "app_public.pem"), vector(t, "alipay_public.pem")
	ownPKCS1 := armourPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&p.appKey.PublicKey))
	ecPKCS8 := armourPEM("PRIVATE KEY", orPanic(x509.MarshalPKCS8PrivateKey(p.ecKey)))
	ecPublic := spkiOf(p.ecKey.Public())
	small := rsaKey(t, "testdata/vectors/rsa1024_private_pkcs8.pem")
	encrypted8, encrypted1 := fileText(t, "internal/keys/testdata/encrypted_pkcs8.pem"), fileText(t, "internal/keys/testdata/encrypted_pkcs1.pem")
	request := armourPEM("CERTIFICATE REQUEST", orPanic(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, p.appKey)))
	roots := vector(t, "root_bundle.crt")
	sm2Root := roots[:strings.Index(roots, "-----END CERTIFICATE-----")+len("-----END CERTIFICATE-----")]
	cutBare := func(text string) string { return bareBase64(t, text)[:len(bareBase64(t, text))/2] }
	cutPEM := func(text string) string { return text[:len(text)*2/3] }

	now := time.Now()
	expired := issueCert("expired", p.alipayKey, p.middle, validFromTo(now.Add(-48*time.Hour), now.Add(-24*time.Hour)))
	future := issueCert("future", p.alipayKey, p.middle, validFromTo(now.Add(24*time.Hour), now.Add(48*time.Hour)))
	expiredApp := issueCert("expired", p.appKey, p.middle, validFromTo(now.Add(-48*time.Hour), now.Add(-24*time.Hour)))
	futureApp := issueCert("future", p.appKey, p.middle, validFromTo(now.Add(24*time.Hour), now.Add(48*time.Hour)))
	foreign := issueCert("foreign", p.alipayKey, p.foreignMiddle)
	forgedMiddle := issueCert("middle", p.ecKey, issueCert("root", p.ecKey, nil, certAuthority), certAuthority)
	selfSigned, selfSignedCA := issueCert("alipay", p.alipayKey, nil), issueCert("alipay", p.alipayKey, nil, certAuthority)
	dates := func(c *issued) []string {
		const form = "2006-01-02 15:04:05 MST"
		return []string{c.cert.NotBefore.UTC().Format(form), c.cert.NotAfter.UTC().Format(form)}
	}
	and := func(list []string, more ...string) []string { return append(list, more...) }

	const (
		privateBelongs = "the application's private key (应用私钥) belongs here"
		privateAgain   = "copy the application's private key (应用私钥) again, whole"
		publicBelongs  = "Alipay's public key (支付宝公钥) belongs here"
		publicAgain    = "copy Alipay's public key (支付宝公钥) again from the console, whole"
		own            = "this is the application's own public key (应用公钥); copy Alipay's (支付宝公钥) from the console instead"
		appBelongs     = "the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here"
		mismatch       = "the certificate does not match the application's private key; use the 应用公钥证书 that was issued for this key"
		alipayBelongs  = "Alipay's certificate (支付宝公钥证书, alipayCertPublicKey_RSA2.crt) belongs here"
		asDownloaded   = "use the 支付宝公钥证书 (alipayCertPublicKey_RSA2.crt) as downloaded from the console"
		rootBelongs    = "Alipay's root bundle (支付宝根证书, alipayRootCert.crt) belongs here"
		noRoot         = "there is no root certificate in it; use the root bundle (支付宝根证书, alipayRootCert.crt)"
	)
	for i, tc := range []struct {
		field, name, text string
		says              []string
	}{
		{"PrivateKey", "public key, SPKI", alipayPublic, []string{"found an RSA-2048 public key (SPKI, PEM)", privateBelongs}},
		{"PrivateKey", "own public key, PKCS#1", ownPKCS1, []string{"found an RSA-2048 public key (PKCS#1, PEM)", privateBelongs}},
		{"PrivateKey", "public key, bare", bareBase64(t, appPublic), []string{"found an RSA-2048 public key (SPKI, base64)", privateBelongs}},
		{"PrivateKey", "EC public key", ecPublic, []string{"found an EC public key (SPKI, PEM)", privateBelongs}},
		{"PrivateKey", "certificate", p.app.pem, []string{"found a certificate with an RSA-2048 key (X.509, PEM)", privateBelongs, "AppCertContent"}},
		{"PrivateKey", "certificate, bare", bareBase64(t, p.app.pem), []string{"found a certificate with an RSA-2048 key (X.509, base64)", privateBelongs}},
		{"PrivateKey", "EC key, SEC 1", vector(t, "ec_private.pem"), []string{"found an EC private key (SEC 1, PEM)", "signs with RSA only", "make an RSA2 key of 2048 bits"}},
		{"PrivateKey", "EC key, PKCS#8", ecPKCS8, []string{"found an EC private key (PKCS#8, PEM)", "make an RSA2 key of 2048 bits"}},
		{"PrivateKey", "1024 bits", vector(t, "rsa1024_private_pkcs8.pem"), []string{"the RSA key has 1024 bits", "RSA2 with 2048 bits or more"}},
		{"PrivateKey", "512 bits", fileText(t, "internal/keys/testdata/rsa512_private_pkcs1.pem"), []string{"the RSA key has 512 bits", "RSA2 with 2048 bits or more"}},
		{"PrivateKey", "encrypted, PKCS#8", encrypted8, []string{"found a private key encrypted with a password (PKCS#8, PEM)", "openssl pkey"}},
		{"PrivateKey", "encrypted, PKCS#1", encrypted1, []string{"found a private key encrypted with a password (PKCS#1, PEM)", "openssl pkey"}},
		{"PrivateKey", "cut short, bare", cutBare(appPKCS8), []string{"found an RSA private key (PKCS#8, base64), but base64 cut short", privateAgain}},
		{"PrivateKey", "cut short by one character", strings.TrimRight(bareBase64(t, appPKCS1), "=")[1:], []string{"found", privateAgain}},
		{"PrivateKey", "cut short, PEM", cutPEM(appPKCS1), []string{"found an RSA private key (PKCS#1, PEM), but base64 cut short", privateAgain}},
		{"PrivateKey", "END line missing", appPKCS8[:strings.Index(appPKCS8, "-----END")], []string{"-----END line is missing", privateAgain}},
		{"PrivateKey", "BEGIN line missing", appPKCS8[strings.Index(appPKCS8, "\n")+1:], []string{"-----BEGIN line is missing", privateAgain}},
		{"PrivateKey", "a letter that is no base64", strings.Replace(bareBase64(t, appPKCS8), "A", "*", 1), []string{"characters that are not base64", privateAgain}},
		{"PrivateKey", "two glued, PEM", appPKCS8 + appPKCS1, []string{"two keys glued together in one text: an RSA-2048 private key (PKCS#8, PEM) and an RSA-2048 private key (PKCS#1, PEM)", privateAgain}},
		{"PrivateKey", "pair glued, PEM", appPKCS8 + appPublic, []string{"two keys glued together in one text: an RSA-2048 private key (PKCS#8, PEM) and an RSA-2048 public key (SPKI, PEM)", privateAgain}},
		{"PrivateKey", "two glued, bare", bareBase64(t, appPKCS8) + bareBase64(t, appPKCS8), []string{"two keys glued together in one base64 text", privateAgain}},
		{"PrivateKey", "two glued, bare, a line each", bareBase64(t, appPKCS8) + "\n" + bareBase64(t, appPublic), []string{"two keys glued together in one base64 text", privateAgain}},
		{"PrivateKey", "key and certificate", appPKCS8 + p.app.pem, []string{"two things glued together in one text: an RSA-2048 private key (PKCS#8, PEM) and a certificate", privateAgain}},
		{"PrivateKey", "certificate request", request, []string{"found a certificate request with an RSA key (PKCS#10, PEM)", privateBelongs}},
		{"PrivateKey", "path", "/etc/alipay/secrets/app-private-key", nil},
		{"PrivateKey", "words", "correct horse battery staple", []string{"found", privateAgain}},
		{"PrivateKey", "AES key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", []string{"found neither a key nor a certificate", privateAgain}},

		{"AlipayPublicKey", "private key, PKCS#8", vector(t, "alipay_private_pkcs8.pem"), []string{"found an RSA-2048 private key (PKCS#8, PEM)", publicBelongs}},
		{"AlipayPublicKey", "own private key, PKCS#1, bare", bareBase64(t, appPKCS1), []string{"found an RSA-2048 private key (PKCS#1, base64)", publicBelongs}},
		{"AlipayPublicKey", "encrypted private key", encrypted8, []string{"found a private key encrypted with a password", publicBelongs}},
		{"AlipayPublicKey", "EC private key", ecPKCS8, []string{"found an EC private key (PKCS#8, PEM)", publicBelongs}},
		{"AlipayPublicKey", "own public key", appPublic, []string{own}},
		{"AlipayPublicKey", "own public key, bare", bareBase64(t, appPublic), []string{own}},
		{"AlipayPublicKey", "own public key, PKCS#1", ownPKCS1, []string{own}},
		{"AlipayPublicKey", "certificate", p.alipayFile, []string{"found a certificate with an RSA-2048 key (X.509, PEM)", "put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key"}},
		{"AlipayPublicKey", "own certificate", bareBase64(t, p.app.pem), []string{"found a certificate with an RSA-2048 key (X.509, base64)", "copy Alipay's public key"}},
		{"AlipayPublicKey", "EC public key", ecPublic, []string{"found an EC public key (SPKI, PEM)", publicBelongs}},
		{"AlipayPublicKey", "1024 bits", spkiOf(small.Public()), []string{"the RSA key has 1024 bits", "2048 bits or more"}},
		{"AlipayPublicKey", "cut short, bare", cutBare(alipayPublic), []string{"found an RSA public key (SPKI, base64), but base64 cut short", publicAgain}},
		{"AlipayPublicKey", "cut short, PEM", cutPEM(alipayPublic), []string{"found an RSA public key (SPKI, PEM), but base64 cut short", publicAgain}},
		{"AlipayPublicKey", "two glued, PEM", alipayPublic + appPublic, []string{"two keys glued together", publicAgain}},
		{"AlipayPublicKey", "two glued, bare", bareBase64(t, alipayPublic) + bareBase64(t, appPublic), []string{"two keys glued together in one base64 text", publicAgain}},
		{"AlipayPublicKey", "path", "./keys/alipay_public", nil},
		{"AlipayPublicKey", "words", "correct horse battery staple", []string{"found", publicAgain}},
		{"AlipayPublicKey", "blanks", " \n ", []string{"found nothing at all", publicBelongs}},

		{"AppCertContent", "private key", appPKCS8, []string{"found an RSA-2048 private key (PKCS#8, PEM)", appBelongs}},
		{"AppCertContent", "private key, PKCS#1, bare", bareBase64(t, appPKCS1), []string{"found an RSA-2048 private key (PKCS#1, base64)", appBelongs}},
		{"AppCertContent", "public key", bareBase64(t, appPublic), []string{"found an RSA-2048 public key (SPKI, base64)", appBelongs}},
		{"AppCertContent", "certificate request", request, []string{"found a certificate request", appBelongs}},
		{"AppCertContent", "of another key", issueCert("other", p.nextKey, p.middle).pem, []string{mismatch}},
		{"AppCertContent", "Alipay's certificate", p.alipayFile, []string{mismatch}},
		{"AppCertContent", "of an EC key", issueCert("ec", p.ecKey, p.middle).pem, []string{mismatch}},
		{"AppCertContent", "root bundle", p.rootBundle, []string{"certificates of certification authorities only", appBelongs}},
		{"AppCertContent", "SM2 certificate", sm2Root, []string{"certificates of certification authorities only", appBelongs}},
		{"AppCertContent", "expired", expiredApp.pem, and(dates(expiredApp), "the certificate expired on", "download a new one (应用公钥证书)")},
		{"AppCertContent", "not yet valid", futureApp.pem, and(dates(futureApp), "the certificate is not valid before", "clock of this machine")},
		{"AppCertContent", "cut short", cutPEM(p.app.pem), []string{"found a certificate", "cut short", appBelongs}},
		{"AppCertContent", "cut short, bare", cutBare(p.app.pem), []string{"found a certificate", "cut short", appBelongs}},
		{"AppCertContent", "key and certificate", appPKCS8 + p.app.pem, []string{"two things glued together", appBelongs}},
		{"AppCertContent", "two glued, bare", bareBase64(t, p.app.pem) + bareBase64(t, p.app.pem), []string{"two things glued together", appBelongs}},
		{"AppCertContent", "path", "C:\\alipay\\appCertPublicKey_2021.crt", nil},

		{"AlipayPublicCertContent", "public key", alipayPublic, []string{"found an RSA-2048 public key (SPKI, PEM)", alipayBelongs}},
		{"AlipayPublicCertContent", "private key", bareBase64(t, appPKCS8), []string{"found an RSA-2048 private key (PKCS#8, base64)", alipayBelongs}},
		{"AlipayPublicCertContent", "own certificate", p.app.pem, []string{"this is the application's own certificate (应用公钥证书)", asDownloaded}},
		{"AlipayPublicCertContent", "own certificate beside Alipay's", p.alipayFile + p.app.pem, []string{"the application's own certificate", asDownloaded}},
		{"AlipayPublicCertContent", "own public key in another certificate", issueCert("alipay", p.appKey, p.middle).pem, []string{"the application's own certificate", asDownloaded}},
		{"AlipayPublicCertContent", "expired", expired.pem + p.middle.pem, and(dates(expired), "the certificate expired on", asDownloaded)},
		{"AlipayPublicCertContent", "all expired", expired.pem + p.middle.pem + expired.pem, and(dates(expired), "the certificate expired on", asDownloaded)},
		{"AlipayPublicCertContent", "not yet valid", future.pem + p.middle.pem, and(dates(future), "the certificate is not valid before", "clock of this machine", asDownloaded)},
		{"AlipayPublicCertContent", "self-signed", selfSigned.pem, []string{"the certificate is self-signed", asDownloaded}},
		{"AlipayPublicCertContent", "self-signed authority", selfSignedCA.pem, []string{"the certificate is self-signed", asDownloaded}},
		{"AlipayPublicCertContent", "self-signed beside Alipay's", p.alipayFile + selfSigned.pem, []string{"the certificate is self-signed", asDownloaded}},
		{"AlipayPublicCertContent", "of another root", foreign.pem + p.foreignMiddle.pem, []string{"does not lead to the configured root bundle", asDownloaded}},
		{"AlipayPublicCertContent", "of another root beside Alipay's", p.alipayFile + foreign.pem + p.foreignMiddle.pem, []string{"does not lead to the configured root bundle", asDownloaded}},
		{"AlipayPublicCertContent", "of a root of the same name", issueCert("alipay", p.alipayKey, forgedMiddle).pem + forgedMiddle.pem, []string{"does not lead to the configured root bundle", asDownloaded}},
		{"AlipayPublicCertContent", "intermediate only", p.middle.pem, []string{"certificates of certification authorities only, and none that signs answers", asDownloaded}},
		{"AlipayPublicCertContent", "root bundle", p.rootBundle, []string{"the root bundle (支付宝根证书), which belongs into RootCertContent", asDownloaded}},
		{"AlipayPublicCertContent", "one root", p.root.pem, []string{"the root bundle (支付宝根证书), which belongs into RootCertContent", asDownloaded}},
		{"AlipayPublicCertContent", "root with an SM2 key", sm2Root, []string{"the root bundle (支付宝根证书), which belongs into RootCertContent", asDownloaded}},
		{"AlipayPublicCertContent", "of an EC key", issueCert("ec", p.ecKey, p.middle).pem, []string{"the certificate's key is not RSA", asDownloaded}},
		{"AlipayPublicCertContent", "1024 bits", issueCert("small", small, p.middle).pem, []string{"the RSA key has 1024 bits", asDownloaded}},
		{"AlipayPublicCertContent", "cut short", cutPEM(p.alipay.pem), []string{"found a certificate", "cut short", alipayBelongs}},
		{"AlipayPublicCertContent", "second one cut short", p.alipay.pem + cutPEM(p.middle.pem), []string{"certificate 2 of 2", "cut short", alipayBelongs}},
		{"AlipayPublicCertContent", "certificate and key", p.alipay.pem + alipayPublic, []string{"two things glued together", alipayBelongs}},
		{"AlipayPublicCertContent", "path", "~/alipay/alipayCertPublicKey_RSA2.crt", nil},

		{"RootCertContent", "own certificate", p.app.pem, []string{noRoot}},
		{"RootCertContent", "Alipay's certificate", p.alipayFile, []string{noRoot}},
		{"RootCertContent", "intermediate", issueCert("middle", p.nextKey, p.root, certAuthority).pem, []string{noRoot}},
		{"RootCertContent", "SM2 root only", sm2Root, []string{"no certificate with an RSA signature", "use the root bundle (支付宝根证书, alipayRootCert.crt) as downloaded"}},
		{"RootCertContent", "private key", appPKCS8, []string{"found an RSA-2048 private key (PKCS#8, PEM)", rootBelongs}},
		{"RootCertContent", "public key", alipayPublic, []string{"found an RSA-2048 public key (SPKI, PEM)", rootBelongs}},
		{"RootCertContent", "cut short", cutPEM(roots), []string{"found a certificate", "cut short", rootBelongs}},
		{"RootCertContent", "words", "correct horse battery staple", []string{"found", rootBelongs}},
		{"RootCertContent", "path", "certs/root-7731.crt", nil},
	} {
		t.Run(tc.field+"/"+tc.name, func(t *testing.T) {
			t.Parallel()
			config := testConfig(t, "")
			if tc.field != "AlipayPublicKey" && tc.field != "PrivateKey" {
				config, _ = certModeConfig(t)
			}
			pathField := pathFieldOf[tc.field]
			says, saysByPath := tc.says, tc.says
			if says == nil {
				says = []string{"this is the path of a file", "set " + pathField, "or put its content here"}
				saysByPath = []string{"the file holds nothing but the path of a file; name that file here"}
			}
			if strings.TrimSpace(tc.text) == "" {
				saysByPath = []string{"the file is empty; put the content of " + tc.field + " into it"}
			}
			setField(&config, tc.field, tc.text)
			validateErr := config.Validate()
			assertMistake(t, validateErr, config, tc.field, says...)
			_, err := alipay.NewClient(config)
			assert.Equal(t, validateErr, err, "NewClient finds the same")

			file := filepath.Join(dir, fmt.Sprint(i))
			require.NoError(t, os.WriteFile(file, []byte(tc.text), 0o600))
			setField(&config, tc.field, "")
			setField(&config, pathField, file)
			assertMistake(t, config.Validate(), config, pathField, saysByPath...)
		})
	}
}

func TestExpiredCertificatesOfTheVectorsAreRefusedWithTheirDates(t *testing.T) {
	config := vectorCertConfig(t)
	config.AlipayPublicCertContent = vector(t, "expired_alipay_cert.crt")
	_, err := alipay.NewClient(config, alipay.WithClock(atVectorTime))
	assertMistake(t, err, config, "AlipayPublicCertContent", "expired on 2022-01-01 00:00:00 UTC", "valid from 2020-01-01 00:00:00 UTC", "支付宝公钥证书")

	config.AlipayPublicCertContent += vector(t, "alipay_public_cert.crt")
	_, err = alipay.NewClient(config, alipay.WithClock(atVectorTime))
	require.NoError(t, err, "beside a valid one it is skipped")

	config = vectorCertConfig(t)
	_, err = alipay.NewClient(config, alipay.WithClock(func() time.Time { return time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC) }))
	assertMistake(t, err, config, "AppCertContent", "expired on 2045-10-12 19:53:01 UTC", "应用公钥证书")
	_, err = alipay.NewClient(config, alipay.WithClock(func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }))
	assertMistake(t, err, config, "AppCertContent", "not valid before 2026-11-21 19:53:01 UTC", "clock")
}

func TestAlipayCertificateFilesThatAreAccepted(t *testing.T) {
	base, p := certModeConfig(t)
	expired := issueCert("expired", p.alipayKey, p.middle, validFromTo(time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)))
	orphan := issueCert("alipay", p.alipayKey, issueCert("unheard of", p.ecKey, nil, certAuthority))
	for name, file := range map[string]string{
		"leaf and intermediate":       p.alipayFile,
		"intermediate first":          p.middle.pem + p.alipay.pem,
		"leaf without intermediate":   p.alipay.pem,
		"issuer not at hand":          orphan.pem,
		"leaf up to the root":         p.alipayFile + p.root.pem,
		"old and new":                 p.alipayFile + p.nextFile,
		"old and new, leaves only":    p.alipay.pem + p.next.pem,
		"expired beside a valid one":  expired.pem + p.alipayFile,
		"valid beside an expired one": p.alipayFile + expired.pem,
		"issued by a root":            issueCert("alipay", p.alipayKey, p.root).pem,
		"the same twice":              p.alipayFile + p.alipayFile,
	} {
		config := base
		config.AlipayPublicCertContent = file
		assert.NoError(t, config.Validate(), name)
	}
	for name, change := range map[string]func(*alipay.AlipayConfig){
		"application certificate with its chain": func(c *alipay.AlipayConfig) { c.AppCertContent = p.app.pem + p.middle.pem },
		"chain before it":                        func(c *alipay.AlipayConfig) { c.AppCertContent = p.middle.pem + p.app.pem },
		"one root":                               func(c *alipay.AlipayConfig) { c.RootCertContent = p.root.pem },
	} {
		config := base
		change(&config)
		assert.NoError(t, config.Validate(), name)
	}
}

// fakeSigner is a KMS of the test's own.
type fakeSigner struct{ key crypto.Signer }

func (s *fakeSigner) Public() crypto.PublicKey { return s.key.Public() }
func (s *fakeSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(random, digest, opts)
}

type publicOnly struct {
	crypto.Signer
	public crypto.PublicKey
}

func (p publicOnly) Public() crypto.PublicKey { return p.public }

func TestEveryMistakeGivesFieldAndCure(t *testing.T) {
	p := pkiOnce()
	small := rsaKey(t, "testdata/vectors/rsa1024_private_pkcs8.pem")
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	key, public := file("k", vector(t, "app_private_pkcs8.pem")), file("p", vector(t, "alipay_public.pem"))
	type config = alipay.AlipayConfig
	type mistake struct {
		certMode bool
		change   func(*config)
		field    string
		says     []string
	}
	mistakes := map[string]mistake{}
	add := func(name string, certMode bool, field string, change func(*config), says ...string) {
		require.NotContains(t, mistakes, name)
		mistakes[name] = mistake{certMode, change, field, says}
	}

	for value, says := range map[string][]string{
		"openapi.alipay.com":                                    {"there is no scheme", "write it as in https://openapi.alipay.com"},
		"proxy.merchant.example:8443/alipay":                    {"there is no scheme", "write it as in"},
		"//proxy.merchant.example":                              {"there is no scheme", "write it as in"},
		"https:proxy.merchant.example":                          {"there is no scheme", "write it as in"},
		"ftp://proxy.merchant.example":                          {"the scheme is not https", "write it as in"},
		"proxy.merchant.example/?u=https://x":                   {"the scheme is not https", "write it as in"},
		"https://":                                              {"there is no host", "write it as in"},
		"https:///alipay-prefix":                                {"there is no host", "write it as in"},
		"https://:8443":                                         {"there is no host", "write it as in"},
		"https://proxy.merchant.example:port/":                  {"this is not a URL", "write it as in"},
		"https://proxy merchant example":                        {"this is not a URL", "write it as in"},
		"https://proxy.merchant.example/\x01secret-path":        {"this is not a URL", "write it as in"},
		`"https://proxy.merchant.example"`:                      {"this is not a URL", "write it as in"},
		"https://proxy.merchant.example/%zz-bad-escape":         {"this is not a URL", "write it as in"},
		"https://proxy.merchant.example?charset=utf-8-secret":   {"it holds a query", "remove it"},
		"https://proxy.merchant.example/?":                      {"it holds a query", "remove it"},
		"https://user-name-7731@proxy.merchant.example":         {"it holds a user name or password", "remove them"},
		"https://user-name:pass-word@proxy.merchant.example/":   {"it holds a user name or password", "remove them"},
		"https://@proxy.merchant.example":                       {"it holds a user name or password", "remove them"},
		"https://proxy.merchant.example/#frag-7731":             {"it holds a fragment", "remove it"},
		"https://proxy.merchant.example#":                       {"it holds a fragment", "remove it"},
		"https://openapi.alipay.com/gateway.do":                 {"/gateway.do is the gateway of the old protocol", "use https://openapi.alipay.com, or https://openapi-sandbox.dl.alipaydev.com for the sandbox"},
		"https://openapi.alipay.com/gateway.do/":                {"/gateway.do is the gateway of the old protocol", "use https"},
		"https://openapi.alipay.com/Gateway.DO":                 {"/gateway.do is the gateway of the old protocol", "use https"},
		"https://openapi-sandbox.dl.alipaydev.com/gateway.do":   {"/gateway.do is the gateway of the old protocol", "use https"},
		"https://openapi.alipay.com/gateway.do?charset=utf-8":   {"/gateway.do is the gateway of the old protocol", "use https"},
		"https://proxy.merchant.example/alipay/gateway.do#frag": {"/gateway.do is the gateway of the old protocol", "use https"},
	} {
		add("base URL "+value, false, "BaseURL", func(c *config) { c.BaseURL = value }, says...)
	}
	for name, id := range map[string]string{
		"comma": "2021000000000001,nonce=1", "space": "2021 0000 0000 0001", "line end": "2021000000000001\n", "control character": "2021000000000001\x00",
		"delete": "2021000000000001\x7f", "blank in front": " 2021000000000001", "Chinese": "应用2021000000000001", "equals sign": "app_id=2021000000000001", "quoted": `"2021000000000001"`,
	} {
		add("app id with "+name, false, "AppID", func(c *config) { c.AppID = id }, "it holds a comma, a space, a control character", "copy it again")
	}
	add("app id missing", false, "AppID", func(c *config) { c.AppID = "" }, "it is empty", "copy the APPID")
	add("a key as app id", false, "AppID", func(c *config) { c.AppID = bareBase64(t, vector(t, "app_private_pkcs8.pem")) }, "longer than 64 characters", "another value")

	add("private key missing", false, "PrivateKey", func(c *config) { c.PrivateKey = "" }, "it is empty", "应用私钥", "PrivateKeyPath, or a Signer")
	add("private key blank", true, "PrivateKey", func(c *config) { c.PrivateKey = " \r\n" }, "it is empty", "PrivateKeyPath, or a Signer")
	signer := func(s crypto.Signer) func(*config) {
		return func(c *config) { c.PrivateKey, c.Signer = "", s }
	}
	add("signer with an EC key", false, "Signer", signer(&fakeSigner{p.ecKey}), "its public key is not an *rsa.PublicKey", "RSA2")
	add("signer without a public key", false, "Signer", signer(publicOnly{}), "its public key is not an *rsa.PublicKey", "RSA2")
	add("signer with an RSA key by value", false, "Signer", signer(publicOnly{public: p.appKey.PublicKey}), "its public key is not an *rsa.PublicKey")
	add("signer with a nil key", false, "Signer", signer(publicOnly{public: (*rsa.PublicKey)(nil)}), "its public key is not an *rsa.PublicKey")
	add("signer with an empty key", false, "Signer", signer(publicOnly{public: &rsa.PublicKey{}}), "its public key is not an *rsa.PublicKey")
	add("signer that is a nil pointer", false, "Signer", signer((*fakeSigner)(nil)), "it holds a nil pointer", "leave it nil and give a private key")
	add("signer that is a nil private key", true, "Signer", signer((*rsa.PrivateKey)(nil)), "it holds a nil pointer")
	add("signer that is a nil pointer beside a private key", false, "Signer", func(c *config) { c.Signer = (*fakeSigner)(nil) }, "it holds a nil pointer")
	add("signer with 1024 bits", false, "Signer", signer(&fakeSigner{small}), "the RSA key has 1024 bits", "2048 bits or more")
	add("signer beside a private key", false, "Signer", func(c *config) { c.Signer = p.appKey }, "a private key is configured beside it", "leave one of the two empty")
	add("signer beside a private key file", true, "Signer", func(c *config) { c.Signer, c.PrivateKey, c.PrivateKeyPath = p.appKey, "", key }, "a private key is configured beside it", "leave one of the two empty")
	add("own public key through a signer", false, "AlipayPublicKey", func(c *config) {
		c.PrivateKey, c.Signer, c.AlipayPublicKey = "", &fakeSigner{p.appKey}, vector(t, "app_public.pem")
	}, "the application's own public key (应用公钥)", "copy Alipay's (支付宝公钥)")
	add("own certificate through a signer", true, "AlipayPublicCertContent", func(c *config) {
		c.PrivateKey, c.Signer, c.AlipayPublicCertContent = "", &fakeSigner{p.appKey}, p.app.pem
	}, "the application's own certificate")
	add("certificate of another key than the signer's", true, "AppCertContent", signer(&fakeSigner{p.nextKey}), "does not match the application's private key")

	add("both modes", true, "AlipayPublicKey", func(c *config) { c.AlipayPublicKey = vector(t, "alipay_public.pem") }, "both modes are configured", "leave the certificates empty", "接口加签方式")
	add("both modes, one certificate", false, "AlipayPublicKey", func(c *config) { c.RootCertContent = p.rootBundle }, "both modes are configured", "leave")
	add("both modes, by path", true, "AlipayPublicKey", func(c *config) { c.AlipayPublicKeyPath = public }, "both modes are configured", "leave")
	add("neither mode", false, "AlipayPublicKey", func(c *config) { c.AlipayPublicKey = "" }, "neither mode is configured", "give AlipayPublicKey", "接口加签方式")
	for _, missing := range [][]string{
		{"AppCertContent"}, {"AlipayPublicCertContent"}, {"RootCertContent"},
		{"AppCertContent", "AlipayPublicCertContent"}, {"AppCertContent", "RootCertContent"}, {"AlipayPublicCertContent", "RootCertContent"},
	} {
		add("certificate mode without "+strings.Join(missing, " and "), true, missing[0], func(c *config) {
			for _, field := range missing {
				setField(c, field, "")
			}
		}, "it is missing; certificate mode (证书模式) needs all three")
	}
	add("certificate mode by path without the root", true, "RootCertContent", func(c *config) {
		c.AppCertPath, c.AppCertContent, c.RootCertContent = file("app", p.app.pem), "", ""
	}, "it is missing", "or their …Path variants")

	for field, pathField := range pathFieldOf {
		certMode := strings.Contains(field, "Cert")
		byPath := func(path string) func(*config) {
			return func(c *config) {
				setField(c, field, "")
				setField(c, pathField, path)
			}
		}
		content, _ := certModeConfig(t)
		text := reflect.ValueOf(content).FieldByName(field).String()
		if text == "" {
			text = vector(t, "alipay_public.pem")
		}
		add(field+" and its path", certMode, field, func(c *config) { setField(c, pathField, key) }, pathField+" is set too", "leave one of the two empty")
		add(pathField+" of no file", certMode, pathField, byPath(filepath.Join(dir, "missing-file")), "there is no such file", "working directory")
		add(pathField+" of blanks", certMode, pathField, byPath("  "), "there is no such file")
		add(pathField+" of a directory", certMode, pathField, byPath(dir), "this is a directory; name the file in it")
		add(pathField+" of an empty file", certMode, pathField, byPath(file("empty", "")), "the file is empty; put the content of "+field+" into it")
		add(pathField+" of a blank file", certMode, pathField, byPath(file("blank", " \r\n\t")), "the file is empty; put the content of "+field+" into it")
		add(pathField+" of a huge file", certMode, pathField, byPath(file("huge", strings.Repeat("QUFB", 1<<18)+"Q")), "larger than 1 MiB")
		add(pathField+" below a file", certMode, pathField, byPath(filepath.Join(key, "child-of-a-file")), "the file cannot be read", "regular file")
		add(pathField+" with a null character", certMode, pathField, byPath("secret\x00path"), "the file cannot be read")
		add(pathField+" with the content", certMode, pathField, byPath(text), "this is the content itself, not the path of a file; put it into "+field)
		first := text[:strings.Index(text, "-----END")] + "-----END"
		add(pathField+" with the content, bare", certMode, pathField, byPath(strings.Join(strings.Split(first, "\n")[1:len(strings.Split(first, "\n"))-1], "")), "this is the content itself", "put it into "+field)
		if os.Geteuid() != 0 {
			locked := file("locked", text)
			require.NoError(t, os.Chmod(locked, 0))
			add(pathField+" of a locked file", certMode, pathField, byPath(locked), "may not read the file")
		}
	}

	for name, key := range map[string]string{
		"too short": "AAECAwQFBgcICQoLDA0O", "too long": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISI=", "hex": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"not base64": "!!no-key-at-all!!", "cut short": "AAECAwQFBgcICQoLDA0ODw=", "an RSA key": vector(t, "app_private_pkcs8.pem"), "blank": "  ", "url-safe": "__-_AwQFBgcICQoLDA0ODw==",
	} {
		add("encrypt key "+name, name == "hex", "EncryptKey", func(c *config) { c.EncryptKey = key }, "AES key", "expected standard base64 of 16, 24 or 32 bytes", "接口内容加密方式")
	}
	for name, token := range map[string]string{"line end": testAuthTok + "\n", "space": testAuthTok + " x", "control character": "\x00" + testAuthTok, "Chinese": testAuthTok + "令牌"} {
		add("app auth token with "+name, false, "AppAuthToken", func(c *config) { c.AppAuthToken = token }, "it holds a space, a control character or one beyond ASCII", "copy the app_auth_token again")
	}

	right, _ := certModeConfig(t)
	require.NoError(t, right.Validate(), "but for the mistakes it is right")
	require.NoError(t, testConfig(t, "").Validate())
	for name, tc := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := testConfig(t, "")
			if tc.certMode {
				config, _ = certModeConfig(t)
			}
			tc.change(&config)
			validateErr := config.Validate()
			assertMistake(t, validateErr, config, tc.field, tc.says...)
			_, err := alipay.NewClient(config)
			assert.Equal(t, validateErr, err, "NewClient finds the same")
		})
	}
}

func TestPlainHTTPIsForLoopbackOnly(t *testing.T) {
	for host, loopback := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8080": true, "127.8.9.10": true, "127.255.255.255": true, "[::1]": true, "[::1]:8080": true,
		"localhost": true, "localhost:8080": true, "LocalHost": true, "[0:0:0:0:0:0:0:1]": true,

		"127.0.0.1.example.com": false, "localhost.example.com": false, "localhost.": false, "localhost.:80": false, "127.1": false, "127.0.1": false,
		"[::ffff:127.0.0.1]": false, "[::ffff:7f00:1]": false, "[::127.0.0.1]": false, "0.0.0.0": false, "[::]": false, "[::2]": false, "[::1%25eth0]": false,
		"2130706433": false, "0x7f000001": false, "0x7f.0.0.1": false, "0177.0.0.1": false, "127.0.0.01": false, "127.0.0.1.": false, "127.0.0.256": false, "128.0.0.1": false,
		"10.0.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "localhost6": false, "mylocalhost": false, "notlocalhost.test": false,
		"127-0-0-1.example": false, "ip6-localhost": false, "xn--localhost": false, "１２７.0.0.1": false,
	} {
		t.Run(host, func(t *testing.T) {
			config := testConfig(t, "http://"+host+"/")
			require.NoError(t, config.Validate(), "it is for NewClient to judge, which knows the options")
			_, err := alipay.NewClient(config)
			if loopback {
				require.NoError(t, err)
			} else {
				assertMistake(t, err, config, "BaseURL", "http would send personal data in the clear", "use https", "WithInsecureHTTP")
			}
			_, err = alipay.NewClient(config, alipay.WithInsecureHTTP())
			assert.NoError(t, err)
			config.BaseURL = "https://" + host
			_, err = alipay.NewClient(config)
			assert.NoError(t, err)
		})
	}
}

func TestBaseURLsThatAreAccepted(t *testing.T) {
	for _, base := range []string{
		"", alipay.DefaultBaseURL, alipay.SandboxBaseURL, alipay.DefaultBaseURL + "/", " https://openapi.alipay.com\n", "HTTPS://OPENAPI.ALIPAY.COM",
		"https://proxy.example:8443/alipay", "https://proxy.example/a/b//", "https://proxy.example/a%2Fb", "https://proxy.example/gateway.do.d", "https://[2001:db8::1]:443",
	} {
		_, err := alipay.NewClient(testConfig(t, base))
		assert.NoError(t, err, base)
	}
}

// textForms are the manglings a PEM text meets on its way into a config. Only
// a single piece can do without armour.
func textForms(t testing.TB, text string) map[string]string {
	replaced := func(eol string) string { return strings.ReplaceAll(text, "\n", eol) }
	forms := map[string]string{
		"PEM": text, "without last line end": strings.TrimSpace(text), "CRLF": replaced("\r\n"), "\\n spelled out": replaced(`\n`), "\\r\\n spelled out": replaced(`\r\n`),
		"BOM": "\ufeff" + text, "BOM and CRLF": "\ufeff" + replaced("\r\n"), "indented": "    " + replaced("\n    "), "tabs": "\t" + replaced("\n\t"),
		"spaces around": "  \n" + text + "\n  ", "spaces for line ends": replaced(" "), "double quotes": `"` + text + `"`, "single quotes": "'" + text + "'",
		"JSON string": mustJSON(t, text), "blank lines": replaced("\n\n"), "quoted, spelled out": `"` + replaced(`\n`) + `"`,
	}
	if strings.Count(text, "-----BEGIN") == 1 {
		one := bareBase64(t, text)
		var lines []string
		for rest := one; rest != ""; rest = rest[min(64, len(rest)):] {
			lines = append(lines, rest[:min(64, len(rest))])
		}
		columns := strings.Join(lines, "\n")
		for name, form := range map[string]string{
			"one line": one, "64 columns": columns, "64 columns, CRLF": strings.ReplaceAll(columns, "\n", "\r\n"), "64 columns, \\n spelled out": strings.ReplaceAll(columns, "\n", `\n`),
			"64 columns, spaces for line ends": strings.Join(lines, " "), "indented": "  " + strings.ReplaceAll(columns, "\n", "\n  "),
			"BOM": "\ufeff" + one, "spaces around": "  " + one + " \n", "quoted": `"` + one + `"`, "without padding": strings.TrimRight(one, "="),
		} {
			forms["bare, "+name] = form
		}
	}
	return forms
}

// wire stands in for the network: it checks what a client signs and signs what
// it answers.
type fakeWire struct {
	appKey    *rsa.PublicKey
	alipayKey *rsa.PrivateKey
	sn        string           // alipay-sn, "" for none
	now       func() time.Time // nil for the vectors' time
	got       http.Header
	asked     protocol.Credentials
	failed    error
}

func (w *fakeWire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.got = r.Header
	w.asked, w.failed = protocol.ParseAuthorization(r.Header.Get("Authorization"))
	if w.failed == nil {
		w.failed = protocol.Verify(w.appKey, protocol.StringToSign(w.asked.AuthString, r.Method, r.URL.RequestURI(), nil, r.Header.Get("Alipay-App-Auth-Token")), w.asked.Signature)
	}
	h := http.Header{}
	if w.now == nil {
		h = signedAtVectorTime().Clone()
		h.Set("alipay-sn", w.sn)
	} else {
		signAs(h, w.alipayKey, w.sn, successBody, w.now())
	}
	return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader(successBody)), ContentLength: -1, Request: r}, nil
}

// signedAtVectorTime is made once: signing takes longer than anything else here.
var signedAtVectorTime = sync.OnceValue(func() http.Header {
	h := http.Header{}
	signAs(h, alipayKey(), "", successBody, vectorTime)
	return h
})

// signAs puts the headers of an answer signed by key under sn into h.
func signAs(h http.Header, key *rsa.PrivateKey, sn, body string, at time.Time) {
	timestamp := fmt.Sprint(at.UnixMilli())
	h.Set("alipay-timestamp", timestamp)
	h.Set("alipay-nonce", "nonce-1")
	h.Set("alipay-signature", orPanic(protocol.Sign(key, protocol.SignedContent(timestamp, "nonce-1", []byte(body)))))
	if sn != "" {
		h.Set("alipay-sn", sn)
	}
}

// TestKeyFormMatrix: every form in every field makes a client that signs what
// the platform accepts and accepts what the platform signs.
func TestKeyFormMatrix(t *testing.T) {
	p := pkiOnce()
	dir := t.TempDir()
	texts := map[string][]struct{ name, text string }{
		"PrivateKey":              {{"PKCS#8", vector(t, "app_private_pkcs8.pem")}, {"PKCS#1", vector(t, "app_private_pkcs1.pem")}},
		"AlipayPublicKey":         {{"SPKI", vector(t, "alipay_public.pem")}, {"PKCS#1", armourPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&p.alipayKey.PublicKey))}},
		"AppCertContent":          {{"X.509", vector(t, "app_public_cert.crt")}},
		"AlipayPublicCertContent": {{"X.509 with intermediate", vector(t, "alipay_public_cert.crt")}, {"X.509", leafOf(vector(t, "alipay_public_cert.crt"))}},
		"RootCertContent":         {{"bundle", vector(t, "root_bundle.crt")}, {"one root", p.root.pem}},
	}
	combinations := 0
	for field, list := range texts {
		for _, source := range list {
			for form, text := range textForms(t, source.text) {
				for _, byPath := range []bool{false, true} {
					combinations++
					name := field
					if byPath {
						name = pathFieldOf[field]
					}
					t.Run(name+"/"+source.name+"/"+form, func(t *testing.T) {
						t.Parallel()
						config, want := testConfig(t, ""), ""
						if field != "AlipayPublicKey" && field != "PrivateKey" {
							config, want = vectorCertConfig(t), "4dd068c4b8099e1cc1c3d614f1ce7a4a_43cde24a05375144551adbaaf19edd0f"
						}
						if source.text == p.root.pem {
							want = orPanic(alipay.RootCertSN([]byte(source.text)))
							config.AlipayPublicCertContent = leafOf(vector(t, "alipay_public_cert.crt"))
						}
						setField(&config, field, text)
						if byPath {
							file := filepath.Join(dir, fmt.Sprintf("%x", name+source.name+form))
							require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
							setField(&config, field, "")
							setField(&config, name, file)
						}
						w := &fakeWire{appKey: &p.appKey.PublicKey}
						appSN := ""
						if want != "" {
							w.sn, appSN = "ff979bd96125ad97131ce31255eac671", "707af11bc8fb00677f4ba3933697615a"
						}
						client, err := alipay.NewClient(config, alipay.WithHTTPClient(&http.Client{Transport: w}), alipay.WithClock(atVectorTime))
						require.NoError(t, err)
						answer, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
						require.NoError(t, err)
						assert.Equal(t, alipay.IdentityResultSuccess, answer.IdentityResult)
						require.NoError(t, w.failed, "the request's signature")
						assert.Equal(t, appSN, w.asked.AppCertSN)
						assert.Equal(t, want, w.got.Get("alipay-root-cert-sn"))
					})
				}
			}
		}
	}
	assert.Greater(t, combinations, 300)
}

func leafOf(chain string) string {
	const end = "-----END CERTIFICATE-----\n"
	return chain[:strings.Index(chain, end)+len(end)]
}

func TestSignerSignsInPlaceOfAPrivateKey(t *testing.T) {
	p := pkiOnce()
	for name, signer := range map[string]crypto.Signer{"KMS": &fakeSigner{p.appKey}, "*rsa.PrivateKey": p.appKey} {
		for _, certMode := range []bool{false, true} {
			config := testConfig(t, "")
			if certMode {
				config, _ = certModeConfig(t)
			}
			config.PrivateKey, config.Signer = "", signer
			require.NoError(t, config.Validate(), name)
			w := &fakeWire{appKey: &p.appKey.PublicKey, alipayKey: p.alipayKey, now: time.Now}
			client, err := alipay.NewClient(config, alipay.WithHTTPClient(&http.Client{Transport: w}))
			require.NoError(t, err, name)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err, name)
			require.NoError(t, w.failed, name)
		}
	}
}

func TestExportedSNsAreThoseOfTheVectors(t *testing.T) {
	var want struct {
		CertSN     map[string]string `json:"cert_sn"`
		RootCertSN map[string]string `json:"root_cert_sn"`
	}
	require.NoError(t, json.Unmarshal([]byte(vector(t, "vectors.json")), &want))
	require.Len(t, want.CertSN, 3)
	require.Len(t, want.RootCertSN, 1)
	for file, sn := range want.CertSN {
		got, err := alipay.CertSN([]byte(vector(t, file)))
		require.NoError(t, err)
		assert.Equal(t, sn, got, "%s", file)
	}
	for file, sn := range want.RootCertSN {
		got, err := alipay.RootCertSN([]byte(vector(t, file)))
		require.NoError(t, err)
		assert.Equal(t, sn, got, "%s: SM2 and ECDSA passed over, file order", file)
	}
	p := pkiOnce()
	key := vector(t, "app_private_pkcs8.pem")
	for name, text := range map[string]string{"nothing": "", "blanks": " \n", "a key": key, "words": "correct horse battery staple", "cut short": p.app.pem[:len(p.app.pem)/2], "key and certificate": p.app.pem + key} {
		for function, sn := range map[string]func([]byte) (string, error){"CertSN": alipay.CertSN, "RootCertSN": alipay.RootCertSN} {
			got, err := sn([]byte(text))
			require.Error(t, err, "%s of %s", function, name)
			assert.Empty(t, got)
			assert.Regexp(t, "^alipay: ", err.Error())
			assertKeepsSecret(t, map[string]string{function: publicWords.Replace(err.Error())}, text)
		}
	}
	_, err := alipay.RootCertSN([]byte(issueCert("ec", p.ecKey, nil, certAuthority).pem))
	assert.ErrorContains(t, err, "no certificate with an RSA signature")
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
	base, p := certModeConfig(t)
	oldSN, newSN := orPanic(alipay.CertSN([]byte(p.alipayFile))), orPanic(alipay.CertSN([]byte(p.nextFile)))
	middleSN := orPanic(alipay.CertSN([]byte(p.middle.pem)))
	foreign := rsaKey(t, "alipaytest/testkeys/foreign_private_key.pem")
	both, leaf := p.alipayFile+p.nextFile, p.alipay.pem
	expired := issueCert("expired", p.nextKey, p.middle, validFromTo(time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)))
	expiredSN := orPanic(alipay.CertSN([]byte(expired.pem)))
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
		"the expired one is no signer":       {expired.pem + p.alipayFile, p.nextKey, expiredSN, alipay.ErrUnknownCertificate},
		"the expired one, missing SN":        {expired.pem + p.alipayFile, p.nextKey, "", alipay.ErrResponseSignature},
		"known, signed by somebody else":     {p.alipayFile, foreign, oldSN, alipay.ErrResponseSignature},
		"known, signed by the application":   {p.alipayFile, p.appKey, oldSN, alipay.ErrResponseSignature},
		"missing, signed by the application": {p.alipayFile, p.appKey, "", alipay.ErrResponseSignature},
	} {
		t.Run(name, func(t *testing.T) {
			s := certServer(t, func(h http.Header) { signAs(h, tc.key, tc.sn, successBody, time.Now()) })
			config := base
			config.BaseURL, config.AlipayPublicCertContent = s.URL, tc.configured
			client, err := alipay.NewClient(config)
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
		client := orPanic(alipay.NewClient(config))
		t.Cleanup(client.CloseIdleConnections)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
		assert.Contains(t, err.Error(), oldSN)
		assert.Contains(t, err.Error(), newSN)
	})
}

// envFields maps each variable to the field it fills.
var envFields = map[string]string{
	"ALIPAY_BASE_URL": "BaseURL", "ALIPAY_APP_ID": "AppID",
	"ALIPAY_PRIVATE_KEY": "PrivateKey", "ALIPAY_PRIVATE_KEY_PATH": "PrivateKeyPath",
	"ALIPAY_PUBLIC_KEY": "AlipayPublicKey", "ALIPAY_PUBLIC_KEY_PATH": "AlipayPublicKeyPath",
	"ALIPAY_APP_CERT": "AppCertContent", "ALIPAY_APP_CERT_PATH": "AppCertPath",
	"ALIPAY_PUBLIC_CERT": "AlipayPublicCertContent", "ALIPAY_PUBLIC_CERT_PATH": "AlipayPublicCertPath",
	"ALIPAY_ROOT_CERT": "RootCertContent", "ALIPAY_ROOT_CERT_PATH": "RootCertPath",
	"ALIPAY_ENCRYPT_KEY": "EncryptKey", "ALIPAY_APP_AUTH_TOKEN": "AppAuthToken",
}

func clearEnvironment(t *testing.T) {
	for variable := range envFields {
		t.Setenv(variable, "")
	}
}

func TestConfigFromEnvFillsEveryField(t *testing.T) {
	clearEnvironment(t)
	config := reflect.TypeFor[alipay.AlipayConfig]()
	require.Len(t, envFields, config.NumField()-1, "one variable for every field but Signer")
	for variable, field := range envFields {
		t.Setenv(variable, "value of "+field)
	}
	c, err := alipay.ConfigFromEnv()
	require.NoError(t, err, "the values are for Validate to judge")
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if name := config.Field(i).Name; name != "Signer" {
			assert.Equal(t, "value of "+name, v.Field(i).String())
		}
	}
	for variable, field := range envFields { // one at a time: none lands in two fields
		clearEnvironment(t)
		t.Setenv(variable, "x")
		c, _ := alipay.ConfigFromEnv()
		var want alipay.AlipayConfig
		setField(&want, field, "x")
		assert.True(t, want == c, "%s", variable)
	}
}

func TestConfigFromEnvMakesAClient(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("ALIPAY_APP_ID", "2021000000000001")
	t.Setenv("ALIPAY_PRIVATE_KEY", strings.ReplaceAll(vector(t, "app_private_pkcs8.pem"), "\n", `\n`))
	t.Setenv("ALIPAY_PUBLIC_KEY_PATH", "testdata/vectors/alipay_public.pem")
	c, err := alipay.ConfigFromEnv()
	require.NoError(t, err)
	require.NoError(t, c.Validate())
}

func TestConfigFromEnvNamesEverythingMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		set            map[string]string
		field          string
		missing, found []string
	}{
		"all": {nil, "AppID", []string{"ALIPAY_APP_ID", "ALIPAY_PRIVATE_KEY", "ALIPAY_PRIVATE_KEY_PATH", "ALIPAY_PUBLIC_KEY", "ALIPAY_PUBLIC_KEY_PATH", "ALIPAY_APP_CERT", "ALIPAY_PUBLIC_CERT", "ALIPAY_ROOT_CERT"}, nil},
		"app id": {map[string]string{"ALIPAY_PRIVATE_KEY_PATH": "secret-path", "ALIPAY_PUBLIC_KEY": "secret-value"}, "AppID",
			[]string{"ALIPAY_APP_ID"}, []string{"PRIVATE_KEY", "PUBLIC_KEY"}},
		"private key": {map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PUBLIC_KEY": "secret-value"}, "PrivateKey",
			[]string{"ALIPAY_PRIVATE_KEY or ALIPAY_PRIVATE_KEY_PATH"}, []string{"APP_ID", "PUBLIC_KEY"}},
		"mode": {map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PRIVATE_KEY": "secret-value"}, "AlipayPublicKey",
			[]string{"ALIPAY_PUBLIC_KEY or ALIPAY_PUBLIC_KEY_PATH", "for certificate mode"}, []string{"APP_ID", "PRIVATE_KEY"}},
		"two certificates": {map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PRIVATE_KEY": "secret-value", "ALIPAY_PUBLIC_CERT_PATH": "secret-path"}, "AppCertContent",
			[]string{"ALIPAY_APP_CERT or ALIPAY_APP_CERT_PATH", "ALIPAY_ROOT_CERT or ALIPAY_ROOT_CERT_PATH"}, []string{"APP_ID", "PRIVATE_KEY", "PUBLIC_CERT", "PUBLIC_KEY"}},
		"one certificate": {map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PRIVATE_KEY": "secret-value", "ALIPAY_APP_CERT": "secret-value", "ALIPAY_ROOT_CERT": "secret-value"}, "AlipayPublicCertContent",
			[]string{"ALIPAY_PUBLIC_CERT or ALIPAY_PUBLIC_CERT_PATH"}, []string{"APP_CERT", "ROOT_CERT"}},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			for variable, value := range tc.set {
				t.Setenv(variable, value)
			}
			c, err := alipay.ConfigFromEnv()
			assertMistake(t, err, c, tc.field, append(tc.missing, "not set in the environment")...)
			for _, present := range tc.found {
				assert.NotContains(t, err.Error(), "ALIPAY_"+present)
			}
			for variable, value := range tc.set {
				assert.Equal(t, value, reflect.ValueOf(c).FieldByName(envFields[variable]).String(), "what was found is kept, for a Signer to be added")
			}
		})
	}
}

func TestNewClientCopiesWhatItIsGiven(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		answerPlain(w)
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	caller := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	config := testConfig(t, s.URL)
	client, err := alipay.NewClient(config, alipay.WithHTTPClient(caller))
	require.NoError(t, err)

	config = alipay.AlipayConfig{}
	caller.Timeout = time.Nanosecond
	caller.Transport = laterTransport(func(*http.Request) (*http.Response, error) { return nil, errors.New("the later transport") })
	caller.CheckRedirect = func(*http.Request, []*http.Request) error { panic("asked") }
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err, "later changes have no effect")
	assert.Empty(t, config)
}

type laterTransport func(*http.Request) (*http.Response, error)

func (f laterTransport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type countingJar struct{ http.CookieJar }

func TestCallersHTTPClientIsNeverModified(t *testing.T) {
	redirects := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	transport := &http.Transport{MaxIdleConnsPerHost: 3}
	t.Cleanup(transport.CloseIdleConnections)
	before := reflect.ValueOf(transport.Clone()).Elem()
	caller := &http.Client{
		Transport: transport, Timeout: 5 * time.Second, Jar: countingJar{}, // a nil jar: any use of it would panic
		CheckRedirect: func(*http.Request, []*http.Request) error { redirects++; return nil },
	}
	client, err := alipay.NewClient(testConfig(t, s.URL), alipay.WithHTTPClient(caller))
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrRedirect)
	assert.Zero(t, redirects, "redirects are refused without asking")
	assert.EqualValues(t, 1, s.requests.Load())

	assert.True(t, caller.Transport == http.RoundTripper(transport))
	assert.Equal(t, 5*time.Second, caller.Timeout)
	assert.Equal(t, countingJar{}, caller.Jar)
	assert.NotNil(t, caller.CheckRedirect)
	after := reflect.ValueOf(transport).Elem()
	for i := range after.NumField() {
		name, f := after.Type().Field(i).Name, after.Field(i)
		if !after.Type().Field(i).IsExported() || name == "TLSClientConfig" || name == "TLSNextProto" {
			continue // net/http fills these two in itself, at the first request
		}
		if f.Kind() == reflect.Func {
			assert.Equal(t, before.Field(i).IsNil(), f.IsNil(), name)
		} else {
			assert.Equal(t, before.Field(i).Interface(), f.Interface(), name)
		}
	}

	zero := &http.Client{}
	_, err = alipay.NewClient(testConfig(t, s.URL), alipay.WithHTTPClient(zero), alipay.WithTimeout(time.Second))
	require.NoError(t, err)
	assert.Empty(t, *zero)
	_, err = alipay.NewClient(testConfig(t, s.URL), alipay.WithHTTPClient(http.DefaultClient))
	require.NoError(t, err)
	assert.Empty(t, *http.DefaultClient)
}

func TestClientsTimeoutIsThatOfTheCallersClient(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for name, opts := range map[string][]alipay.Option{
		"the caller's client": {alipay.WithHTTPClient(&http.Client{Timeout: 30 * time.Millisecond})},
		"WithTimeout":         {alipay.WithTimeout(30 * time.Millisecond), alipay.WithHTTPClient(&http.Client{Timeout: time.Hour})},
	} {
		_, err := newClient(t, s.URL, opts...).ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.ErrorIs(t, err, alipay.ErrOutcomeUnknown, name)
	}
}
