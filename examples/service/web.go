package main

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/check"
)

// pages is what operators and the merchant's own backend are served:
//
//	POST /api/checks         start a check: its id and the order string for the app
//	GET  /api/checks/{id}    its state
//	GET  /  /checks/{id}     pages
//	GET  /metrics  /healthz
//
// It knows no users: put your own login in front of it.
func (s *service) pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/checks", s.postCheck)
	mux.HandleFunc("GET /api/checks/{id}", s.getCheck)
	mux.HandleFunc("GET /{$}", s.listPage)
	mux.HandleFunc("GET /checks/{id}", s.checkPage)
	mux.HandleFunc("POST /checks", s.postCheck)
	mux.HandleFunc("POST /checks/{id}/{action}", s.act)
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.sql.PingContext(r.Context()); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		}
	})
	// Forms are sent by our own pages only, and by programs.
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Against DNS rebinding: the page of another site, whose name resolves to this
		// address, cannot read ours.
		if host := (&url.URL{Host: r.Host}).Hostname(); !slices.Contains(strings.Split(s.hosts, ","), host) && r.URL.Path != "/healthz" {
			http.Error(w, "unknown host; see -hosts", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
		mux.ServeHTTP(w, r)
	}))
}

// notified takes a message of Alipay's. The machine believes nothing of it but
// that it is time to ask, and success is answered once that is stored.
func (s *service) notified(ctx context.Context, n *alipay.Notification) error {
	id, err := s.machine.Notified(ctx, n)
	s.log.Info("message", "notification", n.ID, "method", n.Method, "check", id, "error", err)
	return err
}

// postCheck answers a program with JSON, and a form with the check's page.
func (s *service) postCheck(w http.ResponseWriter, r *http.Request) {
	c, orderString, err := s.machine.Start(r.Context(), check.Params{
		IdentityType: alipay.IdentityTypeTeacher, QueryType: alipay.QueryTypeExact, ServiceID: s.serviceID,
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if s.gateway != nil {
		s.orders.Store(c.ID, orderString)
	}
	if r.URL.Path == "/checks" {
		http.Redirect(w, r, "/checks/"+c.ID, http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]string{"id": c.ID, "order_string": orderString})
}

// getCheck answers with the state of a check, and nothing personal.
func (s *service) getCheck(w http.ResponseWriter, r *http.Request) {
	c, err := s.store.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var result alipay.IdentityResult
	if c.Result != nil {
		result = c.Result.IdentityResult
	}
	json.NewEncoder(w).Encode(map[string]any{
		"id": c.ID, "state": c.State, "identity_result": result, "attempts": c.Attempts, "note": c.Note, "what_to_do": help[c.State].Do,
	})
}

func (s *service) act(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c, err := s.store.Get(r.Context(), id)
	switch action := r.PathValue("action"); {
	case err != nil:
	case action == "ask":
		err = s.machine.AskAgain(r.Context(), id)
	case s.gateway != nil:
		err = s.play(c, action)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/checks/"+id, http.StatusSeeOther)
}

func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, check.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	s.log.Error("request failed", "method", r.Method, "pattern", r.Pattern, "error", err)
	http.Error(w, "something went wrong; the log has the reason", http.StatusInternalServerError)
}

//go:embed page.html style.css
var files embed.FS

// pageIn is the page in a language.
var pageIn = map[string]*template.Template{
	"en": parsed("en", func(text string) string { return strings.ReplaceAll(text, "_", " ") }),
	"zh": parsed("zh-CN", func(text string) string { return chinese[text] }),
}

func parsed(language string, t func(string) string) *template.Template {
	return template.Must(template.New("page.html").Funcs(template.FuncMap{
		"t":        func(text any) string { s, _ := text.(string); return t(s) },
		"language": func() string { return language },
		"time":     func(at time.Time) string { return at.Local().Format("2006-01-02 15:04:05 -07:00") },
		"state":    func(s check.State) string { return t(string(s)) },
		"help":     func(s check.State) any { return help[s] },
	}).ParseFS(files, "page.html"))
}

// listPage shows the newest checks. A program may read the table as it likes.
func (s *service) listPage(w http.ResponseWriter, r *http.Request) {
	rows, err := s.sql.QueryContext(r.Context(), `SELECT data FROM alipay_checks ORDER BY created_at DESC, id LIMIT 100`)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer rows.Close()
	var checks []*check.Check
	for rows.Next() {
		var data []byte
		c := new(check.Check)
		if err = errors.Join(err, rows.Scan(&data), json.Unmarshal(data, c)); err == nil {
			checks = append(checks, c)
		}
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, map[string]any{"Checks": checks, "Refresh": true})
}

func (s *service) checkPage(w http.ResponseWriter, r *http.Request) {
	c, err := s.store.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	order, _ := s.orders.Load(c.ID)
	s.render(w, r, map[string]any{"Check": c, "OrderString": order, "Refresh": !c.DueAt.IsZero()})
}

// render writes a page in the language that was chosen last, else the browser's.
func (s *service) render(w http.ResponseWriter, r *http.Request, data map[string]any) {
	page := pageIn["en"]
	if strings.HasPrefix(r.Header.Get("Accept-Language"), "zh") {
		page = pageIn["zh"]
	}
	if cookie, err := r.Cookie("lang"); err == nil {
		page = cmp.Or(pageIn[cookie.Value], page)
	}
	if chosen := r.FormValue("lang"); pageIn[chosen] != nil {
		page = pageIn[chosen]
		http.SetCookie(w, &http.Cookie{Name: "lang", Value: chosen, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, data); err != nil {
		s.log.Error("page", "pattern", r.Pattern, "error", err)
	}
}

// play is the user in Alipay's app, in the demonstration. The app checks the
// order string as Alipay would, the gateway changes the agreement and sends the
// message, and from there everything works as with the real one.
func (s *service) play(c *check.Check, action string) error {
	orderString, _ := s.orders.Load(c.ID)
	text, _ := orderString.(string)
	order, err := s.gateway.OpenOrder(text)
	switch {
	case err != nil:
	case action == "decline":
		order.Decline()
	case action == "agree":
		s.gateway.SetResult(c.OnceToken, alipaytest.Result{
			IdentityResult: alipay.IdentityResultSuccess,
			WaitingPolls:   2, // so that there is something to see
		})
		order.Agree()
	}
	return err
}

// observer makes the metrics in /metrics.
func (s *service) observer() alipay.Observer {
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "alipay_call_duration_seconds",
		Help:    "Calls to Alipay with all their attempts, by outcome.",
		Buckets: []float64{.05, .1, .2, .5, 1, 2, 5, 10},
	}, []string{"path", "outcome", "code"})
	s.metrics.MustRegister(calls, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, state := range check.States() { // counted in the database, so that every process reports the same
		s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "checks", Help: "Checks by state.", ConstLabels: prometheus.Labels{"state": string(state)},
		}, func() (count float64) {
			if s.sql.QueryRow(`SELECT count(*) FROM alipay_checks WHERE state = '`+string(state)+`'`).Scan(&count) != nil {
				return math.NaN()
			}
			return count
		}))
	}
	return alipay.Observer{
		CallDone: func(_ context.Context, call alipay.CallResult) {
			code := string(call.Code)
			if code != "" && !call.Code.Known() {
				code = "other" // a label must not be whatever the other side sends
			}
			calls.WithLabelValues(call.Path, call.Outcome.String(), code).Observe(call.Duration.Seconds())
		},
	}
}
