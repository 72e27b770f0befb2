package credentials

import (
	"bytes"
	"cmp"
	"crypto/rsa"
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
}

// resolveCertificates fills in what certificate mode needs.
func (c Config) resolveCertificates(r *Credentials, now time.Time) error {
	roots, rootField, err := loadCertificates("RootCertContent", c.RootCertContent, c.RootCertPath,
		"Alipay's root bundle (支付宝根证书, alipayRootCert.crt) belongs here")
	if err != nil {
		return err
	}
	if r.RootCertSN, err = certs.RootSN(roots); err != nil {
		return &Error{rootField, "there is no certificate with an RSA signature in it; use the root bundle (支付宝根证书, alipayRootCert.crt) as downloaded"}
	}
	if !slices.ContainsFunc(roots, func(c certs.Certificate) bool { return certs.IsSelfSigned(c.X509) }) {
		return &Error{rootField, "there is no root certificate in it; use the root bundle (支付宝根证书, alipayRootCert.crt), not the application's or Alipay's own certificate"}
	}
	if r.AppCertSN, err = c.appCert(r.PublicKey, now); err != nil {
		return err
	}
	r.AlipayCerts, err = c.alipayCerts(r.PublicKey, roots, now)
	return err
}

func loadCertificates(field, content, path, belongs string) ([]certs.Certificate, string, error) {
	text, field, err := load(field, content, path)
	if err != nil {
		return nil, field, err
	}
	m := keys.Inspect(text)
	if m.Kind == keys.PathLike {
		return nil, field, isPath(field)
	}
	if m.Kind != keys.Certificate || m.Defect != "" {
		return nil, field, found(field, m, belongs)
	}
	list, err := certs.Parse(text)
	if err != nil {
		return nil, field, &Error{field, err.Error() + "; " + belongs}
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

// appCert returns the SN of the application's certificate.
func (c Config) appCert(own *rsa.PublicKey, now time.Time) (sn string, err error) {
	list, field, err := loadCertificates("AppCertContent", c.AppCertContent, c.AppCertPath,
		"the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here")
	if err != nil {
		return "", err
	}
	authoritiesOnly := true
	for _, cert := range list {
		authoritiesOnly = authoritiesOnly && (cert.X509 == nil || certs.IsCA(cert.X509))
		if !belongsTo(own, cert) {
			continue
		}
		if reason := notValidAt(cert, now); reason != "" {
			return "", &Error{field, reason + "; download a new one (应用公钥证书) from the console"}
		}
		return cert.SN, nil
	}
	if authoritiesOnly {
		return "", &Error{field, "it holds certificates of certification authorities only; the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here"}
	}
	return "", &Error{field, "the certificate does not match the application's private key; use the 应用公钥证书 that was issued for this key, or the key that belongs to the certificate"}
}

// notValidAt gives the dates of a certificate that is not valid, else "".
func notValidAt(c certs.Certificate, now time.Time) string {
	const day = "2006-01-02 15:04:05 MST"
	switch {
	case now.After(c.X509.NotAfter):
		return "the certificate expired on " + c.X509.NotAfter.UTC().Format(day) + ", it was valid from " + c.X509.NotBefore.UTC().Format(day)
	case now.Before(c.X509.NotBefore):
		return "the certificate is not valid before " + c.X509.NotBefore.UTC().Format(day) + " (until " + c.X509.NotAfter.UTC().Format(day) + "); check the clock of this machine"
	}
	return ""
}

// alipayCerts returns the certificates that may sign answers, by SN.
// Intermediates are no signers. Beside a valid certificate an expired one is
// passed over, and one that is not valid yet is ready for the day on which
// Alipay changes to it.
func (c Config) alipayCerts(own *rsa.PublicKey, roots []certs.Certificate, now time.Time) (map[string]AlipayCert, error) {
	list, field, err := loadCertificates("AlipayPublicCertContent", c.AlipayPublicCertContent, c.AlipayPublicCertPath,
		"Alipay's certificate (支付宝公钥证书, alipayCertPublicKey_RSA2.crt) belongs here")
	if err != nil {
		return nil, err
	}
	const download = "; use the 支付宝公钥证书 (alipayCertPublicKey_RSA2.crt) as downloaded from the console"
	wrong := func(reason string) (map[string]AlipayCert, error) {
		return nil, &Error{field, reason + download}
	}
	var leaves, intermediates []certs.Certificate
	anyRoot, anySelfSigned := false, false
	for _, cert := range list {
		isRoot := isAmong(roots, cert)
		anyRoot = anyRoot || isRoot
		anySelfSigned = anySelfSigned || certs.IsSelfSigned(cert.X509)
		switch {
		case cert.X509 == nil && !isRoot:
			return wrong("one of the certificates cannot be read: " + cert.Err.Error())
		case belongsTo(own, cert):
			return wrong("this is the application's own certificate (应用公钥证书)")
		case certs.IsCA(cert.X509):
			intermediates = append(intermediates, cert)
		case cert.X509 != nil:
			leaves = append(leaves, cert)
		}
	}
	switch {
	case len(leaves) > 0:
	case anyRoot:
		return wrong("it holds the root bundle (支付宝根证书), which belongs into RootCertContent")
	case anySelfSigned:
		return wrong(selfSigned)
	default:
		return wrong("it holds certificates of certification authorities only, and none that signs answers")
	}
	signers := make(map[string]AlipayCert)
	invalid, anyValid := "", false
	for _, leaf := range leaves {
		key := publicKey(leaf)
		switch {
		case certs.IsSelfSigned(leaf.X509):
			return wrong(selfSigned)
		case key == nil:
			return wrong("the certificate's key is not RSA")
		case key.N.BitLen() < minKeyBits:
			return wrong(tooShort(key.N.BitLen()))
		}
		if reason := notValidAt(leaf, now); reason != "" {
			invalid = cmp.Or(invalid, reason)
			if now.After(leaf.X509.NotAfter) {
				continue
			}
		} else {
			anyValid = true
		}
		if result, reason := certs.CheckChain(leaf.X509, intermediates, roots, now); result == certs.Foreign {
			return wrong("the certificate does not lead to the configured root bundle (支付宝根证书, RootCertContent), or that is another one: " + reason)
		}
		signers[leaf.SN] = AlipayCert{
			Key: key, NotBefore: leaf.X509.NotBefore, NotAfter: leaf.X509.NotAfter,
			Subject: leaf.X509.RawSubject, Issuer: leaf.X509.RawIssuer,
		}
	}
	if !anyValid {
		return wrong(invalid)
	}
	return signers, nil
}

const selfSigned = "the certificate is self-signed, so it was not issued by Alipay's certification authority"

func isAmong(list []certs.Certificate, cert certs.Certificate) bool {
	return slices.ContainsFunc(list, func(c certs.Certificate) bool { return bytes.Equal(c.Raw, cert.Raw) })
}
