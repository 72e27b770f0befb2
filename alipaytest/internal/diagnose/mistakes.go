package diagnose

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// mistake is a content with one mistake more than another.
type mistake struct {
	phrase
	content
}

// maker yields the mistakes that can be made in one content.
type maker struct {
	s     *search
	c     content
	first bool // nothing is wrong with c yet
	yield func(mistake) bool
	ended bool
}

// mistakes calls yield with every usual mistake on top of c, the likeliest
// first, until it returns false.
func (s *search) mistakes(c content, first bool, yield func(mistake) bool) {
	m := &maker{s: s, c: c, first: first, yield: yield}
	for _, part := range []func(){m.layout, m.target, m.query, m.body, m.token, m.method, m.auth, m.whole} {
		if part(); m.ended {
			return
		}
	}
}

func (m *maker) add(c content, en, zh string) {
	if !m.ended && !m.yield(mistake{phrase{en, zh}, c}) {
		m.ended = true
	}
}

// set puts text into the line of that kind, where that changes anything.
func (m *maker) set(k kind, text, en, zh string) {
	if before, ok := m.c.get(k); ok && before != text {
		m.add(m.c.with(k, text), en, zh)
	}
}

// layout is about line feeds and the order of the lines.
func (m *maker) layout() {
	c := m.c
	if c.sep != "\n" || c.end != "\n" || c.before != "" || len(c.lines) == 0 {
		return
	}
	ended := func(end, en, zh string) { d := c; d.end = end; m.add(d, en, zh) }
	switch last := c.lines[len(c.lines)-1].text; {
	case last == "":
		ended("", "a line feed is missing at the end: without a body the string ends in two, one behind the path and one of the body's empty line", "待签名字符串末尾少一个换行：没有 body 时以两个 \\n 结尾，一个在路径后，一个是 body 的空行")
	case !strings.HasSuffix(last, "\n"): // else the body's own is the likelier one
		ended("", "the line feed behind the last line is missing from the string that was signed: every line ends in one", "待签名字符串的最后一行缺少换行：每一行都要以 \\n 结尾")
	}
	ended("\n\n", "the string that was signed has a line feed too many at the end (an app auth token that is not sent has no line)", "待签名字符串末尾多了一个换行（没有 app_auth_token 就没有那一行）")
	separated := func(sep, end, en, zh string) { d := c; d.sep, d.end = sep, end; m.add(d, en, zh) }
	separated("\r\n", "\r\n", "its lines were ended by CR LF; a single line feed (\\n) is right, on Windows too", "各行以 CRLF 结尾；应当只用 \\n，Windows 上也一样")
	separated("\r\n", "", "its lines were ended by CR LF, and the last one by nothing; each has to end in a single line feed (\\n)", "各行以 CRLF 结尾且最后一行没有换行；每行都要以单个 \\n 结尾")
	separated(`\n`, `\n`, `its lines were ended by a backslash and the letter n; write the string so that \n is a line feed (double quotes in PHP and shells)`, `各行以反斜杠加字母 n 结尾；要让 \n 成为真正的换行（PHP 和 shell 用双引号）`)
	separated(`\n`, "", `its lines were joined by a backslash and the letter n; write the string so that \n is a line feed (double quotes in PHP and shells)`, `各行用反斜杠加字母 n 连接；要让 \n 成为真正的换行（PHP 和 shell 用双引号）`)
	separated("", "", "its lines were joined without line feeds", "各行直接相连，没有换行")
	separated("&", "", "its lines were joined by &, as the old gateway's parameters are; v3 ends every line by a line feed", "各行用 & 连接（旧版网关参数的拼法）；v3 每行以 \\n 结尾")
	separated(",", "", "its lines were joined by commas; v3 ends every line by a line feed", "各行用逗号连接；v3 每行以 \\n 结尾")
	separated(" ", "", "its lines were joined by spaces; v3 ends every line by a line feed", "各行用空格连接；v3 每行以 \\n 结尾")
	started := func(before, en, zh string) { d := c; d.before = before; m.add(d, en, zh) }
	started("\n", "the string that was signed begins with a line feed", "待签名字符串以换行开头")
	started("\ufeff", "the string that was signed begins with a byte order mark", "待签名字符串以 BOM 开头")
	if body, ok := c.get(bodyLine); ok && body == "" {
		m.add(c.without(bodyLine), "the empty line of the missing body was left out of the string that was signed", "请求没有 body，但待签名字符串缺少它对应的空行")
	}
	m.add(c.ordered(methodLine, targetLine, authLine, bodyLine, tokenLine), "authString was signed behind method and path; it is the first line", "authString 放在了方法和路径之后；它应当是第一行")
	m.add(c.ordered(methodLine, targetLine, bodyLine, authLine, tokenLine), "authString was signed at the end; it is the first line", "authString 放在了最后；它应当是第一行")
	m.add(c.ordered(authLine, targetLine, methodLine, bodyLine, tokenLine), "path and method were signed in each other's place", "方法与路径的顺序颠倒了")
	m.add(c.without(authLine), "authString, the first line, is missing from the string that was signed", "待签名字符串缺少第一行 authString")
	m.add(c.without(methodLine), "the line with the method is missing from the string that was signed", "待签名字符串缺少方法那一行")
	m.add(c.without(targetLine), "the line with path and query is missing from the string that was signed", "待签名字符串缺少路径那一行")
	if body, _ := c.get(bodyLine); body != "" {
		m.add(c.without(bodyLine), "the line of the body is missing from the string that was signed", "待签名字符串缺少 body 那一行")
	}
	m.add(c.ordered(bodyLine), "only the body was signed", "只对 body 签了名")
	m.add(c.ordered(authLine), "only authString was signed", "只对 authString 签了名")
}

// target is about path, host and prefix.
func (m *maker) target() {
	target, ok := m.c.get(targetLine)
	if !ok {
		return
	}
	r := m.s.r
	set := func(text, en, zh string) { m.set(targetLine, text, en, zh) }
	path, query, has := strings.Cut(target, "?")
	if has {
		set(path, "the query was not signed: path and query are signed as they are sent", "没有对查询参数签名：路径和查询参数都要按发送的样子签名")
		set(path+"?", "the query was not signed, only the ? in front of it", "没有对查询参数签名，只签到了 ?")
		set(query, "only the query was signed, without the path", "只对查询参数签名，没有路径")
		set(path+"/?"+query, "a slash stands between path and query in what was signed", "签名的路径末尾多了 /")
	} else {
		set(path+"?", "a ? was signed behind the path, and not sent", "签名时路径后多了 ?，发送时没有")
		if body, _ := m.c.get(bodyLine); body != "" {
			set(path+"?"+body, "the body was signed as the query", "body 被当作查询参数签名")
			m.add(m.c.with(targetLine, path+"?"+body).with(bodyLine, ""), "the body was signed as the query, in place of the body", "body 被当作查询参数签名，body 行为空")
		}
	}
	if has {
		if body, ok := m.c.get(bodyLine); ok && body == "" {
			m.add(m.c.with(targetLine, path).with(bodyLine, query), "the query was signed as the body; on a GET it belongs behind the path, and the body's line is empty", "查询参数被当作 body 签名；GET 请求应接在路径后面，body 行为空")
			m.add(m.c.with(bodyLine, query), "the query was signed twice, as the body too", "查询参数签了两次，又当成 body")
			if plain, err := url.QueryUnescape(query); err == nil && plain != query {
				m.add(m.c.with(targetLine, path).with(bodyLine, plain), "the decoded query was signed as the body; on a GET it belongs behind the path, as it is sent", "解码后的查询参数被当作 body 签名；GET 请求应按发送的样子接在路径后面")
			}
			if asJSON, ok := jsonOf(query); ok {
				m.add(m.c.with(targetLine, path).with(bodyLine, asJSON), "the parameters were signed as a JSON body, and sent as a query", "参数按 JSON body 签名，却放在查询参数里发送")
			}
		}
	}
	m.base(path, target)
	if r.Prefix != "" {
		set(r.Prefix+target, "the path prefix of the base URL ("+r.Prefix+") was signed along; the gateway behind the proxy does not see it", "把网关地址的路径前缀（"+r.Prefix+"）一起签了名；代理后面的网关看不到它")
	}
	for _, scheme := range []string{"https://", "http://"} {
		for _, host := range hosts(r.Host) {
			set(scheme+host+r.Prefix+target, "scheme and host ("+scheme+host+") were signed along; the string begins with the path", "把协议和主机（"+scheme+host+"）一起签了名；这一行应从路径开始")
		}
	}
	for _, host := range hosts(r.Host) {
		set(host+r.Prefix+target, "the host ("+host+") was signed along; the string begins with the path", "把主机（"+host+"）一起签了名；这一行应从路径开始")
	}
	set(strings.TrimPrefix(target, "/"), "the slash that the path begins with was not signed", "签名的路径缺少开头的 /")
	set("/"+target, "a second slash stands at the beginning of the path that was signed", "签名的路径开头多了一个 /")
	if !has {
		set(strings.TrimSuffix(target, "/"), "the slash at the end of the path was sent, and not signed", "路径末尾的 / 发送了，却没有签名")
		set(target+"/", "a slash was signed at the end of the path, and not sent", "签名的路径末尾多了 /")
	}
	if rest, ok := strings.CutPrefix(target, "/v3"); ok {
		set(rest, "/v3 was left out of the path that was signed", "签名的路径缺少 /v3")
	}
	if plain, err := url.PathUnescape(path); err == nil && plain != path {
		set(plain+target[len(path):], "the path was signed decoded, and sent percent-encoded", "路径按解码后的样子签名，却以 URL 编码发送")
	}
	if !has {
		set(strings.ToLower(target), "the path was signed in lower case", "路径按小写签名")
	}
}

// base is about a path in the base URL: the client sent it, since it puts the base
// URL in front, but did not sign it. It should not be there.
func (m *maker) base(path, target string) {
	for at, depth := 1, 0; depth < 4; depth++ {
		next := strings.Index(path[min(at, len(path)):], "/")
		if next < 0 {
			return
		}
		next += at
		prefix := path[:next]
		at = next + 1
		if !strings.HasPrefix(target[next:], "/v3/") {
			continue
		}
		switch prefix {
		case "/gateway.do":
			m.set(targetLine, target[next:], "the base URL ends in /gateway.do, which belongs to the old gateway: leave it off", "网关地址以 /gateway.do 结尾，那是旧版网关的：请去掉")
		case "/v3":
			m.set(targetLine, target[next:], "/v3 stands twice in the path: the base URL must not end in it", "路径中 /v3 出现了两次：网关地址不应以 /v3 结尾")
		case "/":
			m.set(targetLine, target[next:], "the base URL ends in a slash, so that there are two in the path: leave it off", "网关地址以 / 结尾，使路径中有两个 /：请去掉")
		default:
			m.set(targetLine, target[next:], "the path begins with "+prefix+", which was not signed: the base URL has a path that this gateway does not know as a proxy's", "路径以 "+prefix+" 开头，却没有签名：网关地址带了路径，而本网关没有配置这个前缀")
		}
	}
}

// hosts are the names that a client may know the gateway by.
func hosts(host string) []string {
	list := []string{"openapi.alipay.com", "openapi-sandbox.dl.alipaydev.com"}
	if host != "" {
		list = append([]string{host}, list...)
		if name, _, ok := strings.Cut(host, ":"); ok {
			list = append(list, name)
		}
	}
	return list
}

// jsonOf is the JSON object of a query's parameters.
func jsonOf(query string) (string, bool) {
	parts := []string{}
	for _, p := range membersOf(query, "&") {
		_, value, _ := strings.Cut(p.text, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil {
			return "", false
		}
		parts = append(parts, strconv.Quote(p.name)+":"+strconv.Quote(plain))
	}
	return "{" + strings.Join(parts, ",") + "}", true
}

// encoders are the ways in which languages encode the value of a parameter.
var encoders = []struct {
	en, zh string
	encode func(string) string
}{
	{"as RFC 3986 says (%20 for a space)", "RFC 3986 的方式（空格为 %20）", func(s string) string { return percent(s, "-._~", "%20") }},
	{"as a form (+ for a space)", "表单的方式（空格为 +）", url.QueryEscape},
	{"as Java's URLEncoder does", "Java URLEncoder 的方式", func(s string) string { return percent(s, "-._*", "+") }},
	{"as JavaScript's encodeURIComponent does", "JavaScript encodeURIComponent 的方式", func(s string) string { return percent(s, "-._~!*'()", "%20") }},
	{"as JavaScript's encodeURI does", "JavaScript encodeURI 的方式", func(s string) string { return percent(s, "-._~!*'();,/?:@&=+$#", "%20") }},
	{"as Python's quote does", "Python quote 的方式", func(s string) string { return percent(s, "-._~/", "%20") }},
	{"with a colon and a slash left as they are", "冒号和斜杠不编码的方式", func(s string) string { return percent(s, "-._~/:", "%20") }},
}

// percent encodes all but letters, digits and the characters in plain.
func percent(s, plain, space string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteString(space)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// query is about the parameters after the path.
func (m *maker) query() {
	target, _ := m.c.get(targetLine)
	path, query, _ := strings.Cut(target, "?")
	if query == "" {
		return
	}
	set := func(query, en, zh string) { m.set(targetLine, path+"?"+query, en, zh) }
	set(strings.ReplaceAll(query, "+", "%20"), "a space was signed as %20 and sent as +: sign the query as it is sent", "空格签名时为 %20，发送时为 +：查询参数要按发送的样子签名")
	set(strings.ReplaceAll(query, "%20", "+"), "a space was signed as + and sent as %20: sign the query as it is sent", "空格签名时为 +，发送时为 %20：查询参数要按发送的样子签名")
	if plain, err := url.QueryUnescape(query); err == nil {
		set(plain, "the query was signed decoded, and sent percent-encoded: sign it as it is sent", "查询参数按解码后的样子签名，却以 URL 编码发送：要按发送的样子签名")
	}
	set(lowerHex(query), "the query was signed with its percent-encoding in lower case (%e5), and sent in capitals (%E5)", "查询参数的 URL 编码签名时为小写（%e5），发送时为大写（%E5）")
	m.set(targetLine, strings.ToLower(target), "path and query were signed in lower case", "路径和查询参数按小写签名")
	set(strings.ReplaceAll(query, "&", "&amp;"), "the & of the query was signed as &amp;, as in HTML", "查询参数的 & 签名时写成了 HTML 的 &amp;")
	set(strings.ReplaceAll(query, "%", "%25"), "the query was signed encoded twice (%25)", "查询参数签名时做了两次 URL 编码（%25）")

	parameters := membersOf(query, "&")
	for _, e := range encoders {
		if encoded, ok := reencode(parameters, e.encode); ok {
			set(encoded, "the query was signed with its values encoded "+e.en+", and sent in another way: sign it as it is sent", "查询参数的值签名时按"+e.zh+"编码，发送时不同：要按发送的样子签名")
		}
	}
	set(join(sorted(parameters), "&"), "the parameters were signed sorted by name, and sent in another order: sign them as they are sent", "参数按名称排序后签名，发送时顺序不同：要按发送的样子签名")
	if m.first {
		orders(parameters, 5, func(p []member) bool {
			set(join(p, "&"), "the parameters were signed in another order than they were sent in", "参数签名时的顺序与发送时不同")
			return !m.ended
		})
	}
	kept := slices.DeleteFunc(slices.Clone(parameters), func(p member) bool { return p.text == p.name || p.text == p.name+"=" })
	set(join(kept, "&"), "parameters without a value were sent, and not signed", "没有值的参数发送了，却没有签名")
	for i, p := range parameters {
		if i < 12 {
			set(join(slices.Delete(slices.Clone(parameters), i, i+1), "&"), "the parameter "+p.name+" was sent, and not signed", "参数 "+p.name+" 发送了，却没有签名")
		}
	}
	if len(m.s.r.Parameters) > 0 {
		for _, empty := range []string{"", "null", "undefined", "None"} {
			what := "nothing"
			if empty != "" {
				what = "the word " + empty
			}
			all, rest := m.filled(parameters, empty)
			set(all, "parameters that are not sent were signed too, with "+what+" as their value", "没有发送的参数也参与了签名，值为 "+strconv.Quote(empty))
			set(rest, "parameters that are not sent were signed too, with "+what+" as their value", "没有发送的参数也参与了签名，值为 "+strconv.Quote(empty))
		}
	}
}

// filled adds the parameters that the endpoint knows and that were not sent: in
// the documented order, and after the others.
func (m *maker) filled(parameters []member, empty string) (documented, behind string) {
	var all []member
	rest := slices.Clone(parameters)
	for _, name := range m.s.r.Parameters {
		i := slices.IndexFunc(parameters, func(p member) bool { return p.name == name })
		p := member{name, name + "=" + empty}
		if i >= 0 {
			p = parameters[i]
		} else {
			rest = append(rest, p)
		}
		all = append(all, p)
	}
	return join(all, "&"), join(rest, "&")
}

func lowerHex(query string) string {
	b := []byte(query)
	for i := range b {
		if b[i] == '%' && i+2 < len(b) {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}

func reencode(parameters []member, encode func(string) string) (string, bool) {
	out := make([]member, len(parameters))
	for i, p := range parameters {
		name, value, has := strings.Cut(p.text, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil {
			return "", false
		}
		if out[i].text = name; has {
			out[i].text += "=" + encode(plain)
		}
	}
	return join(out, "&"), true
}

// maxBody is the longest body that is rewritten on top of another mistake.
const maxBody = 16 << 10

// body is about what was signed instead of the body.
func (m *maker) body() {
	body, ok := m.c.get(bodyLine)
	if !ok || !m.first && len(body) > maxBody {
		return
	}
	set := func(text, en, zh string) { m.set(bodyLine, text, en, zh) }
	r := m.s.r
	if body == "" {
		for _, word := range []string{"null", "{}", "undefined", "None", `""`, "[]"} {
			set(word, word+" was signed in the place of the body, and none was sent: its line is empty then", "没有 body，却在 body 行签了 "+word+"：这一行应当为空")
		}
	} else {
		set("", "the body was not signed, only an empty line in its place", "没有对 body 签名，body 行是空的")
	}
	if string(r.Body) != string(r.Signed) {
		set(string(r.Body), "the whole upload was signed, the file's bytes with it; only the part data is", "把整个上传内容（含文件）一起签了名；只对 data 部分签名")
	}
	if cipher := m.s.cipher; cipher != nil && body != "" {
		if plain, err := cipher.Decrypt([]byte(body)); err == nil {
			set(string(plain), "the plain text was signed, and its ciphertext sent: encrypt first, then sign", "对明文签名，发送的却是密文：应先加密再签名")
		}
		set(string(cipher.Encrypt([]byte(body))), "the ciphertext was signed, and the plain text sent", "对密文签名，发送的却是明文")
	}
	for _, w := range m.s.rewritesOf(body) {
		set(w.text, "the body was signed "+w.signed+" and sent "+w.sent, "body 签名时"+w.zh)
	}
	if m.first {
		jsonOrders(body, func(text string) bool {
			set(text, "the members of the JSON body were signed in another order than they were sent in: sign the bytes that you send", "JSON body 的成员签名时的顺序与发送时不同：要对发送的字节签名")
			return !m.ended
		})
	}
	if body != "" {
		sum256, sum5 := sha256.Sum256([]byte(body)), md5.Sum([]byte(body))
		set(hex.EncodeToString(sum256[:]), "the SHA-256 of the body was signed in its place; v3 signs the body itself", "签的是 body 的 SHA-256；v3 直接对 body 签名")
		set(base64.StdEncoding.EncodeToString(sum256[:]), "the SHA-256 of the body was signed in its place (base64); v3 signs the body itself", "签的是 body 的 SHA-256（base64）；v3 直接对 body 签名")
		set(hex.EncodeToString(sum5[:]), "the MD5 of the body was signed in its place; v3 signs the body itself", "签的是 body 的 MD5；v3 直接对 body 签名")
		set(base64.StdEncoding.EncodeToString([]byte(body)), "the base64 of the body was signed in its place", "签的是 body 的 base64")
		set("biz_content="+body, "the body was signed as the parameter biz_content, as on the old gateway", "body 按旧版网关的 biz_content 参数签名")
		set(url.QueryEscape(body), "the body was signed percent-encoded", "body 签名时做了 URL 编码")
		if plain, err := url.QueryUnescape(body); err == nil {
			set(plain, "the body was signed decoded, and sent percent-encoded", "body 按解码后的样子签名，却以 URL 编码发送")
		}
	}
}

func (s *search) rewritesOf(body string) []rewrite {
	list, ok := s.written[body]
	if !ok {
		if s.written == nil {
			s.written = make(map[string][]rewrite)
		}
		list = rewrites(body)
		s.written[body] = list
	}
	return list
}

// token is about the app auth token.
func (m *maker) token() {
	token, sent := m.c.get(tokenLine)
	if sent {
		m.add(m.c.without(tokenLine), "the app auth token was sent (alipay-app-auth-token), and not signed: it is the last line", "发送了 app_auth_token（alipay-app-auth-token），却没有签名：它应当是最后一行")
		m.add(m.c.with(tokenLine, ""), "an empty line was signed in the place of the app auth token that was sent", "发送了 app_auth_token，签名时那一行却是空的")
		m.add(m.c.ordered(authLine, methodLine, targetLine, tokenLine, bodyLine), "the app auth token was signed in front of the body; it is the last line", "app_auth_token 放在了 body 之前；它应当是最后一行")
		m.add(m.c.ordered(authLine, tokenLine, methodLine, targetLine, bodyLine), "the app auth token was signed behind authString; it is the last line", "app_auth_token 放在了 authString 之后；它应当是最后一行")
		for _, name := range []string{"app_auth_token=", "alipay-app-auth-token:", "alipay-app-auth-token: "} {
			m.set(tokenLine, name+token, "the app auth token was signed with its name ("+name+"); only the value is", "app_auth_token 连名称（"+name+"）一起签了名；只签值")
		}
		return
	}
	for _, other := range m.s.r.OtherTokens {
		m.add(m.c.plus(tokenLine, other), "an app auth token was signed that is not sent as the header alipay-app-auth-token", "签名包含 app_auth_token，却没有用请求头 alipay-app-auth-token 发送")
	}
	for _, word := range []string{"null", "undefined", "None"} {
		m.add(m.c.plus(tokenLine, word), "the word "+word+" was signed as the app auth token, and none was sent: leave the line out", "没有 app_auth_token，却签了 "+word+"：应当没有这一行")
	}
}

// method is about the second line.
func (m *maker) method() {
	method, ok := m.c.get(methodLine)
	if !ok {
		return
	}
	set := func(text, en, zh string) { m.set(methodLine, text, en, zh) }
	set(strings.ToLower(method), "the method was signed in lower case ("+strings.ToLower(method)+"); it is in capitals", "方法按小写（"+strings.ToLower(method)+"）签名；应当大写")
	if method != "" {
		title := method[:1] + strings.ToLower(method[1:])
		set(title, "the method was signed as "+title+"; it is in capitals", "方法按 "+title+" 签名；应当全部大写")
	}
	for _, other := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		set(other, "the method was signed as "+other+" and sent as "+method, "方法签名时为 "+other+"，发送时为 "+method)
	}
	set("", "an empty line was signed in the place of the method", "方法那一行签名时是空的")
}

// auth is about authString.
func (m *maker) auth() {
	auth, ok := m.c.get(authLine)
	if !ok {
		return
	}
	set := func(text, en, zh string) { m.set(authLine, text, en, zh) }
	const whole, wholeZH = "the whole Authorization header was signed; the first line is authString alone", "把整个 Authorization 请求头签了名；第一行只是 authString"
	set(protocol.Scheme+" "+auth, "the scheme "+protocol.Scheme+" was signed along; the first line begins with app_id", "把 "+protocol.Scheme+" 一起签了名；第一行只是 authString")
	set("Authorization: "+protocol.Scheme+" "+auth, whole, wholeZH)
	set("Authorization:"+protocol.Scheme+" "+auth, whole, wholeZH)
	set(protocol.Scheme+" "+auth+",sign=", whole, wholeZH)
	set(auth+",sign=", "authString was signed with an empty sign at its end", "authString 末尾带着空的 sign 签了名")
	set(auth+",", "authString was signed with a comma at its end", "authString 末尾多了一个逗号")

	members := membersOf(auth, ",")
	values := make(map[string]string, len(members))
	for _, member := range members {
		_, values[member.name], _ = strings.Cut(member.text, "=")
	}
	orders(members, 4, func(p []member) bool {
		set(join(p, ","), "the members of authString were signed in another order than they were sent in", "authString 成员签名时的顺序与发送时不同")
		return !m.ended
	})
	for i, member := range members {
		if i < 8 && len(members) > 1 {
			set(join(slices.Delete(slices.Clone(members), i, i+1), ","), member.name+" was sent in authString, and not signed", "authString 中的 "+member.name+" 发送了，却没有签名")
		}
	}
	if sn := m.s.r.AppCertSN; sn != "" && values["app_cert_sn"] == "" && len(members) > 0 {
		withSN := slices.Insert(slices.Clone(members), 1, member{"app_cert_sn", "app_cert_sn=" + sn})
		set(join(withSN, ","), "app_cert_sn was signed and not sent in the Authorization header", "签名包含 app_cert_sn，却没有放进 Authorization 请求头")
	}
	for _, other := range []struct{ sep, en, zh string }{{", ", "a comma and a space", "逗号加空格"}, {"&", "&", "&"}, {";", "semicolons", "分号"}, {"\n", "line feeds", "换行"}} {
		set(join(members, other.sep), "the members of authString were signed with "+other.en+" between them, and sent with commas", "authString 成员签名时用"+other.zh+"分隔，发送时用逗号")
	}
	quoted := slices.Clone(members)
	for i, member := range quoted {
		name, value, _ := strings.Cut(member.text, "=")
		quoted[i].text = name + `="` + value + `"`
	}
	set(join(quoted, ","), "the values of authString were signed in quotes, and sent without", "authString 的值签名时带引号，发送时没有")
	if timestamp := values["timestamp"]; timestamp != "" {
		changed := func(to string) string {
			return strings.Replace(auth, "timestamp="+timestamp, "timestamp="+to, 1)
		}
		if len(timestamp) == 13 {
			set(changed(timestamp[:10]), "the timestamp was signed in seconds, and sent in milliseconds", "timestamp 签名时为秒，发送时为毫秒")
		}
		if len(timestamp) == 10 {
			set(changed(timestamp+"000"), "the timestamp was signed in milliseconds, and sent in seconds", "timestamp 签名时为毫秒，发送时为秒")
		}
	}
	if nonce := values["nonce"]; nonce != "" {
		changed := func(to string) string { return strings.Replace(auth, "nonce="+nonce, "nonce="+to, 1) }
		set(changed(strings.ReplaceAll(nonce, "-", "")), "the nonce was signed without its hyphens, and sent with them", "nonce 签名时没有连字符，发送时有")
		set(changed(strings.ToUpper(nonce)), "the nonce was signed in capitals, and sent in lower case", "nonce 签名时为大写，发送时为小写")
		set(changed(strings.ToLower(nonce)), "the nonce was signed in lower case, and sent in capitals", "nonce 签名时为小写，发送时为大写")
	}
	set("", "an empty line was signed in the place of authString", "authString 那一行签名时是空的")
}

// whole is about strings to sign of other protocols.
func (m *maker) whole() {
	if !m.first {
		return
	}
	r := m.s.r
	auth := membersOf(r.AuthString, ",")
	_, query, _ := strings.Cut(r.Target, "?")
	values := make(map[string]string)
	for _, member := range auth {
		_, values[member.name], _ = strings.Cut(member.text, "=")
	}
	body := string(r.Signed)
	of := func(en, zh, sep, end string, texts ...string) {
		c := content{sep: sep, end: end}
		for _, text := range texts {
			c.lines = append(c.lines, line{otherLine, text})
		}
		m.add(c, en, zh)
	}
	const wechat, wechatZH = "the string was put together as WeChat Pay wants it (method, URL, timestamp, nonce, body); Alipay's begins with authString", "待签名字符串按微信支付的格式拼接（方法、URL、时间戳、随机串、body）；支付宝的第一行是 authString"
	of(wechat, wechatZH, "\n", "\n", r.Method, r.Target, values["timestamp"], values["nonce"], body)
	if seconds := values["timestamp"]; len(seconds) == 13 {
		of(wechat, wechatZH, "\n", "\n", r.Method, r.Target, seconds[:10], values["nonce"], body)
	}
	const apart, apartZH = "the members of authString were signed each on a line of its own; they are one line, joined by commas", "authString 的成员各占一行签名；应当用逗号连成一行"
	texts := []string{}
	for _, member := range auth {
		texts = append(texts, member.text)
	}
	of(apart, apartZH, "\n", "\n", append(texts, r.Method, r.Target, body)...)

	const old, oldZH = "the string was put together as the old gateway (gateway.do) wants it, sorted parameters joined by &; v3 signs authString, method, path with query and body, a line each", "待签名字符串按旧版网关（gateway.do）的方式拼接（排序后用 & 连接）；v3 依次签 authString、方法、带查询参数的路径、body，每项一行"
	oldContent := func(members []member) string {
		return join(sorted(slices.DeleteFunc(slices.Clone(members), func(p member) bool { return p.text == p.name+"=" })), "&")
	}
	parameters := membersOf(query, "&")
	var plain []member
	for _, p := range parameters {
		name, value, _ := strings.Cut(p.text, "=")
		if decoded, err := url.QueryUnescape(value); err == nil {
			plain = append(plain, member{name, name + "=" + decoded})
		}
	}
	biz := []member{}
	if body != "" {
		biz = append(biz, member{"biz_content", "biz_content=" + body})
	}
	for _, list := range [][]member{
		parameters, plain, slices.Concat(auth, parameters), slices.Concat(auth, plain),
		biz, slices.Concat(auth, biz), slices.Concat(plain, biz), slices.Concat(auth, plain, biz),
	} {
		if len(list) > 0 {
			of(old, oldZH, "", "", oldContent(list))
		}
	}
	of("the string was signed after it had been decoded", "待签名字符串在签名前被 URL 解码", "", "", unescaped(string(r.stringToSign())))
	of("the string was signed percent-encoded as a whole", "待签名字符串整体做了 URL 编码后签名", "", "", url.QueryEscape(string(r.stringToSign())))
	of("the string was signed in lower case as a whole", "待签名字符串整体转成小写后签名", "", "", strings.ToLower(string(r.stringToSign())))
	of("an empty string was signed", "签的是空字符串", "", "")
}

func unescaped(text string) string {
	plain, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return plain
}

// searches are single mistakes with many possible values.
func (s *search) searches(c content) *found {
	auth, ok := c.get(authLine)
	if !ok || len(s.r.Signed) > maxBody {
		return nil
	}
	for _, member := range membersOf(auth, ",") {
		_, value, _ := strings.Cut(member.text, "=")
		sent, err := strconv.ParseInt(value, 10, 64)
		if member.name != "timestamp" || err != nil {
			continue
		}
		const reach = 3000
		for by := int64(1); by <= reach; by++ {
			for _, at := range []int64{sent - by, sent + by} {
				changed := strings.Replace(auth, "timestamp="+value, "timestamp="+strconv.FormatInt(at, 10), 1)
				if f, ok := s.check(c.with(authLine, changed).bytes(), phrase{}, false); ok {
					f.phrase = phrase{
						fmt.Sprintf("timestamp was signed as %d and sent as %d: take the time once, and use it in both places", at, sent),
						fmt.Sprintf("timestamp 签名时为 %d，发送时为 %d：时间只取一次，两处用同一个值", at, sent),
					}
					return &f
				}
			}
		}
	}
	return nil
}
