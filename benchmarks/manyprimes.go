package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"math/big"
	"math/bits"
)

// signingKey is an RSA-2048 key whose modulus has 32 primes of 64 bits instead of
// two of 1024: a signature takes a small part of the usual time, since its
// arithmetic fits into machine words. Such a modulus is easy to factor, but to a
// verifier it is a key like any other. The server needs it because a client
// accepts each answer only once, so that each has to be signed.
type signingKey struct {
	Primes []uint64
	E      uint64
}

func newSigningKey(e uint64) (signingKey, error) {
	key := signingKey{E: e}
	var candidate [8]byte
	for len(key.Primes) < 32 {
		if _, err := rand.Read(candidate[:]); err != nil {
			return key, err
		}
		// All near 2^64, so that their product has 2048 bits.
		p := binary.BigEndian.Uint64(candidate[:]) | 0xfc00_0000_0000_0001
		if (p-1)%e != 0 && new(big.Int).SetUint64(p).ProbablyPrime(20) {
			key.Primes = append(key.Primes, p)
		}
	}
	return key, nil
}

func (k signingKey) public() *rsa.PublicKey {
	n := big.NewInt(1)
	for _, p := range k.Primes {
		n.Mul(n, new(big.Int).SetUint64(p))
	}
	return &rsa.PublicKey{N: n, E: int(k.E)}
}

// manyPrimes signs. It is safe for concurrent use.
type manyPrimes struct {
	n      *big.Int
	primes []prime
}

type prime struct {
	p       uint64
	d       uint64   // the private exponent modulo p-1
	inverse uint64   // of rest, modulo p
	rest    *big.Int // n/p
}

func (k signingKey) signer() *manyPrimes {
	s := &manyPrimes{n: k.public().N}
	e := new(big.Int).SetUint64(k.E)
	for _, p := range k.Primes {
		big64 := new(big.Int).SetUint64(p)
		rest := new(big.Int).Div(s.n, big64)
		s.primes = append(s.primes, prime{
			p:       p,
			d:       new(big.Int).ModInverse(e, new(big.Int).SetUint64(p-1)).Uint64(),
			inverse: new(big.Int).ModInverse(new(big.Int).Mod(rest, big64), big64).Uint64(),
			rest:    rest,
		})
	}
	return s
}

// digestInfo is what PKCS #1 v1.5 puts before a SHA-256 digest.
var digestInfo = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// sign signs a SHA-256 digest with PKCS #1 v1.5.
func (s *manyPrimes) sign(digest [32]byte) []byte {
	var padded [256]byte
	padded[1] = 1
	digestAt := len(padded) - len(digest)
	infoAt := digestAt - len(digestInfo)
	for i := 2; i < infoAt-1; i++ {
		padded[i] = 0xff
	}
	copy(padded[infoAt:], digestInfo)
	copy(padded[digestAt:], digest[:])

	sum, part := new(big.Int), new(big.Int)
	for _, q := range s.primes {
		var m uint64
		for i := 0; i < len(padded); i += 8 {
			m = bits.Rem64(m, binary.BigEndian.Uint64(padded[i:]), q.p)
		}
		part.SetUint64(q.times(q.power(m, q.d), q.inverse))
		sum.Add(sum, part.Mul(part, q.rest))
	}
	return sum.Mod(sum, s.n).FillBytes(padded[:])
}

func (q prime) times(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return bits.Rem64(high, low, q.p)
}

func (q prime) power(base, exponent uint64) uint64 {
	result := uint64(1)
	for ; exponent > 0; exponent >>= 1 {
		if exponent&1 == 1 {
			result = q.times(result, base)
		}
		base = q.times(base, base)
	}
	return result
}
