package doctor

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/bilingual"
	"github.com/seed-39a49030/alipay/internal/certs"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/keys"
)

// material is the content of one field, or of the file that it names.
type material struct {
	field string
	keys.Material
	certs []certs.Certificate // of a certificate file
}

// whole reports whether it is of the expected kind, and undamaged.
func (m *material) whole(kind keys.Kind) bool {
	return m != nil && m.Kind == kind && m.Defect == (text{}) && (kind != keys.Certificate || m.certs != nil)
}

// read returns nil where nothing is set or the file cannot be read, which
// NewClient reports.
func read(field, content, path string) *material {
	if path != "" && content == "" {
		data, err := os.ReadFile(strings.TrimSpace(path))
		if err != nil {
			return nil
		}
		content, field = string(data), strings.TrimSuffix(field, "Content")+"Path"
	}
	if strings.TrimSpace(content) == "" {
		return nil
	}
	m := &material{field: field, Material: keys.Inspect(content)}
	if m.Kind == keys.Certificate && m.Defect == (text{}) {
		m.certs, _ = certs.Parse(content)
	}
	return m
}

// everything is the keys and certificates of a config; what is not set is nil.
type everything struct{ private, alipayKey, appCert, alipayCert, roots *material }

func readAll(c alipay.AlipayConfig) everything {
	return everything{
		private:    read("PrivateKey", c.PrivateKey, c.PrivateKeyPath),
		alipayKey:  read("AlipayPublicKey", c.AlipayPublicKey, c.AlipayPublicKeyPath),
		appCert:    read("AppCertContent", c.AppCertContent, c.AppCertPath),
		alipayCert: read("AlipayPublicCertContent", c.AlipayPublicCertContent, c.AlipayPublicCertPath),
		roots:      read("RootCertContent", c.RootCertContent, c.RootCertPath),
	}
}

// materials says what each key and certificate is, and whether they fit together.
func (r *report) materials(c alipay.AlipayConfig, now time.Time) {
	all := readAll(c)
	r.begin("materials", "Keys and certificates", "密钥与证书")
	readable := false
	for _, m := range []*material{all.private, all.alipayKey, all.appCert, all.alipayCert, all.roots} {
		if m != nil {
			readable = true
			r.add(levelNote, m.field, m.describe(now))
		}
	}
	if !readable {
		r.note(both("there is none that can be read", "没有可以读取的密钥或证书"))
	}
	r.begin("fit", "Do they fit together", "是否配套")
	before := len(r.findings)
	if r.fit(all, now); len(r.findings) == before {
		r.note(both("nothing that fits together was found", "没有发现互相配套的内容"))
	}
}

func (m *material) describe(now time.Time) text {
	list := []text{m.Text()}
	if m.Defect != (text{}) {
		list = append(list, both("damaged: %s", "损坏：%s", m.Defect))
	}
	if m.certs == nil && fingerprint(m.Public) != "" {
		list = append(list, both("fingerprint of the public key (SHA-256): %s", "公钥指纹（SHA-256）：%s", fingerprint(m.Public)))
	}
	for i, c := range m.certs {
		if c.X509 == nil {
			list = append(list, both("%d. SN %s: not readable here, as is usual for an SM2 certificate; no harm in a root bundle", "%d. SN %s：此处无法解析，国密 SM2 证书通常如此；在根证书文件中没有影响", i+1, c.SN))
			continue
		}
		role := both("leaf", "终端证书")
		isAuthority := true
		switch {
		case isRoot(c):
			role = both("root", "根证书")
		case certs.IsSelfSigned(c.X509):
			role, isAuthority = both("self-signed", "自签名"), false
		case certs.IsCA(c.X509):
			role = both("intermediate", "中间证书")
		default:
			isAuthority = false
		}
		list = append(list,
			both("%d. %s, %s, SN %s", "%d. %s，%s，SN %s", i+1, role, name(c.X509.Subject), c.SN),
			both("   issued by %s, valid %s to %s (%s)", "   颁发者 %s，有效期 %s 至 %s（%s）", name(c.X509.Issuer), day(c.X509.NotBefore), day(c.X509.NotAfter), remaining(c, now)))
		if !isAuthority {
			shown := bilingual.Same(certFingerprint(c))
			if shown.EN == "" {
				shown = both("none: the key is not RSA", "无：不是 RSA 密钥")
			}
			list = append(list, both("   fingerprint of the public key (SHA-256): %s", "   公钥指纹（SHA-256）：%s", shown))
		}
	}
	return lines(list...)
}

// name is what people call the owner of a certificate.
func name(n pkix.Name) text {
	if n.CommonName == "" {
		return both("CN (none)", "CN（无）")
	}
	return bilingual.Same(fmt.Sprintf("CN %q", n.CommonName))
}

func day(at time.Time) string { return at.UTC().Format(time.DateOnly) }

func isRoot(c certs.Certificate) bool { return certs.IsSelfSigned(c.X509) && certs.IsCA(c.X509) }

func validAt(c certs.Certificate, now time.Time) bool {
	return !now.Before(c.X509.NotBefore) && !now.After(c.X509.NotAfter)
}

func remaining(c certs.Certificate, now time.Time) text {
	switch days := int(c.X509.NotAfter.Sub(now).Hours() / 24); {
	case now.After(c.X509.NotAfter):
		return both("EXPIRED", "已过期")
	case now.Before(c.X509.NotBefore):
		return both("NOT YET VALID", "尚未生效")
	case c.X509.NotAfter.Sub(now) <= credentials.ExpiryNotice:
		return both("%d days left: renew it soon", "还剩 %d 天，请尽快更换", days)
	default:
		return both("%d days left", "还剩 %d 天", days)
	}
}

// fingerprint is the lower-case hex SHA-256 of a public key as SPKI, so both halves of
// one pair and its certificate show the same; "" where there is no RSA key.
func fingerprint(key *rsa.PublicKey) string {
	if key == nil {
		return ""
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(spki))
}

func certFingerprint(c certs.Certificate) string {
	if c.X509 == nil {
		return ""
	}
	key, _ := c.X509.PublicKey.(*rsa.PublicKey)
	return fingerprint(key)
}

// leaves are the certificates that are not those of authorities.
func (m *material) leaves() (leaves []certs.Certificate) {
	if m == nil {
		return nil
	}
	for _, c := range m.certs {
		if c.X509 != nil && !certs.IsCA(c.X509) {
			leaves = append(leaves, c)
		}
	}
	return leaves
}

// fit says what fits together. What does not is a mistake, and reported as one.
func (r *report) fit(all everything, now time.Time) {
	ok := func(good bool, field, en, zh string) {
		if good {
			r.add(levelOK, field, both(en, zh))
		}
	}
	own := ""
	if all.private.whole(keys.Private) {
		own = fingerprint(all.private.Public)
	}
	isOwn := func(c certs.Certificate) bool { return certFingerprint(c) == own }
	valid := func(c certs.Certificate) bool { return validAt(c, now) }
	if own != "" && all.alipayKey.whole(keys.Public) {
		ok(fingerprint(all.alipayKey.Public) != own, "AlipayPublicKey", "it is not the application's own public key", "不是应用自己的公钥")
	}
	if own != "" && all.appCert.whole(keys.Certificate) {
		ok(slices.ContainsFunc(all.appCert.certs, isOwn), "AppCertContent", "it belongs to the private key", "与应用私钥配套")
	}
	if own != "" && all.alipayCert.whole(keys.Certificate) {
		ok(!slices.ContainsFunc(all.alipayCert.certs, isOwn), "AlipayPublicCertContent", "it is not the application's own certificate", "不是应用自己的证书")
	}
	ok(slices.ContainsFunc(all.appCert.leaves(), valid), "AppCertContent", "it is within its dates", "在有效期内")
	ok(slices.ContainsFunc(all.alipayCert.leaves(), valid), "AlipayPublicCertContent", "it is within its dates", "在有效期内")
	if all.alipayCert.whole(keys.Certificate) && all.roots.whole(keys.Certificate) && slices.ContainsFunc(all.roots.certs, isRoot) {
		for _, leaf := range all.alipayCert.leaves() {
			switch verified, reason := certs.CheckChain(leaf.X509, all.alipayCert.certs, all.roots.certs, now); {
			case verified:
				r.add(levelOK, "AlipayPublicCertContent", both("%s leads to the root bundle", "%s 的证书链可以追溯到根证书", leaf.SN))
			case reason == text{}:
				r.add(levelNote, "AlipayPublicCertContent", both("%s: its intermediate is not in the file, so the chain to the root bundle cannot be checked; no mistake",
					"%s：文件中没有它的中间证书，无法校验到根证书的证书链；这不是错误", leaf.SN))
			}
		}
	}
	r.serialNumbers(all, own)
}

// serialNumbers says what a request in certificate mode carries.
func (r *report) serialNumbers(all everything, own string) {
	if all.appCert.whole(keys.Certificate) && own != "" {
		for _, c := range all.appCert.certs {
			if certFingerprint(c) == own {
				r.note(both("app_cert_sn that is sent:          %s", "发送的 app_cert_sn：          %s", c.SN))
			}
		}
	}
	if all.roots.whole(keys.Certificate) {
		if sn, err := certs.RootSN(all.roots.certs); err == nil {
			r.note(both("alipay-root-cert-sn that is sent:  %s", "发送的 alipay-root-cert-sn：  %s", sn))
		}
	}
	if all.alipayCert.whole(keys.Certificate) {
		for _, c := range all.alipayCert.leaves() {
			r.note(both("alipay-sn that answers may carry:  %s", "响应可以携带的 alipay-sn：    %s", c.SN))
		}
	}
}
