package alipay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
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
	callOptions
	info  CallInfo
	url   *url.URL
	query url.Values // what the URL's query encodes
	body  []byte     // before encryption
}

// encode turns a Request into what every attempt sends.
func (c *Client) encode(req *Request, opts []RequestOption) (*call, error) {
	if req == nil {
		return nil, errArgument("Request", "the request is nil")
	}
	call := &call{callOptions: callOptions{appAuthToken: c.keys.Load().AppAuthToken}}
	if err := call.apply(opts); err != nil {
		return nil, err
	}
	method := cmp.Or(req.Method, http.MethodGet)
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, errArgument("Request.Method", "the method is not GET, POST, PUT, PATCH or DELETE")
	}
	var err error
	if call.body, err = encodeBody(method, req.Body); err != nil {
		return nil, err
	}
	if call.query, err = encodeQuery(req.Query, call.extraQuery); err != nil {
		return nil, err
	}
	if call.url, err = c.encodeURL(req.Path, call.query); err != nil {
		return nil, err
	}
	call.info = CallInfo{AppID: c.appID, Host: call.url.Host, Method: method, Path: req.Path}
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
		return nil, errArgument("Request.Body", "a GET has no body; put parameters into Query")
	}
	if raw, ok := body.([]byte); ok {
		if !json.Valid(raw) {
			return nil, errArgument("Request.Body", "the body is not valid JSON")
		}
		return bytes.Clone(raw), nil // the transport may still read it when the call has returned
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // what is signed is what is sent; keep it readable
	if encoder.Encode(body) != nil {
		return nil, errArgument("Request.Body", "the body cannot be encoded as JSON") // the cause may quote a value
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// encodeURL builds the URL so that what RequestURI returns for it is what goes
// out: the path as the caller escaped it, a space in the query as %20.
func (c *Client) encodeURL(path string, values url.Values) (*url.URL, error) {
	switch {
	case !strings.HasPrefix(path, "/"):
		return nil, errArgument("Request.Path", "the path does not begin with /")
	case strings.ContainsAny(path, "?#"):
		return nil, errArgument("Request.Path", "the path holds a query or a fragment; put parameters into Request.Query, and escape a ? or # that belongs to the path")
	case hasControl(path):
		return nil, errArgument("Request.Path", "the path holds a control character")
	}
	origin := c.transport.origin
	escaped := escapeRest(path)
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, errArgument("Request.Path", "the path is not validly escaped")
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
	stands := func(c byte) bool { return redact.IsWordByte(c) || strings.IndexByte("-._~!$&'()*+,;=:@[]/%", c) >= 0 }
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

// encodeQuery returns the parameters, and those of WithQueryParam in place of any
// that have the same name.
func encodeQuery(parameters any, extra [][2]string) (url.Values, error) {
	var values url.Values
	switch v := parameters.(type) {
	case nil:
	case url.Values:
		values = maps.Clone(v) // WithQueryParam must not reach into the caller's map
	default:
		var err error
		if values, err = query.Values(parameters); err != nil {
			return nil, errArgument("Request.Query", "the query is neither a struct with url tags nor url.Values")
		}
	}
	for _, p := range extra {
		if values == nil {
			values = make(url.Values)
		}
		values.Set(p[0], p[1])
	}
	return values, nil
}

// newRequest builds one attempt, unsigned.
func (c *call) newRequest(keys *keySet, a *attempt) delivery.Request {
	header := make(http.Header, len(keys.header)+len(c.header)+3)
	maps.Copy(header, keys.header)
	maps.Copy(header, c.header)
	a.requestIDHeader[0] = a.requestID
	header[protocol.HeaderRequestID] = a.requestIDHeader[:]
	header["Authorization"] = a.authorizationHeader[:] // filled in by the signing transport
	if c.appAuthToken != "" {
		header[protocol.HeaderAppAuthToken] = []string{c.appAuthToken}
	}
	body := c.body
	switch {
	case keys.Cipher != nil && body != nil:
		body = keys.Cipher.Encrypt(body)
	case keys.Cipher == nil && len(body) > 0:
		header["Content-Type"] = []string{"application/json"}
	}
	return delivery.Request{Method: c.info.Method, URL: c.url, Header: header, Body: body}
}
