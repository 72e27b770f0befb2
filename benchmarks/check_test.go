package benchmarks

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
)

// What differs from call to call.
var fresh = regexp.MustCompile(`nonce=[0-9a-f]{32}|Alipay-Request-Id: [0-9a-f]{32}|sign=[A-Za-z0-9+/=]{344}`)

func TestBothSidesSendTheSame(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	there := server
	there.URLs = map[string]string{"http1": "http://" + l.Addr().String()}
	signs, err := newRSA(server.AppKey)
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, side := range sides {
		go func() { _ = side.side(t, there, "http1", signs)() }() // which is not answered
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		var head strings.Builder
		for lines := bufio.NewScanner(conn); lines.Scan() && lines.Text() != ""; {
			fmt.Fprintln(&head, lines.Text())
		}
		conn.Close()
		sent = append(sent, fresh.ReplaceAllString(head.String(), "fresh"))
	}
	if sent[0] != sent[1] || strings.Count(sent[0], "fresh") != 3 {
		t.Errorf("Floor sent\n%s\nQuery sent\n%s", sent[0], sent[1])
	}
}

func TestBothSidesVerifyTheAnswer(t *testing.T) {
	signs, err := newRSA(server.AppKey)
	if err != nil {
		t.Fatal(err)
	}
	other := server
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if other.AlipayKey, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		t.Fatal(err)
	}
	for _, side := range sides {
		server.prepare(t, 2, 0)
		if err := side.side(t, server, "tls", signs)(); err != nil {
			t.Errorf("%s: %v", side.name, err)
		}
		if side.side(t, other, "tls", signs)() == nil {
			t.Errorf("%s takes an answer that another key has signed", side.name)
		}
	}
}

// Allocations do not depend on the machine, so they can be a test.
func TestQueryAllocatesLittleMoreThanFloor(t *testing.T) {
	signs, err := newRSA(server.AppKey)
	if err != nil {
		t.Fatal(err)
	}
	var allocs []float64
	for _, side := range sides {
		call := side.side(t, server, "tls", signs)
		server.prepare(t, 102, 0)
		allocs = append(allocs, testing.AllocsPerRun(100, func() {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}))
	}
	t.Logf("Floor %.0f, Query %.0f", allocs[0], allocs[1])
	if allocs[1]-allocs[0] > 40 {
		t.Errorf("Query makes %.0f allocations more than Floor's %.0f", allocs[1]-allocs[0], allocs[0])
	}
}
