package alipaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// onWire are the ways in which the faults are met.
var onWire = map[string][]Option{"http": nil, "tls": {WithTLS()}, "http2": {WithHTTP2()}}

// once sends a request that net/http cannot repeat by itself.
func once(g *Gateway, r *http.Request) (got, error) {
	r.Body, r.ContentLength, r.TransferEncoding, r.GetBody = io.NopCloser(strings.NewReader("")), 0, []string{"identity"}, nil
	return exchangeOnce(g.HTTPClient(), r)
}

// effect is what a fault does, as a client sees it and as the books have it.
type effect struct {
	acts     bool // the once_token is spent
	harmless bool // the right answer arrives, and counts as delivered

	fails  string // the error of a client over HTTP/1.1; "" when an answer comes
	part   string // what has come of the body before that
	status int    // of the answer; 0 means 200
	body   string // all of it; "" means the right one, or with code an error's
	code   string // of the error that the body holds
	empty  bool   // nothing is in the body
	forged bool   // the signature is there and does not hold, or is not there
	header map[string]string
	also   func(t *testing.T, answer got)
}

// effects says of every fault what it does. It is written down from the
// documentation, not from the faults.
var effects = map[string]effect{
	"drop":                         {fails: "EOF"},
	"drop by reset":                {fails: "connection reset by peer"},
	"drop after 1 on a connection": {fails: "EOF"},
	"lost answer":                  {acts: true, fails: "EOF"},
	"lost answer by reset":         {acts: true, fails: "connection reset by peer"},
	"reset stream":                 {acts: true, fails: "EOF"},
	"close idle connection":        {acts: true, harmless: true},
	"announced close":              {acts: true, harmless: true},
	"half an answer":               {acts: true, fails: "unexpected EOF", part: sample[:len(sample)/2]},
	"half a chunked answer":        {acts: true, fails: "unexpected EOF", part: sample[:len(sample)/2]},
	"half a head":                  {acts: true, fails: "unexpected EOF"},
	"malformed HTTP":               {acts: true, fails: "malformed HTTP"},
	"hang":                         {acts: true, fails: "context canceled"},

	"wrong signature":          {acts: true, forged: true},
	"garbled signature":        {acts: true, forged: true, also: signatureIs("^!")},
	"missing signature":        {acts: true, forged: true, also: signatureIs("^$")},
	"null signature":           {acts: true, forged: true, also: signatureIs("^null$")},
	"foreign signature":        {acts: true, forged: true, also: signedBy("foreign")},
	"altered body":             {acts: true, forged: true, body: "{ " + sample[1:]},
	"missing nonce":            {acts: true, forged: true, header: map[string]string{"Alipay-Nonce": ""}},
	"missing timestamp":        {acts: true, forged: true, header: map[string]string{"Alipay-Timestamp": ""}},
	"garbled timestamp":        {acts: true, header: map[string]string{"Alipay-Timestamp": "yesterday"}},
	"timestamp off by -1h0m0s": {acts: true, also: stampedAt(-time.Hour)},
	"timestamp off by 1h0m0s":  {acts: true, also: stampedAt(time.Hour)},
	"unknown alipay-sn":        {acts: true, header: map[string]string{"Alipay-Sn": "00000000000000000000000000000000"}},
	"missing alipay-sn":        {acts: true, harmless: true, header: map[string]string{"Alipay-Sn": ""}},

	"429":                        {status: 429, empty: true, forged: true, header: map[string]string{"Alipay-Trace-Id": ""}},
	"429, Retry-After 1":         {status: 429, code: "app-call-limited", forged: true, header: map[string]string{"Retry-After": "1"}},
	"429 app-call-limited":       {status: 429, code: "app-call-limited", forged: true, also: traced, header: map[string]string{"Retry-After": ""}},
	"429 method-call-limited":    {status: 429, code: "method-call-limited", forged: true, also: traced},
	"429 with a wrong signature": {status: 429, code: "app-call-limited", forged: true, also: signedBy("foreign")},
	"400 app-call-limited":       {status: 400, code: "app-call-limited", forged: true, also: traced},

	"500 HTML":         {status: 500, body: page, forged: true, also: typed("text/html")},
	"502 empty":        {status: 502, empty: true, forged: true},
	"502 empty, acted": {acts: true, status: 502, empty: true, forged: true},
	"503":              {status: 503, body: "upstream connect error\n", forged: true},
	"504 HTML":         {acts: true, status: 504, body: page, forged: true, also: typed("text/html")},
	"408":              {status: 408, empty: true, forged: true},
	"403 HTML":         {status: 403, body: page, forged: true, also: typed("text/html")},
	"200 HTML":         {status: 200, body: page, forged: true, also: typed("text/html")},
	"200 empty":        {status: 200, empty: true, forged: true},
	"redirect 301":     {status: 301, empty: true, forged: true, header: map[string]string{"Location": "http://127.0.0.1:9/elsewhere"}},
	"redirect 302":     {status: 302, empty: true, forged: true, header: map[string]string{"Location": "http://127.0.0.1:9/elsewhere"}},
	"redirect 307":     {status: 307, empty: true, forged: true, header: map[string]string{"Location": "http://127.0.0.1:9/elsewhere"}},
	"redirect 308":     {status: 308, empty: true, forged: true, header: map[string]string{"Location": "http://127.0.0.1:9/elsewhere"}},

	"400 SYSTEM_ERROR, signed":   {status: 400, code: "SYSTEM_ERROR"},
	"500 SYSTEM_ERROR, signed":   {status: 500, code: "SYSTEM_ERROR"},
	"400 unknow-error":           {status: 400, code: "unknow-error", forged: true},
	"500 unknow-error":           {status: 500, code: "unknow-error", forged: true},
	"403 RISK_INTERCEPT, signed": {status: 403, code: "RISK_INTERCEPT"},
	"201 signed":                 {acts: true, status: 201},
	"202 unsigned":               {acts: true, status: 202, forged: true},
	"204 signed":                 {acts: true, status: 204, empty: true},

	"signed HTML":      {acts: true, body: page, also: typed("text/html")},
	"signed array":     {acts: true, body: `["SUCCESS"]`},
	"signed empty":     {acts: true, empty: true},
	"trailing garbage": {acts: true, body: sample + `{"identity_result":"FAILED"}`},
	"bad ciphertext":   {acts: true, body: "bm90IGEgYmxvY2s="},

	"plain answer":          {acts: true, harmless: true, also: typed("application/json")},
	"compressed":            {acts: true, harmless: true, also: uncompressed},
	"slow, 300ms":           {acts: true, harmless: true},
	"slow body, 300ms":      {acts: true, harmless: true},
	"answer of 65536 bytes": {acts: true, harmless: true, body: `{` + strings.Repeat(" ", 64<<10-len(sample)) + sample[1:]},
	// Of the last two the client reads 8 MiB.
	"huge body, 8388608 bytes":        {acts: true, body: blanks, forged: true},
	"compressed bomb, 67108864 bytes": {acts: true, body: blanks, forged: true, also: uncompressed},
}

const page = "<!DOCTYPE html>\n<html><head><title>nginx</title></head><body><h1>Something went wrong</h1></body></html>\n"

var blanks = strings.Repeat(" ", 8<<20)

func signatureIs(pattern string) func(*testing.T, got) {
	return func(t *testing.T, answer got) {
		assert.Regexp(t, pattern, answer.Header.Get("Alipay-Signature"))
	}
}

// signedBy asserts that a key of testkeys has signed the answer.
func signedBy(name string) func(*testing.T, got) {
	return func(t *testing.T, answer got) {
		key, _ := readKey(name + "_private_key.pem")
		h := answer.Header
		content := h.Get("Alipay-Timestamp") + "\n" + h.Get("Alipay-Nonce") + "\n" + string(answer.body) + "\n"
		assert.NoError(t, protocol.Verify(&key.PublicKey, []byte(content), h.Get("Alipay-Signature")))
	}
}

func stampedAt(offset time.Duration) func(*testing.T, got) {
	return func(t *testing.T, answer got) {
		milliseconds, err := strconv.ParseInt(answer.Header.Get("Alipay-Timestamp"), 10, 64)
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now().Add(offset), time.UnixMilli(milliseconds), 5*time.Minute)
	}
}

func typed(media string) func(*testing.T, got) {
	return func(t *testing.T, answer got) {
		assert.Equal(t, media, strings.Split(answer.Header.Get("Content-Type"), ";")[0])
	}
}

func traced(t *testing.T, answer got) {
	assert.Len(t, answer.Header.Get("Alipay-Trace-Id"), 32)
	assert.Contains(t, string(answer.body), "https://open.alipay.com/api/errCheck?traceId="+answer.Header.Get("Alipay-Trace-Id")+"&source=openapi")
}

// uncompressed asserts that net/http has undone a compression.
func uncompressed(t *testing.T, answer got) { assert.True(t, answer.Uncompressed) }

func TestEveryFaultHasItsEffect(t *testing.T) {
	t.Parallel()
	for _, fault := range Faults() {
		want, known := effects[fault.String()]
		require.True(t, known, "no effect is written down for %s", fault)
		assert.Equal(t, want.acts, fault.Acts(), "%s", fault)
		assert.Equal(t, want.harmless, fault.Harmless(), "%s", fault)
		for wire, opts := range onWire {
			for _, cert := range []bool{false, true} {
				if cert && wire != "http" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/cert=%t", fault, wire, cert), func(t *testing.T) {
					t.Parallel()
					g := NewGateway(t, opts...)
					if fault.String() == "drop after 1 on a connection" {
						require.Equal(t, 200, call{target: query("before"), cert: cert}.do(t, g).StatusCode)
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					met, hanging := fault, make(chan struct{})
					if fault.String() == "hang" {
						met.do = func(x *exchange) { close(hanging); hang(x) }
						go func() { // the client gives up once it hangs
							<-hanging
							cancel()
						}()
					}
					g.Inject(met, 1)
					answer, err := once(g, call{target: query("t"), cert: cert}.request(t, g).WithContext(ctx))
					switch {
					case want.fails == "":
						require.NoError(t, err)
						want.holds(t, answer)
					case wire == "http":
						require.ErrorContains(t, err, want.fails)
						assert.Equal(t, want.part, string(answer.body))
					default: // in the words of TLS or HTTP/2
						require.Error(t, err)
					}

					assert.Equal(t, TokenState{
						Requests: 1, Acted: map[bool]int{true: 1}[want.acts], Spent: want.acts, Delivered: want.harmless,
					}, g.Token("t"))
					requests := g.Requests()
					assert.Equal(t, fault.String(), requests[len(requests)-1].Fault)

					// It was met once, and the gateway is well again.
					after, err := once(g, call{target: query("after"), cert: cert}.request(t, g))
					if err != nil { // that connection was dead
						after, err = once(g, call{target: query("after"), cert: cert}.request(t, g))
					}
					require.NoError(t, err)
					require.True(t, after.StatusCode == 200 || g.Deliveries("after") > 1)
				})
			}
		}
	}
}

// holds compares an answer with what it should be.
func (want effect) holds(t *testing.T, answer got) {
	if want.status == 0 {
		want.status = 200
	}
	assert.Equal(t, want.status, answer.StatusCode)
	switch {
	case want.empty:
		assert.Empty(t, answer.body)
	case want.code != "":
		var no struct{ Code, Message string }
		require.NoError(t, json.Unmarshal(answer.body, &no))
		assert.Equal(t, want.code, no.Code)
		assert.NotEmpty(t, no.Message)
	case want.body != "":
		assert.True(t, want.body == string(answer.body), "%.200q", answer.body)
	default:
		assert.Equal(t, sample, string(answer.body))
	}
	assert.Equal(t, want.forged, !answer.verifies())
	for name, value := range want.header {
		assert.Equal(t, value, answer.Header.Get(name), name)
	}
	if want.also != nil {
		want.also(t, answer)
	}
}

// Faults is complete: every exported fault is in it, and every function that
// makes one from parameters of its own is there with some.
func TestFaultsNamesThemAll(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, fault := range Faults() {
		assert.False(t, names[fault.String()], "two faults are called %s", fault)
		names[fault.String()] = true
		assert.Equal(t, fault.String(), FaultNamed(fault.String()).String())
	}
	for name := range effects {
		assert.True(t, names[name], "no fault is called %s", name)
	}
	assert.PanicsWithValue(t, `alipaytest: FaultNamed: there is no fault "none"`, func() { FaultNamed("none") })

	members := map[string]string{
		"Drop": "drop", "LostAnswer": "lost answer", "HalfAnswer": "half an answer", "Hang": "hang",
		"MissingSignature": "missing signature", "ForeignSignature": "foreign signature", "AlteredBody": "altered body",
		"UnknownSN": "unknown alipay-sn", "TooManyRequests": "429", "BadGateway": "502 empty",

		"TimestampOff": "timestamp off by 1h0m0s", "RetryAfter": "429, Retry-After 1",
		"RawAnswer": "503", "GatewayError": "429 app-call-limited", "BusinessError": "403 RISK_INTERCEPT, signed",
		"SignedBody": "signed array", "Slow": "slow, 300ms",
	}
	api, err := os.ReadFile("../api.txt")
	require.NoError(t, err)
	exported := regexp.MustCompile(`(?m)^pkg alipaytest, (?:var (\w+) Fault|func (\w+)\(.*\) Fault)$`).FindAllStringSubmatch(string(api), -1)
	require.Len(t, exported, len(members)+2)
	for _, match := range exported {
		switch name := match[1] + match[2]; name {
		case "FaultFunc", "FaultNamed": // the one has no behaviour of its own, the other makes none
		default:
			assert.True(t, names[members[name]], "%s is not in Faults", name)
		}
	}
}

func TestEveryFaultWorksBesideEncryption(t *testing.T) {
	t.Parallel()
	for _, fault := range Faults() {
		if fault.String() == "hang" || fault.String() == "drop after 1 on a connection" {
			continue
		}
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, WithEncryptKey(testKey))
			g.Inject(fault, 1)
			answer, err := once(g, call{target: query("t")}.request(t, g))
			right := false
			if err == nil && answer.StatusCode == 200 {
				plain, decryptErr := g.cipher.Decrypt(answer.body)
				right = decryptErr == nil && strings.ReplaceAll(string(plain), " ", "") == sample || fault.String() == "plain answer" && string(answer.body) == sample
				right = right && answer.verifies() && answer.Header.Get(protocol.HeaderSN) == ""
			}
			if fault.Harmless() {
				assert.True(t, right, "%v %v", answer.Response, err)
			}
			assert.Equal(t, fault.Acts(), g.Token("t").Spent)
		})
	}
}

func TestFaultsAreMetInTurnAndCounted(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(BadGateway, 2)
	g.Inject(FaultNamed("408"), 1)
	g.Inject(FaultNamed("503"), -1)
	g.Inject(BadGateway, 0)
	g.Inject(Fault{}, 5)
	status := func(c call) int { return c.do(t, g).StatusCode }
	require.Equal(t, 400, status(call{target: query("t"), authorization: func(string) string { return "" }}), "not a request to count")
	var statuses []int
	for range 5 {
		statuses = append(statuses, status(call{target: query("t")}))
	}
	require.Equal(t, []int{502, 502, 408, 503, 503}, statuses)
	g.ClearFaults()
	require.Equal(t, 200, status(call{target: query("t")}))
	require.Equal(t, 6, g.Deliveries("t"))
	require.Equal(t, 1, g.Token("t").Acted)
}

func TestAConditionLetsOthersPass(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	forToken := func(token string) func(ReceivedRequest) bool {
		return func(r ReceivedRequest) bool { return r.Params.Get("once_token") == token }
	}
	g.Inject(BadGateway.When(forToken("b")), 1)
	g.Inject(FaultNamed("408").When(forToken("a")).When(func(r ReceivedRequest) bool { return r.AppCertSN != "" }), 1)
	require.Equal(t, 200, call{target: query("a")}.do(t, g).StatusCode)
	require.Equal(t, 408, call{target: query("a"), cert: true}.do(t, g).StatusCode)
	require.Equal(t, 502, call{target: query("b")}.do(t, g).StatusCode)
	require.Equal(t, 200, call{target: query("b")}.do(t, g).StatusCode)
}

func TestActingChangesWhatAFaultSpends(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(BadGateway.Acting(true), 1)
	require.Equal(t, 502, call{target: query("t")}.do(t, g).StatusCode)
	require.True(t, g.Token("t").Spent)
	require.Equal(t, 400, call{target: query("t")}.do(t, g).StatusCode)

	g.Inject(ForeignSignature.Acting(false), 1)
	answer := call{target: query("u")}.do(t, g)
	require.Equal(t, sample, string(answer.body))
	require.False(t, answer.verifies())
	require.False(t, g.Token("u").Spent)
	require.Equal(t, 200, call{target: query("u")}.do(t, g).StatusCode)
	require.Equal(t, "none", Fault{}.String())
	require.Equal(t, "502 empty, acted", BadGateway.Acting(true).Acting(true).String())
}

func TestDropAfterLetsTheFirstRequestsOfAConnectionPass(t *testing.T) {
	t.Parallel()
	for wire, opts := range onWire {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, opts...)
			g.Inject(dropAfter(2), -1)
			var failed []int
			for i := range 9 {
				if _, err := once(g, call{target: query(fmt.Sprint(i))}.request(t, g)); err != nil {
					failed = append(failed, i)
				}
			}
			require.Equal(t, []int{2, 5, 8}, failed)
			require.Equal(t, 3, g.connectionCount())
		})
	}
}

func TestCloseIdleConnectionsLeavesTheClientADeadOne(t *testing.T) {
	t.Parallel()
	for wire, opts := range onWire {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, opts...)
			for i := range 3 {
				require.Eventually(t, func() bool { // a client may not have noticed yet
					_, err := once(g, call{target: query("t")}.request(t, g))
					return err == nil
				}, time.Minute, time.Millisecond)
				require.Equal(t, i+1, g.connectionCount())
				require.Eventually(t, func() bool {
					g.closeIdleConnections()
					g.conns.mu.Lock()
					defer g.conns.mu.Unlock()
					return len(g.conns.open) == 0
				}, time.Minute, time.Millisecond)
			}
		})
	}
}

func TestResetsAreTheConnectionsAndNotTheTestsOwn(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(FaultNamed("drop by reset"), 1)
	_, err := once(g, call{target: query("t")}.request(t, g))
	require.ErrorContains(t, err, "reset by peer")
	g.Inject(Drop, 1)
	_, err = once(g, call{target: query("t")}.request(t, g))
	require.ErrorIs(t, err, io.EOF)
	g.Inject(HalfAnswer, 1)
	_, err = once(g, call{target: query("t")}.request(t, g))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestASlowAnswerEndsWithTheClientsPatience(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	for _, fault := range []Fault{Slow(time.Hour), slowBody(time.Hour), Hang} {
		g.Inject(fault, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := once(g, call{target: query(fault.String())}.request(t, g).WithContext(ctx))
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Eventually(t, func() bool {
			g.conns.mu.Lock()
			defer g.conns.mu.Unlock()
			return g.conns.answers == 0
		}, time.Minute, time.Millisecond)
		require.False(t, g.Token(fault.String()).Delivered)
	}
}

// The head of a slow body comes at once: a client that waits for it only is not
// slowed down.
func TestOfASlowBodyTheHeadComesAtOnce(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(slowBody(time.Hour), 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	response, err := g.HTTPClient().Do(call{target: query("t")}.request(t, g).WithContext(ctx))
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode)
	require.NoError(t, response.Body.Close())
}

func TestSizedAnswerHasThatManyBytes(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	for _, size := range []int{len(sample) + 1, 1000, 1 << 20} {
		g.Inject(sizedAnswer(size), 1)
		answer := call{target: query(fmt.Sprint(size))}.do(t, g)
		require.Len(t, answer.body, size)
		require.True(t, answer.verifies())
		require.JSONEq(t, sample, string(answer.body))
	}
	g.Inject(sizedAnswer(5), 1)
	require.Equal(t, sample, string(call{target: query("t")}.do(t, g).body))
}

func TestABombStaysSmallOnTheWire(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(gzipBomb(8<<20), 1)
	plain := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer plain.CloseIdleConnections()
	answer, err := exchangeOnce(plain, call{target: query("t")}.request(t, g))
	require.NoError(t, err)
	require.Less(t, len(answer.body), 64<<10)
	g.Inject(gzipBomb(8<<20), 1)
	require.Len(t, call{target: query("t")}.do(t, g).body, 8<<20)
}

func TestFaultFuncHasTheRightAnswerAtHand(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(FaultFunc("teapot", func(w http.ResponseWriter, _ *http.Request, answer *Answer) {
		answer.Status = http.StatusTeapot
		answer.Body = bytes.ToUpper(answer.Body)
		assert.NoError(t, SignAnswer(answer.Header, answer.Body, time.Now()))
		assert.NoError(t, answer.Send(w))
	}), 1)
	answer := call{target: query("t")}.do(t, g)
	require.Equal(t, http.StatusTeapot, answer.StatusCode)
	require.Equal(t, strings.ToUpper(sample), string(answer.body))
	require.True(t, answer.verifies())
	require.Equal(t, TokenState{Requests: 1, Acted: 1, Spent: true}, g.Token("t"))
}

func TestRedirectsNameTheOtherHost(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	defer other.Close()
	g := NewGateway(t)
	g.Inject(redirect(307, other.URL), 1)
	answer := call{target: query("t")}.do(t, g)
	require.Equal(t, 307, answer.StatusCode)
	require.Equal(t, other.URL, answer.Header.Get("Location"))
}

func TestThrottlesSayHowLong(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	g.Inject(RetryAfter(1500*time.Millisecond), 1)
	answer := call{target: query("t")}.do(t, g)
	require.Equal(t, 429, answer.StatusCode)
	require.Equal(t, "2", answer.Header.Get("Retry-After"))
}

// A replay by net/http itself, below every wrapper, must show: it is what "at
// most one delivery" is about.
func TestASilentReplayIsCounted(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	require.Equal(t, 200, call{target: query("warm up")}.do(t, g).StatusCode)
	g.Inject(LostAnswer, 1)
	answer, err := exchangeOnce(g.HTTPClient(), call{target: query("t")}.request(t, g))
	require.NoError(t, err)
	require.Equal(t, 400, answer.StatusCode)
	require.Contains(t, string(answer.body), "suspected-attack")
	require.Equal(t, 2, g.Deliveries("t"))
	require.False(t, g.Token("t").Delivered)
	require.False(t, errors.Is(err, io.EOF))
}
