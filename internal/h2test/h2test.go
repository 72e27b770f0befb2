// Package h2test speaks the server's side of HTTP/2 by hand, as far as a test
// needs it: net/http's server can neither refuse a stream nor go away on demand.
package h2test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Codes of errors (RFC 9113, section 7).
const (
	NoError       = 0
	ProtocolError = 1
	InternalError = 2
	RefusedStream = 7
)

const (
	frameData      = 0
	frameHeaders   = 1
	frameRST       = 3
	frameSettings  = 4
	frameGoAway    = 7
	flagEndStream  = 1
	flagEndHeaders = 4
)

// Conn is a connection that speaks HTTP/2. Its methods send frames.
type Conn struct{ net.Conn }

func (c Conn) write(kind, flags byte, stream uint32, payload []byte) {
	head := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(head, uint32(len(payload))<<8|uint32(kind))
	head[4] = flags
	binary.BigEndian.PutUint32(head[5:], stream)
	_, _ = c.Write(append(head, payload...))
}

// Reset ends a stream with an error code.
func (c Conn) Reset(stream, code uint32) {
	c.write(frameRST, 0, stream, binary.BigEndian.AppendUint32(nil, code))
}

// GoAway says that last is the last stream that was processed.
func (c Conn) GoAway(last, code uint32) {
	c.write(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code))
}

// Respond sends a whole answer.
func (c Conn) Respond(stream uint32, status int, h http.Header, body string) {
	c.Head(stream, status, h)
	c.write(frameData, flagEndStream, stream, []byte(body))
}

// Head sends literal header fields (RFC 7541, sections 5 and 6.2.2).
func (c Conn) Head(stream uint32, status int, h http.Header) {
	var block []byte
	field := func(name, value string) {
		block = append(block, 0)
		for _, text := range []string{name, value} {
			if len(text) < 127 {
				block = append(block, byte(len(text)))
			} else {
				block = binary.AppendUvarint(append(block, 127), uint64(len(text)-127))
			}
			block = append(block, text...)
		}
	}
	field(":status", strconv.Itoa(status))
	for name := range h {
		field(strings.ToLower(name), h.Get(name))
	}
	c.write(frameHeaders, flagEndHeaders, stream, block)
}

// Serve reads a connection until it ends and calls handle for every request,
// whole with its end of stream.
func Serve(conn net.Conn, handle func(c Conn, stream uint32)) {
	c, r := Conn{conn}, bufio.NewReader(conn)
	_, _ = r.Discard(24) // the preface
	c.write(frameSettings, 0, 0, nil)
	for {
		var head [9]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		_, _ = r.Discard(int(binary.BigEndian.Uint32(head[:]) >> 8))
		if kind, flags := head[3], head[4]; (kind == frameHeaders || kind == frameData) && flags&flagEndStream != 0 {
			handle(c, binary.BigEndian.Uint32(head[5:]))
		}
	}
}
