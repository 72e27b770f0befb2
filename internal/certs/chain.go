package certs

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

// CheckChain asks crypto/x509 whether leaf leads to one of roots through
// intermediates: every signature on the way must verify, every intermediate must be
// a CA in its validity period, and no restriction may forbid the leaf. Neither the
// leaf's own dates nor the roots' are checked. Certificates without X509 are skipped.
//
// For a chain that does not verify it gives the reason, which is safe to show; none where
// no certificate with the name of leaf's issuer is at hand, so that nothing can be said.
func CheckChain(leaf *x509.Certificate, intermediates, roots []Certificate, now time.Time) (verified bool, reason bilingual.Text) {
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now,
		// Of a certificate with an extended key usage; serverAuth alone does not sign answers.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
	}
	always := func(c *x509.Certificate) *x509.Certificate {
		always := *c
		always.NotBefore, always.NotAfter = now, now
		return &always
	}
	for _, c := range roots {
		if c.X509 != nil {
			options.Roots.AddCert(always(c.X509))
		}
	}
	for _, c := range intermediates {
		if c.X509 != nil {
			options.Intermediates.AddCert(c.X509)
		}
	}
	if _, err := always(leaf).Verify(options); err == nil {
		return true, reason
	}
	return false, whyNot([]*x509.Certificate{leaf}, intermediates, roots, now)
}

// whyNot says what keeps the last certificate of path from the roots. Of several
// certificates with its issuer's name the first that has signed it counts, or else
// what is wrong with the first.
func whyNot(path []*x509.Certificate, intermediates, roots []Certificate, now time.Time) (reason bilingual.Text) {
	child, none := path[len(path)-1], bilingual.Text{}
	for i, c := range slices.Concat(roots, intermediates) {
		if c.X509 == nil || !bytes.Equal(c.X509.RawSubject, child.RawIssuer) || slices.ContainsFunc(path, c.X509.Equal) {
			continue
		}
		isRoot := i < len(roots)
		wrong := notSigned(path, c.X509, isRoot)
		if !isRoot {
			wrong = cmp.Or(unfit(c.X509, len(path)-1, now), wrong)
		}
		switch {
		case wrong != none:
			reason = cmp.Or(reason, wrong)
		case isRoot:
			return bilingual.Of("it, or a certificate above it, has a restriction that forbids this use (critical extension, name constraint or extended key usage)",
				"它或其上级证书带有禁止此用途的限制（关键扩展、名称约束或扩展密钥用法）")
		default:
			return whyNot(append(path, c.X509), intermediates, roots, now)
		}
	}
	if reason == none && len(path) > 1 {
		return bilingual.Of("the issuer of its intermediate certificate is not in the root bundle", "中间证书的颁发者不在根证书中")
	}
	return reason
}

// unfit says why c cannot be an intermediate with so many more below it.
func unfit(c *x509.Certificate, below int, now time.Time) bilingual.Text {
	switch {
	case !IsCA(c):
		return bilingual.Of("the certificate with its issuer's name is not a CA certificate", "颁发者名下的证书不是 CA 证书")
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return bilingual.Of("its intermediate certificate is valid from %s to %s only", "它的中间证书只在 %s 至 %s 有效",
			c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
	case c.MaxPathLen >= 0 && below > c.MaxPathLen:
		return bilingual.Of("its chain of intermediate certificates is longer than allowed", "中间证书链过长")
	}
	return bilingual.Text{}
}

// notSigned says why the signature of issuer under the last certificate of path does
// not count.
func notSigned(path []*x509.Certificate, issuer *x509.Certificate, isRoot bool) bilingual.Text {
	child, subject, what := path[len(path)-1], bilingual.Of("it", "它"), "intermediate"
	if len(path) > 1 {
		subject = bilingual.Of("its intermediate certificate", "它的中间证书")
	}
	if isRoot {
		what = "root"
	}
	err := child.CheckSignatureFrom(issuer)
	if err == nil {
		return bilingual.Text{}
	}
	if errors.As(err, new(x509.InsecureAlgorithmError)) {
		return bilingual.Of("%s is signed with an algorithm that is no longer safe", "%s的签名算法已不安全", subject)
	}
	return bilingual.Of("%s is not signed by the %s certificate with its issuer's name", "%[1]s的签名与颁发者名下的证书不符", subject, what)
}
