package alipay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// The whole check: an order string, the user's yes in Alipay's app, the message
// that follows, and the result.
func Example_theWholeCheck() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()

	// The platform posts messages to the application's gateway address (应用网关).
	agreed := make(chan string, 1)
	merchant := httptest.NewServer(client.NotificationHandler(func(_ context.Context, message *alipay.Notification) error {
		var changed struct {
			OutAgreementNo string `json:"out_agreement_no"`
		}
		if err := json.Unmarshal(message.BizContent, &changed); err != nil {
			return err
		}
		select { // the same message may come again
		case agreed <- changed.OutAgreementNo:
		default:
		}
		return nil // answers success
	}))
	defer merchant.Close()
	gateway.SetMessagesTo(merchant.URL)

	ctx := context.Background()
	orderString, err := client.ZhimaCreditPayafteruseCreditagreement.Sign(ctx, &alipay.CreditAgreementSignParams{
		OutAgreementNo: "out-agreement-no-1",
		ZmServiceID:    "2019120400000000000004450100",
		ProductCode:    alipay.ProductCodeZhimaAuth,
		ExtraParam:     map[string]string{"onceToken": "once-token-1"},
	})
	if err != nil {
		log.Fatal(err)
	}

	// In production the merchant's app hands the order string to Alipay's.
	order, err := gateway.OpenOrder(orderString)
	if err != nil {
		log.Fatal(err)
	}
	order.Agree()
	outAgreementNo := <-agreed
	fmt.Println("message about", outAgreementNo)

	// Never act on a message alone: query the agreement.
	agreement, err := client.ZhimaCreditPayafteruseCreditagreement.Query(ctx, &alipay.CreditAgreementQueryParams{
		OutAgreementNo: outAgreementNo,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("agreement:", agreement.AgreementStatus)

	answer, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(ctx, &alipay.QueryParams{
		ConnKey:   outAgreementNo,
		OnceToken: "once-token-1",
	}, alipay.PollPolicy{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("result:", answer.IdentityResult)
	// Output:
	// message about out-agreement-no-1
	// agreement: VALID
	// result: SUCCESS
}

// An answer that could not be accepted is kept, and opened once the cause is
// fixed. Here the wrong public key was configured as Alipay's.
func ExampleSealedAnswer() {
	gateway, _ := newGatewayAndClient()
	defer gateway.Close()
	config := gateway.Config()
	config.AlipayPublicKey = otherPublicKey
	mistaken, err := alipay.NewClient(config)
	if err != nil {
		log.Fatal(err)
	}

	_, err = mistaken.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "once-token-1"})
	var failed *alipay.CallError
	if !errors.As(err, &failed) || failed.Answer == nil {
		log.Fatal("there is nothing to keep: ", err)
	}
	fmt.Println(alipay.OutcomeOf(err))
	stored, err := failed.Answer.MarshalBinary() // for a database column
	if err != nil {
		log.Fatal(err)
	}

	// Later, perhaps in another process, with the right key:
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}
	var answer alipay.SealedAnswer
	if err := answer.UnmarshalBinary(stored); err != nil {
		log.Fatal(err)
	}
	result, err := client.ZhimaCustomerJobworthAuthentication.Open(&answer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.IdentityResult, "asked for only once:", len(gateway.Requests()) == 1)
	// Output:
	// unknown
	// SUCCESS asked for only once: true
}

// In certificate mode a new certificate of Alipay's is downloaded when an answer
// first names it, and trusted under strict conditions. With the download switched
// off, the answer is kept.
func ExampleWithCertificateDownload() {
	gateway, _ := newGatewayAndClient()
	defer gateway.Close()
	config := gateway.CertConfig()
	gateway.RotateCertificate() // Alipay signs under another certificate from now on

	for _, enabled := range []bool{false, true} {
		client, err := alipay.NewClient(config, alipay.WithCertificateDownload(enabled))
		if err != nil {
			log.Fatal(err)
		}
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: fmt.Sprint("token-", enabled)})
		var failed *alipay.CallError
		fmt.Println(alipay.OutcomeOf(err), "kept:", errors.As(err, &failed) && failed.Answer != nil)
	}
	// Output:
	// unknown kept: true
	// success kept: false
}

// SDKExecute signs the order string of any API of the older gateway, for an app
// or a mini-program. Nothing is sent.
func ExampleClient_SDKExecute() {
	gateway, client := newGatewayAndClient(alipay.WithClock(exampleClock))
	defer gateway.Close()

	orderString, err := client.SDKExecute(context.Background(), &alipay.ExecuteRequest{
		Method:     "alipay.trade.app.pay",
		BizContent: map[string]string{"out_trade_no": "70501111111S001111119", "subject": "大乐透", "total_amount": "9.00"},
		NotifyURL:  "https://shop.example/alipay",
	})
	if err != nil {
		log.Fatal(err)
	}
	values, err := url.ParseQuery(orderString)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(values.Get("method"), values.Get("timestamp"), "signed:", values.Get("sign") != "")
	// Output: alipay.trade.app.pay 2026-11-21 16:00:00 signed: true
}

// PageExecute makes a URL (GET) or an HTML form that submits itself (POST), for
// the customer's browser.
func ExampleClient_PageExecute() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()

	request := &alipay.ExecuteRequest{
		Method:     "alipay.trade.page.pay",
		BizContent: map[string]string{"out_trade_no": "20261121010101001", "subject": "Iphone6 16G", "total_amount": "88.88", "product_code": "FAST_INSTANT_TRADE_PAY"},
		ReturnURL:  "https://shop.example/paid",
	}
	page, err := client.PageExecute(context.Background(), http.MethodGet, request)
	if err != nil {
		log.Fatal(err)
	}
	form, err := client.PageExecute(context.Background(), http.MethodPost, request)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.HasPrefix(page, gateway.BaseURL()+"/gateway.do?"), strings.HasPrefix(form, "<form "))
	// Output: true true
}

// A notification is accepted only when its signature verifies. NotificationHandler
// checks it and answers; VerifyNotification is for use in another framework.
func ExampleClient_VerifyNotification() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()

	form := gateway.SignNotification(url.Values{ // the content of r.PostForm
		"app_id":      {"2021000000000001"},
		"notify_id":   {"2026112100222154321"},
		"notify_type": {"trade_status_sync"},
		"trade_no":    {"2013112111001004500000675971"},
	})
	notification, err := client.VerifyNotification(form)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(notification.ID, notification.Method, notification.Values.Get("trade_no"))

	form.Set("trade_no", "2013112111001004500000675972")
	_, err = client.VerifyNotification(form)
	fmt.Println("changed on the way:", errors.Is(err, alipay.ErrNotificationSignature))
	// Output:
	// 2026112100222154321 trade_status_sync 2013112111001004500000675971
	// changed on the way: true
}

// Files are uploaded along with the JSON parameters.
func ExampleClient_Do_upload() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()
	gateway.Handle(http.MethodPost, "/v3/alipay/open/file/upload", func(r alipaytest.ReceivedRequest) (int, any) {
		return http.StatusOK, map[string]any{"file_id": fmt.Sprint(r.Files[0].Name, ", ", len(r.Files[0].Content), " bytes")}
	})

	var uploaded struct {
		FileID string `json:"file_id"`
	}
	_, err := client.Do(context.Background(), &alipay.Request{
		Method: http.MethodPost,
		Path:   "/v3/alipay/open/file/upload",
		Body:   map[string]string{"biz_code": "content_creation"},
		Files:  []alipay.File{{Field: "file_content", Name: "picture.png", Content: []byte("\x89PNG…")}},
	}, &uploaded)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(uploaded.FileID)
	// Output: picture.png, 7 bytes
}

func exampleClock() time.Time { return time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC) }

// otherPublicKey is a public key that has nothing to do with the gateway.
const otherPublicKey = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAoiVb1TtaUXPMu+EdZnxw671GPTqua61lEJ5h+2/E2l3YW4ZV5/oJ" +
	"vKPMVBMLGMBQ5W3MLIS7sviPiYYm5EGMp0Pp3qIZQtGozshZN9XbxdoCvaxhAGhF4usmU0RW6TSn1wm/gprAp/WCNsLtB88g" +
	"90L7dTdw2z12jqUX6Fqk6ywxjsToZqqdZujCLuHfVJhI7rBoNDDu6Z4EP5pXPgYSd+ys82jQJ2xSbIF39+alojqh9BrbFhKx" +
	"Sd/xkpCwfhsSD+ZmcDD7HbgxnBf05EB23Q26mnIkhPDsoG6i80BPgdUCCqHrFJN/PBAkKBiwdjZjQi02Y1zU7+pKqTh8Xzgj" +
	"CwIDAQAB"
