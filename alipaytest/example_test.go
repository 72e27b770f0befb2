package alipaytest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// A test takes alipaytest.NewGateway(t), which ends with the test; a program
// starts the gateway and closes it.
func Example() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		fmt.Println(err)
		return
	}

	params := &alipay.QueryParams{OnceToken: "token-1"}
	response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.IdentityResult, response.TokenStatus)

	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
	fmt.Println("asked again:", errors.Is(err, alipay.CodeTokenInvalid))
	// Output:
	// SUCCESS FINISH
	// asked again: true
}

// start is what the examples below have in common.
func start(opts ...alipaytest.Option) (*alipaytest.Gateway, *alipay.Client) {
	gateway, err := alipaytest.StartGateway(opts...)
	if err != nil {
		panic(err)
	}
	client, err := alipay.NewClient(gateway.Config(), alipay.WithHTTPClient(gateway.HTTPClient()))
	if err != nil {
		panic(err)
	}
	return gateway, client
}

// A result that the user has to bring about first: WAITING_VERIFY, then the
// result once.
func ExampleGateway_SetResult() {
	gateway, client := start()
	defer gateway.Close()
	gateway.SetResult("token-1", alipaytest.Result{
		IdentityResult: alipay.IdentityResultFailed,
		UserID:         "2088402562742105",
		WaitingPolls:   1,
	})

	params := &alipay.QueryParams{OnceToken: "token-1"}
	for range 3 {
		response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
		switch {
		case errors.Is(err, alipay.CodeTokenInvalid):
			fmt.Println("no longer to be had")
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(response.IdentityResult)
		}
	}
	// Output:
	// WAITING_VERIFY
	// FAILED
	// no longer to be had
}

// An error of the endpoint, as the platform words it.
func ExampleGateway_SetError() {
	gateway, client := start()
	defer gateway.Close()
	gateway.SetError("token-1", http.StatusBadRequest, alipay.CodeUserNotAuthorize, "用户未授权")

	_, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
	var apiError *alipay.APIError
	if errors.As(err, &apiError) {
		fmt.Println(apiError.StatusCode, apiError.Code, apiError.Message)
	}
	// Output:
	// 400 USER_NOT_AUTHORIZE 用户未授权
}

// The final answer gets lost: the gateway has spent the token, and the caller
// cannot know.
func ExampleGateway_Inject() {
	gateway, client := start()
	defer gateway.Close()
	gateway.Inject(alipaytest.LostAnswer, 1)

	_, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
	fmt.Println("outcome unknown:", errors.Is(err, alipay.ErrOutcomeUnknown))
	fmt.Printf("%+v\n", gateway.Token("token-1"))
	// Output:
	// outcome unknown: true
	// {Requests:1 Acted:1 Spent:true Delivered:false}
}

// Only the requests for one token meet the fault, however many run beside it.
func ExampleFault_When() {
	gateway, client := start()
	defer gateway.Close()
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

// A fault of one's own, with the right answer at hand.
func ExampleFaultFunc() {
	gateway, client := start()
	defer gateway.Close()
	gateway.Inject(alipaytest.FaultFunc("two signatures", func(w http.ResponseWriter, _ *http.Request, answer *alipaytest.Answer) {
		answer.Header.Set("alipay-signature", answer.Header.Get("alipay-signature")+","+answer.Header.Get("alipay-signature"))
		_ = answer.Send(w)
	}), 1)

	_, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
	fmt.Println(errors.Is(err, alipay.ErrResponseSignature))
	// Output: true
}

// What one's own code has sent.
func ExampleGateway_Requests() {
	gateway, client := start()
	defer gateway.Close()
	_, _ = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{
		OnceToken: "token-1",
		CertType:  alipay.CertTypePassport,
	})

	for _, request := range gateway.Requests() {
		fmt.Println(request.Method, request.Path)
		fmt.Println(request.Params.Get("once_token"), request.Params.Get("cert_type"), request.Verified)
	}
	// Output:
	// GET /v3/zhima/customer/jobworth/authentication
	// token-1 1 true
}

// Another endpoint, for Client.Do.
func ExampleGateway_Handle() {
	gateway, client := start(alipaytest.WithEncryptKey("AAECAwQFBgcICQoLDA0ODw=="))
	defer gateway.Close()
	gateway.Handle(http.MethodPost, "/v3/alipay/trade/query", func(r alipaytest.ReceivedRequest) (int, any) {
		fmt.Printf("received %s\n", r.Body) // decrypted
		return http.StatusOK, map[string]string{"trade_status": "TRADE_SUCCESS"}
	})

	var out struct {
		TradeStatus string `json:"trade_status"`
	}
	_, err := client.Do(context.Background(), &alipay.Request{
		Method: http.MethodPost,
		Path:   "/v3/alipay/trade/query",
		Body:   map[string]string{"out_trade_no": "1"},
	}, &out)
	fmt.Println(out.TradeStatus, err)
	// Output:
	// received {"out_trade_no":"1"}
	// TRADE_SUCCESS <nil>
}

// A server of one's own, whose answers the client takes.
func ExampleSignAnswer() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body := []byte(`{"identity_result":"FAILED"}`)
		if err := alipaytest.SignAnswer(w.Header(), body, time.Now()); err != nil {
			panic(err)
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()

	client, err := alipay.NewClient(alipaytest.Config(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	response, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.IdentityResult)
	// Output: FAILED
}

// A unit test without HTTP.
func ExampleStubQuerier() {
	trusted := func(querier alipay.JobworthQuerier, onceToken string) bool { // one's own code
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
	fmt.Println(trusted(querier, "fresh"), trusted(querier, "spent"))
	// Output: true false
}
