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
)

func TestTheNextCertificateOfAlipaysIsTrusted(t *testing.T) {
	p := world()
	base, leafOnly := requireResolves(t, certConfig(), ""), certConfig()
	leafOnly.AlipayPublicCertContent = p.alipay.pem
	withoutIntermediate := requireResolves(t, leafOnly, "")
	both := certConfig()
	both.AlipayPublicCertContent = issue(pkix.Name{CommonName: "another one of Alipay's"}, p.alipayKey, p.class2).pem + p.alipayFile
	sn := snOf(p.next.pem)
	plain := issue(alipayName, p.nextKey, p.class2, func(c *x509.Certificate) { c.KeyUsage = 0 })
	for name, tc := range map[string]struct {
		credentials *Credentials
		text, sn    string
		want        *issued
	}{
		"intermediate in the configured file":        {base, p.next.pem, sn, p.next},
		"intermediate in both":                       {base, p.nextFile, sn, p.next},
		"intermediate in the download":               {withoutIntermediate, p.nextFile, sn, p.next},
		"intermediate first":                         {withoutIntermediate, p.class2.pem + p.next.pem, sn, p.next},
		"SN in capitals":                             {base, p.next.pem, strings.ToUpper(sn), p.next},
		"SN with blanks":                             {base, p.next.pem, " " + sn + "\t", p.next},
		"the same twice in the download":             {base, p.next.pem + p.nextFile, sn, p.next},
		"several names configured":                   {requireResolves(t, both, ""), p.next.pem, sn, p.next},
		"no key usage":                               {base, plain.pem, snOf(plain.pem), plain},
		"among others":                               {base, p.app.pem + p.next.pem + p.alipay.pem, sn, p.next},
		"a root the configured bundle does not know": {base, p.next.pem + p.foreignClass2.pem, sn, p.next},
	} {
		got, cert, err := tc.credentials.Trust(tc.text, tc.sn, now)
		require.NoError(t, err, name)
		assert.Equal(t, snOf(tc.want.pem), got, name)
		assert.Equal(t, AlipayCert{
			Key: &p.nextKey.PublicKey, NotBefore: tc.want.cert.NotBefore, NotAfter: tc.want.cert.NotAfter,
			Subject: tc.want.cert.RawSubject, Issuer: tc.want.cert.RawIssuer, Downloaded: true,
		}, cert, name)
	}
	_, isKnown := base.AlipayCerts[sn]
	assert.False(t, isKnown, "Trust changes nothing")
}

// copied makes a certificate with the subject and serial number of one
// certificate and the issuer's name of another, around any key and signed by any
// key: what an attacker can sign with a key of his own.
func copied(of *x509.Certificate, issuer *x509.Certificate, key crypto.PublicKey, by crypto.Signer, change ...func(*x509.Certificate)) *issued {
	template := &x509.Certificate{
		SerialNumber: of.SerialNumber, RawSubject: of.RawSubject,
		NotBefore: now.Add(-day), NotAfter: now.Add(day), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, f := range change {
		f(template)
	}
	parent := &x509.Certificate{RawSubject: issuer.RawSubject, SubjectKeyId: issuer.SubjectKeyId} // its key would have to be by's
	der := must(x509.CreateCertificate(rand.Reader, template, parent, key, by))
	return &issued{must(x509.ParseCertificate(der)), armour("CERTIFICATE", der), nil}
}

// TestAnAttackerUnderTheSameRootIsNotTrusted: the attacker is a merchant, too.
// He holds an application certificate that the same certification authority
// issued, with its private key, reads and writes the connection of the download,
// and knows every certificate there is.
func TestAnAttackerUnderTheSameRootIsNotTrusted(t *testing.T) {
	p := world()
	c := requireResolves(t, certConfig(), "")
	merchant := issue(pkix.Name{Country: []string{"CN"}, CommonName: "2088999999999999-2021999999999999"}, p.attackerKey, p.class1)
	attacker, wanted := p.attackerKey, snOf(p.next.pem)

	forged := copied(p.next.cert, p.class2.cert, attacker.Public(), attacker)
	require.Equal(t, wanted, snOf(forged.pem), "an SN is made of the issuer's name and a number: nothing that proves")
	byMerchant := copied(p.next.cert, merchant.cert, attacker.Public(), attacker)
	ownClass2 := copied(p.class2.cert, merchant.cert, attacker.Public(), attacker, authority)
	ownRoot := copied(p.root.cert, p.root.cert, attacker.Public(), attacker, authority)
	ownClass2OfRoot := copied(p.class2.cert, p.root.cert, attacker.Public(), attacker, authority)
	leafOfClass1 := issue(alipayName, attacker, p.class1)
	sameSubject := copied(p.next.cert, p.class2.cert, attacker.Public(), p.class2.key)
	usage := func(usage x509.KeyUsage) *issued {
		return issue(alipayName, p.nextKey, p.class2, func(c *x509.Certificate) { c.KeyUsage = usage })
	}
	extension := issue(alipayName, p.nextKey, p.class2, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	})
	expired := issue(alipayName, p.nextKey, p.class2, validFromTo(now.Add(-2*day), now.Add(-day)))
	future := issue(alipayName, p.nextKey, p.class2, validFromTo(now.Add(day), now.Add(2*day)))
	oldClass2 := issue(authorityName("Class 2 R1"), ecKey(), p.root, authority, validFromTo(now.Add(-2*day), now.Add(-day)))
	leafClass2 := issue(authorityName("Class 2 R1"), ecKey(), p.root)
	pathLen0 := issue(authorityName("Class 1 R1"), ecKey(), p.root, authority, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	belowPathLen0 := issue(authorityName("Class 2 R1"), ecKey(), pathLen0, authority)

	const (
		noSN     = "the download holds no certificate with the SN that was asked for"
		names    = "subject and issuer of the downloaded certificate are not those of a configured certificate of Alipay's"
		noChain  = "the downloaded certificate does not lead to the configured root bundle (RootCertContent): "
		notToUse = "the downloaded certificate is not meant for signatures"
	)
	for name, tc := range map[string]struct{ text, sn, says string }{
		// The SN is the one asked for.
		"his own certificate":            {merchant.pem + p.class1.pem, wanted, noSN},
		"the present one again":          {p.alipayFile, wanted, noSN},
		"nobody asked":                   {p.nextFile, "", noSN},
		"only the beginning of an SN":    {p.nextFile, wanted[:31], noSN},
		"two with the same SN":           {p.next.pem + sameSubject.pem, wanted, "the download holds two certificates with the SN that was asked for"},
		"two with the same SN, he first": {forged.pem + p.next.pem, wanted, "the download holds two certificates with the SN that was asked for"},

		// Its names are Alipay's.
		"his own certificate, asked for":       {merchant.pem + p.class1.pem, snOf(merchant.pem), names},
		"Alipay's name by the wrong authority": {leafOfClass1.pem + p.class1.pem, snOf(leafOfClass1.pem), names},
		"another name by Alipay's authority":   {issue(appName, attacker, p.class2).pem, "", names},
		"Alipay's name, issued by himself":     {byMerchant.pem + merchant.pem + p.class1.pem, snOf(byMerchant.pem), names},
		"the authority above Alipay":           {p.class2.pem, snOf(p.class2.pem), names},
		"the root":                             {p.root.pem, snOf(p.root.pem), names},
		"the application's own certificate":    {p.app.pem + p.class1.pem, snOf(p.app.pem), names},
		"one more member in the name":          {issue(pkix.Name{Country: alipayName.Country, Organization: alipayName.Organization, OrganizationalUnit: []string{"Alipay", "Alipay"}, CommonName: alipayName.CommonName}, attacker, p.class2).pem, "", names},
		"another merchant's id in the name":    {issue(pkix.Name{Country: alipayName.Country, Organization: alipayName.Organization, OrganizationalUnit: alipayName.OrganizationalUnit, CommonName: "支付宝(中国)网络技术有限公司-2088999999999999"}, attacker, p.class2).pem, "", names},

		// Its chain leads to the configured root bundle.
		"forged, nothing beside it":                 {forged.pem, wanted, noChain + "it is not signed by the intermediate certificate of its issuer's name"},
		"forged, with the real chain":               {forged.pem + p.class2.pem + p.root.pem, wanted, noChain + "it is not signed by"},
		"forged, by an authority of his own":        {forged.pem + ownClass2.pem + merchant.pem + p.class1.pem, wanted, noChain},
		"forged, by an authority of his own root":   {forged.pem + ownClass2OfRoot.pem + ownRoot.pem, wanted, noChain},
		"forged, his certificate as intermediate":   {forged.pem + merchant.pem + p.class1.pem, wanted, noChain},
		"of a renewed authority that is not there":  {issue(alipayName, p.nextKey, leafClass2).pem, "", noChain + "it is not signed by"},
		"an intermediate that is a leaf":            {issue(alipayName, p.nextKey, leafClass2).pem + leafClass2.pem, "", noChain},
		"an intermediate that has expired":          {issue(alipayName, p.nextKey, oldClass2).pem + oldClass2.pem, "", noChain},
		"an intermediate below one that has no say": {issue(alipayName, p.nextKey, belowPathLen0).pem + belowPathLen0.pem + pathLen0.pem, "", noChain},

		// It is valid, meant for signatures, and strong enough.
		"expired":                {expired.pem, "", "not valid as downloaded: the certificate expired on " + dates(expired)[1]},
		"not yet valid":          {future.pem, "", "not valid as downloaded: the certificate is not valid before " + dates(future)[0]},
		"an EC key":              {issue(alipayName, ecKey(), p.class2).pem, "", "not usable as downloaded: the certificate's key is not RSA"},
		"1024 bits":              {issue(alipayName, rsaKey("testdata/vectors/rsa1024_private_pkcs8.pem"), p.class2).pem, "", "not usable as downloaded: the RSA key has 1024 bits"},
		"the application's key":  {issue(alipayName, p.appKey, p.class2).pem, "", "the downloaded certificate holds the application's own public key"},
		"an authority":           {issue(alipayName, p.nextKey, p.class2, authority).pem, "", "that of a certification authority"},
		"for encryption only":    {usage(x509.KeyUsageKeyEncipherment).pem, "", notToUse},
		"for certificates only":  {usage(x509.KeyUsageCertSign).pem, "", notToUse},
		"an unknown restriction": {extension.pem, "", notToUse},

		// It is a certificate.
		"nothing":             {"", wanted, "the download is no certificate: no certificate in the text"},
		"a page":              {"<html>correct horse battery staple</html>", wanted, "the download is no certificate: "},
		"a key":               {vector("alipay_public.pem"), wanted, "the download is no certificate: an RSA-2048 public key (SPKI, PEM) instead of a certificate"},
		"a certificate cut":   {cutPEM(p.next.pem), wanted, "the download is no certificate: "},
		"certificate and key": {p.next.pem + vector("alipay_public.pem"), wanted, "the download is no certificate: block 2 of 2"},
		"too many":            {p.next.pem + strings.Repeat(p.class2.pem, maxDownloaded), wanted, "the download holds more certificates than any real one"},
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
	_, _, err := c.Trust(p.next.pem+strings.Repeat(p.class2.pem, maxDownloaded-1), wanted, now)
	assert.NoError(t, err, "as many as are allowed")
}

func TestAChainThatCannotBeCheckedIsNotEnough(t *testing.T) {
	p := world()
	c := certConfig()
	c.AlipayPublicCertContent = p.alipay.pem // accepted in a config
	r := requireResolves(t, c, "")
	_, _, err := r.Trust(p.next.pem, snOf(p.next.pem), now)
	assert.EqualError(t, err, "the downloaded certificate's chain cannot be checked: the certificate of its issuer is neither in the download nor in AlipayPublicCertContent")

	// The sandbox: its intermediate has no basic constraints.
	test := issue(authorityName("Class 2 R1 test"), testKey("alipay_private_key.pem"), p.root)
	present, next := issue(alipayName, p.alipayKey, test), issue(alipayName, p.nextKey, test)
	c.AlipayPublicCertContent = present.pem + test.pem
	r = requireResolves(t, c, "")
	_, _, err = r.Trust(next.pem, snOf(next.pem), now)
	assert.ErrorContains(t, err, "chain cannot be checked")
	_, _, err = r.Trust(next.pem+test.pem, snOf(next.pem), now)
	assert.ErrorContains(t, err, "the certificate by its issuer's name is no certification authority")
}

func TestOnlyTheConfiguredRootsCount(t *testing.T) {
	p := world()
	otherRoot := issue(authorityName("R1"), testKey("app_private_key.pem"), nil, authority)
	otherClass2 := issue(authorityName("Class 2 R1"), ecKey(), otherRoot, authority)
	next := issue(alipayName, p.nextKey, otherClass2)
	c := requireResolves(t, certConfig(), "")
	_, _, err := c.Trust(next.pem+otherClass2.pem+otherRoot.pem, snOf(next.pem), now)
	assert.ErrorContains(t, err, "does not lead to the configured root bundle")

	config := certConfig()
	config.RootCertContent += otherRoot.pem
	_, _, err = requireResolves(t, config, "").Trust(next.pem+otherClass2.pem, snOf(next.pem), now)
	assert.NoError(t, err, "once it is configured")
}

func TestPublicKeyModeTrustsNoCertificate(t *testing.T) {
	_, _, err := requireResolves(t, keyConfig(), "").Trust(world().nextFile, snOf(world().next.pem), now)
	assert.EqualError(t, err, "certificate mode is not configured")
}

func TestWithAddsACertificateToACopy(t *testing.T) {
	p := world()
	base := requireResolves(t, certConfig(), "")
	sn, cert, err := base.Trust(p.nextFile, snOf(p.next.pem), now)
	require.NoError(t, err)
	before := *base
	added := base.With(sn, cert)
	assert.Len(t, base.AlipayCerts, 1, "the original is as it was")
	assert.Equal(t, before.AppCertSN, added.AppCertSN)
	assert.Equal(t, before.Signer, added.Signer)
	require.Len(t, added.AlipayCerts, 2)
	assert.Equal(t, cert, added.AlipayCerts[sn])
	assert.Equal(t, base.AlipayCerts[snOf(p.alipay.pem)], added.AlipayCerts[snOf(p.alipay.pem)])
	assert.Equal(t, base.Expiries(), added.Expiries(), "no configured certificate has come or gone")

	third := issue(alipayName, p.nextKey, p.class2)
	sn, cert, err = added.Trust(third.pem, snOf(third.pem), now)
	require.NoError(t, err, "one rotation after the other")
	assert.Len(t, added.With(sn, cert).AlipayCerts, 3)

	// What was trusted once does not widen what is trusted next.
	stranger := issue(pkix.Name{CommonName: "stranger"}, p.nextKey, p.class2)
	widened := base.With("x", AlipayCert{Subject: stranger.cert.RawSubject, Issuer: stranger.cert.RawIssuer, Downloaded: true})
	_, _, err = widened.Trust(stranger.pem, snOf(stranger.pem), now)
	assert.ErrorContains(t, err, "are not those of a configured certificate")

	plain := requireResolves(t, keyConfig(), "").With(sn, cert)
	assert.Len(t, plain.AlipayCerts, 1)
}

func TestTrustLooksAtTheClockItIsGiven(t *testing.T) {
	p := world()
	c := requireResolves(t, certConfig(), "")
	sn := snOf(p.next.pem)
	for at, trusted := range map[time.Time]bool{
		p.next.cert.NotBefore: true, p.next.cert.NotBefore.Add(-time.Second): false,
		p.next.cert.NotAfter: true, p.next.cert.NotAfter.Add(time.Second): false,
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
	forged := copied(p.next.cert, p.class2.cert, p.attackerKey.Public(), p.attackerKey)
	download := forged.pem
	for range maxDownloaded - 1 {
		download += copied(p.class2.cert, p.class2.cert, &rsa.PublicKey{N: n, E: 1<<31 - 1}, p.attackerKey, authority).pem
	}
	start := time.Now()
	_, _, err := c.Trust(download, snOf(forged.pem), now)
	assert.ErrorContains(t, err, "does not lead to the configured root bundle")
	t.Logf("after %v", time.Since(start))
}
