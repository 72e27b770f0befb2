package diagnose

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The signatures that people make by mistake are made here, with what FIPS 140-3
// forbids. The tests of alipaytest recognise them under enforcement.
func TestMain(m *testing.M) {
	fips140.WithoutEnforcement(func() { os.Exit(m.Run()) })
}

// raw pads content as PKCS #1 v1.5 does and signs it as it is.
func raw(t testing.TB, key *rsa.PrivateKey, content []byte) []byte {
	signature, err := rsa.SignPKCS1v15(nil, key, 0, content)
	require.NoError(t, err)
	return signature
}

func TestASignatureTellsWhatWasSigned(t *testing.T) {
	key, content := readKey(t, "app_private_pkcs8.pem"), []byte("content")
	public := &key.PublicKey
	for _, hash := range []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		signature, err := rsa.SignPKCS1v15(nil, key, hash, sum(hash, content))
		require.NoError(t, err)
		d, ok := signedDigest(public, signature)
		require.True(t, ok, hash)
		assert.Equal(t, digest{hash: hash, sum: sum(hash, content)}, d)
		assert.True(t, d.covers(content))
		assert.False(t, d.covers([]byte("other")))

		// As libraries write it that leave the NULL out.
		algorithm, err := asn1.Marshal(struct {
			Algorithm struct{ OID asn1.ObjectIdentifier }
			Digest    []byte
		}{struct{ OID asn1.ObjectIdentifier }{map[crypto.Hash]asn1.ObjectIdentifier{
			crypto.MD5: {1, 2, 840, 113549, 2, 5}, crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA224: {2, 16, 840, 1, 101, 3, 4, 2, 4},
			crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
		}[hash]}, sum(hash, content)})
		require.NoError(t, err)
		d, ok = signedDigest(public, raw(t, key, algorithm))
		require.True(t, ok)
		assert.Equal(t, hash, d.hash)

		// Without DigestInfo.
		d, ok = signedDigest(public, raw(t, key, sum(hash, content)))
		require.True(t, ok)
		assert.Equal(t, digest{sum: sum(hash, content)}, d)
		assert.Equal(t, slices.Contains([]crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA256}, hash), d.covers(content))
	}
	d, ok := signedDigest(public, raw(t, key, content))
	require.True(t, ok)
	assert.True(t, d.covers(content), "the content itself")

	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		for _, salt := range []int{20, rsa.PSSSaltLengthEqualsHash} {
			signature, err := rsa.SignPSS(rand.Reader, key, hash, sum(hash, content), &rsa.PSSOptions{SaltLength: salt})
			require.NoError(t, err)
			d, ok := signedDigest(public, signature)
			require.True(t, ok, hash)
			assert.True(t, d.pss)
			assert.Equal(t, hash, d.hash)
			assert.True(t, d.covers(content))
			assert.False(t, d.covers([]byte("other")))
		}
	}
	for salt, want := range map[int]bool{214: true, 215: false, 222: false} {
		signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum(crypto.SHA256, content), &rsa.PSSOptions{SaltLength: salt})
		require.NoError(t, err)
		_, ok = signedDigest(public, signature)
		assert.Equal(t, want, ok, "a salt that leaves no room for padding looks like chance: %d", salt)
	}
}

// The padding of PSS begins at a bit that depends on the size of the key.
func TestPSSIsSeenUnderKeysOfAnySize(t *testing.T) {
	for _, bits := range []int{1025, 1026, 1032} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		require.NoError(t, err)
		signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum(crypto.SHA256, nil), &rsa.PSSOptions{SaltLength: 32})
		require.NoError(t, err)
		d, ok := signedDigest(&key.PublicKey, signature)
		require.True(t, ok, bits)
		assert.True(t, d.pss && d.covers(nil), bits)
	}
}

// A key that is shorter than a hash with its padding.
func TestATinyKeyHasNoPSS(t *testing.T) {
	message := bytes.Repeat([]byte{0xbc}, 32)
	message[0] = 0
	root := new(big.Int).Lsh(big.NewInt(5), 83)
	n := new(big.Int).Exp(root, big.NewInt(3), nil)
	key := &rsa.PublicKey{N: n.Sub(n, new(big.Int).SetBytes(message)), E: 3} // which opens root to message
	_, ok := signedDigest(key, root.FillBytes(make([]byte, key.Size())))
	assert.False(t, ok)
}

func TestWhatTheKeyDidNotSignIsNoDigest(t *testing.T) {
	key := readKey(t, "app_private_pkcs8.pem")
	short := append([]byte(digestInfos[crypto.SHA256][0]), make([]byte, 31)...)
	d, ok := signedDigest(&key.PublicKey, raw(t, key, short))
	require.True(t, ok)
	assert.Equal(t, digest{sum: short}, d, "what is no digest of the hash that is named")
	for _, signature := range [][]byte{nil, short, make([]byte, key.Size())} {
		_, ok := signedDigest(&key.PublicKey, signature)
		assert.False(t, ok)
	}
}
