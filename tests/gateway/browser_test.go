package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
)

// screenshots is a directory for pictures of the page, for people to look at;
// none are taken when it is not set.
var screenshots = os.Getenv("SCREENSHOTS")

// rewriting signs one target and sends another, as a client does that encodes
// its query twice.
type rewriting struct{}

func (rewriting) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "%20", "+")
	return http.DefaultTransport.RoundTrip(r)
}

func (g gateway) query(t *testing.T, token string, opts ...alipay.Option) error {
	t.Helper()
	client, err := alipay.NewClient(g.config, opts...)
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: token, ConnKey: "out-1"})
	return err
}

// order is an order string, as a merchant's server gives it to the app.
func (g gateway) order(t *testing.T, number string) string {
	t.Helper()
	client, err := alipay.NewClient(g.config)
	require.NoError(t, err)
	order, err := client.ZhimaCreditPayafteruseCreditagreement.Sign(t.Context(), &alipay.CreditAgreementSignParams{
		OutAgreementNo: number, ZmServiceID: "2019120400000000000004450100", ProductCode: alipay.ProductCodeZhimaAuth,
	})
	require.NoError(t, err)
	return order
}

// browser is one with nothing of the user's in it, which records what its pages
// complain about.
func browser(t *testing.T, language string) (ctx context.Context, complaints func() []string) {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("NOTE: no Chromium is installed; the page was not opened in a browser")
	}
	// chromedp makes a profile and removes it, when Chromium no longer writes to it.
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("lang", language), chromedp.Flag("accept-lang", language))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var heard []string
	hear := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, text)
	}
	chromedp.ListenTarget(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			hear(ev.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.APITypeError || ev.Type == runtime.APITypeWarning {
				hear("console: " + string(ev.Type))
			}
		case *cdplog.EventEntryAdded: // refused by the content security policy, not found
			hear(ev.Entry.Text)
		}
	})
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return heard
	}
}

// picture takes a screenshot of the whole page.
func picture(name string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		if screenshots == "" {
			return nil
		}
		var png []byte
		if err := chromedp.FullScreenshot(&png, 100).Do(ctx); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(screenshots, name+".png"), png, 0o644)
	})
}

// shows waits until an element contains a text. It begins again when the page it
// looked at has just been left for another: its context is gone then.
func shows(selector, text string) chromedp.Action {
	poll := chromedp.Poll(`[...document.querySelectorAll(`+quote(selector)+`)].some((e) => e.textContent.includes(`+quote(text)+`))`, nil)
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			err := poll.Do(ctx)
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "context") {
				return err
			}
		}
	})
}

// click clicks within the page. The pointer could miss: what arrives in between
// draws the page anew.
func click(selector string) chromedp.Action {
	return chromedp.Evaluate(`document.querySelector(`+quote(selector)+`).click()`, nil)
}

// press clicks the button with a text.
func press(text string) chromedp.Action {
	return chromedp.Evaluate(`[...document.querySelectorAll("button")].find((e) => e.textContent.trim() === `+quote(text)+`).click()`, nil)
}

func quote(text string) string {
	data, _ := json.Marshal(text)
	return string(data)
}

func TestThePageShowsAMistakeLiveAndItsButtonsWork(t *testing.T) {
	g := start(t)
	for _, page := range []struct {
		language, name               string
		dark                         bool
		width                        int64
		live, nothing, button, fault string
		diagnosis                    string
	}{
		{"en", "en-light", false, 1280, "live", "Nothing has arrived yet", "answer lost", "answer lost", "a space was signed as %20 and sent as +"},
		{"zh-CN", "zh-dark-phone", true, 390, "实时", "还没有收到请求", "响应丢失", "响应丢失", "空格签名时为 %20，发送时为 +"},
		{"en", "en-dark", true, 1280, "live", "Nothing has arrived yet", "answer lost", "answer lost", "a space was signed as %20 and sent as +"},
		{"zh-CN", "zh-light", false, 1280, "实时", "还没有收到请求", "响应丢失", "响应丢失", "空格签名时为 %20，发送时为 +"},
	} {
		t.Run(page.name, func(t *testing.T) {
			ctx, complaints := browser(t, page.language)
			scheme := "light"
			if page.dark {
				scheme = "dark"
			}
			require.NoError(t, chromedp.Run(ctx,
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.EmulateViewport(page.width, 900),
				chromedp.Navigate(g.page),
				shows("#live.on", page.live),
				shows("#requests", page.nothing),
			))

			require.NoError(t, g.query(t, "right-token"))
			require.Error(t, g.query(t, "wrong token", alipay.WithHTTPClient(&http.Client{Transport: rewriting{}})))
			require.NoError(t, chromedp.Run(ctx,
				shows("details.good .path", "/v3/zhima/customer/jobworth/authentication"),
				shows("details.bad .diagnosis", page.diagnosis),
				click("details.bad > summary"),
				shows("details.bad[open] mark.lost", "+"),
				shows("details.bad[open] mark.extra", "%20"),
				shows("#tokens", "right-token"),
			))

			// The fault that its button injects is met by the next request.
			require.NoError(t, chromedp.Run(ctx,
				press(page.button),
				shows("#faults", page.fault),
			))
			err := g.query(t, "lost-token")
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown)
			require.NoError(t, chromedp.Run(ctx,
				shows("details.noted .verdict", page.fault),
				shows("#tokens td.lost", ""),
				chromedp.SetValue(`textarea[name=order]`, "method=nothing&app_id=1"),
				click(`form[action="/order"] button`),
				chromedp.WaitVisible("#orders .refused"),
				chromedp.SetValue(`textarea[name=order]`, g.order(t, "out-"+page.name)),
				click(`form[action="/order"] button`),
				shows("#orders", "out-"+page.name),
				click(`#orders button[value=agree]`),
				shows("#orders .tag", "VALID"),
				click("details.sdk:nth-of-type(2) > summary"),
			))

			// Nothing is wider than the screen.
			var overflow int
			require.NoError(t, chromedp.Run(ctx,
				chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &overflow),
				picture(page.name),
			))
			require.LessOrEqual(t, overflow, 0)
			require.NoError(t, chromedp.Run(ctx,
				click(`form[action="/reset"] button`),
				shows("#requests", page.nothing),
			))
			require.Empty(t, complaints())
		})
	}
}

// A row that is open is not cut off by the list around it, and not removed when
// more requests come than the page shows.
func TestARowThatIsReadStays(t *testing.T) {
	g := start(t)
	ctx, complaints := browser(t, "en")
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(g.page), shows("#live.on", "live")))
	require.NoError(t, g.query(t, "first-token"))
	require.NoError(t, chromedp.Run(ctx, shows("details.good", "first-token"), click("details.good > summary")))
	client, err := alipay.NewClient(g.config)
	require.NoError(t, err)
	const more = 310 // the page shows 300
	for range more {
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "spent"})
		if !errors.Is(err, alipay.CodeTokenInvalid) {
			require.NoError(t, err)
		}
	}
	var cut float64
	require.NoError(t, chromedp.Run(ctx,
		shows("#tokens", strconv.Itoa(more)),
		shows("details[open]", "first-token"),
		chromedp.Evaluate(`document.getElementById("requests").scrollHeight - document.getElementById("requests").clientHeight`, &cut),
	))
	require.LessOrEqual(t, cut, 1.0)
	require.Empty(t, complaints())
}

// A page of another site cannot send the forms of this one.
func TestAnotherSiteIsKeptOut(t *testing.T) {
	g := start(t)
	other := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<form method="post" action="` + g.page + `token"><input name="once_token" value="forged"><button id="go">go</button></form>`))
	})}
	listener := listen(t)
	go func() { _ = other.Serve(listener) }()
	t.Cleanup(func() { _ = other.Close() })

	ctx, _ := browser(t, "en")
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate("http://"+listener.Addr().String())))
	response, err := chromedp.RunResponse(ctx, click("#go"))
	require.NoError(t, err)
	require.EqualValues(t, http.StatusForbidden, response.Status)
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(g.page), shows("#live.on", "live")))
	var text string
	require.NoError(t, chromedp.Run(ctx, chromedp.Text("#tokens", &text)))
	require.NotContains(t, text, "forged")
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener
}
