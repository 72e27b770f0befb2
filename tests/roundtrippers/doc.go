// Package roundtrippers tests the client with the RoundTrippers that people put
// around an http.Transport, or use instead of it.
package roundtrippers
