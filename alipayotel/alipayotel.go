// Package alipayotel makes OpenTelemetry's traces and metrics from the calls of
// an alipay client:
//
//	client, err := alipay.NewClient(config, alipay.WithObserver(alipayotel.New()))
//
// # Traces
//
// A call is one span of kind client, named by method and path, whatever the
// number of attempts; each attempt is an event of it. Nothing is sent to Alipay: no
// trace header is set, and the baggage is removed from the call's context, so that
// an instrumented transport below cannot send it.
//
// # Metrics
//
//   - http.client.request.duration, as in the conventions for HTTP clients, with
//     one measurement per attempt;
//   - alipay.client.call.duration, with one per call, pauses between attempts
//     included;
//   - alipay.client.call.attempts, the attempts of a call.
//
// Their attributes are bounded: a code that the library does not know is
// "other", a part of a path that may be an id is "{}" (see [WithPath]), and after
// the first 100 different paths of an observer a new one is "other".
//
// # What they show
//
// Application, host, method, path, status, code, outcome, the ids for support,
// and the library's errors, which contain nothing personal and nothing secret. No
// query, header or body: an [alipay.Observer] does not get them.
package alipayotel

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-39a49030/alipay"
)

const scope = "github.com/seed-39a49030/alipay/alipayotel"

// Attributes by OpenTelemetry's conventions for HTTP clients, and those of this
// package.
const (
	requestMethodKey = attribute.Key("http.request.method")
	statusCodeKey    = attribute.Key("http.response.status_code")
	serverAddressKey = attribute.Key("server.address")
	serverPortKey    = attribute.Key("server.port")
	urlTemplateKey   = attribute.Key("url.template")
	errorTypeKey     = attribute.Key("error.type")
	errorMessageKey  = attribute.Key("error.message")

	appIDKey     = attribute.Key("alipay.app_id")
	outcomeKey   = attribute.Key("alipay.outcome")
	codeKey      = attribute.Key("alipay.code")
	stageKey     = attribute.Key("alipay.stage") // where a call without an answer ended
	attemptsKey  = attribute.Key("alipay.attempts")
	numberKey    = attribute.Key("alipay.attempt.number")
	durationKey  = attribute.Key("alipay.attempt.duration") // s
	retryKey     = attribute.Key("alipay.attempt.will_retry")
	pauseKey     = attribute.Key("alipay.attempt.pause") // s
	reusedKey    = attribute.Key("alipay.connection.reused")
	requestIDKey = attribute.Key("alipay.request_id")
	traceIDKey   = attribute.Key("alipay.trace_id") // Alipay's, for its support
)

// Option configures [New].
type Option func(*settings)

type settings struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
	path    func(path string) string
}

// WithTracerProvider sets the provider of spans. The default, also for nil, is the
// global one.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return func(s *settings) {
		if provider != nil {
			s.tracers = provider
		}
	}
}

// WithMeterProvider sets the provider of instruments. The default, also for nil, is
// the global one.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return func(s *settings) {
		if provider != nil {
			s.meters = provider
		}
	}
}

// WithPath sets how a path is shown: in names of spans, in url.template and in the
// text of errors. It must return few different results, and none that is personal:
// an endpoint may have an id in its path. The default, also for nil, shows "{}" for
// each part that contains anything but ASCII letters, _ and dots, except for the
// version in front, such as v3. A part that is not shown is also masked where the
// text of an error repeats it.
//
// An observer shows 100 different results, so that a mistake cannot make metrics
// grow without end. Any further one is shown as "other".
func WithPath(template func(path string) string) Option {
	return func(s *settings) {
		if template != nil {
			s.path = template
		}
	}
}

const (
	maxPaths = 100 // that an observer shows; a merchant calls far fewer endpoints
	other    = "other"
)

// New returns an observer for [alipay.WithObserver].
func New(opts ...Option) alipay.Observer {
	s := settings{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider(), path: defaultPath}
	for _, opt := range opts {
		if opt != nil {
			opt(&s)
		}
	}
	o := &observer{path: s.path, shown: make(map[string]bool), tracer: s.tracers.Tracer(scope, trace.WithInstrumentationVersion(alipay.Version))}
	meter := s.meters.Meter(scope, metric.WithInstrumentationVersion(alipay.Version))
	seconds := metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
	var errs [3]error
	o.requests, errs[0] = meter.Float64Histogram("http.client.request.duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Duration of HTTP client requests."))
	o.calls, errs[1] = meter.Float64Histogram("alipay.client.call.duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Duration of calls, with all their attempts and the pauses between."))
	o.attempts, errs[2] = meter.Int64Histogram("alipay.client.call.attempts", metric.WithUnit("{attempt}"), metric.WithExplicitBucketBoundaries(0, 1, 2, 3, 5, 10),
		metric.WithDescription("Attempts that calls took."))
	if err := errors.Join(errs[:]...); err != nil {
		otel.Handle(err)
	}
	return alipay.Observer{CallStart: o.callStart, AttemptDone: o.attemptDone, CallDone: o.callDone}
}

type observer struct {
	path            func(string) string
	mu              sync.Mutex
	shown           map[string]bool // results of path
	tracer          trace.Tracer
	requests, calls metric.Float64Histogram
	attempts        metric.Int64Histogram
}

// call is what the context of a call carries from its start to its end. The
// current span does not suffice: an observer after this one may have set another.
type call struct {
	span   trace.Span
	common []attribute.KeyValue // of the span and of every measurement
	hide   *strings.Replacer    // of what is not shown of its path
}

type callKey struct{ of *observer }

// bounded is the result of path as it is shown.
func (o *observer) bounded(result string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.shown[result] {
		if len(o.shown) == maxPaths {
			return other
		}
		o.shown[result] = true
	}
	return result
}

var hideNothing = strings.NewReplacer()

// hiding replaces in a text the path that was called, and those parts of it that its
// template leaves out: the gateway may have repeated them in its message. Parts of
// one or two characters identify nobody, and stand in too many words.
func hiding(path, template, shown string) *strings.Replacer {
	if path == shown {
		return hideNothing
	}
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		plain, _ := url.PathUnescape(part)
		for _, part := range []string{part, plain} {
			if len(part) > 2 && !strings.Contains(template, part) {
				parts = append(parts, part)
			}
		}
	}
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) }) // one may begin with another
	pairs := []string{path, shown}
	for _, part := range parts {
		pairs = append(pairs, part, "***")
	}
	return strings.NewReplacer(pairs...)
}

func (o *observer) callStart(ctx context.Context, info alipay.CallInfo) context.Context {
	address, port := server(info.Host)
	template := o.path(info.Path)
	path := o.bounded(template)
	common := []attribute.KeyValue{
		requestMethodKey.String(info.Method), serverAddressKey.String(address), serverPortKey.Int(port),
		urlTemplateKey.String(path), appIDKey.String(info.AppID),
	}
	ctx, span := o.tracer.Start(ctx, info.Method+" "+path, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(common...))
	ctx = baggage.ContextWithoutBaggage(ctx)
	return context.WithValue(ctx, callKey{o}, &call{span, common, hiding(info.Path, template, path)})
}

func (o *observer) attemptDone(ctx context.Context, a alipay.AttemptInfo) {
	c, ok := ctx.Value(callKey{o}).(*call)
	if !ok {
		return
	}
	attrs := withError(withStatus(c.common, a.StatusCode), a.Err, a.StatusCode)
	o.requests.Record(ctx, a.Duration.Seconds(), metric.WithAttributes(attrs...))

	if !c.span.IsRecording() {
		return
	}
	event := withStatus([]attribute.KeyValue{
		numberKey.Int(a.Number), outcomeKey.String(a.Outcome.String()), requestIDKey.String(a.RequestID),
		durationKey.Float64(a.Duration.Seconds()), reusedKey.Bool(a.ConnectionReused), retryKey.Bool(a.WillRetry),
	}, a.StatusCode)
	if a.TraceID != "" {
		event = append(event, traceIDKey.String(c.hide.Replace(a.TraceID)))
	}
	if a.Code != "" {
		event = append(event, codeKey.String(c.hide.Replace(string(a.Code))))
	}
	if a.WillRetry {
		event = append(event, pauseKey.Float64(a.Pause.Seconds()))
	}
	if a.Err != nil {
		event = append(withError(event, a.Err, a.StatusCode), errorMessageKey.String(c.hide.Replace(a.Err.Error())))
	}
	c.span.AddEvent("alipay.attempt", trace.WithAttributes(event...))
}

func (o *observer) callDone(ctx context.Context, r alipay.CallResult) {
	c, ok := ctx.Value(callKey{o}).(*call)
	if !ok {
		return
	}
	defer c.span.End()
	attrs := append(withStatus(c.common, r.StatusCode), outcomeKey.String(r.Outcome.String()))
	if r.Code != "" {
		attrs = append(attrs, codeKey.String(boundedCode(r.Code)))
	}
	attrs = withError(attrs, r.Err, r.StatusCode)
	set := metric.WithAttributes(attrs...)
	o.calls.Record(ctx, r.Duration.Seconds(), set)
	o.attempts.Record(ctx, int64(r.Attempts), set)

	if !c.span.IsRecording() {
		return
	}
	c.span.SetAttributes(attrs...)
	c.span.SetAttributes(attemptsKey.Int(r.Attempts))
	if r.Code != "" {
		c.span.SetAttributes(codeKey.String(c.hide.Replace(string(r.Code)))) // a span may have any code
	}
	if r.Err != nil {
		c.span.SetStatus(codes.Error, c.hide.Replace(r.Err.Error()))
	}
}

// withStatus returns a copy of attrs, plus the status of the answer if there was
// one.
func withStatus(attrs []attribute.KeyValue, status int) []attribute.KeyValue {
	attrs = append(make([]attribute.KeyValue, 0, len(attrs)+6), attrs...)
	if status != 0 {
		attrs = append(attrs, statusCodeKey.Int(status))
	}
	return attrs
}

// withError adds the kind of an error, and the stage at which a call without an
// answer ended.
func withError(attrs []attribute.KeyValue, err error, status int) []attribute.KeyValue {
	if err == nil {
		return attrs
	}
	attrs = append(attrs, errorTypeKey.String(errorType(err, status)))
	if failed, ok := errors.AsType[*alipay.CallError](err); ok && failed.Stage != "" {
		attrs = append(attrs, stageKey.String(string(failed.Stage)))
	}
	return attrs
}

// server splits the host of a base URL. Without a port it is that of https.
func server(host string) (address string, port int) {
	if address, digits, err := net.SplitHostPort(host); err == nil {
		if port, err := strconv.Atoi(digits); err == nil {
			return address, port
		}
	}
	return strings.Trim(host, "[]"), 443
}

func defaultPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		version := i == 1 && len(part) == 2 && part[0] == 'v'
		if !version && strings.ContainsFunc(part, foreign) {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

// foreign reports whether a character is in no endpoint's name.
func foreign(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' && r != '.'
}

func boundedCode(code alipay.ErrorCode) string {
	if !code.Known() {
		return other
	}
	return string(code)
}

// errorType is the convention's error.type: the status where that is the error,
// or what kind of error it is.
func errorType(err error, status int) string {
	if status >= 400 {
		return strconv.Itoa(status)
	}
	for _, kind := range kinds {
		if errors.Is(err, kind.is) {
			return kind.name
		}
	}
	var refused *alipay.APIError
	if errors.As(err, &refused) {
		return "api_error" // the answer of a status such as 200 says no
	}
	return "_OTHER"
}

// kinds are in order: an error may be of several, and the first says the most.
var kinds = []struct {
	is   error
	name string
}{
	{alipay.ErrResponseUnsigned, "response_unsigned"},
	{alipay.ErrResponseAltered, "response_altered"}, // which is an ErrResponseSignature, too
	{alipay.ErrResponseSignature, "response_signature"},
	{alipay.ErrResponseStale, "response_stale"},
	{alipay.ErrResponseReplayed, "response_replayed"},
	{alipay.ErrResponseMismatch, "response_mismatch"},
	{alipay.ErrUnknownCertificate, "unknown_certificate"},
	{alipay.ErrDecrypt, "decrypt"},
	{alipay.ErrResponseTooLarge, "response_too_large"},
	{alipay.ErrRedirect, "redirect"},
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "timeout"},
	{alipay.ErrNotDelivered, "not_delivered"},
	{alipay.ErrOutcomeUnknown, "outcome_unknown"},
}
