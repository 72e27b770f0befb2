package doctor

import (
	"errors"
	"strings"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/internal/keys"
)

// mistakes lists what NewClient refuses in the config, and reports whether there
// is nothing.
func (r *report) mistakes(c alipay.AlipayConfig, envErr error, envOnly bool) bool {
	r.begin("mistakes", "What alipay.NewClient says", "alipay.NewClient 的检查结果")
	found, err := collect(c)
	if err != nil {
		r.fail("", err.Error())
		return false
	}
	for _, mistake := range found {
		r.fail(mistake.Field, r.reason(mistake.Reason))
	}
	if len(found) == 0 {
		r.ok(r.t("it accepts this configuration", "接受这份配置"))
		return true
	}
	var missing *alipay.ConfigError
	if envOnly && errors.As(envErr, &missing) {
		r.note(r.reason(missing.Reason))
	}
	return false
}

// collect returns every mistake, not just the first: what is known to be wrong
// is replaced by the test kit's keys, and the config is checked again.
func collect(c alipay.AlipayConfig) ([]*alipay.ConfigError, error) {
	if _, err := alipay.NewClient(c); err == nil {
		return nil, nil
	}
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		return nil, err
	}
	defer gateway.Close()
	s := standIns{all: readAll(c), spare: gateway.CertConfig(), replaced: map[string]bool{}}
	s.spare.AlipayPublicKey = gateway.Config().AlipayPublicKey

	var found []*alipay.ConfigError
	for range 20 { // more than there are fields
		_, err := alipay.NewClient(c)
		var mistake *alipay.ConfigError
		if !errors.As(err, &mistake) {
			return found, nil
		}
		field := contentField(mistake.Field)
		if !s.follows(field) {
			found = append(found, mistake)
		}
		s.replace(&c, field)
	}
	return found, nil
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

// follows reports whether a mistake only comes from a replacement: a
// certificate cannot match a key that is not the caller's.
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
		c.AppID = s.spare.AppID
	case "PrivateKey", "Signer":
		c.PrivateKey, c.PrivateKeyPath, c.Signer = s.spare.PrivateKey, "", nil
	case "AlipayPublicKey":
		c.AlipayPublicKey, c.AlipayPublicKeyPath = s.spare.AlipayPublicKey, ""
		c.AppCertContent, c.AppCertPath = "", "" // one mode is enough to go on
		c.AlipayPublicCertContent, c.AlipayPublicCertPath = "", ""
		c.RootCertContent, c.RootCertPath = "", ""
	case "AppCertContent":
		c.AppCertContent, c.AppCertPath = s.spare.AppCertContent, ""
	case "AlipayPublicCertContent":
		c.AlipayPublicCertContent, c.AlipayPublicCertPath = s.spare.AlipayPublicCertContent, ""
	case "RootCertContent":
		c.RootCertContent, c.RootCertPath = s.spare.RootCertContent, ""
	case "EncryptKey":
		c.EncryptKey = ""
	case "AppAuthToken":
		c.AppAuthToken = ""
	}
}
