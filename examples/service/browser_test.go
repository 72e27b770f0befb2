package main

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var screenshots = flag.String("screenshots", "", "directory to leave pictures of the pages in")

func TestAWholeCheckIsSeenInABrowserWithoutAnAccount(t *testing.T) {
	chromium := findChromium()
	if chromium == "" {
		t.Skip("NOTE: no Chromium on this machine (Debian: apt-get install chromium)")
	}
	addr, _ := served(t, "-poll", "1s") // as it is by default
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.WindowSize(1100, 760), chromedp.WSURLReadTimeout(time.Minute))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	browser, cancel := chromedp.NewContext(allocator)
	defer cancel()
	browser, cancel = context.WithTimeout(browser, 2*time.Minute)
	defer cancel()

	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		require.NoError(t, chromedp.Do(browser, steps...))
	}
	text := func(selector string) string {
		t.Helper()
		text, err := chromedp.Run(browser, chromedp.Text(selector))
		require.NoError(t, err)
		return text
	}
	picture := func(name string) {
		t.Helper()
		png, err := chromedp.Run(browser, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		require.NotEmpty(t, png)
		if *screenshots != "" {
			require.NoError(t, os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644))
		}
	}

	do(chromedp.Navigate("http://"+addr+"/"), chromedp.WaitVisible(`.empty`))
	picture("1-empty")
	do(chromedp.Click(`header button`), chromedp.WaitVisible(`#agree`))
	picture("2-started")
	do(chromedp.Click(`#agree`), chromedp.WaitVisible(`.agreed`))
	picture("3-agreed")
	do(chromedp.WaitVisible(`#result.SUCCESS`)) // the page asks anew by itself
	picture("4-done")
	assert.Equal(t, "SUCCESS", text(`#result`))

	do(chromedp.Click(`header button`), chromedp.WaitVisible(`#decline`), chromedp.Click(`#decline`), chromedp.WaitVisible(`.declined`))
	do(chromedp.Click(`header button`), chromedp.WaitVisible(`#agree`))
	do(chromedp.Click(`h1 a`), chromedp.WaitVisible(`table`))
	picture("5-list")
	list := text(`table`)
	assert.Contains(t, list, "done")
	assert.Contains(t, list, "declined")
	assert.Contains(t, list, "A message from Alipay wakes it")
	do(chromedp.Click(`nav a[lang="zh-CN"]`), chromedp.WaitVisible(`html[lang="zh-CN"] table`))
	picture("6-chinese")
}

func findChromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
