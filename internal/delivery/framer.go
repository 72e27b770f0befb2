package delivery

import "bytes"

// framer finds where each answer on an HTTP/1.1 connection ends, so that what
// follows it is never taken for the answer to the next request. It reads heads
// and bodies as net/http does, if there is only one way to read them. At anything
// unusual it gives up and lets everything pass for the rest of the connection: a
// wrongly cut off answer would be worse.
type framer struct {
	state framerState
	left  int64 // bytes to come of a body or chunk

	line   [128]byte // beginning of the current line
	length int       // of the current line so far
	last   byte      // of the line so far

	noBody        bool  // by the status of the answer
	interim       bool  // the answer is a 1xx, and another follows
	contentLength int64 // -1 without one
	chunked       bool
}

type framerState uint8

const (
	nothingAsked framerState = iota // all bytes that come are surplus
	inStatusLine
	inHeader
	inBody
	inChunkSize
	inChunk
	inChunkEnd
	inTrailer
	givenUp
)

// asked takes the bytes that are about to be written. The first ones after an
// answer begin a request.
func (f *framer) asked(p []byte) {
	if f.state != nothingAsked {
		return
	}
	f.state = givenUp // HEAD, CONNECT, TLS, or not a request
	for _, method := range [...]string{"GET ", "POST ", "PUT ", "PATCH ", "DELETE "} {
		if bytes.HasPrefix(p, []byte(method)) {
			f.state, f.length, f.last = inStatusLine, 0, 0
		}
	}
}

// came takes the bytes that have come, and returns how many of them belong to the
// answer that was asked for.
func (f *framer) came(p []byte) int {
	for i := 0; i < len(p); {
		switch f.state {
		case nothingAsked:
			return i
		case givenUp:
			return len(p)
		case inBody, inChunk:
			n := min(f.left, int64(len(p)-i))
			i += int(n)
			if f.left -= n; f.left > 0 {
				break
			}
			f.state = f.afterBytes()
		default:
			rest := p[i:]
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				f.addToLine(rest)
				return len(p)
			}
			f.addToLine(rest[:end])
			i += end + 1
			f.state = f.afterLine()
			f.length, f.last = 0, 0
		}
	}
	return len(p)
}

func (f *framer) addToLine(p []byte) {
	if f.length < len(f.line) {
		copy(f.line[f.length:], p)
	}
	f.length += len(p)
	if len(p) > 0 {
		f.last = p[len(p)-1]
	}
}

func (f *framer) afterBytes() framerState {
	if f.state == inChunk {
		return inChunkEnd
	}
	return nothingAsked
}

// afterLine takes the line that has just ended.
func (f *framer) afterLine() framerState {
	if f.last != '\r' {
		return givenUp
	}
	whole := f.length-1 <= len(f.line)
	line := f.line[:min(f.length-1, len(f.line))]
	switch {
	case f.state == inStatusLine:
		return f.afterStatusLine(line)
	case f.state == inHeader && len(line) > 0:
		return f.afterHeaderLine(line, whole)
	case f.state == inHeader:
		return f.afterHead()
	case f.state == inChunkSize && whole:
		return f.afterChunkSize(line)
	case f.state == inChunkEnd && len(line) == 0:
		return inChunkSize
	case f.state == inTrailer && len(line) == 0:
		return nothingAsked
	case f.state == inTrailer && isHeaderLine(line):
		return inTrailer
	}
	return givenUp
}

func (f *framer) afterStatusLine(line []byte) framerState {
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' {
		return givenUp
	}
	status, ok := number(rest[:3], 10)
	if !ok || status < 100 || status == 101 {
		return givenUp
	}
	f.interim, f.noBody = status < 200, status == 204 || status == 304
	f.contentLength, f.chunked = -1, false
	return inHeader
}

// isHeaderLine reports whether a line begins with a field name and a colon, as it
// should: not a continuation line, and no space before the colon.
func isHeaderLine(line []byte) bool {
	name, _, found := bytes.Cut(line, []byte(":"))
	if !found || len(name) == 0 {
		return false
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

func (f *framer) afterHeaderLine(line []byte, whole bool) framerState {
	if !isHeaderLine(line) {
		return givenUp
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		length, ok := number(bytes.Trim(value, " \t"), 10)
		if !whole || !ok || f.contentLength >= 0 || f.chunked {
			return givenUp
		}
		f.contentLength = length
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		if !whole || !bytes.EqualFold(bytes.Trim(value, " \t"), []byte("chunked")) || f.contentLength >= 0 || f.chunked {
			return givenUp
		}
		f.chunked = true
	}
	return inHeader
}

func (f *framer) afterHead() framerState {
	switch {
	case (f.interim || f.noBody) && f.chunked, f.interim && f.contentLength >= 0:
		return givenUp
	case f.interim:
		return inStatusLine
	case f.noBody, f.contentLength == 0:
		return nothingAsked
	case f.chunked:
		return inChunkSize
	case f.contentLength > 0:
		f.left = f.contentLength
		return inBody
	}
	return givenUp // the body ends with the connection
}

func (f *framer) afterChunkSize(line []byte) framerState {
	size, _, _ := bytes.Cut(line, []byte(";"))
	length, ok := number(size, 16)
	switch {
	case !ok:
		return givenUp
	case length == 0:
		return inTrailer
	}
	f.left = length
	return inChunk
}

// number reads a number of 1 to 15 digits, without a sign or blanks.
func number(text []byte, base int64) (n int64, ok bool) {
	for _, c := range text {
		var digit int64
		switch {
		case '0' <= c && c <= '9':
			digit = int64(c - '0')
		case base == 16 && 'a' <= c|0x20 && c|0x20 <= 'f':
			digit = int64(c|0x20-'a') + 10
		default:
			return 0, false
		}
		n = n*base + digit
	}
	return n, 1 <= len(text) && len(text) <= 15
}
