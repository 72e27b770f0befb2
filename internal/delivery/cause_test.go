package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timedOut is an error that says so.
type timedOut struct{ error }

func (timedOut) Timeout() bool { return true }

// hollow is an error that unwraps to none.
type hollow struct{ error }

func (hollow) Unwrap() error { return nil }

// alert is crypto/tls's own type for alerts, as far as it can be seen from outside.
type alert uint8

func (a alert) Error() string { return tls.AlertError(a).Error() }

// otherByte is an error of the same kind that says something else.
type otherByte uint8

func (otherByte) Error() string { return "secret" }

func TestACauseIsShownInWordsThatAreKnown(t *testing.T) {
	secret := errors.New("secret")
	tcp := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	op := func(name string, addr net.Addr, err error) error {
		return &net.OpError{Op: name, Net: "tcp", Addr: addr, Err: err}
	}
	verification := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	for _, tt := range []struct {
		err  error
		text string
		is   error // what it unwraps to
	}{
		{secret, "the transport failed", nil},
		{hollow{secret}, "the transport failed", nil},
		{io.EOF, "the connection was closed before an answer came", io.EOF},
		{fmt.Errorf("secret: %w", io.ErrUnexpectedEOF), "unexpected EOF", io.ErrUnexpectedEOF},
		{&url.Error{Op: "Get", URL: "secret", Err: net.ErrClosed}, "use of closed network connection", net.ErrClosed},
		{context.DeadlineExceeded, "context deadline exceeded", context.DeadlineExceeded},
		{errors.Join(secret, context.Canceled), "context canceled", context.Canceled},
		{os.ErrDeadlineExceeded, "i/o timeout", os.ErrDeadlineExceeded},
		{op("dial", tcp, os.NewSyscallError("connect", syscall.ECONNREFUSED)), "connection refused", syscall.ECONNREFUSED},
		{op("read", &net.UnixAddr{Name: "secret"}, secret), "the transport failed", nil},
		{op("write", nil, io.EOF), "the connection was closed before an answer came", io.EOF},
		{op("proxyconnect", tcp, secret), "the transport failed", nil},
		{op("socks connect", nil, secret), "the transport failed", nil},
		{op("remote error", nil, tls.AlertError(40)), "tls: handshake failure", tls.AlertError(40)},
		{op("remote error", nil, alert(40)), "tls: handshake failure", tls.AlertError(40)},
		{op("remote error", nil, otherByte(40)), "the transport failed", nil},
		{op("local error", nil, secret), "the transport failed", nil},
		{op("secret", tcp, secret), "the transport failed", nil},
		{verification(x509.HostnameError{Host: "secret", Certificate: &x509.Certificate{}}), "the transport failed", x509.HostnameError{Host: "secret", Certificate: &x509.Certificate{}}},
		{verification(x509.UnknownAuthorityError{}), "the transport failed", x509.UnknownAuthorityError{}},
		{verification(x509.CertificateInvalidError{Reason: x509.Expired}), "the transport failed", x509.CertificateInvalidError{Reason: x509.Expired}},
		{verification(secret), "the transport failed", nil},
		{errors.New("secret: TLS handshake timeout, secret"), "TLS handshake timeout", nil},
		{errors.Join(secret, errors.New("secret malformed MIME header secret")), "malformed MIME header", nil},
		{fmt.Errorf("graceful shutdown GOAWAY: %w", errors.New("TLS handshake timeout")), "graceful shutdown GOAWAY", nil},
		{fmt.Errorf("graceful shutdown GOAWAY: %w", secret), "graceful shutdown GOAWAY", nil},
	} {
		err := newTransportError(tt.err)
		assert.EqualError(t, err, tt.text)
		causes := err.causes
		if tt.is == nil {
			assert.Empty(t, causes, tt.text)
		} else {
			assert.Equal(t, []error{tt.is}, causes, tt.text)
		}
		assert.NotErrorIs(t, err, secret)
	}
	assert.EqualError(t, newTransportError(errors.Join(io.EOF, syscall.ECONNRESET)), "connection reset by peer", "which says more")
	assert.EqualError(t, newTransportError(errors.Join(io.EOF, tls.AlertError(10))), "tls: unexpected message", "which says more")
}

func TestANameThatCannotBeResolvedIsNamedAndItsServerIsNot(t *testing.T) {
	for text, dns := range map[string]net.DNSError{
		"no such host": {Name: "gateway", IsNotFound: true},
		"timeout":      {Name: "gateway", IsTimeout: true, IsTemporary: true},
	} {
		dns.Err = text
		given := dns
		given.Err, given.Server = "secret", "secret"
		err := newTransportError(&net.OpError{Op: "dial", Err: &given})
		assert.EqualError(t, err, text)
		var got *net.DNSError
		require.ErrorAs(t, err, &got)
		assert.Equal(t, dns, *got)
	}
}

func TestACauseIsATimeoutWhenItsErrorIs(t *testing.T) {
	for err, want := range map[error]bool{timedOut{io.EOF}: true, context.DeadlineExceeded: true, io.EOF: false, &net.DNSError{}: false} {
		var got net.Error
		require.ErrorAs(t, newTransportError(err), &got)
		assert.Equal(t, want, got.Timeout(), "%v", err)
		//lint:ignore SA1019 it is part of net.Error
		assert.Equal(t, want, got.Temporary(), "%v", err)
	}
}

func TestAnAnswerThatBrokeOffSaysWhetherTheCallHadEnded(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx  context.Context
		err  error
		want []error
	}{
		{t.Context(), io.ErrUnexpectedEOF, []error{io.ErrUnexpectedEOF}},
		{ended, io.ErrUnexpectedEOF, []error{io.ErrUnexpectedEOF, context.Canceled}},
		{ended, context.Canceled, []error{context.Canceled}},
	} {
		err := BrokenOff(tt.ctx, tt.err)
		want := "the answer broke off: unexpected EOF"
		if tt.ctx == ended {
			want = "the answer was not complete before the caller's context was cancelled"
		}
		assert.EqualError(t, err, want)
		assert.Equal(t, tt.want, err.(*transportError).causes)
	}
}
