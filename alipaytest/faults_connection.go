package alipaytest

import (
	"fmt"
	"net/http"
)

// Faults of the connection. Over HTTP/2 a dropped connection fails every other
// request on it too.
var (
	// Drop closes the connection (FIN) without an answer, before acting.
	Drop = Fault{name: "drop", do: dropFIN}
	// LostAnswer acts, then closes the connection: the final answer is lost.
	LostAnswer = Fault{name: "lost answer", acts: true, do: dropFIN}
	// HalfAnswer acts, then sends half of the body that Content-Length announces.
	HalfAnswer = Fault{name: "half an answer", acts: true, do: halfAnswer}
	// Hang acts and never answers: the request waits until the client gives up
	// or the gateway closes.
	Hang = Fault{name: "hang", acts: true, do: hang}
)

// connectionFaults are all faults of the connection, for [Faults].
var connectionFaults = []Fault{
	Drop,
	{name: "drop by reset", do: dropRST},
	dropAfter(1), LostAnswer,
	{name: "lost answer by reset", acts: true, do: dropRST},
	// This answer only: over HTTP/2 by RST_STREAM with INTERNAL_ERROR, over
	// HTTP/1.1 by closing the connection.
	{name: "reset stream", acts: true, do: resetStream},
	// Without announcing it: the next caller may find the connection dead.
	{name: "close idle connection", acts: true, harmless: true, do: closeIdle},
	// By Connection: close, over HTTP/2 by GOAWAY.
	{name: "announced close", acts: true, harmless: true, do: announcedClose},
	HalfAnswer,
	{name: "half a chunked answer", acts: true, do: halfChunked},
	{name: "half a head", acts: true, do: halfHead},
	{name: "malformed HTTP", acts: true, do: malformedHTTP},
	Hang,
}

// dropAfter is [Drop] for those requests that come after the first n on their
// connection, so that a client thinks it can be kept.
func dropAfter(n int) Fault {
	f := Drop.When(func(r ReceivedRequest) bool { return r.OnConnection > n })
	f.name = fmt.Sprintf("drop after %d on a connection", n)
	return f
}

func dropFIN(x *exchange) { x.drop(false) }

func dropRST(x *exchange) { x.drop(true) }

// drop drops the connection and aborts the answer.
func (x *exchange) drop(reset bool) {
	x.conn.drop(reset)
	panic(http.ErrAbortHandler)
}

func resetStream(*exchange) { panic(http.ErrAbortHandler) }

func closeIdle(x *exchange) {
	x.conn.closeWhenIdle.Store(true)
	x.deliver(x.answer())
}

func announcedClose(x *exchange) {
	x.w.Header().Set("Connection", "close")
	x.deliver(x.answer())
}

func halfAnswer(x *exchange) { x.half(true) }

func halfChunked(x *exchange) { x.half(false) }

// half sends half of the right answer and drops the connection.
func (x *exchange) half(announced bool) {
	a := x.answer()
	a.sendHead(x.w, announced)
	_, _ = x.w.Write(a.Body[:len(a.Body)/2])
	x.flush()
	x.drop(false)
}

func halfHead(x *exchange) { x.wire("HTTP/1.1 200 OK\r\nContent-Type: appli") }

func malformedHTTP(x *exchange) { x.wire("\x00garbage/9.9 what OK\r\n\r\n") }

// wire writes to the connection past net/http and drops it. Over HTTP/2 the
// text is not a frame, which breaks the connection as well.
func (x *exchange) wire(text string) {
	if conn, _, err := http.NewResponseController(x.w).Hijack(); err == nil {
		_, _ = conn.Write([]byte(text))
	} else {
		_, _ = x.conn.conn.Write([]byte(text))
	}
	x.drop(false)
}

func hang(x *exchange) {
	<-x.r.Context().Done()
	panic(http.ErrAbortHandler)
}
