package alipay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
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

	transport *signingTransport
	settings  settings
	appID     string
	keys      *atomic.Pointer[keySet] // replaced as a whole
	budget    *backoff.Budget         // of retries; nil without one
	seen      *replay.Memory          // the answers received so far
	downloads *download.Gate          // of Alipay's certificates
	warned    *atomic.Int64           // when a certificate's expiry was last logged, in Unix seconds
}

// keySet is what requests need of one config. It never changes.
type keySet struct {
	*credentials.Credentials
	signer   signer
	verifier protocol.Verifier
	header   http.Header // what every request carries

	learnt      []learntCert // certificates that were downloaded
	firstExpiry time.Time    // of the configured certificates; zero without any
}

func newKeySet(c *credentials.Credentials, s *settings) *keySet {
	k := &keySet{
		Credentials: c,
		signer:      signer{appID: c.AppID, appCertSN: c.AppCertSN, key: c.Signer, clock: s.clock},
		verifier:    protocol.Verifier{Key: c.AlipayKey, MaxSkew: s.maxClockSkew},
		header: http.Header{
			"Accept":                  {"application/json"},
			"Cache-Control":           {"no-store"}, // an answer is for one request
			"User-Agent":              {s.userAgent},
			protocol.HeaderSDKVersion: {"alipay-go-" + Version},
		},
	}
	if c.AlipayCerts != nil {
		k.verifier.Certs = make(map[string]protocol.SigningCert, len(c.AlipayCerts))
		for sn, cert := range c.AlipayCerts {
			k.verifier.Certs[sn] = protocol.SigningCert{Key: cert.Key, NotAfter: cert.NotAfter}
		}
	}
	if c.RootCertSN != "" {
		k.header[protocol.HeaderRootCertSN] = []string{c.RootCertSN}
	}
	if c.Cipher != nil {
		k.header[protocol.HeaderEncryptType] = []string{"AES"}
		k.header["Content-Type"] = []string{"text/plain"}
	}
	if expiries := c.Expiries(); len(expiries) > 0 {
		k.firstExpiry = expiries[0].NotAfter
	}
	return k
}

// NewClient checks the config, parses its keys and returns a client. A mistake
// is reported as a *[ConfigError], with the field and what to do. It opens no
// connection.
func NewClient(config AlipayConfig, opts ...Option) (*Client, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	resolved, err := resolve(config, &s)
	if err != nil {
		return nil, err
	}
	transport, err := delivery.NewTransport(s.httpClient, resolved.Base.Scheme)
	if err != nil {
		return nil, &ConfigError{"WithHTTPClient", err.Error()}
	}
	c := &Client{
		transport: &signingTransport{delivery: transport, origin: resolved.Base},
		settings:  s,
		appID:     resolved.AppID,
		keys:      new(atomic.Pointer[keySet]),
		seen:      new(replay.Memory),
		downloads: download.NewGate(downloadTimeout),
		warned:    new(atomic.Int64),
	}
	if s.retry.MaxTokens > 0 {
		c.budget = backoff.NewBudget(s.retry.MaxTokens, s.retry.TokenRatio)
	}
	c.keys.Store(newKeySet(resolved, &s))
	c.certificateExpires(context.Background())
	c.ZhimaCustomerJobworthAuthentication = &ZhimaCustomerJobworthAuthentication{client: c}
	c.ZhimaCreditPayafteruseCreditagreement = &ZhimaCreditPayafteruseCreditagreement{client: c}
	return c, nil
}

// resolve checks a config as NewClient and Reload do.
func resolve(config AlipayConfig, s *settings) (*credentials.Credentials, error) {
	resolved, err := config.resolve(s.clock())
	if err != nil {
		return nil, err
	}
	if resolved.Base.Scheme != "https" && !s.insecureHTTP && !credentials.IsLoopback(resolved.Base.Hostname()) {
		return nil, &ConfigError{"BaseURL", "http would send personal data in the clear; use https (http is for loopback addresses, or with WithInsecureHTTP)"}
	}
	return resolved, nil
}

// Reload replaces the client's keys with those of another config that has the
// same AppID and BaseURL. Use it when a key is changed or a certificate is about
// to expire. It checks the config as [NewClient] does. If it returns an error, a
// *[ConfigError], nothing changes.
//
// Calls in progress sign their next attempt with the new keys. Their answers are
// verified with the new keys and, failing that, with those that the attempt
// began with. WaitForResult uses the new keys from its next poll.
func (c *Client) Reload(config AlipayConfig) error {
	if c == nil || c.transport == nil {
		return &ConfigError{"Client", "this Client was not made by NewClient"}
	}
	resolved, err := resolve(config, &c.settings)
	switch {
	case err != nil:
		return err
	case resolved.AppID != c.appID:
		return &ConfigError{"AppID", "it differs from the client's; make another client for another application"}
	case !sameGateway(resolved.Base, c.transport.origin):
		return &ConfigError{"BaseURL", "it differs from the client's; make another client for another gateway"}
	}
	for {
		before := c.keys.Load()
		if c.keys.CompareAndSwap(before, c.keepLearnt(resolved, before)) { // else a certificate was just downloaded
			c.certificateExpires(context.Background())
			return nil
		}
	}
}

// sameGateway treats two spellings of one base URL as equal.
func sameGateway(a, b *url.URL) bool {
	host := func(u *url.URL) string {
		return strings.TrimSuffix(u.Host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	}
	return a.Scheme == b.Scheme && host(a) == host(b) && a.Path == b.Path
}

// keepLearnt returns the keys of a new config, plus those of the certificates
// downloaded before that this config trusts too.
func (c *Client) keepLearnt(resolved *credentials.Credentials, before *keySet) *keySet {
	var learnt []learntCert
	for _, l := range before.learnt {
		if _, configured := resolved.AlipayCerts[l.sn]; configured {
			continue
		}
		if sn, cert, err := resolved.Trust(l.pem, l.sn, c.settings.clock()); err == nil {
			resolved, learnt = resolved.With(sn, cert), append(learnt, l)
		}
	}
	keys := newKeySet(resolved, &c.settings)
	keys.learnt = learnt
	return keys
}

// String names the application and the gateway.
func (c Client) String() string {
	if c.transport == nil {
		return "alipay.Client{}"
	}
	return "alipay.Client{" + c.appID + " " + c.transport.origin.Scheme + "://" + c.transport.origin.Host + "}"
}

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (c Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue implements [slog.LogValuer] with what String returns.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// CloseIdleConnections closes the connections that no call is using, also those
// of a caller's RoundTripper that has this method. The library's own transport
// closes each connection after 15 s without use.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.transport != nil {
		c.transport.delivery.CloseIdleConnections()
	}
}

// NewTransport returns an http.Transport with the library's own settings, to
// share between clients, to change, or to wrap: give it to [WithHTTPClient]. It
// speaks HTTP/1.1 only and TLS 1.2 or newer, keeps one idle connection for each
// concurrent caller, for 15 s, and honours HTTPS_PROXY.
//
// A client without [WithHTTPClient] makes itself such a transport, and lends each
// of its connections to one attempt at a time. A connection on which the server
// sent more than the answer is closed. Dialling and TLS handshakes end with the
// call that waits for them.
//
// A clone of [http.DefaultTransport] would use HTTP/2, where one broken connection
// leaves the outcome of every call on it unknown. It would also keep idle
// connections longer than many servers do, which can leave the outcome of a call
// unknown too.
func NewTransport() *http.Transport { return delivery.NewHTTPTransport() }

// Do calls any v3 endpoint and decodes its answer, a JSON object, into out: a
// non-nil pointer, or nil to read only [Response].Body. It sends another complete
// request only when it is certain that the gateway did not act on the ones before.
//
// The error is an *[APIError] or a *[CallError]. [OutcomeOf] says what it means:
// the gateway answered no, the outcome is unknown, or nothing was delivered. On
// any error the Response is nil and out is unchanged.
func (c *Client) Do(ctx context.Context, req *Request, out any, opts ...RequestOption) (*Response, error) {
	if c == nil || c.transport == nil {
		return nil, errArgument("Client", "this Client was not made by NewClient")
	}
	if ctx == nil {
		return nil, errArgument("ctx", "the context is nil")
	}
	if !decodable(out) {
		return nil, errArgument("out", "out is not a non-nil pointer")
	}
	call, err := c.encode(req, opts)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	ctx = c.settings.observers.callStart(ctx, call.info)
	resp, err := c.doCall(ctx, began.Add(c.settings.timeout), call, out)
	c.settings.observers.callDone(ctx, call.info, began, c.certificateExpires(ctx), resp, err)
	return resp, err
}

// decodable reports whether an answer can be decoded into out.
func decodable(out any) bool {
	v := reflect.ValueOf(out)
	return out == nil || v.Kind() == reflect.Pointer && !v.IsNil()
}

// maxUnused bounds how many connections already closed by this client one attempt
// may skip.
const maxUnused = 1000

// doCall makes attempts until one is answered, or may not be repeated.
func (c *Client) doCall(ctx context.Context, deadline time.Time, call *call, out any) (*Response, error) {
	sendCtx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	for number := 1; ; number++ {
		began := time.Now()
		a := c.newAttempt(sendCtx, call, number)
		resp, err := a.do(out)
		// An unused connection does not count as an attempt. There are only as many as
		// were idle, so the bound is reached only if something else keeps closing them.
		for unused := 0; a.report.Unused() && sendCtx.Err() == nil && unused < maxUnused; unused++ {
			a = c.newAttempt(sendCtx, call, number)
			resp, err = a.do(out)
		}
		pause := c.pauseBefore(sendCtx, number+1, err)
		if time.Until(deadline) <= pause {
			pause = 0
		}
		c.settings.observers.attemptDone(ctx, a, began, pause, err)
		if pause == 0 {
			return resp, err
		}
		if !backoff.Sleep(sendCtx, pause) {
			return nil, a.endedBeforeRetry(err)
		}
	}
}

// pauseBefore returns how long to wait before attempt next, after one that ended
// with err; 0 when there may be no other.
func (c *Client) pauseBefore(ctx context.Context, next int, err error) time.Duration {
	if err == nil {
		c.budget.Succeeded()
		return 0
	}
	var failed *CallError
	if OutcomeOf(err) != OutcomeNotDelivered || errors.As(err, &failed) && failed.mistake {
		return 0
	}
	if errors.Is(ctx.Err(), context.Canceled) { // the caller gave up: that says nothing about the gateway
		return 0
	}
	if failed != nil && failed.retryAtOnce { // nothing reached the gateway: no pause, and no token
		if next > c.settings.retry.MaxAttempts {
			return 0
		}
		return time.Nanosecond
	}
	if !c.budget.Failed() || next > c.settings.retry.MaxAttempts {
		return 0
	}
	policy := c.settings.retry
	pause := backoff.Jitter(backoff.Step(policy.BaseDelay, policy.MaxDelay, next-2))
	var refused *APIError
	if errors.As(err, &refused) {
		pause = max(pause, backoff.RetryAfter(refused.Header, c.settings.clock()))
	}
	return max(pause, time.Nanosecond)
}
