package credentials

import (
	"crypto/rsa"

	"github.com/seed-39a49030/alipay/internal/keys"
)

const ownKeyGiven = "this is the application's own public key (应用公钥); copy Alipay's (支付宝公钥) from the console instead: it is shown there once the application's own has been uploaded"

// alipayKey returns Alipay's public key in public-key mode; own is the
// application's, which is most often given by mistake.
func (c Config) alipayKey(own *rsa.PublicKey) (*rsa.PublicKey, error) {
	text, field, err := load("AlipayPublicKey", c.AlipayPublicKey, c.AlipayPublicKeyPath)
	if err != nil {
		return nil, err
	}
	m := keys.Inspect(text)
	advice := ""
	switch {
	case m.Kind == keys.PathLike:
		return nil, isPath(field)
	case m.Kind == keys.PublicRSA && m.Bits > 0 && m.Bits < minKeyBits:
		return nil, &Error{field, tooShort(m.Bits)}
	case m.Defect != "":
		advice = "copy Alipay's public key (支付宝公钥) again from the console, whole"
	case m.Kind == keys.PublicRSA && own.Equal(m.Public):
		return nil, &Error{field, ownKeyGiven}
	case m.Kind == keys.PublicRSA:
		return m.Public, nil
	case m.Kind == keys.Certificate && m.Public != nil && own.Equal(m.Public):
		advice = "it is the application's own and belongs in AppCertContent (certificate mode); for public-key mode copy Alipay's public key (支付宝公钥) from the console"
	case m.Kind == keys.Certificate:
		advice = "put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key (支付宝公钥) from the console"
	case m.Kind == keys.PrivateRSA || m.Kind == keys.PrivateOther || m.Kind == keys.EncryptedPrivate:
		advice = "Alipay's public key (支付宝公钥) belongs here; a private key goes into PrivateKey only, and nowhere else"
	default:
		advice = "Alipay's public key (支付宝公钥) belongs here, as SPKI or PKCS#1, PEM or bare base64"
	}
	return nil, found(field, m, advice)
}
