package alipay_test

import (
	"bytes"
	"crypto"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

// fullConfig has every field set, and every string in it is a secret.
func fullConfig(t *testing.T) (alipay.AlipayConfig, []string) {
	key := alipayKey()
	c := alipay.AlipayConfig{
		BaseURL: "https://user-name:pass-word@gateway.example/secret-prefix?secret-query",
		AppID:   "app-id-that-is-a-token",
		Signer:  key,
	}
	secrets := []string{
		"user-name", "pass-word", "secret-prefix", "secret-query", c.AppID,
		key.D.String(), key.N.String(), key.Primes[0].String(),
	}
	v, text := reflect.ValueOf(&c).Elem(), vector(t, "app_private_pkcs8.pem")
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() != reflect.String || !f.IsZero() {
			continue
		}
		f.SetString(text[80*i : 80*i+80])
		secrets = append(secrets, f.String())
	}
	return c, secrets
}

func TestConfigNeverShowsWhatIsSet(t *testing.T) {
	t.Parallel()
	c, secrets := fullConfig(t)
	for name, v := range map[string]any{
		"value": c, "pointer": &c, "slice": []alipay.AlipayConfig{c}, "slice of pointers": []*alipay.AlipayConfig{&c},
		"map": map[string]alipay.AlipayConfig{"k": c}, "struct": struct{ Config alipay.AlipayConfig }{c},
		"embedded": struct{ alipay.AlipayConfig }{c}, "array": [1]alipay.AlipayConfig{c},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(v)
			data, err := json.Marshal(v)
			require.NoError(t, err)
			out["JSON"] = string(data)
			data, err = json.MarshalIndent(map[string]any{"config": v}, "", " ")
			require.NoError(t, err)
			out["JSON, nested"] = string(data)
			assertKeepsSecret(t, out, secrets...)
		})
	}
	// Instead they show which fields are set: all of them here.
	fields := reflect.TypeOf(c)
	for _, text := range []string{fmt.Sprintf("%+v", c), fmt.Sprint(&c), mustJSON(t, c)} {
		for i := range fields.NumField() {
			assert.Contains(t, text, fields.Field(i).Name)
		}
	}
}

func TestConfigShowsWhereCallsGoAndWhatIsSet(t *testing.T) {
	c := alipay.AlipayConfig{BaseURL: "https://Proxy.example:8443/alipay/", AppID: "2021000000000001", PrivateKey: "x", Signer: (*nilSigner)(nil)}
	assert.Equal(t, "alipay.AlipayConfig{BaseURL:https://proxy.example:8443 AppID:2021000000000001 Signer:*alipay_test.nilSigner PrivateKey:[redacted]}", c.String())
	assert.JSONEq(t, `{"BaseURL":"https://proxy.example:8443","AppID":"2021000000000001","Signer":"*alipay_test.nilSigner","PrivateKey":"[redacted]"}`, mustJSON(t, c))
	assert.Equal(t, "alipay.AlipayConfig{}", fmt.Sprintf("%#v", alipay.AlipayConfig{}))
	assert.Equal(t, "{}", mustJSON(t, alipay.AlipayConfig{}))
	c = alipay.AlipayConfig{AppID: testCertNo + testCertNo + testCertNo, BaseURL: "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC"}
	assert.Equal(t, "alipay.AlipayConfig{BaseURL:[redacted] AppID:[redacted]}", fmt.Sprint(c), "another value that lost its way")
	for length, shown := range map[int]string{32: strings.Repeat("7", 32), 33: "[redacted]"} {
		assert.Equal(t, "alipay.AlipayConfig{AppID:"+shown+"}", fmt.Sprint(alipay.AlipayConfig{AppID: strings.Repeat("7", length)}))
	}
	assert.Equal(t, "<nil>", fmt.Sprint((*alipay.AlipayConfig)(nil)))
}

type nilSigner struct{ crypto.Signer }

func TestQueryParamsAreNeverShown(t *testing.T) {
	t.Parallel()
	p := testParams()
	misplaced := &alipay.QueryParams{QueryType: testToken, IdentityType: testUserID, CertType: testCertNo}
	for name, v := range map[string]any{
		"value": *p, "pointer": p, "misplaced": misplaced, "misplaced value": *misplaced,
		"slice": []alipay.QueryParams{*p}, "map": map[int]*alipay.QueryParams{1: p}, "struct": struct{ Params alipay.QueryParams }{*p},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(v)
			switch v.(type) {
			case alipay.QueryParams, *alipay.QueryParams:
			default: // slog's JSON handler writes a container's JSON, and that of QueryParams is faithful
				delete(out, "slog JSON")
			}
			assertKeepsSecret(t, out, personalValues()...)
		})
	}
	assert.Equal(t, "alipay.QueryParams{ConnKey:[redacted] OnceToken:[redacted] QueryType:exact IdentityType:04 ServiceID:[redacted] UserID:[redacted] OpenID:[redacted] CertNo:[redacted] CertType:0}", fmt.Sprintf("%+v", p))
	assert.Equal(t, "alipay.QueryParams{OnceToken:[redacted]}", fmt.Sprint(alipay.QueryParams{OnceToken: "t"}))
	assert.Equal(t, "alipay.QueryParams{}", fmt.Sprint(alipay.QueryParams{}))
}

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

// fullResponse is an answer in which every field is set, with its secrets.
func fullResponse(t *testing.T) (alipay.QueryResponse, []string) {
	var r alipay.QueryResponse
	body := strings.TrimSuffix(successBody, "}") + `,"mobile_number":"13912345678","nested":{"real_name":"Zhang Sanfeng"}}`
	require.NoError(t, json.Unmarshal([]byte(body), &r))
	r.Meta = alipay.Response{
		StatusCode: 200, Body: []byte(body), TraceID: "21140000test", RequestID: "request-1", Attempts: 1,
		Header: http.Header{"Set-Cookie": {"session=very-secret-cookie"}, "Alipay-Signature": {"c2lnbmF0dXJlLW9mLWl0"}},
	}
	return r, []string{
		testOpenID, "2088402562742105", "V1_4dc286a6e91c9d51104e1172813b34c5", "alipays://platformapi/startapp", "13912345678", "Zhang Sanfeng",
		"mobile_number", "real_name", "very-secret-cookie", "c2lnbmF0dXJlLW9mLWl0",
	}
}

func TestAnswersAreNeverShown(t *testing.T) {
	t.Parallel()
	r, secrets := fullResponse(t)
	other := alipay.QueryResponse{IdentityResult: "13912345678", TokenStatus: testToken}
	for name, v := range map[string]any{
		"QueryResponse": r, "*QueryResponse": &r, "Response": r.Meta, "*Response": &r.Meta, "values of another version": other,
		"slice": []alipay.QueryResponse{r}, "map": map[int]*alipay.QueryResponse{1: &r},
		"struct": struct {
			Answer alipay.QueryResponse
			Meta   *alipay.Response
		}{r, &r.Meta},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(v)
			switch v.(type) {
			case alipay.QueryResponse, *alipay.QueryResponse, alipay.Response, *alipay.Response:
			default: // see QueryParams
				delete(out, "slog JSON")
			}
			assertKeepsSecret(t, out, append(secrets, testToken)...)
		})
	}
	assert.Equal(t, fmt.Sprintf("alipay.QueryResponse{IdentityResult:SUCCESS IdentityResultSkipURL:[redacted] MerchantIdentityID:[redacted] OpenID:[redacted] TokenStatus:FINISH UserID:[redacted] Extra:2 StatusCode:200 TraceID:21140000test RequestID:request-1 Attempts:1 BodyBytes:%d}", len(r.Meta.Body)), fmt.Sprint(r))
	assert.Equal(t, fmt.Sprintf("alipay.Response{StatusCode:200 TraceID:21140000test RequestID:request-1 Attempts:1 BodyBytes:%d}", len(r.Meta.Body)), fmt.Sprintf("%#v", &r.Meta))
	assert.Equal(t, "alipay.QueryResponse{IdentityResult:[redacted] TokenStatus:[redacted]}", fmt.Sprint(other))
	assert.NotContains(t, fmt.Sprint(alipay.Response{TraceID: "a\nlevel=ERROR"}), "\n", "an id cannot begin a line of the log")
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

func TestGobCarriesNoKeysAndNoAnswers(t *testing.T) {
	c, _ := fullConfig(t)
	c.Signer = nil
	refused := alipay.APIError{StatusCode: 400, Header: http.Header{"A": {"b"}}, Body: []byte("body")}
	for _, v := range []any{
		c, &c, []alipay.AlipayConfig{c}, struct{ Config *alipay.AlipayConfig }{&c},
		refused, &refused, alipay.CallError{Method: "GET"}, &alipay.CallError{Method: "GET"},
	} {
		var b bytes.Buffer
		require.ErrorContains(t, gob.NewEncoder(&b).Encode(v), "is not encoded", "%T", v)
		assertKeepsSecret(t, map[string]string{"gob": b.String()}, c.PrivateKey, c.EncryptKey, "body")
	}
}

// TestAReplaceAttrKeepsContainersShut: slog's JSON handler encodes a container as
// JSON, and that of its elements is faithful.
func TestAReplaceAttrKeepsContainersShut(t *testing.T) {
	printAny := func(_ []string, a slog.Attr) slog.Attr { // as in ExampleQueryParams_logging
		if a.Value.Kind() == slog.KindAny {
			a.Value = slog.StringValue(fmt.Sprint(a.Value.Any()))
		}
		return a
	}
	r, secrets := fullResponse(t)
	for name, v := range map[string]any{
		"slice": []alipay.QueryParams{*testParams()}, "map": map[string]*alipay.QueryParams{"k": testParams()},
		"struct": struct{ Params *alipay.QueryParams }{testParams()}, "value": testParams(), "answers": []*alipay.QueryResponse{&r},
	} {
		var b bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{ReplaceAttr: printAny}))
		logger.Info("as it is", "value", v, slog.Group("g", "value", v))
		logger.WithGroup("h").With("value", v).Info("with", "number", 1, "error", io.EOF)
		assertKeepsSecret(t, map[string]string{name: b.String()}, append(personalValues(), secrets...)...)
	}
}
