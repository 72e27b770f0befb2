// Command wait polls for the result of an identity check until it is final,
// against a test gateway that says WAITING_VERIFY three times and then drops the
// connection once.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		return err
	}
	defer gateway.Close()
	gateway.SetResult("token-1", alipaytest.Result{
		IdentityResult: alipay.IdentityResultSuccess,
		TokenStatus:    alipay.TokenStatusFinish,
		WaitingPolls:   3,
	})
	gateway.Inject(alipaytest.Drop, 1)

	// The log shows what happens: every attempt, and no personal value.
	logger := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client, err := alipay.NewClient(gateway.Config(), alipay.WithLogger(logger))
	if err != nil {
		return err
	}
	// The defaults, from 1 s to 15 s, suit a person who is looking for a document.
	policy := alipay.PollPolicy{Initial: 100 * time.Millisecond, Max: time.Second, Timeout: 30 * time.Second}
	answer, err := client.ZhimaCustomerJobworthAuthentication.WaitForResult(context.Background(), &alipay.QueryParams{
		ConnKey:      "out-agreement-1", // out_agreement_no of the agreement
		OnceToken:    "token-1",
		QueryType:    alipay.QueryTypeExact,
		IdentityType: alipay.IdentityTypeTeacher,
		ServiceID:    "2019120400000000000004450100",
	}, policy)
	switch alipay.OutcomeOf(err) {
	case alipay.OutcomeSuccess:
		fmt.Fprintln(out, "result:", answer.IdentityResult)
	case alipay.OutcomePending:
		fmt.Fprintln(out, "not decided yet: wait again later with the same token")
	case alipay.OutcomeUnknown:
		fmt.Fprintln(out, "in doubt: keep the answer if one came, else ask again with the same token:", err)
	case alipay.OutcomeRejected, alipay.OutcomeNotDelivered:
		return err
	}
	return nil
}
