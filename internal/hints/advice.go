package hints

import "net/http"

// Advice that several codes or statuses share.
var (
	outcomeUnknown = Text{
		"The outcome is unknown and a once_token may have been spent: ask again with the same token before you start a new check; if that gives TOKEN_INVALID, the result was probably returned once and lost on the way. After a call that changes something, find out what became of it before you repeat it.",
		"调用结果未知，once_token 可能已被用掉：请先用同一个 token 再查询一次，不要直接重新发起认证；若返回 TOKEN_INVALID，说明结果很可能返回过，但响应在途中丢失。如果是写操作，请先确认是否已经生效，再决定是否重试。"}
	throttled = Text{
		"Refused for load: nothing happened and the call may be repeated, which the library has already done as far as its RetryPolicy allows. Call less often, or ask Alipay for a higher limit.",
		"请求因限流被拒绝，未被执行，可以重试；SDK 已按 RetryPolicy 自动重试过。请降低调用频率，或向支付宝申请提高限额。"}
	parameters = Text{
		"The message may name the parameter. In QueryParams check ConnKey and OnceToken (both of this check), QueryType (exact or dim), IdentityType and ServiceID (as agreed with Zhima, 芝麻), and UserID, OpenID or CertNo with its CertType.",
		"错误信息中可能会指出具体参数。请检查 QueryParams：ConnKey 与 OnceToken 须属于本次认证，QueryType 为 exact 或 dim，IdentityType 与 ServiceID 以芝麻分配的为准；用户标识为 UserID、OpenID 或 CertNo（配合 CertType）三者之一。"}
	otherParameters = Text{
		"The message may name the parameter: compare it with the manual of this API.",
		"错误信息中可能会指出具体参数，请对照该接口的文档检查。"}
	mismatch = Text{
		"This query does not send it, so correct what was entered in an earlier step of the check. Then start a new check.",
		"本接口不传该信息：请更正前面步骤中填写的内容，然后重新发起认证。"}
	zhimaSupport = Text{
		"Repeating the query does not help: ask Zhima support (芝麻技术支持) and quote APIError.TraceID.",
		"重试无效：请联系芝麻技术支持，并提供 APIError.TraceID。"}
	agreement = Text{
		"OutAgreementNo or CreditAgreementID must name an order of this application whose agreement the user has completed in Alipay; until then the platform may not know it. Check the number, AppID and BaseURL, and ask again after the user has agreed.",
		"OutAgreementNo 须与本应用签约串（orderStr）中的一致，CreditAgreementID 须属于本应用。用户在支付宝中完成授权之前，平台可能查不到。请核对单号、AppID 与 BaseURL，待用户授权后再查询。"}
	file = Text{
		"Compare the file with what the manual of this API allows.",
		"请对照该接口的文档，检查文件的类型与大小。"}
	headerLost = Text{
		"The library sends this with every call in the Authorization header, so something on the way to the gateway has probably removed or changed that header. Check the proxies on the way and BaseURL.",
		"SDK 每次调用都会在 Authorization 请求头中携带该参数，很可能是途中的代理删除或改写了该请求头。请检查途中的代理与 BaseURL。"}
	notV3 = Text{
		"The older gateway has this parameter, v3 does not: check BaseURL, and with Client.Do that Path begins with /v3/.",
		"这是旧版网关的参数，v3 协议中没有：请检查 BaseURL；使用 Client.Do 时请检查 Path 是否以 /v3/ 开头。"}
	noAppKey = Text{
		"No application public key (应用公钥) or certificate is set for this AppID: upload it in the console (开放平台控制台, 接口加签方式). Check too that BaseURL belongs to the same environment as AppID, since the sandbox (沙箱) has keys of its own.",
		"该 AppID 未配置应用公钥或证书：请在开放平台控制台的「接口加签方式」中上传。另请确认 BaseURL 与 AppID 属于同一环境，沙箱的密钥是独立的。"}
	signType = Text{
		"The library signs with RSA2 (SHA256withRSA) and nothing else: set 接口加签方式 of this application in the console (开放平台控制台) to RSA2.",
		"SDK 只使用 RSA2（SHA256withRSA）签名：请在开放平台控制台将该应用的「接口加签方式」设置为 RSA2。"}
	certMode = Text{
		"The console (接口加签方式) has this application in certificate mode: set AppCertContent, AlipayPublicCertContent and RootCertContent instead of AlipayPublicKey. If they are set, a proxy on the way has probably removed a header.",
		"该应用在控制台「接口加签方式」中为证书模式：请配置 AppCertContent、AlipayPublicCertContent 与 RootCertContent，而不是 AlipayPublicKey。若已配置，则很可能是途中的代理删除了请求头。"}
	encryptKey = Text{
		"EncryptKey must be the AES key that the console (开放平台控制台, 接口内容加密方式) shows for this AppID in this environment. Copy it again, in case it was reset.",
		"EncryptKey 须与开放平台控制台「接口内容加密方式」中该 AppID 在当前环境下的 AES 密钥一致。密钥可能已经重置，请重新复制。"}
	encryptType = Text{
		"The library encrypts with AES once EncryptKey is set, and says so in the alipay-encrypt-type header. If EncryptKey is empty, set it to the key of 接口内容加密方式; otherwise look for a proxy that removes the header.",
		"配置 EncryptKey 后，SDK 使用 AES 加密，并在 alipay-encrypt-type 请求头中声明。若 EncryptKey 为空，请填入「接口内容加密方式」的密钥；否则请检查是否有代理删除了该请求头。"}
	clock = Text{
		"The gateway refuses a timestamp more than 10 minutes off: set the clock of this host with NTP, or check what WithClock returns.",
		"网关会拒绝偏差超过 10 分钟的时间戳：请用 NTP 校准本机时钟，或检查 WithClock 的返回值。"}
	utf8Only = Text{
		"The protocol knows only UTF-8, and the library sends nothing else: check that the values you give it are valid UTF-8.",
		"协议只支持 UTF-8，SDK 也只发送 UTF-8：请检查传入的值是否为合法的 UTF-8。"}
	userToken = Text{
		"Refresh the user's access token (auth_token), or have the user authorize again (用户授权).",
		"请刷新用户的访问令牌（auth_token），或让用户重新授权。"}
	appAuthToken = Text{
		"Refresh the app_auth_token, or have the merchant authorize the application again (第三方应用授权), and put the new one into AppAuthToken or WithAppAuthToken. It is good only for the AppID and the environment it was issued in.",
		"请刷新 app_auth_token，或让商户重新进行第三方应用授权，然后更新 AppAuthToken 或 WithAppAuthToken。该令牌只对签发它的 AppID 与环境有效。"}
	subscribe = Text{
		"The merchant has to subscribe to the service (订购) or sign up for the product (签约) first. Check too that AppID and AppAuthToken belong to that merchant.",
		"商户需先订购该服务或签约该产品。另请确认 AppID 与 AppAuthToken 属于该商户。"}
	product = Text{
		"Sign up for the product (签约) and bind it to this application (产品绑定) in the console (开放平台控制台). Check too that AppID is the application it was done for, in the same environment as BaseURL.",
		"请在开放平台控制台签约该产品，并绑定到本应用（产品绑定）。另请确认 AppID 正是该应用，且与 BaseURL 属于同一环境。"}
	tooLarge = Text{
		"The request is too large for the gateway or for a proxy in front of it: check the lengths of the parameters, the headers and the body.",
		"请求过大，被网关或网关前的代理拒绝：请检查参数、请求头与请求体的长度。"}
)

// byStatus is the advice if only the status of an answer is understood.
var byStatus = map[int]Text{
	http.StatusUnauthorized: {
		"The credentials were not accepted: check that AppID, PrivateKey (or Signer) and AppAuthToken belong together, and that BaseURL is that of their environment, production or sandbox (沙箱). A proxy in front of the gateway can also answer this itself, or remove the Authorization header.",
		"身份凭证未被接受：请检查 AppID、PrivateKey（或 Signer）与 AppAuthToken 是否配套，BaseURL 是否与其环境（正式环境或沙箱）一致。也可能是网关前的代理自行返回了该响应，或删除了 Authorization 请求头。"},
	http.StatusForbidden: {
		"The call is not allowed: check in the console (开放平台控制台) that the product is signed up for (签约) and bound to the application (产品绑定), and the IP white list (IP白名单). A proxy or firewall on the way can also answer this itself.",
		"调用不被允许：请在开放平台控制台检查产品是否已签约并绑定到应用（产品绑定），以及 IP 白名单。也可能是途中的代理或防火墙自行返回了该响应。"},
	http.StatusNotFound: {
		"Nothing answers at this address: check BaseURL, which is DefaultBaseURL, SandboxBaseURL or a reverse proxy in front of one of them, and with Client.Do the Path, which begins with /v3/.",
		"该地址没有对应的服务：请检查 BaseURL，它应为 DefaultBaseURL、SandboxBaseURL 或二者之前的反向代理；使用 Client.Do 时还请检查 Path，它应以 /v3/ 开头。"},
	http.StatusRequestTimeout:              outcomeUnknown,
	http.StatusRequestEntityTooLarge:       tooLarge,
	http.StatusRequestURITooLong:           tooLarge,
	http.StatusTooManyRequests:             throttled,
	http.StatusRequestHeaderFieldsTooLarge: tooLarge,
	http.StatusInternalServerError: { // and any beyond
		"The gateway, or a proxy in front of it, failed. " + outcomeUnknown.EN,
		"网关或网关前的代理出现故障。" + outcomeUnknown.ZH},
}
