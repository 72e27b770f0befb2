package doctor

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/credentials"
	"github.com/seed-39a49030/alipay/internal/keys"
)

// mistake is something that NewClient refuses.
type mistake struct {
	field string
	text  text
}

// mistakes lists what NewClient refuses in the config, each once.
func mistakes(c alipay.AlipayConfig, now time.Time) (found []mistake) {
	if publicKey, certificates := modes(c); publicKey && certificates {
		// What is wrong in each mode is found with the other left out.
		if _, err := credentials.Resolve(onlyModes(c), now); err != nil {
			found = append(found, asMistake(err))
		}
		withoutKey, withoutCerts := c, c
		withoutKey.AlipayPublicKey, withoutKey.AlipayPublicKeyPath = "", ""
		dropCertificates(&withoutCerts)
		for _, m := range append(mistakes(withoutKey, now), mistakes(withoutCerts, now)...) {
			if !slices.Contains(found, m) {
				found = append(found, m)
			}
		}
		return found
	}
	found = collect(c, now)
	if base, err := credentials.ParseBaseURL(c.BaseURL); err == nil && base.Scheme == "http" && !credentials.IsLoopback(base.Hostname()) {
		found = append(found, mistake{"BaseURL", both("http would send personal data in the clear; use https (http is for loopback addresses, or with WithInsecureHTTP)",
			"http 会以明文发送个人数据；请改用 https（http 只用于本机地址，或设置 WithInsecureHTTP）")})
	}
	for _, pair := range pairs {
		if swapped, ok := pair.swap(c, found, now); ok {
			return swapped
		}
	}
	return found
}

// onlyModes is a config whose only mistake is that it has both modes.
func onlyModes(c alipay.AlipayConfig) credentials.Config {
	spare := spares()
	return credentials.Config{AppID: spare.AppID, PrivateKey: spare.PrivateKey, AlipayPublicKey: "set", RootCertContent: "set"}
}

func asMistake(err error) mistake {
	e := err.(*credentials.Error) // Resolve returns no other
	return mistake{e.Field, e.Reason}
}

// mistakes says what NewClient refuses. envErr is what is missing in the
// environment, nil when flags gave settings, too.
func (r *report) mistakes(found []mistake, envErr error) {
	r.begin("mistakes", "What alipay.NewClient says", "alipay.NewClient 的检查结果")
	for _, m := range found {
		r.fail(m.field, m.text)
	}
	if len(found) == 0 {
		r.ok(both("it accepts this configuration", "接受这份配置"))
	} else if envErr != nil {
		r.note(asMistake(envErr).text)
	}
}

// pair is two settings that are easily put in each other's place.
type pair struct {
	a, b string
	said text
}

var pairs = []pair{
	{"PrivateKey", "AlipayPublicKey", both("the two are swapped: PrivateKey (应用私钥) holds a public key, AlipayPublicKey (支付宝公钥) a private key",
		"两者填反了：PrivateKey（应用私钥）里是公钥，AlipayPublicKey（支付宝公钥）里是私钥")},
	{"AppCertContent", "AlipayPublicCertContent", both("the two are swapped: AppCertContent (应用公钥证书) holds Alipay's certificate, AlipayPublicCertContent (支付宝公钥证书) the application's",
		"两者填反了：AppCertContent（应用公钥证书）里是支付宝公钥证书，AlipayPublicCertContent（支付宝公钥证书）里是应用公钥证书")},
	{"AlipayPublicCertContent", "RootCertContent", both("the two are swapped: AlipayPublicCertContent (支付宝公钥证书) holds the root bundle, RootCertContent (支付宝根证书) Alipay's certificate",
		"两者填反了：AlipayPublicCertContent（支付宝公钥证书）里是根证书，RootCertContent（支付宝根证书）里是支付宝公钥证书")},
	{"AppCertContent", "RootCertContent", both("the two are swapped: AppCertContent (应用公钥证书) holds the root bundle, RootCertContent (支付宝根证书) the application's certificate",
		"两者填反了：AppCertContent（应用公钥证书）里是根证书，RootCertContent（支付宝根证书）里是应用公钥证书")},
}

// setting returns where a key or certificate is in a config.
func setting(c *alipay.AlipayConfig, field string) (content, path *string) {
	switch field {
	case "PrivateKey":
		return &c.PrivateKey, &c.PrivateKeyPath
	case "AlipayPublicKey":
		return &c.AlipayPublicKey, &c.AlipayPublicKeyPath
	case "AppCertContent":
		return &c.AppCertContent, &c.AppCertPath
	case "AlipayPublicCertContent":
		return &c.AlipayPublicCertContent, &c.AlipayPublicCertPath
	default:
		return &c.RootCertContent, &c.RootCertPath
	}
}

// swap looks whether the mistakes of the two are gone when they change places, and
// then returns what is left. Of keys their kinds say it: the two may be halves of
// the application's own pair, which stays a mistake.
func (p pair) swap(c alipay.AlipayConfig, found []mistake, now time.Time) ([]mistake, bool) {
	wrong := func(list []mistake, field string) bool {
		return slices.ContainsFunc(list, func(m mistake) bool { return contentField(m.field) == field })
	}
	if !wrong(found, p.a) && !wrong(found, p.b) {
		return nil, false
	}
	contentA, pathA := setting(&c, p.a)
	contentB, pathB := setting(&c, p.b)
	*contentA, *contentB, *pathA, *pathB = *contentB, *contentA, *pathB, *pathA
	left := collect(c, now)
	if p.a == "PrivateKey" {
		m := read(p.b, *contentB, *pathB)
		if m == nil || m.Kind != keys.Public || wrong(left, p.a) {
			return nil, false
		}
	} else if wrong(left, p.a) || wrong(left, p.b) {
		return nil, false
	}
	return append([]mistake{{p.a, p.said}}, left...), true
}

// spares are the test kit's keys, of both modes.
var spares = sync.OnceValue(func() alipay.AlipayConfig {
	gateway, err := alipaytest.StartGateway()
	if err != nil { // there is no loopback, and so nothing to go on with
		return alipay.AlipayConfig{}
	}
	defer gateway.Close()
	spare := gateway.CertConfig()
	spare.AlipayPublicKey = gateway.Config().AlipayPublicKey
	// A certificate without the names of a merchant and an application, which would
	// contradict those of the caller's.
	key := keys.Inspect(spare.PrivateKey).Private
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "spare"}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(100, 0, 0)}
	if der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err == nil {
		spare.AppCertContent = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return spare
})

// collect returns every mistake, not just the first: what is known to be wrong
// is replaced by the test kit's keys, and the config is checked again.
func collect(c alipay.AlipayConfig, now time.Time) (found []mistake) {
	if _, err := credentials.Resolve(credentials.Config(c), now); err == nil {
		return nil
	}
	s := standIns{all: readAll(c), spare: spares(), replaced: map[string]bool{}}
	for range 20 { // more than there are fields
		_, err := credentials.Resolve(credentials.Config(c), now)
		if err == nil {
			return found
		}
		m := asMistake(err)
		field := contentField(m.field)
		if !s.follows(field) {
			found = append(found, m)
		}
		s.replace(&c, field)
	}
	return found
}

// contentField is the field that a …Path variant stands for.
func contentField(field string) string {
	content, isPath := strings.CutSuffix(field, "Path")
	if isPath && strings.HasSuffix(content, "Cert") {
		return content + "Content"
	}
	return content
}

// standIns replaces parts of a config.
type standIns struct {
	all      everything
	spare    alipay.AlipayConfig
	replaced map[string]bool
}

// follows reports whether a mistake only comes from a replacement: a certificate
// cannot match a key that is not the caller's.
func (s *standIns) follows(field string) bool {
	switch field {
	case "AppCertContent":
		return s.replaced["PrivateKey"] && s.all.appCert.whole(keys.Certificate) || s.replaced[field]
	case "AlipayPublicCertContent":
		return s.replaced["RootCertContent"] && s.all.alipayCert.whole(keys.Certificate) || s.replaced[field]
	}
	return s.replaced[field]
}

func (s *standIns) replace(c *alipay.AlipayConfig, field string) {
	if s.replaced[field] { // a replacement does not fit the caller's other keys: replace them all
		s.replacePart(c, "PrivateKey")
		s.replacePart(c, "AppCertContent")
		s.replacePart(c, "AlipayPublicCertContent")
		s.replacePart(c, "RootCertContent")
		return
	}
	s.replacePart(c, field)
}

func (s *standIns) replacePart(c *alipay.AlipayConfig, field string) {
	s.replaced[field] = true
	switch field {
	case "BaseURL":
		c.BaseURL = ""
	case "AppID":
		c.AppID = cmp.Or(s.all.named(), s.spare.AppID)
	case "Signer":
		c.Signer = nil
		c.PrivateKey = s.spare.PrivateKey
	case "EncryptKey":
		c.EncryptKey = ""
	case "AppAuthToken":
		c.AppAuthToken = ""
	default:
		content, path := setting(c, field)
		good, _ := setting(&s.spare, field)
		*content, *path = *good, ""
		if field == "AlipayPublicKey" {
			dropCertificates(c) // one mode is enough to go on
		}
	}
}

// named is the APPID in the name of the application's certificate, "" for none.
func (e everything) named() string {
	for _, leaf := range e.appCert.leaves() {
		if _, id, _ := strings.Cut(leaf.X509.Subject.CommonName, "-"); len(id) == 16 && strings.Trim(id, "0123456789") == "" {
			return id
		}
	}
	return ""
}

func dropCertificates(c *alipay.AlipayConfig) {
	c.AppCertContent, c.AppCertPath = "", ""
	c.AlipayPublicCertContent, c.AlipayPublicCertPath = "", ""
	c.RootCertContent, c.RootCertPath = "", ""
}
