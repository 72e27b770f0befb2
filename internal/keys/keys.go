// Package keys says what a pasted text really is: which kind of key or
// certificate, in which form, and what is wrong with it. Keys reach a
// configuration through consoles, environment variables, JSON and chat windows,
// so the damage that these do to a text is undone first. The DER inside decides;
// labels and file names are at most a hint.
package keys

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

// Kind is what a text turned out to be.
type Kind int

// The kinds. Only PrivateRSA, PublicRSA and Certificate are of use to the v3
// protocol; the others exist to name a mistake.
const (
	Unknown            Kind = iota // none of those below
	Empty                          // nothing, or white space only
	PathLike                       // the path of a file where its content belongs
	PrivateRSA                     // PKCS#8 or PKCS#1
	PublicRSA                      // SPKI or PKCS#1
	PrivateOther                   // a private key of another algorithm
	PublicOther                    // a public key of another algorithm
	EncryptedPrivate               // a private key under a password
	Certificate                    // one or several X.509 certificates, whatever their keys
	CertificateRequest             // PKCS#10
	OtherFormat                    // OpenSSH, PKCS#12, PKCS#7, Java keystore: Form says which
)

var kinds = [...]bilingual.Text{
	Unknown:            both("neither a key nor a certificate", "既不是密钥也不是证书的内容"),
	Empty:              both("nothing at all", "空内容"),
	PathLike:           both("a file path instead of a file's content", "文件路径，而不是文件内容"),
	PrivateRSA:         both("an RSA private key", "RSA 私钥"),
	PublicRSA:          both("an RSA public key", "RSA 公钥"),
	PrivateOther:       both("a private key that is not RSA", "不是 RSA 的私钥"),
	PublicOther:        both("a public key that is not RSA", "不是 RSA 的公钥"),
	EncryptedPrivate:   both("a private key encrypted with a password", "带密码的私钥"),
	Certificate:        both("a certificate", "证书"),
	CertificateRequest: both("a certificate request", "证书请求（CSR）"),
	OtherFormat:        both("key material in another format", "其他格式的密钥文件"),
}

// String names the kind in plain words, with an article where one fits.
func (k Kind) String() string { return kinds[k].EN }

func both(en, zh string, args ...any) bilingual.Text { return bilingual.Of(en, zh, args...) }

var none bilingual.Text

// Material is the content of one text, or of one PEM block of it. It prints as its
// String under every fmt verb and in JSON, so that no key can get into a log.
type Material struct {
	Kind      Kind
	Form      string          // "PKCS#8", "PKCS#1", "SPKI", "X.509", "SEC 1", "PKCS#10", "OpenSSH"…, "" where unknown
	Algorithm string          // "RSA", "EC", "SM2", "Ed25519"…; of a certificate, that of its key; "" where unknown
	PEM       bool            // came in PEM armour, not as bare base64
	Bits      int             // size of the RSA modulus; 0 where there is none or it was cut off
	Private   *rsa.PrivateKey // of PrivateRSA; nil if there is a Defect
	Public    *rsa.PublicKey  // of the RSA private key, public key or certificate; nil if there is a Defect
	DER       []byte          // as far as it could be decoded

	// Defect says what is wrong with the material, in fixed words and numbers that
	// are safe to show; the zero value for nothing. Kind is then the best guess.
	Defect bilingual.Text
}

// Inspect says what text is. Several certificates in one text are one
// Certificate (the first); any other combination is a Defect.
func Inspect(text string) Material {
	all := InspectAll(text)
	first := all[0]
	if len(all) == 1 {
		return first
	}
	for _, m := range all {
		if m.Kind != Certificate {
			return first.defective(both("%d PEM blocks in one text, and one belongs here: %s", "一段文本里有 %d 个 PEM 块，这里只能放一个：%s", len(all), enumerate(all)))
		}
	}
	for i, m := range all {
		if m.Defect != none {
			return first.defective(both("certificate %d of %d: %s", "第 %d 张证书（共 %d 张）：%s", i+1, len(all), m.Defect))
		}
	}
	return first
}

// InspectAll says what each PEM block of text is, in order; a text without PEM
// armour is one piece. There is always at least one Material.
func InspectAll(text string) []Material {
	if len(text) > maxText {
		return []Material{{Defect: both("longer than 1 MiB, so it is no key or certificate", "超过 1 MiB；密钥和证书没有这么大")}}
	}
	if strings.HasPrefix(text, "\xfe\xed\xfe\xed") {
		return []Material{{Kind: OtherFormat, Form: "Java keystore"}}
	}
	text = Visible(fromUTF16(text))
	switch plain := unquote(text); {
	case plain == "":
		return []Material{{Kind: Empty}}
	case pathLike(plain):
		return []Material{{Kind: PathLike}}
	case strings.HasPrefix(plain, "ssh-"): // ssh-rsa AAAA… comment
		return []Material{{Kind: OtherFormat, Form: "OpenSSH"}}
	}
	blocks := split(text)
	if b := blocks[0]; !b.pem && b.defect == none && announced(b.der) == 0 && encodedTwice(b.der) {
		return InspectAll(string(b.der))
	}
	var all []Material
	for _, b := range blocks {
		all = append(all, b.inspect())
	}
	return all
}

// encodedTwice reports whether what base64 contained is PEM or base64 itself, as in
// the values of a Kubernetes Secret.
func encodedTwice(decoded []byte) bool {
	if bytes.Contains(decoded, []byte("-----BEGIN")) {
		return true
	}
	der, defect := decode(unquote(string(decoded)))
	return announced(der) > 0 || defect == none && len(der) > 0 && encodedTwice(der)
}

// pathShape matches one line that begins as paths do, or ends in an extension
// keys are kept under. A random base64 text may begin with a slash but then
// usually ends in '=', which the names of files do not.
var pathShape = regexp.MustCompile(`(?i)^(?:` +
	`(?:/|~[\w.-]*/|~\\|\.{1,2}[/\\]|[a-z]:[/\\]|\\\\|file:|\$\{?[a-z_]\w*\}?[/\\]|%\w+%[/\\])[^\x00-\x1f]*[^=\x00-\x1f]` +
	`|[^\x00-\x1f]*[^\s/\\]\.(?:pem|key|crt|cert|cer|der|txt|pub|p8|pk8|p12|pfx|p7b|csr|jks)` +
	`)$`)

// pathLike reports whether a text is a file's path rather than its content.
func pathLike(text string) bool {
	const longest = 1024
	return len(text) <= longest && pathShape.MatchString(text) && !LooksLikeContent(text)
}

// LooksLikeContent reports whether something given as a file path is really the
// content of a key or certificate file: PEM, several lines, or long base64 of a
// DER SEQUENCE.
func LooksLikeContent(path string) bool {
	path = Visible(fromUTF16(path))
	if strings.Contains(path, "-----BEGIN") || strings.ContainsAny(strings.TrimSpace(path), "\r\n") {
		return true
	}
	if len(path) < 60 || len(path) > maxText { // the shortest public key there is, Ed25519's, makes 60
		return false
	}
	der, defect := decode(unquote(unescape(path)))
	return defect != defectAlphabet && (announced(der) > 0 || encodedTwice(der))
}

// isKey reports whether m is a key of any kind.
func (m Material) isKey() bool {
	switch m.Kind {
	case PrivateRSA, PublicRSA, PrivateOther, PublicOther, EncryptedPrivate:
		return true
	}
	return false
}

// defective returns m with a Defect and without the keys, which must not be used
// then.
func (m Material) defective(why bilingual.Text) Material {
	m.Defect, m.Private, m.Public = why, nil, nil
	return m
}

// Text describes the material in plain words and never shows any of it:
// "an RSA-2048 private key (PKCS#8, PEM)".
func (m Material) Text() bilingual.Text {
	algorithm := m.Algorithm
	if m.Bits > 0 {
		algorithm = fmt.Sprintf("RSA-%d", m.Bits)
	}
	what := kinds[m.Kind]
	switch m.Kind {
	case PrivateRSA, PublicRSA, PrivateOther, PublicOther:
		half := both("private key", "私钥")
		if m.Kind == PublicRSA || m.Kind == PublicOther {
			half = both("public key", "公钥")
		}
		switch {
		case algorithm != "":
			what = both("%s %s %s", "%[2]s %[3]s", article(algorithm), algorithm, half)
		case m.Defect != none: // by its label: too damaged to tell of which kind
			what = both("a %s", "%s", half)
		}
	case Certificate, CertificateRequest:
		if algorithm != "" {
			what = both("%s with %s %s key", "%s，密钥为 %[3]s", what, article(algorithm), algorithm)
		}
	case OtherFormat:
		if m.Form != "" {
			what = both("%s %s file", "%[2]s 文件", article(m.Form), m.Form)
		}
		return what
	case Unknown, Empty, PathLike:
		return what
	}
	armour := "base64"
	if m.PEM {
		armour = "PEM"
	}
	if m.Form != "" {
		return both("%s (%s, %s)", "%s（%s、%s）", what, m.Form, armour)
	}
	return both("%s (%s)", "%s（%s）", what, armour)
}

// String is Text in English.
func (m Material) String() string { return m.Text().EN }

// Fingerprint is the lower-case hex SHA-256 of the public key as SPKI, so both
// halves of one pair and its certificate show the same; "" without a Public.
func (m Material) Fingerprint() string {
	if m.Public == nil {
		return ""
	}
	spki, err := x509.MarshalPKIXPublicKey(m.Public)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}

// Format makes every fmt verb print String, never the key.
func (m Material) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// MarshalText does the same for encoding/json and slog.
func (m Material) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func article(noun string) string {
	// By sound: an RSA key, an EC key, an SM2 key, an X25519 key, a DSA key.
	if strings.HasPrefix(noun, "RSA") || strings.ContainsAny(noun[:1], "AEFMOSX") {
		return "an"
	}
	return "a"
}

func enumerate(all []Material) bilingual.Text {
	if len(all) > 3 {
		return both("%s, %s and others", "%s、%s等", all[0].Text(), all[1].Text())
	}
	list := all[0].Text()
	for _, m := range all[1 : len(all)-1] {
		list = both("%s, %s", "%s、%s", list, m.Text())
	}
	return both("%s and %s", "%s和%s", list, all[len(all)-1].Text())
}
