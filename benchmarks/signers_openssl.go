//go:build openssl

package main

import (
	"crypto"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/opensslsigner"
)

var _ alipay.ContextSigner = (*opensslsigner.Signer)(nil)

func init() {
	newSigner = func(pkcs8 []byte) (crypto.Signer, string, error) {
		s, err := opensslsigner.New(pkcs8)
		return s, opensslsigner.Version(), err
	}
}
