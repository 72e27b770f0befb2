package credentials

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-39a49030/alipay/internal/testpki"
)

// contentFields are those that hold the text of a key or certificate.
var contentFields = []string{"PrivateKey", "AlipayPublicKey", "AppCertContent", "AlipayPublicCertContent", "RootCertContent"}

// FuzzResolve edits the text of a field, or the DER inside: there is either a
// mistake, reported without anything of the text, or complete credentials.
func FuzzResolve(f *testing.F) {
	for i := range contentFields {
		f.Add(uint8(i), false, uint16(0), uint16(0), "")
		f.Add(uint8(i), true, uint16(100), uint16(1), "\x00")
	}
	f.Fuzz(func(t *testing.T, which uint8, der bool, at, remove uint16, insert string) {
		field := contentFields[int(which)%len(contentFields)]
		c := configFor(field)
		text := value(c, field)
		if der {
			text = testpki.EditDER(text, at, remove, insert)
		} else {
			text = testpki.Edit(text, at, remove, insert)
		}
		set(&c, field, text)
		r, err := Resolve(c, now)
		if err != nil {
			checkError(t, r, err, text)
			return
		}
		if r.Base == nil || r.Signer == nil || !r.PublicKey.Equal(r.Signer.Public()) || (r.AlipayKey == nil) == (len(r.AlipayCerts) == 0) {
			t.Fatal("the credentials are not whole")
		}
		if r.AlipayKey != nil {
			checkStrength(t, r, AlipayCert{Key: r.AlipayKey})
			return
		}
		if len(r.AppCertSN) != 32 || len(r.RootCertSN) < 32 || len(r.Expiries) < 2 || len(r.Expiries) > len(r.AlipayCerts)+1 {
			t.Fatal("an SN or an expiry is missing")
		}
		for sn, cert := range r.AlipayCerts {
			checkStrength(t, r, cert)
			if len(sn) != 32 || cert.PEM != "" {
				t.Fatal("a certificate that signs nothing")
			}
		}
	})
}

// checkStrength asks for a key that can be Alipay's.
func checkStrength(t *testing.T, r *Credentials, cert AlipayCert) {
	if cert.Key.N.BitLen() < minKeyBits || cert.Key.E < 3 || r.PublicKey.Equal(cert.Key) {
		t.Fatal("a key that cannot be Alipay's was accepted")
	}
}

func checkError(t *testing.T, r *Credentials, err error, text string) {
	mistake, ok := err.(*Error)
	if r != nil || !ok || mistake.Field == "" || mistake.Reason.EN == "" || len(mistake.Reason.EN) > 1200 || strings.Contains(mistake.Reason.EN+mistake.Reason.ZH, "%!") || mistake.Reason.ZH == "" {
		t.Fatalf("%#v", err)
	}
	if !reflect.ValueOf(Config{}).FieldByName(mistake.Field).IsValid() {
		t.Fatalf("no such field: %s", mistake.Field)
	}
	shown := publicWords.Replace(mistake.Reason.EN + mistake.Reason.ZH)
	for i := 0; i+16 <= len(text); i++ {
		if part := text[i : i+16]; strings.Contains(shown, part) {
			t.Fatalf("%q is shown in %q", part, shown)
		}
	}
}

// FuzzResolveField puts any text into any field.
func FuzzResolveField(f *testing.F) {
	fields := reflect.VisibleFields(reflect.TypeFor[Config]())
	for i := range fields {
		f.Add(uint8(i), "secret\x00 value/v3?x#y")
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		field := fields[int(which)%len(fields)].Name
		if field == "Signer" || strings.HasSuffix(field, "Path") && len(text) > 0 && !strings.Contains(text, "\x00") {
			return // no files are read that the fuzzer names
		}
		c := configFor(field)
		set(&c, field, text)
		if r, err := Resolve(c, now); err != nil {
			checkError(t, r, err, text)
		}
	})
}

func FuzzParseBaseURL(f *testing.F) {
	for _, raw := range []string{"", ProductionURL, "https://proxy.example:8443/a%2Fb/", "http://[::1%25eth0]:80", "https://x/gateway.do", "https://u:p@h?q#f", "//h", "https://h:99999", "HTTPS://H/v3", "\ufeffhttps://openapi.alipay.cn\u200b/", "https://a%E2%80%8Bb"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := ParseBaseURL(raw)
		if err != nil {
			if mistake, ok := err.(*Error); u != nil || !ok || mistake.Field != "BaseURL" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(u.RawPath, "/") {
			t.Fatalf("more or less than a base URL: %q", u)
		}
		again, err := ParseBaseURL(u.String())
		if err != nil || *again != *u {
			t.Fatalf("%q becomes %v, %v", u, again, err)
		}
		if joined, err := url.Parse(u.String() + "/v3/x"); err != nil || joined.Host != u.Host || joined.EscapedPath() != u.RawPath+"/v3/x" {
			t.Fatalf("a path cannot be added to %q", u)
		}
	})
}

// FuzzTrust edits the download of a certificate that is to be trusted: what is
// trusted then is still that certificate.
func FuzzTrust(f *testing.F) {
	p := world()
	c, err := Resolve(certConfig(), now)
	if err != nil {
		f.Fatal(err)
	}
	sn := snOf(p.next.PEM)
	f.Add(false, uint16(0), uint16(0), "")
	f.Add(true, uint16(300), uint16(1), "x")
	f.Add(true, uint16(20), uint16(1), "\x01")
	f.Fuzz(func(t *testing.T, der bool, at, remove uint16, insert string) {
		download := testpki.Edit(p.nextFile, at, remove, insert)
		if der {
			download = testpki.EditDER(p.nextFile, at, remove, insert)
		}
		got, cert, err := c.Trust(download, sn, now)
		if err != nil {
			if got != "" || cert.Key != nil || len(err.Error()) > 600 {
				t.Fatalf("%q %v", got, err)
			}
			return
		}
		if got != sn || !cert.Key.Equal(&p.nextKey.PublicKey) || cert.PEM == "" {
			t.Fatal("another certificate is trusted")
		}
	})
}
