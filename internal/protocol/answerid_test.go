package protocol

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/replay"
)

func TestAnAnswerIsToldByItsSignature(t *testing.T) {
	signature := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef and more"))
	id := func(nonce, signature string) (replay.ID, bool) {
		return AnswerID(http.Header{HeaderNonce: {nonce}, HeaderSignature: {signature}})
	}
	want, ok := id("n", signature)
	require.True(t, ok)
	assert.Equal(t, "0123456789abcdef", string(want[:]))
	for _, same := range []string{" " + signature + " ", signature[:5] + "\r\n" + signature[5:]} {
		got, ok := id("n", same)
		assert.True(t, ok)
		assert.Equal(t, want, got)
	}
	for name, tt := range map[string][2]string{
		"no nonce": {"", signature}, "a nonce of null": {"null", signature}, "no signature": {"n", ""},
		"too short": {"n", signature[:20]}, "not base64": {"n", "?" + signature},
	} {
		_, ok := id(tt[0], tt[1])
		assert.False(t, ok, name)
	}
}

// FuzzAnswerID: a signature that could verify has an ID, which is its beginning.
func FuzzAnswerID(f *testing.F) {
	f.Fuzz(func(t *testing.T, nonce, signature string) {
		h := http.Header{HeaderNonce: {nonce}, HeaderSignature: {signature}}
		id, ok := AnswerID(h)
		raw, err := base64.StdEncoding.DecodeString(HeaderValue(h, HeaderSignature))
		switch {
		case HeaderValue(h, HeaderNonce) == "":
			require.False(t, ok)
		case err == nil && len(raw) >= 256: // as every signature that can verify
			require.True(t, ok)
			require.Equal(t, raw[:len(id)], id[:])
		}
	})
}
