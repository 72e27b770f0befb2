package alipaytest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
)

const bizContent = `{"out_agreement_no":"A 1/一","zm_service_id":"2019120400000000000004450100","product_code":"ZHIMA_AUTH","category_id":"c",` +
	`"extra_param":"{\"onceToken\":\"t\"}","cancel_back_link":"alipays://a","return_back_link":"alipays://b","external_logon_id":"e"}`

func TestAnOrderSaysWhatTheMerchantSent(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	m := order(bizContent, "notify_url", "https://merchant.example/notify?a=b&c=d", "return_url", "http://merchant.example/", "app_auth_token", "202212BB").certificates()
	got, err := g.OpenOrder(m.String())
	require.NoError(t, err)
	assert.Equal(t, "A 1/一", got.OutAgreementNo)
	assert.Equal(t, "2019120400000000000004450100", got.ZmServiceID)
	assert.Equal(t, "ZHIMA_AUTH", got.ProductCode)
	assert.Equal(t, "c", got.CategoryID)
	assert.Equal(t, `{"onceToken":"t"}`, got.ExtraParam)
	assert.Equal(t, "alipays://a", got.CancelBackLink)
	assert.Equal(t, "alipays://b", got.ReturnBackLink)
	assert.Equal(t, "e", got.ExternalLogonID)
	assert.Equal(t, "t", got.OnceToken)
	assert.Equal(t, "202212BB", got.AppAuthToken)
	assert.Equal(t, "https://merchant.example/notify?a=b&c=d", got.NotifyURL)
	assert.Equal(t, "http://merchant.example/", got.ReturnURL)
	assert.Equal(t, bizContent, string(got.BizContent))
	assert.Equal(t, m.form(), got.Params)
	assert.Empty(t, got.Status())
	assert.Empty(t, got.CreditAgreementID())
	assert.Empty(t, g.Requests(), "nothing was sent")
}

func TestWhatOfficialClientsSignIsOpened(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithEncryptKey(testKey), WithPathPrefix("/proxy"))
	cipher, err := aescbc.New(testKey)
	require.NoError(t, err)
	const least = `{"out_agreement_no":"1","zm_service_id":"2"}`
	for name, text := range map[string]string{
		"the least":        order(least).String(),
		"no format":        order(least, "format", "").String(),
		"small letters":    order(least, "charset", "utf-8", "format", "JSON").String(),
		"an empty one":     order(least).String() + "&notify_url=",
		"encrypted":        order(string(cipher.Encrypt([]byte(least))), "encrypt_type", "AES").String(),
		"null for none":    order(`{"out_agreement_no":"1","zm_service_id":"2","category_id":null}`).String(),
		"unknown members":  order(`{"out_agreement_no":"1","zm_service_id":"2","more":[1]}`).String(),
		"a page's URL":     g.BaseURL() + "/gateway.do?" + order(least).String(),
		"spaces as %20":    strings.ReplaceAll(order(least).String(), "+", "%20"),
		"another order":    unsorted(order(least).form()),
		"back to an app":   order(least, "return_url", "alipays://a").String(),
		"64 characters":    order(`{"out_agreement_no":"` + strings.Repeat("一", 64) + `","zm_service_id":"2"}`).String(),
		"1,024 characters": order(`{"out_agreement_no":"3","zm_service_id":"2","extra_param":"{\"a\":\"` + strings.Repeat("一", 1024-8) + `\"}"}`).String(),
		"an hour old":      order(`{"out_agreement_no":"4","zm_service_id":"2"}`, "timestamp", chinaClock(-time.Hour)).String(),
		"a bit ahead":      order(`{"out_agreement_no":"4","zm_service_id":"2"}`, "timestamp", chinaClock(9*time.Minute)).String(),
		"from yesterday":   order(`{"out_agreement_no":"4","zm_service_id":"2"}`, "timestamp", chinaClock(-23*time.Hour)).String(),
		"7 hours old":      order(`{"out_agreement_no":"4","zm_service_id":"2"}`, "timestamp", chinaClock(-7*time.Hour)).String(),
	} {
		_, err := g.OpenOrder(text)
		assert.NoError(t, err, name)
	}
}

func chinaClock(offset time.Duration) string {
	return time.Now().Add(offset).In(time.FixedZone("", 8*3600)).Format("2006-01-02 15:04:05")
}

// unsorted is an order string whose parameters stand the other way round.
func unsorted(form url.Values) string {
	pairs := strings.Split(form.Encode(), "&")
	for i, j := 0, len(pairs)-1; i < j; i, j = i+1, j-1 {
		pairs[i], pairs[j] = pairs[j], pairs[i]
	}
	return strings.Join(pairs, "&")
}

func TestEachMistakeInAnOrderIsNamed(t *testing.T) {
	t.Parallel()
	plain, encrypting := NewGateway(t), NewGateway(t, WithEncryptKey(testKey))
	m := order(bizContent)
	twice := m.form()
	twice.Add("app_id", "2021000000000002")
	foreign := m.form()
	foreign.Set("sign", signWith(keys().foreign, m.content("sign")))
	escaped := m.form()
	escaped.Del("sign")
	for name, test := range map[string]struct {
		g    *Gateway
		text string
		want string
	}{
		"nothing":               {plain, "", "the parameter app_id is missing"},
		"no form":               {plain, "a=%zz", "an order string is name=value joined by &, escaped as in a form, and this is not"},
		"another page's URL":    {plain, "https://openapi.alipay.com/gateway.do?" + m.String(), "the URL of a page at this gateway begins with " + plain.BaseURL() + "/gateway.do?"},
		"a parameter twice":     {plain, twice.Encode(), "a parameter comes twice"},
		"a name with =":         {plain, m.String() + "&a%3Db=c", "the name of a parameter holds = or &"},
		"no app id":             {plain, order(bizContent, "app_id", "").String(), "the parameter app_id is missing"},
		"another app id":        {plain, order(bizContent, "app_id", "2021000000000002").String(), `app_id is "2021000000000002", and this gateway knows 2021000000000001 only`},
		"no method":             {plain, order(bizContent, "method", "").String(), "the parameter method is missing"},
		"another method":        {plain, order(bizContent, "method", "alipay.trade.app.pay").String(), `the method is "alipay.trade.app.pay", and the app here opens orders of zhima.credit.payafteruse.creditagreement.sign only`},
		"no charset":            {plain, order(bizContent, "charset", "").String(), "the parameter charset is missing"},
		"another charset":       {plain, order(bizContent, "charset", "GBK").String(), `charset is "GBK" and must be UTF-8`},
		"no sign_type":          {plain, order(bizContent, "sign_type", "").String(), "the parameter sign_type is missing"},
		"SHA-1":                 {plain, order(bizContent, "sign_type", "RSA").String(), `sign_type is "RSA" and must be RSA2`},
		"no version":            {plain, order(bizContent, "version", "").String(), "the parameter version is missing"},
		"another version":       {plain, order(bizContent, "version", "2.0").String(), `version is "2.0" and must be 1.0`},
		"another format":        {plain, order(bizContent, "format", "xml").String(), `format is "xml" and must be json`},
		"a relative notify_url": {plain, order(bizContent, "notify_url", "/notify").String(), `notify_url is "/notify" and must be an absolute http or https URL`},
		"a return_url of code": {plain, order(bizContent, "return_url", "javascript:a").String(),
			`return_url is "javascript:a" and must be an absolute URL, of http, https or an app`},
		"no timestamp":        {plain, order(bizContent, "timestamp", "").String(), "the parameter timestamp is missing"},
		"milliseconds":        {plain, order(bizContent, "timestamp", "1767196800000").String(), `timestamp is "1767196800000" and must be of the form yyyy-MM-dd HH:mm:ss`},
		"UTC":                 {plain, order(bizContent, "timestamp", time.Now().UTC().Format("2006-01-02 15:04:05")).String(), "timestamp lies 8 hours behind: it is in UTC and must be in GMT+8"},
		"of the future":       {plain, order(bizContent, "timestamp", chinaClock(time.Hour)).String(), "ahead: it must be the present time in GMT+8"},
		"of last year":        {plain, order(bizContent, "timestamp", chinaClock(-400*24*time.Hour)).String(), "behind: it must be the present time in GMT+8"},
		"unsigned":            {plain, strings.TrimSuffix(escaped.Encode(), "&"), "the parameter sign is missing"},
		"somebody else's":     {plain, foreign.Encode(), "The request is signed with the test kit's foreign key, not with the application's private key (应用私钥)."},
		"signed less":         {plain, m.signed(m.content("sign", "sign_type")).Encode(), "The application's private key signed this, but sign_type was left out; it is signed like the others."},
		"signed escaped":      {plain, m.signed(escaped.Encode()).Encode(), "The application's private key signed this, but the values were signed as they are escaped; they are signed as they are before that."},
		"signed another":      {plain, m.signed(m.content("sign", "alipay_sdk")).Encode(), "The application's private key signed this, but the parameter alipay_sdk was sent, and not signed."},
		"a root SN alone":     {plain, order(bizContent, "alipay_root_cert_sn", keys().rootSN).String(), "the parameter app_cert_sn is missing"},
		"an app SN alone":     {plain, order(bizContent, "app_cert_sn", keys().appSN).String(), "the parameter alipay_root_cert_sn is missing"},
		"another app SN":      {plain, order(bizContent, "app_cert_sn", "1", "alipay_root_cert_sn", keys().rootSN).String(), `app_cert_sn is "1", and the application's certificate has ` + keys().appSN},
		"another root SN":     {plain, order(bizContent, "app_cert_sn", keys().appSN, "alipay_root_cert_sn", "1").String(), `alipay_root_cert_sn is "1", and the root certificates have ` + keys().rootSN},
		"another encryption":  {encrypting, order(bizContent, "encrypt_type", "DES").String(), `encrypt_type is "DES" and must be AES`},
		"encrypted, no key":   {plain, order(bizContent, "encrypt_type", "AES").String(), "encrypt_type is set, but this gateway has no key: see WithEncryptKey"},
		"not encrypted":       {encrypting, order(bizContent, "encrypt_type", "AES").String(), "biz_content cannot be decrypted with the gateway's key"},
		"no encrypt_type":     {encrypting, order("bm90IGEgYmxvY2s=").String(), "biz_content is no JSON object; if it is encrypted, encrypt_type=AES is missing"},
		"no biz_content":      {plain, order("").String(), "the parameter biz_content is missing"},
		"no JSON":             {plain, order(`{`).String(), "biz_content is no JSON object"},
		"no object":           {plain, order(`["out_agreement_no"]`).String(), "biz_content is no JSON object"},
		"null":                {plain, order(`null`).String(), "biz_content is no JSON object"},
		"no number":           {plain, order(`{"zm_service_id":"2"}`).String(), "out_agreement_no is missing in biz_content"},
		"an empty number":     {plain, order(`{"out_agreement_no":"","zm_service_id":"2"}`).String(), "out_agreement_no is missing in biz_content"},
		"no service":          {plain, order(`{"out_agreement_no":"1"}`).String(), "zm_service_id is missing in biz_content"},
		"a number's number":   {plain, order(`{"out_agreement_no":1,"zm_service_id":"2"}`).String(), "out_agreement_no in biz_content is no string"},
		"65 characters":       {plain, order(`{"out_agreement_no":"` + strings.Repeat("1", 65) + `","zm_service_id":"2"}`).String(), "out_agreement_no in biz_content has 65 characters, and may have 64"},
		"1,025 characters":    {plain, order(`{"out_agreement_no":"1","zm_service_id":"2","extra_param":"` + strings.Repeat("1", 1025) + `"}`).String(), "extra_param in biz_content has 1025 characters, and may have 1024"},
		"an extra object":     {plain, order(`{"out_agreement_no":"1","zm_service_id":"2","extra_param":{}}`).String(), "extra_param in biz_content is no string"},
		"an extra text":       {plain, order(`{"out_agreement_no":"1","zm_service_id":"2","extra_param":"x"}`).String(), "extra_param in biz_content holds no JSON object"},
		"a token of a number": {plain, order(`{"out_agreement_no":"1","zm_service_id":"2","extra_param":"{\"onceToken\":1}"}`).String(), "onceToken in extra_param is no string"},
	} {
		got, err := test.g.OpenOrder(test.text)
		require.Error(t, err, name)
		assert.Nil(t, got, name)
		assert.True(t, strings.HasPrefix(err.Error(), "alipaytest: OpenOrder: "), name)
		assert.Contains(t, err.Error(), test.want, name)
		if !strings.HasSuffix(test.want, "GMT+8") {
			assert.Equal(t, "alipaytest: OpenOrder: "+test.want, err.Error(), name)
		}
	}
	assert.Empty(t, plain.agreements)
}

// An order is taken from 10 minutes before its timestamp until a day after it,
// but not where the timestamp must be that of another zone.
func TestTheAgeOfAnOrderIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	g := NewGateway(t, WithClock(func() time.Time { return now }))
	for _, test := range []struct {
		age  time.Duration
		want string // of the error; "" means that it is taken
	}{
		{-10*time.Minute - time.Second, "10m1s ahead"},
		{-10 * time.Minute, ""},
		{0, ""},
		{7*time.Hour + 50*time.Minute, ""},
		{7*time.Hour + 50*time.Minute + time.Second, "8 hours behind"},
		{8*time.Hour + 10*time.Minute - time.Second, "8 hours behind"},
		{8*time.Hour + 10*time.Minute, ""},
		{24 * time.Hour, ""},
		{24*time.Hour + time.Second, "24h0m1s behind"},
	} {
		timestamp := now.Add(-test.age + 8*time.Hour).Format("2006-01-02 15:04:05")
		_, err := g.OpenOrder(order(bizContent, "timestamp", timestamp).String())
		if test.want == "" {
			assert.NoError(t, err, "%v", test.age)
		} else {
			assert.ErrorContains(t, err, test.want, "%v", test.age)
		}
	}
	_, err := g.OpenOrder(order(bizContent, "timestamp", "9999-01-01 00:00:00").String())
	assert.ErrorContains(t, err, "timestamp lies 1281023h53m38s ahead", "as far as a Duration goes")
}

func agreementQuery(t *testing.T, g *Gateway, query string) (status int, members map[string]string) {
	t.Helper()
	answer := call{target: agreementPath + "?" + query}.do(t, g)
	require.True(t, answer.verifies())
	require.NoError(t, json.Unmarshal(answer.body, &members), "%s", answer.body)
	return answer.StatusCode, members
}

func TestTheUsersAnswerIsTheAgreementsState(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC)
	g := NewGateway(t, WithClock(func() time.Time { return now }))
	at := func(query string) (int, map[string]string) {
		answer := call{target: agreementPath + "?" + query, at: now}.do(t, g)
		var members map[string]string
		require.NoError(t, json.Unmarshal(answer.body, &members), "%s", answer.body)
		return answer.StatusCode, members
	}
	opened, err := g.OpenOrder(order(bizContent, "timestamp", "2026-03-01 07:59:59").String())
	require.NoError(t, err)
	number := url.Values{"out_agreement_no": {opened.OutAgreementNo}}.Encode()
	status, members := at(number)
	assert.Equal(t, 400, status)
	assert.Equal(t, "CREDIT_AGREEMENT_NOT_EXIST", members["code"])

	opened.Agree()
	assert.Equal(t, "VALID", opened.Status())
	id := opened.CreditAgreementID()
	assert.Equal(t, "ZMOP202603010000000001", id)
	want := map[string]string{
		"agreement_status": "VALID", "alipay_user_id": "2088402562742105", "open_id": "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
		"biz_time": "2026-03-01 07:59:59", "credit_agreement_id": id, "out_agreement_no": "A 1/一",
	}
	for _, query := range []string{number, "credit_agreement_id=" + id, number + "&credit_agreement_id=" + id} {
		status, members = at(query)
		assert.Equal(t, 200, status)
		assert.Equal(t, want, members)
	}

	now = now.Add(time.Minute)
	opened.Agree() // once more changes nothing
	_, members = at(number)
	assert.Equal(t, want, members)

	opened.Decline()
	assert.Equal(t, "INVALID", opened.Status())
	want["agreement_status"], want["biz_time"] = "INVALID", "2026-03-01 08:00:59"
	_, members = at("credit_agreement_id=" + id)
	assert.Equal(t, want, members)

	other, err := g.OpenOrder(order(`{"out_agreement_no":"2","zm_service_id":"2"}`, "timestamp", "2026-03-01 07:59:59").String())
	require.NoError(t, err)
	other.Decline()
	assert.Equal(t, "INVALID", other.Status())
	assert.Equal(t, "ZMOP202603010000000002", other.CreditAgreementID())

	for query, code := range map[string]string{
		"":                      "INVALID_PARAMETER",
		"out_agreement_no=":     "INVALID_PARAMETER",
		"out_agreement_no=3":    "CREDIT_AGREEMENT_NOT_EXIST",
		"credit_agreement_id=3": "CREDIT_AGREEMENT_NOT_EXIST",
		"out_agreement_no=3&credit_agreement_id=" + id: "CREDIT_AGREEMENT_NOT_EXIST",
		"out_agreement_no=2&credit_agreement_id=" + id: "ILLEGAL_QUERY",
	} {
		status, members = at(query)
		assert.Equal(t, 400, status, query)
		assert.Equal(t, code, members["code"], query)
		requests := g.Requests()
		assert.Equal(t, alipay.ErrorCode(code), requests[len(requests)-1].Code)
	}
}

func TestAnOrderCanBeOpenedAgainButNotForSomethingElse(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	first, err := g.OpenOrder(order(bizContent).String())
	require.NoError(t, err)
	again, err := g.OpenOrder(order(bizContent, "alipay_sdk", "other").certificates().String())
	require.NoError(t, err)
	first.Agree()
	assert.Equal(t, "VALID", again.Status())
	assert.Equal(t, first.CreditAgreementID(), again.CreditAgreementID())
	again.Decline()
	assert.Equal(t, "INVALID", first.Status())

	const used = "alipaytest: OpenOrder: the out_agreement_no A 1/一 was opened before, and asked for something else: each order needs one of its own"
	for _, change := range [][2]string{{"04450100", "04450101"}, {"ZHIMA_AUTH", "OTHER"}, {`"c"`, `"d"`}, {`\"t\"`, `\"u\"`}, {`"e"`, `"f"`}} {
		_, err = g.OpenOrder(order(strings.Replace(bizContent, change[0], change[1], 1)).String())
		assert.EqualError(t, err, used, change[1])
	}
	_, err = g.OpenOrder(order(bizContent, "app_auth_token", "202212BB").String())
	assert.EqualError(t, err, used)
	_, err = g.OpenOrder(order(strings.Replace(bizContent, "A 1/一", "B", 1)).String())
	assert.EqualError(t, err, "alipaytest: OpenOrder: the onceToken in extra_param belongs to the out_agreement_no A 1/一")

	g.Reset()
	first.Agree() // is forgotten
	assert.Equal(t, "INVALID", first.Status())
	status, _ := agreementQuery(t, g, "credit_agreement_id="+first.CreditAgreementID())
	assert.Equal(t, 400, status)
	anew, err := g.OpenOrder(order(bizContent).String())
	require.NoError(t, err)
	assert.Empty(t, anew.Status())
}

func TestATokenWaitsForTheUsersAnswer(t *testing.T) {
	t.Parallel()
	const waiting = `{"identity_result":"WAITING_VERIFY"}`
	g := NewGateway(t)
	ask := func(token, connKey string) string {
		answer := call{target: query(token) + "&" + url.Values{"conn_key": {connKey}}.Encode()}.do(t, g)
		require.True(t, answer.verifies())
		return string(answer.body)
	}
	opened, err := g.OpenOrder(order(bizContent).String())
	require.NoError(t, err)
	for range 3 {
		require.Equal(t, waiting, ask("t", ""))
		require.Equal(t, waiting, ask("t", "A 1/一"))
	}
	require.Equal(t, TokenState{Requests: 6, Acted: 6}, g.Token("t"))
	require.Contains(t, ask("t", "B"), `"code":"WRONG_OUT_AGREEMENT_NO_INTERCEPT"`)
	require.Contains(t, ask("u", "A 1/一"), `"code":"WRONG_OUT_AGREEMENT_NO_INTERCEPT"`)
	g.SetResult("t", Result{IdentityResult: alipay.IdentityResultFailed, WaitingPolls: 1})
	require.Equal(t, waiting, ask("t", ""))
	opened.Agree()
	require.Equal(t, waiting, ask("t", "A 1/一"), "the poll that SetResult asked for")
	require.Equal(t, `{"identity_result":"FAILED"}`, ask("t", "A 1/一"))
	require.Contains(t, ask("t", "A 1/一"), "TOKEN_INVALID")

	// An order without a token is identified by its conn_key.
	other, err := g.OpenOrder(order(`{"out_agreement_no":"2","zm_service_id":"2"}`).String())
	require.NoError(t, err)
	require.Equal(t, waiting, ask("v", "2"))
	require.Equal(t, sample, ask("w", "3"), "this one is no order's")
	other.Decline()
	require.Contains(t, ask("v", "2"), `"code":"USER_NOT_AUTHORIZE"`)
	require.False(t, g.Token("v").Spent)
	other.Agree()
	require.Equal(t, sample, ask("v", "2"))

	g.SetError("t", 403, alipay.CodeRiskIntercept, "")
	require.Contains(t, ask("t", "B"), "RISK_INTERCEPT", "SetError comes first")
}

func TestAPageOpensTheOrderToo(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	get := func(address string) (string, string) {
		response, err := g.HTTPClient().Get(address)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, 200, response.StatusCode)
		return string(text), response.Header.Get("Content-Type")
	}
	page, kind := get(g.BaseURL() + "/gateway.do?" + order(strings.Replace(bizContent, "A 1/一", "<b>1", 1)).String())
	assert.Equal(t, "text/html;charset=UTF-8", kind)
	assert.Contains(t, page, "The order is in order.")
	assert.Contains(t, page, "out_agreement_no &lt;b&gt;1")
	require.Contains(t, g.agreements, "<b>1")
	page, _ = get(g.BaseURL() + "/gateway.do?" + order(`{"out_agreement_no":"2"}`).String())
	assert.Contains(t, page, "The order is refused.")
	assert.Contains(t, page, "zm_service_id is missing in biz_content")
	page, _ = get(g.BaseURL() + "/gateway.do?" + order(strings.NewReplacer("A 1/一", "<b>1", "ZHIMA_AUTH", "OTHER").Replace(bizContent)).String())
	assert.Contains(t, page, "The order is refused.")
	assert.Contains(t, page, "asked for something else")
	requests := g.Requests()
	assert.Empty(t, requests[0].Code)
	assert.Empty(t, requests[0].Diagnosis)
	assert.Equal(t, alipay.ErrorCode("isv.missing-parameter"), requests[1].Code)
	assert.Equal(t, "zm_service_id is missing in biz_content.", requests[1].Diagnosis)
	assert.Equal(t, "biz_content 缺少 zm_service_id。", requests[1].DiagnosisZH)
	assert.Equal(t, alipay.ErrorCode("isv.invalid-parameter"), requests[2].Code)

	g.Inject(BadGateway, 1)
	response, err := g.HTTPClient().Get(g.BaseURL() + "/gateway.do?" + order(`{"out_agreement_no":"3","zm_service_id":"2"}`).String())
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusBadGateway, response.StatusCode)
	assert.NotContains(t, g.agreements, "3", "the fault does not act")
}

func TestManyUsersAnswerAtOnce(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	opened, err := g.OpenOrder(order(bizContent).String())
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(opened.Agree)
		wg.Go(opened.Decline)
		wg.Go(func() {
			status, _ := agreementQuery(t, g, "credit_agreement_id=1")
			assert.Equal(t, 400, status)
		})
	}
	wg.Wait()
	assert.Contains(t, []string{"VALID", "INVALID"}, opened.Status())
	assert.Len(t, g.agreementIDs, 1)
}

// FuzzOpenOrder holds OpenOrder to opening nothing that is not signed, whatever
// comes. With sign set, the parameters are signed rightly as they are.
func FuzzOpenOrder(f *testing.F) {
	g, _, err := assemble(nil, []Option{WithEncryptKey(testKey)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sign bool, text string) {
		if sign {
			form, err := url.ParseQuery(text)
			if err != nil {
				t.Skip()
			}
			m := order("")
			for name := range form {
				m[name] = form.Get(name)
			}
			text = m.String()
		}
		opened, err := g.OpenOrder(text)
		if err != nil {
			if opened != nil || !strings.HasPrefix(err.Error(), "alipaytest: OpenOrder: ") {
				t.Errorf("%v %v", opened, err)
			}
			return
		}
		m := merchant{}
		for name := range opened.Params {
			m[name] = opened.Params.Get(name)
		}
		if !holds(keys().app, m.content("sign"), m["sign"]) {
			t.Errorf("opened, and not signed: %q", text)
		}
		if opened.OutAgreementNo == "" || opened.ZmServiceID == "" || len([]rune(opened.OutAgreementNo)) > 64 || len([]rune(opened.ExtraParam)) > 1024 {
			t.Errorf("opened: %+v", opened)
		}
		opened.Agree()
		if opened.Status() != "VALID" {
			t.Errorf("not valid: %q", text)
		}
		g.Reset()
	})
}
