package alipay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
)

func TestOrderStringIsSignedForTheOldGateway(t *testing.T) {
	client := orderClient(t, nil)
	order, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{
		Method: "zhima.x.y", BizContent: map[string]string{"name": "张三 & <b>=+%"},
		NotifyURL: "https://merchant.example/notify?a=1&b=2", ReturnURL: "alipays://return", Params: map[string]string{"further": "x y"},
	})
	require.NoError(t, err)
	params := openOrder(t, order)
	delete(params, "sign")
	assert.Equal(t, map[string]string{
		"method": "zhima.x.y", "app_id": "2021000000000001", "timestamp": "2027-04-01 01:30:00", "format": "json", "version": "1.0",
		"alipay_sdk": "alipay-go-" + alipay.Version, "charset": "UTF-8", "sign_type": "RSA2", "biz_content": `{"name":"张三 & <b>=+%"}`,
		"notify_url": "https://merchant.example/notify?a=1&b=2", "return_url": "alipays://return", "further": "x y",
	}, params)
	assert.NotContains(t, order, " ")
	assert.Contains(t, order, "further=x+y", "a space is +")
	names := []string{}
	for pair := range strings.SplitSeq(order, "&") {
		names = append(names, strings.SplitN(pair, "=", 2)[0])
	}
	assert.Equal(t, "sign", names[len(names)-1])
	assert.True(t, slices.IsSorted(names[:len(names)-1]))
}

func TestOrderStringInCertificateModeAndEncrypted(t *testing.T) {
	const key = "AAECAwQFBgcICQoLDA0ODw=="
	client := orderClient(t, func(c *alipay.AlipayConfig) {
		c.AlipayPublicKey = ""
		c.AppCertContent, c.AlipayPublicCertContent, c.RootCertContent = vector(t, "app_public_cert.crt"), vector(t, "alipay_public_cert.crt"), vector(t, "root_bundle.crt")
		c.EncryptKey, c.AppAuthToken = key, "token-of-config"
	})
	order, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", BizContent: json.RawMessage("{ \"a\":\n1 }")})
	require.NoError(t, err)
	params := openOrder(t, order)
	sn, err := alipay.CertSN([]byte(vector(t, "app_public_cert.crt")))
	require.NoError(t, err)
	assert.Equal(t, sn, params["app_cert_sn"])
	root, err := alipay.RootCertSN([]byte(vector(t, "root_bundle.crt")))
	require.NoError(t, err)
	assert.Equal(t, root, params["alipay_root_cert_sn"])
	assert.Equal(t, "AES", params["encrypt_type"])
	assert.Equal(t, "token-of-config", params["app_auth_token"])
	cipher, err := aescbc.New(key)
	require.NoError(t, err)
	plain, err := cipher.Decrypt([]byte(params["biz_content"]))
	require.NoError(t, err)
	assert.Equal(t, `{"a":1}`, string(plain))

	order, err = client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", AppAuthToken: "another"})
	require.NoError(t, err)
	params = openOrder(t, order)
	assert.Equal(t, "another", params["app_auth_token"])
	assert.NotContains(t, params, "biz_content")
	assert.NotContains(t, params, "encrypt_type", "there is nothing to encrypt")
}

func TestPageIsAURLOrASelfSubmittingForm(t *testing.T) {
	client := orderClient(t, nil)
	req := &alipay.ExecuteRequest{Method: "m", BizContent: map[string]string{"x": `"><script>alert('1')</script>&amp;`}, ReturnURL: "https://merchant.example/?a=1&b='\""}
	page, err := client.PageExecute(t.Context(), "GET", req)
	require.NoError(t, err)
	address, query, _ := strings.Cut(page, "?")
	assert.Equal(t, "https://proxy.example/alipay/gateway.do", address)
	assert.Equal(t, req.ReturnURL, openOrder(t, query)["return_url"])

	form, err := client.PageExecute(t.Context(), "POST", req)
	require.NoError(t, err)
	action := html.UnescapeString(regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(form)[1])
	biz := html.UnescapeString(regexp.MustCompile(`name="biz_content" value="([^"]*)"`).FindStringSubmatch(form)[1])
	address, query, _ = strings.Cut(action, "?")
	assert.Equal(t, "https://proxy.example/alipay/gateway.do", address)
	assert.NotContains(t, query, "biz_content")
	openOrder(t, query+"&biz_content="+url.QueryEscape(biz))
	assert.NotContains(t, form, "<script>alert")
	assert.Equal(t, 1, strings.Count(form, "<script>"))

	form, err = client.PageExecute(t.Context(), "POST", &alipay.ExecuteRequest{Method: "m"})
	require.NoError(t, err)
	assert.NotContains(t, form, "biz_content", "there is none")

	for _, method := range []string{"", "PUT", "get"} {
		_, err = client.PageExecute(t.Context(), method, req)
		assertArgument(t, err, "method")
	}
}

func TestNothingIsSignedWithoutAClientAContextAndARequest(t *testing.T) {
	client, req := orderClient(t, nil), &alipay.ExecuteRequest{Method: "m"}
	for argument, sign := range map[string]func(method string) (string, error){
		"Client":                func(m string) (string, error) { return (*alipay.Client)(nil).PageExecute(t.Context(), m, req) },
		"Client, zero":          func(m string) (string, error) { return new(alipay.Client).PageExecute(t.Context(), m, req) },
		"ctx":                   func(m string) (string, error) { return client.PageExecute(noContext, m, req) },
		"ExecuteRequest":        func(m string) (string, error) { return client.PageExecute(t.Context(), m, nil) },
		"ExecuteRequest.Method": func(m string) (string, error) { return client.PageExecute(t.Context(), m, new(alipay.ExecuteRequest)) },
	} {
		argument, _, _ = strings.Cut(argument, ",")
		for _, method := range []string{"GET", "POST"} {
			page, err := sign(method)
			assertArgument(t, err, argument)
			assert.Empty(t, page)
		}
	}
}

// TestSigningAnOrderEndsWithTheContext: the Signer may be far away.
func TestSigningAnOrderEndsWithTheContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	order, err := orderClient(t, nil).SDKExecute(ended, &alipay.ExecuteRequest{Method: "m"})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.True(t, alipay.Retryable(err), "it was no mistake")
	assert.Empty(t, order)
}

func TestBizContentMayComeInAnyFormOfAJSONObject(t *testing.T) {
	for _, content := range []any{
		`{ "a": "<1>" }`, []byte(`{"a": "<1>"}`), json.RawMessage("{\n\"a\":\"<1>\"\n}"), map[string]string{"a": "<1>"}, struct {
			A string `json:"a"`
		}{"<1>"},
	} {
		order, err := orderClient(t, nil).SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", BizContent: content})
		require.NoError(t, err)
		assert.Equal(t, `{"a":"<1>"}`, openOrder(t, order)["biz_content"], "%T", content)
	}
}

func TestParamsTheLibrarySetsAreRefused(t *testing.T) {
	client := orderClient(t, nil)
	names := []string{"sign", "sign_type", "app_id", "method", "timestamp", "biz_content", "charset", "version", "format", "alipay_sdk",
		"app_cert_sn", "alipay_root_cert_sn", "alipay_cert_sn", "encrypt_type", "notify_url", "return_url", "app_auth_token", "", "a=b", "a&b", "a\nb", "a b", "名"}
	for _, name := range names {
		_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", Params: map[string]string{name: "value-of-caller"}})
		assertArgument(t, err, "ExecuteRequest.Params")
		assert.NotContains(t, err.Error(), "value-of-caller")
	}
	for argument, req := range map[string]*alipay.ExecuteRequest{
		"ExecuteRequest":              nil,
		"ExecuteRequest.Method":       {},
		"ExecuteRequest.BizContent":   {Method: "m", BizContent: []int{1}},
		"ExecuteRequest.AppAuthToken": {Method: "m", AppAuthToken: "a b"},
	} {
		_, err := client.SDKExecute(t.Context(), req)
		assertArgument(t, err, argument)
	}
	for _, value := range []string{"a\nb", "a\xffb"} {
		_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", Params: map[string]string{"a": value}})
		assertArgument(t, err, "ExecuteRequest.Params")
	}
	_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m m"})
	assertArgument(t, err, "ExecuteRequest.Method")
	for _, content := range []any{"", "x", "[]", "null", json.RawMessage("{"), []byte{}, func() {}, "{\"a\":\"\xff\"}",
		1, true, []int{1}, strings.NewReader("{}"), bytes.NewBufferString("{}"), json.RawMessage("null")} {
		_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", BizContent: content})
		assertArgument(t, err, "ExecuteRequest.BizContent")
	}
}

// The links go to the platform, and from there to a user's device.
func TestLinksAreAbsoluteAndRunNothing(t *testing.T) {
	client := orderClient(t, nil)
	sign := func(notify, back string) error {
		_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", NotifyURL: notify, ReturnURL: back})
		return err
	}
	for _, link := range []string{"https://merchant.example/notify?a=1&b=2#c", "http://127.0.0.1:8080/", "HTTPS://merchant.example", "https://商户.example/路径", "https://u:p@[::1]/"} {
		require.NoError(t, sign(link, link), link)
	}
	for _, link := range []string{"alipays://platformapi/startapp?appId=1", "myapp:/back", "com.example.app://", "MyApp:///x"} {
		assertArgument(t, sign(link, ""), "ExecuteRequest.NotifyURL")
		if link == "com.example.app://" { // neither host nor path
			assertArgument(t, sign("", link), "ExecuteRequest.ReturnURL")
			continue
		}
		require.NoError(t, sign("", link), link)
	}
	for _, link := range []string{
		"merchant.example/notify", "//merchant.example/x", "/notify", "https://", "https:///x", "https://:443/", "https:merchant.example", "http:/x", "mailto:x", "about:blank",
		"javascript:alert(1)", "JavaScript://x/%0aalert(1)", "vbscript://x/y", "data:text/html,x", "data://x/y", "file:///etc/passwd", "blob:https://x/y", "blob:/x",
		"https://x/#\r\nX: y", "https://x/\x7f", "https://x/\u0085", "https://x/a\tb", "\x00", "https://merchant.example/\xff", "https://x/%zz", " https://x/", "java\nscript://x/y",
	} {
		assertArgument(t, sign(link, ""), "ExecuteRequest.NotifyURL")
		assertArgument(t, sign("", link), "ExecuteRequest.ReturnURL")
		assert.NotContains(t, sign("", link).Error(), "alert")
	}
}

func TestNoBizContentIsSentWhereThereIsNone(t *testing.T) {
	for _, content := range []any{nil, (*struct{})(nil), map[string]string(nil), json.RawMessage(nil), []byte(nil), (*json.RawMessage)(nil)} {
		order, err := orderClient(t, nil).SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", BizContent: content})
		require.NoError(t, err, "%T", content)
		assert.NotContains(t, order, "biz_content")
	}
}

// A browser reads the page of PageExecute as the charset says in which it is served,
// and turns references to some control characters into others.
func TestAPageIsRightHoweverItIsServed(t *testing.T) {
	page, err := orderClient(t, nil).PageExecute(t.Context(), "POST", &alipay.ExecuteRequest{
		Method: "m", BizContent: map[string]string{"name": "张三é\u0080\u009f\x7f\u2028😀 \n\"'<&>"}, ReturnURL: "https://商户.example/",
	})
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(page, "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n"))
	assert.NotRegexp(t, `[^\x20-\x7e\n]|&#x([0-9A-F]|7F|[89][0-9A-F]);`, page)
	biz := html.UnescapeString(regexp.MustCompile(`name="biz_content" value="([^"]*)"`).FindStringSubmatch(page)[1])
	assert.Equal(t, `{"name":"张三é\u0080\u009F\u007F\u2028😀 \n\"'<&>"}`, biz)
	action := html.UnescapeString(regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(page)[1])
	_, query, _ := strings.Cut(action, "?")
	openOrder(t, query+"&biz_content="+url.QueryEscape(biz))
}

// Signers differ about values of only white space, so an order holds none.
func TestBlankParametersAreLeftOut(t *testing.T) {
	order, err := orderClient(t, nil).SDKExecute(t.Context(), &alipay.ExecuteRequest{
		Method: "m", Params: map[string]string{"a": "", "b": " ", "c": "\u3000\u2003", "d": " 1 "},
	})
	require.NoError(t, err)
	params := openOrder(t, order)
	for _, name := range []string{"a", "b", "c"} {
		assert.NotContains(t, params, name)
	}
	assert.Equal(t, " 1 ", params["d"])
}

func TestFailingSignerGivesNoOrderString(t *testing.T) {
	client := orderClient(t, func(c *alipay.AlipayConfig) { c.PrivateKey, c.Signer = "", failingSigner(t) })
	_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m"})
	require.Error(t, err)
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.False(t, alipay.Retryable(err))
	assertKeepsSecret(t, printed(err), "secret")
	assert.Contains(t, err.Error(), "signing m")
}
