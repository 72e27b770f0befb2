package delivery

import (
	"net"
	"reflect"
	"sync"
	"time"
)

// connections records which attempt holds each HTTP/1.1 connection of a caller's
// transport. net/http gives a connection to the next request as soon as the body
// of an answer has been read, before the answer has been verified. So an attempt
// that gets a connection waits until the previous attempt has accepted or refused
// its answer. That takes the time of an RSA verification, and costs nothing if
// none waits.
var connections registry

type registry struct {
	mu      sync.Mutex
	holders map[net.Conn]*holding
}

// holding is an attempt's hold on a connection.
type holding struct {
	decided chan struct{} // made by the first attempt that waits
	refused bool          // the connection is closed
}

// keepRefused is how long a refused connection is remembered: longer than net/http
// takes to notice that it is closed.
const keepRefused = time.Second

// isKnowable reports whether a connection, whose type may be a caller's, can be a
// map key.
func isKnowable(conn net.Conn) bool {
	return reflect.TypeOf(conn).Kind() == reflect.Pointer || reflect.ValueOf(conn).Comparable()
}

// acquire waits until conn is free and gives it to h. It returns false when the
// connection was refused or done comes first: then it must not be used.
func (g *registry) acquire(conn net.Conn, h *holding, done <-chan struct{}) bool {
	for {
		g.mu.Lock()
		before := g.holders[conn]
		if before == nil {
			if g.holders == nil {
				g.holders = make(map[net.Conn]*holding)
			}
			g.holders[conn] = h
			g.mu.Unlock()
			return true
		}
		if before.refused {
			g.mu.Unlock()
			return false
		}
		if before.decided == nil {
			before.decided = make(chan struct{})
		}
		decided := before.decided
		g.mu.Unlock()
		select {
		case <-decided:
		case <-done:
			return false
		}
	}
}

// release gives conn, which h holds, to the next attempt. If refused, it is closed
// and never used again.
func (g *registry) release(conn net.Conn, h *holding, refused bool) {
	if refused {
		closeAtOnce(conn)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if h.decided != nil {
		defer close(h.decided)
	}
	if !refused {
		delete(g.holders, conn)
		return
	}
	g.holders[conn] = &holding{refused: true}
	time.AfterFunc(keepRefused, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.holders, conn)
	})
}

// closeAtOnce closes the underlying socket, so that sending TLS's close_notify
// cannot delay it.
func closeAtOnce(conn net.Conn) {
	for {
		wrapper, ok := conn.(interface{ NetConn() net.Conn })
		if !ok || wrapper.NetConn() == nil {
			_ = conn.Close()
			return
		}
		conn = wrapper.NetConn()
	}
}
