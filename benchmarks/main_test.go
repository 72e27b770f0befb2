package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	serveIfAsked()
	callIfAsked()
	os.Exit(m.Run())
}

func start(t testing.TB) *server {
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func TestBothSidesSucceedEverywhere(t *testing.T) {
	s := start(t)
	*rounds, *budget = 1, 0
	for _, protocol := range protocols {
		for _, crypto := range cryptos {
			l, err := compare(s, protocol, crypto, 4)
			if err != nil {
				t.Fatalf("%s: %v", name(protocol, crypto), err)
			}
			if l.query.Allocs == 0 || l.floor.Allocs == 0 {
				t.Errorf("%s: nothing was measured: %+v", name(protocol, crypto), l)
			}
			// A busy machine may cost one or another, see the package comment.
			if max(l.queryConns, l.floorConns) > l.calls/4 {
				t.Errorf("%s: connections are not used again: %+v", name(protocol, crypto), l)
			}
		}
	}
}

func TestAnswerIsVerifiedByBoth(t *testing.T) {
	s := start(t)
	e, other := s.endpoints[name(overHTTP, withRSA)], s.endpoints[name(overHTTP, withoutRSA)]
	e.alipayKey, e.alipayPEM = other.alipayKey, other.alipayPEM
	query, err := newQuery(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, side := range []side{newFloor(e), query} {
		if side.call() == nil {
			t.Errorf("%s takes an answer that another key has signed", side.name)
		}
		side.close()
	}
}

// What differs from call to call.
var fresh = regexp.MustCompile(`nonce=[0-9a-f]{32}|Alipay-Request-Id: [0-9a-f]{32}|sign=[A-Za-z0-9+/=]{344}`)

func TestBothSidesSendTheSame(t *testing.T) {
	s := start(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heads := make(chan string)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var head strings.Builder
			for lines := bufio.NewScanner(conn); lines.Scan() && lines.Text() != ""; {
				fmt.Fprintln(&head, lines.Text())
			}
			conn.Close()
			heads <- fresh.ReplaceAllString(head.String(), "fresh")
		}
	}()
	e := s.endpoints[name(overHTTP, withRSA)]
	e.baseURL = "http://" + l.Addr().String()
	query, err := newQuery(e)
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, side := range []side{newFloor(e), query} {
		go func() { _ = side.call() }() // which is not answered
		sent = append(sent, <-heads)
		side.close()
	}
	if sent[0] != sent[1] || strings.Count(sent[0], "fresh") != 3 {
		t.Errorf("Floor sent\n%s\nQuery sent\n%s", sent[0], sent[1])
	}
}

// For profiles: go test -bench Query -cpuprofile cpu.out -memprofile mem.out -memprofilerate 1
func BenchmarkFloor(b *testing.B) { benchmark(b, 0) }
func BenchmarkQuery(b *testing.B) { benchmark(b, 1) }

func benchmark(b *testing.B, which int) {
	s := start(b)
	for _, protocol := range protocols {
		b.Run(strings.ReplaceAll(protocol, " ", "-"), func(b *testing.B) {
			e := s.endpoints[name(protocol, withoutRSA)]
			query, err := newQuery(e)
			if err != nil {
				b.Fatal(err)
			}
			call := []side{newFloor(e), query}[which].call
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := call(); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
