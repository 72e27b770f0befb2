package credentials

import (
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-39a49030/alipay/internal/testpki"
)

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
		{"own private key, PKCS#1, bare", testpki.Bare(vector("app_private_pkcs1.pem")), []string{"found an RSA-2048 private key (PKCS#1, base64)", belongs, "a private key goes into PrivateKey only"}},
		{"encrypted private key", fixture("internal/keys/testdata/encrypted_pkcs8.pem"), []string{"found a private key encrypted with a password", belongs, "a private key goes into PrivateKey only"}},
		{"EC private key", testpki.Armour("PRIVATE KEY", testpki.Must(x509.MarshalPKCS8PrivateKey(p.ecKey))), []string{"found an EC private key (PKCS#8, PEM)", belongs, "a private key goes into PrivateKey only"}},
		{"own public key", ownPublic, []string{own}},
		{"own public key, bare", testpki.Bare(ownPublic), []string{own}},
		{"own public key, PKCS#1", testpki.Armour("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&p.appKey.PublicKey)), []string{own}},
		{"certificate", p.alipayFile, []string{"found a certificate with an RSA-2048 key (X.509, PEM); put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key"}},
		{"certificate of an EC key", issue(alipayName, p.ecKey, p.class2).PEM, []string{"found a certificate with an EC key (X.509, PEM); put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key"}},
		{"certificate of 1024 bits", issue(alipayName, rsaKey("testdata/vectors/rsa1024_private_pkcs8.pem"), p.class2).PEM, []string{"found a certificate with an RSA-1024 key (X.509, PEM); put it into AlipayPublicCertContent"}},
		{"own certificate", testpki.Bare(p.app.PEM), []string{"found a certificate with an RSA-2048 key (X.509, base64); it is the application's own and belongs in AppCertContent", "copy Alipay's public key"}},
		{"EC public key", testpki.SPKI(p.ecKey.Public()), []string{"found an EC public key (SPKI, PEM)", belongs, "as SPKI or PKCS#1"}},
		{"1024 bits", testpki.SPKI(rsaKey("testdata/vectors/rsa1024_private_pkcs8.pem").Public()), []string{"the RSA key has 1024 bits", "2048 bits or more"}},
		{"cut short, bare", cutBare(alipayPublic), []string{"found an RSA public key (SPKI, base64), but base64 cut short", again}},
		{"cut short, PEM", cutPEM(alipayPublic), []string{"found an RSA public key (SPKI, PEM), but base64 cut short", again}},
		{"two concatenated, PEM", alipayPublic + ownPublic, []string{"2 PEM blocks in one text", again}},
		{"two concatenated, bare", testpki.Bare(alipayPublic) + testpki.Bare(ownPublic), []string{"two keys or certificates concatenated in one base64 text", again}},
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
		assert.Empty(t, r.Expiries())
	}
	c.AlipayPublicKey = testpki.SPKI(&rsa.PublicKey{N: world().alipayKey.N, E: 3})
	if fips140.Enforced() {
		assertMistake(t, c, "AlipayPublicKey", "GODEBUG=fips140=only does not allow this RSA key", "make another key pair")
		return
	}
	assert.Equal(t, 3, requireResolves(t, c, "exponent 3").AlipayKey.E)
}
