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
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func exampleClock() time.Time { return time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC) }

// otherPublicKey is a public key that has nothing to do with the gateway.
const otherPublicKey = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAoiVb1TtaUXPMu+EdZnxw671GPTqua61lEJ5h+2/E2l3YW4ZV5/oJ" +
	"vKPMVBMLGMBQ5W3MLIS7sviPiYYm5EGMp0Pp3qIZQtGozshZN9XbxdoCvaxhAGhF4usmU0RW6TSn1wm/gprAp/WCNsLtB88g" +
	"90L7dTdw2z12jqUX6Fqk6ywxjsToZqqdZujCLuHfVJhI7rBoNDDu6Z4EP5pXPgYSd+ys82jQJ2xSbIF39+alojqh9BrbFhKx" +
	"Sd/xkpCwfhsSD+ZmcDD7HbgxnBf05EB23Q26mnIkhPDsoG6i80BPgdUCCqHrFJN/PBAkKBiwdjZjQi02Y1zU7+pKqTh8Xzgj" +
	"CwIDAQAB"

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
	// A once_token gives one final answer. It may have been used up, by an earlier call whose answer was lost or by another call of yours that has the result, or it may have expired. If no call has the result, start a new check.
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

	config.BaseURL = alipay.SandboxBaseURL
	fmt.Println(client.Reload(config))
	// Output:
	// SUCCESS
	// alipay: config BaseURL: it differs from the client's; make another client for another gateway
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
	fmt.Println(strings.HasPrefix(page, gateway.BaseURL()+"/gateway.do?"), strings.HasPrefix(form, "<!DOCTYPE html>"))
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

// Execute calls a method that exists only at the old gateway (gateway.do), under the
// same rules as Do.
func ExampleClient_Execute() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()
	gateway.HandleMethod("alipay.trade.query", func(bizContent json.RawMessage) (any, error) { // the platform's part
		return map[string]string{"trade_status": "TRADE_SUCCESS", "total_amount": "88.88"}, nil
	})

	var trade struct {
		TradeStatus string `json:"trade_status"`
		TotalAmount string `json:"total_amount"`
	}
	_, err := client.Execute(context.Background(), &alipay.ExecuteRequest{
		Method:     "alipay.trade.query",
		BizContent: map[string]string{"out_trade_no": "20261121010101001"},
	}, &trade)
	if err != nil {
		log.Fatal(alipay.OutcomeOf(err), " ", err)
	}
	fmt.Println(trade.TradeStatus, trade.TotalAmount)
	// Output: TRADE_SUCCESS 88.88
}

// Preconsult asks, before the user is sent to Alipay, whether the check can succeed.
func ExampleZhimaCustomerJobworthAuthentication_Preconsult() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()
	gateway.SetPreconsult("once-token-1", false, "USER_NOT_AUTHORIZE")

	answer, err := client.ZhimaCustomerJobworthAuthentication.Preconsult(context.Background(), &alipay.PreconsultParams{
		OutAgreementNo: "out-agreement-no-1",
		OnceToken:      "once-token-1",
		IdentityType:   alipay.IdentityTypeTeacher,
		QueryType:      alipay.QueryTypeExact,
		ZmServiceID:    "2019120400000000000004450100",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.PreCheckSuccess, answer.Reason)
	// Output: false USER_NOT_AUTHORIZE
}

// Unsign ends an agreement, for a user who withdraws consent. It needs Zhima's number
// of the agreement, so keep that from the query or the message.
func ExampleZhimaCreditPayafteruseCreditagreement_Unsign() {
	gateway, client := newGatewayAndClient()
	defer gateway.Close()
	ctx := context.Background()
	service := client.ZhimaCreditPayafteruseCreditagreement
	orderString, err := service.Sign(ctx, &alipay.CreditAgreementSignParams{OutAgreementNo: "out-agreement-no-1", ZmServiceID: "2019120400000000000004450100"})
	if err != nil {
		log.Fatal(err)
	}
	order, err := gateway.OpenOrder(orderString) // what Alipay's app does
	if err != nil {
		log.Fatal(err)
	}
	order.Agree()

	agreement, err := service.Query(ctx, &alipay.CreditAgreementQueryParams{OutAgreementNo: "out-agreement-no-1"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := service.Unsign(ctx, &alipay.CreditAgreementUnsignParams{CreditAgreementID: agreement.CreditAgreementID}); err != nil {
		log.Fatal(alipay.OutcomeOf(err), " ", err)
	}
	agreement, err = service.Query(ctx, &alipay.CreditAgreementQueryParams{OutAgreementNo: "out-agreement-no-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(agreement.AgreementStatus)
	// Output: INVALID
}
