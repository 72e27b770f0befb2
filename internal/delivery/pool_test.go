package delivery

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// raw serves each connection with a handler, over TLS if it is given a config.
func raw(t testing.TB, config *tls.Config, handle func(conn net.Conn, number int)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	scheme := "http://"
	if config != nil {
		listener, scheme = tls.NewListener(listener, config), "https://"
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for number := 1; ; number++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			all.Go(func() {
				defer conn.Close()
				handle(conn, number)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return scheme + listener.Addr().String()
}

// readHead reads one request without a body.
func readHead(r *bufio.Reader) error {
	_, err := http.ReadRequest(r)
	return err
}

const helloAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// answering answers every request on a connection.
func answering(conn net.Conn, _ int) {
	for r := bufio.NewReader(conn); readHead(r) == nil; {
		_, _ = io.WriteString(conn, helloAnswer)
	}
}

// testTLS is a server's config, and one that trusts it.
func testTLS(t testing.TB) (server, client *tls.Config) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	server = s.TLS.Clone()
	server.NextProtos = nil
	return server, s.Client().Transport.(*http.Transport).TLSClientConfig
}

// ownTransport is the library's own, which trusts a test's certificates.
func ownTransport(t testing.TB, trusting *tls.Config, configure ...func(*http.Transport)) *Transport {
	base := NewHTTPTransport()
	if trusting != nil {
		base.TLSClientConfig.RootCAs = trusting.RootCAs
	}
	for _, c := range configure {
		c(base)
	}
	transport := Own(base)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func requestFor(t testing.TB, method, target, body string) Request {
	u, err := url.Parse(target)
	require.NoError(t, err)
	return Request{Method: method, URL: u, Header: http.Header{}, Body: []byte(body)}
}

// ask sends one request, and reads and decides its answer.
func ask(t testing.TB, transport *Transport, r Request, decide func(*Report)) (string, *Report, error) {
	report := new(Report)
	resp, err := transport.Send(t.Context(), r, report)
	if err != nil {
		report.Close()
		return "", report, err
	}
	defer report.Close()
	defer resp.Body.Close()
	body, _, err := ReadAtMost(resp.Body, 1<<20, resp.ContentLength)
	if decide != nil {
		decide(report)
	}
	return string(body), report, err
}

// TestAConnectionIsLentToOneAttempt: until the answer on it is accepted, another
// attempt gets another connection; and what was refused is closed.
func TestAConnectionIsLentToOneAttempt(t *testing.T) {
	server, client := testTLS(t)
	// lent reports whether the connections were there again: net/http gives one up when
	// its writer was not scheduled for 50 ms.
	lent := func(config *tls.Config) bool {
		ended := make(chan int, 10)
		target := raw(t, config, func(conn net.Conn, number int) { answering(conn, number); ended <- number })
		transport := ownTransport(t, client)
		r := requestFor(t, "GET", target, "")
		read := func() *Report {
			report := new(Report)
			resp, err := transport.Send(t.Context(), r, report)
			require.NoError(t, err)
			defer resp.Body.Close()
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, err)
			return report
		}
		first, second := read(), read()
		assert.False(t, first.Reused())
		assert.False(t, second.Reused(), "the first has not decided")
		second.Close()
		third := read()
		third.Refuse()
		third.Close()
		if !third.Reused() {
			return false
		}
		assert.Equal(t, 2, <-ended)
		first.Close()
		first.Refuse() // too late
		last := read()
		last.Refuse()
		return last.Reused() // of the first
	}
	for _, config := range []*tls.Config{nil, server} {
		ok := false
		for try := 0; try < 10 && !ok; try++ {
			ok = lent(config)
		}
		assert.True(t, ok)
	}
}

func TestAConnectionWhoseAnswerWasNotReadIsClosed(t *testing.T) {
	ended := make(chan int, 10)
	target := raw(t, nil, func(conn net.Conn, number int) { answering(conn, number); ended <- number })
	transport := ownTransport(t, nil)
	report := new(Report)
	resp, err := transport.Send(t.Context(), requestFor(t, "GET", target, ""), report)
	require.NoError(t, err)
	resp.Body.Close()
	report.Close()
	assert.Equal(t, 1, <-ended)
}

func TestAnIdleConnectionIsClosedInTime(t *testing.T) {
	ended := make(chan int, 10)
	target := raw(t, nil, func(conn net.Conn, number int) { answering(conn, number); ended <- number })
	transport := ownTransport(t, nil, func(base *http.Transport) { base.IdleConnTimeout = time.Millisecond })
	_, _, err := ask(t, transport, requestFor(t, "GET", target, ""), nil)
	require.NoError(t, err)
	assert.Equal(t, 1, <-ended)
	p := transport.base.(*pool)
	p.mu.Lock()
	assert.Empty(t, p.idle)
	p.mu.Unlock()

	transport = ownTransport(t, nil)
	for range 2 {
		_, report, err := ask(t, transport, requestFor(t, "GET", target, ""), nil)
		require.NoError(t, err)
		assert.False(t, report.Reused())
		idle := transport.base.(*pool).idle
		require.Len(t, idle, 1)
		idle[0].since = idle[0].since.Add(-15 * time.Second) // the machine has slept
	}
	assert.Equal(t, 2, <-ended)
	transport.CloseIdleConnections()
	assert.Equal(t, 3, <-ended)
}

// unwritable is a connection to which nothing can be written once it is broken.
type unwritable struct {
	net.Conn
	broken func() bool
}

func (u unwritable) Write(p []byte) (int, error) {
	if u.broken() {
		return 0, syscall.EPIPE
	}
	return u.Conn.Write(p)
}

// TestDeadConnectionsAreSkippedWhileNothingWasWritten: however many there are, and
// whatever the method.
func TestDeadConnectionsAreSkippedWhileNothingWasWritten(t *testing.T) {
	for method, body := range map[string]string{"GET": "", "POST": "body"} {
		var requests, dying atomic.Int64
		dead := new(atomic.Bool)
		target := raw(t, nil, func(conn net.Conn, _ int) {
			r := bufio.NewReader(conn)
			for {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				got, err := io.ReadAll(req.Body)
				if err != nil || string(got) != body {
					t.Errorf("%q, %v", got, err)
				}
				requests.Add(1)
				_, _ = io.WriteString(conn, helloAnswer)
			}
		})
		transport := ownTransport(t, nil, func(base *http.Transport) {
			dial := base.DialContext
			base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				if dead.Load() {
					return conn, err
				}
				dying.Add(1)
				return unwritable{conn, dead.Load}, err
			}
		})
		r := requestFor(t, method, target, body)
		const idle = 5
		var reports [idle]Report
		for i := range reports {
			resp, err := transport.Send(t.Context(), r, &reports[i])
			require.NoError(t, err)
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, err)
		}
		for i := range reports {
			reports[i].Close()
		}
		require.EqualValues(t, idle, dying.Load())
		dead.Store(true)
		got, report, err := ask(t, transport, r, nil)
		require.NoError(t, err)
		assert.Equal(t, "hello", got)
		assert.False(t, report.Reused())
		assert.EqualValues(t, idle+1, requests.Load())
	}
}

// TestOnlyADeadConnectionThatWasUsedIsSkipped: a new one that fails is a failure,
// and after the end of the call nobody knows what its writer still writes.
func TestOnlyADeadConnectionThatWasUsedIsSkipped(t *testing.T) {
	target := raw(t, nil, answering)
	dials := 0
	broken := func() bool { return dials == 1 }
	transport := ownTransport(t, nil, func(base *http.Transport) {
		dial := base.DialContext
		base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			conn, err := dial(ctx, network, addr)
			return unwritable{conn, func() bool { return broken() }}, err
		}
	})
	_, report, err := ask(t, transport, requestFor(t, "GET", target, ""), nil)
	require.Error(t, err)
	assert.Equal(t, 1, dials)
	assert.False(t, report.MaybeSent())
	assert.False(t, report.DeadConnection())

	broken = func() bool { return false }
	_, _, err = ask(t, transport, requestFor(t, "GET", target, ""), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	broken = func() bool { cancel(); return true }
	var last Report
	defer last.Close()
	_, err = transport.Send(ctx, requestFor(t, "GET", target, ""), &last)
	require.Error(t, err)
	assert.Equal(t, 2, dials)
	assert.True(t, last.MaybeSent())
}

// TestWhatWasWrittenIsNotRepeated: the server ends a connection that was idle when
// the request has come.
func TestWhatWasWrittenIsNotRepeated(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		var requests atomic.Int64
		var both sync.WaitGroup
		both.Add(2)
		target := raw(t, nil, func(conn net.Conn, _ int) {
			r := bufio.NewReader(conn)
			if readHead(r) == nil {
				both.Done()
				both.Wait()
				_, _ = io.WriteString(conn, helloAnswer)
			}
			if readHead(r) == nil {
				requests.Add(1)
			}
		})
		transport := ownTransport(t, nil)
		var idle sync.WaitGroup
		for range 2 {
			idle.Go(func() {
				_, _, err := ask(t, transport, requestFor(t, method, target, ""), nil)
				assert.NoError(t, err)
			})
		}
		idle.Wait()
		_, report, err := ask(t, transport, requestFor(t, method, target, ""), nil)
		require.Error(t, err)
		assert.True(t, report.MaybeSent())
		assert.True(t, report.Reused())
		assert.ErrorIs(t, report.Failure().Err, io.EOF)
		assert.EqualValues(t, 1, requests.Load())
	}
}

// TestSurplusIsNeverTheNextAnswer: it comes with the answer, and the next request
// is sent at once.
func TestSurplusIsNeverTheNextAnswer(t *testing.T) {
	before := log.Writer()
	log.SetOutput(io.Discard) // where net/http shows it
	defer log.SetOutput(before)
	server, client := testTLS(t)
	for scheme, config := range map[string]*tls.Config{"http": nil, "https": server} {
		for name, proxy := range map[string]func(*testing.T) *url.URL{
			"": func(*testing.T) *url.URL { return nil }, "CONNECT": connectProxy, "SOCKS 5": socksProxy,
		} {
			if scheme == "http" && name == "CONNECT" {
				continue // there is no tunnel
			}
			t.Run(scheme+name, func(t *testing.T) {
				target := raw(t, config, func(conn net.Conn, number int) {
					r := bufio.NewReader(conn)
					for answer := 1; readHead(r) == nil; answer++ {
						text := fmt.Sprintf("%d.%d", number, answer)
						one := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
						_, _ = io.WriteString(conn, one+strings.Replace(one, text, strings.Repeat("x", len(text)), 1))
					}
				})
				through := proxy(t)
				transport := ownTransport(t, client, func(base *http.Transport) { base.Proxy = http.ProxyURL(through) })
				for number := range 100 {
					got, report, err := ask(t, transport, requestFor(t, "GET", target, ""), nil)
					require.NoError(t, err)
					require.Equal(t, fmt.Sprintf("%d.1", number+1), got)
					require.False(t, report.Reused())
				}
			})
		}
	}
}

func connectProxy(t *testing.T) *url.URL {
	s := httptest.NewServer(tunnelling(new(atomic.Int64)))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	return u
}

// socksProxy is one that asks for no password, and is given IPv4 addresses.
func socksProxy(t *testing.T) *url.URL {
	target := raw(t, nil, func(conn net.Conn, _ int) {
		var greeting [3]byte
		var request [10]byte
		if _, err := io.ReadFull(conn, greeting[:]); err != nil {
			return
		}
		_, _ = conn.Write([]byte{5, 0})
		if _, err := io.ReadFull(conn, request[:]); err != nil {
			return
		}
		there, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: request[4:8], Port: int(request[8])<<8 | int(request[9])})
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 1})
		join(conn, there)
	})
	u, err := url.Parse("socks5" + strings.TrimPrefix(target, "http"))
	require.NoError(t, err)
	return u
}

func TestADialThatFailsGivesNoConnection(t *testing.T) {
	failed := errors.New("failed")
	transport := ownTransport(t, nil, func(base *http.Transport) {
		base.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, failed }
	})
	for _, target := range []string{"http://gateway.example", "https://gateway.example"} {
		_, report, err := ask(t, transport, requestFor(t, "GET", target, ""), nil)
		assert.ErrorIs(t, err, failed)
		assert.False(t, report.MaybeSent())
	}
}

// TestNothingOutlivesACallThatWaitsForAConnection: a server that says nothing in
// the handshake is hung up on.
func TestNothingOutlivesACallThatWaitsForAConnection(t *testing.T) {
	came, gone := make(chan struct{}), make(chan struct{})
	target := raw(t, nil, func(conn net.Conn, _ int) {
		close(came)
		_, _ = io.Copy(io.Discard, conn)
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-came; cancel() }()
	report := new(Report)
	_, err := ownTransport(t, nil).Send(ctx, requestFor(t, "GET", "https"+strings.TrimPrefix(target, "http"), ""), report)
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, report.MaybeSent())
	<-gone
}

func TestManyCallersOfOnePool(t *testing.T) {
	var connections atomic.Int64
	target := raw(t, nil, func(conn net.Conn, number int) { connections.Add(1); answering(conn, number) })
	transport := ownTransport(t, nil)
	const callers = 16
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range 100 {
				decide := func(r *Report) {}
				if i == 50 && caller%2 == 0 {
					decide = (*Report).Refuse
				}
				got, _, err := ask(t, transport, requestFor(t, "GET", target, ""), decide)
				assert.NoError(t, err)
				assert.Equal(t, "hello", got)
				if i%10 == 0 && caller == 0 {
					transport.CloseIdleConnections()
				}
			}
		})
	}
	all.Wait()
	assert.Less(t, connections.Load(), int64(callers*20), "most are used again")
}

func TestNewTransportReadsASharedTransportSafely(t *testing.T) {
	server, client := testTLS(t)
	target := raw(t, server, answering)
	shared := NewHTTPTransport()
	shared.TLSClientConfig.RootCAs = client.RootCAs
	defer shared.CloseIdleConnections()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			transport, err := NewTransport(&http.Client{Transport: shared})
			if assert.NoError(t, err) {
				_, _, err = ask(t, transport, requestFor(t, "GET", target, ""), nil)
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
}

// TestAnIdleConnectionIsUsedOnceItsReaderWantsMore: before that, nobody can know
// what is in its buffers.
func TestAnIdleConnectionIsUsedOnceItsReaderWantsMore(t *testing.T) {
	for _, surplus := range []bool{false, true} {
		transport := ownTransport(t, nil)
		_, _, err := ask(t, transport, requestFor(t, "GET", raw(t, nil, answering), ""), nil)
		require.NoError(t, err)
		for _, conn := range transport.base.(*pool).idle {
			require.True(t, conn.isQuiet())
			conn.socket.reading.Store(false)
			quiet := make(chan bool)
			go func() { quiet <- conn.isQuiet() }()
			for range 1000 {
				runtime.Gosched()
			}
			if surplus {
				conn.drop()
			} else {
				conn.socket.reading.Store(true)
			}
			assert.Equal(t, !surplus, <-quiet)
		}
		transport.CloseIdleConnections()
	}
}
