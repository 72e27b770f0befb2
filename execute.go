package alipay

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/identity"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// ExecuteRequest is a request to the old gateway: a call, or an order string or page
// that Alipay's app or the customer's browser sends.
type ExecuteRequest struct {
	Method string // name of the API, such as zhima.credit.payafteruse.creditagreement.sign
	// BizContent holds the API's parameters (biz_content), as [Request].Body does, and is
	// sent without white space around its members. With EncryptKey it is encrypted.
	BizContent   any
	NotifyURL    string // where the platform sends its notification (notify_url): http or https
	ReturnURL    string // where browser or app go afterwards (return_url): http, https, or the scheme of an app
	AppAuthToken string // the merchant to act for (app_auth_token); "" means that of the config
	// Params holds further common parameters. Those that the library sets are refused,
	// and names that are not visible ASCII or contain = or &. A value that is empty or
	// only white space is left out, since signers differ in whether they cover it.
	Params map[string]string
}

// Format implements [fmt.Formatter] with the method.
func (r ExecuteRequest) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "alipay.ExecuteRequest{"+r.Method+"}")
}

// LogValue implements [slog.LogValuer].
func (r ExecuteRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// SDKExecute signs an order string (orderStr), which an app or mini-program hands to
// Alipay's app. Nothing is sent. The string contains BizContent, so do not log it. The
// error is a *[CallError].
func (c *Client) SDKExecute(ctx context.Context, req *ExecuteRequest) (string, error) {
	params, sign, err := c.signOrder(ctx, req)
	if err != nil {
		return "", err
	}
	return protocol.OrderString(params, sign), nil
}

// PageExecute signs a page: with GET a URL to send the browser to, with POST an HTML page
// that submits itself, whatever charset it is served in. Otherwise it is like
// [Client.SDKExecute].
func (c *Client) PageExecute(ctx context.Context, method string, req *ExecuteRequest) (string, error) {
	if method != http.MethodGet && method != http.MethodPost {
		return "", errArgument("method", "the method is neither GET nor POST")
	}
	params, sign, err := c.signOrder(ctx, req)
	if err != nil {
		return "", err
	}
	if method == http.MethodGet {
		return c.urlOf(protocol.OldGatewayPath, protocol.OldGatewayPath, protocol.OrderString(params, sign)).String(), nil
	}
	input := ""
	if bizContent := params["biz_content"]; bizContent != "" {
		input = `<input type="hidden" name="biz_content" value="` + escapeHTML(bizContent) + `">` + "\n"
		delete(params, "biz_content")
	}
	page := c.urlOf(protocol.OldGatewayPath, protocol.OldGatewayPath, protocol.OrderString(params, sign)).String()
	return `<!DOCTYPE html>
<meta charset="utf-8">
<title>Alipay</title>
<form name="alipay_submit" method="post" accept-charset="utf-8" action="` + escapeHTML(page) + `">
` + input + `<noscript><input type="submit" value="` + escapeHTML("继续 / Continue") + `"></noscript>
</form>
<script>document.forms["alipay_submit"].submit();</script>
`, nil
}

// escapeHTML escapes a value for HTML in ASCII, which every charset has.
func escapeHTML(s string) string {
	var b strings.Builder
	for _, r := range html.EscapeString(s) {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#x%X;", r)
		}
	}
	return b.String()
}

// signOrder returns the parameters of an order and their signature.
func (c *Client) signOrder(ctx context.Context, req *ExecuteRequest) (params map[string]string, sign string, err error) {
	if err := c.check(ctx, nil); err != nil {
		return nil, "", err
	}
	call, err := c.encodeOrder(req, c.settings.defaults, nil)
	if err != nil {
		return nil, "", err
	}
	keys := c.keys.Load()
	params = keys.orderParams(call)
	ctx, cancel := context.WithTimeout(ctx, c.settings.timeout)
	defer cancel()
	signature, err := keys.sign(ctx, protocol.OldContent(params, "sign"))
	if err != nil {
		return nil, "", &CallError{what: "signing " + req.Method, appID: c.appID, reasons: []error{err}, permanent: ctx.Err() == nil, outcome: OutcomeNotDelivered}
	}
	return params, base64.StdEncoding.EncodeToString(signature), nil
}

// Execute calls a method of the old gateway (gateway.do), for an API that v3 has not
// taken over, under the same rules as [Client.Do]. What the method answers, code and msg
// included, is decoded into out.
//
// A refusal is an *[APIError] with the sub_code as its Code, or the code where there is
// none; errors.Is finds the constant of v3 for it, which has no prefix (isv., isp.,
// aop.). Nothing in an answer names the request or the time, so an earlier one to the
// same method that is sent again cannot be told from a new one.
func (c *Client) Execute(ctx context.Context, req *ExecuteRequest, out any, opts ...RequestOption) (*Response, error) {
	return c.perform(ctx, out, func() (*call, error) { return c.encodeOrder(req, c.settings.defaults, opts) })
}

// encodeOrder turns an ExecuteRequest into what is signed, or sent by every attempt.
func (c *Client) encodeOrder(req *ExecuteRequest, defaults, opts []RequestOption) (*call, error) {
	switch {
	case req == nil:
		return nil, errArgument("ExecuteRequest", "the request is nil")
	case req.Method == "" || !isVisibleASCII(req.Method):
		return nil, errArgument("ExecuteRequest.Method", "the method is empty, or holds a space, a control character or one beyond ASCII")
	case !isVisibleASCII(req.AppAuthToken):
		return nil, errArgument("ExecuteRequest.AppAuthToken", "the token holds a space, a control character or one beyond ASCII")
	case req.NotifyURL != "" && !isLink(req.NotifyURL, false):
		return nil, errArgument("ExecuteRequest.NotifyURL", "it is not an absolute URL with http or https, or holds a control character")
	case req.ReturnURL != "" && !isLink(req.ReturnURL, true):
		return nil, errArgument("ExecuteRequest.ReturnURL", "it is not an absolute URL with http, https or an app's own scheme, or holds a control character")
	}
	bizContent, err := encodeBizContent(req.BizContent)
	if err != nil {
		return nil, err
	}
	o := &order{params: map[string]string{"notify_url": req.NotifyURL, "return_url": req.ReturnURL}}
	for name, value := range req.Params {
		if err := o.add("ExecuteRequest.Params", name, value); err != nil {
			return nil, err
		}
	}
	if req.AppAuthToken != "" {
		defaults = append(slices.Clip(defaults), WithAppAuthToken(req.AppAuthToken))
	}
	call := &call{body: bizContent, order: o}
	if err := call.apply(defaults, opts); err != nil {
		return nil, err
	}
	for _, p := range call.extraQuery {
		if err := o.add("WithQueryParam", p[0], p[1]); err != nil {
			return nil, err
		}
	}
	call.url = c.urlOf(protocol.OldGatewayPath, protocol.OldGatewayPath, "") // the query comes with the signature
	call.target = target{CallInfo{AppID: c.appID, Host: c.origin.Host, Method: http.MethodPost, Path: protocol.OldGatewayPath}, req.Method, identity.Ask(identity.Of(bizContent))}
	return call, nil
}

// reservedParams are set by the library, and refused in ExecuteRequest.Params.
var reservedParams = map[string]bool{
	"sign": true, "sign_type": true, "app_id": true, "method": true, "timestamp": true, "biz_content": true, "charset": true,
	"version": true, "format": true, "alipay_sdk": true, "app_cert_sn": true, "alipay_root_cert_sn": true, "alipay_cert_sn": true,
	"encrypt_type": true, "notify_url": true, "return_url": true, "app_auth_token": true,
}

// order is what a call of the old gateway has besides its body, biz_content.
type order struct {
	params   map[string]string // notify_url, return_url and the further ones
	download bool              // of a certificate: never encrypted, and checked by what it brings
}

// add adds a further parameter.
func (o *order) add(argument, name, value string) error {
	switch {
	case reservedParams[name]:
		return errArgument(argument, "one of them is set by the library: "+name)
	// Beyond ASCII, Go and Java sort names differently.
	case name == "" || strings.ContainsAny(name, "=&") || !isVisibleASCII(name):
		return errArgument(argument, "the name of one is empty, is not visible ASCII, or holds = or &")
	// The gateway replaces what is not UTF-8, and then the signature does not verify.
	case hasControl(value) || !utf8.ValidString(value):
		return errArgument(argument, "the value of one holds a control character, or is not UTF-8")
	}
	if !isBlank(value) {
		o.params[name] = value
	}
	return nil
}

// build is what [call.build] does for a call of the old gateway. Its own parameters
// stand in the URL, and what is the caller's in the body, which proxies do not log.
func (o *order) build(c *call, keys *keySet, requestID string, r *outgoing) {
	params := keys.orderParams(c)
	r.content, r.query = protocol.OldContent(params, "sign"), make(map[string]string, len(params))
	form := url.Values{}
	for name, value := range params {
		if reservedParams[name] && name != "biz_content" && name != "app_auth_token" {
			r.query[name] = value
		} else if value != "" {
			form.Set(name, value)
		}
	}
	header := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded;charset=UTF-8"}, protocol.HeaderRequestID: {requestID},
		"Accept": keys.header["Accept"], "Cache-Control": keys.header["Cache-Control"], "User-Agent": keys.header["User-Agent"],
	}
	maps.Copy(header, c.header)
	target := *c.url // whose query is filled in by signRequest
	r.Request = delivery.Request{Method: c.Method, URL: &target, Header: header, Body: []byte(form.Encode())}
}

// oldAnswer is an answer of the old gateway, taken apart as far as it can be read.
type oldAnswer struct {
	protocol.OldAnswer
	err error // why it cannot be read
}

// recover checks an answer under these keys, and returns what was signed and what had
// been done to it. Without a signature it is a refusal at most.
func (o *oldAnswer) recover(a *answer, keys *keySet) (signed []byte, damage string, err error) {
	if o.Sign == "" {
		refused := newUnsignedRefusal(a, nil, keys)
		if o.err != nil || a.status != http.StatusOK || refused.Code == "" || refused.gateway == oldSuccess {
			return nil, "", ErrResponseUnsigned
		}
		return nil, "", refused
	}
	if err = o.err; err == nil {
		err = o.Verify(&keys.verifier, a.received)
	}
	return o.Content(), o.Damage, err
}

// check returns nil for a success. The status is not signed, so it makes none; and a
// success stands under the method's own name.
func (o *oldAnswer) check(a *answer, object []byte, typed bool, by acceptor) error {
	e := newRefusal(a.body, nil)
	e.old, e.Verified = true, true
	switch {
	case a.status < 200, a.status >= 300, !typed && a.status != http.StatusOK:
		return errNoSuccess
	case e.Code != e.gateway, e.Code != "" && e.Code != oldSuccess:
		if err := by.accept(); err != nil {
			return err
		}
		return e
	case !o.Own:
		return protocol.ErrNoNode
	case e.Code == "" && !saysMore(object):
		return errNoResult
	}
	return nil
}

// isCommon reports whether a member is one that every answer of the old gateway may
// have.
func isCommon(name []byte) bool {
	return slices.Contains([]string{"code", "msg", "sub_code", "sub_msg"}, string(name))
}

// isBlank reports whether s is empty or only white space.
func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// encodeBizContent returns a JSON object without the white space around its
// members: a browser would change the line ends in it, and turns some control
// characters into others, so these are escaped. Nil means none.
func encodeBizContent(content any) ([]byte, error) {
	object, err := encodeObject("ExecuteRequest.BizContent", content)
	if object == nil || err != nil {
		return nil, err
	}
	object, _ = encodeJSON(json.RawMessage(object)) // which is compact
	if bytes.ContainsFunc(object, unicode.IsControl) {
		for r := rune(0x7f); r <= 0x9f; r++ {
			object = bytes.ReplaceAll(object, []byte(string(r)), fmt.Appendf(nil, `\u%04X`, r))
		}
	}
	return object, nil
}
