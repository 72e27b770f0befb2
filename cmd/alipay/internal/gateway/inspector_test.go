package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/keys"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func inspected(t *testing.T, opts ...alipaytest.Option) (*alipaytest.Gateway, *inspector) {
	t.Helper()
	gateway := alipaytest.NewGateway(t, opts...)
	i, err := startInspector(gateway, "127.0.0.1:0", "")
	require.NoError(t, err)
	t.Cleanup(i.close)
	return gateway, i
}

// get asks for the page as a browser does.
func get(t *testing.T, address string, change func(*http.Request)) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	require.NoError(t, err)
	if change != nil {
		change(r)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(body)
}

// post sends a form of the page.
func post(t *testing.T, i *inspector, path string, values url.Values, change func(*http.Request)) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, i.url()+path, strings.NewReader(values.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", strings.TrimSuffix(i.url(), "/"))
	if change != nil {
		change(r)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	require.NoError(t, err)
	response.Body.Close()
	return response.StatusCode
}

func TestThePageIsForThisMachineOnly(t *testing.T) {
	gateway, i := inspected(t)
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.168.1.1:80", "example.com:80", "localhost.example.com:80", "nowhere"} {
		_, err := startInspector(gateway, addr, "")
		require.Error(t, err, addr)
	}
	_, port, _ := strings.Cut(i.host, ":")
	for host, want := range map[string]int{
		"": 200, "localhost:" + port: 200, "127.0.0.1:" + port: 200,
		"evil.example:" + port: 421, "127.0.0.1.evil.example:" + port: 421, "localhost": 421, "127.0.0.1:1": 421, "10.0.0.1:" + port: 421,
	} {
		status, _, body := get(t, i.url(), func(r *http.Request) {
			if host != "" {
				r.Host = host
			}
		})
		assert.Equal(t, want, status, host)
		assert.Equal(t, want == 200, strings.Contains(body, "APPID"), host)
	}
	for origin, want := range map[string]int{
		"http://127.0.0.1:" + port: 303, "http://evil.example": 403, "http://127.0.0.1:1": 403, "null": 403,
	} {
		assert.Equal(t, want, post(t, i, "reset", nil, func(r *http.Request) { r.Header.Set("Origin", origin) }), origin)
	}
	assert.Equal(t, 403, post(t, i, "reset", nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }))

	_, header, _ := get(t, i.url(), nil)
	assert.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	assert.Empty(t, header.Get("Access-Control-Allow-Origin"))
}

func TestThePageSpeaksBothLanguages(t *testing.T) {
	_, i := inspected(t)
	for _, tc := range []struct{ address, accept, cookie, says, not string }{
		{i.url(), "", "", "The next answer", "下一个响应"},
		{i.url(), "zh-CN,zh;q=0.9", "", "下一个响应", "The next answer"},
		{i.url() + "?lang=zh", "en", "", "下一个响应", "The next answer"},
		{i.url(), "en", "zh", "下一个响应", "The next answer"},
		{i.url() + "?lang=en", "zh", "zh", "The next answer", "下一个响应"},
	} {
		_, _, body := get(t, tc.address, func(r *http.Request) {
			r.Header.Set("Accept-Language", tc.accept)
			if tc.cookie != "" {
				r.AddCookie(&http.Cookie{Name: "lang", Value: tc.cookie})
			}
		})
		assert.Contains(t, body, tc.says)
		assert.NotContains(t, body, tc.not)
	}
}

// stream reads the events of a page.
func stream(t *testing.T, i *inspector) func() event {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, i.url()+"events", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewReader(response.Body)
	return func() event {
		for {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				var e event
				require.NoError(t, json.Unmarshal([]byte(data), &e))
				return e
			}
		}
	}
}

// until reads events up to one of that part that contains the text.
func until(next func() event, part, text string) string {
	for {
		if e := next(); e.Part == part && strings.Contains(e.HTML, text) {
			return e.HTML
		}
	}
}

// authorization signs a GET of another target than the one that is sent, maybe.
func authorization(t *testing.T, gateway *alipaytest.Gateway, target string) string {
	t.Helper()
	key := keys.Inspect(gateway.Config().PrivateKey).Private
	auth := protocol.AuthString(alipaytest.AppID, "", protocol.NewID(), time.Now().UnixMilli())
	signature, err := protocol.Sign(key, protocol.StringToSign(auth, http.MethodGet, target, nil, ""))
	require.NoError(t, err)
	return protocol.Scheme + " " + auth + ",sign=" + signature
}

func TestWhatArrivesIsShownLive(t *testing.T) {
	gateway, i := inspected(t)
	next := stream(t, i)
	until(next, "requests", "Nothing has arrived yet")
	until(next, "faults", "No fault is waiting")

	client, err := alipay.NewClient(gateway.Config())
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "a <token>"})
	require.NoError(t, err)
	html := until(next, "request", "verified")
	assert.Contains(t, html, "details class=\"request good\"")
	assert.Contains(t, html, "a &lt;token&gt;")
	assert.NotContains(t, html, "<token>")
	until(next, "tokens", "a &lt;token&gt;")

	// A mistake, and both strings with the difference marked.
	const path = "/v3/zhima/customer/jobworth/authentication?once_token="
	r, err := http.NewRequest(http.MethodGet, gateway.BaseURL()+path+"b+c", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", authorization(t, gateway, path+"b%20c"))
	response, err := gateway.HTTPClient().Do(r)
	require.NoError(t, err)
	response.Body.Close()
	html = until(next, "request", "invalid-signature")
	assert.Contains(t, html, "a space was signed as %20 and sent as &#43;")
	assert.Contains(t, html, `<mark class="lost">&#43;</mark>`)
	assert.Contains(t, html, `<mark class="extra">%20</mark>`)

	// A page that comes later sees the same, newest first.
	_, _, body := get(t, i.url(), nil)
	assert.Less(t, strings.Index(body, "invalid-signature"), strings.Index(body, "a &lt;token&gt;"))

	require.Equal(t, 303, post(t, i, "reset", nil, nil))
	until(next, "requests", "Nothing has arrived yet")
}

func TestEachButtonDoesWhatItSays(t *testing.T) {
	gateway, i := inspected(t)
	names := map[string]bool{}
	for _, b := range buttons {
		require.Equal(t, 303, post(t, i, "fault", url.Values{"name": {b.Fault.String()}}, nil))
		names[b.Fault.String()] = true
	}
	require.Len(t, names, len(buttons), "names differ")
	require.Len(t, gateway.PendingFaults(), len(buttons))
	_, _, body := get(t, i.url()+"?lang=zh", nil)
	for _, b := range buttons {
		assert.Contains(t, body, `<span class="tag">`+b.ZH+"</span>")
	}
	post(t, i, "fault", url.Values{"name": {"clear"}}, nil)
	require.Empty(t, gateway.PendingFaults())

	before := gateway.CertConfig().AlipayPublicCertContent
	post(t, i, "fault", url.Values{"name": {"rotate"}}, nil)
	require.NotEqual(t, before, gateway.CertConfig().AlipayPublicCertContent)

	client, err := alipay.NewClient(gateway.Config())
	require.NoError(t, err)
	post(t, i, "token", url.Values{"once_token": {"t"}, "result": {"FAILED"}, "polls": {"1"}}, nil)
	for _, want := range []alipay.IdentityResult{alipay.IdentityResultWaitingVerify, alipay.IdentityResultFailed} {
		response, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "t"})
		require.NoError(t, err)
		require.Equal(t, want, response.IdentityResult)
	}
}

func TestAFaultIsAimedAtOnePath(t *testing.T) {
	gateway, i := inspected(t)
	const heartbeat = "/v3/monitor/heartbeat/syn"
	post(t, i, "fault", url.Values{"name": {alipaytest.MissingSignature.String()}, "for": {" " + heartbeat + " "}}, nil)
	_, _, body := get(t, i.url(), nil)
	assert.Contains(t, body, "unsigned → "+heartbeat)

	client, err := alipay.NewClient(gateway.Config())
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "t"})
	require.NoError(t, err, "another path does not meet it")
	_, err = client.Do(t.Context(), &alipay.Request{Method: http.MethodPost, Path: heartbeat, Body: map[string]string{"biz_content": "{}"}}, nil)
	require.ErrorIs(t, err, alipay.ErrResponseUnsigned)
	require.Empty(t, gateway.PendingFaults())
}

// A client that says that it encrypts expects an encrypted answer.
func TestAnEncryptedAnswerThatIsExpectedIsNotNoted(t *testing.T) {
	gateway, i := inspected(t, alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="))
	client, err := alipay.NewClient(gateway.Config())
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "t"})
	require.NoError(t, err)
	_, _, body := get(t, i.url(), nil)
	assert.NotContains(t, body, "The answer is encrypted, since")
}

// A row says what its code means, and what a real call has.
func TestRowsSayWhatACodeMeans(t *testing.T) {
	gateway, i := inspected(t, alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="))
	config := gateway.Config()
	config.EncryptKey = ""
	client, err := alipay.NewClient(config)
	require.NoError(t, err)
	for range 2 {
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "t", ConnKey: "c"})
		require.Error(t, err)
	}
	_, err = client.Do(t.Context(), &alipay.Request{Path: "/v3/alipay/trade/query"}, nil)
	require.Error(t, err)
	for lang, says := range map[string][]string{
		"en": {"A real call has query_type, identity_type, service_id, too.", "The answer is encrypted, since this gateway has an AES key", "This once_token has given its result already", "a file named by -endpoints adds them."},
		"zh": {"真实调用还会带上 query_type、identity_type、service_id。", "因此响应是密文", "已经返回过结果", "可用 -endpoints 指定的文件添加"},
	} {
		_, _, body := get(t, i.url()+"?lang="+lang, nil)
		for _, words := range says {
			assert.Contains(t, body, words)
		}
	}
}

func TestStringsOfTheOldGatewayAreComparedByParameter(t *testing.T) {
	list := compareParameters("app_id=1&biz_content={\"a\":\"b&c\"}&charset=UTF-8&method=m", "app_id=1&biz_content={\"a\":\"b&d\"}&method=m&sign_type=RSA2")
	var lines []string
	for _, p := range list {
		line := p.Name
		for _, side := range [][]segment{p.Expected, p.Signed} {
			line += "|"
			for _, s := range side {
				if s.Marked {
					line += "[" + s.Text + "]"
				} else {
					line += s.Text
				}
			}
		}
		lines = append(lines, line)
	}
	assert.Equal(t, []string{"app_id|1|1", `biz_content|{"a":"b&[c]"}|{"a":"b&[d]"}`, "charset|[UTF-8]|", "method|m|m", "sign_type||[RSA2]"}, lines)
	assert.True(t, list[0].Same)
	assert.False(t, list[1].Same)
	assert.Nil(t, compareParameters(strings.Repeat("a=1&", 300), "a=1"))
	long := compareParameters("a=x"+strings.Repeat("y", 5000)+"&b=12", "a=z"+strings.Repeat("y", 5000)+"&b=13")
	assert.True(t, long[0].Expected[0].Marked && long[1].Expected[0].Marked, "as a whole: it would take too long")
	twice := compareParameters("a=1&a=2", "a=1&a=2&a=3")
	require.Len(t, twice, 3)
	assert.True(t, twice[0].Same && twice[1].Same && twice[2].Expected == nil)
}

func TestARequestToTheOldGatewayShowsItsParameters(t *testing.T) {
	gateway, i := inspected(t)
	client, err := alipay.NewClient(gateway.Config())
	require.NoError(t, err)
	order, err := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "zhima.credit.payafteruse.creditagreement.unsign", BizContent: map[string]string{"credit_agreement_id": "1 2"}})
	require.NoError(t, err)
	// A client that signs the escaped value.
	values, err := url.ParseQuery(order)
	require.NoError(t, err)
	values.Del("sign")
	signed := make([]string, 0, len(values))
	for name := range values {
		signed = append(signed, name+"="+url.QueryEscape(values.Get(name)))
	}
	slices.Sort(signed)
	signature, err := protocol.Sign(keys.Inspect(gateway.Config().PrivateKey).Private, []byte(strings.Join(signed, "&")))
	require.NoError(t, err)
	values.Set("sign", signature)
	response, err := http.PostForm(gateway.BaseURL()+"/gateway.do", values)
	require.NoError(t, err)
	response.Body.Close()
	_, _, body := get(t, i.url(), nil)
	assert.Contains(t, body, `<table class="parameters">`)
	assert.Regexp(t, `<tr class="different"><th>biz_content</th>`, body)
	assert.Regexp(t, `<tr><th>app_id</th>`, body)
}

func TestDifferencesAreMarked(t *testing.T) {
	show := func(list []segment) (text, marked string) {
		for _, s := range list {
			text += s.Text
			if s.Marked {
				marked += "[" + s.Shown() + "]"
			}
		}
		return text, marked
	}
	for _, tc := range []struct{ a, b, left, right string }{
		{"same", "same", "", ""},
		{"a+b", "a%20b", "[+]", "[%20]"},
		{"x\n", "x", "[⏎\n]", ""},
		{"a\nb\n", "a\r\nb\r\n", "", "[␍][␍]"},
		{"GET\n/v3", "get\n/v3", "[GET]", "[get]"},
		{"", "\ufeffa b", "", "[[BOM]a␣b]"},
		{strings.Repeat("a", 5000) + "x", strings.Repeat("b", 5000) + "x", "[" + strings.Repeat("a", 5000) + "]", "[" + strings.Repeat("b", 5000) + "]"},
	} {
		left, right := differences(tc.a, tc.b)
		text, marked := show(left)
		assert.Equal(t, tc.a, text)
		assert.Equal(t, tc.left, marked)
		text, marked = show(right)
		assert.Equal(t, tc.b, text)
		assert.Equal(t, tc.right, marked)
	}
}

func FuzzDifferences(f *testing.F) {
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		left, right := differences(a, b)
		var same [2]string
		for n, list := range [][]segment{left, right} {
			text := ""
			for _, s := range list {
				if text += s.Text; !s.Marked {
					same[n] += s.Text
				}
			}
			require.Equal(t, []string{a, b}[n], text)
		}
		require.Equal(t, same[0], same[1])
	})
}

// No parameter of either side is lost or taken twice.
func FuzzCompareParameters(f *testing.F) {
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		var left, right []string
		list := compareParameters(a, b)
		if list == nil { // too many
			return
		}
		for _, p := range list {
			text := [2]string{}
			for n, side := range [][]segment{p.Expected, p.Signed} {
				for _, s := range side {
					text[n] += s.Text
				}
			}
			if p.Expected != nil {
				left = append(left, p.Name+"="+text[0])
			}
			if p.Signed != nil {
				right = append(right, p.Name+"="+text[1])
			}
			require.Equal(t, p.Same, p.Expected != nil && p.Signed != nil && text[0] == text[1])
		}
		sorted := func(text string) (list []string) {
			for _, p := range splitParameters(text) {
				list = append(list, p.name+"="+p.value)
			}
			slices.Sort(list)
			return list
		}
		slices.Sort(left)
		slices.Sort(right)
		require.Equal(t, sorted(a), left)
		require.Equal(t, sorted(b), right)
	})
}

// The page plays Alipay's app: it opens an order string, and answers for the
// user, so that the merchant's server gets a message.
func TestAnOrderIsOpenedAndAnswered(t *testing.T) {
	gateway, i := inspected(t)
	merchant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success") }))
	t.Cleanup(merchant.Close)
	next := stream(t, i)
	until(next, "orders", "None has been opened")

	client, err := alipay.NewClient(gateway.Config())
	require.NoError(t, err)
	order, err := client.ZhimaCreditPayafteruseCreditagreement.Sign(t.Context(), &alipay.CreditAgreementSignParams{
		OutAgreementNo: "out-<1>", ZmServiceID: "2019120400000000000004450100", ProductCode: alipay.ProductCodeZhimaAuth,
	})
	require.NoError(t, err)
	require.Equal(t, 303, post(t, i, "messages", url.Values{"to": {"no address"}}, nil))
	require.Equal(t, 303, post(t, i, "messages", url.Values{"to": {merchant.URL + "/alipay"}}, nil))

	post(t, i, "order", url.Values{"order": {strings.Replace(order, "out-", "oot-", 1)}}, nil)
	html := until(next, "orders", `role="alert"`)
	assert.Contains(t, html, "over another string than the gateway")
	post(t, i, "order", url.Values{"order": {" " + order + "\n"}}, nil)
	html = until(next, "orders", "out-&lt;1&gt;")
	assert.Contains(t, html, "not answered")
	assert.NotContains(t, html, `role="alert"`)
	post(t, i, "order", url.Values{"order": {order}}, nil) // again, as a user does who comes back

	post(t, i, "answer", url.Values{"order": {"out-<1>"}, "answer": {"agree"}}, nil)
	html = until(next, "orders", "VALID")
	assert.Equal(t, 1, strings.Count(html, `class="order"`))
	html = until(next, "messages", "zhima.credit.payafteruse.creditagreement.changed")
	assert.Contains(t, html, "success")
	post(t, i, "answer", url.Values{"order": {"out-<1>"}, "answer": {"decline"}}, nil)
	until(next, "orders", "INVALID")
}
