package alipay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-39a49030/alipay/internal/hints"
	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// Why an answer is not accepted. An error that satisfies one of these satisfies
// ErrOutcomeUnknown too, unless the answer is still a refusal: a 4xx without a
// signature, or with one that verifies.
var (
	ErrResponseUnsigned  = protocol.ErrUnsigned        // it must be signed, and is not
	ErrResponseSignature = protocol.ErrAnswerSignature // its signature does not verify
	// ErrResponseAltered: the configured key of Alipay has signed other content, so the
	// answer was changed on its way, in a way that cannot be undone. It satisfies
	// ErrResponseSignature too. WaitForResult goes on asking, since the next answer may
	// arrive as it was sent.
	ErrResponseAltered    = protocol.ErrAltered
	ErrUnknownCertificate = protocol.ErrUnknownCertificate // its certificate (alipay-sn) is not configured, or has expired
	ErrResponseStale      = protocol.ErrStale              // its timestamp is missing, or off by more than WithMaxClockSkew
	// ErrResponseReplayed: this client has received it before, or it comes from a cache:
	// it has an Age header, or the RoundTripper shows no sign of having sent the request.
	// CallError.Answer keeps one from a cache, which may be the right one.
	ErrResponseReplayed = protocol.ErrReplayed
	// ErrResponseMismatch: it names another user (user_id, open_id) or agreement than was
	// asked for. CallError.Answer may be its owner's only copy: see WithoutUserCheck.
	ErrResponseMismatch = errors.New("the answer is about another user or agreement than the one asked for, so something between the gateway and here mixes answers up")
	ErrDecrypt          = errors.New("the answer could not be decrypted")               // with EncryptKey
	ErrResponseTooLarge = errors.New("the answer is larger than allowed")               // by WithMaxResponseBytes
	ErrRedirect         = errors.New("the answer is a redirect, which is not followed") // of the gateway or a proxy
)

// ErrStillWaiting: WaitForResult ended before a final result came.
var ErrStillWaiting = errors.New("no final result has come yet")

// ArgumentError reports a mistake in the arguments of a call, never with the given
// values. Nothing was sent: the error of the call satisfies [ErrNotDelivered], and is
// not [Retryable].
type ArgumentError struct {
	Argument string // as in "Request.Path", "WithHeader" or "ctx"
	Reason   string // what is wrong with it
}

func (e *ArgumentError) Error() string { return "alipay: argument " + e.Argument + ": " + e.Reason }

// APIError is an answer of the gateway that is not a success. It satisfies errors.Is
// for its Code, and for ErrOutcomeUnknown or ErrNotDelivered where they apply.
//
// Code, Message and Links are empty where the body has none, such as the HTML page of
// a proxy. Values that were sent are masked in Message and Links. Header and Body are
// as received (the body decrypted), for the caller only: text, fmt, logs and JSON
// leave them out.
type APIError struct {
	StatusCode int         // HTTP status
	Code       ErrorCode   // code, as it came
	Message    string      // message, with the values that were sent masked
	Links      []ErrorLink // links, in either of its two forms
	TraceID    string      // alipay-trace-id: quote it to Alipay's support
	RequestID  string      // alipay-request-id of the attempt
	Attempts   int         // attempts made by the call, this one included
	Header     http.Header // header of the answer
	Body       []byte      // body of the answer
	Verified   bool        // the answer was signed, and the signature verified

	info      CallInfo  // of the call
	gateway   ErrorCode // code, where Code is sub_code
	old       bool      // from the old gateway, whose refusals have status 200
	shownCode string    // Code with the values that were sent masked, where that differs
	cause     error     // why the body could not be read, where it could not
}

// Error says what the gateway answered, with the ids that Alipay's support asks for.
func (e *APIError) Error() string {
	text := "alipay: " + e.brief()
	if sentinel := sentinels[e.outcome()]; sentinel != nil {
		text += "; " + sentinel.Error()
	}
	return text + shownIDs(e.info.AppID, e.TraceID, e.RequestID, e.Attempts)
}

// brief is the text without place, outcome and ids.
func (e *APIError) brief() string {
	text := fmt.Sprintf("%s (%d)", e.printedCode(), e.StatusCode)
	if e.Code == "" {
		text = fmt.Sprintf("HTTP status %d without an error code", e.StatusCode)
	}
	if e.Message != "" {
		text += ": " + redact.Printable(e.Message, maxShownMessage)
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Is reports whether target is the error's code, with or without the old gateway's
// prefix, or the sentinel of its outcome.
func (e *APIError) Is(target error) bool {
	if code, ok := target.(ErrorCode); ok {
		return code == e.Code || code == e.Code.bare()
	}
	return target == sentinels[e.outcome()]
}

// Unwrap returns why the answer's body could not be read, where it could not.
func (e *APIError) Unwrap() error { return e.cause }

// outcome is unknown unless the gateway refuses expressly, since a once_token may
// be spent. With 429 and the throttle codes it refuses because of load, before it
// processes the request. A verified code means what it means under any status that
// would be a success.
func (e *APIError) outcome() Outcome {
	byCode := e.Code.outcome()
	if byCode == OutcomeRejected {
		byCode = e.gateway.outcome()
	}
	switch status := e.StatusCode; {
	case byCode == OutcomeUnknown, e.gateway == oldUnavailable:
		return OutcomeUnknown
	case (e.Verified || e.old) && status >= 200 && status < 300:
		return byCode
	case status >= 500, status == http.StatusRequestTimeout, status >= 100 && status < 400:
		return OutcomeUnknown
	case status == http.StatusTooManyRequests:
		return OutcomeNotDelivered
	}
	return byCode
}

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e APIError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// LogValue implements [slog.LogValuer] without Header and Body.
func (e APIError) LogValue() slog.Value { return slog.GroupValue(e.shown()...) }

// MarshalJSON writes the error without Header and Body.
func (e APIError) MarshalJSON() ([]byte, error) { return asJSON(e.shown()) }

func (e *APIError) shown() []slog.Attr {
	at := new(CallError)
	at.like(e)
	return at.show(e, slog.String("code", e.printedCode()), slog.String("message", redact.Printable(e.Message, maxShownMessage)),
		slog.Any("links", e.Links), slog.String("hint", e.Hint()), slog.Bool("verified", e.Verified))
}

// Hint says what the error means and what to do about it, "" when that is not known.
func (e *APIError) Hint() string { return e.hint().EN }

// HintZH is Hint in Chinese.
func (e *APIError) HintZH() string { return e.hint().ZH }

func (e *APIError) hint() hints.Text {
	code, status := e.Code, e.StatusCode
	if !hints.Known(string(code)) {
		code = code.bare()
	}
	if e.old && status == http.StatusOK { // which says nothing
		status = 0
	}
	return hints.For(cmp.Or(e.info.Path, jobworthPath), string(code), status) // an error that a test has made is about the query
}

// of says which answer of which call the error is.
func (e *APIError) of(info *CallInfo, a *answer, requestID string, attempts int) *APIError {
	e.info, e.StatusCode, e.Header, e.TraceID, e.RequestID, e.Attempts = *info, a.status, a.header, a.traceID(), requestID, attempts
	return e
}

func (e *APIError) printedCode() string {
	if e.shownCode != "" {
		return e.shownCode
	}
	return redact.Printable(string(e.Code), maxShownID)
}

// CallError is any failure of a call that is not an [APIError]: no answer came, it
// could not be accepted, or nothing was sent. It satisfies errors.Is and errors.As for
// its causes: ErrOutcomeUnknown or ErrNotDelivered, why an answer was not accepted, an
// [ArgumentError], the context's error, and causes from the network that are safe to
// show.
type CallError struct {
	Method     string // GET or POST, for example; "" when the call was refused for its arguments
	Host       string // of the gateway, or the reverse proxy in front of it
	Path       string // without the query
	StatusCode int    // HTTP status, 0 without an answer
	Stage      Stage  // where it ended, "" when an answer came or nothing was sent
	Attempts   int    // attempts made by the call
	TraceID    string // alipay-trace-id, "" without an answer
	RequestID  string // alipay-request-id of the last attempt

	// Answer is a signed answer that could not be accepted, perhaps the only copy of a
	// result: store it, and open it with [Client.Open] once the cause is fixed.
	Answer *SealedAnswer

	appID     string
	what      string  // what happened, "" when the reasons say it
	reasons   []error // shown, in this order, and unwrapped
	cause     error   // unwrapped, not shown
	outcome   Outcome
	permanent bool      // repeating the call as it is cannot help
	keeps     keptState // of Answer
}

// errArgument reports a mistake in a call's arguments, found before sending.
func errArgument(argument, reason string) error {
	return &CallError{reasons: []error{&ArgumentError{argument, reason}}, outcome: OutcomeNotDelivered, permanent: true}
}

// at says which call the error is about.
func (e *CallError) at(info *CallInfo) *CallError {
	e.Method, e.Host, e.Path, e.appID = info.Method, info.Host, info.Path, info.AppID
	return e
}

// like copies from the error of an attempt which call it is about.
func (e *CallError) like(err error) {
	if failed, ok := errors.AsType[*CallError](err); ok {
		e.Method, e.Host, e.Path, e.appID = failed.Method, failed.Host, failed.Path, failed.appID
		e.StatusCode, e.Stage, e.Attempts, e.TraceID, e.RequestID = failed.StatusCode, failed.Stage, failed.Attempts, failed.TraceID, failed.RequestID
	} else if refused, ok := errors.AsType[*APIError](err); ok {
		e.at(&refused.info)
		e.StatusCode, e.Attempts, e.TraceID, e.RequestID = refused.StatusCode, refused.Attempts, refused.TraceID, refused.RequestID
	}
}

// Error says what happened, where, and what that means, with the ids that Alipay's
// support asks for.
func (e *CallError) Error() string {
	text := "alipay: "
	if e.Method != "" {
		text += e.Method + " " + e.Host + e.Path + ": "
	}
	text += e.brief()
	switch {
	case e.outcome == OutcomeNotDelivered && e.permanent:
		text += "; nothing was sent"
	case sentinels[e.outcome] != nil:
		text += "; " + sentinels[e.outcome].Error()
	}
	switch {
	case e.Answer != nil && (e.keeps == keepsDamaged || e.StatusCode >= 300 && errors.Is(e, errNoSuccess)):
		text += "; what came is kept in CallError.Answer"
	case e.Answer != nil:
		text += "; the answer is kept in CallError.Answer: store it, and open it after fixing the cause"
	}
	return text + shownIDs(e.appID, e.TraceID, e.RequestID, e.Attempts)
}

// brief is the text without place, outcome and ids.
func (e *CallError) brief() string {
	var parts []string
	if e.what != "" {
		parts = append(parts, e.what)
	}
	for _, reason := range e.reasons {
		parts = append(parts, briefly(reason))
	}
	return strings.Join(parts, ": ")
}

// briefly is the text of an error inside that of another.
func briefly(err error) string {
	if e, ok := err.(interface{ brief() string }); ok {
		return e.brief()
	}
	return strings.TrimPrefix(err.Error(), "alipay: ")
}

// Is reports whether target is the sentinel of the error's outcome.
func (e *CallError) Is(target error) bool { return target == sentinels[e.outcome] }

// Unwrap returns the causes of the error.
func (e *CallError) Unwrap() []error {
	if e.cause != nil {
		return append(slices.Clip(e.reasons), e.cause)
	}
	return e.reasons
}

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e CallError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// LogValue implements [slog.LogValuer] with the same members as [APIError].
func (e CallError) LogValue() slog.Value { return slog.GroupValue(e.shown()...) }

// MarshalJSON writes the same members as [APIError].
func (e CallError) MarshalJSON() ([]byte, error) { return asJSON(e.shown()) }

func (e *CallError) shown() []slog.Attr {
	if refused, ok := errors.AsType[*APIError](e); ok { // among the causes
		shown := refused.shown()
		shown[0], shown[1] = slog.String("error", e.Error()), slog.String("outcome", OutcomeOf(e).String())
		return shown
	}
	return e.show(e)
}

// show is what logs and JSON show, in this order and without what is empty, of an error
// of the call and attempt that e names.
func (e *CallError) show(err error, answered ...slog.Attr) []slog.Attr {
	shown := []slog.Attr{slog.String("error", err.Error()), slog.String("outcome", OutcomeOf(err).String()), slog.Int("status", e.StatusCode)}
	shown = append(append(shown, answered...),
		slog.String("trace_id", redact.Printable(e.TraceID, maxShownID)), slog.String("request_id", redact.Printable(e.RequestID, maxShownID)),
		slog.Int("attempts", e.Attempts), slog.String("method", e.Method), slog.String("host", e.Host), slog.String("path", e.Path),
		slog.String("stage", string(e.Stage)))
	return slices.DeleteFunc(shown, func(a slog.Attr) bool {
		links, isLinks := a.Value.Any().([]ErrorLink)
		return a.Value.Equal(slog.StringValue("")) || a.Value.Equal(slog.IntValue(0)) || isLinks && len(links) == 0
	})
}

func asJSON(attrs []slog.Attr) ([]byte, error) {
	members := make([][]byte, len(attrs))
	for i, a := range attrs {
		member, _ := json.Marshal(map[string]any{a.Key: a.Value.Any()}) // a string, a number or links
		members[i] = member[1 : len(member)-1]
	}
	return fmt.Appendf(nil, "{%s}", bytes.Join(members, []byte{','})), nil
}

// How much is kept of an error answer's texts, in bytes, and how many of its links,
// and how much is shown. The whole answer is in APIError.Body.
const (
	maxMessage      = 8 << 10
	maxLink         = 1 << 10
	maxLinks        = 16
	maxID           = 1 << 10 // a code, or a trace id
	maxShownMessage = 512
	maxShownID      = 128
)

func shownIDs(appID, traceID, requestID string, attempts int) string {
	text := ""
	for _, id := range [...]struct{ name, value string }{{"app", appID}, {"trace", traceID}, {"request", requestID}} {
		if id.value != "" {
			text += " [" + id.name + " " + redact.Printable(id.value, maxShownID) + "]"
		}
	}
	if attempts > 1 {
		text += " [attempts " + strconv.Itoa(attempts) + "]"
	}
	return text
}
