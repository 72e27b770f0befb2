package credentials

import (
	"cmp"

	"github.com/seed-39a49030/alipay/internal/bilingual"
)

// FromEnv reads a Config from the environment, where an empty variable counts as
// unset. When a required one is missing the error is an *Error that names every
// missing variable, and the Config holds what was found. Resolve checks the values.
func FromEnv(getenv func(string) string) (Config, error) {
	c := Config{
		BaseURL:                 getenv("ALIPAY_BASE_URL"),
		AppID:                   getenv("ALIPAY_APP_ID"),
		PrivateKey:              getenv("ALIPAY_PRIVATE_KEY"),
		PrivateKeyPath:          getenv("ALIPAY_PRIVATE_KEY_PATH"),
		AlipayPublicKey:         getenv("ALIPAY_PUBLIC_KEY"),
		AlipayPublicKeyPath:     getenv("ALIPAY_PUBLIC_KEY_PATH"),
		AppCertContent:          getenv("ALIPAY_APP_CERT"),
		AppCertPath:             getenv("ALIPAY_APP_CERT_PATH"),
		AlipayPublicCertContent: getenv("ALIPAY_PUBLIC_CERT"),
		AlipayPublicCertPath:    getenv("ALIPAY_PUBLIC_CERT_PATH"),
		RootCertContent:         getenv("ALIPAY_ROOT_CERT"),
		RootCertPath:            getenv("ALIPAY_ROOT_CERT_PATH"),
		EncryptKey:              getenv("ALIPAY_ENCRYPT_KEY"),
		AppAuthToken:            getenv("ALIPAY_APP_AUTH_TOKEN"),
	}
	var missing *Error
	need := func(field string, variables text, set ...string) {
		switch {
		case cmp.Or(set...) != "":
		case missing == nil:
			missing = mistake(field, both("not set in the environment: %s", "环境变量未设置：%s", variables))
		default:
			missing.Reason = missing.Reason.Then(variables)
		}
	}
	need("AppID", bilingual.Same("ALIPAY_APP_ID"), c.AppID)
	need("PrivateKey", either("ALIPAY_PRIVATE_KEY"), c.PrivateKey, c.PrivateKeyPath)
	if cmp.Or(c.AppCertContent, c.AppCertPath, c.AlipayPublicCertContent, c.AlipayPublicCertPath, c.RootCertContent, c.RootCertPath) == "" {
		need("AlipayPublicKey", both(
			"ALIPAY_PUBLIC_KEY or ALIPAY_PUBLIC_KEY_PATH (or, for certificate mode, ALIPAY_APP_CERT, ALIPAY_PUBLIC_CERT and ALIPAY_ROOT_CERT or their _PATH variants)",
			"ALIPAY_PUBLIC_KEY 或 ALIPAY_PUBLIC_KEY_PATH（证书模式则为 ALIPAY_APP_CERT、ALIPAY_PUBLIC_CERT、ALIPAY_ROOT_CERT 或它们的 _PATH）"),
			c.AlipayPublicKey, c.AlipayPublicKeyPath)
	} else {
		need("AppCertContent", either("ALIPAY_APP_CERT"), c.AppCertContent, c.AppCertPath)
		need("AlipayPublicCertContent", either("ALIPAY_PUBLIC_CERT"), c.AlipayPublicCertContent, c.AlipayPublicCertPath)
		need("RootCertContent", either("ALIPAY_ROOT_CERT"), c.RootCertContent, c.RootCertPath)
	}
	if missing != nil {
		return c, missing
	}
	return c, nil
}

// either names a variable and the one that names a file.
func either(variable string) text {
	return both("%[1]s or %[1]s_PATH", "%[1]s 或 %[1]s_PATH", variable)
}
