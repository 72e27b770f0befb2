// Command reload takes new keys and certificates from the files of the config on
// SIGHUP and once an hour, without a restart, against a test gateway that changes
// its certificate. keepReloading is the part to copy.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func main() {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // kill -HUP, systemctl reload
	if err := run(os.Stdout, hangup); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// keepReloading reads the files of the config's …Path fields again on SIGHUP and
// once an hour, until the context ends. A file with a mistake changes nothing.
func keepReloading(ctx context.Context, client *alipay.Client, config alipay.AlipayConfig, hangup <-chan os.Signal, report func(error)) {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		case <-hourly.C:
		}
		report(client.Reload(config))
	}
}

// run simulates what happens to a server over the years. It sends itself the
// signals.
func run(out io.Writer, hangup chan os.Signal) error {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		return err
	}
	defer gateway.Close()
	dir, err := os.MkdirTemp("", "alipay-reload-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config, err := writeFiles(dir, gateway.CertConfig())
	if err != nil {
		return err
	}
	// Without the download, to show what Reload does; leave it switched on.
	client, err := alipay.NewClient(config, alipay.WithCertificateDownload(false))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reloaded := make(chan error)
	go keepReloading(ctx, client, config, hangup, func(err error) { reloaded <- err })
	reload := func() {
		hangup <- syscall.SIGHUP
		if err := <-reloaded; err != nil {
			fmt.Fprintln(out, "not reloaded, the keys of before stay:", err)
			return
		}
		fmt.Fprintln(out, "reloaded")
	}
	query := func(token string) {
		answer, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, &alipay.QueryParams{
			ConnKey:      "out-agreement-1",
			OnceToken:    token,
			QueryType:    alipay.QueryTypeExact,
			IdentityType: alipay.IdentityTypeTeacher,
			ServiceID:    "2019120400000000000004450100",
		})
		if err != nil {
			fmt.Fprintln(out, token+":", err)
			return
		}
		fmt.Fprintln(out, token+":", answer.IdentityResult)
	}

	query("token-1")
	fmt.Fprintln(out, "-- the new certificate of Alipay's is written beside the present one, before it is used")
	present, err := os.ReadFile(config.AlipayPublicCertPath)
	if err != nil {
		return err
	}
	if err := os.WriteFile(config.AlipayPublicCertPath, append(present, alipaytest.RotatedCertificate()...), 0o600); err != nil {
		return err
	}
	reload()
	gateway.RotateCertificate()
	query("token-2")
	fmt.Fprintln(out, "-- somebody copies the wrong file")
	if err := os.WriteFile(config.AlipayPublicCertPath, []byte(gateway.CertConfig().AppCertContent), 0o600); err != nil {
		return err
	}
	reload()
	query("token-3")
	return nil
}

// writeFiles puts the keys of a config into files.
func writeFiles(dir string, config alipay.AlipayConfig) (alipay.AlipayConfig, error) {
	for _, f := range []struct {
		name          string
		content, path *string
	}{
		{"app_private_key.pem", &config.PrivateKey, &config.PrivateKeyPath},
		{"appCertPublicKey.crt", &config.AppCertContent, &config.AppCertPath},
		{"alipayCertPublicKey_RSA2.crt", &config.AlipayPublicCertContent, &config.AlipayPublicCertPath},
		{"alipayRootCert.crt", &config.RootCertContent, &config.RootCertPath},
	} {
		*f.path = filepath.Join(dir, f.name)
		if err := os.WriteFile(*f.path, []byte(*f.content), 0o600); err != nil {
			return config, err
		}
		*f.content = ""
	}
	return config, nil
}
