// Command alipay is the library's tools in one program:
//
//	alipay gateway   a test gateway for clients in any language, with a page that shows what arrives
//	alipay doctor    what is wrong with keys, settings and the way to the gateway
//	alipay open      open a stored sealed answer
//	alipay sn        serial numbers (SN) of certificate files
//	alipay sign      the string to sign and the Authorization header of a request
//
// It runs without being installed:
//
//	go run github.com/seed-39a49030/alipay/cmd/alipay@latest gateway
//
// The settings of an application come from the ALIPAY_… variables that
// alipay.ConfigFromEnv reads. The language, English or Chinese, follows LC_ALL,
// LC_MESSAGES and LANG. The exit status is 0 for success, 1 for a failure and 2
// for wrong arguments.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/doctor"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/gateway"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := cli.IO{Lang: cli.LocaleLang(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	os.Exit(run(ctx, c, os.Args[1:]))
}

// commands are the subcommands, in the order of the usage text.
var commands = []struct {
	name, en, zh string
	run          func(context.Context, cli.IO, []string) int
}{
	{"gateway", "run a test gateway for clients in any language, with a page that shows what arrives", "运行测试网关，任何语言的客户端都可连接；网页显示收到的内容", gateway.Run},
	{"doctor", "find what is wrong with keys, settings and the way to the gateway", "检查密钥、配置以及到网关的网络", doctor.Run},
	{"open", "open a stored sealed answer", "打开保留的响应", open},
	{"sn", "print the SNs of certificate files", "打印证书文件的 SN", sn},
	{"sign", "print the string to sign and the Authorization header of a request", "打印一个请求的待签名字符串和 Authorization 头", sign},
}

func run(ctx context.Context, c cli.IO, args []string) int {
	if len(args) == 0 {
		usage(c, c.Stderr)
		return cli.Usage
	}
	for _, command := range commands {
		if args[0] == command.name {
			return command.run(ctx, c, args[1:])
		}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(c, c.Stdout)
		return cli.OK
	}
	fmt.Fprintf(c.Stderr, c.T("alipay: there is no command %q\n\n", "alipay：没有子命令 %q\n\n"), args[0])
	usage(c, c.Stderr)
	return cli.Usage
}

func usage(c cli.IO, w io.Writer) {
	fmt.Fprintln(w, c.T("usage: alipay <command> [arguments]\n\ncommands:", "用法：alipay <子命令> [参数]\n\n子命令："))
	for _, command := range commands {
		fmt.Fprintf(w, "  %-8s %s\n", command.name, c.T(command.en, command.zh))
	}
	fmt.Fprintln(w, c.T("\nalipay <command> -h says more.", "\n各子命令的说明：alipay <子命令> -h"))
}
