package alipay_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func TestPOSTWithoutABodySendsContentLengthZero(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int{"POST": 1, "PUT": 1, "PATCH": 1, "DELETE": 0, "GET": 0} {
		heads := make(chan string, 1)
		base := rawServer(t, func(conn net.Conn, _ int) {
			r := bufio.NewReader(conn)
			head, err := readRequest(r)
			if err == nil {
				heads <- head
				_, _ = io.WriteString(conn, rawAnswer(200, "{}"))
			}
		})
		client := newClient(t, base)
		_, err := client.Do(t.Context(), &alipay.Request{Method: method, Path: "/v3/x"}, nil)
		require.NoError(t, err)
		head := strings.ToLower(<-heads)
		assert.Equal(t, want, strings.Count(head, "\r\ncontent-length: 0\r\n"), method)
		assert.NotContains(t, head, "transfer-encoding")
	}
}

func TestGETHasNoBodyAndNoBodyHeaders(t *testing.T) {
	heads := make(chan string, 1)
	base := rawServer(t, func(conn net.Conn, _ int) {
		r := bufio.NewReader(conn)
		head, _ := readRequest(r)
		heads <- head
		_, _ = conn.Write([]byte(rawAnswer(200, successBody)))
		rest, _ := io.ReadAll(r)
		assert.Empty(t, rest)
	})
	client := newClient(t, base)
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err)
	head := <-heads
	assert.NotContains(t, head, "Content-Length")
	assert.NotContains(t, head, "Transfer-Encoding")
	assert.NotContains(t, head, "Content-Type")
	client.CloseIdleConnections()
}

func TestWhatIsSignedIsWhatIsSent(t *testing.T) {
	t.Parallel()
	s, last := checking(t, "", waitingBody)
	client := newClient(t, s.URL)
	values := []string{
		"uuid 含空格+plus", "2f1c/8e=&?", "a%20b", "%", "\x00\x7f\n", "~-._!*'();:@&=+$,/?#[]", "\xff\xfe", "🀄", " lead and trail ",
		strings.Repeat("长", 3000),
	}
	for _, value := range values {
		params := &alipay.QueryParams{
			ConnKey: value, OnceToken: value, QueryType: alipay.QueryType(value), IdentityType: alipay.IdentityType(value),
			ServiceID: value, UserID: value, OpenID: value, CertNo: value, CertType: alipay.CertType(value),
		}
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params)
		require.NoError(t, err)
		path, rawQuery, _ := strings.Cut(last().target, "?")
		assert.Equal(t, jobworthPath, path)
		assert.NotContains(t, rawQuery, "+", "a space goes out as %20")
		got, err := url.ParseQuery(rawQuery)
		require.NoError(t, err)
		assert.Len(t, got, 9)
		for name, list := range got {
			assert.Equal(t, []string{value}, list, name)
		}
	}
}

func TestVectorsQueryIsSentAsItsRequestURI(t *testing.T) {
	var v struct {
		Query    map[string]string `json:"query"`
		Requests []struct {
			RequestURI string `json:"request_uri"`
		} `json:"requests"`
	}
	require.NoError(t, json.Unmarshal([]byte(vector(t, "vectors.json")), &v))
	data, err := json.Marshal(v.Query)
	require.NoError(t, err)
	var params alipay.QueryParams
	require.NoError(t, json.Unmarshal(data, &params))
	s, last := checking(t, "", waitingBody)
	_, err = newClient(t, s.URL).ZhimaCustomerJobworthAuthentication.Query(t.Context(), &params)
	require.NoError(t, err)
	assert.Equal(t, v.Requests[0].RequestURI, last().target)
}

func TestNilAndEmptyParamsSendNoQuery(t *testing.T) {
	t.Parallel()
	s, last := checking(t, "", successBody)
	client := newClient(t, s.URL)
	for _, params := range []*alipay.QueryParams{nil, {}} {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params)
		require.NoError(t, err)
		assert.Equal(t, jobworthPath, last().target)
	}
}

func TestEveryRequestCarriesTheHeadersOfTheProtocol(t *testing.T) {
	t.Parallel()
	s, last := checking(t, "", successBody)
	client := newClient(t, s.URL)
	seen := map[string]bool{}
	for range 3 {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil)
		require.NoError(t, err)
		h := last().header
		assert.Equal(t, "application/json", h.Get("Accept"))
		assert.Regexp(t, "^[A-Za-z0-9_-]{1,32}$", h.Get("alipay-request-id"))
		assert.Contains(t, h.Get("alipay-sdk-version"), alipay.Version)
		assert.Contains(t, h.Get("User-Agent"), alipay.Version)
		assert.Empty(t, h.Values("alipay-app-auth-token"))
		assert.Empty(t, h.Values("alipay-root-cert-sn"))
		assert.Empty(t, h.Values("alipay-encrypt-type"))
		c, err := protocol.ParseAuthorization(h.Get("Authorization"))
		require.NoError(t, err)
		assert.Equal(t, "2021000000000001", c.AppID)
		ms, err := strconv.ParseInt(c.Timestamp, 10, 64)
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), time.UnixMilli(ms), time.Minute)
		for _, unique := range []string{c.Nonce, h.Get("alipay-request-id")} {
			assert.False(t, seen[unique])
			seen[unique] = true
		}
	}
}

func TestAppAuthTokenIsSignedPerClientAndPerCall(t *testing.T) {
	t.Parallel()
	s, last := checking(t, "", successBody)
	config := testConfig(t, s.URL)
	config.AppAuthToken = "of-the-client"
	client := clientOf(t, config)
	for _, tt := range []struct {
		opts []alipay.RequestOption
		want []string
	}{
		{nil, []string{"of-the-client"}},
		{[]alipay.RequestOption{alipay.WithAppAuthToken(testAuthTok)}, []string{testAuthTok}},
		{[]alipay.RequestOption{alipay.WithAppAuthToken("")}, nil},
		{nil, []string{"of-the-client"}},
	} {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil, tt.opts...)
		require.NoError(t, err)
		assert.Equal(t, tt.want, last().header.Values("alipay-app-auth-token"))
	}
}

func TestRequestOptionsReachTheWireAndNothingElse(t *testing.T) {
	s, last := checking(t, "", successBody)
	client := newClient(t, s.URL)
	q := url.Values{"once_token": {"from the request"}}
	_, err := client.Do(t.Context(), &alipay.Request{Path: jobworthPath, Query: q}, nil,
		nil, alipay.WithHeader("X-Other", "t2"), alipay.WithHeader("x-trace", "t1"), alipay.WithQueryParam("new_one", "a b"), alipay.WithQueryParam("once_token", "over"),
		alipay.WithRequestID("r-1"))
	require.NoError(t, err)
	assert.Equal(t, jobworthPath+"?new_one=a%20b&once_token=over", last().target)
	assert.Equal(t, "t1", last().header.Get("X-Trace"))
	assert.Equal(t, "t2", last().header.Get("X-Other"))
	assert.Equal(t, "r-1", last().header.Get("alipay-request-id"))
	assert.Equal(t, url.Values{"once_token": {"from the request"}}, q, "the caller's map")
	_, err = client.Do(t.Context(), &alipay.Request{Path: jobworthPath}, nil, alipay.WithQueryParam("alone", "1"))
	require.NoError(t, err)
	assert.Equal(t, jobworthPath+"?alone=1", last().target)
	for _, id := range []string{"r", strings.Repeat("Z_-9", 8)} {
		_, err := client.Do(t.Context(), &alipay.Request{Path: jobworthPath}, nil, alipay.WithRequestID(id))
		require.NoError(t, err)
		assert.Equal(t, id, last().header.Get("alipay-request-id"), "the shortest and the longest")
	}
}

func TestInvalidRequestsAndOptionsAreRefusedBeforeSending(t *testing.T) {
	s := serve(t, signed(200, successBody))
	client := newClient(t, s.URL)
	refused := map[string]alipay.RequestOption{
		"header name empty":         alipay.WithHeader("", "x"),
		"header name with space":    alipay.WithHeader("a b", "x"),
		"header value with newline": alipay.WithHeader("X-A", "a\r\nAuthorization: b"),
		"header value with NUL":     alipay.WithHeader("X-A", "a\x00"),
		"header value with tab":     alipay.WithHeader("X-A", "a\tb"),
		"query name empty":          alipay.WithQueryParam("", "x"),
		"query with newline":        alipay.WithQueryParam("a", "b\n"),
		"query name with newline":   alipay.WithQueryParam("a\n", "b"),
		"request id empty":          alipay.WithRequestID(""),
		"request id of 33":          alipay.WithRequestID(strings.Repeat("a", 33)),
		"request id with a blank":   alipay.WithRequestID("a b"),
		"request id with a dot":     alipay.WithRequestID("a.b"),
		"request id beyond ASCII":   alipay.WithRequestID("é"),
		"token with newline":        alipay.WithAppAuthToken("a\nb"),
		"token with space":          alipay.WithAppAuthToken("a b"),
	}
	for _, name := range []string{
		"Authorization", "authorization", "alipay-request-id", "Alipay-Signature", "ALIPAY-ANYTHING", "Host", "Content-Type",
		"content-length", "Content-Encoding", "Transfer-Encoding", "Connection", "Expect", "Idempotency-Key", "X-Idempotency-Key",
		"Accept-Encoding", "TE", "Trailer", "Upgrade", "Proxy-Authorization", "Accept", "User-Agent", "Cache-Control", "Keep-Alive",
		"alipay_request_id", "Content_Type",
	} {
		refused["header "+name] = alipay.WithHeader(name, "x")
	}
	for name, opt := range refused {
		t.Run(name, func(t *testing.T) {
			_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), nil, opt)
			require.ErrorIs(t, err, alipay.ErrNotDelivered)
			require.ErrorAs(t, err, new(*alipay.ArgumentError))
		})
	}
	for name, call := range map[string]func() error{
		"nil request": func() error { _, err := client.Do(t.Context(), nil, nil); return err },
		"method": func() error {
			_, err := client.Do(t.Context(), &alipay.Request{Method: "TRACE", Path: "/v3/x"}, nil)
			return err
		},
		"relative path":     func() error { _, err := client.Do(t.Context(), &alipay.Request{Path: "v3/x"}, nil); return err },
		"query in the path": func() error { _, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x?a=b"}, nil); return err },
		"path with newline": func() error { _, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x\n"}, nil); return err },
		"bad escape":        func() error { _, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/%zz"}, nil); return err },
		"query of ints": func() error {
			_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x", Query: 7}, nil)
			return err
		},
		"GET with a body": func() error {
			_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x", Body: "{}"}, nil)
			return err
		},
		"body not JSON": func() error {
			_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: json.RawMessage("{")}, nil)
			return err
		},
		"body a channel": func() error {
			_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: make(chan int)}, nil)
			return err
		},
		"out no pointer": func() error {
			_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, alipay.QueryResponse{})
			return err
		},
		"out nil pointer": func() error {
			_, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/x"}, (*alipay.QueryResponse)(nil))
			return err
		},
		"nil context": func() error { _, err := client.Do(noContext, &alipay.Request{Path: "/v3/x"}, nil); return err },
		"nil client": func() error {
			_, err := (*alipay.Client)(nil).Do(t.Context(), &alipay.Request{Path: "/v3/x"}, nil)
			return err
		},
		"zero service": func() error {
			_, err := new(alipay.ZhimaCustomerJobworthAuthentication).Query(t.Context(), nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			require.ErrorIs(t, err, alipay.ErrNotDelivered)
			require.ErrorAs(t, err, new(*alipay.ArgumentError))
		})
	}
	assert.Zero(t, s.requests.Load())
}

func TestBodyOnTheWireIsTheBodySigned(t *testing.T) {
	t.Parallel()
	s, last := checking(t, "", `{"ok":true}`)
	client := newClient(t, s.URL)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		for name, tt := range map[string]struct {
			body any
			want string
		}{
			"struct":      {struct{ A string }{"单品 <满10减1> & \u2028"}, "{\"A\":\"单品 <满10减1> & \\u2028\"}"},
			"raw message": {json.RawMessage(`{ "activity_name": "单品特价满10减1活动"}`), `{ "activity_name": "单品特价满10减1活动"}`},
			"bytes":       {[]byte(" {\"a\": [1, 2]}\n"), " {\"a\": [1, 2]}\n"},
			"a string":    {`{"a":"<1>"}`, `{"a":"<1>"}`},
			"a map":       {map[string]int{"a": 7}, `{"a":7}`},
			"nil":         {nil, ""},
			"a nil map":   {map[string]int(nil), ""},
			"a nil type":  {(*struct{})(nil), ""},
			"nil bytes":   {[]byte(nil), ""},
			"nil message": {json.RawMessage(nil), ""},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				var out struct{ OK bool }
				resp, err := client.Do(t.Context(), &alipay.Request{Method: method, Path: "/v3/a", Query: url.Values{"auth_token": {"123"}}, Body: tt.body}, &out)
				require.NoError(t, err)
				assert.True(t, out.OK)
				assert.Equal(t, 200, resp.StatusCode)
				assert.Equal(t, tt.want, last().body)
				assert.Equal(t, tt.want != "", last().header.Get("Content-Type") == "application/json")
				assert.Equal(t, method, last().method)
				assert.Equal(t, "/v3/a?auth_token=123", last().target)
			})
		}
	}
}

// bodies are values of every kind that a caller may hand in, and whether they are
// an object.
var bodies = map[string]struct {
	body any
	ok   bool
}{
	"nil": {nil, true}, "a struct": {struct{ A chan int }{}, false}, "an empty struct": {struct{}{}, true}, "a func": {func() {}, false},
	"a number": {7, false}, "a float": {1.5, false}, "a bool": {true, false}, "an array": {[1]int{}, false}, "a slice": {[]string{"a"}, false}, "an empty slice": {[]string{}, false},
	"no JSON": {"x", false}, "an empty string": {"", false}, "null": {"null", false}, "a quoted object": {`"{}"`, false}, "an object and more": {"{} {}", false},
	"an array in a string": {"[]", false}, "empty bytes": {[]byte{}, false}, "not UTF-8": {[]byte("{\"a\":\"\xff\"}"), false}, "cut": {json.RawMessage(`{"a":`), false},
	"a reader": {strings.NewReader("{}"), false}, "a buffer": {bytes.NewBufferString("{}"), false}, "a number of JSON": {json.Number("1"), false}, "a channel": {make(chan int), false}, "a byte order mark": {"\ufeff{}", false},
	"a pointer to bytes": {new([]byte), true}, "a pointer to an object": {&json.RawMessage{'{', '}'}, true}, "a cycle": {func() any { m := map[string]any{}; m["m"] = m; return m }(), false},
}

func TestBodyIsAJSONObject(t *testing.T) {
	s := serve(t, signed(200, `{}`))
	client := newClient(t, s.URL)
	for name, tt := range bodies {
		before := s.requests.Load()
		_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/a", Body: tt.body}, nil)
		_, errOrder := client.SDKExecute(t.Context(), &alipay.ExecuteRequest{Method: "m", BizContent: tt.body})
		assert.Equal(t, tt.ok, errOrder == nil, "%s: the same in both", name)
		if tt.ok {
			require.NoError(t, err, name)
			continue
		}
		assertArgument(t, err, "Request.Body")
		assertArgument(t, errOrder, "ExecuteRequest.BizContent")
		assert.Equal(t, before, s.requests.Load(), name)
	}
}

// FuzzBody: whatever a caller hands in, what is sent is one object in UTF-8, and what
// was signed.
func FuzzBody(f *testing.F) {
	s, last := checking(f, "", `{}`)
	client := newClient(f, s.URL)
	f.Fuzz(func(t *testing.T, content []byte, kind uint8) {
		body := []any{content, string(content), json.RawMessage(content), map[string]string{string(content): "x"}, []any{content}, bytes.NewReader(content)}[kind%6]
		_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/a", Body: body}, nil)
		if err != nil {
			assertArgument(t, err, "Request.Body")
			return
		}
		var object map[string]json.RawMessage
		assert.True(t, last().body == "" && content == nil || json.Unmarshal([]byte(last().body), &object) == nil && utf8.ValidString(last().body))
	})
}

func TestPathStaysAsTheCallerEscapedIt(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/proxy", "/a%2Fb/c"} {
		s, last := checking(t, prefix, `{}`)
		for _, base := range []string{s.URL + prefix, s.URL + prefix + "/"} {
			client := newClient(t, base)
			for path, want := range map[string]string{
				"/v3/a":                        "/v3/a",
				"/v3/a%2Fb%20c/%E4%B8":         "/v3/a%2Fb%20c/%E4%B8",
				"/v3/中 文":                      "/v3/%E4%B8%AD%20%E6%96%87",
				"//elsewhere/v3":               "//elsewhere/v3",
				"/@elsewhere:1/v3":             "/@elsewhere:1/v3",
				"/v3/../x":                     "/v3/../x",
				"/v3/a:b@c;d=e":                "/v3/a:b@c;d=e",
				"/v3/a%2Fb/单 x":                "/v3/a%2Fb/%E5%8D%95%20x",
				"/v3/-._~!$&'()*+,;=:@[]/aZ09": "/v3/-._~!$&'()*+,;=:@[]/aZ09",
				"/v3/\"<\\^`{|}>":              "/v3/%22%3C%5C%5E%60%7B%7C%7D%3E",
			} {
				_, err := client.Do(t.Context(), &alipay.Request{Path: path}, nil)
				require.NoError(t, err, path)
				assert.Equal(t, prefix+want, last().target)
			}
		}
	}
}

func TestContentEncryptionOnGetAndOnBodies(t *testing.T) {
	t.Parallel()
	const key = "AAECAwQFBgcICQoLDA0ODw=="
	cipher, err := aescbc.New(key)
	require.NoError(t, err)
	for name, body := range map[string]string{
		"encrypted answer": string(cipher.Encrypt([]byte(successBody))),
		"plain answer":     successBody,
	} {
		t.Run(name, func(t *testing.T) {
			s, last := checking(t, "", body)
			config := testConfig(t, s.URL)
			config.EncryptKey = key
			client := clientOf(t, config)
			got, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.NoError(t, err)
			assert.Equal(t, testOpenID, got.OpenID)
			assert.Equal(t, successBody, string(got.Meta.Body), "verified and decrypted")
			assert.Equal(t, "AES", last().header.Get("alipay-encrypt-type"))
			assert.Equal(t, "text/plain", last().header.Get("Content-Type"))
			assert.Empty(t, last().body)

			_, err = client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: map[string]string{"a": "中"}}, nil)
			require.NoError(t, err)
			plain, err := cipher.Decrypt([]byte(last().body))
			require.NoError(t, err)
			assert.Equal(t, `{"a":"中"}`, string(plain))
			assert.Equal(t, "text/plain", last().header.Get("Content-Type"))
		})
	}
	for name, body := range map[string]string{
		"not base64":       "%%%",
		"one character":    "A",
		"not whole blocks": "AAAA",
		"another key":      "zvKhk9C1hAN+MHRW4Y2Kyzc98lbq5yqkPkO+QgmaAzAsNnyI79FO8O/Y70cuSMfi",
		"padding":          "AAECAwQFBgcICQoLDA0ODw==",
	} {
		t.Run("undecryptable: "+name, func(t *testing.T) {
			config := testConfig(t, serve(t, signed(200, body)).URL)
			config.EncryptKey = key
			client := clientOf(t, config)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrDecrypt)
			assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			assert.Contains(t, err.Error(), "HTTP status 200: the answer could not be decrypted; outcome unknown", "no oracle")

			config.BaseURL = serve(t, signed(399, body)).URL
			client = clientOf(t, config)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.ErrorIs(t, err, alipay.ErrDecrypt)
			var failed *alipay.CallError
			require.ErrorAs(t, err, &failed)

			config.BaseURL = serve(t, signed(400, body)).URL
			client = clientOf(t, config)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			var refused *alipay.APIError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, body, string(refused.Body))
			assert.ErrorIs(t, err, alipay.ErrDecrypt, "why there is no code")
		})
	}
	t.Run("an encrypted answer without a key says what is missing", func(t *testing.T) {
		client := newClient(t, serve(t, signed(200, string(cipher.Encrypt([]byte(successBody))))).URL)
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrDecrypt)
		assert.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
		assert.Contains(t, err.Error(), "EncryptKey")
	})
	t.Run("a key that passes for the padding", func(t *testing.T) {
		config := testConfig(t, serve(t, signed(200, string(cipher.Encrypt([]byte("not an object"))))).URL)
		config.EncryptKey = key
		client := clientOf(t, config)
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		require.ErrorIs(t, err, alipay.ErrDecrypt)
	})
	t.Run("an empty answer is no ciphertext", func(t *testing.T) {
		for _, status := range []int{200, 400} {
			config := testConfig(t, serve(t, signed(status, "")).URL)
			config.EncryptKey = key
			client := clientOf(t, config)
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			require.Error(t, err)
			assert.NotErrorIs(t, err, alipay.ErrDecrypt)
		}
	})
	t.Run("an unsigned ciphertext of a refusal is decrypted for its code", func(t *testing.T) {
		config := testConfig(t, serve(t, unsigned(400, string(cipher.Encrypt([]byte(`{"code":"TOKEN_INVALID"}`))))).URL)
		config.EncryptKey = key
		client := clientOf(t, config)
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		var e *alipay.APIError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, alipay.CodeTokenInvalid, e.Code)
		assert.False(t, e.Verified)
	})
	t.Run("a signed error is decrypted", func(t *testing.T) {
		config := testConfig(t, serve(t, signed(400, string(cipher.Encrypt([]byte(`{"code":"TOKEN_INVALID"}`))))).URL)
		config.EncryptKey = key
		client := clientOf(t, config)
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
		assert.ErrorIs(t, err, alipay.CodeTokenInvalid)
	})
}

// TestFilesAreUploadedBesideTheSignedData takes the request apart by hand: the
// signature covers the content of the part data, and no byte of the files.
func TestFilesAreUploadedBesideTheSignedData(t *testing.T) {
	t.Parallel()
	const key = "AAECAwQFBgcICQoLDA0ODw=="
	image := []byte("\x89PNG\r\n\x1a\n\x00--boundary")
	for name, tt := range map[string]struct {
		body      any
		encrypted bool
		wantData  string
	}{
		"with data":               {map[string]string{"a": "<张>"}, false, `{"a":"<张>"}`},
		"with data, encrypted":    {map[string]string{"a": "<张>"}, true, `{"a":"<张>"}`},
		"without data":            {nil, false, ""},
		"without data, encrypted": {nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cipher, err := aescbc.New(key)
			require.NoError(t, err)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
				assert.NoError(t, err)
				assert.Equal(t, "multipart/form-data", mediaType)
				assert.Equal(t, map[bool]string{true: "AES"}[tt.encrypted], r.Header.Get("alipay-encrypt-type"))
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				assert.EqualValues(t, len(body), r.ContentLength)
				reader := multipart.NewReader(bytes.NewReader(body), params["boundary"])
				signed := ""
				var names []string
				for {
					part, err := reader.NextRawPart()
					if err == io.EOF {
						break
					}
					if !assert.NoError(t, err) {
						return
					}
					content, _ := io.ReadAll(part)
					names = append(names, part.FormName()+" "+part.FileName()+" "+part.Header.Get("Content-Type"))
					if part.FormName() == "data" {
						signed = string(content)
						if tt.encrypted {
							content, err = cipher.Decrypt(content)
							assert.NoError(t, err)
						}
						assert.Equal(t, tt.wantData, string(content))
						continue
					}
					assert.Equal(t, image, content)
				}
				files := []string{"image_content a\"b.png image/png", "other 照片 application/octet-stream"}
				switch {
				case tt.body == nil:
				case tt.encrypted:
					files = append([]string{"data  text/plain; charset=utf-8"}, files...)
				default:
					files = append([]string{"data  application/json; charset=utf-8"}, files...)
				}
				assert.Equal(t, files, names)
				authorization, err := protocol.ParseAuthorization(r.Header.Get("Authorization"))
				assert.NoError(t, err)
				content := protocol.StringToSign(authorization.AuthString, "POST", "/v3/upload", []byte(signed), "")
				assert.NoError(t, protocol.Verify(&appKey(t).PublicKey, content, authorization.Signature))
				answer(w, 200, `{"id":"1"}`)
			})
			config := testConfig(t, s.URL)
			if tt.encrypted {
				config.EncryptKey = key
			}
			client := clientOf(t, config)
			var out struct{ ID string }
			_, err = client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/upload", Body: tt.body, Files: []alipay.File{
				{Field: "image_content", Name: `a"b.png`, Content: image}, {Field: "other", Name: "照片", Content: image},
			}}, &out)
			require.NoError(t, err)
			assert.Equal(t, "1", out.ID)
		})
	}
}

func TestInvalidFileIsAnArgumentError(t *testing.T) {
	client := newClient(t, "http://127.0.0.1:1")
	for _, file := range []alipay.File{{Name: "a"}, {Field: "f"}, {Field: "data", Name: "a"}, {Field: "f\n", Name: "a"}, {Field: "f", Name: "a\r\nX: y"}} {
		_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Files: []alipay.File{file}}, nil)
		assertArgument(t, err, "Request.Files")
	}
	for _, method := range []string{"", "GET", "DELETE"} {
		_, err := client.Do(t.Context(), &alipay.Request{Method: method, Path: "/v3/x", Files: []alipay.File{{Field: "f", Name: "a"}}}, nil)
		assertArgument(t, err, "Request.Files")
	}
}

// TestUploadIsRetriedOnlyWhenRefusedForLoad: files change nothing about delivery.
func TestUploadIsRetriedOnlyWhenRefusedForLoad(t *testing.T) {
	statuses := []int{429, 502}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(statuses[0])
		statuses = statuses[1:]
	})
	client := newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: 1}))
	_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Files: []alipay.File{{Field: "f", Name: "a", Content: make([]byte, 1<<20)}}}, nil)
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.EqualValues(t, 2, s.requests.Load())
}
