package credentials

import (
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"io"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/testpki"
)

func TestWhatIsNoPrivateKeyIsCalledByItsName(t *testing.T) {
	const (
		belongs = "the application's private key (应用私钥) belongs here"
		again   = "copy the application's private key (应用私钥) again, whole"
	)
	p := world()
	pkcs8, pkcs1 := vector("app_private_pkcs8.pem"), vector("app_private_pkcs1.pem")
	public := vector("app_public.pem")
	request := testpki.Armour("CERTIFICATE REQUEST", testpki.Must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, p.appKey)))
	assertEachIsNamed(t, "PrivateKey", []misplaced{
		{"public key, SPKI", vector("alipay_public.pem"), []string{"found an RSA-2048 public key (SPKI, PEM)", belongs, "which the key tool (密钥工具) made"}},
		{"own public key, PKCS#1", testpki.Armour("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&p.appKey.PublicKey)), []string{"found an RSA-2048 public key (PKCS#1, PEM)", belongs}},
		{"public key, bare", bare(public), []string{"found an RSA-2048 public key (SPKI, base64)", belongs}},
		{"EC public key", testpki.SPKI(p.ecKey.Public()), []string{"found an EC public key (SPKI, PEM)", belongs, "key tool (密钥工具)"}},
		{"certificate", p.app.PEM, []string{"found a certificate with an RSA-2048 key (X.509, PEM)", belongs, "AppCertContent"}},
		{"certificate, bare", bare(p.app.PEM), []string{"found a certificate with an RSA-2048 key (X.509, base64)", belongs}},
		{"EC key, SEC 1", vector("ec_private.pem"), []string{"found an EC private key (SEC 1, PEM)", "signs with RSA only", "make an RSA2 key of 2048 bits"}},
		{"EC key, PKCS#8", testpki.Armour("PRIVATE KEY", testpki.Must(x509.MarshalPKCS8PrivateKey(p.ecKey))), []string{"found an EC private key (PKCS#8, PEM)", "make an RSA2 key of 2048 bits"}},
		{"1024 bits", vector("rsa1024_private_pkcs8.pem"), []string{"the RSA key has 1024 bits", "RSA2 with 2048 bits or more"}},
		{"512 bits", fixture("internal/keys/testdata/rsa512_private_pkcs1.pem"), []string{"the RSA key has 512 bits", "RSA2 with 2048 bits or more"}},
		{"encrypted, PKCS#8", fixture("internal/keys/testdata/encrypted_pkcs8.pem"), []string{"found a private key encrypted with a password (PKCS#8, PEM)", "openssl pkey"}},
		{"encrypted, PKCS#1", fixture("internal/keys/testdata/encrypted_pkcs1.pem"), []string{"found a private key encrypted with a password (PKCS#1, PEM)", "openssl pkey"}},
		{"cut short, bare", cutBare(pkcs8), []string{"found an RSA private key (PKCS#8, base64), but base64 cut short", again}},
		{"cut short by one character", strings.TrimRight(bare(pkcs1), "=")[1:], []string{"found", again}},
		{"cut short, PEM", cutPEM(pkcs1), []string{"found an RSA private key (PKCS#1, PEM), but base64 cut short", again}},
		{"END line missing", pkcs8[:strings.Index(pkcs8, "-----END")], []string{"-----END line is missing", again}},
		{"BEGIN line missing", pkcs8[strings.Index(pkcs8, "\n")+1:], []string{"-----BEGIN line is missing", again}},
		{"a letter that is no base64", strings.Replace(bare(pkcs8), "A", "*", 1), []string{"characters that are not base64", again}},
		{"two concatenated, PEM", pkcs8 + pkcs1, []string{"2 PEM blocks in one text, and one belongs here: an RSA-2048 private key (PKCS#8, PEM) and an RSA-2048 private key (PKCS#1, PEM)", again}},
		{"pair concatenated, PEM", pkcs8 + public, []string{"2 PEM blocks in one text, and one belongs here: an RSA-2048 private key (PKCS#8, PEM) and an RSA-2048 public key (SPKI, PEM)", again}},
		{"two concatenated, bare", bare(pkcs8) + bare(pkcs8), []string{"two keys or certificates concatenated in one base64 text", again}},
		{"two concatenated, bare, a line each", bare(pkcs8) + "\n" + bare(public), []string{"two keys or certificates concatenated in one base64 text", again}},
		{"key and certificate", pkcs8 + p.app.PEM, []string{"2 PEM blocks in one text, and one belongs here: an RSA-2048 private key (PKCS#8, PEM) and a certificate", again}},
		{"certificate request", request, []string{"found a certificate request (PKCS#10, PEM)", belongs, "as PKCS#8 or PKCS#1"}},
		{"words", "correct horse battery staple", []string{"found", again}},
		{"AES key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", []string{"found neither a key nor a certificate", again}},
	})
}

func TestAPrivateKeyIsNeeded(t *testing.T) {
	for _, text := range []string{"", " \r\n"} {
		for _, c := range []Config{keyConfig(), certConfig()} {
			c.PrivateKey = text
			assertMistake(t, c, "PrivateKey", "it is empty", "应用私钥", "PrivateKeyPath, or a Signer")
		}
	}
}

// kms is a Signer that hides its key.
type kms struct{ key crypto.Signer }

func (s *kms) Public() crypto.PublicKey { return s.key.Public() }
func (s *kms) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(random, digest, opts)
}

// publicOnly is a Signer of which only the public key is looked at.
type publicOnly struct {
	crypto.Signer
	public crypto.PublicKey
}

func (p publicOnly) Public() crypto.PublicKey { return p.public }

func withSigner(c Config, s crypto.Signer) Config {
	c.PrivateKey, c.Signer = "", s
	return c
}

func TestASignerTakesThePlaceOfAPrivateKey(t *testing.T) {
	p := world()
	for name, s := range map[string]crypto.Signer{"KMS": &kms{p.appKey}, "private key": p.appKey, "without pointer": publicOnly{p.appKey, p.appKey.Public()}} {
		for _, c := range []Config{keyConfig(), certConfig()} {
			r := requireResolves(t, withSigner(c, s), name)
			assert.Equal(t, s, r.Signer, name)
			assert.True(t, p.appKey.PublicKey.Equal(r.PublicKey), name)
		}
	}
	r := requireResolves(t, keyConfig(), "private key as text")
	assert.True(t, p.appKey.Equal(r.Signer))
	assert.True(t, p.appKey.PublicKey.Equal(r.PublicKey))
}

func TestASignerWhoseKeyCannotSignIsRefused(t *testing.T) {
	p := world()
	n := p.appKey.N
	rsaOf := func(n *big.Int, e int) publicOnly { return publicOnly{public: &rsa.PublicKey{N: n, E: e}} }
	odd := func(bits uint) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1))
	}
	const (
		noRSA      = "its public key is not an *rsa.PublicKey"
		impossible = "its RSA modulus or exponent is not possible; return the public half of the key pair"
		huge       = "its RSA modulus is larger than any real key's; return the public half of the key pair"
	)
	for name, tc := range map[string]struct {
		signer crypto.Signer
		says   string
	}{
		"EC key":                     {&kms{p.ecKey}, noRSA},
		"no public key":              {publicOnly{}, noRSA},
		"RSA key by value":           {publicOnly{public: p.appKey.PublicKey}, noRSA},
		"nil RSA key":                {publicOnly{public: (*rsa.PublicKey)(nil)}, noRSA},
		"empty RSA key":              {publicOnly{public: &rsa.PublicKey{}}, noRSA},
		"nil pointer":                {(*kms)(nil), "it is a nil pointer; leave it nil and give a private key"},
		"nil private key":            {(*rsa.PrivateKey)(nil), "it is a nil pointer"},
		"1024 bits":                  {&kms{rsaKey("testdata/vectors/rsa1024_private_pkcs8.pem")}, "the RSA key has 1024 bits; the platform asks for RSA2 with 2048 bits or more"},
		"2047 bits":                  {rsaOf(odd(2047), 65537), "the RSA key has 2047 bits"},
		"exponent 1":                 {rsaOf(n, 1), impossible},
		"exponent 0":                 {rsaOf(n, 0), impossible},
		"negative exponent":          {rsaOf(n, -65537), impossible},
		"even exponent":              {rsaOf(n, 65536), impossible},
		"exponent beyond crypto/rsa": {rsaOf(n, 1<<31+1), impossible},
		"even modulus":               {rsaOf(new(big.Int).Add(n, big.NewInt(1)), 65537), impossible},
		"negative modulus":           {rsaOf(new(big.Int).Neg(n), 65537), impossible},
		"modulus 0":                  {rsaOf(new(big.Int), 65537), impossible},
		"16,385 bits":                {rsaOf(odd(16_385), 65537), huge},
		"200,000 bits":               {rsaOf(odd(200_000), 65537), huge},
	} {
		t.Run(name, func(t *testing.T) {
			assertMistake(t, withSigner(keyConfig(), tc.signer), "Signer", tc.says)
			assertMistake(t, withSigner(certConfig(), tc.signer), "Signer", tc.says)
		})
	}
	for name, s := range map[string]crypto.Signer{"2,048 bits": rsaOf(odd(2048), 65537), "16,384 bits": rsaOf(odd(16_384), 65537), "exponent 3": rsaOf(n, 3), "largest exponent": rsaOf(n, 1<<31-1)} {
		_, _, err := Config{Signer: s}.signer()
		if name == "exponent 3" && fips140.Enforced() {
			require.ErrorContains(t, err, "GODEBUG=fips140=only does not allow this RSA key")
			continue
		}
		require.NoError(t, err, name)
	}
}

// Under GODEBUG=fips140=only crypto/rsa refuses some keys, and would only at the
// first call.
func TestAKeyThatFIPSForbidsIsRefusedAtOnce(t *testing.T) {
	for _, name := range []string{"rsa_exponent_3.pem", "rsa_three_primes.pem"} { // made with openssl
		c := keyConfig()
		c.PrivateKey = fixture("internal/credentials/testdata/" + name)
		if fips140.Enforced() {
			assertMistake(t, c, "PrivateKey", "GODEBUG=fips140=only does not allow this RSA key", "make another key pair")
		} else {
			requireResolves(t, c, name)
		}
	}
	requireResolves(t, keyConfig(), "")
	requireResolves(t, certConfig(), "")
	requireResolves(t, vectorConfig(), "")
}

// TestUnderFIPS runs the tests of what FIPS 140-3 changes once more in its mode.
func TestUnderFIPS(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("this is the mode")
	}
	for _, mode := range []string{"on", "only"} {
		run := exec.Command(testpki.Must(os.Executable()), "-test.v", "-test.run=^(TestAKeyThatFIPSForbidsIsRefusedAtOnce|TestASignerWhoseKeyCannotSignIsRefused|TestAlipaysPublicKeyIsRead|TestTheNextCertificateOfAlipaysIsTrusted)$")
		run.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
		out, err := run.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, 4, strings.Count(string(out), "\n--- PASS: "), "%s", out)
	}
}

func TestASignerBesideAPrivateKeyIsRefused(t *testing.T) {
	const says = "a private key is configured as well; leave one of the two empty"
	c := keyConfig()
	c.Signer = world().appKey
	assertMistake(t, c, "Signer", says)
	c.PrivateKey, c.PrivateKeyPath = "", writeFile(t, c.PrivateKey)
	assertMistake(t, c, "Signer", says)
	c.Signer = (*kms)(nil)
	assertMistake(t, c, "Signer", "it is a nil pointer")
}

func TestMistakesAreSeenThroughASigner(t *testing.T) {
	p := world()
	c := withSigner(keyConfig(), &kms{p.appKey})
	c.AlipayPublicKey = vector("app_public.pem")
	assertMistake(t, c, "AlipayPublicKey", "the application's own public key (应用公钥)", "copy Alipay's (支付宝公钥)")

	c = withSigner(certConfig(), &kms{p.appKey})
	c.AlipayPublicCertContent = p.app.PEM
	assertMistake(t, c, "AlipayPublicCertContent", "the application's own certificate")

	assertMistake(t, withSigner(certConfig(), &kms{p.nextKey}), "AppCertContent", "does not match the application's private key")
}

func TestWhatIsNotAlipaysPublicKeyIsCalledByItsName(t *testing.T) {
	const (
		belongs = "Alipay's public key (支付宝公钥) belongs here"
		again   = "copy Alipay's public key (支付宝公钥) again from the console, whole"
		own     = "this is the application's own public key (应用公钥); copy Alipay's (支付宝公钥) from the console instead"
	)
	p := world()
	ownPublic, alipayPublic := vector("app_public.pem"), vector("alipay_public.pem")
	assertEachIsNamed(t, "AlipayPublicKey", []misplaced{
		{"private key, PKCS#8", vector("alipay_private_pkcs8.pem"), []string{"found an RSA-2048 private key (PKCS#8, PEM)", belongs, "a private key goes into PrivateKey only"}},
		{"own private key, PKCS#1, bare", bare(vector("app_private_pkcs1.pem")), []string{"found an RSA-2048 private key (PKCS#1, base64)", belongs, "a private key goes into PrivateKey only"}},
		{"encrypted private key", fixture("internal/keys/testdata/encrypted_pkcs8.pem"), []string{"found a private key encrypted with a password", belongs, "a private key goes into PrivateKey only"}},
		{"EC private key", testpki.Armour("PRIVATE KEY", testpki.Must(x509.MarshalPKCS8PrivateKey(p.ecKey))), []string{"found an EC private key (PKCS#8, PEM)", belongs, "a private key goes into PrivateKey only"}},
		{"own public key", ownPublic, []string{own}},
		{"own public key, bare", bare(ownPublic), []string{own}},
		{"own public key, PKCS#1", testpki.Armour("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&p.appKey.PublicKey)), []string{own}},
		{"certificate", p.alipayFile, []string{"found a certificate with an RSA-2048 key (X.509, PEM); put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key"}},
		{"certificate of an EC key", issue(alipayName, p.ecKey, p.class2).PEM, []string{"found a certificate with an EC key (X.509, PEM); put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key"}},
		{"certificate of 1024 bits", issue(alipayName, rsaKey("testdata/vectors/rsa1024_private_pkcs8.pem"), p.class2).PEM, []string{"found a certificate with an RSA-1024 key (X.509, PEM); put it into AlipayPublicCertContent"}},
		{"own certificate", bare(p.app.PEM), []string{"found a certificate with an RSA-2048 key (X.509, base64); it is the application's own and belongs in AppCertContent", "copy Alipay's public key"}},
		{"EC public key", testpki.SPKI(p.ecKey.Public()), []string{"found an EC public key (SPKI, PEM)", belongs, "as SPKI or PKCS#1"}},
		{"1024 bits", testpki.SPKI(rsaKey("testdata/vectors/rsa1024_private_pkcs8.pem").Public()), []string{"the RSA key has 1024 bits", "2048 bits or more"}},
		{"cut short, bare", cutBare(alipayPublic), []string{"found an RSA public key (SPKI, base64), but base64 cut short", again}},
		{"cut short, PEM", cutPEM(alipayPublic), []string{"found an RSA public key (SPKI, PEM), but base64 cut short", again}},
		{"two concatenated, PEM", alipayPublic + ownPublic, []string{"2 PEM blocks in one text", again}},
		{"two concatenated, bare", bare(alipayPublic) + bare(ownPublic), []string{"two keys or certificates concatenated in one base64 text", again}},
		{"words", "correct horse battery staple", []string{"found", again}},
	})
	c := keyConfig()
	c.AlipayPublicKey = " \n "
	assertMistake(t, c, "AlipayPublicKey", "found nothing at all", belongs)
}

func TestAnImpossibleKeyIsNotAlipays(t *testing.T) {
	n := world().alipayKey.N
	for name, key := range map[string]struct {
		n    *big.Int
		e    int64
		says string
	}{
		"exponent 1":          {n, 1, "not possible"},
		"exponent 0":          {n, 0, "corrupt"},
		"even exponent":       {n, 65536, "not possible"},
		"negative exponent":   {n, -65537, "corrupt"},
		"exponent of 32 bits": {n, 1<<31 + 1, "corrupt"},
		"even modulus":        {new(big.Int).Add(n, big.NewInt(1)), 65537, "not possible"},
		"negative modulus":    {new(big.Int).Neg(n), 65537, "corrupt"},
		"200,000 bits":        {new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 200_000), big.NewInt(1)), 65537, "larger than any real key's"},
	} {
		c := keyConfig()
		c.AlipayPublicKey = testpki.Armour("RSA PUBLIC KEY", testpki.Must(asn1.Marshal(struct{ N, E *big.Int }{key.n, big.NewInt(key.e)})))
		t.Run(name, func(t *testing.T) {
			assertMistake(t, c, "AlipayPublicKey", "found an RSA", "public key (PKCS#1, PEM), but its ", key.says, "copy Alipay's public key (支付宝公钥) again")
		})
	}
}

func TestAlipaysPublicKeyIsRead(t *testing.T) {
	c := keyConfig()
	for name, text := range map[string]string{"SPKI": c.AlipayPublicKey, "PKCS#1": testpki.Armour("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&world().alipayKey.PublicKey))} {
		c.AlipayPublicKey = text
		r := requireResolves(t, c, name)
		assert.True(t, world().alipayKey.PublicKey.Equal(r.AlipayKey), name)
		assert.Nil(t, r.AlipayCerts)
		assert.Empty(t, r.AppCertSN+r.RootCertSN)
		assert.Empty(t, r.Expiries)
	}
	c.AlipayPublicKey = testpki.SPKI(&rsa.PublicKey{N: world().alipayKey.N, E: 3})
	if fips140.Enforced() {
		assertMistake(t, c, "AlipayPublicKey", "GODEBUG=fips140=only does not allow this RSA key", "make another key pair")
		return
	}
	assert.Equal(t, 3, requireResolves(t, c, "exponent 3").AlipayKey.E)
}
