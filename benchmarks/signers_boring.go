//go:build boringcrypto

package main

import (
	"crypto"
	"crypto/boring"
	"fmt"
)

func init() {
	parse := newSigner
	newSigner = func(pkcs8 []byte) (crypto.Signer, string, error) {
		s, _, err := parse(pkcs8)
		return s, fmt.Sprintf("crypto/rsa, BoringCrypto in use: %t", boring.Enabled()), err
	}
}
