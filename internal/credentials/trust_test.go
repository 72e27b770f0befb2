package credentials

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/testpki"
)

func TestTheNextCertificateOfAlipaysIsTrusted(t *testing.T) {
	p := world()
	base, leafOnly := requireResolves(t, certConfig(), ""), certConfig()
	leafOnly.AlipayPublicCertContent = p.alipay.PEM
	withoutIntermediate := requireResolves(t, leafOnly, "")
	both := certConfig()
	both.AlipayPublicCertContent = issue(pkix.Name{CommonName: "another one of Alipay's"}, p.alipayKey, p.class2).PEM + p.alipayFile
	sn := snOf(p.next.PEM)
	plain := issue(alipayName, p.nextKey, p.class2, func(c *x509.Certificate) { c.KeyUsage = 0 })
	for name, tc := range map[string]struct {
		credentials *Credentials
		text, sn    string
		want        *testpki.Issued
	}{
		"intermediate in the configured file":        {base, p.next.PEM, sn, p.next},
		"intermediate in both":                       {base, p.nextFile, sn, p.next},
		"intermediate in the download":               {withoutIntermediate, p.nextFile, sn, p.next},
		"intermediate first":                         {withoutIntermediate, p.class2.PEM + p.next.PEM, sn, p.next},
		"SN in capitals":                             {base, p.next.PEM, strings.ToUpper(sn), p.next},
		"SN with blanks":                             {base, p.next.PEM, " " + sn + "\t", p.next},
		"the same twice in the download":             {base, p.next.PEM + p.nextFile, sn, p.next},
		"several names configured":                   {requireResolves(t, both, ""), p.next.PEM, sn, p.next},
		"no key usage":                               {base, plain.PEM, snOf(plain.PEM), plain},
		"among others":                               {base, p.app.PEM + p.next.PEM + p.alipay.PEM, sn, p.next},
		"a root the configured bundle does not know": {base, p.next.PEM + p.foreignClass2.PEM, sn, p.next},
	} {
		got, cert, err := tc.credentials.Trust(tc.text, tc.sn, now)
		require.NoError(t, err, name)
		assert.Equal(t, snOf(tc.want.PEM), got, name)
		assert.Equal(t, AlipayCert{tc.want.Cert, &p.nextKey.PublicKey, tc.text}, cert, name)
	}
	_, isKnown := base.AlipayCerts[sn]
	assert.False(t, isKnown, "Trust changes nothing")
}

// copied makes a certificate with the subject and serial number of one
// certificate and the issuer's name of another, around any key and signed by any
// key: what an attacker can sign with their own key.
func copied(of *x509.Certificate, issuer *x509.Certificate, key crypto.PublicKey, by crypto.Signer, change ...func(*x509.Certificate)) *testpki.Issued {
	template := &x509.Certificate{
		SerialNumber: of.SerialNumber, RawSubject: of.RawSubject,
		NotBefore: now.Add(-day), NotAfter: now.Add(day), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, f := range change {
		f(template)
	}
	parent := &x509.Certificate{RawSubject: issuer.RawSubject, SubjectKeyId: issuer.SubjectKeyId} // its key would have to be by's
	der := testpki.Must(x509.CreateCertificate(rand.Reader, template, parent, key, by))
	return &testpki.Issued{Cert: testpki.Must(x509.ParseCertificate(der)), PEM: testpki.Armour("CERTIFICATE", der)}
}

// TestAnAttackerUnderTheSameRootIsNotTrusted: the attacker is a merchant, too.
// He holds an application certificate that the same certification authority
// issued, with its private key, reads and writes the connection of the download,
// and knows every certificate there is.
func TestAnAttackerUnderTheSameRootIsNotTrusted(t *testing.T) {
	p := world()
	c := requireResolves(t, certConfig(), "")
	merchant := issue(pkix.Name{Country: []string{"CN"}, CommonName: "2088999999999999-2021999999999999"}, p.attackerKey, p.class1)
	attacker, wanted := p.attackerKey, snOf(p.next.PEM)

	forged := copied(p.next.Cert, p.class2.Cert, attacker.Public(), attacker)
	require.Equal(t, wanted, snOf(forged.PEM), "an SN is made of the issuer's name and a number: nothing that proves")
	byMerchant := copied(p.next.Cert, merchant.Cert, attacker.Public(), attacker)
	ownClass2 := copied(p.class2.Cert, merchant.Cert, attacker.Public(), attacker, testpki.Authority)
	ownRoot := copied(p.root.Cert, p.root.Cert, attacker.Public(), attacker, testpki.Authority)
	ownClass2OfRoot := copied(p.class2.Cert, p.root.Cert, attacker.Public(), attacker, testpki.Authority)
	leafOfClass1 := issue(alipayName, attacker, p.class1)
	sameSubject := copied(p.next.Cert, p.class2.Cert, attacker.Public(), p.class2.Key)
	usage := func(usage x509.KeyUsage) *testpki.Issued {
		return issue(alipayName, p.nextKey, p.class2, func(c *x509.Certificate) { c.KeyUsage = usage })
	}
	extension := issue(alipayName, p.nextKey, p.class2, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	})
	expired := issue(alipayName, p.nextKey, p.class2, testpki.Valid(now.Add(-2*day), now.Add(-day)))
	future := issue(alipayName, p.nextKey, p.class2, testpki.Valid(now.Add(day), now.Add(2*day)))
	oldClass2 := issue(authorityName("Class 2 R1"), testpki.ECKey(), p.root, testpki.Authority, testpki.Valid(now.Add(-2*day), now.Add(-day)))
	leafClass2 := issue(authorityName("Class 2 R1"), testpki.ECKey(), p.root)
	pathLen0 := issue(authorityName("Class 1 R1"), testpki.ECKey(), p.root, testpki.Authority, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	belowPathLen0 := issue(authorityName("Class 2 R1"), testpki.ECKey(), pathLen0, testpki.Authority)

	odd := func(name string, critical bool, id ...int) *testpki.Issued {
		return issue(authorityName(name), testpki.ECKey(), p.root, testpki.Authority, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: id, Critical: critical, Value: []byte{5, 0}}}
		})
	}
	restricted, harmless := odd("Class 2 R1", true, 1, 2, 3, 4), odd("Class 2 R1", false, 1, 2, 3, 4)
	constrained := issue(authorityName("Class 2 R1"), testpki.ECKey(), p.root, testpki.Authority, func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"example.com"}, true
	})
	forTLS := issue(authorityName("Class 2 R1"), testpki.ECKey(), p.root, testpki.Authority, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	named := func(c *x509.Certificate) { c.DNSNames = []string{"openapi.alipay.com"} }
	server := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }

	const (
		restriction = "has a restriction that forbids this use"

		noSN     = "the download contains no certificate with the SN that was asked for"
		names    = "subject and issuer of the downloaded certificate are not those of a configured certificate of Alipay's"
		noChain  = "the downloaded certificate does not lead to the configured root bundle (RootCertContent): "
		notToUse = "the downloaded certificate is not meant for signatures"
	)
	for name, tc := range map[string]struct{ text, sn, says string }{
		// The SN is the one asked for.
		"his own certificate":            {merchant.PEM + p.class1.PEM, wanted, noSN},
		"the present one again":          {p.alipayFile, wanted, noSN},
		"nobody asked":                   {p.nextFile, "", noSN},
		"only the beginning of an SN":    {p.nextFile, wanted[:31], noSN},
		"two with the same SN":           {p.next.PEM + sameSubject.PEM, wanted, "the download contains two certificates with the SN that was asked for"},
		"two with the same SN, he first": {forged.PEM + p.next.PEM, wanted, "the download contains two certificates with the SN that was asked for"},

		// Its names are Alipay's.
		"his own certificate, asked for":       {merchant.PEM + p.class1.PEM, snOf(merchant.PEM), names},
		"Alipay's name by the wrong authority": {leafOfClass1.PEM + p.class1.PEM, snOf(leafOfClass1.PEM), names},
		"another name by Alipay's authority":   {issue(appName, attacker, p.class2).PEM, "", names},
		"Alipay's name, issued by himself":     {byMerchant.PEM + merchant.PEM + p.class1.PEM, snOf(byMerchant.PEM), names},
		"the authority above Alipay":           {p.class2.PEM, snOf(p.class2.PEM), names},
		"the root":                             {p.root.PEM, snOf(p.root.PEM), names},
		"the application's own certificate":    {p.app.PEM + p.class1.PEM, snOf(p.app.PEM), names},
		"one more member in the name":          {issue(pkix.Name{Country: alipayName.Country, Organization: alipayName.Organization, OrganizationalUnit: []string{"Alipay", "Alipay"}, CommonName: alipayName.CommonName}, attacker, p.class2).PEM, "", names},
		"another merchant's id in the name":    {issue(pkix.Name{Country: alipayName.Country, Organization: alipayName.Organization, OrganizationalUnit: alipayName.OrganizationalUnit, CommonName: "支付宝(中国)网络技术有限公司-2088999999999999"}, attacker, p.class2).PEM, "", names},

		// Its chain leads to the configured root bundle.
		"forged, nothing beside it":                 {forged.PEM, wanted, noChain + "it is not signed by the intermediate certificate with its issuer's name"},
		"forged, with the real chain":               {forged.PEM + p.class2.PEM + p.root.PEM, wanted, noChain + "it is not signed by"},
		"forged, by an authority of his own":        {forged.PEM + ownClass2.PEM + merchant.PEM + p.class1.PEM, wanted, noChain},
		"forged, by an authority of his own root":   {forged.PEM + ownClass2OfRoot.PEM + ownRoot.PEM, wanted, noChain},
		"forged, his certificate as intermediate":   {forged.PEM + merchant.PEM + p.class1.PEM, wanted, noChain},
		"of a renewed authority that is not there":  {issue(alipayName, p.nextKey, leafClass2).PEM, "", noChain + "it is not signed by"},
		"an intermediate that is a leaf":            {issue(alipayName, p.nextKey, leafClass2).PEM + leafClass2.PEM, "", noChain},
		"an intermediate that has expired":          {issue(alipayName, p.nextKey, oldClass2).PEM + oldClass2.PEM, "", noChain},
		"an intermediate below one that has no say": {issue(alipayName, p.nextKey, belowPathLen0).PEM + belowPathLen0.PEM + pathLen0.PEM, "", noChain},

		"an intermediate with an unknown restriction": {issue(alipayName, p.nextKey, restricted).PEM + restricted.PEM, "", restriction},
		"an intermediate for other names":             {issue(alipayName, p.nextKey, constrained, named).PEM + constrained.PEM, "", restriction},
		"an intermediate for TLS servers":             {issue(alipayName, p.nextKey, forTLS).PEM + forTLS.PEM, "", restriction},
		"for TLS servers only":                        {issue(alipayName, p.nextKey, p.class2, server).PEM, "", restriction},

		// It is valid, meant for signatures, and strong enough.
		"expired":                {expired.PEM, "", "not valid as downloaded: the certificate expired on " + dates(expired)[1]},
		"not yet valid":          {future.PEM, "", "not valid as downloaded: the certificate is not valid before " + dates(future)[0]},
		"an EC key":              {issue(alipayName, testpki.ECKey(), p.class2).PEM, "", "not usable as downloaded: the certificate's key is not RSA"},
		"1024 bits":              {issue(alipayName, rsaKey("testdata/vectors/rsa1024_private_pkcs8.pem"), p.class2).PEM, "", "not usable as downloaded: the RSA key has 1024 bits"},
		"the application's key":  {issue(alipayName, p.appKey, p.class2).PEM, "", "the downloaded certificate contains the application's own public key"},
		"an authority":           {issue(alipayName, p.nextKey, p.class2, testpki.Authority).PEM, "", "that of a certification authority"},
		"for encryption only":    {usage(x509.KeyUsageKeyEncipherment).PEM, "", notToUse},
		"for certificates only":  {usage(x509.KeyUsageCertSign).PEM, "", notToUse},
		"an unknown restriction": {extension.PEM, "", notToUse},

		// It is a certificate.
		"nothing":             {"", wanted, "the download is not a certificate: no certificate in the text"},
		"a page":              {"<html>correct horse battery staple</html>", wanted, "the download is not a certificate: "},
		"a key":               {vector("alipay_public.pem"), wanted, "the download is not a certificate: an RSA-2048 public key (SPKI, PEM) instead of a certificate"},
		"a certificate cut":   {cutPEM(p.next.PEM), wanted, "the download is not a certificate: "},
		"certificate and key": {p.next.PEM + vector("alipay_public.pem"), wanted, "the download is not a certificate: block 2 of 2"},
		"too many":            {p.next.PEM + strings.Repeat(p.class2.PEM, maxDownloaded), wanted, "the download contains too many certificates"},
		"an SM2 certificate":  {sm2Root(), snOf(sm2Root()), "the downloaded certificate cannot be read: "},
	} {
		t.Run(name, func(t *testing.T) {
			asked := tc.sn
			if asked == "" && tc.says != noSN {
				asked = snOf(tc.text)
			}
			sn, cert, err := c.Trust(tc.text, asked, now)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tc.says)
			assert.Empty(t, sn)
			assert.Zero(t, cert)
			assertShowsNothingOf(t, err.Error(), givenBy(Config{AlipayPublicCertContent: tc.text})...)
		})
	}
	_, _, err := c.Trust(p.next.PEM+strings.Repeat(p.class2.PEM, maxDownloaded-1), wanted, now)
	assert.NoError(t, err, "as many as are allowed")
	next := issue(alipayName, p.nextKey, harmless, named)
	_, _, err = c.Trust(next.PEM+harmless.PEM, snOf(next.PEM), now)
	assert.NoError(t, err, "what is not critical restricts nothing")
}

func TestAChainThatCannotBeCheckedIsNotEnough(t *testing.T) {
	p := world()
	c := certConfig()
	c.AlipayPublicCertContent = p.alipay.PEM // accepted in a config
	r := requireResolves(t, c, "")
	_, _, err := r.Trust(p.next.PEM, snOf(p.next.PEM), now)
	assert.EqualError(t, err, "the downloaded certificate's chain cannot be checked: the certificate of its issuer is neither in the download nor in AlipayPublicCertContent")

	// The sandbox: its intermediate has no basic constraints.
	test := issue(authorityName("Class 2 R1 test"), testKey("alipay_private_key.pem"), p.root)
	present, next := issue(alipayName, p.alipayKey, test), issue(alipayName, p.nextKey, test)
	c.AlipayPublicCertContent = present.PEM + test.PEM
	r = requireResolves(t, c, "")
	_, _, err = r.Trust(next.PEM, snOf(next.PEM), now)
	assert.ErrorContains(t, err, "chain cannot be checked")
	_, _, err = r.Trust(next.PEM+test.PEM, snOf(next.PEM), now)
	assert.ErrorContains(t, err, "the certificate with its issuer's name is not a CA certificate")
}

func TestOnlyTheConfiguredRootsCount(t *testing.T) {
	p := world()
	otherRoot := issue(authorityName("R1"), testKey("app_private_key.pem"), nil, testpki.Authority)
	otherClass2 := issue(authorityName("Class 2 R1"), testpki.ECKey(), otherRoot, testpki.Authority)
	next := issue(alipayName, p.nextKey, otherClass2)
	c := requireResolves(t, certConfig(), "")
	_, _, err := c.Trust(next.PEM+otherClass2.PEM+otherRoot.PEM, snOf(next.PEM), now)
	assert.ErrorContains(t, err, "does not lead to the configured root bundle")

	config := certConfig()
	config.RootCertContent += otherRoot.PEM
	_, _, err = requireResolves(t, config, "").Trust(next.PEM+otherClass2.PEM, snOf(next.PEM), now)
	assert.NoError(t, err, "once it is configured")
}

func TestPublicKeyModeTrustsNoCertificate(t *testing.T) {
	_, _, err := requireResolves(t, keyConfig(), "").Trust(world().nextFile, snOf(world().next.PEM), now)
	assert.EqualError(t, err, "certificate mode is not configured")
}

func TestWithAddsACertificateToACopy(t *testing.T) {
	p := world()
	base := requireResolves(t, certConfig(), "")
	sn, cert, err := base.Trust(p.nextFile, snOf(p.next.PEM), now)
	require.NoError(t, err)
	before := *base
	added := base.With(sn, cert)
	assert.Len(t, base.AlipayCerts, 1, "the original is as it was")
	assert.Equal(t, before.AppCertSN, added.AppCertSN)
	assert.Equal(t, before.Signer, added.Signer)
	require.Len(t, added.AlipayCerts, 2)
	assert.Equal(t, cert, added.AlipayCerts[sn])
	assert.Equal(t, base.AlipayCerts[snOf(p.alipay.PEM)], added.AlipayCerts[snOf(p.alipay.PEM)])
	assert.Equal(t, base.Expiries, added.Expiries, "no configured certificate has come or gone")

	third := issue(alipayName, p.nextKey, p.class2)
	sn, cert, err = added.Trust(third.PEM, snOf(third.PEM), now)
	require.NoError(t, err, "one rotation after the other")
	assert.Len(t, added.With(sn, cert).AlipayCerts, 3)

	// What was trusted once does not widen what is trusted next.
	stranger := issue(pkix.Name{CommonName: "stranger"}, p.nextKey, p.class2)
	widened := base.With("x", AlipayCert{stranger.Cert, &p.nextKey.PublicKey, stranger.PEM})
	_, _, err = widened.Trust(stranger.PEM, snOf(stranger.PEM), now)
	assert.ErrorContains(t, err, "are not those of a configured certificate")

	plain := requireResolves(t, keyConfig(), "").With(sn, cert)
	assert.Len(t, plain.AlipayCerts, 1)
}

func TestTrustLooksAtTheClockItIsGiven(t *testing.T) {
	p := world()
	c := requireResolves(t, certConfig(), "")
	sn := snOf(p.next.PEM)
	for at, trusted := range map[time.Time]bool{
		p.next.Cert.NotBefore: true, p.next.Cert.NotBefore.Add(-time.Second): false,
		p.next.Cert.NotAfter: true, p.next.Cert.NotAfter.Add(time.Second): false,
	} {
		_, _, err := c.Trust(p.nextFile, sn, at)
		assert.Equal(t, trusted, err == nil, "%s: %v", at, err)
	}
}

// The signatures that take longest to check: by keys as large as are read, with
// the largest exponent, in certificates that all bear the name of the issuer.
func TestTheWorkForAHostileDownloadIsBounded(t *testing.T) {
	p := world()
	c := requireResolves(t, certConfig(), "")
	n := new(big.Int).Lsh(big.NewInt(1), 16_383)
	n.Add(n, big.NewInt(1))
	forged := copied(p.next.Cert, p.class2.Cert, p.attackerKey.Public(), p.attackerKey)
	download := forged.PEM
	for range maxDownloaded - 1 {
		download += copied(p.class2.Cert, p.class2.Cert, &rsa.PublicKey{N: n, E: 1<<31 - 1}, p.attackerKey, testpki.Authority).PEM
	}
	start := time.Now()
	_, _, err := c.Trust(download, snOf(forged.PEM), now)
	assert.ErrorContains(t, err, "does not lead to the configured root bundle")
	t.Logf("after %v", time.Since(start))
}
