// Command doctor says what is wrong with the keys and settings of an
// application, in plain words.
//
//	go run ./examples/doctor                        # what the ALIPAY_… variables say
//	go run ./examples/doctor -app-id 2021… -private-key app_private_key.pem -alipay-public-key alipay_public_key.pem
//	go run ./examples/doctor -live                  # and one signed call that cannot spend anything
//
// A flag takes the place of the environment variables for the same thing. It
// says what each key or certificate is, whether they fit together, and the
// serial numbers (SN); then every mistake that alipay.NewClient reports, with
// the field and the cure. Without -live it uses no network. It never prints key
// material, so its output may be shown to others: app id, names and dates
// of certificates, and hashes of public keys are all it tells.
//
// The exit status is 0 when all is well, 1 when not, 2 for a wrong flag.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seed-39a49030/alipay"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	config, envErr := alipay.ConfigFromEnv()
	live, err := parseFlags(args, &config, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	r := &report{out: stdout}
	r.settings(config)
	r.materials(config, time.Now())
	clean := r.mistakes(config, envErr, len(args) == 0)
	switch {
	case live && clean:
		r.section("One signed call")
		r.live(config)
	case live:
		r.section("One signed call")
		r.note("not made: mend the mistakes above first")
	}
	fmt.Fprintln(stdout)
	if r.failures > 0 {
		fmt.Fprintf(stdout, "%d of the checks failed.\n", r.failures)
		return 1
	}
	fmt.Fprintln(stdout, "All is well.")
	return 0
}

// parseFlags lets each flag take the place of what the environment says.
func parseFlags(args []string, c *alipay.AlipayConfig, stderr io.Writer) (live bool, err error) {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var given alipay.AlipayConfig
	flags.BoolVar(&live, "live", false, "make one signed call that cannot spend anything, and explain the answer")
	flags.StringVar(&given.BaseURL, "base-url", "", "gateway, by default "+alipay.DefaultBaseURL)
	flags.StringVar(&given.AppID, "app-id", "", "APPID of the application")
	flags.StringVar(&given.PrivateKeyPath, "private-key", "", "`file` of the application's private key (应用私钥)")
	flags.StringVar(&given.AlipayPublicKeyPath, "alipay-public-key", "", "`file` of Alipay's public key (支付宝公钥)")
	flags.StringVar(&given.AppCertPath, "app-cert", "", "`file` of the application's certificate (应用公钥证书)")
	flags.StringVar(&given.AlipayPublicCertPath, "alipay-cert", "", "`file` of Alipay's certificate (支付宝公钥证书)")
	flags.StringVar(&given.RootCertPath, "root-cert", "", "`file` of Alipay's root bundle (支付宝根证书)")
	if err := flags.Parse(args); err != nil {
		return live, err
	}
	if flags.NArg() > 0 {
		fmt.Fprintln(stderr, "doctor takes flags only")
		return live, errors.New("arguments")
	}
	// Which mode the flags name decides: the environment's other one is left out.
	publicKey, certificates := given.AlipayPublicKeyPath != "", cmp.Or(given.AppCertPath, given.AlipayPublicCertPath, given.RootCertPath) != ""
	if publicKey {
		c.AppCertContent, c.AppCertPath, c.AlipayPublicCertContent, c.AlipayPublicCertPath, c.RootCertContent, c.RootCertPath = "", "", "", "", "", ""
	}
	if certificates {
		c.AlipayPublicKey, c.AlipayPublicKeyPath = "", ""
	}
	take := func(content, path *string, given string) {
		if given != "" {
			*content, *path = "", given
		}
	}
	take(&c.PrivateKey, &c.PrivateKeyPath, given.PrivateKeyPath)
	take(&c.AlipayPublicKey, &c.AlipayPublicKeyPath, given.AlipayPublicKeyPath)
	take(&c.AppCertContent, &c.AppCertPath, given.AppCertPath)
	take(&c.AlipayPublicCertContent, &c.AlipayPublicCertPath, given.AlipayPublicCertPath)
	take(&c.RootCertContent, &c.RootCertPath, given.RootCertPath)
	c.BaseURL, c.AppID = cmp.Or(given.BaseURL, c.BaseURL), cmp.Or(given.AppID, c.AppID)
	return live, nil
}

// report prints what was found and counts what is wrong.
type report struct {
	out      io.Writer
	failures int
}

func (r *report) section(title string) { fmt.Fprintf(r.out, "\n%s\n", title) }
func (r *report) note(format string, args ...any) {
	fmt.Fprintf(r.out, "        "+format+"\n", args...)
}
func (r *report) ok(format string, args ...any) { fmt.Fprintf(r.out, "  ok    "+format+"\n", args...) }
func (r *report) fail(format string, args ...any) {
	r.failures++
	fmt.Fprintf(r.out, "  FAIL  "+format+"\n", args...)
}

// verdict prints one or the other.
func (r *report) verdict(good bool, ifGood, ifBad string) {
	if good {
		r.ok("%s", ifGood)
	} else {
		r.fail("%s", ifBad)
	}
}

// settings says which gateway is called, and in which mode.
func (r *report) settings(c alipay.AlipayConfig) {
	fmt.Fprintln(r.out, "Settings")
	r.note("%s", c) // shows which fields are set, and no secret
	switch c.BaseURL {
	case "", alipay.DefaultBaseURL:
		r.note("gateway: %s, production (正式环境)", alipay.DefaultBaseURL)
	case alipay.SandboxBaseURL:
		r.note("gateway: %s, the sandbox (沙箱), which has an APPID and keys of its own", alipay.SandboxBaseURL)
	default:
		r.note("gateway: neither production nor sandbox, but another address")
	}
	publicKey := cmp.Or(c.AlipayPublicKey, c.AlipayPublicKeyPath) != ""
	certificates := cmp.Or(c.AppCertContent, c.AppCertPath, c.AlipayPublicCertContent, c.AlipayPublicCertPath, c.RootCertContent, c.RootCertPath) != ""
	switch {
	case publicKey && certificates:
		r.note("mode: both, which cannot be")
	case certificates:
		r.note("mode: certificates (证书模式)")
	case publicKey:
		r.note("mode: public key (公钥模式)")
	default:
		r.note("mode: neither public key nor certificates")
	}
	if c.EncryptKey != "" {
		r.note("content encryption (接口内容加密): on")
	}
	if c.AppAuthToken != "" {
		r.note("calls are made for another merchant (app_auth_token is set)")
	}
}
