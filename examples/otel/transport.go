package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
)

// NewTransport returns base with a span of otelhttp's around every request.
//
// otelhttp writes the whole URL and the text of errors into its spans. With this
// API the query of a GET holds once_token and cert_no, and an error of net/http
// may quote the URL or the answer. So otelhttp sits between two layers that keep
// both from it, and from everything that it calls or that comes after it: span
// names, filters, metrics, processors, exporters.
//
//	alipay.Client → hideQuery → otelhttp → restoreQuery → base → network
//
// The path stays. Calls of endpoints that have an id in the path need a template
// in its place, set in hideQuery.
func NewTransport(base http.RoundTripper, opts ...otelhttp.Option) http.RoundTripper {
	// The trace ends here: no trace ids, and above all no baggage, to Alipay.
	nothing := otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator())
	traced := otelhttp.NewTransport(restoreQuery{base}, append([]otelhttp.Option{nothing}, opts...)...)
	return hideQuery{traced: traced, base: base}
}

// NewBase returns a base transport with the settings of the library's own: a
// client that is given a transport does not use that one.
func NewBase() *http.Transport {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.Protocols = new(http.Protocols)
	base.Protocols.SetHTTP1(true)
	base.MaxIdleConns = 0
	base.MaxIdleConnsPerHost = 1 << 16
	base.IdleConnTimeout = 15 * time.Second // less than servers have
	return base
}

type realURLKey struct{}

// realURL keeps the URL in the context. It is a struct of its own because the
// text of a context shows values that have a String method, as url.URL has.
type realURL struct{ url *url.URL }

// hideQuery passes requests on without their query.
type hideQuery struct{ traced, base http.RoundTripper }

func (t hideQuery) RoundTrip(req *http.Request) (*http.Response, error) {
	shown := req.WithContext(context.WithValue(req.Context(), realURLKey{}, &realURL{req.URL}))
	shown.URL = &url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path, RawPath: req.URL.RawPath}
	return t.traced.RoundTrip(shown)
}

// CloseIdleConnections lets alipay.Client.CloseIdleConnections reach the base.
func (t hideQuery) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// restoreQuery sends requests with their query, and keeps what net/http says
// from whoever called it.
//
// Everything but the URL stays as it came, above all Body, TransferEncoding and
// context. By them the library makes sure that a request is sent once only, and
// knows afterwards whether it left. A transport that repeats requests, or gives
// them another body, would take that away.
type restoreQuery struct{ base http.RoundTripper }

func (t restoreQuery) RoundTrip(req *http.Request) (*http.Response, error) {
	hidden, ok := req.Context().Value(realURLKey{}).(*realURL)
	if !ok { // better no request than one without its query
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, errors.New("the request has lost its context on the way")
	}
	sent := req.WithContext(req.Context())
	sent.URL = hidden.url
	resp, err := t.base.RoundTrip(sent)
	if err != nil {
		return nil, quiet(err)
	}
	resp.Request = req
	resp.Body = quietBody{resp.Body}
	return resp, nil
}

// quietBody is an answer's body whose errors are quiet.
type quietBody struct{ io.ReadCloser }

func (b quietBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = quiet(err)
	}
	return n, err
}

// quietError says what kind of error is behind it and nothing more: that is
// what goes into the span. The library looks behind it, so Unwrap matters.
type quietError struct {
	kind  string
	cause error
}

func (e *quietError) Error() string     { return e.kind }
func (e *quietError) ErrorType() string { return e.kind } // otelhttp's error.type
func (e *quietError) Unwrap() error     { return e.cause }

func quiet(err error) error {
	e := &quietError{"connection failed", err}
	var timeout net.Error
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		e.kind = "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		e.kind = "timeout"
	case errors.As(err, &op) && op.Op == "dial":
		e.kind = "no connection"
	}
	return e
}
