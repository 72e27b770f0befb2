package doctor

import (
	"cmp"
	"crypto/rsa"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
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
	return m != nil && m.Kind == kind && m.Defect == "" && (kind != keys.Certificate || m.certs != nil)
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
	if m.Kind == keys.Certificate && m.Defect == "" {
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
			r.describe(m, now)
		}
	}
	if !readable {
		r.note(r.t("there is none that can be read", "没有可以读取的密钥或证书"))
	}
	r.begin("fit", "Do they fit together", "是否配套")
	if before := len(r.findings); r.fit(all, now) == 0 && len(r.findings) == before {
		r.note(r.t("there are no two to compare", "没有可以互相比较的内容"))
	}
}

func (r *report) describe(m *material, now time.Time) {
	lines := []string{r.reason(m.Material.String())}
	if m.Defect != "" {
		lines = append(lines, r.t("damaged: ", "损坏：")+r.reason(m.Defect))
	}
	if m.certs == nil && m.Fingerprint() != "" {
		lines = append(lines, r.t("fingerprint of the public key (SHA-256): ", "公钥指纹（SHA-256）：")+m.Fingerprint())
	}
	for i, c := range m.certs {
		if c.X509 == nil {
			lines = append(lines, fmt.Sprintf(r.t("%d. SN %s: not readable here, as is usual for an SM2 certificate; no harm in a root bundle", "%d. SN %s：此处无法解析，国密 SM2 证书通常如此；在根证书文件中没有影响"), i+1, c.SN))
			continue
		}
		role := r.t("leaf", "终端证书")
		isAuthority := true
		switch {
		case isRoot(c):
			role = r.t("root", "根证书")
		case certs.IsSelfSigned(c.X509):
			role, isAuthority = r.t("self-signed", "自签名"), false
		case certs.IsCA(c.X509):
			role = r.t("intermediate", "中间证书")
		default:
			isAuthority = false
		}
		none := r.t("(none)", "（无）")
		lines = append(lines,
			fmt.Sprintf("%d. %s, CN %q, SN %s", i+1, role, cmp.Or(c.X509.Subject.CommonName, none), c.SN),
			fmt.Sprintf(r.t("   issued by CN %q, valid %s to %s (%s)", "   颁发者 CN %q，有效期 %s 至 %s（%s）"), cmp.Or(c.X509.Issuer.CommonName, none),
				c.X509.NotBefore.UTC().Format(time.DateOnly), c.X509.NotAfter.UTC().Format(time.DateOnly), r.remaining(c, now)))
		if !isAuthority {
			lines = append(lines, r.t("   fingerprint of the public key (SHA-256): ", "   公钥指纹（SHA-256）：")+r.fingerprint(c))
		}
	}
	r.add(levelNote, m.field, strings.Join(lines, "\n"))
}

func isRoot(c certs.Certificate) bool { return certs.IsSelfSigned(c.X509) && certs.IsCA(c.X509) }

func validAt(c certs.Certificate, now time.Time) bool {
	return !now.Before(c.X509.NotBefore) && !now.After(c.X509.NotAfter)
}

func (r *report) remaining(c certs.Certificate, now time.Time) string {
	switch days := int(c.X509.NotAfter.Sub(now).Hours() / 24); {
	case now.After(c.X509.NotAfter):
		return r.t("EXPIRED", "已过期")
	case now.Before(c.X509.NotBefore):
		return r.t("NOT YET VALID", "尚未生效")
	case c.X509.NotAfter.Sub(now) <= credentials.ExpiryNotice:
		return fmt.Sprintf(r.t("%d days left: renew it soon", "还剩 %d 天，请尽快更换"), days)
	default:
		return fmt.Sprintf(r.t("%d days left", "还剩 %d 天"), days)
	}
}

// fingerprint is "" for a key that is not RSA.
func fingerprint(c certs.Certificate) string {
	if c.X509 == nil {
		return ""
	}
	key, ok := c.X509.PublicKey.(*rsa.PublicKey)
	if !ok {
		return ""
	}
	return keys.Material{Public: key}.Fingerprint()
}

func (r *report) fingerprint(c certs.Certificate) string {
	return cmp.Or(fingerprint(c), r.t("none: the key is not RSA", "无：不是 RSA 密钥"))
}

// leaves are the certificates that are not those of authorities.
func (m *material) leaves() (leaves []certs.Certificate) {
	for _, c := range m.certs {
		if c.X509 != nil && !certs.IsCA(c.X509) {
			leaves = append(leaves, c)
		}
	}
	return leaves
}

// fit compares what can be compared and returns how many comparisons it made.
func (r *report) fit(all everything, now time.Time) (made int) {
	check := func(good bool, field, ifGood, ifBad string) {
		made++
		r.check(good, field, ifGood, ifBad)
	}
	own := ""
	if all.private.whole(keys.PrivateRSA) {
		own = all.private.Fingerprint()
	}
	isOwn := func(c certs.Certificate) bool { return fingerprint(c) == own }
	if own != "" && all.alipayKey.whole(keys.PublicRSA) {
		check(all.alipayKey.Fingerprint() != own, "AlipayPublicKey",
			r.t("Alipay's public key (支付宝公钥) is not the application's own", "支付宝公钥不是应用自己的公钥"),
			r.t("the key given as Alipay's (支付宝公钥) is the application's own public key (应用公钥)", "填作支付宝公钥的，是应用自己的公钥（应用公钥）"))
	}
	if own != "" && all.appCert.whole(keys.Certificate) {
		check(slices.ContainsFunc(all.appCert.certs, isOwn), "AppCertContent",
			r.t("the application's certificate (应用公钥证书) belongs to the private key", "应用公钥证书与应用私钥配套"),
			r.t("the application's certificate (应用公钥证书) belongs to another private key", "应用公钥证书属于另一把私钥"))
	}
	if own != "" && all.alipayCert.whole(keys.Certificate) {
		check(!slices.ContainsFunc(all.alipayCert.certs, isOwn), "AlipayPublicCertContent",
			r.t("Alipay's certificate (支付宝公钥证书) is not the application's own", "支付宝公钥证书不是应用自己的证书"),
			r.t("the certificate given as Alipay's (支付宝公钥证书) is the application's own (应用公钥证书)", "填作支付宝公钥证书的，是应用自己的证书（应用公钥证书）"))
	}
	if all.alipayKey.whole(keys.PublicRSA) && all.alipayCert.whole(keys.Certificate) {
		made++
		r.fail("AlipayPublicKey", r.t("a public key of Alipay's and a certificate of Alipay's are both set; the console says which mode the application is in (接口加签方式)", "支付宝公钥和支付宝公钥证书都已设置；应用用哪种方式，见控制台的接口加签方式"))
	}
	for _, c := range []struct {
		field, en, zh string
		*material
	}{{"AppCertContent", "the application's certificate (应用公钥证书)", "应用公钥证书", all.appCert}, {"AlipayPublicCertContent", "Alipay's certificate (支付宝公钥证书)", "支付宝公钥证书", all.alipayCert}} {
		if c.whole(keys.Certificate) && len(c.leaves()) > 0 {
			check(slices.ContainsFunc(c.leaves(), func(leaf certs.Certificate) bool { return validAt(leaf, now) }), c.field,
				r.t(c.en+" is within its dates", c.zh+"在有效期内"),
				r.t(c.en+" is outside its dates, or the clock of this machine is wrong", c.zh+"不在有效期内，或本机时钟不准"))
		}
	}
	if all.alipayCert.whole(keys.Certificate) && all.roots.whole(keys.Certificate) && slices.ContainsFunc(all.roots.certs, isRoot) {
		for _, leaf := range all.alipayCert.leaves() {
			result, reason := certs.CheckChain(leaf.X509, all.alipayCert.certs, all.roots.certs, now)
			name := r.t("Alipay's certificate ", "支付宝公钥证书 ") + leaf.SN
			if result == certs.Unchecked {
				made++
				r.note(name + r.t(": its intermediate is not in the file, so the chain to the root bundle cannot be checked; no mistake", "：文件中没有它的中间证书，无法校验到根证书的证书链；这不是错误"))
				continue
			}
			check(result == certs.Verified, "AlipayPublicCertContent",
				name+r.t(" leads to the root bundle", "可以追溯到根证书"),
				name+r.t(" does not lead to the root bundle: ", "不能追溯到根证书：")+r.t(reason.EN, reason.ZH))
		}
	}
	r.serialNumbers(all, own)
	return made
}

// serialNumbers says what a request in certificate mode carries.
func (r *report) serialNumbers(all everything, own string) {
	if all.appCert.whole(keys.Certificate) && own != "" {
		for _, c := range all.appCert.certs {
			if fingerprint(c) == own {
				r.note(r.t("app_cert_sn that is sent:          ", "发送的 app_cert_sn：          ") + c.SN)
			}
		}
	}
	if all.roots.whole(keys.Certificate) {
		if sn, err := certs.RootSN(all.roots.certs); err == nil {
			r.note(r.t("alipay-root-cert-sn that is sent:  ", "发送的 alipay-root-cert-sn：  ") + sn)
		}
	}
	if all.alipayCert.whole(keys.Certificate) {
		for _, c := range all.alipayCert.leaves() {
			r.note(r.t("alipay-sn that answers may carry:  ", "响应可以携带的 alipay-sn：    ") + c.SN)
		}
	}
}
