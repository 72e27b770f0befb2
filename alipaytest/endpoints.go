package alipaytest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	alipay "github.com/seed-39a49030/alipay"
)

// endpoint answers one method and path. With act false it must change nothing.
type endpoint struct {
	method, path string
	answer       func(x *exchange, act bool) reply
}

// Handle adds an endpoint for [alipay.Client.Do], or replaces one: answer gets
// each request that passed the checks, its body decrypted, and returns status and
// body; the gateway signs, and encrypts where that applies. The body may be
// nil, []byte, string or json.RawMessage, sent as they are, or any value that
// encoding/json encodes. Status 0 means 200; an answer with a status from 400 on
// is an error, whose body needs a member code.
//
// A path segment in braces matches any one segment, escaped or not:
//
//	gateway.Handle("POST", "/v3/alipay/trade/{id}/close", …)
//
// If several match, the newest is used. answer is called from several
// goroutines; a panic in it fails the test, or is logged where there is no test.
func (g *Gateway) Handle(method, path string, answer func(ReceivedRequest) (status int, body any)) {
	handler := func(x *exchange, act bool) reply {
		if !act {
			return reply{status: http.StatusOK, body: []byte("{}")}
		}
		status, value := answer(x.received.clone())
		if status == 0 {
			status = http.StatusOK
		}
		r := reply{status: status}
		switch value := value.(type) {
		case nil:
		case []byte:
			r.body = value
		case json.RawMessage:
			r.body = value
		case string:
			r.body = []byte(value)
		default:
			r.body = encodeJSON(value)
		}
		if status >= 400 {
			var no struct{ Code alipay.ErrorCode }
			_ = json.Unmarshal(r.body, &no)
			r.code = no.Code
		}
		return r
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	// A new list, since requests in progress may be reading the old one.
	endpoints := []endpoint{{method, path, handler}}
	for _, e := range g.endpoints {
		if e.method != method || e.path != path {
			endpoints = append(endpoints, e)
		}
	}
	g.endpoints = endpoints
}

const heartbeatPath = "/v3/monitor/heartbeat/syn"

// heartbeat is the endpoint monitor.heartbeat.syn, which ignores its parameters.
func heartbeat(*exchange, bool) reply {
	return reply{status: http.StatusOK, body: []byte(`{"pid":"2088000000000000"}`)}
}

// find returns the endpoint that a request asks for.
func (g *Gateway) find(received *ReceivedRequest) (endpoint, *refusal) {
	g.mu.Lock()
	endpoints := g.endpoints
	g.mu.Unlock()
	escaped, _, _ := strings.Cut(received.target, "?")
	none := &refusal{http.StatusNotFound, alipay.CodeInvalidMethod, "不存在的方法名"}
	for _, e := range endpoints {
		if !received.inside || !matchPath(e.path, escaped) {
			continue
		}
		if e.method == received.Method {
			return e, nil
		}
		none.status = http.StatusMethodNotAllowed
	}
	return endpoint{}, none
}

// matchPath matches segment by segment, so that an escaped slash separates nothing.
func matchPath(pattern, escaped string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(escaped, "/")
	if len(want) != len(have) {
		return false
	}
	for i, segment := range want {
		wild := strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") && have[i] != ""
		plain, err := url.PathUnescape(have[i])
		if !wild && segment != have[i] && (err != nil || segment != plain) {
			return false
		}
	}
	return true
}
