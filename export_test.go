package alipay

import (
	"crypto/x509"
	"net/http"
	"time"

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

// DefaultTimeout and DownloadTimeout are what they are without tests.
var DefaultTimeout, DownloadTimeout = defaultTimeout, downloadTimeout

// BePatient makes the default timeouts longer than any test needs, so that none
// fails on a machine that is busy with something else.
func BePatient() { defaultTimeout, downloadTimeout = 2*time.Minute, 2*time.Minute }
