package keys

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

type shape struct {
	kind        Kind
	form, label string
	begins      *regexp.Regexp
}

// shapes tells what a DER is by how it begins, so that a text which was cut short
// has a name too, or as the last resort by the label of its PEM armour. crypto/x509
// then reads what is whole.
var shapes = []shape{
	{Private, "PKCS#1", "RSA PRIVATE KEY", begins("SEQ 02010[01] 02(?:[4-7]|8[123])")},
	{EncryptedPrivate, "PKCS#8", "ENCRYPTED PRIVATE KEY", begins("SEQ SEQ 06..2a864886f70d01(?:05|0c01)")}, // PBES2, and what came before it
	{Private, "SEC 1", "EC PRIVATE KEY", begins("SEQ 020101 04")},
	{Private, "PKCS#8", "PRIVATE KEY", begins("SEQ 02010[01] SEQ 06")},
	{Public, "PKCS#1", "RSA PUBLIC KEY", begins("SEQ 02(?:[4-7]|8[123])")},
	{Public, "SPKI", "PUBLIC KEY", begins("SEQ SEQ 06")},
	{OtherFormat, "PKCS#12", "PKCS12", begins("SEQ 020103 SEQ")},
	{OtherFormat, "PKCS#7", "PKCS7", begins("SEQ 06092a864886f70d0107")},
	{CertificateRequest, "PKCS#10", "CERTIFICATE REQUEST", begins("SEQ SEQ 020100")},
	{Certificate, "X.509", "CERTIFICATE", begins("SEQ SEQ (?:a0030201|02)")}, // the version, or in version 1 the serial number
}

// begins makes a pattern over hexadecimal digits.
func begins(with string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.NewReplacer(" ", "", "SEQ", "30(?:[0-7].|81..|82.{4}|83.{6})").Replace(with))
}

const (
	algorithmRSA = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
	algorithmEC  = "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
	curveSM2     = "\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d"
)

// recognise fills in Kind, Form and Algorithm; known says that the DER has told.
func (m *Material) recognise(label string) (known bool) {
	head := hex.EncodeToString(m.DER[:min(len(m.DER), 32)])
	i := slices.IndexFunc(shapes, func(s shape) bool { return s.begins.MatchString(head) })
	if known = i >= 0; !known {
		i = slices.IndexFunc(shapes, func(s shape) bool { return strings.Contains(label, s.label) })
	}
	if i >= 0 {
		m.Kind, m.Form = shapes[i].kind, shapes[i].form
	}
	has := func(id string) bool { return bytes.Contains(m.DER, []byte(id)) }
	switch isKey := m.Kind == Private || m.Kind == Public; {
	case m.Form == "PKCS#1", isKey && has(algorithmRSA):
		m.Algorithm = "RSA"
	case !isKey && m.Kind != Certificate:
	case has(curveSM2):
		m.Algorithm = "SM2"
	case m.Form == "SEC 1", has(algorithmEC):
		m.Algorithm = "EC"
	}
	return known
}

// inspect says what b is, then takes it apart.
func (b block) inspect() Material {
	der, defect := decode(b.body)
	m := Material{PEM: b.pem, DER: der}
	switch {
	case strings.Contains(b.body, "ENCRYPTED"): // Proc-Type: 4,ENCRYPTED, and then a ciphertext
		return Material{PEM: true, Kind: EncryptedPrivate, Form: "PKCS#1"}
	case strings.Contains(b.label, "OPENSSH"), strings.Contains(b.label, "SSH2"), bytes.HasPrefix(der, []byte("openssh-key-v1\x00")):
		m.Kind = OpenSSH
		return m
	}
	known, length := m.recognise(b.label), announced(der)
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
	case length == 0 || !known:
		return m.defective(both("it decodes to something that is not the DER of a key or certificate", "解码后不是密钥或证书"))
	case announced(rest) > 0:
		return m.defective(defectConcatenated)
	case len(rest) > 0:
		return m.defective(both("%d stray bytes after the end of the DER", "DER 末尾多出 %d 字节", len(rest)))
	}
	return m.parsed()
}

// announced is the length of the whole DER, as the head of its SEQUENCE announces
// it; 0 for anything else.
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
	switch {
	case m.Kind == Certificate:
		if c, err := x509.ParseCertificate(m.DER); err == nil { // it refuses SM2
			key = c.PublicKey
		}
	case m.Algorithm != "RSA":
		return m
	case len(m.DER) > maxBits:
		return m.defective(defectHuge)
	case m.Form == "PKCS#8":
		key, err = x509.ParsePKCS8PrivateKey(m.DER)
	case m.Form == "SPKI":
		key, err = x509.ParsePKIXPublicKey(m.DER)
	case m.Kind == Private:
		key, err = x509.ParsePKCS1PrivateKey(m.DER)
	default:
		key, err = x509.ParsePKCS1PublicKey(m.DER)
	}
	if err != nil {
		return m.defective(defectCorrupt)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		m.Private, m.Public = key, &key.PublicKey
	case *rsa.PublicKey:
		m.Public = key
	default:
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
// safe to show; nothing if it is usable. With an exponent of 1, for example, anyone can
// make a signature.
func Defect(key *rsa.PublicKey) bilingual.Text {
	switch {
	case key.N.Sign() <= 0 || key.N.Bit(0) == 0 || key.E < 3 || key.E&1 == 0 || key.E > math.MaxInt32:
		return defectImpossible
	case key.N.BitLen() > maxBits:
		return defectHuge
	}
	return none
}
