package alipay

import (
	"crypto/x509"
	"net/http"
)

// TrustForTest lets a client with the library's own transport trust the
// certificate of a test server.
func TrustForTest(c *Client, pool *x509.CertPool) {
	c.transport.base.(*http.Transport).TLSClientConfig.RootCAs = pool
}
