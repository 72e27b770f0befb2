// Package alipay calls Alipay's OpenAPI v3. Its main purpose is to query the
// result of a person's identity check, 职得身份认证查询接口
// (zhima.customer.jobworth.authentication.query). The shortest program:
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"log"
//
//		"github.com/seed-39a49030/alipay"
//	)
//
//	func main() {
//		config, err := alipay.ConfigFromEnv() // ALIPAY_APP_ID, ALIPAY_PRIVATE_KEY, ALIPAY_PUBLIC_KEY
//		if err != nil {
//			log.Fatal(err)
//		}
//		client, err := alipay.NewClient(config)
//		if err != nil {
//			log.Fatal(err)
//		}
//		answer, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{
//			ConnKey:      "out-agreement-no-1", // out_agreement_no of the first step
//			OnceToken:    "once-token-1",       // good for one final answer
//			QueryType:    alipay.QueryTypeExact,
//			IdentityType: alipay.IdentityTypeTeacher,
//			ServiceID:    "2019120400000000000004450100",
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		fmt.Println(answer.IdentityResult) // SUCCESS, FAILED or WAITING_VERIFY
//	}
//
// Requests are signed, and answers are verified before anything reads them. Make
// one [Client] for each application and share it: it is safe for concurrent use
// and keeps its connections. A second run of this program ends with TOKEN_INVALID:
// the first has used the token up.
//
// # What an error means
//
// A once_token can be used up by a request whose answer is lost. So nothing is
// sent twice unless it is certain that the gateway did not act on it, and every
// error of a call has exactly one outcome:
//
//	switch alipay.OutcomeOf(err) {
//	case alipay.OutcomeSuccess:
//		fmt.Println(answer.IdentityResult)
//	case alipay.OutcomePending:
//		// WaitForResult ended while the user was still busy: wait again later.
//	case alipay.OutcomeRejected:
//		// The gateway said no: an *APIError with Code, Message and Hint.
//	case alipay.OutcomeUnknown:
//		// The request may have arrived. Store the answer if one was kept, in
//		// CallError.Answer; else ask again with the same token.
//	case alipay.OutcomeNotDelivered:
//		// Nothing happened. Repeat the call if Retryable(err), else correct it.
//	}
//
// To test for one code, use errors.Is(err, alipay.CodeTokenInvalid). See
// [ErrorCode], [APIError], [CallError], [ArgumentError] and [ConfigError].
//
// A signed answer that cannot be accepted, whatever for, is kept in the error: see
// [SealedAnswer] and [Client.Open].
//
// # Keys
//
// In the console (开放平台控制台, 接口加签方式) an application is either in
// public-key mode (公钥模式: set AlipayPublicKey) or in certificate mode
// (证书模式: set AppCertContent, AlipayPublicCertContent and RootCertContent).
// Each of these fields accepts every usual form, and has a …Path variant that
// names a file; see [AlipayConfig]. [NewClient] checks all that can be checked
// without the network. A [crypto.Signer] or [ContextSigner] signs in place of a
// private key, for keys that stay in a KMS or HSM. [Client.Reload] changes keys
// and certificates without a restart, and a new Alipay certificate is downloaded
// automatically ([WithCertificateDownload]).
//
// # The whole check
//
// Package check carries a check from the order string to the stored result, through
// crashes, deployments, lost answers and changed keys. By hand,
// [ZhimaCreditPayafteruseCreditagreement.Sign] makes the order string with which
// Alipay's app asks the user to agree, [Client.NotificationHandler] receives the
// message that follows, and [ZhimaCustomerJobworthAuthentication.WaitForResult] polls
// until the result is final, with growing pauses, and goes on after a lost poll. A
// query should not end when the customer closes the page: give it
// [context.WithoutCancel] and a timeout of minutes.
//
// # Other endpoints
//
// [Client.Do] calls any other v3 endpoint under the same rules, also with files, and
// [Client.Execute] an API of the old gateway. [Client.SDKExecute] and
// [Client.PageExecute] sign requests that an app or a browser sends there.
// [WithAppAuthToken] calls on behalf of another merchant. [Client.Heartbeat] is a
// harmless signed call, for readiness probes.
//
// # Logs, metrics, traces
//
// [WithLogger] writes a record per attempt, [WithObserver] reports every call and
// attempt. Neither shows a key, a token, a query string or a personal value, and
// no error text does. [APIError] has Header and Body as fields for the caller,
// and the JSON of [QueryParams] and [QueryResponse] contains their values, since
// they are the caller's data.
//
// # Testing
//
// Package alipaytest has a test gateway on loopback: it checks signatures, signs
// its answers, knows the states of a once_token, and injects faults on request.
// Code that depends on [JobworthQuerier] can also be tested with
// alipaytest.StubQuerier, without HTTP.
//
//	gateway := alipaytest.NewGateway(t)
//	client, err := alipay.NewClient(gateway.Config())
package alipay
