package keys

import (
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-39a49030/alipay/internal/testpki"
)

func unhex(s string) []byte { return must(hex.DecodeString(strings.ReplaceAll(s, " ", ""))) }

// seq is a DER SEQUENCE of members.
func seq(members ...string) string { return tlv(0x30, strings.Join(members, "")) }

func tlv(tag byte, body string) string {
	return string(must(asn1.Marshal(asn1.RawValue{Class: int(tag >> 6), Tag: int(tag & 0x1f), IsCompound: tag&0x20 != 0, Bytes: []byte(body)})))
}

func integer(n int64) string { return string(must(asn1.Marshal(big.NewInt(n)))) }

var (
	rsaID     = seq(tlv(6, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), null)
	null      = "\x05\x00"
	modulus2K = tlv(2, "\x00"+strings.Repeat("\xff", 256))
)

func TestTheLengthIsTheAnnouncedOne(t *testing.T) {
	for in, want := range map[string]int{
		"30 00": 2, "30 7f": 129, "30 81 80": 131, "30 82 01 02 ff": 262, "30 83 01 00 00": 65541, "30 83 10 00 00": maxText + 5, "30 83 ff ff ff": 1<<24 + 4,
		"": 0, "30": 0, "31 00": 0, "30 80 00 00": 0, "30 82 01": 0, "30 84 00 00 00 01": 0, "30 ff": 0,
	} {
		assert.Equal(t, want, announced(unhex(in)), in)
	}
}

func TestStructuresAreToldApartByHowTheyBegin(t *testing.T) {
	ecID, edID := seq(tlv(6, "\x2a\x86\x48\xce\x3d\x02\x01"), curveSM2[:0]+tlv(6, "\x2a\x86\x48\xce\x3d\x03\x01\x07")), seq(tlv(6, "\x2b\x65\x70"))
	sm2ID, pssID, dhID := seq(tlv(6, "\x2a\x86\x48\xce\x3d\x02\x01"), curveSM2), seq(tlv(6, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")), seq(tlv(6, "\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01"))
	pbes2, pbe := seq(tlv(6, "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d")), seq(tlv(6, "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03"))
	octets, bits := tlv(4, strings.Repeat("x", 200)), tlv(3, strings.Repeat("x", 200))
	name := seq(tlv(0x31, seq()))
	for what, tc := range map[string]struct {
		der             string
		kind            Kind
		form, algorithm string
	}{
		"PKCS#8":                      {seq(integer(0), rsaID, octets), Private, "PKCS#8", "RSA"},
		"PKCS#8, version 1":           {seq(integer(1), rsaID, octets), Private, "PKCS#8", "RSA"},
		"PKCS#8, version 2":           {seq(integer(2), rsaID, octets), Unknown, "", ""},
		"PKCS#8, EC":                  {seq(integer(0), ecID, octets), Private, "PKCS#8", "EC"},
		"PKCS#8, SM2":                 {seq(integer(0), sm2ID, octets), Private, "PKCS#8", "SM2"},
		"PKCS#8, Ed25519":             {seq(integer(0), edID, octets), Private, "PKCS#8", ""},
		"PKCS#8, RSA-PSS":             {seq(integer(0), pssID, octets), Private, "PKCS#8", ""},
		"PKCS#8 of a rare algorithm":  {seq(integer(0), dhID, octets), Private, "PKCS#8", ""},
		"PKCS#8 up to its algorithm":  {seq(integer(0), rsaID), Private, "PKCS#8", "RSA"},
		"a version and no algorithm":  {seq(integer(0), seq(null)), Unknown, "", ""},
		"PKCS#12":                     {seq(integer(3), seq(tlv(6, "x"))), OtherFormat, "PKCS#12", ""},
		"version 4":                   {seq(integer(4), seq(tlv(6, "x"))), Unknown, "", ""},
		"SEC 1":                       {seq(integer(1), octets), Private, "SEC 1", "EC"},
		"SEC 1, SM2":                  {seq(integer(1), octets, tlv(0xa0, curveSM2)), Private, "SEC 1", "SM2"},
		"SEC 1, version 0":            {seq(integer(0), octets), Unknown, "", ""},
		"PKCS#1, private":             {seq(integer(0), modulus2K, integer(65537)), Private, "PKCS#1", "RSA"},
		"PKCS#1, private, 512 bits":   {seq(integer(0), tlv(2, "\x00"+strings.Repeat("\xff", 64)), integer(65537)), Private, "PKCS#1", "RSA"},
		"PKCS#1, public":              {seq(modulus2K, integer(65537)), Public, "PKCS#1", "RSA"},
		"PKCS#1, public, 512 bits":    {seq(tlv(2, "\x00"+strings.Repeat("\xff", 64)), integer(65537)), Public, "PKCS#1", "RSA"},
		"two short numbers":           {seq(integer(1<<62), integer(3)), Unknown, "", ""},
		"SPKI":                        {seq(rsaID, bits), Public, "SPKI", "RSA"},
		"SPKI, EC":                    {seq(ecID, bits), Public, "SPKI", "EC"},
		"SPKI, SM2":                   {seq(sm2ID, bits), Public, "SPKI", "SM2"},
		"SPKI, Ed25519":               {seq(edID, bits), Public, "SPKI", ""},
		"SPKI of a rare algorithm":    {seq(dhID, bits), Public, "SPKI", ""},
		"SPKI without an algorithm":   {seq(seq(null), bits), Unknown, "", ""},
		"encrypted PKCS#8":            {seq(pbes2, octets), EncryptedPrivate, "PKCS#8", ""},
		"encrypted PKCS#8, older":     {seq(pbe, octets), EncryptedPrivate, "PKCS#8", ""},
		"PKCS#7":                      {seq(tlv(6, "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"), tlv(0xa0, "")), OtherFormat, "PKCS#7", ""},
		"another content":             {seq(tlv(6, "x"), tlv(0xa0, "")), Unknown, "", ""},
		"certificate":                 {seq(seq(tlv(0xa0, integer(2)), integer(7), rsaID, octets)), Certificate, "X.509", ""},
		"certificate, version 1":      {seq(seq(integer(7), rsaID, octets)), Certificate, "X.509", ""},
		"certificate, SM2":            {seq(seq(tlv(0xa0, integer(2)), integer(7), sm2ID, octets)), Certificate, "X.509", "SM2"},
		"certificate request":         {seq(seq(integer(0), name, octets)), CertificateRequest, "PKCS#10", ""},
		"SM2 somewhere in an RSA key": {seq(integer(0), rsaID, tlv(4, curveSM2)), Private, "PKCS#8", "RSA"},
		"nothing":                     {seq(), Unknown, "", ""},
		"no SEQUENCE":                 {tlv(0x31, integer(0)+rsaID), Unknown, "", ""},
	} {
		m := Material{DER: []byte(tc.der)}
		m.recognise("")
		assert.Equal(t, tc.kind, m.Kind, what)
		assert.Equal(t, tc.form, m.Form, what)
		assert.Equal(t, tc.algorithm, m.Algorithm, what)
	}
}

// What every length of the head of a SEQUENCE takes must not shift what follows.
func TestACutKeyHasANameAtEveryLength(t *testing.T) {
	for name, want := range map[string]string{
		"app_private_pkcs8.pem": "an RSA private key (PKCS#8, base64)", "app_private_pkcs1.pem": "an RSA private key (PKCS#1, base64)",
		"app_public.pem": "an RSA public key (SPKI, base64)", "app_public_cert.crt": "a certificate (X.509, base64)", "ec_private.pem": "an EC private key (SEC 1, base64)",
	} {
		der := derOf(t, read(t, vectors+name))
		for length := 30; length < len(der); length++ {
			m := Inspect(base64Of(der[:length]))
			if m.String() != want || !strings.HasPrefix(m.Defect.EN, "base64 cut short: the DER announces ") {
				t.Fatalf("%s, %d bytes: %s: %s", name, length, m, m.Defect.EN)
			}
		}
	}
}

func TestNumbersThatNoRSAKeyHasAreRefused(t *testing.T) {
	e := integer(65537)
	corrupt, impossible := defectCorrupt.EN, defectImpossible.EN
	for what, tc := range map[string]struct{ der, defect string }{
		"negative modulus": {seq(tlv(2, strings.Repeat("\xff\x01", 128)), e), corrupt}, "negative exponent": {seq(modulus2K, integer(-65537)), corrupt},
		"exponent 0": {seq(modulus2K, integer(0)), corrupt}, "exponent 1": {seq(modulus2K, integer(1)), impossible}, "even exponent": {seq(modulus2K, integer(65536)), impossible},
		"exponent of 32 bits": {seq(modulus2K, integer(1<<32-1)), corrupt}, "exponent of 65 bits": {seq(modulus2K, tlv(2, "\x01\x00\x00\x00\x00\x00\x00\x00\x03")), corrupt},
		"no exponent": {seq(modulus2K), corrupt}, "another member": {seq(modulus2K, null), corrupt}, "even modulus": {seq(tlv(2, "\x7f"+strings.Repeat("\xfe", 255)), e), impossible},
		"16,385 bits": {seq(tlv(2, "\x01"+strings.Repeat("\xff", maxBits/8)), e), defectHuge.EN}, "private, and nothing else": {seq(integer(0), modulus2K, e), corrupt},
		"more than any DER": {seq(integer(0), modulus2K, e, tlv(2, strings.Repeat("\x01", maxBits))), defectHuge.EN},
	} {
		m := Inspect(base64Of([]byte(tc.der)))
		assert.Equal(t, tc.defect, m.Defect.EN, what)
		assert.Nil(t, m.Public, what)
		m = Inspect(base64Of([]byte(seq(rsaID, tlv(3, "\x00"+tc.der)))))
		assert.Nil(t, m.Public, what)
		assert.NotEmpty(t, m.Defect.EN, what)
	}
	m := Inspect(base64Of([]byte(seq(modulus2K, integer(1<<31-1)))))
	assert.Empty(t, m.Defect.EN)
	assert.Equal(t, 1<<31-1, m.Public.E)
	assert.Equal(t, "an RSA-16385 public key (PKCS#1, base64)", Inspect(base64Of([]byte(seq(tlv(2, "\x01"+strings.Repeat("\xff", maxBits/8)), e)))).String(), "its size can be told")
}

func TestEveryByteOfAPrivateKeyCounts(t *testing.T) {
	der := derOf(t, read(t, vectors+"app_private_pkcs8.pem"))
	key := Inspect(base64Of(der)).Private
	for at := range der {
		changed := append([]byte(nil), der...)
		changed[at] ^= 0x10
		if m := Inspect(base64Of(changed)); m.Private != nil && !m.Private.Equal(key) {
			t.Errorf("with another byte %d it is another key", at)
		}
	}
}

func TestHowMuchCameIsSaidOfEveryTextThatWasCut(t *testing.T) {
	public := base64Of(derOf(t, read(t, vectors+"app_public.pem")))
	const begin, end = "-----BEGIN PUBLIC KEY-----\n", "\n-----END PUBLIC KEY-----"
	for _, text := range []string{public[:200], public[:201], begin + public[:200], begin + public[:201], begin + public[:200] + end, begin + public[:201] + end} {
		assert.Equal(t, "base64 cut short: the DER announces 294 bytes, 150 came", Inspect(text).Defect.EN, text)
	}
	assert.Equal(t, "1 stray bytes after the end of the DER", Inspect(base64Of(append(derOf(t, read(t, vectors+"app_public.pem")), 0))).Defect.EN)
	assert.Equal(t, defectNoEnd.EN, Inspect(begin+public).Defect.EN)
	assert.Equal(t, defectAlphabet.EN, Inspect(begin+public[:200]+"*"+end).Defect.EN)
	assert.Equal(t, defectNoBegin.EN, Inspect(public[:200]+end).Defect.EN)
}

func TestSeveralBlocksAreListed(t *testing.T) {
	public := read(t, vectors+"app_public.pem")
	const one = "an RSA-2048 public key (SPKI, PEM)"
	for n, want := range map[int]string{
		2: "2 PEM blocks in one text, and one belongs here: " + one + " and " + one,
		3: "3 PEM blocks in one text, and one belongs here: " + one + ", " + one + " and others",
		4: "4 PEM blocks in one text, and one belongs here: " + one + ", " + one + " and others",
	} {
		assert.Equal(t, want, Inspect(strings.Repeat(public, n)).Defect.EN)
	}
}

func TestACertificateThatCryptoX509RefusesIsOne(t *testing.T) {
	der := derOf(t, read(t, vectors+"app_public_cert.crt"))
	der[20] ^= 0xff // in the serial number or the algorithm
	m := Inspect(testpki.Armour("CERTIFICATE", der[:len(der)-1]))
	assert.Equal(t, Certificate, m.Kind)
	assert.Contains(t, m.Defect.EN, "cut short")
	m = Inspect(base64Of([]byte(seq(seq(integer(7), rsaID, seq(), seq(), seq(), seq()), rsaID, tlv(3, "\x00x")))))
	assert.Equal(t, "a certificate (X.509, base64)", m.String())
	assert.Empty(t, m.Defect.EN)
	assert.Nil(t, m.Public)
}

func TestLabelsAreTheLastResort(t *testing.T) {
	broken := []byte("not DER at all")
	for label, want := range map[string]struct {
		kind      Kind
		says      string
		defective bool
	}{
		"OPENSSH PRIVATE KEY": {OpenSSH, "an OpenSSH file", false}, "SSH2 ENCRYPTED PRIVATE KEY": {OpenSSH, "an OpenSSH file", false},
		"PUBLIC KEY": {Public, "a public key (SPKI, PEM)", true}, "PRIVATE KEY": {Private, "a private key (PKCS#8, PEM)", true}, "RSA PRIVATE KEY": {Private, "an RSA private key (PKCS#1, PEM)", true},
		"RSA PUBLIC KEY": {Public, "an RSA public key (PKCS#1, PEM)", true}, "ENCRYPTED PRIVATE KEY": {EncryptedPrivate, "a private key encrypted with a password (PKCS#8, PEM)", true},
		"CERTIFICATE": {Certificate, "a certificate (X.509, PEM)", true}, "CERTIFICATE REQUEST": {CertificateRequest, "a certificate request (PKCS#10, PEM)", true},
		"EC PRIVATE KEY": {Private, "an EC private key (SEC 1, PEM)", true}, "PKCS12": {OtherFormat, "a PKCS#12 file", true}, "PKCS7": {OtherFormat, "a PKCS#7 file", true},
		"X509 CRL": {Unknown, "neither a key nor a certificate", true}, "": {Unknown, "neither a key nor a certificate", true},
	} {
		m := Inspect(armour(label, broken))
		assert.Equal(t, want.kind, m.Kind, label)
		assert.Equal(t, want.says, m.String(), label)
		assert.Equal(t, want.defective, m.Defect.EN != "", label)
	}
}

func TestTheArmourIsReadWithItsHeadersAndWithinBounds(t *testing.T) {
	public := base64Of(derOf(t, read(t, vectors+"app_public.pem")))
	labelled := func(label, body string) string {
		return "-----BEGIN " + label + "-----\n" + body + "\n-----END " + label + "-----"
	}
	for what, tc := range map[string]struct {
		text, defect string
		kind         Kind
	}{
		"a label of 63 characters":         {labelled(strings.Repeat("X", 63), public), "", Public},
		"a label of 64 characters":         {labelled(strings.Repeat("X", 64), public), defectNoBegin.EN, Unknown},
		"encrypted":                        {labelled("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\n"+public), "", EncryptedPrivate},
		"a header outside of armour":       {"Comment: x\n" + public, defectAlphabet.EN, Unknown},
		"no END line and nothing inside":   {"-----BEGIN PUBLIC KEY-----\n", defectNoEnd.EN, Public},
		"no END line, and another mistake": {"-----BEGIN PUBLIC KEY-----\n*", defectAlphabet.EN, Public},
		"BEGIN without its dashes":         {"BEGIN PUBLIC KEY\n" + public, defectNoBegin.EN, Unknown},
		"END alone":                        {public + "\n-----END PUBLIC KEY-----", defectNoBegin.EN, Public},
	} {
		m := Inspect(tc.text)
		assert.Equal(t, tc.defect, m.Defect.EN, what)
		assert.Equal(t, tc.kind, m.Kind, what)
	}
	assert.Equal(t, "a private key encrypted with a password (PKCS#1, PEM)", Inspect(labelled("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA")).String())
}

func TestBase64IsDecodedUpToWhatIsWrong(t *testing.T) {
	for in, want := range map[string]struct{ der, defect string }{
		"AAEC": {"\x00\x01\x02", ""}, "A A\tE\nC": {"\x00\x01\x02", ""}, "AAE=": {"\x00\x01", ""}, "AAE": {"\x00\x01", ""}, "AA==": {"\x00", ""}, "": {"", ""}, "====": {"", ""},
		"AAECA": {"\x00\x01\x02", defectLength.EN}, "AAEC*AAA": {"\x00\x01\x02", defectAlphabet.EN}, "AAE=AAEC": {"\x00\x01", defectPadding.EN}, "AAE==MAA=": {"\x00\x01", defectConcatenated.EN},
		"AAE=AA*": {"\x00\x01", defectAlphabet.EN}, "AZaz09+/": {"\x01\x96\xb3\xd3\xdf\xbf", ""}, "AA@A": {"\x00", defectAlphabet.EN}, "AA[A": {"\x00", defectAlphabet.EN}, "AA`A": {"\x00", defectAlphabet.EN}, "AA{A": {"\x00", defectAlphabet.EN}, "AA:A": {"\x00", defectAlphabet.EN}, "AA.A": {"\x00", defectAlphabet.EN},
		"AA-_": {"\x00\x0f\xbf", ""}, "-_+/": {"\xfb\xff\xbf\xff"[:3], ""},
	} {
		der, defect := decode(in)
		assert.Equal(t, want.der, string(der), in)
		assert.Equal(t, want.defect, defect.EN, in)
	}
}

func TestATextMayHaveOneMebibyte(t *testing.T) {
	public := read(t, vectors+"app_public.pem")
	assert.Equal(t, Public, Inspect(strings.Repeat(" ", maxText-len(public))+public).Kind)
	assert.Equal(t, Unknown, Inspect(strings.Repeat(" ", maxText+1-len(public))+public).Kind)
}
