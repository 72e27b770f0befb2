package alipaytest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// oldGot is an answer of the old gateway, taken apart by hand.
type oldGot struct {
	*http.Response
	raw, name, node, sn, sign string
	plain                     string // the node, decrypted
	code, subCode             string
	members                   map[string]any
}

// signedBy reports whether key has signed the node as it stands.
func (a oldGot) verifies() bool {
	key := keys().alipay
	if a.sn == keys().alipayNextSN {
		key = keys().alipayNext
	}
	return holds(key, a.node, a.sign)
}

func postOld(t testing.TB, g *Gateway, target, body string) oldGot {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, g.BaseURL()+target, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	response, err := g.HTTPClient().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return readOld(t, g, response, string(text))
}

func readOld(t testing.TB, g *Gateway, response *http.Response, text string) oldGot {
	a := oldGot{Response: response, raw: text}
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &members), "%s", text)
	for name, value := range members {
		switch name {
		case "sign":
			require.NoError(t, json.Unmarshal(value, &a.sign))
		case "alipay_cert_sn":
			require.NoError(t, json.Unmarshal(value, &a.sn))
		default:
			require.Empty(t, a.name, "one node")
			a.name, a.node = name, string(value)
		}
	}
	a.plain = a.node
	if strings.HasPrefix(a.node, `"`) {
		plain, err := g.cipher.Decrypt([]byte(strings.Trim(a.node, `"`)))
		require.NoError(t, err)
		a.plain = string(plain)
	}
	require.NoError(t, json.Unmarshal([]byte(a.plain), &a.members), "%s", a.plain)
	a.code, _ = a.members["code"].(string)
	a.subCode, _ = a.members["sub_code"].(string)
	return a
}

// execute makes a call as Java does: biz_content and app_auth_token in the body,
// the rest in the query.
func execute(t testing.TB, g *Gateway, m merchant) oldGot {
	query, body := m.form(), url.Values{}
	for _, name := range []string{"biz_content", "app_auth_token"} {
		if values, ok := query[name]; ok {
			body[name] = values
			query.Del(name)
		}
	}
	return postOld(t, g, "/gateway.do?"+query.Encode(), body.Encode())
}

func preconsultCall(biz string, pairs ...string) merchant {
	return order(biz, append([]string{"method", preconsultMethod}, pairs...)...)
}

const fiveParameters = `{"out_agreement_no":"A1","once_token":"t","identity_type":"04","query_type":"exact","zm_service_id":"2"}`

// The official Java client's requests, with the kit's key in the place of theirs.
func TestRequestsAsTheJavaClientSendsThemAreAnswered(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../testdata/vectors/sync_requests.json")
	require.NoError(t, err)
	var vectors struct {
		Requests []struct {
			Name, Mode, Query, Body, Sign, Timestamp string
			Encrypted                                bool
			Biz                                      string `json:"biz_content"`
			Plain                                    string `json:"biz_content_plain"`
			Signed                                   string `json:"string_signed"`
		}
	}
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.Len(t, vectors.Requests, 12)
	for _, v := range vectors.Requests {
		at, err := protocol.ParseOldTime(v.Timestamp)
		require.NoError(t, err)
		clock := func() time.Time { return at.Add(5 * time.Second) }
		g := NewGateway(t, WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="), WithClock(clock))
		query, err := url.ParseQuery(v.Query)
		require.NoError(t, err)
		signed := v.Signed
		if v.Mode == "cert" {
			signed = strings.ReplaceAll(signed, query.Get("app_cert_sn"), keys().appSN)
			signed = strings.ReplaceAll(signed, query.Get("alipay_root_cert_sn"), keys().rootSN)
		}
		target := strings.ReplaceAll(v.Query, url.QueryEscape(v.Sign), url.QueryEscape(signWith(keys().app, signed)))
		if v.Mode == "cert" {
			target = strings.ReplaceAll(target, query.Get("app_cert_sn"), keys().appSN)
			target = strings.ReplaceAll(target, query.Get("alipay_root_cert_sn"), keys().rootSN)
		}
		answer := postOld(t, g, "/gateway.do?"+target, v.Body)

		received := g.Requests()[0]
		assert.True(t, received.Verified, "%s: %s", v.Name, received.Diagnosis)
		assert.Equal(t, signed, received.StringToSign(), v.Name)
		assert.Equal(t, signed, received.SignedString(), v.Name)
		assert.True(t, answer.verifies(), v.Name)
		assert.Equal(t, v.Mode == "cert", answer.sn != "", v.Name)
		assert.Equal(t, v.Encrypted, answer.node[0] == '"', v.Name)
		assert.Equal(t, strings.ReplaceAll(query.Get("method"), ".", "_")+"_response", answer.name)
		switch {
		case strings.Contains(v.Name, "no biz_content"), strings.Contains(v.Name, "Chinese"): // its once_token is empty
			assert.Equal(t, "PARAM_ERROR", answer.subCode, v.Name)
		case strings.Contains(v.Name, "unsign"):
			assert.Equal(t, "CREDIT_AGREEMENT_NOT_EXIST", answer.subCode, v.Name)
		case strings.Contains(v.Name, "download"):
			assert.Equal(t, "isv.alipay-cert-not-exist", answer.subCode, v.Name)
		default:
			assert.Equal(t, "10000", answer.code, v.Name)
			assert.Equal(t, true, answer.members["pre_check_success"], v.Name)
		}
		if strings.Contains(v.Name, "app_auth_token") {
			assert.NotEmpty(t, received.AppAuthToken)
		}
	}
}

func TestPreconsultSaysWhatWasSet(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	assert.Equal(t, `{"code":"10000","msg":"Success","pre_check_success":true}`, execute(t, g, preconsultCall(fiveParameters)).plain)
	g.SetPreconsult("t", false, "USER_NOT_AUTHORIZE")
	for range 2 {
		assert.Equal(t, `{"code":"10000","msg":"Success","pre_check_success":false,"reason":"USER_NOT_AUTHORIZE"}`, execute(t, g, preconsultCall(fiveParameters)).plain)
	}
	g.SetPreconsult("t", true, "not shown")
	assert.Equal(t, `{"code":"10000","msg":"Success","pre_check_success":true}`, execute(t, g, preconsultCall(fiveParameters)).plain)
	assert.Zero(t, g.Deliveries("t"), "it spends nothing, and is no query")
	g.Reset()
	assert.Equal(t, true, execute(t, g, preconsultCall(fiveParameters)).members["pre_check_success"])

	a := execute(t, g, preconsultCall(`{"once_token":"t","identity_type":4,"zm_service_id":""}`))
	assert.Equal(t, "10000", a.code)
	requests := g.Requests()
	assert.Equal(t, []string{"out_agreement_no", "identity_type", "query_type", "zm_service_id"}, requests[len(requests)-1].Missing)
	assert.Empty(t, requests[0].Missing)
}

func TestUnsignMakesAnAgreementInvalid(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	address, _ := merchantServer(t, "success")
	g.SetMessagesTo(address)
	opened, err := g.OpenOrder(order(bizContent).String())
	require.NoError(t, err)
	unsign := func(biz string) oldGot { return execute(t, g, order(biz, "method", unsignMethod)) }
	assert.Equal(t, "INVALID_PARAMETER", unsign(`{"credit_agreement_id":7}`).subCode)
	assert.Equal(t, "CREDIT_AGREEMENT_NOT_EXIST", unsign(`{"credit_agreement_id":"ZMOP1"}`).subCode)
	opened.Agree()
	require.Len(t, settled(g), 1)
	biz := `{"credit_agreement_id":"` + opened.CreditAgreementID() + `"}`
	g.Inject(Drop.For(unsignMethod), 1)
	_, err = g.HTTPClient().PostForm(g.BaseURL()+"/gateway.do", order(biz, "method", unsignMethod).form())
	require.Error(t, err)
	require.Equal(t, "VALID", opened.Status(), "dropped before it acted")
	for range 2 {
		assert.Equal(t, `{"code":"10000","msg":"Success"}`, unsign(biz).plain)
		assert.Equal(t, "INVALID", opened.Status())
	}
	messages := settled(g)
	require.Len(t, messages, 2, "once each")
	assert.Contains(t, messages[1].Values.Get("biz_content"), `"agreement_status":"INVALID"`)
	opened.Agree()
	assert.Equal(t, "VALID", opened.Status())
}

func TestOtherMethodsAreHandled(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithEncryptKey(testKey))
	type trade struct {
		No string `json:"trade_no"`
	}
	var got json.RawMessage
	g.HandleMethod("alipay.trade.query", func(biz json.RawMessage) (any, error) {
		got = biz
		switch {
		case bytes.Contains(biz, []byte("missing")):
			return nil, fmt.Errorf("no such trade: %w", alipay.ErrorCode("ACQ.TRADE_NOT_EXIST"))
		case bytes.Contains(biz, []byte("system")):
			return nil, alipay.CodeSystemError
		case bytes.Contains(biz, []byte("throttled")):
			return nil, alipay.CodeAppCallLimited
		case bytes.Contains(biz, []byte("broken")):
			return nil, errors.New("the database is down")
		case bytes.Contains(biz, []byte("nothing")):
			return nil, nil
		}
		return trade{"1<"}, nil
	})
	call := func(biz string) oldGot {
		return execute(t, g, order(biz, "method", "alipay.trade.query"))
	}
	a := call(`{"a":"b"}`)
	assert.Equal(t, `{"code":"10000","msg":"Success","trade_no":"1<"}`, a.plain)
	assert.Equal(t, "alipay_trade_query_response", a.name)
	assert.JSONEq(t, `{"a":"b"}`, string(got))
	assert.Equal(t, "10000", call("").code)
	assert.JSONEq(t, `{}`, string(got), "no biz_content")
	assert.Equal(t, `{"code":"10000","msg":"Success"}`, call(`{"nothing":1}`).plain)
	assert.Equal(t, `{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST","sub_msg":"no such trade: ACQ.TRADE_NOT_EXIST"}`, call(`{"missing":1}`).plain)
	assert.Equal(t, `{"code":"20000","msg":"Service Currently Unavailable","sub_code":"SYSTEM_ERROR","sub_msg":"SYSTEM_ERROR"}`, call(`{"system":1}`).plain)
	assert.Equal(t, `{"code":"40005","msg":"Call Limited","sub_code":"isv.app-call-limited","sub_msg":"app-call-limited"}`, call(`{"throttled":1}`).plain)
	assert.Equal(t, `{"code":"20000","msg":"Service Currently Unavailable","sub_code":"isp.unknow-error","sub_msg":"the database is down"}`, call(`{"broken":1}`).plain)
	requests := g.Requests()
	assert.EqualValues(t, "isp.unknow-error", requests[len(requests)-1].Code)

	// A built-in method can be replaced, and then is what was given.
	g.HandleMethod(preconsultMethod, func(json.RawMessage) (any, error) { return map[string]bool{"pre_check_success": false}, nil })
	cipher, err := aescbc.New(testKey)
	require.NoError(t, err)
	encrypted := execute(t, g, preconsultCall(string(cipher.Encrypt([]byte(fiveParameters))), "encrypt_type", "AES"))
	assert.Equal(t, `{"code":"10000","msg":"Success","pre_check_success":false}`, encrypted.plain)
	assert.NotEqual(t, encrypted.plain, encrypted.node)
	assert.True(t, encrypted.verifies())

	assert.Panics(t, func() { yes([]int{1}) }, "no object has no members")
}

// Refusals are signed as the platform signs them: not before it knows the
// application; and when the signature of an encrypted call is wrong, encrypted and
// unsigned.
func TestRefusalsAreSignedAsThePlatformSignsThem(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithEncryptKey(testKey))
	for name, test := range map[string]struct {
		m                 merchant
		broken            bool
		subCode           string
		signed, encrypted bool
	}{
		"unknown application":   {m: preconsultCall(fiveParameters, "app_id", "2"), subCode: "isv.invalid-app-id"},
		"no application":        {m: preconsultCall(fiveParameters, "app_id", ""), subCode: "isv.missing-app-id"},
		"wrong signature":       {m: preconsultCall(fiveParameters), broken: true, subCode: "isv.invalid-signature", signed: true},
		"encrypted and wrong":   {m: preconsultCall("x", "encrypt_type", "AES"), broken: true, subCode: "isv.invalid-signature", encrypted: true},
		"cannot be decrypted":   {m: preconsultCall("x", "encrypt_type", "AES"), subCode: "isv.decryption-error-unknown", signed: true},
		"in certificate mode":   {m: preconsultCall(fiveParameters, "version", "2").certificates(), subCode: "isv.invalid-version", signed: true},
		"an unknown app's cert": {m: preconsultCall(fiveParameters, "app_cert_sn", "1", "alipay_root_cert_sn", "1"), subCode: "isv.app-cert-not-exist", signed: true},
	} {
		form := test.m.form()
		if test.broken {
			form.Set("sign", signWith(keys().app, "x"))
		}
		a := postOld(t, g, "/gateway.do", form.Encode())
		assert.Equal(t, test.subCode, a.subCode, name)
		assert.Equal(t, test.signed, a.sign != "", name)
		assert.Equal(t, test.signed, a.sign != "" && a.verifies(), name)
		assert.Equal(t, test.encrypted, a.node != a.plain, name)
		assert.Equal(t, name == "in certificate mode", a.sn != "", name)
		assert.Equal(t, "zhima_customer_jobworth_authentication_preconsult_response", a.name, name)
		assert.Equal(t, 200, a.StatusCode, name)
	}
}

// A refusal of the method's is encrypted like its answer, one of the gateway's not.
func TestAMethodsRefusalIsEncrypted(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithEncryptKey(testKey))
	m := preconsultCall(string(g.cipher.Encrypt([]byte(`{}`))), "encrypt_type", "AES")
	a := execute(t, g, m)
	assert.Equal(t, "PARAM_ERROR", a.subCode)
	assert.True(t, a.node != a.plain && a.verifies())
	g.Inject(BusinessError(400, alipay.CodeSystemError, ""), 1)
	a = execute(t, g, m)
	assert.Equal(t, "20000", a.code)
	assert.True(t, a.node != a.plain && a.verifies())
	g.Inject(GatewayError(400, alipay.CodeUnknowError, ""), 1)
	a = execute(t, g, m)
	assert.Equal(t, "20000", a.code)
	assert.True(t, a.node == a.plain && a.sign == "")
}

// The faults of the answer and of its signature are met at the old gateway as well.
func TestFaultsMeetTheOldGateway(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	for name, check := range map[string]func(a oldGot) bool{
		"missing signature":          func(a oldGot) bool { return a.sign == "" && a.code == "10000" },
		"null signature":             func(a oldGot) bool { return a.sign == "null" },
		"garbled signature":          func(a oldGot) bool { return strings.HasPrefix(a.sign, "!") },
		"wrong signature":            func(a oldGot) bool { return holds(keys().alipay, "{}", a.sign) },
		"foreign signature":          func(a oldGot) bool { return holds(keys().foreign, a.node, a.sign) },
		"altered body":               func(a oldGot) bool { return strings.HasPrefix(a.node, "{ ") && !a.verifies() },
		"unknown alipay-sn":          func(a oldGot) bool { return strings.Trim(a.sn, "0") == "" && a.verifies() },
		"missing alipay-sn":          func(a oldGot) bool { return a.sn == "" && a.verifies() },
		"timestamp off by -1h0m0s":   func(a oldGot) bool { return a.verifies() },
		"201 signed":                 func(a oldGot) bool { return a.StatusCode == 201 && a.verifies() },
		"429 app-call-limited":       func(a oldGot) bool { return a.code == "40005" && a.subCode == "isv.app-call-limited" && a.sign == "" },
		"429 with a wrong signature": func(a oldGot) bool { return holds(keys().foreign, a.node, a.sign) },
		"500 SYSTEM_ERROR, signed":   func(a oldGot) bool { return a.code == "20000" && a.subCode == "SYSTEM_ERROR" && a.verifies() },
		"400 unknow-error":           func(a oldGot) bool { return a.code == "20000" && a.subCode == "isp.unknow-error" && a.sign == "" },
		"403 RISK_INTERCEPT, signed": func(a oldGot) bool { return a.code == "40004" && a.subCode == "RISK_INTERCEPT" && a.verifies() },
		"compressed":                 func(a oldGot) bool { return a.Uncompressed && a.verifies() },
		"slow body, 300ms":           func(a oldGot) bool { return a.verifies() },
	} {
		g.Inject(FaultNamed(name).For(preconsultMethod), 1)
		require.Equal(t, "10000", execute(t, g, downloadOrder(keys().alipaySN)).code, "another method")
		a := execute(t, g, preconsultCall(fiveParameters).certificates())
		assert.True(t, check(a), "%s: %d %s", name, a.StatusCode, a.raw)
		assert.Empty(t, g.PendingFaults(), name)
	}
	g.Inject(Drop.For(jobworthPath), 1)
	require.Equal(t, "10000", execute(t, g, preconsultCall(fiveParameters)).code)
	_, err := once(g, call{target: query("t")}.request(t, g))
	require.Error(t, err)
}

// A client's mistake in what it signs is found for the old gateway, too.
func TestMistakesInOldSignaturesAreNamed(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithEncryptKey(testKey))
	require.Equal(t, "10000", execute(t, g, preconsultCall(fiveParameters, "app_auth_token", "202601BB")).code)
	cipher, err := aescbc.New(testKey)
	require.NoError(t, err)
	m := preconsultCall(`{"once_token":"一/2"}`, "notify_url", "https://merchant.example/n")
	with := func(changes ...string) merchant {
		changed := merchant{}
		for name, value := range m {
			changed[name] = value
		}
		for i := 0; i < len(changes); i += 2 {
			changed[changes[i]] = changes[i+1]
		}
		return changed
	}
	encrypted := with("biz_content", string(cipher.Encrypt([]byte(`{"once_token":"t"}`))), "encrypt_type", "AES")
	unescaped := m.form()
	unescaped.Del("sign")
	hexadecimal := m.form()
	raw, err := base64.StdEncoding.DecodeString(hexadecimal.Get("sign"))
	require.NoError(t, err)
	hexadecimal.Set("sign", hex.EncodeToString(raw))
	for _, test := range []struct {
		form   url.Values
		says   string
		signed string
	}{
		{m.signed(m.content("sign", "sign_type")), "sign_type was left out", m.content("sign", "sign_type")},
		{m.signed(unescaped.Encode()), "the values were signed as they are escaped", ""},
		{hexadecimal, "sign is hexadecimal", m.content()},
		{m.signed(m.content("sign", "biz_content")), "the parameter biz_content was sent, and not signed", m.content("biz_content")},
		{m.signed(m.content() + "\n"), "a line feed stands at the end", ""},
		{m.signed(m.content() + "&"), "an & stands at the end", ""},
		{m.signed(strings.ReplaceAll(m.content(), "&", "")), "joined by nothing", ""},
		{m.signed(m["biz_content"]), "only biz_content was signed", ""},
		{m.signed(with("app_auth_token", "202601BB").content()), "an app auth token was signed that is not sent as app_auth_token", ""},
		{m.signed(with("format", "json", "charset", "utf-8").content()), "charset was signed as utf-8", ""},
		{m.signed(with("biz_content", `{"once_token":"\u4e00/2"}`).content()), `biz_content was signed with characters beyond ASCII escaped (\u…)`, ""},
		{m.signed(with("biz_content", `{"once_token":"一\/2"}`).content("sign_type")), `biz_content was signed with / escaped (\/) and sent with it as it is; and sign_type was left out`, ""},
		{encrypted.signed(with("biz_content", `{"once_token":"t"}`, "encrypt_type", "AES").content()), "the plain text of biz_content was signed, and its ciphertext sent", ""},
	} {
		a := postOld(t, g, "/gateway.do", test.form.Encode())
		require.Equal(t, "isv.invalid-signature", a.subCode)
		requests := g.Requests()
		last := requests[len(requests)-1]
		assert.Contains(t, last.Diagnosis, test.says)
		assert.NotEmpty(t, last.DiagnosisZH)
		assert.Equal(t, last.DiagnosisZH, a.members["sub_msg"].(string)+map[bool]string{true: "", false: "。"}[strings.HasSuffix(a.members["sub_msg"].(string), "。")])
		assert.NotEmpty(t, last.SignedString())
		if test.signed != "" {
			assert.Equal(t, test.signed, last.SignedString())
		}
	}
}

func TestWhatAQueryLacksIsSaid(t *testing.T) {
	t.Parallel()
	v := &recorder{TB: t}
	g, err := start(v, nil)
	require.NoError(t, err)
	defer g.Close()
	for _, token := range []string{"1", "2", "3"} {
		require.Equal(t, 200, call{target: query(token)}.do(t, g).StatusCode)
	}
	all := jobworthPath + "?conn_key=a&once_token=b&query_type=exact&identity_type=04&service_id=d"
	require.Equal(t, 200, call{target: all}.do(t, g).StatusCode)
	requests := g.Requests()
	assert.Equal(t, []string{"conn_key", "query_type", "identity_type", "service_id"}, requests[0].Missing)
	assert.Empty(t, requests[0].Diagnosis)
	assert.Empty(t, requests[3].Missing)
	require.Len(t, v.texts, 1, "once")
	assert.Contains(t, v.texts[0], "It is answered without conn_key, query_type, identity_type, service_id, which a real call has.")

	encrypting := &recorder{TB: t}
	g2, err := start(encrypting, []Option{WithEncryptKey(testKey)})
	require.NoError(t, err)
	defer g2.Close()
	require.Equal(t, 200, call{target: all, header: map[string]string{"alipay-encrypt-type": "AES"}}.do(t, g2).StatusCode)
	require.Empty(t, encrypting.texts)
	require.Equal(t, 200, call{target: strings.Replace(all, "=b", "=c", 1)}.do(t, g2).StatusCode)
	require.Len(t, encrypting.texts, 1)
	assert.Contains(t, encrypting.texts[0], "a client without the key cannot read it")
	assert.True(t, g2.Requests()[1].Encrypted)
	assert.False(t, requests[0].Encrypted)
}

// recorder keeps what a gateway logs.
type recorder struct {
	testing.TB
	texts []string
}

func (r *recorder) Logf(format string, args ...any) {
	r.texts = append(r.texts, fmt.Sprintf(format, args...))
}

// A token that is signed and not sent is found if an earlier call had it.
func TestATokenThatIsSignedAndNotSentIsFound(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	for n, token := range []string{"202601BB", "202601BC"} {
		require.Equal(t, 200, call{target: query(strconv.Itoa(n)), header: map[string]string{"alipay-app-auth-token": token}}.do(t, g).StatusCode)
	}
	r := call{target: query("u"), header: map[string]string{"alipay-app-auth-token": "202601BB"}}.request(t, g)
	r.Header.Del("alipay-app-auth-token")
	delete(r.Header, "alipay-app-auth-token")
	answer, err := exchangeOnce(g.HTTPClient(), r)
	require.NoError(t, err)
	require.Equal(t, 400, answer.StatusCode)
	assert.Contains(t, g.Requests()[2].Diagnosis, "an app auth token was signed that is not sent as the header alipay-app-auth-token")
}
