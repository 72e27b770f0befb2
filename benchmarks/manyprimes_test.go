package main

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
)

func TestSignaturesOfManyPrimesHold(t *testing.T) {
	for _, e := range []uint64{3, 65537} {
		key, err := newSigningKey(e)
		if err != nil {
			t.Fatal(err)
		}
		public, signer := key.public(), key.signer()
		if public.N.BitLen() != 2048 {
			t.Errorf("%d bits", public.N.BitLen())
		}
		for i := range byte(20) {
			digest := sha256.Sum256([]byte{i})
			if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signer.sign(digest)); err != nil {
				t.Errorf("exponent %d: %v", e, err)
			}
		}
	}
}

func BenchmarkManyPrimes(b *testing.B) {
	key, err := newSigningKey(65537)
	if err != nil {
		b.Fatal(err)
	}
	signer := key.signer()
	for b.Loop() {
		signer.sign(sha256.Sum256(nil))
	}
}
