package alipay

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// ErrNotificationSignature: a notification did not pass verification. The error's
// text says which check failed.
var ErrNotificationSignature = errors.New("the notification could not be verified")

// Notification is a message or an asynchronous notification of the platform
// (应用网关消息, 异步通知) whose signature verifies. The same one may come several
// times, and late: compare the ID.
//
// Its signature covers the values without escaping them. A value that an outsider
// can choose may contain text that reads as further parameters, and the same
// signature covers both readings. So compare the notification with the merchant's
// own record, and never act on it alone.
//
// Printing and logging it shows ID, method, application and time, and none of the
// values.
type Notification struct {
	ID         string          // notify_id
	Method     string          // msg_method of a message, notify_type of a notification
	AppID      string          // app_id
	Time       time.Time       // utc_timestamp or notify_time; zero when neither can be read
	BizContent json.RawMessage // biz_content of a message; nil when there is none, or it is not JSON
	Values     url.Values      // all of it; values of only white space may be unsigned
}

// String shows ID, method, application and time.
func (n Notification) String() string { return n.shown().String() }

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (n Notification) Format(f fmt.State, verb rune) { n.shown().Format(f, verb) }

// LogValue implements [slog.LogValuer] with what String returns.
func (n Notification) LogValue() slog.Value { return n.shown().LogValue() }

func (n Notification) shown() redact.Value {
	at := ""
	if !n.Time.IsZero() {
		at = n.Time.UTC().Format(time.RFC3339)
	}
	return redact.Value{TypeName: "alipay.Notification", Fields: []redact.Field{
		{Name: "ID", Text: redact.Printable(n.ID, maxShownID)}, {Name: "Method", Text: redact.Printable(n.Method, maxShownID)},
		{Name: "AppID", Text: redact.Printable(n.AppID, maxShownID)}, {Name: "Time", Text: at}, redact.Count("Values", len(n.Values)),
	}}
}

// notificationError says which check failed, and nothing of the values.
type notificationError struct {
	reason string
	cause  error // nil, or ErrUnknownCertificate
}

func (e *notificationError) Error() string {
	return "alipay: " + ErrNotificationSignature.Error() + ": " + e.reason
}

func (e *notificationError) Unwrap() []error {
	if e.cause != nil {
		return []error{ErrNotificationSignature, e.cause}
	}
	return []error{ErrNotificationSignature}
}

// VerifyNotification checks the decoded form of a notification: its signature,
// under a key or certificate configured now, and that it is for this application.
// Otherwise the error satisfies [ErrNotificationSignature]. values is not changed.
func (c *Client) VerifyNotification(values url.Values) (*Notification, error) {
	if c == nil || c.transport == nil {
		return nil, errArgument("Client", "this Client was not made by NewClient")
	}
	params, err := protocol.OldParameters(values)
	switch {
	case err != nil:
		return nil, &notificationError{reason: err.Error()}
	case params["sign"] == "":
		return nil, &notificationError{reason: "it is not signed, there is no sign"}
	case params["sign_type"] != "" && params["sign_type"] != "RSA2":
		return nil, &notificationError{reason: "its sign_type is not RSA2"}
	case params["app_id"] != c.appID:
		return nil, &notificationError{reason: "its app_id is not the client's, " + c.appID}
	}
	if err := c.keys.Load().verifyNotification(params, c.settings.clock()); err != nil {
		return nil, err
	}
	n := &Notification{
		ID: params["notify_id"], Method: params["msg_method"], AppID: params["app_id"],
		Values: url.Values(http.Header(values).Clone()),
	}
	if n.Method == "" {
		n.Method = params["notify_type"]
	}
	if ms, err := strconv.ParseInt(params["utc_timestamp"], 10, 64); err == nil {
		n.Time = time.UnixMilli(ms)
	} else if at, err := protocol.ParseOldTime(params["notify_time"]); err == nil {
		n.Time = at
	}
	if content := []byte(params["biz_content"]); json.Valid(content) {
		n.BizContent = content
	}
	return n, nil
}

// notificationForms are the parameters that the signature of a notification may
// leave out: for a trade, sign and sign_type; for a message, only sign. The SN of
// the certificate is usually not signed.
var notificationForms = [][]string{
	{"sign", "sign_type", "alipay_cert_sn"}, {"sign", "alipay_cert_sn"}, {"sign", "sign_type"}, {"sign"},
}

// verifyNotification checks the signature. If it verifies only without the
// parameters that are blank, they are removed from params.
func (k *keySet) verifyNotification(params map[string]string, now time.Time) error {
	signature, err := base64.StdEncoding.DecodeString(params["sign"])
	if err != nil {
		return &notificationError{reason: "its sign is not base64"}
	}
	keys := []*rsa.PublicKey{k.AlipayKey}
	if certs := k.verifier.Certs; certs != nil {
		keys = keys[:0]
		named := strings.ToLower(params["alipay_cert_sn"])
		for _, sn := range slices.Sorted(maps.Keys(certs)) {
			if (named == "" || sn == named) && !now.After(certs[sn].NotAfter) {
				keys = append(keys, certs[sn].Key)
			}
		}
		if len(keys) == 0 {
			return &notificationError{"its certificate, alipay_cert_sn, is not configured or has expired; add the current 支付宝公钥证书 to AlipayPublicCertContent", ErrUnknownCertificate}
		}
	}
	if signedByOne(keys, params) {
		return nil
	}
	// Alipay's two Java SDKs differ: 4.40 does not sign a value of only white
	// space, the one for v3 does.
	sent := len(params)
	maps.DeleteFunc(params, func(_, value string) bool { return isBlank(value) })
	if len(params) < sent && signedByOne(keys, params) {
		return nil
	}
	for _, key := range keys {
		if _, byKey := protocol.SignedDigest(key, signature); byKey {
			return &notificationError{reason: "the configured key of Alipay has signed other values, so they were changed on the way, or decoded otherwise than sent"}
		}
	}
	return &notificationError{reason: "the configured key or certificate of Alipay (支付宝公钥, 支付宝公钥证书) is not the one that signed"}
}

// signedByOne reports whether one of the keys has signed params in one of the
// notificationForms.
func signedByOne(keys []*rsa.PublicKey, params map[string]string) bool {
	for _, key := range keys {
		for _, leaveOut := range notificationForms {
			if protocol.Verify(key, protocol.OldContent(params, leaveOut...), params["sign"]) == nil {
				return true
			}
		}
	}
	return false
}

// maxNotification bounds the body of a notification.
const maxNotification = 1 << 20

// NotificationHandler receives notifications: form posts of at most 1 MiB. A query
// in the address is not part of the form. For each one whose signature verifies it
// calls handle, under the request's context, and answers success only after handle
// has returned nil. Otherwise, and after a panic of handle, it answers fail, and
// the platform sends the notification again, up to 8 times within 25 hours. The
// same one may also arrive several times at once: store its content under its ID
// before returning nil.
//
// The status is 200 for success, 400 for a notification that does not pass
// verification, 405 and 413 for other requests, and 500 when handle failed. No
// values are logged; the client's logger gets the reason of a refusal, at Warn.
func (c *Client) NotificationHandler(handle func(context.Context, *Notification) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, reason := c.receive(w, r, handle)
		answer := "success"
		if status != http.StatusOK {
			answer = "fail"
			if c != nil && c.settings.logger != nil {
				c.settings.logger.LogAttrs(r.Context(), slog.LevelWarn, "alipay: notification refused",
					slog.String("app_id", c.appID), slog.Int("status", status), slog.String("error", reason))
			}
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	})
}

func (c *Client) receive(w http.ResponseWriter, r *http.Request, handle func(context.Context, *Notification) error) (status int, reason string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, "the request is not a POST"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotification))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB"
	case err != nil:
		return http.StatusBadRequest, "the body broke off"
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return http.StatusBadRequest, "the body is not a form"
	}
	notification, err := c.VerifyNotification(values)
	if err != nil {
		return http.StatusBadRequest, briefly(err)
	}
	status, reason = http.StatusInternalServerError, "the handler panicked"
	defer func() {
		if what := recover(); what != nil {
			reason = fmt.Sprintf("the handler panicked with a %T", what)
		}
	}()
	if err := handle(r.Context(), notification); err != nil {
		return http.StatusInternalServerError, fmt.Sprintf("the handler returned a %T", err)
	}
	return http.StatusOK, ""
}
