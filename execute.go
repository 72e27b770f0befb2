package alipay

import (
	"bytes"
	"cmp"
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
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// ExecuteRequest is a request to the old gateway that the merchant signs, and
// that Alipay's app or the customer's browser sends. Printing and logging it shows
// only the method.
type ExecuteRequest struct {
	// Method is the API's name, such as zhima.credit.payafteruse.creditagreement.sign.
	Method string
	// BizContent holds the API's parameters (biz_content), a JSON object: a value
	// that encodes to one, or a [json.RawMessage], []byte or string that is one
	// already. White space around its members is left out. Nil, also as a pointer or
	// a map, leaves biz_content out. With EncryptKey it is encrypted.
	BizContent any
	// NotifyURL is where the platform sends its notification (notify_url): http or
	// https.
	NotifyURL string
	// ReturnURL is where the browser or the app goes afterwards (return_url): http,
	// https, or the scheme of an app.
	ReturnURL string
	// AppAuthToken names the merchant to act for (app_auth_token); "" means the
	// AppAuthToken of the config.
	AppAuthToken string
	// Params holds further common parameters. Those that the library sets are
	// refused, and so are names that are not visible ASCII or contain = or &. A value
	// that is empty or only white space is left out, as Alipay's Java SDK does:
	// whether a signature covers white space depends on the signer.
	Params map[string]string
}

// Format implements [fmt.Formatter]: every verb prints the method.
func (r ExecuteRequest) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "alipay.ExecuteRequest{"+r.Method+"}")
}

// LogValue implements [slog.LogValuer] with what Format prints.
func (r ExecuteRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// SDKExecute signs an order string (orderStr), which an app or mini-program hands
// to Alipay's app. Nothing is sent. The string contains BizContent, so do not log
// it. The error is a *[CallError].
func (c *Client) SDKExecute(ctx context.Context, req *ExecuteRequest) (string, error) {
	params, sign, err := c.signOrder(ctx, req)
	if err != nil {
		return "", err
	}
	return protocol.OrderString(params, sign), nil
}

// PageExecute signs a page. With GET it returns a URL to send the browser to,
// with POST an HTML page that submits itself, whatever charset it is served in.
// Nothing is sent. The result contains BizContent, so do not log it. The error is
// a *[CallError].
func (c *Client) PageExecute(ctx context.Context, method string, req *ExecuteRequest) (string, error) {
	if method != http.MethodGet && method != http.MethodPost {
		return "", errArgument("method", "the method is neither GET nor POST")
	}
	params, sign, err := c.signOrder(ctx, req)
	if err != nil {
		return "", err
	}
	origin := c.transport.origin
	page := origin.Scheme + "://" + origin.Host + origin.RawPath + protocol.OldGatewayPath + "?"
	if method == http.MethodGet {
		return page + protocol.OrderString(params, sign), nil
	}
	bizContent := params["biz_content"]
	delete(params, "biz_content")
	var form strings.Builder
	form.WriteString("<!DOCTYPE html>\n" + `<meta charset="utf-8">` + "\n<title>Alipay</title>\n" +
		`<form name="alipay_submit" method="post" accept-charset="utf-8" action="` + escapeHTML(page+protocol.OrderString(params, sign)) + `">` + "\n")
	if bizContent != "" {
		form.WriteString(`<input type="hidden" name="biz_content" value="` + escapeHTML(bizContent) + `">` + "\n")
	}
	form.WriteString(`<noscript><input type="submit" value="` + escapeHTML("继续 / Continue") + `"></noscript>` + "\n</form>\n" +
		`<script>document.forms["alipay_submit"].submit();</script>` + "\n")
	return form.String(), nil
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
	switch {
	case c == nil || c.transport == nil:
		return nil, "", errArgument("Client", "this Client was not made by NewClient")
	case ctx == nil:
		return nil, "", errArgument("ctx", "the context is nil")
	}
	order, err := newOrder(req)
	if err != nil {
		return nil, "", err
	}
	keys := c.keys.Load()
	params = keys.orderParams(order, cmp.Or(req.AppAuthToken, keys.AppAuthToken), c.settings.clock())
	ctx, cancel := context.WithTimeout(ctx, c.settings.timeout)
	defer cancel()
	if sign, err = keys.signParams(ctx, params); err != nil {
		e := &CallError{what: "signing " + req.Method, appID: c.appID, reasons: []error{err}, permanent: ctx.Err() == nil, outcome: OutcomeNotDelivered}
		return nil, "", e
	}
	return params, sign, nil
}

// signParams signs parameters of the old gateway. Its error is safe to show.
func (k *keySet) signParams(ctx context.Context, params map[string]string) (string, error) {
	return k.sign(ctx, protocol.OldContent(params, "sign"))
}

// sign signs a text. Its error is safe to show.
func (k *keySet) sign(ctx context.Context, content []byte) (string, error) {
	signature, err := protocol.SignContext(ctx, k.Signer, content)
	if ended := ctx.Err(); ended != nil {
		return "", ended
	}
	if err != nil {
		return "", &signerError{err}
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// commonParams returns the parameters that every request of the old gateway has.
func (k *keySet) commonParams(method string, at time.Time) map[string]string {
	return map[string]string{
		"method":              method,
		"app_id":              k.AppID,
		"timestamp":           protocol.FormatOldTime(at),
		"format":              "json",
		"version":             "1.0",
		"alipay_sdk":          "alipay-go-" + Version,
		"charset":             "UTF-8",
		"sign_type":           "RSA2",
		"app_cert_sn":         k.AppCertSN,  // certificate mode only; one that is empty is left out
		"alipay_root_cert_sn": k.RootCertSN, // certificate mode only
	}
}

// reservedParams are set by the library, and refused in ExecuteRequest.Params.
var reservedParams = map[string]bool{
	"sign": true, "sign_type": true, "app_id": true, "method": true, "timestamp": true, "biz_content": true, "charset": true,
	"version": true, "format": true, "alipay_sdk": true, "app_cert_sn": true, "alipay_root_cert_sn": true, "alipay_cert_sn": true,
	"encrypt_type": true, "notify_url": true, "return_url": true, "app_auth_token": true,
}

// order is a request to the old gateway, checked and encoded once: an order string,
// a page or a call.
type order struct {
	method     string
	bizContent []byte            // before encryption; nil for none
	params     map[string]string // notify_url, return_url and the further ones
}

func newOrder(req *ExecuteRequest) (*order, error) {
	switch {
	case req == nil:
		return nil, errArgument("ExecuteRequest", "the request is nil")
	case req.Method == "" || !isVisibleASCII(req.Method):
		return nil, errArgument("ExecuteRequest.Method", "the method is empty, or holds a space, a control character or one beyond ASCII")
	case !isVisibleASCII(req.AppAuthToken):
		return nil, errArgument("ExecuteRequest.AppAuthToken", "the token holds a space, a control character or one beyond ASCII")
	}
	bizContent, err := encodeBizContent(req.BizContent)
	if err != nil {
		return nil, err
	}
	params := make(map[string]string, len(req.Params)+2)
	for name, value := range req.Params {
		switch {
		case reservedParams[name]:
			return nil, errArgument("ExecuteRequest.Params", "one of them is set by the library: "+name)
		// Beyond ASCII, Go and Java sort names differently.
		case name == "" || strings.ContainsAny(name, "=&") || !isVisibleASCII(name):
			return nil, errArgument("ExecuteRequest.Params", "the name of one is empty, is not visible ASCII, or holds = or &")
		// The gateway replaces what is not UTF-8, and then the signature does not verify.
		case hasControl(value) || !utf8.ValidString(value):
			return nil, errArgument("ExecuteRequest.Params", "the value of one holds a control character, or is not UTF-8")
		}
		if !isBlank(value) {
			params[name] = value
		}
	}
	if params["notify_url"] = req.NotifyURL; req.NotifyURL != "" && !isLink(req.NotifyURL, false) {
		return nil, errArgument("ExecuteRequest.NotifyURL", "it is not an absolute URL with http or https, or holds a control character")
	}
	if params["return_url"] = req.ReturnURL; req.ReturnURL != "" && !isLink(req.ReturnURL, true) {
		return nil, errArgument("ExecuteRequest.ReturnURL", "it is not an absolute URL with http, https or an app's own scheme, or holds a control character")
	}
	return &order{req.Method, bizContent, params}, nil
}

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

// orderParams returns the parameters of an order.
func (k *keySet) orderParams(o *order, appAuthToken string, at time.Time) map[string]string {
	params := k.commonParams(o.method, at)
	maps.Copy(params, o.params)
	params["app_auth_token"] = appAuthToken
	params["biz_content"] = string(o.bizContent)
	if o.bizContent != nil && k.Cipher != nil {
		params["biz_content"] = string(k.Cipher.Encrypt(o.bizContent))
		params["encrypt_type"] = "AES"
	}
	return params
}

// isBlank reports whether s is empty or only white space.
func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// encodeBizContent returns a JSON object without the white space around its
// members: a browser would change the line ends in it, and turns some control
// characters into others, so these are escaped. Nil, also as a pointer or a map, is
// none.
func encodeBizContent(content any) ([]byte, error) {
	var encoded []byte
	var err error
	switch v := content.(type) {
	case string:
		encoded, err = compactJSON([]byte(v))
	case []byte:
		return encodeBizContent(json.RawMessage(v))
	case json.RawMessage:
		if v == nil {
			return nil, nil
		}
		encoded, err = compactJSON(v)
	case io.Reader: // which would encode to an empty object
	default:
		if encoded, err = encodeJSON(v); string(encoded) == "null" {
			return nil, nil
		}
	}
	if err != nil || !bytes.HasPrefix(encoded, []byte("{")) || !utf8.Valid(encoded) {
		return nil, errArgument("ExecuteRequest.BizContent", "it is not a JSON object in UTF-8, and does not encode to one")
	}
	if bytes.ContainsFunc(encoded, unicode.IsControl) {
		for r := rune(0x7f); r <= 0x9f; r++ {
			encoded = bytes.ReplaceAll(encoded, []byte(string(r)), fmt.Appendf(nil, `\u%04X`, r))
		}
	}
	return encoded, nil
}
