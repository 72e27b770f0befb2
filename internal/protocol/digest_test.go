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

func TestASignatureTellsWhatWasSigned(t *testing.T) {
	key, digest := readKey(t, "app_private_pkcs8.pem"), sha256.Sum256([]byte("content"))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	require.NoError(t, err)
	got, byKey := SignedDigest(&key.PublicKey, signature)
	assert.True(t, byKey)
	assert.Equal(t, digest[:], got)

	for name, content := range map[string][]byte{
		"nothing": nil, "a bare digest": digest[:], "a short digest": append([]byte(infoSHA256), digest[:31]...),
		"a long digest": append([]byte(infoSHA256), append(digest[:], 0)...),
	} {
		got, byKey := SignedDigest(&key.PublicKey, padded(t, key, content))
		assert.True(t, byKey, name)
		assert.Nil(t, got, name)
	}
}

// opening returns a key of so many bytes, of no use otherwise, and a signature
// that it opens to message. The cube of root is somewhat above the modulus.
func opening(root *big.Int, message []byte) (*rsa.PublicKey, []byte) {
	n := new(big.Int).Exp(root, big.NewInt(3), nil)
	key := &rsa.PublicKey{N: n.Sub(n, new(big.Int).SetBytes(message)), E: 3}
	return key, root.FillBytes(make([]byte, key.Size()))
}

func TestKeysBeyondReasonAreNotUsed(t *testing.T) {
	message := func(size int) []byte {
		return slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3), []byte{0})
	}
	largest, signature := opening(new(big.Int).Lsh(big.NewInt(5), 5459), message(2048))
	require.Equal(t, maxKeyBits, largest.N.BitLen())
	_, byKey := SignedDigest(largest, signature)
	assert.True(t, byKey)
	larger, signature := opening(new(big.Int).Lsh(big.NewInt(3), 5460), message(2049))
	require.Equal(t, maxKeyBits+1, larger.N.BitLen())
	_, byKey = SignedDigest(larger, signature)
	assert.False(t, byKey)
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
		"no key":         {nil, good},
		"empty key":      {&rsa.PublicKey{}, good},
		"negative key":   {&rsa.PublicKey{N: new(big.Int).Neg(key.N), E: key.E}, good},
		"exponent of 0":  {&rsa.PublicKey{N: key.N}, good},
		"exponent of 1":  {&rsa.PublicKey{N: key.N, E: 1}, slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, len(good)-3), []byte{0})},
		"nothing":        {&key.PublicKey, nil},
		"too short":      {&key.PublicKey, good[1:]},
		"too long":       {&key.PublicKey, append(slices.Clone(good), 0)},
		"over modulus":   {&key.PublicKey, bytes.Repeat([]byte{0xff}, len(good))},
		"zero":           {&key.PublicKey, make([]byte, len(good))},
		"one":            {&key.PublicKey, append(make([]byte, len(good)-1), 1)},
		"one bit turned": {&key.PublicKey, append(slices.Clone(good[:len(good)-1]), good[len(good)-1]^1)},
	} {
		_, byKey := SignedDigest(tc.key, tc.signature)
		assert.False(t, byKey, name)
	}
}

// What the key did not sign as RFC 8017 has it is nothing that it signed: too
// little padding comes about by chance, and s+n opens as s does.
func TestTheFormOfASignatureIsStrict(t *testing.T) {
	key := readKey(t, "app_private_pkcs8.pem")
	with := func(ff int, end ...byte) []byte {
		message := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, ff), end, bytes.Repeat([]byte{7}, key.Size()-2-ff-len(end)))
		return new(big.Int).Exp(new(big.Int).SetBytes(message), key.D, key.N).FillBytes(make([]byte, key.Size()))
	}
	_, byKey := SignedDigest(&key.PublicKey, with(8, 0))
	assert.True(t, byKey)
	for name, signature := range map[string][]byte{
		"seven":       with(7, 0),
		"without end": with(key.Size() - 2),
		"another end": with(100, 1),
	} {
		_, byKey = SignedDigest(&key.PublicKey, signature)
		assert.False(t, byKey, name)
	}
	for i := byte(0); ; i++ {
		s := new(big.Int).SetBytes(padded(t, key, []byte{i}))
		if s.Add(s, key.N).BitLen() <= 8*key.Size() {
			_, byKey := SignedDigest(&key.PublicKey, s.FillBytes(make([]byte, key.Size())))
			assert.False(t, byKey)
			return
		}
	}
}
