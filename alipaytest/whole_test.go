package alipaytest

import (
	"context"
	"encoding/json"
	escaper "html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
)

// A whole check over real HTTP: order string, app, message, queries, result.
func TestAWholeCheck(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]Option{"plain": nil, "encrypted": {WithEncryptKey(testKey)}, "behind a proxy": {WithPathPrefix("/proxy")}} {
		for _, mode := range []string{"public-key", "certificate", "rotated certificate"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				g := NewGateway(t, opts...)
				if mode == "rotated certificate" {
					g.RotateCertificate()
				}
				config := g.CertConfig()
				if mode == "public-key" {
					config = g.Config()
				}
				client, err := alipay.NewClient(config)
				require.NoError(t, err)
				defer client.CloseIdleConnections()
				agreements, jobworth := client.ZhimaCreditPayafteruseCreditagreement, client.ZhimaCustomerJobworthAuthentication

				notified := make(chan *alipay.Notification, 1)
				merchant := httptest.NewServer(client.NotificationHandler(func(_ context.Context, n *alipay.Notification) error {
					notified <- n
					return nil
				}))
				defer merchant.Close()
				g.SetMessagesTo(merchant.URL)

				orderString, err := agreements.Sign(t.Context(), &alipay.CreditAgreementSignParams{
					OutAgreementNo: "check 1/一", ZmServiceID: "2019120400000000000004450100", ProductCode: alipay.ProductCodeZhimaAuth,
					ExtraParam: map[string]string{"onceToken": "t"},
				})
				require.NoError(t, err)
				opened, err := g.OpenOrder(orderString)
				require.NoError(t, err)
				require.Equal(t, "check 1/一", opened.OutAgreementNo)
				require.Equal(t, "t", opened.OnceToken)

				params := &alipay.QueryParams{ConnKey: "check 1/一", OnceToken: "t"}
				response, err := jobworth.Query(t.Context(), params)
				require.NoError(t, err)
				require.Equal(t, alipay.IdentityResultWaitingVerify, response.IdentityResult)
				agreementParams := &alipay.CreditAgreementQueryParams{OutAgreementNo: "check 1/一"}
				_, err = agreements.Query(t.Context(), agreementParams)
				require.ErrorIs(t, err, alipay.CodeCreditAgreementNotExist)

				opened.Agree()
				notification := <-notified
				require.Equal(t, "zhima.credit.payafteruse.creditagreement.changed", notification.Method)
				require.WithinDuration(t, time.Now(), notification.Time, time.Minute)
				var message struct {
					Status string `json:"agreement_status"`
					OutNo  string `json:"out_agreement_no"`
				}
				require.NoError(t, json.Unmarshal(notification.BizContent, &message))
				require.Equal(t, "VALID", message.Status)
				require.Equal(t, "check 1/一", message.OutNo)
				require.True(t, settled(g)[0].Accepted)
				agreement, err := agreements.Query(t.Context(), agreementParams)
				require.NoError(t, err)
				require.Equal(t, alipay.AgreementStatusValid, agreement.AgreementStatus)
				require.Equal(t, opened.CreditAgreementID(), agreement.CreditAgreementID)
				response, err = jobworth.Query(t.Context(), params)
				require.NoError(t, err)
				require.Equal(t, alipay.IdentityResultSuccess, response.IdentityResult)
				require.Equal(t, agreement.OpenID, response.OpenID)
				_, err = jobworth.Query(t.Context(), params)
				require.ErrorIs(t, err, alipay.CodeTokenInvalid)
			})
		}
	}
}

func TestTheClientsPagesAreOpened(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]Option{"plain": nil, "encrypted": {WithEncryptKey(testKey)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewGateway(t, opts...)
			client, err := alipay.NewClient(g.CertConfig())
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			page := func(method, number string) string {
				text, err := client.PageExecute(t.Context(), method, &alipay.ExecuteRequest{
					Method: signMethod, BizContent: json.RawMessage(`{"out_agreement_no":"` + number + `","zm_service_id":"2"}`),
					ReturnURL: "https://merchant.example/?a=b&c=\"d\"",
				})
				require.NoError(t, err)
				return text
			}
			read := func(response *http.Response, err error) {
				require.NoError(t, err)
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				require.Contains(t, string(text), "The order is in order.")
			}
			address := page("GET", "get")
			read(g.HTTPClient().Get(address))
			_, err = g.OpenOrder(address)
			require.NoError(t, err)

			form := page("POST", `<'1' & 2>`)
			action := regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(form)
			hidden := regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(form, -1)
			require.Len(t, action, 2)
			values := url.Values{}
			for _, match := range hidden {
				values.Set(escaper.UnescapeString(match[1]), escaper.UnescapeString(match[2]))
			}
			read(g.HTTPClient().PostForm(escaper.UnescapeString(action[1]), values))
			require.Contains(t, g.agreements, "get")
			require.Contains(t, g.agreements, `<'1' & 2>`)
			for _, r := range g.Requests() {
				require.True(t, r.Verified)
				require.Empty(t, r.Code)
			}
		})
	}
}

func TestTheClientsUploadsAreTaken(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]Option{"plain": nil, "encrypted": {WithEncryptKey(testKey)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := uploadGateway(t, opts...)
			client, err := alipay.NewClient(g.Config())
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			var out struct {
				Files int
				Data  string
			}
			_, err = client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/upload", Body: map[string]string{"a": "一"},
				Files: []alipay.File{{Field: "image", Name: "一 1.png", Content: []byte("\x89PNG\r\n")}}}, &out)
			require.NoError(t, err)
			assert.Equal(t, 1, out.Files)
			assert.JSONEq(t, `{"a":"一"}`, out.Data)
			file := g.Requests()[0].Files[0]
			assert.Equal(t, "image", file.Field)
			assert.Equal(t, "一 1.png", file.Name)
			assert.Equal(t, "\x89PNG\r\n", string(file.Content))
			var beat struct{ PID string }
			_, err = client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/monitor/heartbeat/syn", Body: map[string]string{"biz_content": "x"}}, &beat)
			require.NoError(t, err)
			assert.Equal(t, "2088000000000000", beat.PID)
		})
	}
}

func TestTheClientBelievesWhatSignNotificationSigns(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	check := func(config alipay.AlipayConfig) {
		t.Helper()
		client, err := alipay.NewClient(config)
		require.NoError(t, err)
		for _, values := range []url.Values{
			{"notify_id": {"1"}, "msg_method": {"a.b"}, "app_id": {AppID}, "biz_content": {`{"a":"b&c=d"}`}},
			{"notify_id": {"1"}, "notify_type": {"trade_status_sync"}, "app_id": {AppID}, "subject": {"一 &=+"}},
		} {
			signed := g.SignNotification(values)
			got, err := client.VerifyNotification(signed)
			require.NoError(t, err)
			require.Equal(t, "1", got.ID)
			signed.Set("notify_id", "2")
			_, err = client.VerifyNotification(signed)
			require.ErrorIs(t, err, alipay.ErrNotificationSignature)
		}
	}
	check(g.Config())
	check(g.CertConfig())
	g.RotateCertificate()
	check(g.CertConfig())
}
