// Package roundtrippers tests the client with the RoundTrippers that people put
// around an http.Transport, or use instead of it. It is a separate module, so that
// the library depends on none of them.
package roundtrippers
