package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
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

// endpoint is what a side calls, and with which keys.
type endpoint struct {
	baseURL   string
	http2     bool
	signer    crypto.Signer  // the application's
	alipayKey *rsa.PublicKey // verifies the answers
	alipayPEM string
	verify    func() error // verifies the answer's RSA signature, nothing else
	now       time.Time    // the pinned clock: the answer is as old as the run
}

// side is one way to make the call.
type side struct {
	name    string
	call    func() error // nil when remote
	close   func()
	measure func(callers, calls int, latencies []float64) (cost, error)
	remote  bool // another process makes the calls
}

func newSide(name string, call func() error, close func()) side {
	return side{name: name, call: call, close: close, measure: func(callers, calls int, latencies []float64) (cost, error) {
		return measure(callers, calls, call, latencies)
	}}
}

var errWrongAnswer = errors.New("not the answer that was expected")

// newQuery makes the call through the library, with the library's own transport
// except over HTTP/2, which only a caller's client brings.
func newQuery(e endpoint) (side, error) {
	opts := []alipay.Option{alipay.WithClock(func() time.Time { return e.now }), alipay.WithTimeout(timeout)}
	if e.http2 {
		opts = append(opts, alipay.WithHTTPClient(&http.Client{Transport: tunedTransport(true)}))
	}
	client, err := alipay.NewClient(alipay.AlipayConfig{
		BaseURL: e.baseURL, AppID: appID, Signer: e.signer, AlipayPublicKey: e.alipayPEM,
	}, opts...)
	if err != nil {
		return side{}, err
	}
	call := func() error {
		answer, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), &params)
		if err == nil && answer.IdentityResult != alipay.IdentityResultSuccess {
			err = errWrongAnswer
		}
		return err
	}
	return newSide("Query", call, client.CloseIdleConnections), nil
}

// newFloor makes the same call by hand, with the standard library and only what is
// necessary: no http.Client around the transport, no useful errors.
func newFloor(e endpoint) side {
	transport := tunedTransport(e.http2)
	userAgent := "alipay-go/" + alipay.Version + " (" + runtime.Version() + ")"
	call := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()

		// Build the URL.
		query := url.Values{}
		query.Set("conn_key", params.ConnKey)
		query.Set("once_token", params.OnceToken)
		query.Set("query_type", string(params.QueryType))
		query.Set("identity_type", string(params.IdentityType))
		query.Set("service_id", params.ServiceID)
		query.Set("user_id", params.UserID)
		query.Set("open_id", params.OpenID)
		query.Set("cert_no", params.CertNo)
		query.Set("cert_type", string(params.CertType))
		uri := path + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")

		// Sign.
		auth := "app_id=" + appID + ",nonce=" + newID() + ",timestamp=" + strconv.FormatInt(e.now.UnixMilli(), 10)
		digest := sha256.Sum256([]byte(auth + "\nGET\n" + uri + "\n\n"))
		signature, err := e.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return err
		}

		// Send.
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.baseURL+uri, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Cache-Control", "no-store")
		req.Header.Set("User-Agent", userAgent)
		req.Header.Set("Alipay-Sdk-Version", "alipay-go-"+alipay.Version)
		req.Header.Set("Alipay-Request-Id", newID())
		req.Header.Set("Authorization", "ALIPAY-SHA256withRSA "+auth+",sign="+base64.StdEncoding.EncodeToString(signature))
		resp, err := transport.RoundTrip(req)
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
		if err := rsa.VerifyPKCS1v15(e.alipayKey, crypto.SHA256, signed[:], theirs); err != nil {
			return err
		}
		ms, err := strconv.ParseInt(timestamp, 10, 64)
		if err != nil {
			return err
		}
		if age := e.now.Sub(time.UnixMilli(ms)); age.Abs() > maxSkew || resp.StatusCode != http.StatusOK {
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
	return newSide("Floor", call, transport.CloseIdleConnections)
}

func newID() string {
	var raw [16]byte
	rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// tunedTransport has the settings of the library's own transport.
func tunedTransport(http2 bool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		Protocols:              protocols,
		MaxIdleConnsPerHost:    1 << 16,
		IdleConnTimeout:        15 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}
