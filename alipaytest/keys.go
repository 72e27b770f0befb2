package alipaytest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"embed"
	"encoding/pem"
	"math/big"
	"sync"

	"github.com/seed-39a49030/alipay/internal/certs"
)

// AppID is the one application that a gateway knows.
const AppID = "2021000000000001"

// testkeys holds PUBLIC TEST MATERIAL, see the package documentation. Fixed keys
// let a gateway start in milliseconds: making RSA keys takes a second.
//
//go:embed testkeys/*.pem testkeys/*.crt
var testkeys embed.FS

// material is testkeys, read and parsed. PEM texts come without the note at the
// top of each file, since some SDKs do not skip it.
type material struct {
	app, alipay, alipayNext, issuer, foreign *rsa.PrivateKey

	appKey, alipayPublicKey             string // PEM: PKCS#8 and SPKI
	appCert, alipayCert, alipayNextCert string // PEM; Alipay's with the intermediate
	rootCerts                           string // PEM
	appSN, alipaySN, alipayNextSN       string
	rootSN                              string
}

var keys = sync.OnceValue(func() *material {
	m := &material{}
	m.app, m.appKey = readKey("app_private_key.pem")
	m.alipay, _ = readKey("alipay_private_key.pem")
	m.alipayNext, _ = readKey("alipay_next_private_key.pem")
	m.issuer, _ = readKey("issuer_private_key.pem")
	m.foreign, _ = readKey("foreign_private_key.pem")

	spki := must(x509.MarshalPKIXPublicKey(&m.alipay.PublicKey))
	m.alipayPublicKey = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))

	m.appCert, m.appSN = readCert("app_cert.crt")
	m.alipayCert, m.alipaySN = readCert("alipay_cert.crt")
	m.alipayNextCert, m.alipayNextSN = readCert("alipay_next_cert.crt")

	m.rootCerts = readPEM("root_certs.crt")
	m.rootSN = must(certs.RootSN(must(certs.Parse(m.rootCerts))))
	return m
})

// identity is a certificate of Alipay's and the key that signs under it.
type identity struct {
	key  *rsa.PrivateKey
	cert string // PEM, with the intermediate
	sn   string
}

// identity returns Alipay's certificate after so many rotations. The first two
// are embedded. A later one has its own serial number and otherwise the same
// names, issuer and one of the two keys.
func (m *material) identity(rotations int) identity {
	switch rotations {
	case 0:
		return identity{m.alipay, m.alipayCert, m.alipaySN}
	case 1:
		return identity{m.alipayNext, m.alipayNextCert, m.alipayNextSN}
	}
	key := m.alipay
	if rotations%2 == 1 {
		key = m.alipayNext
	}
	chain := must(certs.Parse(m.alipayCert))
	like, issuer := chain[0].X509, chain[1].X509
	template := &x509.Certificate{
		SerialNumber: new(big.Int).Add(like.SerialNumber, big.NewInt(int64(rotations))),
		RawSubject:   like.RawSubject,
		NotBefore:    like.NotBefore,
		NotAfter:     like.NotAfter,
		KeyUsage:     like.KeyUsage,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, m.issuer))
	var text []byte
	for _, der := range [][]byte{der, issuer.Raw} {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return identity{key, string(text), must(certs.Parse(string(text)))[0].SN}
}

func readKey(name string) (*rsa.PrivateKey, string) {
	text := readPEM(name)
	block, _ := pem.Decode([]byte(text))
	return must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey), text
}

func readCert(name string) (text, sn string) {
	text = readPEM(name)
	return text, must(certs.Parse(text))[0].SN
}

// readPEM returns the PEM blocks of an embedded file and nothing else.
func readPEM(name string) string {
	rest := must(testkeys.ReadFile("testkeys/" + name))
	var text []byte
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return string(text)
		}
		text = append(text, pem.EncodeToMemory(block)...)
	}
}

// must is for embedded files: if reading them fails, it fails everywhere.
func must[T any](value T, err error) T {
	if err != nil {
		panic("alipaytest: embedded test material: " + err.Error())
	}
	return value
}
