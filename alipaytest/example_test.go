package alipaytest_test

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

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// The code under test is the function trusted. A test uses
// alipaytest.NewGateway(t), which ends with the test; a program, and these
// examples, start the gateway and close it.
func Example() {
	trusted := func(querier alipay.JobworthQuerier, onceToken string) (bool, error) {
		response, err := querier.Query(context.Background(), &alipay.QueryParams{OnceToken: onceToken})
		if err != nil {
			return false, err
		}
		return response.IdentityResult == alipay.IdentityResultSuccess, nil
	}

	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}
	gateway.SetResult("token-2", alipaytest.Result{IdentityResult: alipay.IdentityResultFailed})

	fmt.Println(trusted(client.ZhimaCustomerJobworthAuthentication, "token-1"))
	fmt.Println(trusted(client.ZhimaCustomerJobworthAuthentication, "token-2"))
	_, err = trusted(client.ZhimaCustomerJobworthAuthentication, "token-2") // once more
	fmt.Println(errors.Is(err, alipay.CodeTokenInvalid))
	// Output:
	// true <nil>
	// false <nil>
	// true
}

// A result that the user has to bring about first: WAITING_VERIFY twice, then
// the result once.
func ExampleGateway_SetResult() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	gateway.SetResult("token-1", alipaytest.Result{
		IdentityResult: alipay.IdentityResultFailed,
		UserID:         "2088402562742105",
		WaitingPolls:   2,
	})
	policy := alipay.PollPolicy{Initial: time.Millisecond} // a test has no time
	params := &alipay.QueryParams{OnceToken: "token-1"}
	response, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(context.Background(), params, policy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.IdentityResult, "after", gateway.Token("token-1").Acted, "queries")
	// Output: FAILED after 3 queries
}

// Members that the library does not know, or of another type than documented.
func ExampleResult() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	gateway.SetResult("token-1", alipaytest.Result{
		IdentityResult: alipay.IdentityResultSuccess,
		Extra: map[string]json.RawMessage{
			"user_id": json.RawMessage(`2088402562742105`), // a number
			"score":   json.RawMessage(`{"level":"A"}`),
		},
	})
	response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.UserID, string(response.Extra["score"]))
	// Output: 2088402562742105 {"level":"A"}
}

// An error of the endpoint, as the platform words it.
func ExampleGateway_SetError() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	gateway.SetError("token-1", http.StatusBadRequest, alipay.CodeUserNotAuthorize, "用户未授权")
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
	fmt.Println(errors.Is(err, alipay.CodeUserNotAuthorize))
	var apiError *alipay.APIError
	if errors.As(err, &apiError) {
		fmt.Println(apiError.StatusCode, apiError.Code, apiError.Message, apiError.Verified)
	}
	// Output:
	// true
	// 400 USER_NOT_AUTHORIZE 用户未授权 true
}

// The final answer gets lost: the gateway has spent the token, and the caller
// can neither know nor ask again.
func ExampleGateway_Inject() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	gateway.Inject(alipaytest.LostAnswer, 1)
	params := &alipay.QueryParams{OnceToken: "token-1"}
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
	fmt.Println("outcome unknown:", errors.Is(err, alipay.ErrOutcomeUnknown))
	fmt.Printf("%+v\n", gateway.Token("token-1"))

	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
	fmt.Println("token invalid:", errors.Is(err, alipay.CodeTokenInvalid))
	// Output:
	// outcome unknown: true
	// {Requests:1 Acted:1 Spent:true Delivered:false}
	// token invalid: true
}

// Everything that can go wrong, in one table: a spent token is never reported as if
// nothing had happened.
func ExampleFaults() {
	for _, fault := range alipaytest.Faults() {
		gateway, err := alipaytest.StartGateway()
		if err != nil {
			log.Fatal(err)
		}
		client, err := alipay.NewClient(gateway.Config(), alipay.WithTimeout(100*time.Millisecond))
		if err != nil {
			log.Fatal(err)
		}

		gateway.Inject(fault, 1)
		_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
		if err != nil && gateway.Token("token-1").Spent && !errors.Is(err, alipay.ErrOutcomeUnknown) {
			fmt.Println(fault, err)
		}
		gateway.Close()
	}
	// Output:
}

// Only the requests for one token meet the fault, however many run at the same
// time.
func ExampleFault_When() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	gateway.Inject(alipaytest.ForeignSignature.When(func(r alipaytest.ReceivedRequest) bool {
		return r.Params.Get("once_token") == "token-2"
	}), 1)
	for _, token := range []string{"token-1", "token-2"} {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: token})
		fmt.Println(token, "forged:", errors.Is(err, alipay.ErrResponseSignature))
	}
	// Output:
	// token-1 forged: false
	// token-2 forged: true
}

// A fault made from a function, which gets the right answer.
func ExampleFaultFunc() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	gateway.Inject(alipaytest.FaultFunc("two signatures", func(w http.ResponseWriter, _ *http.Request, answer *alipaytest.Answer) {
		answer.Header.Set("alipay-signature", answer.Header.Get("alipay-signature")+","+answer.Header.Get("alipay-signature"))
		_ = answer.Send(w)
	}), 1)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
	fmt.Println(errors.Is(err, alipay.ErrResponseSignature))
	// Output: true
}

// What the code under test has sent, decoded, and whether its signature verifies.
func ExampleGateway_Requests() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{
		OnceToken: "token-1",
		ConnKey:   "order 1/2",
		CertType:  alipay.CertTypePassport,
	}, alipay.WithRequestID("request-1"), alipay.WithAppAuthToken("202212BB"))
	if err != nil {
		log.Fatal(err)
	}
	answer, err := http.Get(gateway.BaseURL() + "/v3/anything") // by somebody without a key
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()

	for _, request := range gateway.Requests() {
		fmt.Printf("%s %s verified=%t code=%q\n", request.Method, request.Path, request.Verified, request.Code)
		for _, name := range []string{"once_token", "conn_key", "cert_type"} {
			fmt.Printf("  %s=%q\n", name, request.Params.Get(name))
		}
		fmt.Printf("  request id %q, app auth token %q\n", request.RequestID, request.AppAuthToken)
	}
	// Output:
	// GET /v3/zhima/customer/jobworth/authentication verified=true code=""
	//   once_token="token-1"
	//   conn_key="order 1/2"
	//   cert_type="1"
	//   request id "request-1", app auth token "202212BB"
	// GET /v3/anything verified=false code="missing-timestamp"
	//   once_token=""
	//   conn_key=""
	//   cert_type=""
	//   request id "", app auth token ""
}

// Over https, as in production: the gateway's own client trusts its certificate.
func ExampleGateway_HTTPClient() {
	gateway, err := alipaytest.StartGateway(alipaytest.WithTLS())
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()

	params := &alipay.QueryParams{OnceToken: "token-1"}
	stranger, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}
	_, err = stranger.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
	fmt.Println("without it nothing is sent:", errors.Is(err, alipay.ErrNotDelivered))

	client, err := alipay.NewClient(gateway.Config(), alipay.WithHTTPClient(gateway.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.IdentityResult)
	// Output:
	// without it nothing is sent: true
	// SUCCESS
}

// A time that the test sets, for both the gateway and the client.
func ExampleWithClock() {
	clock := func() time.Time { return time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC) }
	gateway, err := alipaytest.StartGateway(alipaytest.WithClock(clock))
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config(), alipay.WithClock(clock))
	if err != nil {
		log.Fatal(err)
	}

	params := &alipay.QueryParams{OnceToken: "token-1"}
	if _, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params); err != nil {
		log.Fatal(err)
	}
	fmt.Println(gateway.Requests()[0].Timestamp.UTC())

	gateway.Inject(alipaytest.TimestampOff(-11*time.Minute), 1)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-2"})
	fmt.Println("stale:", errors.Is(err, alipay.ErrResponseStale))
	// Output:
	// 2026-02-28 23:59:59 +0000 UTC
	// stale: true
}

// Certificate mode, when Alipay's certificate is replaced: only a client with both
// the old and the new one still accepts answers.
func ExampleGateway_RotateCertificate() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()

	config := gateway.CertConfig()
	// By default a client would download the certificate.
	unprepared, err := alipay.NewClient(config, alipay.WithCertificateDownload(false))
	if err != nil {
		log.Fatal(err)
	}
	config.AlipayPublicCertContent += alipaytest.RotatedCertificate()
	prepared, err := alipay.NewClient(config)
	if err != nil {
		log.Fatal(err)
	}

	ask := func(client *alipay.Client, token string) {
		response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: token})
		if err != nil {
			fmt.Println("unknown certificate:", errors.Is(err, alipay.ErrUnknownCertificate))
			return
		}
		fmt.Println(response.IdentityResult)
	}
	ask(unprepared, "token-1")
	ask(prepared, "token-2")
	gateway.RotateCertificate()
	ask(unprepared, "token-3")
	ask(prepared, "token-4")
	// Output:
	// SUCCESS
	// SUCCESS
	// unknown certificate: true
	// SUCCESS
}

// A person's check from its first step: the merchant signs an order string,
// Alipay's app opens it, the user agrees, the message reaches the merchant, and
// the query gives the result.
func ExampleGateway_OpenOrder() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}
	messages := make(chan *alipay.Notification)
	merchant := httptest.NewServer(client.NotificationHandler(func(_ context.Context, n *alipay.Notification) error {
		messages <- n
		return nil
	}))
	defer merchant.Close()
	gateway.SetMessagesTo(merchant.URL)

	ctx := context.Background()
	orderString, err := client.ZhimaCreditPayafteruseCreditagreement.Sign(ctx, &alipay.CreditAgreementSignParams{
		OutAgreementNo: "check-1",
		ZmServiceID:    "2019120400000000000004450100",
		ProductCode:    alipay.ProductCodeZhimaAuth,
		ExtraParam:     map[string]string{"onceToken": "token-1"},
	})
	if err != nil {
		log.Fatal(err)
	}
	order, err := gateway.OpenOrder(orderString) // says what is wrong with it
	if err != nil {
		log.Fatal(err)
	}
	query := func() {
		response, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, &alipay.QueryParams{ConnKey: order.OutAgreementNo, OnceToken: "token-1"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(response.IdentityResult)
	}
	query()
	order.Agree()
	fmt.Println((<-messages).Method)
	query()
	// Output:
	// WAITING_VERIFY
	// zhima.credit.payafteruse.creditagreement.changed
	// SUCCESS
}

// A notification for the merchant's own handler, without a server.
func ExampleGateway_SignNotification() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	handler := client.NotificationHandler(func(_ context.Context, n *alipay.Notification) error {
		fmt.Println(n.Method, n.Values.Get("trade_status"))
		return nil
	})
	form := gateway.SignNotification(url.Values{
		"notify_id": {"1"}, "notify_type": {"trade_status_sync"}, "app_id": {alipaytest.AppID}, "trade_status": {"TRADE_SUCCESS"},
	})
	for range 2 {
		request := httptest.NewRequest(http.MethodPost, "/notify", strings.NewReader(form.Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		fmt.Println(answer.Body)
		form.Set("trade_status", "TRADE_CLOSED") // by somebody on the way
	}
	// Output:
	// trade_status_sync TRADE_SUCCESS
	// success
	// fail
}

// Another endpoint, for Client.Do, under content encryption: the body arrives
// decrypted, and the answer is encrypted on its way out.
func ExampleGateway_Handle() {
	gateway, err := alipaytest.StartGateway(alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="))
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	gateway.Handle(http.MethodPost, "/v3/alipay/trade/query", func(r alipaytest.ReceivedRequest) (int, any) {
		fmt.Printf("received %s\n", r.Body)
		return http.StatusOK, map[string]string{"trade_status": "TRADE_SUCCESS"}
	})
	var out struct {
		TradeStatus string `json:"trade_status"`
	}
	_, err = client.Do(context.Background(), &alipay.Request{
		Method: http.MethodPost,
		Path:   "/v3/alipay/trade/query",
		Body:   map[string]string{"out_trade_no": "1"},
	}, &out)
	fmt.Println(out.TradeStatus, err)
	// Output:
	// received {"out_trade_no":"1"}
	// TRADE_SUCCESS <nil>
}

// Another test server, whose answers the client accepts.
func ExampleSignAnswer() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body := []byte(`{"identity_result":"FAILED"}`)
		if err := alipaytest.SignAnswer(w.Header(), body, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()

	client, err := alipay.NewClient(alipaytest.Config(server.URL))
	if err != nil {
		log.Fatal(err)
	}
	response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.IdentityResult)
	// Output: FAILED
}

// A unit test without HTTP.
func ExampleStubQuerier() {
	trusted := func(querier alipay.JobworthQuerier, onceToken string) bool { // the code under test
		response, err := querier.Query(context.Background(), &alipay.QueryParams{OnceToken: onceToken})
		return err == nil && response.IdentityResult == alipay.IdentityResultSuccess
	}

	querier := alipaytest.StubQuerier{
		QueryFunc: func(_ context.Context, params *alipay.QueryParams, _ ...alipay.RequestOption) (*alipay.QueryResponse, error) {
			if params.OnceToken == "spent" {
				return nil, &alipay.APIError{StatusCode: 400, Code: alipay.CodeTokenInvalid}
			}
			return &alipay.QueryResponse{IdentityResult: alipay.IdentityResultSuccess}, nil
		},
	}
	fmt.Println(trusted(querier, "fresh"), trusted(&querier, "spent"))
	// Output: true false
}
