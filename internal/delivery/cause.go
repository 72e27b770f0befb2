package delivery

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/seed-39a49030/alipay/internal/redact"
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

// transportError says why a base transport failed, in fixed words: the texts of
// net/http contain the URL and bytes of the answer, and those of a caller's
// RoundTripper may contain anything. It unwraps only to errors that are known to
// be safe.
type transportError struct {
	text    string
	causes  []error
	timeout bool

	// What else was found in the tree of the error.
	op            net.OpError   // the outermost
	refusal       *connectError // of a proxy
	name          string        // that does not resolve
	certificate   error         // why it was not accepted
	streamRefused bool          // by an HTTP/2 server
}

func (e *transportError) Error() string   { return e.text }
func (e *transportError) Unwrap() []error { return e.causes }

// Timeout and Temporary make it a [net.Error].
func (e *transportError) Timeout() bool   { return e.timeout }
func (e *transportError) Temporary() bool { return e.timeout }

// Errors that may be passed on as they are: their texts are fixed.
var safeSentinels = []error{
	context.DeadlineExceeded, context.Canceled,
	io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, io.EOF, errNoResponse, errRepetition,
}

// Texts of net/http that are passed on word for word, without what surrounds them.
var safeTexts = regexp.MustCompile(`` +
	`server closed idle connection` +
	`|TLS handshake timeout` +
	`|username/password authentication failed|no acceptable authentication methods` +
	`|general SOCKS server failure|connection not allowed by ruleset|(?:network|host) unreachable|connection refused|TTL expired` +
	`|timeout awaiting response headers` +
	`|server gave HTTP response to HTTPS client` +
	`|tls: server selected unsupported protocol version|first record does not look like a TLS handshake` +
	`|cannot rewind body after connection loss|server response headers exceeded \d+ bytes; aborted` +
	`|malformed (?:HTTP (?:response|version|status code)|MIME header|chunked encoding)` +
	`|unsupported transfer encoding|(?:bad|invalid) Content-Length|invalid byte in chunk length` +
	`|stream error: stream ID \d+; [A-Z_0-9]+` +
	`|connection error: [A-Z_0-9]+` +
	`|graceful shutdown GOAWAY|server sent GOAWAY and closed the connection|client connection (?:lost|force closed)` +
	`|gzip: invalid (?:header|checksum)`)

// streamRefused is how net/http and golang.org/x/net/http2 say that the server
// did not process a stream (RFC 9113, sections 6.8 and 8.7) when the request
// cannot be repeated. The error behind it is not reachable. Should the text
// change, such an error counts as outcome unknown.
var streamRefused = regexp.MustCompile(`^http2: Transport: cannot retry err \[(` +
	`stream error: stream ID \d+; REFUSED_STREAM(; received from peer)?` +
	`|http2: Transport received Server's graceful shutdown GOAWAY)\] after Request\.Body was written`)

// newTransportError rebuilds err from what is known to be safe to show.
func newTransportError(err error) *transportError {
	e := &transportError{text: "the transport failed"}
	var timeout interface{ Timeout() bool }
	e.timeout = errors.As(err, &timeout) && timeout.Timeout()
	for _, sentinel := range safeSentinels {
		if errors.Is(err, sentinel) {
			e.text, e.causes = sentinel.Error(), append(e.causes, sentinel)
		}
	}
	if e.text == io.EOF.Error() {
		e.text = "the connection was closed before an answer came"
	}
	quoted, known := "", ""
	add := func(text string, cause error) { known, e.causes = cmp.Or(known, text), append(e.causes, cause) }
	walk(err, func(inner error) {
		quoted = cmp.Or(quoted, safeTexts.FindString(inner.Error()))
		e.streamRefused = e.streamRefused || streamRefused.MatchString(inner.Error())
		switch inner := inner.(type) {
		case *net.OpError:
			if e.op.Op == "" {
				e.op = *inner
			}
		case *connectError:
			e.refusal = inner
		case *net.DNSError:
			word := "the DNS server failed"
			if inner.IsNotFound {
				word = "no such host"
			} else if inner.IsTimeout {
				word = "timeout"
			}
			e.name = inner.Name
			add(word, &net.DNSError{Err: word, Name: inner.Name, IsTimeout: inner.IsTimeout, IsTemporary: inner.IsTemporary, IsNotFound: inner.IsNotFound})
		case syscall.Errno:
			add(inner.Error(), inner)
		case *tls.CertificateVerificationError:
			e.certificate = inner
		case x509.HostnameError, x509.UnknownAuthorityError, x509.CertificateInvalidError:
			e.certificate = inner
			add("", inner)
		default: // crypto/tls has a second type for alerts, which it does not export
			if v := reflect.ValueOf(inner); v.Kind() == reflect.Uint8 && inner.Error() == tls.AlertError(v.Uint()).Error() {
				add(inner.Error(), tls.AlertError(v.Uint()))
			}
		}
	})
	e.text = cmp.Or(known, quoted, e.text)
	return e
}

// endedBy adds the error of a context that has ended.
func (e *transportError) endedBy(ctx context.Context) *transportError {
	if ended := ctx.Err(); ended != nil && !errors.Is(e, ended) {
		e.causes = append(e.causes, ended)
	}
	return e
}

// BrokenOff says why an answer ended too early. It satisfies the
// error of a context that ended in the meantime.
func BrokenOff(ctx context.Context, err error) error {
	e := newTransportError(err)
	e.text = "the answer broke off: " + e.text
	if ctx.Err() != nil {
		e.text = "the answer was not complete before " + endOf(ctx)
	}
	return e.endedBy(ctx)
}

const maxName = 100 // bytes shown of a name that others have chosen

// certificateText says why a certificate of host was not accepted.
func certificateText(reason error, host string) string {
	var c *x509.Certificate
	format, expired := "", false
	switch e := reason.(type) {
	case x509.HostnameError:
		host, c = redact.Printable(e.Host, maxName), e.Certificate
		format = "the certificate, issued by %[2]q, is for %[3]s and not for %[1]s"
	case x509.UnknownAuthorityError:
		c, format = e.Cert, "the certificate for %[1]s is issued by %[2]q, which this machine does not trust; "+
			"if that is your company's own CA, add it to TLSClientConfig.RootCAs of NewTransport, and use WithHTTPClient"
	case x509.CertificateInvalidError:
		c, expired = e.Cert, e.Reason == x509.Expired
		format = "the certificate for %[1]s, issued by %[2]q, is not valid for this use"
	}
	now := time.Now().UTC()
	switch {
	case c == nil:
		return fmt.Sprintf("the certificate for %s cannot be verified", host)
	case expired && now.Before(c.NotBefore):
		format = "the certificate for %[1]s, issued by %[2]q, is valid from %[4]s, and this machine's clock says %[6]s"
	case expired:
		format = "the certificate for %[1]s, issued by %[2]q, expired at %[5]s, and this machine's clock says %[6]s"
	}
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return fmt.Sprintf(format, host, redact.Printable(c.Issuer.String(), maxName), redact.Printable(strings.Join(names, ", "), 2*maxName),
		c.NotBefore.Format(timeLayout), c.NotAfter.Format(timeLayout), now.Format(timeLayout))
}

const timeLayout = "2006-01-02 15:04:05 UTC"
