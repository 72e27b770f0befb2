package hints

// Groups holds every code, in the order of the platform's lists. A code that
// several endpoints share stands in the first group only. The gateway's spelling
// is kept, mistakes included.
var Groups = []Group{
	{JobworthPath, Text{
		"Business codes of zhima.customer.jobworth.authentication.query (职得身份认证查询接口). The agreement query shares INVALID_PARAMETER and SYSTEM_ERROR.",
		"职得身份认证查询接口（zhima.customer.jobworth.authentication.query）的业务错误码。INVALID_PARAMETER 与 SYSTEM_ERROR 也适用于协议查询接口。"}, []Entry{
		{"USER_NOT_AUTHORIZE", Text{"the user has not given the authorization that the query needs", "用户未授权"}, Text{
			"The user has to authorize the query first: start a new check and let the user complete its pages.",
			"用户需先授权：请重新发起认证，并由用户在页面中完成授权。"}},
		{"TOKEN_INVALID", Text{"the once_token is not or no longer valid", "token无效"}, Text{
			"A once_token gives one final answer. It may have been used up, by an earlier call whose answer was lost or by another call of yours that has the result, or it may have expired. If no call has the result, start a new check.",
			"每个 once_token 只返回一次终态结果。它可能已被用掉（之前某次调用的响应丢失，或商户的另一次调用已取得结果），也可能已经过期。确认没有任何调用取得结果之后，再重新发起认证。"}},
		{"NOT_OPEN_ZM", Text{"the user has not opened Zhima Credit, 芝麻信用", "用户未开通芝麻信用"}, Text{
			"The user has to open Zhima Credit (芝麻信用) in Alipay first; repeating the query does not help.",
			"用户需先在支付宝中开通芝麻信用；重试无效。"}},
		{"USER_NOT_OPEN_JOBWORTH", Text{"the user has not opened Zhima Jobworth, 职得", "用户未开通职得"}, Text{
			"The user has to open Zhima Jobworth (职得) in Alipay first; repeating the query does not help.",
			"用户需先在支付宝中开通职得；重试无效。"}},
		{"INVALID_PARAMETER", Text{"a parameter is missing or has a value that is not allowed", "参数无效"}, parameters},
		{"JOB_WORTH_BLACK_LIST", Text{"a block list of Zhima Jobworth refuses the query", "命中职得黑名单"}, zhimaSupport},
		{"SYSTEM_ERROR", Text{"the platform failed; what became of the call is unknown", "系统错误"}, outcomeUnknown},
		{"MERCHANT_INTERCEPT", Text{"the platform refuses this merchant", "商户被拦截"}, Text{
			"Check that the merchant has signed up for the product (签约) and that ServiceID is the one assigned to it. Otherwise ask Zhima support (芝麻技术支持) and quote APIError.TraceID.",
			"请检查商户是否已签约该产品，ServiceID 是否为分配给该商户的服务 ID。若均无误，请联系芝麻技术支持，并提供 APIError.TraceID。"}},
		{"RISK_INTERCEPT", Text{"risk control refuses the query", "被风控拦截"}, zhimaSupport},
		{"OPEN_ZM_ACCOUNT_INTERCEPT", Text{"the platform refuses to open a Zhima account for the user", "开通芝麻账户被拦截"}, zhimaSupport},
		{"CARD_NO_NOT_MATCH", Text{"the identity document number is not the user's", "证件号不匹配"}, Text{
			"Check that CertNo and CertType, and the document given in earlier steps of the check, are the user's own. Correct them and start a new check.",
			"请检查 CertNo、CertType 以及前面步骤中填写的证件是否为该用户本人的证件，更正后重新发起认证。"}},
		{"MOBILE_NO_NOT_MATCH", Text{"the mobile number is not the user's", "手机号不匹配"}, mismatch},
		{"USER_NAME_NOT_MATCH", Text{"the name is not the user's", "姓名不匹配"}, mismatch},
		{"WRONG_OUT_AGREEMENT_NO_INTERCEPT", Text{"the conn_key is not the out_agreement_no of this check", "out_agreement_no 错误"}, Text{
			"ConnKey must be the out_agreement_no that was given in the first step (create) of this same check, together with the OnceToken of that check.",
			"ConnKey 须为同一次认证的签约串（orderStr）中的 out_agreement_no，并与该次认证的 OnceToken 一起使用。"}},
		{"TOKEN_NOT_MATCH_IDENTITY_TYPE", Text{"the once_token belongs to a check of another identity_type", "token 与身份类型不匹配"}, Text{
			"IdentityType must be the one this check was started for, and OnceToken must belong to this check.",
			"IdentityType 须与发起该次认证时一致，OnceToken 也须属于该次认证。"}},
		{"PARAM_ERROR", Text{"a parameter is missing or wrong", "参数错误"}, parameters},
	}},
	{"/v3/zhima/credit/payafteruse/creditagreement/query", Text{
		"Business codes of zhima.credit.payafteruse.creditagreement.query (信用协议查询接口).",
		"信用协议查询接口（zhima.credit.payafteruse.creditagreement.query）的业务错误码。"}, []Entry{
		{"BIZ_ERROR", Text{"the platform could not carry out the query", "业务处理失败"}, Text{
			"The message says why. If it names no parameter that can be corrected, ask Zhima support (芝麻技术支持) and quote APIError.TraceID.",
			"原因见错误信息。若信息中没有指出可更正的参数，请联系芝麻技术支持，并提供 APIError.TraceID。"}},
		{"EXTRA_PARAM_FORMAT_ERROR", Text{"extra_param is not in the expected format", "extra_param 格式错误"}, Text{
			"ExtraParam of the order string must be JSON with the members that were agreed with Zhima (芝麻), at most 1,024 characters of it.",
			"签约串（orderStr）的 ExtraParam 须为 JSON，字段以与芝麻约定的为准，长度不超过 1024 个字符。"}},
		{"CREDIT_AUTH_NOT_EXIST", Text{"there is no authorization for this order", "信用授权不存在"}, agreement},
		{"ILLEGAL_QUERY", Text{"the query is not allowed", "非法查询"}, Text{
			"Only the merchant who made the order may ask for it: check that AppID, AppAuthToken and BaseURL are those the order string was signed with.",
			"只能查询本商户自己的协议：请确认 AppID、AppAuthToken 与 BaseURL 和生成签约串时一致。"}},
		{"CREDIT_AGREEMENT_NOT_EXIST", Text{"there is no such agreement", "信用协议不存在"}, agreement},
		{"DEPEND_FAILURE", Text{"a system that the platform depends on failed", "平台依赖的系统异常"}, Text{
			"The query changes nothing: ask again a little later. If it goes on, ask Zhima support (芝麻技术支持) and quote APIError.TraceID.",
			"该查询不产生任何变更，可稍后重试。若持续失败，请联系芝麻技术支持，并提供 APIError.TraceID。"}},
	}},
	{"", Text{
		"Gateway codes (公共错误码), common to every v3 endpoint.",
		"公共错误码，所有 v3 接口通用。"}, []Entry{
		{"invalid-parameter", Text{"a parameter is missing or has a value that is not allowed", "参数无效"}, parameters},
		{"upload-fail", Text{"the file could not be uploaded", "文件上传失败"}, Text{}},
		{"invalid-file-extension", Text{"a file of this extension is not taken", "文件扩展名无效"}, file},
		{"invalid-file-size", Text{"the file is empty or too large", "文件大小无效"}, file},
		{"file-check-fail", Text{"the file did not pass the gateway's check", "文件校验失败"}, file},
		{"app-call-limited", Text{"the application makes too many calls", "应用调用次数超限，包含调用频率超限"}, throttled},
		{"method-call-limited", Text{"the API receives too many calls", "API调用次数超限，包含调用频率超限"}, throttled},
		{"insufficient-isv-permissions", Text{"the application has no permission for this API", "ISV权限不足"}, product},
		{"illegal-client-ip", Text{"the call came from an address outside the IP white list", "来源 IP 不在白名单内"}, Text{
			"This host's public address is not in the IP white list of the application: add the egress IP that the gateway sees (出口IP) under 服务器IP白名单 in the console (开放平台控制台).",
			"本机出口 IP 不在应用的白名单内：请在开放平台控制台的「服务器IP白名单」中添加网关实际看到的出口 IP。"}},
		{"insufficient-user-permissions", Text{"the merchant called for has no permission for this API", "用户权限不足"}, Text{
			"The merchant on whose behalf the call is made may not use this API: it has to sign up for the product (签约) and authorize the application (第三方应用授权). Without an AppAuthToken that merchant is the application's own account.",
			"所代商户没有该接口的权限：商户需签约该产品，并完成第三方应用授权。未使用 AppAuthToken 时，该商户即应用所属的账号。"}},
		{"self-invoke-forbidden", Text{"the application may not call for itself", "此用户不允许自调用"}, Text{
			"A third-party application (第三方应用) calls for merchants, not for itself: give the merchant's app_auth_token in AppAuthToken or WithAppAuthToken. To call for yourself, use the AppID of an application of your own (自用型应用).",
			"第三方应用只能代商户调用：请在 AppAuthToken 或 WithAppAuthToken 中传入商户的 app_auth_token。如需为自己调用，请使用自用型应用的 AppID。"}},
		{"app-auth-invoke-limit", Text{"calls on behalf of another merchant are restricted", "应用授权调用受限"}, Text{}},
		{"app-api-punished", Text{"the application is barred from this API as a penalty", "应用的接口权限被处罚"}, Text{
			"Look for the notice in the console (开放平台控制台), or ask Alipay's support and quote APIError.TraceID; repeating the call does not help.",
			"重试无效：请在开放平台控制台查看相关通知，或联系支付宝技术支持，并提供 APIError.TraceID。"}},
		{"missing-method", Text{"the name of the API is missing", "缺少方法名参数"}, notV3},
		{"missing-platform", Text{"the platform parameter is missing", "缺少平台参数"}, Text{}},
		{"invalid-platform", Text{"the platform parameter is not valid", "无效的平台参数"}, Text{}},
		{"invalid-method", Text{"there is no such API", "不存在的方法名"}, Text{
			"No API answers to this method and path: with Client.Do compare Method and Path with the manual of the API, and check that BaseURL adds nothing to the path that the gateway would see.",
			"没有与该 HTTP 方法及路径对应的接口：使用 Client.Do 时请对照接口文档检查 Method 与 Path，并确认 BaseURL 不会改变网关看到的路径。"}},
		{"forbidden-api", Text{"the API is disabled", "接口被禁用"}, Text{
			"The API itself is disabled: its manual says whether another one has replaced it.",
			"接口已被禁用：请查看该接口的文档，确认是否有替代接口。"}},
		{"invalid-format", Text{"the data format is not one the gateway takes", "无效的数据格式"}, notV3},
		{"missing-signature", Text{"the call carries no signature", "缺少签名参数"}, headerLost},
		{"missing-app-access-token", Text{"the application's access token is missing", "缺少应用访问令牌"}, Text{}},
		{"missing-signature-type", Text{"the signature type is missing", "缺少签名类型参数"}, headerLost},
		{"missing-default-signature-type", Text{"no default signature type is set for the application", "未设置默认签名类型"}, signType},
		{"missing-signature-key", Text{"no key to verify with is set for the application", "缺少签名配置"}, noAppKey},
		{"invalid-signature-type", Text{"the signature type is not one the gateway takes", "无效的签名类型"}, signType},
		{"invalid-signature-type-said-interface", Text{"the signature type is not the one this API asks for", "签名类型与接口要求不符"}, signType},
		{"invalid-signature", Text{"the signature does not verify", "无效签名"}, Text{
			"PrivateKey (or Signer) does not belong to the application public key (应用公钥) in the console (开放平台控制台, 接口加签方式), or AppID and BaseURL are of different environments, production and sandbox (沙箱). If both are right, a proxy on the way may be changing path, query, body or headers after they were signed.",
			"PrivateKey（或 Signer）与开放平台控制台「接口加签方式」中的应用公钥不是一对，或者 AppID 与 BaseURL 一个属于正式环境、另一个属于沙箱。若均无误，则可能是途中的代理在签名之后改写了路径、查询参数、请求体或请求头。"}},
		{"unsupported-expired-app-key-sign", Text{"the call is signed with an application key that has expired", "不支持使用已过期的应用密钥签名"}, Text{
			"The gateway no longer accepts this key, probably because it was replaced in the console (接口加签方式): configure the private key that belongs to the application public key (应用公钥) shown there now, as PrivateKey or Signer.",
			"网关不再接受该密钥，很可能控制台「接口加签方式」中的密钥已更换：请将与当前应用公钥对应的私钥配置到 PrivateKey 或 Signer。"}},
		{"app-key-security-risk", Text{"the application's key is considered unsafe", "应用密钥存在安全风险"}, Text{
			"Make a new key pair, upload its public half (应用公钥, or a new 应用公钥证书) under 接口加签方式 in the console (开放平台控制台), and put the private half into PrivateKey. In certificate mode renew AppCertContent with it.",
			"请重新生成密钥对，在开放平台控制台的「接口加签方式」中上传新的应用公钥（或更新应用公钥证书），并将对应的私钥配置到 PrivateKey；证书模式下还需更新 AppCertContent。"}},
		{"app-cert-expired", Text{"the application certificate has expired", "应用公钥证书已经不在有效期内"}, Text{
			"Renew the application certificate (应用公钥证书) in the console (开放平台控制台, 接口加签方式) and configure the new one as AppCertContent, with the PrivateKey that belongs to it.",
			"请在开放平台控制台的「接口加签方式」中更新应用公钥证书，将新证书配置到 AppCertContent，并使用与之对应的 PrivateKey。"}},
		{"app-cert-not-exist", Text{"the gateway knows no such application certificate", "应用公钥证书不存在"}, Text{
			"AppCertContent is not the application certificate (应用公钥证书) that the console (接口加签方式) shows for this AppID: download it again, for the environment of BaseURL.",
			"AppCertContent 与控制台「接口加签方式」中该 AppID 的应用公钥证书不一致：请按 BaseURL 所属环境重新下载。"}},
		{"alipay-cert-not-exist", Text{"the gateway knows no such Alipay certificate", "支付宝公钥证书不存在"}, Text{
			"Download Alipay's certificate (支付宝公钥证书) for this AppID again from the console (接口加签方式), for the environment of BaseURL, and configure it as AlipayPublicCertContent.",
			"请按 BaseURL 所属环境，从控制台「接口加签方式」中重新下载该 AppID 的支付宝公钥证书，并配置到 AlipayPublicCertContent。"}},
		{"missing-app-cert-sn", Text{"the SN of the application certificate is missing", "缺少应用公钥证书 SN"}, certMode},
		{"missing-alipay-cert-sn", Text{"the SN of the Alipay certificate is missing", "缺少支付宝公钥证书 SN"}, Text{}},
		{"missing-alipay-root-cert-sn", Text{"the SN of the root certificates is missing", "缺少支付宝根证书 SN"}, certMode},
		{"invalid-alipay-root-cert-sn", Text{"the SN of the root certificates is wrong", "支付宝根证书 SN 无效"}, Text{
			"RootCertContent must be the whole root certificate file (支付宝根证书) from the console, unchanged: every certificate in it, in its order. Download it again for the environment of BaseURL.",
			"RootCertContent 须为从控制台下载的完整支付宝根证书文件，不能删减其中的证书或调整顺序。请按 BaseURL 所属环境重新下载。"}},
		{"invalid-request-data", Text{"the data of the request is not valid", "请求数据无效"}, Text{}},
		{"invalid-response-data", Text{"the data of the response is not valid", "响应数据无效"}, Text{}},
		{"missing-encrypt-type", Text{"the encryption type is missing", "缺少加密类型"}, encryptType},
		{"missing-encrypt-key", Text{"no key for content encryption is set", "未设置加密密钥"}, Text{
			"The call was marked as encrypted, but this application has no AES key: set one in the console (开放平台控制台, 接口内容加密方式) and copy it to EncryptKey, or leave EncryptKey empty.",
			"请求声明了加密，但应用未设置 AES 密钥：请在开放平台控制台设置「接口内容加密方式」，并将密钥复制到 EncryptKey；不需要加密时请将 EncryptKey 留空。"}},
		{"invalid-encrypt-type", Text{"the encryption type is not one the gateway takes", "无效的加密类型"}, encryptType},
		{"invalid-encrypt", Text{"the gateway could not decrypt the content", "解密异常"}, encryptKey},
		{"missing-session", Text{"the session is missing", "缺少会话"}, Text{}},
		{"missing-app-id", Text{"the app_id is missing", "缺少appId参数"}, headerLost},
		{"invalid-app-id", Text{"the gateway knows no such app_id", "无效的AppID参数"}, Text{
			"Check AppID for spaces and typing errors, and that BaseURL is that of its environment: an application of the sandbox (沙箱) is unknown in production, and the other way round. In production the application must be online (已上线).",
			"请检查 AppID 是否含有空格或输入错误，并确认 BaseURL 与其环境一致：沙箱应用在正式环境中不存在，反之亦然。正式环境的应用须为已上线状态。"}},
		{"missing-timestamp", Text{"the timestamp is missing, often with the whole Authorization header", "缺少时间戳参数"}, headerLost},
		{"invalid-timestamp", Text{"the timestamp is malformed or too far off", "非法的时间戳参数"}, clock},
		{"illegal-timestamp", Text{"the timestamp is not one the gateway takes", "非法的时间戳"}, clock},
		{"missing-version", Text{"the version parameter is missing", "缺少版本参数"}, notV3},
		{"invalid-version", Text{"the version parameter is not valid", "无效的版本参数"}, notV3},
		{"unsupported-version", Text{"the version is not supported", "不支持的版本"}, notV3},
		{"invalid-encoding", Text{"the encoding is not valid", "无效的编码"}, utf8Only},
		{"invalid-charset", Text{"the character set is not one the gateway takes", "字符集错误"}, utf8Only},
		{"invalid-digest-type", Text{"the digest type is not valid", "无效的摘要类型"}, Text{}},
		{"invalid-digest", Text{"the digest does not match", "摘要错误"}, Text{}},
		{"invalid-app-state", Text{"the application is in a state in which it may not call", "应用状态无效"}, Text{
			"See the state of the application in the console (开放平台控制台): it must be online (已上线) and not suspended. Check too that AppID is the application you mean.",
			"请在开放平台控制台查看应用状态：须为已上线且未被停用。另请确认 AppID 就是要使用的应用。"}},
		{"invalid-subscribe-relations", Text{"there is no valid subscription between merchant and application", "订购关系无效"}, subscribe},
		{"invalid-auth-token", Text{"the user's access token is not valid", "无效的访问令牌"}, userToken},
		{"auth-token-time-out", Text{"the user's access token has expired", "访问令牌已过期"}, userToken},
		{"invalid-app-auth-token", Text{"the app_auth_token is not valid", "无效的应用授权令牌"}, appAuthToken},
		{"invalid-app-auth-token-no-api", Text{"the app_auth_token does not cover this API", "商户未授权当前接口"}, Text{
			"The merchant has to authorize the application again (第三方应用授权), this time for the product with this API; then put the new app_auth_token into AppAuthToken or WithAppAuthToken.",
			"商户需重新进行第三方应用授权，授权范围须包含该接口所属的产品；然后更新 AppAuthToken 或 WithAppAuthToken。"}},
		{"app-auth-token-time-out", Text{"the app_auth_token has expired", "应用授权令牌已过期"}, appAuthToken},
		{"not-support-app-auth", Text{"the API cannot be called on behalf of another merchant", "本接口不支持第三方代理调用"}, Text{
			"A merchant can call this API only for itself: leave AppAuthToken empty, do not pass WithAppAuthToken, and use the merchant's own AppID.",
			"该接口只能由商户自己调用：请将 AppAuthToken 留空，不要使用 WithAppAuthToken，并使用商户自己的 AppID。"}},
		{"access-data-time-out", Text{"access to the data has timed out", "数据访问超时"}, Text{}},
		{"unsupport-operation", Text{"the operation is not supported", "不支持的操作"}, Text{}},
		{"openid-error", Text{"the open_id is not valid", "open_id 错误"}, Text{
			"An open_id is good only for the application it was issued to: check that OpenID was obtained with this AppID, in this environment.",
			"open_id 只在获取它的应用中有效：请确认 OpenID 是用该 AppID 在当前环境下获取的。"}},
		{"unknow-error", Text{"the platform failed; what became of the call is unknown", "服务暂不可用"}, outcomeUnknown},
		{"invalid-app-method", Text{"the application may not call this API in this way", "应用的接口调用方式无效"}, Text{}},
		{"missing-app-uid", Text{"the user id behind the application is missing", "缺少应用对应的用户 ID"}, Text{}},
		{"illegal-json", Text{"the JSON of the request is malformed", "JSON 格式错误"}, Text{
			"The body is not the JSON that the gateway expects: with Client.Do check what Request.Body marshals to, and with content encryption that EncryptKey is the key of 接口内容加密方式 in the console.",
			"请求体不是网关所要求的 JSON：使用 Client.Do 时请检查 Request.Body 的序列化结果；启用内容加密时请确认 EncryptKey 与控制台「接口内容加密方式」的密钥一致。"}},
		{"illegal-card-no", Text{"the card number is not valid", "卡号无效"}, Text{}},
		{"invalid-partnerid", Text{"the partner id, PID, is not valid", "PID 无效"}, Text{}},
		{"no-product-reg-by-partner", Text{"the merchant has signed up for no product", "商户未签约任何产品"}, subscribe},
		{"decryption-error", Text{"the gateway could not decrypt the content", "解密出错"}, encryptKey},
		{"decryption-error-missing-encrypt-type", Text{"the gateway could not decrypt, since the encryption type is missing", "解密出错，未指定加密算法"}, encryptType},
		{"decryption-error-not-valid-encrypt-type", Text{"the gateway could not decrypt, since it does not support the encryption type", "解密出错，不支持的加密算法"}, encryptType},
		{"decryption-error-not-valid-encrypt-key", Text{"the gateway could not decrypt, since the key is not set or malformed", "解密出错，未配置加密密钥或加密密钥格式错误"}, encryptKey},
		{"decryption-error-unknown", Text{"the gateway could not decrypt, for an unknown reason", "解密出错，未知异常"}, encryptKey},
		{"missing-signature-config", Text{"no public key or certificate is set for this kind of signature", "验签出错，未配置对应签名算法的公钥或者证书"}, noAppKey},
		{"sevice-not-been-subscribed-to", Text{"the service has not been subscribed to (the gateway's own spelling)", "服务未订购"}, subscribe},
		{"unknown-sub-code", Text{"the platform gave a reason that the gateway cannot name", "未知的明细错误码"}, Text{
			"The message is all that is known: ask Alipay's support and quote APIError.TraceID.",
			"除错误信息外没有更多说明：请联系支付宝技术支持，并提供 APIError.TraceID。"}},
		{"suspected-attack", Text{"the gateway takes the request for an attack", "可疑的攻击请求"}, Text{
			"A value looks suspicious to the gateway, for instance one that contains names of Alipay's own parameters such as body, subject or out_trade_no: check the values you sent.",
			"网关认为某个参数值可疑，例如值中含有 body、subject、out_trade_no 等支付宝自身的参数名：请检查发送的参数值。"}},
		{"invalid-auth-relations", Text{"the authorization between the parties is not valid", "无效的授权关系"}, appAuthToken},
		{"invalid-product", Text{"the product is not valid", "产品无效"}, product},
		{"method-forbidden-batch-invoke", Text{"the API may not be called in a batch", "该接口禁止批量调用"}, Text{}},
		{"exist-blank-sub-request-id", Text{"a request of the batch has no id", "批量请求中存在空的子请求 ID"}, Text{}},
		{"exist-repeated-sub-request-id", Text{"two requests of the batch have the same id", "批量请求中存在重复的子请求 ID"}, Text{}},
		{"invalid-app-auth-relations", Text{"the merchant's authorization of the application is not valid", "应用授权关系无效"}, appAuthToken},
		{"app-unbind-partner", Text{"the application is bound to no merchant account, PID", "应用未绑定商家账号（PID）"}, Text{
			"Bind the application to the merchant's account (PID) in the console (开放平台控制台) or the merchant centre (商家平台).",
			"请在开放平台控制台或商家平台将应用与商家账号（PID）绑定。"}},
		{"app-invalid-oid", Text{"the application's oid is not valid", "应用 oid 无效"}, Text{}},
		{"exceed-api-balance", Text{"the calls allowed for this API are used up", "接口可用调用量已用尽"}, Text{
			"Nothing is left of the calls that the product allows: see its allowance and contract in the console (开放平台控制台).",
			"该产品的可用调用量已用尽：请在开放平台控制台查看额度与签约情况。"}},
		{"inner-app-no-access", Text{"an application internal to Alipay has no access", "内部应用无访问权限"}, Text{}},
		{"invalid-inner-invoke-scene", Text{"the scene of a call internal to Alipay is not valid", "内部调用场景无效"}, Text{}},
		{"invalid-app-api-field-config", Text{"the application's field settings for this API are not valid", "应用的接口字段配置无效"}, Text{
			"Check the field settings of this API for the application in the console (开放平台控制台).",
			"请在开放平台控制台检查该应用的接口字段配置。"}},
	}},
}
