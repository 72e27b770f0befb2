package alipay_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

func TestNewClientCopiesWhatItIsGiven(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answerPlain(w)
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	caller := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	config := testConfig(t, s.URL)
	client, err := alipay.NewClient(config, alipay.WithHTTPClient(caller))
	require.NoError(t, err)

	config = alipay.AlipayConfig{}
	caller.Timeout = time.Nanosecond
	caller.Transport = laterTransport(func(*http.Request) (*http.Response, error) { return nil, errors.New("the later transport") })
	caller.CheckRedirect = func(*http.Request, []*http.Request) error { panic("asked") }
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.NoError(t, err, "later changes have no effect")
	assert.Empty(t, config)
}

type laterTransport func(*http.Request) (*http.Response, error)

func (f laterTransport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type countingJar struct{ http.CookieJar }

func TestCallersHTTPClientIsNeverModified(t *testing.T) {
	redirects := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	transport := &http.Transport{MaxIdleConnsPerHost: 3}
	t.Cleanup(transport.CloseIdleConnections)
	before := reflect.ValueOf(transport.Clone()).Elem()
	caller := &http.Client{
		Transport: transport, Timeout: 5 * time.Second, Jar: countingJar{}, // a nil jar: any use of it would panic
		CheckRedirect: func(*http.Request, []*http.Request) error { redirects++; return nil },
	}
	client, err := alipay.NewClient(testConfig(t, s.URL), alipay.WithHTTPClient(caller))
	require.NoError(t, err)
	_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
	require.ErrorIs(t, err, alipay.ErrRedirect)
	assert.Zero(t, redirects, "redirects are refused without asking")
	assert.EqualValues(t, 1, s.requests.Load())

	assert.True(t, caller.Transport == http.RoundTripper(transport))
	assert.Equal(t, 5*time.Second, caller.Timeout)
	assert.Equal(t, countingJar{}, caller.Jar)
	assert.NotNil(t, caller.CheckRedirect)
	after := reflect.ValueOf(transport).Elem()
	for i := range after.NumField() {
		name, f := after.Type().Field(i).Name, after.Field(i)
		if !after.Type().Field(i).IsExported() || name == "TLSClientConfig" || name == "TLSNextProto" {
			continue // net/http fills these two in itself, at the first request
		}
		if f.Kind() == reflect.Func {
			assert.Equal(t, before.Field(i).IsNil(), f.IsNil(), name)
		} else {
			assert.Equal(t, before.Field(i).Interface(), f.Interface(), name)
		}
	}

	zero := &http.Client{}
	_, err = alipay.NewClient(testConfig(t, s.URL), alipay.WithHTTPClient(zero), alipay.WithTimeout(time.Second))
	require.NoError(t, err)
	assert.Empty(t, *zero)
	_, err = alipay.NewClient(testConfig(t, s.URL), alipay.WithHTTPClient(http.DefaultClient))
	require.NoError(t, err)
	assert.Empty(t, *http.DefaultClient)
}

// TestClientsTimeoutIsThatOfTheCallersClient in virtual time: the wait ends
// exactly when it should.
func TestClientsTimeoutIsThatOfTheCallersClient(t *testing.T) {
	silent := laterTransport(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	for name, opts := range map[string][]alipay.Option{
		"the caller's client": {alipay.WithHTTPClient(&http.Client{Transport: silent, Timeout: 7 * time.Second})},
		"WithTimeout":         {alipay.WithTimeout(7 * time.Second), alipay.WithHTTPClient(&http.Client{Transport: silent, Timeout: time.Hour})},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, err := alipay.NewClient(testConfig(t, ""), opts...)
			require.NoError(t, err)
			start := time.Now()
			_, err = client.ZhimaCustomerJobworthAuthentication.Query(t.Context(), testParams())
			assert.Equal(t, 7*time.Second, time.Since(start), name)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorIs(t, err, alipay.ErrOutcomeUnknown, name)
		})
	}
}
