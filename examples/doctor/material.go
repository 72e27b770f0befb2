package main

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
	"github.com/seed-39a49030/alipay/internal/keys"
)

// material is what one field, or the file that it names, holds.
type material struct {
	field string
	keys.Material
	certs []certs.Certificate // of a certificate file
}

// whole reports whether it is of the kind that belongs there, and undamaged.
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
	r.section("Keys and certificates")
	readable := false
	for _, m := range []*material{all.private, all.alipayKey, all.appCert, all.alipayCert, all.roots} {
		if m != nil {
			readable = true
			r.describe(m, now)
		}
	}
	if !readable {
		r.note("there is none that can be read")
	}
	r.section("Do they fit together")
	before := r.failures
	fit := r.fit(all, now)
	if fit == 0 && r.failures == before {
		r.note("there are no two to compare")
	}
}

func (r *report) describe(m *material, now time.Time) {
	fmt.Fprintf(r.out, "        %s: %s\n", m.field, m.Material.String())
	if m.Defect != "" {
		r.note("    damaged: %s", m.Defect)
	}
	if m.certs == nil && m.Fingerprint() != "" {
		r.note("    fingerprint of the public key (SHA-256): %s", m.Fingerprint())
	}
	for i, c := range m.certs {
		if c.X509 == nil {
			r.note("    %d. SN %s: not readable here, as is usual for an SM2 certificate; no harm in a root bundle", i+1, c.SN)
			continue
		}
		role := "leaf"
		switch {
		case isRoot(c):
			role = "root"
		case certs.IsSelfSigned(c.X509):
			role = "self-signed"
		case certs.IsCA(c.X509):
			role = "intermediate"
		}
		r.note("    %d. %s, CN %q, SN %s", i+1, role, cmp.Or(c.X509.Subject.CommonName, "(none)"), c.SN)
		r.note("       issued by CN %q, valid %s to %s (%s)", cmp.Or(c.X509.Issuer.CommonName, "(none)"),
			c.X509.NotBefore.Format(time.DateOnly), c.X509.NotAfter.Format(time.DateOnly), remaining(c, now))
		if role != "root" && role != "intermediate" {
			r.note("       fingerprint of the public key (SHA-256): %s", fingerprint(c))
		}
	}
}

func isRoot(c certs.Certificate) bool { return certs.IsSelfSigned(c.X509) && certs.IsCA(c.X509) }

func validAt(c certs.Certificate, now time.Time) bool {
	return !now.Before(c.X509.NotBefore) && !now.After(c.X509.NotAfter)
}

func remaining(c certs.Certificate, now time.Time) string {
	switch days := int(c.X509.NotAfter.Sub(now).Hours() / 24); {
	case now.After(c.X509.NotAfter):
		return "EXPIRED"
	case now.Before(c.X509.NotBefore):
		return "NOT YET VALID"
	case days <= 30:
		return fmt.Sprintf("%d days left: renew it soon", days)
	default:
		return fmt.Sprintf("%d days left", days)
	}
}

func fingerprint(c certs.Certificate) string {
	key, ok := publicKey(c)
	if !ok {
		return "none: the key is not RSA"
	}
	return keys.Material{Public: key}.Fingerprint()
}

func publicKey(c certs.Certificate) (*rsa.PublicKey, bool) {
	if c.X509 == nil {
		return nil, false
	}
	key, ok := c.X509.PublicKey.(*rsa.PublicKey)
	return key, ok
}

// leaves are the certificates that are no authorities'.
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
	compare := func(good bool, ifGood, ifBad string) {
		made++
		r.verdict(good, ifGood, ifBad)
	}
	own := ""
	if all.private.whole(keys.PrivateRSA) {
		own = all.private.Fingerprint()
	}
	if own != "" && all.alipayKey.whole(keys.PublicRSA) {
		compare(all.alipayKey.Fingerprint() != own,
			"Alipay's public key (支付宝公钥) is not the application's own",
			"the key given as Alipay's (支付宝公钥) is the application's own public key (应用公钥)")
	}
	if own != "" && all.appCert.whole(keys.Certificate) {
		matches := false
		for _, c := range all.appCert.certs {
			matches = matches || fingerprint(c) == own
		}
		compare(matches, "the application's certificate (应用公钥证书) belongs to the private key",
			"the application's certificate (应用公钥证书) belongs to another private key")
	}
	if own != "" && all.alipayCert.whole(keys.Certificate) {
		stranger := true
		for _, c := range all.alipayCert.certs {
			stranger = stranger && fingerprint(c) != own
		}
		compare(stranger, "Alipay's certificate (支付宝公钥证书) is not the application's own",
			"the certificate given as Alipay's (支付宝公钥证书) is the application's own (应用公钥证书)")
	}
	if all.alipayKey.whole(keys.PublicRSA) && all.alipayCert.whole(keys.Certificate) {
		made++
		r.fail("a public key of Alipay's and a certificate of Alipay's are both set; the console says which mode the application is in (接口加签方式)")
	}
	for _, c := range []struct {
		what string
		*material
	}{{"the application's certificate (应用公钥证书)", all.appCert}, {"Alipay's certificate (支付宝公钥证书)", all.alipayCert}} {
		if c.whole(keys.Certificate) && len(c.leaves()) > 0 {
			compare(slices.ContainsFunc(c.leaves(), func(leaf certs.Certificate) bool { return validAt(leaf, now) }),
				c.what+" is within its dates", c.what+" is outside its dates, or the clock of this machine is wrong")
		}
	}
	if all.alipayCert.whole(keys.Certificate) && all.roots.whole(keys.Certificate) && slices.ContainsFunc(all.roots.certs, isRoot) {
		for _, leaf := range all.alipayCert.leaves() {
			result, reason := certs.CheckChain(leaf.X509, all.alipayCert.certs, all.roots.certs, now)
			if result == certs.Unchecked {
				made++
				r.note("Alipay's certificate %s: its intermediate is not in the file, so the chain to the root bundle cannot be checked; no mistake", leaf.SN)
				continue
			}
			compare(result == certs.Verified,
				"Alipay's certificate "+leaf.SN+" leads to the root bundle",
				"Alipay's certificate "+leaf.SN+" does not lead to the root bundle: "+reason)
		}
	}
	r.serialNumbers(all, own)
	return made
}

// serialNumbers prints what a request in certificate mode carries.
func (r *report) serialNumbers(all everything, own string) {
	if all.appCert.whole(keys.Certificate) && own != "" {
		for _, c := range all.appCert.certs {
			if fingerprint(c) == own {
				r.note("app_cert_sn that is sent:          %s", c.SN)
			}
		}
	}
	if all.roots.whole(keys.Certificate) {
		if sn, err := certs.RootSN(all.roots.certs); err == nil {
			r.note("alipay-root-cert-sn that is sent:  %s", sn)
		}
	}
	if all.alipayCert.whole(keys.Certificate) {
		for _, c := range all.alipayCert.leaves() {
			r.note("alipay-sn that answers may carry:  %s", c.SN)
		}
	}
}
