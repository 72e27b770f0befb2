package alipaytest

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
)

// part is one of an upload; its name stands for what Content-Disposition says.
type part struct{ disposition, kind, content string }

const (
	dataPart = `form-data; name="data"`
	filePart = `form-data; name="image_content"; filename="一 1.png"`
)

// upload lays parts out. What is signed is the content of the first data part.
func upload(parts ...part) (body, contentType, signed string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		header := textproto.MIMEHeader{"Content-Disposition": {p.disposition}}
		if p.kind != "" {
			header.Set("Content-Type", p.kind)
		}
		out, err := w.CreatePart(header)
		if err != nil {
			panic(err)
		}
		_, _ = out.Write([]byte(p.content))
		if signed == "" && p.disposition == dataPart {
			signed = p.content
		}
	}
	_ = w.Close()
	return b.String(), w.FormDataContentType(), signed
}

// send sends a body of which signed is signed.
func send(t *testing.T, g *Gateway, body, contentType, signed string, header map[string]string) got {
	t.Helper()
	all := map[string]string{"Content-Type": contentType}
	for name, value := range header {
		all[name] = value
	}
	return call{method: "POST", target: "/v3/upload", body: body, header: all,
		signedBody: &signed,
	}.do(t, g)
}

func uploadGateway(t *testing.T, opts ...Option) *Gateway {
	g := NewGateway(t, opts...)
	g.Handle("POST", "/v3/upload", func(r ReceivedRequest) (int, any) {
		return 0, fmt.Sprintf(`{"files":%d,"data":%q}`, len(r.Files), r.Body)
	})
	return g
}

func TestAnUploadIsSignedOverItsDataAlone(t *testing.T) {
	t.Parallel()
	g := uploadGateway(t)
	file := part{filePart, "image/png", "\x89PNG\r\n--\x00\n"}
	data := part{dataPart, "application/json; charset=utf-8", `{"a":"一"}`}
	more := part{`form-data; name="image_content"; filename="../../etc/b.txt"`, "text/plain", ""}

	body, kind, signed := upload(data, file, more)
	answer := send(t, g, body, kind, signed, nil)
	require.Equal(t, 200, answer.StatusCode, "%s", answer.body)
	require.True(t, answer.verifies())
	require.Equal(t, `{"files":2,"data":"{\"a\":\"一\"}"}`, string(answer.body))
	received := g.Requests()[0]
	require.True(t, received.Verified)
	require.Equal(t, `{"a":"一"}`, string(received.Body))
	require.Equal(t, []ReceivedFile{
		{"image_content", "一 1.png", "image/png", []byte("\x89PNG\r\n--\x00\n")},
		{"image_content", "b.txt", "text/plain", []byte{}},
	}, received.Files)
	received.Files[0].Content[0], received.Files[1].Name = 'X', "mine"
	require.Equal(t, byte(0x89), g.Requests()[0].Files[0].Content[0], "a copy")
	require.Equal(t, "b.txt", g.Requests()[0].Files[1].Name)

	for name, parts := range map[string][]part{
		"files first":  {file, data},
		"no data":      {file},
		"no file":      {data},
		"a plain part": {{dataPart, "", `{"a":"一"}`}, file},
	} {
		body, kind, signed = upload(parts...)
		answer = send(t, g, body, kind, signed, nil)
		assert.Equal(t, 200, answer.StatusCode, "%s: %s", name, answer.body)
	}
	// The bytes of a file are not signed, those of data are, and the body as a
	// whole is not what is signed.
	body, kind, signed = upload(data, file)
	changed := strings.Replace(body, "PNG", "GIF", 1)
	require.Equal(t, 200, send(t, g, changed, kind, signed, nil).StatusCode)
	changed = strings.Replace(body, `{"a"`, `{"b"`, 1)
	require.Contains(t, string(send(t, g, changed, kind, signed, nil).body), "invalid-signature")
	require.Contains(t, string(send(t, g, body, kind, body, nil).body), "invalid-signature")
}

func TestAnUploadThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	g := uploadGateway(t)
	data := part{dataPart, "application/json", `{}`}
	body, kind, signed := upload(data, part{filePart, "image/png", "1"})
	many := make([]part, 1001)
	for i := range many {
		many[i] = part{filePart, "", ""}
	}
	manyBody, manyKind, _ := upload(many...)
	twice, twiceKind, _ := upload(data, data)
	nameless, namelessKind, _ := upload(data, part{`form-data; filename="a.png"`, "", ""})
	unknown, unknownKind, _ := upload(data, part{`form-data; name="other"`, "", "x"})
	for name, test := range map[string][2]string{
		"cut short":      {body[:len(body)-10], kind},
		"cut in a head":  {body[:60], kind},
		"no boundary":    {body, "multipart/form-data"},
		"another one":    {body, "multipart/form-data; boundary=x"},
		"data twice":     {twice, twiceKind},
		"a field more":   {unknown, unknownKind},
		"a file unnamed": {nameless, namelessKind},
		"1001 files":     {manyBody, manyKind},
	} {
		answer := send(t, g, test[0], test[1], signed, nil)
		assert.Equal(t, 400, answer.StatusCode, name)
		assert.Contains(t, string(answer.body), "invalid-request-data", name)
	}
	for _, r := range g.Requests() {
		assert.False(t, r.Verified)
		assert.Empty(t, r.Files)
	}
	many = many[1:]
	body, kind, _ = upload(many...)
	require.Equal(t, 200, send(t, g, body, kind, "", nil).StatusCode)

	body, kind, signed = upload(part{dataPart, "application/json", `{`})
	require.Contains(t, string(send(t, g, body, kind, signed, nil).body), "illegal-json")
	body, kind, signed = upload(part{dataPart, "text/plain", `abcd`})
	require.Contains(t, string(send(t, g, body, kind, signed, nil).body), "missing-encrypt-type")
}

func TestOfAnEncryptedUploadTheCiphertextIsSigned(t *testing.T) {
	t.Parallel()
	g := uploadGateway(t, WithEncryptKey(testKey))
	cipher, err := aescbc.New(testKey)
	require.NoError(t, err)
	file := part{filePart, "image/png", "1"}
	encrypted := part{dataPart, "text/plain; charset=utf-8", string(cipher.Encrypt([]byte(`{"a":1}`)))}
	aes := map[string]string{"alipay-encrypt-type": "AES"}

	body, kind, signed := upload(encrypted, file)
	answer := send(t, g, body, kind, signed, aes)
	require.Equal(t, 200, answer.StatusCode, "%s", answer.body)
	require.True(t, answer.verifies())
	plain, err := cipher.Decrypt(answer.body)
	require.NoError(t, err)
	require.Equal(t, `{"files":1,"data":"{\"a\":1}"}`, string(plain))
	require.Equal(t, `{"a":1}`, string(g.Requests()[0].Body))
	require.Equal(t, "1", string(g.Requests()[0].Files[0].Content))

	require.Contains(t, string(send(t, g, body, kind, `{"a":1}`, aes).body), "invalid-signature")
	require.Contains(t, string(send(t, g, body, kind, signed, nil).body), "missing-encrypt-type")
	body, kind, signed = upload(part{dataPart, "application/json", `{"a":1}`}, file)
	require.Contains(t, string(send(t, g, body, kind, signed, aes).body), "decryption-error")
	answer = send(t, g, body, kind, signed, nil)
	require.Equal(t, `{"files":1,"data":"{\"a\":1}"}`, string(answer.body), "a plain one gets a plain answer")
}

func TestFilesCountInTheHistory(t *testing.T) {
	t.Parallel()
	small, large := ReceivedRequest{RequestURI: "/"}, ReceivedRequest{RequestURI: "/"}
	large.Files = []ReceivedFile{{"field", "name", "type", make([]byte, 1000)}}
	require.Equal(t, 1000+len("fieldnametype"), large.size()-small.size())
}

func TestTheHeartbeatIsAnswered(t *testing.T) {
	t.Parallel()
	g := NewGateway(t)
	answer := call{method: "POST", target: "/v3/monitor/heartbeat/syn", body: `{"biz_content":"x"}`, header: map[string]string{"Content-Type": "application/json"}}.do(t, g)
	require.Equal(t, 200, answer.StatusCode)
	require.True(t, answer.verifies())
	require.Equal(t, `{"pid":"2088000000000000"}`, string(answer.body))
	require.Equal(t, 405, call{target: "/v3/monitor/heartbeat/syn"}.do(t, g).StatusCode)
	require.Equal(t, alipay.CodeInvalidMethod, g.Requests()[1].Code)
}

// FuzzReadParts holds the reading of uploads to ending, whatever comes, and to
// giving nothing away of what it refuses.
func FuzzReadParts(f *testing.F) {
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		data, kind, files, err := readParts(contentType, body)
		if err != nil && (err != errParts || data != nil || kind != "" || files != nil) {
			t.Errorf("%v %q %q %v", err, data, kind, files)
		}
		size := len(data)
		for _, file := range files {
			size += len(file.Content)
			if file.Field == "" || file.Name == "" || strings.ContainsRune(file.Name, '/') {
				t.Errorf("%+v", file)
			}
		}
		if size > len(body) {
			t.Errorf("%d bytes of %d", size, len(body))
		}
	})
}
