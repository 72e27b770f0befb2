package alipay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func TestEachAttemptIsLoggedWithoutAnythingPersonal(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.Level(-100)}))
	client := clientOf(t, gateway, gateway.Config(), false, alipay.WithLogger(logger),
		alipay.WithRetryPolicy(alipay.RetryPolicy{BaseDelay: time.Millisecond}))
	query := func() {
		_, _ = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	}
	gateway.Inject(alipaytest.TooManyRequests, 1)
	query() // throttled, then answered
	gateway.Inject(alipaytest.LostAnswer, 1)
	query() // lost
	query() // TOKEN_INVALID

	var got []string
	for line := range strings.Lines(log.String()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		assert.Equal(t, jobworthPath, record["path"])
		assert.Equal(t, "GET", record["method"])
		assert.Equal(t, gateway.Config().AppID, record["app_id"])
		assert.Equal(t, strings.TrimPrefix(gateway.Config().BaseURL, "http://"), record["host"])
		entry := record["level"].(string) + " " + record["msg"].(string)
		switch entry {
		case "WARN alipay: retry":
			assert.EqualValues(t, 1, record["attempt"])
			assert.Contains(t, record, "pause")
			assert.Equal(t, "not_delivered", record["outcome"])
			assert.EqualValues(t, 429, record["status"])
			assert.Contains(t, record["error"], "429")
		case "WARN alipay: outcome unknown":
			assert.Equal(t, "unknown", record["outcome"])
			assert.NotEmpty(t, record["error"])
			for _, name := range []string{"status", "trace_id", "code", "pause"} {
				assert.NotContains(t, record, name, "no answer came, and no attempt follows")
			}
		case "DEBUG alipay: attempt":
			assert.NotEmpty(t, record["request_id"])
			assert.Contains(t, record, "duration")
			assert.Contains(t, record, "connection_reused")
			assert.Contains(t, record, "status")
			assert.Contains(t, record, "trace_id")
			assert.NotContains(t, record, "pause")
			assert.Equal(t, record["outcome"] == "success", record["error"] == nil)
		}
		if code, ok := record["code"]; ok {
			entry += " " + code.(string)
		}
		got = append(got, entry)
	}
	assert.Equal(t, []string{
		"WARN alipay: retry", "DEBUG alipay: attempt",
		"WARN alipay: outcome unknown",
		"DEBUG alipay: attempt TOKEN_INVALID",
	}, got)
	searchForLeaks(t, gateway.Config(), []string{log.String()})
}

func TestAQuietLoggerHearsOnlyOfDoubtAndRetries(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	var log bytes.Buffer
	client := clientOf(t, gateway, gateway.Config(), false, alipay.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	_, err := client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err)
	assert.Empty(t, log.String())
	gateway.Inject(alipaytest.MissingSignature, 1)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), &alipay.QueryParams{OnceToken: "another"})
	require.ErrorIs(t, err, alipay.ErrResponseUnsigned)
	assert.Equal(t, 1, strings.Count(log.String(), "\n"))
	assert.Contains(t, log.String(), "level=WARN")
}

func TestNoGoroutineOutlivesACall(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("wires", func(t *testing.T) {
		for _, wire := range wires {
			t.Run(wire.name, func(t *testing.T) {
				t.Parallel()
				gateway, err := alipaytest.StartGateway(wire.gateway...)
				require.NoError(t, err)
				client := clientOf(t, gateway, gateway.Config(), wire.caller, once)
				for _, fault := range alipaytest.Faults() {
					gateway.Inject(fault, 1)
					ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
					_, _ = client.ZhimaCustomerJobworthAuthentication.Query(ctx, testParams())
					cancel()
					gateway.ClearFaults()
				}
				client.CloseIdleConnections()
				require.NoError(t, gateway.Close())
			})
		}
	})
	// Those of connections end a moment after their connection.
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}
