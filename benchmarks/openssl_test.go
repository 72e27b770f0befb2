//go:build openssl

package benchmarks

import (
	"crypto"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/opensslsigner"
)

var _ alipay.ContextSigner = (*opensslsigner.Signer)(nil)

func init() {
	signers = append(signers, signer{"openssl", func(pkcs8 []byte) (crypto.Signer, error) { return opensslsigner.New(pkcs8) }})
}
