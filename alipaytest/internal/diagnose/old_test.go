package diagnose

import (
	"maps"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func TestARightOldSignatureHasNothingToExplain(t *testing.T) {
	key := readKey(t, "app_private_pkcs8.pem")
	params := map[string]string{"a": "b", "c": "", "biz_content": `{"d":"一"}`}
	params["sign"] = sign(t, key, string(protocol.OldContent(params)))
	assert.Zero(t, ExplainOld(params, nil, Keys{App: &key.PublicKey}))
	params["a"] = "x"
	finding := ExplainOld(params, []string{"t"}, Keys{App: &key.PublicKey})
	assert.Contains(t, finding.Text, "over another string than the gateway")
	assert.Contains(t, finding.Text, "a=x&biz_content=")
	assert.Nil(t, finding.Signed)
}

// Whatever mistake is made in the parameters or in how they are put together, it is
// found, or a likelier one that comes to the same.
func FuzzExplainOld(f *testing.F) {
	key := readKey(f, "app_private_pkcs8.pem")
	cipher, err := aescbc.New(aesKey)
	require.NoError(f, err)
	keys := Keys{App: &key.PublicKey, Cipher: cipher}
	f.Fuzz(func(t *testing.T, name, value, biz, token, signature string, which, form uint8) {
		params := map[string]string{name: value, "biz_content": biz, "sign_type": "RSA2", "timestamp": "2026-01-01 00:00:00", "sign": signature}
		right := string(protocol.OldContent(params, "sign"))
		require.NotEmpty(t, ExplainOld(params, []string{token}, keys).Text)

		s := &search{cipher: cipher}
		all := s.oldMistakes(params, []string{token})
		m := all[int(which)%len(all)]
		wrong := oldForms[int(form)%len(oldForms)].join(oldMembers(m.params))
		params = maps.Clone(params)
		params["sign"] = sign(t, key, wrong)
		if finding := ExplainOld(params, []string{token}, keys); wrong != right {
			require.Equal(t, wrong, string(finding.Signed), "%s", finding.Text)
			require.True(t, utf8.ValidString(finding.Text+finding.TextZH))
		}
	})
}
