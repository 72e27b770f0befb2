package alipaytest

import (
	"context"
	"crypto/fips140"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// posted is a message as the merchant's server receives it.
type posted struct {
	form   url.Values
	header http.Header
}

// merchantServer answers messages with answers, the last one for ever.
func merchantServer(t *testing.T, answers ...string) (address string, received chan posted) {
	received = make(chan posted, 100)
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		form, err := url.ParseQuery(string(body))
		assert.NoError(t, err)
		assert.Equal(t, http.MethodPost, r.Method)
		_, _ = io.WriteString(w, answers[min(n, len(answers)-1)])
		n++ // deliveries of one message do not overlap
		received <- posted{form, r.Header}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/messages?from=alipay", received
}

// settled waits until no message is on its way any more.
func settled(g *Gateway) []SentMessage {
	g.messages.underWay.Wait()
	return g.Messages()
}

// signedContent is what the signature of a form covers.
func signedContent(form url.Values, leaveOut ...string) string {
	m := merchant{}
	for name := range form {
		m[name] = form.Get(name)
	}
	return m.content(leaveOut...)
}

func openOrder(t *testing.T, g *Gateway, m merchant) *Order {
	t.Helper()
	opened, err := g.OpenOrder(m.String())
	require.NoError(t, err)
	return opened
}

func TestTheMessageFollowsTheUsersAnswer(t *testing.T) {
	t.Parallel()
	address, received := merchantServer(t, "success")
	g := NewGateway(t, WithMessagesTo(address))
	opened := openOrder(t, g, order(bizContent))
	opened.Agree()
	message := <-received
	assert.Equal(t, "application/x-www-form-urlencoded; charset=utf-8", message.header.Get("Content-Type"))
	form := message.form
	for name, want := range map[string]string{
		"msg_method": "zhima.credit.payafteruse.creditagreement.changed", "app_id": AppID, "version": "1.1",
		"charset": "UTF-8", "sign_type": "RSA2", "alipay_cert_sn": "",
	} {
		assert.Equal(t, want, form.Get(name), name)
	}
	assert.Len(t, form.Get("notify_id"), 32)
	assert.Len(t, form.Get("utc_timestamp"), 13)
	assert.Len(t, form, 9)
	var members map[string]string
	require.NoError(t, json.Unmarshal([]byte(form.Get("biz_content")), &members))
	_, queried := agreementQuery(t, g, url.Values{"out_agreement_no": {"A 1/一"}}.Encode())
	assert.Equal(t, queried, members)
	assert.Equal(t, "VALID", members["agreement_status"])
	assert.True(t, holds(keys().alipay, signedContent(form, "sign"), form.Get("sign")))

	sent := settled(g)
	require.Len(t, sent, 1)
	assert.Equal(t, address, sent[0].URL)
	assert.Equal(t, form, sent[0].Values)
	assert.Equal(t, 1, sent[0].Delivery)
	assert.True(t, sent[0].Accepted)
	assert.Equal(t, 200, sent[0].StatusCode)
	assert.Equal(t, "success", sent[0].Answer)
	assert.NoError(t, sent[0].Err)
	assert.WithinDuration(t, time.Now(), sent[0].At, time.Minute)
	sent[0].Values.Set("app_id", "mine")
	assert.Equal(t, AppID, g.Messages()[0].Values.Get("app_id"), "a copy")

	opened.Agree() // sends nothing
	opened.Decline()
	declined := <-received
	assert.Contains(t, declined.form.Get("biz_content"), `"agreement_status":"INVALID"`)
	assert.NotEqual(t, form.Get("notify_id"), declined.form.Get("notify_id"))
	require.Len(t, settled(g), 2)
	require.Empty(t, received)
}

func TestAMessageComesAgainUntilItIsAccepted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answers    []string
		deliveries int
	}{
		"at once":        {[]string{"success"}, 1},
		"in capitals":    {[]string{"SUCCESS"}, 1},
		"the third time": {[]string{"fail", "", "success"}, 3},
		"never":          {[]string{"fail"}, 8},
		"in a page":      {[]string{"<html>success</html>"}, 8},
		"with a line":    {[]string{"success\n"}, 8},
		"too long":       {[]string{strings.Repeat("success", 1000)}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, received := merchantServer(t, test.answers...)
			g := NewGateway(t, WithMessagesTo(address), withMessageSchedule(0))
			openOrder(t, g, order(bizContent)).Agree()
			sent := settled(g)
			require.Len(t, sent, test.deliveries)
			require.Len(t, received, test.deliveries)
			first := (<-received).form
			for i, message := range sent {
				assert.Equal(t, i+1, message.Delivery)
				assert.Equal(t, first, message.Values, "the same message")
				assert.Equal(t, i+1 == test.deliveries && strings.EqualFold(message.Answer, "success"), message.Accepted)
			}
			if name == "too long" {
				assert.EqualError(t, sent[0].Err, "the answer is longer than 4 KiB")
				assert.Len(t, sent[0].Answer, 4<<10)
			}
		})
	}
}

func TestAStatusOtherThan200AcceptsNothing(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 302, 404, 500} {
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "success")
		}))
		g := NewGateway(t, WithMessagesTo(server.URL), withMessageSchedule(0))
		openOrder(t, g, order(bizContent)).Decline()
		sent := settled(g)
		require.Len(t, sent, 8)
		assert.Equal(t, status, sent[7].StatusCode)
		assert.False(t, sent[7].Accepted)
		server.Close()
		elsewhere.Close()
	}
	g := NewGateway(t, WithMessagesTo("http://127.0.0.1:9/"), withMessageSchedule(0))
	openOrder(t, g, order(bizContent)).Agree()
	sent := settled(g)
	require.Len(t, sent, 8)
	assert.ErrorContains(t, sent[0].Err, "refused")
}

// pipes is a listener whose connections never leave the process, so that the
// clock of testing/synctest can run on.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.ended) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// skipBubbleUnderFIPS skips a test in virtual time that needs random numbers.
func skipBubbleUnderFIPS(t *testing.T) {
	if fips140.Enabled() && strings.HasPrefix(runtime.Version(), "go1.26") {
		t.Skip("Go 1.26 seeds random numbers from a clock in this mode, and that of a bubble stands still")
	}
}

func TestMessagesComeOnThePlatformsSchedule(t *testing.T) {
	skipBubbleUnderFIPS(t)
	for scale, want := range map[float64][]time.Duration{
		1:   {0, 2 * time.Minute, 12 * time.Minute, 22 * time.Minute, 82 * time.Minute, 202 * time.Minute, 562 * time.Minute, 1462 * time.Minute},
		0.5: {0, time.Minute, 6 * time.Minute, 11 * time.Minute, 41 * time.Minute, 101 * time.Minute, 281 * time.Minute, 731 * time.Minute},
		-1: {0, 100 * time.Millisecond, 600 * time.Millisecond, 1100 * time.Millisecond, 4100 * time.Millisecond, // the default
			10100 * time.Millisecond, 28100 * time.Millisecond, 73100 * time.Millisecond},
	} {
		t.Run(fmt.Sprint(scale), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := []Option{WithMessagesTo("http://merchant.example/")}
				if scale > 0 {
					opts = append(opts, withMessageSchedule(scale))
				}
				g, _, err := assemble(nil, opts)
				require.NoError(t, err)
				listener := &pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
				g.messages.client.DialContext = listener.dial
				g.messages.client.DisableKeepAlives = true
				var got []time.Duration
				began := time.Now()
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					got = append(got, time.Since(began))
					_, _ = io.WriteString(w, "fail")
				})}
				go func() { _ = server.Serve(listener) }()
				openOrder(t, g, order(bizContent)).Agree()
				settled(g)
				require.Equal(t, want, got)
				require.NoError(t, server.Close())
				g.cancel()
				g.messages.close()
			})
		})
	}
}

func TestASilentServerIsGivenTenSeconds(t *testing.T) {
	skipBubbleUnderFIPS(t)
	synctest.Test(t, func(t *testing.T) {
		g, _, err := assemble(nil, []Option{WithMessagesTo("http://merchant.example/"), withMessageSchedule(0)})
		require.NoError(t, err)
		g.messages.client.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		began := time.Now()
		openOrder(t, g, order(bizContent)).Agree()
		sent := settled(g)
		require.Len(t, sent, 8)
		require.ErrorIs(t, sent[0].Err, context.DeadlineExceeded)
		require.Equal(t, 80*time.Second, time.Since(began))
		g.cancel()
		g.messages.close()
	})
}

func TestTheAddressForMessagesMayComeLater(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, withMessageSchedule(0))
	opened := openOrder(t, g, order(bizContent))
	opened.Agree()
	require.Empty(t, settled(g), "nowhere to send it")
	address, received := merchantServer(t, "success")
	g.SetMessagesTo(address)
	opened.Decline()
	<-received
	require.Len(t, settled(g), 1)
	g.SetMessagesTo("")
	opened.Agree()
	require.Len(t, settled(g), 1)

	for _, wrong := range []string{"merchant.example/messages", "/messages", "ftp://merchant.example/", "http://", "http://a b/"} {
		require.PanicsWithValue(t, "alipaytest: SetMessagesTo: not an absolute http or https URL", func() { g.SetMessagesTo(wrong) }, wrong)
		_, err := StartGateway(WithMessagesTo(wrong))
		require.EqualError(t, err, "alipaytest: WithMessagesTo: not an absolute http or https URL")
	}
}

// An address that changes between two deliveries is taken at the next.
func TestDeliveriesFollowTheAddress(t *testing.T) {
	t.Parallel()
	var g *Gateway
	second, received := merchantServer(t, "success")
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { g.SetMessagesTo(second) }))
	defer first.Close()
	g = NewGateway(t, WithMessagesTo(first.URL), withMessageSchedule(0))
	openOrder(t, g, order(bizContent)).Agree()
	<-received
	sent := settled(g)
	require.Len(t, sent, 2)
	require.Equal(t, []string{first.URL, second}, []string{sent[0].URL, sent[1].URL})

	taken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { g.SetMessagesTo("") }))
	defer taken.Close()
	g.Reset()
	g.SetMessagesTo(taken.URL)
	openOrder(t, g, order(bizContent)).Agree()
	require.Len(t, settled(g), 1)
}

func TestCloseAndResetEndMessages(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Gateway){
		"Close": func(t *testing.T, g *Gateway) { require.NoError(t, g.Close()) },
		"Reset": func(_ *testing.T, g *Gateway) { g.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			reached, ended := make(chan bool), make(chan bool)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // net/http notices the end of the client only behind it
				reached <- true
				<-r.Context().Done()
				ended <- true
			}))
			defer server.Close()
			g, err := StartGateway(WithMessagesTo(server.URL), withMessageSchedule(1))
			require.NoError(t, err)
			defer g.Close()
			opened := openOrder(t, g, order(bizContent))
			opened.Agree()
			<-reached
			end(t, g)
			<-ended
			require.Empty(t, settled(g))

			g.SetMessagesTo("http://127.0.0.1:9/") // and the pauses as well
			again := openOrder(t, g, order(bizContent))
			again.Agree()
			if name == "Close" {
				require.Empty(t, settled(g), "nothing begins any more")
				return
			}
			require.Eventually(t, func() bool { return len(g.Messages()) == 1 }, time.Minute, time.Millisecond)
			end(t, g)
			require.Empty(t, settled(g))
		})
	}
}

func TestMessagesAreBoundedLikeRequests(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{0: 0, 3: 3, 100: 8} {
		address, _ := merchantServer(t, "fail")
		g := NewGateway(t, WithMessagesTo(address), withMessageSchedule(0), WithHistory(limit))
		openOrder(t, g, order(bizContent)).Agree()
		sent := settled(g)
		require.Len(t, sent, want)
		if want > 0 {
			require.Equal(t, 8, sent[want-1].Delivery)
		}
	}
}

func TestMessagesAreSignedInTheModeOfTheOrder(t *testing.T) {
	t.Parallel()
	address, received := merchantServer(t, "success")
	g := NewGateway(t, WithMessagesTo(address))
	inCertificateMode := openOrder(t, g, order(bizContent).certificates())
	inPublicKeyMode := openOrder(t, g, order(`{"out_agreement_no":"2","zm_service_id":"2"}`))
	for rotation := range 3 {
		for _, user := range []func(){inCertificateMode.Agree, inCertificateMode.Decline} {
			user()
			form := (<-received).form
			assert.Equal(t, g.identity().sn, form.Get("alipay_cert_sn"), rotation)
			assert.True(t, holds(g.identity().key, signedContent(form, "sign", "alipay_cert_sn"), form.Get("sign")), rotation)
		}
		for _, user := range []func(){inPublicKeyMode.Agree, inPublicKeyMode.Decline} {
			user()
			form := (<-received).form
			assert.Empty(t, form.Get("alipay_cert_sn"))
			assert.True(t, holds(keys().alipay, signedContent(form, "sign"), form.Get("sign")))
		}
		g.RotateCertificate()
	}
}

func TestSignNotificationSignsBothStyles(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	trade := url.Values{"notify_id": {"1"}, "notify_time": {"2026-03-01 07:59:59"}, "notify_type": {"trade_status_sync"}, "body": {"a b&c=一"}, "empty": {""}}
	message := url.Values{"notify_id": {"1"}, "msg_method": {"a.b"}, "sign": {"old"}, "sign_type": {"RSA"}, "alipay_cert_sn": {"old"}}

	signed := g.SignNotification(trade)
	assert.Equal(t, "RSA2", signed.Get("sign_type"))
	assert.True(t, holds(keys().alipay, "body=a b&c=一&notify_id=1&notify_time=2026-03-01 07:59:59&notify_type=trade_status_sync", signed.Get("sign")))
	assert.NotContains(t, trade, "sign", "a copy")
	assert.NotContains(t, signed, "alipay_cert_sn")
	assert.Contains(t, signed, "empty")

	signed = g.SignNotification(message)
	assert.True(t, holds(keys().alipay, "msg_method=a.b&notify_id=1&sign_type=RSA2", signed.Get("sign")))
	assert.NotContains(t, signed, "alipay_cert_sn")
	assert.Equal(t, "old", message.Get("sign"))

	g.RotateCertificate()
	signed = g.SignNotification(trade)
	assert.Equal(t, keys().alipayNextSN, signed.Get("alipay_cert_sn"))
	assert.True(t, holds(keys().alipayNext, "body=a b&c=一&notify_id=1&notify_time=2026-03-01 07:59:59&notify_type=trade_status_sync", signed.Get("sign")))
	signed = g.SignNotification(message)
	assert.Equal(t, keys().alipayNextSN, signed.Get("alipay_cert_sn"))
	assert.True(t, holds(keys().alipayNext, "msg_method=a.b&notify_id=1&sign_type=RSA2", signed.Get("sign")))

	assert.Len(t, g.SignNotification(nil), 3)
	assert.Len(t, g.SignNotification(url.Values{"a": {"1", "2"}})["a"], 2)
}
