package delivery

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/seed-39a49030/alipay/internal/redact"
)

// Where an attempt that got no answer ended.
const (
	StageResolve = "resolve" // the name of the gateway, or of a proxy
	StageConnect = "connect"
	StageProxy   = "proxy"
	StageTLS     = "tls"
	StageSend    = "send"
	StageAnswer  = "answer"
)

// Failure is why an attempt got no answer.
type Failure struct {
	Stage     string // "" when it never began
	Err       error  // in words that are safe to show; nil when it never began
	Permanent bool   // only an operator can put it right
}

// What was being done at each stage, with whom, and how it ended. These texts and
// the next ones have sections in docs/en/troubleshooting.md.
var stageTexts = map[string]string{
	StageResolve: "resolving %s: %s; it is retried, like a connection that failed",
	StageConnect: "connecting to %s: %s",
	StageProxy:   "connecting through the proxy %s: %s",
	StageTLS:     "TLS handshake with %s: %s",
	StageSend:    "sending to %s: %s",
	StageAnswer:  "waiting for the answer of %s: %s",
}

const (
	textSilent    = "no answer before %s"
	textCanceled  = "the caller's context was cancelled"
	textDeadline  = "the deadline of the caller's context"
	textTimeout   = "the end of the client's timeout, %s (WithTimeout)"
	textDialler   = "the end of the dialler's timeout"
	textHandshake = "the end of TLSHandshakeTimeout"
	textBlocked   = "; a firewall may block outgoing connections to port %s"

	textNoProxy = "HTTPS_PROXY or HTTP_PROXY is not the URL of a proxy, such as http://proxy.example:3128"
	textCONNECT = "it refuses CONNECT to %s with status %d (%s)"
	text403     = "; its operator has to allow this host and port"
	text407     = "; it wants a user and a password, as in HTTPS_PROXY=http://user:password@proxy.example:3128"

	textUntrusted   = "the certificate for %s is issued by %q, which this machine does not trust; if that is your company's own CA, add it to TLSClientConfig.RootCAs of NewTransport, and use WithHTTPClient"
	textExpired     = "the certificate for %s, issued by %q, expired at %s, and this machine's clock says %s"
	textNotYetValid = "the certificate for %s, issued by %q, is valid from %s, and this machine's clock says %s"
	textOtherName   = "the certificate, issued by %[2]q, is for %[3]s and not for %[1]s"
	textInvalid     = "the certificate for %s, issued by %q, is not valid for this use"
	textNoIssuer    = "the certificate for %s cannot be verified"

	timeLayout = "2006-01-02 15:04:05 UTC"
)

// ClientTimeout is the cause, in the sense of [context.Cause], of a context that
// the client's own timeout ends.
type ClientTimeout time.Duration

func (t ClientTimeout) Error() string        { return fmt.Sprintf(textTimeout, time.Duration(t)) }
func (t ClientTimeout) Timeout() bool        { return true }
func (t ClientTimeout) Is(target error) bool { return target == context.DeadlineExceeded }

// endOf says what ended a context.
func endOf(ctx context.Context) string {
	if timeout, ok := errors.AsType[ClientTimeout](context.Cause(ctx)); ok {
		return timeout.Error()
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return textCanceled
	}
	return textDeadline
}

// connectError is the status, other than 200, with which a proxy answers CONNECT.
type connectError struct {
	target string
	status int
}

func (e *connectError) Error() string {
	advice := map[int]string{http.StatusForbidden: text403, http.StatusProxyAuthRequired: text407}
	return fmt.Sprintf(textCONNECT, e.target, e.status, http.StatusText(e.status)) + advice[e.status]
}

// onProxyConnect is told the answer to a CONNECT. A transport without it turns the
// status into a text of the proxy's own.
func onProxyConnect(ctx context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
	report := reportOf(ctx)
	if resp.StatusCode != http.StatusOK {
		report.reach(StageProxy, proxy.Host)
		return &connectError{req.Host, resp.StatusCode}
	}
	report.reach(StageTLS, req.Host)
	return nil
}

// reach records how far the library's own dialler has come, and with whom.
func (r *Report) reach(stage, with string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stage, r.with = stage, with
}

// onSocket is told that a name was resolved, and of the address that is tried.
func onSocket(ctx context.Context, _, addr string, _ syscall.RawConn) error {
	reportOf(ctx).reach(StageConnect, addr)
	return nil
}

// connected is told that there is a connection to addr: the gateway's, or a
// proxy's.
func (r *Report) connected(addr string) {
	switch {
	case r.url == nil: // nobody reads it
	case addr != hostPort(r.url):
		r.reach(StageProxy, addr)
	case r.https:
		r.reach(StageTLS, addr)
	default:
		r.reach(StageSend, addr)
	}
}

func hostPort(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]))
}

// Failure says why Send failed.
func (r *Report) Failure() Failure {
	gateway := ""
	if r.url != nil {
		gateway = hostPort(r.url)
	}
	r.mu.Lock()
	stage, with := r.stage, r.with
	r.mu.Unlock()
	switch {
	case !r.sent:
		return Failure{Err: r.cause} // nil, or that of the context
	case r.connInsecure.Load():
		return Failure{StageTLS, errInsecure, true}
	case r.maybeWritten(), !r.hooked.Load() && r.MaybeSent():
		stage, with = StageAnswer, gateway
	case r.gotConn.Load():
		stage, with = StageSend, gateway
	}
	switch {
	case r.cause == errNoResponse:
		return Failure{stage, errNoResponse, false}
	case r.repeatStopped.Load() && r.ctx.Err() == nil:
		return Failure{stage, errRepetition, false}
	case r.cause == nil:
		return Failure{}
	}
	return explain(r.ctx, r.cause, stage, with, gateway)
}

// explain puts into words why an attempt failed with err. stage is how far it is
// known to have come, "" when no connection was handed out and nothing else is
// known.
func explain(ctx context.Context, err error, stage, with, gateway string) Failure {
	e := safeCause(err).endedBy(ctx)
	f := Failure{cmp.Or(stage, StageConnect), e, false}
	with = cmp.Or(with, gateway)
	refused, isRefused := errors.AsType[*connectError](err)
	dns, isDNS := errors.AsType[*net.DNSError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	isProxy := isOp && (op.Op == "proxyconnect" || op.Op == "socks connect")
	isDial := isOp && op.Op == "dial"
	certificate := certificateText(err, cmp.Or(map[bool]string{true: with}[isProxy], gateway), time.Now())
	switch {
	case isRefused:
		f.Stage, f.Permanent = StageProxy, refused.status == http.StatusForbidden || refused.status == http.StatusProxyAuthRequired
	case strings.HasPrefix(err.Error(), "invalid proxy address"): // it shows the password
		e.text = textNoProxy
		return Failure{StageProxy, e, true}
	case certificate != "":
		f.Stage, f.Permanent = StageTLS, true
	case isDNS:
		f.Stage, with = StageResolve, redact.Printable(dns.Name, maxName)
	case isProxy:
		f.Stage = StageProxy
	case isDial && op.Addr != nil:
		f.Stage, with = StageConnect, op.Addr.String()
	case f.Stage == StageConnect && (strings.Contains(e.text, "TLS") || strings.Contains(e.text, "tls: ")):
		f.Stage = StageTLS
	}
	before := ""
	switch {
	case ctx.Err() != nil:
		before = endOf(ctx)
	case (isDial || isProxy) && op.Timeout():
		before = textDialler
	case e.text == "TLS handshake timeout":
		before = textHandshake
	}
	switch {
	case isRefused:
		e.text = refused.Error()
	case certificate != "":
		e.text = certificate
	case before != "":
		e.text = fmt.Sprintf(textSilent, before)
	}
	e.text = fmt.Sprintf(stageTexts[f.Stage], with, e.text)
	if before != "" && before != textCanceled && (f.Stage == StageConnect || f.Stage == StageTLS) && certificate == "" {
		_, port, _ := net.SplitHostPort(with)
		e.text += fmt.Sprintf(textBlocked, port)
	}
	return f
}

const maxName = 100 // bytes shown of a name that others have chosen

// certificateText says why a TLS certificate was not accepted, "" for another
// error.
func certificateText(err error, gateway string, now time.Time) string {
	name, _, _ := net.SplitHostPort(gateway)
	issuer := func(c *x509.Certificate) string { return redact.Printable(c.Issuer.String(), maxName) }
	at := func(t time.Time) string { return t.UTC().Format(timeLayout) }
	switch cause := certificateError(err).(type) {
	case x509.HostnameError:
		if c := cause.Certificate; c != nil {
			names := c.DNSNames
			for _, ip := range c.IPAddresses {
				names = append(names, ip.String())
			}
			return fmt.Sprintf(textOtherName, redact.Printable(cause.Host, maxName), issuer(c), redact.Printable(strings.Join(names, ", "), 2*maxName))
		}
	case x509.UnknownAuthorityError:
		if c := cause.Cert; c != nil {
			return fmt.Sprintf(textUntrusted, name, issuer(c))
		}
	case x509.CertificateInvalidError:
		switch c := cause.Cert; {
		case c == nil:
		case cause.Reason != x509.Expired:
			return fmt.Sprintf(textInvalid, name, issuer(c))
		case now.Before(c.NotBefore):
			return fmt.Sprintf(textNotYetValid, name, issuer(c), at(c.NotBefore), at(now))
		default:
			return fmt.Sprintf(textExpired, name, issuer(c), at(c.NotAfter), at(now))
		}
	case nil:
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
			return ""
		}
	}
	return fmt.Sprintf(textNoIssuer, name)
}

// DescribeUnsigned says where an answer that is not signed comes from: its host if
// it is a redirect, else its media type and server. foreign means that it is not the
// gateway's.
func DescribeUnsigned(h http.Header, foreign bool) string {
	if location := h.Get("Location"); location != "" {
		if u, err := url.Parse(location); err == nil && u.Host != "" {
			return "it points to " + redact.Printable(u.Host, maxName)
		}
		return "it points to the same host"
	}
	mediaType, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	about := fmt.Sprintf("Content-Type %s, Server %s", cmp.Or(redact.Printable(mediaType, maxName), "none"), cmp.Or(redact.Printable(h.Get("Server"), maxName), "none"))
	if foreign {
		about += "; this is no answer of the gateway, but of a proxy or another server"
	}
	return about
}
