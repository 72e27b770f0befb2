package credentials

import (
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"reflect"

	"github.com/seed-39a49030/alipay/internal/keys"
)

const minKeyBits = 2048

var forbidden = both("GODEBUG=fips140=only does not allow this RSA key: it asks for two primes of the same size, an even number of bits and a public exponent above 65536; make another key pair",
	"GODEBUG=fips140=only 不允许这把 RSA 密钥：要求两个等长的素数、偶数位数、大于 65536 的公钥指数；请重新生成密钥对")

// weak says why a sound RSA key cannot be used.
func weak(key *rsa.PublicKey) text {
	switch bits := key.N.BitLen(); {
	case bits < minKeyBits:
		return both("the RSA key has %d bits; the platform asks for RSA2 with %d bits or more", "RSA 密钥只有 %d 位；平台要求 %d 位以上的 RSA2 密钥", bits, minKeyBits)
	case fips140.Enforced() && (bits%2 == 1 || key.E <= 1<<16):
		return forbidden
	}
	return text{}
}

// signer returns the Signer of requests, and its public key.
func (c Config) signer() (crypto.Signer, *rsa.PublicKey, error) {
	if c.Signer != nil {
		return c.givenSigner()
	}
	key, err := source{"PrivateKey", c.PrivateKey, "PrivateKeyPath", c.PrivateKeyPath}.load()
	if err != nil {
		return nil, nil, err
	}
	var advice text
	switch {
	case key.text == "":
		return nil, nil, mistake("PrivateKey", both("it is empty; give the application's private key (应用私钥), its file in PrivateKeyPath, or a Signer",
			"没有填写；请填写应用私钥，或用 PrivateKeyPath 指定文件，或提供 Signer"))
	case key.Defect != (text{}):
		advice = both("copy the application's private key (应用私钥) again, whole", "请重新完整复制应用私钥")
	case key.Private != nil && weak(key.Public) != text{}:
		return nil, nil, mistake(key.field, weak(key.Public))
	case key.Private != nil:
		if fips140.Enforced() {
			if _, err := key.Private.Sign(rand.Reader, make([]byte, sha256.Size), crypto.SHA256); err != nil {
				return nil, nil, mistake(key.field, forbidden)
			}
		}
		return key.Private, key.Public, nil
	case key.Kind == keys.EncryptedPrivate:
		advice = both("decrypt it first, for example with: openssl pkey -in encrypted.pem -out app_private_key.pem",
			"请先解密，例如：openssl pkey -in encrypted.pem -out app_private_key.pem")
	case key.Kind == keys.Public:
		advice = both("the application's private key (应用私钥) belongs here, which the key tool (密钥工具) made along with the public one",
			"这里要填应用私钥，它和公钥一起由密钥工具生成")
	case key.Kind == keys.Certificate:
		advice = both("the application's private key (应用私钥) belongs here; a certificate goes into AppCertContent (应用公钥证书) or AlipayPublicCertContent (支付宝公钥证书)",
			"这里要填应用私钥；证书应填到 AppCertContent（应用公钥证书）或 AlipayPublicCertContent（支付宝公钥证书）")
	case key.Kind == keys.Private:
		advice = both("the v3 protocol signs with RSA only: make an RSA2 key of 2048 bits", "v3 协议只用 RSA 签名：请生成 2048 位的 RSA2 密钥")
	default:
		advice = both("the application's private key (应用私钥) belongs here, as PKCS#8 or PKCS#1, PEM or bare base64",
			"这里要填应用私钥，PKCS#8 或 PKCS#1，PEM 或裸 base64")
	}
	return nil, nil, key.mistaken(advice)
}

// givenSigner checks a Signer by its public key.
func (c Config) givenSigner() (crypto.Signer, *rsa.PublicKey, error) {
	wrong := func(reason text) (crypto.Signer, *rsa.PublicKey, error) {
		return nil, nil, mistake("Signer", reason)
	}
	if v := reflect.ValueOf(c.Signer); v.Kind() == reflect.Pointer && v.IsNil() {
		return wrong(both("it is a nil pointer; leave it nil and give a private key, or set it to a Signer that works",
			"是空指针；请留空并填写私钥，或设为可用的 Signer"))
	}
	own, _ := c.Signer.Public().(*rsa.PublicKey)
	switch {
	case c.PrivateKey != "" || c.PrivateKeyPath != "":
		return wrong(both("a private key is configured as well; leave one of the two empty", "同时配置了私钥；两者只留一个"))
	case own == nil || own.N == nil:
		return wrong(both("its public key is not an *rsa.PublicKey; the v3 protocol signs with RSA (RSA2, SHA256withRSA) only",
			"它的公钥不是 *rsa.PublicKey；v3 协议只用 RSA 签名（RSA2，SHA256withRSA）"))
	case keys.Defect(own) != (text{}):
		return wrong(both("its public key cannot be used: %s; return the public half of the key pair from Public as the KMS or HSM shows it",
			"它的公钥：%s；Public 应返回 KMS 或 HSM 显示的那把公钥", keys.Defect(own)))
	case weak(own) != text{}:
		return wrong(weak(own))
	}
	return c.Signer, own, nil
}

// alipayKey returns Alipay's public key in public-key mode; own is the
// application's, which is most often given by mistake.
func (c Config) alipayKey(own *rsa.PublicKey) (*rsa.PublicKey, error) {
	key, err := source{"AlipayPublicKey", c.AlipayPublicKey, "AlipayPublicKeyPath", c.AlipayPublicKeyPath}.load()
	if err != nil {
		return nil, err
	}
	var advice text
	switch isOwn := key.Public != nil && own.Equal(key.Public); {
	case key.Defect != (text{}):
		advice = both("copy Alipay's public key (支付宝公钥) again from the console, whole", "请从控制台重新完整复制支付宝公钥")
	case key.Kind == keys.Public && isOwn:
		return nil, mistake(key.field, both("this is the application's own public key (应用公钥); copy Alipay's (支付宝公钥) from the console instead: it is shown there once the application's own has been uploaded",
			"这是应用自己的公钥（应用公钥）；请从控制台复制支付宝公钥：上传应用公钥之后，控制台才会显示它"))
	case key.Kind == keys.Public && key.Public != nil && weak(key.Public) != text{}:
		return nil, mistake(key.field, weak(key.Public))
	case key.Kind == keys.Public && key.Public != nil:
		return key.Public, nil
	case key.Kind == keys.Certificate && isOwn:
		advice = both("it is the application's own and belongs in AppCertContent (certificate mode); for public-key mode copy Alipay's public key (支付宝公钥) from the console",
			"这是应用自己的证书，应填到 AppCertContent（证书模式）；公钥模式请从控制台复制支付宝公钥")
	case key.Kind == keys.Certificate:
		advice = both("put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key (支付宝公钥) from the console",
			"请填到 AlipayPublicCertContent（证书模式），或从控制台复制支付宝公钥")
	case key.Kind == keys.Private || key.Kind == keys.EncryptedPrivate:
		advice = both("Alipay's public key (支付宝公钥) belongs here; a private key goes into PrivateKey only, and nowhere else",
			"这里要填支付宝公钥；私钥只能填到 PrivateKey，不能放在别处")
	default:
		advice = both("Alipay's public key (支付宝公钥) belongs here, as SPKI or PKCS#1, PEM or bare base64",
			"这里要填支付宝公钥，SPKI 或 PKCS#1，PEM 或裸 base64")
	}
	return nil, key.mistaken(advice)
}
