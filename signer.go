package alipay

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"

	"github.com/seed-39a49030/alipay/internal/protocol"
)

// ContextSigner is a [crypto.Signer] that a context can cancel, for keys in a KMS or HSM.
// As AlipayConfig.Signer it is called with the context and the deadline of the call.
type ContextSigner = protocol.ContextSigner

// signRequest signs a request as it will be on the wire.
func (k *keySet) signRequest(ctx context.Context, r *outgoing) (err error) {
	if r.signature, err = k.sign(ctx, r.content); err != nil {
		return err
	}
	if r.query == nil {
		r.authorization[0] = protocol.Authorization(r.authString, r.signature)
	} else {
		r.URL.RawQuery = protocol.OrderString(r.query, r.base64())
	}
	return nil
}

var (
	errOtherKeyOnFile = errors.New("the signature verifies under the configured private key, so the console has another public key (应用公钥) on file for this APPID, this is the other environment (沙箱), or the request was changed on the way")
	errSignerMethod   = errors.New("the Signer's signature does not verify under its own public key: it must be PKCS #1 v1.5 over SHA-256, made with that key")
)

// diagnose finds out which side is wrong when the gateway says invalid-signature.
func (k *keySet) diagnose(r *outgoing) error {
	public, ok := k.Signer.Public().(*rsa.PublicKey)
	if ok && protocol.Verify(public, r.content, r.base64()) != nil {
		return errSignerMethod
	}
	return errOtherKeyOnFile
}

// signerError makes the error of a caller's Signer reachable by errors.Is and
// errors.As, but never shows its text, which may contain anything.
type signerError struct{ cause error }

func (e *signerError) Error() string {
	return fmt.Sprintf("the private key or Signer failed to sign (%T; errors.As reaches it)", e.cause)
}
func (e *signerError) Is(target error) bool { return errors.Is(e.cause, target) }
func (e *signerError) As(target any) bool   { return errors.As(e.cause, target) }

// Format prints the text for every verb of fmt.
func (e *signerError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }
