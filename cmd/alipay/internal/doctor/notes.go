package doctor

import (
	"slices"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/credentials"
)

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
		if t := credentials.NotTheGateway(base); t.EN != "" {
			warn("BaseURL", t)
		}
	}
	notADigit := func(c rune) bool { return c < '0' || c > '9' }
	at := strings.IndexFunc(c.AppID, notADigit)
	switch {
	case at >= 0:
		warn("AppID", both("character %d is not a digit, and the platform's APPIDs are digits only", "第 %d 个字符不是数字，而平台的 APPID 全部由数字组成", len([]rune(c.AppID[:at]))+1))
	case len(c.AppID) != 16:
		warn("AppID", both("it has %d digits, and the platform's APPIDs have 16", "有 %d 位，而平台的 APPID 是 16 位", len(c.AppID)))
	}
	if strings.HasPrefix(c.AppID, "9021") && "https://"+host == alipay.DefaultBaseURL {
		warn("AppID", both("an APPID that begins with 9021 belongs to the sandbox (沙箱), and the base URL is that of production; use %s, or the APPID and keys of production",
			"以 9021 开头的 APPID 属于沙箱，而 BaseURL 是正式环境；请改用 %s，或换成正式环境的 APPID 和密钥", alipay.SandboxBaseURL))
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
	for _, e := range resolved.Expiries {
		if e.Soon(now) {
			r.warn(e.Field, both("the certificate with SN %s expires on %s (days left: %d); download the next one from the console in time",
				"SN 为 %s 的证书将于 %s 到期（还剩 %d 天），请及时到控制台下载新证书", e.SN, day(e.NotAfter), int(e.NotAfter.Sub(now).Hours()/24)))
		}
	}
	all := readAll(c)
	for _, leaf := range all.alipayCert.leaves() {
		if now.After(leaf.X509.NotAfter) {
			r.warn(all.alipayCert.field, both("the certificate with SN %s expired on %s and opens only answers that were received before; remove it when none is kept", "SN 为 %s 的证书已于 %s 过期，只能打开此前收到的响应；若没有保存这样的响应，请将其移除", leaf.SN, day(leaf.X509.NotAfter)))
		}
	}
}
