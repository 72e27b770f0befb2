package alipay

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// logAttempt writes one Debug record per attempt, and one Warn where the
// outcome is unknown.
func (c *Client) logAttempt(ctx context.Context, a *attempt, took time.Duration, err error) {
	logger := c.settings.logger
	if logger == nil {
		return
	}
	unknown := errors.Is(err, ErrOutcomeUnknown)
	if !unknown && !logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", a.call.method),
		slog.String("path", a.call.path),
		slog.String("request_id", a.requestID),
		slog.Int("attempt", a.number),
		slog.Duration("duration", took),
		slog.Bool("connection_reused", a.watch.reused.Load()),
	}
	if a.status != 0 {
		attrs = append(attrs, slog.Int("status", a.status), slog.String("trace_id", printable(a.mask().apply(a.traceID), maxShownID)))
	}
	var refused *APIError
	if errors.As(err, &refused) {
		attrs = append(attrs, slog.String("code", refused.printedCode()))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	logger.LogAttrs(ctx, slog.LevelDebug, "alipay: attempt", attrs...)
	if unknown {
		logger.LogAttrs(ctx, slog.LevelWarn, "alipay: outcome unknown", attrs...)
	}
}

// logRetry tells which attempt begins, after which pause, and why: the error of
// the one before says status, code and ids.
func (c *Client) logRetry(ctx context.Context, call *call, attempt int, pause time.Duration, why error) {
	if c.settings.logger == nil {
		return
	}
	c.settings.logger.LogAttrs(ctx, slog.LevelWarn, "alipay: retry",
		slog.String("method", call.method),
		slog.String("path", call.path),
		slog.Int("attempt", attempt),
		slog.Duration("pause", pause),
		slog.String("error", why.Error()))
}
