package alipay_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func TestAgreementSignMakesTheOrderString(t *testing.T) {
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

	order, err = service.Sign(t.Context(), &alipay.CreditAgreementSignParams{OutAgreementNo: "1", ZmServiceID: "2", AppAuthToken: testAuthTok})
	require.NoError(t, err)
	assert.Equal(t, testAuthTok, openOrder(t, order)["app_auth_token"], "for another merchant")

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

func TestAgreementAnswerIsDecodedAsThePlatformWritesIt(t *testing.T) {
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

func TestAgreementIsQueriedByItsNumbers(t *testing.T) {
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

func TestUnsignEndsAnAgreement(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, gateway *alipaytest.Gateway, client *alipay.Client) {
		service := client.ZhimaCreditPayafteruseCreditagreement
		orderString, err := service.Sign(t.Context(), &alipay.CreditAgreementSignParams{OutAgreementNo: testConnKey, ZmServiceID: "2019"})
		require.NoError(t, err)
		order, err := gateway.OpenOrder(orderString)
		require.NoError(t, err)
		order.Agree()
		agreement, err := service.Query(t.Context(), &alipay.CreditAgreementQueryParams{OutAgreementNo: testConnKey})
		require.NoError(t, err)
		require.Equal(t, alipay.AgreementStatusValid, agreement.AgreementStatus)

		answer, err := service.Unsign(t.Context(), &alipay.CreditAgreementUnsignParams{CreditAgreementID: agreement.CreditAgreementID})
		require.NoError(t, err)
		assert.Equal(t, 200, answer.Meta.StatusCode)
		agreement, err = service.Query(t.Context(), &alipay.CreditAgreementQueryParams{OutAgreementNo: testConnKey})
		require.NoError(t, err)
		assert.Equal(t, alipay.AgreementStatusInvalid, agreement.AgreementStatus)

		_, err = service.Unsign(t.Context(), &alipay.CreditAgreementUnsignParams{CreditAgreementID: "none"})
		require.ErrorIs(t, err, alipay.CodeCreditAgreementNotExist)
	})
	service := newClient(t, "https://gateway.example").ZhimaCreditPayafteruseCreditagreement
	for argument, params := range map[string]*alipay.CreditAgreementUnsignParams{"CreditAgreementUnsignParams": nil, "CreditAgreementUnsignParams.CreditAgreementID": {}} {
		_, err := service.Unsign(t.Context(), params)
		assertArgument(t, err, argument)
	}
	_, err := new(alipay.ZhimaCreditPayafteruseCreditagreement).Unsign(t.Context(), nil)
	assertArgument(t, err, "ZhimaCreditPayafteruseCreditagreement")
}

// Unsign's answer has no member of its own, so the code alone makes it a success.
func TestUnsignNeedsCode10000(t *testing.T) {
	for node, want := range map[string]error{
		`{"code":"10000","msg":"Success"}`:                  nil,
		`{"code":10000,"credit_agreement_id":"20","new":1}`: nil,
		`{"new":1}`: alipay.ErrOutcomeUnknown,
		`{}`:        alipay.ErrOutcomeUnknown,
		`{"code":"10000","credit_agreement_id":"21"}`:                  alipay.ErrResponseMismatch,
		`{"code":"40004","sub_code":"aop.CREDIT_AGREEMENT_NOT_EXIST"}`: alipay.CodeCreditAgreementNotExist,
	} {
		s := serve(t, oldAnswer(t, 201, "zhima.credit.payafteruse.creditagreement.unsign", node))
		got, err := newClient(t, s.URL).ZhimaCreditPayafteruseCreditagreement.Unsign(t.Context(), &alipay.CreditAgreementUnsignParams{CreditAgreementID: "20"})
		if want != nil {
			require.ErrorIs(t, err, want, node)
			assert.Nil(t, got)
			continue
		}
		require.NoError(t, err, node)
		assert.Equal(t, strings.Contains(node, "new"), got.Extra["new"] != nil)
	}
}
