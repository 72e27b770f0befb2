// Command traced shows OpenTelemetry tracing through the caller's http.Client,
// with no personal value in any span. It asks a gateway of its own for one
// result and prints the spans:
//
//	go run .
//
// transport.go is what to copy. The same place serves metrics. Given
// otelhttp.WithMeterProvider, otelhttp records http.client.request.duration by
// host, method and status. Any other library needs a RoundTripper that counts
// what it passes on, and looks at nothing but the status:
//
//	resp, err := t.base.RoundTrip(req)
//	if err != nil {
//		requests.Count("failed")
//	} else {
//		requests.Count(strconv.Itoa(resp.StatusCode))
//	}
//	return resp, err
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	exporter, err := stdouttrace.New(stdouttrace.WithWriter(out), stdouttrace.WithPrettyPrint())
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))

	gateway, err := alipaytest.StartGateway()
	if err != nil {
		return err
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config(), alipay.WithHTTPClient(&http.Client{
		Transport: NewTransport(NewBase(), otelhttp.WithTracerProvider(provider)),
	}))
	if err != nil {
		return err
	}
	_, err = query(ctx, provider.Tracer("shop"), client.ZhimaCustomerJobworthAuthentication, &alipay.QueryParams{
		OnceToken: "2f1c8e",
		CertNo:    "420192931233123123",
		CertType:  alipay.CertTypeIDCard,
	})
	return errors.Join(err, provider.Shutdown(ctx))
}

// query asks within a span of its own, above those of otelhttp. It covers all
// attempts and knows what the answer was worth: HTTP says 200 to an answer with
// a forged signature, too.
func query(ctx context.Context, tracer trace.Tracer, querier alipay.JobworthQuerier, params *alipay.QueryParams) (*alipay.QueryResponse, error) {
	ctx, span := tracer.Start(ctx, "jobworth query")
	defer span.End()
	answer, err := querier.Query(ctx, params)
	if err != nil {
		// The library's errors may be recorded: they hold nothing personal.
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(attribute.String("alipay.outcome", outcome(err)))
		return nil, err
	}
	span.SetAttributes(
		attribute.String("alipay.trace_id", answer.Meta.TraceID),
		attribute.Int("alipay.attempts", answer.Meta.Attempts),
	)
	return answer, nil
}

func outcome(err error) string {
	switch {
	case errors.Is(err, alipay.ErrOutcomeUnknown):
		return "unknown"
	case errors.Is(err, alipay.ErrNotDelivered):
		return "not delivered"
	}
	return "answered no"
}
