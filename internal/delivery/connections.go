package delivery

import (
	"net"
	"sync"
	"time"
)

// holding is an attempt's hold on an HTTP/1.1 connection of a caller's transport.
// net/http gives a connection to the next request as soon as the body of an answer
// has been read, before the answer has been verified. So an attempt that gets a
// connection waits until the previous attempt has accepted or refused its answer.
// That takes the time of an RSA verification, and costs nothing if none waits.
type holding struct {
	conn    net.Conn
	decided chan struct{} // made by the first attempt that waits
	refused bool          // the connection is closed
}

var holders = struct {
	sync.Mutex
	of map[net.Conn]*holding
}{of: make(map[net.Conn]*holding)}

// keepRefused is how long a refused connection is remembered: longer than net/http
// takes to notice that it is closed.
const keepRefused = time.Second

// acquire waits until conn is free and holds it. It returns false when the
// connection was refused or done comes first: then it must not be used.
func (h *holding) acquire(conn net.Conn, done <-chan struct{}) bool {
	for {
		holders.Lock()
		before := holders.of[conn]
		if before == nil {
			h.conn, holders.of[conn] = conn, h
			holders.Unlock()
			return true
		}
		if before.decided == nil {
			before.decided = make(chan struct{})
		}
		decided, refused := before.decided, before.refused
		holders.Unlock()
		if refused {
			return false
		}
		select {
		case <-decided:
		case <-done:
			return false
		}
	}
}

// release gives the connection to the next attempt. If refused, it is closed and
// never used again.
func (h *holding) release(refused bool) {
	if refused {
		closeAtOnce(h.conn)
	}
	holders.Lock()
	defer holders.Unlock()
	if h.decided != nil {
		close(h.decided)
	}
	if !refused {
		delete(holders.of, h.conn)
		return
	}
	conn := h.conn
	holders.of[conn] = &holding{refused: true} // h would keep all of its attempt
	time.AfterFunc(keepRefused, func() {
		holders.Lock()
		defer holders.Unlock()
		delete(holders.of, conn)
	})
}

// closeAtOnce closes the underlying socket, so that sending TLS's close_notify
// cannot delay it.
func closeAtOnce(conn net.Conn) {
	if wrapper, ok := conn.(interface{ NetConn() net.Conn }); ok && wrapper.NetConn() != nil {
		closeAtOnce(wrapper.NetConn())
		return
	}
	_ = conn.Close()
}
