package main

import (
	"errors"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// play is the user in Alipay's app, in the demonstration. The app checks the
// order string as Alipay would, the gateway changes the agreement and sends the
// message, and from there everything works as with the real one.
func (s *service) play(c check, agree bool) error {
	if s.gateway == nil {
		return errors.New("only the demonstration's own gateway has an app to play with")
	}
	order, err := s.gateway.OpenOrder(c.OrderString)
	if err != nil {
		return err
	}
	if !agree {
		order.Decline()
		return nil
	}
	s.gateway.SetResult(c.OnceToken, alipaytest.Result{
		IdentityResult: alipay.IdentityResultSuccess,
		TokenStatus:    alipay.TokenStatusFinish,
		WaitingPolls:   2, // so that there is something to see
	})
	order.Agree()
	return nil
}
