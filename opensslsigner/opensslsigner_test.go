package opensslsigner

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// The keys in testdata are public test material.
var rsaKeys = []string{"rsa2048.pem", "rsa2048_e3.pem", "rsa2049_pkcs1.pem", "rsa3072.pem"}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func der(t testing.TB, name string) []byte {
	t.Helper()
	block, _ := pem.Decode(read(t, name))
	if block == nil {
		t.Fatalf("%s is no PEM", name)
	}
	return block.Bytes
}

func load(t testing.TB, name string) *Signer {
	t.Helper()
	s, err := New(read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reference is the same key in crypto/rsa.
func reference(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	if key, err := x509.ParsePKCS1PrivateKey(der(t, name)); err == nil {
		return key
	}
	key, err := x509.ParsePKCS8PrivateKey(der(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// sameAsRSA signs content with both.
func sameAsRSA(t testing.TB, s *Signer, key *rsa.PrivateKey, content []byte) {
	t.Helper()
	digest := sha256.Sum256(content)
	want, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x (%v) instead of %x", got, err, want)
	}
}

func FuzzSignaturesAreThoseOfCryptoRSA(f *testing.F) {
	var signers []*Signer
	var keys []*rsa.PrivateKey
	for i, name := range rsaKeys {
		signers, keys = append(signers, load(f, name)), append(keys, reference(f, name))
		f.Add(byte(i), []byte("app_id=2021000000000001,nonce=1,timestamp=1\nGET\n/v3/zhima\n\n"))
	}
	f.Fuzz(func(t *testing.T, which byte, content []byte) {
		i := int(which) % len(signers)
		sameAsRSA(t, signers[i], keys[i], content)
	})
}

// What New takes signs as crypto/rsa does, and what crypto/rsa does not take is
// refused.
func FuzzKeys(f *testing.F) {
	for _, name := range append(rsaKeys, "ec.pem", "rsapss.pem", "encrypted.pem") {
		f.Add(read(f, name))
		f.Add(der(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := parse(data)
		s, newErr := New(data)
		if (err == nil) != (newErr == nil) {
			t.Fatalf("crypto/rsa says %v, OpenSSL %v", err, newErr)
		}
		if err != nil {
			return
		}
		if !key.PublicKey.Equal(s.Public()) {
			t.Fatal("another public key")
		}
		digest := sha256.Sum256(data)
		want, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		got, signErr := s.Sign(nil, digest[:], crypto.SHA256)
		if err == nil && !bytes.Equal(got, want) {
			t.Errorf("%x (%v) instead of %x", got, signErr, want)
		}
	})
}

func TestAKeyIsTakenInEveryForm(t *testing.T) {
	for _, name := range rsaKeys {
		key := reference(t, name)
		pkcs1 := x509.MarshalPKCS1PrivateKey(key)
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for form, data := range map[string][]byte{
			"PKCS#1 DER": pkcs1, "PKCS#8 DER": pkcs8,
			"PKCS#1 PEM": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: pkcs1}),
			"PKCS#8 PEM": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
			"PEM below a text, with CRLF": append([]byte("the key\r\n"),
				bytes.ReplaceAll(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), []byte("\n"), []byte("\r\n"))...),
		} {
			before := bytes.Clone(data)
			s, err := New(data)
			if err != nil {
				t.Errorf("%s, %s: %v", name, form, err)
				continue
			}
			if !bytes.Equal(data, before) {
				t.Errorf("%s, %s: the caller's bytes have changed", name, form)
			}
			sameAsRSA(t, s, key, []byte(form))
		}
	}
}

func TestOtherKeysAreRefusedAndNotShown(t *testing.T) {
	good := der(t, "rsa2048.pem")
	public, err := x509.MarshalPKIXPublicKey(&reference(t, "rsa2048.pem").PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  []byte
		want string
	}{
		"nothing":        {nil, "not a private key"},
		"a word":         {[]byte("secret-word"), "not a private key"},
		"half a key":     {good[:len(good)/2], "not a private key"},
		"EC":             {read(t, "ec.pem"), "not an RSA key"},
		"RSA-PSS":        {read(t, "rsapss.pem"), "not a private key"},
		"encrypted":      {read(t, "encrypted.pem"), "encrypted"},
		"encrypted, old": {[]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nc2VjcmV0LXdvcmQ=\n-----END RSA PRIVATE KEY-----\n"), "encrypted"},
		"public":         {pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), "not an RSA private key"},
	} {
		s, err := New(c.key)
		if err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), "secret-word") || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestOnlyPKCS1v15WithSHA256IsSigned(t *testing.T) {
	s := load(t, "rsa2048.pem")
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
}

func TestConcurrentSignaturesHold(t *testing.T) {
	s := load(t, "rsa2048.pem")
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

func TestWaitingForAProcessorEndsWithTheContext(t *testing.T) {
	s := load(t, "rsa2048.pem")
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	signature, err := s.SignContext(ctx, make([]byte, 32), crypto.SHA256)
	if !errors.Is(err, context.Canceled) || signature != nil {
		t.Errorf("%x, %v", signature, err)
	}
	<-s.slots
	if _, err := s.SignContext(t.Context(), make([]byte, 32), crypto.SHA256); err != nil {
		t.Error(err)
	}
	if len(s.slots) != cap(s.slots)-1 {
		t.Errorf("%d places taken, want %d", len(s.slots), cap(s.slots)-1)
	}
}

// A signature is made while the garbage collector runs and nothing else holds
// the Signer: its key must not be freed before the end.
func TestAKeyIsFreedAfterItsLastSignature(t *testing.T) {
	key := read(t, "rsa2048.pem")
	digest := sha256.Sum256(nil)
	var all sync.WaitGroup
	for range 200 {
		s, err := New(key)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if _, err := s.Sign(nil, digest[:], crypto.SHA256); err != nil {
				t.Error(err)
			}
		})
		runtime.GC()
	}
	all.Wait()
}

func TestVersionNamesOpenSSL(t *testing.T) {
	if !strings.Contains(Version(), "SSL") {
		t.Errorf("%q", Version())
	}
}

func BenchmarkCryptoRSA(b *testing.B) { benchmark(b, reference(b, "rsa2048.pem")) }
func BenchmarkOpenSSL(b *testing.B)   { benchmark(b, load(b, "rsa2048.pem")) }

func benchmark(b *testing.B, signer crypto.Signer) {
	digest := sha256.Sum256(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}
