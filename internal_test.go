package alipay

import (
	"container/heap"
	"context"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/backoff"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/lenient"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// TrustForTest lets a client with the library's own transport trust the
// certificate of a test server.
func TrustForTest(c *Client, pool *x509.CertPool) {
	ConfigureOwnForTest(c, func(own *http.Transport) { own.TLSClientConfig.RootCAs = pool })
}

// ConfigureOwnForTest changes the library's own transport of a client.
func ConfigureOwnForTest(c *Client, configure func(own *http.Transport)) {
	own := NewTransport()
	configure(own)
	*c.transport.delivery = *delivery.Own(own)
}

// DefaultTimeout and DownloadTimeout are what they are without tests.
var DefaultTimeout, DownloadTimeout = defaultTimeout, downloadTimeout

// BePatient makes the default timeouts longer than any test needs, so that none
// fails on a machine that is busy with something else.
func BePatient() { defaultTimeout, downloadTimeout = 2*time.Minute, 2*time.Minute }

func TestTheZeroPollPolicyIsTheDefault(t *testing.T) {
	assert.Equal(t, PollPolicy{Initial: time.Second, Max: 15 * time.Second, Timeout: 10 * time.Minute}, PollPolicy{}.withDefaults())
}

// TestTheSignerIsBoundToItsOrigin also stands for a mistake inside the library: a
// request for anywhere else is neither signed nor sent.
func TestTheSignerIsBoundToItsOrigin(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	origin, err := url.Parse(server.URL)
	require.NoError(t, err)
	base, err := delivery.NewTransport(nil, "http")
	require.NoError(t, err)
	transport := &signingTransport{delivery: base, origin: origin}
	for _, elsewhere := range []string{
		"https://" + origin.Host + "/v3/x", "http://localhost:" + origin.Port() + "/v3/x", "http://127.0.0.1:1/v3/x", "http://127.0.0.1.example.com:" + origin.Port() + "/v3/x",
	} {
		target, err := url.Parse(elsewhere)
		require.NoError(t, err)
		var report delivery.Report
		request := delivery.Request{Method: http.MethodGet, URL: target, Header: http.Header{}}
		_, _, err = transport.send(t.Context(), nil, request, nil, &report) // a nil signer: signing would panic
		require.ErrorIs(t, err, errForeignOrigin)
		assert.False(t, report.MaybeSent())
		assert.Empty(t, request.Header)
	}
	assert.Zero(t, requests.Load())
}

// decodeLikeACall decodes a body as handleResponse does.
func decodeLikeACall(body []byte, out any) error {
	object, err := lenient.Object(body)
	if err != nil {
		return err
	}
	return (&attempt{call: &call{}}).decode(object, out)
}

// FuzzDecodeResponse holds the decoder of answers against encoding/json.
func FuzzDecodeResponse(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		var got QueryResponse
		before := got
		err := decodeLikeACall(body, &got)
		var oracle map[string]json.RawMessage
		object, _ := lenient.Object(body) // with raw control characters escaped
		isObject := lenient.StartsObject(body) && json.Unmarshal(object, &oracle) == nil
		if err != nil {
			assert.Equal(t, before, got, "left as it was")
			if isObject {
				assert.ErrorIs(t, err, lenient.ErrNotAString)
			}
			return
		}
		require.True(t, isObject, "accepted what is no object")
		known := 0
		for name, raw := range oracle {
			text := got.member([]byte(name))
			if text == nil {
				assert.Equal(t, string(raw), string(got.Extra[name]), name)
				continue
			}
			known++
			var want string
			if raw[0] == '"' {
				require.NoError(t, json.Unmarshal(raw, &want))
			} else if string(raw) != "null" {
				want = string(raw)
			}
			assert.Equal(t, want, *text, name)
		}
		assert.Len(t, got.Extra, len(oracle)-known)

		// Its JSON is faithful.
		encoded, err := json.Marshal(got)
		require.NoError(t, err)
		var again QueryResponse
		require.NoError(t, json.Unmarshal(encoded, &again))
		assert.Equal(t, got.IdentityResult, again.IdentityResult)
		assert.Equal(t, got.UserID, again.UserID)
		assert.Len(t, again.Extra, len(got.Extra))
	})
}

// FuzzDecodeError: whatever an error answer holds, it gives an APIError that can
// be printed.
func FuzzDecodeError(f *testing.F) {
	f.Fuzz(func(t *testing.T, status int, body []byte, sent string) {
		if strings.Contains(string(body), string(CodeInvalidSignature)) {
			return // diagnosed with the keys of a client
		}
		a := &attempt{keys: &keySet{Credentials: new(credentials.Credentials)}, status: status, call: &call{query: url.Values{"cert_no": {sent}}, url: new(url.URL)}}
		e := a.apiError(http.Header{}, body, nil, false)
		assert.Equal(t, body, e.Body)
		if _, err := lenient.Object(body); err != nil {
			assert.Empty(t, e.Code)
		}
		data, err := json.Marshal(e)
		require.NoError(t, err)
		for _, text := range []string{e.Error(), string(data), e.Message} {
			if len(sent) > 12 && !strings.Contains(redact.Masked, sent) && strings.Contains(strings.ReplaceAll(text, redact.Masked, "\x00"), sent) && strings.Contains(e.Message+string(e.Code), sent) {
				t.Errorf("the value that was sent shows")
			}
		}
		for _, line := range []string{e.Error()} {
			assert.NotContains(t, line, "\n")
		}
	})
}

func TestTheOwnTransportKeepsConnectionsForEveryCallerAndNotForLong(t *testing.T) {
	transport := NewTransport()
	assert.GreaterOrEqual(t, transport.MaxIdleConnsPerHost, 10_000)
	assert.Zero(t, transport.MaxIdleConns, "no limit")
	assert.Positive(t, transport.IdleConnTimeout)
	assert.Less(t, transport.IdleConnTimeout, 20*time.Second, "the shortest keep-alive that is common among servers")
	assert.False(t, transport.Protocols.HTTP2())
	assert.EqualValues(t, tls.VersionTLS12, transport.TLSClientConfig.MinVersion)
}

func TestTheTimeoutIsTenSecondsByDefault(t *testing.T) {
	assert.Equal(t, 10*time.Second, DefaultTimeout)
	assert.Equal(t, 5*time.Second, DownloadTimeout)
	for name, tt := range map[string]struct {
		opts []Option
		want time.Duration
	}{
		"default":             {nil, defaultTimeout},
		"zero":                {[]Option{WithTimeout(0)}, defaultTimeout},
		"a client without":    {[]Option{WithHTTPClient(&http.Client{})}, defaultTimeout},
		"the client's":        {[]Option{WithHTTPClient(&http.Client{Timeout: time.Minute})}, time.Minute},
		"a nanosecond":        {[]Option{WithTimeout(1)}, 1},
		"the client's, < 0":   {[]Option{WithHTTPClient(&http.Client{Timeout: -1})}, defaultTimeout},
		"WithTimeout's first": {[]Option{WithTimeout(time.Second), WithHTTPClient(&http.Client{Timeout: time.Minute})}, time.Second},
	} {
		s, err := newSettings(tt.opts)
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, s.timeout, name)
	}
}

func TestZeroMeansTheDefault(t *testing.T) {
	want, err := newSettings(nil)
	require.NoError(t, err)
	long := func() time.Time { return time.Now().Add(time.Hour) }
	got, err := newSettings([]Option{
		WithTimeout(1), WithMaxResponseBytes(1), WithMaxClockSkew(1), WithRetryPolicy(RetryPolicy{1, 1, 1, 1, 1}), WithHTTPClient(&http.Client{Timeout: 1}),
		WithClock(long), WithUserAgent("x"), WithLogger(slog.Default()), WithCertificateDownload(false),
		nil, // passed over
		WithTimeout(0), WithMaxResponseBytes(0), WithMaxClockSkew(0), WithRetryPolicy(RetryPolicy{}), WithHTTPClient(nil),
		WithClock(nil), WithUserAgent(""), WithLogger(nil), WithCertificateDownload(true),
	})
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), got.clock(), time.Minute)
	for _, s := range []*settings{&want, &got} {
		s.clock = nil // functions are not compared
	}
	assert.Equal(t, want, got)
	assert.EqualValues(t, 1<<20, got.maxResponseBytes)
	assert.Equal(t, 10*time.Minute, got.maxClockSkew)

	policy := RetryPolicy{1, 1, 1, 0.1, 0.01}
	got, err = newSettings([]Option{WithMaxResponseBytes(1), WithMaxClockSkew(1), WithRetryPolicy(policy)})
	require.NoError(t, err)
	assert.Equal(t, []any{int64(1), time.Duration(1), policy}, []any{got.maxResponseBytes, got.maxClockSkew, got.retry}, "as little as can be is not zero")
}

// TestAFieldThatIsCutOffOrOutOfBoundsFailsTheReader, and it stays failed: a field
// that can be read says nothing any more.
func TestAFieldThatIsCutOffOrOutOfBoundsFailsTheReader(t *testing.T) {
	varint := func(r *fieldReader) { r.varint() }
	uvarint := func(r *fieldReader) { r.uvarint(300) }
	text := func(r *fieldReader) { r.bytes() }
	take := func(n int) func(*fieldReader) { return func(r *fieldReader) { r.take(n) } }
	overflow := strings.Repeat("\xff", 10) + "\x01"
	for name, tt := range map[string]struct {
		read   func(*fieldReader)
		stored string
		rest   string // "failed" for a failure
	}{
		"varint":               {varint, "\x80\x01x", "x"},
		"varint, of one byte":  {varint, "\x01", ""},
		"varint, nothing":      {varint, "", "failed"},
		"varint, cut off":      {varint, "\x80", "failed"},
		"varint, too large":    {varint, overflow, "failed"},
		"uvarint":              {uvarint, "\x07x", "x"},
		"uvarint, the limit":   {uvarint, "\xac\x02", ""},
		"uvarint, beyond it":   {uvarint, "\xad\x02", "failed"},
		"uvarint, nothing":     {uvarint, "", "failed"},
		"uvarint, cut off":     {uvarint, "\x80", "failed"},
		"uvarint, too large":   {uvarint, overflow, "failed"},
		"bytes, none":          {text, "\x00x", "x"},
		"bytes, all":           {text, "\x02xy", ""},
		"bytes, more":          {text, "\x03xy", "failed"},
		"take nothing":         {take(0), "", ""},
		"take all":             {take(2), "xy", ""},
		"take more":            {take(3), "xy", "failed"},
		"take a negative many": {take(-1), "xy", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &fieldReader{rest: []byte(tt.stored)}
			tt.read(r)
			require.Equal(t, tt.rest == "failed", r.failed)
			if !r.failed {
				assert.Equal(t, tt.rest, string(r.rest))
				return
			}
			r.rest = []byte("\x01\x01\x01x")
			for _, read := range []func(*fieldReader){varint, uvarint, text} {
				read(r)
				assert.True(t, r.failed)
			}
			assert.Equal(t, "\x01\x01\x01x", string(r.rest))
			assert.Nil(t, r.take(1))
		})
	}
}

func TestEachByteIsAControlVisibleAndPartOfATokenOrNot(t *testing.T) {
	for c := range rune(0x180) {
		text := "a" + string(c) + "a"
		assert.Equal(t, c < utf8.RuneSelf && unicode.IsControl(c), hasControl(text), "%q", c)
		visible := c < utf8.RuneSelf && unicode.IsGraphic(c) && c != ' '
		assert.Equal(t, visible, isVisibleASCII(text), "%q", c)
		alphanumeric := c < utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c))
		assert.Equal(t, alphanumeric || strings.ContainsRune("!#$%&'*+-.^_`|~", c), isToken(text), "%q", c)
	}
	assert.False(t, isToken(""))
	assert.True(t, isVisibleASCII(""))
}

func TestTheRetryPolicysDefaults(t *testing.T) {
	want := RetryPolicy{MaxAttempts: 3, BaseDelay: 200 * time.Millisecond, MaxDelay: 2 * time.Second, MaxTokens: 10, TokenRatio: 0.1}
	assert.Equal(t, want, RetryPolicy{}.withDefaults())
	assert.Equal(t, want, want.withDefaults())
}

func TestWhatIsRepeatedAndWhen(t *testing.T) {
	notDelivered := func(change func(*CallError)) error {
		e := &CallError{}
		change(e)
		return e.withOutcome(OutcomeNotDelivered)
	}
	atOnce := notDelivered(func(e *CallError) { e.retryAtOnce = true })
	throttled := &APIError{StatusCode: 429, Header: http.Header{"Retry-After": {"30"}}}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for name, tt := range map[string]struct {
		ctx   context.Context
		next  int
		err   error
		pause time.Duration // 0: no attempt; -1: that of the policy
		left  int           // retries of other calls, of four
	}{
		"nothing failed":                {t.Context(), 2, nil, 0, 4},
		"the outcome is unknown":        {t.Context(), 2, ErrOutcomeUnknown, 0, 4},
		"a mistake of the caller's":     {t.Context(), 2, notDelivered(func(e *CallError) { e.mistake = true }), 0, 4},
		"the caller gave up":            {cancelled, 2, throttled, 0, 4},
		"the time is over":              {expired, 2, notDelivered(func(*CallError) {}), -1, 3},
		"not delivered":                 {t.Context(), 2, notDelivered(func(*CallError) {}), -1, 3},
		"the last attempt of three":     {t.Context(), 3, notDelivered(func(*CallError) {}), -1, 3},
		"a fourth of three":             {t.Context(), 4, notDelivered(func(*CallError) {}), 0, 3},
		"a dead connection":             {t.Context(), 3, atOnce, time.Nanosecond, 4},
		"a dead connection, the fourth": {t.Context(), 4, atOnce, 0, 4},
		"as the gateway asks":           {t.Context(), 2, throttled, 30 * time.Second, 3},
	} {
		s, err := newSettings(nil)
		require.NoError(t, err)
		c := &Client{settings: s, budget: backoff.NewBudget(s.retry.MaxTokens, s.retry.TokenRatio)}
		pause := c.pauseBefore(tt.ctx, tt.next, tt.err)
		switch {
		case tt.pause < 0:
			step := s.retry.BaseDelay << (tt.next - 2)
			assert.GreaterOrEqual(t, pause, step/2, name)
			assert.LessOrEqual(t, pause, step, name)
		default:
			assert.Equal(t, tt.pause, pause, name)
		}
		left := 0
		for c.budget.Failed() {
			left++
		}
		assert.Equal(t, tt.left, left, name)
	}
}

func TestDiagnoseTellsWhoseKeyItIs(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(cryptorand.Reader, 2048)
	require.NoError(t, err)
	other, err := rsa.GenerateKey(cryptorand.Reader, 2048)
	require.NoError(t, err)
	s := &signer{appID: "1", key: key, clock: time.Now}
	_, signed, err := s.sign(t.Context(), "GET", "/", nil, "")
	require.NoError(t, err)
	assert.Equal(t, errOtherKeyOnFile, s.diagnose(signed))
	s.key = other
	assert.Equal(t, errSignerMethod, s.diagnose(signed))
}

// attemptAt is an attempt of the simulation that is due.
type attemptAt struct {
	at     time.Duration
	number int
}

type schedule []attemptAt

func (s schedule) Len() int { return len(s) }

func (s schedule) Less(i, j int) bool { return s[i].at < s[j].at }

func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

func (s *schedule) Push(x any) { *s = append(*s, x.(attemptAt)) }

func (s *schedule) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// simulate lets many clients call for a minute, each at its own random moments,
// under the decisions that doCall makes, in virtual time. refused is the share of
// attempts that the gateway refuses for load. That does not depend on what the
// clients do, so they can be taken one after the other.
func simulate(ctx context.Context, clients int, perSecond, refused float64, policy RetryPolicy) (attemptsPerCall, success float64) {
	random := rand.New(rand.NewPCG(1, 2))
	policy = policy.withDefaults()
	throttled := &APIError{StatusCode: http.StatusTooManyRequests, Header: http.Header{}}
	calls, attempts, succeeded := 0, 0, 0
	var due schedule
	for range clients {
		client := &Client{settings: settings{retry: policy, clock: time.Now}}
		if policy.MaxTokens > 0 {
			client.budget = backoff.NewBudget(policy.MaxTokens, policy.TokenRatio)
		}
		for at := random.ExpFloat64() / perSecond; at < 60; at += random.ExpFloat64() / perSecond {
			due = append(due, attemptAt{time.Duration(at * float64(time.Second)), 1}) // in order, so it is a heap
			calls++
		}
		for due.Len() > 0 {
			a := heap.Pop(&due).(attemptAt)
			attempts++
			var err error
			if random.Float64() < refused {
				err = throttled
			} else {
				succeeded++
			}
			if pause := client.pauseBefore(ctx, a.number+1, err); pause > 0 {
				heap.Push(&due, attemptAt{a.at + pause, a.number + 1})
			}
		}
	}
	return float64(attempts) / float64(calls), float64(succeeded) / float64(calls)
}

// TestRetriesAreNoStorm simulates 100 clients for a minute, with and without the
// budget. Run it with -v for the table, which is of 1,000 clients.
func TestRetriesAreNoStorm(t *testing.T) {
	t.Parallel()
	clients := 100
	if testing.Verbose() {
		clients = 1000
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-14s %10s   %-22s   %-22s\n", "refused", "calls/s", "no budget", "with the budget")
	for _, load := range []struct {
		name    string
		refused float64
	}{{"everything", 1}, {"half", 0.5}, {"10 %, at random", 0.1}} {
		for _, perSecond := range []float64{0.1, 1, 10} {
			a0, s0 := simulate(t.Context(), 100, perSecond, load.refused, RetryPolicy{MaxTokens: -1})
			a, s := simulate(t.Context(), clients, perSecond, load.refused, RetryPolicy{})
			fmt.Fprintf(&table, "%-14s %10v   %.2f attempts, %5.1f %%   %.2f attempts, %5.1f %%\n", load.name, perSecond, a0, 100*s0, a, 100*s)
			if perSecond < 1 {
				continue
			}
			switch load.refused {
			case 1:
				assert.LessOrEqual(t, a, 1.2, "attempts per call, %v calls/s", perSecond)
			case 0.5:
				assert.LessOrEqual(t, a, 1.25, "attempts per call, %v calls/s", perSecond)
			default:
				assert.GreaterOrEqual(t, s, 0.98, "success, %v calls/s", perSecond)
			}
		}
	}
	t.Log(table.String())
}
