package alipay

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// baseTransport returns the caller's transport, or one of the library's own.
func baseTransport(client *http.Client, scheme string) (http.RoundTripper, baseKind, error) {
	if client == nil || client.Transport == nil {
		return newTransport(), baseKind{own: true, direct: true, noHTTP2: true}, nil
	}
	t, ok := client.Transport.(*http.Transport)
	if !ok {
		return client.Transport, baseKind{}, nil
	}
	if t == nil {
		return nil, baseKind{}, &ConfigError{"WithHTTPClient", "its Transport is a nil *http.Transport"}
	}
	if conf := t.TLSClientConfig; conf != nil {
		if conf.MinVersion != 0 && conf.MinVersion < tls.VersionTLS12 || conf.MaxVersion != 0 && conf.MaxVersion < tls.VersionTLS12 {
			return nil, baseKind{}, &ConfigError{"WithHTTPClient", "its Transport allows TLS below 1.2; set TLSClientConfig.MinVersion to tls.VersionTLS12 or leave it 0"}
		}
	}
	plainHTTP2 := t.Protocols != nil && t.Protocols.UnencryptedHTTP2()
	return t, baseKind{direct: true, noHTTP2: scheme == "http" && !plainHTTP2}, nil
}

// newTransport returns the library's own transport. It speaks HTTP/1.1 only: an
// HTTP/2 connection that breaks takes every call on it into doubt. It keeps as
// many idle connections as there were concurrent callers, and for less time
// than servers do, since a request that meets a connection which the server is
// just closing cannot be repeated.
func newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
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
