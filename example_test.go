package alipay_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// The first query. The gateway of alipaytest stands in for Alipay's, so that
// the example runs without an account; with one, the config comes from
// [alipay.ConfigFromEnv] or is written out.
func Example() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()

	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}
	answer, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{
		ConnKey:      "out-agreement-no-1",
		OnceToken:    "once-token-1",
		QueryType:    alipay.QueryTypeExact,
		IdentityType: alipay.IdentityTypeTeacher,
		ServiceID:    "2019120400000000000004450100",
		UserID:       "20881029102921",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("result:", answer.IdentityResult)
	fmt.Println("state of the order:", answer.TokenStatus)
	fmt.Println("attempts:", answer.Meta.Attempts)
	// Output:
	// result: SUCCESS
	// state of the order: FINISH
	// attempts: 1
}

// newGatewayAndClient returns what your program has: a client. Its gateway is the
// one of alipaytest, so that the examples run without an account.
func newGatewayAndClient(opts ...alipay.Option) (*alipaytest.Gateway, *alipay.Client) {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	client, err := alipay.NewClient(gateway.Config(), opts...)
	if err != nil {
		log.Fatal(err)
	}
	return gateway, client
}

// Certificate mode (证书模式) uses three certificates instead of Alipay's public
// key. While Alipay replaces its certificate, configure both the old and the new
// one.
func ExampleNewClient_certificateMode() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	test := gateway.CertConfig()

	client, err := alipay.NewClient(alipay.AlipayConfig{
		BaseURL:                 test.BaseURL, // leave it out for Alipay's own gateway
		AppID:                   test.AppID,
		PrivateKey:              test.PrivateKey,
		AppCertContent:          test.AppCertContent,                                            // or AppCertPath
		AlipayPublicCertContent: test.AlipayPublicCertContent + alipaytest.RotatedCertificate(), // or AlipayPublicCertPath
		RootCertContent:         test.RootCertContent,                                           // or RootCertPath
	})
	if err != nil {
		log.Fatal(err)
	}
	query := client.ZhimaCustomerJobworthAuthentication.Query
	for _, token := range []string{"before the rotation", "after the rotation"} {
		answer, err := query(context.Background(), &alipay.QueryParams{OnceToken: token})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(token+":", answer.IdentityResult)
		gateway.RotateCertificate()
	}
	// Output:
	// before the rotation: SUCCESS
	// after the rotation: SUCCESS
}

// NewClient reports a mistake in the config, with the field and what belongs there.
func ExampleNewClient_mistake() {
	_, err := alipay.NewClient(alipay.AlipayConfig{
		AppID:           "2021000000000001",
		PrivateKey:      "/etc/alipay/app_private_key.pem",
		AlipayPublicKey: "MIIB…",
	})
	var mistake *alipay.ConfigError
	if errors.As(err, &mistake) {
		fmt.Println("field: ", mistake.Field)
		fmt.Println("reason:", mistake.Reason)
	}
	// Output:
	// field:  PrivateKey
	// reason: this is the path of a file; set PrivateKeyPath to read the file, or put its content here
}

// A key in a KMS or HSM signs through a [crypto.Signer], usually a few lines
// around the client of the key service. One that also has SignContext gets the
// context of the call.
func ExampleContextSigner() {
	gateway, _ := newGatewayAndClient()
	defer gateway.Close()

	config := gateway.Config()
	kms := newKeyService(config.PrivateKey)
	config.PrivateKey = "" // either a private key or a Signer
	config.Signer = kmsSigner{kms}

	client, err := alipay.NewClient(config)
	if err != nil {
		log.Fatal(err)
	}
	answer, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "once-token-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.IdentityResult, "signed by the key service")
	// Output: SUCCESS signed by the key service
}

// kmsSigner is an alipay.ContextSigner over a key service. It is called from
// several goroutines.
type kmsSigner struct{ kms *keyService }

func (s kmsSigner) Public() crypto.PublicKey { return s.kms.public }

func (s kmsSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.SignContext(context.Background(), digest, opts)
}

func (s kmsSigner) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 {
		return nil, errors.New("this key signs SHA-256 only")
	}
	return s.kms.signPKCS1v15SHA256(ctx, digest)
}

// keyService stands for the client library of a key service.
type keyService struct {
	public             *rsa.PublicKey
	signPKCS1v15SHA256 func(ctx context.Context, digest []byte) ([]byte, error)
}

func newKeyService(privateKey string) *keyService {
	block, _ := pem.Decode([]byte(privateKey))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		log.Fatal(err)
	}
	key := parsed.(*rsa.PrivateKey)
	return &keyService{&key.PublicKey, func(_ context.Context, digest []byte) ([]byte, error) {
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest)
	}}
}

func ExampleConfigFromEnv() {
	for name, value := range map[string]string{
		"ALIPAY_APP_ID":           "2021000000000001",
		"ALIPAY_PRIVATE_KEY_PATH": "/etc/alipay/app_private_key.pem",
		"ALIPAY_PUBLIC_KEY_PATH":  "/etc/alipay/alipay_public_key.pem",
	} {
		os.Setenv(name, value)
		defer os.Unsetenv(name)
	}
	config, err := alipay.ConfigFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(config.AppID, config.PrivateKeyPath, config.AlipayPublicKeyPath)
	// Output: 2021000000000001 /etc/alipay/app_private_key.pem /etc/alipay/alipay_public_key.pem
}

// Every error of a call has one outcome, and what to do follows from it.
func ExampleOutcomeOf() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()

	ask := func(onceToken string) {
		answer, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: onceToken})
		var refused *alipay.APIError
		switch outcome := alipay.OutcomeOf(err); outcome {
		case alipay.OutcomeSuccess:
			fmt.Println(outcome, answer.IdentityResult)
		case alipay.OutcomePending:
			fmt.Println(outcome) // of WaitForResult only
		case alipay.OutcomeRejected:
			if errors.As(err, &refused) {
				fmt.Println(outcome, refused.Code)
				fmt.Println(refused.Hint())
			}
		case alipay.OutcomeUnknown:
			fmt.Println(outcome, "ask again with the same token")
		case alipay.OutcomeNotDelivered:
			fmt.Println(outcome, "may be repeated as it is:", alipay.Retryable(err))
		}
	}

	gateway.Inject(alipaytest.TooManyRequests, 3) // as often as the default policy tries
	ask("token-1")
	gateway.Inject(alipaytest.LostAnswer, 1) // acts, and hangs up before it answers
	ask("token-1")
	ask("token-1")
	// Output:
	// not_delivered may be repeated as it is: true
	// unknown ask again with the same token
	// rejected TOKEN_INVALID
	// A once_token gives one final answer. It may be used up, perhaps by an earlier call whose answer was lost, or it may have expired: start a new check.
}

// A mistake in the arguments of a call is not delivered, and repeating the call
// does not help.
func ExampleArgumentError() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()

	_, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(),
		&alipay.QueryParams{OnceToken: "token-1"}, alipay.WithHeader("Authorization", "Bearer …"))
	var mistake *alipay.ArgumentError
	if errors.As(err, &mistake) {
		fmt.Println(mistake.Argument, "is wrong, may be repeated as it is:", alipay.Retryable(err))
	}
	// Output: WithHeader is wrong, may be repeated as it is: false
}

// HintZH is for a log or a page that is read in Chinese.
func ExampleAPIError_HintZH() {
	err := &alipay.APIError{StatusCode: http.StatusBadRequest, Code: alipay.CodeUserNotOpenJobworth}
	fmt.Println(err.HintZH())
	// Output: 用户需先在支付宝中开通职得；重试无效。
}

func ExampleZhimaCustomerJobworthAuthentication_WaitForResult() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()
	gateway.SetResult("token-1", alipaytest.Result{
		IdentityResult: alipay.IdentityResultFailed,
		WaitingPolls:   2, // WAITING_VERIFY twice
	})

	// A customer who closes the page must not end a query that uses up the token.
	request := context.Background()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(request), 5*time.Minute)
	defer cancel()

	// The defaults, 1 s growing to 15 s, suit a person at work.
	policy := alipay.PollPolicy{Initial: 5 * time.Millisecond}
	answer, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(ctx, &alipay.QueryParams{OnceToken: "token-1"}, policy)
	switch alipay.OutcomeOf(err) {
	case alipay.OutcomeSuccess:
		fmt.Println("result:", answer.IdentityResult)
	case alipay.OutcomePending, alipay.OutcomeNotDelivered:
		fmt.Println("not final yet: wait again later with the same token")
	case alipay.OutcomeUnknown:
		fmt.Println("in doubt: keep the answer if there is one, else ask again")
	case alipay.OutcomeRejected:
		fmt.Println("refused:", err)
	}
	// Output: result: FAILED
}

// The function WaitForResult waits with any JobworthQuerier, a stub included.
func ExampleWaitForResult() {
	polls := 0
	stub := alipaytest.StubQuerier{QueryFunc: func(context.Context, *alipay.QueryParams, ...alipay.RequestOption) (*alipay.QueryResponse, error) {
		if polls++; polls < 3 {
			return &alipay.QueryResponse{IdentityResult: alipay.IdentityResultWaitingVerify}, nil
		}
		return &alipay.QueryResponse{IdentityResult: alipay.IdentityResultSuccess}, nil
	}}
	answer, err := alipay.WaitForResult(context.Background(), stub,
		&alipay.QueryParams{OnceToken: "token-1"}, alipay.PollPolicy{Initial: time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.IdentityResult, "after", polls, "polls")
	// Output: SUCCESS after 3 polls
}

// A third-party application (第三方应用) calls with the app_auth_token that a
// merchant's authorization gave it.
func ExampleWithAppAuthToken() {
	gateway, _ := newGatewayAndClient()
	defer gateway.Close()

	config := gateway.Config()
	config.AppAuthToken = "token-of-merchant-a" // for every call without WithAppAuthToken
	client, err := alipay.NewClient(config)
	if err != nil {
		log.Fatal(err)
	}
	for i, opts := range [][]alipay.RequestOption{
		nil,
		{alipay.WithAppAuthToken("token-of-merchant-b")},
		{alipay.WithAppAuthToken("")}, // on the application's own behalf
	} {
		params := &alipay.QueryParams{OnceToken: fmt.Sprint("once-token-", i)}
		if _, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params, opts...); err != nil {
			log.Fatal(err)
		}
	}
	for _, r := range gateway.Requests() {
		fmt.Printf("%q\n", r.AppAuthToken)
	}
	// Output:
	// "token-of-merchant-a"
	// "token-of-merchant-b"
	// ""
}

// Your own RoundTripper should wrap NewTransport. Host and path are safe to record;
// the query string is not, since it contains personal data.
func ExampleNewTransport() {
	counted := &countingTransport{next: alipay.NewTransport()}
	gateway, client := newGatewayAndClient(alipay.WithHTTPClient(&http.Client{Transport: counted, Timeout: 5 * time.Second}))
	defer gateway.Close()

	for _, token := range []string{"token-1", "token-2"} {
		if _, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: token}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("attempts:", counted.attempts.Load())
	// Output: attempts: 2
}

// countingTransport sees every attempt, retries one by one.
type countingTransport struct {
	next     http.RoundTripper
	attempts atomic.Int64
}

func (t *countingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.attempts.Add(1)
	return t.next.RoundTrip(req) // never log req.URL: its text has the query
}

// An Observer receives every call and every attempt, for metrics and traces.
func ExampleObserver() {
	gateway, client := newGatewayAndClient(alipay.WithObserver(alipay.Observer{
		AttemptDone: func(_ context.Context, a alipay.AttemptInfo) {
			fmt.Println("attempt", a.Number, a.StatusCode, a.Outcome, "another follows:", a.Pause > 0)
		},
		CallDone: func(_ context.Context, call alipay.CallResult) {
			fmt.Println(call.Method, call.Path, call.Outcome, "attempts:", call.Attempts)
		},
	}))
	defer gateway.Close()

	gateway.Inject(alipaytest.TooManyRequests, 1)
	if _, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// attempt 1 429 not_delivered another follows: true
	// attempt 2 200 success another follows: false
	// GET /v3/zhima/customer/jobworth/authentication success attempts: 2
}

func ExampleWithLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug, // Warn: only retries and unknown outcomes
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey, "host", "duration", "request_id", "trace_id": // never twice the same
				return slog.Attr{}
			}
			return a
		},
	}))
	gateway, client := newGatewayAndClient(alipay.WithLogger(logger))
	defer gateway.Close()

	params := &alipay.QueryParams{OnceToken: "token-1", CertNo: "420192931233123123", CertType: alipay.CertTypeIDCard}
	logger.Info("asking", "params", params) // shows which are set, and no personal value
	if _, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params); err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=INFO msg=asking params.OnceToken=[redacted] params.CertNo=[redacted] params.CertType=0
	// level=DEBUG msg="alipay: attempt" app_id=2021000000000001 method=GET path=/v3/zhima/customer/jobworth/authentication attempt=1 outcome=success connection_reused=false status=200
}

// Reload changes keys and certificates without a restart, for instance on
// SIGHUP. Calls in progress are not disturbed.
func ExampleClient_Reload() {
	gateway, _ := newGatewayAndClient()
	defer gateway.Close()
	config := gateway.CertConfig()
	client, err := alipay.NewClient(config)
	if err != nil {
		log.Fatal(err)
	}

	gateway.RotateCertificate() // Alipay signs under another certificate from now on
	config.AlipayPublicCertContent += alipaytest.RotatedCertificate()
	if err := client.Reload(config); err != nil {
		log.Fatal(err) // a mistake in the config changes nothing
	}

	answer, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: "token-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.IdentityResult)

	config.AppID = "2021000000000002"
	fmt.Println(client.Reload(config))
	// Output:
	// SUCCESS
	// alipay: config AppID: it differs from the client's; make another client for another application
}

// Do calls any other v3 endpoint: signed, verified and delivered at most once,
// like Query.
func ExampleClient_Do() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()
	gateway.Handle(http.MethodPost, "/v3/alipay/trade/close", func(r alipaytest.ReceivedRequest) (int, any) {
		var body map[string]string
		if json.Unmarshal(r.Body, &body) != nil || body["out_trade_no"] == "" {
			return http.StatusBadRequest, map[string]any{"code": alipay.CodeGatewayInvalidParameter, "message": "参数无效"}
		}
		return http.StatusOK, map[string]string{"out_trade_no": body["out_trade_no"], "trade_no": "2013112111001004500000675971"}
	})

	var closed struct {
		TradeNo string `json:"trade_no"`
	}
	resp, err := client.Do(context.Background(), &alipay.Request{
		Method: http.MethodPost,
		Path:   "/v3/alipay/trade/close",
		Body:   map[string]string{"out_trade_no": "HZ0120131127001"},
	}, &closed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, closed.TradeNo)
	// Output: 200 2013112111001004500000675971
}

// Testing your code against the gateway of alipaytest. In a test it is made by
// alipaytest.NewGateway(t), which ends with the test.
func Example_testingWithTheGateway() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()
	school := hiring{client.ZhimaCustomerJobworthAuthentication}

	gateway.SetResult("token-1", alipaytest.Result{IdentityResult: alipay.IdentityResultFailed})
	fmt.Println(school.mayTeach("token-1"))

	gateway.Inject(alipaytest.BadGateway, 1) // see alipaytest.Faults for all of them
	fmt.Println(school.mayTeach("token-2"))

	for _, r := range gateway.Requests() {
		fmt.Println("asked for", r.Params.Get("once_token"), "with a valid signature:", r.Verified)
	}
	// Output:
	// no
	// try again later
	// asked for token-1 with a valid signature: true
	// asked for token-2 with a valid signature: true
}

// Testing your code without HTTP: it depends on JobworthQuerier, and the test
// passes a stub.
func ExampleJobworthQuerier() {
	stub := alipaytest.StubQuerier{QueryFunc: func(_ context.Context, p *alipay.QueryParams, _ ...alipay.RequestOption) (*alipay.QueryResponse, error) {
		if p.OnceToken == "spent" {
			return nil, alipay.CodeTokenInvalid
		}
		return &alipay.QueryResponse{IdentityResult: alipay.IdentityResultSuccess}, nil
	}}
	school := hiring{stub}
	fmt.Println(school.mayTeach("token-1"))
	fmt.Println(school.mayTeach("spent"))
	// Output:
	// yes
	// start a new check
}

// hiring is a merchant's own code.
type hiring struct{ checks alipay.JobworthQuerier }

func (h hiring) mayTeach(onceToken string) string {
	answer, err := h.checks.Query(context.Background(), &alipay.QueryParams{
		OnceToken:    onceToken,
		IdentityType: alipay.IdentityTypeTeacher,
	})
	switch alipay.OutcomeOf(err) {
	case alipay.OutcomeSuccess:
		if answer.IdentityResult == alipay.IdentityResultSuccess {
			return "yes"
		}
		return "no"
	case alipay.OutcomeRejected:
		if errors.Is(err, alipay.CodeTokenInvalid) {
			return "start a new check"
		}
		return "refused"
	}
	return "try again later"
}

// Logging a QueryParams shows none of its values. slog's JSON handler writes what
// contains one as JSON, which shows them all, unless its ReplaceAttr prints it.
func ExampleQueryParams_logging() {
	logger := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch {
		case a.Key == slog.TimeKey:
			return slog.Attr{}
		case a.Value.Kind() == slog.KindAny:
			a.Value = slog.StringValue(fmt.Sprint(a.Value.Any()))
		}
		return a
	}}))
	params := alipay.QueryParams{OnceToken: "2f1c8e", CertNo: "420192931233123123"}
	logger.Info("asked", "params", params)
	logger.Info("asked", "all", []alipay.QueryParams{params})
	// Output:
	// {"level":"INFO","msg":"asked","params":{"OnceToken":"[redacted]","CertNo":"[redacted]"}}
	// {"level":"INFO","msg":"asked","all":"[alipay.QueryParams{OnceToken:[redacted] CertNo:[redacted]}]"}
}
