package alipay

import "net/http"

// hintFor returns what an answer with this code means for the caller and what
// to do about it, "" when nothing useful is known. A code without advice of
// its own is judged by its HTTP status.
func hintFor(code ErrorCode, status int) string {
	for i := range codeTable {
		c := &codeTable[i]
		if c.Code != code || c.Cure.EN == "" {
			continue
		}
		// Only with a refusing status is a refusal for load taken at its word.
		refused := status < 100 || status >= 400 && status < 500 && status != http.StatusRequestTimeout
		if c.Cure == cureLimited && !refused {
			return cureOutcomeUnknown.EN
		}
		return c.Cure.EN
	}
	return statusCure(status)
}

// statusCure is the advice for an answer of which only the status is understood.
func statusCure(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "The credentials were not accepted: check that AppID, PrivateKey (or Signer) and AppAuthToken belong together, and that BaseURL is that of their environment, production or sandbox (沙箱). A proxy in front of the gateway can also answer this itself, or remove the Authorization header."
	case status == http.StatusForbidden:
		return "The call is not allowed: check in the console (开放平台控制台) that the product is signed up for (签约) and bound to the application (产品绑定), and the IP white list (IP白名单). A proxy or firewall on the way can also answer this itself."
	case status == http.StatusNotFound:
		return "Nothing answers at this address: check BaseURL, which is DefaultBaseURL, SandboxBaseURL or a reverse proxy in front of one of them, and with Client.Do the Path, which begins with /v3/."
	case status == http.StatusRequestEntityTooLarge, status == http.StatusRequestURITooLong, status == http.StatusRequestHeaderFieldsTooLarge:
		return "The request is too large for the gateway or for a proxy in front of it: check the lengths of the parameters, the headers and the body."
	case status == http.StatusTooManyRequests:
		return cureLimited.EN
	case status == http.StatusRequestTimeout:
		return cureOutcomeUnknown.EN
	case status >= 500:
		return "The gateway, or a proxy in front of it, failed. " + cureOutcomeUnknown.EN
	}
	return ""
}

// codeInfo is what is known of a code besides its doc comment in codes.go.
type codeInfo struct {
	Code ErrorCode
	// MeaningZH is the meaning in Chinese; empty where the doc comment has the
	// platform's own text, so that each is written once.
	MeaningZH string
	Cure      cure
}

// cure is what to do about an error. EN is what [APIError.Hint] returns, ZH is
// the same for the Chinese README.
type cure struct{ EN, ZH string }

// Cures that several codes share.
var (
	cureOutcomeUnknown = cure{
		"The outcome is unknown and a once_token may have been spent: ask again with the same token before starting a new check; if that gives TOKEN_INVALID, the result was probably handed out and lost. Look up what became of a call that changes something before repeating it.",
		"结果未知，once_token 可能已被使用：先用同一个 token 再查一次，不要直接重新发起认证；若返回 TOKEN_INVALID，则结果很可能已返回但在途中丢失。会产生变更的调用，须先确认其结果再重试。",
	}
	cureLimited = cure{
		"Refused for load: nothing happened and the call may be repeated, which the library has already done as far as its RetryPolicy allows. Call less often, or ask Alipay for a higher limit.",
		"因限流被拒绝：请求未被执行，可以重试；SDK 已按 RetryPolicy 重试过。请降低调用频率，或向支付宝申请提高限额。",
	}
	cureParameters = cure{
		"The message may name the parameter. For QueryParams: ConnKey and OnceToken of this check, QueryType exact or dim, IdentityType and ServiceID as agreed with Zhima (芝麻), and UserID, OpenID or CertNo with its CertType.",
		"错误信息中可能指出具体参数。检查 QueryParams：本次认证的 ConnKey 与 OnceToken，QueryType 为 exact 或 dim，IdentityType 与 ServiceID 以芝麻分配的为准，UserID、OpenID 或 CertNo（及 CertType）任选其一。",
	}
	cureMismatch = cure{
		"This query does not send it, so what an earlier step of the check was given is to be corrected. Then start the check anew.",
		"本接口不传该信息，需更正认证前序步骤中填写的内容，然后重新发起认证。",
	}
	cureZhimaSupport = cure{
		"Repeating the query does not help: ask Zhima support (芝麻技术支持), quoting APIError.TraceID.",
		"重试无效：请联系芝麻技术支持，并提供 APIError.TraceID。",
	}
	cureFile = cure{
		"Compare the file with what the manual of this API allows.",
		"对照该接口文档检查文件类型与大小。",
	}
	cureHeaderLost = cure{
		"The library sends this with every call in the Authorization header: something between it and the gateway has probably removed or changed that header. Check the proxies on the way and BaseURL.",
		"SDK 每次调用都会在 Authorization 请求头中携带该参数，很可能是中间代理删除或改写了该请求头。请检查沿途代理与 BaseURL。",
	}
	cureNotV3 = cure{
		"The older gateway has this parameter, v3 does not: check BaseURL, and with Client.Do that Path begins with /v3/.",
		"这是旧版网关的参数，v3 协议没有：请检查 BaseURL；使用 Client.Do 时检查 Path 是否以 /v3/ 开头。",
	}
	cureNoAppKey = cure{
		"No application public key (应用公钥) or certificate is set for this AppID: upload it in the console (开放平台控制台, 接口加签方式). Check too that BaseURL is that of the AppID's environment, since the sandbox (沙箱) has keys of its own.",
		"该 AppID 未配置应用公钥或证书：请在开放平台控制台的接口加签方式中上传。并确认 BaseURL 与 AppID 属于同一环境，沙箱的密钥是独立的。",
	}
	cureSignType = cure{
		"The library signs with RSA2 (SHA256withRSA) and nothing else: set 接口加签方式 of this application in the console (开放平台控制台) accordingly.",
		"SDK 仅使用 RSA2（SHA256withRSA）签名：请在开放平台控制台将该应用的接口加签方式设置为 RSA2。",
	}
	cureNewAppKey = cure{
		"Make a new key pair, upload its public half (应用公钥, or a new 应用公钥证书) under 接口加签方式 in the console (开放平台控制台), and put the private half into PrivateKey. In certificate mode renew AppCertContent with it.",
		"重新生成密钥对，在开放平台控制台的接口加签方式中上传应用公钥（或更新应用公钥证书），并将对应私钥配置到 PrivateKey；证书模式下同时更新 AppCertContent。",
	}
	cureCertMode = cure{
		"The console (接口加签方式) has this application in certificate mode: set AppCertContent, AlipayPublicCertContent and RootCertContent instead of AlipayPublicKey. If they are set, a proxy on the way has probably removed a header.",
		"该应用的接口加签方式为证书模式：请配置 AppCertContent、AlipayPublicCertContent 与 RootCertContent，而非 AlipayPublicKey。若已配置，则可能是中间代理删除了请求头。",
	}
	cureEncryptKey = cure{
		"EncryptKey must be the AES key that the console (开放平台控制台, 接口内容加密方式) shows for this AppID in this environment. Copy it again, in case it was reset.",
		"EncryptKey 必须是开放平台控制台中该 AppID 在当前环境下的接口内容加密方式所显示的 AES 密钥。请重新复制，以防密钥已被重置。",
	}
	cureEncryptType = cure{
		"The library encrypts with AES once EncryptKey is set, and names that in the alipay-encrypt-type header. If EncryptKey is empty, set it to the key of 接口内容加密方式; otherwise look for a proxy that removes the header.",
		"配置 EncryptKey 后，SDK 以 AES 加密并在 alipay-encrypt-type 请求头中声明。若 EncryptKey 为空，请填入接口内容加密方式的密钥；否则检查是否有代理删除了该请求头。",
	}
	cureClock = cure{
		"The gateway refuses a timestamp more than 10 minutes off: set the clock of this host right with NTP, or check what WithClock returns.",
		"网关拒绝偏差超过 10 分钟的时间戳：请用 NTP 校准本机时钟，或检查 WithClock 的返回值。",
	}
	cureUTF8 = cure{
		"The protocol knows only UTF-8, and the library sends nothing else of its own accord: check that the values given to it are valid UTF-8.",
		"协议只支持 UTF-8，SDK 也只发送 UTF-8：请检查传入的值是否为合法的 UTF-8。",
	}
	cureUserToken = cure{
		"Refresh the user's access token (auth_token), or have the user authorize again (用户授权).",
		"刷新用户访问令牌（auth_token），或让用户重新授权。",
	}
	cureAppAuthToken = cure{
		"Refresh the app_auth_token, or have the merchant authorize the application again (第三方应用授权), and put the new one into AppAuthToken or WithAppAuthToken. It is good only for the AppID and the environment it was issued in.",
		"刷新 app_auth_token，或让商户重新进行第三方应用授权，并更新 AppAuthToken 或 WithAppAuthToken。该令牌只对签发它的 AppID 与环境有效。",
	}
	cureSubscribe = cure{
		"The merchant has to subscribe to the service (订购) or sign up for the product (签约) first. Check too that AppID and AppAuthToken are those of that merchant.",
		"商户需先订购服务或签约产品。并确认 AppID 与 AppAuthToken 属于该商户。",
	}
	cureProduct = cure{
		"Sign up for the product (签约) and bind it to this application (产品绑定) in the console (开放平台控制台). Check too that AppID is the application it was done for, in the same environment as BaseURL.",
		"请在开放平台控制台签约该产品并绑定到本应用（产品绑定）。并确认 AppID 正是该应用，且与 BaseURL 属于同一环境。",
	}
)

// codeTable holds every code of codes.go, in the same order.
var codeTable = [...]codeInfo{
	// business codes
	{CodeUserNotAuthorize, "用户未授权", cure{
		"The user has to authorize the query first: start the check anew and let the user complete its pages.",
		"用户需先授权：重新发起认证，并由用户完成受理页面。",
	}},
	{CodeTokenInvalid, "", cure{
		"A once_token gives one final answer. It may be used up, perhaps by an earlier call whose answer was lost, or it may have expired: the whole check has to be started anew.",
		"once_token 只能成功返回一次终态结果。它可能已被使用（例如先前某次调用的响应丢失），也可能已过期：需要重新发起整个认证。",
	}},
	{CodeNotOpenZM, "用户未开通芝麻信用", cure{
		"The user has to open Zhima Credit (芝麻信用) in Alipay first; repeating the query does not help.",
		"用户需先在支付宝中开通芝麻信用；重试无效。",
	}},
	{CodeUserNotOpenJobworth, "用户未开通职得", cure{
		"The user has to open Zhima Jobworth (职得) in Alipay first; repeating the query does not help.",
		"用户需先在支付宝中开通职得；重试无效。",
	}},
	{CodeInvalidParameter, "", cureParameters},
	{CodeJobWorthBlackList, "命中职得黑名单", cureZhimaSupport},
	{CodeSystemError, "", cureOutcomeUnknown},
	{CodeMerchantIntercept, "商户被拦截", cure{
		"Check that the merchant has signed up for the product (签约) and that ServiceID is the one assigned to it. Otherwise ask Zhima support (芝麻技术支持), quoting APIError.TraceID.",
		"检查商户是否已签约该产品、ServiceID 是否为分配给该商户的。否则请联系芝麻技术支持，并提供 APIError.TraceID。",
	}},
	{CodeRiskIntercept, "被风控拦截", cureZhimaSupport},
	{CodeOpenZMAccountIntercept, "开通芝麻账户被拦截", cureZhimaSupport},
	{CodeCardNoNotMatch, "证件号不匹配", cure{
		"Check that CertNo and CertType, and the document given in earlier steps of the check, are the user's own. Correct them and start the check anew.",
		"检查 CertNo、CertType 以及认证前序步骤中填写的证件是否为该用户本人的，更正后重新发起认证。",
	}},
	{CodeMobileNoNotMatch, "手机号不匹配", cureMismatch},
	{CodeUserNameNotMatch, "姓名不匹配", cureMismatch},
	{CodeWrongOutAgreementNoIntercept, "out_agreement_no 错误", cure{
		"ConnKey must be the out_agreement_no that was given in the first step (create) of this same check, together with the OnceToken that came out of it.",
		"ConnKey 必须是同一次认证第一步（创建接口）传入的 out_agreement_no，并与该次认证得到的 OnceToken 配对使用。",
	}},
	{CodeTokenNotMatchIdentityType, "token 与身份类型不匹配", cure{
		"IdentityType must be the one for which this check was started, and OnceToken the one of this check.",
		"IdentityType 必须与发起该次认证时一致，OnceToken 也必须是该次认证的。",
	}},
	{CodeParamError, "参数错误", cureParameters},

	// gateway codes
	{CodeGatewayInvalidParameter, "", cureParameters},
	{CodeUploadFail, "", cure{}},
	{CodeInvalidFileExtension, "", cureFile},
	{CodeInvalidFileSize, "", cureFile},
	{CodeFileCheckFail, "文件校验失败", cureFile},
	{CodeAppCallLimited, "", cureLimited},
	{CodeMethodCallLimited, "", cureLimited},
	{CodeInsufficientISVPermissions, "", cureProduct},
	{CodeIllegalClientIP, "来源 IP 不在白名单内", cure{
		"This host's public address is not in the IP white list of the application: add the egress IP that the gateway sees (出口IP) under 服务器IP白名单 in the console (开放平台控制台).",
		"本机出口 IP 不在应用的白名单内：请在开放平台控制台的服务器IP白名单中添加网关所见的出口 IP。",
	}},
	{CodeInsufficientUserPermissions, "", cure{
		"The merchant on whose behalf the call is made may not use this API: it has to sign up for the product (签约) and authorize the application (第三方应用授权). Without an AppAuthToken that merchant is the application's own account.",
		"被代理的商户没有该接口权限：商户需签约该产品，并完成第三方应用授权。未使用 AppAuthToken 时，该商户即应用自身的账号。",
	}},
	{CodeSelfInvokeForbidden, "", cure{
		"A third-party application (第三方应用) calls for merchants, not for itself: give the merchant's app_auth_token in AppAuthToken or WithAppAuthToken. To call for yourself, use the AppID of an application of your own (自用型应用).",
		"第三方应用只能代商户调用：请在 AppAuthToken 或 WithAppAuthToken 中传入商户的 app_auth_token。若为自己调用，请使用自用型应用的 AppID。",
	}},
	{CodeAppAuthInvokeLimit, "应用授权调用受限", cure{}},
	{CodeAppAPIPunished, "应用的接口权限被处罚", cure{
		"Look for the notice in the console (开放平台控制台), or ask Alipay's support, quoting APIError.TraceID; repeating the call does not help.",
		"请在开放平台控制台查看通知，或联系支付宝技术支持并提供 APIError.TraceID；重试无效。",
	}},
	{CodeMissingMethod, "", cureNotV3},
	{CodeMissingPlatform, "缺少平台参数", cure{}},
	{CodeInvalidPlatform, "无效的平台参数", cure{}},
	{CodeInvalidMethod, "", cure{
		"No API answers to this method and path: with Client.Do compare Method and Path with the manual of the API, and check that BaseURL adds nothing to the path that the gateway would see.",
		"没有与该 HTTP 方法及路径对应的接口：使用 Client.Do 时对照接口文档检查 Method 与 Path，并确认 BaseURL 没有在网关所见的路径上多加内容。",
	}},
	{CodeForbiddenAPI, "", cure{
		"The API itself is disabled: see its manual for whether and by what it was replaced.",
		"接口已被禁用：请查看该接口文档的说明。",
	}},
	{CodeInvalidFormat, "", cureNotV3},
	{CodeMissingSignature, "", cureHeaderLost},
	{CodeMissingAppAccessToken, "缺少应用访问令牌", cure{}},
	{CodeMissingSignatureType, "", cureHeaderLost},
	{CodeMissingDefaultSignatureType, "未设置默认签名类型", cureSignType},
	{CodeMissingSignatureKey, "", cureNoAppKey},
	{CodeInvalidSignatureType, "", cureSignType},
	{CodeInvalidSignatureTypeSaidInterface, "签名类型与接口要求不符", cureSignType},
	{CodeInvalidSignature, "", cure{
		"PrivateKey (or Signer) does not belong to the application public key (应用公钥) in the console (开放平台控制台, 接口加签方式), or AppID and BaseURL are of different environments, production and sandbox (沙箱). If both are right, a proxy on the way may be changing path, query, body or headers after they were signed.",
		"PrivateKey（或 Signer）与开放平台控制台（接口加签方式）中的应用公钥不是一对，或者 AppID 与 BaseURL 分属生产与沙箱环境。若均无误，则可能是中间代理在签名之后改写了路径、查询串、正文或请求头。",
	}},
	{CodeUnsupportedExpiredAppKeySign, "不支持使用已过期的应用密钥签名", cure{
		"This key is no longer taken, probably since it was replaced in the console (接口加签方式): configure the private key that belongs to the application public key (应用公钥) shown there now, as PrivateKey or Signer.",
		"该密钥不再被接受，很可能已在控制台（接口加签方式）更换：请将与当前应用公钥对应的私钥配置到 PrivateKey 或 Signer。",
	}},
	{CodeAppKeySecurityRisk, "应用密钥存在安全风险", cureNewAppKey},
	{CodeAppCertExpired, "", cure{
		"Renew the application certificate (应用公钥证书) in the console (开放平台控制台, 接口加签方式) and configure the new one as AppCertContent, with the PrivateKey that belongs to it.",
		"请在开放平台控制台（接口加签方式）更新应用公钥证书，并配置到 AppCertContent，同时使用与之对应的 PrivateKey。",
	}},
	{CodeAppCertNotExist, "应用公钥证书不存在", cure{
		"AppCertContent is not the application certificate (应用公钥证书) that the console (接口加签方式) shows for this AppID: download it again, for the environment of BaseURL.",
		"AppCertContent 不是控制台（接口加签方式）中该 AppID 的应用公钥证书：请按 BaseURL 所在环境重新下载。",
	}},
	{CodeAlipayCertNotExist, "支付宝公钥证书不存在", cure{
		"Download Alipay's certificate (支付宝公钥证书) for this AppID again from the console (接口加签方式), for the environment of BaseURL, and configure it as AlipayPublicCertContent.",
		"请按 BaseURL 所在环境，从控制台（接口加签方式）重新下载该 AppID 的支付宝公钥证书，并配置到 AlipayPublicCertContent。",
	}},
	{CodeMissingAppCertSN, "缺少应用公钥证书 SN", cureCertMode},
	{CodeMissingAlipayCertSN, "缺少支付宝公钥证书 SN", cure{}},
	{CodeMissingAlipayRootCertSN, "缺少支付宝根证书 SN", cureCertMode},
	{CodeInvalidAlipayRootCertSN, "支付宝根证书 SN 无效", cure{
		"RootCertContent must be the whole root certificate file (支付宝根证书) from the console, unchanged: every certificate in it, in its order. Download it again for the environment of BaseURL.",
		"RootCertContent 必须是从控制台下载的完整支付宝根证书文件，不得删改其中的证书或顺序。请按 BaseURL 所在环境重新下载。",
	}},
	{CodeInvalidRequestData, "请求数据无效", cure{}},
	{CodeInvalidResponseData, "响应数据无效", cure{}},
	{CodeMissingEncryptType, "缺少加密类型", cureEncryptType},
	{CodeMissingEncryptKey, "未设置加密密钥", cure{
		"The call was marked as encrypted, but this application has no AES key: set one in the console (开放平台控制台, 接口内容加密方式) and copy it to EncryptKey, or leave EncryptKey empty.",
		"调用声明了加密，但应用未设置 AES 密钥：请在开放平台控制台设置接口内容加密方式并将密钥复制到 EncryptKey，或将 EncryptKey 留空。",
	}},
	{CodeInvalidEncryptType, "", cureEncryptType},
	{CodeInvalidEncrypt, "", cureEncryptKey},
	{CodeMissingSession, "缺少会话", cure{}},
	{CodeMissingAppID, "", cureHeaderLost},
	{CodeInvalidAppID, "", cure{
		"Check AppID for blanks and typing errors, and that BaseURL is that of its environment: an application of the sandbox (沙箱) is unknown in production, and the other way round. In production the application must be online (已上线).",
		"检查 AppID 是否有空格或错字，并确认 BaseURL 与其环境一致：沙箱应用在生产环境中不存在，反之亦然。生产环境的应用须为已上线状态。",
	}},
	{CodeMissingTimestamp, "", cureHeaderLost},
	{CodeInvalidTimestamp, "", cureClock},
	{CodeIllegalTimestamp, "非法的时间戳", cureClock},
	{CodeMissingVersion, "", cureNotV3},
	{CodeInvalidVersion, "无效的版本参数", cureNotV3},
	{CodeUnsupportedVersion, "不支持的版本", cureNotV3},
	{CodeInvalidEncoding, "无效的编码", cureUTF8},
	{CodeInvalidCharset, "", cureUTF8},
	{CodeInvalidDigestType, "无效的摘要类型", cure{}},
	{CodeInvalidDigest, "", cure{}},
	{CodeInvalidAppState, "应用状态无效", cure{
		"See the state of the application in the console (开放平台控制台): it must be online (已上线) and not suspended. Check too that AppID is the application that was meant.",
		"请在开放平台控制台查看应用状态：须为已上线且未被停用。并确认 AppID 是所要使用的应用。",
	}},
	{CodeInvalidSubscribeRelations, "订购关系无效", cureSubscribe},
	{CodeInvalidAuthToken, "", cureUserToken},
	{CodeAuthTokenTimeOut, "", cureUserToken},
	{CodeInvalidAppAuthToken, "", cureAppAuthToken},
	{CodeInvalidAppAuthTokenNoAPI, "", cure{
		"The merchant has to authorize the application again (第三方应用授权), this time for the product with this API; then put the new app_auth_token into AppAuthToken or WithAppAuthToken.",
		"商户需重新进行第三方应用授权，并包含该接口所属的产品；然后更新 AppAuthToken 或 WithAppAuthToken。",
	}},
	{CodeAppAuthTokenTimeOut, "", cureAppAuthToken},
	{CodeNotSupportAppAuth, "", cure{
		"This API is called for oneself only: leave AppAuthToken empty, do not give WithAppAuthToken, and use the merchant's own AppID.",
		"该接口只能由商户自己调用：请将 AppAuthToken 留空，不要使用 WithAppAuthToken，并使用商户自己的 AppID。",
	}},
	{CodeAccessDataTimeOut, "数据访问超时", cure{}},
	{CodeUnsupportOperation, "不支持的操作", cure{}},
	{CodeOpenIDError, "open_id 错误", cure{
		"An open_id is good only for the application it was issued to: check that OpenID was obtained with this AppID, in this environment.",
		"open_id 只对签发它的应用有效：请确认 OpenID 是用该 AppID 在当前环境下获取的。",
	}},
	{CodeUnknowError, "", cureOutcomeUnknown},
	{CodeInvalidAppMethod, "应用的接口调用方式无效", cure{}},
	{CodeMissingAppUID, "缺少应用对应的用户 ID", cure{}},
	{CodeIllegalJSON, "JSON 格式错误", cure{
		"The body is not the JSON that the gateway expects: with Client.Do check what Request.Body marshals to, and with content encryption that EncryptKey is the key of 接口内容加密方式 in the console.",
		"请求正文不是网关所期望的 JSON：使用 Client.Do 时检查 Request.Body 的序列化结果；启用内容加密时确认 EncryptKey 是控制台接口内容加密方式的密钥。",
	}},
	{CodeIllegalCardNo, "卡号无效", cure{}},
	{CodeInvalidPartnerid, "PID 无效", cure{}},
	{CodeNoProductRegByPartner, "", cureSubscribe},
	{CodeDecryptionError, "解密出错", cureEncryptKey},
	{CodeDecryptionErrorMissingEncryptType, "", cureEncryptType},
	{CodeDecryptionErrorNotValidEncryptType, "", cureEncryptType},
	{CodeDecryptionErrorNotValidEncryptKey, "", cureEncryptKey},
	{CodeDecryptionErrorUnknown, "", cureEncryptKey},
	{CodeMissingSignatureConfig, "", cureNoAppKey},
	{CodeSeviceNotBeenSubscribedTo, "服务未订购", cureSubscribe},
	{CodeUnknownSubCode, "未知的明细错误码", cure{
		"The message is all that is known: ask Alipay's support, quoting APIError.TraceID.",
		"除错误信息外没有更多说明：请联系支付宝技术支持，并提供 APIError.TraceID。",
	}},
	{CodeSuspectedAttack, "", cure{
		"A value looks suspicious to the gateway, for instance one that contains names of Alipay's own parameters such as body, subject or out_trade_no: look through the values that were sent.",
		"网关认为某个值可疑，例如值中含有 body、subject、out_trade_no 等支付宝参数名：请检查所发送的值。",
	}},
	{CodeInvalidAuthRelations, "", cureAppAuthToken},
	{CodeInvalidProduct, "产品无效", cureProduct},
	{CodeMethodForbiddenBatchInvoke, "该接口禁止批量调用", cure{}},
	{CodeExistBlankSubRequestID, "批量请求中存在空的子请求 ID", cure{}},
	{CodeExistRepeatedSubRequestID, "批量请求中存在重复的子请求 ID", cure{}},
	{CodeInvalidAppAuthRelations, "应用授权关系无效", cureAppAuthToken},
	{CodeAppUnbindPartner, "应用未绑定商家账号（PID）", cure{
		"Bind the application to the merchant's account (PID) in the console (开放平台控制台) or the merchant centre (商家平台).",
		"请在开放平台控制台或商家平台将应用与商家账号（PID）绑定。",
	}},
	{CodeAppInvalidOID, "应用 oid 无效", cure{}},
	{CodeExceedAPIBalance, "接口可用调用量已用尽", cure{
		"Nothing is left of the calls that the product allows: see its allowance and contract in the console (开放平台控制台).",
		"该产品的可用调用量已用尽：请在开放平台控制台查看额度与签约情况。",
	}},
	{CodeInnerAppNoAccess, "内部应用无访问权限", cure{}},
	{CodeInvalidInnerInvokeScene, "内部调用场景无效", cure{}},
	{CodeInvalidAppAPIFieldConfig, "应用的接口字段配置无效", cure{
		"Check the field settings of this API for the application in the console (开放平台控制台).",
		"请在开放平台控制台检查该应用的接口字段配置。",
	}},
}
