package alipaytest

import (
	"encoding/binary"
	"net/http"
	"reflect"
)

// Faults of HTTP/2, where the server says that it has not looked at a request
// (RFC 9113, section 8.7). Over HTTP/1.1 both are [Drop]. Neither acts.
//
// net/http's server has no way to send such frames, so they are written past
// it; should a later Go hide the number of the stream, both are Drop there too.
var (
	// RefuseStream resets the stream with REFUSED_STREAM.
	RefuseStream = Fault{name: "refuse stream", do: refuseStream}
	// GoAway ends the connection with a GOAWAY that names the stream before this
	// one as the last that was looked at. Where a later stream was acted on
	// already that would be a lie, and the stream alone is refused.
	GoAway = Fault{name: "goaway", do: goAway}
)

func refuseStream(x *exchange) {
	stream, ok := streamOf(x.w)
	if !ok {
		x.drop(false)
	}
	const rstStream, refusedStream = 0x3, 0x7
	x.frame(http2Frame(rstStream, stream, refusedStream))
}

func goAway(x *exchange) {
	stream, ok := streamOf(x.w)
	if !ok {
		x.drop(false)
	}
	if !x.conn.leave(stream) {
		refuseStream(x)
	}
	const goAway, noError = 0x7, 0x0
	x.frame(http2Frame(goAway, 0, max(stream, 2)-2, noError))
}

// frame writes one HTTP/2 frame and breaks the answer off.
func (x *exchange) frame(frame []byte) {
	_, _ = x.conn.conn.Write(frame)
	panic(http.ErrAbortHandler)
}

// admit notes that the request is acted on, and reports whether it may be: not
// after a GOAWAY, of which net/http's server knows nothing.
func (x *exchange) admit() bool {
	if x.r.ProtoMajor != 2 {
		return true
	}
	stream, _ := streamOf(x.w)
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	if !x.conn.gone {
		x.conn.lastActed = max(x.conn.lastActed, stream)
	}
	return !x.conn.gone
}

// leave decides that the connection acts on nothing from stream on, and reports
// whether it is not too late for that.
func (c *connection) leave(stream uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastActed >= stream {
		return false
	}
	c.gone = true
	return true
}

// streamOf finds the number of the HTTP/2 stream that w answers.
func streamOf(w http.ResponseWriter) (stream uint32, ok bool) {
	defer func() {
		if recover() != nil { // HTTP/1.1, or another net/http
			stream, ok = 0, false
		}
	}()
	writer := reflect.ValueOf(w)
	if writer.Kind() == reflect.Struct { // since Go 1.27
		writer = writer.FieldByName("ResponseWriter")
	}
	state := writer.Elem().FieldByName("rws").Elem()
	return uint32(state.FieldByName("stream").Elem().FieldByName("id").Uint()), true
}

// http2Frame lays a frame out as RFC 9113, section 4.1, says, without flags and
// with 32-bit numbers for a payload.
func http2Frame(kind byte, stream uint32, payload ...uint32) []byte {
	frame := []byte{0, 0, byte(4 * len(payload)), kind, 0}
	frame = binary.BigEndian.AppendUint32(frame, stream)
	for _, number := range payload {
		frame = binary.BigEndian.AppendUint32(frame, number)
	}
	return frame
}
