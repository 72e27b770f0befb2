package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/seed-39a49030/alipay"
)

// live makes one call without a once_token: the gateway judges keys, signature
// and permissions before the endpoint misses the token, and nothing can be spent.
func (r *report) live(c alipay.AlipayConfig) {
	client, err := alipay.NewClient(c, alipay.WithTimeout(15*time.Second))
	if err != nil {
		r.fail("%v", err)
		return
	}
	defer client.CloseIdleConnections()
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &alipay.QueryParams{})
	r.explain(err)
}

// explain says what the answer to the call proves.
func (r *report) explain(err error) {
	var refused *alipay.APIError
	switch {
	case err == nil:
		r.ok("the gateway answered with a success, and its signature held: keys and signature work both ways")
		return
	case errors.As(err, &refused) && ofEndpoint(refused):
		r.ok("the endpoint itself answered (it misses the once_token, as it should), so the gateway took APPID, private key and signature")
		if refused.Verified {
			r.ok("the answer is signed, and the signature held: Alipay's public key or certificate is right too")
		} else {
			r.note("the answer was not signed, as is usual for errors: whether Alipay's public key or certificate is right, only a signed answer can show")
		}
		r.note("it said: %v", err)
		return
	}
	r.fail("%v", err)
	switch {
	case errors.As(err, &refused):
		if hint := refused.Hint(); hint != "" {
			r.note("%s", hint)
		}
	case errors.Is(err, alipay.ErrUnknownCertificate): // its text has the cure
	case errors.Is(err, alipay.ErrResponseSignature):
		r.note("The gateway answered, but what is configured as Alipay's public key (支付宝公钥) or certificate (支付宝公钥证书) is not what it signs with: copy it again from the console, for this APPID and this environment (production or sandbox).")
	case errors.Is(err, alipay.ErrResponseStale):
		r.note("Set the clock of this machine right (NTP).")
	case errors.Is(err, alipay.ErrResponseUnsigned), errors.Is(err, alipay.ErrRedirect), errors.Is(err, alipay.ErrResponseTooLarge):
		r.note("This is not how Alipay's gateway answers: check the base URL, and the proxies on the way.")
	case errors.Is(err, alipay.ErrDecrypt):
		r.note("EncryptKey is not the AES key (接口内容加密方式) that the console shows for this APPID.")
	case errors.Is(err, context.DeadlineExceeded):
		r.note("No answer came in time: check the base URL, firewall and proxy (HTTPS_PROXY).")
	case errors.Is(err, alipay.ErrNotDelivered):
		r.note("The gateway was not reached: check the base URL, DNS, firewall and proxy (HTTPS_PROXY).")
	default:
		r.note("The connection broke before a whole answer came: check the network and the proxies on the way.")
	}
}

// ofEndpoint tells the endpoint's own refusals, which are spelled in capitals,
// from the gateway's, which come before it is asked.
func ofEndpoint(e *alipay.APIError) bool {
	code := string(e.Code)
	return code != "" && code == strings.ToUpper(code) && !errors.Is(e, alipay.ErrOutcomeUnknown)
}
