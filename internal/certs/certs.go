// Package certs reads the certificates of the v3 protocol's certificate mode,
// computes their serial numbers (SN) as the Java SDK does, and checks chains.
package certs

import (
	"bytes"
	"crypto/fips140"
	"crypto/md5" //nolint:gosec // the wire format of an SN, not a safeguard
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/seed-39a49030/alipay/internal/keys"
)

// Certificate is one certificate of a file.
type Certificate struct {
	Raw          []byte            // DER
	SN           string            // see Parse
	RSASignature bool              // signed with an algorithm of PKCS#1
	X509         *x509.Certificate // nil where crypto/x509 refuses the certificate, as it does SM2: ErrUnsupported
}

// ErrUnsupported says why a certificate has no X509. This text, like that of every
// error here, is safe to show.
var ErrUnsupported = errors.New("crypto/x509 cannot read the certificate (an unsupported algorithm such as SM2, or a malformed field)")

const maxCertificates = 200 // a bound for hostile files; real ones hold up to four

// Parse returns every certificate of text, in file order. Anything else, or a damaged
// certificate that package keys does not repair, is an error.
//
// The SN, by which the platform names a certificate (v3 protocol, certificate mode),
// is the lower-case hex MD5 of the issuer's name in RFC 2253 form and the serial
// number in decimal.
func Parse(text string) ([]Certificate, error) {
	all := keys.InspectAll(text)
	if len(all) > maxCertificates {
		return nil, fmt.Errorf("more than %d certificates in the text", maxCertificates)
	}
	certs := make([]Certificate, len(all))
	for i, m := range all {
		var err error
		if certs[i], err = read(m); err != nil && len(all) > 1 {
			return nil, fmt.Errorf("block %d of %d: %w", i+1, len(all), err)
		} else if err != nil {
			return nil, err
		}
	}
	return certs, nil
}

// read finds what an SN needs by itself, since SM2 certificates, which crypto/x509
// refuses, have one too.
func read(m keys.Material) (c Certificate, err error) {
	switch {
	case m.Kind == keys.Empty:
		return c, errors.New("no certificate in the text")
	case m.Defect.EN != "":
		return c, fmt.Errorf("%s: %s", m, m.Defect.EN)
	case m.Kind != keys.Certificate:
		return c, fmt.Errorf("%s instead of a certificate", m)
	}
	var cert struct {
		TBS struct {
			Version                   asn1.RawValue `asn1:"optional,tag:0"` // absent in X.509 v1
			Serial, Algorithm, Issuer asn1.RawValue
		}
		Algorithm struct{ ID asn1.RawValue } // not an ObjectIdentifier, whose arcs are limited to 31 bits
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(m.DER, &cert); err != nil || cert.TBS.Serial.Tag != asn1.TagInteger || len(cert.TBS.Serial.Bytes) == 0 {
		return c, errors.New("not a well-formed X.509 certificate")
	}
	issuer, err := IssuerName(cert.TBS.Issuer.FullBytes)
	if err != nil {
		return c, err
	}
	var sum [md5.Size]byte
	fips140.WithoutEnforcement(func() { sum = md5.Sum([]byte(issuer + signed(cert.TBS.Serial.Bytes).String())) }) //nolint:gosec // see import
	// 1.2.840.113549.1.1 is the arc of every RSA signature algorithm.
	const pkcs1 = "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
	c = Certificate{Raw: m.DER, SN: hex.EncodeToString(sum[:]), RSASignature: strings.HasPrefix(string(cert.Algorithm.ID.Bytes), pkcs1)}
	c.X509, _ = x509.ParseCertificate(m.DER) // its error may quote the certificate
	return c, nil
}

// signed reads the two's complement of an INTEGER. encoding/asn1 insists on the
// shortest form, which some CAs' serial numbers lack.
func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return n
}

// RootSN returns the SN of a root bundle (v3 protocol, certificate mode): those
// of its RSA-signed certificates in file order, joined by "_".
func RootSN(bundle []Certificate) (string, error) {
	var sns []string
	for _, c := range bundle {
		if c.RSASignature {
			sns = append(sns, c.SN)
		}
	}
	if sns == nil {
		return "", errors.New("no certificate with an RSA signature in the root bundle")
	}
	return strings.Join(sns, "_"), nil
}

// IsSelfSigned reports whether c was signed with its own key. That trusts nothing, so
// SHA-1, which old roots have, is outside FIPS enforcement.
func IsSelfSigned(c *x509.Certificate) (signed bool) {
	if c == nil || !bytes.Equal(c.RawIssuer, c.RawSubject) {
		return false
	}
	fips140.WithoutEnforcement(func() {
		signed = c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
	})
	return signed
}

// IsCA reports whether c may sign certificates. Only basic constraints say so: customers
// hold certificates of the same issuer, some X.509 v1 or with a key usage that forbids nothing.
func IsCA(c *x509.Certificate) bool { return c != nil && c.BasicConstraintsValid && c.IsCA }
