//go:build openssl

// Package opensslsigner signs with the system's OpenSSL, which is two to three
// times as fast at RSA-2048 as crypto/rsa. It is a [crypto.Signer], so it goes
// into alipay.AlipayConfig.Signer.
//
// Its price: cgo, with all that it means for building and cross-compiling; a
// C library that has to be kept up to date beside Go; the private key lies in
// memory that Go knows nothing about; each signature occupies a thread, so
// there are at most as many at once as there are processors; and only RSA PKCS
// #1 v1.5 with SHA-256, which is all that the v3 protocol needs.
//
// It is built with the tag openssl only, and needs the headers of libcrypto 1.1
// or newer (Debian's libssl-dev).
package opensslsigner

/*
#cgo LDFLAGS: -lcrypto
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static EVP_PKEY *load(const unsigned char *der, long length) {
	ERR_clear_error();
	const unsigned char *end = der;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &end, length);
	if (info == NULL || end != der + length) {
		PKCS8_PRIV_KEY_INFO_free(info);
		return NULL;
	}
	EVP_PKEY *key = EVP_PKCS82PKEY(info);
	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

// sign returns the length of the signature, 0 when it failed.
static size_t sign(EVP_PKEY *key, const unsigned char *digest, size_t digestLength, unsigned char *out, size_t room) {
	ERR_clear_error();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	if (ctx == NULL || EVP_PKEY_sign_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) <= 0 ||
	    EVP_PKEY_sign(ctx, out, &room, digest, digestLength) <= 0)
		room = 0;
	EVP_PKEY_CTX_free(ctx);
	return room;
}
*/
import "C"

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"runtime"
	"unsafe"
)

// Signer holds an RSA private key in OpenSSL. It is safe for concurrent use,
// and frees the key when it is no longer reachable.
type Signer struct {
	key    *C.EVP_PKEY
	public *rsa.PublicKey
	slots  chan struct{}
}

var _ crypto.Signer = (*Signer)(nil)

// New loads an RSA private key from PKCS#8 DER.
func New(der []byte) (*Signer, error) {
	// Parsed here too, for the public half and so that OpenSSL sees nothing odd.
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("opensslsigner: not a private key in PKCS#8 DER")
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("opensslsigner: not an RSA key")
	}
	key := C.load((*C.uchar)(unsafe.Pointer(unsafe.SliceData(der))), C.long(len(der)))
	if key == nil {
		return nil, errors.New("opensslsigner: OpenSSL does not take the key")
	}
	s := &Signer{key: key, public: &private.PublicKey, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	runtime.AddCleanup(s, func(key *C.EVP_PKEY) { C.EVP_PKEY_free(key) }, key)
	return s, nil
}

// Public returns the *rsa.PublicKey.
func (s *Signer) Public() crypto.PublicKey { return s.public }

// Sign signs a SHA-256 digest with PKCS #1 v1.5. The reader is not used.
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss || opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, errors.New("opensslsigner: only PKCS #1 v1.5 with SHA-256")
	}
	signature := make([]byte, s.public.Size())
	s.slots <- struct{}{}
	n := C.sign(s.key, (*C.uchar)(unsafe.SliceData(digest)), C.size_t(len(digest)), (*C.uchar)(unsafe.SliceData(signature)), C.size_t(len(signature)))
	<-s.slots
	runtime.KeepAlive(s)
	if int(n) != len(signature) {
		return nil, errors.New("opensslsigner: OpenSSL failed to sign")
	}
	return signature, nil
}

// Version names the library that is in use.
func Version() string { return C.GoString(C.OpenSSL_version(C.OPENSSL_VERSION)) }
