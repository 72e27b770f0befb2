package protocol

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// padded pads content as PKCS #1 v1.5 does and signs it as it is.
func padded(t testing.TB, key *rsa.PrivateKey, content []byte) []byte {
	var signature []byte
	var err error
	fips140.WithoutEnforcement(func() { signature, err = rsa.SignPKCS1v15(nil, key, 0, content) })
	require.NoError(t, err)
	return signature
}

// madeBy reports whether the private key that belongs to key has made a signature over
// anything.
func madeBy(key *rsa.PublicKey, signature []byte) bool {
	_, byKey := VerifyAny([]*rsa.PublicKey{key}, nil, [][]byte{signature})
	return byKey
}

func TestASignatureTellsWhoseItIs(t *testing.T) {
	key, digest := readKey(t, "app_private_pkcs8.pem"), sha256.Sum256([]byte("content"))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	require.NoError(t, err)
	assert.True(t, madeBy(&key.PublicKey, signature))
	for name, content := range map[string][]byte{"nothing": nil, "a bare digest": digest[:]} {
		assert.True(t, madeBy(&key.PublicKey, padded(t, key, content)), name)
	}
}

func TestWhatIsNoSignatureOfTheKeyIsNone(t *testing.T) {
	key, other := readKey(t, "app_private_pkcs8.pem"), readKey(t, "alipay_private_pkcs8.pem")
	digest := sha256.Sum256(nil)
	good, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		key       *rsa.PublicKey
		signature []byte
	}{
		"another key":    {&other.PublicKey, good},
		"nothing":        {&key.PublicKey, nil},
		"too short":      {&key.PublicKey, good[1:]},
		"too long":       {&key.PublicKey, append(slices.Clone(good), 0)},
		"over modulus":   {&key.PublicKey, bytes.Repeat([]byte{0xff}, len(good))},
		"zero":           {&key.PublicKey, make([]byte, len(good))},
		"one":            {&key.PublicKey, append(make([]byte, len(good)-1), 1)},
		"one bit turned": {&key.PublicKey, append(slices.Clone(good[:len(good)-1]), good[len(good)-1]^1)},
	} {
		assert.False(t, madeBy(tc.key, tc.signature), name)
	}
}

// What the key did not sign as RFC 8017 has it is nothing that it signed: too
// little padding comes about by chance, and s+n opens as s does.
func TestTheFormOfASignatureIsStrict(t *testing.T) {
	key := readKey(t, "app_private_pkcs8.pem")
	opened := func(message []byte) []byte {
		return new(big.Int).Exp(new(big.Int).SetBytes(message), key.D, key.N).FillBytes(make([]byte, key.Size()))
	}
	with := func(ff int, end ...byte) []byte {
		return opened(slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, ff), end, bytes.Repeat([]byte{7}, key.Size()-2-ff-len(end))))
	}
	assert.True(t, madeBy(&key.PublicKey, with(8, 0)))
	for name, signature := range map[string][]byte{
		"seven":       with(7, 0),
		"without end": with(key.Size() - 2),
		"another end": with(100, 1),
		"another pad": opened(slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xfe}, key.Size()-3), []byte{0})),
		"another way": opened(slices.Concat([]byte{0, 2}, bytes.Repeat([]byte{0xff}, key.Size()-3), []byte{0})),
	} {
		assert.False(t, madeBy(&key.PublicKey, signature), name)
	}
	for i := byte(0); ; i++ {
		s := new(big.Int).SetBytes(padded(t, key, []byte{i}))
		if s.Add(s, key.N).BitLen() <= 8*key.Size() {
			assert.False(t, madeBy(&key.PublicKey, s.FillBytes(make([]byte, key.Size()))))
			return
		}
	}
}
