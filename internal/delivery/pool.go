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

// pool is the library's own transport. Each connection is lent to one attempt, and
// taken back when the attempt has accepted its answer. An [http.Transport] would
// give it to the next request as soon as the answer had been read.
type pool struct {
	transport *http.Transport // makes the connections

	mu   sync.Mutex
	idle map[origin][]*pooled // the last of each was used last
}

type origin struct{ scheme, host string }

// pooled is a connection of a pool. While it is lent, the pool does not know it.
type pooled struct {
	*http.ClientConn
	pool   *pool
	origin origin
	socket *socket
	used   bool        // an answer on it was accepted
	since  time.Time   // when it became idle, by the wall clock: the other stands still while a machine sleeps
	expiry *time.Timer // nil before it was idle
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
	return &pool{transport: t, idle: make(map[origin][]*pooled)}
}

// RoundTrip sends the request of an attempt. When a connection that was idle turns
// out to be closed, and nothing can have left on it, the next one is tried.
func (p *pool) RoundTrip(req *http.Request) (*http.Response, error) {
	report := reportOf(req.Context())
	report.hooked.Store(true)
	for {
		conn, err := p.lend(req.Context(), req.URL, report)
		if err != nil {
			return nil, err
		}
		report.connReused.Store(conn.used)
		report.gotConn.Store(true)
		resp, err := conn.RoundTrip(req)
		if err == nil {
			report.lent = conn
			return resp, nil
		}
		conn.drop()
		if !conn.used || report.bodyRead.Load() || req.Context().Err() != nil {
			return nil, err
		}
		report.gotConn.Store(false)
	}
}

// lend returns an idle connection, or else a new one. Dialling ends with ctx.
func (p *pool) lend(ctx context.Context, u *url.URL, report *Report) (*pooled, error) {
	to := origin{u.Scheme, u.Host}
	for conn := p.pop(to); conn != nil; conn = p.pop(to) {
		conn.expiry.Stop()
		if wallClock().Sub(conn.since) < p.transport.IdleConnTimeout && conn.isQuiet() {
			return conn, nil
		}
		conn.drop()
	}
	conn, err := p.transport.NewClientConn(ctx, u.Scheme, net.JoinHostPort(u.Hostname(), u.Port()))
	if err != nil {
		if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
			<-ctx.Done() // the timer of the dialler was faster
		}
		return nil, err
	}
	return &pooled{ClientConn: conn, pool: p, origin: to, socket: report.socket}, nil
}

func wallClock() time.Time { return time.Now().Round(0) }

func (p *pool) pop(to origin) *pooled {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := p.idle[to]
	if len(conns) == 0 {
		return nil
	}
	last := conns[len(conns)-1]
	p.idle[to] = slices.Delete(conns, len(conns)-1, len(conns))
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

// giveBack makes the connection idle, if its answer has been read to the end.
func (c *pooled) giveBack() {
	if c.Available() != 1 {
		c.drop()
		return
	}
	p := c.pool
	c.used, c.since = true, wallClock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle[c.origin] = append(p.idle[c.origin], c)
	if c.expiry == nil {
		c.expiry = time.AfterFunc(p.transport.IdleConnTimeout, c.expire)
	} else {
		c.expiry.Reset(p.transport.IdleConnTimeout)
	}
}

// expire drops the connection if it is still idle.
func (c *pooled) expire() {
	c.pool.mu.Lock()
	conns := c.pool.idle[c.origin]
	i := slices.Index(conns, c)
	if i >= 0 {
		c.pool.idle[c.origin] = slices.Delete(conns, i, i+1)
	}
	c.pool.mu.Unlock()
	if i >= 0 {
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
	idle := p.idle
	p.idle = make(map[origin][]*pooled)
	p.mu.Unlock()
	for _, conns := range idle {
		for _, conn := range conns {
			conn.expiry.Stop()
			conn.drop()
		}
	}
}
