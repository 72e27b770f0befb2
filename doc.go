// Package alipay calls Alipay's OpenAPI v3, above all to query the result of a
// person's identity check: 职得身份认证查询接口,
// zhima.customer.jobworth.authentication.query. The shortest program:
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
//			OnceToken:    "once-token-1",       // good for one final answer: a second run ends with TOKEN_INVALID
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
// Make one [Client] for each application and share it. Its key is AlipayPublicKey in
// public-key mode (公钥模式), or three certificates in certificate mode (证书模式): see
// [AlipayConfig].
//
// A request whose answer is lost can use up a once_token. So nothing is sent twice
// unless the gateway certainly did not act on it, a signed answer that cannot be
// accepted is kept ([SealedAnswer]), and every error has exactly one outcome:
//
//	switch alipay.OutcomeOf(err) {
//	case alipay.OutcomeSuccess: // a verified answer
//	case alipay.OutcomePending: // WaitForResult ended before the user was ready: wait again later
//	case alipay.OutcomeRejected: // the gateway said no: an *APIError with Code, Message and Hint
//	case alipay.OutcomeUnknown: // store CallError.Answer if there is one, else ask again with the same token
//	case alipay.OutcomeNotDelivered: // nothing happened: repeat the call if Retryable(err), else correct it
//	}
//
// Package check carries a whole check from the order string to the stored result,
// through crashes, lost answers and changed keys. By hand,
// [ZhimaCreditPayafteruseCreditagreement.Sign] makes the order string,
// [Client.NotificationHandler] receives the message that follows, and
// [ZhimaCustomerJobworthAuthentication.WaitForResult] polls until the result is final.
//
// [Client.Do] calls any other v3 endpoint under the same rules, [Client.Execute] an API
// of the old gateway. No log, metric or error text shows a key, a token, a query or a
// personal value; the JSON of [QueryParams] and [QueryResponse] does, since it is the
// caller's data. For tests, package alipaytest has a gateway on loopback:
//
//	client, err := alipay.NewClient(alipaytest.NewGateway(t).Config())
package alipay
