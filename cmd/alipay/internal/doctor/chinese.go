package doctor

import (
	"regexp"
	"strings"
)

// reason is what the library says about a mistake, in the report's language. The
// library's texts are English; a sentence that cannot be translated completely is
// shown in English.
func (r *report) reason(text string) string {
	if !r.zh {
		return text
	}
	var parts []string
	for part := range strings.SplitSeq(text, "; ") {
		part, ok := translated(part)
		if !ok {
			return text
		}
		parts = append(parts, part)
	}
	return spaced(strings.Join(parts, "；"))
}

var (
	betweenHan  = regexp.MustCompile(`(^|[\p{Han}，；：（]) +(\p{Han})`)
	latinAfter  = regexp.MustCompile(`(\p{Han})([A-Za-z0-9])`)
	latinBefore = regexp.MustCompile(`([A-Za-z0-9])(\p{Han})`)
	listed      = regexp.MustCompile(`（([^（）]+), ([^（）]+)）`)
)

// spaced sets what was put together from parts as Chinese is set: a space
// between Chinese and Latin characters, none between Chinese ones, 、 in lists.
func spaced(text string) string {
	text = betweenHan.ReplaceAllString(text, "$1$2")
	text = latinBefore.ReplaceAllString(latinAfter.ReplaceAllString(text, "$1 $2"), "$1 $2")
	return listed.ReplaceAllString(text, "（$1、$2）")
}

// translated turns one part of a sentence into Chinese.
func translated(part string) (string, bool) {
	if zh, ok := phrases[part]; ok {
		return zh, true
	}
	for _, p := range patterns {
		if groups := p.match.FindStringSubmatch(part); groups != nil {
			zh := p.zh
			for i, group := range groups[1:] {
				if p.inner {
					inner, ok := translated(group)
					if !ok {
						return "", false
					}
					group = inner
				}
				zh = strings.ReplaceAll(zh, "$"+string(rune('1'+i)), group)
			}
			return zh, true
		}
	}
	return "", false
}

// patterns are parts that contain numbers or other parts; with inner their groups
// are translated too.
var patterns = []struct {
	match *regexp.Regexp
	zh    string
	inner bool
}{
	{regexp.MustCompile(`^found neither a key nor a certificate, but (.+)$`), "内容既不是密钥也不是证书，$1", true},
	{regexp.MustCompile(`^found (.+), but (.+)$`), "发现$1，但$2", true},
	{regexp.MustCompile(`^found (.+)$`), "发现$1", true},
	{regexp.MustCompile(`^an? (?:(RSA-\d+|RSA|EC|SM2|DSA|Ed25519|Ed448|X25519|[\w-]+) )?private key$`), "$1 私钥", false},
	{regexp.MustCompile(`^an? (?:(RSA-\d+|RSA|EC|SM2|DSA|Ed25519|Ed448|X25519|[\w-]+) )?public key$`), "$1 公钥", false},
	{regexp.MustCompile(`^an? ([\w-]+) private key \(([^,()]+, )?(PEM|base64)\)$`), "$1 私钥（$2$3）", false},
	{regexp.MustCompile(`^a private key \(([^,()]+, )?(PEM|base64)\)$`), "私钥（$1$2）", false},
	{regexp.MustCompile(`^a public key \(([^,()]+, )?(PEM|base64)\)$`), "公钥（$1$2）", false},
	{regexp.MustCompile(`^\w+ PEM blocks in one text, and one belongs here: .+$`), "一段文本里拼接了多个密钥或证书，只能放一个", false},
	{regexp.MustCompile(`^certificate (\d+) of (\d+): (.+)$`), "第 $1 张证书（共 $2 张）有误：$3", false},
	{regexp.MustCompile(`^an? ([\w-]+) public key \(([^,()]+, )?(PEM|base64)\)$`), "$1 公钥（$2$3）", false},
	{regexp.MustCompile(`^a certificate with an? ([\w-]+) key \((.+)\)$`), "证书，密钥为 $1（$2）", false},
	{regexp.MustCompile(`^a certificate request with an? ([\w-]+) key \((.+)\)$`), "证书请求（CSR），密钥为 $1（$2）", false},
	{regexp.MustCompile(`^a certificate(?: \((.+)\))?$`), "证书 $1", false},
	{regexp.MustCompile(`^a private key encrypted with a password \((.+)\)$`), "带密码的私钥（$1）", false},
	{regexp.MustCompile(`^an? ([\w#.-]+) file$`), "$1 文件", false},
	{regexp.MustCompile(`^base64 cut short: the DER announces (\d+) bytes, (\d+) came$`), "base64 被截断：应有 $1 字节，只有 $2 字节", false},
	{regexp.MustCompile(`^(\d+) stray bytes after the end of the DER$`), "DER 末尾多出 $1 字节", false},
	{regexp.MustCompile(`^the RSA key has (\d+) bits$`), "RSA 密钥只有 $1 位", false},
	{regexp.MustCompile(`^the platform asks for RSA2 with (\d+) bits or more$`), "平台要求 $1 位以上的 RSA2 密钥", false},
	{regexp.MustCompile(`^the AES key has (\d+) bytes$`), "AES 密钥有 $1 字节", false},
	{regexp.MustCompile(`^the certificate expired on (.+), it was valid from (.+)$`), "证书已于 $1 过期，自 $2 起有效", false},
	{regexp.MustCompile(`^the certificate is not valid before (.+) \(until (.+)\)$`), "证书自 $1 起才有效（至 $2）", false},
	{regexp.MustCompile(`^(\w+) is set too$`), "$1 也设置了", false},
	{regexp.MustCompile(`^put it into (\w+)$`), "请放到 $1", false},
	{regexp.MustCompile(`^set (\w+) to read the file, or put its content here$`), "请用 $1 读取文件，或把文件内容放在这里", false},
	{regexp.MustCompile(`^put the content of (\w+) into it$`), "请把 $1 的内容写进去", false},
	{regexp.MustCompile(`^write it as in (\S+)$`), "写法如 $1", false},
	{regexp.MustCompile(`^leave it off, as in (\S+)$`), "请去掉，写法如 $1", false},
	{regexp.MustCompile(`^the v3 protocol has no such path: use (\S+), or (\S+) for the sandbox \(沙箱\)$`), "v3 没有这个路径：请用 $1，沙箱用 $2", false},
	{regexp.MustCompile(`^the certificate does not lead to the configured root bundle \(支付宝根证书, RootCertContent\), or that is another one: (.+)$`), "证书不能追溯到配置的支付宝根证书（RootCertContent），或根证书不对：$1", true},
	{regexp.MustCompile(`^one of the certificates cannot be read: (.+)$`), "其中一张证书无法读取：$1", true},
	{regexp.MustCompile(`^(it|its intermediate certificate) is not signed by the (?:root|intermediate) certificate of its issuer's name$`), "$1的签名不属于颁发者名下的那张证书", true},
	{regexp.MustCompile(`^its intermediate certificate is valid from ([\d-]+) to ([\d-]+) only$`), "它的中间证书只在 $1 至 $2 有效", false},
	{regexp.MustCompile(`^not set in the environment: (ALIPAY_.+)$`), "环境变量未设置：$1", true},
	{regexp.MustCompile(`^(ALIPAY_[A-Z_]+)$`), "$1", false},
	{regexp.MustCompile(`^(ALIPAY_[A-Z_]+) or (ALIPAY_[A-Z_]+)$`), "$1 或 $2", false},
	{regexp.MustCompile(`^ALIPAY_PUBLIC_KEY or ALIPAY_PUBLIC_KEY_PATH \(or, for certificate mode, .+\)$`), "ALIPAY_PUBLIC_KEY 或 ALIPAY_PUBLIC_KEY_PATH（证书模式则为 ALIPAY_APP_CERT、ALIPAY_PUBLIC_CERT、ALIPAY_ROOT_CERT 或它们的 _PATH）", false},
}

// phrases are whole parts.
var phrases = map[string]string{
	// The base URL.
	"there is no scheme":                                               "缺少协议（https://）",
	"this is not a URL":                                                "不是网址",
	"the scheme is not https":                                          "协议不是 https",
	"it holds a user name or password":                                 "网址里有用户名或密码",
	"the gateway takes neither, remove them":                           "网关不接受，请去掉",
	"the port is larger than 65535":                                    "端口大于 65535",
	"there is no host":                                                 "缺少主机名",
	"/gateway.do is the gateway of the old protocol":                   "/gateway.do 是旧协议的网关",
	"its path holds /v3, which the path of every request brings along": "路径里有 /v3，而每个请求的路径都自带 /v3",
	"it holds a query":                                                 "网址里有查询参数",
	"remove it, parameters belong to each call":                        "请去掉，参数属于每次调用",
	"it holds a fragment":                                              "网址里有 #",
	"remove it":                                                        "请去掉",
	"its path is not validly escaped":                                  "路径的编码不合法",

	// The APPID.
	"it is empty": "没有填写",
	"copy the APPID of the application from the console (开放平台控制台)":                "请从开放平台控制台复制应用的 APPID",
	"it is longer than 64 characters":                                             "超过 64 个字符",
	"an APPID has about 16 digits, has another value been put here?":              "APPID 大约是 16 位数字，是否填成了别的值？",
	"it holds a comma, a space, a control character or another that no APPID has": "含有逗号、空格、控制字符等 APPID 中不会有的字符",
	"copy it again, digits only":                                                  "请重新复制，只有数字",

	// The private key.
	"give the application's private key (应用私钥), its file in PrivateKeyPath, or a Signer":                          "请填写应用私钥，或用 PrivateKeyPath 指定文件，或提供 Signer",
	"copy the application's private key (应用私钥) again, whole":                                                      "请重新完整复制应用私钥",
	"decrypt it first, for example with: openssl pkey -in encrypted.pem -out app_private_key.pem":                 "请先解密，例如：openssl pkey -in encrypted.pem -out app_private_key.pem",
	"the application's private key (应用私钥) belongs here, which the key tool (密钥工具) made along with the public one": "这里要填应用私钥，它和公钥一起由密钥工具生成",
	"the application's private key (应用私钥) belongs here":                                                           "这里要填应用私钥",
	"a certificate goes into AppCertContent (应用公钥证书) or AlipayPublicCertContent (支付宝公钥证书)":                        "证书应填到 AppCertContent（应用公钥证书）或 AlipayPublicCertContent（支付宝公钥证书）",
	"the v3 protocol signs with RSA only: make an RSA2 key of 2048 bits":                                          "v3 协议只用 RSA 签名：请生成 2048 位的 RSA2 密钥",
	"the application's private key (应用私钥) belongs here, as PKCS#8 or PKCS#1, PEM or bare base64":                  "这里要填应用私钥，PKCS#8 或 PKCS#1，PEM 或单行 base64",
	"a private key is configured as well":                                                                         "同时配置了私钥",
	"leave one of the two empty":                                                                                  "两者只留一个",

	// Alipay's public key.
	"this is the application's own public key (应用公钥)":                                                                "这是应用自己的公钥（应用公钥）",
	"copy Alipay's (支付宝公钥) from the console instead: it is shown there once the application's own has been uploaded": "请从控制台复制支付宝公钥：上传应用公钥之后，控制台才会显示它",
	"copy Alipay's public key (支付宝公钥) again from the console, whole":                                                 "请从控制台重新完整复制支付宝公钥",
	"it is the application's own and belongs in AppCertContent (certificate mode)":                                   "这是应用自己的证书，应填到 AppCertContent（证书模式）",
	"for public-key mode copy Alipay's public key (支付宝公钥) from the console":                                          "公钥模式请从控制台复制支付宝公钥",
	"put it into AlipayPublicCertContent (certificate mode), or copy Alipay's public key (支付宝公钥) from the console":   "请填到 AlipayPublicCertContent（证书模式），或从控制台复制支付宝公钥",
	"Alipay's public key (支付宝公钥) belongs here":                                                                       "这里要填支付宝公钥",
	"a private key goes into PrivateKey only, and nowhere else":                                                      "私钥只能填到 PrivateKey，不能放在别处",
	"Alipay's public key (支付宝公钥) belongs here, as SPKI or PKCS#1, PEM or bare base64":                                "这里要填支付宝公钥，SPKI 或 PKCS#1，PEM 或单行 base64",

	// Modes.
	"both modes are configured": "两种加签方式都配置了",
	"leave it empty for certificate mode (证书模式), or leave the certificates empty for public-key mode (公钥模式), whichever the console shows under 接口加签方式": "证书模式请留空此项，公钥模式请留空证书，以控制台的接口加签方式为准",
	"neither mode is configured": "两种加签方式都没有配置",
	"give AlipayPublicKey (支付宝公钥, public-key mode) or the three certificates (certificate mode), whichever the console shows under 接口加签方式": "请填写支付宝公钥（公钥模式）或三个证书（证书模式），以控制台的接口加签方式为准",
	"it is missing": "缺少此项",
	"certificate mode (证书模式) needs all three: AppCertContent (应用公钥证书), AlipayPublicCertContent (支付宝公钥证书) and RootCertContent (支付宝根证书), or their …Path variants": "证书模式需要三个证书：AppCertContent（应用公钥证书）、AlipayPublicCertContent（支付宝公钥证书）、RootCertContent（支付宝根证书），或对应的 …Path",

	// Certificates.
	"Alipay's root bundle (支付宝根证书, alipayRootCert.crt) belongs here":                                      "这里要填支付宝根证书（alipayRootCert.crt）",
	"there is no certificate with an RSA signature in it":                                                 "其中没有 RSA 签名的证书",
	"use the root bundle (支付宝根证书, alipayRootCert.crt) as downloaded":                                      "请使用下载的支付宝根证书（alipayRootCert.crt）原文件",
	"there is no root certificate in it":                                                                  "其中没有根证书",
	"use the root bundle (支付宝根证书, alipayRootCert.crt), not the application's or Alipay's own certificate": "请使用支付宝根证书（alipayRootCert.crt），不是应用公钥证书或支付宝公钥证书",
	"check the clock of this machine":                                                                     "请检查本机时钟",
	"the application's certificate (应用公钥证书, appCertPublicKey_….crt) belongs here":                         "这里要填应用公钥证书（appCertPublicKey_….crt）",
	"it holds certificates of certification authorities only":                                             "其中只有 CA 证书",
	"it holds certificates of certification authorities only, and none that signs answers":                "其中只有 CA 证书，没有用来签名响应的证书",
	"the certificate does not match the application's private key":                                        "证书与应用私钥不配套",
	"use the 应用公钥证书 that was issued for this key, or the key that belongs to the certificate":             "请使用为这把私钥签发的应用公钥证书，或证书对应的私钥",
	"Alipay's certificate (支付宝公钥证书, alipayCertPublicKey_RSA2.crt) belongs here":                           "这里要填支付宝公钥证书（alipayCertPublicKey_RSA2.crt）",
	"the certificate is self-signed, so it was not issued by Alipay's certification authority":            "证书是自签名的，不是支付宝 CA 签发的",
	"this is the application's own certificate (应用公钥证书)":                                                  "这是应用自己的证书（应用公钥证书）",
	"it holds the root bundle (支付宝根证书), which belongs in RootCertContent":                                 "这是支付宝根证书，应填到 RootCertContent",
	"the certificate's key is not RSA":                                                                    "证书的密钥不是 RSA",
	"copy Alipay's certificate (支付宝公钥证书) again from the console":                                          "请从控制台重新下载支付宝公钥证书",
	"the certificate cannot be read":                                                                      "证书无法读取",
	"the issuer of its intermediate certificate is not in the root bundle":                                "中间证书的颁发者不在根证书中",
	"its issuer is not in the root bundle":                                                                "颁发者不在根证书中",
	"it":                                                                                                  "它", "its intermediate certificate": "它的中间证书",

	// Files.
	"this is the content itself, not the path of a file": "这是内容本身，不是文件路径",
	"the file is empty":     "文件是空的",
	"there is no such file": "没有这个文件",
	"a relative path starts at the working directory of the process": "相对路径从进程的工作目录开始",
	"the process may not read the file":                              "进程无权读取文件",
	"give its user the right to":                                     "请给运行用户读取权限",
	"this is a directory":                                            "这是目录",
	"name the file in it":                                            "请写明其中的文件",
	"the file is larger than 1 MiB":                                  "文件超过 1 MiB",
	"no key or certificate is":                                       "密钥和证书没有这么大",
	"the file cannot be read":                                        "文件无法读取",
	"check that it is a regular file":                                "请确认是普通文件",
	"the file holds nothing but the path of a file":                  "文件里只有另一个文件的路径",
	"name that file here":                                            "请在这里写那个文件",
	"this is the path of a file":                                     "这是文件路径",

	// Keys of other kinds, and damaged ones.
	"neither a key nor a certificate": "既不是密钥也不是证书的内容",
	"nothing at all":                  "空内容",
	"it decodes to something that is not the DER of a key or certificate": "解码后不是密钥或证书",
	"its DER is neither a key nor a certificate":                          "内容既不是密钥也不是证书",
	"its DER is corrupt":                    "内容已损坏",
	"the DER of the certificate is corrupt": "证书内容已损坏",
	"the numbers of the RSA key do not fit together: it was damaged on its way": "RSA 密钥的数值不一致，可能在复制中损坏",
	"longer than 1 MiB": "超过 1 MiB",

	"use the 支付宝公钥证书 (alipayCertPublicKey_RSA2.crt) as downloaded from the console": "请使用从控制台下载的支付宝公钥证书（alipayCertPublicKey_RSA2.crt）",
	"the certificate by its issuer's name is not a certification authority":         "颁发者名下的证书不是 CA 证书",
	"its chain of intermediate certificates is longer than allowed":                 "中间证书链过长",
	"too many certificates by one name to try them all":                             "同名证书过多，无法逐一尝试",
	"expected standard base64 of 16, 24 or 32 bytes":                                "应为 16、24 或 32 字节的标准 base64",

	// Damaged texts.
	"a file path instead of a file's content":                         "文件路径，而不是文件内容",
	"it holds characters that are not base64":                         "含有 base64 以外的字符",
	"an '=' in the middle of the base64: something is appended to it": "base64 中间有 =，末尾粘上了别的内容",
	"two keys or certificates concatenated in one base64 text":        "两把密钥粘在了一起",
	"base64 cut short: its last character is a lone one":              "base64 被截断：末尾多出一个字符",
	"the -----END line is missing: the text was cut short":            "缺少 -----END 行：内容被截断",
	"the -----BEGIN line is missing or damaged":                       "-----BEGIN 行缺失或损坏",
	"nothing between the -----BEGIN and -----END lines":               "-----BEGIN 与 -----END 之间没有内容",
	"the DER of the RSA key is corrupt":                               "RSA 密钥内容已损坏",
	"its RSA modulus is larger than any real key's":                   "RSA 模数大得不合理",
	"its RSA modulus or exponent is not possible":                     "RSA 模数或指数不合法",
	"it holds no RSA modulus":                                         "没有 RSA 模数",

	// The rest.
	"the AES key is empty":      "AES 密钥是空的",
	"the AES key is not base64": "AES 密钥不是 base64",
	"copy the AES key (接口内容加密方式) from the console":              "请从控制台复制 AES 密钥（接口内容加密方式）",
	"it holds a space, a control character or one beyond ASCII": "含有空格、控制字符或非 ASCII 字符",
	"copy the app_auth_token again":                             "请重新复制 app_auth_token",
}
