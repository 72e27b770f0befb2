// Package benchmarks measures what a call through the library costs in addition
// to what any client needs.
//
// Floor is the call made by hand with the standard library and nothing else: an
// HTTP exchange, an RSA signature, a verification, JSON. Query is the same call
// through the library, with the same nine parameters, to the same server. The
// server is another process, so CPU time, bytes and allocations are the client's
// alone. It signs its answers in advance, each with another nonce, since a client
// accepts each answer only once.
//
//	for i in $(seq 10); do go test -run '^$' -bench Call -benchtime 300ms; done >calls
//	go tool benchstat -col /side calls
//
// The loop is outside, so that Floor and Query are measured in turn, and another
// load on the machine meets both. The ratio of cpu-ns/op, the user and system time
// of the client, carries over to other machines; sec/op is elapsed time over calls,
// in which server and client share the machine.
//
// The other benchmarks are Signer, calls by what signs them, and Sign, signatures
// alone. There signer=none stands for a signer that costs nothing: what remains is
// a call without its most expensive step. The tag openssl adds signer=openssl,
// which needs cgo and the headers of OpenSSL:
//
//	for i in $(seq 10); do go test -tags openssl -run '^$' -bench 'Signer|Sign$' -benchtime 300ms; done >signers
//	go tool benchstat -filter /side:query -col /signer signers
package benchmarks
