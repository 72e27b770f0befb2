package alipay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// Client calls Alipay's OpenAPI v3. It is safe for concurrent use and never
// changes after NewClient; make one and share it.
type Client struct {
	// ZhimaCustomerJobworthAuthentication is 职得身份认证查询接口.
	ZhimaCustomerJobworthAuthentication *ZhimaCustomerJobworthAuthentication

	transport *signingTransport
	verifier  *verifier
	cipher    *aescbc.Cipher // nil without content encryption
	header    http.Header    // what every request carries
	settings  settings

	appAuthToken string // of calls that do not choose their own
}

// NewClient checks the config, parses its keys and returns a client. A mistake
// is reported as a *[ConfigError] with the field and the cure. It opens no
// connection.
func NewClient(config AlipayConfig, opts ...Option) (*Client, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	r, err := config.resolve(s.clock())
	if err != nil {
		return nil, err
	}
	if r.Base.Scheme != "https" && !s.insecureHTTP && !credentials.IsLoopback(r.Base.Hostname()) {
		return nil, &ConfigError{"BaseURL", "http would send personal data in the clear; use https (http is for loopback addresses, or with WithInsecureHTTP)"}
	}
	base, kind, err := baseTransport(s.httpClient, r.Base.Scheme)
	if err != nil {
		return nil, err
	}
	c := &Client{
		transport: &signingTransport{
			base:   base,
			signer: &signer{appID: r.AppID, appCertSN: r.AppCertSN, key: r.Signer, clock: s.clock},
			origin: r.Base,
			baseIs: kind,
		},
		verifier: &verifier{key: r.AlipayKey, certs: certificateKeys(r.AlipayCerts), maxSkew: s.maxClockSkew, clock: s.clock},
		cipher:   r.Cipher,
		header:   commonHeader(r, s.userAgent),
		settings: s,

		appAuthToken: r.AppAuthToken,
	}
	c.ZhimaCustomerJobworthAuthentication = &ZhimaCustomerJobworthAuthentication{client: c}
	return c, nil
}

// String names the gateway, and nothing else.
func (c Client) String() string {
	if c.transport == nil {
		return "alipay.Client{}"
	}
	return "alipay.Client{" + c.transport.origin.Scheme + "://" + c.transport.origin.Host + "}"
}

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (c Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue implements [slog.LogValuer] with what String returns.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// commonHeader returns what every request carries.
func commonHeader(r *credentials.Credentials, userAgent string) http.Header {
	h := http.Header{
		"Accept":                  {"application/json"},
		"User-Agent":              {userAgent},
		protocol.HeaderSDKVersion: {"alipay-go-" + Version},
	}
	if r.RootCertSN != "" {
		h[protocol.HeaderRootCertSN] = []string{r.RootCertSN}
	}
	if r.Cipher != nil {
		h[protocol.HeaderEncryptType] = []string{"AES"}
		h["Content-Type"] = []string{"text/plain"}
	}
	return h
}

// CloseIdleConnections closes the connections that no call is using. The
// library's own transport closes each by itself after 15 s without use.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.transport.base.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Response is a verified answer. Printing and logging it shows status, ids and
// sizes, and nothing of header or body; its JSON is faithful, since it is the
// caller's data.
type Response struct {
	StatusCode int         // HTTP status, 200
	Header     http.Header // header of the answer
	Body       []byte      // body, verified and decrypted
	TraceID    string      // alipay-trace-id: quote it to Alipay's support
	RequestID  string      // alipay-request-id of the attempt that was answered
	Attempts   int         // attempts made, this one included
}

// String shows status, ids and sizes.
func (r Response) String() string { return r.shown().String() }

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (r Response) Format(f fmt.State, _ rune) { r.shown().writeTo(f) }

// LogValue implements [slog.LogValuer] with what String returns.
func (r Response) LogValue() slog.Value { return r.shown().logValue() }

func (r Response) shown() shownFields {
	return shownFields{"alipay.Response", []shownField{
		count("StatusCode", r.StatusCode),
		{"TraceID", printable(r.TraceID, maxShownID)},
		{"RequestID", printable(r.RequestID, maxShownID)},
		count("Attempts", r.Attempts),
		count("BodyBytes", len(r.Body)),
	}}
}

// Do calls any v3 endpoint and decodes its answer, a JSON object, into out: a
// non-nil pointer, or nil for those who read [Response].Body themselves. It puts
// at most one complete request on a connection, unless it is certain that the
// gateway did not act on it.
//
// An error that satisfies [ErrOutcomeUnknown] means that the request may have
// taken effect; one that satisfies [ErrNotDelivered] means that nothing
// happened. Otherwise the gateway has answered no, with an *[APIError]. With
// any error the Response is nil and out is as it was.
func (c *Client) Do(ctx context.Context, req *Request, out any, opts ...RequestOption) (*Response, error) {
	if c == nil || c.transport == nil {
		return nil, errRefused("Client", "this Client was not made by NewClient")
	}
	if ctx == nil {
		return nil, errRefused("ctx", "the context is nil")
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return nil, errRefused("out", "out is not a non-nil pointer")
	}
	call, err := c.encode(req, opts)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(c.settings.timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	for attempt := 1; ; attempt++ {
		resp, err := c.try(ctx, deadline, call, attempt, out)
		if err == nil {
			return resp, nil
		}
		pause, again := c.retryPause(err, attempt)
		if !again || time.Until(deadline) <= pause {
			return nil, err
		}
		if !sleep(ctx, pause) {
			return nil, (&callError{what: "ended before it could be tried again", reasons: []error{err}, outcome: notDelivered}).finish(ctx.Err())
		}
		c.logRetry(ctx, call, attempt+1, pause, err)
	}
}

// retryPause reports whether the attempt that ended with err may be repeated,
// and after which pause.
func (c *Client) retryPause(err error, attempt int) (time.Duration, bool) {
	if attempt >= c.settings.retry.MaxAttempts || !errors.Is(err, ErrNotDelivered) {
		return 0, false
	}
	pause := c.settings.retry.pause(attempt)
	var failed *callError
	var refused *APIError
	switch {
	case errors.As(err, &failed) && failed.permanent:
		return 0, false
	case errors.As(err, &failed) && failed.retryNow:
		return 0, true
	case errors.As(err, &refused):
		pause = max(pause, retryAfter(refused.Header, c.settings.clock()))
	}
	return pause, true
}
