package aescbc

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const key16 = "AAECAwQFBgcICQoLDA0ODw=="

func newCipher(tb testing.TB, key string) *Cipher {
	tb.Helper()
	c, err := New(key)
	require.NoError(tb, err)
	return c
}

func TestVectorsOfOtherImplementationsHold(t *testing.T) {
	raw, err := os.ReadFile("../../testdata/vectors/vectors.json")
	require.NoError(t, err)
	var vectors struct {
		EncryptKey string `json:"encrypt_key"`
		AES        []struct{ Key, Plaintext, Ciphertext string }
		Responses  []struct{ Name, Body, Plaintext string }
	}
	require.NoError(t, json.Unmarshal(raw, &vectors))
	require.NotEmpty(t, vectors.AES)
	for _, v := range vectors.AES {
		c := newCipher(t, v.Key)
		assert.Equal(t, v.Ciphertext, string(c.Encrypt([]byte(v.Plaintext))))
		plain, err := c.Decrypt([]byte(v.Ciphertext))
		require.NoError(t, err)
		assert.Equal(t, v.Plaintext, string(plain))
	}
	for _, r := range vectors.Responses {
		if r.Name != "encrypted" {
			continue
		}
		plain, err := newCipher(t, vectors.EncryptKey).Decrypt([]byte(r.Body))
		require.NoError(t, err)
		assert.Equal(t, r.Plaintext, string(plain))
	}
}

func TestNewTakesKeysOfThreeLengthsOnly(t *testing.T) {
	for _, n := range []int{16, 24, 32} {
		key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n))
		_, err := New(" \t" + key + "\r\n")
		assert.NoError(t, err, n)
	}
	for name, tc := range map[string]struct{ key, want string }{
		"empty":           {" \n", "the AES key is empty"},
		"not base64":      {"s3cr3t-s3cr3t!", "not base64"},
		"url-safe":        {"__________________________8=", "not base64"},
		"15 bytes":        {base64.StdEncoding.EncodeToString([]byte("s3cr3ts3cr3t123")), "has 15 bytes"},
		"hex of 16 bytes": {"00112233445566778899aabbccddeeff", "consists of hexadecimal digits"},
		"hex of 24 bytes": {strings.Repeat("00112233445566FF", 3), "consists of hexadecimal digits"},
		"hex of 32 bytes": {strings.Repeat("00112233445566778899aabbccddeeff", 2), "consists of hexadecimal digits"},
		"48 bytes":        {strings.Repeat("ZZZZZZZZZZZZZZZZ", 4), "has 48 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := New(tc.key)
			require.Error(t, err)
			assert.Nil(t, c)
			assert.Contains(t, err.Error(), tc.want)
			assert.Contains(t, err.Error(), "16, 24 or 32 bytes")
			assert.NotContains(t, err.Error(), "s3cr3t")
		})
	}
}

func TestEveryLengthComesBack(t *testing.T) {
	c := newCipher(t, key16)
	for n := range 70 {
		plain := bytes.Repeat([]byte{byte(n)}, n)
		got, err := c.Decrypt(c.Encrypt(plain))
		require.NoError(t, err, n)
		assert.Equal(t, string(plain), string(got), n)
	}
}

func TestDecryptIgnoresWhiteSpaceAround(t *testing.T) {
	c := newCipher(t, key16)
	got, err := c.Decrypt([]byte(" \t\r\n" + string(c.Encrypt([]byte("body"))) + "\r\n\n "))
	require.NoError(t, err)
	assert.Equal(t, "body", string(got))
}

func TestDecryptLeavesItsInputAlone(t *testing.T) {
	c := newCipher(t, key16)
	text := c.Encrypt([]byte("body"))
	before := string(text)
	_, err := c.Decrypt(text)
	require.NoError(t, err)
	assert.Equal(t, before, string(text))
}

func TestEveryFailureIsTheSameError(t *testing.T) {
	c := newCipher(t, key16)
	// raw encrypts whole blocks whose padding the caller chose.
	raw := func(blocks ...byte) string {
		require.Zero(t, len(blocks)%aes.BlockSize)
		out := make([]byte, len(blocks))
		cipher.NewCBCEncrypter(c.block, zeroIV[:]).CryptBlocks(out, blocks)
		return base64.StdEncoding.EncodeToString(out)
	}
	block := func(padding ...byte) []byte {
		return append(bytes.Repeat([]byte{'x'}, aes.BlockSize-len(padding)), padding...)
	}
	for name, text := range map[string]string{
		"empty":                  "",
		"white space":            " \n",
		"not base64":             "{\"code\":\"x\"}",
		"no whole block":         "AAAA",
		"padding 0":              raw(block(0)...),
		"padding 17":             raw(block(17)...),
		"padding 255":            raw(block(255)...),
		"padding 2, other byte":  raw(block(1, 2)...),
		"padding 16, first byte": raw(append([]byte{0}, bytes.Repeat([]byte{16}, 15)...)...),
		"cut by one block":       string(c.Encrypt(bytes.Repeat([]byte{'x'}, 15)))[:12],
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Decrypt([]byte(text))
			assert.Nil(t, got)
			assert.Equal(t, ErrDecrypt, err)
		})
	}
}

func TestCipherIsSafeForConcurrentUse(t *testing.T) {
	c := newCipher(t, key16)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			plain := []byte(strings.Repeat(fmt.Sprint(i), 100))
			for range 50 {
				got, err := c.Decrypt(c.Encrypt(plain))
				assert.NoError(t, err)
				assert.Equal(t, plain, got)
			}
		})
	}
	wg.Wait()
}

func TestCipherNeverPrintsItsKey(t *testing.T) {
	c := newCipher(t, key16)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		assert.Equal(t, "aescbc.Cipher(redacted)", fmt.Sprintf(verb, c))
	}
}

func TestWholeBlocksInBase64LookEncrypted(t *testing.T) {
	for text, want := range map[string]bool{
		" " + string(newCipher(t, key16).Encrypt([]byte("body"))) + "\n": true,
		base64.StdEncoding.EncodeToString(make([]byte, 48)):              true,
		base64.StdEncoding.EncodeToString(make([]byte, 17)):              false,
		"": false, "AAAA": false, `{"a":1}`: false,
	} {
		assert.Equal(t, want, LooksEncrypted([]byte(text)), text)
	}
}

func FuzzDecrypt(f *testing.F) {
	c := newCipher(f, key16)
	f.Fuzz(func(t *testing.T, text []byte) {
		if plain, err := c.Decrypt(text); err != nil {
			if err != ErrDecrypt || plain != nil {
				t.Fatalf("failure is not plain ErrDecrypt: %v", err)
			}
		} else if again, err := c.Decrypt(c.Encrypt(plain)); err != nil || !bytes.Equal(again, plain) {
			t.Fatal("what was decrypted does not survive a round trip")
		}
		// The round trip of the input itself, taken as a plain text.
		if back, err := c.Decrypt(c.Encrypt(text)); err != nil || !bytes.Equal(back, text) {
			t.Fatal("round trip failed")
		}
	})
}
