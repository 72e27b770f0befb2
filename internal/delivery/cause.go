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

// SafeCause rebuilds err from what is known to be safe to show. It returns nil
// only for nil.
func SafeCause(err error) error {
	if err == nil {
		return nil
	}
	return safeCause(err)
}

// BrokenOff is [SafeCause] for an answer that ended too early. It satisfies the
// error of a context that ended in the meantime.
func BrokenOff(ctx context.Context, err error) error {
	e := safeCause(err)
	e.text = "the answer broke off: " + e.text
	if ended := ctx.Err(); ended != nil && !errors.Is(e, ended) {
		e.causes = append(e.causes, ended)
	}
	return e
}

func safeCause(err error) *transportError {
	e := &transportError{}
	var timeout interface{ Timeout() bool }
	e.timeout = errors.As(err, &timeout) && timeout.Timeout()

	add := func(cause error) { e.causes = append(e.causes, cause) }
	var (
		op       *net.OpError
		dns      *net.DNSError
		errno    syscall.Errno
		alert    tls.AlertError
		verify   *tls.CertificateVerificationError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
	)
	for _, sentinel := range safeSentinels {
		if errors.Is(err, sentinel) {
			add(sentinel)
		}
	}
	switch {
	case errors.As(err, &dns):
		e.text = "the host name could not be resolved"
		if dns.IsNotFound {
			e.text = "no such host"
		}
		add(&net.DNSError{Err: e.text, Name: dns.Name, IsTimeout: dns.IsTimeout, IsTemporary: dns.IsTemporary, IsNotFound: dns.IsNotFound})
	case errors.As(err, &errno):
		e.text = errno.Error()
		add(errno)
	case errors.As(err, &hostname):
		e.text = "the server's TLS certificate is for another host name"
		add(hostname)
	case errors.As(err, &unknown):
		e.text = "the server's TLS certificate is signed by an unknown authority"
		add(unknown)
	case errors.As(err, &invalid):
		e.text = "the server's TLS certificate is not valid"
		add(invalid)
	case errors.As(err, &verify):
		e.text = "the server's TLS certificate cannot be verified"
	case errors.As(err, &alert):
		e.text = alert.Error()
		add(alert)
	}
	if e.text == "" {
		walk(err, func(inner error) {
			if e.text == "" {
				e.text = safeTexts.FindString(inner.Error())
			}
		})
	}
	switch {
	case e.text != "":
	case len(e.causes) == 0:
		e.text = "the transport failed"
	case e.causes[0] == io.EOF:
		e.text = "the connection was closed before an answer came"
	default:
		e.text = e.causes[0].Error()
	}
	if errors.As(err, &op) {
		e.text = opText(op) + e.text
	}
	return e
}

// opText says what was being done and with whom, as net.OpError does.
func opText(op *net.OpError) string {
	switch op.Op {
	case "dial", "read", "write", "proxyconnect", "socks connect", "remote error", "local error":
	default:
		return ""
	}
	text := op.Op
	if addr, ok := op.Addr.(*net.TCPAddr); ok {
		text += " " + addr.String()
	}
	return text + ": "
}
