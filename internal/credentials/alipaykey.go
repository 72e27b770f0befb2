package credentials

import (
	"crypto/rsa"

	"github.com/seed-39a49030/alipay/internal/keys"
)

var ownKeyGiven = both("this is the application's own public key (应用公钥); copy Alipay's (支付宝公钥) from the console instead: it is shown there once the application's own has been uploaded",
	"这是应用自己的公钥（应用公钥）；请从控制台复制支付宝公钥：上传应用公钥之后，控制台才会显示它")

// alipayKey returns Alipay's public key in public-key mode; own is the
// application's, which is most often given by mistake.
func (c Config) alipayKey(own *rsa.PublicKey) (*rsa.PublicKey, error) {
	content, field, err := load("AlipayPublicKey", c.AlipayPublicKey, c.AlipayPublicKeyPath)
	if err != nil {
		return nil, err
	}
	m := keys.Inspect(content)
	var advice text
	switch {
	case m.Kind == keys.PathLike:
		return nil, isPath(field)
	case m.Defect != (text{}):
		advice = both("copy Alipay's public key (支付宝公钥) again from the console, whole", "请从控制台重新完整复制支付宝公钥")
	case m.Kind == keys.PublicRSA && own.Equal(m.Public):
		return nil, mistake(field, ownKeyGiven)
	case m.Kind == keys.PublicRSA && weak(m.Public) != text{}:
		return nil, mistake(field, weak(m.Public))
	case m.Kind == keys.PublicRSA:
		return m.Public, nil
	case m.Kind == keys.Certificate && m.Public != nil && own.Equal(m.Public):
		advice = both("it is the application's own and belongs in AppCertContent (certificate mode); for public-key mode copy Alipay's public key (支付宝公钥) from the console",
			"这是应用自己的证书，应填到 AppCertContent（证书模式）；公钥模式请从控制台复制支付宝公钥")
	case m.Kind == keys.Certificate:
		advice = both("put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key (支付宝公钥) from the console",
			"请填到 AlipayPublicCertContent（证书模式），或从控制台复制支付宝公钥")
	case m.Kind == keys.PrivateRSA || m.Kind == keys.PrivateOther || m.Kind == keys.EncryptedPrivate:
		advice = both("Alipay's public key (支付宝公钥) belongs here; a private key goes into PrivateKey only, and nowhere else",
			"这里要填支付宝公钥；私钥只能填到 PrivateKey，不能放在别处")
	default:
		advice = both("Alipay's public key (支付宝公钥) belongs here, as SPKI or PKCS#1, PEM or bare base64",
			"这里要填支付宝公钥，SPKI 或 PKCS#1，PEM 或裸 base64")
	}
	return nil, found(field, m, advice)
}
