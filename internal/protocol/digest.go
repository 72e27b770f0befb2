package protocol

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	_ "crypto/md5" // recognised, never trusted
	"crypto/rsa"
	_ "crypto/sha1" // recognised, never trusted
	_ "crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay/internal/rewrite"
)

// Digest is what an RSA signature shows to anyone who has the public key: the
// digest that was signed, and how it was encoded.
type Digest struct {
	// Hash is the hash function that the signature names; 0 when it names none,
	// as one made by encrypting the bare digest does.
	Hash crypto.Hash
	// Sum is what was signed: the digest, or if Hash is 0 any other bytes. It is nil
	// under PSS, which hashes once more.
	Sum []byte
	// PSS says that the padding is RSASSA-PSS's and not PKCS #1 v1.5's.
	PSS bool

	salt, masked []byte // of PSS
}

// maxKeyBits bounds the work of opening a signature.
const maxKeyBits = 16384

// SignedDigest opens a signature with the public key. It returns false when the
// signature was not made with the matching private key. It also returns false for
// a PSS signature whose salt leaves no room for padding, since that looks like one
// of another key.
func SignedDigest(key *rsa.PublicKey, signature []byte) (Digest, bool) {
	if key == nil || key.N == nil || key.E < 2 || key.N.Sign() <= 0 || key.N.BitLen() > maxKeyBits || len(signature) != key.Size() {
		return Digest{}, false
	}
	s := new(big.Int).SetBytes(signature)
	if s.Cmp(key.N) >= 0 {
		return Digest{}, false
	}
	message := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	if d, ok := openPKCS1(message); ok {
		return d, true
	}
	return openPSS(message, key.N.BitLen()-1)
}

// Covers reports whether the signature is one over content.
func (d Digest) Covers(content []byte) bool {
	weak := d.Hash == crypto.MD5 || d.Hash == crypto.SHA1 || d.Hash == 0 && len(d.Sum) != crypto.SHA256.Size()
	switch {
	case weak && fips140.Enabled(): // where these hash functions may panic
		return false
	case d.Hash == 0:
		// Without a name the length decides.
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA1, crypto.MD5} {
			if hash.Size() == len(d.Sum) {
				return bytes.Equal(sum(hash, content), d.Sum)
			}
		}
		return bytes.Equal(content, d.Sum)
	case d.PSS:
		return bytes.Equal(sum(d.Hash, make([]byte, 8), sum(d.Hash, content), d.salt), d.masked)
	}
	return bytes.Equal(sum(d.Hash, content), d.Sum)
}

func sum(hash crypto.Hash, parts ...[]byte) []byte {
	h := hash.New()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

// digestInfos are the bytes that name a hash function in front of a digest
// (RFC 8017, section 9.2, note 1), and the same without the NULL that some
// libraries leave out.
var digestInfos = func() map[crypto.Hash][2][]byte {
	infos := make(map[crypto.Hash][2][]byte)
	for hash, oid := range map[crypto.Hash]string{
		crypto.MD5:    "\x2a\x86\x48\x86\xf7\x0d\x02\x05",
		crypto.SHA1:   "\x2b\x0e\x03\x02\x1a",
		crypto.SHA224: "\x60\x86\x48\x01\x65\x03\x04\x02\x04",
		crypto.SHA256: "\x60\x86\x48\x01\x65\x03\x04\x02\x01",
		crypto.SHA384: "\x60\x86\x48\x01\x65\x03\x04\x02\x02",
		crypto.SHA512: "\x60\x86\x48\x01\x65\x03\x04\x02\x03",
	} {
		var both [2][]byte
		for i, null := range []string{"\x05\x00", ""} {
			algorithm := "\x06" + string(rune(len(oid))) + oid + null
			algorithm = "\x30" + string(rune(len(algorithm))) + algorithm
			info := algorithm + "\x04" + string(rune(hash.Size()))
			both[i] = []byte("\x30" + string(rune(len(info)+hash.Size())) + info)
		}
		infos[hash] = both
	}
	return infos
}()

// openPKCS1 reads the encoded message 00 01 FF … FF 00 and what follows it. It
// requires at least eight FF, which do not occur by chance.
func openPKCS1(message []byte) (Digest, bool) {
	rest, ok := bytes.CutPrefix(message, []byte{0, 1})
	if !ok {
		return Digest{}, false
	}
	inner := bytes.TrimLeft(rest, "\xff")
	if len(rest)-len(inner) < 8 || len(inner) == 0 || inner[0] != 0 {
		return Digest{}, false
	}
	inner = inner[1:]
	for hash, infos := range digestInfos {
		for _, info := range infos {
			if digest, ok := bytes.CutPrefix(inner, info); ok && len(digest) == hash.Size() {
				return Digest{Hash: hash, Sum: digest}, true
			}
		}
	}
	return Digest{Sum: inner}, true
}

// openPSS recognises EMSA-PSS (RFC 8017, section 9.1) by its own structure,
// without the content that was signed.
func openPSS(message []byte, bits int) (Digest, bool) {
	message = message[len(message)-(bits+7)/8:]
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA1, crypto.SHA384, crypto.SHA512} {
		if hash == crypto.SHA1 && fips140.Enabled() {
			continue
		}
		n := len(message) - hash.Size() - 1
		if n < 16 || message[len(message)-1] != 0xbc {
			continue
		}
		block, masked := message[:n], message[n:n+hash.Size()]
		block = mask(hash, masked, block)
		block[0] &= 0xff >> (8*len(message) - bits)
		salt := bytes.TrimLeft(block, "\x00")
		if len(block)-len(salt) >= 8 && len(salt) > 0 && salt[0] == 1 {
			return Digest{Hash: hash, PSS: true, salt: salt[1:], masked: masked}, true
		}
	}
	return Digest{}, false
}

// mask is block XOR MGF1(seed), RFC 8017, section B.2.1.
func mask(hash crypto.Hash, seed, block []byte) []byte {
	out := make([]byte, len(block))
	var stream []byte
	for i := uint32(0); len(stream) < len(block); i++ {
		stream = append(stream, sum(hash, seed, binary.BigEndian.AppendUint32(nil, i))...)
	}
	subtle.XORBytes(out, block, stream)
	return out
}

// maxHashed bounds how much ExplainAnswer hashes, and so how long it takes for a
// long body: a fraction of a second.
const maxHashed = 32 << 20

// ExplainAnswer says why the signature of an answer does not verify. byKey says
// that it was nevertheless made with the key's private half, so that it covers
// something other than what arrived. change then completes the sentence "the
// answer was …" with what was changed on the way, and is empty if none of the
// usual changes explains it.
func ExplainAnswer(key *rsa.PublicKey, timestamp, nonce string, body []byte, signature string) (byKey bool, change string) {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false, ""
	}
	digest, byKey := SignedDigest(key, raw)
	if !byKey {
		return false, ""
	}
	s := answerSearch{digest: digest, left: maxHashed, heads: answerHeads(timestamp, nonce), body: body}
	return true, s.explain()
}

// answerHead is what may have been signed in place of timestamp and nonce.
type answerHead struct {
	timestamp, nonce string
	change           string // as in ExplainAnswer; empty for the ones that arrived
}

func answerHeads(timestamp, nonce string) []answerHead {
	heads := []answerHead{{timestamp: timestamp, nonce: nonce}}
	add := func(t, n, change string) {
		if !slices.ContainsFunc(heads, func(h answerHead) bool { return h.timestamp == t && h.nonce == n }) {
			heads = append(heads, answerHead{t, n, change})
		}
	}
	add(strings.TrimSpace(timestamp), strings.TrimSpace(nonce), "signed without white space around its timestamp and nonce")
	add("", nonce, "signed without a timestamp")
	add(timestamp, "", "signed without a nonce")
	add("", "", "signed without timestamp and nonce")
	add("null", nonce, "signed with null as its timestamp")
	add(timestamp, "null", "signed with null as its nonce")
	if len(timestamp) > 3 {
		add(timestamp[:len(timestamp)-3], nonce, "signed with its timestamp in seconds and arrived with milliseconds")
	}
	add(timestamp+"000", nonce, "signed with its timestamp in milliseconds and arrived with seconds")
	add(nonce, timestamp, "signed with its nonce before its timestamp")
	add(timestamp, strings.ToLower(nonce), "signed with its nonce in lower case and arrived with it in capitals")
	add(timestamp, strings.ToUpper(nonce), "signed with its nonce in capitals and arrived with it in lower case")
	add(timestamp, strings.ReplaceAll(nonce, "-", ""), "signed with its nonce without hyphens")
	return heads
}

// answerSearch looks for the content that a digest belongs to.
type answerSearch struct {
	digest Digest
	left   int // bytes that may still be hashed
	heads  []answerHead
	body   []byte
}

func (s *answerSearch) covers(head answerHead, body []byte) bool {
	if s.left <= 0 {
		return false
	}
	content := SignedContent(head.timestamp, head.nonce, body)
	s.left -= len(content)
	return s.digest.Covers(content)
}

func (s *answerSearch) explain() string {
	rewrites := rewrite.All(s.body)
	if value, ok := rewrite.FirstValue(s.body); ok {
		rewrites = append(rewrites, rewrite.Rewrite{Text: value, Signed: "as one JSON value", Arrived: "with something behind it"})
	}
	if len(s.body) > 0 {
		rewrites = append(rewrites, rewrite.Rewrite{Signed: "with an empty body", Arrived: "with another"})
	}
	for _, head := range s.heads {
		if s.covers(head, s.body) {
			if head.change == "" {
				return s.form()
			}
			return head.change
		}
	}
	for _, r := range rewrites {
		for _, head := range s.heads {
			if !s.covers(head, r.Text) {
				continue
			}
			if head.change != "" {
				return signedAs(r) + "; it was also " + head.change
			}
			return signedAs(r)
		}
	}
	if s.ordered() {
		return "signed with the members of its JSON in another order"
	}
	if change := s.within(); change != "" {
		return change
	}
	for _, first := range rewrites {
		if s.left <= 0 {
			break
		}
		for _, second := range rewrite.All(first.Text) {
			if s.covers(s.heads[0], second.Text) {
				return signedAs(first) + "; it was also " + signedAs(second)
			}
		}
	}
	return ""
}

func signedAs(r rewrite.Rewrite) string { return "signed " + r.Signed + " and arrived " + r.Arrived }

// form is what is wrong with a signature over exactly the content that arrived.
func (s *answerSearch) form() string {
	switch {
	case s.digest.PSS:
		return "signed with PSS padding, where PKCS #1 v1.5 is due"
	case s.digest.Hash == 0:
		return "signed without a DigestInfo"
	case s.digest.Hash != crypto.SHA256:
		return "signed with " + s.digest.Hash.String() + ", where SHA-256 is due"
	}
	return "" // it verifies, or would with a correct DigestInfo
}

func (s *answerSearch) ordered() (found bool) {
	rewrite.Orders(s.body, func(body []byte) bool {
		found = s.covers(s.heads[0], body)
		return !found && s.left > 0
	})
	return found
}

// within looks for the milliseconds of a timestamp that was rounded to the second.
func (s *answerSearch) within() string {
	timestamp, ok := strings.CutSuffix(s.heads[0].timestamp, "000")
	if !ok || len(s.body) > 4<<10 {
		return ""
	}
	for i := range 1000 {
		head := s.heads[0]
		head.timestamp = timestamp + string([]byte{'0' + byte(i/100), '0' + byte(i/10%10), '0' + byte(i%10)})
		if s.covers(head, s.body) {
			return "signed with milliseconds in its timestamp and arrived with it rounded to a second"
		}
	}
	return ""
}
