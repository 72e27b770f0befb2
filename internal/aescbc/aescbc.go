// Package aescbc is the content encryption of the v3 protocol: AES/CBC/PKCS#7
// with a zero IV, carried as standard base64.
package aescbc

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

// ErrDecrypt is the error of Decrypt for every text that it cannot decrypt. There
// is one value for all causes, so that nobody can probe the padding through it.
var ErrDecrypt = errors.New("content cannot be decrypted")

// zeroIV is what the v3 protocol, content encryption, prescribes. Equal texts
// therefore encrypt alike; only the signature around it makes it safe to use.
var zeroIV [aes.BlockSize]byte

// Cipher encrypts and decrypts bodies under one key. It is safe for concurrent
// use; the key schedule is computed once, in New.
type Cipher struct {
	block cipher.Block
}

// KeyError says what is wrong with a key.
type KeyError struct{ bilingual.Text }

func (e KeyError) Error() string { return e.EN }

// New makes a Cipher from the base64 text of a key of 16, 24 or 32 bytes, as the
// console shows it. Its error is a KeyError, and never shows any of the key.
func New(base64Key string) (*Cipher, error) {
	wrong := func(en, zh string, args ...any) (*Cipher, error) {
		expected := bilingual.Of("expected standard base64 of 16, 24 or 32 bytes", "应为 16、24 或 32 字节的标准 base64")
		return nil, KeyError{bilingual.Of(en, zh, args...).Then(expected)}
	}
	text := strings.TrimSpace(base64Key)
	if text == "" {
		return wrong("the AES key is empty", "AES 密钥是空的")
	}
	if len(text) >= 32 && strings.Trim(text, "0123456789abcdefABCDEF") == "" { // which base64 decodes too, to other bytes
		return wrong("the AES key consists of hexadecimal digits", "AES 密钥全部是十六进制数字")
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil { // its text contains only a position, which is of no use
		return wrong("the AES key is not base64", "AES 密钥不是 base64")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return wrong("the AES key has %d bytes", "AES 密钥有 %d 字节", len(key))
	}
	return &Cipher{block}, nil
}

// Encrypt returns the base64 of plain encrypted.
func (c *Cipher) Encrypt(plain []byte) []byte {
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	buf := slices.Concat(plain, bytes.Repeat([]byte{byte(pad)}, pad))
	cipher.NewCBCEncrypter(c.block, zeroIV[:]).CryptBlocks(buf, buf)
	return base64.StdEncoding.AppendEncode(nil, buf)
}

// Decrypt is the inverse of Encrypt. White space around the base64 is ignored; any
// other mistake is ErrDecrypt.
func (c *Cipher) Decrypt(base64Text []byte) ([]byte, error) {
	buf, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(base64Text))
	if err != nil || len(buf) == 0 || len(buf)%aes.BlockSize != 0 {
		return nil, ErrDecrypt
	}
	cipher.NewCBCDecrypter(c.block, zeroIV[:]).CryptBlocks(buf, buf)

	// Every byte of the last block is checked, whatever the padding says.
	last := buf[len(buf)-aes.BlockSize:]
	pad := int(last[aes.BlockSize-1])
	good := subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, aes.BlockSize)
	for i, b := range last {
		inPadding := subtle.ConstantTimeLessOrEq(aes.BlockSize-i, pad)
		good &= (inPadding ^ 1) | subtle.ConstantTimeByteEq(b, byte(pad))
	}
	if good != 1 {
		return nil, ErrDecrypt
	}
	return buf[:len(buf)-pad], nil
}

// Format keeps the key schedule, which gives the key away, out of every fmt verb.
func (Cipher) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "aescbc.Cipher(redacted)")
}

// LooksEncrypted reports whether text may be what Encrypt returns: the base64 of
// whole blocks.
func LooksEncrypted(text []byte) bool {
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	return err == nil && len(raw) > 0 && len(raw)%aes.BlockSize == 0
}
