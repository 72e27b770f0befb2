package credentials

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"regexp"
	"slices"
	"time"

	"github.com/seed-39a49030/alipay/internal/certs"
	"github.com/seed-39a49030/alipay/internal/keys"
)

// AlipayCert is a certificate of Alipay's that may sign answers.
type AlipayCert struct {
	*x509.Certificate
	Key *rsa.PublicKey
	PEM string // as downloaded and trusted by Trust; empty for a configured one
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

// resolveCertificates fills in what certificate mode needs.
func (c Config) resolveCertificates(r *Credentials, now time.Time) error {
	roots, field, err := source{"RootCertContent", c.RootCertContent, "RootCertPath", c.RootCertPath}.certificates(
		both("Alipay's root bundle (支付宝根证书, alipayRootCert.crt) belongs here", "这里要填支付宝根证书（alipayRootCert.crt）"))
	if err != nil {
		return err
	}
	if r.RootCertSN, err = certs.RootSN(roots); err != nil {
		return mistake(field, both("there is no certificate with an RSA signature in it; use the root bundle (支付宝根证书, alipayRootCert.crt) as downloaded",
			"其中没有 RSA 签名的证书；请使用下载的支付宝根证书（alipayRootCert.crt）原文件"))
	}
	if !slices.ContainsFunc(roots, isSelfSigned) {
		return mistake(field, both("there is no root certificate in it; use the root bundle (支付宝根证书, alipayRootCert.crt), not the application's or Alipay's own certificate",
			"其中没有根证书；请使用支付宝根证书（alipayRootCert.crt），不是应用公钥证书或支付宝公钥证书"))
	}
	r.roots = roots
	pid, err := c.appCert(r, now)
	if err != nil {
		return err
	}
	return c.alipayCerts(r, pid, now)
}

func (s source) certificates(belongs text) (list []certs.Certificate, field string, err error) {
	l, err := s.load()
	if err != nil {
		return nil, l.field, err
	}
	if l.Kind != keys.Certificate || l.Defect != (text{}) {
		return nil, l.field, l.mistaken(belongs)
	}
	if list, err = certs.Parse(l.text); err != nil {
		return nil, l.field, mistake(l.field, both(err.Error(), "证书无法解析").Then(belongs))
	}
	return list, l.field, nil
}

func isSelfSigned(c certs.Certificate) bool { return certs.IsSelfSigned(c.X509) }

func belongsTo(own *rsa.PublicKey, c certs.Certificate) bool {
	return c.X509 != nil && own.Equal(c.X509.PublicKey)
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

// The names of certificates: "<PID>-<APPID>" for an application's, and for one of
// Alipay's a name that ends in the PID of the merchant whom it answers. Names of
// another shape tell nothing.
var (
	appSubject    = regexp.MustCompile(`^(2088\d{12})-(\d{16})$`)
	alipaySubject = regexp.MustCompile(`(?:^|\D)(2088\d{12})$`)
)

// appCert finds the certificate of the application's private key, and the PID in its name.
func (c Config) appCert(r *Credentials, now time.Time) (pid string, err error) {
	list, field, err := source{"AppCertContent", c.AppCertContent, "AppCertPath", c.AppCertPath}.certificates(
		both("the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here", "这里要填应用公钥证书（appCertPublicKey_….crt）"))
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(list, func(c certs.Certificate) bool { return belongsTo(r.PublicKey, c) })
	if i < 0 && slices.ContainsFunc(list, func(c certs.Certificate) bool { return c.X509 != nil && !certs.IsCA(c.X509) }) {
		return "", mistake(field, both("the certificate does not match the application's private key; use the 应用公钥证书 that was issued for this key, or the key that belongs to the certificate",
			"证书与应用私钥不配套；请使用为这把私钥签发的应用公钥证书，或证书对应的私钥"))
	}
	if i < 0 {
		return "", mistake(field, both("it contains CA certificates only; the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here",
			"其中只有 CA 证书；这里要填应用公钥证书（appCertPublicKey_….crt）"))
	}
	cert := list[i]
	if reason := notValidAt(cert, now); reason != (text{}) {
		return "", mistake(field, reason.Then(both("download a new one (应用公钥证书) from the console", "请从控制台下载新的应用公钥证书")))
	}
	if name := appSubject.FindStringSubmatch(cert.X509.Subject.CommonName); name != nil {
		if pid = name[1]; name[2] != r.AppID {
			return "", mistake(field, both("the certificate is another application's: its name (CN) ends in another APPID than AppID; use the 应用公钥证书 of this application, or the APPID of the certificate's",
				"这是另一个应用的证书：证书名称（CN）末尾的 APPID 与 AppID 不同；请使用本应用的应用公钥证书，或改为证书所属应用的 APPID"))
		}
	}
	r.AppCertSN = cert.SN
	r.Expiries = append(r.Expiries, Expiry{field, cert.SN, cert.X509.NotAfter})
	return pid, nil
}

// alipayCerts finds the certificates that may sign answers. Beside a valid one,
// those that are not valid yet are kept for when Alipay changes to them, and expired
// ones for answers that were received before.
func (c Config) alipayCerts(r *Credentials, pid string, now time.Time) error {
	list, field, err := source{"AlipayPublicCertContent", c.AlipayPublicCertContent, "AlipayPublicCertPath", c.AlipayPublicCertPath}.certificates(
		both("Alipay's certificate (支付宝公钥证书, alipayCertPublicKey_RSA2.crt) belongs here", "这里要填支付宝公钥证书（alipayCertPublicKey_RSA2.crt）"))
	if err != nil {
		return err
	}
	wrong := func(reason text) error {
		return mistake(field, reason.Then(both("use the 支付宝公钥证书 (alipayCertPublicKey_RSA2.crt) as downloaded from the console",
			"请使用从控制台下载的支付宝公钥证书（alipayCertPublicKey_RSA2.crt）")))
	}
	leaves, reason := r.sortOut(list)
	if reason != (text{}) {
		return wrong(reason)
	}
	r.AlipayCerts = make(map[string]AlipayCert, len(leaves))
	for _, leaf := range leaves {
		cert, reason := signerOf(leaf)
		if reason != (text{}) {
			return wrong(reason)
		}
		if name := alipaySubject.FindStringSubmatch(cert.Subject.CommonName); name != nil && pid != "" && name[1] != pid {
			return wrong(both("the certificate is for another merchant: its name (CN) ends in another PID than that of the application's certificate (AppCertContent), so files of two accounts are mixed up",
				"这是另一个商户的支付宝公钥证书：证书名称（CN）末尾的 PID 与应用公钥证书（AppCertContent）中的不同，两个账号的文件混在了一起"))
		}
		at, expired := now, now.After(cert.NotAfter)
		if expired {
			at = cert.NotAfter
		}
		_, reason = certs.CheckChain(leaf.X509, r.intermediates, r.roots, at)
		switch {
		case reason != text{} && expired:
			continue
		case reason != text{}:
			return wrong(both("the certificate does not lead to the configured root bundle (支付宝根证书, RootCertContent), or that is another one: %s",
				"证书链不到配置的支付宝根证书（RootCertContent），或根证书不对：%s", reason))
		}
		if _, twice := r.AlipayCerts[leaf.SN]; !twice && !expired {
			r.Expiries = append(r.Expiries, Expiry{field, leaf.SN, cert.NotAfter})
		}
		r.AlipayCerts[leaf.SN] = cert
	}
	if !slices.ContainsFunc(leaves, func(c certs.Certificate) bool { return notValidAt(c, now) == text{} }) {
		return wrong(notValidAt(leaves[0], now))
	}
	slices.SortStableFunc(r.Expiries, func(a, b Expiry) int { return a.NotAfter.Compare(b.NotAfter) })
	return nil
}

var selfSigned = both("the certificate is self-signed, so it was not issued by Alipay's certification authority", "证书是自签名的，不是支付宝 CA 签发的")

// sortOut separates the certificates that may sign answers from the intermediates,
// which it keeps. reason says why there are none.
func (c *Credentials) sortOut(list []certs.Certificate) (leaves []certs.Certificate, reason text) {
	isRoot := func(cert certs.Certificate) bool {
		return slices.ContainsFunc(c.roots, func(root certs.Certificate) bool { return bytes.Equal(root.Raw, cert.Raw) })
	}
	for _, cert := range list {
		switch {
		case cert.X509 == nil && isRoot(cert): // the SM2 root
		case cert.X509 == nil:
			return nil, both("one of the certificates cannot be read: "+certs.ErrUnsupported.Error(), "其中一张证书无法读取（如国密 SM2 证书，或已损坏）")
		case belongsTo(c.PublicKey, cert):
			return nil, both("this is the application's own certificate (应用公钥证书)", "这是应用自己的证书（应用公钥证书）")
		case certs.IsCA(cert.X509):
			c.intermediates = append(c.intermediates, cert)
		case slices.ContainsFunc(list, func(c certs.Certificate) bool { return isIssuer(cert.X509, c.X509) }):
			// The sandbox's intermediate, which has no basic constraints: it does not
			// sign answers, and a chain through it proves nothing.
		default:
			leaves = append(leaves, cert)
		}
	}
	switch {
	case len(leaves) > 0:
		return leaves, text{}
	case slices.ContainsFunc(list, isRoot):
		return nil, both("this is the root bundle (支付宝根证书), which belongs in RootCertContent", "这是支付宝根证书，应填到 RootCertContent")
	case slices.ContainsFunc(list, isSelfSigned):
		return nil, selfSigned
	}
	return nil, both("it contains CA certificates only, and none that signs answers", "其中只有 CA 证书，没有用来签名响应的证书")
}

// isIssuer reports whether another certificate names cert as its issuer.
func isIssuer(cert, other *x509.Certificate) bool {
	return other != nil && bytes.Equal(other.RawIssuer, cert.RawSubject) && !bytes.Equal(other.RawSubject, other.RawIssuer)
}

// signerOf says why a key cannot be Alipay's, whatever the dates and the chain.
func signerOf(leaf certs.Certificate) (cert AlipayCert, reason text) {
	key, isRSA := leaf.X509.PublicKey.(*rsa.PublicKey)
	switch {
	case certs.IsSelfSigned(leaf.X509):
		return cert, selfSigned
	case !isRSA:
		return cert, both("the certificate's key is not RSA", "证书的密钥不是 RSA")
	}
	return AlipayCert{Certificate: leaf.X509, Key: key}, weak(key)
}
