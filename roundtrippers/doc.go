// Package roundtrippers holds the client against the RoundTrippers that people put
// around an http.Transport, or in its place. It is a module of its own, so that the
// library depends on none of them.
package roundtrippers
