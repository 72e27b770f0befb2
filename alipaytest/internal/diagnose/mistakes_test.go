package diagnose

import (
	"crypto"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

const (
	auth   = "app_id=1,nonce=n,timestamp=1700000000000"
	target = "/v3/a?b=1&c=%20"
	aesKey = "AAECAwQFBgcICQoLDA0ODw=="
)

// searchFor begins a search for the string that was signed.
func searchFor(r Request, signed string) *search {
	sum := sha256.Sum256([]byte(signed))
	return &search{r: &r, digest: digest{hash: crypto.SHA256, sum: sum[:]}, hashed: maxHashed, compared: maxCompared}
}

// lines is a string to sign.
func lines(texts ...string) string { return strings.Join(texts, "\n") + "\n" }

func get(target string) Request {
	r := request()
	r.Target = target
	return r
}

func post(body string) Request {
	r := get("/v3/a")
	r.Method, r.Body, r.Signed = "POST", []byte(body), []byte(body)
	return r
}

func as(method string) Request {
	r := request()
	r.Method = method
	return r
}

func authorized(auth string) Request {
	r := request()
	r.AuthString = auth
	return r
}

func withToken() Request {
	r := request()
	r.AppAuthToken = "token"
	return r
}

func with(r Request, change func(*Request)) Request {
	change(&r)
	return r
}

// unusual holds, percent-encoded throughout, what encoders treat differently.
const unusual = "/v3/a?flag&b=" +
	"%30%39%61%7A%41%5A%20%2D%2E%5F%7E%2A%21%27%28%29%3B%2C%2F%3F%3A%40%26%3D%2B%24%23%5B%60%7B%0A%C3%A9"

// numbered is so many parameters or members, without the one of that number.
func numbered(count, without int, sep string) string {
	var all []string
	for i := range count {
		if i != without {
			all = append(all, fmt.Sprintf("p%c=%d", 'a'+i, i))
		}
	}
	return strings.Join(all, sep)
}

func TestMistakesAreNamed(t *testing.T) {
	head := lines(auth, "POST", "/v3/a")
	noClock := func(r *Request) { r.AuthString = "a=1" }
	long, longer := post(strings.Repeat("x", maxBody)), post(strings.Repeat("x", maxBody+1))
	for _, tc := range []struct {
		r            Request
		signed, says string
	}{
		// Line feeds and the order of the lines.
		{request(), lines(auth, "GET", target), "a line feed is missing at the end"},
		{request(), lines(auth, "GET", target, "", ""), "a line feed too many at the end"},
		{post("x"), head + "x", "the line feed behind the last line is missing"},
		{post("x\n"), head + "x\n", "the body was signed without a line feed at the end and sent with one"},
		{request(), strings.ReplaceAll(lines(auth, "GET", target, ""), "\n", "\r\n"), "ended by CR LF; "},
		{post("x"), strings.ReplaceAll(head, "\n", "\r\n") + "x", "ended by CR LF, and the last one by nothing"},
		{request(), strings.ReplaceAll(lines(auth, "GET", target, ""), "\n", `\n`), "ended by a backslash and the letter n"},
		{post("x"), strings.ReplaceAll(head, "\n", `\n`) + "x", "joined by a backslash and the letter n"},
		{request(), auth + "GET" + target, "joined without line feeds"},
		{request(), auth + "&GET&" + target + "&", "joined by &"},
		{request(), auth + ",GET," + target + ",", "joined by commas"},
		{request(), auth + " GET " + target + " ", "joined by spaces"},
		{request(), "\n" + lines(auth, "GET", target, ""), "begins with a line feed"},
		{request(), "\ufeff" + lines(auth, "GET", target, ""), "begins with a byte order mark"},
		{request(), "\n" + strings.ReplaceAll(lines(auth, "GET", target, ""), "\n", "\r\n"), ""},
		{request(), "\ufeff" + lines(auth, "GET", target, "", ""), ""},
		{withToken(), lines(auth, "GET", target, "token"), "the empty line of the missing body was left out"},
		{request(), lines("GET", target, auth, ""), "authString was signed behind method and path"},
		{request(), lines("GET", target, "", auth), "authString was signed at the end"},
		{request(), lines(auth, target, "GET", ""), "path and method were signed in each other's place"},
		{request(), lines("GET", target, ""), "authString, the first line, is missing"},
		{request(), lines(auth, target, ""), "the line with the method is missing"},
		{request(), lines(auth, "GET", ""), "the line with path and query is missing"},
		{post("x"), head, "the line of the body is missing"},
		{post("x"), "x\n", "only the body was signed"},
		{request(), auth + "\n", "only authString was signed"},
		{request(), auth, "only authString was signed"},

		// Path, host and prefix.
		{request(), lines(auth, "GET", "/v3/a", ""), "the query was not signed: "},
		{request(), lines(auth, "GET", "/v3/a?", ""), "only the ? in front of it"},
		{request(), lines(auth, "GET", "b=1&c=%20", ""), "only the query was signed"},
		{request(), lines(auth, "GET", "/v3/a/?b=1&c=%20", ""), "a slash stands between path and query"},
		{get("/v3/a"), lines(auth, "GET", "/v3/a?", ""), "a ? was signed behind the path, and not sent"},
		{post("x"), lines(auth, "POST", "/v3/a?x", "x"), "the body was signed as the query"},
		{post("x"), lines(auth, "POST", "/v3/a?x", ""), "the body was signed as the query, in place of the body"},
		{request(), lines(auth, "GET", "/v3/a", "b=1&c=%20"), "the query was signed as the body"},
		{request(), lines(auth, "GET", target, "b=1&c=%20"), "the query was signed twice"},
		{request(), lines(auth, "GET", "/v3/a", "b=1&c= "), "the decoded query was signed as the body"},
		{request(), lines(auth, "GET", "/v3/a", `{"b":"1","c":" "}`), "the parameters were signed as a JSON body"},
		{request(), lines(auth, "GET", "/proxy"+target, ""), "path prefix of the base URL (/proxy)"},
		{request(), lines(auth, "GET", "http://127.0.0.1:80/proxy"+target, ""), "scheme and host (http://127.0.0.1:80)"},
		{request(), lines(auth, "GET", "https://127.0.0.1/proxy"+target, ""), "scheme and host (https://127.0.0.1)"},
		{request(), lines(auth, "GET", "https://openapi-sandbox.dl.alipaydev.com/proxy"+target, ""), "scheme and host (https://openapi-sandbox.dl.alipaydev.com)"},
		{with(request(), func(r *Request) { r.Host, r.Prefix = "", "" }), lines(auth, "GET", "https://openapi.alipay.com"+target, ""), "scheme and host (https://openapi.alipay.com)"},
		{request(), lines(auth, "GET", "127.0.0.1/proxy"+target, ""), "the host (127.0.0.1) was signed along"},
		{request(), lines(auth, "GET", "openapi.alipay.com/proxy"+target, ""), "the host (openapi.alipay.com) was signed along"},
		{request(), lines(auth, "GET", "v3/a?b=1&c=%20", ""), "the slash that the path begins with"},
		{request(), lines(auth, "GET", "/"+target, ""), "a second slash stands at the beginning"},
		{get("/v3/a/"), lines(auth, "GET", "/v3/a", ""), "the slash at the end of the path was sent"},
		{get("/v3/a"), lines(auth, "GET", "/v3/a/", ""), "a slash was signed at the end of the path"},
		{request(), lines(auth, "GET", "/a?b=1&c=%20", ""), "/v3 was left out"},
		{get("/v3/%E8%8C%B6?b=1"), lines(auth, "GET", "/v3/茶?b=1", ""), "the path was signed decoded"},
		{get("/v3/A"), lines(auth, "GET", "/v3/a", ""), "the path was signed in lower case"},
		{get("/p1/p2/p3/p4/v3/a"), lines(auth, "GET", "/v3/a", ""), "the path begins with /p1/p2/p3/p4, which was not signed"},
		{get("/p1/p2/p3/p4/p5/v3/a"), lines(auth, "GET", "/v3/a", ""), ""},
		{get("/p1/v3"), lines(auth, "GET", "/v3", ""), ""},

		// Parameters.
		{get("/v3/a?b=x+y+z"), lines(auth, "GET", "/v3/a?b=x%20y%20z", ""), "a space was signed as %20 and sent as +"},
		{get("/v3/a?b=x%20y%20z"), lines(auth, "GET", "/v3/a?b=x+y+z", ""), "a space was signed as + and sent as %20"},
		{request(), lines(auth, "GET", "/v3/a?b=1&c= ", ""), "the query was signed decoded"},
		{get("/v3/a?b=%E5%BCA%AB"), lines(auth, "GET", "/v3/a?b=%e5%bcA%ab", ""), "its percent-encoding in lower case"},
		{get("/v3/A?b=X"), lines(auth, "GET", "/v3/a?b=x", ""), "path and query were signed in lower case"},
		{get("/v3/a?b=%E"), lines(auth, "GET", "/v3/a?b=%e", ""), "path and query were signed in lower case"},
		{request(), lines(auth, "GET", "/v3/a?b=1&amp;c=%20", ""), "as &amp;"},
		{request(), lines(auth, "GET", "/v3/a?b=1&c=%2520", ""), "encoded twice"},
		{get(unusual), lines(auth, "GET", "/v3/a?flag&b=09azAZ%20-._~%2A%21%27%28%29%3B%2C%2F%3F%3A%40%26%3D%2B%24%23%5B%60%7B%0A%C3%A9", ""), "as RFC 3986 says"},
		{get(unusual), lines(auth, "GET", "/v3/a?flag&b=09azAZ+-._~%2A%21%27%28%29%3B%2C%2F%3F%3A%40%26%3D%2B%24%23%5B%60%7B%0A%C3%A9", ""), "as a form"},
		{get(unusual), lines(auth, "GET", "/v3/a?flag&b=09azAZ+-._%7E*%21%27%28%29%3B%2C%2F%3F%3A%40%26%3D%2B%24%23%5B%60%7B%0A%C3%A9", ""), "as Java's URLEncoder does"},
		{get(unusual), lines(auth, "GET", "/v3/a?flag&b=09azAZ%20-._~*!'()%3B%2C%2F%3F%3A%40%26%3D%2B%24%23%5B%60%7B%0A%C3%A9", ""), "as JavaScript's encodeURIComponent does"},
		{get(unusual), lines(auth, "GET", "/v3/a?flag&b=09azAZ%20-._~*!'();,/?:@&=+$#%5B%60%7B%0A%C3%A9", ""), "as JavaScript's encodeURI does"},
		{get(unusual), lines(auth, "GET", "/v3/a?flag&b=09azAZ%20-._~%2A%21%27%28%29%3B%2C/%3F%3A%40%26%3D%2B%24%23%5B%60%7B%0A%C3%A9", ""), "as Python's quote does"},
		{get(unusual), lines(auth, "GET", "/v3/a?flag&b=09azAZ%20-._~%2A%21%27%28%29%3B%2C/%3F:%40%26%3D%2B%24%23%5B%60%7B%0A%C3%A9", ""), "with a colon and a slash left as they are"},
		{get("/v3/a?c=3&b=2&a=1"), lines(auth, "GET", "/v3/a?a=1&b=2&c=3", ""), "the parameters were signed sorted by name"},
		{get("/v3/a?e=5&d=4&c=3&b=2&a=1"), lines(auth, "GET", "/v3/a?b=2&a=1&d=4&e=5&c=3", ""), "the parameters were signed in another order"},
		{get("/v3/a?f=6&e=5&d=4&c=3&b=2&a=1"), lines(auth, "GET", "/v3/a?b=2&a=1&d=4&e=5&c=3&f=6", ""), ""},
		{get("/v3/a?b&c=&d=1"), lines(auth, "GET", "/v3/a?d=1", ""), "parameters without a value were sent, and not signed"},
		{get("/v3/a?" + numbered(13, -1, "&")), lines(auth, "GET", "/v3/a?"+numbered(13, 11, "&"), ""), "the parameter pl was sent, and not signed"},
		{get("/v3/a?" + numbered(13, -1, "&")), lines(auth, "GET", "/v3/a?"+numbered(13, 12, "&"), ""), ""},
		{get("/v3/a?c=1"), lines(auth, "GET", "/v3/a?b=&c=1&d=", ""), "were signed too, with nothing as their value"},
		{get("/v3/a?c=1&x=2"), lines(auth, "GET", "/v3/a?c=1&x=2&b=&d=", ""), "were signed too, with nothing as their value"},
		{get("/v3/a?b=1"), lines(auth, "GET", "/v3/a?b=1&c=null&d=null", ""), "were signed too, with the word null as their value"},
		{request(), lines(auth, "GET", target+"&d=undefined", ""), "were signed too, with the word undefined as their value"},
		{request(), lines(auth, "GET", target+"&d=None", ""), "were signed too, with the word None as their value"},

		// The body.
		{request(), lines(auth, "GET", target, "null"), "null was signed in the place of the body"},
		{request(), lines(auth, "GET", target, "{}"), "{} was signed in the place of the body"},
		{request(), lines(auth, "GET", target, "undefined"), "undefined was signed in the place of the body"},
		{request(), lines(auth, "GET", target, "None"), "None was signed in the place of the body"},
		{request(), lines(auth, "GET", target, `""`), `"" was signed in the place of the body`},
		{request(), lines(auth, "GET", target, "[]"), "[] was signed in the place of the body"},
		{post("x"), head + "\n", "the body was not signed, only an empty line"},
		{post(`{"a":1,"b":2,"c":3}`), head + `{"b":2,"a":1,"c":3}` + "\n", "the members of the JSON body were signed in another order"},
		{post("x"), head + "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n", "the SHA-256 of the body was signed in its place; "},
		{post("x"), head + "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=\n", "the SHA-256 of the body was signed in its place (base64)"},
		{post("x"), head + "9dd4e461268c8034f5c8564e155c67a6\n", "the MD5 of the body was signed"},
		{request(), lines(auth, "GET", target, "d41d8cd98f00b204e9800998ecf8427e"), ""},
		{post("x"), head + "eA==\n", "the base64 of the body was signed"},
		{post("x"), head + "biz_content=x\n", "as the parameter biz_content"},
		{post("x/"), head + "x%2F\n", "the body was signed percent-encoded"},
		{post("x%2F"), head + "x/\n", "the body was signed decoded, and sent percent-encoded"},
		{with(long, noClock), "a=1\r\nPOST\r\n/v3/a\r\nbiz_content=" + string(long.Body) + "\r\n", "ended by CR LF; a single line feed (\\n) is right, on Windows too; and the body was signed as"},
		{with(longer, noClock), "a=1\r\nPOST\r\n/v3/a\r\nbiz_content=" + string(longer.Body) + "\r\n", "as on the old gateway; and its lines were ended by CR LF"},

		// The app auth token.
		{withToken(), lines(auth, "GET", target, ""), "the app auth token was sent (alipay-app-auth-token), and not signed"},
		{withToken(), lines(auth, "GET", target, "", ""), "an empty line was signed in the place of the app auth token"},
		{withToken(), lines(auth, "GET", target, "token", ""), "the app auth token was signed in front of the body"},
		{withToken(), lines(auth, "token", "GET", target, ""), "the app auth token was signed behind authString"},
		{withToken(), lines(auth, "GET", target, "", "app_auth_token=token"), "with its name (app_auth_token=)"},
		{withToken(), lines(auth, "GET", target, "", "alipay-app-auth-token:token"), "with its name (alipay-app-auth-token:)"},
		{withToken(), lines(auth, "GET", target, "", "alipay-app-auth-token: token"), "with its name (alipay-app-auth-token: )"},
		{with(request(), func(r *Request) { r.OtherTokens = []string{"x", "y"} }), lines(auth, "GET", target, "", "y"), "an app auth token was signed that is not sent as the header"},
		{request(), lines(auth, "GET", target, "", "null"), "the word null was signed as the app auth token"},
		{request(), lines(auth, "GET", target, "", "undefined"), "the word undefined was signed as the app auth token"},
		{request(), lines(auth, "GET", target, "", "None"), "the word None was signed as the app auth token"},

		// The method.
		{request(), lines(auth, "get", target, ""), "the method was signed in lower case (get)"},
		{request(), lines(auth, "Get", target, ""), "the method was signed as Get; it is in capitals"},
		{as("G"), lines(auth, "g", target, ""), "the method was signed in lower case (g)"},
		{as("HEAD"), lines(auth, "GET", target, ""), "signed as GET and sent as HEAD"},
		{as("HEAD"), lines(auth, "POST", target, ""), "signed as POST and sent as HEAD"},
		{as("HEAD"), lines(auth, "PUT", target, ""), "signed as PUT and sent as HEAD"},
		{as("HEAD"), lines(auth, "PATCH", target, ""), "signed as PATCH and sent as HEAD"},
		{as("HEAD"), lines(auth, "DELETE", target, ""), "signed as DELETE and sent as HEAD"},
		{request(), lines(auth, "", target, ""), "an empty line was signed in the place of the method"},

		// authString.
		{request(), lines(protocol.Scheme+" "+auth, "GET", target, ""), "the scheme ALIPAY-SHA256withRSA was signed along"},
		{request(), lines("Authorization: "+protocol.Scheme+" "+auth, "GET", target, ""), "the whole Authorization header"},
		{request(), lines("Authorization:"+protocol.Scheme+" "+auth, "GET", target, ""), "the whole Authorization header"},
		{request(), lines(protocol.Scheme+" "+auth+",sign=", "GET", target, ""), "the whole Authorization header"},
		{request(), lines(auth+",sign=", "GET", target, ""), "an empty sign at its end"},
		{request(), lines(auth+",", "GET", target, ""), "a comma at its end"},
		{authorized("a=1,b=2,c=3,d=4"), lines("b=2,d=4,a=1,c=3", "GET", target, ""), "the members of authString were signed in another order"},
		{authorized("a=1,b=2,c=3,d=4,e=5"), lines("b=2,d=4,a=1,c=3,e=5", "GET", target, ""), ""},
		{authorized(numbered(9, -1, ",")), lines(numbered(9, 7, ","), "GET", target, ""), "ph was sent in authString, and not signed"},
		{authorized(numbered(9, -1, ",")), lines(numbered(9, 8, ","), "GET", target, ""), ""},
		{authorized("a=1,b=2"), lines("a=1", "GET", target, ""), "b was sent in authString, and not signed"},
		{request(), lines("app_id=1,app_cert_sn=0123456789abcdef0123456789abcdef,nonce=n,timestamp=1700000000000", "GET", target, ""), "app_cert_sn was signed and not sent"},
		{authorized("app_id=1"), lines("app_id=1,app_cert_sn=0123456789abcdef0123456789abcdef", "GET", target, ""), "app_cert_sn was signed and not sent"},
		{authorized("app_id=1,app_cert_sn=s"), lines("app_id=1,app_cert_sn=0123456789abcdef0123456789abcdef,app_cert_sn=s", "GET", target, ""), ""},
		{request(), lines(strings.ReplaceAll(auth, ",", ", "), "GET", target, ""), "with a comma and a space between them"},
		{request(), lines(strings.ReplaceAll(auth, ",", "&"), "GET", target, ""), "with & between them"},
		{request(), lines(strings.ReplaceAll(auth, ",", ";"), "GET", target, ""), "with semicolons between them"},
		{request(), lines(strings.ReplaceAll(auth, ",", "\n"), "GET", target, ""), "with line feeds between them"},
		{request(), lines(`app_id="1",nonce="n",timestamp="1700000000000"`, "GET", target, ""), "in quotes, and sent without"},
		{request(), lines("app_id=1,nonce=n,timestamp=1700000000", "GET", target, ""), "the timestamp was signed in seconds, and sent in milliseconds"},
		{authorized("timestamp=1700000000"), lines("timestamp=1700000000000", "GET", target, ""), "the timestamp was signed in milliseconds, and sent in seconds"},
		{authorized("timestamp=17000000000"), lines("timestamp=1700000000", "GET", target, ""), ""},
		{authorized("nonce=a-b-C"), lines("nonce=abC", "GET", target, ""), "the nonce was signed without its hyphens"},
		{authorized("nonce=a-b-C"), lines("nonce=A-B-C", "GET", target, ""), "the nonce was signed in capitals"},
		{authorized("nonce=a-b-C"), lines("nonce=a-b-c", "GET", target, ""), "the nonce was signed in lower case"},
		{request(), lines("", "GET", target, ""), "an empty line was signed in the place of authString"},
		{authorized("app_id=1"), lines("", "GET", target, ""), "an empty line was signed in the place of authString"},

		// Other protocols, and the string as a whole.
		{request(), lines("GET", target, "1700000000000", "n", ""), "as WeChat Pay wants it"},
		{request(), lines("GET", target, "1700000000", "n", ""), "as WeChat Pay wants it"},
		{withToken(), lines("app_id=1", "nonce=n", "timestamp=1700000000000", "GET", target, ""), "the members of authString were signed each on a line of its own"},
		{get("/v3/a?c=%20&b=1&d="), "b=1&c=%20", "as the old gateway (gateway.do) wants it"},
		{get("/v3/a?c=%20&b=1&d="), "b=1&c= ", "as the old gateway (gateway.do) wants it"},
		{get("/v3/a?c=%20&b=1&d="), "app_id=1&b=1&c=%20&nonce=n&timestamp=1700000000000", "as the old gateway (gateway.do) wants it"},
		{get("/v3/a?c=%20&b=1&d="), "app_id=1&b=1&c= &nonce=n&timestamp=1700000000000", "as the old gateway (gateway.do) wants it"},
		{post("x"), "biz_content=x", "as the old gateway (gateway.do) wants it"},
		{post("x"), "app_id=1&biz_content=x&nonce=n&timestamp=1700000000000", "as the old gateway (gateway.do) wants it"},
		{with(post("x"), func(r *Request) { r.Target = "/v3/a?c=%20" }), "biz_content=x&c= ", "as the old gateway (gateway.do) wants it"},
		{with(post("x"), func(r *Request) { r.Target = "/v3/a?c=%20" }), "app_id=1&biz_content=x&c= &nonce=n&timestamp=1700000000000", "as the old gateway (gateway.do) wants it"},
		{with(post("x%20y"), func(r *Request) { r.Target = "/v3/a?c=%20" }), lines(auth, "POST", "/v3/a?c= ", "x y"), "after it had been decoded"},
		{get("/v3/a"), "app_id%3D1%2Cnonce%3Dn%2Ctimestamp%3D1700000000000%0AGET%0A%2Fv3%2Fa%0A%0A", "percent-encoded as a whole"},
		{post("X"), strings.ToLower(head + "X\n"), "in lower case as a whole"},
		{get("/v3/a"), "", "an empty string was signed"},
		{get("/v3/a?b=%zz"), "", "an empty string was signed"},
		{request(), strings.ToUpper(lines(auth, "GET", target, "")), ""},

		// A clock that is read twice.
		{request(), lines("app_id=1,nonce=n,timestamp=1699999997000", "GET", target, ""), "timestamp was signed as 1699999997000 and sent as 1700000000000"},
		{request(), lines("app_id=1,nonce=n,timestamp=1700000003000", "GET", target, ""), "timestamp was signed as 1700000003000 and sent as 1700000000000"},
		{request(), lines("app_id=1,nonce=n,timestamp=1699999996999", "GET", target, ""), ""},
		{request(), lines("app_id=1,nonce=n,timestamp=1700000003001", "GET", target, ""), ""},
		{long, lines("app_id=1,nonce=n,timestamp=1700000000001", "POST", "/v3/a", string(long.Body)), "timestamp was signed as 1700000000001"},
		{longer, lines("app_id=1,nonce=n,timestamp=1700000000001", "POST", "/v3/a", string(longer.Body)), ""},
	} {
		f, ok := searchFor(tc.r, tc.signed).find()
		if tc.says == "" {
			assert.False(t, ok, "%.300q: %s", tc.signed, f.en)
			continue
		}
		assert.Contains(t, f.en, tc.says, "%.300q", tc.signed)
		assert.NotEmpty(t, f.zh, tc.says)
		assert.Equal(t, tc.signed, string(f.content), tc.says)
	}
}

func TestEncryptionInTheWrongOrderIsNamed(t *testing.T) {
	cipher, err := aescbc.New(aesKey)
	assert.NoError(t, err)
	encrypted := string(cipher.Encrypt([]byte("x")))
	for _, tc := range []struct{ sent, signed, says string }{
		{encrypted, "x", "the plain text was signed, and its ciphertext sent"},
		{"x", encrypted, "the ciphertext was signed, and the plain text sent"},
	} {
		s := searchFor(post(tc.sent), lines(auth, "POST", "/v3/a", tc.signed))
		s.cipher = cipher
		f, _ := s.find()
		assert.Contains(t, f.en, tc.says)
	}
}

func TestARequestThatLacksEverythingIsSearched(t *testing.T) {
	for _, target := range []string{"", "/", "?", "/v3/a?b=%E", "%"} {
		for _, method := range []string{"", "G"} {
			r := Request{Target: target, Method: method, AppCertSN: "s", Parameters: []string{"b"}}
			_, ok := searchFor(r, "something else").find()
			assert.False(t, ok)
		}
	}
}
