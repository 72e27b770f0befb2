package alipaytest

import (
	"encoding/json"
	"net/http"
	"strings"

	alipay "github.com/seed-39a49030/alipay"
)

// endpoint answers one method and path. With act false it must leave everything
// as it is.
type endpoint struct {
	method, path string
	answer       func(x *exchange, act bool) reply
}

// Handle adds an endpoint for [alipay.Client.Do], or replaces one: answer is
// given each request that was in order, its body decrypted, and returns status
// and body; the gateway signs, and encrypts where that applies. The body may be
// nil, []byte, string or json.RawMessage, sent as they are, or any value that
// encoding/json encodes. Status 0 means 200.
//
// A path segment in braces takes any one segment, escaped or not:
//
//	gateway.Handle("POST", "/v3/alipay/trade/{id}/close", …)
//
// answer is called from several goroutines.
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
	// The newest comes first, so that it replaces what was there.
	g.endpoints = append([]endpoint{{method, path, handler}}, g.endpoints...)
}

// find returns the endpoint that a request asks for.
func (g *Gateway) find(received *ReceivedRequest) (endpoint, *refusal) {
	g.mu.Lock()
	endpoints := g.endpoints
	g.mu.Unlock()
	escaped, _, _ := strings.Cut(g.target(received.RequestURI), "?")
	none := &refusal{http.StatusNotFound, alipay.CodeInvalidMethod, "不存在的方法名"}
	for _, e := range endpoints {
		if !matchPath(e.path, escaped) && !matchPath(e.path, received.Path) {
			continue
		}
		if e.method == received.Method {
			return e, nil
		}
		none.status = http.StatusMethodNotAllowed
	}
	return endpoint{}, none
}

func matchPath(pattern, path string) bool {
	if pattern == path {
		return true
	}
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i, segment := range want {
		wild := strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") && have[i] != ""
		if segment != have[i] && !wild {
			return false
		}
	}
	return true
}
