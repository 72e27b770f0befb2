package protocol

import (
	"encoding/base64"
	"net/http"
	"strings"
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
	for _, same := range []string{
		" " + signature + " ", signature[:5] + "\r\n" + signature[5:], signature[:5] + " " + signature[5:], signature[:5] + "\t\u00a0" + signature[5:],
		signature[:5] + "+" + signature[5:], // it may have become a blank
	} {
		got, ok := id("n", same)
		assert.True(t, ok)
		assert.Equal(t, want, got)
	}
	every, ok := id("n", "09azAZ/+09azAZ/+09azAZ/+0912")
	require.True(t, ok)
	raw, err := base64.StdEncoding.DecodeString("09azAZ/09azAZ/09azAZ/0912"[:24])
	require.NoError(t, err)
	assert.Equal(t, raw[:len(every)], every[:], "of every character but +")
	for name, tt := range map[string][2]string{
		"no nonce": {"", signature}, "a nonce of null": {"null", signature}, "no signature": {"n", ""},
		"too short": {"n", signature[:20]}, "not base64": {"n", strings.Repeat("?+=", 100)},
	} {
		_, ok := id(tt[0], tt[1])
		assert.False(t, ok, name)
	}
}

// FuzzAnswerID: a signature that could verify has an ID, which is the same for every
// spelling of it that is read.
func FuzzAnswerID(f *testing.F) {
	f.Fuzz(func(t *testing.T, nonce, signature string) {
		h := http.Header{HeaderNonce: {nonce}, HeaderSignature: {signature}}
		id, ok := AnswerID(h)
		if HeaderValue(h, HeaderNonce) == "" {
			require.False(t, ok)
			return
		}
		for _, raw := range Signatures(HeaderValue(h, HeaderSignature)) {
			if len(raw) < 256 { // as no signature that can verify
				continue
			}
			spelled := base64.StdEncoding.EncodeToString(raw)
			same, found := AnswerID(http.Header{HeaderNonce: {nonce}, HeaderSignature: {spelled}})
			require.Equal(t, found, ok)
			require.Equal(t, same, id)
			require.True(t, ok || strings.Count(spelled, "+") > 300)
		}
	})
}
