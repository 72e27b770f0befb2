package delivery

import (
	"hash/maphash"
	"net"
	"reflect"
	"sync"
	"time"
)

// connections knows, of the HTTP/1.1 connections in use, which attempt's answer
// was the last to come on each. net/http lets the next request have a connection
// as soon as the body of an answer has been read, which is before anybody can
// know whether that answer was the right one. So whoever is handed a connection
// waits for what the one before makes of its answer. That takes the time of an
// RSA verification, and nothing where nobody waits.
var connections registry

const registryShards = 64

type registry struct {
	seed   maphash.Seed
	once   sync.Once
	shards [registryShards]registryShard
}

type registryShard struct {
	mu      sync.Mutex
	holders map[net.Conn]*holding
}

// holding is a connection in the hands of an attempt.
type holding struct {
	decided chan struct{} // made by who waits for it
	refused bool          // the connection is closed
}

// keepRefused is for how long a connection that was refused is remembered:
// longer than net/http takes to notice that it is closed.
const keepRefused = time.Second

// isKnowable reports whether a connection of a caller's own type can be told from
// others.
func isKnowable(conn net.Conn) bool {
	return reflect.TypeOf(conn).Kind() == reflect.Pointer || reflect.ValueOf(conn).Comparable()
}

func (g *registry) shard(conn net.Conn) *registryShard {
	g.once.Do(func() { g.seed = maphash.MakeSeed() })
	return &g.shards[maphash.Comparable(g.seed, conn)%registryShards]
}

// acquire waits until conn is free and gives it to h. It is false when the
// connection was refused, or when done comes first: it must not be used, then.
func (g *registry) acquire(conn net.Conn, h *holding, done <-chan struct{}) bool {
	s := g.shard(conn)
	for {
		s.mu.Lock()
		before := s.holders[conn]
		if before == nil {
			if s.holders == nil {
				s.holders = make(map[net.Conn]*holding)
			}
			s.holders[conn] = h
			s.mu.Unlock()
			return true
		}
		if before.refused {
			s.mu.Unlock()
			return false
		}
		if before.decided == nil {
			before.decided = make(chan struct{})
		}
		decided := before.decided
		s.mu.Unlock()
		select {
		case <-decided:
		case <-done:
			return false
		}
	}
}

// release gives conn, which h holds, to the next. When it is refused it is closed
// and never used again.
func (g *registry) release(conn net.Conn, h *holding, refused bool) {
	if refused {
		closeAtOnce(conn)
	}
	s := g.shard(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.decided != nil {
		defer close(h.decided)
	}
	if !refused {
		delete(s.holders, conn)
		return
	}
	s.holders[conn] = &holding{refused: true}
	time.AfterFunc(keepRefused, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.holders, conn)
	})
}

// closeAtOnce closes the socket below, so that no farewell of TLS can hold it up.
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
