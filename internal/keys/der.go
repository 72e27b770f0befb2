package keys

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

// shapes tells what a DER is by how it begins, so that a text which was cut short
// has a name too. crypto/x509 then reads what is whole.
var shapes = []struct {
	kind   Kind
	form   string
	begins *regexp.Regexp
}{
	{PrivateOther, "PKCS#8", begins("SEQ 02010[01] SEQ ALGORITHM")},
	{PrivateRSA, "PKCS#1", begins("SEQ 02010[01] 02(?:[4-7]|8[123])")},
	{PrivateOther, "SEC 1", begins("SEQ 020101 04")},
	{EncryptedPrivate, "PKCS#8", begins("SEQ SEQ 06..2a864886f70d01(?:05|0c01)")}, // PBES2, and what came before it
	{PublicOther, "SPKI", begins("SEQ SEQ ALGORITHM")},
	{PublicRSA, "PKCS#1", begins("SEQ 02(?:[4-7]|8[123])")},
	{OtherFormat, "PKCS#12", begins("SEQ 020103 SEQ")},
	{OtherFormat, "PKCS#7", begins("SEQ 06092a864886f70d0107")},
	{CertificateRequest, "PKCS#10", begins("SEQ SEQ 020100")},
	{Certificate, "X.509", begins("SEQ SEQ (?:a0030201|02)")}, // the version, or in version 1 the serial number
}

var algorithms = map[string]string{
	"06092a864886f70d010101": "RSA",
	"06092a864886f70d01010a": "RSA-PSS",
	"06072a8648ce3d0201":     "EC",
	"06032b6570":             "Ed25519",
}

const curveSM2 = "\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d"

// begins makes a pattern over hexadecimal digits.
func begins(with string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.NewReplacer(" ", "",
		"SEQ", "30(?:[0-7].|81..|82.{4}|83.{6})",
		"ALGORITHM", "("+strings.Join(slices.Collect(maps.Keys(algorithms)), "|")+"|06)").Replace(with))
}

// labels are the last resort, for DER too damaged to tell.
var labels = []struct {
	words string
	kind  Kind
}{
	{"ENCRYPTED PRIVATE KEY", EncryptedPrivate},
	{"RSA PRIVATE KEY", PrivateRSA},
	{"PRIVATE KEY", PrivateOther},
	{"RSA PUBLIC KEY", PublicRSA},
	{"PUBLIC KEY", PublicOther},
	{"CERTIFICATE REQUEST", CertificateRequest},
	{"CERTIFICATE", Certificate},
}

// recognise fills in Kind, Form and Algorithm.
func (m *Material) recognise() {
	head := hex.EncodeToString(m.DER[:min(len(m.DER), 64)])
	for _, shape := range shapes {
		match := shape.begins.FindStringSubmatch(head)
		if match == nil {
			continue
		}
		m.Kind, m.Form = shape.kind, shape.form
		if len(match) > 1 {
			m.Algorithm = algorithms[match[1]]
		} else if m.Form == "SEC 1" {
			m.Algorithm = "EC"
		}
		switch {
		case m.Algorithm == "RSA" && m.Kind == PrivateOther:
			m.Kind = PrivateRSA
		case m.Algorithm == "RSA":
			m.Kind = PublicRSA
		case (m.Algorithm == "EC" || m.Kind == Certificate) && bytes.Contains(m.DER, []byte(curveSM2)):
			m.Algorithm = "SM2"
		}
		return
	}
}

// inspect says what b is, then takes it apart.
func (b block) inspect() Material {
	der, defect := decode(b.body)
	m := Material{PEM: b.pem, DER: der}
	switch {
	case strings.Contains(b.body, ",ENCRYPTED"): // Proc-Type: 4,ENCRYPTED, and then a ciphertext
		return Material{PEM: true, Kind: EncryptedPrivate, Form: "PKCS#1"}
	case strings.Contains(b.label, "OPENSSH"), strings.Contains(b.label, "SSH2"), bytes.HasPrefix(der, []byte("openssh-key-v1\x00")):
		m.Kind = OpenSSH
		return m
	}
	m.recognise()
	known := m.Kind != Unknown
	for _, l := range labels {
		if m.Kind == Unknown && strings.Contains(b.label, l.words) {
			m.Kind = l.kind
		}
	}
	length := announced(der)
	came := min(length, len(der))
	rest := der[came:]
	switch {
	case b.defect == defectNoBegin:
		return m.defective(b.defect)
	case came < length && (defect == none || defect == defectLength):
		return m.defective(both("base64 cut short: the DER announces %d bytes, %d came", "base64 被截断：应有 %d 字节，只有 %d 字节", length, came))
	case cmp.Or(defect, b.defect) != none:
		return m.defective(cmp.Or(defect, b.defect))
	case len(der) == 0:
		return m.defective(defectNothing)
	case length == 0:
		return m.defective(both("it decodes to something that is not the DER of a key or certificate", "解码后不是密钥或证书"))
	case len(rest) > 0 && announced(rest) == 0:
		return m.defective(both("%d stray bytes after the end of the DER", "DER 末尾多出 %d 字节", len(rest)))
	case len(rest) > 0:
		return m.defective(defectConcatenated)
	case !known:
		return m.defective(both("its DER is neither a key nor a certificate", "DER 既不是密钥也不是证书"))
	}
	return m.parsed()
}

// announced is the length of the whole DER, as the head of its SEQUENCE announces
// it; 0 for anything else, and for more than a text can have.
func announced(der []byte) int {
	if len(der) < 2 || der[0] != 0x30 {
		return 0
	}
	size, head := int(der[1]), 2
	if size >= 0x80 {
		head += size & 0x7f
		if size = 0; head == 2 || head > 5 || len(der) < head { // indefinite, absurd, or cut off
			return 0
		}
		for _, c := range der[2:head] {
			size = size<<8 | int(c)
		}
	}
	if size > maxText {
		return 0
	}
	return head + size
}

var (
	defectCorrupt    = both("its DER is corrupt: characters were lost or changed on the way", "DER 已损坏：有字符丢失或被改动")
	defectHuge       = both("its RSA modulus is larger than any real key's", "RSA 模数大得不合理")
	defectImpossible = both("its RSA modulus or exponent is not possible", "RSA 模数或指数不合法")
)

// parsed takes whole DER apart.
func (m Material) parsed() Material {
	var key any
	var err error
	switch isRSA := m.Kind == PrivateRSA || m.Kind == PublicRSA; {
	case isRSA && len(m.DER) > maxBits:
		return m.defective(defectHuge)
	case m.Kind == PrivateRSA && m.Form == "PKCS#8":
		key, err = x509.ParsePKCS8PrivateKey(m.DER)
	case m.Kind == PrivateRSA:
		key, err = x509.ParsePKCS1PrivateKey(m.DER)
	case m.Kind == PublicRSA && m.Form == "SPKI":
		key, err = x509.ParsePKIXPublicKey(m.DER)
	case m.Kind == PublicRSA:
		key, err = x509.ParsePKCS1PublicKey(m.DER)
	case m.Kind == Certificate:
		if c, err := x509.ParseCertificate(m.DER); err == nil { // it refuses SM2
			key = c.PublicKey
		}
	}
	if err != nil {
		return m.defective(defectCorrupt)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		m.Private, m.Public = key, &key.PublicKey
	case *rsa.PublicKey:
		m.Public = key
	case *ecdsa.PublicKey:
		m.Algorithm = "EC"
	}
	if m.Public == nil {
		return m
	}
	m.Algorithm = fmt.Sprintf("RSA-%d", m.Public.N.BitLen())
	if defect := Defect(m.Public); defect != none {
		return m.defective(defect)
	}
	return m
}

// maxBits is more than any real RSA key has, and more bytes than its DER has. With
// more, arithmetic on hostile numbers would take seconds.
const maxBits = 16384

// Defect says why key is not usable as an RSA public key, in fixed words that are
// safe to show; nothing if it is usable. It is for the key of a Signer, which Inspect has
// not checked: with an exponent of 1 anyone can make a signature, and arithmetic
// with a huge modulus takes seconds.
func Defect(key *rsa.PublicKey) bilingual.Text {
	switch {
	case key.N.Sign() <= 0 || key.N.Bit(0) == 0 || key.E < 3 || key.E&1 == 0 || key.E > math.MaxInt32:
		return defectImpossible
	case key.N.BitLen() > maxBits:
		return defectHuge
	}
	return none
}
