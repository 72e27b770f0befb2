package alipay_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func appPublicKey(t testing.TB) *rsa.PublicKey {
	block, _ := pem.Decode([]byte(vector(t, "app_public.pem")))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(t, err)
	return key.(*rsa.PublicKey)
}

// openOrder decodes an order string and checks its signature, as the old gateway
// does: over every parameter as it was decoded, sign left out.
func openOrder(t testing.TB, order string) map[string]string {
	t.Helper()
	form, err := url.ParseQuery(order)
	require.NoError(t, err)
	params, err := protocol.OldParameters(form)
	require.NoError(t, err)
	assert.NoError(t, protocol.Verify(appPublicKey(t), protocol.OldContent(params, "sign"), params["sign"]))
	return params
}

var orderTime = time.Date(2027, 3, 31, 17, 30, 0, 0, time.UTC)

func orderClient(t testing.TB, change func(*alipay.AlipayConfig)) *alipay.Client {
	config := testConfig(t, "https://proxy.example/alipay")
	if change != nil {
		change(&config)
	}
	client, err := alipay.NewClient(config, alipay.WithClock(func() time.Time { return orderTime }))
	require.NoError(t, err)
	return client
}

func TestAnOrderStringIsSignedAsTheOldGatewayWantsIt(t *testing.T) {
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

func TestAnOrderStringInCertificateModeAndEncrypted(t *testing.T) {
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

func TestAPageIsAURLOrAFormThatSubmitsItself(t *testing.T) {
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

	for _, method := range []string{"", "PUT", "get"} {
		_, err = client.PageExecute(t.Context(), method, req)
		assertArgument(t, err, "method")
	}
}

func assertArgument(t testing.TB, err error, argument string) {
	t.Helper()
	var mistake *alipay.ArgumentError
	require.ErrorAs(t, err, &mistake)
	assert.Equal(t, argument, mistake.Argument)
	assert.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.False(t, alipay.Retryable(err))
	assert.Equal(t, alipay.OutcomeNotDelivered, alipay.OutcomeOf(err))
	var failed *alipay.CallError
	assert.ErrorAs(t, err, &failed)
}

func TestWhatTheLibrarySetsIsRefusedInParams(t *testing.T) {
	client := orderClient(t, nil)
	names := []string{"sign", "sign_type", "app_id", "method", "timestamp", "biz_content", "charset", "version", "format", "alipay_sdk",
		"app_cert_sn", "alipay_root_cert_sn", "encrypt_type", "notify_url", "return_url", "app_auth_token", "", "a=b", "a&b", "a\nb", "a b", "名"}
	for _, name := range names {
		_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", Params: map[string]string{name: "value-of-caller"}})
		assertArgument(t, err, "ExecuteRequest.Params")
		assert.NotContains(t, err.Error(), "value-of-caller")
	}
	for argument, req := range map[string]*alipay.ExecuteRequest{
		"ExecuteRequest":              nil,
		"ExecuteRequest.Method":       {},
		"ExecuteRequest.BizContent":   {Method: "m", BizContent: []int{1}},
		"ExecuteRequest.NotifyURL":    {Method: "m", NotifyURL: "merchant.example/notify"},
		"ExecuteRequest.ReturnURL":    {Method: "m", ReturnURL: "\x00"},
		"ExecuteRequest.AppAuthToken": {Method: "m", AppAuthToken: "a b"},
	} {
		_, err := client.SDKExecute(t.Context(), req)
		assertArgument(t, err, argument)
	}
	for _, value := range []string{"a\nb", "a\xffb"} {
		_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", Params: map[string]string{"a": value}})
		assertArgument(t, err, "ExecuteRequest.Params")
	}
	_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", NotifyURL: "https://merchant.example/\xff"})
	assertArgument(t, err, "ExecuteRequest.NotifyURL")
	for _, content := range []any{"", "x", "[]", "null", json.RawMessage("{"), []byte(nil), func() {}, "{\"a\":\"\xff\"}"} {
		_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", BizContent: content})
		assertArgument(t, err, "ExecuteRequest.BizContent")
	}
}

// Signers differ about values of only white space, so an order holds none.
func TestAParameterOfOnlyWhiteSpaceIsLeftOut(t *testing.T) {
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

func TestASignerThatFailsGivesNoOrderString(t *testing.T) {
	client := orderClient(t, func(c *alipay.AlipayConfig) { c.PrivateKey, c.Signer = "", failingSigner{appPublicKey(t)} })
	_, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m"})
	require.Error(t, err)
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.False(t, alipay.Retryable(err))
	assertKeepsSecret(t, printed(err), "secret")
	assert.Contains(t, err.Error(), "signing m")
}

func TestTheAgreementsOrderStringHasWhatTheAPIAsksFor(t *testing.T) {
	service := orderClient(t, nil).ZhimaCreditPayafteruseCreditagreement
	full := alipay.CreditAgreementSignParams{
		OutAgreementNo: strings.Repeat("号", 64), ZmServiceID: "2019", CategoryID: "c", ProductCode: alipay.ProductCodeZhimaAuth,
		CancelBackLink: "alipays://cancel", ReturnBackLink: "alipays://return", ExternalLogonID: "logon", ExtraParam: map[string]string{"onceToken": "<t>"},
	}
	order, err := service.Sign(t.Context(), &full)
	require.NoError(t, err)
	params := openOrder(t, order)
	assert.Equal(t, "zhima.credit.payafteruse.creditagreement.sign", params["method"])
	assert.JSONEq(t, `{"out_agreement_no":"`+full.OutAgreementNo+`","zm_service_id":"2019","category_id":"c","product_code":"ZHIMA_AUTH",
		"cancel_back_link":"alipays://cancel","return_back_link":"alipays://return","external_logon_id":"logon","extra_param":"{\"onceToken\":\"<t>\"}"}`, params["biz_content"])

	order, err = service.Sign(t.Context(), &alipay.CreditAgreementSignParams{OutAgreementNo: "1", ZmServiceID: "2"})
	require.NoError(t, err)
	assert.Equal(t, `{"out_agreement_no":"1","zm_service_id":"2"}`, openOrder(t, order)["biz_content"])

	const p = "CreditAgreementSignParams"
	_, err = service.Sign(t.Context(), nil)
	assertArgument(t, err, p)
	for argument, change := range map[string]func(*alipay.CreditAgreementSignParams){
		p + ".OutAgreementNo": func(c *alipay.CreditAgreementSignParams) { c.OutAgreementNo = "" },
		p + ".ZmServiceID":    func(c *alipay.CreditAgreementSignParams) { c.ZmServiceID = "" },
		p + ".ExtraParam":     func(c *alipay.CreditAgreementSignParams) { c.ExtraParam = "no json" },
	} {
		changed := full
		change(&changed)
		_, err := service.Sign(t.Context(), &changed)
		assertArgument(t, err, argument)
	}
	changed := full
	changed.OutAgreementNo += "号"
	_, err = service.Sign(t.Context(), &changed)
	assertArgument(t, err, p+".OutAgreementNo")
	for length, ok := range map[int]bool{1024: true, 1025: false} {
		changed := full
		changed.ExtraParam = `"` + strings.Repeat("长", length-2) + `"`
		_, err := service.Sign(t.Context(), &changed)
		assert.Equal(t, ok, err == nil, "%d characters", length)
	}
}

func TestOrdersPrintRedacted(t *testing.T) {
	values := []any{
		alipay.ExecuteRequest{Method: "m", BizContent: testCertNo, AppAuthToken: testAuthTok, Params: map[string]string{"a": testCertNo}, NotifyURL: testCertNo},
		alipay.CreditAgreementSignParams{OutAgreementNo: testConnKey, ExternalLogonID: testUserID, ExtraParam: testToken},
		alipay.CreditAgreementQueryParams{OutAgreementNo: testConnKey, CreditAgreementID: testUserID},
		alipay.CreditAgreementQueryResponse{AgreementStatus: testCertNo, AlipayUserID: testUserID, OpenID: testOpenID, Extra: map[string]json.RawMessage{"a": json.RawMessage(testCertNo)}},
		alipay.File{Field: testConnKey, Name: testCertNo, Content: []byte(testToken)},
		alipay.Notification{BizContent: json.RawMessage(testCertNo), Values: url.Values{"a": {testToken}}},
	}
	for _, v := range values {
		assertKeepsSecret(t, printed(v), testCertNo, testToken, testUserID, testOpenID, testConnKey, testAuthTok)
	}
}

func TestTheAgreementsAnswerIsReadAsThePlatformWritesIt(t *testing.T) {
	var got alipay.CreditAgreementQueryResponse
	require.NoError(t, json.Unmarshal([]byte(`{"agreement_status":"VALID","alipay_user_id":2088,"open_id":null,"biz_time":"2026-01-02 03:04:05","credit_agreement_id":"20","out_agreement_no":"o","ext_info":"{}","new":[1]}`), &got))
	assert.Equal(t, alipay.AgreementStatusValid, got.AgreementStatus)
	assert.Equal(t, "2088", got.AlipayUserID)
	assert.Equal(t, "[1]", string(got.Extra["new"]))
	data := mustJSON(t, got)
	assert.JSONEq(t, `{"agreement_status":"VALID","alipay_user_id":"2088","biz_time":"2026-01-02 03:04:05","credit_agreement_id":"20","out_agreement_no":"o","ext_info":"{}","new":[1]}`, data)
	var again alipay.CreditAgreementQueryResponse
	require.NoError(t, json.Unmarshal([]byte(data), &again))
	assert.Equal(t, mustJSON(t, got), mustJSON(t, again))
	before := got
	require.Error(t, json.Unmarshal([]byte(`{"agreement_status":{}}`), &got))
	assert.Equal(t, mustJSON(t, before), mustJSON(t, got))
	_, err := orderClient(t, nil).ZhimaCreditPayafteruseCreditagreement.Query(t.Context(), &alipay.CreditAgreementQueryParams{})
	assertArgument(t, err, "CreditAgreementQueryParams")
}
