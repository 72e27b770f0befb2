package alipay_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/testpki"
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

func TestNilBizContentIsLeftOut(t *testing.T) {
	for _, content := range []any{nil, (*struct{})(nil), map[string]string(nil), json.RawMessage(nil), []byte(nil), (*json.RawMessage)(nil)} {
		order, err := orderClient(t, nil).SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", BizContent: content})
		require.NoError(t, err, "%T", content)
		assert.NotContains(t, order, "biz_content")
	}
}

// A browser reads the page of PageExecute as the charset says in which it is served,
// and turns references to some control characters into others.
func TestPageIsRightInWhateverCharsetItIsServed(t *testing.T) {
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

// syncAnswer is an answer of the old gateway that the official Java client was given,
// from testdata/vectors/sync_vectors.json.
type syncAnswer struct {
	Name       string            `json:"name"`
	Mode       string            `json:"mode"`
	Encrypted  bool              `json:"encrypted"`
	Status     int               `json:"http_status"`
	Headers    map[string]string `json:"http_headers"`
	Body       string            `json:"body"`
	BodyBase64 []byte            `json:"body_base64"`
	Download   string            `json:"download"`
	Java       string            `json:"java"`
	JavaSees   *struct {
		Success bool   `json:"is_success"`
		Code    string `json:"code"`
		SubCode string `json:"sub_code"`
		Reason  string `json:"reason"`
	} `json:"java_sees"`
}

const (
	preconsultMethod = "zhima.customer.jobworth.authentication.preconsult"
	vectorAESKey     = "AAECAwQFBgcICQoLDA0ODw=="
)

func syncAnswers(t testing.TB) (answers, overHTTP []syncAnswer) {
	var v struct{ Answers, HTTP []syncAnswer }
	require.NoError(t, json.Unmarshal([]byte(vector(t, "sync_vectors.json")), &v))
	require.Len(t, v.Answers, 60)
	require.Len(t, v.HTTP, 19)
	return v.Answers, v.HTTP
}

// playing answers calls as a vector says, and downloads of a certificate, too.
func playing(t testing.TB, v syncAnswer) *server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		body := v.BodyBase64
		if body == nil {
			body = []byte(v.Body)
		}
		if r.URL.Query().Get("method") == "alipay.open.app.alipaycert.download" {
			body = []byte(`{"alipay_open_app_alipaycert_download_response":{"code":"40004","msg":"Business Failed","sub_code":"isv.alipay-cert-not-exist"}}`)
			if v.Download == "app" {
				intermediate := vector(t, "alipay_public_cert.crt")[strings.LastIndex(vector(t, "alipay_public_cert.crt"), "-----BEGIN"):]
				certificateAnswer(vector(t, "app_public_cert.crt")+"\n"+intermediate)(w, r)
				return
			}
		}
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		w.Header().Set("trace_id", "old-trace")
		for name, value := range v.Headers {
			w.Header().Set(name, value)
		}
		if strings.Contains(v.Name, "shorter than Content-Length") {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)+100))
		}
		w.WriteHeader(cmp.Or(v.Status, 200))
		_, _ = w.Write(body)
	})
}

func syncClient(t testing.TB, v syncAnswer, baseURL string) *alipay.Client {
	config := testConfig(t, baseURL)
	if v.Mode == "cert" {
		config = vectorCertConfig(t)
		config.BaseURL = baseURL
	}
	if v.Encrypted {
		config.EncryptKey = vectorAESKey
	}
	return clientOf(t, config, alipay.WithClock(atVectorTime), soon)
}

// syncWant is what is made of an answer where that is not what Java makes of it.
// kept says whether it carries a signature, so that it is not thrown away.
type syncWant struct {
	code     alipay.ErrorCode // of a refusal
	verified bool             // the refusal
	is       error            // why it is not accepted
	kept     bool
	reason   string // of a success
}

var syncWants = map[string]syncWant{
	// Java must not be followed, or is not as lenient as the rule of the protocol.
	`key: \u escapes`: {reason: "A中文中"},
	"key: the member's name in a string value before the node": {},
	"key: the member's name in a string value after the node":  {},
	"key: failure without sub_code, unsigned":                  {code: "40004"},
	"key: failure without sub_code, signed":                    {code: "40004", verified: true},
	"key: code 10000 with a sub_code, unsigned":                {is: alipay.ErrResponseUnsigned},
	"key: empty node": {is: alipay.ErrOutcomeUnknown, kept: true},
	"key: node of another method, unsigned failure":                                              {is: alipay.ErrResponseUnsigned},
	"key: the node a second time with an escape in its name":                                     {is: protocol.ErrMemberTwice, kept: true},
	"key: another object besides the node, failure hidden":                                       {reason: "USER_NOT_AUTHORIZE"},
	"cert: success without alipay_cert_sn":                                                       {},
	"cert: failure without alipay_cert_sn, wrong sign":                                           {is: alipay.ErrResponseSignature, kept: true},
	`cert: \/ in the node, the signature is over the text with / instead`:                        {reason: "see https://open.alipay.com/x"},
	"cert: unknown certificate, failure without sign, download refused":                          {code: "TOKEN_INVALID"},
	"encrypted call, plain success, signed":                                                      {},
	"encrypted call, plain failure, unsigned":                                                    {code: "isv.invalid-app-id"},
	"encrypted: one space between colon and string":                                              {},
	"http: charset=GBK, body in GBK, signature over UTF-8 bytes":                                 {is: alipay.ErrResponseAltered, kept: true}, // there is no table of GBK here
	"http: charset=GBK, body in GBK, signature over GBK bytes":                                   {reason: "\ufffd"},
	"http: body in GBK, no charset named":                                                        {reason: "\ufffd"},
	"http: charset in quotes":                                                                    {},
	"http: status 201":                                                                           {is: alipay.ErrOutcomeUnknown, kept: true},
	"http: status 202":                                                                           {is: alipay.ErrOutcomeUnknown, kept: true},
	"http: status 302 to another path that answers":                                              {is: alipay.ErrRedirect},
	"http: status 307 to another path that answers":                                              {is: alipay.ErrRedirect},
	"http: gzip though not asked for":                                                            {}, // it is asked for here
	"encrypted call, plain failure, signed (as the real gateway answers what it cannot decrypt)": {code: "isv.decryption-error-unknown", verified: true},
	"cert: answer names the merchant's own application certificate and is signed by the application key; download gives that certificate": {
		is: alipay.ErrUnknownCertificate, kept: true},

	// Java refuses, and so does this library: why.
	"key: white space in the node, but the signature is over the compact form": {is: alipay.ErrResponseAltered, kept: true},
	`key: / in the node, the signature is over the text with \/ instead`:       {is: alipay.ErrResponseAltered, kept: true},
	"key: success without sign":                                  {is: alipay.ErrResponseUnsigned},
	"key: success, sign made by another key":                     {is: alipay.ErrResponseSignature, kept: true},
	"key: success, sign only inside the node":                    {is: alipay.ErrResponseUnsigned},
	"key: business failure, wrong sign":                          {is: alipay.ErrResponseAltered, kept: true},
	"key: node of another method, signed":                        {is: protocol.ErrNoNode, kept: true},
	"key: the node twice":                                        {is: protocol.ErrMemberTwice, kept: true},
	"key: text after the answer":                                 {is: alipay.ErrOutcomeUnknown, kept: true},
	"cert: success, known certificate, wrong sign":               {is: alipay.ErrResponseAltered, kept: true},
	"cert: success, known certificate, no sign":                  {is: alipay.ErrResponseUnsigned},
	"cert: unknown certificate, download refused by the gateway": {is: alipay.ErrUnknownCertificate, kept: true},
	"encrypted: signature over the base64 without quotes":        {is: alipay.ErrResponseAltered, kept: true},
	"encrypted: signature over the plain text":                   {is: alipay.ErrResponseAltered, kept: true},
	"encrypted: success without sign":                            {is: alipay.ErrResponseUnsigned},
	"http: 200 with HTML":                                        {is: alipay.ErrResponseUnsigned},
	"http: 200 with an empty body":                               {is: alipay.ErrResponseUnsigned},
	"http: status 204 without body":                              {is: alipay.ErrResponseUnsigned},
	"http: status 308 to another path that answers":              {is: alipay.ErrRedirect},
	"http: status 400 with a valid signed body":                  {is: alipay.ErrOutcomeUnknown, kept: true},
	"http: status 502 with a valid signed body":                  {is: alipay.ErrOutcomeUnknown, kept: true},
	"http: status 500 without body":                              {is: alipay.ErrOutcomeUnknown},
}

// Every answer that the official Java client was given, in both modes and encrypted,
// and every variation of HTTP, through a real server.
func TestOldGatewayAnswersAreAcceptedAsTheVectorsSay(t *testing.T) {
	t.Parallel()
	answers, overHTTP := syncAnswers(t)
	for _, v := range append(answers, overHTTP...) {
		t.Run(v.Name, func(t *testing.T) {
			want, listed := syncWants[v.Name]
			if !listed {
				require.Equal(t, "accepted", v.Java)
				want.reason = v.JavaSees.Reason
				if !v.JavaSees.Success {
					want.code, want.verified = alipay.ErrorCode(v.JavaSees.SubCode), strings.Contains(v.Body, `"sign":"`) && !strings.Contains(v.Body, `"sign":""`)
				}
			}
			s := playing(t, v)
			client := syncClient(t, v, s.URL)
			var out struct {
				Code   any
				Reason any
			}
			resp, err := client.Execute(t.Context(), &alipay.ExecuteRequest{Method: preconsultMethod, BizContent: map[string]string{"once_token": testToken}}, &out)
			var refused *alipay.APIError
			var failed *alipay.CallError
			switch {
			case want.is != nil && errors.As(err, &refused): // an error answer without a signature
				require.ErrorIs(t, err, want.is)
			case want.is != nil:
				require.ErrorAs(t, err, &failed)
				require.ErrorIs(t, err, want.is)
				require.Equal(t, alipay.OutcomeUnknown, alipay.OutcomeOf(err))
				assert.Equal(t, want.kept, failed.Answer != nil, "kept")
				assert.Equal(t, []string{"POST", "/gateway.do"}, []string{failed.Method, failed.Path})
			case want.code != "":
				require.ErrorAs(t, err, &refused)
				assert.Equal(t, want.code, refused.Code)
				assert.Equal(t, want.verified, refused.Verified)
				assert.Equal(t, alipay.OutcomeOf(alipay.ErrorCode(want.code)), alipay.OutcomeOf(err))
				assert.Equal(t, "old-trace", refused.TraceID)
				assert.NotContains(t, string(refused.Body), `"sign"`, "the node")
			default:
				require.NoError(t, err)
				if want.reason != "" {
					assert.Contains(t, fmt.Sprint(out.Reason), want.reason)
				}
				assert.True(t, bytes.HasPrefix(resp.Body, []byte("{")) && !bytes.Contains(resp.Body, []byte(`"sign"`)), "the node, decrypted")
				assert.Equal(t, "old-trace", resp.TraceID)
			}
			assert.EqualValues(t, map[bool]int{true: 2, false: 1}[v.Download != "" && !strings.Contains(v.Name, "failure without sign")], s.requests.Load(), "requests")
			if err != nil {
				assert.Zero(t, out)
			}

			// The typed method differs in one thing: any 2xx will do.
			typed, err := client.ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), &alipay.PreconsultParams{OnceToken: testToken})
			switch {
			case strings.HasPrefix(v.Name, "http: status 20") && v.Body != "", err == nil:
				require.NoError(t, err)
				assert.NotContains(t, string(typed.Meta.Body), "forged")
			default:
				require.Equal(t, want.code != "", errors.As(err, &refused) && want.is == nil, err)
			}
		})
	}
}

// Requests as the official Java client sends them, made anew from what they ask for.
func TestOldGatewayRequestsAreThoseOfTheVectors(t *testing.T) {
	var v struct {
		Requests []struct {
			Name, Mode, Query, Body string
			Encrypted               bool
			BizContent              string `json:"biz_content"`
			BizContentPlain         string `json:"biz_content_plain"`
			StringSigned            string `json:"string_signed"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(vector(t, "sync_requests.json")), &v))
	require.Len(t, v.Requests, 12)
	for _, r := range v.Requests {
		theirs := parseForm(t, r.Query+"&"+r.Body)
		var query, body url.Values
		var header http.Header
		s := serve(t, func(w http.ResponseWriter, req *http.Request) {
			content, _ := io.ReadAll(req.Body)
			assert.Equal(t, []string{"POST", "/prefix/gateway.do"}, []string{req.Method, req.URL.Path})
			query, body, header = req.URL.Query(), parseForm(t, string(content)), req.Header
			oldAnswer(t, 200, theirs.Get("method"), `{"code":"10000","x":1}`)(w, req)
		})
		config := testConfig(t, s.URL+"/prefix")
		if r.Mode == "cert" {
			config = vectorCertConfig(t)
			config.BaseURL = s.URL + "/prefix"
		}
		if r.Encrypted {
			config.EncryptKey = vectorAESKey
		}
		request := &alipay.ExecuteRequest{
			Method: theirs.Get("method"), NotifyURL: theirs.Get("notify_url"), ReturnURL: theirs.Get("return_url"), Params: map[string]string{},
		}
		if content := cmp.Or(r.BizContentPlain, r.BizContent); content != "" {
			request.BizContent = content
		}
		for name := range theirs {
			if slices.Contains([]string{"auth_token", "target_app_id", "prod_code", "terminal_type", "terminal_info", "extra_one"}, name) {
				request.Params[name] = theirs.Get(name)
			}
		}
		var opts []alipay.RequestOption
		if token := theirs.Get("app_auth_token"); strings.Contains(token, " ") {
			theirs.Set("app_auth_token", strings.ReplaceAll(token, " ", "")) // which is refused here
			opts = append(opts, alipay.WithAppAuthToken(theirs.Get("app_auth_token")))
		} else {
			request.AppAuthToken = token
		}
		_, err := clientOf(t, config, alipay.WithClock(atVectorTime)).Execute(t.Context(), request, nil, opts...)
		require.NoError(t, err, r.Name)

		ours := maps.Clone(query)
		maps.Copy(ours, body)
		assert.Len(t, ours, len(query)+len(body), "each stands once")
		params, err := protocol.OldParameters(ours)
		require.NoError(t, err)
		assert.NoError(t, protocol.Verify(&appKey(t).PublicKey, protocol.OldContent(params, "sign"), params["sign"]), r.Name)
		for name := range theirs {
			switch name {
			case "sign", "timestamp", "alipay_sdk":
				assert.NotEmpty(t, ours.Get(name))
			case "biz_content":
				if r.Encrypted {
					assert.Equal(t, theirs.Get(name), ours.Get(name), "the same ciphertext")
				} else {
					assert.JSONEq(t, theirs.Get(name), ours.Get(name))
				}
			default:
				assert.Equal(t, theirs[name], ours[name], "%s: %s", r.Name, name)
			}
		}
		assert.Len(t, ours, len(theirs), r.Name)
		assert.Equal(t, []bool{false, false}, []bool{query.Has("biz_content"), query.Has("app_auth_token")}, "proxies log the URL")
		for name := range body {
			assert.True(t, name == "biz_content" || name == "app_auth_token" || request.Params[name] != "", "%s is in the body", name)
		}
		assert.Equal(t, "application/x-www-form-urlencoded;charset=UTF-8", header.Get("Content-Type"))
		for name := range header {
			assert.False(t, strings.HasPrefix(name, "Alipay-") && name != "Alipay-Request-Id", name)
		}
		assert.Empty(t, header.Get("Authorization"))
	}
}

// The old gateway's refusals are told apart by code and sub_code, whatever prefix the
// latter has.
func TestOldGatewayRefusalMeansWhatItsCodesSay(t *testing.T) {
	t.Parallel()
	for node, want := range map[string]struct {
		code    alipay.ErrorCode
		is      error // beside the code
		outcome alipay.Outcome
		sent    int64
		message string
	}{
		`{"code":"40004","sub_code":"TOKEN_INVALID","sub_msg":"s","msg":"m"}`: {"TOKEN_INVALID", alipay.CodeTokenInvalid, alipay.OutcomeRejected, 1, "s"},
		`{"code":"40002","sub_code":"isv.invalid-app-id","msg":"m"}`:          {"isv.invalid-app-id", alipay.CodeInvalidAppID, alipay.OutcomeRejected, 1, "m"},
		`{"code":"40004","sub_code":"aop.TOKEN_INVALID"}`:                     {"aop.TOKEN_INVALID", alipay.CodeTokenInvalid, alipay.OutcomeRejected, 1, ""},
		`{"code":"20001","sub_code":"aop.invalid-auth-token"}`:                {"aop.invalid-auth-token", alipay.ErrorCode("invalid-auth-token"), alipay.OutcomeRejected, 1, ""},
		`{"code":"20000","sub_code":"isp.unknow-error"}`:                      {"isp.unknow-error", alipay.CodeUnknowError, alipay.OutcomeUnknown, 1, ""},
		`{"code":"20000","sub_code":"aop.ACQ.SYSTEM_ERROR"}`:                  {"aop.ACQ.SYSTEM_ERROR", nil, alipay.OutcomeUnknown, 1, ""},
		`{"code":"20000","sub_code":"X"}`:                                     {"X", nil, alipay.OutcomeUnknown, 1, ""},
		`{"code":20000}`:                                                      {"20000", nil, alipay.OutcomeUnknown, 1, ""},
		`{"code":"40004","sub_code":"SYSTEM_ERROR"}`:                          {"SYSTEM_ERROR", alipay.CodeSystemError, alipay.OutcomeUnknown, 1, ""},
		`{"code":"40004","sub_code":"isv.UNKNOW_SYSTEM_ERROR"}`:               {"isv.UNKNOW_SYSTEM_ERROR", nil, alipay.OutcomeUnknown, 1, ""},
		`{"code":"40005","sub_code":"isv.app-call-limited"}`:                  {"isv.app-call-limited", alipay.CodeAppCallLimited, alipay.OutcomeNotDelivered, 3, ""},
		`{"code":"40005","msg":"Call Limited"}`:                               {"40005", nil, alipay.OutcomeNotDelivered, 3, "Call Limited"},
		`{"code":"40004","sub_code":"isv.method-call-limited"}`:               {"isv.method-call-limited", alipay.CodeMethodCallLimited, alipay.OutcomeNotDelivered, 3, ""},
		`{"code":"10000","sub_code":"X"}`:                                     {"X", nil, alipay.OutcomeRejected, 1, ""},
		`{"sub_code":"10000","x":1}`:                                          {"10000", nil, alipay.OutcomeRejected, 1, ""},
		`{"code":"40006","sub_code":" "}`:                                     {"40006", nil, alipay.OutcomeRejected, 1, ""},
	} {
		for _, signed := range []bool{true, false} {
			body := oldSigned(t, "m.n", node)
			if !signed {
				body = `{"m_n_response":` + node + `}`
			}
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
			_, err := newClient(t, s.URL, soon).Execute(t.Context(), &alipay.ExecuteRequest{Method: "m.n"}, nil)
			if !signed && strings.Contains(node, `"code":"10000"`) {
				require.ErrorIs(t, err, alipay.ErrResponseUnsigned, node)
				continue
			}
			var refused *alipay.APIError
			require.ErrorAs(t, err, &refused, node)
			assert.Equal(t, want.code, refused.Code)
			assert.Equal(t, signed, refused.Verified)
			assert.Equal(t, want.message, refused.Message)
			assert.ErrorIs(t, err, want.code)
			if want.is != nil {
				assert.ErrorIs(t, err, want.is, node)
			}
			assert.Equal(t, want.outcome, alipay.OutcomeOf(err), node)
			assert.Equal(t, want.sent, s.requests.Load(), node)
			assert.Equal(t, node, string(refused.Body))
		}
	}
	assert.NotErrorIs(t, &alipay.APIError{Code: "invalid-app-id"}, alipay.ErrorCode("isv.invalid-app-id"))
	assert.True(t, alipay.ErrorCode("isv.invalid-app-id").Known())
	assert.False(t, alipay.ErrorCode("isv.x").Known())
	assert.Equal(t, (&alipay.APIError{Code: alipay.CodeInvalidAppID}).Hint(), (&alipay.APIError{Code: "isv.invalid-app-id"}).Hint())
	broken := newClient(t, serve(t, unsigned(502, "<html>")).URL)
	_, err := broken.Execute(t.Context(), &alipay.ExecuteRequest{Method: "m.n"}, nil)
	refused, ok := errors.AsType[*alipay.APIError](err)
	require.True(t, ok)
	assert.Equal(t, (&alipay.APIError{StatusCode: 502}).Hint(), refused.Hint())
	assert.Equal(t, (&alipay.APIError{Code: alipay.CodeInvalidAppID}).HintZH(), (&alipay.APIError{Code: "isv.invalid-app-id"}).HintZH())
}

// A success is one by its code, or by a member of its own where there is no code.
func TestOldGatewaySuccessNeedsTheMethodsOwnNode(t *testing.T) {
	for node, accepted := range map[string]bool{
		`{"code":"10000"}`: true, `{"code":10000,"msg":"Success"}`: true, `{"x":1}`: true, `{"message":"x"}`: true, `{"code":"","sub_code":null,"x":null}`: true,
		`{}`: false, `{"msg":"Success"}`: false, `{"code":null,"sub_msg":"x"}`: false,
	} {
		s := serve(t, oldAnswer(t, 200, "m.n", node))
		var out map[string]any
		resp, err := newClient(t, s.URL).Execute(t.Context(), &alipay.ExecuteRequest{Method: "m.n"}, &out)
		require.Equal(t, accepted, err == nil, node)
		if err != nil {
			assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			assert.NotNil(t, sealedIn(err), node)
			assert.Nil(t, out)
			continue
		}
		assert.Equal(t, node, string(resp.Body))
		assert.NotEmpty(t, out)
	}
	// error_response is never one.
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Replace(oldSigned(t, "m.n", `{"code":"10000","x":1}`), "m_n_response", "error_response", 1))
	})
	_, err := newClient(t, s.URL).Execute(t.Context(), &alipay.ExecuteRequest{Method: "m.n"}, nil)
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.NotNil(t, sealedIn(err))
}

// At most one delivery, also of an old gateway's call: a lost answer is not asked for
// again, and only an unsigned refusal for load is.
func TestExecuteIsDeliveredAtMostOnce(t *testing.T) {
	t.Parallel()
	const ok = `{"code":"10000","x":1}`
	for name, tt := range map[string]struct {
		first   http.HandlerFunc
		outcome alipay.Outcome // of the whole call, when every further answer is a success
		sent    int64
	}{
		"hung up":               {hangUp, alipay.OutcomeUnknown, 1},
		"500":                   {unsigned(500, ""), alipay.OutcomeUnknown, 1},
		"408":                   {unsigned(408, ""), alipay.OutcomeUnknown, 1},
		"404":                   {unsigned(404, "<html>"), alipay.OutcomeRejected, 1},
		"429":                   {unsigned(429, "slow down"), alipay.OutcomeSuccess, 2},
		"429, signed success":   {oldAnswer(t, 429, "m.n", ok), alipay.OutcomeUnknown, 1},
		"429, signed refusal":   {oldAnswer(t, 429, "m.n", `{"code":"40005"}`), alipay.OutcomeUnknown, 1},
		"400, unsigned refusal": {unsigned(400, `{"m_n_response":{"code":"40005"}}`), alipay.OutcomeSuccess, 2},
		"201, signed refusal":   {oldAnswer(t, 201, "m.n", `{"code":"40005"}`), alipay.OutcomeUnknown, 1},
		"201, unsigned refusal": {unsigned(201, `{"m_n_response":{"code":"40005"}}`), alipay.OutcomeUnknown, 1},
		"a code in no node":     {unsigned(200, `{"code":"40005"}`), alipay.OutcomeUnknown, 1},
		"303":                   {redirect(303), alipay.OutcomeUnknown, 1},
	} {
		s := script(t, tt.first, oldAnswer(t, 200, "m.n", ok))
		_, err := newClient(t, s.URL, soon).Execute(t.Context(), &alipay.ExecuteRequest{Method: "m.n"}, nil)
		assert.Equal(t, tt.outcome, alipay.OutcomeOf(err), "%s: %v", name, err)
		assert.Equal(t, tt.sent, s.requests.Load(), name)
	}
}

// What the old gateway signed is kept like any other answer, and its stored form says
// what it answers.
func TestOldGatewayAnswerIsKeptAndOpened(t *testing.T) {
	const node = `{"code":"10000","pre_check_success":true,"reason":"r","out_agreement_no":"` + testConnKey + `"}`
	s := serve(t, oldAnswer(t, 200, preconsultMethod, node))
	wrong := testConfig(t, s.URL)
	wrong.AlipayPublicKey = testpki.SPKI(rsaKey(t, "alipaytest/testkeys/foreign_private_key.pem").Public())
	_, err := clientOf(t, wrong).ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), &alipay.PreconsultParams{OutAgreementNo: testConnKey, OnceToken: testToken})
	require.ErrorIs(t, err, alipay.ErrResponseSignature)
	kept := stored(t, sealedIn(err))

	client := newClient(t, s.URL)
	opened := new(alipay.PreconsultResponse)
	resp, err := client.Open(kept, opened)
	require.NoError(t, err)
	assert.True(t, opened.PreCheckSuccess)
	assert.Equal(t, node, string(resp.Body))
	var generic map[string]any
	_, err = client.Open(kept, &generic)
	require.NoError(t, err)
	assert.Equal(t, "r", generic["reason"])

	for _, other := range []any{new(alipay.QueryResponse), new(alipay.CreditAgreementQueryResponse), new(alipay.CreditAgreementUnsignResponse)} {
		_, err = client.Open(kept, other)
		require.ErrorIs(t, err, alipay.ErrResponseMismatch, "%T", other)
	}
	_, err = client.Open(stored(t, oneSealed(t)), new(alipay.PreconsultResponse))
	require.ErrorIs(t, err, alipay.ErrResponseMismatch)

	// Asked about another agreement.
	_, err = clientOf(t, wrong).ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), &alipay.PreconsultParams{OutAgreementNo: "other", OnceToken: testToken})
	kept = stored(t, sealedIn(err))
	_, err = client.Open(kept, opened)
	require.ErrorIs(t, err, alipay.ErrResponseMismatch)
	_, err = client.Open(kept, opened, alipay.WithoutUserCheck())
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Preconsult(t.Context(), &alipay.PreconsultParams{OutAgreementNo: "other"})
	require.ErrorIs(t, err, alipay.ErrResponseMismatch)
}

// What cannot be decrypted is kept, whatever the status, which is not signed.
func TestUndecryptableOldGatewayAnswerIsKept(t *testing.T) {
	cipher, err := aescbc.New(newAESKey)
	require.NoError(t, err)
	for _, status := range []int{200, 400} {
		s := serve(t, oldAnswer(t, status, "m.n", mustJSON(t, string(cipher.Encrypt([]byte(`{"code":"10000"}`))))))
		for _, key := range []string{"", oldAESKey} {
			config := testConfig(t, s.URL)
			config.EncryptKey = key
			_, err := clientOf(t, config).Execute(t.Context(), &alipay.ExecuteRequest{Method: "m.n"}, nil)
			require.ErrorIs(t, err, alipay.ErrDecrypt)
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			config.EncryptKey = newAESKey
			_, err = clientOf(t, config).Open(stored(t, sealedIn(err)), nil)
			assert.Equal(t, status == 200, err == nil, "%v", err)
		}
	}
}

// For whom a call acts: the config, then the defaults, then the request, then the
// call's own option win, each over the one before.
func TestMostSpecificAppAuthTokenWins(t *testing.T) {
	var got url.Values
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got = r.Form
		oldAnswer(t, 200, "m.n", `{"code":"10000"}`)(w, r)
	})
	config := testConfig(t, s.URL)
	config.AppAuthToken = "of-config"
	defaults := alipay.WithRequestDefaults(alipay.WithAppAuthToken("of-defaults"), alipay.WithQueryParam("further", "1"))
	for _, tt := range []struct {
		opts    []alipay.Option
		request string
		call    []alipay.RequestOption
		want    string
	}{
		{nil, "", nil, "of-config"},
		{[]alipay.Option{defaults}, "", nil, "of-defaults"},
		{[]alipay.Option{defaults}, "of-request", nil, "of-request"},
		{[]alipay.Option{defaults}, "of-request", []alipay.RequestOption{alipay.WithAppAuthToken("of-call")}, "of-call"},
		{[]alipay.Option{defaults}, "of-request", []alipay.RequestOption{alipay.WithAppAuthToken("")}, ""},
		{nil, "of-request", nil, "of-request"},
	} {
		client := clientOf(t, config, tt.opts...)
		request := &alipay.ExecuteRequest{Method: "m.n", AppAuthToken: tt.request}
		_, err := client.Execute(t.Context(), request, nil, tt.call...)
		require.NoError(t, err)
		assert.Equal(t, tt.want, got.Get("app_auth_token"))
		assert.Equal(t, tt.opts != nil, got.Get("further") == "1")
		if tt.call == nil {
			order, err := client.SDKExecute(t.Context(), request)
			require.NoError(t, err)
			assert.Equal(t, tt.want, openOrder(t, order)["app_auth_token"])
		}
	}
	_, err := clientOf(t, config).Execute(t.Context(), &alipay.ExecuteRequest{Method: "m.n"}, nil, alipay.WithQueryParam("sign", "x"))
	assertArgument(t, err, "WithQueryParam")
}

// What an ExecuteRequest may carry is the same in all three, and checked before
// anything is sent.
func TestExecuteRefusesWhatSDKExecuteRefuses(t *testing.T) {
	s := serve(t, oldAnswer(t, 200, "m.n", `{"code":"10000"}`))
	client := newClient(t, s.URL)
	for argument, req := range map[string]*alipay.ExecuteRequest{
		"ExecuteRequest": nil, "ExecuteRequest.Method": {}, "ExecuteRequest.BizContent": {Method: "m.n", BizContent: 1},
		"ExecuteRequest.Params": {Method: "m.n", Params: map[string]string{"sign": "x"}}, "ExecuteRequest.NotifyURL": {Method: "m.n", NotifyURL: "javascript:x"},
		"ExecuteRequest.ReturnURL": {Method: "m.n", ReturnURL: "data:x"}, "ExecuteRequest.AppAuthToken": {Method: "m.n", AppAuthToken: " "},
	} {
		_, err := client.Execute(t.Context(), req, nil)
		assertArgument(t, err, argument)
	}
	request := &alipay.ExecuteRequest{Method: "m.n"}
	_, err := client.Execute(noContext, request, nil)
	assertArgument(t, err, "ctx")
	_, err = client.Execute(t.Context(), request, 1)
	assertArgument(t, err, "out")
	_, err = (*alipay.Client)(nil).Execute(t.Context(), request, nil)
	assertArgument(t, err, "Client")
	_, err = client.Execute(t.Context(), request, nil, alipay.WithHeader("Authorization", "x"))
	assertArgument(t, err, "WithHeader")
	assert.Zero(t, s.requests.Load())
}

// Nothing personal of a call to the old gateway shows in its errors.
func TestOldGatewayErrorsDoNotShowWhatWasSent(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		node := mustJSON(t, map[string]string{"code": "40004", "sub_code": "isv." + testConnKey, "sub_msg": "sent: " + r.Form.Get("biz_content") + r.Form.Get("app_auth_token") + r.Form.Get("further") + r.Form.Get("sign")})
		w.Header().Set("trace_id", testUserID)
		_, _ = io.WriteString(w, oldSigned(t, "m.n", node))
	})
	_, err := newClient(t, s.URL).Execute(t.Context(), &alipay.ExecuteRequest{
		Method: "m.n", BizContent: map[string]string{"cert_no": testCertNo, "conn": testConnKey, "user_id": testUserID, "once_token": testToken},
		AppAuthToken: testAuthTok, Params: map[string]string{"further": testOpenID},
	}, nil)
	var refused *alipay.APIError
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Message, "cert_no", "names are not masked")
	assertKeepsSecret(t, printed(err), testCertNo, testToken, testConnKey, testAuthTok, testUserID, testOpenID)
}

// What was done to an answer on its way is undone where the signature proves it, and
// told once.
func TestDamageToAnOldGatewayAnswerIsUndone(t *testing.T) {
	const node = `{"code":"10000","x":"1"}`
	good := oldSigned(t, "m.n", node)
	_, sign, _ := strings.Cut(good, `"sign":"`)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, good)
	_ = w.Close()
	for damage, body := range map[string]string{
		"compression": packed.String(), "a byte order mark": "\ufeff" + good, "blanks in the signature": strings.Replace(good, sign, sign[:8]+" "+sign[8:], 1),
		"": strings.TrimSuffix(good, "}"), // broken off
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "x-gzip")
			w.Header().Set("Content-Length", fmt.Sprint(len(body)+1))
			_, _ = io.WriteString(w, body)
		})
		var log lockedBuffer
		client := newClient(t, s.URL, logTo(&log))
		for range 2 {
			resp, err := client.Execute(t.Context(), &alipay.ExecuteRequest{Method: "m.n"}, nil)
			require.NoError(t, err, damage)
			assert.Equal(t, node, string(resp.Body))
		}
		assert.Equal(t, map[bool]int{true: 1, false: 0}[damage != ""], strings.Count(log.String(), "an answer was changed on its way"), log.String())
		assert.Contains(t, log.String(), damage)
	}
}

// FuzzExecute: whatever comes, only what Alipay has signed is a success.
func FuzzExecute(f *testing.F) {
	answers, _ := syncAnswers(f)
	for _, v := range answers[:36] {
		f.Add(200, []byte(v.Body))
	}
	var status int
	var body []byte
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: -1, Header: http.Header{}}, nil
	})
	client := newClient(f, "https://gateway.example", alipay.WithHTTPClient(&http.Client{Transport: base}), once)
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		status, body = 100+s%500, b
		var out map[string]any
		resp, err := client.Execute(t.Context(), &alipay.ExecuteRequest{Method: preconsultMethod}, &out)
		if err != nil {
			assert.Nil(t, out)
			assert.NotEqual(t, alipay.OutcomeSuccess, alipay.OutcomeOf(err))
			return
		}
		assert.Equal(t, 200, status)
		assert.Contains(t, string(b), string(resp.Body))
	})
}
