package alipaytest

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	alipay "github.com/seed-39a49030/alipay"
)

// ReceivedRequest is a request as the gateway received it.
type ReceivedRequest struct {
	Method string
	// Path is the decoded path without the prefix of [WithPathPrefix].
	Path string
	// RequestURI is the request target exactly as received.
	RequestURI string
	// Proto is HTTP/1.1 or HTTP/2.0.
	Proto string
	// Params are the decoded query parameters, at /gateway.do with those of the
	// body. If one came twice, the endpoint uses the first; /gateway.do refuses
	// it.
	Params url.Values
	Header http.Header
	// Body is the body, decrypted if it came encrypted; of multipart/form-data it
	// is the content of the part data. One over 16 MiB is refused and not kept.
	Body []byte
	// Files are those that came in multipart/form-data.
	Files []ReceivedFile

	// Verified says that the signature verifies. That of a replayed request does
	// too, though the request is refused.
	Verified bool
	// Code is the error code with which the gateway or the endpoint answers; empty
	// for a success. A fault may have replaced that answer.
	Code alipay.ErrorCode
	// Diagnosis says in one sentence what the client did wrong when the gateway
	// refused the request, since the answer only says what the platform would. It is
	// empty otherwise. DiagnosisZH is in Chinese. They may quote the request.
	Diagnosis, DiagnosisZH string
	// Missing names the parameters that the request lacks of those that a real call
	// has: of a query conn_key, once_token, query_type, identity_type and service_id.
	// It is answered all the same, since the platform's page calls them optional.
	Missing []string
	// Encrypted says that the answer is encrypted. That to a GET is, on a gateway with
	// a key, even if the request does not ask for it: see [WithEncryptKey].
	Encrypted bool
	// Fault names the fault that the request met; empty when none.
	Fault string

	AppAuthToken string    // alipay-app-auth-token
	AppCertSN    string    // app_cert_sn, in certificate mode
	Nonce        string    // nonce
	Timestamp    time.Time // timestamp; zero if it is missing or not a number
	RequestID    string    // alipay-request-id

	// Connection is the number of the connection, 1 for the gateway's first,
	// and OnConnection that of the request on it, from 1.
	Connection, OnConnection int
	// At is when it came, by the real clock.
	At time.Time

	target       string // what the signature covers of RequestURI
	authString   string // the first line that the signature covers
	wire, signed []byte // the body as received, and what the signature covers of it
	signedString string // what was signed in place of StringToSign; "" when unknown

	oldContent string // what the signature of a request to the old gateway covers

	inside        bool // the path has the prefix of WithPathPrefix
	asksEncrypted bool // it says that the client encrypts
}

// lacks notes which of the names have no value.
func (r *ReceivedRequest) lacks(value func(name string) string, names ...string) {
	for _, name := range names {
		if value(name) == "" {
			r.Missing = append(r.Missing, name)
		}
	}
}

func (r ReceivedRequest) clone() ReceivedRequest {
	r.Header = r.Header.Clone()
	r.Params = cloneValues(r.Params)
	r.Body = bytes.Clone(r.Body)
	r.Missing = slices.Clone(r.Missing)
	r.Files = slices.Clone(r.Files)
	for i := range r.Files {
		r.Files[i].Content = bytes.Clone(r.Files[i].Content)
	}
	return r
}

// size is roughly the memory of a request that its sender controls.
func (r *ReceivedRequest) size() int {
	size := 2*len(r.RequestURI) + len(r.Body) + len(r.signedString) + len(r.oldContent) // Params once more
	if len(r.wire) != len(r.Body) {                                                     // it came encrypted, or with files
		size += len(r.wire)
	}
	for _, file := range r.Files {
		size += len(file.Field) + len(file.Name) + len(file.ContentType) + len(file.Content)
	}
	for name, values := range r.Header {
		size += len(name)
		for _, value := range values {
			size += len(value)
		}
	}
	return size
}

// maxHistoryBytes bounds the total size of the requests that are kept. Ten
// thousand ordinary ones take a tenth of it.
const maxHistoryBytes = 128 << 20

// history keeps the last requests.
type history struct {
	limit int

	mu    sync.Mutex
	kept  []ReceivedRequest // from first on; what is before it is empty
	first int
	bytes int // the size of kept
}

func (h *history) add(r ReceivedRequest) {
	if h.limit <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, r)
	h.bytes += r.size()
	for len(h.kept)-h.first > h.limit || h.bytes > maxHistoryBytes {
		oldest := &h.kept[h.first]
		h.bytes -= oldest.size()
		*oldest = ReceivedRequest{}
		h.first++
	}
	if h.first > len(h.kept)/2 {
		h.kept = slices.Delete(h.kept, 0, h.first)
		h.first = 0
	}
}

func (h *history) list() []ReceivedRequest {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := slices.Clone(h.kept[h.first:])
	for i := range list {
		list[i] = list[i].clone()
	}
	return list
}

func (h *history) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept, h.first, h.bytes = nil, 0, 0
}

// Requests returns a copy of the requests received so far, oldest first: every
// complete request, refused ones too, but no more than [WithHistory] allows. A
// request is in it before its answer leaves. One whose body breaks off is left out.
func (g *Gateway) Requests() []ReceivedRequest { return g.history.list() }

// Reset clears requests, tokens, orders, messages and faults, for the next round
// of a long test. An earlier [Order] no longer has any effect. Nonces, endpoints,
// certificates and the address for messages are kept.
func (g *Gateway) Reset() {
	g.history.clear()
	g.messages.reset(g.closing)
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.tokens)
	clear(g.agreements)
	clear(g.agreementIDs)
	clear(g.ordered)
	clear(g.preconsulted)
	g.faults = nil
}
