package credentials

import (
	"bytes"
	"crypto/x509"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/internal/certs"
)

// maxDownloaded bounds the work for a hostile download; a real one contains a leaf
// and its intermediate.
const maxDownloaded = 10

// Trust decides whether a downloaded certificate may sign answers. The download is
// no better protected than the answer that named the certificate, and every
// merchant has an application certificate under the same root, so the chain alone
// proves nothing. All of this must be true:
//
//   - exactly one certificate of the text has the SN that was asked for;
//   - its subject and its issuer are, byte for byte, those of one configured
//     certificate of Alipay's: the platform renews a certificate by its name;
//   - it is valid now, is no authority's, may sign, and has an RSA key of 2048
//     bits or more that is not the application's own;
//   - its chain leads to the configured root bundle, through authorities in the
//     text or in the configured file. A chain that cannot be checked is not
//     enough here, unlike in a config, which the operator has chosen.
//
// The error says which condition failed and contains nothing of the text.
func (c *Credentials) Trust(pem, wantSN string, now time.Time) (sn string, cert AlipayCert, err error) {
	refuse := func(reason string) (string, AlipayCert, error) { return "", AlipayCert{}, errors.New(reason) }
	if len(c.AlipayCerts) == 0 {
		return refuse("certificate mode is not configured")
	}
	list, err := certs.Parse(pem)
	switch {
	case err != nil:
		return refuse("the download is not a certificate: " + err.Error())
	case len(list) > maxDownloaded:
		return refuse("the download contains too many certificates")
	}
	leaf, reason := pick(list, strings.ToLower(strings.TrimSpace(wantSN)))
	if reason != "" {
		return refuse(reason)
	}
	cert, unusable := signerOf(leaf)
	cert.PEM = pem
	switch {
	case !c.isNameOfAlipay(leaf.X509):
		return refuse("subject and issuer of the downloaded certificate are not those of a configured certificate of Alipay's (AlipayPublicCertContent)")
	case unusable != (text{}):
		return refuse("not usable as downloaded: " + unusable.EN)
	case belongsTo(c.PublicKey, leaf):
		return refuse("the downloaded certificate contains the application's own public key")
	case certs.IsCA(leaf.X509):
		return refuse("the downloaded certificate is that of a certification authority, which signs no answers")
	case !maySign(leaf.X509):
		return refuse("the downloaded certificate is not meant for signatures (key usage, or a critical extension that is not known)")
	}
	if reason := notValidAt(leaf, now); reason != (text{}) {
		return refuse("not valid as downloaded: " + reason.EN)
	}
	switch verified, reason := certs.CheckChain(leaf.X509, append(list, c.intermediates...), c.roots, now); {
	case verified:
		return leaf.SN, cert, nil
	case reason != text{}:
		return refuse("the downloaded certificate does not lead to the configured root bundle (RootCertContent): " + reason.EN)
	}
	return refuse("the downloaded certificate's chain cannot be checked: the certificate of its issuer is neither in the download nor in AlipayPublicCertContent")
}

// With returns a copy that also accepts answers signed under cert.
func (c *Credentials) With(sn string, cert AlipayCert) *Credentials {
	added := *c
	added.AlipayCerts = make(map[string]AlipayCert, len(c.AlipayCerts)+1)
	maps.Copy(added.AlipayCerts, c.AlipayCerts)
	added.AlipayCerts[sn] = cert
	return &added
}

// pick finds the certificate that was asked for. An SN is an MD5 hash, so an
// attacker may have made two certificates with the same one.
func pick(list []certs.Certificate, sn string) (leaf certs.Certificate, reason string) {
	for _, c := range list {
		switch {
		case c.SN != sn:
		case c.X509 == nil:
			return leaf, "the downloaded certificate cannot be read: " + certs.ErrUnsupported.Error()
		case leaf.Raw != nil && !bytes.Equal(c.Raw, leaf.Raw):
			return leaf, "the download contains two certificates with the SN that was asked for"
		default:
			leaf = c
		}
	}
	if leaf.Raw == nil {
		return leaf, "the download contains no certificate with the SN that was asked for"
	}
	return leaf, ""
}

// isNameOfAlipay compares with configured certificates only: a downloaded
// certificate must not widen what is trusted later.
func (c *Credentials) isNameOfAlipay(cert *x509.Certificate) bool {
	for _, configured := range c.AlipayCerts {
		if configured.PEM == "" && bytes.Equal(configured.RawSubject, cert.RawSubject) && bytes.Equal(configured.RawIssuer, cert.RawIssuer) {
			return true
		}
	}
	return false
}

// maySign is true for certificates without key usage too, as X.509 v1 has none.
func maySign(c *x509.Certificate) bool {
	return (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageDigitalSignature != 0) && len(c.UnhandledCriticalExtensions) == 0
}
