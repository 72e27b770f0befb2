package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"syscall"
)

// walk calls f for every error in the tree of err.
func walk(err error, f func(error)) {
	if err == nil {
		return
	}
	f(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), f)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			walk(inner, f)
		}
	}
}

func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// transportError says why a base transport failed, in fixed words: the texts of
// net/http contain the URL and bytes of the answer, and those of a caller's
// RoundTripper may contain anything. It unwraps only to errors that are known to
// be safe.
type transportError struct {
	text    string
	causes  []error
	timeout bool
}

func (e *transportError) Error() string   { return e.text }
func (e *transportError) Unwrap() []error { return e.causes }

// Timeout and Temporary make it a [net.Error].
func (e *transportError) Timeout() bool   { return e.timeout }
func (e *transportError) Temporary() bool { return e.timeout }

// Errors that may be passed on as they are: their texts are fixed.
var safeSentinels = []error{
	context.DeadlineExceeded, context.Canceled,
	io.ErrUnexpectedEOF, io.EOF, net.ErrClosed, os.ErrDeadlineExceeded,
}

// Texts of net/http that are passed on word for word, without what surrounds them.
var safeTexts = regexp.MustCompile(`` +
	`server closed idle connection` +
	`|TLS handshake timeout` +
	`|username/password authentication failed|no acceptable authentication methods` +
	`|general SOCKS server failure|connection not allowed by ruleset|(?:network|host) unreachable|connection refused|TTL expired` +
	`|timeout awaiting response headers` +
	`|server gave HTTP response to HTTPS client` +
	`|first record does not look like a TLS handshake` +
	`|server response headers exceeded \d+ bytes; aborted` +
	`|cannot rewind body after connection loss` +
	`|malformed HTTP (?:response|version|status code)` +
	`|malformed MIME header` +
	`|unsupported transfer encoding` +
	`|bad Content-Length` +
	`|invalid Content-Length` +
	`|invalid byte in chunk length` +
	`|malformed chunked encoding` +
	`|stream error: stream ID \d+; [A-Z_0-9]+` +
	`|connection error: [A-Z_0-9]+` +
	`|graceful shutdown GOAWAY` +
	`|server sent GOAWAY and closed the connection` +
	`|client connection (?:lost|force closed)` +
	`|gzip: invalid (?:header|checksum)` +
	`|tls: (?:handshake failure|bad record MAC|bad certificate|unsupported certificate|revoked certificate|expired certificate` +
	`|unknown certificate authority|unknown certificate|certificate required|access denied|protocol version not supported` +
	`|server selected unsupported protocol version|insufficient security level|internal error|unrecognized name` +
	`|no application protocol|illegal parameter|decode error|error decrypting message|inappropriate fallback|user canceled)`)

// BrokenOff says why an answer ended too early. It satisfies the
// error of a context that ended in the meantime.
func BrokenOff(ctx context.Context, err error) error {
	e := safeCause(err)
	e.text = "the answer broke off: " + e.text
	if ctx.Err() != nil {
		e.text = "the answer was not complete before " + endOf(ctx)
	}
	return e.endedBy(ctx)
}

// safeCause rebuilds err from what is known to be safe to show.
func safeCause(err error) *transportError {
	e := &transportError{}
	var timeout interface{ Timeout() bool }
	e.timeout = errors.As(err, &timeout) && timeout.Timeout()
	for _, sentinel := range safeSentinels {
		if errors.Is(err, sentinel) {
			e.causes = append(e.causes, sentinel)
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		e.add(resolverWord(dns), &net.DNSError{Err: resolverWord(dns), Name: dns.Name, IsTimeout: dns.IsTimeout, IsTemporary: dns.IsTemporary, IsNotFound: dns.IsNotFound})
	} else if errno, ok := errors.AsType[syscall.Errno](err); ok {
		e.add(errno.Error(), errno)
	} else if cause := certificateError(err); cause != nil {
		e.add("the TLS certificate cannot be verified", cause)
	} else if alert, ok := errors.AsType[tls.AlertError](err); ok {
		e.add(alert.Error(), alert)
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
			e.text = "the other side says: " + e.text
		}
	}
	walk(err, func(inner error) {
		if e.text == "" {
			e.text = safeTexts.FindString(inner.Error())
		}
	})
	switch {
	case e.text != "":
	case len(e.causes) == 0:
		e.text = "the transport failed"
	case e.causes[0] == io.EOF:
		e.text = "the connection was closed before an answer came"
	default:
		e.text = e.causes[len(e.causes)-1].Error()
	}
	return e
}

// endedBy adds the error of a context that has ended.
func (e *transportError) endedBy(ctx context.Context) *transportError {
	if ended := ctx.Err(); ended != nil && !errors.Is(e, ended) {
		e.causes = append(e.causes, ended)
	}
	return e
}

func (e *transportError) add(text string, cause error) {
	e.text, e.causes = text, append(e.causes, cause)
}

// certificateError returns why a TLS certificate was not accepted, nil for another
// error.
func certificateError(err error) error {
	if hostname, ok := errors.AsType[x509.HostnameError](err); ok {
		return hostname
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return unknown
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return invalid
	}
	return nil
}

// resolverWord is what a resolver says of a name.
func resolverWord(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such host"
	case err.IsTimeout:
		return "timeout"
	}
	return "the DNS server failed"
}
