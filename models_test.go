package alipay_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
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
