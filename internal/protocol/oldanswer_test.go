package protocol

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/lenient"
)

// syncAnswer is an answer of testdata/vectors/sync_vectors.json, which the official
// Java client was given.
type syncAnswer struct {
	Name         string  `json:"name"`
	Mode         string  `json:"mode"`
	Body         string  `json:"body"`
	BodyBase64   []byte  `json:"body_base64"`
	NodeText     *string `json:"node_text"`
	SignVerifies *bool   `json:"sign_verifies"`
}

func readSyncAnswers(t testing.TB) (answers []syncAnswer) {
	data, err := os.ReadFile(vectorDir + "sync_vectors.json")
	require.NoError(t, err)
	var v struct{ Answers, HTTP []syncAnswer }
	require.NoError(t, json.Unmarshal(data, &v))
	require.Len(t, v.Answers, 60)
	return v.Answers
}

const (
	syncMethod = "zhima.customer.jobworth.authentication.preconsult"
	alipaySN   = "ff979bd96125ad97131ce31255eac671"
)

func syncVerifier(t testing.TB, mode string) *Verifier {
	data, err := os.ReadFile(vectorDir + "alipay_public_cert.crt")
	require.NoError(t, err)
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	key := cert.PublicKey.(*rsa.PublicKey)
	if mode == "key" {
		return &Verifier{Key: key}
	}
	return &Verifier{Certs: map[string]SigningCert{alipaySN: {Key: key, NotAfter: cert.NotAfter}}}
}

var syncTime = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

func TestAnswersOfTheOldGatewayAreTakenApartAndVerifiedAsTheVectorsAre(t *testing.T) {
	unreadable := map[string]error{
		"key: the node twice": ErrMemberTwice,
		"key: the node a second time with an escape in its name": ErrMemberTwice, // a forgery that Java takes
		"key: text after the answer":                             lenient.ErrNotJSON,
		"key: node of another method, signed":                    ErrNoNode,
		"key: node of another method, unsigned failure":          ErrNoNode, // which Java takes
	}
	// The signature covers the text with / for \/, in certificate mode too, where
	// Java crashes.
	verifies := map[string]bool{
		`key: \/ in the node, the signature is over the text with / instead`:  true,
		`cert: \/ in the node, the signature is over the text with / instead`: true,
	}
	for _, v := range readSyncAnswers(t) {
		a, err := ReadOldAnswer(syncMethod, []byte(v.Body), 1<<20)
		if want := unreadable[v.Name]; want != nil {
			assert.ErrorIs(t, err, want, v.Name)
			assert.Equal(t, strings.Contains(v.Body, `"sign"`), a.Sign != "", v.Name)
			continue
		}
		require.NoError(t, err, v.Name)
		assert.Equal(t, *v.NodeText, string(a.Node), v.Name)
		err = a.Verify(syncVerifier(t, v.Mode), syncTime)
		switch {
		case a.SN != "" && a.SN != alipaySN && v.Mode == "cert" && v.SignVerifies != nil:
			var unknown *UnknownCertificate
			require.ErrorAs(t, err, &unknown, v.Name)
			assert.Equal(t, a.SN, unknown.SN)
		case v.SignVerifies == nil:
			assert.Equal(t, ErrUnsigned, err, v.Name)
		case *v.SignVerifies || verifies[v.Name]:
			assert.NoError(t, err, v.Name)
		default:
			assert.ErrorIs(t, err, ErrAnswerSignature, v.Name)
		}
	}
}

// signedOld returns an answer that Alipay has signed over the text, which need
// not be the one in it.
func signedOld(t testing.TB, node, signed string) string {
	sign, err := Sign(readKey(t, "alipay_private_pkcs8.pem"), []byte(signed))
	require.NoError(t, err)
	return `{"m_n_response":` + node + `,"sign":"` + sign + `"}`
}

func TestAnAnswerOfTheOldGatewayIsReadHoweverItIsWritten(t *testing.T) {
	const node = `{"code":"10000","x":"1"}`
	plain := signedOld(t, node, node)
	_, sign, _ := strings.Cut(plain, `"sign":"`)
	sign = strings.TrimSuffix(sign, `"}`)
	ones := strings.Repeat("1", 20)
	for name, body := range map[string]string{
		"as it is":                      plain,
		"byte order mark":               "\ufeff" + plain,
		"gzip":                          pack(t, plain, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
		"deflate":                       pack(t, plain, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }),
		"line ends around":              "\r\n" + plain + "\r\n ",
		"closing brace missing":         strings.TrimSuffix(plain, "}"),
		"cut behind sign":               strings.TrimSuffix(plain, "}") + `,"alipay_cert_sn":"ff97`,
		"cut in a name behind sign":     strings.TrimSuffix(plain, "}") + `,"alipay_ce`,
		"cut behind a comma":            strings.TrimSuffix(plain, "}") + ", ",
		"escaped name":                  strings.Replace(plain, "m_n", `m\u005fn`, 1),
		"sign first":                    `{"sign":"` + sign + `","m_n_response":` + node + `}`,
		"sign in lines":                 strings.Replace(plain, sign, sign[:76]+`\r\n`+sign[76:], 1),
		"sign in raw lines":             strings.Replace(plain, sign, sign[:76]+"\n"+sign[76:], 1),
		"sign with blanks in it":        strings.Replace(plain, sign, " "+sign[:76]+" "+sign[76:]+" ", 1),
		"sign with \\/":                 strings.Replace(plain, sign, strings.ReplaceAll(sign, "/", `\/`), 1),
		"sn in capitals, sn of another": `{"alipay_cert_sn":"` + strings.ToUpper(alipaySN) + `",` + plain[1:],
		"members of other kinds":        `{"a":[{"sign":1}],"b":null,"c":{"m_n_response":{}},"d":1e3,` + plain[1:],
	} {
		for _, mode := range []string{"key", "cert"} {
			a, err := ReadOldAnswer("m.n", []byte(body), 1<<20)
			require.NoError(t, err, name)
			assert.Equal(t, node, string(a.Node), name)
			assert.Equal(t, node, string(a.Content()), name)
			assert.True(t, a.Own, name)
			assert.NoError(t, a.Verify(syncVerifier(t, mode), syncTime), name)
			damaged := map[string]string{"byte order mark": "a byte order mark", "gzip": "compression", "deflate": "compression", "sign with blanks in it": "blanks in the signature"}
			assert.Equal(t, damaged[name], a.Damage, name)
		}
	}
	for signed, came := range map[string]string{"{\n\"x\":1}": "{\r\n\"x\":1}", "{\r\n\"x\":\"\\/\"\r\n}": "{\n\"x\":\"\\/\"\n}"} {
		a, err := ReadOldAnswer("m.n", []byte(signedOld(t, came, strings.ReplaceAll(signed, `\/`, "/"))), 1<<20)
		require.NoError(t, err)
		require.NoError(t, a.Verify(syncVerifier(t, "key"), syncTime))
		assert.Equal(t, signed, string(a.Node))
		assert.Equal(t, "other line ends", a.Damage)
	}
	for lost := range len(ones) { // with + lost to blanks
		node := `{"x":` + ones[:lost+1] + `}`
		sign, err := Sign(readKey(t, "alipay_private_pkcs8.pem"), []byte(node))
		require.NoError(t, err)
		a, err := ReadOldAnswer("m.n", []byte(`{"m_n_response":`+node+`,"sign":"`+strings.ReplaceAll(sign, "+", " ")+`"}`), 1<<20)
		require.NoError(t, err)
		assert.NoError(t, a.Verify(syncVerifier(t, "key"), syncTime))
	}
}

func pack(t testing.TB, text string, open func(io.Writer) io.WriteCloser) string {
	var b bytes.Buffer
	w := open(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestATextInAnotherCharsetDoesNotHideTheNode(t *testing.T) {
	for _, text := range []string{
		"\xb3\xc9\xb9\xa6",     // GBK
		"\x81\x5c",             // one character, whose second byte is a backslash
		"\x81\x5c\x81\x7d\xfe", // and a closing brace
		"\xff\n\t\x01",
	} {
		node := `{"code":"40004","sub_msg":"` + text + `","sub_code":"TOKEN_INVALID"}`
		a, err := ReadOldAnswer("m.n", []byte(signedOld(t, node, node)), 1<<20)
		require.NoError(t, err, "%q", text)
		assert.Equal(t, node, string(a.Node))
		assert.NoError(t, a.Verify(syncVerifier(t, "key"), syncTime))
	}
}

func TestWhatIsNoAnswerOfTheOldGatewayIsRefused(t *testing.T) {
	for body, want := range map[string]error{
		``: lenient.ErrNotAnObject, `null`: lenient.ErrNotAnObject, `[{}]`: lenient.ErrNotAnObject, `<html>`: lenient.ErrNotAnObject,
		`{`: lenient.ErrNotJSON, `{"m_n_response":{"code":"40004"}`: lenient.ErrNotJSON, `{"sign":"s"`: ErrNoNode,
		`{"m_n_response":{"code":"40004"},"sign":"ab`: lenient.ErrNotJSON,
		`{"m_n_response":{},}`:                        lenient.ErrNotJSON, `{"a":01}`: lenient.ErrNotJSON, `{"a":"\x"}`: lenient.ErrNotJSON,
		`{} {}`: lenient.ErrNotJSON, `{"sign":"s"}x`: lenient.ErrNotJSON, `{1:2}`: lenient.ErrNotJSON, `{"a" 1}`: lenient.ErrNotJSON,
		`{"sign":"s","sign":"s"}`: ErrMemberTwice, `{"sign":"s","si\u0067n":"s"}`: ErrMemberTwice, `{"a":1,"a":1}`: ErrMemberTwice,
		`{"m_n_response":{},"m_n_response":{},"sign":"s"`: ErrMemberTwice, // its last brace is missing as well
		`{"sign":1}`: ErrNoNode, `{"sign":{}}`: ErrNoNode,
	} {
		a, err := ReadOldAnswer("m.n", []byte(body), 1<<20)
		assert.ErrorIs(t, err, want, body)
		assert.Equal(t, strings.Contains(body, `"sign":"s"`) || body == `{"sign":1}`, a.Sign != "", body)
	}
	for body, node := range map[string]string{
		`{}`: "", `{"m_n_response":null,"sign":null}`: "", `{"m_n_response":[]}`: "", `{"m_n_response":1}`: "",
		`{"other_response":{}}`: "", `{"m_n_response":null,"error_response":{}}`: "",
		`{"error_response":{}}`: "{}", `{"error_response":{},"m_n_response":{"a":1},"sign":" \n"}`: `{"a":1}`,
	} {
		a, err := ReadOldAnswer("m.n", []byte(body), 1<<20)
		if node == "" {
			assert.Equal(t, ErrNoNode, err, body)
			continue
		}
		require.NoError(t, err, body)
		assert.Equal(t, node, string(a.Content()), body)
		assert.Equal(t, strings.Contains(body, "m_n"), a.Own, body)
		assert.Equal(t, ErrUnsigned, a.Verify(syncVerifier(t, "key"), syncTime))
	}
}

func TestAnAnswerOfTheOldGatewaySaysWhySignaturesDoNotVerify(t *testing.T) {
	const node = `{"code":"10000"}`
	verify := func(body string, v *Verifier, at time.Time) error {
		a, err := ReadOldAnswer("m.n", []byte(body), 1<<20)
		require.NoError(t, err)
		return a.Verify(v, at)
	}
	key, cert := syncVerifier(t, "key"), syncVerifier(t, "cert")
	good := signedOld(t, node, node)
	assert.ErrorIs(t, verify(signedOld(t, node, `{"code":10000}`), key, syncTime), ErrAltered)
	assert.ErrorIs(t, verify(signedOld(t, node, `{"code":10000}`), cert, syncTime), ErrAltered)
	assert.Equal(t, errForeignKey, verify(good, &Verifier{Key: &readKey(t, "app_private_pkcs8.pem").PublicKey}, syncTime))
	assert.Equal(t, errForeignKey, verify(`{"m_n_response":{},"sign":"-_-"}`, key, syncTime))
	assert.Equal(t, errForeignKey, verify(`{"m_n_response":{},"sign":1}`, key, syncTime), "refused, as in Java")
	assert.Equal(t, errForeignKey, verify(strings.TrimSuffix(good, `=="}`)+`"}`, key, syncTime), "without its padding")
	late := cert.Certs[alipaySN].NotAfter.Add(time.Second)
	assert.Equal(t, errForeignKey, verify(good, cert, late), "no certificate is left")
	assert.ErrorIs(t, verify(`{"alipay_cert_sn":"`+alipaySN+`",`+good[1:], cert, late), ErrUnknownCertificate)
	assert.NoError(t, verify(`{"alipay_cert_sn":"x",`+good[1:], key, late), "public-key mode does not look at it")
}

func TestSignaturesAreReadWithWhatTheyLostOnTheWay(t *testing.T) {
	raw := []byte{0xfb, 0xef, 0xbe, 1, 2, 3} // ++++AQID
	text := base64.StdEncoding.EncodeToString(raw)
	require.Equal(t, "++++AQID", text)
	for _, same := range []string{text, " " + text + "\n", "++++AQ\r\nID", "+\t+++AQID"} {
		assert.Equal(t, [][]byte{raw}, Signatures(same), "%q", same)
	}
	assert.Equal(t, [][]byte{raw}, Signatures("+ + AQID"))
	for _, bad := range []string{"", " ", "?", "AQI", "____", "QUJD=QUJD"} {
		assert.Empty(t, Signatures(bad), bad)
	}
}

// Requests as the official Java client sends them: their parameters, wherever
// they stand, are signed as OldContent writes them.
func TestRequestsOfTheOldGatewayAreSignedAsTheVectorsAre(t *testing.T) {
	data, err := os.ReadFile(vectorDir + "sync_requests.json")
	require.NoError(t, err)
	var v struct {
		Requests []struct {
			Name         string `json:"name"`
			Query        string `json:"query"`
			Body         string `json:"body"`
			StringSigned string `json:"string_signed"`
		} `json:"requests"`
	}
	require.NoError(t, json.Unmarshal(data, &v))
	require.Len(t, v.Requests, 12)
	key := readKey(t, "app_private_pkcs8.pem")
	for _, r := range v.Requests {
		form, err := url.ParseQuery(strings.TrimSuffix(r.Query+"&"+r.Body, "&"))
		require.NoError(t, err, r.Name)
		params, err := OldParameters(form)
		require.NoError(t, err, r.Name)
		content := OldContent(params, "sign")
		assert.Equal(t, r.StringSigned, string(content), r.Name)
		assert.NoError(t, Verify(&key.PublicKey, content, params["sign"]), r.Name)
		signature, err := Sign(key, content)
		require.NoError(t, err)
		assert.Equal(t, params["sign"], signature, r.Name)
	}
}

// FuzzReadOldAnswer: whatever comes, what verifies is a node that Alipay signed,
// and only one whose bytes stand in the answer under one name.
func FuzzReadOldAnswer(f *testing.F) {
	for _, v := range readSyncAnswers(f)[:36] {
		f.Add([]byte(v.Body))
	}
	verifier := syncVerifier(f, "key")
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := ReadOldAnswer(syncMethod, body, 1<<20)
		if err != nil {
			return
		}
		assert.True(t, a.Node == nil || strings.Contains(string(body), string(a.Node)))
		if a.Verify(verifier, syncTime) != nil {
			return
		}
		require.NotEmpty(t, a.Sign)
		var read map[string]json.RawMessage
		if json.Unmarshal(body, &read) == nil && a.Own {
			assert.Equal(t, string(read[NodeName(syncMethod)]), string(a.Node), "as a plain reader finds it")
		}
	})
}

// Whatever is left of an answer, nothing but the signed node comes out of it.
func TestAnAnswerThatIsCutVerifiesOrIsRefused(t *testing.T) {
	const node = `{"code":"10000","msg":"}\"{"}`
	whole := signedOld(t, node, node)
	for n := range len(whole) {
		a, err := ReadOldAnswer("m.n", []byte(whole[:n]), 1<<20)
		if n == len(whole)-1 {
			require.NoError(t, err)
			assert.Equal(t, node, string(a.Node))
			continue
		}
		require.Error(t, err, whole[:n])
		assert.False(t, errors.Is(err, ErrMemberTwice))
	}
}
