package credentials

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"regexp"
	"slices"
	"time"

	"github.com/seed-39a49030/alipay/internal/certs"
	"github.com/seed-39a49030/alipay/internal/keys"
)

// AlipayCert is a certificate of Alipay's that may sign answers.
type AlipayCert struct {
	Key                 *rsa.PublicKey
	NotBefore, NotAfter time.Time
	Subject, Issuer     []byte // names, as DER
	Downloaded          bool   // trusted by Trust, not configured
}

// certificateMode is what only certificate mode has.
type certificateMode struct {
	pid           string              // of the merchant, as the application's certificate names it; "" where it does not
	roots         []certs.Certificate // the root bundle
	intermediates []certs.Certificate // those in Alipay's certificate file
	expiries      []Expiry            // of the certificates in use
}

// Expiry says until when a configured certificate is valid.
type Expiry struct {
	Field    string // as in Config
	SN       string
	NotAfter time.Time
}

// ExpiryNotice is how long before it expires a certificate is worth a warning.
const ExpiryNotice = 30 * 24 * time.Hour

// Soon reports whether the certificate expires within ExpiryNotice, or has expired.
func (e Expiry) Soon(now time.Time) bool { return now.Add(ExpiryNotice).After(e.NotAfter) }

// Expiries returns when each configured certificate in use expires: the
// application's and Alipay's, not those of certification authorities. The first to
// expire comes first.
func (c *Credentials) Expiries() []Expiry { return slices.Clone(c.mode.expiries) }

// resolveCertificates fills in what certificate mode needs.
func (c Config) resolveCertificates(r *Credentials, now time.Time) error {
	roots, rootField, err := loadCertificates("RootCertContent", c.RootCertContent, c.RootCertPath,
		both("Alipay's root bundle (支付宝根证书, alipayRootCert.crt) belongs here", "这里要填支付宝根证书（alipayRootCert.crt）"))
	if err != nil {
		return err
	}
	if r.RootCertSN, err = certs.RootSN(roots); err != nil {
		return mistake(rootField, both("there is no certificate with an RSA signature in it; use the root bundle (支付宝根证书, alipayRootCert.crt) as downloaded",
			"其中没有 RSA 签名的证书；请使用下载的支付宝根证书（alipayRootCert.crt）原文件"))
	}
	if !slices.ContainsFunc(roots, func(c certs.Certificate) bool { return certs.IsSelfSigned(c.X509) }) {
		return mistake(rootField, both("there is no root certificate in it; use the root bundle (支付宝根证书, alipayRootCert.crt), not the application's or Alipay's own certificate",
			"其中没有根证书；请使用支付宝根证书（alipayRootCert.crt），不是应用公钥证书或支付宝公钥证书"))
	}
	r.mode.roots = roots
	if err := c.appCert(r, now); err != nil {
		return err
	}
	if err := c.alipayCerts(r, now); err != nil {
		return err
	}
	slices.SortStableFunc(r.mode.expiries, func(a, b Expiry) int { return a.NotAfter.Compare(b.NotAfter) })
	return nil
}

func loadCertificates(field, content, path string, belongs text) ([]certs.Certificate, string, error) {
	content, field, err := load(field, content, path)
	if err != nil {
		return nil, field, err
	}
	m := keys.Inspect(content)
	if m.Kind == keys.PathLike {
		return nil, field, isPath(field)
	}
	if m.Kind != keys.Certificate || m.Defect != (text{}) {
		return nil, field, found(field, m, belongs)
	}
	list, err := certs.Parse(content)
	if err != nil {
		return nil, field, mistake(field, both(err.Error(), "证书无法解析").Then(belongs))
	}
	return list, field, nil
}

// publicKey returns nil for a certificate without an RSA key.
func publicKey(c certs.Certificate) *rsa.PublicKey {
	if c.X509 == nil {
		return nil
	}
	key, _ := c.X509.PublicKey.(*rsa.PublicKey)
	return key
}

func belongsTo(own *rsa.PublicKey, c certs.Certificate) bool {
	key := publicKey(c)
	return key != nil && own.Equal(key)
}

// notValidAt gives the dates of a certificate that is not valid, else nothing.
func notValidAt(c certs.Certificate, now time.Time) text {
	const second = "2006-01-02 15:04:05 MST"
	from, to := c.X509.NotBefore.UTC().Format(second), c.X509.NotAfter.UTC().Format(second)
	switch {
	case now.After(c.X509.NotAfter):
		return both("the certificate expired on %[2]s, it was valid from %[1]s", "证书已于 %[2]s 过期，自 %[1]s 起有效", from, to)
	case now.Before(c.X509.NotBefore):
		return both("the certificate is not valid before %s (until %s); check the clock of this machine", "证书自 %s 起才有效（至 %s）；请检查本机时钟", from, to)
	}
	return text{}
}

// appCert finds the application's certificate: the one of its private key.
func (c Config) appCert(r *Credentials, now time.Time) error {
	list, field, err := loadCertificates("AppCertContent", c.AppCertContent, c.AppCertPath,
		both("the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here", "这里要填应用公钥证书（appCertPublicKey_….crt）"))
	if err != nil {
		return err
	}
	authoritiesOnly := true
	for _, cert := range list {
		authoritiesOnly = authoritiesOnly && (cert.X509 == nil || certs.IsCA(cert.X509))
		if !belongsTo(r.PublicKey, cert) {
			continue
		}
		if reason := notValidAt(cert, now); reason != (text{}) {
			return mistake(field, reason.Then(both("download a new one (应用公钥证书) from the console", "请从控制台下载新的应用公钥证书")))
		}
		if name := appSubject.FindStringSubmatch(cert.X509.Subject.CommonName); name != nil {
			if name[2] != r.AppID {
				return mistake(field, both("the certificate is another application's: its name (CN) ends in another APPID than AppID; use the 应用公钥证书 of this application, or the APPID of the certificate's",
					"这是另一个应用的证书：证书名称（CN）末尾的 APPID 与 AppID 不同；请使用本应用的应用公钥证书，或改为证书所属应用的 APPID"))
			}
			r.mode.pid = name[1]
		}
		r.AppCertSN = cert.SN
		r.mode.expiries = append(r.mode.expiries, Expiry{field, cert.SN, cert.X509.NotAfter})
		return nil
	}
	if authoritiesOnly {
		return mistake(field, both("it contains CA certificates only; the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here",
			"其中只有 CA 证书；这里要填应用公钥证书（appCertPublicKey_….crt）"))
	}
	return mistake(field, both("the certificate does not match the application's private key; use the 应用公钥证书 that was issued for this key, or the key that belongs to the certificate",
		"证书与应用私钥不配套；请使用为这把私钥签发的应用公钥证书，或证书对应的私钥"))
}

// The names of certificates: "<PID>-<APPID>" for an application's, and for one of
// Alipay's a name that ends in the PID of the merchant whom it answers. Names of
// another shape tell nothing.
var (
	appSubject    = regexp.MustCompile(`^(2088\d{12})-(\d{16})$`)
	alipaySubject = regexp.MustCompile(`(?:^|\D)(2088\d{12})$`)
)

// alipayCerts finds the certificates that may sign answers. Beside a valid one,
// those that are not valid yet are kept for when Alipay changes to them, and expired
// ones for answers that were received before.
func (c Config) alipayCerts(r *Credentials, now time.Time) error {
	list, field, err := loadCertificates("AlipayPublicCertContent", c.AlipayPublicCertContent, c.AlipayPublicCertPath,
		both("Alipay's certificate (支付宝公钥证书, alipayCertPublicKey_RSA2.crt) belongs here", "这里要填支付宝公钥证书（alipayCertPublicKey_RSA2.crt）"))
	if err != nil {
		return err
	}
	wrong := func(reason text) error {
		return mistake(field, reason.Then(both("use the 支付宝公钥证书 (alipayCertPublicKey_RSA2.crt) as downloaded from the console",
			"请使用从控制台下载的支付宝公钥证书（alipayCertPublicKey_RSA2.crt）")))
	}
	leaves, intermediates, reason := sortOut(list, r.mode.roots, r.PublicKey)
	if reason != (text{}) {
		return wrong(reason)
	}
	r.mode.intermediates = intermediates
	r.AlipayCerts = make(map[string]AlipayCert, len(leaves))
	invalid, anyValid := text{}, false
	for _, leaf := range leaves {
		if reason := unusable(leaf); reason != (text{}) {
			return wrong(reason)
		}
		if name := alipaySubject.FindStringSubmatch(leaf.X509.Subject.CommonName); name != nil && r.mode.pid != "" && name[1] != r.mode.pid {
			return wrong(both("the certificate is for another merchant: its name (CN) ends in another PID than that of the application's certificate (AppCertContent), so files of two accounts are mixed up",
				"这是另一个商户的支付宝公钥证书：证书名称（CN）末尾的 PID 与应用公钥证书（AppCertContent）中的不同，两个账号的文件混在了一起"))
		}
		at, reason := now, notValidAt(leaf, now)
		expired := now.After(leaf.X509.NotAfter)
		if expired {
			at = leaf.X509.NotAfter
		}
		invalid, anyValid = cmp.Or(invalid, reason), anyValid || reason == text{}
		switch result, reason := certs.CheckChain(leaf.X509, intermediates, r.mode.roots, at); {
		case result == certs.Foreign && expired:
			continue
		case result == certs.Foreign:
			return wrong(both("the certificate does not lead to the configured root bundle (支付宝根证书, RootCertContent), or that is another one: %s",
				"证书链不到配置的支付宝根证书（RootCertContent），或根证书不对：%s", reason))
		}
		if _, twice := r.AlipayCerts[leaf.SN]; !twice && !expired {
			r.mode.expiries = append(r.mode.expiries, Expiry{field, leaf.SN, leaf.X509.NotAfter})
		}
		r.AlipayCerts[leaf.SN] = signerOf(leaf)
	}
	if !anyValid {
		return wrong(invalid)
	}
	return nil
}

func signerOf(leaf certs.Certificate) AlipayCert {
	return AlipayCert{
		Key:       publicKey(leaf),
		NotBefore: leaf.X509.NotBefore, NotAfter: leaf.X509.NotAfter,
		Subject: leaf.X509.RawSubject, Issuer: leaf.X509.RawIssuer,
	}
}

var selfSigned = both("the certificate is self-signed, so it was not issued by Alipay's certification authority", "证书是自签名的，不是支付宝 CA 签发的")

// sortOut separates the certificates that may sign answers from the intermediates.
// reason says why there are none.
func sortOut(list, roots []certs.Certificate, own *rsa.PublicKey) (leaves, intermediates []certs.Certificate, reason text) {
	anyRoot, anySelfSigned := false, false
	for _, cert := range list {
		isRoot := slices.ContainsFunc(roots, func(root certs.Certificate) bool { return bytes.Equal(root.Raw, cert.Raw) })
		anyRoot = anyRoot || isRoot
		anySelfSigned = anySelfSigned || certs.IsSelfSigned(cert.X509)
		switch {
		case cert.X509 == nil && isRoot: // the SM2 root
		case cert.X509 == nil:
			return nil, nil, both("one of the certificates cannot be read: "+certs.ErrUnsupported.Error(), "其中一张证书无法读取（如国密 SM2 证书，或已损坏）")
		case belongsTo(own, cert):
			return nil, nil, both("this is the application's own certificate (应用公钥证书)", "这是应用自己的证书（应用公钥证书）")
		case certs.IsCA(cert.X509):
			intermediates = append(intermediates, cert)
		case isIssuer(cert, list):
			// The sandbox's intermediate, which has no basic constraints: it does not
			// sign answers, and a chain through it proves nothing.
		default:
			leaves = append(leaves, cert)
		}
	}
	switch {
	case len(leaves) > 0:
		return leaves, intermediates, text{}
	case anyRoot:
		return nil, nil, both("this is the root bundle (支付宝根证书), which belongs in RootCertContent", "这是支付宝根证书，应填到 RootCertContent")
	case anySelfSigned:
		return nil, nil, selfSigned
	}
	return nil, nil, both("it contains CA certificates only, and none that signs answers", "其中只有 CA 证书，没有用来签名响应的证书")
}

// isIssuer reports whether another certificate of list names cert as its issuer.
func isIssuer(cert certs.Certificate, list []certs.Certificate) bool {
	return slices.ContainsFunc(list, func(c certs.Certificate) bool {
		return c.X509 != nil && bytes.Equal(c.X509.RawIssuer, cert.X509.RawSubject) && !bytes.Equal(c.X509.RawSubject, c.X509.RawIssuer)
	})
}

// unusable says why the key of a certificate cannot be Alipay's, whatever the
// dates and the chain.
func unusable(leaf certs.Certificate) text {
	key := publicKey(leaf)
	switch {
	case certs.IsSelfSigned(leaf.X509):
		return selfSigned
	case key == nil:
		return both("the certificate's key is not RSA", "证书的密钥不是 RSA")
	}
	return weak(key)
}
