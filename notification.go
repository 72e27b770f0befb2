package alipay

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// ErrNotificationSignature: a notification did not pass verification. The error's
// text says which check failed.
var ErrNotificationSignature = errors.New("the notification could not be verified")

// Notification is a message or an asynchronous notification of the platform
// (应用网关消息, 异步通知) whose signature verifies, or the parameters with which the
// platform sends a browser back to the merchant's return_url. The same one may come
// several times, and late: compare the ID.
//
// Its signature covers the values without escaping them. A value that an outsider
// can choose may contain text that reads as further parameters, and the same
// signature covers both readings. So compare the notification with the merchant's
// own record, and never act on it alone.
//
// Printing and logging it shows ID, method, application and time, and no values.
type Notification struct {
	ID         string          // notify_id; empty for the parameters of a return_url
	Method     string          // msg_method of a message, notify_type of a notification, method of a return_url
	AppID      string          // app_id
	Time       time.Time       // utc_timestamp, notify_time or timestamp; zero when it cannot be read
	BizContent json.RawMessage // biz_content of a message; nil when there is none, or it is not JSON
	Values     url.Values      // all of it; values of only white space may be unsigned
}

// Format implements [fmt.Formatter].
func (n Notification) Format(f fmt.State, verb rune) {
	n.shown("ID", "Method", "AppID", "Time", "Values").Format(f, verb)
}

// LogValue implements [slog.LogValuer].
func (n Notification) LogValue() slog.Value {
	return n.shown("notify_id", "method", "app_id", "time", "values").LogValue()
}

func (n Notification) shown(names ...string) redact.Value {
	at := ""
	if !n.Time.IsZero() {
		at = n.Time.UTC().Format(time.RFC3339)
	}
	v := redact.Value{TypeName: "alipay.Notification"}
	for i, text := range []string{n.ID, n.Method, n.AppID, at} {
		v.Fields = append(v.Fields, redact.Field{Name: names[i], Text: redact.Printable(text, maxShownID)})
	}
	v.Fields = append(v.Fields, redact.Count(names[4], len(n.Values)))
	return v
}

// serviceCheck is the service of the request with which the console checks the
// gateway address (应用网关) that a merchant has entered.
const serviceCheck = "alipay.service.check"

// simpleParams never hold & or =. A value that does was joined with its neighbours
// under the same signature, so that one notification would have many ids.
var simpleParams = []string{
	"notify_id", "app_id", "msg_method", "notify_type", "notify_time", "utc_timestamp", "charset", "version", "sign_type",
	"method", "timestamp", "service",
}

// VerifyNotification checks the decoded form of a notification, or the parameters of
// a return_url: the signature, under a key or certificate configured now, and that
// it is for this application. Otherwise the error satisfies
// [ErrNotificationSignature]. values is not changed. The console's check of a gateway
// address verifies, too, with alipay.service.check as its Method.
func (c *Client) VerifyNotification(values url.Values) (*Notification, error) {
	if c == nil || c.transport == nil {
		return nil, errArgument("Client", "this Client was not made by NewClient")
	}
	params, err := protocol.OldParameters(values)
	if err != nil {
		return nil, unverified(err.Error())
	}
	if reason := c.refusal(params); reason != "" {
		return nil, unverified(reason)
	}
	if err := c.keys.Load().verifyNotification(params, c.settings.clock()); err != nil {
		return nil, err
	}
	n := &Notification{
		ID: params["notify_id"], AppID: params["app_id"],
		Method: cmp.Or(params["msg_method"], params["notify_type"], params["method"], params["service"]),
		Values: url.Values(http.Header(values).Clone()),
	}
	if ms, err := strconv.ParseInt(params["utc_timestamp"], 10, 64); err == nil {
		n.Time = time.UnixMilli(ms)
	} else {
		n.Time, _ = protocol.ParseOldTime(cmp.Or(params["notify_time"], params["timestamp"]))
	}
	if content := []byte(params["biz_content"]); json.Valid(content) {
		n.BizContent = content
	}
	return n, nil
}

// unverified says which check failed, and nothing of the values.
func unverified(reason string) error {
	return fmt.Errorf("alipay: %w: %s", ErrNotificationSignature, reason)
}

// refusal says why a form is not believed, whatever its signature says; "" for one
// whose signature decides.
func (c *Client) refusal(params map[string]string) string {
	switch {
	case params["sign"] == "":
		return "it is not signed, there is no sign"
	case params["sign_type"] != "" && params["sign_type"] != "RSA2":
		return "its sign_type is not RSA2"
	case isForeignText(params):
		charset := ""
		if name := params["charset"]; len(name) <= 20 && isToken(name) {
			charset = ", its charset is " + name
		}
		return "its values are not UTF-8" + charset + "; the platform writes a notification in the charset of the request that asked for it, so send that with charset=UTF-8, " +
			"and choose UTF-8 where the console has a charset for the gateway address (应用网关)"
	}
	for _, name := range simpleParams {
		if strings.ContainsAny(params[name], "&=") {
			return "its " + name + " holds & or =, so it was joined with other parameters"
		}
	}
	appID := params["app_id"]
	switch {
	case appID == "" && params["service"] == serviceCheck:
		if check := readCheck(params["biz_content"]); check.AppID != "" && check.AppID != c.appID {
			return "its AppId is not the client's, " + c.appID
		}
	case appID != c.appID:
		return "its app_id is not the client's, " + c.appID
	case params["notify_id"] == "" && !strings.HasSuffix(params["method"], ".return"):
		return "it has no notify_id"
	}
	return ""
}

// isForeignText reports whether the parameters are in another charset than UTF-8.
// Text in GBK may by chance be UTF-8 as well.
func isForeignText(params map[string]string) bool {
	named := strings.ToLower(strings.ReplaceAll(params["charset"], "-", ""))
	for text, value := range params {
		text += value
		ascii := !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
		if !ascii && (named != "" && named != "utf8" || !utf8.ValidString(text)) {
			return true
		}
	}
	return false
}

// gatewayCheck is the biz_content of a [serviceCheck].
type gatewayCheck struct {
	AppID     string `xml:"AppId"`
	EventType string `xml:"EventType"`
}

func readCheck(content string) (check gatewayCheck) {
	decoder := xml.NewDecoder(strings.NewReader(content))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is ASCII, or UTF-8
	_ = decoder.Decode(&check)
	return check
}

// notificationContents are what the signature may cover. It may leave out: for a
// trade, sign and sign_type; for a message, only sign. The SN of the certificate is
// usually not signed.
func notificationContents(params map[string]string) (contents [][]byte) {
	for _, leaveOut := range [][]string{{"sign", "sign_type", "alipay_cert_sn"}, {"sign", "alipay_cert_sn"}, {"sign", "sign_type"}, {"sign"}} {
		contents = append(contents, protocol.OldContent(params, leaveOut...))
	}
	return contents
}

// verifyNotification checks the signature. If it verifies only without the
// parameters that are blank, they are removed from params.
func (k *keySet) verifyNotification(params map[string]string, now time.Time) error {
	keys, err := k.verifier.KeysFor("alipay_cert_sn", params["alipay_cert_sn"], now)
	if err != nil || len(keys) == 0 {
		return fmt.Errorf("%w (%w)", unverified("its certificate, alipay_cert_sn, is not configured or has expired; "+
			"any call fetches the new one, Client.Heartbeat for one, and adding the current 支付宝公钥证书 to AlipayPublicCertContent "+
			"makes it known from the beginning"), ErrUnknownCertificate)
	}
	signatures := protocol.Signatures(params["sign"])
	ok, byKey := protocol.VerifyAny(keys, notificationContents(params), signatures)
	if !ok {
		// Alipay's two Java SDKs differ: 4.40 does not sign a value of only white
		// space, the one for v3 does.
		maps.DeleteFunc(params, func(_, value string) bool { return isBlank(value) })
		ok, _ = protocol.VerifyAny(keys, notificationContents(params), signatures)
	}
	if ok {
		return nil
	}
	reason := "the configured key or certificate of Alipay (支付宝公钥, 支付宝公钥证书) is not the one that signed"
	switch {
	case len(signatures) == 0:
		reason = "its sign is not base64"
	case byKey:
		reason = "the configured key of Alipay has signed other values, so they were changed on the way, or decoded otherwise than sent"
	}
	if strings.Contains(params["sign"], " ") {
		reason += "; its sign holds blanks where + was, so the form was decoded twice"
	}
	return unverified(reason)
}

// NotificationHandler receives notifications: form posts of at most 1 MiB, without
// the query of the address. For each one whose signature verifies it calls handle,
// under the request's context, and answers success only after handle has returned
// nil. Otherwise, and after a panic of handle, it answers fail, and the platform sends
// the notification again, up to 8 times within 25 hours. The same one may also arrive
// several times at once: store its content under its ID before returning nil. The
// console's check of the gateway address (alipay.service.check) is answered without
// handle.
//
// The status is 200 for success, 400 for a notification that does not pass
// verification, 405 and 413 for other requests, and 500 when handle failed. The
// client's logger gets the reason of a refusal, at Warn, and of an error of handle its
// type: errors.As finds the error itself in the attribute "error". No values are
// logged.
func (c *Client) NotificationHandler(handle func(context.Context, *Notification) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, answer, err := c.receive(w, r, handle)
		if err != nil {
			answer = "fail"
			message := "alipay: notification refused"
			if status == http.StatusInternalServerError {
				message = "alipay: notification not handled"
			}
			if c != nil {
				c.settings.warn(r.Context(), message, slog.String("app_id", c.appID), slog.Int("status", status), slog.Any("error", err))
			}
		}
		w.Header().Set("Content-Type", http.DetectContentType([]byte(answer))) // text/plain, or text/xml
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	})
}

func (c *Client) receive(w http.ResponseWriter, r *http.Request, handle func(context.Context, *Notification) error) (status int, answer string, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, "", errors.New("the request is not a POST")
	}
	values, status, err := readForm(w, r)
	if err != nil {
		return status, "", err
	}
	n, err := c.VerifyNotification(values)
	if err != nil {
		return http.StatusBadRequest, "", err
	}
	if n.ID == "" && n.Method == serviceCheck {
		answer, err = c.answerCheck(r.Context(), n)
	} else {
		answer, err = "success", run(r.Context(), handle, n)
	}
	if err != nil {
		return http.StatusInternalServerError, "", err
	}
	return http.StatusOK, answer, nil
}

// readForm returns the form in a request's body, and not the query of the address.
// Its error says what is there instead.
func readForm(w http.ResponseWriter, r *http.Request) (values url.Values, status int, err error) {
	if len(r.PostForm) > 0 { // somebody has parsed the body before
		return r.PostForm, http.StatusOK, nil
	}
	var body []byte
	if r.Body != nil {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	}
	what := ""
	switch start := bytes.TrimSpace(body); {
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, http.StatusRequestEntityTooLarge, errors.New("the body is larger than 1 MiB")
	case errors.Is(err, http.ErrBodyReadAfterClose), err == nil && len(body) == 0 && r.ContentLength != 0:
		what = "the body is gone, somebody has read it before; call ParseForm there, or put the body back"
	case err != nil:
		what = "the body broke off"
	case len(start) == 0:
		what = "the body is empty"
	case start[0] == '{' || start[0] == '[':
		what = "the body is JSON, not a form; nothing on the way may rewrite what the platform sends"
	default:
		if values, err = url.ParseQuery(string(body)); err == nil {
			return values, http.StatusOK, nil
		}
		what = "the body is not a form"
	}
	contentType := cmp.Or(redact.Printable(r.Header.Get("Content-Type"), maxShownID), "none")
	return nil, http.StatusBadRequest, errors.New(what + " (Content-Type: " + contentType + ")")
}

// answerCheck answers the console's check: success, the application's public key,
// and a signature over both. The form is that of the official demos for PHP, .NET
// and Java; no page of the platform describes it any more.
func (c *Client) answerCheck(ctx context.Context, n *Notification) (string, error) {
	if check := readCheck(n.Values.Get("biz_content")); check.EventType != "verifygw" {
		return "", errors.New("it is a check of the gateway address (alipay.service.check), with another EventType than verifygw")
	}
	ctx, cancel := context.WithTimeout(ctx, c.settings.timeout)
	defer cancel()
	keys := c.keys.Load()
	public, _ := x509.MarshalPKIXPublicKey(keys.Signer.Public()) // it is an RSA key, which can be encoded
	content := "<success>true</success><biz_content>" + base64.StdEncoding.EncodeToString(public) + "</biz_content>"
	signature, err := keys.sign(ctx, []byte(content))
	if err != nil {
		return "", err
	}
	sign := base64.StdEncoding.EncodeToString(signature)
	return `<?xml version="1.0" encoding="UTF-8"?><alipay><response>` + content + "</response><sign>" + sign + "</sign><sign_type>RSA2</sign_type></alipay>", nil
}

// handlerError is a failure of the caller's function. Its text shows only the type
// of the caller's error, which errors.As reaches.
type handlerError struct {
	how   string
	cause error
}

func (e *handlerError) Error() string { return "the notification's handler " + e.how }
func (e *handlerError) Unwrap() error { return e.cause }

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e *handlerError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// run calls the caller's function, and turns a panic of it into an error.
func run(ctx context.Context, handle func(context.Context, *Notification) error, n *Notification) (err error) {
	defer func() {
		if what := recover(); what != nil {
			cause, _ := what.(error)
			err = &handlerError{fmt.Sprintf("panicked with a %T", what), cause}
		}
	}()
	if err := handle(ctx, n); err != nil {
		return &handlerError{fmt.Sprintf("failed with a %T", err), err}
	}
	return nil
}
