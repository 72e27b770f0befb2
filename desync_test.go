package alipay_test

import (
	"bufio"
	"context"
	"crypto"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay"
)

var desyncCalls = flag.Int("desync", 500, "how many calls TestAProxyThatMixesAnswersUp makes")

// constantSigner spares the time of a signature that this test's server does not
// look at.
type constantSigner struct{ crypto.Signer }

func (constantSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, 256), nil
}

// mixUps are the ways in which a proxy sends the wrong answer, rightly signed. Each
// is given the right one.
type mixUps struct {
	kinds []string
	swaps chan string
	count [4]atomic.Int64
}

// serve answers the requests of one connection.
func (m *mixUps) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	send := func(answer string) { _, _ = io.WriteString(conn, answer) }
	for {
		head, err := readRequest(r)
		if err != nil {
			return
		}
		line, _, _ := strings.Cut(head, "\r\n")
		target, err := url.ParseRequestURI(strings.Split(line, " ")[1])
		if err != nil {
			return
		}
		answer := rawAnswer(200, resultOf(target.Query().Get("once_token")))
		kind := ""
		if mathrand.N(20) == 0 {
			kind = m.kinds[mathrand.N(len(m.kinds))]
		}
		switch kind {
		case "twice":
			m.count[0].Add(1)
			send(answer + answer)
		case "twice, the second time late":
			m.count[1].Add(1)
			send(answer)
			time.Sleep(mathrand.N(2 * time.Millisecond))
			send(answer)
		case "late, behind an answer of the proxy's own":
			m.count[2].Add(1)
			send("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n")
			time.Sleep(mathrand.N(2 * time.Millisecond))
			send(answer)
		case "to another connection":
			select {
			case m.swaps <- answer: // and it is given the other's
				m.count[3].Add(1)
				answer = <-m.swaps
			case other := <-m.swaps:
				m.swaps <- answer
				answer = other
			case <-time.After(30 * time.Millisecond): // nobody is there
			}
			send(answer)
		default:
			send(answer)
		}
	}
}

// TestAProxyThatMixesAnswersUp is many calls through a proxy that sends answers
// twice, late, and to the wrong connection, each of them rightly signed:
//
//	go test -run MixesAnswersUp -desync 1000000 -timeout 2h .
//
// A call with UserID never gets the result of another person in any of these ways.
// A call without it never gets one from an answer that has been used before; what
// it cannot detect is in docs/en/security.md.
func TestAProxyThatMixesAnswersUp(t *testing.T) {
	t.Parallel()
	captureLog(t) // net/http's, over the caller's transport
	repeated := []string{"twice", "twice, the second time late"}
	for name, tt := range map[string]struct {
		kinds  []string
		byUser bool
	}{
		"asked with UserID":    {append([]string{"late, behind an answer of the proxy's own", "to another connection"}, repeated...), true},
		"asked without UserID": {repeated, false},
	} {
		for transport, opts := range map[string][]alipay.Option{
			"default client":     nil,
			"caller's transport": {alipay.WithHTTPClient(&http.Client{Transport: alipay.NewTransport()})},
		} {
			t.Run(name+", "+transport, func(t *testing.T) {
				m := &mixUps{kinds: tt.kinds, swaps: make(chan string)}
				config := testConfig(t, rawServer(t, func(conn net.Conn, _ int) { m.serve(conn) }))
				config.PrivateKey, config.Signer = "", constantSigner{rsaKey(t, "testdata/vectors/app_private_pkcs8.pem")}
				client, err := alipay.NewClient(config, append(opts, alipay.WithTimeout(time.Minute))...)
				require.NoError(t, err)
				t.Cleanup(client.CloseIdleConnections)
				var all sync.WaitGroup
				var mu sync.Mutex
				told := map[string]int{}
				const callers = 16
				for caller := range callers {
					all.Go(func() {
						own := map[string]int{}
						for n := range *desyncCalls / 4 / callers {
							user := fmt.Sprintf("2088%d0%d", caller, n)
							params := &alipay.QueryParams{OnceToken: user}
							if tt.byUser {
								params.UserID = user
							}
							got, err := client.ZhimaCustomerJobworthAuthentication.Query(context.Background(), params)
							switch {
							case err == nil && got.UserID != user:
								own["another's result"]++
							case err == nil:
								own["its result"]++
							case errors.Is(err, alipay.ErrResponseReplayed):
								own["seen before"]++
							case errors.Is(err, alipay.ErrResponseMismatch):
								own["about another user"]++
							default:
								own[meaning(t, err)]++
							}
						}
						mu.Lock()
						defer mu.Unlock()
						for what, n := range own {
							told[what] += n
						}
					})
				}
				all.Wait()
				t.Log(told, "of", *desyncCalls/4, "calls; twice, twice with a pause, late, swapped:",
					m.count[0].Load(), m.count[1].Load(), m.count[2].Load(), m.count[3].Load())
				assert.Zero(t, told["another's result"])
				assert.Zero(t, told["no"])
				assert.Greater(t, told["its result"], *desyncCalls/4/2)
			})
		}
	}
}
