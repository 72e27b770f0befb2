package doctor

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/bilingual"
	"github.com/seed-39a49030/alipay/internal/credentials"
)

// stepTimeout bounds each step of the way to the gateway.
const stepTimeout = 10 * time.Second

// network is what this machine knows of the world around it.
type network struct {
	resolver *net.Resolver
	proxy    func(*http.Request) (*url.URL, error)
	roots    *x509.CertPool // nil for the system's
	dialling time.Duration  // bounds one connect
	waiting  time.Duration  // bounds the wait for an answer, of each other step
	now      func() time.Time
}

// live goes the way to the gateway, one step after the other, as far as it leads,
// and then makes one signed call.
func (n network) live(ctx context.Context, r *report, c alipay.AlipayConfig) {
	base, err := credentials.ParseBaseURL(c.BaseURL)
	if err != nil {
		return // it has been reported
	}
	if n.way(ctx, r, base) {
		n.heartbeat(ctx, r, c)
	}
}

// way takes the steps up to TLS, and reports whether the gateway can be asked.
func (n network) way(ctx context.Context, r *report, base *url.URL) bool {
	host, port := base.Hostname(), cmp.Or(base.Port(), map[string]string{"https": "443", "http": "80"}[base.Scheme])
	proxy, err := n.proxy(&http.Request{URL: base})
	if err != nil { // its text may hold a password
		r.fail("", both("proxy: HTTPS_PROXY or HTTP_PROXY is not a URL; write it as in http://proxy.example:3128", "代理：HTTPS_PROXY 或 HTTP_PROXY 不是网址；写法如 http://proxy.example:3128"))
		return false
	}
	hop, hopPort := host, port
	if proxy != nil {
		hop, hopPort = proxy.Hostname(), cmp.Or(proxy.Port(), map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[proxy.Scheme], "80")
		r.note(both("requests go through the proxy %s (HTTPS_PROXY, HTTP_PROXY; NO_PROXY lists the hosts that need none)",
			"请求经过代理 %s（HTTPS_PROXY、HTTP_PROXY；不走代理的主机写在 NO_PROXY 中）", proxy.Scheme+"://"+proxy.Host))
	}
	var conn net.Conn
	addresses, ok := n.resolve(ctx, r, hop)
	if ok {
		conn, ok = n.connect(ctx, r, addresses, hopPort)
	}
	if !ok {
		if proxy == nil && !credentials.IsLoopback(host) {
			r.note(both("no proxy is configured: where the network has one, set HTTPS_PROXY", "没有配置代理：如果网络需要代理，请设置 HTTPS_PROXY"))
		}
		return false
	}
	defer func() { conn.Close() }()
	if proxy != nil {
		switch {
		case strings.HasPrefix(proxy.Scheme, "socks"):
			r.note(both("proxy: SOCKS is not examined here; the signed call goes through it", "代理：此处不检查 SOCKS，签名调用会经过它"))
			return true
		case base.Scheme == "http":
			return true // it is sent to the proxy as it is
		case proxy.Scheme == "https":
			if conn, ok = n.tls(ctx, r, conn, hop); !ok {
				return false
			}
		}
		if conn, ok = n.tunnel(ctx, r, conn, proxy, net.JoinHostPort(host, port)); !ok {
			return false
		}
	}
	if base.Scheme == "https" {
		conn, ok = n.tls(ctx, r, conn, host)
	}
	return ok
}

// resolve looks a name up.
func (n network) resolve(ctx context.Context, r *report, host string) (addresses []string, ok bool) {
	if net.ParseIP(host) != nil {
		return []string{host}, true
	}
	ctx, cancel := context.WithTimeout(ctx, n.waiting)
	defer cancel()
	began := time.Now()
	found, err := n.resolver.LookupHost(ctx, host)
	took := time.Since(began)
	if err == nil {
		r.step(levelOK, "", took, both("DNS: %s is %s", "DNS：%s 的地址是 %s", host, shortened(found)))
		return found, true
	}
	why := both("the resolver failed", "解析器出错")
	var failed *net.DNSError
	if errors.As(err, &failed) {
		switch {
		case failed.IsNotFound:
			why = both("no such host: check its spelling, and the DNS server of this machine or container", "没有这个主机名：请检查拼写，以及本机（容器）的 DNS 服务器")
		case failed.IsTimeout:
			why = both("the DNS server did not answer: check the network, and the DNS server of this machine or container", "DNS 服务器没有响应：请检查网络，以及本机（容器）的 DNS 服务器")
		case failed.IsTemporary:
			why = both("the DNS server failed to answer: check the DNS server of this machine or container", "DNS 服务器应答失败：请检查本机（容器）的 DNS 服务器")
		}
	}
	r.step(levelFail, "", took, both("DNS: %s: %s", "DNS：%s：%s", host, why))
	return nil, false
}

// shortened lists the first few.
func shortened(list []string) text {
	if len(list) <= 4 {
		return bilingual.Same(strings.Join(list, ", "))
	}
	return both("%s and %d more", "%s 等 %d 个", strings.Join(list[:4], ", "), len(list)-4)
}

// maxDialled is how many addresses of a name are tried.
const maxDialled = 8

// connect tries every address, one after the other, and keeps the first that
// connects: a client meets any of them.
func (n network) connect(ctx context.Context, r *report, addresses []string, port string) (conn net.Conn, ok bool) {
	level := levelFail
	var findings []finding
	for _, address := range addresses[:min(len(addresses), maxDialled)] {
		at := net.JoinHostPort(address, port)
		began := time.Now()
		dialled, err := (&net.Dialer{Timeout: n.dialling}).DialContext(ctx, "tcp", at)
		f := finding{section: r.section, took: time.Since(began)}
		switch {
		case err == nil:
			f.level, f.text = levelOK, both("connect: %s", "连接：%s", at)
			if level = levelWarn; conn == nil {
				conn = dialled
			} else {
				dialled.Close()
			}
		case isTimeout(err):
			f.text = both("connect: %s does not answer; a firewall may drop what goes out to port %s", "连接：%s 没有应答；防火墙可能拦截了发往 %s 端口的流量", at, port)
		case errors.Is(err, syscall.ECONNREFUSED):
			f.text = both("connect: %s refuses connections; check the address, and whether a firewall rejects what goes out to port %s", "连接：%s 拒绝连接；请检查地址，以及防火墙是否拒绝发往 %s 端口的流量", at, port)
		case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
			f.text = both("connect: %s cannot be reached from this network (no route)", "连接：本机网络到不了 %s（没有路由）", at)
		default:
			f.text = both("connect: %s: the connection failed", "连接：%s：连接失败", at)
		}
		findings = append(findings, f)
	}
	for _, f := range findings {
		f.level = cmp.Or(f.level, level) // an address that fails beside one that works is a warning
		r.findings = append(r.findings, f)
	}
	return conn, conn != nil
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// tunnel asks a proxy for a connection to the gateway.
func (n network) tunnel(ctx context.Context, r *report, conn net.Conn, proxy *url.URL, target string) (net.Conn, bool) {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{"User-Agent": {"alipay-go/" + alipay.Version}}}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
	}
	_ = conn.SetDeadline(time.Now().Add(n.waiting))
	defer func() { _ = conn.SetDeadline(time.Time{}) }()
	began := time.Now()
	var response *http.Response
	err := request.WithContext(ctx).Write(conn)
	reader := bufio.NewReader(conn)
	if err == nil {
		response, err = http.ReadResponse(reader, request)
	}
	took := time.Since(began)
	switch {
	case err != nil && isTimeout(err):
		r.step(levelFail, "", took, both("proxy: %s does not answer", "代理：%s 没有应答", proxy.Host))
		return conn, false
	case err != nil:
		r.step(levelFail, "", took, both("proxy: %s does not answer as an HTTP proxy does; check scheme and port of HTTPS_PROXY", "代理：%s 的应答不是 HTTP 代理的应答；请检查 HTTPS_PROXY 的协议和端口", proxy.Host))
		return conn, false
	case response.StatusCode == http.StatusOK:
		r.step(levelOK, "", took, both("proxy: %s connects to %s", "代理：%s 已连通 %s", proxy.Host, target))
		return &buffered{conn, reader}, true
	}
	why := both("it could not connect to the gateway, or does not want to: ask who runs it", "它连不上网关，或不允许连接：请联系代理的管理员")
	switch response.StatusCode {
	case http.StatusProxyAuthRequired:
		why = both("it asks for a user and password: put them into HTTPS_PROXY, as in http://user:password@proxy.example:3128", "它要求用户名和密码：请写进 HTTPS_PROXY，如 http://user:password@proxy.example:3128")
		if proxy.User != nil {
			why = both("it does not accept the user and password in HTTPS_PROXY", "它不接受 HTTPS_PROXY 中的用户名和密码")
		}
	case http.StatusForbidden:
		why = both("it does not allow this host: ask who runs it to allow %s", "它不允许访问这个主机：请让代理的管理员放行 %s", target)
	}
	r.step(levelFail, "", took, both("proxy: %s answered %d to CONNECT %s: %s", "代理：%s 对 CONNECT 返回 %d（%s）：%s", proxy.Host, response.StatusCode, target, why))
	return conn, false
}

// buffered is a connection of which some bytes may have been read already.
type buffered struct {
	net.Conn
	reader *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.reader.Read(p) }

// tls makes a TLS connection and says whose certificate came.
func (n network) tls(ctx context.Context, r *report, conn net.Conn, host string) (net.Conn, bool) {
	ctx, cancel := context.WithTimeout(ctx, n.waiting)
	defer cancel()
	// The certificate is verified below, where more can be said of it than crypto/tls
	// says. Nothing but the handshake is sent before.
	secured := tls.Client(conn, &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // see above
	began := time.Now()
	err := secured.HandshakeContext(ctx)
	took := time.Since(began)
	var noTLS tls.RecordHeaderError
	var alert *net.OpError
	switch {
	case err == nil:
	case isTimeout(err):
		r.step(levelFail, "", took, both("TLS: %s is silent during the handshake; a firewall or proxy in between may hold TLS up", "TLS：握手时 %s 没有应答；途中的防火墙或代理可能拦截了 TLS", host))
		return conn, false
	case errors.As(err, &noTLS):
		r.step(levelFail, "BaseURL", took, both("TLS: %s does not speak TLS on this port; check the port", "TLS：%s 的这个端口不是 TLS；请检查端口", host))
		return conn, false
	case errors.As(err, &alert) && alert.Op == "remote error": // so crypto/tls says that an alert came
		r.step(levelFail, "", took, both("TLS: %s refuses the handshake; TLS 1.2 or newer is needed", "TLS：%s 拒绝握手；需要 TLS 1.2 或更新的版本", host))
		return conn, false
	default:
		r.step(levelFail, "", took, both("TLS: the connection to %s was closed during the handshake; a firewall that knows host names may do that, or a server without TLS 1.2", "TLS：握手时到 %s 的连接被关闭；可能是按主机名拦截的防火墙，或服务器不支持 TLS 1.2", host))
		return conn, false
	}
	state := secured.ConnectionState()
	leaf := state.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	now := n.now()
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: n.roots, Intermediates: intermediates, CurrentTime: now})
	issuer := cmp.Or(leaf.Issuer.CommonName, strings.Join(leaf.Issuer.Organization, ", "), leaf.Issuer.String())
	if err == nil {
		r.step(levelOK, "", took, both("TLS: %s, certificate of %s issued by %q, valid to %s", "TLS：%s，%s 的证书由 %q 颁发，有效期至 %s", tls.VersionName(state.Version), host, issuer, day(leaf.NotAfter)))
		return secured, true
	}
	const minute = "2006-01-02 15:04 MST"
	var why text
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var noRoots x509.SystemRootsError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		why = both("the certificate is valid from %s to %s, and this machine's clock says %s: set the clock right, or tell who runs the server", "证书有效期为 %s 至 %s，而本机时钟是 %s：请校准时钟，或联系服务器的管理员",
			leaf.NotBefore.UTC().Format(minute), leaf.NotAfter.UTC().Format(minute), now.UTC().Format(minute))
	case errors.As(err, &name):
		why = both("the certificate is for another name (%s): check the base URL, and the proxies in between", "证书属于别的主机名（%s）：请检查 BaseURL 和途中的代理", namesOf(leaf))
	case errors.As(err, &noRoots):
		why = both("this machine has no root certificates: install ca-certificates", "本机没有根证书：请安装 ca-certificates")
	default:
		why = both("this machine does not trust the issuer of the certificate, %q. A company that inspects TLS has a CA of its own: add its certificate to the RootCAs of the TLSClientConfig of alipay.NewTransport, or to this machine's trust store; -ca tries it here",
			"本机不信任证书的颁发者 %q。企业的 TLS 解密设备有自己的 CA：请把它的证书加到 alipay.NewTransport 的 TLSClientConfig.RootCAs，或加到本机的信任库；可用 -ca 先试", issuer)
	}
	r.step(levelFail, "", took, both("TLS: %s: %s", "TLS：%s：%s", host, why))
	return secured, false
}

// namesOf lists the names that a certificate is for.
func namesOf(c *x509.Certificate) text {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return bilingual.Same(fmt.Sprintf("CN %q", c.Subject.CommonName))
	}
	return shortened(names)
}
