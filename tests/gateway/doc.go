// Package gateway tests the subcommand gateway of cmd/alipay from outside: its page
// in a real browser, and its verdicts on Alipay's own SDK for Node.js.
package gateway
