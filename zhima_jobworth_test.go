package alipay_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func TestAnswerAboutAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		asked  alipay.QueryParams
		answer string
		taken  bool
	}{
		"the user":                  {alipay.QueryParams{UserID: "1"}, `"user_id":"1","open_id":"a"`, true},
		"the open id":               {alipay.QueryParams{OpenID: "a"}, `"user_id":"1","open_id":"a"`, true},
		"as a number":               {alipay.QueryParams{UserID: testUserID}, `"user_id":2088402562742105`, true},
		"not asked for":             {alipay.QueryParams{CertNo: testCertNo}, `"user_id":"1","open_id":"a"`, true},
		"not told":                  {alipay.QueryParams{UserID: "1", OpenID: "a"}, `"user_id":""`, true},
		"told as null":              {alipay.QueryParams{UserID: "1"}, `"user_id":null`, true},
		"told as a word":            {alipay.QueryParams{UserID: "1"}, `"user_id":"null","open_id":"-"`, true},
		"told as false":             {alipay.QueryParams{UserID: "1"}, `"user_id":false`, true},
		"masked":                    {alipay.QueryParams{UserID: testUserID}, `"user_id":"2088****2105"`, true},
		"with an exponent":          {alipay.QueryParams{UserID: testUserID}, `"user_id":2.088402562742105e15`, true},
		"with a fraction":           {alipay.QueryParams{UserID: testUserID}, `"user_id":2088402562742105.0`, true},
		"20 digits":                 {alipay.QueryParams{UserID: testUserID}, `"user_id":"20881044025627420156"`, true},
		"asked full-width":          {alipay.QueryParams{UserID: "２０８８４０２５６２７４２１０５"}, `"user_id":"2088402562742105"`, true},
		"asked with blanks":         {alipay.QueryParams{UserID: "2088 4025 6274 2105"}, `"user_id":"2088402562742105"`, true},
		"asked with a BOM":          {alipay.QueryParams{UserID: "\ufeff2088402562742105"}, `"user_id":"2088402562742105"`, true},
		"asked with a zero width":   {alipay.QueryParams{UserID: "2088402562742105\u200b"}, `"user_id":"2088402562742105"`, true},
		"padded":                    {alipay.QueryParams{UserID: " 1 "}, `"user_id":"1"`, true},
		"padded in the answer":      {alipay.QueryParams{UserID: "1"}, `"user_id":" 1 "`, true},
		"an open id of another app": {alipay.QueryParams{UserID: "1", OpenID: "a"}, `"user_id":"1","open_id":"b"`, true},
		"another user":              {alipay.QueryParams{UserID: "1"}, `"user_id":"2"`, false},
		"another of 16 digits":      {alipay.QueryParams{UserID: testUserID}, `"user_id":"2088402562742106"`, false},
		"another number":            {alipay.QueryParams{UserID: "1"}, `"user_id":2`, false},
		"another open id":           {alipay.QueryParams{OpenID: "a"}, `"open_id":"A"`, false},
		"a user among others":       {alipay.QueryParams{UserID: "1"}, `"user_id":"1","user_id":"2"`, false},
		"escaped":                   {alipay.QueryParams{UserID: "1"}, `"user\u005fid":"\u0032"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				signed(200, `{"identity_result":"WAITING_VERIFY",`+tt.answer+"}")(w, nil)
			})
			client := newClient(t, s.URL)
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &tt.asked)
			out := alipay.QueryResponse{UserID: "before"}
			_, doErr := client.Do(t.Context(), &alipay.Request{Path: jobworthPath, Query: tt.asked}, &out)
			if tt.taken {
				require.NoError(t, err)
				require.NoError(t, doErr)
				return
			}
			assert.Nil(t, got)
			assert.Equal(t, alipay.QueryResponse{UserID: "before"}, out, "left as it was")
			for _, err := range []error{err, doErr} {
				require.ErrorIs(t, err, alipay.ErrResponseMismatch)
				assert.Equal(t, "unknown", meaning(t, err))
				var failed *alipay.CallError
				require.ErrorAs(t, err, &failed)
				assert.NotNil(t, failed.Answer, "it is somebody's only copy")
			}
		})
	}
	t.Run("a parameter of WithQueryParam counts", func(t *testing.T) {
		s := serve(t, signed(200, resultOf("2")))
		_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil, alipay.WithQueryParam("user_id", "1"))
		require.ErrorIs(t, err, alipay.ErrResponseMismatch)
	})
	t.Run("Do with a type of the caller's", func(t *testing.T) {
		s := serve(t, signed(200, resultOf("2")))
		var own map[string]any
		for _, out := range []any{&own, nil} {
			_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Path: jobworthPath, Query: &alipay.QueryParams{UserID: "1"}}, out)
			require.ErrorIs(t, err, alipay.ErrResponseMismatch)
			assert.Nil(t, own)
			var failed *alipay.CallError
			require.ErrorAs(t, err, &failed)
			assert.NotNil(t, failed.Answer)
			_, err = newClient(t, s.URL).Do(t.Context(), &alipay.Request{Path: "/v3/another", Query: &alipay.QueryParams{UserID: "1"}}, out)
			require.NoError(t, err, "what user_id means elsewhere is not known")
			own = nil
		}
	})
	t.Run("another agreement", func(t *testing.T) {
		s := serve(t, signed(200, `{"out_agreement_no":"2","credit_agreement_id":"2","agreement_status":"VALID"}`))
		client := newClient(t, s.URL)
		for _, asked := range []alipay.CreditAgreementQueryParams{
			{OutAgreementNo: "1"}, {CreditAgreementID: "1"}, {OutAgreementNo: "1", CreditAgreementID: "2"}, {OutAgreementNo: "2", CreditAgreementID: "1"},
		} {
			got, err := client.ZhimaCreditPayafteruseCreditagreement.Query(t.Context(), &asked)
			require.ErrorIs(t, err, alipay.ErrResponseMismatch)
			assert.Nil(t, got)
			out := alipay.CreditAgreementQueryResponse{OpenID: "before"}
			_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/zhima/credit/payafteruse/creditagreement/query", Query: asked}, &out)
			require.ErrorIs(t, err, alipay.ErrResponseMismatch)
			assert.Equal(t, alipay.CreditAgreementQueryResponse{OpenID: "before"}, out, "left as it was")
		}
	})
}

func TestServiceWithoutAClientIsAnArgumentError(t *testing.T) {
	sign, agreement := &alipay.CreditAgreementSignParams{OutAgreementNo: "1", ZmServiceID: "2"}, &alipay.CreditAgreementQueryParams{OutAgreementNo: "1"}
	for _, s := range []*alipay.ZhimaCustomerJobworthAuthentication{nil, {}} {
		const name = "ZhimaCustomerJobworthAuthentication"
		assertArgument(t, second(s.Query(t.Context(), nil)), name)
		assertArgument(t, second(s.Open(new(alipay.SealedAnswer))), name)
		assertArgument(t, second(s.WaitForResult(t.Context(), nil, quickly)), name)
	}
	for _, s := range []*alipay.ZhimaCreditPayafteruseCreditagreement{nil, {}} {
		const name = "ZhimaCreditPayafteruseCreditagreement"
		assertArgument(t, second(s.Query(t.Context(), agreement)), name)
		assertArgument(t, second(s.Sign(t.Context(), sign)), name)
	}
}

func TestKeptAnswerOpensIntoAnotherType(t *testing.T) {
	const body = `{"identity_result":{"value":"SUCCESS"}}`
	client := newClient(t, serve(t, signed(200, body)).URL)
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	answer := stored(t, sealedIn(err))
	_, err = client.ZhimaCustomerJobworthAuthentication.Open(answer)
	require.Error(t, err)
	var out struct {
		Result struct{ Value string } `json:"identity_result"`
	}
	resp, err := client.Open(answer, &out)
	require.NoError(t, err)
	assert.Equal(t, "SUCCESS", out.Result.Value)
	assert.Equal(t, body, string(resp.Body))
	_, err = client.Open(answer, nil)
	require.NoError(t, err)
}

func TestPreconsultSaysWhetherACheckCanSucceed(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, gateway *alipaytest.Gateway, client *alipay.Client) {
		gateway.SetPreconsult("no", false, "USER_NOT_AUTHORIZE")
		params := &alipay.PreconsultParams{
			OutAgreementNo: testConnKey, OnceToken: "yes", IdentityType: alipay.IdentityTypeTeacher, QueryType: alipay.QueryTypeExact, ZmServiceID: "2019",
		}
		answer, err := client.ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), params)
		require.NoError(t, err)
		assert.True(t, answer.PreCheckSuccess)
		assert.Empty(t, answer.Reason)
		assert.Equal(t, 200, answer.Meta.StatusCode)
		params.OnceToken = "no"
		answer, err = client.ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), params)
		require.NoError(t, err)
		assert.False(t, answer.PreCheckSuccess)
		assert.Equal(t, "USER_NOT_AUTHORIZE", answer.Reason)
		for _, r := range gateway.Requests() {
			assert.True(t, r.Verified)
			assert.Empty(t, r.Missing)
		}
		answer, err = client.ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), &alipay.PreconsultParams{})
		assert.Nil(t, answer)
		require.ErrorIs(t, err, alipay.CodeParamError)
		assert.Equal(t, alipay.OutcomeRejected, alipay.OutcomeOf(err))
	})
	_, err := newClient(t, "https://gateway.example").ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), nil)
	assertArgument(t, err, "PreconsultParams")
	_, err = new(alipay.ZhimaCustomerJobworthAuthentication).Preconsult(t.Context(), &alipay.PreconsultParams{})
	assertArgument(t, err, "ZhimaCustomerJobworthAuthentication")
}

// A new certificate of Alipay's loses no answer of the old gateway either.
func TestPreconsultUnderANewCertificate(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	client, closed := certClient(t, gateway), certClient(t, gateway, alipay.WithCertificateDownload(false))
	gateway.RotateCertificate()
	_, err := client.ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), &alipay.PreconsultParams{OnceToken: "t"})
	require.NoError(t, err)
	assert.Equal(t, 1, gateway.Downloads())
	_, err = closed.ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), &alipay.PreconsultParams{OnceToken: "t"})
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	assert.NotNil(t, sealedIn(err))
}

func TestPreconsultAnswerIsDecodedAsThePlatformWritesIt(t *testing.T) {
	for node, want := range map[string]*alipay.PreconsultResponse{
		`{"code":"10000","pre_check_success":true}`:                                {PreCheckSuccess: true},
		`{"code":"10000","pre_check_success":"TRUE","reason":17}`:                  {PreCheckSuccess: true, Reason: "17"},
		`{"code":"10000","pre_check_success":"yes","reason":null,"sub_code":null}`: {},
		`{"pre_check_success":false,"new":{"a":[1]}}`:                              {Extra: map[string]json.RawMessage{"new": json.RawMessage(`{"a":[1]}`)}},
		`{"code":"10000"}`:                            nil,
		`{"code":"10000","pre_check_success":null}`:   nil,
		`{"code":"10000","pre_check_success":{}}`:     nil,
		`{"code":"10000","pre_check_success":""}`:     nil,
		`{"code":"10000","pre_check_success":[true]}`: nil,
	} {
		s := serve(t, oldAnswer(t, 200, preconsultMethod, node))
		got, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), &alipay.PreconsultParams{})
		if want == nil {
			assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown, node)
			assert.NotNil(t, sealedIn(err), node)
			assert.Nil(t, got)
			continue
		}
		require.NoError(t, err, node)
		assert.Equal(t, node, string(got.Meta.Body))
		want.Meta = got.Meta
		assert.Equal(t, want, got)
		var again alipay.PreconsultResponse
		require.NoError(t, json.Unmarshal([]byte(mustJSON(t, got)), &again))
		again.Meta = got.Meta
		assert.Equal(t, want, &again)
	}
	assert.JSONEq(t, `{"pre_check_success":false,"reason":"r","x":1}`, mustJSON(t, alipay.PreconsultResponse{Reason: "r", Extra: map[string]json.RawMessage{"x": json.RawMessage("1")}}))
	got := alipay.PreconsultResponse{Reason: "r"}
	require.Error(t, json.Unmarshal([]byte(`{"reason":{}}`), &got))
	assert.Equal(t, alipay.PreconsultResponse{Reason: "r"}, got)
}
