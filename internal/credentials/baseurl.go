package credentials

import (
	"cmp"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/seed-39a49030/alipay/internal/keys"
)

// ParseBaseURL reads a base URL, "" for production: scheme, host in lower case,
// and the path prefix of a reverse proxy without a slash at its end. Its error
// is an *Error.
func ParseBaseURL(raw string) (*url.URL, error) {
	wrong := func(en, zh string) (*url.URL, error) { return nil, mistake("BaseURL", both(en, zh)) }
	raw = cmp.Or(strings.TrimSpace(keys.Visible(raw)), ProductionURL)
	if !strings.Contains(raw, "://") {
		return wrong("there is no scheme; write it as in "+ProductionURL, "缺少协议（https://）；写法如 "+ProductionURL)
	}
	u, err := url.Parse(raw) // its error would quote the value
	switch {
	case err != nil:
		return wrong("this is not a URL; write it as in "+ProductionURL, "不是网址；写法如 "+ProductionURL)
	case u.Scheme != "https" && u.Scheme != "http":
		return wrong("the scheme is not https; write it as in "+ProductionURL, "协议不是 https；写法如 "+ProductionURL)
	case u.User != nil:
		return wrong("it contains a user name or password; the gateway takes neither, remove them", "网址里有用户名或密码；网关不接受，请去掉")
	case len(u.Port()) > 5 || len(u.Port()) == 5 && u.Port() > "65535":
		return wrong("the port is larger than 65535; leave it off, or write the right one", "端口大于 65535；请去掉或改正")
	case u.Hostname() == "":
		return wrong("there is no host; write it as in "+ProductionURL, "缺少主机名；写法如 "+ProductionURL)
	case strings.ContainsRune(u.Host, utf8.RuneError), keys.Visible(u.Host) != u.Host, strings.Contains(u.Host, "%") && !isVisibleASCII(u.Host): // an IPv6 zone
		return wrong("invalid character in the host name; write it as in "+ProductionURL, "主机名中有非法字符；写法如 "+ProductionURL)
	}
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	switch {
	case strings.HasSuffix(strings.ToLower(prefix), "/gateway.do"):
		return wrong("/gateway.do is the gateway of the old protocol; the v3 protocol has no such path: use "+ProductionURL+", or "+SandboxURL+" for the sandbox (沙箱)",
			"/gateway.do 是旧协议的网关；v3 没有这个路径：请用 "+ProductionURL+"，沙箱用 "+SandboxURL)
	case strings.Contains(prefix+"/", "/v3/"):
		return wrong("its path contains /v3, which the path of every request has already; leave it off, as in "+ProductionURL, "路径里有 /v3，而每个请求的路径都自带 /v3；请去掉，写法如 "+ProductionURL)
	case u.RawQuery != "" || u.ForceQuery:
		return wrong("it contains a query; remove it, parameters belong to each call", "网址里有查询参数；请去掉，参数属于每次调用")
	case strings.Contains(raw, "#"):
		return wrong("it contains a fragment; remove it", "网址里有 #；请去掉")
	}
	path, _ := url.PathUnescape(prefix) // url.Parse has made sure that it can be
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: path, RawPath: prefix}, nil
}

var ofAlipay = regexp.MustCompile(`(?:^|\.)alipay(?:dev)?\.(?:com|cn|net)$`)

// NotTheGateway is a warning about a host of Alipay's that is not the gateway, and
// names the right one; the zero value for the gateway and for hosts of others.
func NotTheGateway(base *url.URL) text {
	switch host := base.Hostname(); {
	case host == "openapi.alipaydev.com":
		return both("this is the old address of the sandbox (沙箱); use "+SandboxURL, "这是沙箱的旧地址，请改用 "+SandboxURL)
	case "https://"+host != ProductionURL && "https://"+host != SandboxURL && ofAlipay.MatchString(host):
		return both("this host of Alipay's is not the gateway; use "+ProductionURL+", or "+SandboxURL+" for the sandbox (沙箱)",
			"支付宝的这个主机不是网关，请改用 "+ProductionURL+"，沙箱请用 "+SandboxURL)
	}
	return text{}
}

// IsLoopback is true for 127.0.0.0/8, ::1 and localhost, not for names that look alike.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Is4() && addr.IsLoopback() || addr == netip.IPv6Loopback())
}
