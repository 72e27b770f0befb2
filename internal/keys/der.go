package keys

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// DER tags that tell the structures apart.
const (
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagOID         = 0x06
	tagUTCTime     = 0x17
	tagGenTime     = 0x18
	tagSequence    = 0x30
	tagSet         = 0x31
	tagContext0    = 0xa0
)

// maxBits is more than any real RSA key has. With more, arithmetic on hostile
// numbers would take seconds.
const maxBits = 16384

// piece is one DER element, read so that a truncated one can still be recognised:
// body then contains what there is.
type piece struct {
	tag    byte
	body   []byte
	rest   []byte // after the element
	length int    // of the whole element, as announced
	short  bool   // less came than was announced
}

// element reads the first DER element of b; ok is false without a complete tag
// and length.
func element(b []byte) (e piece, ok bool) {
	if len(b) < 2 {
		return e, false
	}
	e.tag = b[0]
	size, header := int(b[1]), 2
	if size >= 0x80 {
		n := size & 0x7f
		if n == 0 || n > 4 || len(b) < 2+n { // indefinite, absurd, or cut off
			return e, false
		}
		size, header = 0, 2+n
		for _, c := range b[2:header] {
			size = size<<8 | int(c)
		}
		if size < 0 || size > 1<<30 {
			return e, false
		}
	}
	e.length = header + size
	if e.short = e.length > len(b); e.short {
		e.body = b[header:]
		return e, true
	}
	e.body, e.rest = b[header:e.length], b[e.length:]
	return e, true
}

// children reads the first elements inside a constructed one, at most ten, and
// their tags as one string to compare with.
func children(body []byte) (list []piece, shape string) {
	for len(list) < 10 {
		e, ok := element(body)
		if !ok {
			break
		}
		list = append(list, e)
		shape += tags(e.tag)
		body = e.rest
	}
	return list, shape
}

func startsLikeDER(b []byte) bool {
	e, ok := element(b)
	return ok && e.tag == tagSequence
}

// The structures by the tags of their first members.
var (
	shapePKCS8       = tags(tagInteger, tagSequence, tagOctetString)
	shapeVersionSeq  = tags(tagInteger, tagSequence)
	shapeSEC1        = tags(tagInteger, tagOctetString)
	shapeTwoIntegers = tags(tagInteger, tagInteger)
	shapeSPKI        = tags(tagSequence, tagBitString)
	shapeEncrypted   = tags(tagSequence, tagOctetString)
	shapeContentInfo = tags(tagOID)
	shapeSigned      = tags(tagSequence)
)

func tags(t ...byte) string { return string(t) }

// inspect says what the DER of b is, then takes it apart.
func (b block) inspect() Material {
	m := Material{PEM: b.pem, DER: b.der}
	var inner []byte // the PKCS#1 structure of an RSA key
	switch {
	case b.encrypted:
		m.Kind = EncryptedPrivate
		if strings.Contains(b.label, "RSA") {
			m.Form = "PKCS#1"
		}
		return m
	case otherFormat(b) != "":
		m.Kind, m.Form = OtherFormat, otherFormat(b)
		return m
	}
	outer, ok := element(b.der)
	ok = ok && outer.tag == tagSequence
	if ok {
		inner = m.recognise(b.der, outer.body)
	}
	guessed := m.Kind == Unknown
	if guessed {
		m.guessByLabel(b.label)
	}
	switch {
	case b.defect == defectGlued && m.isKey():
		return m.defective(defectGluedKeys)
	case ok && outer.short && (b.defect == "" || b.defect == defectLength || b.defect == defectNoEnd):
		return m.defective(fmt.Sprintf("base64 cut short: the DER announces %d bytes, %d came", outer.length, len(b.der)))
	case b.defect != "":
		return m.defective(b.defect)
	case !ok:
		return m.defective("it decodes to something that is not the DER of a key or certificate")
	case len(outer.rest) > 0 && !startsLikeDER(outer.rest):
		return m.defective(fmt.Sprintf("%d stray bytes after the end of the DER", len(outer.rest)))
	case len(outer.rest) > 0 && m.isKey():
		return m.defective(defectGluedKeys)
	case len(outer.rest) > 0:
		return m.defective(defectGlued)
	case guessed && m.Kind != OtherFormat:
		return m.defective("its DER is neither a key nor a certificate")
	}
	switch m.Kind {
	case PrivateRSA:
		return m.withPrivate(inner)
	case PublicRSA:
		return m.withPublic(inner)
	case Certificate:
		if !wellFormedCertificate(b.der) {
			return m.defective("the DER of the certificate is corrupt")
		}
		if m.Algorithm == "RSA" {
			return m.withPublic(inner)
		}
	default:
		if _, err := asn1.Unmarshal(b.der, new([]asn1.RawValue)); err != nil {
			return m.defective("its DER is corrupt")
		}
	}
	return m
}

// otherFormat names the format of armour around something that is not a key's DER.
func otherFormat(b block) string {
	switch {
	case strings.Contains(b.label, "OPENSSH"), strings.Contains(b.label, "SSH2"),
		strings.HasPrefix(string(b.der), "openssh-key-v1\x00"):
		return "OpenSSH"
	case strings.Contains(b.label, "PGP"):
		return "PGP"
	case strings.Contains(b.label, "PKCS12"), strings.Contains(b.label, "PKCS #12"):
		return "PKCS#12"
	}
	return ""
}

// recognise fills in Kind, Form and Algorithm from the body of der, the outermost
// SEQUENCE, which may be cut off anywhere, and returns the PKCS#1 structure of an
// RSA key.
func (m *Material) recognise(der, body []byte) (inner []byte) {
	c, shape := children(body)
	switch {
	case strings.HasPrefix(shape, shapePKCS8), shape == shapeVersionSeq && small(c[0].body) && isOID(c[1].body):
		if !small(c[0].body) {
			return nil
		}
		m.Form = "PKCS#8"
		m.set(PrivateRSA, PrivateOther, algorithm(c[1].body))
		if len(c) > 2 {
			return c[2].body
		}
	case strings.HasPrefix(shape, shapeVersionSeq) && string(c[0].body) == "\x03":
		m.Kind, m.Form = OtherFormat, "PKCS#12"
	case strings.HasPrefix(shape, shapeSEC1) && string(c[0].body) == "\x01":
		m.Kind, m.Form, m.Algorithm = PrivateOther, "SEC 1", "EC"
		if len(c) > 2 && c[2].tag == tagContext0 && strings.HasPrefix(string(c[2].body), oidElementSM2) {
			m.Algorithm = "SM2"
		}
	case strings.HasPrefix(shape, shapeTwoIntegers):
		exponentLike := func(i int) bool { return len(c) <= i || len(c[i].body) <= 8 }
		switch {
		case small(c[0].body) && exponentLike(2):
			m.Kind, m.Form, m.Algorithm = PrivateRSA, "PKCS#1", "RSA"
		case small(c[0].body):
			m.Kind, m.Form, m.Algorithm = PrivateOther, "OpenSSL's own form", "DSA"
			return nil
		case len(c) == 2 && len(c[0].body) >= 32 && exponentLike(1):
			m.Kind, m.Form, m.Algorithm = PublicRSA, "PKCS#1", "RSA"
		default:
			return nil
		}
		return der
	case strings.HasPrefix(shape, shapeSPKI) && isOID(c[0].body):
		m.Form = "SPKI"
		m.set(PublicRSA, PublicOther, algorithm(c[0].body))
		return bitString(c[1].body)
	case strings.HasPrefix(shape, shapeEncrypted) && isOID(c[0].body):
		m.Kind, m.Form = EncryptedPrivate, "PKCS#8"
	case strings.HasPrefix(shape, shapeContentInfo) && strings.HasPrefix(string(c[0].body), oidPKCS7):
		m.Kind, m.Form = OtherFormat, "PKCS#7"
	case strings.HasPrefix(shape, shapeSigned):
		return m.recogniseSigned(c[0].body)
	}
	return nil
}

// recogniseSigned distinguishes certificates, certificate requests and revocation
// lists by what is signed in them, and returns the key inside.
func (m *Material) recogniseSigned(tbs []byte) (inner []byte) {
	c, shape := children(tbs)
	var spki int
	switch v1 := tags(tagInteger, tagSequence, tagSequence, tagSequence, tagSequence); {
	case strings.HasPrefix(shape, tags(tagContext0, tagInteger, tagSequence)):
		m.Kind, m.Form, spki = Certificate, "X.509", 6
	case strings.HasPrefix(shape, v1) && isOID(c[1].body):
		m.Kind, m.Form, spki = Certificate, "X.509", 5
	case strings.HasPrefix(shape, tags(tagInteger, tagSequence, tagSequence, tagUTCTime)),
		strings.HasPrefix(shape, tags(tagInteger, tagSequence, tagSequence, tagGenTime)):
		m.Kind, m.Form = OtherFormat, "certificate revocation list"
		return nil
	case strings.HasPrefix(shape, tags(tagInteger, tagSequence, tagSequence, tagContext0)):
		m.Kind, m.Form, spki = CertificateRequest, "PKCS#10", 2
	default:
		return nil
	}
	if len(c) <= spki {
		return nil
	}
	key, shape := children(c[spki].body)
	if !strings.HasPrefix(shape, shapeSPKI) {
		return nil
	}
	m.Algorithm = algorithm(key[0].body)
	return bitString(key[1].body)
}

// set chooses between RSA and every other algorithm.
func (m *Material) set(rsa, other Kind, algorithm string) {
	m.Kind, m.Algorithm = other, algorithm
	if algorithm == "RSA" {
		m.Kind = rsa
	}
}

// guessByLabel is the last resort, for DER too damaged to tell.
func (m *Material) guessByLabel(label string) {
	switch {
	case strings.Contains(label, "ENCRYPTED PRIVATE KEY"):
		m.Kind = EncryptedPrivate
	case strings.Contains(label, "RSA PRIVATE KEY"):
		m.Kind, m.Algorithm = PrivateRSA, "RSA"
	case strings.Contains(label, "PRIVATE KEY"):
		m.Kind = PrivateOther
	case strings.Contains(label, "RSA PUBLIC KEY"):
		m.Kind, m.Algorithm = PublicRSA, "RSA"
	case strings.Contains(label, "PUBLIC KEY"):
		m.Kind = PublicOther
	case strings.Contains(label, "CERTIFICATE REQUEST"):
		m.Kind = CertificateRequest
	case strings.Contains(label, "CERTIFICATE"):
		m.Kind = Certificate
	case strings.Contains(label, "PKCS7"), strings.Contains(label, "CMS"):
		m.Kind, m.Form = OtherFormat, "PKCS#7"
	}
}

// withPublic reads the PKCS#1 public key of an SPKI or certificate.
func (m Material) withPublic(der []byte) Material {
	key, defect := modulus(der, tags(tagInteger, tagInteger))
	if key != nil {
		m.Bits = key.N.BitLen()
	}
	if defect != "" {
		return m.defective(defect)
	}
	m.Public = key
	return m
}

// withPrivate reads a PKCS#1 private key. The modulus is read before crypto/x509
// sees the key, so that a key too small for it still shows its size.
func (m Material) withPrivate(der []byte) Material {
	public, defect := modulus(der, tags(tagInteger, tagInteger, tagInteger, tagInteger))
	if public != nil {
		m.Bits = public.N.BitLen()
	}
	if defect != "" {
		return m.defective(defect)
	}
	key, parseErr := x509.ParsePKCS1PrivateKey(der) // validates it too
	if parseErr != nil {
		return m.defective("the numbers of the RSA key do not fit together: it was damaged on its way")
	}
	m.Private, m.Public = key, &key.PublicKey
	return m
}

const (
	defectRSA        = "the DER of the RSA key is corrupt"
	defectHuge       = "its RSA modulus is larger than any real key's"
	defectImpossible = "its RSA modulus or exponent is not possible"
)

// Defect says why key is not usable as an RSA public key, in fixed words that are
// safe to show; "" if it is usable. It is for the key of a Signer, which Inspect has
// not checked: with an exponent of 1 anyone can make a signature, and arithmetic
// with a huge modulus takes seconds.
func Defect(key *rsa.PublicKey) string {
	switch {
	case key == nil || key.N == nil:
		return "it holds no RSA modulus"
	case key.N.Sign() <= 0 || key.N.Bit(0) == 0 || key.E < 3 || key.E&1 == 0 || key.E > math.MaxInt32:
		return defectImpossible
	case key.N.BitLen() > maxBits:
		return defectHuge
	}
	return ""
}

// modulus reads n and e from a PKCS#1 structure of the given shape, private (with
// a version first) or public. With a defect the key is returned too if its size is
// known.
func modulus(der []byte, want string) (key *rsa.PublicKey, defect string) {
	outer, ok := element(der)
	if !ok || outer.tag != tagSequence || outer.short || len(outer.rest) > 0 {
		return nil, defectRSA
	}
	c, shape := children(outer.body)
	if !strings.HasPrefix(shape, want) {
		return nil, defectRSA
	}
	if len(want) > 2 {
		c = c[1:]
	}
	n, e := c[0].body, new(big.Int).SetBytes(c[1].body)
	if negative(n) || negative(c[1].body) || c[1].short || e.BitLen() > 31 { // crypto/rsa takes no larger exponent
		return nil, defectImpossible
	}
	key = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(e.Int64())}
	if defect = Defect(key); defect == defectImpossible {
		key = nil
	}
	return key, defect
}

// negative reports whether an INTEGER is below zero, or empty.
func negative(body []byte) bool { return len(body) == 0 || body[0] >= 0x80 }

// wellFormedCertificate checks the structure only, since crypto/x509 refuses whole
// families of good certificates (SM2).
func wellFormedCertificate(der []byte) bool {
	var parts struct {
		TBS       []asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	rest, err := asn1.Unmarshal(der, &parts)
	return err == nil && len(rest) == 0 && len(parts.TBS) >= 6
}

// small reports whether an INTEGER is the 0 or 1 of a version field.
func small(body []byte) bool { return len(body) == 1 && body[0] <= 1 }

func isOID(body []byte) bool { return len(body) > 0 && body[0] == tagOID }

// bitString is the content of a BIT STRING of whole bytes.
func bitString(body []byte) []byte {
	if len(body) == 0 || body[0] != 0 {
		return nil
	}
	return body[1:]
}

const (
	oidPKCS7      = "\x2a\x86\x48\x86\xf7\x0d\x01\x07"         // 1.2.840.113549.1.7
	oidElementSM2 = "\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d" // 1.2.156.10197.1.301, with tag and length
)

var algorithms = map[string]string{
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01": "RSA",     // 1.2.840.113549.1.1.1
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a": "RSA-PSS", // 1.2.840.113549.1.1.10
	"\x2a\x86\x48\xce\x3d\x02\x01":         "EC",      // 1.2.840.10045.2.1
	"\x2a\x86\x48\xce\x38\x04\x01":         "DSA",     // 1.2.840.10040.4.1
	"\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01": "DH",      // 1.2.840.113549.1.3.1
	"\x2b\x65\x6e":                         "X25519",  // 1.3.101.110
	"\x2b\x65\x6f":                         "X448",    // 1.3.101.111
	"\x2b\x65\x70":                         "Ed25519", // 1.3.101.112
	"\x2b\x65\x71":                         "Ed448",   // 1.3.101.113
}

// algorithm names the key algorithm of an AlgorithmIdentifier's body.
func algorithm(body []byte) string {
	c, shape := children(body)
	if !strings.HasPrefix(shape, tags(tagOID)) {
		return ""
	}
	name := algorithms[string(c[0].body)]
	if name == "EC" && strings.HasPrefix(string(c[0].rest), oidElementSM2) {
		name = "SM2"
	}
	return name
}
