package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// endpoint is one of a file of endpoints: of v3, or of the old gateway.
type endpoint struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Status int             `json:"status"`
	API    string          `json:"api"`  // the name of a method of the old gateway
	Code   string          `json:"code"` // with it the old gateway refuses
	Body   json.RawMessage `json:"body"`
}

// readEndpoints reads a file of endpoints; "" is none.
func readEndpoints(name string) ([]endpoint, error) {
	if name == "" {
		return nil, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	list, err := parseEndpoints(data)
	if err != nil {
		return nil, fmt.Errorf("-endpoints: %w", err)
	}
	return list, nil
}

func parseEndpoints(data []byte) ([]endpoint, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var list []endpoint
	if err := decoder.Decode(&list); err != nil {
		return nil, fmt.Errorf("the file is not a JSON list of endpoints: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("the file is more than one JSON list")
	}
	for i, e := range list {
		if wrong := e.mistake(); wrong != "" {
			return nil, fmt.Errorf("endpoint %d: %s", i+1, wrong)
		}
	}
	return list, nil
}

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// mistake says why an endpoint makes no sense, "" when it does.
func (e endpoint) mistake() string {
	object := len(e.Body) == 0 || bytes.HasPrefix(bytes.TrimSpace(e.Body), []byte("{"))
	switch {
	case e.API != "" && (e.Method != "" || e.Path != "" || e.Status != 0):
		return "it has an api, which is of the old gateway, and a method, path or status, which are of v3"
	case e.API != "" && !object:
		return "the body is not a JSON object"
	case e.API != "":
		return ""
	case e.Code != "":
		return "a code is for an api of the old gateway; here it belongs in the body"
	case !slices.Contains(methods, e.Method):
		return "the method is not GET, POST, PUT, PATCH or DELETE"
	case !strings.HasPrefix(e.Path, "/") || strings.ContainsAny(e.Path, "?#"):
		return "the path does not begin with /, or has a query"
	case e.Status != 0 && (e.Status < 200 || e.Status > 599):
		return "the status is not between 200 and 599"
	case !object:
		return "the body is not a JSON object"
	}
	return ""
}

// add puts the endpoint into a gateway.
func (e endpoint) add(gateway *alipaytest.Gateway) {
	if e.API == "" {
		body := e.Body
		if len(body) == 0 {
			body = json.RawMessage("{}")
		}
		gateway.Handle(e.Method, e.Path, func(alipaytest.ReceivedRequest) (int, any) { return e.Status, body })
		return
	}
	gateway.HandleMethod(e.API, func(json.RawMessage) (any, error) {
		if e.Code != "" {
			return nil, alipay.ErrorCode(e.Code)
		}
		if len(e.Body) == 0 {
			return nil, nil
		}
		return e.Body, nil
	})
}
