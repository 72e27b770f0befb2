package credentials

import (
	"cmp"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// ParseBaseURL reads a base URL, "" for production: scheme, host in lower case,
// and the path prefix of a reverse proxy without a slash at its end. Its error
// is an *Error.
func ParseBaseURL(raw string) (*url.URL, error) {
	wrong := func(reason string) (*url.URL, error) { return nil, &Error{"BaseURL", reason} }
	raw = cmp.Or(strings.TrimSpace(raw), ProductionURL)
	if !strings.Contains(raw, "://") {
		return wrong("there is no scheme; write it as in " + ProductionURL)
	}
	u, err := url.Parse(raw) // its error would quote the value
	switch {
	case err != nil:
		return wrong("this is not a URL; write it as in " + ProductionURL)
	case u.Scheme != "https" && u.Scheme != "http":
		return wrong("the scheme is not https; write it as in " + ProductionURL)
	case u.User != nil:
		return wrong("it holds a user name or password; the gateway takes neither, remove them")
	case len(u.Port()) > 5 || len(u.Port()) == 5 && u.Port() > "65535":
		return wrong("the port is larger than 65535")
	case u.Hostname() == "":
		return wrong("there is no host; write it as in " + ProductionURL)
	case !utf8.ValidString(u.Host), strings.Contains(u.Host, "%") && !isVisibleASCII(u.Host): // an IPv6 zone
		return wrong("its host holds a character that no host has; write it as in " + ProductionURL)
	}
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	switch {
	case strings.HasSuffix(strings.ToLower(prefix), "/gateway.do"):
		return wrong("/gateway.do is the gateway of the old protocol; the v3 protocol has no such path: use " +
			ProductionURL + ", or " + SandboxURL + " for the sandbox (沙箱)")
	case v3Segment.MatchString(prefix):
		return wrong("its path holds /v3, which the path of every request brings along; leave it off, as in " + ProductionURL)
	case u.RawQuery != "" || u.ForceQuery:
		return wrong("it holds a query; remove it, parameters belong to each call")
	case strings.Contains(raw, "#"):
		return wrong("it holds a fragment; remove it")
	}
	path, _ := url.PathUnescape(prefix) // url.Parse has made sure that it can be
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: path, RawPath: prefix}, nil
}

var v3Segment = regexp.MustCompile(`/v3(/|$)`)

// IsLoopback is true for 127.0.0.0/8, ::1 and localhost, but not for names that
// merely look like them.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Is4() && addr.IsLoopback() || addr == netip.IPv6Loopback())
}
