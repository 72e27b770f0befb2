package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
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

// What was being done at each stage, with whom, and how it ended. These texts, and
// those below, have sections in docs/en/troubleshooting.md.
var stageTexts = map[string]string{
	StageResolve: "resolving %s: %s; it is retried, like a connection that failed",
	StageConnect: "connecting to %s: %s",
	StageProxy:   "connecting through the proxy %s: %s",
	StageTLS:     "TLS handshake with %s: %s",
	StageSend:    "sending to %s: %s",
	StageAnswer:  "waiting for the answer of %s: %s",
}

// ClientTimeout is the cause, in the sense of [context.Cause], of a context that
// the client's own timeout ends.
type ClientTimeout time.Duration

func (t ClientTimeout) Error() string {
	return fmt.Sprintf("the end of the client's timeout, %s (WithTimeout)", time.Duration(t))
}
func (t ClientTimeout) Timeout() bool        { return true }
func (t ClientTimeout) Is(target error) bool { return target == context.DeadlineExceeded }

const textCanceled = "the caller's context was cancelled"

// endOf says what ended a context.
func endOf(ctx context.Context) string {
	if timeout, ok := errors.AsType[ClientTimeout](context.Cause(ctx)); ok {
		return timeout.Error()
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return textCanceled
	}
	return "the deadline of the caller's context"
}

// connectError is the status, other than 200, with which a proxy answers CONNECT.
type connectError struct {
	target string
	status int
}

// connectAdvice is for what only the operator of a proxy can put right.
var connectAdvice = map[int]string{
	http.StatusForbidden:         "; its operator has to allow this host and port",
	http.StatusProxyAuthRequired: "; it wants a user and a password, as in HTTPS_PROXY=http://user:password@proxy.example:3128",
}

func (e *connectError) Error() string {
	return fmt.Sprintf("it refuses CONNECT to %s with status %d (%s)", e.target, e.status, http.StatusText(e.status)) + connectAdvice[e.status]
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
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stage, r.with = stage, with
}

func hostPort(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]))
}

// Failure says why Send failed.
func (r *Report) Failure() Failure {
	r.mu.Lock()
	stage, with := r.stage, r.with
	r.mu.Unlock()
	cause := r.cause
	switch {
	case r.call == nil:
		return Failure{Err: cause} // nil, or that of the context
	case r.connInsecure.Load():
		return Failure{StageTLS, errInsecure, true}
	case r.repeatStopped.Load() && r.call.Err() == nil:
		cause = errRepetition
	}
	gateway := hostPort(r.url)
	switch {
	case r.maybeWritten(), !r.hooked.Load() && r.MaybeSent():
		stage, with = StageAnswer, gateway
	case r.gotConn.Load():
		stage, with = StageSend, gateway
	case stage == StageTLS && with != gateway: // TLS with it would have to go through this one
		stage = StageProxy
	}
	e := newTransportError(cause).endedBy(r.call)
	stage, with = cmp.Or(stage, StageConnect), cmp.Or(with, gateway)
	isDial, isProxy := e.op.Op == "dial", e.op.Op == "proxyconnect" || e.op.Op == "socks connect"
	known, permanent := "", false // how it ended, whatever ended the context
	switch {
	case e.refusal != nil:
		stage, known, permanent = StageProxy, e.refusal.Error(), connectAdvice[e.refusal.status] != ""
	case strings.HasPrefix(cause.Error(), "invalid proxy address"): // it shows the password
		e.text = "HTTPS_PROXY or HTTP_PROXY is not the URL of a proxy, such as http://proxy.example:3128"
		return Failure{StageProxy, e, true}
	case e.certificate != nil:
		host, _, _ := net.SplitHostPort(gateway)
		if isProxy {
			host, _, _ = net.SplitHostPort(with)
		}
		stage, known, permanent = StageTLS, certificateText(e.certificate, host), true
	case e.name != "":
		stage, with = StageResolve, redact.Printable(e.name, maxName)
	case isProxy:
		stage = StageProxy
	case isDial && e.op.Addr != nil:
		stage, with = StageConnect, e.op.Addr.String()
	case stage == StageConnect && (strings.Contains(e.text, "TLS") || strings.Contains(e.text, "tls: ")):
		stage = StageTLS
	}
	ending := ""
	switch {
	case known != "":
		e.text = known
	case r.call.Err() != nil:
		ending = endOf(r.call)
	case (isDial || isProxy) && e.op.Timeout():
		ending = "the end of the dialler's timeout"
	case e.text == "TLS handshake timeout":
		ending = "the end of TLSHandshakeTimeout"
	}
	if ending != "" {
		e.text = "no answer before " + ending
		if ending != textCanceled && (stage == StageConnect || stage == StageTLS) {
			_, port, _ := net.SplitHostPort(with)
			e.text += "; a firewall may block outgoing connections to port " + port
		}
	}
	e.text = fmt.Sprintf(stageTexts[stage], with, e.text)
	return Failure{stage, e, permanent}
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
