package alipay

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"sync/atomic"
)

// deliveryWatch sees to it that one attempt puts at most one complete request
// on a connection, and knows afterwards whether one may have left.
//
// net/http replays a GET without a body when a kept-alive connection breaks,
// with the same nonce and signature, below every wrapper. It does so only while
// it can repeat the body: so the request gets a body that is empty, at its end
// and not repeatable. With the transfer encoding "identity" net/http neither
// probes it nor announces it, and the head that goes out is that of a request
// without a body. HTTP/1.1 flushes the head before it touches such a body, so
// "the body was touched" means "the head is on the socket".
//
// A caller's RoundTripper may repeat requests by itself, in turn or at once, and
// with a body of its own. The httptrace hooks see that: each attempt is granted
// one connection. At the next one its context is cancelled, and that connection
// closed before anything is written to it, since HTTP/1.1 would race with the
// context and a detached context never hears of it. A RoundTripper that hides
// the hooks and brings its own body is beyond reach.
type deliveryWatch struct {
	base    baseKind
	refused bool  // not handed to the base transport at all
	signed  proof // what was signed

	traced   atomic.Bool  // the hooks are called: the RoundTripper does not hide them
	getConns atomic.Int32 // how often a connection was asked for
	granted  atomic.Bool  // a connection was given to write to; there is one per attempt
	reused   atomic.Bool  // it had served before
	isHTTP1  atomic.Bool  // it speaks HTTP/1.1 for certain
	wrote    atomic.Bool  // the header was written, perhaps only into a buffer
	body     atomic.Bool  // the body was touched when there was a connection
	buffered atomic.Bool  // the body was touched before: read into memory
	blocked  atomic.Bool  // a replay was stopped

	// pretended: there was a connection to nowhere, as httputil.DumpRequestOut
	// makes to see what a request looks like.
	pretended atomic.Bool

	cancel context.CancelFunc
	trace  httptrace.ClientTrace
	reader watchedBody
}

// baseKind is what is known of a base transport.
type baseKind struct {
	own     bool // the library's own: it calls the hooks and speaks HTTP/1.1 only
	direct  bool // an http.Transport: it repeats nothing whose body it cannot repeat
	noHTTP2 bool // it cannot speak HTTP/2 to this origin
}

// start returns the context under which the attempt has to be sent.
func (w *deliveryWatch) start(ctx context.Context, cancel context.CancelFunc) context.Context {
	w.cancel = cancel
	w.trace = httptrace.ClientTrace{
		GetConn:      w.onGetConn,
		GotConn:      w.onGotConn,
		WroteHeaders: w.onWroteHeaders,
	}
	return httptrace.WithClientTrace(ctx, &w.trace)
}

// attach gives req the watched body.
func (w *deliveryWatch) attach(req *http.Request, body []byte) {
	w.reader = watchedBody{watch: w, rest: body}
	req.Body = &w.reader
	req.ContentLength = int64(len(body))
	if len(body) == 0 {
		req.TransferEncoding = identity
	}
}

var identity = []string{"identity"}

func (w *deliveryWatch) onGetConn(string) {
	w.traced.Store(true)
	w.getConns.Add(1)
	if !w.base.direct && w.hasLeft() {
		w.blocked.Store(true)
		w.cancel()
	}
}

func (w *deliveryWatch) onGotConn(info httptrace.GotConnInfo) {
	if !w.base.direct && (info.Conn == nil || info.Conn.RemoteAddr() == nil) {
		w.pretended.Store(true)
		return
	}
	secured, isTLS := info.Conn.(*tls.Conn)
	isHTTP1 := w.base.noHTTP2 || isTLS && secured.ConnectionState().NegotiatedProtocol != "h2"
	if !w.granted.CompareAndSwap(false, true) && !w.base.direct {
		w.blocked.Store(true)
		w.cancel()
		_ = info.Conn.Close()
		return
	}
	w.isHTTP1.Store(isHTTP1)
	w.reused.Store(info.Reused)
}

func (w *deliveryWatch) onWroteHeaders() {
	if w.granted.Load() {
		w.wrote.Store(true)
	}
}

func (w *deliveryWatch) touched() {
	if w.granted.Load() {
		w.body.Store(true)
	} else {
		w.buffered.Store(true)
	}
}

// hasLeft reports whether a request is known to have been written.
func (w *deliveryWatch) hasLeft() bool { return w.body.Load() || w.wrote.Load() }

// mayHaveLeft reports, after the base transport failed, whether a complete
// request may have reached the gateway. No evidence counts as sent.
func (w *deliveryWatch) mayHaveLeft(err error, alive bool) bool {
	refused := !w.blocked.Load() && refusedByHTTP2(err)
	switch {
	case w.refused:
		return false
	case w.body.Load():
		return !refused
	case !w.traced.Load():
		return !w.base.own && (w.buffered.Load() || !isDialError(err))
	case !w.granted.Load():
		return w.pretended.Load()
	case !alive:
		return true // a cancelled round trip does not wait for its writer
	case w.base.own:
		return false // the head was not flushed
	case w.base.direct:
		return w.wrote.Load() && !refused
	case w.isHTTP1.Load() && w.getConns.Load() <= 1:
		return w.wrote.Load()
	default: // a RoundTripper over HTTP/2 may have given up while its writer goes on
		return !refused
	}
}

// deadConnection reports that a reused connection turned out dead before
// anything was written to it.
func (w *deliveryWatch) deadConnection() bool {
	return w.granted.Load() && w.reused.Load()
}

// refusedStream is how net/http and golang.org/x/net/http2 say that the server
// did not process a stream (RFC 9113, sections 6.8 and 8.7) when the request
// cannot be repeated. The error behind it is not reachable. Should the text
// change, such an error counts as outcome unknown.
var refusedStream = regexp.MustCompile(`^http2: Transport: cannot retry err \[(` +
	`stream error: stream ID \d+; REFUSED_STREAM(; received from peer)?` +
	`|http2: Transport received Server's graceful shutdown GOAWAY)\] after Request\.Body was written`)

func refusedByHTTP2(err error) bool {
	found := false
	walk(err, func(e error) {
		found = found || refusedStream.MatchString(e.Error())
	})
	return found
}

// watchedBody is the body of one attempt. It cannot be repeated, and tells the
// watch when it is touched.
type watchedBody struct {
	watch *deliveryWatch
	rest  []byte
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.touched()
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// WriteTo spares net/http a copy buffer of 32 kB per call.
func (b *watchedBody) WriteTo(w io.Writer) (int64, error) {
	b.watch.touched()
	if len(b.rest) == 0 {
		return 0, nil
	}
	n, err := w.Write(b.rest)
	b.rest = b.rest[n:]
	return int64(n), err
}

func (b *watchedBody) Close() error { return nil }
