package alipay_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

func certificateClient(t testing.TB) *alipay.Client {
	return orderClient(t, func(c *alipay.AlipayConfig) {
		c.AlipayPublicKey = ""
		c.AppCertContent, c.AlipayPublicCertContent, c.RootCertContent = vector(t, "app_public_cert.crt"), vector(t, "alipay_public_cert.crt"), vector(t, "root_bundle.crt")
	})
}

func trade() url.Values {
	return url.Values{
		"notify_id": {"2026-2"}, "notify_time": {"2027-04-01 01:30:00"}, "notify_type": {"trade_status_sync"},
		"app_id": {"2021000000000001"}, "out_trade_no": {"7"}, "total_amount": {"1.00"}, "charset": {"utf-8"},
	}
}

// signedForm signs a form over all but the names left out.
func signedForm(t testing.TB, form url.Values, key *rsa.PrivateKey, leaveOut ...string) url.Values {
	form.Set("sign_type", "RSA2")
	params, err := protocol.OldParameters(form)
	require.NoError(t, err)
	sign, err := protocol.Sign(key, protocol.OldContent(params, append(leaveOut, "sign")...))
	require.NoError(t, err)
	form.Set("sign", sign)
	return form
}

func TestANotificationIsBelievedInEveryFormThatIsSigned(t *testing.T) {
	t.Parallel()
	sn, err := alipay.CertSN([]byte(vector(t, "alipay_public_cert.crt")))
	require.NoError(t, err)
	named := func(form url.Values, sn string) url.Values { form.Set("alipay_cert_sn", sn); return form }
	for name, tt := range map[string]struct {
		client *alipay.Client
		form   url.Values
	}{
		"a message, sign_type signed":           {orderClient(t, nil), signedForm(t, message(), alipayKey())},
		"a message, sign_type not signed":       {orderClient(t, nil), signedForm(t, message(), alipayKey(), "sign_type")},
		"a trade's notification":                {orderClient(t, nil), signedForm(t, trade(), alipayKey(), "sign_type")},
		"certificate mode, no name":             {certificateClient(t), signedForm(t, message(), alipayKey(), "sign_type")},
		"certificate mode, name not signed":     {certificateClient(t), signedForm(t, named(message(), sn), alipayKey(), "sign_type", "alipay_cert_sn")},
		"certificate mode, name signed":         {certificateClient(t), signedForm(t, named(trade(), strings.ToUpper(sn)), alipayKey(), "sign_type")},
		"certificate mode, all of it signed":    {certificateClient(t), signedForm(t, named(message(), sn), alipayKey())},
		"certificate mode, sign_type is signed": {certificateClient(t), signedForm(t, named(message(), sn), alipayKey(), "alipay_cert_sn")},
	} {
		n, err := tt.client.VerifyNotification(tt.form)
		require.NoError(t, err, name)
		assert.Equal(t, tt.form.Get("notify_id"), n.ID)
		assert.Equal(t, tt.form.Get("msg_method")+tt.form.Get("notify_type"), n.Method)
		assert.Equal(t, "2021000000000001", n.AppID)
		assert.Equal(t, orderTime.Unix(), n.Time.Unix())
		assert.Equal(t, tt.form.Get("biz_content"), string(n.BizContent))
		assert.Equal(t, tt.form, n.Values)
		n.Values.Set("app_id", "x")
		assert.Equal(t, "2021000000000001", tt.form.Get("app_id"), "the caller's form is left alone")
	}
}

// TestANotificationSaysWhatItsParametersSay: which of two parameters is read, and
// what a parameter that cannot be read leaves.
func TestANotificationSaysWhatItsParametersSay(t *testing.T) {
	t.Parallel()
	millis, other := time.UnixMilli(1806514200123), orderTime.Add(time.Hour)
	for name, tt := range map[string]struct {
		set     url.Values
		method  string
		at      time.Time
		content string
	}{
		"a message":                  {message(), "zhima.credit.payafteruse.creditagreement.changed", millis, message().Get("biz_content")},
		"both times":                 {url.Values{"utc_timestamp": {"1806514200123"}, "notify_time": {protocol.FormatOldTime(other)}}, "", millis, ""},
		"a time that cannot be read": {url.Values{"utc_timestamp": {"x"}, "notify_time": {protocol.FormatOldTime(other)}}, "", other, ""},
		"no time that can be read":   {url.Values{"utc_timestamp": {"x"}, "notify_time": {"x"}}, "", time.Time{}, ""},
		"both methods":               {url.Values{"msg_method": {"a"}, "notify_type": {"b"}}, "a", time.Time{}, ""},
		"no JSON":                    {url.Values{"biz_content": {"x"}}, "", time.Time{}, ""},
	} {
		tt.set.Set("app_id", "2021000000000001")
		form := signedForm(t, tt.set, alipayKey(), "sign_type")
		form.Del("sign_type") // which not every notification has
		n, err := orderClient(t, nil).VerifyNotification(form)
		require.NoError(t, err, name)
		assert.Equal(t, tt.method, n.Method, name)
		assert.True(t, tt.at.Equal(n.Time), "%s: %s", name, n.Time)
		assert.Equal(t, tt.content, string(n.BizContent), name)
	}
}

// A value of only white space is signed by some signers and not by others. One
// that is not signed does not stand for one that is.
func TestANotificationIsBelievedWhetherBlankValuesAreSignedOrNot(t *testing.T) {
	t.Parallel()
	for _, client := range []*alipay.Client{orderClient(t, nil), certificateClient(t)} {
		form := trade()
		form.Set("body", " ")
		form.Set("subject", "\u3000")
		n, err := client.VerifyNotification(signedForm(t, form, alipayKey(), "sign_type"))
		require.NoError(t, err, "signed")
		assert.Equal(t, form, n.Values)

		form = trade()
		form.Set("body", " ")
		form.Set("msg_method", " ")
		n, err = client.VerifyNotification(signedForm(t, form, alipayKey(), "sign_type", "body", "msg_method"))
		require.NoError(t, err, "not signed")
		assert.Equal(t, "trade_status_sync", n.Method)
		assert.Equal(t, form, n.Values)

		form.Set("body", " x ")
		_, err = client.VerifyNotification(form)
		require.ErrorIs(t, err, alipay.ErrNotificationSignature)
		form.Set("body", " ")
		form.Set("total_amount", " ")
		_, err = client.VerifyNotification(form)
		require.ErrorIs(t, err, alipay.ErrNotificationSignature, "signed, and blank now")
	}
}

func TestANotificationIsNotBelievedOtherwise(t *testing.T) {
	t.Parallel()
	sign := func(change func(url.Values)) url.Values {
		form := message()
		change(form)
		return signedForm(t, form, alipayKey())
	}
	after := func(change func(url.Values)) url.Values {
		form := signedForm(t, message(), alipayKey())
		change(form)
		return form
	}
	for reason, tt := range map[string]struct {
		client *alipay.Client
		form   url.Values
	}{
		"there is no sign":                  {orderClient(t, nil), nil},
		"its sign_type is not RSA2":         {orderClient(t, nil), after(func(f url.Values) { f.Set("sign_type", "RSA") })},
		"its app_id is not the client's":    {orderClient(t, nil), sign(func(f url.Values) { f.Set("app_id", "2021000000000002") })},
		"its sign is not base64":            {orderClient(t, nil), after(func(f url.Values) { f.Set("sign", "%") })},
		"a parameter comes twice":           {orderClient(t, nil), after(func(f url.Values) { f.Add("notify_id", "x") })},
		"the name of a parameter holds":     {orderClient(t, nil), after(func(f url.Values) { f.Set("a=b", "x") })},
		"has signed other values":           {orderClient(t, nil), after(func(f url.Values) { f.Set("biz_content", testCertNo) })},
		"is not the one that signed":        {orderClient(t, nil), signedForm(t, message(), rsaKey(t, "alipaytest/testkeys/foreign_private_key.pem"))},
		"alipay_cert_sn, is not configured": {certificateClient(t), sign(func(f url.Values) { f.Set("alipay_cert_sn", testCertNo) })},
	} {
		n, err := tt.client.VerifyNotification(tt.form)
		assert.Nil(t, n)
		require.ErrorIs(t, err, alipay.ErrNotificationSignature, reason)
		assert.Contains(t, err.Error(), reason)
		assert.Equal(t, strings.Contains(reason, "alipay_cert_sn"), errors.Is(err, alipay.ErrUnknownCertificate))
		assertKeepsSecret(t, printed(err), testCertNo, testConnKey)
	}
}

// TestANotificationChangedAnywhereIsRefused changes every byte of every value,
// and leaves out and adds members.
func TestANotificationChangedAnywhereIsRefused(t *testing.T) {
	t.Parallel()
	for _, client := range []*alipay.Client{orderClient(t, nil), certificateClient(t)} {
		original := signedForm(t, message(), alipayKey(), "sign_type")
		refused := func(form url.Values) {
			t.Helper()
			_, err := client.VerifyNotification(form)
			require.ErrorIs(t, err, alipay.ErrNotificationSignature)
		}
		for name, values := range original {
			for i := range len(values[0]) {
				form := url.Values(http.Header(original).Clone())
				changed := []byte(values[0])
				changed[i] ^= 1
				form.Set(name, string(changed))
				refused(form)
			}
			if values[0] != "" && name != "sign_type" {
				form := url.Values(http.Header(original).Clone())
				form.Del(name)
				refused(form)
			}
		}
		form := url.Values(http.Header(original).Clone())
		form.Set("added", "x")
		refused(form)
	}
}

func TestANotificationIsBelievedUntilItsCertificateExpires(t *testing.T) {
	block, _ := pem.Decode([]byte(vector(t, "alipay_public_cert.crt")))
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	now := orderTime
	config := testConfig(t, "https://gateway.example")
	config.AlipayPublicKey = ""
	config.AppCertContent, config.AlipayPublicCertContent, config.RootCertContent = vector(t, "app_public_cert.crt"), vector(t, "alipay_public_cert.crt"), vector(t, "root_bundle.crt")
	client, err := alipay.NewClient(config, alipay.WithClock(func() time.Time { return now }))
	require.NoError(t, err)
	form := signedForm(t, message(), alipayKey())
	now = cert.NotAfter
	_, err = client.VerifyNotification(form)
	require.NoError(t, err)
	now = now.Add(1)
	_, err = client.VerifyNotification(form)
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	require.ErrorIs(t, err, alipay.ErrNotificationSignature)
}

func TestNoNotificationIsBelievedWithoutAClient(t *testing.T) {
	form := signedForm(t, message(), alipayKey())
	for _, client := range []*alipay.Client{nil, new(alipay.Client)} {
		n, err := client.VerifyNotification(form)
		assertArgument(t, err, "Client")
		assert.Nil(t, n)
		status, answer := post(t, client.NotificationHandler(nil), "POST", "/", form.Encode())
		assert.Equal(t, 400, status)
		assert.Equal(t, "fail", answer)
	}
}

func TestTheAnswerToANotificationIsPlainText(t *testing.T) {
	handler := orderClient(t, nil).NotificationHandler(func(context.Context, *alipay.Notification) error { return nil })
	believed := signedForm(t, message(), alipayKey()).Encode()
	for name, tt := range map[string]struct {
		method string
		body   io.Reader
		status int
		allow  string
	}{
		"success":            {"POST", strings.NewReader(believed), 200, ""},
		"a GET":              {"GET", nil, 405, "POST"},
		"one that broke off": {"POST", io.MultiReader(strings.NewReader(believed), iotest.ErrReader(io.ErrUnexpectedEOF)), 400, ""},
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(tt.method, "/", tt.body))
		assert.Equal(t, tt.status, w.Code, name)
		assert.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"), name)
		assert.Equal(t, tt.allow, w.Header().Get("Allow"), name)
	}
}

func post(t testing.TB, handler http.Handler, method, target, body string) (int, string) {
	server := httptest.NewServer(handler)
	defer server.Close()
	req, err := http.NewRequest(method, server.URL+target, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(answer)
}

func TestSuccessIsAnsweredOnlyAfterTheFunctionReturnedNil(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	config := testConfig(t, "https://gateway.example")
	client, err := alipay.NewClient(config, alipay.WithClock(func() time.Time { return orderTime }), alipay.WithLogger(slog.New(slog.NewTextHandler(&lockedWriter{w: &log}, nil))))
	require.NoError(t, err)
	believed := signedForm(t, message(), alipayKey()).Encode()
	changed := strings.Replace(believed, "2026-1", "2026-9", 1)
	for name, tt := range map[string]struct {
		method, target, body string
		handle               func(context.Context, *alipay.Notification) error
		status               int
		handled              bool
	}{
		"nil":          {"POST", "/notify?a=b", believed, func(context.Context, *alipay.Notification) error { return nil }, 200, true},
		"an error":     {"POST", "/", believed, func(context.Context, *alipay.Notification) error { return errors.New(testCertNo) }, 500, true},
		"a panic":      {"POST", "/", believed, func(context.Context, *alipay.Notification) error { panic(testCertNo) }, 500, true},
		"no function":  {"POST", "/", believed, nil, 500, false},
		"changed":      {"POST", "/", changed, nil, 400, false},
		"no form":      {"POST", "/", "%zz", nil, 400, false},
		"half a form":  {"POST", "/", believed + "&%zz", nil, 400, false},
		"in the query": {"POST", "/?" + believed, "", nil, 400, false},
		"a GET":        {"GET", "/?" + believed, "", nil, 405, false},
		"too large":    {"POST", "/", believed + "&x=" + strings.Repeat("x", 1<<20), nil, 413, false},
	} {
		handled := false
		var handle func(context.Context, *alipay.Notification) error
		if tt.handle != nil {
			handle = func(ctx context.Context, n *alipay.Notification) error {
				handled = true
				assert.Equal(t, "2026-1", n.ID)
				return tt.handle(ctx, n)
			}
		}
		status, answer := post(t, client.NotificationHandler(handle), tt.method, tt.target, tt.body)
		assert.Equal(t, tt.status, status, name)
		assert.Equal(t, map[bool]string{true: "success", false: "fail"}[tt.status == 200], answer, name)
		assert.Equal(t, tt.handled, handled, name)
	}
	assert.Equal(t, 9, strings.Count(log.String(), "alipay: notification refused"))
	for _, line := range []string{
		`status=405 error="the request is not a POST"`, `status=413 error="the body is larger than 1 MiB"`, `status=400 error="the body is not a form"`,
		`status=400 error="the notification could not be verified: `, `status=500 error="the handler panicked with a string"`,
		`status=500 error="the handler returned a *errors.errorString"`,
	} {
		assert.Contains(t, log.String(), `level=WARN msg="alipay: notification refused" app_id=2021000000000001 `+line)
	}
	assertKeepsSecret(t, map[string]string{"log": log.String()}, testCertNo, testConnKey, "2026-1", "2026-9")
}

func TestABodyOfOneMebibyteIsRead(t *testing.T) {
	t.Parallel()
	form := message()
	form.Set("x", strings.Repeat("x", 900<<10))
	body := signedForm(t, form, alipayKey()).Encode()
	body += "&" + strings.Repeat("z", 1<<20-len(body)-2) + "=" // an empty value is not signed
	client := orderClient(t, nil)
	ok := func(context.Context, *alipay.Notification) error { return nil }
	status, _ := post(t, client.NotificationHandler(ok), "POST", "/", body)
	assert.Equal(t, 200, status)
	status, _ = post(t, client.NotificationHandler(ok), "POST", "/", "&"+body)
	assert.Equal(t, 413, status)
}

func FuzzVerifyNotification(f *testing.F) {
	clients := []*alipay.Client{orderClient(f, nil), certificateClient(f)}
	f.Fuzz(func(t *testing.T, body string) {
		values, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		for _, client := range clients {
			n, err := client.VerifyNotification(values)
			if err != nil {
				assert.ErrorIs(t, err, alipay.ErrNotificationSignature)
				continue
			}
			assert.Equal(t, "2021000000000001", n.AppID)
			assert.Contains(t, []string{"2026-1", "2026-2"}, n.ID, "only what was signed is believed")
		}
	})
}
