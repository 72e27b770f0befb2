package alipay

import (
	"crypto/x509"
	"net/http"

	"github.com/seed-39a49030/alipay/internal/delivery"
)

// TrustForTest lets a client with the library's own transport trust the
// certificate of a test server.
func TrustForTest(c *Client, pool *x509.CertPool) {
	ConfigureOwnForTest(c, func(own *http.Transport) { own.TLSClientConfig.RootCAs = pool })
}

// ConfigureOwnForTest changes the library's own transport of a client.
func ConfigureOwnForTest(c *Client, configure func(own *http.Transport)) {
	own := NewTransport()
	configure(own)
	*c.transport.delivery = *delivery.Own(own)
}
