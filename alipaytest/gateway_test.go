package alipaytest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

const testKey = "AAECAwQFBgcICQoLDA0ODw=="

func TestEachMistakeIsAnsweredUnsignedWithThePlatformsCode(t *testing.T) {
	t.Parallel()
	plain, encrypting := NewGateway(t), NewGateway(t, WithEncryptKey(testKey))
	cut := func(member string) func(string) string {
		return func(authorization string) string {
			i := strings.Index(authorization, member)
			end := strings.IndexByte(authorization[i:], ',') + 1
			if end == 0 {
				return strings.TrimSuffix(authorization[:i], ",")
			}
			return authorization[:i] + authorization[i+end:]
		}
	}
	replace := func(old, new string) func(string) string {
		return func(authorization string) string { return strings.Replace(authorization, old, new, 1) }
	}
	for name, test := range map[string]struct {
		g    *Gateway
		call call
		code alipay.ErrorCode
	}{
		"no Authorization":          {plain, call{authorization: func(string) string { return "" }}, alipay.CodeMissingTimestamp},
		"another scheme":            {plain, call{authorization: replace("ALIPAY-SHA256withRSA", "Bearer")}, alipay.CodeInvalidSignatureType},
		"no app id":                 {plain, call{authorization: cut("app_id=")}, alipay.CodeMissingAppID},
		"an unknown app id":         {plain, call{authorization: replace(AppID, "2021000000000002")}, alipay.CodeInvalidAppID},
		"no timestamp":              {plain, call{authorization: cut("timestamp=")}, alipay.CodeMissingTimestamp},
		"a timestamp of words":      {plain, call{authorization: replace("timestamp=", "timestamp=now")}, alipay.CodeInvalidTimestamp},
		"an old timestamp":          {plain, call{at: time.Now().Add(-11 * time.Minute)}, alipay.CodeInvalidTimestamp},
		"a timestamp of the future": {plain, call{at: time.Now().Add(11 * time.Minute)}, alipay.CodeInvalidTimestamp},
		"seconds for milliseconds":  {plain, call{at: time.UnixMilli(time.Now().Unix())}, alipay.CodeInvalidTimestamp},
		"no nonce":                  {plain, call{authorization: cut("nonce=")}, alipay.CodeGatewayInvalidParameter},
		"no signature":              {plain, call{authorization: cut("sign=")}, alipay.CodeMissingSignature},
		"a signature cut short":     {plain, call{authorization: func(a string) string { return a[:len(a)-8] }}, alipay.CodeInvalidSignature},
		"another target signed":     {plain, call{signedTarget: query("u")}, alipay.CodeInvalidSignature},
		"an escape in lower case":   {plain, call{target: jobworthPath + "?once_token=%2f", signedTarget: jobworthPath + "?once_token=%2F"}, alipay.CodeInvalidSignature},
		"an unknown certificate": {plain, call{authString: func(nonce string, ms int64) string {
			return protocol.AuthString(AppID, "00000000000000000000000000000000", nonce, ms)
		}}, alipay.CodeAppCertNotExist},
		"no root SN":              {plain, call{cert: true, header: map[string]string{protocol.HeaderRootCertSN: ""}}, alipay.CodeMissingAlipayRootCertSN},
		"another root SN":         {plain, call{cert: true, header: map[string]string{protocol.HeaderRootCertSN: "abc"}}, alipay.CodeInvalidAlipayRootCertSN},
		"AES without a key":       {plain, call{header: map[string]string{"alipay-encrypt-type": "AES"}}, alipay.CodeMissingEncryptKey},
		"another encryption":      {encrypting, call{header: map[string]string{"alipay-encrypt-type": "DES"}}, alipay.CodeInvalidEncryptType},
		"a body nobody encrypted": {encrypting, call{method: "POST", body: `{}`, header: map[string]string{"alipay-encrypt-type": "AES"}}, alipay.CodeDecryptionError},
		"ciphertext of no JSON": {encrypting, call{method: "POST", body: string(encrypting.cipher.Encrypt([]byte("{"))),
			header: map[string]string{"alipay-encrypt-type": "AES", "Content-Type": "text/plain"}}, alipay.CodeIllegalJSON},
		"ciphertext unannounced": {encrypting, call{method: "POST", body: `abcd`, header: map[string]string{"Content-Type": "text/plain"}}, alipay.CodeMissingEncryptType},
		"a body that is no JSON": {plain, call{method: "POST", body: `{`, header: map[string]string{"Content-Type": "application/json"}}, alipay.CodeIllegalJSON},
		"an unknown path":        {plain, call{target: "/v3/nothing"}, alipay.CodeInvalidMethod},
		"another method":         {plain, call{method: "POST"}, alipay.CodeInvalidMethod},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.call
			if c.target == "" {
				c.target = query("t")
			}
			answer := c.do(t, test.g)
			var no struct {
				Code    alipay.ErrorCode
				Message string
				Links   []alipay.ErrorLink
			}
			require.NoError(t, json.Unmarshal(answer.body, &no), "%s", answer.body)
			assert.Equal(t, test.code, no.Code)
			assert.NotEmpty(t, no.Message)
			assert.NotEmpty(t, no.Links)
			assert.GreaterOrEqual(t, answer.StatusCode, 400)
			assert.Less(t, answer.StatusCode, 500)
			for name := range answer.Header {
				if strings.HasPrefix(name, "Alipay-") {
					assert.Equal(t, protocol.HeaderTraceID, name)
				}
			}
		})
	}
	for _, r := range append(plain.Requests(), encrypting.Requests()...) {
		assert.NotEmpty(t, r.Code)
	}
	assert.False(t, plain.Token("t").Spent)
}

func TestTheAppAuthTokenIsPartOfTheSignature(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	right := call{target: query("t"), header: map[string]string{"alipay-app-auth-token": "202212BB"}}
	require.Equal(t, 200, right.do(t, g).StatusCode)

	added := call{target: query("u")}.request(t, g)
	added.Header.Set("alipay-app-auth-token", "202212BB")
	answer, err := exchangeOnce(g.HTTPClient(), added)
	require.NoError(t, err)
	require.Equal(t, 400, answer.StatusCode)

	requests := g.Requests()
	assert.Equal(t, "202212BB", requests[0].AppAuthToken)
	assert.Equal(t, alipay.CodeInvalidSignature, requests[1].Code)
}

func TestWhatOfficialClientsSendIsTaken(t *testing.T) {
	t.Parallel()
	const order = "timestamp=%[2]d,expired_seconds=120,nonce=%[1]s,app_id=" + AppID
	anyOrder := func(nonce string, ms int64) string { return fmt.Sprintf(order, nonce, ms) }
	for name, base := range map[string]call{
		"members in another order, and more": {authString: anyOrder},
		"more members behind":                {authString: func(n string, ms int64) string { return protocol.AuthString(AppID, "", n, ms) + ",a=b" }},
		"a space as plus":                    {target: jobworthPath + "?once_token=t&conn_key=a+b"},
		"a space as %20":                     {target: jobworthPath + "?once_token=t&conn_key=a%20b"},
		"escapes that need not be":           {target: jobworthPath + "?%6fnce_token=%74&conn_key=a%20b"},
		"no escapes where they should be":    {target: jobworthPath + "?once_token=t&conn_key=a%20b&x=:/@!"},
		"a request id of 36 characters":      {header: map[string]string{"alipay-request-id": "0f8fad5b-d9cb-469f-a165-70867728950e"}},
		"AES on a GET":                       {header: map[string]string{"alipay-encrypt-type": "AES", "Content-Type": "text/plain"}},
		"names in capitals":                  {header: map[string]string{"ALIPAY-REQUEST-ID": "abc", "ALIPAY-SDK-VERSION": "x"}},
		"nothing but Authorization":          {},
		"certificate mode":                   {cert: true},
	} {
		for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(name+" "+proto, func(t *testing.T) {
				t.Parallel()
				c, opts := base, []Option{WithEncryptKey(testKey)}
				if proto == "HTTP/2.0" {
					opts = append(opts, WithHTTP2())
				}
				g := NewGateway(t, opts...)
				if c.target == "" {
					c.target = query("t") + "&conn_key=a%20b"
				}
				answer := c.do(t, g)
				require.Equal(t, 200, answer.StatusCode, "%s", answer.body)
				require.Equal(t, proto, answer.Proto)
				require.True(t, answer.verifies())
				assert.Equal(t, "text/plain", answer.Header.Get("Content-Type"))
				cipher, err := aescbc.New(testKey)
				require.NoError(t, err)
				body, err := cipher.Decrypt(answer.body)
				require.NoError(t, err)
				assert.JSONEq(t, sample, string(body))
				received := g.Requests()[0]
				assert.True(t, received.Verified)
				assert.Equal(t, "a b", received.Params.Get("conn_key"))
				assert.Equal(t, proto, received.Proto)
			})
		}
	}
}

func TestAPlainBodyGetsAPlainAnswerFromAnEncryptingGateway(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithEncryptKey(testKey))
	g.Handle("POST", "/v3/echo", func(r ReceivedRequest) (int, any) { return 0, r.Body })
	cipher, err := aescbc.New(testKey)
	require.NoError(t, err)

	plain := call{method: "POST", target: "/v3/echo", body: `{"a":"中文"}`, header: map[string]string{"Content-Type": "application/json"}}.do(t, g)
	assert.Equal(t, `{"a":"中文"}`, string(plain.body))
	assert.True(t, plain.verifies())

	encrypted := call{method: "POST", target: "/v3/echo", body: string(cipher.Encrypt([]byte(`{"a":"中文"}`))),
		header: map[string]string{"alipay-encrypt-type": "AES", "Content-Type": "text/plain"}}.do(t, g)
	assert.True(t, encrypted.verifies())
	body, err := cipher.Decrypt(encrypted.body)
	require.NoError(t, err)
	assert.Equal(t, `{"a":"中文"}`, string(body))
	assert.Equal(t, `{"a":"中文"}`, string(g.Requests()[1].Body))

	no := call{target: jobworthPath}.do(t, g)
	assert.Contains(t, string(no.body), "PARAM_ERROR", "errors are never encrypted")
	assert.True(t, no.verifies())
}

func TestANonceCountsOnceItsSignatureHeld(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	right := call{target: query("t")}.request(t, g)
	spoilt := right.Clone(context.Background())
	spoilt.Header.Set("Authorization", right.Header.Get("Authorization")[:200]+"AAAA"+right.Header.Get("Authorization")[204:])
	for _, step := range []struct {
		request *http.Request
		status  int
		code    alipay.ErrorCode
	}{
		{spoilt, 400, alipay.CodeInvalidSignature}, // uses nothing up
		{right, 200, ""},
		{right, 400, alipay.CodeSuspectedAttack},
	} {
		answer, err := exchangeOnce(g.HTTPClient(), step.request)
		require.NoError(t, err)
		require.Equal(t, step.status, answer.StatusCode)
		requests := g.Requests()
		require.Equal(t, step.code, requests[len(requests)-1].Code)
	}
	assert.Equal(t, 2, g.Deliveries("t"), "a replay arrived, too")
	assert.Equal(t, 1, g.Token("t").Acted)
}

func TestNoncesAreForgottenOnceTheirTimestampIsStale(t *testing.T) {
	t.Parallel()
	book := nonceBook{limit: 1e6}
	now := time.Now()
	require.True(t, book.add("a", now))
	for range 1000 {
		book.add(protocol.NewID(), now)
	}
	require.False(t, book.add("a", now.Add(2*freshness)))
	require.True(t, book.add("b", now.Add(3*freshness)))
	require.False(t, book.add("a", now.Add(3*freshness)))
	require.True(t, book.add("c", now.Add(6*freshness)))
	require.True(t, book.add("a", now.Add(6*freshness)))
	require.Less(t, len(book.current)+len(book.last), 10)
	require.True(t, book.add("d", now.Add(100*freshness)))
	require.Equal(t, 1, len(book.current)+len(book.last))
	for gap, kept := range map[time.Duration]int{4 * freshness: 2, 4*freshness + 1: 1} {
		book = nonceBook{limit: 1e6}
		require.True(t, book.add("a", now))
		require.True(t, book.add("b", now.Add(gap)))
		require.Equal(t, kept, len(book.current)+len(book.last), gap)
	}

	book = nonceBook{limit: 100}
	for i := range 1000 {
		require.True(t, book.add(fmt.Sprint(i), now))
		require.False(t, book.add(fmt.Sprint(max(0, i-99)), now))
	}
	require.LessOrEqual(t, len(book.current)+len(book.last), 200)
}

func TestAnUnknownTokenGivesThePlatformsSampleOnce(t *testing.T) {
	t.Parallel()
	var vectors struct {
		Responses []struct{ Name, Body string }
	}
	file, err := os.ReadFile("../testdata/vectors/vectors.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(file, &vectors))
	require.Equal(t, "success", vectors.Responses[0].Name)

	g := NewGateway(t)
	first := call{target: query("t")}.do(t, g)
	require.Equal(t, 200, first.StatusCode)
	require.True(t, first.verifies())
	require.Equal(t, vectors.Responses[0].Body, string(first.body))
	require.EqualValues(t, len(first.body), first.ContentLength)
	require.Equal(t, TokenState{Requests: 1, Acted: 1, Spent: true, Delivered: true}, g.Token("t"))

	again := call{target: query("t")}.do(t, g)
	require.Equal(t, 400, again.StatusCode)
	require.True(t, again.verifies())
	require.Contains(t, string(again.body), `"code":"TOKEN_INVALID"`)
	require.Contains(t, string(again.body), `"message":"token无效"`)
	require.Equal(t, TokenState{Requests: 2, Acted: 2, Spent: true, Delivered: true}, g.Token("t"))
	require.Equal(t, 200, call{target: query("u")}.do(t, g).StatusCode)
	require.Len(t, g.Ledger(), 2)
}

func TestSetResultWaitsThenGivesTheResultOnce(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.SetResult("t", Result{
		IdentityResult: alipay.IdentityResultFailed, UserID: "2088", IdentityResultSkipURL: "alipays://a?b=1&c=<2>",
		WaitingPolls: 2, Extra: map[string]json.RawMessage{"score": json.RawMessage(`7`), "user_id": json.RawMessage(`2088`)},
	})
	statuses := func(n int) (list []string) {
		for range n {
			answer := call{target: query("t")}.do(t, g)
			require.True(t, answer.verifies())
			list = append(list, string(answer.body))
		}
		return list
	}
	const final = `{"identity_result":"FAILED","identity_result_skip_url":"alipays://a?b=1&c=<2>","score":7,"user_id":2088}`
	got := statuses(4)
	require.Equal(t, []string{`{"identity_result":"WAITING_VERIFY"}`, `{"identity_result":"WAITING_VERIFY"}`, final}, got[:3])
	require.Contains(t, got[3], "TOKEN_INVALID")

	g.SetResult("t", Result{WaitingPolls: 1})
	require.Equal(t, TokenState{}, g.Token("t"))
	require.Equal(t, []string{`{"identity_result":"WAITING_VERIFY"}`, sample}, statuses(2))

	g.SetResult("t", Result{IdentityResult: alipay.IdentityResultWaitingVerify})
	for _, body := range statuses(3) {
		require.Equal(t, `{"identity_result":"WAITING_VERIFY"}`, body)
	}
	require.False(t, g.Token("t").Spent)

	g.SetError("t", 403, alipay.CodeUserNotAuthorize, "用户未授权")
	for _, body := range statuses(2) {
		require.Contains(t, body, `"code":"USER_NOT_AUTHORIZE"`)
		require.Contains(t, body, `用户未授权`)
	}
	require.Panics(t, func() { g.SetResult("t", Result{Extra: map[string]json.RawMessage{"a": json.RawMessage("{")}}) })
}

func TestOneOfManyConcurrentQueriesGetsTheResult(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	var ok, mu = 0, sync.Mutex{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			answer, err := exchangeOnce(g.HTTPClient(), call{target: query("t")}.request(t, g))
			mu.Lock()
			defer mu.Unlock()
			if assert.NoError(t, err) && answer.StatusCode == 200 {
				ok++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, ok)
	require.Equal(t, 20, g.Deliveries("t"))
}

func TestEachModeIsAnsweredUnderItsOwnKey(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	public := call{target: query("a")}.do(t, g)
	require.True(t, public.verifies())
	require.Empty(t, public.Header.Values(protocol.HeaderSN))

	cert := call{target: query("b"), cert: true}.do(t, g)
	require.True(t, cert.verifies())
	require.Equal(t, keys().alipaySN, cert.Header.Get(protocol.HeaderSN))

	g.RotateCertificate()
	rotated := call{target: query("c"), cert: true}.do(t, g)
	require.True(t, rotated.verifies())
	require.Equal(t, keys().alipayNextSN, rotated.Header.Get(protocol.HeaderSN))
	require.Equal(t, RotatedCertificate(), g.CertConfig().AlipayPublicCertContent)

	public = call{target: query("d")}.do(t, g)
	require.True(t, public.verifies())
	require.Empty(t, public.Header.Values(protocol.HeaderSN))
}

func TestAPathPrefixIsNoPartOfTheSignature(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithPathPrefix("proxy/"))
	require.True(t, strings.HasSuffix(g.Config().BaseURL, "/proxy"))
	require.Equal(t, 200, call{target: query("t")}.do(t, g).StatusCode)
	received := g.Requests()[0]
	require.Equal(t, jobworthPath, received.Path)
	require.Equal(t, "/proxy"+query("t"), received.RequestURI)

	require.Equal(t, 400, call{target: query("u"), signedTarget: "/proxy" + query("u")}.do(t, g).StatusCode)
}

func TestHandleAddsEndpoints(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Handle("GET", "/v3/items/{id}/close", func(r ReceivedRequest) (int, any) { return 0, map[string]string{"path": r.Path} })
	g.Handle("GET", "/v3/no", func(ReceivedRequest) (int, any) {
		return 403, map[string]string{"code": "NO", "message": "不可以<&>"}
	})
	g.Handle("DELETE", "/v3/none", func(ReceivedRequest) (int, any) { return 0, nil })
	g.Handle("GET", "/v3/replaced", func(ReceivedRequest) (int, any) { return 0, `{"a":1}` })
	g.Handle("GET", "/v3/replaced", func(ReceivedRequest) (int, any) { return 0, json.RawMessage(`{"a":2}`) })

	for _, test := range []struct {
		method, target, body string
		status               int
	}{
		{"GET", "/v3/items/a%2Fb%20c/close", `{"path":"/v3/items/a/b c/close"}`, 200},
		{"GET", "/v3/items/1/close?x=1", `{"path":"/v3/items/1/close"}`, 200},
		{"GET", "/v3/no", `{"code":"NO","message":"不可以<&>"}`, 403},
		{"DELETE", "/v3/none", "", 200},
		{"GET", "/v3/replaced", `{"a":2}`, 200},
	} {
		answer := call{method: test.method, target: test.target}.do(t, g)
		assert.Equal(t, test.status, answer.StatusCode)
		assert.Equal(t, test.body, string(answer.body))
		assert.True(t, answer.verifies())
	}
	require.Equal(t, 404, call{target: "/v3/items//close"}.do(t, g).StatusCode)
	require.Equal(t, alipay.ErrorCode("NO"), g.Requests()[2].Code)
}

func TestRequestsAreACopyAndBounded(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithHistory(3))
	for i := range 5 {
		call{target: query(fmt.Sprint(i)), header: map[string]string{"alipay-request-id": "id"}}.do(t, g)
	}
	requests := g.Requests()
	require.Len(t, requests, 3)
	for i, r := range requests {
		assert.Equal(t, fmt.Sprint(i+2), r.Params.Get("once_token"))
		assert.Equal(t, "id", r.RequestID)
		assert.Equal(t, 1, r.Connection)
		assert.Equal(t, i+3, r.OnConnection)
		assert.Len(t, r.Nonce, 32)
		assert.WithinDuration(t, r.At, r.Timestamp, time.Minute)
		r.Params.Set("once_token", "mine")
		r.Header.Set("Authorization", "mine")
	}
	require.Equal(t, "2", g.Requests()[0].Params.Get("once_token"))
	require.NotEqual(t, "mine", g.Requests()[0].Header.Get("Authorization"))
	require.Equal(t, 1, g.connectionCount())
	g.Reset()
	require.Empty(t, g.Requests())
	require.Empty(t, g.Ledger())
}

func TestTheClockOfTheGatewayJudgesAndStamps(t *testing.T) {
	t.Parallel()
	past := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	g := NewGateway(t, WithClock(func() time.Time { return past }))
	answer := call{target: query("t"), at: past.Add(-9 * time.Minute)}.do(t, g)
	require.Equal(t, 200, answer.StatusCode)
	require.Equal(t, fmt.Sprint(past.UnixMilli()), answer.Header.Get(protocol.HeaderTimestamp))
	require.Equal(t, 400, call{target: query("t")}.do(t, g).StatusCode)
}

func TestTheClientWorksInEveryMode(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]Option{
		"http":      nil,
		"tls":       {WithTLS()},
		"http2":     {WithHTTP2()},
		"encrypted": {WithEncryptKey(testKey)},
		"prefix":    {WithPathPrefix("/proxy")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, opts...)
			for mode, config := range map[string]alipay.AlipayConfig{"public-key": g.Config(), "certificate": g.CertConfig()} {
				client, err := alipay.NewClient(config, alipay.WithHTTPClient(g.HTTPClient()))
				require.NoError(t, err, mode)
				params := &alipay.QueryParams{OnceToken: mode + " 一/+&=", ConnKey: "a b"}
				response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
				require.NoError(t, err, mode)
				require.Equal(t, alipay.IdentityResultSuccess, response.IdentityResult)
				require.Equal(t, "2088402562742105", response.UserID)
				_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
				require.ErrorIs(t, err, alipay.CodeTokenInvalid, mode)
				var apiError *alipay.APIError
				require.ErrorAs(t, err, &apiError)
				require.True(t, apiError.Verified)
				require.Len(t, apiError.Links, 1)
			}
			for _, r := range g.Requests() {
				require.True(t, r.Verified)
			}
		})
	}
}

func TestConcurrentCallersOpenNoMoreConnectionsThanTheyNeed(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]Option{"http": nil, "http2": {WithHTTP2()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, opts...)
			round := func(n int) {
				var wg sync.WaitGroup
				for i := range 50 {
					wg.Go(func() {
						answer, err := exchangeOnce(g.HTTPClient(), call{target: query(fmt.Sprint(n, i))}.request(t, g))
						assert.NoError(t, err)
						assert.Equal(t, 200, answer.StatusCode)
					})
				}
				wg.Wait()
			}
			round(0)
			require.LessOrEqual(t, g.connectionCount(), 50)
			// net/http gives a connection up when its writer was not scheduled for 50 ms:
			// on a starved machine one round may open some.
			for n := range 10 {
				opened := g.connectionCount()
				if round(n + 1); g.connectionCount() == opened {
					return
				}
			}
			t.Errorf("every round opened connections, %d in all", g.connectionCount())
		})
	}
}

func TestTLSIsTrustedByItsOwnClientOnly(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithTLS())
	_, err := http.Get(g.BaseURL())
	require.ErrorContains(t, err, "certificate")
	_, err = g.HTTPClient().Get(strings.Replace(g.BaseURL(), "127.0.0.1", "localhost", 1))
	require.NoError(t, err)
	require.True(t, x509.NewCertPool().AppendCertsFromPEM(g.TLSCertificate()))
	require.Empty(t, NewGateway(t).TLSCertificate())

	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}}
	_, err = old.Get(g.BaseURL())
	require.ErrorContains(t, err, "version") // of the server's alert, or of the own library under FIPS
}

func TestAnAddressWithoutHostIsLoopback(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithAddr(":0"))
	require.True(t, strings.HasPrefix(g.BaseURL(), "http://127.0.0.1:"))
	require.True(t, strings.HasPrefix(NewGateway(t, WithAddr("0.0.0.0:0")).BaseURL(), "http://127.0.0.1:"))
	_, err := StartGateway(WithAddr("nowhere"))
	require.ErrorContains(t, err, "alipaytest: ")
	_, err = StartGateway(WithEncryptKey("c2hvcnQ="))
	require.ErrorContains(t, err, "alipaytest: WithEncryptKey: ")
	require.NotContains(t, err.Error(), "c2hvcnQ")
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	for name, opts := range map[string][]Option{"http": nil, "tls": {WithTLS()}, "http2": {WithHTTP2()}} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			g, err := StartGateway(opts...)
			require.NoError(t, err)
			require.Equal(t, 200, call{target: query("t")}.do(t, g).StatusCode)
			g.Inject(Hang, 1)
			g.Inject(Slow(time.Hour), 1)
			g.Inject(slowBody(time.Hour), 1)
			var wg sync.WaitGroup
			for i := range 3 {
				request := call{target: query(fmt.Sprint(i))}.request(t, g)
				wg.Go(func() {
					_, err := exchangeOnce(g.HTTPClient(), request)
					assert.Error(t, err)
				})
			}
			require.Eventually(t, func() bool { return len(g.Requests()) == 4 }, time.Minute, time.Millisecond)
			require.NoError(t, g.Close())
			require.NoError(t, g.Close())
			wg.Wait()
			g.HTTPClient().CloseIdleConnections()
			require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, time.Minute, 5*time.Millisecond,
				"%d before", before) // the check of Eventually is a goroutine itself
			_, err = exchangeOnce(g.HTTPClient(), call{target: query("t")}.request(t, g))
			require.Error(t, err)
		})
	}
}

func TestAPanickingFunctionFailsTheTest(t *testing.T) {
	t.Parallel()
	recorder := &failures{TB: t}
	g := NewGateway(recorder)
	g.Handle("GET", "/v3/panic", func(ReceivedRequest) (int, any) { panic("of the caller's") })
	_, err := exchangeOnce(g.HTTPClient(), call{target: "/v3/panic"}.request(t, g))
	require.Error(t, err)
	require.Contains(t, recorder.text(), "of the caller's")
}

// failures is a testing.TB that keeps its errors.
type failures struct {
	testing.TB
	mu     sync.Mutex
	errors strings.Builder
}

func (f *failures) Error(args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(&f.errors, args...)
}

func (f *failures) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.errors.String()
}

func TestSignAnswerServesAServerOfOnesOwn(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := []byte(`{"identity_result":"FAILED"}`)
		assert.NoError(t, SignAnswer(w.Header(), body, time.Now()))
		_, _ = w.Write(body)
	}))
	defer server.Close()
	client, err := alipay.NewClient(Config(server.URL))
	require.NoError(t, err)
	response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "t"})
	require.NoError(t, err)
	require.Equal(t, alipay.IdentityResultFailed, response.IdentityResult)
}

func TestStubQuerierAnswersOrSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	var querier alipay.JobworthQuerier = &StubQuerier{}
	_, err := querier.Query(context.Background(), nil)
	require.EqualError(t, err, "alipaytest: StubQuerier.QueryFunc is not set")

	cause := errors.New("cause")
	querier = StubQuerier{QueryFunc: func(_ context.Context, params *alipay.QueryParams, _ ...alipay.RequestOption) (*alipay.QueryResponse, error) {
		return &alipay.QueryResponse{UserID: params.UserID}, cause
	}}
	response, err := querier.Query(context.Background(), &alipay.QueryParams{UserID: "u"})
	require.ErrorIs(t, err, cause)
	require.Equal(t, "u", response.UserID)
}

func TestTestMaterialIsMarkedAsSuch(t *testing.T) {
	t.Parallel()
	entries, err := testkeys.ReadDir("testkeys")
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	for _, entry := range entries {
		file, err := testkeys.ReadFile("testkeys/" + entry.Name())
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(file), "PUBLIC TEST MATERIAL "), entry.Name())
	}
	require.True(t, strings.HasPrefix(keys().appKey, "-----BEGIN PRIVATE KEY-----"))
	require.Equal(t, 4, strings.Count(keys().rootCerts, "BEGIN CERTIFICATE"))
	require.Equal(t, 2, strings.Count(keys().alipayCert, "BEGIN CERTIFICATE"))
	require.Len(t, strings.Split(keys().rootSN, "_"), 2)
}

func BenchmarkStart(b *testing.B) {
	keys()
	for b.Loop() {
		g, err := StartGateway()
		if err != nil {
			b.Fatal(err)
		}
		_ = g.Close()
	}
}

func BenchmarkAnswer(b *testing.B) {
	g := NewGateway(b)
	g.SetResult("t", Result{IdentityResult: alipay.IdentityResultWaitingVerify})
	for b.Loop() {
		b.StopTimer()
		r := call{target: query("t")}.request(b, g)
		b.StartTimer()
		w := httptest.NewRecorder()
		r.RequestURI = query("t")
		g.serve(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
