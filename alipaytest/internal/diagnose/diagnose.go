// Package diagnose finds the mistake in a request whose signature does not verify.
// An RSA signature shows, to anyone who has the public key, which digest was
// signed; so the string that a client signed can be found among those that the
// usual mistakes give, in whatever language the client is written.
package diagnose

import (
	"crypto"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// Request is a request as a gateway received it.
type Request struct {
	Method     string
	RequestURI string // the request target as received
	Target     string // what a signature covers of it
	Prefix     string // the path prefix that Target lacks; "" when none
	Host       string // what the client takes for the gateway's host

	AuthString   string // the first line of the string to sign
	Signature    string // sign, as received
	AppAuthToken string // the header alipay-app-auth-token
	RootCertSN   string // the header alipay-root-cert-sn
	// OtherTokens are values that a client may have meant as the app auth token
	// and sent in another place.
	OtherTokens []string
	// AppCertSN is the SN of the application's certificate, sent or not.
	AppCertSN string

	Body   []byte // as received
	Signed []byte // what a signature covers of it: of an upload only the part data
	// Parameters are the names that the endpoint documents, in that order.
	Parameters []string
}

// stringToSign is what the signature should cover.
func (r *Request) stringToSign() []byte {
	return protocol.StringToSign(r.AuthString, r.Method, r.Target, r.Signed, r.AppAuthToken)
}

// Keys are what a signature is checked against.
type Keys struct {
	App    *rsa.PublicKey // the application's
	Others []OtherKey
	Cipher *aescbc.Cipher // of content encryption; nil without
}

// OtherKey is a key that a client may have used instead of the application's.
type OtherKey struct {
	Name, NameZH string
	Key          *rsa.PublicKey
}

// Finding says what is wrong with a signature.
type Finding struct {
	Text, TextZH string // one sentence each
	Signed       []byte // the string that was signed; nil where that is not known
}

// A search does no more than this much hashing and this many comparisons,
// whatever the request: some tens of milliseconds.
const (
	maxHashed   = 64 << 20
	maxCompared = 60_000
)

// Explain finds out why the signature of a request does not verify. It returns the
// zero Finding when it does.
func Explain(r Request, keys Keys) Finding {
	s := &search{r: &r, right: r.stringToSign(), cipher: keys.Cipher, hashed: maxHashed, compared: maxCompared}
	return s.explain(r.Signature, keys, s.find)
}

// explain says whose signature it is and, if it is the application's, what find
// finds it to be over.
func (s *search) explain(signature string, keys Keys, find func() (found, bool)) (finding Finding) {
	// MD5 and SHA-1 are recognised here, and nothing is trusted for them.
	fips140.WithoutEnforcement(func() { finding = s.explained(signature, keys, find) })
	return finding
}

func (s *search) explained(signature string, keys Keys, find func() (found, bool)) Finding {
	if protocol.Verify(keys.App, s.right, signature) == nil {
		return Finding{}
	}
	form, raws := decode(signature)
	for _, raw := range raws {
		var ok bool
		if s.digest, ok = signedDigest(keys.App, raw.bytes); ok {
			return s.sentence(raw.phrase, find)
		}
		if fullPSS(keys.App, s.right, raw.bytes) {
			return Finding{Text: sentence(pssUsed), TextZH: sentenceZH(pssUsed), Signed: s.right}
		}
	}
	for _, other := range keys.Others {
		for _, raw := range raws {
			if _, ok := signedDigest(other.Key, raw.bytes); ok {
				return Finding{
					Text:   fmt.Sprintf("The request is signed with %s, not with the application's private key (应用私钥).", other.Name),
					TextZH: fmt.Sprintf("请求是用%s签名的，不是应用私钥。", other.NameZH),
				}
			}
		}
	}
	if form.en != "" {
		return Finding{Text: "The signature cannot be read: " + form.en + ".", TextZH: "签名无法读取：" + form.zh + "。"}
	}
	return Finding{
		Text:   "The request is not signed with the application's private key (应用私钥): " + strange(keys.App, raws[0].bytes).en + ".",
		TextZH: "请求不是用应用私钥签名的：" + strange(keys.App, raws[0].bytes).zh + "。",
	}
}

// phrase is a part of a sentence, in both languages.
type phrase struct{ en, zh string }

func (p phrase) and(other phrase) phrase {
	switch {
	case p.en == "":
		return other
	case other.en == "":
		return p
	}
	return phrase{p.en + "; and " + other.en, p.zh + "；并且" + other.zh}
}

var pssUsed = phrase{
	"the padding is PSS; RSA2 is RSASSA-PKCS1-v1_5 (SHA256withRSA), not RSASSA-PSS",
	"填充方式是 PSS，而 RSA2 是 RSASSA-PKCS1-v1_5（SHA256withRSA）",
}

// sentence quotes the request, which need not be UTF-8.
func sentence(p phrase) string {
	return strings.ToValidUTF8("The application's private key signed this, but "+p.en+".", "\ufffd")
}

func sentenceZH(p phrase) string {
	return strings.ToValidUTF8("签名确由应用私钥生成，但"+p.zh+"。", "\ufffd")
}

// fullPSS recognises PSS with the longest salt, Go's default, which is visible
// only when compared with the content.
func fullPSS(key *rsa.PublicKey, content, signature []byte) bool {
	digest := sha256.Sum256(content)
	return rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, nil) == nil
}

// strange describes a signature that no known key has made.
func strange(key *rsa.PublicKey, raw []byte) phrase {
	switch n := len(raw); {
	case n == key.Size():
		return phrase{
			"it has the right length, so it comes from another RSA key; check that the private key and the public key uploaded in the console (应用公钥) are a pair, and of this APPID",
			"长度正确，说明来自另一把 RSA 私钥；请确认私钥与控制台上传的应用公钥是一对，并且属于这个 APPID",
		}
	case n >= 64 && n <= 80 && raw[0] == 0x30:
		return phrase{"it is an ECDSA or SM2 signature; RSA2 is RSA with SHA-256", "这是 ECDSA 或 SM2 签名；应为 RSA2（RSA 加 SHA-256）"}
	case n == 16 || n == 20 || n == 32:
		return phrase{
			fmt.Sprintf("it has %d bytes, as a plain hash or an HMAC has; sign with the RSA private key", n),
			fmt.Sprintf("只有 %d 字节，像是摘要或 HMAC；请用 RSA 私钥签名", n),
		}
	case n > 0 && n%64 == 0:
		return phrase{
			fmt.Sprintf("it has %d bytes, as an RSA key of %d bits gives; the application's has %d bits", n, 8*n, key.N.BitLen()),
			fmt.Sprintf("有 %d 字节，来自 %d 位的 RSA 密钥；应用的密钥是 %d 位", n, 8*n, key.N.BitLen()),
		}
	default:
		return phrase{
			fmt.Sprintf("it has %d bytes instead of %d, so it was cut short, or is no RSA signature", n, key.Size()),
			fmt.Sprintf("有 %d 字节而不是 %d 字节，可能被截断，或不是 RSA 签名", n, key.Size()),
		}
	}
}

// search looks for the string that was signed.
type search struct {
	r        *Request // of v3; nil at the old gateway
	right    []byte   // what should have been signed
	cipher   *aescbc.Cipher
	digest   digest
	hashed   int // bytes that may still be hashed
	compared int // comparisons that may still be made
	written  map[string][]rewrite
}

// found is a string that was signed, and what is wrong with it.
type found struct {
	phrase
	content []byte
}

// sentence says what the application's key signed. form is what is wrong with how
// the signature is written.
func (s *search) sentence(form phrase, find func() (found, bool)) Finding {
	wrong := form.and(s.algorithm())
	f, ok := find()
	if !ok {
		wrong = wrong.and(phrase{
			fmt.Sprintf("over another string than the gateway, which none of the usual mistakes explains: print the string that you sign, and compare it byte by byte with %q", shown(s.right)),
			fmt.Sprintf("待签名字符串与网关期望的不同，也不属于任何常见错误；请打印客户端的待签名字符串，与此逐字节比较：%q", shown(s.right)),
		})
		return Finding{Text: sentence(wrong), TextZH: sentenceZH(wrong)}
	}
	wrong = wrong.and(f.phrase)
	if wrong.en == "" { // the right string, correctly encoded, and yet it does not verify
		wrong = phrase{"its DigestInfo is not in the form of RFC 8017 (the NULL is missing)", "DigestInfo 不符合 RFC 8017（缺少 NULL）"}
	}
	return Finding{Text: sentence(wrong), TextZH: sentenceZH(wrong), Signed: f.content}
}

// shown bounds how much a sentence quotes.
func shown(content []byte) []byte {
	const most = 600
	if len(content) <= most {
		return content
	}
	return slices.Concat(content[:most], []byte("…"))
}

// algorithm is what is wrong with how the digest was made and encoded.
func (s *search) algorithm() phrase {
	switch d := s.digest; {
	case d.pss:
		return pssUsed
	case d.hash == 0:
		return phrase{
			"without the DigestInfo that names SHA-256, as encrypting a bare digest gives; use your library's signing function with SHA256withRSA",
			"缺少标明 SHA-256 的 DigestInfo，像是直接用私钥加密了摘要；请使用签名函数 SHA256withRSA",
		}
	case d.hash == crypto.SHA1:
		return phrase{"with SHA-1 (SHA1withRSA, sign type RSA); RSA2 is SHA-256 (SHA256withRSA)", "使用了 SHA-1（SHA1withRSA，即 RSA）；应为 SHA-256（SHA256withRSA，即 RSA2）"}
	case d.hash != crypto.SHA256:
		return phrase{fmt.Sprintf("with %v; RSA2 is SHA-256 (SHA256withRSA)", d.hash), fmt.Sprintf("使用了 %v；应为 SHA-256（SHA256withRSA，即 RSA2）", d.hash)}
	}
	return phrase{}
}

// find tries the string itself, then all single mistakes, then pairs of them.
func (s *search) find() (found, bool) {
	right := s.content()
	if f, ok := s.check(right.bytes(), phrase{}, true); ok {
		return f, true
	}
	var singles []mistake
	var hit *found
	s.mistakes(right, true, func(m mistake) bool {
		if f, ok := s.check(m.bytes(), m.phrase, true); ok {
			hit = &f
			return false
		}
		singles = append(singles, m)
		return true
	})
	if hit == nil {
		hit = s.searches(right)
	}
	for _, first := range singles {
		if hit != nil || s.spent() {
			break
		}
		s.mistakes(first.content, false, func(second mistake) bool {
			if f, ok := s.check(second.bytes(), first.phrase.and(second.phrase), false); ok {
				hit = &f
			}
			return hit == nil && !s.spent()
		})
	}
	if hit == nil {
		return found{}, false
	}
	return *hit, true
}

func (s *search) spent() bool { return s.hashed <= 0 || s.compared <= 0 }

// check compares a content with the digest, and, when thorough, what people
// hash in its place.
func (s *search) check(text []byte, p phrase, thorough bool) (found, bool) {
	if s.spent() {
		return found{}, false
	}
	s.hashed -= len(text)
	s.compared--
	if s.digest.covers(text) {
		return found{p, text}, true
	}
	if !thorough || s.digest.pss {
		return found{}, false
	}
	hash := s.digest.hash
	if hash == 0 {
		hash = crypto.SHA256
	}
	h := hash.New()
	h.Write(text)
	sum := h.Sum(nil)
	s.hashed -= len(text)
	for _, twice := range []struct {
		of []byte
		phrase
	}{
		{sum, phrase{"the digest was hashed once more: give the signing function the string, or a digest where it asks for one", "摘要又被哈希了一次：签名函数要的是原文，请不要先算摘要"}},
		{[]byte(hex.EncodeToString(sum)), phrase{"the hexadecimal text of the digest was signed in place of the string", "签的是摘要的十六进制文本，而不是字符串本身"}},
		{[]byte(base64.StdEncoding.EncodeToString(sum)), phrase{"the base64 of the digest was signed in place of the string", "签的是摘要的 base64，而不是字符串本身"}},
		{[]byte(base64.StdEncoding.EncodeToString(text)), phrase{"the base64 of the string was signed in place of it", "签的是字符串的 base64，而不是字符串本身"}},
	} {
		if s.digest.covers(twice.of) {
			return found{p.and(twice.phrase), text}, true
		}
	}
	return found{}, false
}
