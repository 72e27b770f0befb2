package alipay_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/internal/aescbc"
	"github.com/seed-39a49030/alipay/internal/protocol"
)

// TestFilesAreUploadedBesideTheSignedData takes the request apart by hand: the
// signature covers the content of the part data, and no byte of the files.
func TestFilesAreUploadedBesideTheSignedData(t *testing.T) {
	t.Parallel()
	const key = "AAECAwQFBgcICQoLDA0ODw=="
	image := []byte("\x89PNG\r\n\x1a\n\x00--boundary")
	for name, tt := range map[string]struct {
		body      any
		encrypted bool
		wantData  string
	}{
		"with data":               {map[string]string{"a": "<张>"}, false, `{"a":"<张>"}`},
		"with data, encrypted":    {map[string]string{"a": "<张>"}, true, `{"a":"<张>"}`},
		"without data":            {nil, false, ""},
		"without data, encrypted": {nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cipher, err := aescbc.New(key)
			require.NoError(t, err)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
				assert.NoError(t, err)
				assert.Equal(t, "multipart/form-data", mediaType)
				assert.Equal(t, map[bool]string{true: "AES"}[tt.encrypted], r.Header.Get("alipay-encrypt-type"))
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				assert.EqualValues(t, len(body), r.ContentLength)
				reader := multipart.NewReader(bytes.NewReader(body), params["boundary"])
				signed := ""
				var names []string
				for {
					part, err := reader.NextRawPart()
					if err == io.EOF {
						break
					}
					if !assert.NoError(t, err) {
						return
					}
					content, _ := io.ReadAll(part)
					names = append(names, part.FormName()+" "+part.FileName()+" "+part.Header.Get("Content-Type"))
					if part.FormName() == "data" {
						signed = string(content)
						if tt.encrypted {
							content, err = cipher.Decrypt(content)
							assert.NoError(t, err)
						}
						assert.Equal(t, tt.wantData, string(content))
						continue
					}
					assert.Equal(t, image, content)
				}
				files := []string{"image_content a\"b.png image/png", "other 照片 application/octet-stream"}
				switch {
				case tt.body == nil:
				case tt.encrypted:
					files = append([]string{"data  text/plain; charset=utf-8"}, files...)
				default:
					files = append([]string{"data  application/json; charset=utf-8"}, files...)
				}
				assert.Equal(t, files, names)
				authorization, err := protocol.ParseAuthorization(r.Header.Get("Authorization"))
				assert.NoError(t, err)
				content := protocol.StringToSign(authorization.AuthString, "POST", "/v3/upload", []byte(signed), "")
				assert.NoError(t, protocol.Verify(appPublicKey(t), content, authorization.Signature))
				answer(w, 200, `{"id":"1"}`)
			})
			config := testConfig(t, s.URL)
			if tt.encrypted {
				config.EncryptKey = key
			}
			client, err := alipay.NewClient(config)
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			var out struct{ ID string }
			_, err = client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/upload", Body: tt.body, Files: []alipay.File{
				{Field: "image_content", Name: `a"b.png`, Content: image}, {Field: "other", Name: "照片", Content: image},
			}}, &out)
			require.NoError(t, err)
			assert.Equal(t, "1", out.ID)
		})
	}
}

func TestAFileThatCannotBeUploadedIsAMistake(t *testing.T) {
	client := newClient(t, "http://127.0.0.1:1")
	for _, file := range []alipay.File{{Name: "a"}, {Field: "f"}, {Field: "data", Name: "a"}, {Field: "f\n", Name: "a"}, {Field: "f", Name: "a\r\nX: y"}} {
		_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Files: []alipay.File{file}}, nil)
		assertArgument(t, err, "Request.Files")
	}
	for _, method := range []string{"", "GET", "DELETE"} {
		_, err := client.Do(t.Context(), &alipay.Request{Method: method, Path: "/v3/x", Files: []alipay.File{{Field: "f", Name: "a"}}}, nil)
		assertArgument(t, err, "Request.Files")
	}
}

// TestAnUploadIsSentAgainOnlyWhenRefusedForLoad: files change nothing about
// delivery.
func TestAnUploadIsSentAgainOnlyWhenRefusedForLoad(t *testing.T) {
	statuses := []int{429, 502}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(statuses[0])
		statuses = statuses[1:]
	})
	client := newClient(t, s.URL, alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: 1}))
	_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Files: []alipay.File{{Field: "f", Name: "a", Content: make([]byte, 1<<20)}}}, nil)
	require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
	assert.EqualValues(t, 2, s.requests.Load())
}

func TestABodyThatIsNotUTF8IsAMistake(t *testing.T) {
	client := newClient(t, "http://127.0.0.1:1")
	_, err := client.Do(t.Context(), &alipay.Request{Method: "POST", Path: "/v3/x", Body: []byte("{\"a\":\"\xd5\xc5\"}")}, nil)
	assertArgument(t, err, "Request.Body")
}
