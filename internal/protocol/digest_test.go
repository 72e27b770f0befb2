package protocol

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
		d, ok := SignedDigest(public, signature)
		require.True(t, ok, hash)
		assert.Equal(t, Digest{Hash: hash, Sum: sum(hash, content)}, d)
		assert.True(t, d.Covers(content))
		assert.False(t, d.Covers([]byte("other")))

		// As libraries write it that leave the NULL out.
		algorithm, err := asn1.Marshal(struct {
			Algorithm struct{ OID asn1.ObjectIdentifier }
			Digest    []byte
		}{struct{ OID asn1.ObjectIdentifier }{map[crypto.Hash]asn1.ObjectIdentifier{
			crypto.MD5: {1, 2, 840, 113549, 2, 5}, crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA224: {2, 16, 840, 1, 101, 3, 4, 2, 4},
			crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
		}[hash]}, sum(hash, content)})
		require.NoError(t, err)
		d, ok = SignedDigest(public, raw(t, key, algorithm))
		require.True(t, ok)
		assert.Equal(t, hash, d.Hash)

		// Without DigestInfo.
		d, ok = SignedDigest(public, raw(t, key, sum(hash, content)))
		require.True(t, ok)
		assert.Equal(t, Digest{Sum: sum(hash, content)}, d)
		assert.Equal(t, slices.Contains([]crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA256}, hash), d.Covers(content))
	}
	d, ok := SignedDigest(public, raw(t, key, content))
	require.True(t, ok)
	assert.True(t, d.Covers(content), "the content itself")

	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		for _, salt := range []int{20, rsa.PSSSaltLengthEqualsHash} {
			signature, err := rsa.SignPSS(rand.Reader, key, hash, sum(hash, content), &rsa.PSSOptions{SaltLength: salt})
			require.NoError(t, err)
			d, ok := SignedDigest(public, signature)
			require.True(t, ok, hash)
			assert.True(t, d.PSS)
			assert.Equal(t, hash, d.Hash)
			assert.True(t, d.Covers(content))
			assert.False(t, d.Covers([]byte("other")))
		}
	}
	for salt, want := range map[int]bool{214: true, 215: false, rsa.PSSSaltLengthAuto: false} {
		signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum(crypto.SHA256, content), &rsa.PSSOptions{SaltLength: salt})
		require.NoError(t, err)
		_, ok = SignedDigest(public, signature)
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
		d, ok := SignedDigest(&key.PublicKey, signature)
		require.True(t, ok, bits)
		assert.True(t, d.PSS && d.Covers(nil), bits)
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
	padded := func(size int) []byte {
		return slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3), []byte{0})
	}
	largest, signature := opening(new(big.Int).Lsh(big.NewInt(5), 5459), padded(2048))
	require.Equal(t, maxKeyBits, largest.N.BitLen())
	_, ok := SignedDigest(largest, signature)
	assert.True(t, ok)
	larger, signature := opening(new(big.Int).Lsh(big.NewInt(3), 5460), padded(2049))
	require.Equal(t, maxKeyBits+1, larger.N.BitLen())
	_, ok = SignedDigest(larger, signature)
	assert.False(t, ok)

	// One that is shorter than a hash with its padding.
	message := bytes.Repeat([]byte{0xbc}, 32)
	message[0] = 0
	tiny, signature := opening(new(big.Int).Lsh(big.NewInt(5), 83), message)
	require.Equal(t, 256, tiny.N.BitLen())
	_, ok = SignedDigest(tiny, signature)
	assert.False(t, ok)
}

func TestWhatIsNoSignatureOfTheKeyIsNone(t *testing.T) {
	key, other := readKey(t, "app_private_pkcs8.pem"), readKey(t, "alipay_private_pkcs8.pem")
	good, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum(crypto.SHA256, nil))
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
		_, ok := SignedDigest(tc.key, tc.signature)
		assert.False(t, ok, name)
	}
}

// What the key did not sign as RFC 8017 has it is nothing that it signed: too
// little padding comes about by chance, and s+n opens as s does.
func TestTheFormOfASignatureIsStrict(t *testing.T) {
	key := readKey(t, "app_private_pkcs8.pem")
	padded := func(ff int, end ...byte) []byte {
		message := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, ff), end, bytes.Repeat([]byte{7}, key.Size()-2-ff-len(end)))
		return new(big.Int).Exp(new(big.Int).SetBytes(message), key.D, key.N).FillBytes(make([]byte, key.Size()))
	}
	_, ok := SignedDigest(&key.PublicKey, padded(8, 0))
	assert.True(t, ok)
	for name, signature := range map[string][]byte{
		"seven":       padded(7, 0),
		"without end": padded(key.Size() - 2),
		"another end": padded(100, 1),
	} {
		_, ok = SignedDigest(&key.PublicKey, signature)
		assert.False(t, ok, name)
	}
	short := slices.Concat(digestInfos[crypto.SHA256][0], make([]byte, 31))
	d, ok := SignedDigest(&key.PublicKey, raw(t, key, short))
	require.True(t, ok)
	assert.Equal(t, Digest{Sum: short}, d, "what is no digest of the hash that is named")

	for i := byte(0); ; i++ {
		s := new(big.Int).SetBytes(raw(t, key, []byte{i}))
		if s.Add(s, key.N).BitLen() <= 8*key.Size() {
			_, ok := SignedDigest(&key.PublicKey, s.FillBytes(make([]byte, key.Size())))
			assert.False(t, ok)
			return
		}
	}
}

const explained = `{"identity_result":"SUCCESS","identity_result_skip_url":"alipays://platformapi/startapp?appId=1&x=<y>","user_id":"2088402562742105","name":"张三"}`

func TestUsualChangesOfAnAnswerAreNamed(t *testing.T) {
	key := readKey(t, "alipay_private_pkcs8.pem")
	const at, nonce = "1700000000123", "f3b1c2d4"
	signed := func(timestamp, nonce, body string) string {
		signature, err := Sign(key, SignedContent(timestamp, nonce, []byte(body)))
		require.NoError(t, err)
		return signature
	}
	plain := signed(at, nonce, explained)
	lines := strings.ReplaceAll(explained, ",", ",\n")
	most := strings.Repeat("x", 4<<10)
	for _, tc := range []struct{ timestamp, nonce, body, signature, says string }{
		{at, nonce, explained, plain, ""},
		{at, nonce, explained + "\n", plain, "signed without a line feed at the end and arrived with one"},
		{at, nonce, explained, signed(at, nonce, explained+"\n"), "signed with a line feed at the end and arrived without it"},
		{at, nonce, strings.ReplaceAll(lines, "\n", "\r\n"), signed(at, nonce, lines), "signed with line feeds (LF) and arrived with CR LF"},
		{at, nonce, "\ufeff" + explained, plain, "without a byte order mark"},
		{at, nonce, strings.ReplaceAll(explained, ":\"", ": \""), plain, "signed as JSON without spaces"},
		{at, nonce, strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(explained), plain, "signed with <, > and & written as they are"},
		{at, nonce, strings.ReplaceAll(explained, "张三", `\u5f20\u4e09`), plain, "characters beyond ASCII written as they are"},
		{at, nonce, `{"user_id":"1","name":"2","identity_result":"3"}`, signed(at, nonce, `{"name":"2","user_id":"1","identity_result":"3"}`), "members of its JSON in another order"},
		{at, nonce, explained + "<script>", plain, "as one JSON value and arrived with something behind it"},
		{at, nonce, explained, signed(at, nonce, ""), "signed with an empty body"},
		{at, "F3B1C2D4", explained, plain, "nonce in lower case"},
		{at, " " + nonce, explained, plain, "without white space around its timestamp and nonce"},
		{at + "000", nonce, explained, plain, "timestamp in seconds"},
		{at[:10], nonce, explained, signed(at[:10]+"000", nonce, explained), "timestamp in milliseconds"},
		{at[:10] + "000", nonce, explained, plain, "rounded to a second"},
		{at[:10] + "000", nonce, explained, signed(at[:10]+"905", nonce, explained), "rounded to a second"},
		{at[:10] + "000", nonce, explained, signed(at[:10]+"999", nonce, explained), "rounded to a second"},
		{at[:10] + "000", nonce, most, signed(at[:10]+"001", nonce, most), "rounded to a second"},
		{at[:10] + "000", nonce, most + "x", signed(at[:10]+"001", nonce, most+"x"), ""},
		{at, nonce, explained, signed(at, "", explained), "signed without a nonce"},
		{at, nonce, explained, signed("", "", explained), "signed without timestamp and nonce"},
		{at, nonce, explained, signed("null", nonce, explained), "signed with null as its timestamp"},
		{at, nonce, explained, signed(at, "null", explained), "signed with null as its nonce"},
		{"1234", nonce, explained, signed("1", nonce, explained), "timestamp in seconds"},
		{"123", nonce, explained, signed("1", nonce, explained), ""},
		{at, nonce, explained, signed(at, "F3B1C2D4", explained), "nonce in capitals"},
		{at, "f3b1-c2d4", explained, plain, "nonce without hyphens"},
		{at, nonce, explained, signed("", nonce, explained), "signed without a timestamp"},
		{at, nonce, explained, signed(nonce, at, explained), "nonce before its timestamp"},
		{at + "000", nonce, explained + "\n", plain, "at the end and arrived with one; it was also signed with its timestamp in seconds"},
		{at, nonce, strings.ReplaceAll(strings.ReplaceAll(explained, "张三", `\u5f20\u4e09`), ":\"", ": \""), plain, "; it was also signed"},
		{at, nonce, strings.ReplaceAll(explained, "SUCCESS", "FAILED"), plain, ""},
		{"1700000000124", nonce, explained, plain, ""},
		{at, nonce, "", plain, ""},
	} {
		byKey, change := ExplainAnswer(&key.PublicKey, tc.timestamp, tc.nonce, []byte(tc.body), tc.signature)
		assert.True(t, byKey)
		if tc.says == "" {
			assert.Empty(t, change)
		}
		assert.Contains(t, change, tc.says, "%.100q", tc)
	}

	content := SignedContent(at, nonce, []byte(explained))
	digest := sum(crypto.SHA1, content)
	sha1, err := rsa.SignPKCS1v15(nil, key, crypto.SHA1, digest)
	require.NoError(t, err)
	pss, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum(crypto.SHA256, content), &rsa.PSSOptions{SaltLength: 32})
	require.NoError(t, err)
	for says, signature := range map[string][]byte{
		"signed with SHA-1, where SHA-256 is due": sha1,
		"signed with PSS padding":                 pss,
		"signed without a DigestInfo":             raw(t, key, sum(crypto.SHA256, content)),
	} {
		byKey, change := ExplainAnswer(&key.PublicKey, at, nonce, []byte(explained), base64.StdEncoding.EncodeToString(signature))
		assert.True(t, byKey)
		assert.Contains(t, change, says)
	}
	for _, signature := range []string{"", "null", "%%%", base64.StdEncoding.EncodeToString([]byte("short"))} {
		byKey, change := ExplainAnswer(&key.PublicKey, at, nonce, []byte(explained), signature)
		assert.False(t, byKey)
		assert.Empty(t, change)
	}
}

var alteredAnswers = flag.Int("altered", 1000, "how many altered answers TestAlteredAnswersAreToldFromForeignOnes tries, and as many under foreign keys")

// Answers that were altered after they had been signed, and as many under foreign
// keys: for each one the explanation names the right side. The checks try 10,000.
func TestAlteredAnswersAreToldFromForeignOnes(t *testing.T) {
	rounds := *alteredAnswers
	random := mathrand.New(mathrand.NewPCG(1, 2))
	key := readKey(t, "alipay_private_pkcs8.pem")
	foreign := []*rsa.PrivateKey{readKey(t, "app_private_pkcs8.pem")}
	for _, bits := range []int{2048, 2056} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		require.NoError(t, err)
		foreign = append(foreign, k)
	}
	type answer struct{ timestamp, nonce, body, signature string }
	sign := func(key *rsa.PrivateKey) answer {
		a := answer{fmt.Sprint(1_700_000_000_000 + random.Int64N(1e12)), NewID(), fmt.Sprintf(`{"identity_result":"SUCCESS","user_id":"%d"}`, random.Uint64()), ""}
		var err error
		a.signature, err = Sign(key, SignedContent(a.timestamp, a.nonce, []byte(a.body)))
		require.NoError(t, err)
		return a
	}
	explain := func(a answer) bool {
		byKey, _ := ExplainAnswer(&key.PublicKey, a.timestamp, a.nonce, []byte(a.body), a.signature)
		return byKey
	}

	var signed, forged []answer
	for i := range 30 {
		signed, forged = append(signed, sign(key)), append(forged, sign(foreign[i%len(foreign)]))
	}
	for range rounds {
		a := signed[random.IntN(len(signed))]
		a = alter(random, a.timestamp, a.nonce, a.body, a.signature)
		if Verify(&key.PublicKey, SignedContent(a.timestamp, a.nonce, []byte(a.body)), a.signature) == nil {
			t.Fatalf("not altered: %q", a)
		}
		if !explain(a) {
			t.Fatalf("altered, and not called so: %q", a)
		}
	}
	for range rounds {
		a := forged[random.IntN(len(forged))]
		if random.IntN(2) == 0 {
			a = alter(random, a.timestamp, a.nonce, a.body, a.signature)
		}
		if explain(a) {
			t.Fatalf("foreign, and called altered: %q", a)
		}
	}
}

// alter changes what the signature of an answer covers, and not the signature.
func alter(random *mathrand.Rand, timestamp, nonce, body, signature string) struct{ timestamp, nonce, body, signature string } {
	parts := []string{timestamp, nonce, body}
	part := &parts[min(random.IntN(6), 2)]
	at := random.IntN(len(*part))
	switch random.IntN(5) {
	case 0: // another byte
		*part = (*part)[:at] + string((*part)[at]^byte(1+random.IntN(127))) + (*part)[at+1:]
	case 1: // one too many
		*part = (*part)[:at] + string(rune(random.IntN(0x10000))) + (*part)[at:]
	case 2: // some missing
		*part = (*part)[:at]
	case 3: // one missing
		*part = (*part)[:at] + (*part)[at+1:]
	case 4:
		*part += string(byte(random.IntN(128)))
	}
	return struct{ timestamp, nonce, body, signature string }{parts[0], parts[1], parts[2], signature}
}

func TestExplainingALongAnswerIsBounded(t *testing.T) {
	key := readKey(t, "alipay_private_pkcs8.pem")
	signature, err := Sign(key, []byte("something else"))
	require.NoError(t, err)
	opened, ok := SignedDigest(&key.PublicKey, must(base64.StdEncoding.DecodeString(signature)))
	require.True(t, ok)
	for _, size := range []int{0, 1, 1 << 10, 32 << 10, 1 << 20, 64 << 20} {
		body := bytes.Repeat([]byte("\n"), size)
		s := answerSearch{digest: opened, left: maxHashed, heads: answerHeads("1", "n"), body: body}
		assert.Empty(t, s.explain())
		assert.Greater(t, s.left, -size-100, "no more than one candidate passes the limit")
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func FuzzSignedDigest(f *testing.F) {
	key := readKey(f, "app_private_pkcs8.pem")
	f.Fuzz(func(t *testing.T, content, signature []byte, timestamp, nonce string) {
		// Any block that the key has signed opens, and nothing else does.
		if len(content) <= key.Size()-11 {
			d, ok := SignedDigest(&key.PublicKey, raw(t, key, content))
			require.True(t, ok)
			require.True(t, d.Hash != 0 || bytes.Equal(d.Sum, content))
		}
		_, ok := SignedDigest(&key.PublicKey, signature)
		require.False(t, ok)
		byKey, _ := ExplainAnswer(&key.PublicKey, timestamp, nonce, content, hex.EncodeToString(signature))
		require.False(t, byKey)
		digest := sha256.Sum256(signature)
		good, err := Sign(key, digest[:])
		require.NoError(t, err)
		byKey, change := ExplainAnswer(&key.PublicKey, timestamp, nonce, content, good)
		require.True(t, byKey)
		require.Empty(t, change)
	})
}

func BenchmarkExplainAnswer(b *testing.B) {
	key := readKey(b, "alipay_private_pkcs8.pem")
	signature, err := Sign(key, []byte("something else"))
	require.NoError(b, err)
	for _, size := range []int{len(explained), 4 << 10, 64 << 10, 1 << 20} {
		body := []byte(`{"a":"` + strings.Repeat("x", size-8) + `"}`)
		if size == len(explained) {
			body = []byte(explained)
		}
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				ExplainAnswer(&key.PublicKey, "1700000000123", "f3b1c2d4", body, signature)
			}
		})
	}
}
