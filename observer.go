package alipay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/seed-39a49030/alipay/internal/redact"
)

// Observer receives every call and every attempt, for metrics and traces. It changes
// nothing but the context: the one that CallStart returns, unless nil, is the call's
// and that of the other two. Each function may be nil, must be safe for concurrent use,
// and is called on the goroutine of the call, so it should be quick. A call that is
// refused for its arguments never begins, and is not observed.
//
// It gets nothing personal and nothing secret: no query, header or body. The errors
// are those of the call, without [APIError].Header and Body and [CallError].Answer.
type Observer struct {
	CallStart   func(ctx context.Context, call CallInfo) context.Context // a call begins
	AttemptDone func(ctx context.Context, attempt AttemptInfo)           // an attempt has ended
	CallDone    func(ctx context.Context, call CallResult)               // a call has ended
}

// CallInfo says which application calls what.
type CallInfo struct {
	AppID  string // APPID
	Host   string // host, and port if any, of the base URL
	Method string // GET, or POST for the old gateway
	Path   string // without the query
}

// AttemptInfo is an attempt that has ended.
type AttemptInfo struct {
	CallInfo
	Number           int           // 1 for the first of the call
	RequestID        string        // alipay-request-id
	TraceID          string        // alipay-trace-id, "" without an answer
	StatusCode       int           // HTTP status, 0 without an answer
	Code             ErrorCode     // of the answer, "" without one
	Outcome          Outcome       // what the attempt means
	Duration         time.Duration // how long it took
	WillRetry        bool          // another attempt follows
	Pause            time.Duration // before the next attempt; 0 = at once
	ConnectionReused bool          // the connection had been used before
	Err              error         // nil for a success
}

// CallResult is a call that has ended.
type CallResult struct {
	CallInfo
	Attempts           int           // how many were made
	Outcome            Outcome       // what the call means
	Code               ErrorCode     // of the last answer, "" without one
	StatusCode         int           // HTTP status of the last answer, 0 without one
	Duration           time.Duration // how long it took, pauses included
	Err                error         // nil for a success
	CertificateExpires time.Time     // the first configured one, if within 30 days; else zero
}

// guard calls foreign code: an Observer, or a log handler. A panic of it must not
// take an answer away from the caller, so it is recovered, and logged once.
func (s *settings) guard(ctx context.Context, foreign func()) {
	defer func() {
		if p := recover(); p != nil && s.panicked.CompareAndSwap(false, true) && s.logger != nil {
			defer func() { _ = recover() }() // it may be the log handler that panics
			s.logger.LogAttrs(ctx, slog.LevelError, "alipay: an Observer or a log handler panicked",
				slog.String("panic", fmt.Sprintf("%T", p)), slog.String("advice", "the call went on; later panics are not logged"))
		}
	}()
	foreign()
}

func (s *settings) callStart(ctx context.Context, call CallInfo) context.Context {
	for _, o := range s.observers {
		if o.CallStart != nil {
			s.guard(ctx, func() {
				ctx = cmp.Or(o.CallStart(ctx, call), ctx)
			})
		}
	}
	return ctx
}

func (s *settings) attemptDone(ctx context.Context, x *exchange, began time.Time, again bool, pause time.Duration, err error) {
	if len(s.observers) == 0 {
		return
	}
	info := AttemptInfo{
		CallInfo: x.call.CallInfo, Number: x.number, RequestID: x.requestID, TraceID: x.shownTraceID(), StatusCode: x.answer.status,
		Code: shownCode(err), Outcome: OutcomeOf(err), Duration: time.Since(began), WillRetry: again, Pause: pause,
		ConnectionReused: x.report.Reused(), Err: withoutAnswer(err),
	}
	for _, o := range s.observers {
		if o.AttemptDone != nil {
			s.guard(ctx, func() { o.AttemptDone(ctx, info) })
		}
	}
}

func (s *settings) callDone(ctx context.Context, info CallInfo, began, expires time.Time, resp *Response, err error) {
	if len(s.observers) == 0 {
		return
	}
	result := CallResult{
		CallInfo: info, Outcome: OutcomeOf(err), Code: shownCode(err), Duration: time.Since(began), Err: withoutAnswer(err),
		CertificateExpires: expires,
	}
	if resp != nil {
		result.Attempts, result.StatusCode = resp.Attempts, resp.StatusCode
	} else {
		var at CallError
		at.like(err)
		result.Attempts, result.StatusCode = at.Attempts, at.StatusCode
	}
	for _, o := range s.observers {
		if o.CallDone != nil {
			s.guard(ctx, func() { o.CallDone(ctx, result) })
		}
	}
}

// shownCode is the code of an answer as it may be shown.
func shownCode(err error) ErrorCode {
	if refused, ok := errors.AsType[*APIError](err); ok {
		return ErrorCode(refused.printedCode())
	}
	return ""
}

// withoutAnswer copies an error of a call without what came from the gateway.
func withoutAnswer(err error) error {
	switch e := err.(type) {
	case *APIError:
		bare := *e
		bare.Header, bare.Body, bare.Code = nil, nil, ErrorCode(e.printedCode())
		return &bare
	case *CallError:
		bare := *e
		bare.Answer, bare.cause, bare.reasons = nil, withoutAnswer(e.cause), make([]error, len(e.reasons))
		for i, reason := range e.reasons {
			bare.reasons[i] = withoutAnswer(reason)
		}
		return &bare
	}
	return err
}

// logObserver writes a record for every attempt.
func logObserver(logger *slog.Logger) Observer {
	return Observer{AttemptDone: func(ctx context.Context, a AttemptInfo) {
		level, message := slog.LevelDebug, "alipay: attempt"
		switch {
		case a.WillRetry:
			level, message = slog.LevelWarn, "alipay: retry"
		case a.Outcome == OutcomeUnknown:
			level, message = slog.LevelWarn, "alipay: outcome unknown"
		}
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{
			slog.String("app_id", a.AppID), slog.String("method", a.Method), slog.String("host", a.Host), slog.String("path", a.Path),
			slog.Int("attempt", a.Number), slog.String("outcome", a.Outcome.String()), slog.String("request_id", a.RequestID),
			slog.Duration("duration", a.Duration), slog.Bool("connection_reused", a.ConnectionReused),
		}
		if a.StatusCode != 0 {
			attrs = append(attrs, slog.Int("status", a.StatusCode), slog.String("trace_id", redact.Printable(a.TraceID, maxShownID)))
		}
		if a.Code != "" {
			attrs = append(attrs, slog.String("code", string(a.Code)))
		}
		if a.WillRetry {
			attrs = append(attrs, slog.Duration("pause", a.Pause))
		}
		if failed, ok := a.Err.(*CallError); ok && failed.Stage != "" {
			attrs = append(attrs, slog.String("stage", string(failed.Stage)))
		}
		if a.Err != nil {
			attrs = append(attrs, slog.String("error", a.Err.Error()))
		}
		logger.LogAttrs(ctx, level, message, attrs...)
	}}
}

// warn logs what does not concern a single call.
func (s *settings) warn(ctx context.Context, message string, attrs ...slog.Attr) {
	if s.logger != nil {
		s.guard(ctx, func() { s.logger.LogAttrs(ctx, slog.LevelWarn, message, attrs...) })
	}
}

// tellUnusual logs what is unusual about an answer that is used all the same, once
// for each kind.
func (s *settings) tellUnusual(ctx context.Context, call *CallInfo, a *answer) {
	if s.logger == nil {
		return
	}
	tell := func(kind, message, advice string) {
		if _, told := s.told.LoadOrStore(kind, true); !told {
			s.guard(ctx, func() {
				s.logger.LogAttrs(ctx, slog.LevelInfo, message, slog.String("app_id", call.AppID), slog.String("host", call.Host),
					slog.String("path", call.Path), slog.String("change", kind), slog.String("advice", advice))
			})
		}
	}
	if a.damage != "" {
		tell(a.damage, "alipay: an answer was changed on its way", "the signature proves what Alipay sent, and that was used; look at the proxies in between")
	}
	if !utf8.Valid(a.body) {
		tell("another charset than UTF-8", "alipay: an answer is not in UTF-8", "characters beyond ASCII were not read, and members that have them were not compared")
	}
}
