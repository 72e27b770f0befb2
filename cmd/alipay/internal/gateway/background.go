package gateway

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/seed-39a49030/alipay/cmd/alipay/internal/cli"
)

// background starts the same command in a process of its own, prints what it says
// as soon as it serves, and leaves it running. A shell that waits for the end of
// this output, as in eval "$(…)", does not wait for that of the gateway.
func background(c cli.IO, args []string, asJSON, cert bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	process := exec.Command(self, append(append([]string{"gateway"}, args...), "-json", "-background=false")...)
	process.SysProcAttr = detached() // an interrupt is not for it
	if file, ok := c.Stderr.(*os.File); ok {
		process.Stderr = file
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	var s start
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &s) != nil {
		_ = process.Wait()
		return errors.New(c.T("it did not start", "启动失败"))
	}
	s.PID = process.Process.Pid
	if err := s.print(c.Stdout, asJSON, cert); err != nil {
		_ = process.Process.Kill()
		return err
	}
	fmt.Fprintf(c.Stderr, c.T("gateway: runs in the background; to end it: kill %d\n", "gateway：在后台运行；结束请执行：kill %d\n"), s.PID)
	return process.Process.Release()
}
