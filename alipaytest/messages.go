package alipaytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// WithMessagesTo sets the address of the merchant's server to which messages are
// posted, as the application's gateway address is set at the platform. The
// default, also for "", is none: no message is sent. [Gateway.SetMessagesTo] sets
// it later, since a test's server often starts second.
func WithMessagesTo(url string) Option { return func(o *options) { o.messagesTo = url } }

// defaultMessageScale shortens the pauses between the deliveries of a message: the
// first three are 0.1, 0.5 and 0.5 seconds, and the eighth delivery comes after 73
// seconds.
const defaultMessageScale = 1.0 / 1200

// messagePauses lie between the eight deliveries of a message that is not answered
// with success, at the platform.
var messagePauses = []time.Duration{
	2 * time.Minute, 10 * time.Minute, 10 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 15 * time.Hour,
}

// messagePatience is how long an answer to a message may take, and
// maxMessageAnswer how much of it is read.
const (
	messagePatience  = 10 * time.Second
	maxMessageAnswer = 4 << 10
)

// SentMessage is one delivery of a message to the merchant's server.
type SentMessage struct {
	URL    string
	Values url.Values // the form
	// Delivery counts those of this message, from 1 to 8.
	Delivery int
	// Accepted says that the answer was success, which ends the deliveries.
	Accepted bool
	// StatusCode and Answer are what came back. A status of 200 with the text
	// success alone, in either case, accepts the message.
	StatusCode int
	Answer     string
	// Err says why no answer came.
	Err error
	// At is when it was answered, by the real clock.
	At time.Time
}

// messages are the messages on their way, and the deliveries so far.
type messages struct {
	client *http.Transport
	scale  float64

	mu        sync.Mutex
	to        string
	sent      []SentMessage
	limit     int
	forgotten context.Context // done at Reset and at Close
	forget    context.CancelFunc
	underWay  sync.WaitGroup
	closed    bool
}

func (m *messages) init(closing context.Context, o *options) error {
	if o.messagesTo != "" {
		if err := checkURL(o.messagesTo); err != nil {
			return fmt.Errorf("alipaytest: WithMessagesTo: %w", err)
		}
	}
	m.client = &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	m.to, m.scale, m.limit = o.messagesTo, o.messageScale, o.history
	m.forgotten, m.forget = context.WithCancel(closing)
	return nil
}

// reset drops all messages, including those on their way.
func (m *messages) reset(closing context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
	m.forgotten, m.forget = context.WithCancel(closing)
	m.sent = nil
}

// close returns when no message is on its way any more.
func (m *messages) close() {
	m.mu.Lock()
	m.closed = true
	m.forget()
	m.mu.Unlock()
	m.underWay.Wait()
	m.client.CloseIdleConnections()
}

// SetMessagesTo sets the address to which messages are posted from now on,
// including those on their way; "" stops posting. It panics if the address is not
// an absolute http or https URL.
func (g *Gateway) SetMessagesTo(url string) {
	if url != "" {
		if err := checkURL(url); err != nil {
			panic(fmt.Sprintf("alipaytest: SetMessagesTo: %v", err))
		}
	}
	g.messages.mu.Lock()
	defer g.messages.mu.Unlock()
	g.messages.to = url
}

// Messages returns every delivery of a message so far, oldest first, no more
// than [WithHistory] allows.
func (g *Gateway) Messages() []SentMessage {
	g.messages.mu.Lock()
	defer g.messages.mu.Unlock()
	list := make([]SentMessage, len(g.messages.sent))
	for i, sent := range g.messages.sent {
		sent.Values = cloneValues(sent.Values)
		list[i] = sent
	}
	return list
}

func cloneValues(values url.Values) url.Values { return url.Values(http.Header(values).Clone()) }

// send posts a message until it is accepted, in the background. Without an
// address nothing is sent.
func (g *Gateway) send(method string, bizContent []byte, certificates bool, now time.Time) {
	m := &g.messages
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.to == "" || m.closed {
		return
	}
	values := url.Values{
		"notify_id":     {protocol.NewID()},
		"utc_timestamp": {strconv.FormatInt(now.UnixMilli(), 10)},
		"msg_method":    {method},
		"app_id":        {AppID},
		"version":       {"1.1"},
		"biz_content":   {string(bizContent)},
		"charset":       {"UTF-8"},
	}
	ctx := m.forgotten
	m.underWay.Go(func() {
		for delivery := 1; ; delivery++ {
			signed := g.signNotification(values, certificates)
			if g.post(ctx, signed, delivery) || delivery > len(messagePauses) {
				return
			}
			timer := time.NewTimer(time.Duration(float64(messagePauses[delivery-1]) * m.scale))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
	})
}

// post delivers a message once, and reports whether that was the end of it.
func (g *Gateway) post(ctx context.Context, values url.Values, delivery int) (end bool) {
	m := &g.messages
	m.mu.Lock()
	sent := SentMessage{URL: m.to, Values: values, Delivery: delivery}
	m.mu.Unlock()
	if sent.URL == "" { // the address was removed
		return true
	}
	within, cancel := context.WithTimeout(ctx, messagePatience)
	defer cancel()
	sent.StatusCode, sent.Answer, sent.Err = m.exchange(within, sent.URL, values)
	sent.Accepted = sent.StatusCode == http.StatusOK && strings.EqualFold(sent.Answer, "success")
	sent.At = time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return true // reset or closed: this delivery is not recorded either
	}
	if m.limit > 0 {
		m.sent = append(m.sent, sent)
		m.sent = m.sent[max(0, len(m.sent)-m.limit):]
	}
	return sent.Accepted
}

// exchange posts a form and reads the answer.
func (m *messages) exchange(ctx context.Context, to string, values url.Values) (status int, answer string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(values.Encode()))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("User-Agent", "alipaytest")
	response, err := m.client.RoundTrip(r) // which follows no redirect
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxMessageAnswer+1))
	if err == nil && len(body) > maxMessageAnswer {
		body, err = body[:maxMessageAnswer], errors.New("the answer is longer than 4 KiB")
	}
	return response.StatusCode, string(body), err
}

// SignNotification returns a copy of values with sign_type and sign added, as
// the platform sends it. With msg_method among them it is a message, whose
// signature covers sign_type; that of a trade's notification does not. After
// [Gateway.RotateCertificate] it is signed under the new certificate, whose SN is
// added as alipay_cert_sn. If a name has several values, the first is signed.
func (g *Gateway) SignNotification(values url.Values) url.Values {
	g.mu.Lock()
	rotated := len(g.issued) > 1
	g.mu.Unlock()
	return g.signNotification(values, rotated)
}

// signNotification signs in certificate mode, with alipay_cert_sn, or without.
func (g *Gateway) signNotification(values url.Values, certificates bool) url.Values {
	signed := cloneValues(values)
	if signed == nil {
		signed = url.Values{}
	}
	signed.Set("sign_type", "RSA2")
	key := keys().alipay
	signed.Del("alipay_cert_sn")
	if certificates {
		current := g.identity()
		key = current.key
		signed.Set("alipay_cert_sn", current.sn)
	}
	params := make(map[string]string, len(signed))
	for name := range signed {
		params[name] = signed.Get(name)
	}
	leaveOut := []string{"sign", "sign_type", "alipay_cert_sn"}
	if params["msg_method"] != "" {
		leaveOut = []string{"sign", "alipay_cert_sn"}
	}
	signed.Set("sign", must(protocol.Sign(key, protocol.OldContent(params, leaveOut...))))
	return signed
}
