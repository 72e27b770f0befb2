package protocol

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var order = map[string]string{
	"method":      "zhima.credit.payafteruse.creditagreement.sign",
	"app_id":      "2021000000000001",
	"sign_type":   "RSA2",
	"biz_content": `{"out_agreement_no":"一 1&2=3"}`,
	"notify_url":  "",
	"charset":     "UTF-8",
}

func TestOldContentIsSortedRawAndWithoutEmptyParameters(t *testing.T) {
	const all = `app_id=2021000000000001&biz_content={"out_agreement_no":"一 1&2=3"}&charset=UTF-8&method=zhima.credit.payafteruse.creditagreement.sign`
	assert.Equal(t, all+"&sign_type=RSA2", string(OldContent(order)))
	assert.Equal(t, all+"&sign_type=RSA2", string(OldContent(order, "sign")))
	assert.Equal(t, all, string(OldContent(order, "sign", "sign_type", "alipay_cert_sn")))
	assert.Equal(t, "b=1", string(OldContent(map[string]string{"a": "", "b": "1", "sign": "s"}, "sign")))
	assert.Empty(t, OldContent(nil))
}

func TestAnOrderStringIsAFormWithTheSignatureBehind(t *testing.T) {
	text := OrderString(map[string]string{"b": "a b", "a": "一&=+/", "c": "", "sign": "old"}, "ab+/==")
	assert.Equal(t, "a=%E4%B8%80%26%3D%2B%2F&b=a+b&sign=ab%2B%2F%3D%3D", text)
	assert.Equal(t, "sign=s", OrderString(nil, "s"))
}

// The whole way of an order: signed here, opened and checked there.
func TestAnOrderThatWasSignedVerifiesAfterItWasRead(t *testing.T) {
	key := readKey(t, "app_private_pkcs8.pem")
	signature, err := Sign(key, OldContent(order, "sign"))
	require.NoError(t, err)
	form, err := url.ParseQuery(OrderString(order, signature))
	require.NoError(t, err)
	params, err := OldParameters(form)
	require.NoError(t, err)
	assert.Equal(t, signature, params["sign"])
	assert.NoError(t, Verify(&key.PublicKey, OldContent(params, "sign"), params["sign"]))
	params["app_id"] += "2"
	assert.ErrorIs(t, Verify(&key.PublicKey, OldContent(params, "sign"), params["sign"]), ErrSignature)
}

func TestAFormWhoseParametersAreAmbiguousIsRefused(t *testing.T) {
	for query, want := range map[string]error{
		"a=1&b=2":       nil,
		"a=1%262&b=%3D": nil, // in a value it cannot be told
		"a=":            nil,
		"a=1&a=1":       ErrParameterTwice,
		"a=&a=1":        ErrParameterTwice,
		"a%3Db=1":       ErrParameterName,
		"a%26b=1":       ErrParameterName,
	} {
		form, err := url.ParseQuery(query)
		require.NoError(t, err)
		params, err := OldParameters(form)
		assert.ErrorIs(t, err, want, query)
		assert.Equal(t, want == nil, params != nil, query)
	}
	params, err := OldParameters(url.Values{"a": nil, "b": {"1"}})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"b": "1"}, params)
}

func TestOldTimesAreInChinaTimeToTheSecond(t *testing.T) {
	at := time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC)
	assert.Equal(t, "2026-03-01 07:59:59", FormatOldTime(at))
	read, err := ParseOldTime("2026-03-01 07:59:59")
	require.NoError(t, err)
	assert.True(t, at.Equal(read))
	for _, text := range []string{"", "2026-03-01", "2026-03-01T07:59:59", "2026-02-30 00:00:00", "2026-3-1 07:59:59",
		"2026-03-01 07:59:59.5", "2026-03-01  7:59:59", "2026-03-01 24:00:00"} {
		_, err := ParseOldTime(text)
		assert.EqualError(t, err, "the time is not of the form yyyy-MM-dd HH:mm:ss", text)
	}
}

// FuzzOldParameters holds reading a form and writing it again to each other:
// what was signed as an order string is read with the same content.
func FuzzOldParameters(f *testing.F) {
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		params, err := OldParameters(form)
		if err != nil {
			return
		}
		again, err := url.ParseQuery(OrderString(params, "s"))
		require.NoError(t, err)
		read, err := OldParameters(again)
		require.NoError(t, err)
		assert.Equal(t, string(OldContent(params, "sign")), string(OldContent(read, "sign")))
	})
}

// FuzzParseOldTime holds it to the one form.
func FuzzParseOldTime(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		if at, err := ParseOldTime(text); err == nil {
			assert.Equal(t, text, FormatOldTime(at))
		}
	})
}
