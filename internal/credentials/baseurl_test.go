package credentials

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBaseURLsThatAreNoneAreRefused(t *testing.T) {
	for value, says := range map[string][]string{
		"openapi.alipay.com":                                    {"there is no scheme", "write it as in https://openapi.alipay.com"},
		"proxy.merchant.example:8443/alipay":                    {"there is no scheme", "write it as in"},
		"//proxy.merchant.example":                              {"there is no scheme", "write it as in"},
		"https:proxy.merchant.example":                          {"there is no scheme", "write it as in"},
		"ftp://proxy.merchant.example":                          {"the scheme is not https", "write it as in"},
		"proxy.merchant.example/?u=https://x":                   {"the scheme is not https", "write it as in"},
		"https://":                                              {"there is no host", "write it as in"},
		"https:///alipay-prefix":                                {"there is no host", "write it as in"},
		"https://:8443":                                         {"there is no host", "write it as in"},
		"https://proxy.merchant.example:port/":                  {"this is not a URL", "write it as in"},
		"https://proxy merchant example":                        {"this is not a URL", "write it as in"},
		"https://proxy.merchant.example/\x01secret-path":        {"this is not a URL", "write it as in"},
		`"https://proxy.merchant.example"`:                      {"this is not a URL", "write it as in"},
		"https://proxy.merchant.example/%zz-bad-escape":         {"this is not a URL", "write it as in"},
		"https://proxy.merchant.example?charset=utf-8-secret":   {"it contains a query", "remove it"},
		"https://proxy.merchant.example/?":                      {"it contains a query", "remove it"},
		"https://user-name-7731@proxy.merchant.example":         {"it contains a user name or password", "remove them"},
		"https://user-name:pass-word@proxy.merchant.example/":   {"it contains a user name or password", "remove them"},
		"https://@proxy.merchant.example":                       {"it contains a user name or password", "remove them"},
		"https://proxy.merchant.example/#frag-7731":             {"it contains a fragment", "remove it"},
		"https://proxy.merchant.example#":                       {"it contains a fragment", "remove it"},
		"https://openapi.alipay.com/gateway.do":                 {"/gateway.do is the gateway of the old protocol", "use https://openapi.alipay.com, or https://openapi-sandbox.dl.alipaydev.com for the sandbox"},
		"https://openapi.alipay.com/gateway.do/":                {"/gateway.do is the gateway of the old protocol", "use https"},
		"https://openapi.alipay.com/Gateway.DO":                 {"/gateway.do is the gateway of the old protocol", "use https"},
		"https://openapi-sandbox.dl.alipaydev.com/gateway.do":   {"/gateway.do is the gateway of the old protocol", "use https"},
		"https://openapi.alipay.com/gateway.do?charset=utf-8":   {"/gateway.do is the gateway of the old protocol", "use https"},
		"https://proxy.merchant.example/alipay/gateway.do#frag": {"/gateway.do is the gateway of the old protocol", "use https"},
		"https://proxy.merchant.example/v3":                     {"its path contains /v3", "leave it off, as in https://openapi.alipay.com"},
		"https://proxy.merchant.example/v3/":                    {"its path contains /v3", "leave it off"},
		"https://proxy.merchant.example/alipay/v3/zhima":        {"its path contains /v3", "leave it off"},
		"https://proxy%E2%80%8B.merchant.example":               {"invalid character in the host name", "write it as in"},
		"https://proxy%FF.merchant.example":                     {"invalid character in the host name", "write it as in"},
		"https://proxy\xff.merchant.example":                    {"invalid character in the host name"},
		"https://[fe80::1%25e\xff]":                             {"invalid character in the host name"},
		"https://[fe80::1%25é]":                                 {"invalid character in the host name"},
		"https://proxy.merchant.example:65536":                  {"the port is larger than 65535"},
		"https://proxy.merchant.example:100000":                 {"the port is larger than 65535"},
	} {
		t.Run(value, func(t *testing.T) {
			c := keyConfig()
			c.BaseURL = value
			assertMistake(t, c, "BaseURL", says...)
		})
	}
}

func TestBaseURLsThatAreAccepted(t *testing.T) {
	for raw, want := range map[string]url.URL{
		"":                              {Scheme: "https", Host: "openapi.alipay.com"},
		"  ":                            {Scheme: "https", Host: "openapi.alipay.com"},
		ProductionURL + "/":             {Scheme: "https", Host: "openapi.alipay.com"},
		SandboxURL:                      {Scheme: "https", Host: "openapi-sandbox.dl.alipaydev.com"},
		"https://openapi.alipaydev.com": {Scheme: "https", Host: "openapi.alipaydev.com"},
		"\ufeffhttps://openapi.alipay.com\u200b\u2060/\u00ad": {Scheme: "https", Host: "openapi.alipay.com"},
		" https://openapi.alipay.com\n":                       {Scheme: "https", Host: "openapi.alipay.com"},
		"HTTPS://OPENAPI.ALIPAY.COM":                          {Scheme: "https", Host: "openapi.alipay.com"},
		"http://127.0.0.1:8080":                               {Scheme: "http", Host: "127.0.0.1:8080"},
		"https://proxy.example:8443/alipay":                   {Scheme: "https", Host: "proxy.example:8443", Path: "/alipay", RawPath: "/alipay"},
		"https://proxy.example:65535":                         {Scheme: "https", Host: "proxy.example:65535"},
		"https://proxy.example:9999":                          {Scheme: "https", Host: "proxy.example:9999"},
		"https://proxy.example/a/b//":                         {Scheme: "https", Host: "proxy.example", Path: "/a/b", RawPath: "/a/b"},
		"https://proxy.example/a%2Fb":                         {Scheme: "https", Host: "proxy.example", Path: "/a/b", RawPath: "/a%2Fb"},
		"https://proxy.example/gateway.do.d":                  {Scheme: "https", Host: "proxy.example", Path: "/gateway.do.d", RawPath: "/gateway.do.d"},
		"https://proxy.example/v30/xv3":                       {Scheme: "https", Host: "proxy.example", Path: "/v30/xv3", RawPath: "/v30/xv3"},
		"https://[2001:db8::1]:443":                           {Scheme: "https", Host: "[2001:db8::1]:443"},
	} {
		got, err := ParseBaseURL(raw)
		require.NoError(t, err, raw)
		assert.Equal(t, want, *got, raw)
		c := keyConfig()
		c.BaseURL = raw
		assert.Equal(t, &want, requireResolves(t, c, raw).Base, raw)
	}
}

func TestAHostOfAlipaysThatIsNotTheGatewayIsNamed(t *testing.T) {
	for raw, right := range map[string]string{
		"": "", SandboxURL: "", "https://proxy.example": "", "http://127.0.0.1:80": "", "https://openapi.alipay.com:443/prefix": "",
		"https://notalipay.com": "", "https://alipay.com.example": "", "https://openapi.alipay.com.cn": "",
		"https://openapi.alipaydev.com": SandboxURL, "https://OPENAPI.ALIPAYDEV.COM:443": SandboxURL,
		"https://openapi.alipay.cn": ProductionURL, "https://open.alipay.com": ProductionURL, "https://opendocs.alipay.com/open": ProductionURL,
		"https://mapi.alipay.com": ProductionURL, "https://openapi.alipay.net": ProductionURL, "https://alipay.com": ProductionURL,
		"https://openapi-sandbox.alipaydev.com": SandboxURL, "https://openapi.alipay.com.": "",
	} {
		c := keyConfig()
		c.BaseURL = raw
		warning := NotTheGateway(requireResolves(t, c, raw).Base)
		assert.Equal(t, right != "", warning != text{}, raw)
		assert.Contains(t, warning.EN, right, raw)
		assert.Contains(t, warning.ZH, right, raw)
	}
}

func TestLoopbackIsNothingThatMerelyLooksLikeIt(t *testing.T) {
	for host, loopback := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8080": true, "127.8.9.10": true, "127.255.255.255": true, "[::1]": true, "[::1]:8080": true,
		"localhost": true, "localhost:8080": true, "LocalHost": true, "[0:0:0:0:0:0:0:1]": true,

		"127.0.0.1.example.com": false, "localhost.example.com": false, "localhost.": false, "localhost.:80": false, "127.1": false, "127.0.1": false,
		"[::ffff:127.0.0.1]": false, "[::ffff:7f00:1]": false, "[::127.0.0.1]": false, "0.0.0.0": false, "[::]": false, "[::2]": false, "[::1%25eth0]": false,
		"2130706433": false, "0x7f000001": false, "0x7f.0.0.1": false, "0177.0.0.1": false, "127.0.0.01": false, "127.0.0.1.": false, "127.0.0.256": false, "128.0.0.1": false,
		"10.0.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "localhost6": false, "mylocalhost": false, "notlocalhost.test": false,
		"127-0-0-1.example": false, "ip6-localhost": false, "xn--localhost": false, "１２７.0.0.1": false,
	} {
		u, err := ParseBaseURL("http://" + host)
		require.NoError(t, err, host)
		assert.Equal(t, loopback, IsLoopback(u.Hostname()), host)
	}
}
