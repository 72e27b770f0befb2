package alipay

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-querystring/query"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	v3 "github.com/seed-39a49030/alipay/internal/v3"
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
	if r.base.Scheme != "https" && !s.insecureHTTP && !isLoopback(r.base.Hostname()) {
		return nil, &ConfigError{"BaseURL", "http would send personal data in the clear; use https (http is for loopback addresses, or with WithInsecureHTTP)"}
	}
	base, kind, err := baseTransport(s.httpClient, r.base.Scheme)
	if err != nil {
		return nil, err
	}
	c := &Client{
		transport: &signingTransport{
			base:   base,
			signer: &signer{appID: r.appID, appCertSN: r.appCertSN, key: r.signer, clock: s.clock},
			origin: r.base,
			baseIs: kind,
		},
		verifier: &verifier{key: r.alipayKey, certs: r.alipayCerts, maxSkew: s.maxClockSkew, clock: s.clock},
		cipher:   r.cipher,
		header:   commonHeader(r, s.userAgent),
		settings: s,

		appAuthToken: r.appAuthToken,
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
func commonHeader(r *credentials, userAgent string) http.Header {
	h := http.Header{
		"Accept":            {"application/json"},
		"User-Agent":        {userAgent},
		v3.HeaderSDKVersion: {"alipay-go-" + Version},
	}
	if r.rootCertSN != "" {
		h[v3.HeaderRootCertSN] = []string{r.rootCertSN}
	}
	if r.cipher != nil {
		h[v3.HeaderEncryptType] = []string{"AES"}
		h["Content-Type"] = []string{"text/plain"}
	}
	return h
}

// baseTransport returns the caller's transport, or one of the library's own.
func baseTransport(client *http.Client, scheme string) (http.RoundTripper, baseKind, error) {
	if client == nil || client.Transport == nil {
		return newTransport(), baseKind{own: true, direct: true, noHTTP2: true}, nil
	}
	t, ok := client.Transport.(*http.Transport)
	if !ok {
		return client.Transport, baseKind{}, nil
	}
	if t == nil {
		return nil, baseKind{}, &ConfigError{"WithHTTPClient", "its Transport is a nil *http.Transport"}
	}
	if conf := t.TLSClientConfig; conf != nil {
		if conf.MinVersion != 0 && conf.MinVersion < tls.VersionTLS12 || conf.MaxVersion != 0 && conf.MaxVersion < tls.VersionTLS12 {
			return nil, baseKind{}, &ConfigError{"WithHTTPClient", "its Transport allows TLS below 1.2; set TLSClientConfig.MinVersion to tls.VersionTLS12 or leave it 0"}
		}
	}
	plainHTTP2 := t.Protocols != nil && t.Protocols.UnencryptedHTTP2()
	return t, baseKind{direct: true, noHTTP2: scheme == "http" && !plainHTTP2}, nil
}

// newTransport returns the library's own transport. It speaks HTTP/1.1 only: an
// HTTP/2 connection that breaks takes every call on it into doubt. It keeps as
// many idle connections as there were concurrent callers, and for less time
// than servers do, since a request that meets a connection which the server is
// just closing cannot be repeated.
func newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		Protocols:              protocols,
		MaxIdleConnsPerHost:    1 << 16,
		IdleConnTimeout:        15 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// CloseIdleConnections closes the connections that no call is using. The
// library's own transport closes each by itself after 15 s without use.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.transport.base.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Request is a call of any v3 endpoint.
type Request struct {
	// Method is GET, POST, PUT, PATCH or DELETE; "" means GET.
	Method string
	// Path begins with "/", as in "/v3/alipay/trade/query". Path parameters are
	// escaped by the caller, and stay as they are. It has no query. Errors and
	// logs show it: what is personal belongs in Query or Body.
	Path string
	// Query is a struct (or a pointer to one) with url tags, as
	// github.com/google/go-querystring reads them, or [url.Values]; nil for none.
	Query any
	// Body is encoded as JSON; nil for none. A [json.RawMessage] or []byte is
	// taken to be JSON already and goes out byte for byte. GET has no body.
	Body any
}

// Format implements [fmt.Formatter]: every verb prints method and path.
func (r Request) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "alipay.Request{"+cmp.Or(r.Method, http.MethodGet)+" "+r.Path+"}")
}

// LogValue implements [slog.LogValuer] with what Format prints.
func (r Request) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

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
		resp, err := c.attempt(ctx, deadline, call, attempt, out)
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

// call is a request encoded once, from which each attempt is made.
type call struct {
	method    string
	path      string // for logs and errors: no query
	url       *url.URL
	body      []byte      // as on the wire
	plainBody []byte      // before encryption, for masking
	header    http.Header // further headers only
	requestID string      // "" for a new one per attempt

	appAuthToken string
}

// encode turns a Request into what every attempt sends.
func (c *Client) encode(req *Request, opts []RequestOption) (*call, error) {
	if req == nil {
		return nil, errRefused("Request", "the request is nil")
	}
	o := callOptions{appAuthToken: c.appAuthToken}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	out := &call{method: req.Method, path: req.Path, requestID: o.requestID}
	switch out.method {
	case "":
		out.method = http.MethodGet
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, errRefused("Request.Method", "the method is not GET, POST, PUT, PATCH or DELETE")
	}
	var err error
	if out.plainBody, err = encodeBody(out.method, req.Body); err != nil {
		return nil, err
	}
	out.body = out.plainBody
	if c.cipher != nil && out.body != nil {
		out.body = c.cipher.Encrypt(out.body)
	}
	if out.url, err = c.encodeURL(req.Path, req.Query, o.query); err != nil {
		return nil, err
	}
	out.header, out.appAuthToken = o.header, o.appAuthToken
	return out, nil
}

func encodeBody(method string, body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		body = []byte(b)
	}
	if method == http.MethodGet {
		return nil, errRefused("Request.Body", "a GET has no body; put parameters into Query")
	}
	if raw, ok := body.([]byte); ok {
		if !json.Valid(raw) {
			return nil, errRefused("Request.Body", "the body is not valid JSON")
		}
		return raw, nil
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // what is signed is what is sent; keep it readable
	if encoder.Encode(body) != nil {
		return nil, errRefused("Request.Body", "the body cannot be encoded as JSON") // the cause may quote a value
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// encodeURL builds the URL so that what RequestURI returns for it is what goes
// out: the path as the caller escaped it, a space in the query as %20.
func (c *Client) encodeURL(path string, parameters any, extra [][2]string) (*url.URL, error) {
	switch {
	case !strings.HasPrefix(path, "/"):
		return nil, errRefused("Request.Path", "the path does not begin with /")
	case strings.ContainsAny(path, "?#"):
		return nil, errRefused("Request.Path", "the path holds a query or a fragment; put parameters into Request.Query, and escape a ? or # that belongs to the path")
	case hasControl(path):
		return nil, errRefused("Request.Path", "the path holds a control character")
	}
	origin := c.transport.origin
	escaped := escapeRest(path)
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, errRefused("Request.Path", "the path is not validly escaped")
	}
	values, err := encodeQuery(parameters)
	if err != nil {
		return nil, err
	}
	for _, p := range extra {
		if values == nil {
			values = make(url.Values)
		}
		values.Set(p[0], p[1])
	}
	return &url.URL{
		Scheme:   origin.Scheme,
		Host:     origin.Host,
		Path:     origin.Path + plain,
		RawPath:  origin.RawPath + escaped,
		RawQuery: strings.ReplaceAll(values.Encode(), "+", "%20"),
	}, nil
}

// escapeRest escapes what cannot stand in a path, and leaves what is escaped
// already.
func escapeRest(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if isWordByte(c) || strings.IndexByte("-._~!$&'()*+,;=:@[]/%", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func encodeQuery(parameters any) (url.Values, error) {
	switch v := parameters.(type) {
	case nil:
		return nil, nil
	case url.Values:
		copied := make(url.Values, len(v)) // WithQueryParam must not reach into the caller's map
		for key, list := range v {
			copied[key] = list
		}
		return copied, nil
	}
	values, err := query.Values(parameters)
	if err != nil {
		return nil, errRefused("Request.Query", "the query is neither a struct with url tags nor url.Values")
	}
	return values, nil
}

// blank is what every request begins as: WithContext is the one way to give a
// request its context, and it copies.
var blank = &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}

// newRequest builds one attempt, unsigned.
func (c *Client) newRequest(ctx context.Context, out *call, requestID string) *http.Request {
	header := make(http.Header, len(c.header)+len(out.header)+2)
	maps.Copy(header, c.header)
	maps.Copy(header, out.header)
	header[v3.HeaderRequestID] = []string{requestID}
	if out.appAuthToken != "" {
		header[v3.HeaderAppAuthToken] = []string{out.appAuthToken}
	}
	if c.cipher == nil && len(out.body) > 0 {
		header["Content-Type"] = []string{"application/json"}
	}
	req := blank.WithContext(ctx)
	req.Method, req.URL, req.Host, req.Header = out.method, out.url, out.url.Host, header
	return req
}

// attempt sends the call once and turns what comes back into an answer or an
// error with one of the three meanings.
func (c *Client) attempt(ctx context.Context, deadline time.Time, out *call, number int, target any) (*Response, error) {
	requestID := out.requestID
	if requestID == "" {
		requestID = v3.NewID()
	}
	started := time.Now()
	sending, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	a := &attempt{client: c, call: out, number: number, requestID: requestID, caller: ctx, sending: sending}
	a.watch.base = c.transport.baseIs
	resp, err := a.run(cancel, target)
	c.logAttempt(ctx, a, time.Since(started), err)
	return resp, err
}

// attempt is one signed request and what became of it.
type attempt struct {
	client    *Client
	call      *call
	number    int
	requestID string
	caller    context.Context
	sending   context.Context // caller's, with the deadline of the call
	watch     deliveryWatch
	status    int    // 0 before an answer
	traceID   string // "" before an answer
}

// ended returns why the time of the attempt is over, nil while it is not. That
// the watch has stopped a replay is no such reason.
func (a *attempt) ended() error {
	if err := a.caller.Err(); err != nil {
		return err
	}
	if err := a.sending.Err(); err == context.DeadlineExceeded {
		return err
	}
	return nil
}

func (a *attempt) run(cancel context.CancelFunc, target any) (*Response, error) {
	c := a.client
	req := c.newRequest(a.watch.start(a.sending, cancel), a.call, a.requestID)
	httpResp, err := c.transport.roundTrip(req, a.call.body, &a.watch)
	if httpResp == nil && err == nil {
		err = errNoResponse
	}
	if err != nil {
		if httpResp != nil {
			_ = httpResp.Body.Close()
		}
		return nil, a.notAnswered(err)
	}
	if httpResp.Body == nil {
		httpResp.Body = http.NoBody
	}
	defer httpResp.Body.Close()
	a.status, a.traceID = httpResp.StatusCode, httpResp.Header.Get(v3.HeaderTraceID)

	if a.status < 200 { // after 101 the connection is the caller's, and its body heeds no context
		return nil, a.notTaken(errNot200)
	}
	if isRedirect(a.status) {
		drain(httpResp.Body)
		return nil, a.notTaken(ErrRedirect)
	}
	raw, tooLarge, err := readAtMost(httpResp.Body, c.settings.maxResponseBytes, httpResp.ContentLength)
	switch {
	case tooLarge:
		drain(httpResp.Body)
		err = ErrResponseTooLarge
	case err != nil:
		err = a.brokenOff(err)
	}
	return a.judge(httpResp.Header, raw, err, target)
}

// judge decides what an answer is worth. unread is why its body could not be
// read to the end, nil when it was.
func (a *attempt) judge(header http.Header, raw []byte, unread error, target any) (*Response, error) {
	c := a.client
	isError := a.status >= 400
	verified := false
	switch {
	case isError && !isSigned(header):
		// An error answer may be unsigned.
	case unread != nil:
		return nil, a.notTaken(unread)
	default:
		if err := c.verifier.verify(header, raw); err != nil {
			return nil, a.notTaken(err)
		}
		verified = true
	}
	body := raw
	if unread == nil && verified {
		var err error
		if body, err = c.decrypt(raw); err != nil && !isError {
			return nil, a.notTaken(err)
		} else if err != nil {
			body, unread = raw, err
		}
	}
	if isError {
		return nil, a.apiError(header, body, unread, verified)
	}
	if a.status != http.StatusOK {
		return nil, a.notTaken(errNot200)
	}
	if saysSystemError(body) {
		return nil, a.apiError(header, body, nil, verified)
	}
	if err := decodeObject(body, target); err != nil {
		if err == errNotAnObject && c.cipher == nil && aescbc.LooksEncrypted(body) {
			err = errNoEncryptKey
		}
		return nil, a.notTaken(err)
	}
	return &Response{
		StatusCode: a.status, Header: header, Body: body,
		TraceID: a.traceID, RequestID: a.requestID, Attempts: a.number,
	}, nil
}

// saysSystemError reports whether a success is none: the codes that leave the
// outcome open do so at any status.
func saysSystemError(body []byte) bool {
	if !bytes.Contains(body, []byte(CodeSystemError)) && !bytes.Contains(body, []byte(CodeUnknowError)) {
		return false
	}
	var e APIError
	e.decode(body)
	return e.Code == CodeSystemError || e.Code == CodeUnknowError
}

// decrypt opens a verified body. A plain object is a valid answer to an
// encrypted call, since it is signed.
func (c *Client) decrypt(body []byte) ([]byte, error) {
	if c.cipher == nil || len(body) == 0 || startsObject(body) {
		return body, nil
	}
	plain, err := c.cipher.Decrypt(body)
	if err != nil || !startsObject(plain) { // a wrong key passes for padding once in a while
		return nil, ErrDecrypt
	}
	return plain, nil
}

// apiError decodes an error answer as far as it goes.
func (a *attempt) apiError(header http.Header, body []byte, unread error, verified bool) *APIError {
	e := &APIError{
		StatusCode: a.status, TraceID: a.traceID, RequestID: a.requestID, Attempts: a.number,
		Header: header, Body: body, Verified: verified, cause: unread,
	}
	if unread == nil {
		e.decode(body)
	}
	if e.Code == CodeInvalidSignature && e.cause == nil {
		e.cause = a.client.transport.signer.diagnose(a.watch.signed)
	}
	m := a.mask()
	e.TraceID = m.apply(e.TraceID)
	e.Message = m.apply(e.Message)
	for i, link := range e.Links {
		e.Links[i] = ErrorLink{m.apply(link.Link), m.apply(link.Desc)}
	}
	if shown := m.apply(string(e.Code)); shown != string(e.Code) {
		e.shownCode = printable(shown, maxShownID)
	}
	return e
}

// mask takes out of a text what the call has sent.
func (a *attempt) mask() mask {
	values := append(sentValues(a.call.url.RawQuery, a.call.plainBody), a.call.appAuthToken)
	for _, list := range a.call.header {
		values = append(values, list...)
	}
	return newMask(values)
}

// decode reads code, message and links. A body that is no such object leaves
// them empty.
func (e *APIError) decode(body []byte) {
	if !startsObject(body) || !json.Valid(body) {
		return
	}
	_ = eachMember(body, func(name, value []byte) error {
		switch string(name) {
		case "code":
			s, _ := lenientString(value)
			e.Code = ErrorCode(s)
		case "message":
			e.Message, _ = lenientString(value)
		case "links":
			e.Links = decodeLinks(value)
		}
		return nil
	})
}

// decodeLinks reads links in either form: documented as a string, it also
// arrives as a list of objects.
func decodeLinks(value []byte) []ErrorLink {
	if s, err := lenientString(value); err == nil {
		if s == "" {
			return nil
		}
		return []ErrorLink{{Link: s}}
	}
	var items []json.RawMessage
	if value[0] == '{' {
		items = []json.RawMessage{value}
	} else if json.Unmarshal(value, &items) != nil {
		return nil
	}
	var links []ErrorLink
	for _, item := range items {
		var link ErrorLink
		if s, err := lenientString(item); err == nil {
			link.Link = s
		} else {
			_ = eachMember(item, func(name, value []byte) error {
				switch string(name) {
				case "link":
					link.Link, _ = lenientString(value)
				case "desc":
					link.Desc, _ = lenientString(value)
				}
				return nil
			})
		}
		if link != (ErrorLink{}) {
			links = append(links, link)
		}
	}
	return links
}

var (
	// errNoEncryptKey is ErrDecrypt with the cure.
	errNoEncryptKey = fmt.Errorf("%w: it is encrypted and EncryptKey is empty; copy the AES key (接口内容加密方式) from the console", ErrDecrypt)

	errNoResponse = errors.New("the transport returned neither an answer nor an error")
	errNot200     = errors.New("only 200 is a success")
	errReplay     = errors.New("the connection broke, and a silent repetition of the request was stopped")
)

// notAnswered is the error of an attempt to which no answer came.
func (a *attempt) notAnswered(err error) error {
	e := a.callError()
	e.outcome = notDelivered
	if a.watch.mayHaveLeft(err, a.ended() == nil) {
		e.outcome = outcomeUnknown
	}
	var signing *signerError
	switch {
	case errors.Is(err, errForeignOrigin):
		e.permanent = true
		e.reasons = append(e.reasons, errForeignOrigin)
	case errors.As(err, &signing):
		e.permanent = true
		e.reasons = append(e.reasons, signing)
	case errors.Is(err, errNoResponse):
		e.reasons = append(e.reasons, errNoResponse)
	case a.ended() == nil && a.watch.blocked.Load():
		e.reasons = append(e.reasons, errReplay)
	default:
		e.reasons = append(e.reasons, safeCause(err))
	}
	e.retryNow = e.outcome == notDelivered && a.watch.deadConnection()
	return e.finish(a.ended())
}

// notTaken is the error of an attempt whose answer cannot be trusted or used.
func (a *attempt) notTaken(reason error) error {
	e := a.callError()
	e.outcome = outcomeUnknown
	if a.status != 0 {
		e.what = "HTTP status " + strconv.Itoa(a.status)
	}
	e.reasons = append(e.reasons, reason)
	return e.finish(nil)
}

// brokenOff is the reason of an answer that ended too early.
func (a *attempt) brokenOff(err error) error {
	cause := safeCause(err)
	cause.text = "the answer broke off: " + cause.text
	if ended := a.ended(); ended != nil && !errors.Is(cause, ended) {
		cause.causes = append(cause.causes, ended)
	}
	return cause
}

func (a *attempt) callError() *callError {
	return &callError{
		where:   a.call.method + " " + a.call.url.Host + a.call.path,
		traceID: a.mask().apply(a.traceID), requestID: a.requestID, attempts: a.number,
	}
}

// finish adds why the time was over, nil if it was not, and the sentinel of the
// outcome.
func (e *callError) finish(ended error) *callError {
	if ended != nil && !errors.Is(errors.Join(e.reasons...), ended) {
		e.reasons = append(e.reasons, ended)
	}
	e.reasons = append(e.reasons, e.outcome.sentinel())
	return e
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusMultipleChoices, http.StatusUseProxy:
		return true
	}
	return false
}

// maxDrain bounds what is read of a body that is not wanted, so that its
// connection can be used again.
const maxDrain = 256 << 10

func drain(body io.Reader) { _, _ = io.CopyN(io.Discard, body, maxDrain) }
