package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"reflect"
	"sync"
	"sync/atomic"
)

// Report watches one attempt and reports afterwards what happened to its request.
// It is the context of the attempt, so that a dialler finds it. The zero value is
// ready to use, once.
//
// net/http replays a GET without a body when a kept-alive connection breaks: the
// same nonce and signature, below every wrapper, but only while it can repeat the
// body. So every request has a body that is empty, at its end and not repeatable.
// With the transfer encoding "identity" the head that is sent is that of a request
// without a body, and HTTP/1.1 flushes it before it reads the body. So "the body was
// read" means "the head is on the socket".
//
// A caller's RoundTripper may repeat requests itself, one after the other or at the
// same time, and with bodies of its own. The httptrace hooks see that. Each attempt
// may have one connection: a second one is closed before anything is written to it,
// and the attempt's context ends. That alone would come too late on HTTP/1.1, and
// does not reach a request in another context. A RoundTripper that hides the hooks
// and brings its own body cannot be stopped.
type Report struct {
	via   *Transport
	url   *url.URL
	cause error // why Send failed

	hooked        atomic.Bool // the hooks are called: the RoundTripper does not hide them
	gotConn       atomic.Bool // a connection was handed out to write to
	connReused    atomic.Bool // the connection had been used before
	connIsHTTP1   atomic.Bool // the connection speaks HTTP/1.1
	connInsecure  atomic.Bool // a connection was refused because of its TLS
	connDead      atomic.Bool // a connection that was handed out was closed already
	wroteHeaders  atomic.Bool // the head was written, perhaps only into a buffer
	bodyRead      atomic.Bool // the body was read while there was a connection
	bodyReadEarly atomic.Bool // the body was read before there was one: into memory
	earlyAnswer   atomic.Bool // a 1xx answer came: the server is processing the request
	repeatStopped atomic.Bool // a repetition was stopped

	context.Context                    // of the attempt
	cancel          context.CancelFunc // ends it
	call            context.Context    // nil until the base transport is given the request
	trace           httptrace.ClientTrace
	body            watchedBody

	mu     sync.Mutex
	stage  string  // that the library's own dialler has reached
	with   string  // and whom
	lease  lease   // of the connection in use; nil over HTTP/2
	held   holding // the lease of a caller's transport
	socket *socket // of the own transport, over the connection that was dialled last
}

// lease is the use of an HTTP/1.1 connection by one attempt, until its answer is
// accepted or refused.
type lease interface{ release(refused bool) }

type reportKey struct{}

// Value returns the report itself for a reportKey.
func (r *Report) Value(key any) any {
	if key == (reportKey{}) {
		return r
	}
	return r.Context.Value(key)
}

// reportOf returns the report of an attempt, nil for the context of another request
// on a shared transport.
func reportOf(ctx context.Context) *Report {
	r, _ := ctx.Value(reportKey{}).(*Report)
	return r
}

// watch returns the context under which the request has to be sent. It ends with
// that of the call, or earlier if the report cancels it.
func (r *Report) watch(call context.Context) context.Context {
	r.call = call
	r.Context, r.cancel = context.WithCancel(call)
	if r.via.kind == own {
		return r
	}
	r.trace = httptrace.ClientTrace{
		GetConn: r.onGetConn, GotConn: r.onGotConn, WroteHeaders: r.onWroteHeaders, Got1xxResponse: r.onEarlyAnswer,
	}
	return httptrace.WithClientTrace(r, &r.trace)
}

// Refuse closes the connection on which the answer came, since its next answer
// may belong to another request too. Over HTTP/2 it does nothing: there a stream
// number ties an answer to its request, and other calls share the connection.
//
// Until Refuse or Close nothing else is sent on the connection. So call one of
// them before doing anything slow, or anything that needs a connection itself.
func (r *Report) Refuse() { r.release(true) }

// Close ends the attempt. The answer's body cannot be read afterwards.
func (r *Report) Close() {
	if r.cancel != nil {
		r.cancel()
	}
	r.release(false)
}

func (r *Report) release(refused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lease != nil {
		r.lease.release(refused)
		r.lease = nil
	}
}

// hold waits until the previous answer on the connection is accepted, and keeps
// the connection until Refuse or Close. If it returns false, the connection is
// closed.
func (r *Report) hold(conn net.Conn) bool {
	if !reflect.ValueOf(conn).Comparable() { // no key of a map: it is of a caller's type
		return true
	}
	if !r.held.acquire(conn, r.Done()) {
		closeAtOnce(conn) // or net/http might still write to it
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Err() != nil { // a RoundTripper came back too late
		r.held.release(true)
		return false
	}
	r.lease = &r.held
	return true
}

// OnTheWire reports, after an answer, whether there is any evidence that its
// request was sent: a cache answers without sending it.
func (r *Report) OnTheWire() bool {
	return r.hooked.Load() || r.wasRead()
}

func (r *Report) wasRead() bool { return r.bodyRead.Load() || r.bodyReadEarly.Load() }

// Reused reports whether the connection had been used before.
func (r *Report) Reused() bool { return r.connReused.Load() }

// DeadConnection reports, after Send failed and MaybeSent returned false, that a
// reused connection turned out dead before anything was written to it.
func (r *Report) DeadConnection() bool { return r.gotConn.Load() && r.connReused.Load() }

// connIsDead takes back that a connection was handed out.
func (r *Report) connIsDead() {
	r.connDead.Store(true)
	r.gotConn.Store(false)
}

// tryNext reports, after an error, whether the only connection was dead. Then the
// next one may be tried: each dead one is handed out once.
func (r *Report) tryNext() bool {
	return r.connDead.Swap(false) && !r.gotConn.Load() && r.call.Err() == nil && !r.MaybeSent()
}

// MaybeSent reports, after Send failed, whether a complete request may have
// reached the gateway. No evidence counts as sent.
func (r *Report) MaybeSent() bool {
	cause := newTransportError(r.cause)
	streamRefused := cause.streamRefused && !r.repeatStopped.Load() && !r.earlyAnswer.Load()
	switch {
	case r.call == nil: // the base transport never saw it
		return false
	case r.bodyRead.Load(): // the head is on the socket; a refused HTTP/2 stream is not processed
		return !streamRefused
	case !r.hooked.Load(): // a RoundTripper that hides the hooks, and perhaps read the body into memory
		return r.via.kind != own && (r.bodyReadEarly.Load() || cause.op.Op != "dial")
	case !r.gotConn.Load(): // no connection that could carry it
		return r.bodyReadEarly.Load() && !r.connInsecure.Load()
	case r.call.Err() != nil: // a cancelled round trip returns while its writer may still write
		return true
	case r.via.kind == own: // HTTP/1.1, whose head is flushed before the body is read
		return false
	case r.via.kind == netHTTP: // HTTP/2 writes the head without touching the body
		return r.wroteHeaders.Load() && !streamRefused
	default: // a RoundTripper may return while its writer still writes
		return !streamRefused
	}
}

// maybeWritten reports whether a head may have been sent.
func (r *Report) maybeWritten() bool { return r.bodyRead.Load() || r.wroteHeaders.Load() }

func (r *Report) onGetConn(string) {
	r.hooked.Store(true)
	if r.maybeWritten() {
		r.stopRepetition()
	}
}

func (r *Report) onGotConn(info httptrace.GotConnInfo) {
	if r.via.kind == foreign && (info.Conn == nil || info.Conn.RemoteAddr() == nil) {
		r.bodyReadEarly.Store(true) // by httputil.DumpRequestOut, for one, to see what a request looks like
		return
	}
	isHTTP1 := !r.via.http2.Load()
	if r.url.Scheme == "https" {
		version, protocol := tlsOf(r.call, info.Conn)
		if version < tls.VersionTLS12 {
			r.connInsecure.Store(true)
			r.cancel()
			_ = info.Conn.Close()
			return
		}
		isHTTP1 = protocol == "" || protocol == "http/1.1"
	}
	// net/http hands out a second connection if an HTTP/2 connection turned out
	// closed before anything was written to it. Nothing else may do so.
	second := !r.gotConn.CompareAndSwap(false, true)
	if second && (r.via.kind == foreign || r.connIsHTTP1.Load() || r.maybeWritten()) {
		r.stopRepetition()
		_ = info.Conn.Close()
		return
	}
	if isHTTP1 && !second && !r.hold(info.Conn) {
		r.connIsDead()
		return
	}
	r.connIsHTTP1.Store(isHTTP1)
	r.connReused.Store(info.Reused)
}

func (r *Report) stopRepetition() {
	r.repeatStopped.Store(true)
	r.cancel()
}

func (r *Report) onWroteHeaders() {
	if r.gotConn.Load() { // else only a fake one, or one that must not be used
		r.wroteHeaders.Store(true)
	}
}

func (r *Report) onEarlyAnswer(int, textproto.MIMEHeader) error {
	r.earlyAnswer.Store(true)
	return nil
}

// watchedBody is the body of one attempt. It cannot be repeated, and notifies the
// report when it is read. Its sender may read again at the end; a read after it was
// read and closed means that the request is being repeated.
type watchedBody struct {
	report *Report
	rest   []byte
	closed atomic.Bool // after it was read
}

var errBodyRead = errors.New("the request was sent already")

// take takes up to n bytes of what is left.
func (b *watchedBody) take(n int) ([]byte, error) {
	r := b.report
	switch {
	case b.closed.Load():
		r.stopRepetition()
		return nil, errBodyRead
	case r.gotConn.Load():
		r.bodyRead.Store(true)
	default:
		r.bodyReadEarly.Store(true)
	}
	if len(b.rest) == 0 {
		return nil, io.EOF
	}
	part := b.rest[:min(n, len(b.rest))]
	b.rest = b.rest[len(part):]
	return part, nil
}

func (b *watchedBody) Read(p []byte) (int, error) {
	part, err := b.take(len(p))
	return copy(p, part), err
}

// WriteTo saves net/http a copy buffer of 32 kB per call.
func (b *watchedBody) WriteTo(w io.Writer) (int64, error) {
	part, err := b.take(len(b.rest))
	if err == io.EOF {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := w.Write(part)
	return int64(n), err
}

func (b *watchedBody) Close() error {
	b.closed.Store(b.report.wasRead())
	return nil
}
