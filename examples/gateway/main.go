// Command gateway serves a local, signed fake of Alipay's OpenAPI v3 until it
// is interrupted, so that clients in any language can be tried against it
// without an account.
//
//	go run ./examples/gateway -addr 127.0.0.1:8080 > alipay.env &
//	. ./alipay.env
//
// It prints the ALIPAY_… variables that alipay.ConfigFromEnv reads, as export
// lines for a shell, or with -json one line of JSON that serves both modes. The
// keys are public test material.
//
// A page on loopback, whose address it prints, shows live what arrives: each
// request with its verdict; if its signature does not verify, the string to sign
// next to the one that the client signed; and the state of every once_token, order
// and message. It has buttons for faults, plays Alipay's app with an order string,
// and shows the keys in the form that each SDK needs. -inspect "" turns it off.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gateway: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	asJSON := flags.Bool("json", false, "print one line of JSON instead of export lines")
	cert := flags.Bool("cert", false, "print the variables of certificate mode (the gateway takes both modes at once)")
	encrypt := flags.Bool("encrypt", false, "turn content encryption on, with a new key")
	encryptKey := flags.String("encrypt-key", "", "turn content encryption on, with this base64 AES key")
	inspect := flags.String("inspect", "127.0.0.1:0", "address of the page that shows what arrives, on loopback; \"\" for none")
	messagesTo := flags.String("messages-to", "", "URL that messages to the merchant are posted to (应用网关地址)")
	prefix := flags.String("prefix", "", "path prefix, as of a reverse proxy in front")
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *encrypt && *encryptKey == "" {
		var key [16]byte
		rand.Read(key[:]) // never fails, see crypto/rand
		*encryptKey = base64.StdEncoding.EncodeToString(key[:])
	}

	gateway, err := alipaytest.StartGateway(
		alipaytest.WithAddr(*addr), alipaytest.WithEncryptKey(*encryptKey), alipaytest.WithPathPrefix(*prefix),
		alipaytest.WithMessagesTo(*messagesTo), alipaytest.WithHistory(shownRequests),
	)
	if err != nil {
		return err
	}
	defer gateway.Close()
	page := ""
	if *inspect != "" {
		inspector, err := startInspector(gateway, *inspect, *messagesTo)
		if err != nil {
			return err
		}
		defer inspector.close()
		page = inspector.url()
	}
	if *asJSON {
		err = printJSON(stdout, gateway.Config(), gateway.CertConfig(), page)
	} else if *cert {
		err = printExports(stdout, gateway.CertConfig())
	} else {
		err = printExports(stdout, gateway.Config())
	}
	if err != nil {
		return err
	}
	log.Printf("serving at %s until interrupted", gateway.BaseURL())
	if page != "" {
		log.Printf("what arrives is shown at %s", page)
	}
	<-ctx.Done()
	return gateway.Close()
}

// shownRequests is how many requests the page shows, the newest.
const shownRequests = 300

// printJSON prints one line with what both modes need, and where the page is.
func printJSON(w io.Writer, config, certConfig alipay.AlipayConfig, page string) error {
	return json.NewEncoder(w).Encode(struct {
		BaseURL          string `json:"base_url"`
		AppID            string `json:"app_id"`
		PrivateKey       string `json:"private_key"`
		AlipayPublicKey  string `json:"alipay_public_key"`
		AppCert          string `json:"app_cert"`
		AlipayPublicCert string `json:"alipay_public_cert"`
		RootCert         string `json:"root_cert"`
		EncryptKey       string `json:"encrypt_key,omitempty"`
		InspectorURL     string `json:"inspector_url,omitempty"`
	}{
		config.BaseURL, config.AppID, config.PrivateKey, config.AlipayPublicKey,
		certConfig.AppCertContent, certConfig.AlipayPublicCertContent, certConfig.RootCertContent,
		config.EncryptKey, page,
	})
}

// printExports prints the variables that are set, quoted for sh.
func printExports(w io.Writer, config alipay.AlipayConfig) error {
	for _, variable := range []struct{ name, value string }{
		{"ALIPAY_BASE_URL", config.BaseURL},
		{"ALIPAY_APP_ID", config.AppID},
		{"ALIPAY_PRIVATE_KEY", config.PrivateKey},
		{"ALIPAY_PUBLIC_KEY", config.AlipayPublicKey},
		{"ALIPAY_APP_CERT", config.AppCertContent},
		{"ALIPAY_PUBLIC_CERT", config.AlipayPublicCertContent},
		{"ALIPAY_ROOT_CERT", config.RootCertContent},
		{"ALIPAY_ENCRYPT_KEY", config.EncryptKey},
	} {
		if variable.value == "" {
			continue
		}
		quoted := "'" + strings.ReplaceAll(strings.TrimSpace(variable.value), "'", `'\''`) + "'"
		if _, err := fmt.Fprintf(w, "export %s=%s\n", variable.name, quoted); err != nil {
			return err
		}
	}
	return nil
}
