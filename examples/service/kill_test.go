package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/check"
)

var (
	sqliteKills   = flag.Int("kills.sqlite", 50, "how often the process over SQLite is killed")
	postgresKills = flag.Int("kills.postgres", 20, "how often one of the processes over PostgreSQL is killed")
	outage        = flag.Duration("outage", 3*time.Second, "how long the database is away in the middle of each test")
)

// The long form: -kills.sqlite 250 -kills.postgres 50 -outage 60s.

func TestNothingIsLostSilentlyByKillsOverSQLite(t *testing.T) {
	db := filepath.Join(t.TempDir(), "checks.db")
	killTest(t, db, 1, *sqliteKills, lockSQLite(db))
}

func TestNothingIsLostSilentlyByKillsOfTwoProcessesOverPostgres(t *testing.T) {
	killTest(t, newPostgres(t), 2, *postgresKills, stopPostgresForAWhile)
}

func TestNothingIsLostWhileTheDatabaseIsAwayOverSQLite(t *testing.T) {
	db := filepath.Join(t.TempDir(), "checks.db")
	killTest(t, db, 1, 0, lockSQLite(db))
}

func TestNothingIsLostWhileTheDatabaseIsAwayOverPostgres(t *testing.T) {
	killTest(t, newPostgres(t), 2, 0, stopPostgresForAWhile)
}

// lockSQLite keeps everybody else out of the file.
func lockSQLite(path string) func(*testing.T) {
	return func(t *testing.T) {
		db, err := openDatabase(context.Background(), path)
		require.NoError(t, err)
		defer db.close()
		conn, err := db.sql.Conn(context.Background())
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.ExecContext(context.Background(), "BEGIN EXCLUSIVE")
		require.NoError(t, err)
		time.Sleep(*outage)
		_, err = conn.ExecContext(context.Background(), "ROLLBACK")
		require.NoError(t, err)
	}
}

func stopPostgresForAWhile(t *testing.T) {
	breakPostgres()
	time.Sleep(*outage)
	require.NoError(t, runPostgres())
}

// killTest kills processes at random moments while people agree to checks, and the
// database is away for a while in the middle. Then it holds the gateway's ledger
// against the database. Without kills, and with a network that is in order, every
// check must be done.
func killTest(t *testing.T, db string, processes, kills int, away func(*testing.T)) {
	if testing.Short() {
		t.Skip("NOTE: the kill test is left out by -short")
	}
	messages := newRelay(t)
	gateway := alipaytest.NewGateway(t, alipaytest.WithMessagesTo(messages.URL), alipaytest.WithHistory(0))
	wire := newWire(t, gateway, kills > 0)

	timeout := "1s" // so that some queries are cut off
	if kills == 0 {
		timeout = "15s"
	}
	var all []*process
	for range processes {
		config := gateway.Config()
		config.BaseURL = wire.URL
		p := newProcess(t, config, "-db", db, "-query-timeout", timeout, "-poll", "50ms", "-agreement-poll", "500ms")
		p.start(t)
		all = append(all, p)
	}
	messages.to.Store(&all)
	load := newLoad(t, gateway, all)
	began := time.Now()
	for kill := range max(kills, 1) {
		if kill == kills/2 {
			time.Sleep(time.Second)
			away(t)
		}
		if kills == 0 {
			time.Sleep(time.Second)
			break
		}
		p := all[rand.N(len(all))]
		// Moments from right after the start to well into the work.
		time.Sleep(rand.N(250 * time.Millisecond))
		p.kill()
		p.start(t)
	}
	killed := time.Since(began)
	load.stop()

	// Every check that its user agreed to comes to an end. How long the last of
	// them takes depends on the machine: it is stuck when no other ends before it.
	last := time.Now()
	for id := range load.agreed {
		for {
			seen, err := getCheck(all[0].addr, id)
			if err == nil && seen.ended() {
				break
			}
			if time.Since(last) > 2*time.Minute {
				t.Fatalf("check %s is stuck in %+v (%v)", id, seen, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		last = time.Now()
	}
	settled := time.Since(began) - killed
	for _, p := range all {
		assert.NoError(t, p.stop(), "a graceful end")
	}

	ledger := gateway.Ledger()
	counts := make(map[check.State]int)
	spent, undelivered := 0, 0
	for _, c := range readAll(t, db) {
		if _, agreed := load.agreed[c.ID]; !agreed {
			continue // its order string died with the process that made it
		}
		counts[c.State]++
		token := ledger[c.OnceToken]
		if token.Spent {
			spent++
		}
		switch c.State {
		case check.StateDone:
			assert.Equal(t, "person of "+c.OnceToken, c.Result.MerchantIdentityID, "the result is this person's")
			assert.True(t, token.Spent)
		case check.StateSealed:
			assert.NotEmpty(t, c.Sealed)
			assert.True(t, token.Spent)
		case check.StateInDoubt:
			undelivered++
			assert.True(t, token.Spent && kills > 0, "check %s is in doubt for nothing: %s", c.ID, c.Note)
		default:
			assert.Fail(t, "a check that its user agreed to", "%s is %s although its token is %+v: %s", c.ID, c.State, token, c.Note)
		}
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	assert.Equal(t, len(load.agreed), total, "every check that was answered for is in the database")
	assert.Zero(t, wire.overlaps.Load(), "tokens asked for twice at once")
	assert.Positive(t, counts[check.StateDone])
	t.Logf("%d kills in %.1f s, and %.1f s more to the end of all; %d checks, %d tokens spent, states %v, %d questions, %d of them cut off",
		kills, killed.Seconds(), settled.Seconds(), total, spent, counts, wire.questions.Load(), wire.cutOff.Load())
}

// load starts checks and answers for their users until it is stopped.
type load struct {
	cancel  context.CancelFunc
	workers sync.WaitGroup
	mu      sync.Mutex
	agreed  map[string]bool // by check
}

func newLoad(t *testing.T, gateway *alipaytest.Gateway, all []*process) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel, agreed: make(map[string]bool)}
	t.Cleanup(l.stop)
	// Each waits for the end of its check before it starts another, so that what
	// is under way stays bounded however slow the machine is.
	for range 120 {
		l.workers.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(rand.N(100 * time.Millisecond))
				id, orderString, err := all[rand.N(len(all))].startCheck()
				if err != nil {
					continue // it was just killed
				}
				order, err := gateway.OpenOrder(orderString)
				if !assert.NoError(t, err) {
					return
				}
				gateway.SetResult(order.OnceToken, alipaytest.Result{
					IdentityResult:     alipay.IdentityResultSuccess,
					MerchantIdentityID: "person of " + order.OnceToken,
					WaitingPolls:       []int{0, 1, 2, 6}[rand.N(4)],
				})
				order.Agree()
				l.mu.Lock()
				l.agreed[id] = true
				l.mu.Unlock()
				for ctx.Err() == nil {
					time.Sleep(rand.N(2 * time.Second))
					if seen, err := getCheck(all[rand.N(len(all))].addr, id); err == nil && seen.ended() {
						break
					}
				}
			}
		})
	}
	return l
}

func (l *load) stop() { l.cancel(); l.workers.Wait() }

// relay passes messages on to a process that lives.
type relay struct {
	*httptest.Server
	to atomic.Pointer[[]*process]
}

func newRelay(t *testing.T) *relay {
	r := &relay{}
	r.to.Store(&[]*process{})
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		form, _ := io.ReadAll(request.Body)
		for _, p := range *r.to.Load() {
			response, err := http.Post("http://"+p.notifyAddr+"/", request.Header.Get("Content-Type"), bytes.NewReader(form))
			if err != nil {
				continue
			}
			defer response.Body.Close()
			w.WriteHeader(response.StatusCode)
			io.Copy(w, response.Body)
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(r.Close)
	return r
}

// wire lies between the processes and the gateway. It takes its time, loses and
// spoils some answers, and notices when a token is asked for twice at once.
type wire struct {
	*httptest.Server
	mu                          sync.Mutex
	asked                       map[string]*question // by token
	overlaps, questions, cutOff atomic.Int64
}

// question is under way until it is answered, or who asked has given up or died.
type question struct {
	conn net.Conn
	at   time.Time
}

// abandoned says whether who asked has closed the connection. The server may not
// have had the time to notice, so the kernel is asked.
func (q *question) abandoned() bool {
	raw, err := q.conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}
	abandoned := true
	raw.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		abandoned = !errors.Is(err, syscall.EAGAIN)
	})
	return abandoned
}

type connKey struct{}

func newWire(t *testing.T, gateway *alipaytest.Gateway, lossy bool) *wire {
	w := &wire{asked: make(map[string]*question)}
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(to http.ResponseWriter, request *http.Request) {
		if token := request.URL.Query().Get("once_token"); token != "" {
			defer w.note(t, token, request)()
		}
		answer, ok := pass(gateway, request, lossy)
		if !ok {
			panic(http.ErrAbortHandler)
		}
		for name, values := range answer.Header {
			to.Header()[name] = values
		}
		to.WriteHeader(answer.StatusCode)
		io.Copy(to, answer.Body)
	}))
	w.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	w.Start()
	t.Cleanup(w.Close)
	return w
}

// note notes a question, and returns what ends it.
func (w *wire) note(t *testing.T, token string, request *http.Request) (answered func()) {
	w.questions.Add(1)
	q := &question{request.Context().Value(connKey{}).(net.Conn), time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	if other := w.asked[token]; other != nil && !other.abandoned() {
		w.overlaps.Add(1)
		t.Errorf("%s asks for a token that %s asked for %v ago and still waits for", q.conn.RemoteAddr(), other.conn.RemoteAddr(), q.at.Sub(other.at))
	}
	w.asked[token] = q
	end := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.asked[token] == q {
			delete(w.asked, token)
		}
	}
	gone := context.AfterFunc(request.Context(), func() { end(); w.cutOff.Add(1) })
	return func() {
		gone()
		end()
	}
}

// pass asks the gateway, and is not stopped by the death of who asks: the
// question may act long after that.
func pass(gateway *alipaytest.Gateway, request *http.Request, lossy bool) (*http.Response, bool) {
	personal := lossy && request.URL.Query().Has("once_token")
	time.Sleep(rand.N(60 * time.Millisecond))
	defer time.Sleep(rand.N(60 * time.Millisecond))
	if personal && rand.N(20) == 0 {
		return nil, false // lost on the way there
	}
	if personal && rand.N(20) == 0 {
		time.Sleep(1500 * time.Millisecond) // held up, until who asked has given up
	}
	forwarded, err := http.NewRequest(request.Method, gateway.BaseURL()+request.URL.RequestURI(), request.Body)
	if err != nil {
		return nil, false
	}
	forwarded.Header = request.Header
	answer, err := gateway.HTTPClient().Do(forwarded)
	if err != nil {
		return nil, false
	}
	content, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		return nil, false
	}
	if lossy && strings.Contains(string(content), "person of") {
		switch rand.N(20) {
		case 0:
			return nil, false // lost on the way back
		case 1:
			answer.Header.Set("alipay-signature", fmt.Sprintf("%0344d", 0)) // spoiled
		}
	}
	answer.Body = io.NopCloser(bytes.NewReader(content))
	return answer, true
}
