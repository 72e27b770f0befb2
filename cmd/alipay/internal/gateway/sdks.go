package gateway

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	alipay "github.com/seed-39a49030/alipay"
)

// snippet is the settings with which one SDK calls the gateway.
type snippet struct {
	Name string // of the SDK
	// Note and NoteZH say what is special about it; "" when nothing is.
	Note, NoteZH string
	Text         string // lines to paste
}

// bare is the base64 of a PEM block, without armour and in one line.
func bare(text string) string {
	block, _ := pem.Decode([]byte(text))
	return base64.StdEncoding.EncodeToString(block.Bytes)
}

// pkcs1 is a private key in the form that some languages ask for, bare.
func pkcs1(text string) string {
	block, _ := pem.Decode([]byte(text))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err) // a key of the test kit
	}
	return base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey)))
}

// snippets are the settings for each SDK, in public-key mode.
func snippets(config alipay.AlipayConfig) []snippet {
	private, private1, public := bare(config.PrivateKey), pkcs1(config.PrivateKey), bare(config.AlipayPublicKey)
	// optional is a line that is there only with content encryption.
	optional := func(format string) string {
		if config.EncryptKey == "" {
			return ""
		}
		return fmt.Sprintf(format, config.EncryptKey)
	}
	return []snippet{
		{"Go (alipay)", "", "", fmt.Sprintf(`config := alipay.AlipayConfig{
	BaseURL:         %q,
	AppID:           %q,
	PrivateKey:      %q,
	AlipayPublicKey: %q,
%s}
client, err := alipay.NewClient(config)
`, config.BaseURL, config.AppID, private, public, optional("\tEncryptKey:      %q,\n"))},

		{"Java (alipay-sdk-java-v3)", "The private key is PKCS#8, without armour.", "私钥为 PKCS#8，不带 PEM 头尾。", fmt.Sprintf(`AlipayConfig config = new AlipayConfig();
config.setServerUrl(%q);
config.setAppId(%q);
config.setPrivateKey(%q);
config.setAlipayPublicKey(%q);
%sApiClient client = com.alipay.v3.Configuration.getDefaultApiClient();
client.setAlipayConfig(config);
`, config.BaseURL, config.AppID, private, public, optional("config.setEncryptKey(%q);\n"))},

		{"Node.js (alipay-sdk)", "keyType goes with the form of the key: without it PKCS#1 is taken for granted.", "keyType 必须与密钥格式一致：不写则默认 PKCS#1。", fmt.Sprintf(`import { AlipaySdk } from 'alipay-sdk';
const sdk = new AlipaySdk({
  endpoint: %s,
  appId: %s,
  privateKey: %s,
  keyType: 'PKCS8',
  alipayPublicKey: %s,
%s});
`, quoted(config.BaseURL), quoted(config.AppID), quoted(private), quoted(public), optional("  encryptKey: '%s',\n"))},

		{"PHP (alipaysdk/openapi)", "", "", fmt.Sprintf(`$config = new \Alipay\OpenAPISDK\Util\Model\AlipayConfig();
$config->setServerUrl(%s);
$config->setAppId(%s);
$config->setPrivateKey(%s);
$config->setAlipayPublicKey(%s);
%s$api = new \Alipay\OpenAPISDK\Api\ZhimaCustomerJobworthAuthenticationApi(new \GuzzleHttp\Client());
$api->getConfig()->setHost(%s);
$api->setAlipayConfigUtil(new \Alipay\OpenAPISDK\Util\AlipayConfigUtil($config));
`, quoted(config.BaseURL), quoted(config.AppID), quoted(private), quoted(public), optional("$config->setEncryptKey('%s');\n"), quoted(config.BaseURL))},

		{".NET (AlipaySDKNet.OpenAPI)", "The private key is PKCS#1, without armour.", "私钥为 PKCS#1，不带 PEM 头尾。", fmt.Sprintf(`var config = new AlipayConfig();
config.ServerUrl = %q;
config.AppId = %q;
config.PrivateKey = %q;
config.AlipayPublicKey = %q;
%svar configuration = new Configuration();
configuration.BasePath = %q;
var api = new ZhimaCustomerJobworthAuthenticationApi(configuration);
api.Client.SetAlipayConfigUtil(new AlipayConfigUtil(config));
`, config.BaseURL, config.AppID, private1, public, optional("config.EncryptKey = %q;\n"), config.BaseURL)},

		{"Python (alipay-sdk-python)", "It speaks with the old gateway, and so signs order strings and pages; its private key is PKCS#1, without armour.", "它使用旧版网关协议，用于生成 orderStr 和页面；私钥为 PKCS#1，不带 PEM 头尾。", fmt.Sprintf(`config = AlipayClientConfig()
config.server_url = %q
config.app_id = %q
config.app_private_key = %q
config.alipay_public_key = %q
%sclient = DefaultAlipayClient(alipay_client_config=config)
`, config.BaseURL+"/gateway.do", config.AppID, private1, public, optional("config.encrypt_type = \"AES\"\nconfig.encrypt_key = %q\n"))},
	}
}

// quoted is a literal in single quotes, for values that need no escape.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
