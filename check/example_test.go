package check_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/check"
)

// The whole check. A gateway of the test kit takes the place of Alipay and of its
// app, where the user agrees.
func Example() {
	fail := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	gateway, err := alipaytest.StartGateway()
	fail(err)
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	fail(err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	gateway.SetMessagesTo(server.URL + "/alipay")

	// What a merchant writes begins here.
	store := check.NewMemoryStore() // sqlstore.New(db, sqlstore.PostgreSQL) survives the process
	machine, err := check.New(client, store)
	fail(err)
	go machine.Run(ctx) // any number of processes may

	mux.Handle("POST /alipay", client.NotificationHandler(func(ctx context.Context, message *alipay.Notification) error {
		_, err := machine.Notified(ctx, message) // the user has answered: Alipay is asked at once
		return err
	}))

	c, orderString, err := machine.Start(ctx, check.Params{
		ServiceID:    "2019120400000000000004450100",
		IdentityType: alipay.IdentityTypeTeacher,
		QueryType:    alipay.QueryTypeExact,
	})
	fail(err)
	userAgrees(gateway, orderString) // the merchant's app opens Alipay's with it

	for c.State == check.StateStarted || c.State == check.StateAgreed { // a page that is reloaded, say
		time.Sleep(10 * time.Millisecond)
		c, err = store.Get(ctx, c.ID)
		fail(err)
	}
	fmt.Println(c.State, c.Result.IdentityResult)
	// What a merchant writes ends here.

	// Output: done SUCCESS
}

func userAgrees(gateway *alipaytest.Gateway, orderString string) {
	order, err := gateway.OpenOrder(orderString)
	if err != nil {
		panic(err)
	}
	order.Agree()
}

func TestTheWholeCheckIsNoMoreThan25Lines(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, rest, found := bytes.Cut(source, []byte("\t// What a merchant writes begins here.\n"))
	require.True(t, found)
	code, _, found := bytes.Cut(rest, []byte("\t// What a merchant writes ends here.\n"))
	require.True(t, found)
	assert.LessOrEqual(t, bytes.Count(code, []byte("\n")), 25+3, "without its empty lines")
}

// A job queue in the place of Run: it calls Step, and again after the time that
// Step returns. A queue that delivers a job twice, or late, does no harm.
func ExampleMachine_Step() {
	gateway, err := alipaytest.StartGateway()
	if err != nil {
		panic(err)
	}
	defer gateway.Close()
	client, err := alipay.NewClient(gateway.Config())
	if err != nil {
		panic(err)
	}
	timing := check.Timing{Agreement: time.Millisecond, Poll: time.Millisecond} // so that the example is quick
	machine, err := check.New(client, check.NewMemoryStore(), check.WithTiming(timing))
	if err != nil {
		panic(err)
	}
	c, orderString, err := machine.Start(context.Background(), check.Params{
		ServiceID: "2019120400000000000004450100", IdentityType: alipay.IdentityTypeTeacher, QueryType: alipay.QueryTypeExact,
	})
	if err != nil {
		panic(err)
	}
	userAgrees(gateway, orderString)

	job := func(ctx context.Context, checkID string) (again time.Duration, err error) {
		_, again, err = machine.Step(ctx, checkID)
		return again, err
	}
	for again := time.Duration(1); again > 0; {
		time.Sleep(again)
		if again, err = job(context.Background(), c.ID); err != nil {
			panic(err)
		}
	}
	fmt.Println("nothing more to do")
	// Output: nothing more to do
}
