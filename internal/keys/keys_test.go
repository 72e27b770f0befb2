package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/testpki"
)

const vectors = "../../testdata/vectors/"

func read(tb testing.TB, name string) string {
	tb.Helper()
	raw, err := os.ReadFile(name)
	require.NoError(tb, err)
	return string(raw)
}

func derOf(tb testing.TB, text string) []byte {
	tb.Helper()
	b, _ := pem.Decode([]byte(text))
	require.NotNil(tb, b)
	return b.Bytes
}

func armour(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// fingerprint is the SHA-256 of the public key as SPKI, "" without a key.
func fingerprint(m Material) string {
	if m.Public == nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(must(x509.MarshalPKIXPublicKey(m.Public))))
}

func base64Of(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// wrap breaks text into lines of n characters.
func wrap(text string, n int, eol string) string {
	var lines []string
	for len(text) > n {
		lines, text = append(lines, text[:n]), text[n:]
	}
	return strings.Join(append(lines, text), eol)
}

// forms are the manglings a PEM text goes through on its way to a configuration.
func forms(tb testing.TB, pemText string) map[string]string {
	tb.Helper()
	block, _ := pem.Decode([]byte(pemText))
	require.NotNil(tb, block)
	bare := base64Of(block.Bytes)
	begin, end := "-----BEGIN "+block.Type+"-----", "-----END "+block.Type+"-----"
	replaced := func(eol string) string { return strings.ReplaceAll(pemText, "\n", eol) }
	quoted := must(json.Marshal(pemText))
	twice := must(json.Marshal(string(quoted)))
	return map[string]string{
		"PEM as it is":                   pemText,
		"PEM without last line end":      strings.TrimSpace(pemText),
		"PEM with CRLF":                  replaced("\r\n"),
		"PEM with lone CR":               replaced("\r"),
		"PEM with \\n spelled out":       replaced(`\n`),
		"PEM with \\r\\n spelled out":    replaced(`\r\n`),
		"PEM as a JSON string":           string(quoted),
		"PEM as JSON in JSON":            string(twice),
		"PEM with shell continuations":   replaced("\\\n"),
		"PEM with BOM":                   "\ufeff" + pemText,
		"PEM indented":                   "  \t" + replaced("\n    "),
		"PEM with blank lines":           replaced("\n\n"),
		"PEM with trailing spaces":       replaced(" \t\n"),
		"PEM in double quotes":           `"` + pemText + `"`,
		"PEM in single quotes":           "'" + pemText + "'",
		"PEM squeezed on one line":       replaced(" "),
		"PEM without any line end":       replaced(""),
		"PEM with base64 in one line":    begin + "\n" + bare + "\n" + end,
		"PEM in lines of 20":             begin + "\n" + wrap(bare, 20, "\n") + "\n" + end,
		"PEM with no-break spaces":       replaced("\u00a0\n\u200b"),
		"PEM with text around":           "Bag Attributes\n    friendlyName: x\nKey Attributes: <No Attributes>\n" + pemText + "\nlast words",
		"PEM with wrong label":           strings.ReplaceAll(pemText, block.Type, "PUBLIC KEY"),
		"PEM with unknown label":         strings.ReplaceAll(pemText, block.Type, "SOMETHING"),
		"PEM without padding":            begin + "\n" + strings.TrimRight(bare, "=") + "\n" + end,
		"PEM with END line cut in half":  begin + "\n" + bare + "\n-----END",
		"bare in one line":               bare,
		"bare in lines of 64":            wrap(bare, 64, "\n"),
		"bare in lines of 7":             wrap(bare, 7, "\n"),
		"bare with CRLF":                 wrap(bare, 76, "\r\n") + "\r\n",
		"bare with lone CR":              wrap(bare, 76, "\r"),
		"bare with \\n spelled out":      wrap(bare, 64, `\n`) + `\n`,
		"bare with \\r\\n spelled out":   wrap(bare, 64, `\r\n`),
		"bare with spaces":               wrap(bare, 64, " "),
		"bare with tabs":                 "\t" + wrap(bare, 64, "\t"),
		"bare indented":                  "   " + wrap(bare, 64, "\n   ") + "  ",
		"bare with BOM":                  "\ufeff" + bare,
		"bare in double quotes":          `"` + bare + `"`,
		"bare in curly quotes":           "“" + bare + "”",
		"bare in single quotes, spaced":  ` ' ` + bare + ` ' `,
		"bare with BOM, quotes and CRLF": "\ufeff\"" + wrap(bare, 64, "\r\n") + "\"\r\n",
		"bare without padding":           strings.TrimRight(bare, "="),
		"bare, URL-safe":                 base64.RawURLEncoding.EncodeToString(block.Bytes),
		"bare, as PHP writes JSON":       strings.ReplaceAll(bare, "/", `\/`),
		"bare in UTF-16":                 utf16Of(bare, binary.LittleEndian),
		"bare with a mark in the middle": bare[:100] + "\u2060\u200e\u00ad\u200b\u200d\ufeff" + bare[100:],
		"base64 of base64":               base64Of([]byte(bare + "\n")),
		"PEM in UTF-16, big-endian":      utf16Of(replaced("\r\n"), binary.BigEndian),
		"PEM in UTF-16 with a mark":      utf16Of("\ufeff"+pemText, binary.LittleEndian),
		"PEM in UTF-16, trimmed":         strings.TrimSpace(utf16Of("\ufeff"+pemText, binary.BigEndian)),
		"PEM in base64":                  wrap(base64Of([]byte(pemText)), 76, "\n"),
		"PEM in base64, twice":           base64Of([]byte(base64Of([]byte("\ufeff" + replaced("\r\n"))))),
		"PEM with marks in its lines":    strings.NewReplacer("BEGIN", "BE\u00adGIN", "\n", "\u2060\n\u200e", "-----END", "--\u200b---END").Replace(pemText),
	}
}

func utf16Of(text string, order binary.ByteOrder) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, 0, 0)
		order.PutUint16(out[len(out)-2:], unit)
	}
	return string(out)
}

// Made with Python, base64 and keytool from the key of app_private_pkcs8.pem, whose
// fingerprint openssl computed.
func TestFilesThatOtherToolsMadeAreRead(t *testing.T) {
	for name, says := range map[string]string{
		"notepad_unicode.txt": "an RSA-2048 private key (PKCS#8, PEM)",
		"utf16be_bare.txt":    "an RSA-2048 private key (PKCS#8, base64)",
		"secret.b64":          "an RSA-2048 private key (PKCS#8, PEM)",
		"urlsafe.txt":         "an RSA-2048 private key (PKCS#8, base64)",
		"invisible.txt":       "an RSA-2048 private key (PKCS#8, PEM)",
	} {
		m := Inspect(read(t, "testdata/"+name))
		assert.Empty(t, m.Defect.EN, name)
		assert.Equal(t, says, m.String(), name)
		assert.Equal(t, "fb117b7bd47618635fc4602de57f7e9594480ce8c7f00bb4e13badc2bba6a13e", fingerprint(m), name)
	}
}

func TestInspectAcceptsEveryFormOfAnRSAKey(t *testing.T) {
	app := must(x509.ParsePKCS8PrivateKey(derOf(t, read(t, vectors+"app_private_pkcs8.pem")))).(*rsa.PrivateKey)
	for name, tc := range map[string]struct {
		pem, form, says string
		kind            Kind
	}{
		"PKCS#8":        {read(t, vectors+"app_private_pkcs8.pem"), "PKCS#8", "an RSA-2048 private key (PKCS#8, %s)", Private},
		"PKCS#1":        {read(t, vectors+"app_private_pkcs1.pem"), "PKCS#1", "an RSA-2048 private key (PKCS#1, %s)", Private},
		"SPKI":          {read(t, vectors+"app_public.pem"), "SPKI", "an RSA-2048 public key (SPKI, %s)", Public},
		"PKCS#1 public": {armour("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&app.PublicKey)), "PKCS#1", "an RSA-2048 public key (PKCS#1, %s)", Public},
		"X.509":         {read(t, vectors+"app_public_cert.crt"), "X.509", "a certificate with an RSA-2048 key (X.509, %s)", Certificate},
	} {
		for form, text := range forms(t, tc.pem) {
			t.Run(name+"/"+form, func(t *testing.T) {
				m := Inspect(text)
				require.Empty(t, m.Defect.EN)
				assert.Equal(t, tc.kind, m.Kind)
				assert.Equal(t, tc.form, m.Form)
				assert.Equal(t, "RSA-2048", m.Algorithm)
				assert.Equal(t, strings.HasPrefix(form, "PEM"), m.PEM)
				assert.Equal(t, derOf(t, tc.pem), m.DER)
				require.NotNil(t, m.Public)
				assert.True(t, m.Public.Equal(&app.PublicKey))
				if tc.kind == Private {
					require.NotNil(t, m.Private)
					assert.True(t, m.Private.Equal(app))
				} else {
					assert.Nil(t, m.Private)
				}
				came := "base64"
				if m.PEM {
					came = "PEM"
				}
				assert.Equal(t, fmt.Sprintf(tc.says, came), m.String())
			})
		}
	}
}

func TestFingerprintIsThatOfThePair(t *testing.T) {
	app := fingerprint(Inspect(read(t, vectors+"app_public.pem")))
	assert.Regexp(t, "^[0-9a-f]{64}$", app)
	for _, name := range []string{"app_private_pkcs8.pem", "app_private_pkcs1.pem", "app_public_cert.crt"} {
		assert.Equal(t, app, fingerprint(Inspect(read(t, vectors+name))), name)
	}
	alipay := fingerprint(Inspect(read(t, vectors+"alipay_public.pem")))
	assert.NotEqual(t, app, alipay)
	assert.Equal(t, alipay, fingerprint(Inspect(read(t, vectors+"alipay_private_pkcs8.pem"))))
	assert.Equal(t, alipay, fingerprint(Inspect(read(t, vectors+"alipay_public_cert.crt"))), "leaf first, intermediate after it")
	assert.Empty(t, fingerprint(Inspect(read(t, vectors+"ec_private.pem"))))
}

func TestSmallRSAKeysShowTheirSize(t *testing.T) {
	m := Inspect(read(t, vectors+"rsa1024_private_pkcs8.pem"))
	assert.Empty(t, m.Defect.EN)
	assert.Equal(t, "an RSA-1024 private key (PKCS#8, PEM)", m.String())
	assert.NotNil(t, m.Private)

	const pkcs1 = "testdata/rsa512_private_pkcs1.pem"
	m = Inspect(read(t, pkcs1))
	assert.Equal(t, Private, m.Kind)
	assert.Equal(t, "RSA-512", m.Algorithm)
	key := must(x509.ParsePKCS1PrivateKey(derOf(t, read(t, pkcs1))))
	for name, der := range map[string][]byte{
		"SPKI":   must(x509.MarshalPKIXPublicKey(&key.PublicKey)),
		"PKCS#1": x509.MarshalPKCS1PublicKey(&key.PublicKey),
	} {
		m = Inspect(base64Of(der))
		assert.Empty(t, m.Defect.EN, name)
		assert.Equal(t, "an RSA-512 public key ("+name+", base64)", m.String())
	}
}

// sm2Private is a PKCS#8 SM2 key; only its algorithm identifier is of interest.
func sm2(tb testing.TB, private bool) []byte {
	tb.Helper()
	type algorithmID struct{ Algorithm, Curve asn1.ObjectIdentifier }
	id := algorithmID{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301}}
	if private {
		return must(asn1.Marshal(struct {
			Version int
			ID      algorithmID
			Key     []byte
		}{0, id, make([]byte, 40)}))
	}
	return must(asn1.Marshal(struct {
		ID  algorithmID
		Key asn1.BitString
	}{id, asn1.BitString{Bytes: make([]byte, 65), BitLength: 65 * 8}}))
}

func TestInspectCallsOtherMaterialByItsName(t *testing.T) {
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	x := must(base64.StdEncoding.DecodeString("MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq")) // X25519
	app := Inspect(read(t, vectors+"app_private_pkcs8.pem")).Private
	csr := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, app))

	for name, tc := range map[string]struct {
		text string
		kind Kind
		says string
	}{
		"EC, SEC 1":           {read(t, vectors+"ec_private.pem"), Private, "an EC private key (SEC 1, PEM)"},
		"EC, PKCS#8":          {base64Of(must(x509.MarshalPKCS8PrivateKey(ec))), Private, "an EC private key (PKCS#8, base64)"},
		"EC, SPKI":            {base64Of(must(x509.MarshalPKIXPublicKey(&ec.PublicKey))), Public, "an EC public key (SPKI, base64)"},
		"Ed25519":             {armour("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ed))), Private, "a private key (PKCS#8, PEM)"},
		"Ed25519, public":     {base64Of(must(x509.MarshalPKIXPublicKey(edPublic))), Public, "a public key (SPKI, base64)"},
		"X25519":              {base64Of(x), Private, "a private key (PKCS#8, base64)"},
		"SM2":                 {base64Of(sm2(t, true)), Private, "an SM2 private key (PKCS#8, base64)"},
		"SM2, public":         {base64Of(sm2(t, false)), Public, "an SM2 public key (SPKI, base64)"},
		"DSA, public":         {read(t, "testdata/dsa_public.pem"), Public, "a public key (SPKI, PEM)"},
		"RSA-PSS":             {read(t, "testdata/rsapss_private.pem"), Private, "a private key (PKCS#8, PEM)"},
		"encrypted, PKCS#8":   {read(t, "testdata/encrypted_pkcs8.pem"), EncryptedPrivate, "a private key encrypted with a password (PKCS#8, PEM)"},
		"encrypted, bare":     {base64Of(derOf(t, read(t, "testdata/encrypted_pkcs8.pem"))), EncryptedPrivate, "a private key encrypted with a password (PKCS#8, base64)"},
		"encrypted, PKCS#1":   {read(t, "testdata/encrypted_pkcs1.pem"), EncryptedPrivate, "a private key encrypted with a password (PKCS#1, PEM)"},
		"encrypted, squeezed": {strings.ReplaceAll(read(t, "testdata/encrypted_pkcs1.pem"), "\n", " "), EncryptedPrivate, "a private key encrypted with a password (PKCS#1, PEM)"},
		"certificate request": {armour("CERTIFICATE REQUEST", csr), CertificateRequest, "a certificate request (PKCS#10, PEM)"},
		"OpenSSH":             {armour("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00rest")), OpenSSH, "an OpenSSH file"},
		"OpenSSH, bare":       {base64Of([]byte("openssh-key-v1\x00rest")), OpenSSH, "an OpenSSH file"},
		"OpenSSH, public":     {"ssh-rsa AAAAB3NzaC1yc2E= me@here", OpenSSH, "an OpenSSH file"},
		"no OpenSSH":          {"ssh-keys/app.pem", PathLike, "a file path instead of a file's content"},
		"EC with parameters":  {armour("EC PARAMETERS", []byte("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")) + read(t, vectors+"ec_private.pem"), Private, "an EC private key (SEC 1, PEM)"},
		"PKCS#12":             {base64Of([]byte(derOf(t, read(t, "testdata/bundle.p12.pem")))), OtherFormat, "a PKCS#12 file"},
		"PKCS#12, labelled":   {read(t, "testdata/bundle.p12.pem"), OtherFormat, "a PKCS#12 file"},
		"PKCS#7":              {read(t, "testdata/chain.p7b.pem"), OtherFormat, "a PKCS#7 file"},
		"nothing":             {"", Empty, "nothing at all"},
		"white space":         {"\ufeff \r\n\t", Empty, "nothing at all"},
		"empty quotes":        {`""`, Empty, "nothing at all"},
	} {
		t.Run(name, func(t *testing.T) {
			m := Inspect(tc.text)
			assert.Empty(t, m.Defect.EN)
			assert.Equal(t, tc.kind, m.Kind)
			assert.Equal(t, tc.says, m.String())
			assert.Nil(t, m.Private)
			assert.Nil(t, m.Public)
		})
	}
}

func TestCertificatesOfOtherAlgorithmsAreCertificates(t *testing.T) {
	var algorithms []string
	for _, m := range InspectAll(read(t, vectors+"root_bundle.crt")) {
		assert.Equal(t, Certificate, m.Kind)
		assert.Empty(t, m.Defect.EN)
		algorithms = append(algorithms, m.Algorithm)
	}
	assert.Equal(t, []string{"SM2", "RSA-2048", "EC", "RSA-2048"}, algorithms)
	assert.Equal(t, "a certificate with an SM2 key (X.509, PEM)", Inspect(read(t, vectors+"root_bundle.crt")).String())
}

func TestInspectSaysWhatIsWrong(t *testing.T) {
	private := read(t, vectors+"app_private_pkcs8.pem")
	public := read(t, vectors+"app_public.pem")
	cert := read(t, vectors+"app_public_cert.crt")
	der, publicDER, certDER := derOf(t, private), derOf(t, public), derOf(t, cert)
	bare, barePublic := base64Of(der), base64Of(publicDER)
	noEnd := private[:strings.Index(private, "-----END")]
	patched := func(der []byte, at int, to byte) string {
		der = append([]byte(nil), der...)
		der[at] = to
		return base64Of(der)
	}
	unaligned := base64Of(append(append([]byte(nil), publicDER...), publicDER...))
	require.NotContains(t, unaligned[:len(unaligned)-4], "=")

	for name, tc := range map[string]struct {
		text   string
		kind   Kind
		defect string
	}{
		"bare, cut short":               {bare[:400], Private, "base64 cut short: the DER announces 1217 bytes, 300 came"},
		"bare, cut at a lone character": {bare[:401], Private, "base64 cut short: the DER announces 1217 bytes, 300 came"},
		"bare, last character lost":     {bare[:len(bare)-5], Private, "base64 cut short: the DER announces 1217 bytes, 12"},
		"PKCS#1, cut short":             {base64Of(derOf(t, read(t, vectors+"app_private_pkcs1.pem"))[:200]), Private, "base64 cut short"},
		"PKCS#1, cut inside modulus":    {base64Of(derOf(t, read(t, vectors+"app_private_pkcs1.pem"))[:100]), Private, "base64 cut short"},
		"SPKI, cut short":               {barePublic[:200], Public, "base64 cut short: the DER announces 294 bytes, 150 came"},
		"certificate, cut short":        {base64Of(certDER[:len(certDER)-10]), Certificate, "base64 cut short"},
		"PEM, cut short":                {private[:800], Private, "base64 cut short: the DER announces 1217 bytes"},
		"PEM, END line missing":         {noEnd, Private, "END line is missing"},
		"PEM, BEGIN line missing":       {private[strings.Index(private, "\n"):], Private, "BEGIN line is missing"},
		"PEM, BEGIN line lost a dash":   {private[1:], Unknown, "BEGIN line is missing or damaged"},
		"PEM, BEGIN line unfinished":    {strings.Replace(private, "KEY-----", "KEY", 1), Unknown, "BEGIN line is missing or damaged"},
		"PEM, nothing inside":           {"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", Private, "nothing between"},
		"one extra character":           {strings.TrimRight(barePublic, "=") + "A", Public, "base64 cut short: one character is left over"},

		"two PEM keys":                              {private + public, Private, "2 PEM blocks in one text, and one belongs here: an RSA-2048 private key (PKCS#8, PEM) and an RSA-2048 public key (SPKI, PEM)"},
		"two PEM keys, no line end":                 {strings.TrimSpace(private) + public, Private, "2 PEM blocks in one text"},
		"the same key twice":                        {private + private, Private, "2 PEM blocks in one text"},
		"three keys":                                {private + public + private, Private, "3 PEM blocks in one text"},
		"key and certificate":                       {private + cert, Private, "2 PEM blocks in one text, and one belongs here: an RSA-2048 private key (PKCS#8, PEM) and a certificate with an RSA-2048 key (X.509, PEM)"},
		"certificate and key":                       {cert + private, Certificate, "2 PEM blocks in one text"},
		"five of them":                              {strings.Repeat(private+cert, 3), Private, "6 PEM blocks in one text"},
		"two bare keys, padding":                    {bare + "\n" + barePublic, Private, "two keys or certificates concatenated in one base64 text"},
		"two bare keys, no padding":                 {unaligned, Public, "two keys or certificates concatenated in one base64 text"},
		"two keys in one PEM":                       {armour("PUBLIC KEY", append(append([]byte(nil), publicDER...), publicDER...)), Public, "two keys or certificates concatenated in one base64 text"},
		"two bare certificates":                     {base64Of(append(append([]byte(nil), certDER...), certDER...)), Certificate, "two keys or certificates concatenated"},
		"first certificate cut":                     {cert[:500] + cert, Certificate, "certificate 1 of 2: base64 cut short"},
		"second certificate cut":                    {cert + cert[:500], Certificate, "certificate 2 of 2: base64 cut short"},
		"padding in the middle":                     {barePublic[:100] + "==" + barePublic[100:], Public, "'=' in the middle"},
		"stray bytes":                               {base64Of(append(append([]byte(nil), publicDER...), 0, 0)), Public, "2 stray bytes after the end"},
		"illegal character":                         {barePublic[:120] + "*" + barePublic[120:], Public, "not base64"},
		"illegal character in PEM":                  {strings.Replace(public, "M", "é", 2), Public, "not base64"},
		"ellipsis":                                  {barePublic[:60] + "..." + barePublic[300:], Public, "not base64"},
		"prose":                                     {"please put the key here!", Unknown, "not base64"},
		"words that are base64":                     {"changeme", Unknown, "not the DER of a key"},
		"AES key":                                   {"AAECAwQFBgcICQoLDA0ODw==", Unknown, "not the DER of a key"},
		"DER of something else":                     {base64Of([]byte{0x30, 3, 2, 1, 5}), Unknown, "not the DER of a key"},
		"indefinite length":                         {base64Of([]byte{0x30, 0x80, 2, 1, 5, 0, 0}), Unknown, "not the DER of a key"},
		"corrupt, labelled RSA PRIVATE KEY":         {armour("RSA PRIVATE KEY", []byte("not DER at all")), Private, "not the DER of a key"},
		"other DER, labelled RSA PRIVATE KEY":       {armour("RSA PRIVATE KEY", []byte{0x30, 3, 2, 1, 5}), Private, "not the DER of a key"},
		"corrupt, labelled EC PRIVATE KEY":          {armour("EC PRIVATE KEY", []byte("not DER at all")), Private, "not the DER of a key"},
		"other DER, labelled EC PRIVATE KEY":        {armour("EC PRIVATE KEY", []byte{0x30, 3, 2, 1, 5}), Private, "not the DER of a key"},
		"corrupt, labelled ENCRYPTED PRIVATE KEY":   {armour("ENCRYPTED PRIVATE KEY", []byte("not DER at all")), EncryptedPrivate, "not the DER of a key"},
		"other DER, labelled ENCRYPTED PRIVATE KEY": {armour("ENCRYPTED PRIVATE KEY", []byte{0x30, 3, 2, 1, 5}), EncryptedPrivate, "not the DER of a key"},
		"corrupt, labelled RSA PUBLIC KEY":          {armour("RSA PUBLIC KEY", []byte("not DER at all")), Public, "not the DER of a key"},
		"other DER, labelled RSA PUBLIC KEY":        {armour("RSA PUBLIC KEY", []byte{0x30, 3, 2, 1, 5}), Public, "not the DER of a key"},
		"corrupt, labelled PUBLIC KEY":              {armour("PUBLIC KEY", []byte("not DER at all")), Public, "not the DER of a key"},
		"other DER, labelled PUBLIC KEY":            {armour("PUBLIC KEY", []byte{0x30, 3, 2, 1, 5}), Public, "not the DER of a key"},
		"corrupt, labelled CERTIFICATE REQUEST":     {armour("CERTIFICATE REQUEST", []byte("not DER at all")), CertificateRequest, "not the DER of a key"},
		"other DER, labelled CERTIFICATE REQUEST":   {armour("CERTIFICATE REQUEST", []byte{0x30, 3, 2, 1, 5}), CertificateRequest, "not the DER of a key"},
		"corrupt, labelled CERTIFICATE":             {armour("CERTIFICATE", []byte("not DER at all")), Certificate, "not the DER of a key"},
		"other DER, labelled CERTIFICATE":           {armour("CERTIFICATE", []byte{0x30, 3, 2, 1, 5}), Certificate, "not the DER of a key"},
		"private exponent damaged":                  {patched(der, 600, der[600]^1), Private, defectCorrupt.EN},
		"private, inner DER damaged":                {patched(der, 26, 0x31), Private, "corrupt"},
		"modulus even":                              {patched(publicDER, len(publicDER)-6, 0), Public, "not possible"},
		"exponent even":                             {patched(publicDER, len(publicDER)-1, 0), Public, "not possible"},
		"far too long":                              {strings.Repeat("M", maxText+1), Unknown, "longer than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			m := Inspect(tc.text)
			assert.Equal(t, tc.kind, m.Kind, "%v: %s", m, m.Defect.EN)
			assert.Contains(t, m.Defect.EN, tc.defect)
			assert.Nil(t, m.Private)
			assert.Nil(t, m.Public)
			assert.Empty(t, fingerprint(m))
		})
	}
}

func TestHugeModulusIsRefusedBeforeAnyArithmetic(t *testing.T) {
	n := new(big.Int).Lsh(big.NewInt(1), 600_000)
	n.Add(n, big.NewInt(1))
	der := must(asn1.Marshal(struct {
		N *big.Int
		E int
	}{n, 65537}))
	m := Inspect(base64Of(der))
	assert.Equal(t, Public, m.Kind)
	assert.Contains(t, m.Defect.EN, "larger than any real")
	assert.Nil(t, m.Public)
}

func TestDefectTellsWhatNoRSAKeyCanBe(t *testing.T) {
	n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 2047), big.NewInt(1))
	bits := func(bits uint) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1))
	}
	for name, tc := range map[string]struct {
		key  *rsa.PublicKey
		want string
	}{
		"modulus 0":           {&rsa.PublicKey{N: new(big.Int), E: 3}, defectImpossible.EN},
		"negative modulus":    {&rsa.PublicKey{N: new(big.Int).Neg(n), E: 3}, defectImpossible.EN},
		"even modulus":        {&rsa.PublicKey{N: new(big.Int).Lsh(n, 1), E: 3}, defectImpossible.EN},
		"exponent 0":          {&rsa.PublicKey{N: n}, defectImpossible.EN},
		"exponent 1":          {&rsa.PublicKey{N: n, E: 1}, defectImpossible.EN},
		"exponent 2":          {&rsa.PublicKey{N: n, E: 2}, defectImpossible.EN},
		"exponent 4":          {&rsa.PublicKey{N: n, E: 4}, defectImpossible.EN},
		"negative exponent":   {&rsa.PublicKey{N: n, E: -3}, defectImpossible.EN},
		"exponent of 32 bits": {&rsa.PublicKey{N: n, E: 1<<31 + 1}, defectImpossible.EN},
		"too many bits":       {&rsa.PublicKey{N: bits(maxBits + 1), E: 3}, defectHuge.EN},
		"as many as allowed":  {&rsa.PublicKey{N: bits(maxBits), E: 3}, ""},
		"exponent 3":          {&rsa.PublicKey{N: n, E: 3}, ""},
		"exponent of 31 bits": {&rsa.PublicKey{N: n, E: 1<<31 - 1}, ""},
	} {
		assert.Equal(t, tc.want, Defect(tc.key).EN, name)
	}
}

// What base64 contains is looked into as long as it is base64 itself, and no further.
func TestBase64IsDecodedAgainOnlyWhereAKeyIsInside(t *testing.T) {
	public := read(t, vectors+"app_public.pem")
	const notDER = "it decodes to something that is not the DER of a key or certificate"
	for name, text := range map[string]string{
		"nothing but padding": base64Of([]byte("====")), "white space": base64Of([]byte(" \n ")), "words": base64Of([]byte("changeme")), "a path": base64Of([]byte("/etc/keys/app.pem")), "words, three times": base64Of([]byte(base64Of([]byte(base64Of([]byte("secret")))))),
	} {
		assert.Equal(t, notDER, Inspect(text).Defect.EN, name)
		assert.False(t, LooksLikeContent(text), name)
	}
	assert.Equal(t, "the -----END line is missing: the text was cut short", Inspect(base64Of([]byte(public[:strings.Index(public, "-----END")]))).Defect.EN)
	assert.Equal(t, Public, Inspect(base64Of([]byte("subject=x\n"+public))).Kind)
	both := Inspect(base64Of([]byte(public + public)))
	assert.Contains(t, both.Defect.EN, "2 PEM blocks in one text")
}

func TestPathsAreToldFromContent(t *testing.T) {
	for _, path := range []string{
		"/etc/keys/app.pem", "/etc/keys/app", "./app.pem", "../secret/app", "~/x", "~user/x", `C:\keys\app.pem`, "d:/keys/app",
		`\\server\share\app`, "app_private_key.pem", "keys/app.txt", "KEY.PEM", `"/etc/keys/app.pem"`, " ./app.pem\n", "/密钥/应用 私钥.txt",
		"file:///etc/keys/app", "$HOME/keys/app", "${HOME}/keys/app", `%USERPROFILE%\keys\app`, `C:\new\readme`, "MIIkeys/app.crt",
		"/" + strings.Repeat("verylongdirectory/", 20) + "app",
	} {
		m := Inspect(path)
		assert.Equal(t, PathLike, m.Kind, path)
		assert.Equal(t, "a file path instead of a file's content", m.String())
		assert.False(t, LooksLikeContent(path), path)
	}
	public := read(t, vectors+"app_public.pem")
	for name, content := range forms(t, public) {
		assert.NotEqual(t, PathLike, Inspect(content).Kind, name)
		assert.True(t, LooksLikeContent(content), name)
	}
	for name, content := range map[string]string{
		"cut short":       base64Of(derOf(t, public))[:100],
		"several lines":   "a\nb",
		"PEM on one line": "-----BEGIN PUBLIC KEY-----",
	} {
		assert.True(t, LooksLikeContent(content), name)
	}
	for _, path := range []string{"", "app", "MIIB", "/" + strings.Repeat("a", 2000), strings.Repeat("M", maxText+1)} {
		assert.False(t, LooksLikeContent(path))
	}
	for _, text := range []string{"/8CAwQFBgcICQoLDA0ODw==", "//79/Pv6+fj39vX08/Lx8A=="} {
		assert.Equal(t, Unknown, Inspect(text).Kind, "an AES key may begin with a slash")
	}
}

func TestMaterialNeverPrintsItself(t *testing.T) {
	m := Inspect(read(t, vectors+"app_private_pkcs8.pem"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		assert.Equal(t, m.String(), fmt.Sprintf(verb, m))
		assert.Equal(t, m.String(), fmt.Sprintf(verb, &m))
	}
	assert.Equal(t, `"an RSA-2048 private key (PKCS#8, PEM)"`, string(must(json.Marshal(m))))
}

// words is everything String and Defect may be made of.
var words = regexp.MustCompile(`^[a-zA-Z0-9#'.,:;()=\- ]*$`)

func TestNoPartOfTheInputIsEverShown(t *testing.T) {
	const secret = "S3CR3T"
	for _, text := range []string{
		secret, "/keys/" + secret, "-----BEGIN " + secret + "-----", "-----BEGIN " + secret + " PRIVATE KEY-----\nMIIE" + secret + "*\n-----END",
		"-----BEGIN " + strings.Repeat(secret, 40), "ssh-rsa " + secret, secret + "=" + secret, "MII" + secret + "\xff", base64Of([]byte("\x30\x10" + secret)),
	} {
		m := Inspect(text)
		assert.NotContains(t, m.String()+m.Defect.EN+m.Form+m.Algorithm, secret)
		assert.Regexp(t, words, m.String()+m.Defect.EN)
	}
}

// fuzzSources are the texts that FuzzInspect edits; the first is what a text of
// the fuzzer's own stands in.
func fuzzSources(tb testing.TB) []string {
	private, public, certificate := read(tb, vectors+"app_private_pkcs8.pem"), read(tb, vectors+"app_public.pem"), read(tb, vectors+"app_public_cert.crt")
	return []string{
		"", private, read(tb, vectors+"app_private_pkcs1.pem"), public, certificate, read(tb, vectors+"root_bundle.crt"), read(tb, vectors+"ec_private.pem"),
		read(tb, vectors+"rsa1024_private_pkcs8.pem"), read(tb, "testdata/rsa512_private_pkcs1.pem"), read(tb, "testdata/rsapss_private.pem"), read(tb, "testdata/dsa_public.pem"),
		read(tb, "testdata/encrypted_pkcs8.pem"), read(tb, "testdata/encrypted_pkcs1.pem"), read(tb, "testdata/bundle.p12.pem"), read(tb, "testdata/chain.p7b.pem"),
		base64Of(derOf(tb, private)), base64Of(derOf(tb, public)), base64Of(derOf(tb, certificate)), "-----BEGIN PUBLIC KEY-----\n" + base64Of(derOf(tb, public)),
		strings.ReplaceAll(public, "\n", `\n`), "\ufeff\"" + strings.ReplaceAll(public, "\n", "\r\n") + "\"", private + public,
		read(tb, "testdata/notepad_unicode.txt"), read(tb, "testdata/utf16be_bare.txt"), read(tb, "testdata/secret.b64"), read(tb, "testdata/urlsafe.txt"), read(tb, "testdata/invisible.txt"),
	}
}

func FuzzInspect(f *testing.F) {
	sources := fuzzSources(f)
	for i := range sources {
		f.Add(uint8(i), false, uint16(0), uint16(0), "")
	}
	f.Fuzz(func(t *testing.T, source uint8, der bool, at, remove uint16, insert string) {
		text := sources[int(source)%len(sources)]
		if der && strings.HasPrefix(text, "-----BEGIN") && strings.Contains(text, "-----END") && !strings.Contains(text, `\n`) {
			text = testpki.EditDER(text, at, remove, insert)
		} else {
			text = testpki.Edit(text, at, remove, insert)
		}
		m := Inspect(text)
		if shown := m.String() + m.Defect.EN; len(shown) > 600 || !words.MatchString(shown) {
			t.Fatalf("unexpected words: %q", shown)
		}
		if m.Defect.EN != "" && (m.Private != nil || m.Public != nil) {
			t.Fatal("a defective key was handed out")
		}
		if m.Defect.EN == "" {
			switch m.Kind {
			case Unknown:
				t.Fatal("nothing is said about what it is")
			case Private:
				if strings.HasPrefix(m.Algorithm, "RSA") && (m.Private == nil || m.Public == nil || fingerprint(m) == "") {
					t.Fatal("an RSA private key without the key")
				}
			case Public:
				if m.Private != nil || strings.HasPrefix(m.Algorithm, "RSA") && (m.Public == nil || fingerprint(m) == "") {
					t.Fatal("an RSA public key without the key")
				}
			}
			if len(m.DER) > 0 && m.Kind != EncryptedPrivate && m.Kind != OtherFormat {
				if again := Inspect(base64Of(m.DER)); again.Kind != m.Kind || again.Defect.EN != "" || fingerprint(again) != fingerprint(m) {
					t.Fatalf("its DER says otherwise: %v, %s", again, again.Defect.EN)
				}
			}
		}
		LooksLikeContent(text)
	})
}
