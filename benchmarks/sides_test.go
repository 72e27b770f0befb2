package benchmarks

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-39a49030/alipay"
)

const (
	appID   = "2021000000000001"
	path    = "/v3/zhima/customer/jobworth/authentication"
	timeout = 10 * time.Second
	maxSkew = 10 * time.Minute
)

// params are the nine parameters that both sides send.
var params = alipay.QueryParams{
	ConnKey: "conn-key-5521", OnceToken: "once-7c1f5be0a9d24", QueryType: alipay.QueryTypeExact,
	IdentityType: alipay.IdentityTypeTeacher, ServiceID: "2019120400000000000004450100",
	UserID: "2088402562742105", OpenID: "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
	CertNo: "420192931233123123", CertType: alipay.CertTypeIDCard,
}

// transports are HTTP/1.1 without and with TLS, which the library's own transport
// speaks, and HTTP/2, which only a caller's client brings.
var transports = []string{"http1", "tls", "http2"}

func protocols(transport string) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(transport != "http2")
	p.SetHTTP2(transport == "http2")
	return p
}

// newTransport has the settings of the library's own transport.
func newTransport(transport string) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		Protocols:              protocols(transport),
		MaxIdleConnsPerHost:    1 << 16,
		IdleConnTimeout:        15 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// side is one way to make the call: floor or query.
type side func(tb testing.TB, s setup, transport string, signer crypto.Signer) (call func() error)

var sides = []struct {
	name string
	side side
}{{"floor", floor}, {"query", query}}

var errWrongAnswer = errors.New("not the answer that was expected")

// query makes the call through the library.
func query(tb testing.TB, s setup, transport string, signer crypto.Signer) func() error {
	opts := []alipay.Option{alipay.WithClock(func() time.Time { return s.Now }), alipay.WithTimeout(timeout)}
	if transport == "http2" {
		opts = append(opts, alipay.WithHTTPClient(&http.Client{Transport: newTransport(transport)}))
	}
	client, err := alipay.NewClient(alipay.AlipayConfig{
		BaseURL: s.URLs[transport], AppID: appID, Signer: signer,
		AlipayPublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.AlipayKey})),
	}, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.CloseIdleConnections)
	return func() error {
		answer, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &params)
		if err == nil && answer.IdentityResult != alipay.IdentityResultSuccess {
			err = errWrongAnswer
		}
		return err
	}
}

// floor makes the same call by hand, with the standard library and only what is
// necessary: no http.Client around the transport, no useful errors.
func floor(tb testing.TB, s setup, transport string, signer crypto.Signer) func() error {
	parsed, err := x509.ParsePKIXPublicKey(s.AlipayKey)
	if err != nil {
		tb.Fatal(err)
	}
	alipayKey := parsed.(*rsa.PublicKey)
	over := newTransport(transport)
	tb.Cleanup(over.CloseIdleConnections)
	baseURL, userAgent := s.URLs[transport], "alipay-go/"+alipay.Version+" ("+runtime.Version()+")"
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()

		// Build the URL.
		values := url.Values{}
		values.Set("conn_key", params.ConnKey)
		values.Set("once_token", params.OnceToken)
		values.Set("query_type", string(params.QueryType))
		values.Set("identity_type", string(params.IdentityType))
		values.Set("service_id", params.ServiceID)
		values.Set("user_id", params.UserID)
		values.Set("open_id", params.OpenID)
		values.Set("cert_no", params.CertNo)
		values.Set("cert_type", string(params.CertType))
		uri := path + "?" + strings.ReplaceAll(values.Encode(), "+", "%20")

		// Sign.
		auth := "app_id=" + appID + ",nonce=" + newID() + ",timestamp=" + strconv.FormatInt(s.Now.UnixMilli(), 10)
		digest := sha256.Sum256([]byte(auth + "\nGET\n" + uri + "\n\n"))
		signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return err
		}

		// Send.
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+uri, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Cache-Control", "no-store")
		req.Header.Set("User-Agent", userAgent)
		req.Header.Set("Alipay-Sdk-Version", "alipay-go-"+alipay.Version)
		req.Header.Set("Alipay-Request-Id", newID())
		req.Header.Set("Authorization", "ALIPAY-SHA256withRSA "+auth+",sign="+base64.StdEncoding.EncodeToString(signature))
		resp, err := over.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}

		// Verify.
		timestamp := resp.Header.Get("Alipay-Timestamp")
		signed := sha256.Sum256([]byte(timestamp + "\n" + resp.Header.Get("Alipay-Nonce") + "\n" + string(body) + "\n"))
		theirs, err := base64.StdEncoding.DecodeString(resp.Header.Get("Alipay-Signature"))
		if err != nil {
			return err
		}
		if err := rsa.VerifyPKCS1v15(alipayKey, crypto.SHA256, signed[:], theirs); err != nil {
			return err
		}
		ms, err := strconv.ParseInt(timestamp, 10, 64)
		if err != nil {
			return err
		}
		if age := s.Now.Sub(time.UnixMilli(ms)); age.Abs() > maxSkew || resp.StatusCode != http.StatusOK {
			return errWrongAnswer
		}

		// Decode.
		var answer struct {
			IdentityResult        string `json:"identity_result"`
			IdentityResultSkipURL string `json:"identity_result_skip_url"`
			MerchantIdentityID    string `json:"merchant_identity_id"`
			OpenID                string `json:"open_id"`
			TokenStatus           string `json:"token_status"`
			UserID                string `json:"user_id"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return err
		}
		if answer.IdentityResult != "SUCCESS" {
			return errWrongAnswer
		}
		return nil
	}
}

func newID() string {
	var raw [16]byte
	rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}
