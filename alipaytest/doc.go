// Package alipaytest is a gateway for tests: an HTTP server on loopback that
// speaks Alipay's OpenAPI v3 as the real gateway does, with no account and no
// network. It checks every signature it receives, signs what it answers, plays
// Alipay's app and its messages, and injects faults on request.
//
//	func TestMyCheck(t *testing.T) {
//		gateway := alipaytest.NewGateway(t)
//		gateway.SetResult("token-1", alipaytest.Result{
//			IdentityResult: alipay.IdentityResultSuccess,
//			WaitingPolls:   2, // WAITING_VERIFY twice, then SUCCESS once
//		})
//		client, err := alipay.NewClient(gateway.Config())
//		…
//	}
//
// # What it takes and what it refuses
//
// It is strict where a mistake would fail in production: scheme, app id, a
// timestamp within 10 minutes of its clock, a nonce it has not seen, the
// signature over the request target and body exactly as received, certificate
// and root certificate SN, content encryption. Each mistake is answered with
// the code that the platform has for it, unsigned, as the platform does. It is
// tolerant where the official SDKs of other languages differ, so that they can
// be pointed at it unchanged. A body over 16 MiB, or one that takes longer than a
// minute to arrive, is refused. Uploads in multipart/form-data are accepted; their
// files are in [ReceivedRequest].
//
// # A once_token
//
// A token for which nothing was set gives the platform's sample answer (SUCCESS)
// once, about the user in the request, and TOKEN_INVALID afterwards.
// [Gateway.SetResult] and [Gateway.SetError] decide what a token gives;
// [Gateway.Token] returns its state. A query without once_token gives PARAM_ERROR.
// [Gateway.Handle] adds other endpoints.
//
// # The whole check
//
// [Gateway.OpenOrder] is Alipay's app: it checks an order string and says what is
// wrong with it, or gives the [Order] whose Agree and Decline are the user's
// answer. The answer shows in the creditagreement query, decides whether the
// order's once_token still waits, and is posted as a message to the merchant's
// server ([WithMessagesTo]), repeatedly until the server answers success.
// [Gateway.SignNotification] signs any other notification.
//
// # Certificates
//
// One gateway serves both modes: [Gateway.Config] and [Gateway.CertConfig].
// [Gateway.RotateCertificate] replaces Alipay's certificate, which can then be
// downloaded from /gateway.do, as at the platform's old gateway.
//
// # The old gateway
//
// /gateway.do answers synchronous calls in both modes and encrypted, signed as the
// platform does: preconsult ([Gateway.SetPreconsult]), unsign, the download of a
// certificate, and whatever [Gateway.HandleMethod] adds.
//
// # Faults
//
// [Gateway.Inject] injects a [Fault] into the next requests: a connection that
// drops, an answer that is late, cut in half, unsigned, signed by another key, or
// not from the gateway. [Faults] lists them, and [FaultNamed] finds one of them.
//
// # Keys
//
// All keys and certificates are fixed and public in this package (testkeys): they
// are PUBLIC TEST MATERIAL that protects nothing. Never use them, or a
// certificate made from them, anywhere else.
//
// Gateways share nothing, so tests may run in parallel, each with its own. A test
// that needs no HTTP uses [StubQuerier]. Parameters and answers print redacted: to
// compare them, compare their JSON, which is faithful.
package alipaytest
