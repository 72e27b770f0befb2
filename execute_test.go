package alipay_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
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

// TestAnOrderIsSignedWithinTheTimeOfACall: the Signer may be far away.
func TestAnOrderIsSignedWithinTheTimeOfACall(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	order, err := orderClient(t, nil).SDKExecute(ended, &alipay.ExecuteRequest{Method: "m"})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, alipay.ErrNotDelivered)
	assert.True(t, alipay.Retryable(err), "it was no mistake")
	assert.Empty(t, order)
}

func TestBizContentIsAnObjectInWhateverFormItComes(t *testing.T) {
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
	_, err = client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m m"})
	assertArgument(t, err, "ExecuteRequest.Method")
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

	for _, extra := range []any{`{ "a": 1 }`, []byte(`{"a": 1}`), json.RawMessage(`{"a" :1}`), map[string]int{"a": 1}, ""} {
		order, err = service.Sign(t.Context(), &alipay.CreditAgreementSignParams{OutAgreementNo: "1", ZmServiceID: "2", ExtraParam: extra})
		require.NoError(t, err)
		want := `{"out_agreement_no":"1","zm_service_id":"2"`
		if extra != any("") {
			want += `,"extra_param":"{\"a\":1}"`
		}
		assert.Equal(t, want+"}", openOrder(t, order)["biz_content"], "%T", extra)
	}

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
	answer := alipay.CreditAgreementQueryResponse{
		AgreementStatus: alipay.AgreementStatusInvalid, AlipayUserID: "1", OpenID: "2", BizTime: "3", CreditAgreementID: "4", OutAgreementNo: "5", ExtInfo: "6",
		Extra: map[string]json.RawMessage{"a": nil}, Meta: alipay.Response{StatusCode: 200, RequestID: "r", Attempts: 1},
	}
	at := time.Date(2027, 4, 1, 1, 30, 0, 0, time.FixedZone("", 8*60*60))
	for want, v := range map[string]fmt.Stringer{
		"alipay.CreditAgreementSignParams{OutAgreementNo:[redacted] ProductCode:ZHIMA_AUTH ExtraParam:[redacted]}": alipay.CreditAgreementSignParams{OutAgreementNo: "1", ProductCode: alipay.ProductCodeZhimaAuth, ExtraParam: 0},
		"alipay.CreditAgreementSignParams{}":                              alipay.CreditAgreementSignParams{},
		"alipay.CreditAgreementQueryParams{CreditAgreementID:[redacted]}": alipay.CreditAgreementQueryParams{CreditAgreementID: "1"},
		"alipay.CreditAgreementQueryResponse{AgreementStatus:INVALID AlipayUserID:[redacted] OpenID:[redacted] BizTime:[redacted] CreditAgreementID:[redacted] OutAgreementNo:[redacted] ExtInfo:[redacted] Extra:1 StatusCode:200 RequestID:r Attempts:1}": answer,
		"alipay.Notification{ID:1 Method:m AppID:2021 Time:2027-03-31T17:30:00Z Values:1}": alipay.Notification{ID: "1", Method: "m", AppID: "2021", Time: at, Values: url.Values{"a": nil}},
		"alipay.Notification{}": alipay.Notification{},
	} {
		assert.Equal(t, want, v.String())
		assert.Equal(t, want, fmt.Sprintf("%+v", v))
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
	got.Meta.TraceID = "kept"
	require.NoError(t, json.Unmarshal([]byte("null"), &got))
	assert.Equal(t, mustJSON(t, before), mustJSON(t, got), "null changes nothing")
	require.NoError(t, json.Unmarshal([]byte(`{"ext_info":"x"}`), &got))
	assert.Equal(t, alipay.CreditAgreementQueryResponse{ExtInfo: "x", Meta: alipay.Response{TraceID: "kept"}}, got, "what did not come is empty")
}

func TestTheAgreementIsAskedForByItsNumbers(t *testing.T) {
	s, last := checking(t, "", `{"agreement_status":"VALID","out_agreement_no":"1"}`)
	service := newClient(t, s.URL).ZhimaCreditPayafteruseCreditagreement
	for query, params := range map[string]*alipay.CreditAgreementQueryParams{
		"credit_agreement_id=2&out_agreement_no=1": {OutAgreementNo: "1", CreditAgreementID: "2"},
		"out_agreement_no=1":                       {OutAgreementNo: "1"},
		"credit_agreement_id=2":                    {CreditAgreementID: "2"},
	} {
		got, err := service.Query(t.Context(), params)
		require.NoError(t, err)
		assert.Equal(t, alipay.AgreementStatusValid, got.AgreementStatus)
		assert.Equal(t, "GET /v3/zhima/credit/payafteruse/creditagreement/query?"+query, last().method+" "+last().target)
		assert.Equal(t, 200, got.Meta.StatusCode)
		assert.Equal(t, "21140000test", got.Meta.TraceID)
	}
	for _, params := range []*alipay.CreditAgreementQueryParams{nil, {}} {
		_, err := service.Query(t.Context(), params)
		assertArgument(t, err, "CreditAgreementQueryParams")
	}
	got, err := newClient(t, serve(t, signed(200, `{"agreement_status":{}}`)).URL).ZhimaCreditPayafteruseCreditagreement.Query(t.Context(), &alipay.CreditAgreementQueryParams{OutAgreementNo: "1"})
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.Nil(t, got)
}
