package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// What is sent and what comes back; none of it may be in a span.
var (
	params = &alipay.QueryParams{
		ConnKey:   "conn key/5521",
		OnceToken: "once-7c1f5be0a9d24",
		ServiceID: "2019120400000000000004450100",
		UserID:    "2088102992921777",
		OpenID:    "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
		CertNo:    "420192931233123123",
		CertType:  alipay.CertTypeIDCard,
	}
	result = alipaytest.Result{
		IdentityResult:        alipay.IdentityResultSuccess,
		IdentityResultSkipURL: "alipays://platformapi/startapp?appId=7788",
		MerchantIdentityID:    "V1_4dc286a6e91c9d51104e1172813b34c5",
		OpenID:                "answered-open-id",
		UserID:                "2088402562742105",
	}
	personal = []string{
		params.ConnKey, params.OnceToken, params.ServiceID, params.UserID, params.OpenID, params.CertNo,
		result.IdentityResultSkipURL, result.MerchantIdentityID, result.OpenID, result.UserID,
		"conn_key=", "once_token=", "cert_no=", "sign=",
	}
)

const path = "/v3/zhima/customer/jobworth/authentication"

// span is what the exporter wrote about one span.
type span struct {
	Name       string
	Attributes []struct {
		Key   string
		Value struct{ Value any }
	}
	Status struct{ Code, Description string }
}

func (s span) attribute(key string) any {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.Value
		}
	}
	return nil
}

// traced is a client of a gateway, and what the exporter wrote about its calls.
type traced struct {
	gateway  *alipaytest.Gateway
	client   *alipay.Client
	provider *sdktrace.TracerProvider
	output   bytes.Buffer // read it when the call has ended
}

func newTraced(t *testing.T, base http.RoundTripper, gateway *alipaytest.Gateway, opts ...alipay.Option) *traced {
	t.Helper()
	w := &traced{gateway: gateway}
	exporter, err := stdouttrace.New(stdouttrace.WithWriter(&w.output))
	if err != nil {
		t.Fatal(err)
	}
	w.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	opts = append([]alipay.Option{
		alipay.WithHTTPClient(&http.Client{Transport: NewTransport(base, otelhttp.WithTracerProvider(w.provider))}),
		alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Millisecond}),
	}, opts...)
	if w.client, err = alipay.NewClient(gateway.Config(), opts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

func (w *traced) query(ctx context.Context) error {
	_, err := query(ctx, w.provider.Tracer("test"), w.client.ZhimaCustomerJobworthAuthentication, params)
	return err
}

// spans returns otelhttp's spans and the one around them.
func (w *traced) spans(t *testing.T) (requests []span, around span) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(w.output.Bytes()))
	for {
		var s span
		switch err := decoder.Decode(&s); {
		case err == io.EOF:
			return requests, around
		case err != nil:
			t.Fatal(err)
		case s.Name == "jobworth query":
			around = s
		default:
			requests = append(requests, s)
		}
	}
}

// quoting answers with what is no HTTP and quotes the request: net/http quotes
// it in turn.
var quoting = alipaytest.FaultFunc("quoting", func(w http.ResponseWriter, r *http.Request, _ *alipaytest.Answer) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = io.WriteString(conn, params.CertNo+r.RequestURI+"\r\n\r\n")
		_ = conn.Close()
	}
})

func TestNoPersonalValueIsInAnySpan(t *testing.T) {
	tests := map[string]struct {
		prepare func(*alipaytest.Gateway)
		meaning error // nil: an answer
		spans   int
		status  float64 // http.response.status_code; 0: none
		kind    any     // error.type
		code    string  // of the span's status
	}{
		"success": {
			spans: 1, status: 200, code: "Unset",
		},
		"API error": {
			prepare: func(g *alipaytest.Gateway) {
				g.SetError(params.OnceToken, 400, alipay.CodeParamError, "参数错误: "+params.CertNo)
			},
			meaning: alipay.CodeParamError, spans: 1, status: 400, kind: "400", code: "Error",
		},
		"connection refused": {
			prepare: func(g *alipaytest.Gateway) { g.Close() },
			meaning: alipay.ErrNotDelivered, spans: 2, kind: "no connection", code: "Error",
		},
		"dropped connection": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(alipaytest.Drop, 1) },
			meaning: alipay.ErrOutcomeUnknown, spans: 1, kind: "connection failed", code: "Error",
		},
		"answer quotes the request": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(quoting, 1) },
			meaning: alipay.ErrOutcomeUnknown, spans: 1, kind: "connection failed", code: "Error",
		},
		"half an answer": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(alipaytest.HalfAnswer, 1) },
			meaning: alipay.ErrOutcomeUnknown, spans: 1, status: 200, kind: "connection failed", code: "Error",
		},
		"no answer in time": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(alipaytest.Hang, 1) },
			meaning: context.DeadlineExceeded, spans: 1, kind: "timeout", code: "Error",
		},
		"redirect quotes the query": {
			prepare: func(g *alipaytest.Gateway) {
				g.Inject(alipaytest.Redirect(302, "https://elsewhere.example/?cert_no="+params.CertNo), 1)
			},
			meaning: alipay.ErrRedirect, spans: 1, status: 302, code: "Unset",
		},
		"forged answer": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(alipaytest.ForeignSignature, 1) },
			meaning: alipay.ErrResponseSignature, spans: 1, status: 200, code: "Unset",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := alipaytest.NewGateway(t)
			gateway.SetResult(params.OnceToken, result)
			if tt.prepare != nil {
				tt.prepare(gateway)
			}
			w := newTraced(t, NewBase(), gateway, alipay.WithTimeout(2*time.Second))

			err := w.query(t.Context())
			if !errors.Is(err, tt.meaning) {
				t.Fatalf("got %v, want %v", err, tt.meaning)
			}
			for _, value := range personal {
				for _, text := range []string{value, url.QueryEscape(value), url.PathEscape(value)} {
					if strings.Contains(w.output.String(), text) {
						t.Errorf("the spans hold %q:\n%s", text, &w.output)
					}
				}
			}

			requests, around := w.spans(t)
			if len(requests) != tt.spans {
				t.Fatalf("%d spans of otelhttp, want %d:\n%s", len(requests), tt.spans, &w.output)
			}
			address, _ := url.Parse(gateway.BaseURL())
			for _, s := range requests {
				for key, want := range map[string]any{
					"http.request.method": "GET",
					"server.address":      address.Hostname(),
					"url.full":            gateway.BaseURL() + path,
					"error.type":          tt.kind,
				} {
					if got := s.attribute(key); got != want {
						t.Errorf("%s is %v, want %v", key, got, want)
					}
				}
				if got, _ := s.attribute("http.response.status_code").(float64); got != tt.status {
					t.Errorf("status code %v, want %v", got, tt.status)
				}
				if s.Status.Code != tt.code {
					t.Errorf("status of the span is %+v, want %s", s.Status, tt.code)
				}
			}
			if failed := around.Status.Code == "Error"; failed != (tt.meaning != nil) {
				t.Errorf("status of the span around is %+v", around.Status)
			}
			// The gateway has got all of it all the same, signed.
			for _, r := range gateway.Requests() {
				if !r.Verified || r.Params.Get("cert_no") != params.CertNo || r.Params.Get("conn_key") != params.ConnKey {
					t.Errorf("the gateway received %s", r.RequestURI)
				}
			}
		})
	}
}

func TestNeitherTraceNorBaggageGoesToAlipay(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	w := newTraced(t, NewBase(), gateway)
	member, err := baggage.NewMember("customer", "zhang-san")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.query(baggage.ContextWithBaggage(t.Context(), bag)); err != nil {
		t.Fatal(err)
	}
	fields := append(propagation.TraceContext{}.Fields(), propagation.Baggage{}.Fields()...)
	for _, name := range fields {
		if value := gateway.Requests()[0].Header.Get(name); value != "" {
			t.Errorf("%s: %s was sent", name, value)
		}
	}
}

// The library sees through all layers that a request has left. The gateway answers the first request of every connection and hangs up on the
// second, which net/http answers by sending a GET again on the next one.
func TestARequestIsDeliveredOnceThroughAllLayers(t *testing.T) {
	for name, opts := range map[string][]alipaytest.Option{"HTTP/1.1": nil, "TLS": {alipaytest.WithTLS()}, "HTTP/2": {alipaytest.WithHTTP2()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := alipaytest.NewGateway(t, opts...)
			w := newTraced(t, gateway.HTTPClient().Transport, gateway)

			// Several connections wait in the pool: net/http would try them all.
			const idle = 4
			gateway.Inject(alipaytest.Slow(200*time.Millisecond), idle)
			var all sync.WaitGroup
			for i := range idle {
				all.Go(func() {
					other := &alipay.QueryParams{OnceToken: strconv.Itoa(i)}
					_, err := w.client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), other)
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()

			gateway.Inject(alipaytest.DropAfter(1), -1)
			if err := w.query(t.Context()); !errors.Is(err, alipay.ErrOutcomeUnknown) {
				t.Errorf("got %v, want %v", err, alipay.ErrOutcomeUnknown)
			}
			if n := gateway.Deliveries(params.OnceToken); n != 1 {
				t.Errorf("the gateway received %d requests, want 1", n)
			}
		})
	}
}

func TestCloseIdleConnectionsReachesTheBase(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	gateway.SetResult(params.OnceToken, alipaytest.Result{IdentityResult: alipay.IdentityResultWaitingVerify})
	w := newTraced(t, NewBase(), gateway)
	for range 3 {
		if err := w.query(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.client.CloseIdleConnections()
	}
	if got := gateway.Connections(); got != 3 {
		t.Errorf("%d connections, want 3", got)
	}
}

func TestRunPrintsItsSpans(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"HTTP GET"`, `"jobworth query"`, path} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), params.CertNo) || strings.Contains(out.String(), "2f1c8e") {
		t.Errorf("a personal value is in\n%s", &out)
	}
}
