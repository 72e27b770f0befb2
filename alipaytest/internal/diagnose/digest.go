package diagnose

import (
	"bytes"
	"crypto"
	_ "crypto/md5" // recognised, never trusted
	"crypto/rsa"
	_ "crypto/sha1" // recognised, never trusted
	_ "crypto/sha512"
	"crypto/subtle"
	"encoding/binary"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// digest is what an RSA signature shows to anyone who has the public key: the
// digest that was signed, and how it was encoded.
type digest struct {
	// hash is the hash function that the signature names; 0 when it names none,
	// as one made by encrypting the bare digest does.
	hash crypto.Hash
	// sum is what was signed: the digest, or if hash is 0 any other bytes. It is nil
	// under PSS, which hashes once more.
	sum []byte
	// pss says that the padding is RSASSA-PSS's and not PKCS #1 v1.5's.
	pss bool

	salt, masked []byte // of PSS
}

// signedDigest opens a signature with the public key. It returns false when the
// signature was not made with the matching private key. It also returns false for
// a PSS signature whose salt leaves no room for padding, since that looks like one
// of another key.
func signedDigest(key *rsa.PublicKey, signature []byte) (digest, bool) {
	message, ok := protocol.OpenSignature(key, signature)
	if !ok {
		return digest{}, false
	}
	if inner, ok := protocol.Unpad(message); ok {
		return named(inner), true
	}
	return openPSS(message, key.N.BitLen()-1)
}

// covers reports whether the signature is one over content.
func (d digest) covers(content []byte) bool {
	switch {
	case d.hash == 0:
		// Without a name the length decides.
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA1, crypto.MD5} {
			if hash.Size() == len(d.sum) {
				return bytes.Equal(sum(hash, content), d.sum)
			}
		}
		return bytes.Equal(content, d.sum)
	case d.pss:
		return bytes.Equal(sum(d.hash, make([]byte, 8), sum(d.hash, content), d.salt), d.masked)
	}
	return bytes.Equal(sum(d.hash, content), d.sum)
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

// named is what PKCS #1 v1.5 has padded.
func named(inner []byte) digest {
	for hash, infos := range digestInfos {
		for _, info := range infos {
			if sum, ok := bytes.CutPrefix(inner, info); ok && len(sum) == hash.Size() {
				return digest{hash: hash, sum: sum}
			}
		}
	}
	return digest{sum: inner}
}

// openPSS recognises EMSA-PSS (RFC 8017, section 9.1) by its own structure,
// without the content that was signed.
func openPSS(message []byte, bits int) (digest, bool) {
	message = message[len(message)-(bits+7)/8:]
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA1, crypto.SHA384, crypto.SHA512} {
		n := len(message) - hash.Size() - 1
		if n < 16 || message[len(message)-1] != 0xbc {
			continue
		}
		block, masked := message[:n], message[n:n+hash.Size()]
		block = mask(hash, masked, block)
		block[0] &= 0xff >> (8*len(message) - bits)
		salt := bytes.TrimLeft(block, "\x00")
		if len(block)-len(salt) >= 8 && len(salt) > 0 && salt[0] == 1 {
			return digest{hash: hash, pss: true, salt: salt[1:], masked: masked}, true
		}
	}
	return digest{}, false
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
