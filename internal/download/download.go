// Package download asks the platform for a certificate of Alipay's by its SN: once
// for all calls that wait for it, and not repeatedly when that fails. Whether the
// certificate is trusted is decided elsewhere.
package download

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed-39a49030/alipay/internal/delivery"
	"github.com/seed-39a49030/alipay/internal/lenient"
)

// Method is the API of the old gateway that returns a certificate.
const Method = "alipay.open.app.alipaycert.download"

// BizContent returns the parameters of the download. sn is hexadecimal.
func BizContent(sn string) string { return `{"alipay_cert_sn":"` + sn + `"}` }

// maxAnswer bounds the answer; a real one has about 5 kB.
const maxAnswer = 128 << 10

// Fetch sends the request and returns the certificates in the answer, as PEM. The
// answer's signature is not checked, since it may be made with the very key that
// is asked for. The error is safe to show.
//
// A caller's transport may hand out connections that this client has just closed,
// such as that of the answer which waits for the certificate. Nothing is sent on
// them, and the next one is tried.
func Fetch(ctx context.Context, transport *delivery.Transport, request delivery.Request) (pem string, err error) {
	for {
		var report delivery.Report
		pem, err = fetch(ctx, transport, request, &report)
		if err == nil || ctx.Err() != nil || !report.Unused() {
			return pem, err
		}
	}
}

func fetch(ctx context.Context, transport *delivery.Transport, request delivery.Request, report *delivery.Report) (pem string, err error) {
	defer report.Close()
	resp, err := transport.Send(ctx, request, report)
	if err != nil {
		if cause := report.Cause(); cause != nil {
			return "", cause
		}
		return "", ctx.Err()
	}
	defer resp.Body.Close()
	body, tooLarge, err := delivery.ReadAtMost(resp.Body, maxAnswer, resp.ContentLength)
	switch {
	case resp.StatusCode != http.StatusOK: // a redirect is not followed
		return "", fmt.Errorf("the download was answered with HTTP status %d", resp.StatusCode)
	case tooLarge:
		return "", errors.New("the answer to the download is larger than any real one")
	case err != nil:
		return "", delivery.BrokenOff(ctx, err)
	}
	return Parse(body)
}

var errNoAnswer = errors.New("the answer to the download is not that of the gateway")

// Parse returns the certificates in an answer, as PEM. The error is safe to show.
func Parse(body []byte) (pem string, err error) {
	object, err := lenient.Object(body)
	var answer struct {
		Response *struct {
			Code    string `json:"code"`
			SubCode string `json:"sub_code"`
			Content string `json:"alipay_cert_content"`
		} `json:"alipay_open_app_alipaycert_download_response"`
		Error *struct {
			Code    string `json:"code"`
			SubCode string `json:"sub_code"`
		} `json:"error_response"`
	}
	if err != nil || json.Unmarshal(object, &answer) != nil {
		return "", errNoAnswer
	}
	if refused := answer.Error; answer.Response == nil && refused != nil {
		return "", refusal(refused.Code, refused.SubCode)
	}
	if answer.Response == nil {
		return "", errNoAnswer
	}
	if r := answer.Response; r.Code != "10000" {
		return "", refusal(r.Code, r.SubCode)
	}
	content, err := base64.StdEncoding.DecodeString(strings.TrimSpace(answer.Response.Content)) // it ignores line ends inside
	if err != nil || len(content) == 0 {
		return "", errors.New("the answer to the download holds no certificate")
	}
	return string(content), nil
}

// refusal shows only codes that look like codes.
func refusal(code, subCode string) error {
	text := "the gateway refused the download"
	for _, c := range []string{code, subCode} {
		if isCode(c) {
			text += " " + c
		}
	}
	return errors.New(text)
}

func isCode(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._-", c) >= 0) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 64
}
