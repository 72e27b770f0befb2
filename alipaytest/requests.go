package alipaytest

import (
	"bytes"
	"net/http"
	"net/url"
	"sync"
	"time"

	alipay "github.com/seed-39a49030/alipay"
)

// ReceivedRequest is a request as the gateway received it.
type ReceivedRequest struct {
	Method string
	// Path is the decoded path without the prefix of WithPathPrefix.
	Path string
	// RequestURI is the request target exactly as received.
	RequestURI string
	// Proto is HTTP/1.1 or HTTP/2.0.
	Proto string
	// Params are the decoded query parameters.
	Params url.Values
	Header http.Header
	// Body is the body, decrypted if it came encrypted.
	Body []byte

	// Verified says that the signature held. A replayed request verifies too,
	// though it is refused.
	Verified bool
	// Code is what the gateway or the endpoint answers no with; empty when it
	// answers yes. A fault may have replaced that answer.
	Code alipay.ErrorCode
	// Fault names the fault that the request met; empty when none.
	Fault string

	AppAuthToken string    // alipay-app-auth-token
	AppCertSN    string    // app_cert_sn, in certificate mode
	Nonce        string    // nonce
	Timestamp    time.Time // timestamp; zero if missing or no number
	RequestID    string    // alipay-request-id

	// Connection is the number of the connection, 1 for the gateway's first,
	// and OnConnection that of the request on it, from 1.
	Connection, OnConnection int
	// At is when it came, by the real clock.
	At time.Time

	encrypted bool // the answer is to be encrypted
}

func (r ReceivedRequest) clone() ReceivedRequest {
	r.Header = r.Header.Clone()
	r.Params = url.Values(http.Header(r.Params).Clone())
	r.Body = bytes.Clone(r.Body)
	return r
}

// history keeps the last requests, in a ring once limit is reached.
type history struct {
	mu    sync.Mutex
	limit int
	ring  []ReceivedRequest
	next  int // where the oldest is, once the ring is full
}

func (h *history) add(r ReceivedRequest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.limit <= 0:
	case len(h.ring) < h.limit:
		h.ring = append(h.ring, r)
	default:
		h.ring[h.next] = r
		h.next = (h.next + 1) % h.limit
	}
}

func (h *history) list() []ReceivedRequest {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]ReceivedRequest, 0, len(h.ring))
	for i := range h.ring {
		list = append(list, h.ring[(h.next+i)%len(h.ring)].clone())
	}
	return list
}

func (h *history) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring, h.next = nil, 0
}

// Requests returns a copy of the requests received so far, oldest first: every
// complete request, refused ones too, but no more than [WithHistory] allows. A
// request is in it before its answer leaves.
func (g *Gateway) Requests() []ReceivedRequest { return g.history.list() }

// Reset forgets requests, tokens and faults, for the next round of a long test.
// Nonces stay known, endpoints and a rotated certificate stay in place.
func (g *Gateway) Reset() {
	g.history.clear()
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.tokens)
	g.faults = nil
}
