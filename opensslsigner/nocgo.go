//go:build !cgo

package opensslsigner

// Without cgo there is no OpenSSL. The name that does not exist is what the
// compiler shows.
const _ = opensslsigner_needs_cgo__set_CGO_ENABLED_1_and_install_a_C_compiler
