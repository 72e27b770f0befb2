package alipay

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	*c.transport = *delivery.Own(own)
}

// DefaultTimeout and DownloadTimeout are what they are without tests.
var DefaultTimeout, DownloadTimeout = defaultTimeout, downloadTimeout

// BePatient makes the default timeouts longer than any test needs, so that none
// fails on a machine that is busy with something else.
func BePatient() { defaultTimeout, downloadTimeout = PatientTimeout, PatientTimeout }

// PatientTimeout is that of BePatient.
const PatientTimeout = 2 * time.Minute

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

func TestDecide(t *testing.T) {
	policy := RetryPolicy{}.withDefaults()
	refused := &CallError{outcome: OutcomeNotDelivered}
	throttled := &APIError{StatusCode: 429, Header: http.Header{"Retry-After": {"30"}}}
	for name, tt := range map[string]struct {
		change func(*report)
		err    error
		again  bool
		pause  time.Duration
	}{
		"nothing failed":                      {nil, nil, false, 0},
		"the outcome is unknown":              {nil, ErrOutcomeUnknown, false, 0},
		"refused":                             {nil, CodeTokenInvalid, false, 0},
		"nothing can help":                    {nil, &CallError{outcome: OutcomeNotDelivered, permanent: true}, false, 0},
		"the caller gave up":                  {func(r *report) { r.ended = true }, throttled, false, 0},
		"the time is over":                    {func(r *report) { r.left = 0 }, refused, false, 0},
		"no time for the pause":               {func(r *report) { r.left = 100 * time.Millisecond }, refused, false, 0},
		"just time for the pause":             {func(r *report) { r.left = 100*time.Millisecond + 1 }, refused, true, 100 * time.Millisecond},
		"not delivered":                       {nil, refused, true, 100 * time.Millisecond},
		"the longest pause":                   {func(r *report) { r.jitter = 1 }, refused, true, 200 * time.Millisecond},
		"the second of three":                 {func(r *report) { r.number = 2 }, refused, true, 200 * time.Millisecond},
		"the third of three":                  {func(r *report) { r.number = 3 }, refused, false, 0},
		"a dead connection":                   {func(r *report) { r.number, r.dead = 2, true }, refused, true, 0},
		"a dead connection, the third":        {func(r *report) { r.number, r.dead = 3, true }, refused, false, 0},
		"as the gateway asks":                 {nil, throttled, true, 30 * time.Second},
		"longer than there is time, as asked": {func(r *report) { r.left = 30 * time.Second }, throttled, false, 0},
	} {
		r := report{number: 1, policy: policy, now: time.Now(), left: time.Minute}
		if tt.change != nil {
			tt.change(&r)
		}
		again, pause := decide(r, tt.err)
		assert.Equal(t, tt.again, again, name)
		assert.Equal(t, tt.pause, pause, name)
	}
}
