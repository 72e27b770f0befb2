package delivery

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// secured is a connection that speaks some TLS and leads nowhere.
type secured struct {
	net.Conn
	state  tls.ConnectionState
	closed bool
}

func (c *secured) ConnectionState() tls.ConnectionState { return c.state }
func (c *secured) RemoteAddr() net.Addr                 { return &net.TCPAddr{} }
func (c *secured) Close() error                         { c.closed = true; return nil }

func over(version uint16, protocol string) *secured {
	return &secured{state: tls.ConnectionState{Version: version, NegotiatedProtocol: protocol}}
}

// plain is a connection without TLS, and nowhere one that leads nowhere at all.
type plain struct{ closable }

func (plain) RemoteAddr() net.Addr { return &net.TCPAddr{} }

type nowhere struct{ net.Conn }

func (nowhere) RemoteAddr() net.Addr { return nil }

// What a base transport tells a report, one thing after the other.
func asks(r *Report)    { r.onGetConn("gateway:443") }
func heads(r *Report)   { r.onWroteHeaders() }
func reads(r *Report)   { _, _ = (&watchedBody{report: r}).Read(nil) }
func early(r *Report)   { _ = r.onEarlyAnswer(103, nil) }
func repeats(r *Report) { r.stopRepetition() }

func gets(conn net.Conn) func(*Report) {
	return func(r *Report) { r.onGotConn(httptrace.GotConnInfo{Conn: conn}) }
}

func getsAgain(conn net.Conn) func(*Report) {
	return func(r *Report) { r.onGotConn(httptrace.GotConnInfo{Conn: conn, Reused: true}) }
}

func fails(err error) func(*Report) { return func(r *Report) { r.cause = err } }

// reported is what a report saw of an attempt over https.
func reported(t *testing.T, kind kind, events ...func(*Report)) *Report {
	r := &Report{via: &Transport{kind: kind}, url: &url.URL{Scheme: "https", Host: "gateway"}, cause: errors.New("failed")}
	r.watch(t.Context())
	t.Cleanup(r.Close)
	for _, event := range events {
		event(r)
	}
	return r
}

var (
	errStreamRefused = errors.New("http2: Transport: cannot retry err [stream error: stream ID 1; REFUSED_STREAM] after Request.Body was written; define Request.GetBody to avoid this error")
	errDial          = &net.OpError{Op: "dial", Err: errors.New("refused")}
)

func TestARequestCountsAsSentUnlessThereIsEvidenceThatItWasNot(t *testing.T) {
	http1 := func() net.Conn { return over(tls.VersionTLS13, "http/1.1") }
	http2 := func() net.Conn { return over(tls.VersionTLS13, "h2") }
	refused := fails(errors.Join(errors.New("x"), errStreamRefused))
	for name, tt := range map[string]struct {
		kind   kind
		events []func(*Report)
		sent   bool
	}{
		"own, nothing":                            {own, nil, false},
		"own, no connection":                      {own, []func(*Report){asks}, false},
		"own, a head in a buffer":                 {own, []func(*Report){asks, gets(http1()), heads}, false},
		"own, the head on the socket":             {own, []func(*Report){asks, gets(http1()), heads, reads}, true},
		"net/http, no connection":                 {netHTTP, []func(*Report){asks}, false},
		"net/http, a connection":                  {netHTTP, []func(*Report){asks, gets(http2())}, false},
		"net/http, a head":                        {netHTTP, []func(*Report){asks, gets(http2()), heads}, true},
		"net/http, a refused head":                {netHTTP, []func(*Report){asks, gets(http2()), heads, refused}, false},
		"net/http, a body":                        {netHTTP, []func(*Report){asks, gets(http2()), reads}, true},
		"net/http, a refused body":                {netHTTP, []func(*Report){asks, gets(http2()), reads, refused}, false},
		"net/http, refused after an early answer": {netHTTP, []func(*Report){asks, gets(http2()), reads, early, refused}, true},
		"net/http, refused after a repetition":    {netHTTP, []func(*Report){asks, gets(http2()), reads, repeats, refused}, true},
		"hidden":                                  {foreign, nil, true},
		"hidden, not dialled":                     {foreign, []func(*Report){fails(errDial)}, false},
		"hidden, not dialled, and the body read":  {foreign, []func(*Report){reads, fails(errDial)}, true},
		"hidden, not written":                     {foreign, []func(*Report){fails(&net.OpError{Op: "write", Err: errors.New("x")})}, true},
		"another, no connection":                  {foreign, []func(*Report){asks}, false},
		"another, none but one to nowhere":        {foreign, []func(*Report){asks, gets(nowhere{}), heads}, true},
		"another, none but one that is nil":       {foreign, []func(*Report){asks, gets(nil)}, true},
		"another, a connection":                   {foreign, []func(*Report){asks, gets(http1())}, true},
		"another, a refused stream":               {foreign, []func(*Report){asks, gets(http2()), refused}, false},
	} {
		r := reported(t, tt.kind, tt.events...)
		assert.Equal(t, tt.sent, r.MaybeSent(), name)
		r.call = nil
		assert.False(t, r.MaybeSent(), "%s, by a request that the transport never saw", name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &Report{via: &Transport{kind: own}, url: &url.URL{}}
	r.watch(ctx)
	defer r.Close()
	asks(r)
	assert.False(t, r.MaybeSent())
	gets(plain{closable{closed: new(bool)}})(r)
	cancel()
	assert.True(t, r.MaybeSent(), "a cancelled round trip does not wait for its writer")
}

func TestASecondConnectionIsARepetition(t *testing.T) {
	for name, tt := range map[string]struct {
		kind    kind
		events  []func(*Report)
		stopped bool
	}{
		"own":                                      {own, []func(*Report){gets(over(tls.VersionTLS12, ""))}, true},
		"net/http over HTTP/1.1":                   {netHTTP, []func(*Report){gets(over(tls.VersionTLS12, "http/1.1"))}, true},
		"net/http over HTTP/2":                     {netHTTP, []func(*Report){gets(over(tls.VersionTLS12, "h2"))}, false},
		"net/http over HTTP/2, a head written":     {netHTTP, []func(*Report){gets(over(tls.VersionTLS12, "h2")), heads}, true},
		"net/http over HTTP/2, a body read":        {netHTTP, []func(*Report){gets(over(tls.VersionTLS12, "h2")), reads}, true},
		"another":                                  {foreign, []func(*Report){gets(over(tls.VersionTLS12, "h2"))}, true},
		"the first":                                {foreign, nil, false},
		"the first behind one to nowhere, a head":  {foreign, []func(*Report){gets(nowhere{}), heads}, false},
		"the first, the body read into the memory": {foreign, []func(*Report){reads}, false},
	} {
		r := reported(t, tt.kind, tt.events...)
		second := over(tls.VersionTLS12, "h2")
		getsAgain(second)(r)
		assert.Equal(t, tt.stopped, r.Err() != nil, name)
		assert.Equal(t, tt.stopped, second.closed, name)
		assert.Equal(t, !tt.stopped, r.Reused(), name)
		assert.Equal(t, tt.stopped, errors.Is(r.Failure().Err, errRepetition), name)
	}
	for name, events := range map[string][]func(*Report){
		"asked for after a head": {gets(over(tls.VersionTLS12, "h2")), heads, asks},
		"asked for after a body": {gets(over(tls.VersionTLS12, "h2")), reads, asks},
	} {
		r := reported(t, netHTTP, events...)
		assert.Error(t, r.Err(), name)
		assert.ErrorIs(t, r.Failure().Err, errRepetition, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &Report{via: &Transport{}, url: &url.URL{}}
	r.watch(ctx)
	defer r.Close()
	repeats(r)
	r.cause = context.Canceled
	cancel()
	assert.ErrorIs(t, r.Failure().Err, context.Canceled, "the call ended by itself")
}

func TestAConnectionBelowTLS12IsClosedUnused(t *testing.T) {
	for version, insecure := range map[uint16]bool{0: true, tls.VersionTLS11: true, tls.VersionTLS12: false, tls.VersionTLS13: false} {
		for _, kind := range []kind{own, netHTTP, foreign} {
			conn := over(version, "")
			r := reported(t, kind, asks, gets(conn))
			assert.Equal(t, insecure, r.Failure().Permanent, version)
			assert.Equal(t, insecure, conn.closed, version)
			assert.Equal(t, insecure, r.Err() != nil, version)
			assert.Equal(t, insecure, errors.Is(r.Failure().Err, errInsecure), version)
			assert.False(t, r.MaybeSent() && insecure, version)
			assert.True(t, r.OnTheWire())
		}
	}
}

func TestCallsShareAnHTTP2Connection(t *testing.T) {
	conn := over(tls.VersionTLS13, "h2")
	for range 2 { // neither waits
		r := reported(t, netHTTP, asks, gets(conn))
		assert.Nil(t, r.lease)
		r.Refuse()
		assert.False(t, conn.closed)
	}
}

func TestADeadConnectionIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := over(tls.VersionTLS12, "")
		before := reported(t, netHTTP, asks, gets(conn))
		before.Refuse()
		r := reported(t, netHTTP, asks, getsAgain(conn))
		assert.True(t, conn.closed)
		assert.False(t, r.MaybeSent())
		assert.NoError(t, r.Err(), "another one may follow")
		assert.True(t, r.tryNext())
		assert.False(t, r.tryNext(), "once for each")
		getsAgain(conn)(r)
		gets(over(tls.VersionTLS12, ""))(r)
		assert.False(t, r.tryNext(), "there is another")
		assert.NoError(t, r.Err())

		ctx, cancel := context.WithCancel(t.Context())
		r = &Report{via: &Transport{kind: netHTTP}, url: &url.URL{}}
		r.watch(ctx)
		getsAgain(conn)(r)
		cancel()
		assert.False(t, r.tryNext(), "the call has ended")
		time.Sleep(2 * keepRefused)
	})
	for name, tt := range map[string]struct {
		events []func(*Report)
		dead   bool
	}{
		"new":         {[]func(*Report){asks, gets(over(tls.VersionTLS12, "")), fails(net.ErrClosed)}, false},
		"used before": {[]func(*Report){asks, getsAgain(over(tls.VersionTLS12, "")), fails(io.EOF)}, true},
		"none":        {[]func(*Report){asks, fails(net.ErrClosed)}, false},
	} {
		r := reported(t, netHTTP, tt.events...)
		assert.Equal(t, tt.dead, r.DeadConnection(), name)
	}
}

func TestAnAnswerWithoutEvidenceWasNotOnTheWire(t *testing.T) {
	assert.False(t, reported(t, foreign).OnTheWire())
	assert.True(t, reported(t, foreign, reads).OnTheWire())
	assert.True(t, reported(t, foreign, asks).OnTheWire())
	r := reported(t, foreign)
	r.gotConn.Store(true)
	reads(r)
	assert.True(t, r.OnTheWire())
}

func TestABodyCanBeReadAgainUntilItsClosing(t *testing.T) {
	for name, read := range map[string]func(*watchedBody) (string, error){
		"Read": func(b *watchedBody) (string, error) {
			data, err := io.ReadAll(struct{ io.Reader }{b})
			return string(data), err
		},
		"WriteTo": func(b *watchedBody) (string, error) {
			var w bytes.Buffer
			n, err := b.WriteTo(&w)
			return w.String()[:n], err
		},
	} {
		for _, text := range []string{"", "body"} {
			r := reported(t, foreign)
			b := &watchedBody{report: r, rest: []byte(text)}
			got, err := read(b)
			require.NoError(t, err, name)
			assert.Equal(t, text, got, name)
			got, err = read(b)
			require.NoError(t, err, "it is at its end")
			assert.Empty(t, got)
			require.NoError(t, b.Close())
			assert.NoError(t, r.Err(), name)
			_, err = read(b)
			assert.ErrorIs(t, err, errBodyRead, name)
			assert.Error(t, r.Err(), name)
		}
		r := reported(t, foreign)
		b := &watchedBody{report: r, rest: []byte("body")}
		require.NoError(t, b.Close())
		got, err := read(b)
		require.NoError(t, err, "what was closed unread can be read")
		assert.Equal(t, "body", got, name)
	}
}
