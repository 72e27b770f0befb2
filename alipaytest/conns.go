package alipaytest

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// connection is one accepted connection.
type connection struct {
	number        int      // 1 for the gateway's first
	conn          net.Conn // as the server uses it: *tls.Conn under TLS
	requests      atomic.Int64
	closeWhenIdle atomic.Bool
	idle          time.Time // since when it waits for a request, guarded by connections.mu
}

// http2Settle is how long an HTTP/2 connection may still be writing an answer
// after net/http calls it idle.
const http2Settle = 20 * time.Millisecond

// settling is how much longer an idle connection must be left alone.
func (c *connection) settling() time.Duration {
	secured, ok := c.conn.(*tls.Conn)
	if !ok || secured.ConnectionState().NegotiatedProtocol != "h2" {
		return 0
	}
	return http2Settle
}

// raw is the TCP connection itself. Closing it ends HTTP/1.1, TLS and HTTP/2
// without the messages by which these layers announce their end.
func (c *connection) raw() net.Conn {
	if layered, ok := c.conn.(interface{ NetConn() net.Conn }); ok {
		return layered.NetConn()
	}
	return c.conn
}

// drop ends the connection by a FIN, or by a RST.
func (c *connection) drop(reset bool) {
	raw := c.raw()
	if tcp, ok := raw.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// connections are the open connections, and the answers in progress on them.
type connections struct {
	mu       sync.Mutex
	changedC *sync.Cond
	open     map[net.Conn]*connection
	accepted int
	answers  int
}

func (cs *connections) init() {
	cs.open = make(map[net.Conn]*connection)
	cs.changedC = sync.NewCond(&cs.mu)
}

type connectionKey struct{}

// opened is the server's ConnContext.
func (cs *connections) opened(ctx context.Context, conn net.Conn) context.Context {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.accepted++
	c := &connection{number: cs.accepted, conn: conn}
	cs.open[conn] = c
	return context.WithValue(ctx, connectionKey{}, c)
}

// changed is the server's ConnState.
func (cs *connections) changed(conn net.Conn, state http.ConnState) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.open[conn]
	if c == nil {
		return
	}
	switch state {
	case http.StateClosed, http.StateHijacked:
		delete(cs.open, conn)
		cs.changedC.Broadcast()
	case http.StateIdle:
		c.idle = time.Now()
		if c.closeWhenIdle.Load() {
			cs.dropIdle(c)
		}
	default:
		c.idle = time.Time{}
	}
}

// dropIdle drops c unless a request comes before it has settled. cs.mu is held.
func (cs *connections) dropIdle(c *connection) {
	idle := c.idle
	wait := c.settling() - time.Since(idle)
	if wait <= 0 {
		c.drop(false)
		return
	}
	time.AfterFunc(wait, func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		if c.idle.Equal(idle) {
			c.drop(false)
		}
	})
}

// of returns the connection that a request came on, or a stand-in if it is not one
// of this gateway's.
func (cs *connections) of(r *http.Request) *connection {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		return c
	}
	client, server := net.Pipe()
	_ = client.Close()
	return &connection{conn: server}
}

// enter and leave count the answers in progress.
func (cs *connections) enter() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.answers++
}

func (cs *connections) leave() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.answers--
	cs.changedC.Broadcast()
}

// drained waits until no connection is open and no answer in progress.
func (cs *connections) drained(grace time.Duration) bool {
	late := false
	timer := time.AfterFunc(grace, func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		late = true
		cs.changedC.Broadcast()
	})
	defer timer.Stop()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for (len(cs.open) > 0 || cs.answers > 0) && !late {
		cs.changedC.Wait()
	}
	return len(cs.open) == 0 && cs.answers == 0
}
