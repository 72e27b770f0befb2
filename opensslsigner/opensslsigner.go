// Package opensslsigner signs with the system's OpenSSL, which makes an RSA-2048
// signature about three times as fast as crypto/rsa. [Signer] is a
// [crypto.Signer], so it goes into the field Signer of alipay.AlipayConfig.
//
// It has a price: cgo, with its consequences for building and cross-compiling; a C
// library that has to be kept up to date in addition to Go; and a private key in
// memory that Go does not manage. It makes only RSA PKCS #1 v1.5 signatures over
// SHA-256, which is all that the v3 protocol needs.
//
// Building it needs cgo, a C compiler and the headers of libcrypto 1.1.1 or
// newer (Debian's libssl-dev).
package opensslsigner

/*
#cgo LDFLAGS: -lcrypto

#if defined(__has_include)
#if !__has_include(<openssl/evp.h>)
#error "opensslsigner needs the headers of OpenSSL: apt-get install libssl-dev (Debian, Ubuntu), dnf install openssl-devel (Fedora, RHEL), apk add openssl-dev (Alpine); elsewhere set CGO_CFLAGS=-I... and CGO_LDFLAGS=-L..."
#define OPENSSLSIGNER_NO_HEADERS
#endif
#endif

#ifndef OPENSSLSIGNER_NO_HEADERS
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#if OPENSSL_VERSION_NUMBER < 0x10101000L
#error "opensslsigner needs OpenSSL 1.1.1 or newer"
#endif

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
#endif
*/
import "C"

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"runtime"
	"unsafe"
)

// Signer holds an RSA private key in OpenSSL. It is safe for concurrent use,
// and OpenSSL frees the key when the Signer is no longer reachable.
type Signer struct {
	key    *C.EVP_PKEY
	public *rsa.PublicKey
	// slots bounds the signatures that are made at the same time: each occupies a
	// thread, and more threads than processors only contend.
	slots chan struct{}
}

var _ crypto.Signer = (*Signer)(nil)

// New loads an RSA private key, which is PEM or DER, PKCS#8 or PKCS#1. The key
// must not be encrypted. No error shows any of it.
func New(key []byte) (*Signer, error) {
	private, err := parse(key)
	if err != nil {
		return nil, err
	}
	// OpenSSL gets the key that crypto/rsa has parsed and checked, encoded again, so
	// that it reads only well-formed input and both have the same key.
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, errors.New("opensslsigner: the key cannot be written as PKCS#8")
	}
	defer clear(der)
	loaded := C.load((*C.uchar)(unsafe.Pointer(unsafe.SliceData(der))), C.long(len(der)))
	if loaded == nil {
		return nil, errors.New("opensslsigner: OpenSSL does not take the key")
	}
	s := &Signer{key: loaded, public: &private.PublicKey, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	runtime.AddCleanup(s, func(key *C.EVP_PKEY) { C.EVP_PKEY_free(key) }, loaded)
	return s, nil
}

func parse(key []byte) (*rsa.PrivateKey, error) {
	if block, _ := pem.Decode(key); block != nil {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["DEK-Info"] != "":
			return nil, errors.New("opensslsigner: the key is encrypted; decrypt it first, for example with openssl pkey")
		case block.Type != "PRIVATE KEY" && block.Type != "RSA PRIVATE KEY":
			return nil, errors.New("opensslsigner: this PEM block is not an RSA private key")
		}
		key = block.Bytes
	}
	private, err := x509.ParsePKCS1PrivateKey(key)
	if err != nil {
		parsed, err := x509.ParsePKCS8PrivateKey(key)
		if err != nil {
			return nil, errors.New("opensslsigner: not a private key in PEM, nor in PKCS#8 or PKCS#1 DER")
		}
		var ok bool
		if private, ok = parsed.(*rsa.PrivateKey); !ok {
			return nil, errors.New("opensslsigner: not an RSA key")
		}
	}
	if len(private.Primes) != 2 {
		return nil, errors.New("opensslsigner: an RSA key of more than two primes")
	}
	return private, nil
}

// Public returns the *rsa.PublicKey.
func (s *Signer) Public() crypto.PublicKey { return s.public }

// Sign signs a SHA-256 digest with PKCS #1 v1.5. The reader is not used.
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.SignContext(context.Background(), digest, opts)
}

// SignContext is Sign, except that it waits for a free processor no longer than
// ctx allows.
func (s *Signer) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss || opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, errors.New("opensslsigner: only PKCS #1 v1.5 with SHA-256")
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.slots }()
	signature := make([]byte, s.public.Size())
	n := C.sign(s.key, (*C.uchar)(unsafe.SliceData(digest)), C.size_t(len(digest)), (*C.uchar)(unsafe.SliceData(signature)), C.size_t(len(signature)))
	runtime.KeepAlive(s)
	if int(n) != len(signature) {
		return nil, errors.New("opensslsigner: OpenSSL failed to sign")
	}
	return signature, nil
}

// Version names the library that is in use, such as "OpenSSL 3.0.19 27 Jan 2026".
func Version() string { return C.GoString(C.OpenSSL_version(C.OPENSSL_VERSION)) }
