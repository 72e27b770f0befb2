package alipay

import (
	"cmp"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Version is the version of this library, sent as alipay-sdk-version.
const Version = "0.1.0"

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
	s := settings{panicked: new(atomic.Bool), told: new(sync.Map)}
	if err := applyTo(&s, opts); err != nil {
		return settings{}, err
	}
	if s.timeout == 0 && s.httpClient != nil {
		s.timeout = s.httpClient.Timeout
	}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.logger != nil {
		s.observers = append(s.observers, logObserver(s.logger))
	}
	s.maxResponseBytes = min(cmp.Or(s.maxResponseBytes, 1<<20), math.MaxInt64-1) // one byte more shows that it is too large
	s.maxClockSkew = cmp.Or(s.maxClockSkew, 10*time.Minute)
	s.userAgent = cmp.Or(s.userAgent, defaultUserAgent)
	s.retry = s.retry.withDefaults()
	return s, nil
}

// applyTo applies options in their order; a nil one is passed over.
func applyTo[T any, Option ~func(*T) error](to *T, opts []Option) error {
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(to); err != nil {
			return err
		}
	}
	return nil
}

func set(how func(*settings)) Option {
	return func(s *settings) error {
		how(s)
		return nil
	}
}

// checked refuses what is not allowed.
func checked(name string, allowed bool, mistake string, how func(*settings)) Option {
	if !allowed {
		return func(*settings) error { return &ConfigError{name, mistake} }
	}
	return set(how)
}

// WithHTTPClient sends requests through the Transport of the caller's client, for a
// proxy, tracing, or connection settings: start from [NewTransport]. A nil Transport
// means the library's own. Of the client, which is copied, only Transport and
// Timeout are used; redirects are never followed.
//
// An [*http.Transport] that allows TLS below 1.2 is refused by NewClient, and under
// https a connection that does not show TLS 1.2 or newer is closed before anything is
// written to it. A RoundTripper that repeats a request is stopped, and the outcome is
// unknown; one that sends a GET in another context cannot be stopped. An answer for
// which nothing was sent, from a cache or a fake RoundTripper, is refused with
// [ErrResponseReplayed]: test against a server, such as alipaytest's. The header of an
// answer is bounded by the transport (MaxResponseHeaderBytes; 256 KiB in the library's
// own, else 10 MB).
func WithHTTPClient(client *http.Client) Option {
	return set(func(s *settings) {
		s.httpClient = nil
		if client != nil {
			copied := *client
			s.httpClient = &copied
		}
	})
}

// WithTimeout bounds a whole call with all its attempts; a context that ends earlier
// ends it earlier. The default, also for zero, is the Timeout of the caller's
// http.Client, else 10 s.
func WithTimeout(timeout time.Duration) Option {
	return checked("WithTimeout", timeout >= 0, "the timeout is negative", func(s *settings) { s.timeout = timeout })
}

// WithLogger logs every attempt at Debug ("alipay: attempt"), or at Warn if a retry
// follows ("alipay: retry") or the outcome is unknown ("alipay: outcome unknown"):
// app_id, method, host, path, attempt, outcome, request_id, duration,
// connection_reused, and where they apply status, trace_id, code, pause, stage and
// error. The names are fixed. Nothing of a query, header, body or answer is logged.
//
// It also logs at Warn when a certificate was downloaded, and once a day when a
// configured one expires within 30 days; and at Info, once for each kind, what had been
// done to an answer on its way and was undone. By default nothing is logged.
func WithLogger(logger *slog.Logger) Option { return set(func(s *settings) { s.logger = logger }) }

// WithObserver reports every call and every attempt to an observer. Several
// observers are called in the order in which they were given.
func WithObserver(observer Observer) Option {
	return set(func(s *settings) { s.observers = append(s.observers, observer) })
}

// WithRetryPolicy sets how attempts that certainly had no effect are retried.
func WithRetryPolicy(policy RetryPolicy) Option {
	allowed := policy.MaxAttempts >= 0 && policy.BaseDelay >= 0 && policy.MaxDelay >= 0 &&
		policy.TokenRatio >= 0 && !math.IsNaN(policy.MaxTokens)
	const mistake = "a member of the policy other than MaxTokens is negative, or one is not a number; the zero value of each means its default"
	return checked("WithRetryPolicy", allowed, mistake, func(s *settings) { s.retry = policy })
}

// WithMaxResponseBytes bounds the body of an answer, counted after decompression;
// exactly the limit is fine. The default, also for zero, is 1 MiB.
func WithMaxResponseBytes(limit int64) Option {
	return checked("WithMaxResponseBytes", limit >= 0, "the limit is negative", func(s *settings) { s.maxResponseBytes = limit })
}

// WithMaxClockSkew bounds how far an answer's timestamp may be from the local clock,
// both ways. The default, also for zero, is 10 minutes.
func WithMaxClockSkew(skew time.Duration) Option {
	return checked("WithMaxClockSkew", skew >= 0, "the skew is negative", func(s *settings) { s.maxClockSkew = skew })
}

// WithClock sets the clock for the timestamps of requests, the freshness of answers
// and the validity of certificates, for tests. The default, also for nil, is
// [time.Now]. Timeouts and pauses go by the real clock.
func WithClock(now func() time.Time) Option { return set(func(s *settings) { s.clock = now }) }

// WithUserAgent replaces the User-Agent header, by default, and for "", the names of
// the library and the Go release. alipay-sdk-version still names the library.
func WithUserAgent(userAgent string) Option {
	return checked("WithUserAgent", !hasControl(userAgent), "the value holds a control character", func(s *settings) { s.userAgent = userAgent })
}

// WithInsecureHTTP allows an http base URL for addresses other than loopback.
// Personal data is then sent unencrypted: only for a stand-in gateway in a test
// network.
func WithInsecureHTTP() Option { return set(func(s *settings) { s.insecureHTTP = true }) }

// WithCertificateDownload says what happens in certificate mode when an answer names
// an Alipay certificate that is not configured, as after the platform has changed to
// a new one. By default (true) the answer is held, within the call's deadline, while
// the certificate is downloaded, once for all calls that wait for it. It is trusted
// only if its SN is the requested one, its subject and issuer are those of a
// configured Alipay certificate, it is valid now, and its chain leads to the
// configured root bundle. It is used until the process ends.
//
// Otherwise, with false, and always in the sandbox, whose certificates do not lead to
// its root bundle, the error is [ErrUnknownCertificate] and carries the answer.
func WithCertificateDownload(enabled bool) Option {
	return set(func(s *settings) { s.noDownload = !enabled })
}

// WithRequestDefaults gives every call, order strings and pages too, these options:
// [WithAppAuthToken], [WithHeader] and [WithQueryParam]. A call's own options, and the
// AppAuthToken of an [ExecuteRequest], win over them.
func WithRequestDefaults(opts ...RequestOption) Option {
	return func(s *settings) error {
		var tried callOptions
		err := tried.apply(opts)
		mistake, isMistake := errors.AsType[*ArgumentError](err)
		switch {
		case isMistake:
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
	return applyTo(o, slices.Concat(lists...))
}

// WithAppAuthToken calls on behalf of another merchant (应用授权令牌,
// alipay-app-auth-token), in place of the config's AppAuthToken. Empty means the
// application's own merchant.
func WithAppAuthToken(token string) RequestOption {
	return func(o *callOptions) error {
		if !isVisibleASCII(token) {
			return errArgument("WithAppAuthToken", "the token holds a space, a control character or one beyond ASCII")
		}
		o.otherMerchant, o.appAuthToken = true, token
		return nil
	}
}

// WithHeader sets a further request header. It refuses control characters, and the
// headers that the library, the signature or safe delivery depend on: Authorization,
// alipay-…, Host, Content-…, Transfer-Encoding, Connection, Cache-Control, Expect,
// Idempotency-Key and the like.
func WithHeader(key, value string) RequestOption {
	return func(o *callOptions) error {
		if !isToken(key) {
			return errArgument("WithHeader", "the name is not a header name")
		}
		if reservedHeaders.MatchString(key) {
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

// WithQueryParam adds a query parameter that this version of the library does not
// know, or replaces one of the same name.
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
// and "-", for all attempts of the call; by default each has a random one.
// WaitForResult derives another for each further poll.
func WithRequestID(id string) RequestOption {
	return func(o *callOptions) error {
		if id == "" || len(id) > 32 || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			return errArgument("WithRequestID", "the id is not 1 to 32 characters of A-Z, a-z, 0-9, _ and -")
		}
		o.requestID = id
		return nil
	}
}
