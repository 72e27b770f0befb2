package alipay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// Request is a call of any v3 endpoint.
type Request struct {
	// Method is GET, POST, PUT, PATCH or DELETE; "" means GET.
	Method string
	// Path begins with "/", as in "/v3/alipay/trade/query". Path parameters are
	// escaped by the caller, and stay as they are. It has no query. Errors and
	// logs show it: what is personal belongs in Query or Body.
	Path string
	// Query is a struct (or a pointer to one) with url tags, as
	// github.com/google/go-querystring reads them, or [url.Values]; nil for none.
	Query any
	// Body is encoded as JSON; nil for none. A [json.RawMessage] or []byte is
	// taken to be JSON already and goes out byte for byte. GET has no body.
	Body any
}

// Format implements [fmt.Formatter]: every verb prints method and path.
func (r Request) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "alipay.Request{"+cmp.Or(r.Method, http.MethodGet)+" "+r.Path+"}")
}

// LogValue implements [slog.LogValuer] with what Format prints.
func (r Request) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// call is a request encoded once, from which each attempt is made.
type call struct {
	method    string
	path      string // for logs and errors: no query
	url       *url.URL
	body      []byte      // as on the wire
	plainBody []byte      // before encryption, for masking
	header    http.Header // further headers only
	requestID string      // "" for a new one per attempt

	appAuthToken string
}

// encode turns a Request into what every attempt sends.
func (c *Client) encode(req *Request, opts []RequestOption) (*call, error) {
	if req == nil {
		return nil, errRefused("Request", "the request is nil")
	}
	o := callOptions{appAuthToken: c.appAuthToken}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	call := &call{method: req.Method, path: req.Path, requestID: o.requestID}
	switch call.method {
	case "":
		call.method = http.MethodGet
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, errRefused("Request.Method", "the method is not GET, POST, PUT, PATCH or DELETE")
	}
	var err error
	if call.plainBody, err = encodeBody(call.method, req.Body); err != nil {
		return nil, err
	}
	call.body = call.plainBody
	if c.cipher != nil && call.body != nil {
		call.body = c.cipher.Encrypt(call.body)
	}
	if call.url, err = c.encodeURL(req.Path, req.Query, o.query); err != nil {
		return nil, err
	}
	call.header, call.appAuthToken = o.header, o.appAuthToken
	return call, nil
}

func encodeBody(method string, body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		body = []byte(b)
	}
	if method == http.MethodGet {
		return nil, errRefused("Request.Body", "a GET has no body; put parameters into Query")
	}
	if raw, ok := body.([]byte); ok {
		if !json.Valid(raw) {
			return nil, errRefused("Request.Body", "the body is not valid JSON")
		}
		return bytes.Clone(raw), nil // the transport may still read it when the call has returned
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // what is signed is what is sent; keep it readable
	if encoder.Encode(body) != nil {
		return nil, errRefused("Request.Body", "the body cannot be encoded as JSON") // the cause may quote a value
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// encodeURL builds the URL so that what RequestURI returns for it is what goes
// out: the path as the caller escaped it, a space in the query as %20.
func (c *Client) encodeURL(path string, parameters any, extra [][2]string) (*url.URL, error) {
	switch {
	case !strings.HasPrefix(path, "/"):
		return nil, errRefused("Request.Path", "the path does not begin with /")
	case strings.ContainsAny(path, "?#"):
		return nil, errRefused("Request.Path", "the path holds a query or a fragment; put parameters into Request.Query, and escape a ? or # that belongs to the path")
	case hasControl(path):
		return nil, errRefused("Request.Path", "the path holds a control character")
	}
	origin := c.transport.origin
	escaped := escapeRest(path)
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, errRefused("Request.Path", "the path is not validly escaped")
	}
	values, err := encodeQuery(parameters)
	if err != nil {
		return nil, err
	}
	for _, p := range extra {
		if values == nil {
			values = make(url.Values)
		}
		values.Set(p[0], p[1])
	}
	return &url.URL{
		Scheme:   origin.Scheme,
		Host:     origin.Host,
		Path:     origin.Path + plain,
		RawPath:  origin.RawPath + escaped,
		RawQuery: strings.ReplaceAll(values.Encode(), "+", "%20"),
	}, nil
}

// escapeRest escapes what cannot stand in a path, and leaves what is escaped
// already.
func escapeRest(path string) string {
	stands := func(c byte) bool { return isWordByte(c) || strings.IndexByte("-._~!$&'()*+,;=:@[]/%", c) >= 0 }
	i := 0
	for i < len(path) && stands(path[i]) {
		i++
	}
	if i == len(path) {
		return path
	}
	var b strings.Builder
	for _, c := range []byte(path) {
		if stands(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func encodeQuery(parameters any) (url.Values, error) {
	switch v := parameters.(type) {
	case nil:
		return nil, nil
	case url.Values:
		copied := make(url.Values, len(v)) // WithQueryParam must not reach into the caller's map
		for key, list := range v {
			copied[key] = list
		}
		return copied, nil
	}
	values, err := query.Values(parameters)
	if err != nil {
		return nil, errRefused("Request.Query", "the query is neither a struct with url tags nor url.Values")
	}
	return values, nil
}

// blank is what every request begins as: WithContext is the one way to give a
// request its context, and it copies.
var blank = &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}

// newRequest builds one attempt, unsigned.
func (c *Client) newRequest(ctx context.Context, call *call, requestID string) *http.Request {
	header := make(http.Header, len(c.header)+len(call.header)+2)
	maps.Copy(header, c.header)
	maps.Copy(header, call.header)
	header[protocol.HeaderRequestID] = []string{requestID}
	if call.appAuthToken != "" {
		header[protocol.HeaderAppAuthToken] = []string{call.appAuthToken}
	}
	if c.cipher == nil && len(call.body) > 0 {
		header["Content-Type"] = []string{"application/json"}
	}
	req := blank.WithContext(ctx)
	req.Method, req.URL, req.Host, req.Header = call.method, call.url, call.url.Host, header
	return req
}
