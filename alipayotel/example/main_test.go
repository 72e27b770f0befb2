package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheExamplePrintsSpansAndMetrics(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"GET /v3/zhima/customer/jobworth/authentication"`, `"alipay.attempt"`, `"TOKEN_INVALID"`,
		`"http.client.request.duration"`, `"alipay.client.call.duration"`, `"alipay.client.call.attempts"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
	for _, personal := range []string{"2f1c8e", "420192931233123123"} {
		if strings.Contains(out.String(), personal) {
			t.Errorf("%s is in\n%s", personal, &out)
		}
	}
}
