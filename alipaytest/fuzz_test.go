package alipaytest

import (
	"bufio"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// FuzzServe holds the gateway to answering whatever net/http lets through: with
// JSON, never by a panic, and with a success only to who signed. With sign set,
// the request is signed rightly as it is, so that what lies behind the
// signature is reached as well.
func FuzzServe(f *testing.F) {
	plain, _, err := assemble(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	encrypting, _, err := assemble(nil, []Option{WithEncryptKey(testKey), WithPathPrefix("/proxy")})
	if err != nil {
		f.Fatal(err)
	}
	echo := func(r ReceivedRequest) (int, any) { return 0, json.RawMessage(`{}`) }
	for _, g := range []*Gateway{plain, encrypting} {
		g.history.limit = 10
		g.Handle("POST", "/v3/{a}/{b}", echo)
	}
	f.Fuzz(func(t *testing.T, sign bool, method, target, authorization, contentType, encryptType, body string) {
		for _, g := range []*Gateway{plain, encrypting} {
			head := method + " " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
			if err != nil {
				t.Skip()
			}
			r.Body = http.NoBody
			if body != "" {
				r.Body = http.MaxBytesReader(nil, readCloser{strings.NewReader(body)}, 1<<20)
			}
			if sign {
				auth := protocol.AuthString(AppID, "", protocol.NewID(), time.Now().UnixMilli())
				signed, _ := g.target(r.RequestURI)
				content := []byte(body)
				if media, _, _ := mime.ParseMediaType(contentType); media == "multipart/form-data" {
					if content, _, _, err = readParts(contentType, content); err != nil {
						t.Skip() // never verified
					}
				}
				signature, err := protocol.SignContext(context.Background(), keys().app, protocol.StringToSign(auth, r.Method, signed, content, ""))
				if err != nil {
					t.Fatal(err)
				}
				authorization = protocol.Authorization(auth, signature)
			}
			r.Header.Set("Authorization", authorization)
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Alipay-Encrypt-Type", encryptType)
			w := httptest.NewRecorder()
			g.serve(w, r)

			received := g.Requests()
			last := received[len(received)-1]
			if last.Path == protocol.OldGatewayPath && last.inside {
				continue // see FuzzGatewayDo
			}
			if sign != last.Verified {
				t.Errorf("signed %t, verified %t: %s", sign, last.Verified, w.Body)
			}
			if w.Code < 300 != (last.Code == "") || w.Code < 300 && !last.Verified {
				t.Errorf("status %d, code %q", w.Code, last.Code)
			}
			if w.Header().Get("Content-Type") != "text/plain" && !json.Valid(w.Body.Bytes()) {
				t.Errorf("no JSON: %q", w.Body)
			}
			g.Reset()
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
