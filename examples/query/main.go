// Command query queries the result of an identity check (职得身份认证查询接口).
//
// By default it needs no account: it starts a test gateway on loopback, queries it
// with the values of the platform's sample, and then shows an error by querying
// the same token again.
//
// With -live it reads the ALIPAY_… environment variables (see
// alipay.ConfigFromEnv) and queries the real gateway, with the parameters that the
// other flags give:
//
//	go run ./examples/query -live -conn-key … -once-token … -query-type exact -identity-type 04 -service-id …
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("query", flag.ContinueOnError)
	flags.SetOutput(stderr)
	live := flags.Bool("live", false, "ask the gateway that the ALIPAY_… variables name, in place of an embedded one")
	var p alipay.QueryParams
	flags.StringVar(&p.ConnKey, "conn-key", "", "out_agreement_no of the first step")
	flags.StringVar(&p.OnceToken, "once-token", "", "credential for one result")
	flags.StringVar((*string)(&p.QueryType), "query-type", "", "exact or dim")
	flags.StringVar((*string)(&p.IdentityType), "identity-type", "", "04 for teachers")
	flags.StringVar(&p.ServiceID, "service-id", "", "credit service id of the merchant")
	flags.StringVar(&p.UserID, "user-id", "", "Ant member id")
	flags.StringVar(&p.OpenID, "open-id", "", "Ant open id")
	flags.StringVar(&p.CertNo, "cert-no", "", "identity document number")
	flags.StringVar((*string)(&p.CertType), "cert-type", "", "0 身份证, 1 护照, 2 回乡证, 3 港澳往来通行证, 4 台湾往来通行证, 5 港澳证件")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ask := askEmbedded
	if *live {
		ask = func(out io.Writer) error { return askLive(out, &p) }
	}
	if err := ask(stdout); err != nil {
		explain(stderr, err)
		return 1
	}
	return 0
}

func askLive(out io.Writer, params *alipay.QueryParams) error {
	config, err := alipay.ConfigFromEnv()
	if err != nil {
		return err
	}
	client, err := alipay.NewClient(config)
	if err != nil {
		return err
	}
	return ask(out, client, params)
}

func askEmbedded(out io.Writer) error {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		return err
	}
	defer gateway.Close()
	fmt.Fprintln(out, "A gateway for tests listens on", gateway.Config().BaseURL)

	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		return err
	}
	sample := &alipay.QueryParams{
		ConnKey:      "uuid",
		OnceToken:    "2f1c8e",
		QueryType:    alipay.QueryTypeExact,
		IdentityType: alipay.IdentityTypeTeacher,
		ServiceID:    "2019120400000000000004450100",
		UserID:       "20881029102921",
		CertNo:       "420192931233123123",
		CertType:     alipay.CertTypeIDCard,
	}
	if err := ask(out, client, sample); err != nil {
		return err
	}

	fmt.Fprintln(out, "\nThe same once_token again. It is good for one answer, so this is an error:")
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), sample)
	if err == nil {
		return errors.New("the token was accepted twice")
	}
	explain(out, err)
	return nil
}

func ask(out io.Writer, client *alipay.Client, params *alipay.QueryParams) error {
	answer, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
	if err != nil {
		return err
	}
	// This program prints the values for its user; a server would log answer
	// itself, which shows none of the ids.
	fmt.Fprintln(out, "\nThe verified answer:")
	for _, line := range [][2]string{
		{"identity_result", string(answer.IdentityResult)},
		{"identity_result_skip_url", answer.IdentityResultSkipURL},
		{"merchant_identity_id", answer.MerchantIdentityID},
		{"open_id", answer.OpenID},
		{"token_status", string(answer.TokenStatus)},
		{"user_id", answer.UserID},
		{"trace id", answer.Meta.TraceID},
		{"request id", answer.Meta.RequestID},
	} {
		fmt.Fprintf(out, "  %-26s %s\n", line[0], line[1])
	}
	return nil
}

// explain says what an error means for the caller and what to do.
func explain(out io.Writer, err error) {
	fmt.Fprintln(out, "  error:   ", err)
	fmt.Fprint(out, "  outcome:  ")
	switch alipay.OutcomeOf(err) {
	case alipay.OutcomeSuccess:
		fmt.Fprintln(out, "success")
	case alipay.OutcomePending:
		fmt.Fprintln(out, "pending: ask again later with the same token")
	case alipay.OutcomeRejected:
		fmt.Fprintln(out, "rejected: the gateway said no, and would again")
	case alipay.OutcomeUnknown:
		fmt.Fprintln(out, "unknown: the request may have arrived, and the token may be used up")
	case alipay.OutcomeNotDelivered:
		fmt.Fprintln(out, "not delivered: nothing happened")
	}
	var refused *alipay.APIError
	if errors.As(err, &refused) {
		fmt.Fprintln(out, "  hint:    ", refused.Hint())
		fmt.Fprintln(out, "  提示:    ", refused.HintZH())
	}
}
