package alipay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// apiErrorOf asks a server that gives this answer.
func apiErrorOf(t *testing.T, status int, body string, params *alipay.QueryParams, opts ...alipay.RequestOption) *alipay.APIError {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=very-secret-cookie")
		answer(w, status, body)
	})
	_, err := newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), params, opts...)
	var refused *alipay.APIError
	require.ErrorAs(t, err, &refused)
	return refused
}

func TestAPIErrorNeverShowsHeaderOrBody(t *testing.T) {
	t.Parallel()
	body := `{"code":"PARAM_ERROR","message":"参数错误 once_token=` + testToken + `","links":[{"link":"https://open.example/?cert_no=` + testCertNo + `","desc":"` + testUserID + `"}],"details":{"mobile":"13912345678"}}`
	e := apiErrorOf(t, 400, body, testParams(), alipay.WithAppAuthToken(testAuthTok))
	secrets := append(personalValues(), testAuthTok, "13912345678", "very-secret-cookie", e.Header.Get("Alipay-Signature"))
	for name, v := range map[string]any{
		"pointer": e, "value": *e, "slice": []*alipay.APIError{e}, "slice of values": []alipay.APIError{*e},
		"map": map[string]error{"k": e}, "struct": struct{ Err error }{e}, "struct of a value": struct{ Err alipay.APIError }{*e},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(v)
			out["JSON"] = mustJSON(t, v)
			out["JSON, nested"] = mustJSON(t, map[string]any{"error": []any{v}})
			assertKeepsSecret(t, out, secrets...)
		})
	}
	assert.Contains(t, string(e.Body), testToken, "Body is for the caller's eyes, as received")
	assert.Equal(t, "session=very-secret-cookie", e.Header.Get("Set-Cookie"))
	assert.JSONEq(t, `{"error":`+mustJSON(t, e.Error())+`,"method":"GET","host":`+mustJSON(t, strings.Split(strings.SplitN(mustJSON(t, e), `"host":"`, 2)[1], `"`)[0])+`,"path":"`+jobworthPath+`","status":400,"code":"PARAM_ERROR","message":"参数错误 once_token=***","links":[{"link":"https://open.example/?cert_no=***","desc":"***"}],
		"trace_id":"21140000test","request_id":"`+e.RequestID+`","attempts":1,"verified":true,"outcome":"rejected","hint":`+mustJSON(t, e.Hint())+`}`, mustJSON(t, e))

	// An error made by hand hides Header and Body too.
	made := alipay.APIError{StatusCode: 400, Code: "X", Message: "told", Header: http.Header{"Authorization": {"secret-header"}}, Body: []byte("secret-body"), Links: []alipay.ErrorLink{{Link: "https://open.example"}}}
	out := printed(made)
	out["JSON"] = mustJSON(t, &made)
	assertKeepsSecret(t, out, "secret-header", "secret-body")
}

func TestGatewayMessageMasksWhatWasSent(t *testing.T) {
	t.Parallel()
	token := "2f1c/8e=&? 中文+~"
	params := &alipay.QueryParams{OnceToken: token, CertNo: testCertNo, ConnKey: "  padded-key \t", CertType: "0", IdentityType: "04", QueryType: "abc"}
	lower := func(s string) string {
		return regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(s, strings.ToLower)
	}
	for name, tc := range map[string]struct{ message, want string }{
		"raw":                               {"token " + token + " is unknown", "token *** is unknown"},
		"twice":                             {token + token, "******"},
		"several":                           {testCertNo + "/" + token, "***/***"},
		"percent-encoded, + for a space":    {url.QueryEscape(token), "***"},
		"percent-encoded, %20 for a space":  {strings.ReplaceAll(url.QueryEscape(token), "+", "%20"), "***"},
		"in lower-case hex":                 {lower(url.QueryEscape(token)), "***"},
		"in lower-case hex, %20":            {lower(strings.ReplaceAll(url.QueryEscape(token), "+", "%20")), "***"},
		"as a path segment":                 {url.PathEscape(token), "***"},
		"trimmed":                           {"key padded-key!", "key ***!"},
		"as it is, with blanks":             {"key   padded-key \t!", "key ***!"},
		"inside a longer word":              {"x" + testCertNo + "y", "x***y"},
		"short values as whole words":       {"cert_type 0, identity_type=04; query_type:abc (0)", "cert_type ***, identity_type=***; query_type:*** (***)"},
		"short values not inside others":    {"code 1004 of 2024-04, 0x0, abcd, xabc, 50%", "code 1004 of 2024-***, 0x0, abcd, xabc, 50%"},
		"short values beside Chinese":       {"类型0不支持", "类型***不支持"},
		"what was not sent stays":           {"应用 2021000000000001 参数错误", "应用 2021000000000001 参数错误"},
		"names of parameters stay":          {"once_token and cert_no", "once_token and cert_no"},
		"a value at the very end and start": {"0 and 0", "*** and ***"},
	} {
		t.Run(name, func(t *testing.T) {
			body := mustJSON(t, map[string]any{"code": "PARAM_ERROR", "message": tc.message, "links": []any{map[string]string{"link": "https://x.example/" + tc.message, "desc": tc.message}}})
			e := apiErrorOf(t, 400, body, params)
			assert.Equal(t, tc.want, e.Message)
			assert.Equal(t, []alipay.ErrorLink{{Link: "https://x.example/" + tc.want, Desc: tc.want}}, e.Links)
			assert.Contains(t, e.Error(), strings.NewReplacer("\t", " ").Replace(tc.want))
			assert.Equal(t, body, string(e.Body))
		})
	}
	t.Run("links as a string", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"X","message":"m","links":"https://x.example/?id=`+testCertNo+`"}`, params)
		assert.Equal(t, []alipay.ErrorLink{{Link: "https://x.example/?id=***"}}, e.Links)
	})
	t.Run("as the code", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"`+testCertNo+`","message":"m"}`, params)
		assert.Equal(t, alipay.ErrorCode(testCertNo), e.Code, "the code is kept as it came")
		assert.Contains(t, e.Error(), "alipay: *** (400): m")
		out := printed(e)
		out["JSON"] = mustJSON(t, e)
		assertKeepsSecret(t, out, testCertNo)
	})
	t.Run("a message with control characters is one line", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"X\n\u001b[31m","message":"a\r\nlevel=ERROR\u0000\u2028b"}`, params)
		assert.NotRegexp(t, `[\x00-\x1f\x{2028}]`, e.Error())
		assert.NotRegexp(t, `[\x00-\x1f]`, fmt.Sprintf("%+v", *e))
	})
	t.Run("what a body held", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			answer(w, 400, `{"code":"X","message":"mobile 13912345678 of Zhang \"San\" amount 88.8000 {\"n\":\"Zhang \\\"San\\\"\"}"}`)
		})
		type body struct {
			Mobile int64 `json:"mobile"`
			Nested any   `json:"nested"`
		}
		nested := []any{map[string]string{"name": `Zhang "San"`}, json.Number("88.8000")}
		for _, body := range []any{body{13912345678, nested}, &body{13912345678, nested}} {
			_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: body}, nil)
			require.ErrorIs(t, err, alipay.ErrorCode("X"))
			assert.Contains(t, err.Error(), `mobile *** of *** amount *** {"n":"***"}`)
		}
		_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: map[string]any{"mobile": 13912345678}}, nil)
		assert.Contains(t, err.Error(), `*** *** of Zhang`, "the keys of a map may be anything")
	})
	t.Run("the app auth token", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"X","message":"token `+testAuthTok+`"}`, params, alipay.WithAppAuthToken(testAuthTok))
		assert.Equal(t, "token ***", e.Message)
	})
	t.Run("a header line and the name of a file", func(t *testing.T) {
		s := serve(t, signed(400, `{"code":"X","message":"header 13912345678, file zhang-san.png, a.png"}`))
		_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Files: []alipay.File{{Field: "f", Name: "zhang-san.png"}}}, nil, alipay.WithHeader("X-Mobile", "13912345678"))
		require.ErrorIs(t, err, alipay.ErrorCode("X"))
		assert.Contains(t, err.Error(), "header ***, file ***, a.png")
	})
	t.Run("names that were given at run time", func(t *testing.T) {
		e := apiErrorOf(t, 400, `{"code":"X","message":"unknown parameter mobile-13912345678, once_token, user_id"}`, params, alipay.WithQueryParam("mobile-13912345678", "1"))
		assert.Equal(t, "unknown parameter ***, once_token, user_id", e.Message)
		s := serve(t, signed(400, `{"code":"X","message":"unknown members Zhang San, 13912345678 of cert_no, credit_agreement_id"}`))
		for _, request := range []*alipay.Request{
			{Path: "/v3/x", Query: url.Values{"Zhang San": {"x"}, "13912345678": {"y"}, "cert_no": {"z"}, "credit_agreement_id": {"z"}}},
			{Method: "POST", Path: "/v3/x", Body: map[string]any{"Zhang San": map[string]int{"13912345678": 1}, "cert_no": nil, "credit_agreement_id": nil}},
			{Method: "POST", Path: "/v3/x", Body: json.RawMessage(`{"Zhang San":{"13912345678":1},"cert_no":null,"credit_agreement_id":null}`)},
		} {
			_, err := newClient(t, s.URL).Do(t.Context(), request, nil)
			require.ErrorIs(t, err, alipay.ErrorCode("X"))
			assert.Contains(t, err.Error(), "unknown members ***, *** of cert_no, credit_agreement_id")
		}
	})
	for name, tc := range map[string]struct{ sent, message string }{
		"a Chinese name in JSON":     {"张三丰", `{"name":"\u5f20\u4e09\u4e30"}`},
		"JSON in JSON":               {`Zhang "San"`, `{\"n\":\"Zhang \\\"San\\\"\"}`},
		"a slash, escaped":           {"2f1c/8e", `2f1c\/8e`},
		"percent-encoding, twice":    {"2f1c/8e=", "2f1c%252F8e%253D"},
		"a numeric entity":           {"张三丰", "&#24352;&#19977;&#20016;"},
		"a hexadecimal entity":       {"it's me", "it&#x27;s me"},
		"a named entity":             {`say "x"`, "say &quot;x&quot;"},
		"a plus that became a space": {"2f1c+8e", "2f1c 8e"},
		"a space that became a plus": {"2f1c 8e", "2f1c+8e"},
		"escapes of different kinds": {"张三/丰", `%5Cu5f20%5Cu4e09\/&#20016;`},
	} {
		t.Run(name, func(t *testing.T) {
			body := mustJSON(t, map[string]any{"code": "X", "message": "got " + tc.message + "!", "links": []any{map[string]string{"link": "https://x.example/?a=" + tc.message}}})
			e := apiErrorOf(t, 400, body, &alipay.QueryParams{OnceToken: tc.sent})
			assert.Contains(t, e.Message, "***")
			random := regexp.MustCompile(`[0-9a-f]{32}|127\.0\.0\.1:\d+`) // a request's id and a port may hold any digits
			for _, text := range append(allTexts(e), e.Links[0].Link) {
				text = random.ReplaceAllString(text, "")
				for _, part := range []string{"Zhang", "San", "u5f20", "24352", "2f1c", "it&", "say", "张", "5f20"} {
					assert.NotContains(t, text, part)
				}
			}
		})
	}
}

func TestWhatTheConfigAndTheSignatureHoldIsMasked(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := protocol.ParseAuthorization(r.Header.Get("Authorization"))
		assert.NoError(t, err)
		answer(w, 400, `{"code":"X","message":"token `+testAuthTok+` signature `+c.Signature+`"}`)
	})
	config := testConfig(t, s.URL)
	config.AppAuthToken = testAuthTok
	client, err := alipay.NewClient(config)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil)
	var refused *alipay.APIError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "token *** signature ***", refused.Message)
}

// TestTheTextsOfAnErrorAnswerAreCutAtTheirBounds: what is as long as the bound is
// whole, and what is longer is no longer.
func TestTheTextsOfAnErrorAnswerAreCutAtTheirBounds(t *testing.T) {
	long := func(n int) string { return strings.Repeat("-", n) } // a signature, whose beginning would be masked, begins otherwise
	ask := func(code, message, trace, link string) *alipay.APIError {
		links := mustJSON(t, slices.Repeat([]alipay.ErrorLink{{Link: link, Desc: link}}, 10))
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("alipay-trace-id", trace)
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"code":"`+code+`","message":"`+message+`","links":`+links+`,"links":`+links+`}`)
		})
		_, err := newClient(t, s.URL).Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil, alipay.WithRequestID("r"))
		var refused *alipay.APIError
		require.ErrorAs(t, err, &refused)
		return refused
	}
	for more, dots := range []string{"", "…"} {
		kept := ask("X", long(8<<10+more), long(1<<10+more), long(1<<10+more))
		assert.Equal(t, long(8<<10), kept.Message)
		assert.Equal(t, long(1<<10), kept.TraceID)
		assert.Equal(t, slices.Repeat([]alipay.ErrorLink{{Link: long(1 << 10), Desc: long(1 << 10)}}, 16), kept.Links)

		printed := ask(long(128+more), long(512+more), long(128+more), "")
		assert.Equal(t, "alipay: "+long(128)+dots+" (400): "+long(512)+dots+" [app 2021000000000001] [trace "+long(128)+dots+"] [request r]", printed.Error())
	}
}

// TestAnErrorAnswerIsBounded: reading, masking and printing one takes no longer
// and gives no more than the caller can bear.
func TestAnErrorAnswerIsBounded(t *testing.T) {
	t.Parallel()
	var links []alipay.ErrorLink
	for n := range 40_000 {
		links = append(links, alipay.ErrorLink{Link: fmt.Sprint("https://x.example/", n), Desc: "d"})
	}
	body := mustJSON(t, map[string]any{"code": "X", "message": strings.Repeat("m", 4<<10), "links": links[:20_000]})
	require.Less(t, len(body), 1<<20)
	s := serve(t, unsigned(400, body))
	values := url.Values{}
	for n := range 5000 {
		values.Set(fmt.Sprint("name", n), fmt.Sprint("https://x.example/value", n))
	}
	document := map[string]string{}
	for name := range values {
		document[name] = values.Get(name)
	}
	client := newClient(t, s.URL)
	for name, request := range map[string]*alipay.Request{
		"few values":  {Path: "/v3/x", Query: testParams()},
		"many values": {Method: "POST", Path: "/v3/x", Body: document},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Do(t.Context(), request, nil)
			var refused *alipay.APIError
			require.ErrorAs(t, err, &refused)
			assert.Len(t, refused.Links, 16)
			assert.Less(t, len(mustJSON(t, refused)), 64<<10)
			assert.Len(t, refused.Body, len(body), "which is all of it")
		})
	}
}
