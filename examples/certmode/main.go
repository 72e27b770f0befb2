// Command certmode queries in certificate mode (证书模式): three certificates
// replace Alipay's public key.
//
// By default it needs no account: it starts a test gateway on loopback.
// With -live it reads the ALIPAY_… environment variables (see
// alipay.ConfigFromEnv) and asks the real gateway:
//
//	export ALIPAY_APP_ID=… ALIPAY_PRIVATE_KEY_PATH=app_private_key.pem
//	export ALIPAY_APP_CERT_PATH=appCertPublicKey_….crt
//	export ALIPAY_PUBLIC_CERT_PATH=alipayCertPublicKey_RSA2.crt
//	export ALIPAY_ROOT_CERT_PATH=alipayRootCert.crt
//	go run ./examples/certmode -live -conn-key … -once-token … -query-type exact -identity-type 04 -service-id …
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("certmode", flag.ContinueOnError)
	flags.SetOutput(stderr)
	live := flags.Bool("live", false, "ask the gateway that the ALIPAY_… variables name, in place of an embedded one")
	params := alipay.QueryParams{ // what a real query has
		ConnKey:      "uuid",
		OnceToken:    "2f1c8e",
		QueryType:    alipay.QueryTypeExact,
		IdentityType: alipay.IdentityTypeTeacher,
		ServiceID:    "2019120400000000000004450100",
	}
	flags.StringVar(&params.ConnKey, "conn-key", params.ConnKey, "out_agreement_no of the agreement")
	flags.StringVar(&params.OnceToken, "once-token", params.OnceToken, "credential for one result")
	flags.StringVar((*string)(&params.QueryType), "query-type", string(params.QueryType), "exact or dim")
	flags.StringVar((*string)(&params.IdentityType), "identity-type", string(params.IdentityType), "04 for teachers")
	flags.StringVar(&params.ServiceID, "service-id", params.ServiceID, "credit service id of the merchant")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := query(stdout, *live, &params); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func query(out io.Writer, live bool, params *alipay.QueryParams) error {
	config, err := alipay.ConfigFromEnv()
	if !live {
		gateway, startErr := alipaytest.StartGateway()
		if startErr != nil {
			return startErr
		}
		defer gateway.Close()
		config, err = gateway.CertConfig(), nil
	}
	if err != nil {
		return err
	}
	if err := printSNs(out, config); err != nil {
		return err
	}
	client, err := alipay.NewClient(config)
	if err != nil {
		return err // a *alipay.ConfigError: the field and what to do
	}
	answer, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "answered under certificate", answer.Meta.Header.Get("alipay-sn"))
	fmt.Fprintln(out, "identity_result", answer.IdentityResult)
	return nil
}

// printSNs prints the serial numbers (SN) by which both sides name the
// certificates. The library computes and sends them itself.
func printSNs(out io.Writer, config alipay.AlipayConfig) error {
	for _, c := range []struct {
		what, content, path string
		sn                  func([]byte) (string, error)
	}{
		{"app_cert_sn", config.AppCertContent, config.AppCertPath, alipay.CertSN},
		{"alipay-sn", config.AlipayPublicCertContent, config.AlipayPublicCertPath, alipay.CertSN},
		{"alipay-root-cert-sn", config.RootCertContent, config.RootCertPath, alipay.RootCertSN},
	} {
		text := []byte(c.content)
		if c.path != "" {
			var err error
			if text, err = os.ReadFile(c.path); err != nil {
				return err
			}
		}
		if len(text) == 0 {
			return errors.New("no certificate is configured: this is public-key mode (公钥模式), for which see examples/query")
		}
		sn, err := c.sn(text)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-20s %s\n", c.what, sn)
	}
	return nil
}
