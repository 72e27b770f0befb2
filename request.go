package alipay

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-querystring/query"

	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/identity"
	"github.com/seed-39a49030/alipay/internal/lenient"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// Request is a call of any v3 endpoint.
type Request struct {
	Method string // GET, POST, PUT, PATCH or DELETE; "" means GET
	// Path begins with "/", as in "/v3/alipay/trade/query", and has no query. Path
	// parameters are escaped by the caller. Errors and logs show it, so put personal
	// values in Query or Body.
	Path string
	// Query is a struct (or a pointer to one) with url tags, as
	// github.com/google/go-querystring reads them, or [url.Values]; nil for none.
	Query any
	// Body is a value that encodes to a JSON object, or a [json.RawMessage], []byte or
	// string that is one already and is sent byte for byte. Nil, also as a pointer or a
	// map, is no body. GET has none.
	Body any
	// Files are uploaded along with Body, as multipart/form-data. The signature covers
	// Body and not the files. GET and DELETE have none.
	Files []File
}

// File is a file to upload.
type File struct {
	Field   string // name of the parameter, such as image_content
	Name    string // file name; its extension sets the type
	Content []byte // not to be changed before the call returns
}

// Format implements [fmt.Formatter] with the size.
func (f File) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, "alipay.File{"+strconv.Itoa(len(f.Content))+" bytes}")
}

// LogValue implements [slog.LogValuer].
func (f File) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(f)) }

// Format implements [fmt.Formatter] with method and path.
func (r Request) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "alipay.Request{"+cmp.Or(r.Method, http.MethodGet)+" "+r.Path+"}")
}

// LogValue implements [slog.LogValuer].
func (r Request) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// call is a request encoded once, from which each attempt is made.
type call struct {
	callOptions
	target
	url   *url.URL
	uri   string     // what the signature covers of the URL
	query url.Values // what the URL's query encodes
	body  []byte     // before encryption; nil for none
	files []File     // uploaded along with body
	order *order     // of a call of the old gateway, in place of query and files
}

// merchant is the app auth token that the call has under these keys.
func (c *call) merchant(keys *keySet) string {
	if c.otherMerchant {
		return c.appAuthToken
	}
	return keys.AppAuthToken
}

// encode turns a Request into what every attempt sends.
func (c *Client) encode(req *Request, opts []RequestOption) (*call, error) {
	if req == nil {
		return nil, errArgument("Request", "the request is nil")
	}
	call := &call{}
	if err := call.apply(c.settings.defaults, opts); err != nil {
		return nil, err
	}
	method := cmp.Or(req.Method, http.MethodGet)
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, errArgument("Request.Method", "the method is not GET, POST, PUT, PATCH or DELETE")
	}
	var err error
	if call.body, err = encodeObject("Request.Body", req.Body); err != nil {
		return nil, err
	}
	if method == http.MethodGet && call.body != nil {
		return nil, errArgument("Request.Body", "a GET has no body; put parameters into Query")
	}
	if err = checkFiles(method, req.Files); err != nil {
		return nil, err
	}
	call.files = req.Files
	if call.query, err = encodeQuery(req.Query, call.extraQuery); err != nil {
		return nil, err
	}
	if call.url, err = c.encodeURL(req.Path, call.query); err != nil {
		return nil, err
	}
	call.uri = strings.TrimPrefix(call.url.RequestURI(), c.origin.RawPath)
	call.target = target{CallInfo: CallInfo{AppID: c.appID, Host: call.url.Host, Method: method, Path: req.Path}, asked: identity.Ask(identity.Named(call.query.Get))}
	return call, nil
}

// encodeObject returns a JSON object in UTF-8: what content encodes to, or content
// itself where it is a string, []byte or json.RawMessage that is one. Nil, also as a
// pointer or a map, means none.
func encodeObject(argument string, content any) (object []byte, err error) {
	switch v := content.(type) {
	case nil:
	case string:
		object = []byte(v)
	case []byte:
		object = bytes.Clone(v) // the transport may still read it after the call has returned
	case json.RawMessage:
		object = bytes.Clone(v)
	case io.Reader: // which would encode to an empty object
		object = []byte{}
	default:
		if object, err = encodeJSON(v); string(object) == "null" {
			object = nil
		}
	}
	if err != nil || object != nil && (!lenient.StartsObject(object) || !json.Valid(object) || !utf8.Valid(object)) { // the protocol allows only UTF-8
		return nil, errArgument(argument, "it is not a JSON object in UTF-8, and does not encode to one") // the cause may quote a value
	}
	return object, nil
}

// encodeJSON escapes nothing for HTML, so that what is signed and sent stays
// readable.
func encodeJSON(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// dataPart is the name of the part with the JSON body in an upload.
const dataPart = "data"

func checkFiles(method string, files []File) error {
	if len(files) > 0 && (method == http.MethodGet || method == http.MethodDelete) {
		return errArgument("Request.Files", "a GET or DELETE has no files")
	}
	for _, file := range files {
		if file.Field == "" || hasControl(file.Field) || file.Field == dataPart || file.Name == "" || hasControl(file.Name) {
			return errArgument("Request.Files", "the Field or Name of a file is empty or holds a control character, or Field is the library's own name data")
		}
	}
	return nil
}

// encodeMultipart returns the body of an upload and its Content-Type. The part
// data is text/plain when content encryption has encrypted it.
func encodeMultipart(data []byte, encrypted bool, files []File) (body []byte, contentType string) {
	size := len(data) + 512
	for _, file := range files {
		size += len(file.Content) + len(file.Name) + 512
	}
	buffer := bytes.NewBuffer(make([]byte, 0, size))
	w := multipart.NewWriter(buffer)
	part := func(disposition, contentType string, content []byte) { // writing to memory cannot fail
		p, _ := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {disposition}, "Content-Type": {contentType}})
		_, _ = p.Write(content)
	}
	if data != nil {
		dataType := "application/json; charset=utf-8"
		if encrypted {
			dataType = "text/plain; charset=utf-8"
		}
		part(`form-data; name="`+dataPart+`"`, dataType, data)
	}
	for _, file := range files {
		fileType := cmp.Or(mime.TypeByExtension(filepath.Ext(file.Name)), "application/octet-stream")
		part(multipart.FileContentDisposition(file.Field, file.Name), fileType, file.Content)
	}
	_ = w.Close()
	return buffer.Bytes(), w.FormDataContentType()
}

// encodeURL builds the URL so that RequestURI returns exactly what is sent: the
// path as the caller escaped it, a space in the query as %20.
func (c *Client) encodeURL(path string, values url.Values) (*url.URL, error) {
	switch {
	case !strings.HasPrefix(path, "/"):
		return nil, errArgument("Request.Path", "the path does not begin with /")
	case strings.ContainsAny(path, "?#"):
		return nil, errArgument("Request.Path", "the path holds a query or a fragment; put parameters into Request.Query, and escape a ? or # that belongs to the path")
	case hasControl(path):
		return nil, errArgument("Request.Path", "the path holds a control character")
	}
	escaped := escapeRest(path)
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, errArgument("Request.Path", "the path is not validly escaped")
	}
	return c.urlOf(plain, escaped, strings.ReplaceAll(values.Encode(), "+", "%20")), nil
}

// urlOf is an address behind the base URL. Nothing is sent anywhere else.
func (c *Client) urlOf(path, escaped, query string) *url.URL {
	return &url.URL{Scheme: c.origin.Scheme, Host: c.origin.Host, Path: c.origin.Path + path, RawPath: c.origin.RawPath + escaped, RawQuery: query}
}

// escapeRest escapes the bytes that a path may not contain, and keeps the escapes
// that are there.
func escapeRest(path string) string {
	var escaped []byte
	copied := 0
	for i := range len(path) {
		if c := path[i]; !redact.IsWordByte(c) && strings.IndexByte("-._~!$&'()*+,;=:@[]/%", c) < 0 {
			escaped = fmt.Appendf(append(escaped, path[copied:i]...), "%%%02X", c)
			copied = i + 1
		}
	}
	return string(escaped) + path[copied:]
}

// encodeQuery returns the parameters, and those of WithQueryParam in place of any
// that have the same name.
func encodeQuery(parameters any, extra [][2]string) (url.Values, error) {
	values := url.Values{}
	switch v := parameters.(type) {
	case nil:
	case url.Values:
		maps.Copy(values, v) // WithQueryParam must not change the caller's map
	default:
		var err error
		if values, err = query.Values(parameters); err != nil {
			return nil, errArgument("Request.Query", "the query is neither a struct with url tags nor url.Values")
		}
	}
	for _, p := range extra {
		values.Set(p[0], p[1])
	}
	return values, nil
}

// outgoing is a request of a call, complete but for its signature.
type outgoing struct {
	delivery.Request
	content    []byte            // what the signature covers
	signature  []byte            // kept to find out why the gateway did not accept it
	authString string            // of v3
	query      map[string]string // parameters of the old gateway in the URL; nil for v3

	requestID, authorization [1]string // what the header's slices refer to
}

func (r *outgoing) base64() string { return base64.StdEncoding.EncodeToString(r.signature) }

// build makes a request of the call, with the given keys and id, and a new nonce and
// timestamp. It fills r in place, since the header refers to it.
func (c *call) build(keys *keySet, requestID string, r *outgoing) {
	if c.order != nil {
		c.order.build(c, keys, requestID, r)
		return
	}
	header := make(http.Header, len(keys.header)+len(c.header)+3)
	maps.Copy(header, keys.header)
	maps.Copy(header, c.header)
	r.requestID[0] = requestID
	header[protocol.HeaderRequestID] = r.requestID[:]
	header["Authorization"] = r.authorization[:] // filled in by keySet.signRequest
	merchant := c.merchant(keys)
	if merchant != "" {
		header[protocol.HeaderAppAuthToken] = []string{merchant}
	}
	body := c.body
	switch {
	case keys.Cipher != nil && body != nil:
		body = keys.Cipher.Encrypt(body)
	case keys.Cipher == nil && len(body) > 0:
		header["Content-Type"] = []string{"application/json"}
	}
	r.authString = protocol.AuthString(keys.AppID, keys.AppCertSN, protocol.NewID(), keys.clock().UnixMilli())
	r.content = protocol.StringToSign(r.authString, c.Method, c.uri, body, merchant) // all of the body except files
	r.Request = delivery.Request{Method: c.Method, URL: c.url, Header: header, Body: body}
	if len(c.files) > 0 {
		var contentType string
		r.Body, contentType = encodeMultipart(body, keys.Cipher != nil, c.files)
		header["Content-Type"] = []string{contentType}
	}
}

// newMask masks everything that the call sends.
func (c *call) newMask() *redact.Mask {
	mask := new(redact.Mask)
	mask.AddQuery(c.query)
	for part := range strings.SplitSeq(c.Path, "/") {
		if strings.ContainsFunc(part, func(r rune) bool { return r != '_' && r != '.' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }) {
			mask.Add(part) // no endpoint's name, so an id
		}
	}
	mask.AddJSON(c.body)
	if c.order != nil {
		mask.Add(slices.Collect(maps.Values(c.order.params))...)
	}
	mask.Add(c.appAuthToken)
	for _, list := range c.header {
		mask.Add(list...)
	}
	for _, file := range c.files {
		mask.Add(file.Name)
	}
	return mask
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

func isVisibleASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r >= 0x7f })
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	return s != "" && isVisibleASCII(s) && !strings.ContainsAny(s, `"(),/:;<=>?@[\]{}`)
}

// reservedHeaders are not the caller's to set: the library sets them, or verification
// or safe delivery depend on them. Some servers treat _ and - alike.
var reservedHeaders = regexp.MustCompile(`(?i)^(authorization|host|connection|expect|(x-)?idempotency-key|accept|user-agent|cache-control|` +
	`accept-encoding|te|trailer|upgrade|keep-alive|(alipay|content|transfer|proxy)[-_].*)$`)

// isLink reports whether the platform may be given a link. An app's own scheme will
// do only where the link is opened on the user's device, and none that runs or reads
// something there.
func isLink(link string, appScheme bool) bool {
	u, err := url.Parse(link)
	if err != nil || strings.ContainsFunc(link, unicode.IsControl) || !utf8.ValidString(link) {
		return false
	}
	switch u.Scheme { // in lower case
	case "http", "https":
		return u.Hostname() != ""
	case "", "javascript", "vbscript", "data", "file", "blob":
		return false
	}
	return appScheme && (u.Host != "" || u.Path != "")
}
