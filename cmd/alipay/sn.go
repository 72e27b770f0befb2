package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
	"github.com/seed-39a49030/alipay/internal/certs"
)

const snEN = `
Prints the serial numbers (SN) of certificate files as the protocol has them:
cert, of the first certificate (app_cert_sn, alipay-sn), and root, of a file that
holds a root certificate (alipay-root-cert-sn). They are not the serial numbers
that openssl prints.

  alipay sn appCertPublicKey.crt alipayCertPublicKey_RSA2.crt alipayRootCert.crt`

const snZH = `
打印证书文件的 SN，即协议中的值：cert 为第一张证书的 SN（app_cert_sn、alipay-sn），
root 为根证书文件的 SN（alipay-root-cert-sn）。它不是 openssl 打印的序列号。

  alipay sn appCertPublicKey.crt alipayCertPublicKey_RSA2.crt alipayRootCert.crt`

// maxCertFile bounds what is read of a file.
const maxCertFile = 1 << 20

func sn(_ context.Context, c cli.IO, args []string) int {
	flags := c.Flags("sn", c.T("file...", "文件..."), c.T(snEN, snZH))
	if status, ok := c.Parse(flags, args); !ok {
		return status
	}
	if flags.NArg() == 0 {
		return c.Wrong(flags, errors.New(c.T("name one or more certificate files", "请写明一个或多个证书文件")))
	}
	status := cli.OK
	for _, name := range flags.Args() {
		if err := printSN(c, name); err != nil {
			status = c.Fail(flags, err)
		}
	}
	return status
}

// printSN prints what a file is called in the protocol, and whose it is.
func printSN(c cli.IO, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	pem, err := io.ReadAll(io.LimitReader(file, maxCertFile))
	if err != nil {
		return err
	}
	list, err := certs.Parse(string(pem))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, cert := range list {
		if certs.IsSelfSigned(cert.X509) && certs.IsCA(cert.X509) {
			sn, err := alipay.RootCertSN(pem)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			_, err = fmt.Fprintf(c.Stdout, "root %s  %s\n", sn, name)
			return err
		}
	}
	sn, err := alipay.CertSN(pem)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	about := ""
	if x := list[0].X509; x != nil {
		about = fmt.Sprintf("  CN %q, %s – %s", x.Subject.CommonName, x.NotBefore.UTC().Format(time.DateOnly), x.NotAfter.UTC().Format(time.DateOnly))
	}
	_, err = fmt.Fprintf(c.Stdout, "cert %s  %s%s\n", sn, name, about)
	return err
}
