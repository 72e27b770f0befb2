package gateway

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-39a49030/alipay/alipaytest"
)

//go:embed page
var files embed.FS

var pages = template.Must(template.ParseFS(files, "page/*.html"))

// inspector shows in a browser what a gateway receives, and lets a person inject
// faults.
type inspector struct {
	gateway *alipaytest.Gateway
	host    string // the only names it answers to are those of loopback, with this port
	server  *http.Server

	closing context.Context
	cancel  context.CancelFunc
	served  chan struct{}

	snippets []snippet

	mu          sync.Mutex
	orders      []*alipaytest.Order
	refused     error  // why the last order string was not opened
	to          string // where messages are sent
	comparisons map[string]comparison
}

// startInspector serves the page at addr, which has to be a loopback address: the
// page shows keys and personal values to anyone who can reach it.
func startInspector(gateway *alipaytest.Gateway, addr, messagesTo string) (*inspector, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("-inspect: %w", err)
	}
	if !loopback(host) {
		return nil, fmt.Errorf("-inspect: %q is not an address of loopback, and the page is for this machine only", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("-inspect: %w", err)
	}
	i := &inspector{gateway: gateway, host: listener.Addr().String(), served: make(chan struct{}), to: messagesTo, snippets: snippets(gateway.Config())}
	i.closing, i.cancel = context.WithCancel(context.Background())
	i.server = &http.Server{
		Handler:           i.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return i.closing },
	}
	go func() {
		defer close(i.served)
		_ = i.server.Serve(listener)
	}()
	return i, nil
}

// url is where the page is.
func (i *inspector) url() string { return "http://" + i.host + "/" }

func (i *inspector) close() {
	i.cancel()
	_ = i.server.Close()
	<-i.served
}

// loopback reports whether a name means this machine and cannot mean another.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (i *inspector) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", i.page)
	mux.HandleFunc("GET /events", i.events)
	mux.HandleFunc("GET /inspector.js", asset("page/inspector.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /inspector.css", asset("page/inspector.css", "text/css; charset=utf-8"))
	for path, act := range map[string]func(*http.Request){
		"/fault": i.injectFault, "/token": i.setToken, "/order": i.openOrder, "/answer": i.answerOrder,
		"/messages": i.setMessages, "/reset": i.reset,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 256<<10)
			act(r)
			http.Redirect(w, r, "/#"+r.PostFormValue("at"), http.StatusSeeOther)
		})
	}
	// A page of another site cannot read this one, since the request would have that
	// site's host name, and cannot send its forms.
	sameOrigin := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, err := net.SplitHostPort(r.Host)
		_, own, _ := net.SplitHostPort(i.host)
		if err != nil || port != own || !loopback(host) {
			http.Error(w, "this page answers to the names of loopback only", http.StatusMisdirectedRequest)
			return
		}
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		sameOrigin.ServeHTTP(w, r)
	})
}

func asset(name, contentType string) http.HandlerFunc {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(data)
	}
}

// language is zh or en: as asked for, as last asked for, or as the browser likes.
func language(w http.ResponseWriter, r *http.Request) string {
	if asked := r.URL.Query().Get("lang"); asked == "zh" || asked == "en" {
		http.SetCookie(w, &http.Cookie{Name: "lang", Value: asked, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		return asked
	}
	if cookie, err := r.Cookie("lang"); err == nil && (cookie.Value == "zh" || cookie.Value == "en") {
		return cookie.Value
	}
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), "zh") {
		return "zh"
	}
	return "en"
}

func (i *inspector) page(w http.ResponseWriter, r *http.Request) {
	v := i.view(language(w, r))
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page", v); err != nil {
		log.Print(err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// parts are sent again when they have changed, by the id of their element.
var parts = []string{"tokens", "orders", "messages", "faults"}

// event is an update of the page: a part that has changed, or a new request, as
// HTML.
type event struct {
	Part string `json:"part"`
	HTML string `json:"html"`
}

// look is how often the gateway is polled while a page is open. People do not
// notice the delay.
const look = 150 * time.Millisecond

// events keeps a page up to date until it is closed. It begins with everything,
// since a page that comes back may have missed something.
func (i *inspector) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	lang := language(w, r)
	sent := make(map[string]string)
	known := make(map[string]bool)
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		v := i.view(lang)
		var events []event
		render := func(name string, data any) string {
			var b bytes.Buffer
			if err := pages.ExecuteTemplate(&b, name, data); err != nil {
				log.Print(err)
			}
			return b.String()
		}
		if len(sent) == 0 || v.forgot(known) {
			clear(known)
			events = append(events, event{"requests", render("requests", v)})
			for _, request := range v.Requests {
				known[request.ID] = true
			}
		}
		for n := len(v.Requests) - 1; n >= 0; n-- { // oldest first
			if request := v.Requests[n]; !known[request.ID] {
				known[request.ID] = true
				events = append(events, event{"request", render("request", request)})
			}
		}
		if len(known) > 2*len(v.Requests)+1000 { // forget those that the gateway has forgotten
			clear(known)
			for _, request := range v.Requests {
				known[request.ID] = true
			}
		}
		for _, part := range parts {
			if html := render(part, v); sent[part] != html {
				sent[part] = html
				events = append(events, event{part, html})
			}
		}
		for _, e := range events {
			data, err := json.Marshal(e)
			if err != nil {
				log.Print(err)
				return
			}
			if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
				return
			}
		}
		if len(events) > 0 && out.Flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

// injectFault injects a fault into the next request, or the next one for a path or
// a method of the old gateway, or does what another button next to the faults says.
func (i *inspector) injectFault(r *http.Request) {
	switch name := r.PostFormValue("name"); name {
	case "clear":
		i.gateway.ClearFaults()
	case "rotate":
		i.gateway.RotateCertificate()
	default:
		for _, b := range buttons {
			if b.Fault.String() != name {
				continue
			}
			fault := b.Fault
			if only := strings.TrimSpace(r.PostFormValue("for")); only != "" {
				fault = fault.For(only)
			}
			i.gateway.Inject(fault, 1)
		}
	}
}

func (i *inspector) setToken(r *http.Request) {
	token := r.PostFormValue("once_token")
	if token == "" {
		return
	}
	polls, _ := strconv.Atoi(r.PostFormValue("polls"))
	i.gateway.SetResult(token, resultNamed(r.PostFormValue("result"), max(0, min(polls, 1000))))
}

// openOrder does what Alipay's app does with an order string.
func (i *inspector) openOrder(r *http.Request) {
	order, err := i.gateway.OpenOrder(strings.TrimSpace(r.PostFormValue("order")))
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refused = err; err != nil {
		return
	}
	for n, known := range i.orders {
		if known.OutAgreementNo == order.OutAgreementNo {
			i.orders[n] = order
			return
		}
	}
	i.orders = append(i.orders, order)
}

// answerOrder is the user's answer in Alipay's app.
func (i *inspector) answerOrder(r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, order := range i.orders {
		if order.OutAgreementNo != r.PostFormValue("order") {
			continue
		}
		if r.PostFormValue("answer") == "agree" {
			order.Agree()
		} else {
			order.Decline()
		}
	}
}

func (i *inspector) setMessages(r *http.Request) {
	to := strings.TrimSpace(r.PostFormValue("to"))
	if to != "" && !absolute(to) {
		return
	}
	i.gateway.SetMessagesTo(to)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.to = to
}

func (i *inspector) reset(*http.Request) {
	i.gateway.Reset()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.orders, i.refused = nil, nil
}
