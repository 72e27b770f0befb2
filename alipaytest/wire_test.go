package alipaytest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// Whoever sets HTTP_PROXY to the gateway sends it whole URLs (RFC 9112, section
// 3.2.2), and signs path and query all the same.
func TestARequestAsToAProxyIsSignedWithoutTheHost(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/proxy"} {
		g := NewGateway(t, WithPathPrefix(prefix))
		address, err := url.Parse(g.BaseURL())
		require.NoError(t, err)
		proxied := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: address.Host})}}
		defer proxied.CloseIdleConnections()

		r := call{target: query("http://a/b")}.request(t, g)
		r.URL.Host, r.Host = "openapi.invalid", "openapi.invalid"
		answer, err := exchangeOnce(proxied, r)
		require.NoError(t, err)
		require.Equal(t, 200, answer.StatusCode, "%s", answer.body)
		received := g.Requests()[0]
		require.Equal(t, "http://openapi.invalid"+prefix+query("http://a/b"), received.RequestURI)
		require.Equal(t, jobworthPath, received.Path)
		require.True(t, received.Verified)
	}

	g := NewGateway(t, WithPathPrefix("/proxy"))
	for uri, want := range map[string]string{
		"http://h/proxy/v3/a?b=c": "/v3/a?b=c",
		"HTTPS://h:1/proxy?b":     "?b",
		"http://h":                "/",
		"http://h?b=c":            "/?b=c",
		"/proxy/v3/http://h/a":    "/v3/http://h/a",
		"/proxyfoo":               "/proxyfoo",
		"h:443":                   "h:443",
		"*":                       "*",
		"":                        "",
	} {
		target, inside := g.target(uri)
		assert.Equal(t, want, target, uri)
		assert.Equal(t, strings.Contains(uri, "/proxy") && uri != "/proxyfoo", inside, uri)
	}
}

// A client that drops the path of its base URL must notice here, not later.
func TestThereIsNothingBesideThePrefix(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithPathPrefix("/proxy"))
	r := call{target: query("t")}.request(t, g)
	r.URL.Path = jobworthPath
	answer, err := exchangeOnce(g.HTTPClient(), r)
	require.NoError(t, err)
	require.Equal(t, 404, answer.StatusCode)
	require.Equal(t, alipay.CodeInvalidMethod, g.Requests()[0].Code)
	require.Empty(t, g.Ledger())
}

func TestOtherMethodsSpendNothing(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	for _, method := range []string{"HEAD", "OPTIONS", "POST", "TRACE", "get"} {
		answer := call{method: method, target: query("t")}.do(t, g)
		assert.Equal(t, 405, answer.StatusCode, method)
		assert.Equal(t, method == "HEAD", len(answer.body) == 0, method)
	}
	for _, request := range g.Requests() {
		assert.Equal(t, alipay.CodeInvalidMethod, request.Code)
		assert.True(t, request.Verified)
	}
	require.Zero(t, g.Token("t").Acted)

	for _, head := range []string{"OPTIONS * HTTP/1.1\r\nHost: h\r\n", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n", "GET / HTTP/1.0\r\n"} {
		answer := raw(t, g, head+"Connection: close\r\n\r\n")
		assert.Contains(t, answer, " 400 Bad Request\r\n")
		assert.Contains(t, answer, `"code":"missing-timestamp"`)
	}
	require.Len(t, g.Requests(), 8)
}

// raw sends text and reads what comes back until the connection ends.
func raw(t *testing.T, g *Gateway, text string) string {
	t.Helper()
	conn := dial(t, g)
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(answer)
}

func dial(t *testing.T, g *Gateway) net.Conn {
	t.Helper()
	address, err := url.Parse(g.BaseURL())
	require.NoError(t, err)
	conn, err := net.Dial("tcp", address.Host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn
}

func TestOfAParameterGivenTwiceTheFirstCounts(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	require.Equal(t, 200, call{target: query("t") + "&once_token=u"}.do(t, g).StatusCode)
	require.Equal(t, []string{"t", "u"}, g.Requests()[0].Params["once_token"])
	require.True(t, g.Token("t").Spent)
	require.Equal(t, TokenState{}, g.Token("u"))
}

func TestTheWordNullIsNoHeader(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	null := func(name string, c call) string {
		c.header = map[string]string{name: "null"}
		if c.target == "" {
			c.target = query("t")
		}
		return string(c.do(t, g).body)
	}
	require.Equal(t, sample, null("alipay-encrypt-type", call{}))
	require.Contains(t, null("Authorization", call{authorization: func(string) string { return "null" }}), "missing-timestamp")
	require.Contains(t, null(protocol.HeaderRootCertSN, call{cert: true}), "missing-alipay-root-cert-sn")
	require.Contains(t, null("alipay-request-id", call{}), "TOKEN_INVALID")
	requests := g.Requests()
	require.Empty(t, requests[3].RequestID)

	// It is signed if it is sent, and then it is what was sent.
	require.Equal(t, sample, null("alipay-app-auth-token", call{target: query("u")}))
	require.Equal(t, "null", g.Requests()[4].AppAuthToken)
}

func TestALargeBodyIsRefusedUnread(t *testing.T) {
	t.Parallel()
	for wire, opts := range onWire {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, opts...)
			g.maxBody = 1 << 20
			g.Handle("POST", "/v3/a", func(r ReceivedRequest) (int, any) { return 0, fmt.Sprint(len(r.Body)) })
			body := bytes.Repeat([]byte(" "), 1<<20+1)

			answer := call{method: "POST", target: "/v3/a", body: string(body[1:])}.do(t, g)
			require.Equal(t, fmt.Sprint(g.maxBody), string(answer.body))
			for name, length := range map[string]int64{"announced": g.maxBody + 1, "unannounced": -1} {
				r := call{method: "POST", target: "/v3/a"}.request(t, g)
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), length
				answer, err := exchangeOnce(g.HTTPClient(), r)
				require.NoError(t, err, name)
				require.Equal(t, 400, answer.StatusCode, name)
				require.Contains(t, string(answer.body), "invalid-request-data", name)
			}
			requests := g.Requests()
			require.Len(t, requests, 3)
			require.Len(t, requests[0].Body, int(g.maxBody))
			for _, request := range requests[1:] {
				require.Empty(t, request.Body)
				require.False(t, request.Verified)
			}
		})
	}
}

func TestABodyThatBreaksOffIsNoRequest(t *testing.T) {
	t.Parallel()
	const head = "POST /v3/a HTTP/1.1\r\nHost: h\r\n"
	g := NewGateway(t)
	g.patience = 50 * time.Millisecond
	for name, text := range map[string]string{
		"too slow":         head + "Content-Length: 10\r\n\r\n12345",
		"too slow a chunk": head + "Transfer-Encoding: chunked\r\n\r\n5\r\n123",
		"no chunk":         head + "Transfer-Encoding: chunked\r\n\r\nwhat\r\n",
	} {
		answer := raw(t, g, text) // to the end of the connection
		assert.Contains(t, answer, "invalid-request-data", name)
	}
	conn := dial(t, g)
	_, err := io.WriteString(conn, head+"Content-Length: 10\r\n\r\n12345")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool {
		g.conns.mu.Lock()
		defer g.conns.mu.Unlock()
		return g.conns.accepted == 4 && len(g.conns.open) == 0
	}, time.Minute, time.Millisecond)
	require.Empty(t, g.Requests())

	// The patience is with the body alone.
	g.Handle("POST", "/v3/a", func(ReceivedRequest) (int, any) { return 0, "{}" })
	g.Inject(Slow(4*g.patience), 1)
	require.Equal(t, 200, call{method: "POST", target: "/v3/a", body: "{}"}.do(t, g).StatusCode)
	time.Sleep(2 * g.patience)
	require.Equal(t, 200, call{method: "POST", target: "/v3/a", body: "{}"}.do(t, g).StatusCode)
	require.Equal(t, 2, g.Requests()[1].OnConnection)
}

func TestCloseDoesNotWaitForBodies(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		g, err := StartGateway()
		require.NoError(t, err)
		for _, text := range []string{"", "POST / HT", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345"} {
			conn := dial(t, g)
			_, err := io.WriteString(conn, text)
			require.NoError(t, err)
			defer conn.Close()
		}
		require.Eventually(t, func() bool {
			g.conns.mu.Lock()
			defer g.conns.mu.Unlock()
			return g.conns.accepted == 3 && g.conns.answers == 1
		}, time.Minute, time.Millisecond)
		require.NoError(t, g.Close(), "which waits for 5 seconds, and for a body for a minute")
		require.Empty(t, g.Requests())
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, time.Minute, 5*time.Millisecond)
}

func TestRequestsTakeUpSoMuchMemoryAndNoMore(t *testing.T) {
	t.Parallel()
	h := &history{limit: 10_000}
	body := make([]byte, maxRequestBytes)
	for i := range 100 {
		h.add(ReceivedRequest{Body: body, OnConnection: i})
		h.add(ReceivedRequest{RequestURI: "/", Header: http.Header{"A": {"b"}}})
	}
	require.LessOrEqual(t, h.bytes, maxHistoryBytes)
	require.Less(t, len(h.kept)-h.first, 20)
	require.LessOrEqual(t, len(h.kept), 40)
	h.clear()
	require.Zero(t, h.bytes)

	h.limit = 7
	for i := range 1000 {
		h.add(ReceivedRequest{OnConnection: i})
		list := h.list()
		require.Len(t, list, min(i+1, 7))
		require.Equal(t, i, list[len(list)-1].OnConnection)
		require.Equal(t, max(0, i-6), list[0].OnConnection)
		require.LessOrEqual(t, len(h.kept), 16)
	}
	none := &history{}
	none.add(ReceivedRequest{})
	require.Empty(t, none.list())
}

// The race detector sees whether they write to what they share.
func TestFaultsChangeTheirAnswerAndNotTheResult(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.SetResult("t", Result{IdentityResult: alipay.IdentityResultWaitingVerify})
	scribble := FaultFunc("scribble", func(w http.ResponseWriter, _ *http.Request, answer *Answer) {
		for i := range answer.Body {
			answer.Body[i] = '!'
		}
		_ = answer.Send(w)
	})
	g.Inject(AlteredBody, 10)
	g.Inject(scribble, 10)
	g.Inject(FaultNamed("trailing garbage"), 10)
	g.Inject(sizedAnswer(1000), 10)
	var wg sync.WaitGroup
	for range 40 {
		request := call{target: query("t")}.request(t, g)
		wg.Go(func() {
			_, err := exchangeOnce(&http.Client{Transport: g.client}, request)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	require.Equal(t, `{"identity_result":"WAITING_VERIFY"}`, string(call{target: query("t")}.do(t, g).body))
}

func TestAnAnswerUnderWayBelongsToTheTokenAsItWas(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*Gateway){
		"SetResult": func(g *Gateway) { g.SetResult("t", Result{WaitingPolls: 1}) },
		"SetError":  func(g *Gateway) { g.SetError("t", 0, alipay.CodeSystemError, "") },
		"Reset":     (*Gateway).Reset,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t)
			met, proceed := make(chan bool), make(chan bool)
			g.Inject(Fault{name: "wait", acts: true, harmless: true, do: func(x *exchange) {
				close(met)
				<-proceed
				x.deliver(x.answer())
			}}, 1)
			done := make(chan got)
			request := call{target: query("t")}.request(t, g)
			go func() {
				answer, err := exchangeOnce(g.HTTPClient(), request)
				assert.NoError(t, err)
				done <- answer
			}()
			<-met
			forget(g)
			close(proceed)
			require.Equal(t, sample, string((<-done).body))
			require.Equal(t, TokenState{}, g.Token("t"))
			require.Equal(t, name == "Reset", len(g.Ledger()) == 0)
		})
	}
}

func TestASlashThatIsEscapedPartsNothing(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Handle("GET", "/v3/文 件/{id}", func(ReceivedRequest) (int, any) { return 0, "{}" })
	for target, status := range map[string]int{
		"/v3/%E6%96%87%20%e4%bb%b6/1":                                          200,
		"/v3/%E6%96%87%20%E4%BB%B6/1%2F":                                       200,
		"/v3%2F%E6%96%87%20%E4%BB%B6/1":                                        404,
		strings.Replace(query("t"), "/authentication", "%2Fauthentication", 1): 404,
	} {
		assert.Equal(t, status, call{target: target}.do(t, g).StatusCode, target)
	}
	before := len(g.endpoints)
	for range 100 {
		g.Handle("GET", "/v3/again", func(ReceivedRequest) (int, any) { return 0, nil })
	}
	require.Len(t, g.endpoints, before+1)
}

func TestWhatIsLeftOutHasItsDefault(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithAddr(""), WithClock(nil), WithPathPrefix(""), WithEncryptKey(""), nil)
	require.True(t, strings.HasPrefix(g.BaseURL(), "http://127.0.0.1:"))

	g.SetError("t", 0, alipay.CodeRiskIntercept, "")
	require.Equal(t, 400, call{target: query("t")}.do(t, g).StatusCode)

	g.Inject(BadGateway.When(nil), 1)
	require.Equal(t, 502, call{target: query("u")}.do(t, g).StatusCode)
	g.Inject(gzipBomb(-1), 1)
	require.Empty(t, call{target: query("v")}.do(t, g).body)
	g.Inject(FaultFunc("bare", func(w http.ResponseWriter, _ *http.Request, _ *Answer) {
		assert.NoError(t, (&Answer{Body: []byte("bare")}).Send(w))
	}), 1)
	bare := call{target: query("w")}.do(t, g)
	require.Equal(t, 200, bare.StatusCode)
	require.Equal(t, "bare", string(bare.body))

	require.EqualError(t, SignAnswer(nil, nil, time.Now()), "alipaytest: SignAnswer: the header is nil")
	_, err := StubQuerier{}.Query(context.Background(), nil)
	require.EqualError(t, err, "alipaytest: StubQuerier.QueryFunc is not set")
}

// Requests that a client sends without waiting for answers are answered in turn.
func TestPipelinedRequestsAreAnsweredInTurn(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.SetResult("t", Result{IdentityResult: alipay.IdentityResultWaitingVerify})
	conn := dial(t, g)
	for range 3 {
		require.NoError(t, call{target: query("t")}.request(t, g).Write(conn))
	}
	reader := bufio.NewReader(conn)
	for range 3 {
		response, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.Equal(t, 200, response.StatusCode)
	}
	require.Equal(t, 3, g.Deliveries("t"))
}
