package alipay

// ErrorCode is the code of an error answer, as the gateway spells it. It is
// itself an error whose text is the bare code, so that it can be asked for
// directly:
//
//	if errors.Is(err, alipay.CodeTokenInvalid) { … }
//
// The constants below are the codes known to this library; one that is not
// among them is kept as it came. In their comments the platform's own Chinese
// text stands in brackets where it is known. [APIError.Hint] says what to do.
type ErrorCode string

// Error returns the bare code.
func (c ErrorCode) Error() string { return string(c) }

// Business codes of zhima.customer.jobworth.authentication.query (职得身份认证查询接口).
const (
	// CodeUserNotAuthorize: the user has not given the authorization that the query needs.
	CodeUserNotAuthorize ErrorCode = "USER_NOT_AUTHORIZE"

	// CodeTokenInvalid: the once_token is not valid, or no longer (token无效).
	CodeTokenInvalid ErrorCode = "TOKEN_INVALID"

	// CodeNotOpenZM: the user has not opened Zhima Credit, 芝麻信用.
	CodeNotOpenZM ErrorCode = "NOT_OPEN_ZM"

	// CodeUserNotOpenJobworth: the user has not opened Zhima Jobworth, 职得.
	CodeUserNotOpenJobworth ErrorCode = "USER_NOT_OPEN_JOBWORTH"

	// CodeInvalidParameter: a parameter is missing or has a value that is not allowed (参数无效).
	CodeInvalidParameter ErrorCode = "INVALID_PARAMETER"

	// CodeJobWorthBlackList: a block list of Zhima Jobworth refuses the query.
	CodeJobWorthBlackList ErrorCode = "JOB_WORTH_BLACK_LIST"

	// CodeSystemError: the platform failed; what became of the call is unknown (系统错误).
	CodeSystemError ErrorCode = "SYSTEM_ERROR"

	// CodeMerchantIntercept: the platform refuses this merchant.
	CodeMerchantIntercept ErrorCode = "MERCHANT_INTERCEPT"

	// CodeRiskIntercept: risk control refuses the query.
	CodeRiskIntercept ErrorCode = "RISK_INTERCEPT"

	// CodeOpenZMAccountIntercept: the platform refuses to open a Zhima account for the user.
	CodeOpenZMAccountIntercept ErrorCode = "OPEN_ZM_ACCOUNT_INTERCEPT"

	// CodeCardNoNotMatch: the identity document number is not the user's.
	CodeCardNoNotMatch ErrorCode = "CARD_NO_NOT_MATCH"

	// CodeMobileNoNotMatch: the mobile number is not the user's.
	CodeMobileNoNotMatch ErrorCode = "MOBILE_NO_NOT_MATCH"

	// CodeUserNameNotMatch: the name is not the user's.
	CodeUserNameNotMatch ErrorCode = "USER_NAME_NOT_MATCH"

	// CodeWrongOutAgreementNoIntercept: the conn_key is not the out_agreement_no of this check.
	CodeWrongOutAgreementNoIntercept ErrorCode = "WRONG_OUT_AGREEMENT_NO_INTERCEPT"

	// CodeTokenNotMatchIdentityType: the once_token belongs to a check of another identity_type.
	CodeTokenNotMatchIdentityType ErrorCode = "TOKEN_NOT_MATCH_IDENTITY_TYPE"

	// CodeParamError: a parameter is missing or wrong.
	CodeParamError ErrorCode = "PARAM_ERROR"
)

// Gateway codes (公共错误码), common to every v3 endpoint. The spelling is the
// gateway's, mistakes included.
const (
	// CodeGatewayInvalidParameter: a parameter is missing or has a value that is not allowed (参数无效).
	CodeGatewayInvalidParameter ErrorCode = "invalid-parameter"

	// CodeUploadFail: the file could not be uploaded (文件上传失败).
	CodeUploadFail ErrorCode = "upload-fail"

	// CodeInvalidFileExtension: a file of this extension is not taken (文件扩展名无效).
	CodeInvalidFileExtension ErrorCode = "invalid-file-extension"

	// CodeInvalidFileSize: the file is empty or too large (文件大小无效).
	CodeInvalidFileSize ErrorCode = "invalid-file-size"

	// CodeFileCheckFail: the file did not pass the gateway's check.
	CodeFileCheckFail ErrorCode = "file-check-fail"

	// CodeAppCallLimited: the application makes too many calls (应用调用次数超限，包含调用频率超限).
	CodeAppCallLimited ErrorCode = "app-call-limited"

	// CodeMethodCallLimited: the API receives too many calls (API调用次数超限，包含调用频率超限).
	CodeMethodCallLimited ErrorCode = "method-call-limited"

	// CodeInsufficientISVPermissions: the application has no permission for this API (ISV权限不足).
	CodeInsufficientISVPermissions ErrorCode = "insufficient-isv-permissions"

	// CodeIllegalClientIP: the call came from an address outside the IP white list.
	CodeIllegalClientIP ErrorCode = "illegal-client-ip"

	// CodeInsufficientUserPermissions: the merchant called for has no permission for this API (用户权限不足).
	CodeInsufficientUserPermissions ErrorCode = "insufficient-user-permissions"

	// CodeSelfInvokeForbidden: the application may not call for itself (此用户不允许自调用).
	CodeSelfInvokeForbidden ErrorCode = "self-invoke-forbidden"

	// CodeAppAuthInvokeLimit: calls on behalf of another merchant are restricted.
	CodeAppAuthInvokeLimit ErrorCode = "app-auth-invoke-limit"

	// CodeAppAPIPunished: the application is barred from this API as a penalty.
	CodeAppAPIPunished ErrorCode = "app-api-punished"

	// CodeMissingMethod: the name of the API is missing (缺少方法名参数).
	CodeMissingMethod ErrorCode = "missing-method"

	// CodeMissingPlatform: the platform parameter is missing.
	CodeMissingPlatform ErrorCode = "missing-platform"

	// CodeInvalidPlatform: the platform parameter is not valid.
	CodeInvalidPlatform ErrorCode = "invalid-platform"

	// CodeInvalidMethod: there is no such API (不存在的方法名).
	CodeInvalidMethod ErrorCode = "invalid-method"

	// CodeForbiddenAPI: the API is disabled (接口被禁用).
	CodeForbiddenAPI ErrorCode = "forbidden-api"

	// CodeInvalidFormat: the data format is not one the gateway takes (无效的数据格式).
	CodeInvalidFormat ErrorCode = "invalid-format"

	// CodeMissingSignature: the call carries no signature (缺少签名参数).
	CodeMissingSignature ErrorCode = "missing-signature"

	// CodeMissingAppAccessToken: the application's access token is missing.
	CodeMissingAppAccessToken ErrorCode = "missing-app-access-token"

	// CodeMissingSignatureType: the signature type is missing (缺少签名类型参数).
	CodeMissingSignatureType ErrorCode = "missing-signature-type"

	// CodeMissingDefaultSignatureType: no default signature type is set for the application.
	CodeMissingDefaultSignatureType ErrorCode = "missing-default-signature-type"

	// CodeMissingSignatureKey: no key to verify with is set for the application (缺少签名配置).
	CodeMissingSignatureKey ErrorCode = "missing-signature-key"

	// CodeInvalidSignatureType: the signature type is not one the gateway takes (无效的签名类型).
	CodeInvalidSignatureType ErrorCode = "invalid-signature-type"

	// CodeInvalidSignatureTypeSaidInterface: the signature type is not the one this API asks for.
	CodeInvalidSignatureTypeSaidInterface ErrorCode = "invalid-signature-type-said-interface"

	// CodeInvalidSignature: the signature does not verify (无效签名).
	CodeInvalidSignature ErrorCode = "invalid-signature"

	// CodeUnsupportedExpiredAppKeySign: the call is signed with an application key that has expired.
	CodeUnsupportedExpiredAppKeySign ErrorCode = "unsupported-expired-app-key-sign"

	// CodeAppKeySecurityRisk: the application's key is considered unsafe.
	CodeAppKeySecurityRisk ErrorCode = "app-key-security-risk"

	// CodeAppCertExpired: the application certificate has expired (应用公钥证书已经不在有效期内).
	CodeAppCertExpired ErrorCode = "app-cert-expired"

	// CodeAppCertNotExist: the gateway knows no such application certificate.
	CodeAppCertNotExist ErrorCode = "app-cert-not-exist"

	// CodeAlipayCertNotExist: the gateway knows no such Alipay certificate.
	CodeAlipayCertNotExist ErrorCode = "alipay-cert-not-exist"

	// CodeMissingAppCertSN: the SN of the application certificate is missing.
	CodeMissingAppCertSN ErrorCode = "missing-app-cert-sn"

	// CodeMissingAlipayCertSN: the SN of the Alipay certificate is missing.
	CodeMissingAlipayCertSN ErrorCode = "missing-alipay-cert-sn"

	// CodeMissingAlipayRootCertSN: the SN of the root certificates is missing.
	CodeMissingAlipayRootCertSN ErrorCode = "missing-alipay-root-cert-sn"

	// CodeInvalidAlipayRootCertSN: the SN of the root certificates is wrong.
	CodeInvalidAlipayRootCertSN ErrorCode = "invalid-alipay-root-cert-sn"

	// CodeInvalidRequestData: the data of the request is not valid.
	CodeInvalidRequestData ErrorCode = "invalid-request-data"

	// CodeInvalidResponseData: the data of the response is not valid.
	CodeInvalidResponseData ErrorCode = "invalid-response-data"

	// CodeMissingEncryptType: the encryption type is missing.
	CodeMissingEncryptType ErrorCode = "missing-encrypt-type"

	// CodeMissingEncryptKey: no key for content encryption is set.
	CodeMissingEncryptKey ErrorCode = "missing-encrypt-key"

	// CodeInvalidEncryptType: the encryption type is not one the gateway takes (无效的加密类型).
	CodeInvalidEncryptType ErrorCode = "invalid-encrypt-type"

	// CodeInvalidEncrypt: the gateway could not decrypt the content (解密异常).
	CodeInvalidEncrypt ErrorCode = "invalid-encrypt"

	// CodeMissingSession: the session is missing.
	CodeMissingSession ErrorCode = "missing-session"

	// CodeMissingAppID: the app_id is missing (缺少appId参数).
	CodeMissingAppID ErrorCode = "missing-app-id"

	// CodeInvalidAppID: the gateway knows no such app_id (无效的AppID参数).
	CodeInvalidAppID ErrorCode = "invalid-app-id"

	// CodeMissingTimestamp: the timestamp is missing, often with the whole Authorization header (缺少时间戳参数).
	CodeMissingTimestamp ErrorCode = "missing-timestamp"

	// CodeInvalidTimestamp: the timestamp is malformed or too far off (非法的时间戳参数).
	CodeInvalidTimestamp ErrorCode = "invalid-timestamp"

	// CodeIllegalTimestamp: the timestamp is not one the gateway takes.
	CodeIllegalTimestamp ErrorCode = "illegal-timestamp"

	// CodeMissingVersion: the version parameter is missing (缺少版本参数).
	CodeMissingVersion ErrorCode = "missing-version"

	// CodeInvalidVersion: the version parameter is not valid.
	CodeInvalidVersion ErrorCode = "invalid-version"

	// CodeUnsupportedVersion: the version is not supported.
	CodeUnsupportedVersion ErrorCode = "unsupported-version"

	// CodeInvalidEncoding: the encoding is not valid.
	CodeInvalidEncoding ErrorCode = "invalid-encoding"

	// CodeInvalidCharset: the character set is not one the gateway takes (字符集错误).
	CodeInvalidCharset ErrorCode = "invalid-charset"

	// CodeInvalidDigestType: the digest type is not valid.
	CodeInvalidDigestType ErrorCode = "invalid-digest-type"

	// CodeInvalidDigest: the digest does not match (摘要错误).
	CodeInvalidDigest ErrorCode = "invalid-digest"

	// CodeInvalidAppState: the application is in a state in which it may not call.
	CodeInvalidAppState ErrorCode = "invalid-app-state"

	// CodeInvalidSubscribeRelations: there is no valid subscription between merchant and application.
	CodeInvalidSubscribeRelations ErrorCode = "invalid-subscribe-relations"

	// CodeInvalidAuthToken: the user's access token is not valid (无效的访问令牌).
	CodeInvalidAuthToken ErrorCode = "invalid-auth-token"

	// CodeAuthTokenTimeOut: the user's access token has expired (访问令牌已过期).
	CodeAuthTokenTimeOut ErrorCode = "auth-token-time-out"

	// CodeInvalidAppAuthToken: the app_auth_token is not valid (无效的应用授权令牌).
	CodeInvalidAppAuthToken ErrorCode = "invalid-app-auth-token"

	// CodeInvalidAppAuthTokenNoAPI: the app_auth_token does not cover this API (商户未授权当前接口).
	CodeInvalidAppAuthTokenNoAPI ErrorCode = "invalid-app-auth-token-no-api"

	// CodeAppAuthTokenTimeOut: the app_auth_token has expired (应用授权令牌已过期).
	CodeAppAuthTokenTimeOut ErrorCode = "app-auth-token-time-out"

	// CodeNotSupportAppAuth: the API cannot be called on behalf of another merchant (本接口不支持第三方代理调用).
	CodeNotSupportAppAuth ErrorCode = "not-support-app-auth"

	// CodeAccessDataTimeOut: access to the data has timed out.
	CodeAccessDataTimeOut ErrorCode = "access-data-time-out"

	// CodeUnsupportOperation: the operation is not supported.
	CodeUnsupportOperation ErrorCode = "unsupport-operation"

	// CodeOpenIDError: the open_id is not valid.
	CodeOpenIDError ErrorCode = "openid-error"

	// CodeUnknowError: the platform failed; what became of the call is unknown (服务暂不可用).
	CodeUnknowError ErrorCode = "unknow-error"

	// CodeInvalidAppMethod: the application may not call this API in this way.
	CodeInvalidAppMethod ErrorCode = "invalid-app-method"

	// CodeMissingAppUID: the user id behind the application is missing.
	CodeMissingAppUID ErrorCode = "missing-app-uid"

	// CodeIllegalJSON: the JSON of the request is malformed.
	CodeIllegalJSON ErrorCode = "illegal-json"

	// CodeIllegalCardNo: the card number is not valid.
	CodeIllegalCardNo ErrorCode = "illegal-card-no"

	// CodeInvalidPartnerid: the partner id, PID, is not valid.
	CodeInvalidPartnerid ErrorCode = "invalid-partnerid"

	// CodeNoProductRegByPartner: the merchant has signed up for no product (商户未签约任何产品).
	CodeNoProductRegByPartner ErrorCode = "no-product-reg-by-partner"

	// CodeDecryptionError: the gateway could not decrypt the content.
	CodeDecryptionError ErrorCode = "decryption-error"

	// CodeDecryptionErrorMissingEncryptType: the gateway could not decrypt, since the encryption type is missing (解密出错，未指定加密算法).
	CodeDecryptionErrorMissingEncryptType ErrorCode = "decryption-error-missing-encrypt-type"

	// CodeDecryptionErrorNotValidEncryptType: the gateway could not decrypt, since it does not support the encryption type (解密出错，不支持的加密算法).
	CodeDecryptionErrorNotValidEncryptType ErrorCode = "decryption-error-not-valid-encrypt-type"

	// CodeDecryptionErrorNotValidEncryptKey: the gateway could not decrypt, since the key is not set or malformed (解密出错，未配置加密密钥或加密密钥格式错误).
	CodeDecryptionErrorNotValidEncryptKey ErrorCode = "decryption-error-not-valid-encrypt-key"

	// CodeDecryptionErrorUnknown: the gateway could not decrypt, for an unknown reason (解密出错，未知异常).
	CodeDecryptionErrorUnknown ErrorCode = "decryption-error-unknown"

	// CodeMissingSignatureConfig: no public key or certificate is set for this kind of signature (验签出错，未配置对应签名算法的公钥或者证书).
	CodeMissingSignatureConfig ErrorCode = "missing-signature-config"

	// CodeSeviceNotBeenSubscribedTo: the service has not been subscribed to (the gateway's own spelling).
	CodeSeviceNotBeenSubscribedTo ErrorCode = "sevice-not-been-subscribed-to"

	// CodeUnknownSubCode: the platform gave a reason that the gateway cannot name.
	CodeUnknownSubCode ErrorCode = "unknown-sub-code"

	// CodeSuspectedAttack: the gateway takes the request for an attack (可疑的攻击请求).
	CodeSuspectedAttack ErrorCode = "suspected-attack"

	// CodeInvalidAuthRelations: the authorization between the parties is not valid (无效的授权关系).
	CodeInvalidAuthRelations ErrorCode = "invalid-auth-relations"

	// CodeInvalidProduct: the product is not valid.
	CodeInvalidProduct ErrorCode = "invalid-product"

	// CodeMethodForbiddenBatchInvoke: the API may not be called in a batch.
	CodeMethodForbiddenBatchInvoke ErrorCode = "method-forbidden-batch-invoke"

	// CodeExistBlankSubRequestID: a request of the batch has no id.
	CodeExistBlankSubRequestID ErrorCode = "exist-blank-sub-request-id"

	// CodeExistRepeatedSubRequestID: two requests of the batch have the same id.
	CodeExistRepeatedSubRequestID ErrorCode = "exist-repeated-sub-request-id"

	// CodeInvalidAppAuthRelations: the merchant's authorization of the application is not valid.
	CodeInvalidAppAuthRelations ErrorCode = "invalid-app-auth-relations"

	// CodeAppUnbindPartner: the application is bound to no merchant account, PID.
	CodeAppUnbindPartner ErrorCode = "app-unbind-partner"

	// CodeAppInvalidOID: the application's oid is not valid.
	CodeAppInvalidOID ErrorCode = "app-invalid-oid"

	// CodeExceedAPIBalance: the calls allowed for this API are used up.
	CodeExceedAPIBalance ErrorCode = "exceed-api-balance"

	// CodeInnerAppNoAccess: an application internal to Alipay has no access.
	CodeInnerAppNoAccess ErrorCode = "inner-app-no-access"

	// CodeInvalidInnerInvokeScene: the scene of a call internal to Alipay is not valid.
	CodeInvalidInnerInvokeScene ErrorCode = "invalid-inner-invoke-scene"

	// CodeInvalidAppAPIFieldConfig: the application's field settings for this API are not valid.
	CodeInvalidAppAPIFieldConfig ErrorCode = "invalid-app-api-field-config"
)
