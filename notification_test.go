package alipay_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
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

func TestNotificationIsAcceptedInEverySignedForm(t *testing.T) {
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

// TestNotificationFieldsComeFromItsParameters: which of two parameters is read,
// and what a parameter that cannot be read leaves.
func TestNotificationFieldsComeFromItsParameters(t *testing.T) {
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
		tt.set.Set("notify_id", "1")
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
func TestNotificationsBlankValuesMayBeSignedOrNot(t *testing.T) {
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

func TestUnverifiableNotificationIsRefused(t *testing.T) {
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
		"there is no sign":                                       {orderClient(t, nil), nil},
		"its sign_type is not RSA2":                              {orderClient(t, nil), after(func(f url.Values) { f.Set("sign_type", "RSA") })},
		"its app_id is not the client's":                         {orderClient(t, nil), sign(func(f url.Values) { f.Set("app_id", "2021000000000002") })},
		"its sign is not base64":                                 {orderClient(t, nil), after(func(f url.Values) { f.Set("sign", "%") })},
		"a parameter comes twice":                                {orderClient(t, nil), after(func(f url.Values) { f.Add("notify_id", "x") })},
		"the name of a parameter holds":                          {orderClient(t, nil), after(func(f url.Values) { f.Set("a=b", "x") })},
		"has signed other values":                                {orderClient(t, nil), after(func(f url.Values) { f.Set("biz_content", testCertNo) })},
		"is not the one that signed":                             {orderClient(t, nil), signedForm(t, message(), rsaKey(t, "alipaytest/testkeys/foreign_private_key.pem"))},
		"its msg_method holds & or =":                            {orderClient(t, nil), sign(func(f url.Values) { f.Set("msg_method", testCertNo+"&") })},
		"its utc_timestamp holds & or =":                         {orderClient(t, nil), sign(func(f url.Values) { f.Set("utc_timestamp", "1=2") })},
		"it has no notify_id":                                    {orderClient(t, nil), sign(func(f url.Values) { f.Del("notify_id") })},
		"any call fetches the new one, Client.Heartbeat for one": {certificateClient(t), sign(func(f url.Values) { f.Set("alipay_cert_sn", "x") })},
		"alipay_cert_sn, is not configured":                      {certificateClient(t), sign(func(f url.Values) { f.Set("alipay_cert_sn", testCertNo) })},
	} {
		n, err := tt.client.VerifyNotification(tt.form)
		assert.Nil(t, n)
		require.ErrorIs(t, err, alipay.ErrNotificationSignature, reason)
		assert.Contains(t, err.Error(), reason)
		assert.Equal(t, strings.Contains(reason, "alipay_cert_sn") || strings.Contains(reason, "Heartbeat"), errors.Is(err, alipay.ErrUnknownCertificate))
		assertKeepsSecret(t, printed(err), testCertNo, testConnKey)
	}
}

// TestNotificationChangedAnywhereIsRefused changes every byte of every value, and
// leaves out and adds members.
func TestNotificationChangedAnywhereIsRefused(t *testing.T) {
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

func TestNotificationIsAcceptedUntilItsCertificateExpires(t *testing.T) {
	block, _ := pem.Decode([]byte(vector(t, "alipay_public_cert.crt")))
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	now := orderTime
	config := testConfig(t, "https://gateway.example")
	config.AlipayPublicKey = ""
	config.AppCertContent, config.AlipayPublicCertContent, config.RootCertContent = vector(t, "app_public_cert.crt"), vector(t, "alipay_public_cert.crt"), vector(t, "root_bundle.crt")
	client := clientOf(t, config, alipay.WithClock(func() time.Time { return now }))
	form := signedForm(t, message(), alipayKey())
	now = cert.NotAfter
	_, err = client.VerifyNotification(form)
	require.NoError(t, err)
	now = now.Add(1)
	_, err = client.VerifyNotification(form)
	require.ErrorIs(t, err, alipay.ErrUnknownCertificate)
	require.ErrorIs(t, err, alipay.ErrNotificationSignature)
}

func TestNotificationWithoutAClientIsRefused(t *testing.T) {
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

func TestAnswerToANotificationIsPlainText(t *testing.T) {
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
	var log lockedBuffer
	config := testConfig(t, "https://gateway.example")
	client := clientOf(t, config, alipay.WithClock(func() time.Time { return orderTime }), alipay.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
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
	assert.Equal(t, 6, strings.Count(log.String(), "alipay: notification refused"))
	assert.Equal(t, 3, strings.Count(log.String(), "alipay: notification not handled"))
	for _, line := range []string{
		`status=405 error="the request is not a POST"`, `status=413 error="the body is larger than 1 MiB"`, `status=400 error="the body is not a form `,
		`status=400 error="the body is empty `, `status=400 error="alipay: the notification could not be verified: `,
	} {
		assert.Contains(t, log.String(), `level=WARN msg="alipay: notification refused" app_id=2021000000000001 `+line)
	}
	for _, line := range []string{
		`status=500 error="the notification's handler panicked with a string"`, `status=500 error="the notification's handler failed with a *errors.errorString"`,
	} {
		assert.Contains(t, log.String(), `level=WARN msg="alipay: notification not handled" app_id=2021000000000001 `+line)
	}
	assertKeepsSecret(t, map[string]string{"log": log.String()}, testCertNo, testConnKey, "2026-1", "2026-9")
}

func TestNotificationOfOneMebibyteIsRead(t *testing.T) {
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
			if n.ID != "" || !strings.HasSuffix(n.Method, ".return") && n.Method != "alipay.service.check" {
				assert.Contains(t, []string{"2026-1", "2026-2"}, n.ID, "only what was signed is believed")
			}
		}
	})
}

// platformForms are forms that were signed with OpenSSL, as the platform posts them.
func platformForms(t testing.TB) map[string]string {
	var v struct{ Forms []struct{ Name, Form string } }
	require.NoError(t, json.Unmarshal([]byte(vector(t, "notifications.json")), &v))
	forms := map[string]string{}
	for _, f := range v.Forms {
		forms[f.Name] = f.Form
	}
	return forms
}

func TestEveryFormThePlatformSendsIsRead(t *testing.T) {
	forms := platformForms(t)
	millis := time.UnixMilli(1806514200123)
	for name, want := range map[string]alipay.Notification{
		"message":                      {ID: "2026-1", Method: "zhima.credit.payafteruse.creditagreement.changed", AppID: "2021000000000001", Time: millis, BizContent: json.RawMessage(`{"说明":"a&b=c+d"}`)},
		"message, sign_type signed":    {ID: "2026-1", Method: "zhima.credit.payafteruse.creditagreement.changed", AppID: "2021000000000001", Time: millis, BizContent: json.RawMessage(`{"说明":"a&b=c+d"}`)},
		"trade":                        {ID: "2026-2", Method: "trade_status_sync", AppID: "2021000000000001", Time: orderTime},
		"return":                       {Method: "alipay.trade.page.pay.return", AppID: "2021000000000001", Time: orderTime},
		"check":                        {Method: "alipay.service.check"},
		"check without an application": {Method: "alipay.service.check"},
	} {
		form := parseForm(t, forms[name])
		n, err := orderClient(t, nil).VerifyNotification(form)
		require.NoError(t, err, name)
		want.Values = form
		assert.True(t, want.Time.Equal(n.Time), "%s: %s", name, n.Time)
		want.Time = n.Time
		assert.Equal(t, &want, n, name)
	}
	for name, reason := range map[string]string{
		"check of another application": "its AppId is not the client's, 2021000000000001",
		"trade in GBK":                 "its values are not UTF-8, its charset is GBK; ",
	} {
		_, err := orderClient(t, nil).VerifyNotification(parseForm(t, forms[name]))
		require.ErrorIs(t, err, alipay.ErrNotificationSignature)
		assert.Contains(t, err.Error(), reason)
	}
}

// TestTextInAnotherCharsetIsRefused: also where its bytes are UTF-8 by
// chance, or where somebody on the way has read them as UTF-8.
func TestTextInAnotherCharsetIsRefused(t *testing.T) {
	for reason, change := range map[string]func(url.Values){
		"not UTF-8; the platform":                func(f url.Values) { f.Del("charset"); f.Set("subject", "\xc1\xaa\xcd\xa8x\xff") },
		"not UTF-8, its charset is gb2312; the":  func(f url.Values) { f.Set("charset", "gb2312"); f.Set("subject", "\xc1\xaa\xcd\xa8") },
		"not UTF-8, its charset is GB18030; the": func(f url.Values) { f.Set("charset", "GB18030"); f.Set("subject", "张三") },
		"not UTF-8; ":                            func(f url.Values) { f.Set("charset", "a\nb"); f.Set("subject", "张三") },
		"; the platform writes a notification":   func(f url.Values) { f.Set("\xd5\xc5", "1") },
	} {
		form := trade()
		change(form)
		_, err := orderClient(t, nil).VerifyNotification(signedForm(t, form, alipayKey(), "sign_type"))
		require.ErrorIs(t, err, alipay.ErrNotificationSignature)
		assert.Contains(t, err.Error(), reason)
	}
	for _, charset := range []string{"", "utf8", "UTF-8", "utf-8"} {
		form := trade()
		form.Set("charset", charset)
		form.Set("subject", "张三")
		_, err := orderClient(t, nil).VerifyNotification(signedForm(t, form, alipayKey(), "sign_type"))
		require.NoError(t, err, charset)
	}
	form := trade()
	form.Set("charset", "GBK")
	_, err := orderClient(t, nil).VerifyNotification(signedForm(t, form, alipayKey(), "sign_type"))
	require.NoError(t, err, "ASCII is the same in both")
}

func TestNotificationSignatureThatLostItsPlusIsRepaired(t *testing.T) {
	client := orderClient(t, nil)
	for i := range 20 {
		form := message()
		form.Set("x", strconv.Itoa(i))
		form = signedForm(t, form, alipayKey())
		form.Set("sign", strings.ReplaceAll(form.Get("sign"), "+", " "))
		_, err := client.VerifyNotification(form)
		require.NoError(t, err)
		if strings.Contains(form.Get("sign"), " ") {
			form.Set("x", "y")
			_, err = client.VerifyNotification(form)
			assert.ErrorContains(t, err, "has signed other values, so they were changed on the way, or decoded otherwise than sent; its sign holds blanks where + was, so the form was decoded twice")
		}
	}
	form := signedForm(t, message(), alipayKey())
	form.Set("sign", "a b")
	_, err := client.VerifyNotification(form)
	assert.ErrorContains(t, err, "its sign is not base64; its sign holds blanks")
}

// TestNotificationHasOneID: the signature does not say where a value ends, so
// neighbours can be joined under it. What was the ID stays the ID, or it is
// refused.
func TestNotificationHasOneID(t *testing.T) {
	client := orderClient(t, nil)
	for _, name := range []string{"message", "message, sign_type signed", "trade"} {
		original := parseForm(t, platformForms(t)[name])
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(original)), func(n string) bool { return n == "sign" || n == "sign_type" && name != "message, sign_type signed" })
		accepted := 0
		for joined := range 1 << (len(names) - 1) { // a bit for each border that is gone
			form := url.Values{"sign": original["sign"]}
			last := ""
			for i, n := range names {
				if i > 0 && joined>>(i-1)&1 == 1 {
					form.Set(last, form.Get(last)+"&"+n+"="+original.Get(n))
					continue
				}
				form.Set(n, original.Get(n))
				last = n
			}
			n, err := client.VerifyNotification(form)
			if err != nil {
				require.ErrorIs(t, err, alipay.ErrNotificationSignature)
				continue
			}
			accepted++
			assert.Equal(t, original.Get("notify_id"), n.ID)
			assert.Contains(t, []string{"", original.Get("msg_method") + original.Get("notify_type")}, n.Method, "joined with biz_content, or as it was")
		}
		assert.NotZero(t, accepted)
	}
}

// FuzzRegroupedNotification cuts the signed text of genuine notifications at
// other places, and re-encodes it.
func FuzzRegroupedNotification(f *testing.F) {
	var originals []url.Values
	for _, name := range []string{"message", "trade", "return"} {
		originals = append(originals, parseForm(f, platformForms(f)[name]))
	}
	client := orderClient(f, nil)
	f.Fuzz(func(t *testing.T, which uint, cuts uint64, signType bool) {
		original := originals[which%3]
		params, err := protocol.OldParameters(original)
		require.NoError(t, err)
		content := string(protocol.OldContent(params, "sign", "sign_type"))
		form := url.Values{"sign": original["sign"]}
		if signType {
			form.Set("sign_type", "RSA2")
		}
		start, n := 0, 0
		for i := range len(content) + 1 {
			if i < len(content) && (content[i] != '&' || cuts>>(n%64)&1 == 0) {
				n += strings.Count(content[i:min(i+1, len(content))], "&")
				continue
			}
			n++
			name, value, _ := strings.Cut(content[start:i], "=")
			form.Add(name, value)
			start = i + 1
		}
		notification, err := client.VerifyNotification(form)
		if err != nil {
			require.ErrorIs(t, err, alipay.ErrNotificationSignature)
			return
		}
		assert.Equal(t, original.Get("notify_id"), notification.ID)
	})
}

func TestConsoleServiceCheckIsAnswered(t *testing.T) {
	forms := platformForms(t)
	for _, client := range []*alipay.Client{orderClient(t, nil), certificateClient(t)} {
		handler := client.NotificationHandler(nil)
		for _, name := range []string{"check", "check without an application"} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(forms[name])))
			assert.Equal(t, 200, w.Code)
			assert.Equal(t, "text/xml; charset=utf-8", w.Header().Get("Content-Type"))
			var answer struct {
				Response struct {
					Inner      string `xml:",innerxml"`
					Success    string `xml:"success"`
					BizContent []byte `xml:"biz_content"`
				} `xml:"response"`
				Sign     string `xml:"sign"`
				SignType string `xml:"sign_type"`
			}
			require.NoError(t, xml.Unmarshal(w.Body.Bytes(), &answer))
			assert.Equal(t, "true", answer.Response.Success)
			assert.Equal(t, "RSA2", answer.SignType)
			require.NoError(t, protocol.Verify(&appKey(t).PublicKey, []byte(answer.Response.Inner), answer.Sign))
			block, _ := pem.Decode([]byte(vector(t, "app_public.pem")))
			assert.Equal(t, base64.StdEncoding.EncodeToString(block.Bytes), string(answer.Response.BizContent))
		}
	}
	for name, status := range map[string]int{"check of another application": 400, "check of another event": 500} {
		w := httptest.NewRecorder()
		orderClient(t, nil).NotificationHandler(nil).ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(forms[name])))
		assert.Equal(t, status, w.Code, name)
		assert.Equal(t, "fail", w.Body.String())
	}
	w := httptest.NewRecorder()
	changed := strings.Replace(forms["check"], "1806514200123", "1806514200124", 1)
	orderClient(t, nil).NotificationHandler(nil).ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(changed)))
	assert.Equal(t, 400, w.Code, "nothing is signed for a stranger")
	w = httptest.NewRecorder()
	broken := orderClient(t, func(c *alipay.AlipayConfig) { c.PrivateKey, c.Signer = "", failingSigner(t) })
	broken.NotificationHandler(nil).ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(forms["check"])))
	assert.Equal(t, 500, w.Code)
}

// TestBodyThatIsNoFormIsNamed, and what middleware has parsed is used.
func TestBodyThatIsNoFormIsNamed(t *testing.T) {
	t.Parallel()
	form := platformForms(t)["message"]
	read := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	for name, tt := range map[string]struct {
		contentType, body string
		before            func(http.ResponseWriter, *http.Request)
		status            int
		text              string
	}{
		"as it should be":       {"application/x-www-form-urlencoded; charset=utf-8", form, nil, 200, ""},
		"another Content-Type":  {"text/plain", form, nil, 200, ""},
		"parsed before":         {"application/x-www-form-urlencoded", form, func(_ http.ResponseWriter, r *http.Request) { _ = r.ParseForm() }, 200, ""},
		"parsed, with a query":  {"application/x-www-form-urlencoded", form, func(_ http.ResponseWriter, r *http.Request) { _ = r.FormValue("x") }, 200, ""},
		"read before":           {"application/x-www-form-urlencoded", form, read, 400, "the body is gone, somebody has read it before; call ParseForm there, or put the body back (Content-Type: application/x-www-form-urlencoded)"},
		"closed before":         {"application/x-www-form-urlencoded", form, func(_ http.ResponseWriter, r *http.Request) { _ = r.Body.Close() }, 400, "the body is gone"},
		"taken away":            {"application/x-www-form-urlencoded", form, func(_ http.ResponseWriter, r *http.Request) { r.Body = nil }, 400, "the body is gone"},
		"JSON":                  {"application/json;charset=GBK", ` {"notify_id":"1"}`, nil, 400, "the body is JSON, not a form; nothing on the way may rewrite what the platform sends (Content-Type: application/json;charset=GBK)"},
		"JSON, parsed":          {"application/json", `[1]`, func(_ http.ResponseWriter, r *http.Request) { _ = r.ParseForm() }, 400, "the body is JSON"},
		"JSON in place of form": {"", `{"notify_id":"1"}`, nil, 400, "(Content-Type: none)"},
		"empty":                 {"application/x-www-form-urlencoded", "", nil, 400, "the body is empty"},
		"blank":                 {"application/x-www-form-urlencoded", "\r\n", nil, 400, "the body is empty"},
		"multipart":             {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"sign\"\r\n\r\n1\r\n--x--", nil, 400, "the body is not a form (Content-Type: multipart/form-data; boundary=x)"},
		"GBK":                   {"application/x-www-form-urlencoded", platformForms(t)["trade in GBK"], nil, 400, "its charset is GBK"},
		"a long Content-Type":   {strings.Repeat("x", 5000), "%zz", nil, 400, "the body is not a form (Content-Type: xxx"},
	} {
		var log lockedBuffer
		client, err := alipay.NewClient(testConfig(t, "https://gateway.example"), logTo(&log), alipay.WithClock(func() time.Time { return orderTime }))
		require.NoError(t, err)
		handler := client.NotificationHandler(func(_ context.Context, n *alipay.Notification) error { assert.Equal(t, "2026-1", n.ID); return nil })
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tt.before != nil {
				tt.before(w, r)
			}
			handler.ServeHTTP(w, r)
		}))
		req, err := http.NewRequest("POST", server.URL+"/?x=1&sign=2", strings.NewReader(tt.body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", tt.contentType)
		if tt.contentType == "" {
			req.Header.Del("Content-Type")
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err, name)
		_ = resp.Body.Close()
		server.Close()
		assert.Equal(t, tt.status, resp.StatusCode, name)
		assert.Contains(t, log.String(), tt.text, name)
		assert.Less(t, len(log.String()), 1000)
	}
}

type recorded struct {
	slog.Handler
	attrs map[string]any
}

func (h recorded) Enabled(context.Context, slog.Level) bool { return true }
func (h recorded) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool { h.attrs[a.Key] = a.Value.Any(); return true })
	return nil
}

// TestHandlersErrorIsReachableFromTheLog, and its text, which is the caller's, is
// not in it.
func TestHandlersErrorIsReachableFromTheLog(t *testing.T) {
	for name, handle := range map[string]func(context.Context, *alipay.Notification) error{
		"error": func(context.Context, *alipay.Notification) error { return &callersError{testCertNo} },
		"panic": func(context.Context, *alipay.Notification) error { panic(&callersError{testCertNo}) },
	} {
		log := recorded{attrs: map[string]any{}}
		client, err := alipay.NewClient(testConfig(t, "https://gateway.example"), alipay.WithLogger(slog.New(log)), alipay.WithClock(func() time.Time { return orderTime }))
		require.NoError(t, err)
		client.NotificationHandler(handle).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(platformForms(t)["message"])))
		failed, ok := log.attrs["error"].(error)
		require.True(t, ok, name)
		var own *callersError
		require.ErrorAs(t, failed, &own)
		assert.Equal(t, testCertNo, own.text)
		assert.Contains(t, failed.Error(), "*alipay_test.callersError")
		assertKeepsSecret(t, printed(failed), testCertNo)
	}
}

type callersError struct{ text string }

func (e *callersError) Error() string { return e.text }

func TestNotificationIsLoggedUnderItsWireNames(t *testing.T) {
	var log lockedBuffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", "n", alipay.Notification{ID: "1", Method: "m", AppID: "2021", Time: orderTime, Values: url.Values{"a": nil}})
	assert.Contains(t, log.String(), `"n":{"notify_id":"1","method":"m","app_id":"2021","time":"2027-03-31T17:30:00Z","values":"1"}`)
}
