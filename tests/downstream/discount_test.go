package merchant_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	merchant "github.com/seed-39a49030/alipay/tests/downstream"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

var check = merchant.Check{AgreementNo: "order-1", OnceToken: "token-1"}

// Without HTTP: a stub says what the gateway would.
func TestDecideMapsEveryAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		result alipay.IdentityResult
		err    error
		want   merchant.Decision
	}{
		"teacher":         {result: alipay.IdentityResultSuccess, want: merchant.Granted},
		"not a teacher":   {result: alipay.IdentityResultFailed, want: merchant.Refused},
		"not known yet":   {result: alipay.IdentityResultWaitingVerify, want: merchant.Pending},
		"token spent":     {err: alipay.CodeTokenInvalid, want: merchant.StartAgain},
		"outcome unknown": {err: alipay.ErrOutcomeUnknown, want: merchant.AskAgain},
		"not delivered":   {err: alipay.ErrNotDelivered, want: merchant.AskAgain},
		"wait ended":      {err: alipay.ErrStillWaiting, want: merchant.Pending},
		// WaitForResult says so when an earlier answer was lost.
		"spent by a lost answer": {err: errors.Join(alipay.CodeTokenInvalid, alipay.ErrOutcomeUnknown), want: merchant.StartAgain},
		// The shop has something to correct: asking again would never end.
		"mistake in the call": {err: errors.Join(&alipay.ArgumentError{Argument: "ctx", Reason: "it is nil"}, alipay.ErrNotDelivered)},
		"no permission":       {err: &alipay.APIError{StatusCode: 403, Code: alipay.CodeInsufficientISVPermissions}},
		"new result":          {result: "PERHAPS"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stub := alipaytest.StubQuerier{QueryFunc: func(_ context.Context, p *alipay.QueryParams, _ ...alipay.RequestOption) (*alipay.QueryResponse, error) {
				if p.OnceToken != check.OnceToken || p.IdentityType != alipay.IdentityTypeTeacher {
					t.Errorf("asked for %+v", p)
				}
				if tt.err != nil {
					return nil, fmt.Errorf("stub: %w", tt.err)
				}
				return &alipay.QueryResponse{IdentityResult: tt.result}, nil
			}}
			got, err := merchant.TeacherDiscount{Identity: stub}.Decide(t.Context(), check)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// With HTTP: a real client and a gateway of the test's own, keys and signatures
// included. Every test has its own gateway, so all may run in parallel.
func TestDecideWithAGateway(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(*alipaytest.Gateway)
		want    []merchant.Decision // of one call after the other
	}{
		"checked after two polls": {
			func(g *alipaytest.Gateway) {
				g.SetResult("token-1", alipaytest.Result{IdentityResult: alipay.IdentityResultSuccess, WaitingPolls: 2})
			},
			[]merchant.Decision{merchant.Pending, merchant.Pending, merchant.Granted, merchant.StartAgain},
		},
		"not a teacher": {
			func(g *alipaytest.Gateway) {
				g.SetResult("token-1", alipaytest.Result{IdentityResult: alipay.IdentityResultFailed})
			},
			[]merchant.Decision{merchant.Refused},
		},
		"token invalid": {
			func(g *alipaytest.Gateway) {
				g.SetError("token-1", 400, alipay.CodeTokenInvalid, "token无效")
			},
			[]merchant.Decision{merchant.StartAgain},
		},
		"request lost": {
			func(g *alipaytest.Gateway) { g.Inject(alipaytest.Drop, 1) },
			[]merchant.Decision{merchant.AskAgain, merchant.Granted},
		},
		"answer lost": {
			func(g *alipaytest.Gateway) { g.Inject(alipaytest.LostAnswer, 1) },
			[]merchant.Decision{merchant.AskAgain, merchant.StartAgain},
		},
		"forged answer": {
			func(g *alipaytest.Gateway) { g.Inject(alipaytest.ForeignSignature, 1) },
			[]merchant.Decision{merchant.AskAgain, merchant.StartAgain},
		},
		"gateway down": {
			func(g *alipaytest.Gateway) { g.Close() },
			[]merchant.Decision{merchant.AskAgain},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := alipaytest.NewGateway(t)
			tt.prepare(gateway)
			client, err := alipay.NewClient(gateway.Config())
			if err != nil {
				t.Fatal(err)
			}
			discount := merchant.TeacherDiscount{
				Identity:  client.ZhimaCustomerJobworthAuthentication,
				ServiceID: "2019120400000000000004450100",
			}
			for i, want := range tt.want {
				got, err := discount.Decide(t.Context(), check)
				if err != nil || got != want {
					t.Fatalf("call %d: got %q, %v; want %q", i+1, got, err, want)
				}
			}
			for _, request := range gateway.Requests() {
				if !request.Verified {
					t.Errorf("the gateway received %v: %s", request.Params, request.Diagnosis)
				}
				for _, name := range []string{"conn_key", "once_token", "query_type", "identity_type", "service_id"} {
					if request.Params.Get(name) == "" {
						t.Errorf("no %s, which a real call has", name)
					}
				}
			}
		})
	}
}

// A customer who closes the page does not use up the token.
func TestDecideIsNotCutOffByTheCustomer(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := merchant.TeacherDiscount{Identity: client.ZhimaCustomerJobworthAuthentication}.Decide(ctx, check)
	if err != nil || got != merchant.Granted {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestDecideReportsWhatTheShopMustCorrect(t *testing.T) {
	t.Parallel()
	gateway := alipaytest.NewGateway(t)
	config := gateway.Config()
	config.AppID = "2021000000009999" // not the one of the key
	client, err := alipay.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = merchant.TeacherDiscount{Identity: client.ZhimaCustomerJobworthAuthentication}.Decide(t.Context(), check)
	if !errors.Is(err, alipay.CodeInvalidAppID) {
		t.Fatalf("got %v, want %v", err, alipay.CodeInvalidAppID)
	}
	var refused *alipay.APIError
	if errors.As(err, &refused) {
		t.Logf("hint for the log: %s", refused.Hint())
	}
}
