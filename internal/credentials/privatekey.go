package credentials

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"reflect"

	"github.com/seed-39a49030/alipay/internal/keys"
)

const minKeyBits = 2048

func tooShort(bits int) string {
	return fmt.Sprintf("the RSA key has %d bits; the platform asks for RSA2 with %d bits or more", bits, minKeyBits)
}

// signer returns the Signer of requests, and its public key.
func (c Config) signer() (crypto.Signer, *rsa.PublicKey, error) {
	if c.Signer != nil {
		return c.givenSigner()
	}
	text, field, err := load("PrivateKey", c.PrivateKey, c.PrivateKeyPath)
	if err != nil {
		return nil, nil, err
	}
	if text == "" {
		return nil, nil, &Error{"PrivateKey", "it is empty; give the application's private key (应用私钥), its file in PrivateKeyPath, or a Signer"}
	}
	m := keys.Inspect(text)
	advice := ""
	switch {
	case m.Kind == keys.PathLike:
		return nil, nil, isPath(field)
	case m.Kind == keys.PrivateRSA && m.Bits > 0 && m.Bits < minKeyBits:
		return nil, nil, &Error{field, tooShort(m.Bits)}
	case m.Defect != "":
		advice = "copy the application's private key (应用私钥) again, whole"
	case m.Kind == keys.PrivateRSA:
		return m.Private, m.Public, nil
	case m.Kind == keys.EncryptedPrivate:
		advice = "decrypt it first, for example with: openssl pkey -in encrypted.pem -out app_private_key.pem"
	case m.Kind == keys.PublicRSA || m.Kind == keys.PublicOther:
		advice = "the application's private key (应用私钥) belongs here, which the key tool (密钥工具) made along with the public one"
	case m.Kind == keys.Certificate:
		advice = "the application's private key (应用私钥) belongs here; a certificate goes into AppCertContent (应用公钥证书) or AlipayPublicCertContent (支付宝公钥证书)"
	case m.Kind == keys.PrivateOther:
		advice = "the v3 protocol signs with RSA only: make an RSA2 key of 2048 bits"
	default:
		advice = "the application's private key (应用私钥) belongs here, as PKCS#8 or PKCS#1, PEM or bare base64"
	}
	return nil, nil, found(field, m, advice)
}

// givenSigner checks a Signer by its public key.
func (c Config) givenSigner() (crypto.Signer, *rsa.PublicKey, error) {
	wrong := func(reason string) (crypto.Signer, *rsa.PublicKey, error) {
		return nil, nil, &Error{"Signer", reason}
	}
	if isNilPointer(c.Signer) {
		return wrong("it holds a nil pointer; leave it nil and give a private key, or set it to a Signer that works")
	}
	if c.PrivateKey != "" || c.PrivateKeyPath != "" {
		return wrong("a private key is configured as well; leave one of the two empty")
	}
	own, ok := c.Signer.Public().(*rsa.PublicKey)
	switch {
	case !ok || own == nil || own.N == nil:
		return wrong("its public key is not an *rsa.PublicKey; the v3 protocol signs with RSA (RSA2, SHA256withRSA) only")
	case keys.Defect(own) != "":
		return wrong("of its public key: " + keys.Defect(own) + "; return the public half of the key pair from Public as the KMS or HSM shows it")
	case own.N.BitLen() < minKeyBits:
		return wrong(tooShort(own.N.BitLen()))
	}
	return c.Signer, own, nil
}

func isNilPointer(signer crypto.Signer) bool {
	v := reflect.ValueOf(signer)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
