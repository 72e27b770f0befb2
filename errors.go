package alipay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-39a49030/alipay/internal/protocol"
	"github.com/seed-39a49030/alipay/internal/redact"
)

// Outcome says what may have happened.
type Outcome int

// Every call has one of these outcomes.
const (
	OutcomeSuccess      Outcome = iota // there is a verified answer
	OutcomePending                     // a wait ended with the answer still WAITING_VERIFY
	OutcomeRejected                    // the gateway answered no
	OutcomeUnknown                     // the request may have taken effect: a once_token may be spent
	OutcomeNotDelivered                // certainly nothing happened
)

// String returns success, pending, rejected, unknown or not_delivered.
func (o Outcome) String() string {
	switch o {
	case OutcomeSuccess:
		return "success"
	case OutcomePending:
		return "pending"
	case OutcomeRejected:
		return "rejected"
	case OutcomeNotDelivered:
		return "not_delivered"
	}
	return "unknown"
}

func (o Outcome) sentinel() error {
	switch o {
	case OutcomeUnknown:
		return ErrOutcomeUnknown
	case OutcomeNotDelivered:
		return ErrNotDelivered
	}
	return nil
}

// OutcomeOf says what an error of a call, or of WaitForResult, means. A bare
// [ErrorCode] has the outcome of that code. Any other error is [OutcomeUnknown],
// since nothing is known about it.
func OutcomeOf(err error) Outcome {
	var refused *APIError
	var code ErrorCode
	switch {
	case err == nil:
		return OutcomeSuccess
	case errors.Is(err, ErrOutcomeUnknown):
		return OutcomeUnknown
	case errors.Is(err, ErrNotDelivered), isMistake(err):
		return OutcomeNotDelivered
	case errors.Is(err, ErrStillWaiting):
		return OutcomePending
	case errors.As(err, &refused):
		return refused.outcome()
	case errors.As(err, &code):
		return code.outcome()
	}
	return OutcomeUnknown
}

// Retryable reports whether the same call may be repeated as it is: nothing was
// delivered, and not because of a mistake of the caller or its Signer. The library
// has already retried it as far as [RetryPolicy] allows.
func Retryable(err error) bool {
	var failed *CallError
	return OutcomeOf(err) == OutcomeNotDelivered && !isMistake(err) && !(errors.As(err, &failed) && failed.mistake)
}

// isMistake finds the mistakes that are reported before anything is sent.
func isMistake(err error) bool {
	var argument *ArgumentError
	var config *ConfigError
	return errors.As(err, &argument) || errors.As(err, &config)
}

// outcome is what the code alone implies.
func (c ErrorCode) outcome() Outcome {
	switch c {
	case CodeSystemError, CodeUnknowError:
		return OutcomeUnknown
	case CodeAppCallLimited, CodeMethodCallLimited:
		return OutcomeNotDelivered
	}
	return OutcomeRejected
}

// What may have happened; [OutcomeOf] returns it as an [Outcome].
var (
	// ErrOutcomeUnknown: the request may have reached the gateway, and no
	// trustworthy answer came. A once_token may have been spent by it.
	ErrOutcomeUnknown = errors.New("outcome unknown: the request may have reached the gateway and no trustworthy answer came")
	// ErrNotDelivered: certainly nothing happened. [Retryable] reports whether the
	// same call may be repeated as it is.
	ErrNotDelivered = errors.New("not delivered: nothing happened, the call may be repeated")
)

// Why an answer is not accepted. An error that satisfies one of these satisfies
// ErrOutcomeUnknown too, unless the answer is still a refusal: a 4xx without a
// signature, or with one that verifies.
var (
	// ErrResponseUnsigned: an answer that must be signed carries no signature.
	ErrResponseUnsigned = protocol.ErrUnsigned
	// ErrResponseSignature: the signature of the answer does not verify.
	ErrResponseSignature = protocol.ErrAnswerSignature
	// ErrResponseAltered: the configured key of Alipay has signed other content,
	// so the answer was changed on the way. It satisfies ErrResponseSignature too.
	ErrResponseAltered = protocol.ErrAltered
	// ErrResponseStale: the answer's timestamp is missing, or further from the
	// local clock than WithMaxClockSkew allows.
	ErrResponseStale = protocol.ErrStale
	// ErrResponseReplayed: the answer does not belong to this request. This client
	// has received it before, or it comes from a cache: it has an Age header, or the
	// RoundTripper shows no sign of having sent the request. An answer from a cache
	// may still be the right one, so CallError.Answer keeps it.
	ErrResponseReplayed = protocol.ErrReplayed
	// ErrResponseMismatch: the answer names another user, by UserID or OpenID, or
	// another agreement than the one that was asked for.
	ErrResponseMismatch = errors.New("the answer is about another user or agreement than the one asked for, so something between the gateway and here mixes answers up")
	// ErrUnknownCertificate: the answer names a certificate (alipay-sn) that is
	// not configured, or that has expired.
	ErrUnknownCertificate = protocol.ErrUnknownCertificate
	// ErrDecrypt: the answer could not be decrypted with EncryptKey.
	ErrDecrypt = errors.New("the answer could not be decrypted")
	// ErrResponseTooLarge: the answer is larger than WithMaxResponseBytes.
	ErrResponseTooLarge = errors.New("the answer is larger than allowed")
	// ErrRedirect: the gateway, or a proxy, answered with a redirect, which is
	// not followed.
	ErrRedirect = errors.New("the answer is a redirect, which is not followed")
)

// ErrStillWaiting: WaitForResult ended before a final result came.
var ErrStillWaiting = errors.New("no final result has come yet")

// ArgumentError reports a mistake in the arguments of a call. Nothing was sent:
// the error of the call satisfies [ErrNotDelivered], and is not [Retryable]. Its
// text and fields never contain the given values.
type ArgumentError struct {
	Argument string // as in "Request.Path", "WithHeader" or "ctx"
	Reason   string // what is wrong with it
}

func (e *ArgumentError) Error() string { return "alipay: argument " + e.Argument + ": " + e.Reason }

// APIError is an answer of the gateway that is not a success. It satisfies
// errors.Is for its Code, and for ErrOutcomeUnknown or ErrNotDelivered where
// they apply:
//
//	if errors.Is(err, alipay.CodeTokenInvalid) { … }
//
// Code, Message and Links come from the answer's body. A body that has none, such
// as the HTML page of a proxy, leaves them empty. Values that were sent are masked
// in Message and Links where the gateway repeats them. Header and Body are as
// received (the body decrypted), for the caller only: the error's text, all verbs
// of fmt, logs and JSON leave them out.
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

	where     place
	shownCode string // Code with the values that were sent masked, where that differs
	cause     error  // why the body could not be read, where it could not
}

// Error says what the gateway answered, with the ids that Alipay's support asks
// for, and nothing personal.
func (e *APIError) Error() string {
	text := "alipay: " + e.brief()
	if sentinel := e.outcome().sentinel(); sentinel != nil {
		text += "; " + sentinel.Error()
	}
	return text + shownIDs(e.where.appID, e.TraceID, e.RequestID, e.Attempts)
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

// Is reports whether target is the error's code, or the sentinel of its outcome.
func (e *APIError) Is(target error) bool {
	if code, ok := target.(ErrorCode); ok {
		return code == e.Code
	}
	sentinel := e.outcome().sentinel()
	return sentinel != nil && target == sentinel
}

// Unwrap returns why the answer's body could not be read, where it could not.
func (e *APIError) Unwrap() error { return e.cause }

// outcome is unknown unless the gateway refuses expressly, since a once_token may
// be spent. With 429 and the throttle codes it refuses because of load, before it
// processes the request.
func (e *APIError) outcome() Outcome {
	byCode := e.Code.outcome()
	switch {
	case byCode == OutcomeUnknown:
		return OutcomeUnknown
	case e.StatusCode >= 500, e.StatusCode == http.StatusRequestTimeout,
		e.StatusCode >= 100 && e.StatusCode < 400:
		return OutcomeUnknown
	case e.StatusCode == http.StatusTooManyRequests:
		return OutcomeNotDelivered
	}
	return byCode
}

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e APIError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// LogValue implements [slog.LogValuer] without Header and Body.
func (e APIError) LogValue() slog.Value { return e.shown().logValue() }

// MarshalJSON writes the error without Header and Body.
func (e APIError) MarshalJSON() ([]byte, error) { return json.Marshal(e.shown()) }

// GobEncode implements [encoding/gob.GobEncoder] and always fails: it would carry
// Header and Body. The JSON of the error does not.
func (e APIError) GobEncode() ([]byte, error) { return nil, errNoGob }

func (e *APIError) shown() shownError {
	return shownError{
		Error: e.Error(), Outcome: e.outcome().String(),
		Status: e.StatusCode, Code: e.printedCode(), Message: redact.Printable(e.Message, maxShownMessage), Links: e.Links, Hint: e.Hint(),
		TraceID: redact.Printable(e.TraceID, maxShownID), RequestID: redact.Printable(e.RequestID, maxShownID),
		Attempts: e.Attempts, Verified: &e.Verified,
		Method: e.where.method, Host: e.where.host, Path: e.where.path,
	}
}

func (e *APIError) printedCode() string {
	if e.shownCode != "" {
		return e.shownCode
	}
	return redact.Printable(string(e.Code), maxShownID)
}

// place says which call an error is about.
type place struct{ appID, method, host, path string }

// CallError is any failure of a call that is not an [APIError]: no answer came,
// the answer could not be accepted, or the call was never sent. It satisfies
// errors.Is and errors.As for its causes: ErrOutcomeUnknown or ErrNotDelivered,
// why an answer was not accepted, an [ArgumentError], the context's error, and
// causes from the network that are safe to show.
type CallError struct {
	Method     string // GET; "" when the call was refused for its arguments
	Host       string // of the gateway, or the reverse proxy in front of it
	Path       string // without the query
	StatusCode int    // HTTP status, 0 without an answer
	Attempts   int    // attempts made by the call
	TraceID    string // alipay-trace-id, "" without an answer
	RequestID  string // alipay-request-id of the last attempt

	// Answer is a signed and complete answer that could not be accepted; else nil.
	// It may be the only copy of a result: store it, and open it with
	// [Client.Open] once the cause is fixed.
	Answer *SealedAnswer

	appID       string
	what        string  // what happened, "" when the reasons say it
	reasons     []error // shown, in this order, and unwrapped
	cause       error   // unwrapped, not shown
	outcome     Outcome
	mistake     bool // of the caller or of its Signer: repeating the call cannot help
	retryAtOnce bool // a reused connection was dead before anything was written
}

// errArgument reports a mistake in a call's arguments, found before sending.
func errArgument(argument, reason string) error {
	return &CallError{reasons: []error{&ArgumentError{argument, reason}, ErrNotDelivered}, outcome: OutcomeNotDelivered, mistake: true}
}

// withOutcome sets what may have happened, and adds its sentinel to the reasons.
func (e *CallError) withOutcome(o Outcome) *CallError {
	e.outcome = o
	if sentinel := o.sentinel(); sentinel != nil {
		e.reasons = append(e.reasons, sentinel)
	}
	return e
}

// Error says what happened, where, and what that means, with the ids that
// Alipay's support asks for, and nothing personal.
func (e *CallError) Error() string {
	text := "alipay: "
	if e.Method != "" {
		text += e.Method + " " + e.Host + e.Path + ": "
	}
	text += e.brief()
	switch {
	case e.outcome == OutcomeNotDelivered && e.mistake:
		text += "; nothing was sent"
	case e.outcome.sentinel() != nil:
		text += "; " + e.outcome.sentinel().Error()
	}
	if e.Answer != nil {
		text += "; the answer is kept in CallError.Answer: store it, and open it once the cause is removed"
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
		if reason != ErrOutcomeUnknown && reason != ErrNotDelivered {
			parts = append(parts, briefly(reason))
		}
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
func (e CallError) LogValue() slog.Value { return e.shown().logValue() }

// MarshalJSON writes the same members as [APIError].
func (e CallError) MarshalJSON() ([]byte, error) { return json.Marshal(e.shown()) }

// GobEncode implements [encoding/gob.GobEncoder] and always fails: it would carry
// Answer. The JSON of the error does not.
func (e CallError) GobEncode() ([]byte, error) { return nil, errNoGob }

var errNoGob = errors.New("alipay: an error is not encoded with gob, since that would carry the answer; encode its JSON")

func (e *CallError) shown() shownError {
	var refused *APIError // among the causes
	if errors.As(e, &refused) {
		shown := refused.shown()
		shown.Error, shown.Outcome = e.Error(), OutcomeOf(e).String()
		return shown
	}
	return shownError{
		Error: e.Error(), Outcome: OutcomeOf(e).String(),
		Status: e.StatusCode, TraceID: redact.Printable(e.TraceID, maxShownID), RequestID: redact.Printable(e.RequestID, maxShownID),
		Attempts: e.Attempts, Method: e.Method, Host: e.Host, Path: e.Path,
	}
}
