// Package alipay asks Alipay's OpenAPI v3 for the result of a user's identity
// check, 职得身份认证查询接口 (zhima.customer.jobworth.authentication.query). It
// signs every request and verifies every answer before anything reads it.
// [Client.Do] calls any other v3 endpoint the same way.
//
// # The first query
//
//	client, err := alipay.NewClient(alipay.AlipayConfig{
//		AppID:               "2021000000000001",
//		PrivateKeyPath:      "app_private_key.pem",   // 应用私钥
//		AlipayPublicKeyPath: "alipay_public_key.pem", // 支付宝公钥
//	})
//	if err != nil {
//		return err // a *ConfigError: the field, what was found in it, the cure
//	}
//	answer, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, &alipay.QueryParams{
//		ConnKey:   connKey,   // out_agreement_no of the first step
//		OnceToken: onceToken, // buys one final answer
//	})
//	if err != nil {
//		return err
//	}
//	if answer.IdentityResult == alipay.IdentityResultSuccess { … }
//
// Make one [Client] and share it: it is safe for concurrent use, keeps its
// connections, and never changes.
//
// # Modes and keys
//
// The console (开放平台控制台, 接口加签方式) has an application either in
// public-key mode (公钥模式: set AlipayPublicKey) or in certificate mode
// (证书模式: set AppCertContent, AlipayPublicCertContent and RootCertContent).
// Each of these fields has a …Path variant that names a file. PEM, bare base64,
// PKCS#1, PKCS#8 and what environment variables make of them are all taken; see
// [AlipayConfig]. In place of a private key a [crypto.Signer] can sign, for keys
// that stay in a KMS or HSM. [ConfigFromEnv] reads all of it from ALIPAY_…
// variables.
//
// [NewClient] checks everything that can be checked without the network, and
// says which field is wrong and what belongs there.
//
// # What an error means
//
// A once_token can be spent by a request whose answer is lost. So nothing is
// sent twice unless it is certain that the gateway did not act on it, and every
// error of a call has exactly one of three meanings:
//
//	switch {
//	case errors.Is(err, alipay.CodeTokenInvalid):
//		// The token is spent or void: the check has to be started anew.
//	case errors.Is(err, alipay.ErrOutcomeUnknown):
//		// It may have arrived. Ask again with the same token; if that gives
//		// TOKEN_INVALID, the result was probably handed out and lost.
//	case errors.Is(err, alipay.ErrNotDelivered):
//		// Nothing happened. The call may be repeated.
//	default:
//		// The gateway answered no: an *APIError with Code, Message, Hint.
//	}
//
// [ErrOutcomeUnknown] and [ErrNotDelivered] are never both true. A code can be
// asked for directly, errors.Is(err, alipay.CodeTokenInvalid); see [ErrorCode].
// What certainly had no effect has already been repeated as far as
// [RetryPolicy] allows.
//
// # Waiting for the result
//
// An answer may be [IdentityResultWaitingVerify] for as long as the user is
// still busy. [ZhimaCustomerJobworthAuthentication.WaitForResult] asks until the
// result is final, with growing pauses, and asks again after a lost poll.
//
// # On behalf of another merchant
//
// Set AppAuthToken in the config for all calls, or give one call an
// app_auth_token (应用授权令牌) of its own with [WithAppAuthToken].
//
// # Testing
//
// Package alipaytest holds a gateway for tests, on loopback: it checks
// signatures, signs its answers, knows the states of a once_token, and fails on
// request. Code that accepts a [JobworthQuerier] can also be tested with
// alipaytest.StubQuerier, without HTTP.
//
//	gateway := alipaytest.NewGateway(t)
//	client, err := alipay.NewClient(gateway.Config())
//
// # Privacy
//
// No key, token, query string or personal value is in the text of an error, in
// a log record ([WithLogger]), or in what fmt and log/slog print of the types of
// this package. [APIError] has Header and Body as fields for the caller's eyes,
// and the JSON of [QueryParams] and [QueryResponse] is faithful: what a program
// does with these is its own matter.
package alipay
