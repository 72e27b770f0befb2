// Package cli is what the subcommands of alipay share: where they read and write,
// the language they speak, their flags, and their exit statuses.
package cli

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// The exit statuses of every subcommand.
const (
	OK     = 0
	Failed = 1 // it was done, and found or met a failure
	Usage  = 2 // wrong arguments: nothing was done
)

// Lang is a language of the output: English, unless it is Chinese.
type Lang string

// Chinese is 简体中文.
const Chinese Lang = "zh"

// T chooses a text.
func (l Lang) T(en, zh string) string {
	if l == Chinese {
		return zh
	}
	return en
}

// LocaleLang is the language of the user's locale, as in zh_CN.UTF-8.
func LocaleLang() Lang {
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG"))
	if strings.HasPrefix(strings.ToLower(locale), "zh") {
		return Chinese
	}
	return "en"
}

// IO is the surroundings of a command.
type IO struct {
	Lang
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Flags makes the flags of a subcommand. The usage text begins with one line of
// synopsis, and says what the command does.
func (c IO) Flags(name, synopsis, about string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(c.Stderr)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "%salipay %s %s\n\n%s\n", c.T("usage: ", "用法："), name, synopsis, strings.TrimSpace(about))
		any := false
		flags.VisitAll(func(*flag.Flag) { any = true })
		if any {
			fmt.Fprintln(flags.Output(), "\n"+c.T("flags:", "参数："))
			flags.PrintDefaults()
		}
	}
	return flags
}

// Parse parses the arguments; without ok the command is over, with that status.
// Help that was asked for goes to standard output.
func (c IO) Parse(flags *flag.FlagSet, args []string) (status int, ok bool) {
	for _, arg := range args {
		if arg == "-h" || arg == "-help" || arg == "--help" {
			flags.SetOutput(c.Stdout)
		}
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return OK, false
	case err != nil: // the flags have said it
		return Usage, false
	}
	return OK, true
}

// Wrong says which argument is wrong.
func (c IO) Wrong(flags *flag.FlagSet, err error) int {
	fmt.Fprintf(c.Stderr, "alipay %s: %v\n%s\n", flags.Name(), err,
		fmt.Sprintf(c.T("See: alipay %s -h", "用法见：alipay %s -h"), flags.Name()))
	return Usage
}

// Fail says why a command failed.
func (c IO) Fail(flags *flag.FlagSet, err error) int {
	fmt.Fprintf(c.Stderr, "alipay %s: %v\n", flags.Name(), err)
	return Failed
}
