package protocol

import (
	"bytes"
	"crypto/rsa"
	"math/big"
)

// OpenSignature returns the encoded message (RFC 8017, section 8.2.2) that a
// signature shows to anyone who has the public key. It is noise when the matching
// private key did not make the signature. ok is false when there is none.
func OpenSignature(key *rsa.PublicKey, signature []byte) (message []byte, ok bool) {
	s := new(big.Int).SetBytes(signature)
	if len(signature) != key.Size() || s.Cmp(key.N) >= 0 {
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
