package alipaytest

import (
	"context"
	"errors"

	alipay "github.com/seed-39a49030/alipay"
)

// StubQuerier replaces the client in tests that need no HTTP. Value and pointer
// implement alipay.JobworthQuerier.
//
//	querier := alipaytest.StubQuerier{QueryFunc: func(_ context.Context, p *alipay.QueryParams, _ ...alipay.RequestOption) (*alipay.QueryResponse, error) {
//		return &alipay.QueryResponse{IdentityResult: alipay.IdentityResultFailed}, nil
//	}}
type StubQuerier struct {
	// QueryFunc answers Query. Without it every Query is an error.
	QueryFunc func(ctx context.Context, params *alipay.QueryParams, opts ...alipay.RequestOption) (*alipay.QueryResponse, error)
}

var _ alipay.JobworthQuerier = StubQuerier{}

// Query calls QueryFunc.
func (s StubQuerier) Query(ctx context.Context, params *alipay.QueryParams, opts ...alipay.RequestOption) (*alipay.QueryResponse, error) {
	if s.QueryFunc == nil {
		return nil, errors.New("alipaytest: StubQuerier.QueryFunc is not set")
	}
	return s.QueryFunc(ctx, params, opts...)
}
