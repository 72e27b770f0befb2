package credentials

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/certs"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

// sm2Root is the first certificate of the real bundle's shape, which crypto/x509
// refuses.
func sm2Root() string { return firstOf(vector("root_bundle.crt")) }

func firstOf(chain string) string {
	const end = "-----END CERTIFICATE-----\n"
	return chain[:strings.Index(chain, end)+len(end)]
}

func snOf(pem string) string { return testpki.Must(certs.Parse(pem))[0].SN }

func TestWhatIsNotTheApplicationsCertificateIsCalledByItsName(t *testing.T) {
	const (
		belongs  = "the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here"
		mismatch = "the certificate does not match the application's private key; use the 应用公钥证书 that was issued for this key"
	)
	p := world()
	pkcs8 := vector("app_private_pkcs8.pem")
	expired := issue(appName, p.appKey, p.class1, testpki.Valid(now.Add(-2*day), now.Add(-day)))
	future := issue(appName, p.appKey, p.class1, testpki.Valid(now.Add(day), now.Add(2*day)))
	assertEachIsNamed(t, "AppCertContent", []misplaced{
		{"private key", pkcs8, []string{"found an RSA-2048 private key (PKCS#8, PEM)", belongs}},
		{"private key, PKCS#1, bare", bare(vector("app_private_pkcs1.pem")), []string{"found an RSA-2048 private key (PKCS#1, base64)", belongs}},
		{"public key", bare(vector("app_public.pem")), []string{"found an RSA-2048 public key (SPKI, base64)", belongs}},
		{"of another key", issue(appName, p.nextKey, p.class1).PEM, []string{mismatch}},
		{"Alipay's certificate", p.alipayFile, []string{mismatch}},
		{"of an EC key", issue(appName, p.ecKey, p.class1).PEM, []string{mismatch}},
		{"root bundle", p.rootBundle, []string{"CA certificates only", belongs}},
		{"SM2 certificate", sm2Root(), []string{"CA certificates only", belongs}},
		{"expired", expired.PEM, and(dates(expired), "the certificate expired on", "download a new one (应用公钥证书)")},
		{"not yet valid", future.PEM, and(dates(future), "the certificate is not valid before", "clock of this machine")},
		{"cut short", cutPEM(p.app.PEM), []string{"found a certificate", "cut short", belongs}},
		{"cut short, bare", cutBare(p.app.PEM), []string{"found a certificate", "cut short", belongs}},
		{"key and certificate", pkcs8 + p.app.PEM, []string{"2 PEM blocks in one text", belongs}},
		{"two concatenated, bare", bare(p.app.PEM) + bare(p.app.PEM), []string{"two keys or certificates concatenated", belongs}},
	})
}

func TestWhatIsNotAlipaysCertificateIsCalledByItsName(t *testing.T) {
	const (
		belongs      = "Alipay's certificate (支付宝公钥证书, alipayCertPublicKey_RSA2.crt) belongs here"
		asDownloaded = "; use the 支付宝公钥证书 (alipayCertPublicKey_RSA2.crt) as downloaded from the console"
		foreignChain = "the certificate does not lead to the configured root bundle (支付宝根证书, RootCertContent), or that is another one: "
		rootBundle   = "this is the root bundle (支付宝根证书), which belongs in RootCertContent" + asDownloaded
	)
	p := world()
	expired := issue(alipayName, p.alipayKey, p.class2, testpki.Valid(now.Add(-2*day), now.Add(-day)))
	future := issue(alipayName, p.alipayKey, p.class2, testpki.Valid(now.Add(day), now.Add(2*day)))
	foreign := issue(alipayName, p.alipayKey, p.foreignClass2)
	forgedRoot := issue(authorityName("R1"), p.ecKey, nil, testpki.Authority)
	forgedClass2 := issue(authorityName("Class 2 R1"), p.ecKey, forgedRoot, testpki.Authority)
	selfSigned, selfSignedAuthority := issue(alipayName, p.alipayKey, nil), issue(alipayName, p.alipayKey, nil, testpki.Authority)
	small := rsaKey("testdata/vectors/rsa1024_private_pkcs8.pem")
	assertEachIsNamed(t, "AlipayPublicCertContent", []misplaced{
		{"public key", vector("alipay_public.pem"), []string{"found an RSA-2048 public key (SPKI, PEM)", belongs}},
		{"private key", bare(vector("app_private_pkcs8.pem")), []string{"found an RSA-2048 private key (PKCS#8, base64)", belongs}},
		{"own certificate", p.app.PEM, []string{"this is the application's own certificate (应用公钥证书)", asDownloaded}},
		{"own certificate beside Alipay's", p.alipayFile + p.app.PEM, []string{"the application's own certificate", asDownloaded}},
		{"own public key in another certificate", issue(alipayName, p.appKey, p.class2).PEM, []string{"the application's own certificate", asDownloaded}},
		{"expired", expired.PEM + p.class2.PEM, and(dates(expired), "the certificate expired on", asDownloaded)},
		{"all expired", expired.PEM + p.class2.PEM + expired.PEM, and(dates(expired), "the certificate expired on", asDownloaded)},
		{"not yet valid", future.PEM + p.class2.PEM, and(dates(future), "the certificate is not valid before", "clock of this machine", asDownloaded)},
		{"expired and not yet valid", expired.PEM + future.PEM, and(dates(expired), "the certificate expired on", asDownloaded)},
		{"self-signed", selfSigned.PEM, []string{"the certificate is self-signed", asDownloaded}},
		{"self-signed authority", selfSignedAuthority.PEM, []string{"the certificate is self-signed", asDownloaded}},
		{"self-signed twice", selfSigned.PEM + selfSigned.PEM, []string{"the certificate is self-signed", asDownloaded}},
		{"self-signed beside Alipay's", p.alipayFile + selfSigned.PEM, []string{"the certificate is self-signed", asDownloaded}},
		{"of another root", foreign.PEM + p.foreignClass2.PEM, []string{foreignChain + "the issuer of its intermediate certificate is not in the root bundle", asDownloaded}},
		{"of another root beside Alipay's", p.alipayFile + foreign.PEM + p.foreignClass2.PEM, []string{foreignChain, asDownloaded}},
		{"of a root of the same name", issue(alipayName, p.alipayKey, forgedClass2).PEM + forgedClass2.PEM, []string{foreignChain + "its intermediate certificate is not signed by the root certificate", asDownloaded}},
		{"of a root of the same name, without intermediate", issue(alipayName, p.alipayKey, forgedRoot).PEM, []string{foreignChain + "it is not signed by the root certificate", asDownloaded}},
		{"not yet valid and of another root", p.alipayFile + issue(alipayName, p.nextKey, p.foreignClass2, testpki.Valid(now.Add(day), now.Add(2*day))).PEM + p.foreignClass2.PEM, []string{foreignChain, asDownloaded}},
		{"intermediate only", p.class2.PEM, []string{"CA certificates only, and none that signs answers", asDownloaded}},
		{"root bundle", p.rootBundle, []string{rootBundle}},
		{"one root", p.root.PEM, []string{rootBundle}},
		{"root with an SM2 key", sm2Root(), []string{rootBundle}},
		{"of an EC key", issue(alipayName, p.ecKey, p.class2).PEM, []string{"the certificate's key is not RSA", asDownloaded}},
		{"1024 bits", issue(alipayName, small, p.class2).PEM, []string{"the RSA key has 1024 bits", asDownloaded}},
		{"cut short", cutPEM(p.alipay.PEM), []string{"found a certificate", "cut short", belongs}},
		{"second one cut short", p.alipay.PEM + cutPEM(p.class2.PEM), []string{"certificate 2 of 2", "cut short", belongs}},
		{"certificate and key", p.alipay.PEM + vector("alipay_public.pem"), []string{"2 PEM blocks in one text", belongs}},
		{"far too many", strings.Repeat(p.alipay.PEM, 201), []string{"more than 200 certificates", belongs}},
	})

	// Which certificate cannot be read, only Go knows: SM2 outside the bundle.
	c := certConfig()
	c.RootCertContent = p.root.PEM
	c.AlipayPublicCertContent = p.alipayFile + sm2Root()
	assertMistake(t, c, "AlipayPublicCertContent", "one of the certificates cannot be read", "SM2", asDownloaded)
}

func TestWhatIsNoRootBundleIsCalledByItsName(t *testing.T) {
	const (
		belongs = "Alipay's root bundle (支付宝根证书, alipayRootCert.crt) belongs here"
		noRoot  = "there is no root certificate in it; use the root bundle (支付宝根证书, alipayRootCert.crt)"
		noRSA   = "there is no certificate with an RSA signature in it; use the root bundle (支付宝根证书, alipayRootCert.crt) as downloaded"
	)
	p := world()
	assertEachIsNamed(t, "RootCertContent", []misplaced{
		{"own certificate", vector("app_public_cert.crt"), []string{noRoot}},
		{"Alipay's certificate", p.alipayFile, []string{noRoot}},
		{"intermediate", p.class2.PEM, []string{noRoot}},
		{"SM2 root only", sm2Root(), []string{noRSA}},
		{"EC root only", issue(authorityName("E1"), p.ecKey, nil, testpki.Authority).PEM, []string{noRSA}},
		{"private key", vector("app_private_pkcs8.pem"), []string{"found an RSA-2048 private key (PKCS#8, PEM)", belongs}},
		{"public key", vector("alipay_public.pem"), []string{"found an RSA-2048 public key (SPKI, PEM)", belongs}},
		{"cut short", cutPEM(p.rootBundle), []string{"found a certificate", "cut short", belongs}},
		{"words", "correct horse battery staple", []string{"found", belongs}},
	})
}

func TestCertificateModeIsReadAsTheVectorsHaveIt(t *testing.T) {
	r := requireResolves(t, vectorConfig(), "")
	assert.Equal(t, "707af11bc8fb00677f4ba3933697615a", r.AppCertSN)
	assert.Equal(t, "4dd068c4b8099e1cc1c3d614f1ce7a4a_43cde24a05375144551adbaaf19edd0f", r.RootCertSN)
	assert.Nil(t, r.AlipayKey)
	require.Len(t, r.AlipayCerts, 1, "the intermediate is no signer")
	cert := r.AlipayCerts["ff979bd96125ad97131ce31255eac671"]
	leaf := testpki.Must(certs.Parse(vector("alipay_public_cert.crt")))[0].X509
	assert.Equal(t, AlipayCert{leaf, &rsaKey("testdata/vectors/alipay_private_pkcs8.pem").PublicKey, ""}, cert)
}

func TestCertificatesOfTheVectorsEndAtTheirDates(t *testing.T) {
	c := vectorConfig()
	c.AlipayPublicCertContent = vector("expired_alipay_cert.crt")
	assertMistake(t, c, "AlipayPublicCertContent", "expired on 2022-01-01 00:00:00 UTC", "valid from 2020-01-01 00:00:00 UTC", "支付宝公钥证书")

	c = vectorConfig()
	_, err := Resolve(c, time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC))
	assertError(t, err, c, "AppCertContent", "expired on 2045-10-12 19:53:01 UTC", "应用公钥证书")
	_, err = Resolve(c, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	assertError(t, err, c, "AppCertContent", "not valid before 2026-11-21 19:53:01 UTC", "clock")

	for at, valid := range map[time.Time]bool{
		time.Date(2045, 10, 12, 19, 53, 1, 0, time.UTC): true, time.Date(2045, 10, 12, 19, 53, 2, 0, time.UTC): false,
		time.Date(2026, 11, 21, 19, 53, 1, 0, time.UTC): true, time.Date(2026, 11, 21, 19, 53, 0, 0, time.UTC): false,
	} {
		_, err := Resolve(c, at)
		assert.Equal(t, valid, err == nil, "%s: %v", at, err)
	}
}

func TestOnlyLeavesOfAlipaysFileSignAnswers(t *testing.T) {
	p := world()
	expired := issue(alipayName, p.alipayKey, p.class2, testpki.Valid(now.Add(-2*day), now.Add(-day)))
	future := issue(alipayName, p.nextKey, p.class2, testpki.Valid(now.Add(day), now.Add(2*day)))
	ended := testpki.Valid(now.Add(-2*day), now.Add(-day))
	expiredClass2 := issue(authorityName("Class 2 R0"), testKey("alipay_private_key.pem"), p.root, testpki.Authority, ended)
	byExpired, foreign := issue(alipayName, p.nextKey, expiredClass2, ended), issue(alipayName, p.nextKey, p.foreignClass2, ended)
	orphan := issue(alipayName, p.alipayKey, issue(pkix.Name{CommonName: "unheard of"}, p.ecKey, nil, testpki.Authority))
	byRoot := issue(alipayName, p.alipayKey, p.root)
	// Key usage alone makes no authority: this one signs answers like any other.
	keyCertSign := issue(alipayName, p.alipayKey, p.class2, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	// The sandbox: an intermediate without basic constraints, whose issuer is unknown.
	test := issue(authorityName("Class 2 R1 test"), testKey("alipay_private_key.pem"), issue(pkix.Name{CommonName: "in no bundle"}, p.ecKey, nil, testpki.Authority),
		func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	expiredTest := issue(authorityName("Class 2 R1 test"), testKey("alipay_private_key.pem"), issue(pkix.Name{CommonName: "in no bundle"}, p.ecKey, nil, testpki.Authority),
		testpki.Valid(now.Add(-2*day), now.Add(-day)))
	sandbox := issue(alipayName, p.alipayKey, test)
	for name, tc := range map[string]struct {
		file    string
		signers []*testpki.Issued
	}{
		"leaf and intermediate":                 {p.alipayFile, []*testpki.Issued{p.alipay}},
		"intermediate first":                    {p.class2.PEM + p.alipay.PEM, []*testpki.Issued{p.alipay}},
		"leaf without intermediate":             {p.alipay.PEM, []*testpki.Issued{p.alipay}},
		"issuer not at hand":                    {orphan.PEM, []*testpki.Issued{orphan}},
		"leaf up to the root":                   {p.alipayFile + p.root.PEM, []*testpki.Issued{p.alipay}},
		"old and new":                           {p.alipayFile + p.nextFile, []*testpki.Issued{p.alipay, p.next}},
		"old and new, leaves only":              {p.alipay.PEM + p.next.PEM, []*testpki.Issued{p.alipay, p.next}},
		"expired beside a valid one":            {expired.PEM + p.alipayFile, []*testpki.Issued{p.alipay, expired}},
		"valid beside an expired one":           {p.alipayFile + expired.PEM, []*testpki.Issued{p.alipay, expired}},
		"expired, and so has its intermediate":  {p.alipayFile + byExpired.PEM + expiredClass2.PEM, []*testpki.Issued{p.alipay, byExpired}},
		"expired, and of another root":          {p.alipayFile + foreign.PEM + p.foreignClass2.PEM, []*testpki.Issued{p.alipay}},
		"not yet valid beside a valid one":      {future.PEM + p.alipayFile, []*testpki.Issued{p.alipay, future}},
		"valid beside one that is not yet":      {p.alipayFile + future.PEM, []*testpki.Issued{p.alipay, future}},
		"issued by a root":                      {byRoot.PEM, []*testpki.Issued{byRoot}},
		"the same twice":                        {p.alipayFile + p.alipayFile, []*testpki.Issued{p.alipay}},
		"a leaf that may sign certificates":     {keyCertSign.PEM + p.class2.PEM, []*testpki.Issued{keyCertSign}},
		"beside the roots of the bundle":        {p.alipayFile + p.rootBundle, []*testpki.Issued{p.alipay}},
		"sandbox":                               {sandbox.PEM + test.PEM, []*testpki.Issued{sandbox}},
		"sandbox, intermediate first":           {test.PEM + sandbox.PEM, []*testpki.Issued{sandbox}},
		"sandbox, an intermediate that expired": {sandbox.PEM + expiredTest.PEM, []*testpki.Issued{sandbox}},
	} {
		c := certConfig()
		c.AlipayPublicCertContent = tc.file
		r, err := Resolve(c, now)
		if !assert.NoError(t, err, name) {
			continue
		}
		want := map[string]*rsa.PublicKey{}
		for _, signer := range tc.signers {
			want[snOf(signer.PEM)] = signer.Key.Public().(*rsa.PublicKey)
		}
		got := map[string]*rsa.PublicKey{}
		for sn, cert := range r.AlipayCerts {
			got[sn] = cert.Key
		}
		assert.Equal(t, want, got, name)
	}

	// An intermediate without basic constraints does not stand in for a leaf.
	c := certConfig()
	c.AlipayPublicCertContent = issue(alipayName, p.alipayKey, test, testpki.Valid(now.Add(-2*day), now.Add(-day))).PEM + test.PEM
	assertMistake(t, c, "AlipayPublicCertContent", "the certificate expired on")
}

// Files of two applications or two accounts: the names of certificates contradict
// each other. Names of another shape tell nothing.
func TestFilesThatWereMixedUpAreNamed(t *testing.T) {
	p := world()
	named := func(common string) pkix.Name { return pkix.Name{Country: []string{"CN"}, CommonName: common} }
	app := func(common string) string { return issue(named(common), p.appKey, p.class1).PEM }
	alipay := func(common string, change ...func(*x509.Certificate)) string {
		return issue(named(common), p.alipayKey, p.class2, change...).PEM + p.class2.PEM
	}
	const (
		pid, other   = "2088102111111111", "2088102222222222"
		id, otherID  = "2021000000000001", "2021000000000002"
		otherApp     = "the certificate is another application's: its name (CN) ends in another APPID than AppID; use the 应用公钥证书 of this application"
		otherAccount = "the certificate is for another merchant: its name (CN) ends in another PID than that of the application's certificate (AppCertContent), so files of two accounts are mixed up; use the 支付宝公钥证书"
	)
	ended := testpki.Valid(now.Add(-2*day), now.Add(-day))
	for name, tc := range map[string]struct{ app, alipay, field, says string }{
		"one application":                 {app(pid + "-" + id), alipay("支付宝(中国)网络技术有限公司-" + pid), "", ""},
		"another application's":           {app(pid + "-" + otherID), alipay("支付宝(中国)网络技术有限公司-" + pid), "AppCertContent", otherApp},
		"another account's application":   {app(other + "-" + otherID), alipay("支付宝(中国)网络技术有限公司-" + pid), "AppCertContent", otherApp},
		"Alipay's for another account":    {app(pid + "-" + id), alipay("支付宝(中国)网络技术有限公司-" + other), "AlipayPublicCertContent", otherAccount},
		"Alipay's with the id alone":      {app(pid + "-" + id), alipay(other), "AlipayPublicCertContent", otherAccount},
		"the second of Alipay's":          {app(pid + "-" + id), p.alipayFile + alipay("支付宝-"+other), "AlipayPublicCertContent", otherAccount},
		"one of Alipay's that expired":    {app(pid + "-" + id), p.alipayFile + alipay("支付宝-"+other, ended), "AlipayPublicCertContent", otherAccount},
		"Alipay's without an id":          {app(pid + "-" + id), alipay("支付宝(中国)网络技术有限公司"), "", ""},
		"Alipay's with a longer number":   {app(pid + "-" + id), alipay("支付宝-1" + other), "", ""},
		"Alipay's with an id inside":      {app(pid + "-" + id), alipay(other + " 支付宝"), "", ""},
		"an application without a name":   {app("merchant.example"), alipay("支付宝-" + other), "", ""},
		"an application's with more":      {app(pid + "-" + otherID + "-x"), alipay("支付宝-" + other), "", ""},
		"an application's of another id":  {app(pid + "-12345"), alipay("支付宝-" + other), "", ""},
		"an application's, a number only": {app(otherID), alipay("支付宝-" + other), "", ""},
	} {
		c := certConfig()
		c.AppCertContent, c.AlipayPublicCertContent = tc.app, tc.alipay
		if tc.field == "" {
			requireResolves(t, c, name)
			continue
		}
		t.Run(name, func(t *testing.T) { assertMistake(t, c, tc.field, tc.says) })
	}
}

func TestTheApplicationsCertificateMayComeWithItsChain(t *testing.T) {
	p := world()
	for name, file := range map[string]string{"chain behind it": p.app.PEM + p.class1.PEM, "chain before it": p.class1.PEM + p.app.PEM, "another one before it": p.alipay.PEM + p.app.PEM} {
		c := certConfig()
		c.AppCertContent = file
		assert.Equal(t, snOf(p.app.PEM), requireResolves(t, c, name).AppCertSN, name)
	}
}

func TestExpiriesAreThoseOfTheCertificatesInUse(t *testing.T) {
	p := world()
	old := issue(alipayName, p.alipayKey, p.class2, testpki.Valid(now.Add(-2*day), now.Add(-day)))
	soon := issue(alipayName, p.alipayKey, p.class2, testpki.Valid(now.Add(-2*day), now.Add(10*day)))
	c := certConfig()
	c.AlipayPublicCertContent = ""
	c.AlipayPublicCertPath = writeFile(t, old.PEM+p.next.PEM+soon.PEM+p.class2.PEM+soon.PEM)
	r := requireResolves(t, c, "")
	want := []Expiry{
		{"AlipayPublicCertPath", snOf(soon.PEM), now.Add(10 * day)},
		{"AppCertContent", snOf(p.app.PEM), now.Add(100 * day)},
		{"AlipayPublicCertPath", snOf(p.next.PEM), now.Add(100 * day)},
	}
	assert.Equal(t, want, r.Expiries)

	e := Expiry{NotAfter: now}
	for before, soon := range map[time.Duration]bool{ExpiryNotice + time.Second: false, ExpiryNotice: false, ExpiryNotice - time.Second: true, 0: true, -day: true} {
		assert.Equal(t, soon, e.Soon(now.Add(-before)), before)
	}
}
