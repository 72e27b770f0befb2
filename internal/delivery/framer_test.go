package delivery

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// framed feeds a framer that waits for an answer to a GET, piece by piece. It
// returns how many bytes belong to the answer, and in which state that ended.
func framed(data []byte, piece int) (belongs int, state framerState) {
	var f framer
	f.asked([]byte("GET / HTTP/1.1\r\n"))
	for len(data) > 0 {
		p := data[:min(piece, len(data))]
		n := f.came(p)
		belongs += n
		if n < len(p) {
			return belongs, f.state
		}
		data = data[n:]
	}
	return belongs, f.state
}

func TestAFramerFindsTheEndOfAnAnswer(t *testing.T) {
	const surplus = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
	for name, answer := range map[string]string{
		"Content-Length":            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"in other letters":          "HTTP/1.1 200 OK\r\ncontent-LENGTH:\t5 \r\n\r\nhello",
		"without a reason":          "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
		"an empty body":             "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"204":                       "HTTP/1.1 204 No Content\r\n\r\n",
		"304":                       "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
		"502":                       "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno",
		"chunked":                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"chunked, in capitals":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\nA;x=y\r\nhellohello\r\n00\r\n\r\n",
		"chunked, with a trailer":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n",
		"one byte":                  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"the longest length":        "HTTP/1.1 200 OK\r\nContent-Length:" + strings.Repeat(" ", 112) + "5\r\n\r\nhello",
		"behind a 100":              "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"behind a 103":              "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"a long line":               "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 5000) + "\r\nContent-Length: 5\r\n\r\nhello",
		"a colon in a header value": "HTTP/1.1 200 OK\r\nX: a: b\r\nContent-Length: 5\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			for piece := 1; piece <= len(answer)+len(surplus); piece++ {
				belongs, state := framed([]byte(answer+surplus), piece)
				require.Equal(t, len(answer), belongs, piece)
				require.Equal(t, nothingAsked, state)
			}
		})
	}
}

func TestAFramerLetsAnythingUnusualPass(t *testing.T) {
	for name, answer := range map[string]string{
		"HTTP/1.0":                   "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"no HTTP":                    "hello\r\n",
		"101":                        "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n",
		"101 with nothing else":      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"099 with nothing else":      "HTTP/1.1 099 OK\r\n\r\n",
		"no version":                 "200 OK\r\nContent-Length: 1\r\n\r\nx",
		"a length behind 128 bytes":  "HTTP/1.1 200 OK\r\nContent-Length:" + strings.Repeat(" ", 112) + "55\r\n\r\nhello",
		"a chunk size of @":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n@\r\nx",
		"a chunk size of G":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nG\r\nx",
		"a length in hexadecimal":    "HTTP/1.1 200 OK\r\nContent-Length: A\r\n\r\nx",
		"until the end":              "HTTP/1.1 200 OK\r\n\r\nx",
		"bare line feeds":            "HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
		"one bare line feed":         "HTTP/1.1 200 OK\r\nContent-Length: 1\n\r\nx",
		"two lengths":                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"a list of lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
		"a length with a sign":       "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
		"an absurd length":           "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\nx",
		"length and chunked":         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked and length":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
		"chunked twice":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"another encoding":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"a line that is continued":   "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 1\r\n\r\nx",
		"a space before the colon":   "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
		"no colon":                   "HTTP/1.1 200 OK\r\nContent-Length 1\r\n\r\nx",
		"a chunk size with a sign":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
		"a chunk that ends too late": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
		"a 204 that is chunked":      "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a status of four digits":    "HTTP/1.1 2000 OK\r\nContent-Length: 1\r\n\r\nx",
		"a status with a letter":     "HTTP/1.1 2x0 OK\r\nContent-Length: 1\r\n\r\nx",
		"a status below 100":         "HTTP/1.1 099 OK\r\nContent-Length: 1\r\n\r\nx",
		"no length and chunked":      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths of nothing":     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
		"no length":                  "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"a chunk without a size":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n\r\n",
		"a status of two digits":     "HTTP/1.1 20 OK\r\nContent-Length: 1\r\n\r\nx",
	} {
		belongs, state := framed([]byte(answer+"surplus"), 3)
		assert.Equal(t, givenUp, state, name)
		assert.Equal(t, len(answer)+len("surplus"), belongs, name)
	}
	for _, other := range []string{"HEAD / HTTP/1.1\r\n", "CONNECT a:443 HTTP/1.1\r\n", "\x16\x03\x01", "PRI * HTTP/2.0\r\n"} {
		var f framer
		f.asked([]byte(other))
		assert.Equal(t, givenUp, f.state, other)
	}
}

func TestWhatIsWrittenAfterTheHeadBeginsNoRequest(t *testing.T) {
	var f framer
	f.asked([]byte("POST / HTTP/1.1\r\n\r\n"))
	f.asked([]byte("a body"))
	assert.Equal(t, inStatusLine, f.state)
}

func TestWhatComesUnaskedIsSurplus(t *testing.T) {
	var f framer
	assert.Zero(t, f.came([]byte("HTTP/1.1 408 Request Timeout\r\n")))
}

// FuzzFramer holds the framer against net/http: where it says that an answer has
// ended, net/http must say so, too.
func FuzzFramer(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, piece byte) {
		belongs, state := framed(data, int(piece)+1)
		require.LessOrEqual(t, belongs, len(data))
		if state == givenUp {
			require.Equal(t, len(data), belongs)
			return
		}
		rest := bytes.NewReader(data)
		r := bufio.NewReader(rest)
		read := func() (err error) {
			for status := 100; status < 200; {
				resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodGet})
				if err != nil {
					return err
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					return err
				}
				status = resp.StatusCode
			}
			return nil
		}
		switch err := read(); {
		case err != nil: // nothing that net/http would hand over
		case state == nothingAsked:
			require.Equal(t, len(data)-rest.Len()-r.Buffered(), belongs, "%q", data)
		default:
			t.Errorf("net/http takes for a whole answer what the framer does not: %q", data)
		}
	})
}
