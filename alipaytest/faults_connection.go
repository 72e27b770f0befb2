package alipaytest

import (
	"fmt"
	"net/http"
)

// Faults of the connection. Over HTTP/2 a dropped connection takes along
// whatever other requests are under way on it.
var (
	// Drop closes the connection (FIN) without an answer, before acting.
	Drop = Fault{name: "drop", do: dropFIN}
	// DropReset resets the connection (RST) without an answer, before acting.
	DropReset = Fault{name: "drop by reset", do: dropRST}
	// LostAnswer acts, then closes the connection: the final answer is lost.
	LostAnswer = Fault{name: "lost answer", acts: true, do: dropFIN}
	// LostAnswerReset acts, then resets the connection.
	LostAnswerReset = Fault{name: "lost answer by reset", acts: true, do: dropRST}
	// ResetStream breaks off this answer only, after acting: over HTTP/2 by
	// RST_STREAM with INTERNAL_ERROR, over HTTP/1.1 by closing the connection.
	ResetStream = Fault{name: "reset stream", acts: true, do: resetStream}
	// CloseIdle answers rightly and closes the connection right after that,
	// unannounced: the next caller may find it dead.
	CloseIdle = Fault{name: "close idle connection", acts: true, harmless: true, do: closeIdle}
	// AnnouncedClose answers rightly and says that the connection ends: by
	// Connection: close, over HTTP/2 by GOAWAY.
	AnnouncedClose = Fault{name: "announced close", acts: true, harmless: true, do: announcedClose}
	// HalfAnswer sends half of the body that Content-Length announces, after
	// acting.
	HalfAnswer = Fault{name: "half an answer", acts: true, do: halfAnswer}
	// HalfChunked sends half of the body, its length unannounced, after acting.
	HalfChunked = Fault{name: "half a chunked answer", acts: true, do: halfChunked}
	// HalfHead breaks off within the head of the answer, after acting.
	HalfHead = Fault{name: "half a head", acts: true, do: halfHead}
	// MalformedHTTP sends what is not HTTP, after acting.
	MalformedHTTP = Fault{name: "malformed HTTP", acts: true, do: malformedHTTP}
	// Hang acts and never answers: the request waits until the client gives up
	// or the gateway closes.
	Hang = Fault{name: "hang", acts: true, do: hang}
)

// DropAfter is [Drop] for those requests that come after the first n on their
// connection: DropAfter(1) lets a client think that a connection can be kept.
func DropAfter(n int) Fault {
	f := Drop.When(func(r ReceivedRequest) bool { return r.OnConnection > n })
	f.name = fmt.Sprintf("drop after %d on a connection", n)
	return f
}

func dropFIN(x *exchange) { x.drop(false) }

func dropRST(x *exchange) { x.drop(true) }

// drop breaks the connection and the answer off.
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
// text is no frame, which breaks the connection as well.
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
