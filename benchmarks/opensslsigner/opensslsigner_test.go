//go:build openssl

package opensslsigner

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const vectorDir = "../../testdata/vectors/"

func read(t testing.TB, name string) []byte {
	data, err := os.ReadFile(vectorDir + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func load(t testing.TB, name string) *Signer {
	block, _ := pem.Decode(read(t, name))
	s, err := New(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignsAsTheVectorsAre(t *testing.T) {
	var v struct {
		Requests []struct {
			Content string `json:"string_to_sign"`
			Header  string `json:"authorization"`
		}
		Responses []struct {
			Content   string `json:"content"`
			Signature string `json:"alipay_signature"`
		}
	}
	if err := json.Unmarshal(read(t, "vectors.json"), &v); err != nil {
		t.Fatal(err)
	}
	check := func(s *Signer, content, want string) {
		digest := sha256.Sum256([]byte(content))
		signature, err := s.Sign(nil, digest[:], crypto.SHA256)
		if got := base64.StdEncoding.EncodeToString(signature); err != nil || got != want {
			t.Errorf("%v, %s instead of %s", err, got, want)
		}
	}
	app, alipay := load(t, "app_private_pkcs8.pem"), load(t, "alipay_private_pkcs8.pem")
	if len(v.Requests) == 0 || len(v.Responses) == 0 {
		t.Fatal("no vectors")
	}
	for _, r := range v.Requests {
		_, want, _ := strings.Cut(r.Header, ",sign=")
		check(app, r.Content, want)
	}
	for _, r := range v.Responses {
		check(alipay, r.Content, r.Signature)
	}
}

func TestConcurrentSignaturesHold(t *testing.T) {
	s := load(t, "app_private_pkcs8.pem")
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for j := range 50 {
				digest := sha256.Sum256([]byte{byte(i), byte(j)})
				signature, err := s.Sign(nil, digest[:], crypto.SHA256)
				if err == nil {
					err = rsa.VerifyPKCS1v15(s.public, crypto.SHA256, digest[:], signature)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestKeysAreFreed(t *testing.T) {
	block, _ := pem.Decode(read(t, "app_private_pkcs8.pem"))
	digest := sha256.Sum256(nil)
	for range 200 {
		s, err := New(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if _, err := s.Sign(nil, digest[:], crypto.SHA256); err != nil {
				t.Error(err)
			}
		}()
		runtime.GC()
	}
}

func TestWhatItCannotDoIsRefused(t *testing.T) {
	s := load(t, "app_private_pkcs8.pem")
	digest := make([]byte, 64)
	for _, c := range []struct {
		digest []byte
		opts   crypto.SignerOpts
	}{
		{digest[:32], nil}, {digest[:31], crypto.SHA256}, {nil, crypto.SHA256}, {digest, crypto.SHA512},
		{digest[:32], &rsa.PSSOptions{Hash: crypto.SHA256}},
	} {
		if signature, err := s.Sign(rand.Reader, c.digest, c.opts); err == nil || signature != nil {
			t.Errorf("%d bytes, %v: signed", len(c.digest), c.opts)
		}
	}
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	notRSA, _ := x509.MarshalPKCS8PrivateKey(ec)
	block, _ := pem.Decode(read(t, "app_private_pkcs8.pem"))
	for _, der := range [][]byte{nil, []byte("x"), notRSA, block.Bytes[:100], bytes.Repeat([]byte{0x30}, 300)} {
		if _, err := New(der); err == nil {
			t.Errorf("%d bytes: taken", len(der))
		}
	}
}
