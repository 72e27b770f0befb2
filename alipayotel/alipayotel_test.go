package alipayotel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipayotel"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// What is sent and what comes back; an exporter may write none of it.
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
		OpenID:                params.OpenID,
		UserID:                params.UserID,
	}
	personal = []string{
		params.ConnKey, params.OnceToken, params.ServiceID, params.UserID, params.OpenID, params.CertNo,
		result.IdentityResultSkipURL, result.MerchantIdentityID, result.OpenID, result.UserID,
		anotherUser, "conn_key=", "once_token=", "cert_no=", "sign=", "nonce=", "zhang-san",
	}
)

const anotherUser = "2088000000000017"

const path = "/v3/zhima/customer/jobworth/authentication"

type attributes []struct {
	Key   string
	Value struct{ Value any }
}

func (all attributes) asMap() map[string]any {
	m := map[string]any{}
	for _, a := range all {
		m[a.Key] = a.Value.Value
	}
	return m
}

// span is what the exporter wrote about one span.
type span struct {
	Name        string
	SpanContext struct{ TraceID, SpanID string }
	Parent      struct{ SpanID string }
	SpanKind    int
	Attributes  attributes
	Events      []struct {
		Name       string
		Attributes attributes
	}
	Status struct{ Code, Description string }
}

// instrument is what the exporter wrote about one instrument.
type instrument struct {
	Name, Unit string
	Data       struct {
		DataPoints []struct {
			Attributes attributes
			Count      int
			Sum        float64
		}
	}
}

// observed is a client whose observer writes to real exporters.
type observed struct {
	gateway *alipaytest.Gateway
	client  *alipay.Client
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
	wire    *recorder
	spanOut bytes.Buffer
	metrics bytes.Buffer
}

func newObserved(t *testing.T, gateway *alipaytest.Gateway, otelOpts []alipayotel.Option, opts ...alipay.Option) *observed {
	t.Helper()
	o := &observed{gateway: gateway, wire: &recorder{}}
	spans, err := stdouttrace.New(stdouttrace.WithWriter(&o.spanOut))
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := stdoutmetric.New(stdoutmetric.WithWriter(&o.metrics))
	if err != nil {
		t.Fatal(err)
	}
	o.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	o.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics, sdkmetric.WithInterval(time.Hour))))
	transport := alipay.NewTransport()
	transport.DialContext = o.wire.dial
	otelOpts = append([]alipayotel.Option{alipayotel.WithTracerProvider(o.tracers), alipayotel.WithMeterProvider(o.meters)}, otelOpts...)
	opts = append([]alipay.Option{
		alipay.WithHTTPClient(&http.Client{Transport: transport}),
		alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Millisecond}),
		alipay.WithObserver(alipayotel.New(otelOpts...)),
	}, opts...)
	if o.client, err = alipay.NewClient(gateway.Config(), opts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.client.CloseIdleConnections)
	return o
}

// spans ends the exporters and returns what they wrote.
func (o *observed) end(t *testing.T) (spans []span, instruments map[string]instrument) {
	t.Helper()
	if err := errors.Join(o.tracers.Shutdown(context.Background()), o.meters.Shutdown(context.Background())); err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(o.spanOut.Bytes())); ; {
		var s span
		if err := decoder.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		spans = append(spans, s)
	}
	instruments = map[string]instrument{}
	for decoder := json.NewDecoder(bytes.NewReader(o.metrics.Bytes())); ; {
		var exported struct {
			ScopeMetrics []struct{ Metrics []instrument }
		}
		if err := decoder.Decode(&exported); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, s := range exported.ScopeMetrics {
			for _, i := range s.Metrics {
				instruments[i.Name] = i
			}
		}
	}
	return spans, instruments
}

// holdsNothingPersonal searches what the exporters wrote.
func (o *observed) holdsNothingPersonal(t *testing.T) {
	t.Helper()
	written := o.spanOut.String() + o.metrics.String()
	if written == "" {
		t.Error("nothing was written")
	}
	for _, value := range personal {
		quoted, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{value, url.QueryEscape(value), url.PathEscape(value), strings.Trim(string(quoted), `"`)} {
			if strings.Contains(written, text) {
				t.Errorf("the exporters wrote %q:\n%s", text, written)
			}
		}
	}
}

// recorder keeps what was written on its connections.
type recorder struct {
	mu   sync.Mutex
	sent bytes.Buffer
}

type recorded struct {
	net.Conn
	by *recorder
}

func (r *recorder) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return recorded{conn, r}, nil
}

func (c recorded) Write(p []byte) (int, error) {
	c.by.mu.Lock()
	c.by.sent.Write(p)
	c.by.mu.Unlock()
	return c.Conn.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent.String()
}

// quoting answers with what is no HTTP and quotes the request: net/http quotes
// it in turn.
var quoting = alipaytest.FaultFunc("quoting", func(w http.ResponseWriter, r *http.Request, _ *alipaytest.Answer) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = io.WriteString(conn, params.CertNo+r.RequestURI+"\r\n\r\n")
		_ = conn.Close()
	}
})

func TestExportersAreGivenEveryOutcomeAndNothingPersonal(t *testing.T) {
	tests := map[string]struct {
		prepare func(*alipaytest.Gateway)
		meaning error // nil: an answer
		outcome string
		status  float64 // of the last attempt; 0: no answer
		kinds   []any   // error.type of each attempt; nil: none
		stage   any     // where the last one ended; nil: with an answer
		code    any     // of the span
		label   any     // of the metrics
		pauses  int     // attempts that say how long the pause was
		opts    []alipay.Option
	}{
		"success": {outcome: "success", status: 200, kinds: []any{nil}},
		"refused, with a known code": {
			prepare: func(g *alipaytest.Gateway) {
				g.SetError(params.OnceToken, 400, alipay.CodeParamError, "参数错误: "+params.CertNo)
			},
			meaning: alipay.CodeParamError, outcome: "rejected", status: 400, kinds: []any{"400"}, code: "PARAM_ERROR", label: "PARAM_ERROR",
		},
		"refused, with a code of its own": {
			prepare: func(g *alipaytest.Gateway) { g.SetError(params.OnceToken, 400, "NEW_IN_2031", "no") },
			meaning: alipay.ErrorCode("NEW_IN_2031"), outcome: "rejected", status: 400, kinds: []any{"400"}, code: "NEW_IN_2031", label: "other",
		},
		"refused for load, then answered": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(alipaytest.TooManyRequests, 1) },
			outcome: "success", status: 200, kinds: []any{"429", nil}, pauses: 1,
		},
		"connection refused": {
			prepare: func(g *alipaytest.Gateway) { g.Close() },
			meaning: alipay.ErrNotDelivered, outcome: "not_delivered", kinds: []any{"not_delivered", "not_delivered"}, stage: "connect", pauses: 1,
		},
		"connection dropped": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(alipaytest.Drop, 1) },
			meaning: alipay.ErrOutcomeUnknown, outcome: "unknown", kinds: []any{"outcome_unknown"}, stage: "answer",
		},
		"answer quotes the request": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(quoting, 1) },
			meaning: alipay.ErrOutcomeUnknown, outcome: "unknown", kinds: []any{"outcome_unknown"}, stage: "answer",
		},
		"half an answer": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(alipaytest.HalfAnswer, 1) },
			meaning: alipay.ErrOutcomeUnknown, outcome: "unknown", status: 200, kinds: []any{"outcome_unknown"},
		},
		"no answer in time": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(alipaytest.Hang, 1) },
			opts:    []alipay.Option{alipay.WithTimeout(300 * time.Millisecond)},
			meaning: context.DeadlineExceeded, outcome: "unknown", kinds: []any{"timeout"}, stage: "answer",
		},
		"redirect quotes the query": {
			prepare: func(g *alipaytest.Gateway) {
				g.Inject(alipaytest.FaultFunc("redirect", func(w http.ResponseWriter, _ *http.Request, _ *alipaytest.Answer) {
					w.Header().Set("Location", "https://elsewhere.example/?cert_no="+params.CertNo)
					w.WriteHeader(http.StatusFound)
				}), 1)
			},
			meaning: alipay.ErrRedirect, outcome: "unknown", status: 302, kinds: []any{"redirect"},
		},
		"another user's answer": {
			prepare: func(g *alipaytest.Gateway) {
				other := result
				other.UserID, other.OpenID = anotherUser, "" // an OpenID that agrees would prove the person
				g.SetResult(params.OnceToken, other)
			},
			meaning: alipay.ErrResponseMismatch, outcome: "unknown", status: 200, kinds: []any{"response_mismatch"},
		},
		"forged answer": {
			prepare: func(g *alipaytest.Gateway) { g.Inject(alipaytest.ForeignSignature, 1) },
			meaning: alipay.ErrResponseSignature, outcome: "unknown", status: 200, kinds: []any{"response_signature"},
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
			o := newObserved(t, gateway, nil, tt.opts...)
			_, err := o.client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params)
			if !errors.Is(err, tt.meaning) {
				t.Fatalf("got %v, want %v", err, tt.meaning)
			}
			spans, instruments := o.end(t)
			o.holdsNothingPersonal(t)

			address, err := url.Parse(gateway.BaseURL())
			if err != nil {
				t.Fatal(err)
			}
			var status any // as JSON has it
			if tt.status != 0 {
				status = tt.status
			}
			last := tt.kinds[len(tt.kinds)-1]
			if len(spans) != 1 {
				t.Fatalf("%d spans for a call:\n%s", len(spans), &o.spanOut)
			}
			s := spans[0]
			if want := "GET " + path; s.Name != want || s.SpanKind != int(trace.SpanKindClient) {
				t.Errorf("%s of kind %d", s.Name, s.SpanKind)
			}
			has(t, "the span", s.Attributes, map[string]any{
				"http.request.method": "GET", "server.address": address.Hostname(), "url.template": path,
				"http.response.status_code": status, "error.type": last, "alipay.app_id": gateway.Config().AppID,
				"alipay.outcome": tt.outcome, "alipay.code": tt.code, "alipay.stage": tt.stage, "alipay.attempts": float64(len(tt.kinds)),
			})
			if failed := s.Status.Code == "Error"; failed != (tt.meaning != nil) || failed != (s.Status.Description != "") {
				t.Errorf("the span's status is %+v", s.Status)
			}
			pauses := 0
			if len(s.Events) != len(tt.kinds) {
				t.Fatalf("%d events for %d attempts", len(s.Events), len(tt.kinds))
			}
			for i, e := range s.Events {
				got := e.Attributes.asMap()
				has(t, "the event", e.Attributes, map[string]any{"alipay.attempt.number": float64(i + 1), "error.type": tt.kinds[i]})
				if id, _ := got["alipay.request_id"].(string); e.Name != "alipay.attempt" || len(id) != 32 {
					t.Errorf("the event is %s: %v", e.Name, got)
				}
				if i == len(s.Events)-1 && got["alipay.stage"] != tt.stage {
					t.Errorf("the last event's stage is %v, want %v", got["alipay.stage"], tt.stage)
				}
				if got["alipay.attempt.pause"] != nil {
					pauses++
				}
				if again := i < len(s.Events)-1; got["alipay.attempt.will_retry"] != again || (got["alipay.attempt.pause"] != nil) != again {
					t.Errorf("event %d of %d: %v", i+1, len(s.Events), got)
				}
			}
			if pauses != tt.pauses {
				t.Errorf("%d pauses, want %d", pauses, tt.pauses)
			}

			counted := map[any]int{}
			for _, point := range instruments["http.client.request.duration"].Data.DataPoints {
				counted[point.Attributes.asMap()["error.type"]] += point.Count
			}
			want := map[any]int{}
			for _, kind := range tt.kinds {
				want[kind]++
			}
			if !maps.Equal(counted, want) {
				t.Errorf("requests by error.type: %v, want %v", counted, want)
			}
			for name, sum := range map[string]float64{"alipay.client.call.duration": 0, "alipay.client.call.attempts": float64(len(tt.kinds))} {
				points := instruments[name].Data.DataPoints
				if len(points) != 1 || points[0].Count != 1 || sum != 0 && points[0].Sum != sum {
					t.Fatalf("%s: %+v", name, points)
				}
				has(t, name, points[0].Attributes, map[string]any{
					"http.request.method": "GET", "url.template": path, "alipay.outcome": tt.outcome, "alipay.code": tt.label, "alipay.stage": tt.stage,
					"error.type": last, "http.response.status_code": status,
				})
			}
		})
	}
}

// has compares some attributes; one that is nil must be missing.
func has(t *testing.T, what string, attributes attributes, want map[string]any) {
	t.Helper()
	got := attributes.asMap()
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s: %s is %v, want %v", what, key, got[key], value)
		}
	}
}

// injecting does to a request what instrumented transports do.
type injecting struct{ base http.RoundTripper }

func (i injecting) RoundTrip(r *http.Request) (*http.Response, error) {
	otel.GetTextMapPropagator().Inject(r.Context(), propagation.HeaderCarrier(r.Header))
	return i.base.RoundTrip(r)
}

func TestNeitherTraceNorBaggageGoesToAlipay(t *testing.T) {
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	member, err := baggage.NewMember("customer", "zhang-san")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	gateway := alipaytest.NewGateway(t)
	o := newObserved(t, gateway, nil)
	ctx, parent := o.tracers.Tracer("test").Start(baggage.ContextWithBaggage(t.Context(), bag), "parent")
	if _, err := o.client.ZhimaCustomerJobworthAuthentication.Query(ctx, params); err != nil {
		t.Fatal(err)
	}
	parent.End()
	sent := strings.ToLower(o.wire.String())
	if !strings.Contains(sent, "authorization: ") {
		t.Fatalf("this is no request:\n%s", sent)
	}
	spans, _ := o.end(t)
	o.holdsNothingPersonal(t)
	i := slices.IndexFunc(spans, func(s span) bool { return s.Name == "GET "+path })
	if len(spans) != 2 || i < 0 || spans[i].Parent.SpanID != parent.SpanContext().SpanID().String() {
		t.Fatalf("the call's span is not the child of the caller's:\n%s", &o.spanOut)
	}
	unwanted := []string{
		"zhang-san", parent.SpanContext().TraceID().String(), parent.SpanContext().SpanID().String(), spans[i].SpanContext.SpanID,
	}
	for _, p := range []propagation.TextMapPropagator{propagation.TraceContext{}, propagation.Baggage{}} {
		for _, field := range p.Fields() {
			unwanted = append(unwanted, field+":")
		}
	}
	for _, text := range unwanted {
		if strings.Contains(sent, text) {
			t.Errorf("%q was sent:\n%s", text, sent)
		}
	}

	// A transport that injects has no baggage to inject.
	o = newObserved(t, gateway, nil, alipay.WithHTTPClient(&http.Client{Transport: injecting{alipay.NewTransport()}}))
	ctx, parent = o.tracers.Tracer("test").Start(baggage.ContextWithBaggage(t.Context(), bag), "parent")
	defer parent.End()
	if _, err := o.client.ZhimaCustomerJobworthAuthentication.Query(ctx, &alipay.QueryParams{OnceToken: "another"}); err != nil {
		t.Fatal(err)
	}
	received := gateway.Requests()[1].Header
	if received.Get("traceparent") == "" || received.Get("baggage") != "" {
		t.Errorf("the headers are %v", received)
	}
}

// Two observers, and one of another kind that sets a span of its own between.
func TestObserversKeepOutOfEachOthersWay(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	second := newObserved(t, gateway, nil)
	other := alipay.Observer{CallStart: func(ctx context.Context, _ alipay.CallInfo) context.Context {
		ctx, _ = second.tracers.Tracer("other").Start(ctx, "never ended")
		return ctx
	}}
	o := newObserved(t, gateway, nil, alipay.WithObserver(other), alipay.WithObserver(alipayotel.New(
		alipayotel.WithTracerProvider(second.tracers), alipayotel.WithMeterProvider(second.meters), nil,
	)))
	if _, err := o.client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	for i, of := range []*observed{o, second} {
		spans, instruments := of.end(t)
		if len(spans) != 1 || len(spans[0].Events) != 1 || len(instruments) != 3 {
			t.Errorf("observer %d: %d spans, %d instruments:\n%s", i, len(spans), len(instruments), &of.spanOut)
		}
	}
}

func TestIDsInAPathAreNotShown(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	gateway.Close() // so that there is an error, whose text names the path
	for name, tt := range map[string]struct {
		path, id, want string
		opts           []alipayotel.Option
	}{
		"words":       {path: "/v3/alipay/trade/query", want: "/v3/alipay/trade/query"},
		"an id":       {path: "/v3/alipay/fund/order/2088102992921777", id: "2088102992921777", want: "/v3/alipay/fund/order/{}"},
		"id in front": {path: "/v2088/x", id: "2088", want: "/{}/x"},
		"template": {path: "/v3/orders/zhang-san", id: "zhang-san", want: "/v3/orders/{name}", opts: []alipayotel.Option{
			alipayotel.WithPath(func(string) string { return "/v3/orders/{name}" }),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newObserved(t, gateway, tt.opts, alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}))
			_, err := o.client.Do(t.Context(), &alipay.Request{Path: tt.path}, nil)
			if !errors.Is(err, alipay.ErrNotDelivered) || !strings.Contains(err.Error(), tt.path) {
				t.Fatalf("got %v", err)
			}
			spans, instruments := o.end(t)
			if len(spans) != 1 || len(instruments) != 3 || spans[0].Name != "GET "+tt.want || !strings.Contains(spans[0].Status.Description, tt.want) {
				t.Fatalf("the spans are\n%s\nwant %s", &o.spanOut, tt.want)
			}
			has(t, "the span", spans[0].Attributes, map[string]any{"url.template": tt.want})
			for _, i := range instruments {
				has(t, i.Name, i.Data.DataPoints[0].Attributes, map[string]any{"url.template": tt.want})
			}
			if tt.id != "" && strings.Contains(o.spanOut.String()+o.metrics.String(), tt.id) {
				t.Errorf("%s is shown:\n%s%s", tt.id, &o.spanOut, &o.metrics)
			}
		})
	}
}

// inMemory is a client whose observer exports to memory.
func inMemory(t *testing.T, config alipay.AlipayConfig, opts ...alipayotel.Option) (*alipay.Client, *tracetest.InMemoryExporter, *sdkmetric.ManualReader) {
	t.Helper()
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithCardinalityLimit(0)) // the SDK's own limit would hide ours
	opts = append([]alipayotel.Option{alipayotel.WithTracerProvider(tracers), alipayotel.WithMeterProvider(meters)}, opts...)
	client, err := alipay.NewClient(config, alipay.WithObserver(alipayotel.New(opts...)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client, spans, reader
}

// templates counts the measurements of each instrument by url.template.
func templates(t *testing.T, reader *sdkmetric.ManualReader) map[string]map[string]uint64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	counts := map[string]map[string]uint64{}
	add := func(instrument string, attributes attribute.Set, count uint64) {
		if counts[instrument] == nil {
			counts[instrument] = map[string]uint64{}
		}
		template, _ := attributes.Value("url.template")
		counts[instrument][template.AsString()] += count
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				add(m.Name, point.Attributes, point.Count)
			}
		case metricdata.Histogram[int64]:
			for _, point := range data.DataPoints {
				add(m.Name, point.Attributes, point.Count)
			}
		default:
			t.Fatalf("%s is %T", m.Name, data)
		}
	}
	return counts
}

// endpoint is one of many paths without anything that looks like an id.
func endpoint(n int) string {
	return "/v3/x/" + strings.Repeat("a", n/20+1) + "/" + strings.Repeat("b", n%20+1)
}

// Calls of 300 endpoints at once, from many goroutines.
func TestPathsThatAreShownAreBounded(t *testing.T) {
	const paths, callers, shown = 300, 10, 100
	gateway := alipaytest.NewGateway(t)
	client, spans, reader := inMemory(t, gateway.Config())
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := c; n < paths; n += callers {
				_, _ = client.Do(t.Context(), &alipay.Request{Path: endpoint(n)}, nil)
				_, _ = client.Do(t.Context(), &alipay.Request{Path: path}, nil)
			}
		})
	}
	wg.Wait()
	instruments := templates(t, reader)
	if len(instruments) != 3 {
		t.Errorf("%d instruments", len(instruments))
	}
	for name, counts := range instruments {
		total := uint64(0)
		for _, count := range counts {
			total += count
		}
		if len(counts) != shown+1 || counts["other"] != paths-(shown-1) || counts[path] != paths || total != 2*paths {
			t.Errorf("%s: %d templates, of which other has %d and the query %d of %d", name, len(counts), counts["other"], counts[path], total)
		}
	}
	names := map[string]int{}
	for _, s := range spans.GetSpans() {
		names[s.Name]++
	}
	if len(names) != shown+1 || names["GET other"] != paths-(shown-1) {
		t.Errorf("%d names of spans, of which other has %d", len(names), names["GET other"])
	}
	for _, s := range spans.GetSpans() {
		if s.Name == "GET other" && (strings.Contains(s.Status.Description, "/v3/x") || !strings.HasPrefix(s.Status.Description, "alipay: ")) {
			t.Errorf("the text is %q", s.Status.Description)
		}
	}
}

func TestAnIDInThePathThatTheGatewayRepeatsIsMasked(t *testing.T) {
	named := alipayotel.WithPath(func(string) string { return "/v3/alipay/orders/{name}" })
	for name, tt := range map[string]struct {
		path, message, want string
		opts                []alipayotel.Option
	}{
		"digits":                     {"/v3/alipay/orders/2088102992921777", "order 2088102992921777 is closed", "order *** is closed", nil},
		"an address":                 {"/v3/alipay/orders/zhang@x.example", "order zhang@x.example is closed", "order *** is closed", nil},
		"escaped":                    {"/v3/alipay/orders/zhang%40x.example", "order zhang@x.example is closed", "order *** is closed", nil},
		"by the caller's template":   {"/v3/alipay/orders/ZhangSan", "order ZhangSan, orders of alipay", "order ***, orders of alipay", []alipayotel.Option{named}},
		"escaped, with letters only": {"/v3/alipay/orders/Zhang%2ESan", "order Zhang.San or Zhang%2ESan", "order *** or ***", []alipayotel.Option{named}},
		"one begins with another":    {"/v3/alipay/orders/Zhang/ZhangSan", "order ZhangSan", "order ***", []alipayotel.Option{named}},
		"a word of one character":    {"/v3/alipay/orders/n", "no n", "no n", []alipayotel.Option{named}},
	} {
		t.Run(name, func(t *testing.T) {
			id := tt.path[strings.LastIndex(tt.path, "/")+1:]
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("alipay-trace-id", "trace-"+id)
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(map[string]string{"code": "NO_SUCH_" + id, "message": tt.message})
			}))
			defer server.Close()
			config := alipaytest.NewGateway(t).Config()
			config.BaseURL = server.URL
			client, exported, _ := inMemory(t, config, tt.opts...)
			_, err := client.Do(t.Context(), &alipay.Request{Path: tt.path}, nil)
			if alipay.OutcomeOf(err) != alipay.OutcomeRejected {
				t.Fatal(err)
			}
			spans := exported.GetSpans()
			if len(spans) != 1 || len(spans[0].Events) != 1 {
				t.Fatalf("the spans are %+v", spans)
			}
			written := spans[0].Status.Description
			if !strings.Contains(written, tt.want) {
				t.Errorf("the status is %q", written)
			}
			for _, a := range append(spans[0].Attributes, spans[0].Events[0].Attributes...) {
				written += "\n" + a.Value.String()
			}
			if len(id) > 2 && strings.Contains(written, id) {
				t.Errorf("%s is shown:\n%s", id, written)
			}
		})
	}
}

func TestNilOptionsMeanTheDefaults(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	client, spans, reader := inMemory(t, gateway.Config(), alipayotel.WithPath(nil), alipayotel.WithTracerProvider(nil), alipayotel.WithMeterProvider(nil), nil)
	if _, err := client.Do(t.Context(), &alipay.Request{Path: "/v3/orders/2088102992921777"}, nil); err == nil {
		t.Error("there is no such endpoint")
	}
	got := spans.GetSpans()
	if len(got) != 1 || got[0].Name != "GET /v3/orders/{}" || templates(t, reader)["alipay.client.call.attempts"]["/v3/orders/{}"] != 1 {
		t.Errorf("the spans are %+v", got)
	}
}

func TestWithoutProvidersTheGlobalOnesAreUsed(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	o := newObserved(t, gateway, nil)
	tracers, meters := otel.GetTracerProvider(), otel.GetMeterProvider()
	otel.SetTracerProvider(o.tracers)
	otel.SetMeterProvider(o.meters)
	defer otel.SetTracerProvider(tracers)
	defer otel.SetMeterProvider(meters)
	client, err := alipay.NewClient(gateway.Config(), alipay.WithObserver(alipayotel.New()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	if _, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	if spans, instruments := o.end(t); len(spans) != 1 || len(instruments) != 3 {
		t.Errorf("%d spans, %d instruments", len(spans), len(instruments))
	}
}

// A span that is not sampled is not asked for anything, and the metrics are
// whole all the same.
func TestMetricsDoNotDependOnSampling(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	o := newObserved(t, gateway, []alipayotel.Option{alipayotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())))})
	if _, err := o.client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	if spans, instruments := o.end(t); len(spans) != 0 || len(instruments) != 3 {
		t.Errorf("%d spans, %d instruments", len(spans), len(instruments))
	}
}

func TestAnObserverTakesWhatNoCallBegan(t *testing.T) {
	o := alipayotel.New()
	o.AttemptDone(t.Context(), alipay.AttemptInfo{})
	o.CallDone(t.Context(), alipay.CallResult{})
}
