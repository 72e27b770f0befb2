package main

import (
	"context"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	alipay "github.com/seed-39a49030/alipay"
)

// observer makes the metrics of calls in /metrics. The checks in each state are
// counted in the database.
func (s *service) observer() alipay.Observer {
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "alipay_call_duration_seconds",
		Help:    "Calls to Alipay with all their attempts, by outcome.",
		Buckets: []float64{.05, .1, .2, .5, 1, 2, 5, 10},
	}, []string{"path", "outcome", "code"})
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "alipay_attempts_total",
		Help: "Requests that were begun, by outcome: more than calls where some were tried again.",
	}, []string{"path", "outcome"})
	s.metrics.MustRegister(calls, attempts, checksCollector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return alipay.Observer{
		AttemptDone: func(_ context.Context, attempt alipay.AttemptInfo) {
			attempts.WithLabelValues(attempt.Path, attempt.Outcome.String()).Inc()
		},
		CallDone: func(_ context.Context, call alipay.CallResult) {
			code := string(call.Code)
			if code != "" && !call.Code.Known() {
				code = "other" // a label must not be whatever the other side sends
			}
			calls.WithLabelValues(call.Path, call.Outcome.String(), code).Observe(call.Duration.Seconds())
		},
	}
}

var checksDesc = prometheus.NewDesc("checks", "Checks by state.", []string{"state"}, nil)

// checksCollector counts when it is queried, so that every process reports the
// same.
type checksCollector struct{ *service }

func (checksCollector) Describe(descs chan<- *prometheus.Desc) { descs <- checksDesc }

func (c checksCollector) Collect(metrics chan<- prometheus.Metric) {
	counts, err := c.counts(context.Background())
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(checksDesc, err)
		return
	}
	for state, count := range counts {
		metrics <- prometheus.MustNewConstMetric(checksDesc, prometheus.GaugeValue, float64(count), string(state))
	}
}

// tracerProvider makes the spans: a step, and in it the call to Alipay, which
// alipayotel makes from the Observer's events. Here they are written as lines of
// JSON. In production use another exporter.
func tracerProvider(on bool, w io.Writer) (provider trace.TracerProvider, end func(context.Context) error, err error) {
	if !on {
		return noop.NewTracerProvider(), func(context.Context) error { return nil }, nil
	}
	exporter, err := stdouttrace.New(stdouttrace.WithWriter(w))
	if err != nil {
		return nil, nil, err
	}
	sdk := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	return sdk, sdk.Shutdown, nil
}
