package credentials

import (
	"cmp"
	"strings"
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
	field, missing := "", []string(nil)
	need := func(name, variables string, set ...string) {
		if cmp.Or(set...) == "" {
			field = cmp.Or(field, name)
			missing = append(missing, variables)
		}
	}
	need("AppID", "ALIPAY_APP_ID", c.AppID)
	need("PrivateKey", "ALIPAY_PRIVATE_KEY or ALIPAY_PRIVATE_KEY_PATH", c.PrivateKey, c.PrivateKeyPath)
	if cmp.Or(c.AppCertContent, c.AppCertPath, c.AlipayPublicCertContent, c.AlipayPublicCertPath, c.RootCertContent, c.RootCertPath) == "" {
		need("AlipayPublicKey", "ALIPAY_PUBLIC_KEY or ALIPAY_PUBLIC_KEY_PATH (or, for certificate mode, ALIPAY_APP_CERT, ALIPAY_PUBLIC_CERT and ALIPAY_ROOT_CERT or their _PATH variants)",
			c.AlipayPublicKey, c.AlipayPublicKeyPath)
	} else {
		need("AppCertContent", "ALIPAY_APP_CERT or ALIPAY_APP_CERT_PATH", c.AppCertContent, c.AppCertPath)
		need("AlipayPublicCertContent", "ALIPAY_PUBLIC_CERT or ALIPAY_PUBLIC_CERT_PATH", c.AlipayPublicCertContent, c.AlipayPublicCertPath)
		need("RootCertContent", "ALIPAY_ROOT_CERT or ALIPAY_ROOT_CERT_PATH", c.RootCertContent, c.RootCertPath)
	}
	if missing != nil {
		return c, &Error{field, "not set in the environment: " + strings.Join(missing, "; ")}
	}
	return c, nil
}
