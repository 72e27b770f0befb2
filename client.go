package alipay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/seed-39a49030/alipay/internal/backoff"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/download"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/replay"
)

// Client calls Alipay's OpenAPI v3 for one application. It is safe for
// concurrent use: make one and share it. Its options never change; its keys
// change only through [Client.Reload].
type Client struct {
	// ZhimaCustomerJobworthAuthentication is 职得身份认证查询接口.
	ZhimaCustomerJobworthAuthentication *ZhimaCustomerJobworthAuthentication
	// ZhimaCreditPayafteruseCreditagreement is the user's agreement, the first
	// step of an identity check.
	ZhimaCreditPayafteruseCreditagreement *ZhimaCreditPayafteruseCreditagreement

	transport *delivery.Transport
	origin    *url.URL // scheme, host, and the path prefix of a reverse proxy, which the signature leaves out
	settings  settings
	appID     string
	keys      *atomic.Pointer[keySet] // replaced as a whole
	budget    *backoff.Budget         // of retries; nil without one
	seen      *replay.Memory          // the answers received so far
	downloads *download.Gate[*keySet] // of Alipay's certificates
	warned    *atomic.Int64           // when a certificate's expiry was last logged, in Unix seconds
}

// NewClient checks the config, parses its keys and returns a client. A mistake is a
// *[ConfigError]. It opens no connection.
func NewClient(config AlipayConfig, opts ...Option) (*Client, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	resolved, err := resolve(config, &s)
	if err != nil {
		return nil, err
	}
	transport, err := delivery.NewTransport(s.httpClient)
	if err != nil {
		return nil, &ConfigError{"WithHTTPClient", err.Error()}
	}
	c := &Client{
		transport: transport,
		origin:    resolved.Base,
		settings:  s,
		appID:     resolved.AppID,
		keys:      new(atomic.Pointer[keySet]),
		seen:      new(replay.Memory),
		downloads: download.NewGate[*keySet](downloadTimeout),
		warned:    new(atomic.Int64),
	}
	if s.retry.MaxTokens > 0 {
		c.budget = backoff.NewBudget(s.retry.MaxTokens, s.retry.TokenRatio)
	}
	c.keys.Store(newKeySet(resolved, &s))
	c.certificateExpires(context.Background())
	if advice := credentials.NotTheGateway(resolved.Base).EN; advice != "" {
		c.settings.warn(context.Background(), "alipay: base URL", slog.String("app_id", c.appID), slog.String("host", resolved.Base.Host), slog.String("advice", advice))
	}
	c.ZhimaCustomerJobworthAuthentication = &ZhimaCustomerJobworthAuthentication{client: c}
	c.ZhimaCreditPayafteruseCreditagreement = &ZhimaCreditPayafteruseCreditagreement{client: c}
	return c, nil
}

// Format implements [fmt.Formatter] with the application and the gateway.
func (c Client) Format(f fmt.State, _ rune) {
	text := "alipay.Client{"
	if c.origin != nil {
		text += c.appID + " " + c.origin.Scheme + "://" + c.origin.Host
	}
	_, _ = io.WriteString(f, text+"}")
}

// LogValue implements [slog.LogValuer].
func (c Client) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// CloseIdleConnections closes the connections that no call is using, also those of a
// caller's RoundTripper that has this method.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}

// NewTransport returns an http.Transport with the library's own settings, to share
// between clients, to change, or to wrap: give it to [WithHTTPClient]. It speaks HTTP/1.1
// and TLS 1.2 or newer, keeps one idle connection for each concurrent caller, for 15 s,
// resumes TLS sessions, and honours HTTPS_PROXY. A client without [WithHTTPClient] makes
// itself one, lends each connection to one attempt at a time, and closes one on which
// more than the answer came.
//
// A clone of [http.DefaultTransport] would use HTTP/2, where one broken connection leaves
// the outcome of every call on it unknown, and would keep idle connections longer than
// many servers do, which has the same effect.
func NewTransport() *http.Transport { return delivery.NewHTTPTransport() }

// Do calls any v3 endpoint and decodes its answer, a JSON object, into out: a non-nil
// pointer, or nil to read only [Response].Body. It sends another complete request only
// when it is certain that the gateway did not act on the ones before.
//
// The error is an *[APIError] or a *[CallError]; [OutcomeOf] says what it means. On any
// error the Response is nil and out is unchanged.
func (c *Client) Do(ctx context.Context, req *Request, out any, opts ...RequestOption) (*Response, error) {
	return c.perform(ctx, out, func() (*call, error) { return c.encode(req, opts) })
}

// Heartbeat makes a signed call that does nothing (monitor.heartbeat.syn), for readiness
// probes: without an error, address, keys and clock are right.
func (c *Client) Heartbeat(ctx context.Context) error {
	_, err := c.Do(ctx, &Request{Method: http.MethodPost, Path: "/v3/monitor/heartbeat/syn", Body: map[string]string{"biz_content": "{}"}}, nil)
	return err
}

// perform makes the call that encode returns.
func (c *Client) perform(ctx context.Context, out any, encode func() (*call, error)) (*Response, error) {
	if err := c.check(ctx, out); err != nil {
		return nil, err
	}
	call, err := encode()
	if err != nil {
		return nil, err
	}
	return c.observed(ctx, c.settings.timeout, call, out)
}

// observed makes a call, and tells the observers of it.
func (c *Client) observed(ctx context.Context, timeout time.Duration, call *call, out any) (*Response, error) {
	began := time.Now()
	ctx = c.settings.callStart(ctx, call.CallInfo)
	resp, err := c.doCall(ctx, began, timeout, call, out)
	c.settings.callDone(ctx, call.CallInfo, began, c.certificateExpires(ctx), resp, err)
	return resp, err
}

// check checks what every call is given.
func (c *Client) check(ctx context.Context, out any) error {
	v := reflect.ValueOf(out)
	switch {
	case c == nil || c.transport == nil:
		return errArgument("Client", "this Client was not made by NewClient")
	case ctx == nil:
		return errArgument("ctx", "the context is nil")
	case out != nil && (v.Kind() != reflect.Pointer || v.IsNil()):
		return errArgument("out", "out is not a non-nil pointer")
	}
	return nil
}

// doCall makes attempts until one is answered, or the call may not be repeated.
func (c *Client) doCall(ctx context.Context, began time.Time, timeout time.Duration, call *call, out any) (*Response, error) {
	sendCtx, cancel := context.WithDeadlineCause(ctx, began.Add(timeout), delivery.ClientTimeout(timeout))
	defer cancel()
	deadline, _ := sendCtx.Deadline()
	for number := 1; ; number++ {
		began := time.Now()
		x := &exchange{client: c, ctx: sendCtx, call: call, keys: c.keys.Load(), number: number, requestID: cmp.Or(call.requestID, protocol.NewID())}
		resp, err := x.do(out)
		c.settings.tellUnusual(ctx, &call.CallInfo, &x.answer)
		if err == nil {
			c.budget.Succeeded()
			c.settings.attemptDone(ctx, x, began, false, 0, nil)
			return resp, nil
		}
		again, pause := decide(report{
			number: number, policy: c.settings.retry, jitter: rand.Float64(),
			now: c.settings.clock(), left: time.Until(deadline), ended: sendCtx.Err() != nil,
			dead: x.answer.status == 0 && x.report.DeadConnection(),
		}, err)
		if again && pause > 0 && !c.budget.Failed() {
			again, pause = false, 0
		}
		c.settings.attemptDone(ctx, x, began, again, pause, err)
		if again && backoff.Sleep(sendCtx, pause) {
			continue
		}
		if again {
			ended := &CallError{what: "time ran out before the next attempt", reasons: []error{err, sendCtx.Err()}, outcome: OutcomeNotDelivered}
			ended.like(err)
			err = ended
		}
		return nil, markEnded(ctx, err)
	}
}

// RetryPolicy says how often an attempt that certainly had no effect is retried: no
// connection was made, no complete request was sent, or the gateway refused it for load
// (HTTP 429, app-call-limited, method-call-limited). Each pause is between half and all
// of its step, and no shorter than the gateway's Retry-After.
//
// Against retry storms, all calls of a client share a budget, as in gRPC's retry
// throttling: it starts full with MaxTokens, a failed attempt that is retried takes one,
// a success gives TokenRatio back, and a retry needs more than half to be left. One
// after a dead connection on which nothing was written is free.
//
// The zero value of each member means its default.
type RetryPolicy struct {
	MaxAttempts int           // attempts in all; default 3, and 1 means no retry
	BaseDelay   time.Duration // the first step, doubling with each; default 200 ms
	MaxDelay    time.Duration // the longest step; default 2 s
	MaxTokens   float64       // of the budget; default 10, negative for no budget
	TokenRatio  float64       // what a success gives back; default 0.1
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	return RetryPolicy{
		MaxAttempts: cmp.Or(p.MaxAttempts, 3),
		BaseDelay:   cmp.Or(p.BaseDelay, 200*time.Millisecond),
		MaxDelay:    cmp.Or(p.MaxDelay, 2*time.Second),
		MaxTokens:   cmp.Or(p.MaxTokens, 10),
		TokenRatio:  cmp.Or(p.TokenRatio, 0.1),
	}
}

// markEnded marks the error of a call whose context, the caller's own, has ended:
// repeating the call under it cannot help.
func markEnded(ctx context.Context, err error) error {
	if failed, ok := errors.AsType[*CallError](err); ok && ctx.Err() != nil {
		failed.permanent = true
	}
	return err
}

// report is what decide knows of an attempt, beside its error.
type report struct {
	number int // of the attempt, from 1
	policy RetryPolicy
	jitter float64 // from 0 to 1
	now    time.Time
	left   time.Duration // until the deadline
	ended  bool          // the context has: the caller gave up, which says nothing about the gateway
	dead   bool          // the connection had been used before, and was dead before anything was written
}

// decide says whether a call is tried again after an attempt that ended with err, and
// after which pause. Only one that was certainly not acted on is repeated. One for which
// nothing was written needs no pause, and so costs nothing of the budget.
func decide(r report, err error) (again bool, pause time.Duration) {
	switch {
	case !Retryable(err), r.ended, r.left <= 0, r.number >= r.policy.MaxAttempts:
		return false, 0
	case r.dead:
		return true, 0
	}
	step := backoff.Step(r.policy.BaseDelay, r.policy.MaxDelay, r.number-1)
	pause = step/2 + time.Duration(r.jitter*float64(step/2)) // so that callers that failed together do not retry together
	if refused, ok := errors.AsType[*APIError](err); ok {
		pause = max(pause, backoff.RetryAfter(refused.Header, r.now))
	}
	if pause = max(pause, 1); pause >= r.left {
		return false, 0
	}
	return true, pause
}
