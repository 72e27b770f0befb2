package alipay

import (
	"cmp"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-39a49030/alipay/internal/redact"
)

// Version is the version of this library, sent as alipay-sdk-version.
const Version = "0.1.0"

// The defaults of a client.
const (
	defaultMaxResponseBytes = 1 << 20
	defaultMaxClockSkew     = 10 * time.Minute
)

// Variables, because the tests have more patience on a busy machine.
var (
	defaultTimeout  = 10 * time.Second // of a call
	downloadTimeout = 5 * time.Second  // of a certificate, within it
)

var defaultUserAgent = "alipay-go/" + Version + " (" + runtime.Version() + ")"

// Option configures a [Client].
type Option func(*settings) error

type settings struct {
	httpClient       *http.Client
	timeout          time.Duration
	observers        []Observer   // in the order in which the options gave them
	panicked         *atomic.Bool // an observer has
	told             *sync.Map    // what was logged of unusual answers
	logger           *slog.Logger // nil for silence
	retry            RetryPolicy
	maxResponseBytes int64
	maxClockSkew     time.Duration
	clock            func() time.Time
	userAgent        string
	insecureHTTP     bool
	noDownload       bool
	defaults         []RequestOption // of every call
}

func newSettings(opts []Option) (settings, error) {
	s := settings{
		panicked:         new(atomic.Bool),
		told:             new(sync.Map),
		maxResponseBytes: defaultMaxResponseBytes,
		maxClockSkew:     defaultMaxClockSkew,
		clock:            time.Now,
		userAgent:        defaultUserAgent,
	}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(&s); err != nil {
			return settings{}, err
		}
	}
	if s.timeout == 0 && s.httpClient != nil {
		s.timeout = s.httpClient.Timeout
	}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	if s.logger != nil {
		s.observers = append(s.observers, logObserver(s.logger))
	}
	s.retry = s.retry.withDefaults()
	return s, nil
}

// WithHTTPClient sends requests through the Transport of the caller's client: for
// a proxy, tracing, or connection settings. Start from [NewTransport], which has
// the library's own settings. Only the client's Transport and its Timeout are
// used; its redirect policy and cookie jar are not, since redirects are never
// followed. A nil Transport means the library's own. The client is copied and
// never changed.
//
// An [*http.Transport] that allows TLS below 1.2 is refused by NewClient. Under
// https a connection that does not show TLS 1.2 or newer, for example one from a
// DialTLSContext, is closed before anything is written to it.
//
// A RoundTripper that repeats a request is stopped, and the outcome is unknown.
// Two things stop it: hooks in the request's context, which see each connection
// that it asks for, and a body that can be read only once. The library cannot stop
// one that sends a GET in another context: over HTTP/1.1 the whole GET is written
// before its body is read. An answer for which nothing was sent, such as one from
// a cache or from a fake RoundTripper in a test, is refused with
// [ErrResponseReplayed]: test against a server, such as alipaytest's.
//
// Some limits are set on the transport: net/http reads up to 10 MB of header
// (MaxResponseHeaderBytes; 256 KiB in the library's own), and a handshake with a
// silent server goes on for TLSHandshakeTimeout after the call has ended. In the
// library's own transport a dial ends with the call that waits for it. With any
// transport, net/http writes the first bytes that a server sends after an answer to
// the standard logger.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) error {
		s.httpClient = nil
		if client != nil {
			copied := *client
			s.httpClient = &copied
		}
		return nil
	}
}

// WithTimeout bounds a whole call with all its attempts. The default is the
// Timeout of the caller's http.Client, else 10 s. A context that ends earlier
// ends the call earlier. Zero means the default.
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) error {
		if timeout < 0 {
			return &ConfigError{"WithTimeout", "the timeout is negative"}
		}
		s.timeout = timeout
		return nil
	}
}

// WithLogger logs every attempt at Debug, or at Warn if a retry follows or the
// outcome is unknown. The message is "alipay: attempt", "alipay: retry" or
// "alipay: outcome unknown". The attributes are app_id, method, host, path,
// attempt, outcome, request_id, duration, connection_reused, and where they apply
// status, trace_id, code, pause and error. Their names are fixed. They never
// contain a query, header, body or answer.
//
// It also logs at Warn when a certificate was downloaded ("alipay: new
// certificate", see [WithCertificateDownload]), and once a day when a configured
// one expires within 30 days ("alipay: certificate expires"). The attributes are
// app_id, sn, not_after and advice; for the latter message also field. Once for each
// kind it logs at Info what had been done to an answer on its way ("alipay: an answer
// was changed on its way"), which was undone. By default nothing is logged.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) error {
		s.logger = logger
		return nil
	}
}

// WithObserver reports every call and every attempt to an observer. Several
// observers are called in the order in which they were given.
func WithObserver(observer Observer) Option {
	return func(s *settings) error {
		s.observers = append(s.observers, observer)
		return nil
	}
}

// WithRetryPolicy sets how attempts that certainly had no effect are retried.
func WithRetryPolicy(policy RetryPolicy) Option {
	return func(s *settings) error {
		if policy.MaxAttempts < 0 || policy.BaseDelay < 0 || policy.MaxDelay < 0 || policy.TokenRatio < 0 ||
			policy.MaxTokens != policy.MaxTokens || policy.TokenRatio != policy.TokenRatio { // NaN
			return &ConfigError{"WithRetryPolicy", "a member of the policy other than MaxTokens is negative, or one is not a number; the zero value of each means its default"}
		}
		s.retry = policy
		return nil
	}
}

// WithMaxResponseBytes bounds the body of an answer, counted after
// decompression. The default is 1 MiB; exactly the limit is fine. Zero means
// the default.
func WithMaxResponseBytes(limit int64) Option {
	return func(s *settings) error {
		switch {
		case limit < 0:
			return &ConfigError{"WithMaxResponseBytes", "the limit is negative"}
		case limit == 0:
			limit = defaultMaxResponseBytes
		}
		s.maxResponseBytes = min(limit, math.MaxInt64-1) // one byte more shows that it is too large
		return nil
	}
}

// WithMaxClockSkew bounds how far an answer's timestamp may be from the local
// clock, both ways. The default is 10 minutes; zero means the default.
func WithMaxClockSkew(skew time.Duration) Option {
	return func(s *settings) error {
		switch {
		case skew < 0:
			return &ConfigError{"WithMaxClockSkew", "the skew is negative"}
		case skew == 0:
			skew = defaultMaxClockSkew
		}
		s.maxClockSkew = skew
		return nil
	}
}

// WithClock sets the clock for the timestamps of requests, the freshness of
// answers and the validity of certificates, for tests. The default, also for
// nil, is [time.Now]. Timeouts and pauses go by the real clock.
func WithClock(now func() time.Time) Option {
	return func(s *settings) error {
		if now == nil {
			now = time.Now
		}
		s.clock = now
		return nil
	}
}

// WithUserAgent replaces the User-Agent header, which by default names the
// library and the Go release. The header alipay-sdk-version still names the
// library. Empty means the default.
func WithUserAgent(userAgent string) Option {
	return func(s *settings) error {
		if hasControl(userAgent) {
			return &ConfigError{"WithUserAgent", "the value holds a control character"}
		}
		s.userAgent = cmp.Or(userAgent, defaultUserAgent)
		return nil
	}
}

// WithInsecureHTTP allows an http base URL for addresses other than loopback.
// Personal data is then sent unencrypted, so use it only for a stand-in gateway
// in a test network.
func WithInsecureHTTP() Option {
	return func(s *settings) error {
		s.insecureHTTP = true
		return nil
	}
}

// WithCertificateDownload says what happens in certificate mode when an answer
// names an Alipay certificate that is not configured, as after the platform has
// changed to a new one. By default (true) the answer is held, within the call's
// deadline, while the certificate is downloaded: once for all calls that wait for
// it, and without sending anything of the call. It is trusted only if its SN is
// the requested one, its subject and issuer are those of a configured Alipay
// certificate, it is valid now, and its chain leads to the configured root bundle.
// Then this and every later answer is verified with it, until the process ends.
// The log says at Warn that the configured file is out of date.
//
// Otherwise, and with false, the error is [ErrUnknownCertificate] and carries the
// answer. In the sandbox it is always this error, since the chain of the sandbox's
// certificates does not lead to its root bundle.
func WithCertificateDownload(enabled bool) Option {
	return func(s *settings) error {
		s.noDownload = !enabled
		return nil
	}
}

// WithRequestDefaults gives every call these options, the order strings of Sign,
// SDKExecute and PageExecute too: [WithAppAuthToken], [WithHeader] and
// [WithQueryParam]. A call's own options, and the AppAuthToken of an
// [ExecuteRequest], win over them.
func WithRequestDefaults(opts ...RequestOption) Option {
	return func(s *settings) error {
		var tried callOptions
		err := tried.apply(opts)
		var mistake *ArgumentError
		switch {
		case errors.As(err, &mistake):
			return &ConfigError{"WithRequestDefaults", mistake.Argument + ": " + mistake.Reason}
		case err != nil:
			return &ConfigError{"WithRequestDefaults", "an option that is not of this package failed"}
		case tried.requestID != "":
			return &ConfigError{"WithRequestDefaults", "a request id belongs to one call"}
		}
		s.defaults = slices.Concat(s.defaults, opts)
		return nil
	}
}

// RequestOption changes one call.
type RequestOption func(*callOptions) error

type callOptions struct {
	otherMerchant bool // appAuthToken replaces the config's
	appAuthToken  string
	requestID     string      // "" for a new one per attempt
	header        http.Header // further headers only
	extraQuery    [][2]string
}

func (o *callOptions) apply(lists ...[]RequestOption) error {
	for _, opt := range slices.Concat(lists...) {
		if opt == nil {
			continue
		}
		if err := opt(o); err != nil {
			return err
		}
	}
	return nil
}

// WithAppAuthToken calls on behalf of another merchant (应用授权令牌,
// alipay-app-auth-token), in place of the AppAuthToken of the config. Empty
// means a call for the application's own merchant.
func WithAppAuthToken(token string) RequestOption {
	return func(o *callOptions) error {
		if !isVisibleASCII(token) {
			return errArgument("WithAppAuthToken", "the token holds a space, a control character or one beyond ASCII")
		}
		o.otherMerchant, o.appAuthToken = true, token
		return nil
	}
}

// WithHeader sets a further request header. It refuses control characters, and
// the headers that the library, the signature or safe delivery depend on:
// Authorization, those that begin with alipay-, Host, Content-…,
// Transfer-Encoding, Connection, Cache-Control, Expect, Idempotency-Key and the
// like.
func WithHeader(key, value string) RequestOption {
	return func(o *callOptions) error {
		if !isToken(key) {
			return errArgument("WithHeader", "the name is not a header name")
		}
		if reservedHeader(key) {
			return errArgument("WithHeader", "this header cannot be set by the caller")
		}
		if hasControl(value) {
			return errArgument("WithHeader", "the value holds a control character")
		}
		if o.header == nil {
			o.header = make(http.Header)
		}
		o.header.Set(key, value)
		return nil
	}
}

// WithQueryParam adds a query parameter to those of the request, for one that
// this version of the library does not know. It replaces a parameter of the same
// name.
func WithQueryParam(key, value string) RequestOption {
	return func(o *callOptions) error {
		if key == "" || hasControl(key) || hasControl(value) {
			return errArgument("WithQueryParam", "the name is empty, or name or value hold a control character")
		}
		o.extraQuery = append(o.extraQuery, [2]string{key, value})
		return nil
	}
}

// WithRequestID sets alipay-request-id, 1 to 32 characters of A-Z, a-z, 0-9, "_"
// and "-". By default every attempt has a random one; one that is set is used for
// all attempts of the call. WaitForResult derives another for each further poll.
func WithRequestID(id string) RequestOption {
	return func(o *callOptions) error {
		if !isRequestID(id) {
			return errArgument("WithRequestID", "the id is not 1 to 32 characters of A-Z, a-z, 0-9, _ and -")
		}
		o.requestID = id
		return nil
	}
}

func isRequestID(id string) bool {
	for _, c := range []byte(id) {
		if !redact.IsWordByte(c) && c != '_' && c != '-' {
			return false
		}
	}
	return len(id) >= 1 && len(id) <= 32
}
