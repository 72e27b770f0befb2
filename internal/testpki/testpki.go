// Package testpki makes keys and certificates for tests, and panics on errors.
package testpki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"time"
)

// Must panics with an error and returns v without one.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Issued is a certificate and the private key that belongs to it.
type Issued struct {
	Cert *x509.Certificate
	PEM  string
	Key  crypto.Signer
}

// Issue makes a certificate for the public half of key; without a parent a
// self-signed one. Unless changed it is a leaf for signatures, valid from a day
// before at until a hundred days after.
func Issue(subject pkix.Name, key crypto.Signer, parent *Issued, at time.Time, change ...func(*x509.Certificate)) *Issued {
	template := &x509.Certificate{
		Subject:   subject,
		NotBefore: at.AddDate(0, 0, -1),
		NotAfter:  at.AddDate(0, 0, 100),
		KeyUsage:  x509.KeyUsageDigitalSignature,
	}
	for _, f := range change {
		f(template)
	}
	by, byKey := template, key
	if parent != nil {
		by, byKey = parent.Cert, parent.Key
	}
	der := Must(x509.CreateCertificate(rand.Reader, template, by, key.Public(), byKey))
	return &Issued{Must(x509.ParseCertificate(der)), Armour("CERTIFICATE", der), key}
}

// Authority makes a certificate that of a certification authority.
func Authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

// Valid sets the dates of a certificate.
func Valid(from, to time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

// Name is a name with a country and a common name.
func Name(common string) pkix.Name {
	return pkix.Name{Country: []string{"CN"}, CommonName: common}
}

// RSAKey reads PKCS#8 in PEM: generating a key takes long.
func RSAKey(text []byte) *rsa.PrivateKey {
	block, _ := pem.Decode(text)
	return Must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey)
}

// ECKey makes a P-256 key.
func ECKey() *ecdsa.PrivateKey { return Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// SPKI writes a public key as PEM.
func SPKI(key crypto.PublicKey) string {
	return Armour("PUBLIC KEY", Must(x509.MarshalPKIXPublicKey(key)))
}

// Armour writes DER as PEM.
func Armour(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// Edit replaces a stretch of text, for fuzz targets: an edit of a known text is short,
// and goes deeper than a text of the fuzzer's.
func Edit(text string, at, remove uint16, insert string) string {
	from := int(at) % (len(text) + 1)
	to := min(from+int(remove), len(text))
	return text[:from] + insert + text[to:]
}

// EditDER does the same to the DER inside the first PEM block of text.
func EditDER(text string, at, remove uint16, insert string) string {
	block, _ := pem.Decode([]byte(text))
	return Armour(block.Type, []byte(Edit(string(block.Bytes), at, remove, insert)))
}
