package certs

import (
	"bytes"
	"crypto/fips140"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

// ChainResult is what CheckChain found.
type ChainResult int

// The results.
const (
	Foreign   ChainResult = iota // the chain is there, but it does not verify
	Unchecked                    // the issuer of the leaf is not at hand
	Verified                     // every signature up to a root verifies
)

// String names the result.
func (r ChainResult) String() string {
	switch r {
	case Verified:
		return "verified"
	case Unchecked:
		return "unchecked"
	default:
		return "foreign"
	}
}

// Bounds on the search through a hostile bundle.
const (
	maxSignatureChecks = 100
	maxDepth           = 10
)

// CheckChain follows issuer names from leaf through intermediates, in any order,
// to one of roots. Every signature on the way must verify, every intermediate must
// be a CA in its validity period, and no restriction on the way may forbid the
// leaf; of several certificates with one name any may be used. Neither the leaf's
// own dates nor the roots' are checked.
//
// Unchecked means that no certificate with the name of leaf's issuer is among
// them. For Foreign it also returns the reason, which is safe to show.
// Certificates without X509 are skipped. A self-signed leaf is Unchecked too,
// unless it is a root: use IsSelfSigned.
func CheckChain(leaf *x509.Certificate, intermediates, roots []Certificate, now time.Time) (ChainResult, bilingual.Text) {
	if leaf == nil {
		return Foreign, bilingual.Of("the certificate cannot be read", "证书无法读取")
	}
	s := search{intermediates: intermediates, roots: roots, now: now}
	switch found, holds := s.climb([]*x509.Certificate{leaf}); {
	case holds:
		return Verified, bilingual.Text{}
	case s.checks >= maxSignatureChecks:
		return Foreign, bilingual.Of("too many certificates with the same name", "同名证书过多，无法逐一尝试")
	case found:
		return Foreign, s.reason
	default:
		return Unchecked, bilingual.Text{}
	}
}

type search struct {
	intermediates, roots []Certificate
	now                  time.Time
	checks               int            // signatures checked so far
	reason               bilingual.Text // why the longest attempt failed
	depth                int            // how long it was
}

// climb looks for the issuer of the last certificate of path: found says whether
// there is any with that name, holds whether a path through one reaches a root.
func (s *search) climb(path []*x509.Certificate) (found, holds bool) {
	child := path[len(path)-1]
	for _, c := range s.roots {
		if c.X509 == nil || !bytes.Equal(c.X509.RawSubject, child.RawIssuer) {
			continue
		}
		found = true
		if s.signs(c.X509, path, "root") && s.allowed(path, c.X509) {
			return true, true
		}
	}
	for _, c := range s.intermediates {
		if c.X509 == nil || !bytes.Equal(c.X509.RawSubject, child.RawIssuer) || slices.ContainsFunc(path, c.X509.Equal) {
			continue
		}
		found = true
		if !s.mayIssue(c.X509, path) || !s.signs(c.X509, path, "intermediate") {
			continue
		}
		above, holds := s.climb(append(slices.Clone(path), c.X509))
		if holds {
			return true, true
		}
		if !above {
			s.failed(path, "the issuer of its intermediate certificate is not in the root bundle", "中间证书的颁发者不在根证书中")
		}
	}
	return found, false
}

// mayIssue checks what an intermediate must be before its signature counts.
func (s *search) mayIssue(c *x509.Certificate, path []*x509.Certificate) bool {
	const day = time.DateOnly
	between := len(path) - 1 // intermediates below c
	switch {
	case !IsCA(c):
		s.failed(path, "the certificate with its issuer's name is not a CA certificate", "颁发者名下的证书不是 CA 证书")
	case s.now.Before(c.NotBefore) || s.now.After(c.NotAfter):
		s.failed(path, "its intermediate certificate is valid from %s to %s only", "它的中间证书只在 %s 至 %s 有效", c.NotBefore.UTC().Format(day), c.NotAfter.UTC().Format(day))
	case len(path) >= maxDepth, c.MaxPathLen >= 0 && (c.MaxPathLen > 0 || c.MaxPathLenZero) && between > c.MaxPathLen:
		s.failed(path, "its chain of intermediate certificates is longer than allowed", "中间证书链过长")
	default:
		return true
	}
	return false
}

// allowed reports whether crypto/x509 takes the path to root too: it knows every
// restriction that a certificate can put on those below it.
func (s *search) allowed(path []*x509.Certificate, root *x509.Certificate) bool {
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: s.now,
		// Of a certificate with an extended key usage; serverAuth alone does not sign answers.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
	}
	always := func(c *x509.Certificate) *x509.Certificate { // see CheckChain on dates
		always := *c
		always.NotBefore, always.NotAfter = s.now, s.now
		return &always
	}
	options.Roots.AddCert(always(root))
	for _, c := range path[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := always(path[0]).Verify(options); err == nil {
		return true
	}
	s.failed(path, "it, or a certificate above it, has a restriction that forbids this use (critical extension, name constraint or extended key usage)",
		"它或其上级证书带有禁止此用途的限制（关键扩展、名称约束或扩展密钥用法）")
	return false
}

// signs reports whether issuer signed the last certificate of path.
func (s *search) signs(issuer *x509.Certificate, path []*x509.Certificate, what string) bool {
	if s.checks >= maxSignatureChecks {
		return false
	}
	s.checks++
	err := path[len(path)-1].CheckSignatureFrom(issuer)
	if err == nil {
		return true
	}
	subject := bilingual.Of("it", "它")
	if len(path) > 1 {
		subject = bilingual.Of("its intermediate certificate", "它的中间证书")
	}
	outsideFIPS := false
	if fips140.Enforced() {
		fips140.WithoutEnforcement(func() { outsideFIPS = path[len(path)-1].CheckSignatureFrom(issuer) == nil })
	}
	var insecure x509.InsecureAlgorithmError
	switch {
	case errors.As(err, &insecure):
		s.failed(path, "%s is signed with an algorithm that is no longer safe", "%s的签名算法已不安全", subject)
	case outsideFIPS:
		s.failed(path, "%s is signed with an RSA key that GODEBUG=fips140=only does not allow", "GODEBUG=fips140=only 不允许%s的签名密钥", subject)
	default:
		s.failed(path, "%s is not signed by the %s certificate with its issuer's name", "%[1]s的签名与颁发者名下的证书不符", subject, what)
	}
	return false
}

// failed keeps the reason of the attempt that came farthest.
func (s *search) failed(path []*x509.Certificate, en, zh string, args ...any) {
	if len(path) > s.depth {
		s.depth, s.reason = len(path), bilingual.Of(en, zh, args...)
	}
}
