package alipay

import (
	"context"
	"crypto/x509"
	"log/slog"
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
	"github.com/seed-39a49030/alipay/internal/delivery"
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
func BePatient() { defaultTimeout, downloadTimeout = PatientTimeout, PatientTimeout }

// PatientTimeout is that of BePatient.
const PatientTimeout = 2 * time.Minute

// TestSignerSignsForItsOriginOnly also stands for a mistake inside the library: a
// request for anywhere else is neither signed nor sent.
func TestSignerSignsForItsOriginOnly(t *testing.T) {
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

func TestCharacterClasses(t *testing.T) {
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
