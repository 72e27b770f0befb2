package doctor

import (
	"slices"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/credentials"
)

// otherHosts are known hosts of Alipay's that are not the gateway, and what people
// take them for.
var otherHosts = map[string]struct {
	said  text
	right string
}{
	"openapi.alipaydev.com": {both("this is the old address of the sandbox (沙箱)", "这是沙箱的旧地址"), alipay.SandboxBaseURL},
	"openapi.alipay.cn":     {both("this host is not the gateway", "这个主机不是网关"), alipay.DefaultBaseURL},
	"open.alipay.com":       {both("this is the host of the console, not the gateway", "这是开放平台控制台的主机，不是网关"), alipay.DefaultBaseURL},
	"opendocs.alipay.com":   {both("this is the host of the documents, not the gateway", "这是文档站的主机，不是网关"), alipay.DefaultBaseURL},
	"mapi.alipay.com":       {both("this is the gateway of an older protocol", "这是更早协议的网关"), alipay.DefaultBaseURL},
}

// notes warns about what may be a mistake, though calls can work with it. What is
// a mistake already is not said twice.
func (r *report) notes(c alipay.AlipayConfig, found []mistake, now time.Time) {
	warn := func(field string, t text) {
		if !slices.ContainsFunc(found, func(m mistake) bool { return contentField(m.field) == contentField(field) }) {
			r.warn(field, t)
		}
	}
	host := ""
	if base, err := credentials.ParseBaseURL(c.BaseURL); err == nil {
		host = base.Hostname()
	}
	if other, ok := otherHosts[host]; ok {
		warn("BaseURL", both("%s; use %s", "%s，请改用 %s", other.said, other.right))
	}
	notADigit := func(c rune) bool { return c < '0' || c > '9' }
	at := strings.IndexFunc(c.AppID, notADigit)
	switch {
	case at >= 0:
		warn("AppID", both("character %d is not a digit, and the platform's APPIDs are digits only", "第 %d 个字符不是数字，而平台的 APPID 全部由数字组成", len([]rune(c.AppID[:at]))+1))
	case len(c.AppID) == 16 && strings.HasPrefix(c.AppID, "2088"):
		warn("AppID", both("this is the id of a merchant (2088…, PID), not an APPID; copy the APPID of the application from the console", "这是商户号（2088 开头的 PID），不是 APPID；请从控制台复制应用的 APPID"))
	case len(c.AppID) != 16:
		warn("AppID", both("it has %d digits, and the platform's APPIDs have 16", "有 %d 位，而平台的 APPID 是 16 位", len(c.AppID)))
	}
	if strings.HasPrefix(c.AppID, "9021") && "https://"+host == alipay.DefaultBaseURL {
		warn("AppID", both("an APPID that begins with 9021 belongs to the sandbox (沙箱), and the base URL is that of production; use %s, or the APPID and keys of production",
			"以 9021 开头的 APPID 属于沙箱，而 BaseURL 是正式环境；请改用 %s，或换成正式环境的 APPID 和密钥", alipay.SandboxBaseURL))
	}
	if key := strings.TrimSpace(c.EncryptKey); len(key) >= 32 && strings.Trim(key, "0123456789abcdefABCDEF") == "" {
		warn("EncryptKey", both("it consists of hexadecimal digits only; the console shows the AES key (接口内容加密方式) in base64", "全部是十六进制数字；控制台显示的 AES 密钥（接口内容加密方式）是 base64"))
	}
	r.expiries(c, now)
}

// expiries warns about certificates that expire soon, and about expired ones beside
// one that has not.
func (r *report) expiries(c alipay.AlipayConfig, now time.Time) {
	resolved, err := credentials.Resolve(credentials.Config(c), now)
	if err != nil {
		return
	}
	for _, e := range resolved.Expiries() {
		if e.Soon(now) {
			r.warn(e.Field, both("the certificate with SN %s expires on %s (days left: %d); download the next one from the console in time",
				"序列号为 %s 的证书将于 %s 到期（还剩 %d 天），请及时到控制台下载新证书", e.SN, day(e.NotAfter), int(e.NotAfter.Sub(now).Hours()/24)))
		}
	}
	all := readAll(c)
	for _, leaf := range all.alipayCert.leaves() {
		if now.After(leaf.X509.NotAfter) {
			r.warn(all.alipayCert.field, both("the certificate with SN %s expired on %s and is not used; remove it", "序列号为 %s 的证书已于 %s 过期，不再使用，请将其移除", leaf.SN, day(leaf.X509.NotAfter)))
		}
	}
}
