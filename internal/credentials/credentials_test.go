package credentials

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/testpki"
)

const authToken = "202212BB_D64b2be8afd4b6c8468cf585bd05E50"

func TestAppIDsThatAreNoneAreRefused(t *testing.T) {
	for name, id := range map[string]string{
		"comma": "2021000000000001,nonce=1", "space": "2021 0000 0000 0001", "line end": "2021000000000001\n", "control character": "2021000000000001\x00",
		"delete": "2021000000000001\x7f", "blank in front": " 2021000000000001", "zero-width space": "2021000000000001\u200b", "soft hyphen": "2021\u00ad000000000001", "Chinese": "应用2021000000000001", "equals sign": "app_id=2021000000000001", "quoted": `"2021000000000001"`,
	} {
		t.Run(name, func(t *testing.T) {
			c := keyConfig()
			c.AppID = id
			assertMistake(t, c, "AppID", "it contains a character that no APPID has", "copy it again, digits only")
		})
	}
	c := keyConfig()
	for id, isMerchant := range map[string]bool{"2088102146225135": true, "2088000000000000": true, "208810214622513": false, "20881021462251350": false, "2021000000002088": false, "20881021462251x5": false} {
		c.AppID = id
		if isMerchant {
			assertMistake(t, c, "AppID", "this is the id of a merchant (PID, 2088…), not an APPID; copy the APPID of the application")
		} else {
			requireResolves(t, c, id)
		}
	}
	c.AppID = ""
	assertMistake(t, c, "AppID", "it is empty", "copy the APPID")
	c.AppID = bare(c.PrivateKey)
	assertMistake(t, c, "AppID", "longer than 64 characters", "another value")
	c.AppID = strings.Repeat("1", 65)
	assertMistake(t, c, "AppID", "longer than 64 characters")
	for _, id := range []string{"1", strings.Repeat("1", 64), "sandbox-app!~"} {
		c.AppID = id
		assert.Equal(t, id, requireResolves(t, c, id).AppID)
	}
}

func TestExactlyOneModeIsConfigured(t *testing.T) {
	both := certConfig()
	both.AlipayPublicKey = vector("alipay_public.pem")
	assertMistake(t, both, "AlipayPublicKey", "both modes are configured", "leave the certificates empty", "接口加签方式")
	both.AlipayPublicKey, both.AlipayPublicKeyPath = "", writeFile(t, both.AlipayPublicKey)
	assertMistake(t, both, "AlipayPublicKey", "both modes are configured")
	neither := keyConfig()
	neither.AlipayPublicKey = ""
	assertMistake(t, neither, "AlipayPublicKey", "neither mode is configured", "give AlipayPublicKey", "接口加签方式")

	parts := []string{"AppCertContent", "AlipayPublicCertContent", "RootCertContent"}
	for mask := range 1 << len(parts) { // which of the three are given
		for _, byPath := range []bool{false, true} {
			c, full, missing := keyConfig(), certConfig(), ""
			for i, field := range parts {
				switch {
				case mask>>i&1 == 0:
					if missing == "" {
						missing = field
					}
				case byPath:
					set(&c, pathFields[field], writeFile(t, value(full, field)))
				default:
					set(&c, field, value(full, field))
				}
			}
			if mask > 0 {
				assertMistake(t, c, "AlipayPublicKey", "both modes are configured")
				c.AlipayPublicKey = ""
				if missing != "" {
					assertMistake(t, c, missing, "it is missing; certificate mode (证书模式) needs all three", "or their …Path variants")
				}
			}
			if missing == "" || mask == 0 {
				requireResolves(t, c, fmt.Sprint(mask))
			}
		}
	}
}

func TestEncryptKeysThatAreNoneAreRefused(t *testing.T) {
	for name, key := range map[string]string{
		"too short": "AAECAwQFBgcICQoLDA0O", "too long": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISI=", "hex": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"not base64": "!!no-key-at-all!!", "cut short": "AAECAwQFBgcICQoLDA0ODw=", "an RSA key": vector("app_private_pkcs8.pem"), "blank": "  ", "url-safe": "__-_AwQFBgcICQoLDA0ODw==",
	} {
		for _, c := range []Config{keyConfig(), certConfig()} {
			c.EncryptKey = key
			t.Run(name, func(t *testing.T) {
				assertMistake(t, c, "EncryptKey", "AES key", "expected standard base64 of 16, 24 or 32 bytes", "接口内容加密方式")
			})
		}
	}
	c := keyConfig()
	for _, hex := range []string{"000102030405060708090a0b0c0d0e0f", strings.Repeat("0123456789ABCDEF", 3), strings.Repeat("00112233445566778899aabbccddeeff", 2)} {
		c.EncryptKey = hex
		assertMistake(t, c, "EncryptKey", "the AES key consists of hexadecimal digits; expected standard base64", "copy the AES key")
	}
	c.EncryptKey = "\ufeffAAECAwQFBg\u200bcICQoLDA0ODw==\u2060"
	assert.NotNil(t, requireResolves(t, c, "invisible marks").Cipher)
	c.EncryptKey = ""
	assert.Nil(t, requireResolves(t, c, "no key").Cipher)
	c.EncryptKey = "AAECAwQFBgcICQoLDA0ODw=="
	plain, err := testpki.Must(aescbc.New(c.EncryptKey)).Decrypt(requireResolves(t, c, "a key").Cipher.Encrypt([]byte("text")))
	assert.NoError(t, err)
	assert.Equal(t, "text", string(plain))
}

func TestAppAuthTokensThatAreNoneAreRefused(t *testing.T) {
	c := keyConfig()
	for _, token := range []string{authToken + "\n", authToken + " x", "\x00" + authToken, authToken + "令牌", authToken + "\x7f"} {
		c.AppAuthToken = token
		assertMistake(t, c, "AppAuthToken", "it contains a space, an invisible or a non-ASCII character", "copy the app_auth_token again")
	}
	for _, token := range []string{"", authToken, "!~"} {
		c.AppAuthToken = token
		assert.Equal(t, token, requireResolves(t, c, token).AppAuthToken)
	}
}

func TestNothingPrintsAKey(t *testing.T) {
	c := certConfig()
	c.EncryptKey, c.AppAuthToken = "AAECAwQFBgcICQoLDA0ODw==", authToken
	r := requireResolves(t, c, "")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{c, &c, r} {
			assert.Regexp(t, `^credentials\.(Config|Credentials)\(redacted\)$`, fmt.Sprintf(verb, v))
		}
	}
	assert.Equal(t, 15, reflect.TypeFor[Config]().NumField())
}
