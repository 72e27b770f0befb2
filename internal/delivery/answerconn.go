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

// answerConn is an HTTP/1.1 connection of the library's own transport. It hands
// over nothing but the answer that was asked for. When more comes, behind an
// answer or between two requests, the connection is out of step: it is closed at
// once, and what came is thrown away. net/http would take it for the answer to
// the next request, or write it to the standard logger.
//
// What comes after the next request has begun cannot be told from its answer.
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

// NetConn is the connection below, as that of a tls.Conn is.
func (c *answerConn) NetConn() net.Conn { return c.Conn }

var errHandshakeTimeout error = handshakeTimeout{}

type handshakeTimeout struct{}

func (handshakeTimeout) Error() string   { return "TLS handshake timeout" }
func (handshakeTimeout) Timeout() bool   { return true }
func (handshakeTimeout) Temporary() bool { return true }

// keepInStep makes t dial connections that stay in step. That is done for a
// transport that nobody else can clone or change: TLS has to be made here, under
// the TLSClientConfig that t has now.
//
// A tunnel through a CONNECT proxy is left to net/http, which makes TLS over it
// by itself.
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

// handshake makes TLS, and tells a caller's httptrace of it, as net/http does.
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

// reportKey finds, in the context of a dial, the report of the attempt that
// wants the connection.
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

// whileWanted ends when the call that wants the connection has ended without
// one. net/http detaches a dial from the call, so a server that is silent would
// hold its goroutines for longer than any call lasts. A call that got another
// connection meanwhile leaves this one for later calls.
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
