package alipayotel_test

import (
	"context"
	"fmt"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipayotel"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func ExampleNew() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gateway.Close()
	reader := sdkmetric.NewManualReader()
	client, err := alipay.NewClient(gateway.Config(), alipay.WithObserver(alipayotel.New(
		alipayotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))),
	)))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for range 2 { // the token buys one answer
		_, _ = client.ZhimaCustomerJobworthAuthentication.Query(ctx, &alipay.QueryParams{OnceToken: "2f1c8e"})
	}

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		if m.Name != "alipay.client.call.attempts" {
			continue
		}
		for _, point := range m.Data.(metricdata.Histogram[int64]).DataPoints {
			outcome, _ := point.Attributes.Value("alipay.outcome")
			fmt.Println(outcome.AsString(), point.Count)
		}
	}
	// Unordered output:
	// success 1
	// rejected 1
}
