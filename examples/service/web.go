package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	alipay "github.com/seed-39a49030/alipay"
)

// handler is everything that is served:
//
//	POST /api/checks         start a check: its id and the order string for the app
//	GET  /api/checks/{id}    its state
//	POST /notifications      the platform's messages (the application's gateway address)
//	GET  /  /checks/{id}     pages for operators
//	GET  /metrics  /healthz
//
// It knows no users: put your own login in front of all but /notifications.
func (s *service) handler() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("POST /api/checks", s.postCheck)
	pages.HandleFunc("GET /api/checks/{id}", s.getCheck)
	pages.HandleFunc("GET /{$}", s.listPage)
	pages.HandleFunc("GET /checks/{id}", s.checkPage)
	pages.HandleFunc("POST /checks", s.postCheck)
	pages.HandleFunc("POST /checks/{id}/{action}", s.act)
	pages.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Write(style)
	})
	pages.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))

	mux := http.NewServeMux()
	mux.Handle("/notifications", s.client.NotificationHandler(s.notified))
	mux.HandleFunc("GET /healthz", s.health)
	// Forms are sent by our own pages only, and by programs.
	mux.Handle("/", http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.hostAllowed(r.Host) {
			http.Error(w, "unknown host; see -hosts", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		pages.ServeHTTP(w, r)
	})))
	return mux
}

// startCheck signs the order string of a new check and stores both.
func (s *service) startCheck(ctx context.Context) (check, error) {
	// The platform's pages do not say where the once_token comes from. That the
	// merchant makes it, and sends it this way, is inferred from a sister product:
	// ask Zhima's support (芝麻技术支持).
	c := check{ID: randomHex(), OnceToken: randomHex()}
	var err error
	c.OrderString, err = s.client.ZhimaCreditPayafteruseCreditagreement.Sign(ctx, &alipay.CreditAgreementSignParams{
		OutAgreementNo: c.ID,
		ZmServiceID:    s.serviceID,
		ProductCode:    alipay.ProductCodeZhimaAuth,
		ExtraParam:     map[string]string{"onceToken": c.OnceToken},
	})
	if err != nil {
		return check{}, err
	}
	return c, s.insert(ctx, c)
}

// notified stores a message, and starts a step that checks what it says. A message
// proves little: it may be repeated or late, and the same signature covers other
// groupings of its text. So it is compared with our own record, and Alipay is
// queried before anything is believed. Success is answered once this is committed.
func (s *service) notified(ctx context.Context, n *alipay.Notification) error {
	var content struct {
		OutAgreementNo string `json:"out_agreement_no"`
	}
	_ = json.Unmarshal(n.BizContent, &content) // without it the message matches none of our checks
	return s.db.tx(ctx, func(tx transaction) error {
		copies, ours := 0, ""
		err := tx.query(ctx, func(r row) error { return r.Scan(&ours) }, `SELECT id FROM checks WHERE id = $1`, content.OutAgreementNo)
		if err != nil {
			return err
		}
		err = tx.query(ctx, func(r row) error { return r.Scan(&copies) },
			`INSERT INTO notifications (id, check_id, method, received_at) VALUES ($1, $2, $3, NOW)
			ON CONFLICT (id) DO UPDATE SET copies = notifications.copies + 1 RETURNING copies`, n.ID, ours, n.Method)
		if err != nil {
			return err
		}
		s.log.Info("message", "notification", n.ID, "method", n.Method, "check", ours, "copy", copies)
		if copies > 1 || ours == "" {
			return nil
		}
		// Only a check that still waits for its user has something to learn, even
		// if it had given up.
		waiting, err := tx.exec(ctx, `UPDATE checks SET state = 'started', deadline = NOW + $2
			WHERE id = $1 AND state IN ('started', 'expired')`, ours, s.timing.user.Milliseconds())
		if err != nil || waiting == 0 {
			return err
		}
		return s.wake(ctx, tx, ours)
	})
}

// askAgain carries out an operator's decision: a check that ended without a result
// is queried once more.
func (s *service) askAgain(ctx context.Context, id string) error {
	return s.db.tx(ctx, func(tx transaction) error {
		ended, err := tx.exec(ctx, `UPDATE checks SET state = 'agreed', deadline = NOW + $2
			WHERE id = $1 AND state IN ('failed', 'in_doubt')`, id, s.timing.result.Milliseconds())
		if err != nil || ended == 0 {
			return err
		}
		return s.wake(ctx, tx, id)
	})
}

func (s *service) act(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c, err := s.find(r.Context(), id)
	switch action := r.PathValue("action"); {
	case err != nil:
	case action == "ask" && (c.State == stateFailed || c.State == stateInDoubt):
		err = s.askAgain(r.Context(), id)
	case action == "open" && c.State == stateSealed:
		err = s.db.tx(r.Context(), func(tx transaction) error { return s.wake(r.Context(), tx, id) })
	case action == "agree" || action == "decline":
		err = s.play(c, action == "agree")
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/checks/"+id, http.StatusSeeOther)
}

// postCheck answers a program with JSON, and a form with the check's page.
func (s *service) postCheck(w http.ResponseWriter, r *http.Request) {
	c, err := s.startCheck(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if r.URL.Path == "/checks" {
		http.Redirect(w, r, "/checks/"+c.ID, http.StatusSeeOther)
		return
	}
	writeJSON(w, http.StatusCreated, map[string]string{"id": c.ID, "order_string": c.OrderString})
}

// getCheck answers with the state of a check, and nothing personal.
func (s *service) getCheck(w http.ResponseWriter, r *http.Request) {
	c, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"id": c.ID, "state": c.State, "waits_for": c.State.WaitsFor(), "identity_result": c.IdentityResult, "attempts": c.Attempts, "note": c.Note,
	})
}

func (s *service) health(w http.ResponseWriter, r *http.Request) {
	if _, err := s.counts(r.Context()); err != nil {
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
	}
}

func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNoCheck) {
		http.NotFound(w, r)
		return
	}
	s.log.Error("request failed", "method", r.Method, "pattern", r.Pattern, "error", err)
	http.Error(w, "something went wrong; the log has the reason", http.StatusInternalServerError)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

//go:embed page.html
var pageHTML string

//go:embed style.css
var style []byte

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"time": func(ms int64) string { return time.UnixMilli(ms).Format("2006-01-02 15:04:05") },
}).Parse(pageHTML))

type pageData struct {
	Checks  []check
	Check   *check
	Demo    bool
	Refresh bool
}

func (s *service) listPage(w http.ResponseWriter, r *http.Request) {
	checks, err := s.list(r.Context(), 100)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, pageData{Checks: checks, Demo: s.gateway != nil, Refresh: true})
}

func (s *service) checkPage(w http.ResponseWriter, r *http.Request) {
	c, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, pageData{Check: &c, Demo: s.gateway != nil, Refresh: c.DueAt > 0})
}

func (s *service) render(w http.ResponseWriter, r *http.Request, data pageData) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, data); err != nil {
		s.log.Error("page", "pattern", r.Pattern, "error", err)
	}
}
