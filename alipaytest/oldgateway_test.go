package alipaytest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// merchant is a client of the old gateway that is not part of this module. It
// signs params as the platform's documents say.
type merchant map[string]string

// order returns the parameters of an order that is in order, changed by the
// pairs of name and value that follow; an empty value leaves a parameter out.
func order(bizContent string, pairs ...string) merchant {
	m := merchant{
		"app_id":      "2021000000000001",
		"method":      "zhima.credit.payafteruse.creditagreement.sign",
		"format":      "json",
		"charset":     "UTF-8",
		"sign_type":   "RSA2",
		"timestamp":   time.Now().In(time.FixedZone("", 8*3600)).Format("2006-01-02 15:04:05"),
		"version":     "1.0",
		"alipay_sdk":  "somebody else's",
		"biz_content": bizContent,
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
		if pairs[i+1] == "" {
			delete(m, pairs[i])
		}
	}
	return m
}

// certificates adds what certificate mode has.
func (m merchant) certificates() merchant {
	m["app_cert_sn"], m["alipay_root_cert_sn"] = keys().appSN, keys().rootSN
	return m
}

// content is what is signed.
func (m merchant) content(leaveOut ...string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if m[name] != "" && !slices.Contains(leaveOut, name) {
			pairs = append(pairs, name+"="+m[name])
		}
	}
	return strings.Join(pairs, "&")
}

// signed returns the form, signed over content.
func (m merchant) signed(content string) url.Values {
	form := url.Values{"sign": {signWith(keys().app, content)}}
	for name, value := range m {
		form.Set(name, value)
	}
	return form
}

func (m merchant) form() url.Values { return m.signed(m.content("sign")) }

func (m merchant) String() string { return m.form().Encode() }

func signWith(key *rsa.PrivateKey, content string) string {
	digest := sha256.Sum256([]byte(content))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// holds reports whether signature is key's over content.
func holds(key *rsa.PrivateKey, content, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	digest := sha256.Sum256([]byte(content))
	return err == nil && rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], raw) == nil
}

// download asks for a certificate as Java's older SDK does.
func download(t testing.TB, g *Gateway, m merchant) (answer downloadAnswer, raw string) {
	t.Helper()
	form := m.form()
	body := url.Values{"biz_content": form["biz_content"]}
	form.Del("biz_content")
	response, err := g.HTTPClient().PostForm(g.BaseURL()+"/gateway.do?"+form.Encode(), body)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "text/html;charset=utf-8", response.Header.Get("Content-Type"))
	require.Empty(t, response.Header.Get("Alipay-Signature"))
	require.Len(t, response.Header.Get("trace_id"), 32)
	require.NoError(t, json.Unmarshal(text, &answer), "%s", text)
	return answer, string(text)
}

type downloadAnswer struct {
	Response oldResponse `json:"alipay_open_app_alipaycert_download_response"`
	Error    oldResponse `json:"error_response"`
	CertSN   string      `json:"alipay_cert_sn"`
	Sign     string      `json:"sign"`
}

type oldResponse struct {
	Code, Msg string
	SubCode   string `json:"sub_code"`
	SubMsg    string `json:"sub_msg"`
	Content   string `json:"alipay_cert_content"`
}

func downloadOrder(sn string) merchant {
	return order(`{"alipay_cert_sn":"`+sn+`"}`, "method", "alipay.open.app.alipaycert.download")
}

func TestEveryCertificateCanBeDownloadedAndLeadsToTheRoot(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(g.CertConfig().RootCertContent))
	sns, serials := map[string]bool{}, map[string]bool{}
	var first *x509.Certificate
	for rotation := range 5 {
		config := g.CertConfig()
		sn, key := g.identity().sn, g.identity().key
		require.False(t, sns[sn])
		sns[sn] = true

		answer, raw := download(t, g, downloadOrder(sn).certificates())
		require.Equal(t, "10000", answer.Response.Code)
		require.Equal(t, "Success", answer.Response.Msg)
		require.Equal(t, sn, answer.CertSN)
		text, err := base64.StdEncoding.DecodeString(answer.Response.Content)
		require.NoError(t, err)
		require.Equal(t, config.AlipayPublicCertContent, string(text))
		_, content, _ := strings.Cut(raw, `"alipay_open_app_alipaycert_download_response":`)
		content, _, _ = strings.Cut(content, `,"alipay_cert_sn"`)
		require.True(t, holds(key, content, answer.Sign), "signed under the certificate it names")

		block, rest := pem.Decode(text)
		leaf, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		block, rest = pem.Decode(rest)
		require.Empty(t, rest)
		issuer, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		require.True(t, key.PublicKey.Equal(leaf.PublicKey))
		require.False(t, serials[leaf.SerialNumber.String()])
		serials[leaf.SerialNumber.String()] = true
		if rotation == 0 {
			first = leaf
		}
		require.Equal(t, first.RawSubject, leaf.RawSubject)
		require.Equal(t, first.RawIssuer, leaf.RawIssuer)
		require.Equal(t, first.KeyUsage, leaf.KeyUsage)
		intermediates := x509.NewCertPool()
		intermediates.AddCert(issuer)
		for _, year := range []int{2001, 2026, 2099} {
			_, err = leaf.Verify(x509.VerifyOptions{
				Roots: roots, Intermediates: intermediates, CurrentTime: time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC),
				KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
			})
			require.NoError(t, err)
		}
		require.Equal(t, rotation == 1, config.AlipayPublicCertContent == RotatedCertificate())
		g.RotateCertificate()
	}
	for sn := range sns { // those that no longer sign, too
		answer, _ := download(t, g, downloadOrder(sn))
		require.Equal(t, "10000", answer.Response.Code)
		require.Empty(t, answer.CertSN, "public-key mode")
	}
	require.Equal(t, 10, g.Downloads())
	received := g.Requests()[0]
	assert.Equal(t, "/gateway.do", received.Path)
	assert.True(t, received.Verified)
	assert.Equal(t, keys().appSN, received.AppCertSN)
	assert.Equal(t, downloadMethodName, received.Params.Get("method"))
	assert.Contains(t, received.Params.Get("biz_content"), "alipay_cert_sn")
	assert.WithinDuration(t, time.Now(), received.Timestamp, time.Minute)
}

const downloadMethodName = "alipay.open.app.alipaycert.download"

func TestACertificateThatIsNotThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	for name, test := range map[string]struct {
		order         merchant
		code, subCode string
	}{
		"unknown": {downloadOrder("00000000000000000000000000000000"), "40002", "isv.alipay-cert-not-exist"},
		"ours":    {downloadOrder(keys().appSN), "40002", "isv.alipay-cert-not-exist"},
		"next":    {downloadOrder(keys().alipayNextSN), "40002", "isv.alipay-cert-not-exist"}, // which is not issued yet
		"no SN":   {downloadOrder(""), "40002", "isv.invalid-parameter"},
		"no text": {order(`{"alipay_cert_sn":7}`, "method", downloadMethodName), "40002", "isv.invalid-parameter"},
	} {
		answer, raw := download(t, g, test.order)
		assert.Equal(t, test.code, answer.Response.Code, name)
		assert.Equal(t, "Invalid Arguments", answer.Response.Msg, name)
		assert.Equal(t, test.subCode, answer.Response.SubCode, name)
		assert.NotEmpty(t, answer.Response.SubMsg, name)
		content := strings.TrimPrefix(raw, `{"alipay_open_app_alipaycert_download_response":`)
		content, _, _ = strings.Cut(content, `,"sign"`)
		assert.True(t, holds(keys().alipay, content, answer.Sign), name)
	}
	requests := g.Requests()
	require.Len(t, requests, 5)
	for _, r := range requests {
		assert.True(t, r.Verified)
		assert.NotEmpty(t, r.Code)
	}
	require.Equal(t, 3, g.Downloads())
}

// What is not signed rightly is refused, by an answer that is signed as soon as
// the application is known.
func TestTheOldGatewayTakesNothingUnsigned(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	right := downloadOrder(keys().alipaySN).form()
	for name, change := range map[string]func(url.Values){
		"another SN": func(f url.Values) { f.Set("biz_content", `{"alipay_cert_sn":"1"}`) },
		"one more":   func(f url.Values) { f.Set("notify_url", "https://a.example/") },
		"one less":   func(f url.Values) { f.Del("alipay_sdk") },
		"unsigned":   func(f url.Values) { f.Del("sign") },
		"twice":      func(f url.Values) { f.Add("biz_content", `{}`) },

		"another application": func(f url.Values) { f.Set("app_id", "2") },
	} {
		form := url.Values(http.Header(right).Clone())
		change(form)
		response, err := g.HTTPClient().PostForm(g.BaseURL()+"/gateway.do", form)
		require.NoError(t, err)
		var answer downloadAnswer
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
		response.Body.Close()
		assert.Contains(t, []string{"40001", "40002"}, answer.Response.Code, name)
		assert.Equal(t, name != "another application", answer.Sign != "", name)
	}
	for _, r := range g.Requests() {
		assert.False(t, r.Verified)
		assert.NotEmpty(t, r.Code)
	}
	require.Len(t, g.Requests(), 6)
	require.Zero(t, g.Downloads())
}

func TestTheOldGatewaySaysWhatItDoesNotPlay(t *testing.T) {
	t.Parallel()
	g := NewGateway(t, WithPathPrefix("/proxy"))
	post := func(path, method string, form url.Values, body string) (string, downloadAnswer) {
		r, err := http.NewRequest(method, strings.TrimSuffix(g.BaseURL(), "/proxy")+path+"?"+form.Encode(), strings.NewReader(body))
		require.NoError(t, err)
		response, err := g.HTTPClient().Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		var answer downloadAnswer
		_ = json.Unmarshal(text, &answer)
		return string(text), answer
	}
	_, answer := post("/proxy/gateway.do", "POST", order(`{}`, "method", "alipay.trade.pay").form(), "")
	assert.Equal(t, "isv.invalid-method", answer.Error.SubCode)
	assert.Contains(t, answer.Error.SubMsg, "alipay.trade.pay")
	assert.Equal(t, "Invalid Arguments", answer.Error.Msg)
	text, _ := post("/proxy/gateway.do", "PUT", order(`{}`).form(), "")
	assert.Contains(t, text, `{"zhima_credit_payafteruse_creditagreement_sign_response":{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-method"`)
	_, answer = post("/proxy/gateway.do", "POST", nil, "")
	assert.Equal(t, "isv.missing-app-id", answer.Error.SubCode)
	assert.Equal(t, "Missing Required Arguments", answer.Error.Msg)
	_, answer = post("/proxy/gateway.do", "POST", nil, "%zz")
	assert.Equal(t, "isv.invalid-parameter", answer.Error.SubCode)
	text, _ = post("/gateway.do", "POST", downloadOrder(keys().alipaySN).form(), "")
	assert.Contains(t, text, "missing-timestamp", "beside the prefix there is v3's answer to everything")
	require.Len(t, g.Requests(), 5)
}

func TestEachMistakeHasACodeOfTheOldGateways(t *testing.T) {
	t.Parallel()
	plain, encrypting := NewGateway(t), NewGateway(t, WithEncryptKey(testKey))
	form := func(pairs ...string) url.Values { return order(bizContent, pairs...).form() }
	unsigned := form()
	unsigned.Del("sign")
	altered := form()
	altered.Set("alipay_sdk", "x")
	twice := form()
	twice.Add("version", "1.0")
	type mistake struct {
		g             *Gateway
		form          url.Values
		code, subCode string
	}
	mistakes := []mistake{
		{plain, form("method", ""), "40001", "isv.missing-method"},
		{plain, form("app_id", ""), "40001", "isv.missing-app-id"},
		{plain, form("charset", ""), "40001", "isv.missing-charset"},
		{plain, form("sign_type", ""), "40001", "isv.missing-signature-type"},
		{plain, unsigned, "40001", "isv.missing-signature"},
		{plain, form("timestamp", ""), "40001", "isv.missing-timestamp"},
		{plain, form("version", ""), "40001", "isv.missing-version"},
		{plain, form("alipay_root_cert_sn", keys().rootSN), "40001", "isv.missing-app-cert-sn"},
		{plain, form("app_cert_sn", keys().appSN), "40001", "isv.missing-alipay-root-cert-sn"},
		{plain, twice, "40002", "isv.invalid-parameter"},
		{plain, form("a=b", "c"), "40002", "isv.invalid-parameter"},
		{plain, form("notify_url", "x"), "40002", "isv.invalid-parameter"},
		{plain, form("biz_content", "x"), "40002", "isv.invalid-parameter"},
		{encrypting, form("biz_content", "x"), "40002", "isv.invalid-parameter"},
		{plain, form("method", "x"), "40002", "isv.invalid-method"},
		{plain, form("app_id", "x"), "40002", "isv.invalid-app-id"},
		{plain, form("charset", "x"), "40002", "isv.invalid-charset"},
		{plain, form("sign_type", "x"), "40002", "isv.invalid-signature-type"},
		{plain, form("version", "x"), "40002", "isv.invalid-version"},
		{plain, form("format", "x"), "40002", "isv.invalid-format"},
		{plain, form("timestamp", "x"), "40002", "isv.invalid-timestamp"},
		{plain, form("timestamp", chinaClock(time.Hour)), "40002", "isv.invalid-timestamp"},
		{plain, form("timestamp", chinaClock(-8*time.Hour)), "40002", "isv.invalid-timestamp"},
		{plain, form("timestamp", chinaClock(-25*time.Hour)), "40002", "isv.invalid-timestamp"},
		{plain, form("app_cert_sn", "x", "alipay_root_cert_sn", keys().rootSN), "40002", "isv.app-cert-not-exist"},
		{plain, form("app_cert_sn", keys().appSN, "alipay_root_cert_sn", "x"), "40002", "isv.invalid-alipay-root-cert-sn"},
		{plain, altered, "40002", "isv.invalid-signature"},
		{encrypting, form("encrypt_type", "x"), "40002", "isv.invalid-encrypt-type"},
		{encrypting, form("encrypt_type", "AES"), "40002", "isv.decryption-error-unknown"},
		{plain, form("encrypt_type", "AES"), "40001", "isv.missing-encrypt-key"},
	}
	for _, m := range mistakes {
		request, refused := m.g.checkOld(m.form)
		assert.Nil(t, request)
		require.NotNil(t, refused, m.subCode)
		code, _ := oldCode(refused.subCode)
		assert.Equal(t, m.code, code, m.subCode)
		assert.EqualValues(t, m.subCode, refused.subCode)
		assert.NotEmpty(t, refused.said.zh)
	}
	for content, subCode := range map[string]string{
		"":                         "isv.missing-parameter",
		`{"out_agreement_no":"1"}`: "isv.missing-parameter",
		`{"out_agreement_no":1}`:   "isv.invalid-parameter",
		`{"out_agreement_no":"` + strings.Repeat("1", 65) + `"}`:                         "isv.invalid-parameter",
		`{"out_agreement_no":"1","zm_service_id":"2","extra_param":"x"}`:                 "EXTRA_PARAM_FORMAT_ERROR",
		`{"out_agreement_no":"1","zm_service_id":"2","extra_param":"{\"onceToken\":1}"}`: "EXTRA_PARAM_FORMAT_ERROR",
	} {
		request, refused := plain.checkOld(order(content).form())
		require.Nil(t, refused)
		_, refused = plain.readOrder(request)
		require.NotNil(t, refused, content)
		assert.EqualValues(t, subCode, refused.subCode, content)
	}
}

func TestFaultsMeetADownload(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	form := downloadOrder(keys().alipaySN).form()
	g.Inject(Drop.When(func(r ReceivedRequest) bool { return r.Path == "/gateway.do" }), 1)
	require.Equal(t, 200, call{target: query("t")}.do(t, g).StatusCode)
	_, err := g.HTTPClient().PostForm(g.BaseURL()+"/gateway.do", form)
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, g.Downloads())
	require.Equal(t, "drop", g.Requests()[1].Fault)

	g.Inject(LostAnswer, 1)
	_, err = g.HTTPClient().PostForm(g.BaseURL()+"/gateway.do", form)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 1, g.Downloads())

	g.Inject(FaultFunc("another certificate", func(w http.ResponseWriter, _ *http.Request, answer *Answer) {
		assert.Contains(t, string(answer.Body), "alipay_cert_content")
		answer.Body = []byte("{}")
		assert.NoError(t, answer.Send(w))
	}), 1)
	response, err := g.HTTPClient().PostForm(g.BaseURL()+"/gateway.do", form)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, "{}", string(text))
}

// FuzzGatewayDo holds the old gateway to answering whatever comes: never by a
// panic, and with a certificate only to who signed. With sign set the parameters
// are signed rightly as they are.
func FuzzGatewayDo(f *testing.F) {
	clock := func() time.Time { return time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC) } // that of the seeds
	g, _, err := assemble(nil, []Option{WithEncryptKey(testKey), WithHistory(1), WithClock(clock)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sign bool, query, body string) {
		if sign {
			both, err := url.ParseQuery(query)
			if err != nil {
				t.Skip()
			}
			more, err := url.ParseQuery(body)
			if err != nil {
				t.Skip()
			}
			m := merchant{}
			for _, form := range []url.Values{both, more} {
				for name := range form {
					m[name] = form.Get(name)
				}
			}
			delete(m, "sign")
			query += "&" + url.Values{"sign": {signWith(keys().app, m.content())}}.Encode()
		}
		r := httptest.NewRequest("POST", "/gateway.do", strings.NewReader(body))
		r.URL.RawQuery = query
		before := g.Downloads()
		w := httptest.NewRecorder()
		g.serve(w, r)
		received := g.Requests()[0]
		if w.Code != 200 {
			t.Errorf("status %d", w.Code)
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") && !json.Valid(w.Body.Bytes()) {
			t.Errorf("no JSON: %q", w.Body)
		}
		if got := strings.Contains(w.Body.String(), `"alipay_cert_content"`); got && (!received.Verified || g.Downloads() != before+1) {
			t.Errorf("verified %t: %s", received.Verified, w.Body)
		}
		if !received.Verified && (received.Code == "" || received.Params.Get("app_id") != AppID && strings.Contains(w.Body.String(), `"sign"`)) {
			t.Errorf("not verified, code %q: %s", received.Code, w.Body)
		}
		g.Reset()
	})
}
