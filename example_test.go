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

// Certificate mode (证书模式) takes three certificates in place of Alipay's
// public key. While Alipay replaces its certificate, give the old and the new
// one together.
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

// A mistake in the config ends at NewClient, with the field and the cure.
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

// A key in a KMS or HSM signs through a [crypto.Signer]: usually a few lines
// around the client of the key service.
func ExampleAlipayConfig_signer() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
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

// kmsSigner is a crypto.Signer over a key service. It must be safe for
// concurrent use, and should bound its own waiting.
type kmsSigner struct{ kms *keyService }

func (s kmsSigner) Public() crypto.PublicKey { return s.kms.public }

func (s kmsSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 {
		return nil, errors.New("this key signs SHA-256 only")
	}
	return s.kms.signPKCS1v15SHA256(digest)
}

// keyService stands for the client library of a key service.
type keyService struct {
	public             *rsa.PublicKey
	signPKCS1v15SHA256 func(digest []byte) ([]byte, error)
}

func newKeyService(privateKey string) *keyService {
	block, _ := pem.Decode([]byte(privateKey))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		log.Fatal(err)
	}
	key := parsed.(*rsa.PrivateKey)
	return &keyService{&key.PublicKey, func(digest []byte) ([]byte, error) {
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

// Every error of a call has one of three meanings.
func ExampleZhimaCustomerJobworthAuthentication_Query_errors() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	ask := func(onceToken string) {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: onceToken})
		var no *alipay.APIError
		switch {
		case err == nil:
			fmt.Println("a result")
		case errors.Is(err, alipay.ErrOutcomeUnknown):
			fmt.Println("unknown: it may have arrived; ask again with the same token")
		case errors.Is(err, alipay.ErrNotDelivered):
			fmt.Println("not delivered: nothing happened; the call may be repeated")
		case errors.Is(err, alipay.CodeTokenInvalid):
			fmt.Println("answered no: the token is spent or expired; start the check anew")
		case errors.As(err, &no):
			fmt.Println("answered no:", no.Code)
			fmt.Println(no.Hint())
		}
	}

	gateway.Inject(alipaytest.TooManyRequests, 3) // as often as the default policy tries
	ask("token-1")
	gateway.Inject(alipaytest.LostAnswer, 1) // acts, and hangs up before it answers
	ask("token-1")
	ask("token-1")
	gateway.SetError("token-2", http.StatusBadRequest, alipay.CodeUserNotOpenJobworth, "用户未开通职得")
	ask("token-2")
	// Output:
	// not delivered: nothing happened; the call may be repeated
	// unknown: it may have arrived; ask again with the same token
	// answered no: the token is spent or expired; start the check anew
	// answered no: USER_NOT_OPEN_JOBWORTH
	// The user has to open Zhima Jobworth (职得) in Alipay first; repeating the query does not help.
}

func ExampleZhimaCustomerJobworthAuthentication_WaitForResult() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	gateway.SetResult("token-1", alipaytest.Result{
		IdentityResult: alipay.IdentityResultFailed,
		WaitingPolls:   2, // WAITING_VERIFY twice
	})
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}

	// The defaults, 1 s growing to 15 s for 10 min in all, suit a person at work.
	policy := alipay.PollPolicy{Initial: 5 * time.Millisecond, Timeout: time.Minute}
	answer, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(context.Background(),
		&alipay.QueryParams{OnceToken: "token-1"}, policy)
	switch {
	case errors.Is(err, alipay.ErrStillWaiting):
		fmt.Println("not final yet: wait again later with the same token")
	case errors.Is(err, alipay.CodeTokenInvalid) && errors.Is(err, alipay.ErrOutcomeUnknown):
		fmt.Println("the result was handed out and lost on the way: start the check anew")
	case err != nil:
		log.Fatal(err)
	default:
		fmt.Println("result:", answer.IdentityResult)
	}
	// Output: result: FAILED
}

// A third-party application (第三方应用) calls with the app_auth_token that a
// merchant's authorization gave it.
func ExampleWithAppAuthToken() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()

	config := gateway.Config()
	config.AppAuthToken = "token-of-merchant-a" // for every call that does not say otherwise
	client, err := alipay.NewClient(config)
	if err != nil {
		log.Fatal(err)
	}
	query := client.ZhimaCustomerJobworthAuthentication.Query
	for _, opts := range [][]alipay.RequestOption{
		nil,
		{alipay.WithAppAuthToken("token-of-merchant-b")},
		{alipay.WithAppAuthToken("")}, // on one's own behalf
	} {
		if _, err := query(context.Background(), &alipay.QueryParams{OnceToken: fmt.Sprint("once-", len(gateway.Requests()))}, opts...); err != nil {
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

// An http.Client of one's own brings a proxy, tracing or metrics. Host and path
// are safe to record; the query string holds personal data and is not.
func ExampleWithHTTPClient() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64 // the default keeps 2 per host, and opens new ones under load
	defer transport.CloseIdleConnections()
	traced := &tracingTransport{next: transport}

	client, err := alipay.NewClient(gateway.Config(),
		alipay.WithHTTPClient(&http.Client{Transport: traced, Timeout: 5 * time.Second}))
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range []string{"token-1", "token-2"} {
		if _, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{OnceToken: token}); err != nil {
			log.Fatal(err)
		}
	}
	for _, span := range traced.spans {
		fmt.Println(span)
	}
	// Output:
	// GET /v3/zhima/customer/jobworth/authentication 200
	// GET /v3/zhima/customer/jobworth/authentication 200
}

// tracingTransport records every attempt: retries show up one by one. Used by
// several goroutines it would need a lock.
type tracingTransport struct {
	next  http.RoundTripper
	spans []string
}

func (t *tracingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	status := "failed"
	if err == nil {
		status = fmt.Sprint(resp.StatusCode)
	}
	t.spans = append(t.spans, req.Method+" "+req.URL.Path+" "+status) // never req.URL, its text has the query
	return resp, err
}

func ExampleWithLogger() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()

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
	client, err := alipay.NewClient(gateway.Config(), alipay.WithLogger(logger))
	if err != nil {
		log.Fatal(err)
	}
	params := &alipay.QueryParams{OnceToken: "token-1", CertNo: "420192931233123123", CertType: alipay.CertTypeIDCard}
	logger.Info("asking", "params", params) // shows which are set, and no personal value
	if _, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params); err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=INFO msg=asking params.OnceToken=[redacted] params.CertNo=[redacted] params.CertType=0
	// level=DEBUG msg="alipay: attempt" app_id=2021000000000001 method=GET path=/v3/zhima/customer/jobworth/authentication attempt=1 outcome=success connection_reused=false status=200
}

// Do calls any other v3 endpoint: signed, verified and delivered at most once,
// like Query.
func ExampleClient_Do() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	gateway.Handle(http.MethodPost, "/v3/alipay/trade/close", func(r alipaytest.ReceivedRequest) (int, any) {
		var body map[string]string
		if json.Unmarshal(r.Body, &body) != nil || body["out_trade_no"] == "" {
			return http.StatusBadRequest, map[string]any{"code": alipay.CodeGatewayInvalidParameter, "message": "参数无效"}
		}
		return http.StatusOK, map[string]string{"out_trade_no": body["out_trade_no"], "trade_no": "2013112111001004500000675971"}
	})

	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}
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

// Testing one's own code against the gateway of alipaytest. In a test it is
// made by alipaytest.NewGateway(t), which ends with the test.
func Example_testingWithTheGateway() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		log.Fatal(err)
	}
	shop := hiring{client.ZhimaCustomerJobworthAuthentication}

	gateway.SetResult("token-1", alipaytest.Result{IdentityResult: alipay.IdentityResultFailed})
	fmt.Println(shop.mayTeach("token-1"))

	gateway.Inject(alipaytest.ForeignSignature, 1) // see alipaytest.Faults for all of them
	fmt.Println(shop.mayTeach("token-2"))

	for _, r := range gateway.Requests() {
		fmt.Println("asked for", r.Params.Get("once_token"), "signed rightly:", r.Verified)
	}
	// Output:
	// no
	// try again later
	// asked for token-1 signed rightly: true
	// asked for token-2 signed rightly: true
}

// Testing one's own code without HTTP: it accepts a JobworthQuerier, and the
// test passes a stub.
func ExampleJobworthQuerier() {
	stub := alipaytest.StubQuerier{QueryFunc: func(_ context.Context, p *alipay.QueryParams, _ ...alipay.RequestOption) (*alipay.QueryResponse, error) {
		if p.OnceToken == "spent" {
			return nil, &alipay.APIError{StatusCode: http.StatusBadRequest, Code: alipay.CodeTokenInvalid}
		}
		return &alipay.QueryResponse{IdentityResult: alipay.IdentityResultSuccess}, nil
	}}
	shop := hiring{stub}
	fmt.Println(shop.mayTeach("token-1"))
	fmt.Println(shop.mayTeach("spent"))
	// Output:
	// yes
	// start the check anew
}

// hiring is a merchant's own code.
type hiring struct{ checks alipay.JobworthQuerier }

func (h hiring) mayTeach(onceToken string) string {
	answer, err := h.checks.Query(context.Background(), &alipay.QueryParams{
		OnceToken:    onceToken,
		IdentityType: alipay.IdentityTypeTeacher,
	})
	switch {
	case errors.Is(err, alipay.CodeTokenInvalid):
		return "start the check anew"
	case err != nil:
		return "try again later"
	case answer.IdentityResult == alipay.IdentityResultSuccess:
		return "yes"
	}
	return "no"
}
