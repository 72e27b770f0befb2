package alipay

import (
	"crypto/x509"

	"github.com/seed-39a49030/alipay/internal/delivery"
)

// TrustForTest lets a client with the library's own transport trust the
// certificate of a test server.
func TrustForTest(c *Client, pool *x509.CertPool) {
	own := NewTransport()
	own.TLSClientConfig.RootCAs = pool
	*c.transport.delivery = *delivery.Own(own)
}
