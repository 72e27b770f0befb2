package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// answerConn is an HTTP/1.1 connection of the library's own transport. It returns
// only the bytes of the answer that was asked for. When more bytes come, after an
// answer or between two requests, the connection is out of step: it is closed at
// once, and the bytes are discarded. net/http would take them for the answer to
// the next request, or write them to the standard logger.
//
// Surplus bytes that come after the next request has begun cannot be distinguished
// from its answer.
type answerConn struct {
	net.Conn          // TCP, or TLS over it
	socket   net.Conn // TCP

	mu        sync.Mutex
	framer    framer
	outOfStep bool
}

func (c *answerConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.framer.asked(p)
	outOfStep := c.outOfStep
	c.mu.Unlock()
	if outOfStep {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *answerConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	belongs := c.framer.came(p[:n])
	c.outOfStep = c.outOfStep || belongs < n
	c.mu.Unlock()
	switch {
	case belongs == n:
		return n, err
	case belongs > 0:
		_ = c.socket.Close()
		return belongs, nil
	}
	_ = c.socket.Close()
	return 0, io.EOF
}

// NetConn returns the wrapped connection, as that of a tls.Conn does.
func (c *answerConn) NetConn() net.Conn { return c.Conn }

var errHandshakeTimeout error = handshakeTimeout{}

type handshakeTimeout struct{}

func (handshakeTimeout) Error() string   { return "TLS handshake timeout" }
func (handshakeTimeout) Timeout() bool   { return true }
func (handshakeTimeout) Temporary() bool { return true }

// keepInStep makes t dial connections that stay in step. t must be a transport
// that nobody else can clone or change, since the TLS handshake is made here, with
// the TLSClientConfig that t has now.
//
// A tunnel through a CONNECT proxy is left to net/http, which makes the TLS
// handshake over it itself.
func keepInStep(t *http.Transport) {
	dial, config, timeout := t.DialContext, t.TLSClientConfig, t.TLSHandshakeTimeout
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &answerConn{Conn: conn, socket: conn}, nil
	}
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		socket, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		config := config.Clone()
		if config.ServerName == "" {
			config.ServerName = host
		}
		ctx, cancel := whileWanted(ctx)
		defer cancel()
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errHandshakeTimeout)
		defer cancel()
		conn := tls.Client(socket, config)
		if err := handshake(ctx, conn); err != nil {
			_ = socket.Close()
			return nil, err
		}
		return &answerConn{Conn: conn, socket: socket}, nil
	}
}

// handshake makes the TLS handshake, and reports it to a caller's httptrace, as
// net/http does.
func handshake(ctx context.Context, conn *tls.Conn) error {
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.TLSHandshakeStart != nil {
		trace.TLSHandshakeStart()
	}
	err := conn.HandshakeContext(ctx)
	if err != nil && context.Cause(ctx) == errHandshakeTimeout {
		err = errHandshakeTimeout
	}
	if trace != nil && trace.TLSHandshakeDone != nil {
		var state tls.ConnectionState
		if err == nil {
			state = conn.ConnectionState()
		}
		trace.TLSHandshakeDone(state, err)
	}
	return err
}

// reportKey is the key, in the context of a dial, of the report of the attempt
// that wants the connection.
type reportKey struct{}

// reportContext is the context of an attempt.
type reportContext struct {
	context.Context
	report *Report
}

func (c *reportContext) Value(key any) any {
	if key == (reportKey{}) {
		return c.report
	}
	return c.Context.Value(key)
}

var errNotWanted = errors.New("the call that wanted the connection is over")

// whileWanted returns a context that ends when the call that wants the connection
// has ended without one. net/http detaches a dial from the call, so with a silent
// server its goroutines would outlive every call. If the call got another
// connection meanwhile, this one is kept for later calls.
func whileWanted(ctx context.Context) (context.Context, context.CancelFunc) {
	report, ok := ctx.Value(reportKey{}).(*Report)
	if !ok {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(report.ctx, func() {
		if !report.gotConn.Load() {
			cancel(errNotWanted)
		}
	})
	return ctx, func() { stop(); cancel(nil) }
}
