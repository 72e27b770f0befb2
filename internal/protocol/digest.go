package protocol

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
)

// maxKeyBits bounds the work of opening a signature.
const maxKeyBits = 16384

// OpenSignature returns the encoded message (RFC 8017, section 8.2.2) that a
// signature shows to anyone who has the public key. It is noise when the matching
// private key did not make the signature. ok is false when there is none.
func OpenSignature(key *rsa.PublicKey, signature []byte) (message []byte, ok bool) {
	if key == nil || key.N == nil || key.E < 2 || key.N.Sign() <= 0 || key.N.BitLen() > maxKeyBits || len(signature) != key.Size() {
		return nil, false
	}
	s := new(big.Int).SetBytes(signature)
	if s.Cmp(key.N) >= 0 {
		return nil, false
	}
	return s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size())), true
}

// Unpad returns what an encoded message of PKCS #1 v1.5 holds behind 00 01 FF … FF
// 00. It requires at least eight FF, which do not occur by chance.
func Unpad(message []byte) (inner []byte, ok bool) {
	rest, ok := bytes.CutPrefix(message, []byte{0, 1})
	if !ok {
		return nil, false
	}
	inner = bytes.TrimLeft(rest, "\xff")
	if len(rest)-len(inner) < 8 || len(inner) == 0 || inner[0] != 0 {
		return nil, false
	}
	return inner[1:], true
}

// infoSHA256 names SHA-256 in front of a digest (RFC 8017, section 9.2, note 1).
const infoSHA256 = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"

// SignedDigest opens a signature with the public key. byKey says that the matching
// private key made it, so that it covers something, if not what it came with.
// digest is the SHA-256 digest that was signed, nil if it was another.
func SignedDigest(key *rsa.PublicKey, signature []byte) (digest []byte, byKey bool) {
	message, _ := OpenSignature(key, signature)
	inner, byKey := Unpad(message)
	if digest, ok := bytes.CutPrefix(inner, []byte(infoSHA256)); ok && len(digest) == sha256.Size {
		return digest, byKey
	}
	return nil, byKey
}
