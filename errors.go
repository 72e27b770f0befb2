package alipay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// What may have happened. Every error of a call is one of three: it satisfies
// ErrOutcomeUnknown, or it satisfies ErrNotDelivered, or it satisfies neither
// and the gateway has answered no. It never satisfies both.
var (
	// ErrOutcomeUnknown: the request may have reached the gateway, and no
	// trustworthy answer came. A once_token may have been spent by it.
	ErrOutcomeUnknown = errors.New("outcome unknown: the request may have reached the gateway and no trustworthy answer came")
	// ErrNotDelivered: certainly nothing happened. The call may be repeated; one
	// that was refused for a mistake of its own, with a *[ConfigError], once that
	// is mended.
	ErrNotDelivered = errors.New("not delivered: nothing happened, the call may be repeated")
)

// Why an answer was not taken. An error that satisfies one of these satisfies
// ErrOutcomeUnknown too, unless the answer was a no all the same: a 4xx that
// carries no signature, or whose signature held.
var (
	// ErrResponseUnsigned: an answer that must be signed carries no signature.
	ErrResponseUnsigned = errors.New("the answer is not signed")
	// ErrResponseSignature: the signature of the answer does not hold.
	ErrResponseSignature = errors.New("the answer's signature does not verify")
	// ErrResponseStale: the answer's timestamp is missing or further from the
	// local clock than WithMaxClockSkew allows.
	ErrResponseStale = errors.New("the answer is stale")
	// ErrUnknownCertificate: the answer names a certificate (alipay-sn) that is
	// not configured.
	ErrUnknownCertificate = errors.New("the answer is signed under a certificate that is not configured")
	// ErrDecrypt: the answer could not be decrypted with EncryptKey.
	ErrDecrypt = errors.New("the answer could not be decrypted")
	// ErrResponseTooLarge: the answer is larger than WithMaxResponseBytes.
	ErrResponseTooLarge = errors.New("the answer is larger than allowed")
	// ErrRedirect: the gateway, or a proxy, answered with a redirect. It was
	// not followed.
	ErrRedirect = errors.New("the answer is a redirect, which is not followed")
)

// ErrStillWaiting: WaitForResult ended before a final result came.
var ErrStillWaiting = errors.New("no final result has come yet")

// ConfigError reports a mistake in an [AlipayConfig], an option or the arguments
// of a call. Its text and fields never hold what was given.
type ConfigError struct {
	// Field is the field as in AlipayConfig, or the name of the option or argument.
	Field string
	// Reason says what was found and what to do about it.
	Reason string
}

func (e *ConfigError) Error() string {
	return "alipay: config " + e.Field + ": " + e.Reason
}

// ErrorLink is a page of the platform that explains an error.
type ErrorLink struct {
	Link string `json:"link"`
	Desc string `json:"desc,omitempty"`
}

// APIError is an answer of the gateway that is not a success. It satisfies
// errors.Is for its Code, and for ErrOutcomeUnknown or ErrNotDelivered where
// they apply:
//
//	if errors.Is(err, alipay.CodeTokenInvalid) { … }
//
// Code, Message and Links come from the answer's body; a body that holds none,
// such as the HTML page of a proxy, leaves them empty. Values that were sent
// are masked in Message and Links wherever the gateway repeats them. Header and
// Body are as received (the body decrypted), for the caller's eyes: they are
// no part of the text, of any verb of fmt, of logs or of JSON.
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
	Verified   bool        // the answer was signed, and the signature held

	shownCode string // Code with the values that were sent masked, where that differs
	cause     error  // why the body could not be read, where it could not
}

// Error says what the gateway answered, with the ids that Alipay's support
// asks for, and nothing personal.
func (e *APIError) Error() string {
	var b strings.Builder
	b.WriteString("alipay: ")
	if e.Code != "" {
		fmt.Fprintf(&b, "%s (%d)", e.printedCode(), e.StatusCode)
	} else {
		fmt.Fprintf(&b, "HTTP status %d without an error code", e.StatusCode)
	}
	if e.Message != "" {
		b.WriteString(": " + printable(e.Message, maxShownMessage))
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	if o := e.outcome(); o != answeredNo {
		b.WriteString("; " + o.sentinel().Error())
	}
	writeIDs(&b, e.TraceID, e.RequestID, e.Attempts)
	return b.String()
}

// Is reports whether target is the error's code, or the sentinel of what may
// have happened.
func (e *APIError) Is(target error) bool {
	if code, ok := target.(ErrorCode); ok {
		return code == e.Code
	}
	sentinel := e.outcome().sentinel()
	return sentinel != nil && target == sentinel
}

// Unwrap returns why the answer's body could not be read, where it could not.
func (e *APIError) Unwrap() error { return e.cause }

// outcome: a once_token may be spent unless the gateway says no in so many
// words. 429 and the throttle codes are refusals for load, before the request
// was looked at.
func (e *APIError) outcome() outcome {
	switch {
	case e.Code == CodeSystemError, e.Code == CodeUnknowError:
		return outcomeUnknown
	case e.StatusCode >= 500, e.StatusCode == http.StatusRequestTimeout,
		e.StatusCode >= 100 && e.StatusCode < 400:
		return outcomeUnknown
	case e.StatusCode == http.StatusTooManyRequests,
		e.Code == CodeAppCallLimited, e.Code == CodeMethodCallLimited:
		return notDelivered
	}
	return answeredNo
}

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e APIError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// LogValue implements [slog.LogValuer] without Header and Body.
func (e APIError) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.Int("status", e.StatusCode),
		slog.String("code", e.printedCode()),
		slog.String("message", printable(e.Message, maxShownMessage)),
		slog.String("trace_id", printable(e.TraceID, maxShownID)),
		slog.String("request_id", printable(e.RequestID, maxShownID)),
		slog.Int("attempts", e.Attempts),
		slog.Bool("verified", e.Verified),
		slog.String("outcome", e.outcome().String()),
	}
	if hint := e.Hint(); hint != "" {
		attrs = append(attrs, slog.String("hint", hint))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON writes the error without Header and Body.
func (e APIError) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Status    int         `json:"status"`
		Code      string      `json:"code,omitempty"`
		Message   string      `json:"message,omitempty"`
		Links     []ErrorLink `json:"links,omitempty"`
		TraceID   string      `json:"trace_id,omitempty"`
		RequestID string      `json:"request_id,omitempty"`
		Attempts  int         `json:"attempts,omitempty"`
		Verified  bool        `json:"verified"`
		Outcome   string      `json:"outcome"`
		Hint      string      `json:"hint,omitempty"`
	}{e.StatusCode, e.printedCode(), printable(e.Message, maxShownMessage), e.Links,
		printable(e.TraceID, maxShownID), printable(e.RequestID, maxShownID),
		e.Attempts, e.Verified, e.outcome().String(), e.Hint()})
}

func (e *APIError) printedCode() string {
	if e.shownCode != "" {
		return e.shownCode
	}
	return printable(string(e.Code), maxShownID)
}

// outcome is what an error means for the caller.
type outcome int

const (
	answeredNo outcome = iota
	outcomeUnknown
	notDelivered
)

func (o outcome) sentinel() error {
	switch o {
	case outcomeUnknown:
		return ErrOutcomeUnknown
	case notDelivered:
		return ErrNotDelivered
	}
	return nil
}

func (o outcome) String() string {
	switch o {
	case outcomeUnknown:
		return "unknown"
	case notDelivered:
		return "not delivered"
	}
	return "answered no"
}

// callError is every failure of a call other than an APIError: where it
// happened, what, and the ids, in a text of its own making. Its reasons are
// sentinels and causes that [safeCause] let through.
type callError struct {
	where     string // method, host and path; never a query
	what      string // what happened, "" when the reasons say it
	reasons   []error
	traceID   string
	requestID string
	attempts  int

	cause     error   // of an earlier call: reachable, not printed
	permanent bool    // repeating it cannot help: refused before sending
	retryNow  bool    // a reused connection was dead before anything was written
	outcome   outcome // also among the reasons
}

// errRefused reports a mistake in a call, which was refused before sending.
func errRefused(field, reason string) error {
	return &callError{reasons: []error{&ConfigError{field, reason}, ErrNotDelivered}, outcome: notDelivered, permanent: true}
}

func (e *callError) Error() string {
	var b strings.Builder
	b.WriteString("alipay: ")
	if e.where != "" {
		b.WriteString(e.where + ": ")
	}
	separator := ""
	if e.what != "" {
		b.WriteString(e.what)
		separator = ": "
	}
	for _, reason := range e.reasons {
		text := reason.Error()
		if reason == ErrOutcomeUnknown || reason == ErrNotDelivered {
			separator = "; "
		}
		if reason == ErrNotDelivered && e.permanent {
			text = "nothing was sent"
		}
		b.WriteString(separator + strings.TrimPrefix(text, "alipay: "))
		separator = ": "
	}
	writeIDs(&b, e.traceID, e.requestID, e.attempts)
	return b.String()
}

func (e *callError) Unwrap() []error {
	if e.cause != nil {
		return append(slices.Clip(e.reasons), e.cause)
	}
	return e.reasons
}

// Format keeps every verb of fmt to the text: %#v would print the fields.
func (e *callError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// MarshalJSON writes the text.
func (e *callError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"error": e.Error()})
}

const (
	maxShownMessage = 512
	maxShownID      = 128
)

func writeIDs(b *strings.Builder, traceID, requestID string, attempts int) {
	if traceID != "" {
		b.WriteString(" [trace " + printable(traceID, maxShownID) + "]")
	}
	if requestID != "" {
		b.WriteString(" [request " + printable(requestID, maxShownID) + "]")
	}
	if attempts > 1 {
		b.WriteString(" [attempts " + strconv.Itoa(attempts) + "]")
	}
}

// printable keeps what the other side wrote from breaking a log line: control
// characters become spaces and the length is bounded, in characters.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	n := 0
	for i := range s {
		if n++; n > limit {
			return s[:i] + "…"
		}
	}
	return s
}
