package keys

import (
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unhex(s string) []byte { return must(hex.DecodeString(strings.ReplaceAll(s, " ", ""))) }

// seq is a DER SEQUENCE of members.
func seq(members ...string) string { return tlv(tagSequence, strings.Join(members, "")) }

func tlv(tag byte, body string) string {
	return string(must(asn1.Marshal(asn1.RawValue{Class: int(tag >> 6), Tag: int(tag & 0x1f), IsCompound: tag&0x20 != 0, Bytes: []byte(body)})))
}

func integer(n int64) string { return string(must(asn1.Marshal(big.NewInt(n)))) }

var (
	oidRSA    = tlv(tagOID, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
	oidEC     = tlv(tagOID, "\x2a\x86\x48\xce\x3d\x02\x01")
	null      = "\x05\x00"
	modulus33 = tlv(tagInteger, "\x00"+strings.Repeat("\xff", 32)) // 256 bits
)

func TestAnElementIsReadAsFarAsItGoes(t *testing.T) {
	for in, want := range map[string]piece{
		"30 00":             {tag: 0x30, body: []byte{}, rest: []byte{}, length: 2},
		"02 01 05 ff":       {tag: 2, body: []byte{5}, rest: []byte{0xff}, length: 3},
		"04 7f":             {tag: 4, body: []byte{}, length: 129, short: true},
		"04 02 01":          {tag: 4, body: []byte{1}, length: 4, short: true},
		"04 81 01 07":       {tag: 4, body: []byte{7}, rest: []byte{}, length: 4},
		"04 82 00 01 07 08": {tag: 4, body: []byte{7}, rest: []byte{8}, length: 5},
		"04 84 00 00 00 01": {tag: 4, body: []byte{}, length: 7, short: true},
		"04 84 40 00 00 00": {tag: 4, body: []byte{}, length: 6 + 1<<30, short: true},
		"04 82 01 02":       {tag: 4, body: []byte{}, length: 4 + 258, short: true},
	} {
		got, ok := element(unhex(in))
		assert.True(t, ok, in)
		assert.Equal(t, want, got, in)
	}
	for what, in := range map[string]string{
		"nothing": "", "a tag alone": "30", "indefinite length": "30 80 00 00", "length of five bytes": "30 85 00 00 00 00 01 00", "length cut off": "30 82 01",
		"more than 1 GiB": "04 84 40 00 00 01", "negative in 32 bits": "04 84 ff ff ff ff",
	} {
		_, ok := element(unhex(in))
		assert.False(t, ok, what)
	}
}

func TestChildrenAreTheFirstTen(t *testing.T) {
	list, shape := children([]byte(strings.Repeat(null, 9)))
	assert.Len(t, list, 9)
	assert.Equal(t, strings.Repeat("\x05", 9), shape)
	list, _ = children([]byte(strings.Repeat(null, 12)))
	assert.Len(t, list, 10)
	list, shape = children([]byte(null + "\x04\x05\x01"))
	assert.Len(t, list, 2)
	assert.Equal(t, "\x05\x04", shape)
	assert.True(t, list[1].short)
	list, _ = children([]byte("\x04"))
	assert.Empty(t, list)
}

func TestTheGuardsOfDER(t *testing.T) {
	for in, want := range map[string]bool{"\x00": true, "\x01": true, "\x02": false, "": false, "\x00\x00": false, "\x01\x01": false} {
		assert.Equal(t, want, small([]byte(in)), "% x", in)
	}
	for in, want := range map[string]bool{"": true, "\x00": false, "\x7f": false, "\x80": true, "\xff\x00": true} {
		assert.Equal(t, want, negative([]byte(in)), "% x", in)
	}
	for in, want := range map[string]string{"": "", "\x00": "", "\x00ab": "ab", "\x01ab": "", "\x07": ""} {
		assert.Equal(t, want, string(bitString([]byte(in))), "% x", in)
	}
	assert.True(t, isOID([]byte(oidRSA)))
	assert.False(t, isOID([]byte(null)))
	assert.False(t, isOID(nil))
	assert.True(t, startsLikeDER([]byte(seq())))
	assert.False(t, startsLikeDER([]byte(null)))
	assert.False(t, startsLikeDER([]byte{0x30}))
}

func TestTheAlgorithmIsThatOfTheIdentifier(t *testing.T) {
	const sm2 = "\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d"
	for in, want := range map[string]string{
		oidRSA: "RSA", oidRSA + null: "RSA", oidEC + tlv(tagOID, "\x2a\x86\x48\xce\x3d\x03\x01\x07"): "EC", oidEC + sm2: "SM2", oidRSA + sm2: "RSA",
		oidEC: "EC", tlv(tagOID, "\x2b\x65\x70"): "Ed25519", tlv(tagOID, "\x2b\x65\x72"): "", null + oidRSA: "", "": "",
		tlv(tagOID, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"): "RSA-PSS", tlv(tagOID, "\x2a\x86\x48\xce\x38\x04\x01"): "DSA", tlv(tagOID, "\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01"): "DH",
		tlv(tagOID, "\x2b\x65\x6e"): "X25519", tlv(tagOID, "\x2b\x65\x6f"): "X448", tlv(tagOID, "\x2b\x65\x71"): "Ed448",
	} {
		assert.Equal(t, want, algorithm([]byte(in)), "% x", in)
	}
}

func TestTheModulusIsReadFromItsStructureOnly(t *testing.T) {
	const public = "\x02\x02"
	const private = "\x02\x02\x02\x02"
	e := integer(65537)
	for what, der := range map[string]string{
		"nothing": "", "no SEQUENCE": tlv(tagSet, modulus33+e), "cut off": seq(modulus33, e)[:20], "more behind it": seq(modulus33, e) + null,
		"one member": seq(modulus33), "another member": seq(modulus33, null), "no members": seq(),
	} {
		key, defect := modulus([]byte(der), public)
		assert.Nil(t, key, what)
		assert.Equal(t, defectRSA, defect, what)
	}
	for what, der := range map[string]string{
		"empty modulus": seq(tlv(tagInteger, ""), e), "negative modulus": seq(tlv(tagInteger, "\xff\xff"), e), "modulus 0": seq(integer(0), e), "even modulus": seq(integer(1<<40), e),
		"empty exponent": seq(modulus33, tlv(tagInteger, "")), "negative exponent": seq(modulus33, integer(-65537)), "exponent 0": seq(modulus33, integer(0)), "exponent 1": seq(modulus33, integer(1)),
		"exponent 2": seq(modulus33, integer(2)), "even exponent": seq(modulus33, integer(65536)), "exponent of 32 bits": seq(modulus33, integer(1<<32-1)), "exponent of 65 bits": seq(modulus33, tlv(tagInteger, "\x01\x00\x00\x00\x00\x00\x00\x00\x03")),
		"exponent cut off inside": string([]byte{tagSequence, 36}) + modulus33[:35] + "\x02", "exponent cut off": seq(modulus33, "\x02\x03\x01\x01"),
	} {
		key, defect := modulus([]byte(der), public)
		assert.Nil(t, key, what)
		assert.Contains(t, []string{defectImpossible, defectRSA}, defect, what)
	}
	key, defect := modulus([]byte(seq(modulus33, integer(1<<31-1))), public)
	require.Empty(t, defect)
	assert.Equal(t, 256, key.N.BitLen())
	assert.Equal(t, 1<<31-1, key.E)
	key, defect = modulus([]byte(seq(integer(0), modulus33, e, integer(5))), private)
	require.Empty(t, defect)
	assert.Equal(t, 256, key.N.BitLen())
	assert.Equal(t, 65537, key.E)
	key, defect = modulus([]byte(seq(tlv(tagInteger, "\x01"+strings.Repeat("\xff", maxBits/8)), e)), public)
	assert.Equal(t, defectHuge, defect)
	assert.Equal(t, maxBits+1, key.N.BitLen(), "its size can be told")
}

func TestStructuresAreToldApartByTheirFirstMembers(t *testing.T) {
	rsaAlgorithm, ecAlgorithm := seq(oidRSA, null), seq(oidEC)
	octets, bits := tlv(tagOctetString, "x"), tlv(tagBitString, "\x00x")
	long := tlv(tagInteger, "\x00"+strings.Repeat("\xff", 31)) // shorter than any modulus
	name, dates, spki := seq(), seq(), seq(rsaAlgorithm, bits)
	v3 := tlv(tagContext0, integer(2))
	for what, tc := range map[string]struct {
		der             string
		kind            Kind
		form, algorithm string
	}{
		"PKCS#8":                           {seq(integer(0), rsaAlgorithm, octets), PrivateRSA, "PKCS#8", "RSA"},
		"PKCS#8, version 1":                {seq(integer(1), rsaAlgorithm, octets), PrivateRSA, "PKCS#8", "RSA"},
		"PKCS#8, version 2":                {seq(integer(2), rsaAlgorithm, octets), Unknown, "", ""},
		"PKCS#8, EC":                       {seq(integer(0), ecAlgorithm, octets), PrivateOther, "PKCS#8", "EC"},
		"PKCS#8 up to the algorithm":       {seq(integer(0), rsaAlgorithm), PrivateRSA, "PKCS#8", "RSA"},
		"a version and no algorithm":       {seq(integer(0), seq(null)), Unknown, "", ""},
		"version 2 and an algorithm":       {seq(integer(2), rsaAlgorithm), Unknown, "", ""},
		"PKCS#12":                          {seq(integer(3), rsaAlgorithm, seq()), OtherFormat, "PKCS#12", ""},
		"PKCS#12 without a MAC":            {seq(integer(3), rsaAlgorithm), OtherFormat, "PKCS#12", ""},
		"version 4":                        {seq(integer(4), rsaAlgorithm, seq()), Unknown, "", ""},
		"SEC 1":                            {seq(integer(1), octets), PrivateOther, "SEC 1", "EC"},
		"SEC 1, version 0":                 {seq(integer(0), octets), Unknown, "", ""},
		"SEC 1, SM2":                       {seq(integer(1), octets, tlv(tagContext0, oidElementSM2)), PrivateOther, "SEC 1", "SM2"},
		"SEC 1, SM2 somewhere else":        {seq(integer(1), octets, tlv(0xa1, oidElementSM2)), PrivateOther, "SEC 1", "EC"},
		"PKCS#1, private":                  {seq(integer(0), modulus33, integer(65537)), PrivateRSA, "PKCS#1", "RSA"},
		"PKCS#1, private, modulus only":    {seq(integer(0), modulus33), PrivateRSA, "PKCS#1", "RSA"},
		"DSA":                              {seq(integer(0), modulus33, modulus33), PrivateOther, "OpenSSL's own form", "DSA"},
		"an exponent of 8 bytes":           {seq(integer(0), modulus33, integer(1<<62)), PrivateRSA, "PKCS#1", "RSA"},
		"PKCS#1, public":                   {seq(modulus33, integer(65537)), PublicRSA, "PKCS#1", "RSA"},
		"two long numbers":                 {seq(modulus33, modulus33), Unknown, "", ""},
		"three numbers":                    {seq(modulus33, integer(3), integer(3)), Unknown, "", ""},
		"two numbers of the same bytes":    {seq(long, integer(3)), PublicRSA, "PKCS#1", "RSA"},
		"a number too short":               {seq(tlv(tagInteger, strings.Repeat("\x7f", 31)), integer(3)), Unknown, "", ""},
		"SPKI":                             {spki, PublicRSA, "SPKI", "RSA"},
		"SPKI, EC":                         {seq(ecAlgorithm, bits), PublicOther, "SPKI", "EC"},
		"SPKI without an algorithm":        {seq(seq(null), bits), Unknown, "", ""},
		"encrypted PKCS#8":                 {seq(seq(oidRSA), octets), EncryptedPrivate, "PKCS#8", ""},
		"octets without an algorithm":      {seq(seq(null), octets), Unknown, "", ""},
		"PKCS#7":                           {seq(tlv(tagOID, oidPKCS7+"\x02"), tlv(tagContext0, "")), OtherFormat, "PKCS#7", ""},
		"another content":                  {seq(oidRSA, tlv(tagContext0, "")), Unknown, "", ""},
		"certificate":                      {seq(seq(v3, integer(7), rsaAlgorithm, name, dates, name, spki), rsaAlgorithm, bits), Certificate, "X.509", "RSA"},
		"certificate, v1":                  {seq(seq(integer(7), rsaAlgorithm, name, dates, name, spki), rsaAlgorithm, bits), Certificate, "X.509", "RSA"},
		"certificate, v1, no algorithm":    {seq(seq(integer(7), seq(null), name, dates, name, spki), rsaAlgorithm, bits), Unknown, "", ""},
		"certificate without key":          {seq(seq(v3, integer(7), rsaAlgorithm, name, dates, name), rsaAlgorithm, bits), Certificate, "X.509", ""},
		"certificate with another key":     {seq(seq(v3, integer(7), rsaAlgorithm, name, dates, name, seq(null)), rsaAlgorithm, bits), Certificate, "X.509", ""},
		"revocation list":                  {seq(seq(integer(1), rsaAlgorithm, name, tlv(tagUTCTime, "x")), rsaAlgorithm, bits), OtherFormat, "certificate revocation list", ""},
		"revocation list, later than 2049": {seq(seq(integer(1), rsaAlgorithm, name, tlv(tagGenTime, "x")), rsaAlgorithm, bits), OtherFormat, "certificate revocation list", ""},
		"certificate request":              {seq(seq(integer(0), name, spki, tlv(tagContext0, "")), rsaAlgorithm, bits), CertificateRequest, "PKCS#10", "RSA"},
		"something else that is signed":    {seq(seq(integer(0), name, spki), rsaAlgorithm, bits), Unknown, "", ""},
		"nothing":                          {seq(), Unknown, "", ""},
	} {
		var m Material
		outer, ok := element([]byte(tc.der))
		require.True(t, ok, what)
		m.recognise([]byte(tc.der), outer.body)
		assert.Equal(t, tc.kind, m.Kind, what)
		assert.Equal(t, tc.algorithm, m.Algorithm, what)
		if tc.kind != Unknown {
			assert.Equal(t, tc.form, m.Form, what)
		}
	}
}

func TestHowMuchCameIsSaidOfEveryTextThatWasCut(t *testing.T) {
	public := base64Of(derOf(t, read(t, vectors+"app_public.pem")))
	const begin, end = "-----BEGIN PUBLIC KEY-----\n", "\n-----END PUBLIC KEY-----"
	for _, text := range []string{public[:200], public[:201], begin + public[:200], begin + public[:201], begin + public[:200] + end, begin + public[:201] + end} {
		assert.Equal(t, "base64 cut short: the DER announces 294 bytes, 150 came", Inspect(text).Defect, text)
	}
	assert.Equal(t, "1 stray bytes after the end of the DER", Inspect(base64Of(append(derOf(t, read(t, vectors+"app_public.pem")), 0))).Defect)
	assert.Equal(t, defectNoEnd, Inspect(begin+public).Defect)
	assert.Equal(t, defectAlphabet, Inspect(begin+public[:200]+"*"+end).Defect)
	assert.Equal(t, defectNoBegin, Inspect(public[:200]+end).Defect)
}

func TestWhatIsGluedTogetherIsListed(t *testing.T) {
	public := read(t, vectors+"app_public.pem")
	const one = "an RSA-2048 public key (SPKI, PEM)"
	for n, want := range map[int]string{
		2: "two keys glued together in one text: " + one + " and " + one,
		3: "3 keys glued together in one text: " + one + ", " + one + " and " + one,
		4: "4 keys glued together in one text: " + one + ", " + one + " and others",
	} {
		assert.Equal(t, want, Inspect(strings.Repeat(public, n)).Defect)
	}
}

func TestOnlyASkeletonOfSixMembersIsACertificate(t *testing.T) {
	algorithm, bits, six := seq(oidRSA), tlv(tagBitString, "\x00x"), []string{integer(7), seq(oidRSA), seq(), seq(), seq(), seq()}
	assert.True(t, wellFormedCertificate([]byte(seq(seq(six...), algorithm, bits))))
	assert.False(t, wellFormedCertificate([]byte(seq(seq(six[:5]...), algorithm, bits))))
	assert.False(t, wellFormedCertificate([]byte(seq(seq(six...), algorithm, bits)+null)))
	assert.False(t, wellFormedCertificate([]byte(seq(seq(six...), algorithm))))
	m := Inspect(base64Of([]byte(seq(seq(six[:5]...), algorithm, bits))))
	assert.Equal(t, Certificate, m.Kind)
	assert.Equal(t, "the DER of the certificate is corrupt", m.Defect)
}

func TestLabelsAreTheLastResort(t *testing.T) {
	broken := []byte("not DER at all")
	for label, want := range map[string]struct {
		kind      Kind
		says      string
		defective bool
	}{
		"PKCS7": {OtherFormat, "a PKCS#7 file", true}, "CMS": {OtherFormat, "a PKCS#7 file", true},
		"OPENSSH PRIVATE KEY": {OtherFormat, "an OpenSSH file", false}, "SSH2 ENCRYPTED PRIVATE KEY": {OtherFormat, "an OpenSSH file", false},
		"PGP MESSAGE": {OtherFormat, "a PGP file", false}, "PKCS12": {OtherFormat, "a PKCS#12 file", false}, "PKCS #12 FILE": {OtherFormat, "a PKCS#12 file", false},
		"PUBLIC KEY": {PublicOther, "a public key (PEM)", true}, "PRIVATE KEY": {PrivateOther, "a private key (PEM)", true}, "RSA PRIVATE KEY": {PrivateRSA, "an RSA private key (PEM)", true},
		"RSA PUBLIC KEY": {PublicRSA, "an RSA public key (PEM)", true}, "ENCRYPTED PRIVATE KEY": {EncryptedPrivate, "a private key encrypted with a password (PEM)", true},
		"CERTIFICATE": {Certificate, "a certificate (PEM)", true}, "CERTIFICATE REQUEST": {CertificateRequest, "a certificate request (PEM)", true},
		"X509 CRL": {Unknown, "neither a key nor a certificate", true}, "": {Unknown, "neither a key nor a certificate", true},
	} {
		m := Inspect(armour(label, broken))
		assert.Equal(t, want.kind, m.Kind, label)
		assert.Equal(t, want.says, m.String(), label)
		assert.Equal(t, want.defective, m.Defect != "", label)
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
		"a label of 64 characters":         {labelled(strings.Repeat("X", 64), public), "", PublicRSA},
		"a label of 65 characters":         {labelled(strings.Repeat("X", 65), public), defectNoBegin, Unknown},
		"a header":                         {labelled("PUBLIC KEY", "Comment: x\n\n"+public), "", PublicRSA},
		"a header that is not about this":  {labelled("PUBLIC KEY", "Proc-Type: 4,MIC-CLEAR\n\n"+public), "", PublicRSA},
		"the word alone":                   {labelled("PUBLIC KEY", "Comment: ENCRYPTED\n\n"+public), "", PublicRSA},
		"encrypted":                        {labelled("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\n"+public), "", EncryptedPrivate},
		"a header outside of armour":       {"Comment: x\n" + public, defectAlphabet, Unknown},
		"parameters before it":             {labelled("EC PARAMETERS", "BggqhkjOPQMBBw==") + labelled("PUBLIC KEY", public), "", PublicRSA},
		"parameters alone":                 {labelled("EC PARAMETERS", "BggqhkjOPQMBBw=="), "it decodes to something that is not the DER of a key or certificate", Unknown},
		"no END line and nothing inside":   {"-----BEGIN PUBLIC KEY-----\n", defectNoEnd, PublicOther},
		"no END line, and another mistake": {"-----BEGIN PUBLIC KEY-----\n*", defectAlphabet, PublicOther},
		"BEGIN without its dashes":         {"BEGIN PUBLIC KEY\n" + public, defectNoBegin, Unknown},
		"END alone":                        {public + "\n-----END PUBLIC KEY-----", defectNoBegin, PublicRSA},
	} {
		m := Inspect(tc.text)
		assert.Equal(t, tc.defect, m.Defect, what)
		assert.Equal(t, tc.kind, m.Kind, what)
	}
	assert.Equal(t, "a private key encrypted with a password (PEM)", Inspect(labelled("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA")).String())
	assert.Equal(t, "a private key encrypted with a password (PKCS#1, PEM)", Inspect(labelled("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA")).String())
}

func TestBase64IsDecodedUpToWhatIsWrong(t *testing.T) {
	for in, want := range map[string]struct{ der, defect string }{
		"AAEC": {"\x00\x01\x02", ""}, "A A\tE\nC": {"\x00\x01\x02", ""}, "AAE=": {"\x00\x01", ""}, "AAE": {"\x00\x01", ""}, "AA==": {"\x00", ""}, "": {"", ""}, "====": {"", ""},
		"AAECA": {"\x00\x01\x02", defectLength}, "AAEC*AAA": {"\x00\x01\x02", defectAlphabet}, "AAE=AAEC": {"\x00\x01", defectPadding}, "AAE==MAA=": {"\x00\x01", defectGlued},
		"AAE=AA*": {"\x00\x01", defectAlphabet}, "AZaz09+/": {"\x01\x96\xb3\xd3\xdf\xbf", ""}, "AA@A": {"\x00", defectAlphabet}, "AA[A": {"\x00", defectAlphabet}, "AA`A": {"\x00", defectAlphabet}, "AA{A": {"\x00", defectAlphabet}, "AA:A": {"\x00", defectAlphabet}, "AA.A": {"\x00", defectAlphabet},
		"AA-_": {"\x00", defectAlphabet},
	} {
		der, defect := decode(in)
		assert.Equal(t, want.der, string(der), in)
		assert.Equal(t, want.defect, defect, in)
	}
}

func TestContentIsToldFromAPathByLength(t *testing.T) {
	content := func(n int) string { // base64 of a SEQUENCE that announces more than comes
		return base64Of(append([]byte{0x30, 0x70}, make([]byte, n-2)...))
	}
	assert.Len(t, content(45), 60)
	assert.True(t, LooksLikeContent(content(45)))
	assert.False(t, LooksLikeContent(content(42)), "56 characters")
	assert.False(t, LooksLikeContent("/"+content(45)), "it decodes to no SEQUENCE")
	assert.False(t, LooksLikeContent(content(45)+".pem"), "a dot is no base64")
	assert.True(t, LooksLikeContent(content(3<<18)), "1 MiB")
	assert.False(t, LooksLikeContent(content(3<<18)+"AAAA"))
}

func TestPathsHaveALongestLength(t *testing.T) {
	assert.Equal(t, PathLike, Inspect("/"+strings.Repeat("a.", 511)+"x").Kind, "1,024 bytes")
	assert.NotEqual(t, PathLike, Inspect("/"+strings.Repeat("a.", 511)+"xy").Kind)
}
