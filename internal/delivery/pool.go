package delivery

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pool is the library's own transport, for one origin. Each connection is lent to
// one attempt, and taken back when the attempt has accepted its answer. An
// [http.Transport] would give it to the next request as soon as the answer had been
// read.
type pool struct {
	transport *http.Transport // makes the connections

	mu   sync.Mutex
	idle []*pooled // the last one was used last
}

// pooled is a connection of a pool. While it is lent, the pool does not know it.
type pooled struct {
	*http.ClientConn
	pool   *pool
	socket *socket
	since  time.Time   // when it became idle, by the wall clock: the other stands still while a machine sleeps
	expiry *time.Timer // nil before an answer on it was accepted
}

// socket is the TCP connection below one of a pool.
type socket struct {
	net.Conn
	reading atomic.Bool // somebody waits for bytes
}

func (s *socket) Read(p []byte) (int, error) {
	s.reading.Store(true)
	n, err := s.Conn.Read(p)
	s.reading.Store(false)
	return n, err
}

func newPool(t *http.Transport) *pool {
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		s := &socket{Conn: conn}
		reportOf(ctx).socket = s
		return s, nil
	}
	return &pool{transport: t}
}

// RoundTrip sends the request of an attempt. It tells the report when a connection
// that was idle turns out to be closed.
func (p *pool) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	report := reportOf(ctx)
	report.hooked.Store(true)
	conn, err := p.lend(ctx, req.URL, report)
	if err != nil {
		return nil, err
	}
	reused := conn.expiry != nil
	report.connReused.Store(reused)
	report.gotConn.Store(true)
	resp, err := conn.RoundTrip(req)
	if err == nil {
		report.lease = conn
		return resp, nil
	}
	conn.drop()
	if reused && ctx.Err() == nil {
		report.connIsDead()
	}
	return nil, err
}

// lend returns an idle connection, or else a new one. Dialling ends with ctx.
func (p *pool) lend(ctx context.Context, u *url.URL, report *Report) (*pooled, error) {
	for conn := p.pop(); conn != nil; conn = p.pop() {
		if time.Now().Round(0).Sub(conn.since) < p.transport.IdleConnTimeout && conn.isQuiet() {
			return conn, nil
		}
		conn.drop()
	}
	conn, err := p.transport.NewClientConn(ctx, u.Scheme, hostPort(u))
	if err != nil {
		if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
			<-ctx.Done() // the timer of the dialler was faster
		}
		return nil, err
	}
	return &pooled{ClientConn: conn, pool: p, socket: report.socket}, nil
}

func (p *pool) pop() *pooled {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	last := p.idle[len(p.idle)-1]
	p.idle = slices.Delete(p.idle, len(p.idle)-1, len(p.idle))
	return last
}

// isQuiet reports whether nothing came behind the last answer. net/http reads on
// once an answer has been read. Then it either finds surplus bytes in its buffers,
// and closes the connection, or wants more bytes from the socket.
func (c *pooled) isQuiet() bool {
	for c.Err() == nil {
		if c.socket.reading.Load() {
			return true
		}
		runtime.Gosched() // it has not come that far
	}
	return false
}

// release makes the connection idle, if its answer was accepted and read to the end.
func (c *pooled) release(refused bool) {
	if refused || c.Available() != 1 {
		c.drop()
		return
	}
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
	c.since = time.Now().Round(0)
	if c.expiry == nil {
		c.expiry = time.AfterFunc(p.transport.IdleConnTimeout, c.expire)
	} else {
		c.expiry.Reset(p.transport.IdleConnTimeout)
	}
}

// expire drops the connection, unless it is lent.
func (c *pooled) expire() {
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, c); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		c.drop()
	}
}

// drop closes the connection: the socket first, since sending TLS's close_notify
// can take long.
func (c *pooled) drop() {
	_ = c.socket.Close()
	_ = c.Close()
}

// CloseIdleConnections closes the connections that no attempt uses.
func (p *pool) CloseIdleConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.idle {
		conn.drop()
	}
	p.idle = nil
}
