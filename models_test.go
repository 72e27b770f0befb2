package alipay_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/lenient"
)

func TestQueryParamsJSONIsFaithful(t *testing.T) {
	p := testParams()
	data := mustJSON(t, p)
	assert.JSONEq(t, `{"conn_key":"`+testConnKey+`","once_token":"`+testToken+`","query_type":"exact","identity_type":"04",
		"service_id":"2019120400000000000004450100","user_id":"`+testUserID+`","open_id":"`+testOpenID+`","cert_no":"`+testCertNo+`","cert_type":"0"}`, data)
	var back alipay.QueryParams
	require.NoError(t, json.Unmarshal([]byte(data), &back))
	assert.True(t, *p == back)
	assert.Equal(t, "{}", mustJSON(t, alipay.QueryParams{}))
}

func TestQueryResponseJSONIsFaithful(t *testing.T) {
	r, _ := fullResponse(t)
	want := string(r.Meta.Body)
	for _, v := range []any{r, &r} {
		data := mustJSON(t, v)
		assert.JSONEq(t, want, data, "wire names, unknown members kept, Meta left out")
		var back alipay.QueryResponse
		require.NoError(t, json.Unmarshal([]byte(data), &back))
		back.Meta = r.Meta
		assert.True(t, reflect.DeepEqual(r, back), "round trip")
	}
	assert.Equal(t, "{}", mustJSON(t, alipay.QueryResponse{Meta: r.Meta}))
	assert.JSONEq(t, `{"user_id":"1","x":[1,2]}`, mustJSON(t, alipay.QueryResponse{
		UserID: "1", Extra: map[string]json.RawMessage{"x": json.RawMessage("[1,2]"), "open_id": json.RawMessage(`"shadow"`)},
	}), "an unknown member cannot stand in for a known one")
	assert.JSONEq(t, `{"status":200,"body":"{}","attempts":0}`, mustJSON(t, alipay.Response{StatusCode: 200, Body: []byte("{}")}))
	var meta alipay.Response
	require.NoError(t, json.Unmarshal([]byte(mustJSON(t, r.Meta)), &meta))
	assert.Equal(t, r.Meta, meta)
	require.Error(t, json.Unmarshal([]byte(`{"status":"x"}`), &meta))
	assert.Equal(t, r.Meta, meta, "left as it was")

	assert.Equal(t, `{"open_id":"a"}`, mustJSON(t, alipay.QueryResponse{OpenID: "a", Extra: map[string]json.RawMessage{"open_id": json.RawMessage(`"shadow"`)}}), "nor beside it")
	_, err := alipay.QueryResponse{Extra: map[string]json.RawMessage{"x": json.RawMessage("{")}}.MarshalJSON()
	require.Error(t, err)
	require.NoError(t, json.Unmarshal([]byte("null"), &r))
	assert.Equal(t, testOpenID, r.OpenID, "null changes nothing")
	require.NoError(t, json.Unmarshal([]byte(`{"user_id":"1"}`), &r))
	assert.Equal(t, alipay.QueryResponse{UserID: "1", Meta: r.Meta}, r, "what did not come is empty")
}

// FuzzDecodeResponse holds the decoder of answers against encoding/json.
func FuzzDecodeResponse(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		var got alipay.QueryResponse
		object, err := lenient.Object(body) // with raw control characters escaped
		if err == nil {
			err = got.UnmarshalJSON(object)
		}
		var oracle map[string]json.RawMessage
		isObject := lenient.StartsObject(body) && json.Unmarshal(object, &oracle) == nil
		if err != nil {
			assert.Equal(t, alipay.QueryResponse{}, got, "left as it was")
			if isObject {
				assert.ErrorAs(t, err, new(*lenient.Misfit))
			}
			return
		}
		require.True(t, isObject, "accepted what is no object")
		members := map[string]string{
			"identity_result": string(got.IdentityResult), "identity_result_skip_url": got.IdentityResultSkipURL, "merchant_identity_id": got.MerchantIdentityID,
			"open_id": got.OpenID, "token_status": string(got.TokenStatus), "user_id": got.UserID,
		}
		known := 0
		for name, raw := range oracle {
			text, ok := members[name]
			if !ok {
				assert.Equal(t, string(raw), string(got.Extra[name]), name)
				continue
			}
			known++
			var want string
			if raw[0] == '"' {
				require.NoError(t, json.Unmarshal(raw, &want))
			} else if string(raw) != "null" {
				want = string(raw)
			}
			assert.Equal(t, want, text, name)
		}
		assert.Len(t, got.Extra, len(oracle)-known)

		// Its JSON is faithful.
		encoded, err := json.Marshal(got)
		require.NoError(t, err)
		var again alipay.QueryResponse
		require.NoError(t, json.Unmarshal(encoded, &again))
		assert.Equal(t, got.IdentityResult, again.IdentityResult)
		assert.Equal(t, got.UserID, again.UserID)
		assert.Len(t, again.Extra, len(got.Extra))
	})
}
