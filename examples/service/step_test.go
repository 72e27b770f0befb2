package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// asking is a service without a database: it can ask, and decide.
func asking(t *testing.T, gateway *alipaytest.Gateway) *service {
	t.Helper()
	client, err := alipay.NewClient(gateway.Config(), alipay.WithRetryPolicy(alipay.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	return &service{client: client, options: options{timing: timing{
		query: time.Second, poll: time.Second, agreement: time.Minute, user: time.Hour, result: time.Hour,
	}}}
}

func TestEveryOutcomeOfAQuestionLeadsOn(t *testing.T) {
	waiting := alipaytest.Result{IdentityResult: alipay.IdentityResultWaitingVerify}
	for _, test := range []struct {
		name    string
		result  alipaytest.Result
		code    alipay.ErrorCode
		fault   *alipaytest.Fault
		lost    bool // before
		over    bool // the deadline
		want    state
		isLost  bool // by this question
		arrived bool
	}{
		{name: "a result", want: stateDone, arrived: true},
		{name: "a result after a lost question", lost: true, want: stateDone, arrived: true},
		{name: "a result after the deadline", over: true, want: stateDone, arrived: true},
		{name: "FAILED is a result", result: alipaytest.Result{IdentityResult: alipay.IdentityResultFailed}, want: stateDone, arrived: true},
		{name: "not known yet", result: waiting, want: stateAgreed},
		{name: "not known yet, after a lost question", result: waiting, lost: true, want: stateAgreed},
		{name: "not known in time", result: waiting, over: true, want: stateFailed},
		{name: "not known in time, after a lost question", result: waiting, lost: true, over: true, want: stateInDoubt},
		{name: "refused for load", fault: &alipaytest.TooManyRequests, want: stateAgreed},
		{name: "refused for load after a lost question", fault: &alipaytest.TooManyRequests, lost: true, want: stateAgreed},
		{name: "refused for load after a lost question, for too long", fault: &alipaytest.TooManyRequests, lost: true, over: true, want: stateInDoubt},
		{name: "a lost answer", fault: &alipaytest.LostAnswer, want: stateAgreed, isLost: true},
		{name: "a lost answer at the end", fault: &alipaytest.LostAnswer, over: true, want: stateInDoubt, isLost: true},
		{name: "spent, and nobody knows by whom", code: alipay.CodeTokenInvalid, want: stateFailed},
		{name: "spent by a lost question", code: alipay.CodeTokenInvalid, lost: true, want: stateInDoubt},
		{name: "refused after a lost question", code: alipay.CodeParamError, lost: true, want: stateInDoubt},
		{name: "refused", code: alipay.CodeParamError, want: stateFailed},
		{name: "trouble at Alipay's", code: alipay.CodeSystemError, want: stateAgreed, isLost: true},
		{name: "signed by somebody else", fault: &alipaytest.ForeignSignature, want: stateSealed, arrived: true},
		{name: "signed by somebody else, late", fault: &alipaytest.ForeignSignature, lost: true, over: true, want: stateSealed, arrived: true},
		{name: "not signed", fault: &alipaytest.MissingSignature, want: stateAgreed, isLost: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gateway := alipaytest.NewGateway(t)
			switch {
			case test.code != "":
				gateway.SetError("token", 0, test.code, "no")
			default:
				gateway.SetResult("token", test.result)
			}
			if test.fault != nil {
				gateway.Inject(*test.fault, 1)
			}
			c := check{ID: "check", OnceToken: "token", State: stateAgreed, Lost: test.lost, Attempts: 3, Now: 1_000_000, Deadline: 2_000_000}
			if test.over {
				c.Deadline = 1_000_000
			}
			n := asking(t, gateway).ask(t.Context(), c)
			assert.Equal(t, test.want, n.state, n.note)
			assert.Equal(t, test.isLost, n.lost)
			assert.Equal(t, test.arrived, n.arrived)
			assert.Equal(t, test.want == stateSealed, n.sealed != nil)
			assert.Equal(t, test.want == stateDone, n.result != nil)
			if test.want == stateAgreed {
				assert.Equal(t, 3*time.Second, n.pause)
			} else {
				assert.True(t, n.last())
			}
			assert.NotContains(t, n.note, "token\"")
			assert.Len(t, gateway.Requests(), 1, "one question")
		})
	}
}

// A process that was frozen between its claim and its question.
func TestAQuestionWhoseTimeIsOverIsNotSent(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	n := asking(t, gateway).ask(over, check{ID: "check", OnceToken: "token", State: stateAgreed, Now: 1, Deadline: 1_000_000})
	assert.Equal(t, stateAgreed, n.state)
	assert.False(t, n.lost)
	assert.Empty(t, gateway.Requests())
}

// absent is a key that cannot be reached.
type absent struct{ crypto.Signer }

func (absent) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key service is away")
}

func TestWhatOnlyAnOperatorCanSetRightIsTriedLessOften(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	s := asking(t, gateway)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	config := gateway.Config()
	config.PrivateKey, config.Signer = "", absent{key}
	require.NoError(t, s.client.Reload(config))
	n := s.ask(t.Context(), check{ID: "check", OnceToken: "token", State: stateAgreed, Now: 1, Deadline: 1_000_000})
	assert.Equal(t, stateAgreed, n.state)
	assert.False(t, n.lost)
	assert.Equal(t, 15*time.Second, n.pause)
}

func TestTheAgreementIsAskedForAndNotBelieved(t *testing.T) {
	gateway := alipaytest.NewGateway(t)
	s := asking(t, gateway)
	sign := func(id string) *alipaytest.Order {
		orderString, err := s.client.ZhimaCreditPayafteruseCreditagreement.Sign(t.Context(), &alipay.CreditAgreementSignParams{OutAgreementNo: id, ZmServiceID: "1", ProductCode: alipay.ProductCodeZhimaAuth})
		require.NoError(t, err)
		order, err := gateway.OpenOrder(orderString)
		require.NoError(t, err)
		return order
	}
	c := check{ID: "check", State: stateStarted, Now: 1, Deadline: 1_000_000}
	order := sign(c.ID)

	n := s.confirm(t.Context(), c)
	assert.Equal(t, stateStarted, n.state, "the user has not answered")
	assert.Empty(t, n.note)
	late := c
	late.Deadline = 1
	assert.Equal(t, stateExpired, s.confirm(t.Context(), late).state)

	gateway.Inject(alipaytest.BadGateway, 1)
	n = s.confirm(t.Context(), c)
	assert.Equal(t, stateStarted, n.state)
	assert.NotEmpty(t, n.note)
	assert.False(t, n.lost, "this question spends nothing")

	order.Agree()
	n = s.confirm(t.Context(), late)
	assert.Equal(t, stateAgreed, n.state, "even after the deadline")
	assert.Equal(t, s.timing.result, n.stays)
	assert.NotEmpty(t, n.openID)
	order.Decline()
	assert.Equal(t, stateDeclined, s.confirm(t.Context(), c).state)
}

func TestAKeptAnswerIsOpenedUnderTheRightKeys(t *testing.T) {
	for _, result := range []alipay.IdentityResult{alipay.IdentityResultSuccess, alipay.IdentityResultWaitingVerify} {
		gateway := alipaytest.NewGateway(t)
		s := asking(t, gateway)
		right := gateway.Config()
		wrong := right
		wrong.AlipayPublicKey = strangersPublicKey(t)
		require.NoError(t, s.client.Reload(wrong))

		gateway.SetResult("token", alipaytest.Result{IdentityResult: result})
		c := check{ID: "check", OnceToken: "token", State: stateAgreed, Now: 1, Deadline: 1_000_000}
		n := s.ask(t.Context(), c)
		require.Equal(t, stateSealed, n.state, n.note)

		c.State, c.Sealed = stateSealed, n.sealed
		n = s.open(c)
		assert.Equal(t, stateSealed, n.state, "the keys are still the wrong ones")
		assert.Equal(t, c.Sealed, n.sealed)
		assert.False(t, n.arrived)

		require.NoError(t, s.client.Reload(right))
		n = s.open(c)
		if result == alipay.IdentityResultSuccess {
			assert.Equal(t, stateDone, n.state, n.note)
			assert.Equal(t, "SUCCESS", n.identityResult)
			assert.True(t, n.arrived)
		} else {
			assert.Equal(t, stateAgreed, n.state, "it only said to ask again")
			assert.Equal(t, s.timing.result, n.stays)
		}
		assert.Len(t, gateway.Requests(), 1, "opening asks nobody")

		c.Sealed = []byte("what no program wrote")
		assert.Equal(t, stateSealed, s.open(c).state)
	}
}
