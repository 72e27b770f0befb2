package delivery

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// closable is a connection of a caller's own type.
type closable struct {
	net.Conn
	closed *bool
}

func (c closable) Close() error { *c.closed = true; return nil }

// wrapper says what it wraps.
type wrapper struct {
	closable
	inner net.Conn
}

func (w wrapper) NetConn() net.Conn { return w.inner }

func TestOfAConnectionInLayersTheInnermostIsClosed(t *testing.T) {
	closed, inner := false, false
	closeAtOnce(wrapper{closable{closed: &closed}, wrapper{closable{closed: &closed}, closable{closed: &inner}}})
	assert.True(t, inner)
	assert.False(t, closed, "it might wait for the other side")
	closeAtOnce(wrapper{closable: closable{closed: &closed}})
	assert.True(t, closed)
}

type unhashable struct {
	net.Conn
	_ []byte
}

func TestAConnectionHasOneHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := false
		conn := closable{closed: &closed}
		var first, second holding
		require.True(t, first.acquire(conn, nil))
		got := false
		go func() { got = second.acquire(conn, nil) }()
		synctest.Wait()
		assert.False(t, got, "it waits")
		first.release(false)
		synctest.Wait()
		assert.True(t, got)
		assert.False(t, closed)
		second.release(false)
	})
}

func TestARefusedConnectionIsClosedAndNobodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := false
		conn := closable{closed: &closed}
		var first, second, third holding
		require.True(t, first.acquire(conn, nil))
		got := true
		go func() { got = second.acquire(conn, nil) }()
		synctest.Wait()
		first.release(true)
		assert.True(t, closed)
		synctest.Wait()
		assert.False(t, got, "who waited")
		assert.False(t, third.acquire(conn, nil), "who comes later")
		time.Sleep(2 * keepRefused)
		synctest.Wait()
		assert.NotContains(t, holders.of, net.Conn(conn), "nothing stays behind")
	})
}

func TestWaitingForAConnectionEndsWithTheCall(t *testing.T) {
	closed := false
	conn := closable{closed: &closed}
	var first, second holding
	require.True(t, first.acquire(conn, nil))
	done := make(chan struct{})
	close(done)
	assert.False(t, second.acquire(conn, done))
	first.release(false)
	assert.True(t, second.acquire(conn, done))
	second.release(false)
}

func TestManyHoldersOfManyConnections(t *testing.T) {
	conns := make([]*closable, 8)
	held := make([]int, len(conns))
	for i := range conns {
		conns[i] = &closable{closed: new(bool)}
	}
	var all sync.WaitGroup
	for worker := range 32 {
		all.Go(func() {
			for n := range 500 {
				i := (worker + n) % len(conns)
				var h holding
				if assert.True(t, h.acquire(conns[i], nil)) {
					held[i]++ // the race detector would report a second holder
					h.release(false)
				}
			}
		})
	}
	all.Wait()
	for _, n := range held {
		assert.Equal(t, 32*500/len(conns), n)
	}
}

func TestAConnectionThatCannotBeTold(t *testing.T) {
	for conn, known := range map[net.Conn]bool{&unhashable{}: true, closable{closed: new(bool)}: true} {
		report := Report{via: &Transport{}}
		report.watch(t.Context())
		assert.True(t, report.hold(conn))
		assert.Equal(t, known, report.lease != nil)
		report.Close()
	}
	report := Report{via: &Transport{}}
	report.watch(t.Context())
	defer report.Close()
	assert.True(t, report.hold(unhashable{}))
	assert.Nil(t, report.lease)
}

// TestALateConnectionIsNobodys: a RoundTripper may come back with a connection
// after the attempt has ended.
func TestALateConnectionIsNobodys(t *testing.T) {
	report := Report{via: &Transport{}}
	report.watch(t.Context())
	report.Close()
	closed := false
	conn := closable{closed: &closed}
	assert.False(t, report.hold(conn))
	assert.True(t, closed)
}

func BenchmarkAcquireAndRelease(b *testing.B) {
	b.ReportAllocs()
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		conn := &closable{closed: new(bool)}
		var h holding
		for pb.Next() {
			h.acquire(conn, nil)
			h.release(false)
		}
	})
}

// slowToClose is open until it is closed for the second time, as net/http's idle
// connections are for a moment.
type slowToClose struct {
	net.Conn
	slow   *atomic.Bool
	closed atomic.Bool
}

func (c *slowToClose) Close() error {
	if c.slow.Load() && !c.closed.Swap(true) {
		return nil
	}
	return c.Conn.Close()
}

// TestSendSkipsConnectionsThatWereClosedHere: net/http hands them out for a moment
// yet.
func TestSendSkipsConnectionsThatWereClosedHere(t *testing.T) {
	const idle = 5
	var connections atomic.Int64
	var slow atomic.Bool
	target := raw(t, nil, func(conn net.Conn, number int) { connections.Add(1); answering(conn, number) })
	base := NewHTTPTransport()
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &slowToClose{Conn: conn, slow: &slow}, err
	}
	transport, err := NewTransport(&http.Client{Transport: base})
	require.NoError(t, err)
	defer transport.CloseIdleConnections()
	for _, method := range []string{"GET", "POST"} {
		connections.Store(0)
		slow.Store(true)
		var reports [idle]Report
		var answers [idle]*http.Response
		for i := range reports {
			answers[i], err = transport.Send(t.Context(), requestFor(t, method, target, ""), &reports[i])
			require.NoError(t, err)
		}
		for i, resp := range answers {
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, err)
			reports[i].Refuse()
		}
		got, report, err := ask(t, transport, requestFor(t, method, target, ""), nil)
		require.NoError(t, err)
		assert.Equal(t, "hello", got)
		assert.False(t, report.Reused())
		assert.EqualValues(t, idle+1, connections.Load())
		for i := range reports {
			reports[i].Close()
		}
		slow.Store(false)
		transport.CloseIdleConnections()
	}
}
