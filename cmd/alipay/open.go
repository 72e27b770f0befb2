package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
)

const openEN = `
Opens a sealed answer, as CallError.Answer carries it and MarshalBinary stores
it, under the keys in the ALIPAY_… variables, and prints the JSON that Alipay
signed. Without a file, or with -, it reads standard input: the bytes as they
are, in base64, or in hexadecimal (as PostgreSQL prints bytea). Nothing is sent.

  alipay open answer.bin
  psql -Atc "select answer from checks where id = 42" | alipay open

The output may be a person's result: do not leave it in a file or a log.`

const openZH = `
用 ALIPAY_… 环境变量中的密钥打开一个保留的响应（CallError.Answer，由 MarshalBinary
得到的字节），打印支付宝签名的 JSON。不写文件名或写 - 时读标准输入，可以是原始字节、base64
或十六进制（PostgreSQL 打印 bytea 的格式）。不发送任何请求。

  alipay open answer.bin
  psql -Atc "select answer from checks where id = 42" | alipay open

输出可能是个人的认证结果，请勿留在文件或日志中。`

// maxSealed bounds what is read: a sealed answer is little larger than the answer.
const maxSealed = 64 << 20

func open(_ context.Context, c cli.IO, args []string) int {
	flags := c.Flags("open", c.T("[flags] [file]", "[参数] [文件]"), c.T(openEN, openZH))
	skew := flags.Duration("max-clock-skew", 10*time.Minute,
		c.T("how far the answer's `time` may be from when it was received; more, if a clock was wrong then", "响应时间与收到时间允许相差多久；当时时钟不准就加大（`时长`）"))
	anyUser := flags.Bool("any-user", false,
		c.T("open also an answer about another user, agreement or application than was asked for: when a person has found out whose it is", "即使响应涉及的用户、协议或应用与请求的不同，也打开；仅在人工确认之后使用"))
	if status, ok := c.Parse(flags, args); !ok {
		return status
	}
	if flags.NArg() > 1 {
		return c.Wrong(flags, errors.New(c.T("one file at a time", "一次只能打开一个文件")))
	}
	data, err := input(c, flags.Arg(0))
	if err != nil {
		return c.Fail(flags, err)
	}
	answer, err := sealed(data)
	if err != nil {
		return c.Fail(flags, err)
	}
	config, err := alipay.ConfigFromEnv()
	if err != nil {
		return c.Fail(flags, err)
	}
	client, err := alipay.NewClient(config, alipay.WithMaxClockSkew(*skew), alipay.WithMaxResponseBytes(maxSealed))
	if err != nil {
		return c.Fail(flags, err)
	}
	var opts []alipay.OpenOption
	if *anyUser {
		opts = append(opts, alipay.WithoutUserCheck())
	}
	response, err := client.Open(answer, nil, opts...)
	if errors.Is(err, alipay.ErrResponseMismatch) {
		err = fmt.Errorf("%w\n%s", err, c.T("If a person has decided that it is the right one: -any-user", "如果已由人工确认无误，可加 -any-user"))
	}
	if err != nil {
		return c.Fail(flags, err)
	}
	if _, err := fmt.Fprintf(c.Stdout, "%s\n", bytes.TrimSpace(response.Body)); err != nil {
		return c.Fail(flags, err)
	}
	return cli.OK
}

// input reads a file, or standard input for "" and "-".
func input(c cli.IO, name string) ([]byte, error) {
	from := c.Stdin
	if name != "" && name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	data, err := io.ReadAll(io.LimitReader(from, maxSealed+1))
	if err == nil && len(data) > maxSealed {
		err = errors.New(c.T("the input is larger than 64 MiB", "输入超过 64 MiB"))
	}
	return data, err
}

// sealed reads an answer as it is, or from what databases print of it. The error
// is that of the bytes as they are.
func sealed(data []byte) (*alipay.SealedAnswer, error) {
	var answer alipay.SealedAnswer
	err := answer.UnmarshalBinary(data)
	if err == nil {
		return &answer, nil
	}
	text := bytes.Join(bytes.Fields(data), nil)
	digits := bytes.TrimPrefix(bytes.TrimPrefix(text, []byte(`\x`)), []byte("0x"))
	for _, decode := range []func() ([]byte, error){
		func() ([]byte, error) { return hex.AppendDecode(nil, digits) },
		func() ([]byte, error) { return base64.StdEncoding.AppendDecode(nil, text) },
		func() ([]byte, error) { return base64.RawURLEncoding.AppendDecode(nil, text) },
	} {
		if raw, decodeErr := decode(); decodeErr == nil && len(raw) > 0 {
			if err = answer.UnmarshalBinary(raw); err == nil {
				return &answer, nil
			}
		}
	}
	return nil, err
}
