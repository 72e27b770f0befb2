// Command example prints the spans and metrics of a few calls to a test gateway:
// go run ./example
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipayotel"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out), stdouttrace.WithPrettyPrint())
	if err != nil {
		return err
	}
	metrics, err := stdoutmetric.New(stdoutmetric.WithWriter(out), stdoutmetric.WithPrettyPrint())
	if err != nil {
		return err
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)))

	gateway, err := alipaytest.StartGateway() // use your configuration instead
	if err != nil {
		return err
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config(), alipay.WithObserver(alipayotel.New(
		alipayotel.WithTracerProvider(tracers), // default: the global ones
		alipayotel.WithMeterProvider(meters),
	)))
	if err != nil {
		return err
	}
	for range 2 { // a token gives one answer: the second call is refused
		_, err := client.ZhimaCustomerJobworthAuthentication.Query(ctx, &alipay.QueryParams{
			OnceToken: "2f1c8e", CertNo: "420192931233123123", CertType: alipay.CertTypeIDCard,
		})
		if err != nil && !errors.Is(err, alipay.CodeTokenInvalid) {
			return err
		}
	}
	return errors.Join(tracers.Shutdown(ctx), meters.Shutdown(ctx))
}
