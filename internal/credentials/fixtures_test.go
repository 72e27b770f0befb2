package credentials

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
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

	"github.com/seed-39a49030/alipay/internal/testpki"
)

// now lies within the validity of the vectors' certificates, November 2026 to
// October 2045.
var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// fixture reads a file of the repository.
func fixture(file string) string { return string(testpki.Must(os.ReadFile("../../" + file))) }

func vector(name string) string { return fixture("testdata/vectors/" + name) }

func testKey(name string) *rsa.PrivateKey { return rsaKey("alipaytest/testkeys/" + name) }

func rsaKey(file string) *rsa.PrivateKey { return testpki.RSAKey([]byte(fixture(file))) }

// bare is a PEM text without its armour and line ends.
func bare(text string) string {
	block, _ := pem.Decode([]byte(text))
	return base64.StdEncoding.EncodeToString(block.Bytes)
}

// cutBare and cutPEM lose the end of a text.
func cutBare(text string) string { return bare(text)[:len(bare(text))/2] }
func cutPEM(text string) string  { return text[:len(text)*2/3] }

// issue makes a certificate that is valid now.
func issue(subject pkix.Name, key crypto.Signer, parent *testpki.Issued, change ...func(*x509.Certificate)) *testpki.Issued {
	return testpki.Issue(subject, key, parent, now, change...)
}

// The names of real certificates: those of customers and those of Alipay have
// issuers of their own under one root.
func authorityName(name string) pkix.Name {
	return pkix.Name{Country: []string{"CN"}, Organization: []string{"Ant Financial"}, OrganizationalUnit: []string{"Certification Authority"}, CommonName: "Ant Financial Certification Authority " + name}
}

var (
	alipayName = pkix.Name{Country: []string{"CN"}, Organization: []string{"支付宝(中国)网络技术有限公司"}, OrganizationalUnit: []string{"Alipay"}, CommonName: "支付宝(中国)网络技术有限公司-2088102111111111"}
	appName    = pkix.Name{Country: []string{"CN"}, Organization: []string{"某商户"}, OrganizationalUnit: []string{"2088102111111111"}, CommonName: "2088102111111111-2021000000000001"}
)

// pki is a small world of certificates.
type pki struct {
	appKey, alipayKey, nextKey, attackerKey *rsa.PrivateKey
	ecKey                                   *ecdsa.PrivateKey
	root, class1, class2, foreignClass2     *testpki.Issued
	app, alipay, next                       *testpki.Issued // next comes after alipay, in a rotation
	alipayFile, nextFile, rootBundle        string          // as downloaded: with the intermediate, with other roots
}

var world = sync.OnceValue(func() *pki {
	p := &pki{
		appKey:      rsaKey("testdata/vectors/app_private_pkcs8.pem"),
		alipayKey:   rsaKey("testdata/vectors/alipay_private_pkcs8.pem"),
		nextKey:     testKey("alipay_next_private_key.pem"),
		attackerKey: testKey("app_private_key.pem"),
		ecKey:       testpki.ECKey(),
	}
	p.root = issue(authorityName("R1"), testKey("foreign_private_key.pem"), nil, testpki.Authority)
	p.class1 = issue(authorityName("Class 1 R1"), testpki.ECKey(), p.root, testpki.Authority)
	p.class2 = issue(authorityName("Class 2 R1"), testKey("alipay_private_key.pem"), p.root, testpki.Authority)
	p.foreignClass2 = issue(pkix.Name{CommonName: "middle of another root"}, p.ecKey, issue(pkix.Name{CommonName: "another root"}, p.ecKey, nil, testpki.Authority), testpki.Authority)
	p.app = issue(appName, p.appKey, p.class1)
	p.alipay = issue(alipayName, p.alipayKey, p.class2)
	p.next = issue(alipayName, p.nextKey, p.class2)
	p.alipayFile = p.alipay.PEM + p.class2.PEM
	p.nextFile = p.next.PEM + p.class2.PEM
	p.rootBundle = vector("root_bundle.crt") + p.root.PEM
	return p
})

// keyConfig and certConfig are configs without a mistake.
func keyConfig() Config {
	return Config{AppID: "2021000000000001", PrivateKey: vector("app_private_pkcs8.pem"), AlipayPublicKey: vector("alipay_public.pem")}
}

func certConfig() Config {
	p := world()
	return Config{
		AppID: "2021000000000001", PrivateKey: vector("app_private_pkcs8.pem"),
		AppCertContent: p.app.PEM, AlipayPublicCertContent: p.alipayFile, RootCertContent: p.rootBundle,
	}
}

// vectorConfig is the vectors' certificate mode.
func vectorConfig() Config {
	return Config{
		AppID: "2021000000000001", PrivateKey: vector("app_private_pkcs8.pem"),
		AppCertContent: vector("app_public_cert.crt"), AlipayPublicCertContent: vector("alipay_public_cert.crt"), RootCertContent: vector("root_bundle.crt"),
	}
}

// configFor is a config in which a field can be filled in wrongly.
func configFor(field string) Config {
	if strings.Contains(field, "Cert") {
		return certConfig()
	}
	return keyConfig()
}

// pathFields maps each content field to the one that names a file.
var pathFields = map[string]string{
	"PrivateKey": "PrivateKeyPath", "AlipayPublicKey": "AlipayPublicKeyPath",
	"AppCertContent": "AppCertPath", "AlipayPublicCertContent": "AlipayPublicCertPath", "RootCertContent": "RootCertPath",
}

func set(c *Config, field, value string) {
	reflect.ValueOf(c).Elem().FieldByName(field).SetString(value)
}

func value(c Config, field string) string { return reflect.ValueOf(c).FieldByName(field).String() }

// newDir is t.TempDir, whose path is made of words that a Reason has too.
func newDir(t testing.TB) string {
	dir := testpki.Must(os.MkdirTemp("", "f"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// writeFile returns the path of a new file.
func writeFile(t testing.TB, content string) string {
	path := filepath.Join(newDir(t), "f")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func requireResolves(t *testing.T, c Config, name string) *Credentials {
	t.Helper()
	r, err := Resolve(c, now)
	require.NoError(t, err, name)
	return r
}

// assertMistake checks the error for a config: the field, what the reason says,
// and that nothing of what was given shows in it.
func assertMistake(t *testing.T, c Config, field string, says ...string) {
	t.Helper()
	r, err := Resolve(c, now)
	assert.Nil(t, r)
	assertError(t, err, c, field, says...)
}

func assertError(t *testing.T, err error, c Config, field string, says ...string) {
	t.Helper()
	require.IsType(t, (*Error)(nil), err)
	mistake := err.(*Error)
	assert.Equal(t, field, mistake.Field, mistake.Reason.EN)
	for _, words := range says {
		assert.Contains(t, mistake.Reason.EN, words)
	}
	assert.Equal(t, mistake.Field+": "+mistake.Reason.EN, err.Error())
	assert.NotContains(t, mistake.Reason.EN, "; ;")
	assert.NotRegexp(t, `^\s|\s$|  |%!`, mistake.Reason.EN)
	assertShowsNothingOf(t, mistake.Reason.EN, givenBy(c)...)
	assert.Regexp(t, `\p{Han}`, mistake.Reason.ZH)
	assert.NotRegexp(t, english, strings.ReplaceAll(mistake.Reason.ZH, "openssl pkey -in", ""))
	assertShowsNothingOf(t, mistake.Reason.ZH, givenBy(c)...)
}

// english matches words of English prose, which no Chinese sentence has, and
// formatting gone wrong.
const english = `\b(the|is|not|it|of|and|or|but|in|an?|this|that|from|here|has|found|private|public|keys?|things|text|certificates?)\b|%!`

// Words of a Reason that everybody knows, though a config may hold them too.
var publicWords = strings.NewReplacer(ProductionURL, "", "证书", "", "公钥", "", "私钥", "", "-----BEGIN 行", "", "-----END 行", "", SandboxURL, "", "/gateway.do", "", "支付宝", "",
	"-----BEGIN line", "", "-----END line", "", "-----BEGIN and -----END lines", "")

// assertShowsNothingOf looks for every stretch of eight bytes.
func assertShowsNothingOf(t *testing.T, shown string, given ...string) {
	t.Helper()
	shown = publicWords.Replace(shown)
	for _, text := range given {
		for i := 0; i+8 <= len(text); i++ {
			if strings.Contains(shown, text[i:i+8]) {
				t.Errorf("%q is shown in: %s", text[i:i+8], shown)
				return
			}
		}
	}
}

var readableWords = regexp.MustCompile(`[ -~]{4,}`)

// givenBy is everything that a config holds, and what is in the files it names.
func givenBy(c Config) []string {
	var all []string
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if v.Field(i).Kind() != reflect.String {
			continue
		}
		text := v.Field(i).String()
		all = append(all, text)
		if info, err := os.Stat(text); strings.HasSuffix(v.Type().Field(i).Name, "Path") && err == nil && info.Mode().IsRegular() {
			text = string(testpki.Must(os.ReadFile(text)))
			text = text[:min(len(text), 8<<10)]
			all = append(all, text)
		}
		if block, _ := pem.Decode([]byte(text)); block != nil {
			all = append(all, readableWords.Split(string(block.Bytes), -1)...) // what is readable in a certificate is common words
		}
	}
	return all
}

// misplaced is a text that does not belong into a field, and what is said of it.
type misplaced struct {
	name, text string
	says       []string
}

// assertEachIsNamed puts each text into a field, and into a file that the path
// variant of the field names.
func assertEachIsNamed(t *testing.T, field string, list []misplaced) {
	pathField := pathFields[field]
	for _, tc := range list {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := configFor(field)
			set(&c, field, tc.text)
			assertMistake(t, c, field, tc.says...)

			set(&c, field, "")
			set(&c, pathField, writeFile(t, tc.text))
			assertMistake(t, c, pathField, tc.says...)
		})
	}
}

// dates are those of a certificate as a Reason has them.
func dates(c *testpki.Issued) []string {
	const form = "2006-01-02 15:04:05 MST"
	return []string{c.Cert.NotBefore.UTC().Format(form), c.Cert.NotAfter.UTC().Format(form)}
}

func and(list []string, more ...string) []string { return append(list, more...) }

func TestTheFixturesAreWithoutMistake(t *testing.T) {
	for name, c := range map[string]Config{"public-key mode": keyConfig(), "certificate mode": certConfig(), "vectors": vectorConfig()} {
		requireResolves(t, c, name)
	}
}

func TestLeakDetectorDetects(t *testing.T) {
	probe := &testing.T{}
	assertShowsNothingOf(probe, "found correct horse", "the correct horse battery")
	assert.True(t, probe.Failed())
}
