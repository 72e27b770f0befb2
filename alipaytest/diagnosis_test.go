package alipaytest

import (
	"crypto"
	"crypto/fips140"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/certs"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// handmade is a client as people write it from the platform's pages. Each of its
// parts can be got wrong.
type handmade struct {
	method, path, query, body, token string

	appID, appCertSN, rootCertSN, nonce, timestamp string

	auth    func(h *handmade) string // authString as sent
	signed  func(h *handmade) string // the string to sign
	digest  func(text string) []byte // the signature's bytes
	encode  func(raw []byte) string  // sign
	header  func(h *handmade, authString, sign string) string
	headers map[string]string
}

// newHandmade is a client without a mistake.
func newHandmade() *handmade {
	return &handmade{
		method: http.MethodGet, path: jobworthPath, query: "once_token=t+1&user_id=2088&query_type=exact",
		appID: AppID, nonce: protocol.NewID(), timestamp: fmt.Sprint(time.Now().UnixMilli()),
		auth: func(h *handmade) string {
			sn := ""
			if h.appCertSN != "" {
				sn = ",app_cert_sn=" + h.appCertSN
			}
			return "app_id=" + h.appID + sn + ",nonce=" + h.nonce + ",timestamp=" + h.timestamp
		},
		signed: func(h *handmade) string { return h.lines(h.auth(h), h.method, h.target(), h.body) },
		digest: func(text string) []byte { return pkcs1(keys().app, crypto.SHA256, []byte(text)) },
		encode: base64.StdEncoding.EncodeToString,
		header: func(_ *handmade, authString, sign string) string {
			return "ALIPAY-SHA256withRSA " + authString + ",sign=" + sign
		},
	}
}

func pkcs1(key *rsa.PrivateKey, hash crypto.Hash, text []byte) []byte {
	var signature []byte
	fips140.WithoutEnforcement(func() { // with SHA-1, as in a mistake that is made
		h := hash.New()
		h.Write(text)
		signature = must(rsa.SignPKCS1v15(nil, key, hash, h.Sum(nil)))
	})
	return signature
}

func (h *handmade) target() string {
	if h.query == "" {
		return h.path
	}
	return h.path + "?" + h.query
}

func (h *handmade) lines(texts ...string) string {
	if h.token != "" {
		texts = append(texts, h.token)
	}
	return strings.Join(texts, "\n") + "\n"
}

// send sends it and returns what the gateway received.
func (h *handmade) send(t testing.TB, g *Gateway) ReceivedRequest {
	t.Helper()
	header := h.header(h, h.auth(h), h.encode(h.digest(h.signed(h))))
	request, err := http.NewRequest(h.method, g.BaseURL()+h.target(), strings.NewReader(h.body))
	require.NoError(t, err)
	if h.body == "" {
		request.Body = http.NoBody
	} else {
		request.Header.Set("Content-Type", "application/json")
	}
	if header != "" {
		request.Header.Set("Authorization", header)
	}
	if h.rootCertSN != "" {
		request.Header.Set("alipay-root-cert-sn", h.rootCertSN)
	}
	if h.token != "" {
		request.Header.Set("alipay-app-auth-token", h.token)
	}
	for name, value := range h.headers {
		request.Header.Set(name, value)
	}
	response, err := g.HTTPClient().Do(request)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	requests := g.Requests()
	return requests[len(requests)-1]
}

func (h *handmade) post(body string) {
	h.method, h.path, h.query, h.body = http.MethodPost, "/v3/test/echo", "", body
}

// uploadData is what is signed of an upload.
const uploadData = `{"name":"茶"}`

func (h *handmade) upload() {
	h.post("--b\r\nContent-Disposition: form-data; name=\"data\"\r\nContent-Type: application/json\r\n\r\n" + uploadData +
		"\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nfile\r\n--b--\r\n")
	h.headers = map[string]string{"Content-Type": "multipart/form-data; boundary=b"}
	h.signed = func(h *handmade) string { return h.lines(h.auth(h), h.method, h.target(), uploadData) }
}

func (h *handmade) certMode() { h.appCertSN, h.rootCertSN = keys().appSN, keys().rootSN }

// signs makes it sign what change makes of the right string.
func (h *handmade) signs(change func(right string) string) {
	right := h.signed
	h.signed = func(h *handmade) string { return change(right(h)) }
}

// replaced signs new in the place of old.
func (h *handmade) replaced(old, new string) {
	h.signs(func(right string) string {
		if !strings.Contains(right, old) {
			panic("nothing to replace: " + old)
		}
		return strings.Replace(right, old, new, 1)
	})
}

const (
	body     = `{"out_no":"a-1","subject":"<茶> & 咖啡/1","count":2}`
	proxied  = "/proxy"
	aesKey   = "AAECAwQFBgcICQoLDA0ODw=="
	sentence = "The application's private key signed this, but "
)

// The mistakes of a hand-written client, and what the gateway says about each.
// Where one is known from other SDKs, or from what their users met, seen says
// where.
var mistakes = []struct {
	seen string
	make func(h *handmade)
	says string
}{
	// The key.
	{seen: "application keys mixed up with Alipay's: the commonest of all (fzlee/alipay#21, fym201/alipay-node-sdk#18, yansongda/pay#276)",
		make: func(h *handmade) {
			h.digest = func(text string) []byte { return pkcs1(keys().alipay, crypto.SHA256, []byte(text)) }
		}, says: "signed with Alipay's own test key, not with the application's private key"},
	{seen: "a key pair made anew, the public half not uploaded (alipay-sdk-java-all#30)",
		make: func(h *handmade) {
			h.digest = func(text string) []byte {
				return pkcs1(must(rsa.GenerateKey(rand.Reader, 2048)), crypto.SHA256, []byte(text))
			}
		}, says: "it comes from another RSA key; check that the private key and the public key uploaded in the console"},
	{seen: "an old RSA key of 1024 bits",
		make: func(h *handmade) {
			h.digest = func(text string) []byte { return make([]byte, 128) }
		}, says: "as an RSA key of 1024 bits gives"},
	{seen: "HMAC, as other payment APIs have it",
		make: func(h *handmade) {
			h.digest = func(text string) []byte { sum := sha256.Sum256([]byte(text)); return sum[:] }
		}, says: "as a plain hash or an HMAC has"},

	// The algorithm.
	{seen: "sign type RSA instead of RSA2 (Yurunsoft/PaySDK#28)",
		make: func(h *handmade) {
			h.digest = func(text string) []byte { return pkcs1(keys().app, crypto.SHA1, []byte(text)) }
		}, says: "with SHA-1 (SHA1withRSA, sign type RSA)"},
	{seen: "privateEncrypt of the digest, in Node and PHP",
		make: func(h *handmade) {
			h.digest = func(text string) []byte {
				sum := sha256.Sum256([]byte(text))
				var signature []byte
				fips140.WithoutEnforcement(func() { signature = must(rsa.SignPKCS1v15(nil, keys().app, 0, sum[:])) })
				return signature
			}
		}, says: "without the DigestInfo that names SHA-256"},
	{seen: "PSS, which Web Crypto and .NET offer beside PKCS #1",
		make: func(h *handmade) {
			h.digest = func(text string) []byte {
				sum := sha256.Sum256([]byte(text))
				return must(rsa.SignPSS(rand.Reader, keys().app, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 32}))
			}
		}, says: "the padding is PSS"},
	{seen: "a digest given to a function that hashes",
		make: func(h *handmade) {
			h.digest = func(text string) []byte {
				sum := sha256.Sum256([]byte(text))
				return pkcs1(keys().app, crypto.SHA256, sum[:])
			}
		}, says: "the digest was hashed once more"},
	{seen: "hexdigest() signed, in Python",
		make: func(h *handmade) {
			h.digest = func(text string) []byte {
				sum := sha256.Sum256([]byte(text))
				return pkcs1(keys().app, crypto.SHA256, []byte(hex.EncodeToString(sum[:])))
			}
		}, says: "the hexadecimal text of the digest was signed"},

	// The signature's form.
	{seen: "URL-safe base64, Go's and Java's other encoder",
		make: func(h *handmade) { h.encode = base64.URLEncoding.EncodeToString }, says: "sign is URL-safe base64"},
	{seen: "hexadecimal instead of base64",
		make: func(h *handmade) { h.encode = hex.EncodeToString }, says: "sign is hexadecimal"},
	{seen: "base64 of the hexadecimal text",
		make: func(h *handmade) {
			h.encode = func(raw []byte) string { return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(raw))) }
		}, says: "sign is the base64 of hexadecimal text"},
	{seen: "sign percent-encoded, as the old gateway's parameters are",
		make: func(h *handmade) {
			h.encode = func(raw []byte) string { return url.QueryEscape(base64.StdEncoding.EncodeToString(raw)) }
		}, says: "sign is percent-encoded"},
	{seen: "a + that a form decoder made a space (yansongda/pay#681)",
		make: func(h *handmade) {
			h.encode = func(raw []byte) string { return strings.ReplaceAll(base64.StdEncoding.EncodeToString(raw), "+", " ") }
		}, says: "the + of the base64 in sign became spaces"},
	{seen: "an asynchronous signing function that was not awaited, in Node",
		make: func(h *handmade) { h.encode = func([]byte) string { return "[object Promise]" } }, says: "sign is the word [object Promise]"},
	{seen: "bytes put into a string, in Python 3",
		make: func(h *handmade) {
			h.encode = func(raw []byte) string { return "b'" + base64.StdEncoding.EncodeToString(raw) + "'" }
		}, says: "sign is the Python form of bytes"},
	{seen: "CryptoAPI's order of bytes, on Windows",
		make: func(h *handmade) {
			h.encode = func(raw []byte) string {
				for i, j := 0, len(raw)-1; i < j; i, j = i+1, j-1 {
					raw[i], raw[j] = raw[j], raw[i]
				}
				return base64.StdEncoding.EncodeToString(raw)
			}
		}, says: "the bytes of the signature are in reverse order"},

	// The layout of the string to sign.
	{seen: "the empty line of the missing body forgotten",
		make: func(h *handmade) { h.signs(func(s string) string { return strings.TrimSuffix(s, "\n") }) },
		says: "a line feed is missing at the end: without a body the string ends in two"},
	{seen: "lines joined, so that the last one has no line feed",
		make: func(h *handmade) {
			h.post(body)
			h.signs(func(s string) string { return strings.TrimSuffix(s, "\n") })
		}, says: "the line feed behind the last line is missing"},
	{seen: "a line for the app auth token that is not sent",
		make: func(h *handmade) { h.signs(func(s string) string { return s + "\n" }) }, says: "a line feed too many at the end"},
	{seen: "%n or println on Windows (binarywang/WxJava#2246)",
		make: func(h *handmade) { h.signs(func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }) }, says: "its lines were ended by CR LF"},
	{seen: `'\n' in single quotes, in PHP and shells`,
		make: func(h *handmade) { h.signs(func(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }) }, says: "its lines were ended by a backslash and the letter n"},
	{seen: "WeChat Pay's string to sign",
		make: func(h *handmade) {
			h.signed = func(h *handmade) string { return h.lines(h.method, h.target(), h.timestamp[:10], h.nonce, h.body) }
		}, says: "the string was put together as WeChat Pay wants it"},
	{seen: "the old gateway's string to sign",
		make: func(h *handmade) {
			h.signed = func(h *handmade) string {
				return "app_id=" + h.appID + "&nonce=" + h.nonce + "&once_token=t 1&query_type=exact&timestamp=" + h.timestamp + "&user_id=2088"
			}
		}, says: "the string was put together as the old gateway (gateway.do) wants it"},
	{seen: "authString forgotten", make: func(h *handmade) { h.replaced(h.auth(h)+"\n", "") }, says: "authString, the first line, is missing"},

	// Method and target.
	{seen: "the method as the HTTP library spells it (axios, easywechat)",
		make: func(h *handmade) { h.replaced("GET", "get") }, says: "the method was signed in lower case (get)"},
	{seen: "a default method signed",
		make: func(h *handmade) { h.post(body); h.replaced("POST", "GET") }, says: "the method was signed as GET and sent as POST"},
	{seen: "the parameters of a GET not signed (hpyer/node-easywechat#60)",
		make: func(h *handmade) { h.replaced("?"+h.query, "") }, says: "the query was not signed: path and query are signed as they are sent"},
	{seen: "the parameters of a GET signed as its body",
		make: func(h *handmade) { h.replaced("?"+h.query+"\n", "\n"+h.query) }, says: "the query was signed as the body"},
	{seen: "the parameters of a GET signed as a JSON body",
		make: func(h *handmade) {
			h.replaced("?"+h.query+"\n", "\n"+`{"once_token":"t 1","user_id":"2088","query_type":"exact"}`)
		}, says: "the parameters were signed as a JSON body"},
	{seen: "the whole URL signed (hpyer/node-easywechat#60)",
		make: func(h *handmade) { h.replaced("/v3/", "https://openapi.alipay.com/v3/") }, says: "scheme and host (https://openapi.alipay.com) were signed along"},
	{seen: "a space signed as %20 and sent as + (Java signs and Node sends so)",
		make: func(h *handmade) { h.replaced("t+1", "t%201") }, says: "a space was signed as %20 and sent as +"},
	{seen: "the other way round, with http_build_query and rawurlencode",
		make: func(h *handmade) { h.query = "once_token=t%201"; h.replaced("t%201", "t+1") }, says: "a space was signed as + and sent as %20"},
	{seen: "parameters signed before they were encoded (helei112g/payment#56)",
		make: func(h *handmade) {
			h.query = "once_token=%E8%8C%B6"
			h.replaced("%E8%8C%B6", "茶")
		}, says: "the query was signed decoded"},
	{seen: "percent-encoding in lower case, as older .NET writes it",
		make: func(h *handmade) {
			h.query = "once_token=%E8%8C%B6"
			h.replaced("%E8%8C%B6", "%e8%8c%b6")
		}, says: "its percent-encoding in lower case"},
	{seen: "encodeURIComponent for signing, another encoder for sending",
		make: func(h *handmade) {
			h.query = "once_token=%28a+b%29%2A"
			h.replaced("%28a+b%29%2A", "(a%20b)*")
		}, says: "as JavaScript's encodeURIComponent does"},
	{seen: "Java's URLEncoder for signing",
		make: func(h *handmade) {
			h.query = "once_token=%28a+b%29%2A~c"
			h.replaced("%28a+b%29%2A~c", "%28a+b%29*%7Ec")
		}, says: "as Java's URLEncoder does"},
	{seen: "sorted for signing, as the old gateway wants it, and sent as given",
		make: func(h *handmade) { h.replaced(h.query, "once_token=t+1&query_type=exact&user_id=2088") }, says: "the parameters were signed sorted by name"},
	{seen: "a HashMap's order, another one each time",
		make: func(h *handmade) { h.replaced(h.query, "query_type=exact&once_token=t+1&user_id=2088") }, says: "the parameters were signed in another order"},
	{seen: "empty parameters sent, and not signed (alipay-sdk-nodejs-all#48, yansongda/pay#148)",
		make: func(h *handmade) {
			h.query = "once_token=t&user_id=&open_id="
			h.replaced(h.query, "once_token=t")
		}, says: "parameters without a value were sent, and not signed"},
	{seen: "empty parameters signed, and not sent (fzlee/alipay#126)",
		make: func(h *handmade) {
			h.query = "once_token=t"
			h.replaced(h.query, "conn_key=&once_token=t&query_type=&identity_type=&service_id=&user_id=&open_id=&cert_no=&cert_type=")
		}, says: "parameters that are not sent were signed too"},
	{seen: "a parameter that something adds on the way (_=…, as jQuery does)",
		make: func(h *handmade) { h.query += "&_=1700"; h.replaced("&_=1700", "") }, says: "the parameter _ was sent, and not signed"},
	{seen: "&amp; out of HTML (fzlee/alipay#54)",
		make: func(h *handmade) { h.replaced("&", "&amp;"); h.replaced("&query_type", "&amp;query_type") }, says: "was signed as &amp;"},
	{seen: "the base URL's path signed along, behind a proxy",
		make: func(h *handmade) { h.replaced("/v3/", proxied+"/v3/") }, says: "the path prefix of the base URL (/proxy) was signed along"},

	// The body.
	{seen: "json.dumps for signing, the HTTP library's json= for sending, in Python",
		make: func(h *handmade) {
			h.post(`{"a":1,"b":"x"}`)
			h.replaced(h.body, `{"a": 1, "b": "x"}`)
		}, says: "as JSON with a space behind each comma and colon"},
	{seen: "a map that is written anew, its members sorted",
		make: func(h *handmade) {
			h.post(body)
			h.replaced(body, `{"count":2,"out_no":"a-1","subject":"<茶> & 咖啡/1"}`)
		}, says: "with its members sorted by name"},
	{seen: "Go's and Gson's escapes for HTML",
		make: func(h *handmade) {
			h.post(body)
			h.replaced(`<茶> &`, `\u003c茶\u003e \u0026`)
		}, says: `with <, > and & escaped`},
	{seen: "PHP's json_encode with and without JSON_UNESCAPED_UNICODE",
		make: func(h *handmade) {
			h.post(`{"a":"茶/"}`)
			h.replaced(`茶`, `\u8336`)
		}, says: "with characters beyond ASCII escaped"},
	{seen: "PHP's json_encode with and without JSON_UNESCAPED_SLASHES",
		make: func(h *handmade) {
			h.post(`{"a":"b/c"}`)
			h.replaced(`b/c`, `b\/c`)
		}, says: `with / escaped`},
	{seen: "another file.encoding on the server (alipay-easysdk#146)",
		make: func(h *handmade) {
			h.post(`{"a":"茶"}`)
			h.replaced("茶", "?")
		}, says: "with ? for each character beyond ASCII"},
	{seen: "JSON.stringify twice",
		make: func(h *handmade) {
			h.post(`{"a":1}`)
			h.replaced(h.body, `"{\"a\":1}"`)
		}, says: "as a JSON string that holds the JSON"},
	{seen: "the body not signed at all (go-pay/gopay#452 forgot other parts so)",
		make: func(h *handmade) { h.post(body); h.replaced(body, "") }, says: "the body was not signed, only an empty line in its place"},
	{seen: "a nil body that is encoded as null",
		make: func(h *handmade) { h.signs(func(s string) string { return strings.TrimSuffix(s, "\n") + "null\n" }) }, says: "null was signed in the place of the body"},
	{seen: "the body's hash, as AWS wants it",
		make: func(h *handmade) {
			h.post(body)
			sum := sha256.Sum256([]byte(body))
			h.replaced(body, hex.EncodeToString(sum[:]))
		}, says: "the SHA-256 of the body was signed in its place"},
	{seen: "the old gateway's biz_content",
		make: func(h *handmade) { h.post(body); h.replaced(body, "biz_content="+body) }, says: "as the parameter biz_content"},
	{seen: "an editor's line feed at the end of the file that curl sends",
		make: func(h *handmade) { h.post(body + "\n"); h.replaced(body+"\n", body) }, says: "without a line feed at the end and sent with one"},
	{seen: "signed before it was encrypted",
		make: func(h *handmade) {
			h.post(string(must(aescbc.New(aesKey)).Encrypt([]byte(body))))
			h.headers = map[string]string{"Content-Type": "text/plain", "alipay-encrypt-type": "AES"}
			h.replaced(h.body, body)
		}, says: "the plain text was signed, and its ciphertext sent"},

	{seen: "the whole upload signed, with the file's bytes",
		make: func(h *handmade) {
			h.upload()
			h.signs(func(s string) string { return strings.Replace(s, uploadData, h.body, 1) })
		}, says: "the whole upload was signed, the file's bytes with it"},

	// The app auth token.
	{seen: "the token sent and not signed",
		make: func(h *handmade) { h.token = "202101BB"; h.replaced("202101BB\n", "") }, says: "the app auth token was sent (alipay-app-auth-token), and not signed"},
	{seen: "the token signed and sent under its old name",
		make: func(h *handmade) {
			h.headers = map[string]string{"app_auth_token": "202101BB"}
			h.signs(func(s string) string { return s + "202101BB\n" })
		}, says: "an app auth token was signed that is not sent as the header"},
	{seen: "the token before the body",
		make: func(h *handmade) {
			h.token = "202101BB"
			h.signed = func(h *handmade) string {
				return strings.Join([]string{h.auth(h), h.method, h.target(), h.token, h.body, ""}, "\n")
			}
		}, says: "the app auth token was signed in front of the body"},

	// authString.
	{seen: "the whole header signed",
		make: func(h *handmade) { h.replaced("app_id=", "ALIPAY-SHA256withRSA app_id=") }, says: "the scheme ALIPAY-SHA256withRSA was signed along"},
	{seen: "a map's order for signing, another for sending",
		make: func(h *handmade) {
			h.replaced(h.auth(h), "timestamp="+h.timestamp+",app_id="+h.appID+",nonce="+h.nonce)
		}, says: "the members of authString were signed in another order"},
	{seen: "the certificate's SN sent and not signed (go-pay/gopay#452)",
		make: func(h *handmade) { h.certMode(); h.replaced(",app_cert_sn="+h.appCertSN, "") }, says: "app_cert_sn was sent in authString, and not signed"},
	{seen: "seconds signed, milliseconds sent",
		make: func(h *handmade) { h.replaced(h.timestamp, h.timestamp[:10]) }, says: "the timestamp was signed in seconds"},
	{seen: "the clock read twice",
		make: func(h *handmade) {
			n, _ := strconv.Atoi(h.timestamp)
			h.replaced(h.timestamp, strconv.Itoa(n-7))
		}, says: "take the time once"},
	{seen: "a UUID signed without its hyphens",
		make: func(h *handmade) {
			h.nonce = "0e37df36-1698-11e6-8dd0-" + h.nonce[len(h.nonce)-12:]
			h.replaced(h.nonce, strings.ReplaceAll(h.nonce, "-", ""))
		}, says: "the nonce was signed without its hyphens"},

	// Two at once.
	{seen: "two mistakes", make: func(h *handmade) { h.replaced("GET", "get"); h.replaced("?"+h.query, "") },
		says: "the query was not signed: path and query are signed as they are sent; and the method was signed in lower case"},
	{seen: "two mistakes", make: func(h *handmade) {
		h.digest = func(text string) []byte { return pkcs1(keys().app, crypto.SHA1, []byte(text)) }
		h.replaced("t+1", "t%201")
	}, says: "SHA256withRSA); and a space was signed as %20"},
	{seen: "two mistakes", make: func(h *handmade) {
		h.post(body)
		h.replaced(body, `{"count": 2, "out_no": "a-1", "subject": "<茶> & 咖啡/1"}`)
	}, says: "sorted by name and sent with them in another order; and the body was signed as JSON with a space"},

	// What is seen without a signature.
	{seen: "a request of the old gateway, sent to v3",
		make: func(h *handmade) {
			h.path, h.query = "/gateway.do", "method=alipay.trade.query&sign=x&sign_type=RSA2"
			h.header = func(*handmade, string, string) string { return "" }
		}, says: "The request is made for the old gateway"},
	{seen: "the header dropped by a proxy", make: func(h *handmade) { h.header = func(*handmade, string, string) string { return "" } },
		says: "The header Authorization is missing"},
	{seen: "&timestamp through HTML (alipay-sdk-nodejs-all#154)",
		make: func(h *handmade) {
			h.auth = func(h *handmade) string { return "app_id=" + h.appID + "&nonce=" + h.nonce + "×tamp=" + h.timestamp }
		}, says: "&times in authString was taken for the sign ×"},
	{seen: "the scheme forgotten", make: func(h *handmade) {
		h.header = func(_ *handmade, auth, sign string) string { return auth + ",sign=" + sign }
	}, says: "Authorization lacks the scheme in front"},
	{seen: "the scheme of WeChat Pay", make: func(h *handmade) {
		h.header = func(_ *handmade, auth, sign string) string {
			return "WECHATPAY2-SHA256-RSA2048 " + auth + ",sign=" + sign
		}
	}, says: `The scheme of Authorization is "WECHATPAY2-SHA256-RSA2048"`},
	{seen: "the name signature for sign", make: func(h *handmade) {
		h.header = func(_ *handmade, auth, sign string) string {
			return "ALIPAY-SHA256withRSA " + auth + ",signature=" + sign
		}
	}, says: "named signature in Authorization"},
	{seen: "no nonce", make: func(h *handmade) {
		h.auth = func(h *handmade) string { return "app_id=" + h.appID + ",timestamp=" + h.timestamp }
	}, says: "Authorization lacks nonce"},
	{seen: "values in quotes, as WeChat Pay has them", make: func(h *handmade) { h.appID = `"` + AppID + `"` }, says: "The values in Authorization are in quotes"},
	{seen: "the merchant's id for the APPID", make: func(h *handmade) { h.appID = "2088102146225135" }, says: "The app_id is a merchant's id"},
	{seen: "the sandbox's APPID", make: func(h *handmade) { h.appID = "9021000000000001" }, says: "this gateway knows one application only"},
	{seen: "seconds", make: func(h *handmade) { h.timestamp = h.timestamp[:10] }, says: "The timestamp is in seconds"},
	{seen: "the old gateway's date", make: func(h *handmade) { h.timestamp = "2026-01-02 15:04:05" }, says: "The timestamp is a date"},
	{seen: "a time zone added", make: func(h *handmade) { h.timestamp = fmt.Sprint(time.Now().Add(8 * time.Hour).UnixMilli()) }, says: "The timestamp is 8 hours ahead of"},
	{seen: "a fixed timestamp (Tamsiree/RxTool#215)", make: func(h *handmade) { h.timestamp = "1469782553000" }, says: "behind the gateway's clock, more than the 10 minutes allowed"},
	{seen: "Alipay's certificate for the application's (alipay-sdk-nodejs-all#56)", make: func(h *handmade) { h.certMode(); h.appCertSN = keys().alipaySN },
		says: "The app_cert_sn is the SN of Alipay's certificate"},
	{seen: "the serial number itself (alipay-sdk-nodejs-all#56)", make: func(h *handmade) {
		h.certMode()
		h.appCertSN = must(certs.Parse(keys().appCert))[0].X509.SerialNumber.String()
	}, says: "it is the certificate's serial number as it is"},
	{seen: "the issuer's name in the wrong order (dedemao/alipay#17)", make: func(h *handmade) {
		h.certMode()
		c := must(certs.Parse(keys().appCert))[0].X509
		parts := strings.Split(must(certs.IssuerName(c.RawIssuer)), ",")
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
		var sum [md5.Size]byte
		fips140.WithoutEnforcement(func() { sum = md5.Sum([]byte(strings.Join(parts, ",") + c.SerialNumber.String())) })
		h.appCertSN = hex.EncodeToString(sum[:])
	}, says: "the issuer's name in the wrong order"},
	{seen: "the fingerprint", make: func(h *handmade) {
		h.certMode()
		var sum [sha1.Size]byte
		fips140.WithoutEnforcement(func() { sum = sha1.Sum(must(certs.Parse(keys().appCert))[0].Raw) })
		h.appCertSN = hex.EncodeToString(sum[:])
	}, says: "it is the certificate's fingerprint"},
	{seen: "one root of the bundle only (yansongda/pay#491)", make: func(h *handmade) { h.certMode(); h.rootCertSN, _, _ = strings.Cut(keys().rootSN, "_") },
		says: "The alipay-root-cert-sn names one root of the bundle only"},
	{seen: "the SM2 root counted too", make: func(h *handmade) {
		h.certMode()
		var all []string
		for _, c := range must(certs.Parse(keys().rootCerts)) {
			all = append(all, c.SN)
		}
		h.rootCertSN = strings.Join(all, "_")
	}, says: "counts the SM2 root too"},
	{seen: "no root SN", make: func(h *handmade) { h.certMode(); h.rootCertSN = "" }, says: "also needs the header alipay-root-cert-sn"},
	{seen: "/v3 in the base URL", make: func(h *handmade) { h.path = "/v3" + h.path }, says: "/v3 stands twice in the path"},
	{seen: "/gateway.do in the base URL, left over from the old SDK", make: func(h *handmade) { h.path = "/gateway.do" + h.path },
		says: "The base URL ends in /gateway.do"},
	{seen: "POST for a query", make: func(h *handmade) { h.method, h.body = http.MethodPost, "{}" }, says: "exists, but not for POST"},
	{seen: "ciphertext in hexadecimal", make: func(h *handmade) {
		raw := must(base64.StdEncoding.DecodeString(string(must(aescbc.New(aesKey)).Encrypt([]byte(body)))))
		h.post(hex.EncodeToString(raw))
		h.headers = map[string]string{"Content-Type": "text/plain", "alipay-encrypt-type": "AES"}
	}, says: "The ciphertext is hexadecimal"},
	{seen: "another AES key", make: func(h *handmade) {
		h.post(strings.Repeat("A", 43) + "=")
		h.headers = map[string]string{"Content-Type": "text/plain", "alipay-encrypt-type": "AES"}
	}, says: "The ciphertext does not open with this gateway's key"},
}

func TestEachMistakeHasItsOwnDiagnosis(t *testing.T) {
	require.GreaterOrEqual(t, len(mistakes), 25)
	plain, encrypted, prefixed := NewGateway(t), NewGateway(t, WithEncryptKey(aesKey)), NewGateway(t, WithPathPrefix(proxied))
	echo := func(r ReceivedRequest) (int, any) { return 200, r.Body }
	for _, g := range []*Gateway{plain, encrypted, prefixed} {
		g.Handle(http.MethodPost, "/v3/test/echo", echo)
	}

	// Without a mistake there is nothing to say.
	for _, right := range []func(*handmade){
		func(*handmade) {}, func(h *handmade) { h.post(body) }, func(h *handmade) { h.certMode() }, func(h *handmade) { h.token = "202101BB" }, func(h *handmade) { h.upload() },
	} {
		h := newHandmade()
		right(h)
		received := h.send(t, plain)
		require.True(t, received.Verified)
		require.Empty(t, received.Diagnosis)
		require.Empty(t, received.DiagnosisZH)
		require.Equal(t, h.signed(h), received.StringToSign())
		require.Equal(t, h.signed(h), received.SignedString())
	}

	said := make(map[string]string)
	for _, m := range mistakes {
		t.Run(m.says, func(t *testing.T) {
			g := plain
			switch {
			case strings.Contains(m.says, "/proxy"):
				g = prefixed
			case strings.Contains(strings.ToLower(m.says), "ciphertext"):
				g = encrypted
			}
			h := newHandmade()
			m.make(h)
			received := h.send(t, g)
			assert.NotEmpty(t, received.Code, "refused")
			assert.Contains(t, received.Diagnosis, m.says, m.seen)
			assert.NotEmpty(t, received.DiagnosisZH)
			if before, ok := said[received.Diagnosis]; ok && before != m.says {
				t.Errorf("the same is said of %q", before)
			}
			said[received.Diagnosis] = m.says
			if strings.HasPrefix(received.Diagnosis, sentence) && !strings.Contains(m.says, "digest") {
				assert.Equal(t, h.signed(h), received.SignedString(), "the string that was signed is known")
			}
		})
	}
	t.Logf("%d mistakes, %d different diagnoses", len(mistakes), len(said))
}
