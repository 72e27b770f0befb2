// Package keys says what a pasted text really is: which kind of key or certificate, in
// which form, and what is wrong with it. Keys come through consoles, environment
// variables, JSON and chat windows, so the damage that these do is undone first. The DER
// inside decides; labels and file names are at most a hint.
package keys

import (
	"crypto/rsa"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

// Kind is what a text turned out to be.
type Kind int

// The kinds. All but RSA keys and certificates exist to name a mistake.
const (
	Unknown            Kind = iota // none of those below
	Empty                          // nothing, or white space only
	PathLike                       // the path of a file where its content belongs
	Private                        // a private key of any algorithm
	Public                         // a public key of any algorithm
	EncryptedPrivate               // a private key under a password
	Certificate                    // one or several X.509 certificates, whatever their keys
	CertificateRequest             // PKCS#10
	OpenSSH                        // a key in OpenSSH's own format
	OtherFormat                    // PKCS#12 or PKCS#7: Form says which
)

// kinds names each in plain words, named with an algorithm or a form.
var kinds = [...]struct{ plain, named bilingual.Text }{
	Unknown:            {plain: both("neither a key nor a certificate", "既不是密钥也不是证书的内容")},
	Empty:              {plain: both("nothing at all", "空内容")},
	PathLike:           {plain: both("a file path instead of a file's content", "文件路径，而不是文件内容")},
	Private:            {both("a private key", "私钥"), both("an %s private key", "%s 私钥")},
	Public:             {both("a public key", "公钥"), both("an %s public key", "%s 公钥")},
	EncryptedPrivate:   {plain: both("a private key encrypted with a password", "带密码的私钥")},
	Certificate:        {both("a certificate", "证书"), both("a certificate with an %s key", "证书，密钥为 %s")},
	CertificateRequest: {plain: both("a certificate request", "证书请求（CSR）")},
	OpenSSH:            {plain: both("an OpenSSH file", "OpenSSH 文件")},
	OtherFormat:        {named: both("a %s file", "%s 文件")},
}

func both(en, zh string, args ...any) bilingual.Text { return bilingual.Of(en, zh, args...) }

var none bilingual.Text

// Material is the content of one text, or of one PEM block of it. It prints as its
// String under every fmt verb and in JSON, so that no key can get into a log.
type Material struct {
	Kind      Kind
	Form      string          // "PKCS#8", "PKCS#1", "SPKI", "X.509", "SEC 1", "PKCS#10"…, "" of what has none
	Algorithm string          // "RSA-2048", "RSA" of a cut one, "EC", "SM2"; of a certificate, that of its key; "" where unknown
	PEM       bool            // came in PEM armour, not as bare base64
	Private   *rsa.PrivateKey // nil if it is no RSA private key, or there is a Defect
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
	if slices.ContainsFunc(all, func(m Material) bool { return m.Kind != Certificate }) {
		list := both("%s and %s", "%s和%s", first.Text(), all[1].Text())
		if len(all) > 2 {
			list = both("%s, %s and others", "%s、%s等", first.Text(), all[1].Text())
		}
		return first.defective(both("%d PEM blocks in one text, and one belongs here: %s", "一段文本里有 %d 个 PEM 块，这里只能放一个：%s", len(all), list))
	}
	if i := slices.IndexFunc(all, func(m Material) bool { return m.Defect != none }); i >= 0 {
		return first.defective(both("certificate %d of %d: %s", "第 %d 张证书（共 %d 张）：%s", i+1, len(all), all[i].Defect))
	}
	return first
}

// InspectAll says what each PEM block of text is, in order; a text without PEM
// armour is one piece. There is always at least one Material.
func InspectAll(text string) []Material {
	if len(text) > maxText {
		return []Material{{Defect: both("longer than 1 MiB, so it is no key or certificate", "超过 1 MiB；密钥和证书没有这么大")}}
	}
	text = Visible(strings.ReplaceAll(text, "\x00", "")) // ASCII in UTF-16, which Windows calls Unicode, has a zero in every other byte
	plain := unquote(text)
	switch {
	case plain == "":
		return []Material{{Kind: Empty}}
	case sshPublic.MatchString(plain):
		return []Material{{Kind: OpenSSH}}
	}
	var all []Material
	blocks := split(text)
	if len(blocks) > 1 && strings.Contains(blocks[0].label, "PARAMETERS") { // openssl ecparam -genkey writes them before the key
		blocks = blocks[1:]
	}
	for _, b := range blocks {
		all = append(all, b.inspect())
	}
	if all[0].Kind != Unknown {
		return all
	}
	// PEM or base64 in base64 once more, as in the values of a Kubernetes Secret?
	if inner := InspectAll(string(all[0].DER)); inner[0].Kind > PathLike {
		return inner
	}
	if pathShape.MatchString(plain) {
		return []Material{{Kind: PathLike}}
	}
	return all
}

var sshPublic = regexp.MustCompile(`^ssh-\S+ AAAA`)

// pathShape matches one line that begins as paths do, or ends as the names of key files
// do. An AES key may begin with a slash, but then ends in '='.
var pathShape = regexp.MustCompile(`(?i)^(?:` +
	`(?:/|~[\w.-]*/|~\\|\.{1,2}[/\\]|[a-z]:[/\\]|\\\\|file:|\$\{?[a-z_]\w*\}?[/\\]|%\w+%[/\\])[^\x00-\x1f]*[^=\x00-\x1f]` +
	`|[^\x00-\x1f]*[^\s/\\]\.(?:pem|key|crt|cert|cer|der|txt|pub|p8|pk8|p12|pfx|p7b|csr|jks)` +
	`)$`)

// LooksLikeContent reports whether something given as a file path is really the
// content of a key or certificate file: of a known kind, PEM, or several lines.
func LooksLikeContent(path string) bool {
	return Inspect(path).Kind > PathLike || strings.Contains(path, "-----BEGIN") || strings.ContainsAny(strings.TrimSpace(path), "\r\n")
}

// defective returns m with a Defect and without the keys.
func (m Material) defective(why bilingual.Text) Material {
	m.Defect, m.Private, m.Public = why, nil, nil
	return m
}

// Text describes the material in plain words and never shows any of it:
// "an RSA-2048 private key (PKCS#8, PEM)".
func (m Material) Text() bilingual.Text {
	what, armour := kinds[m.Kind].plain, "base64"
	if m.PEM {
		armour = "PEM"
	}
	if m.Algorithm != "" {
		what = kinds[m.Kind].named.With(m.Algorithm)
	}
	switch {
	case m.Kind == OtherFormat:
		return kinds[m.Kind].named.With(m.Form)
	case m.Kind == OpenSSH || m.Kind <= PathLike:
		return what
	}
	return both("%s (%s, %s)", "%s（%s、%s）", what, m.Form, armour)
}

// String is Text in English.
func (m Material) String() string { return m.Text().EN }

// Format makes every fmt verb print String, never the key.
func (m Material) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// MarshalText does the same for encoding/json and slog.
func (m Material) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
