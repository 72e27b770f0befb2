//go:build !openssl

package main

import "errors"

func compareOpenSSL(*server) error {
	return errors.New("this was built without OpenSSL: go run -tags openssl . -openssl (it needs cgo and the headers of libcrypto, Debian's libssl-dev)")
}
