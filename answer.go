package alipay

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/seed-39a49030/alipay/internal/aescbc"
)

// judge decides what an answer is worth. unread is why its body could not be
// read to the end, nil when it was.
func (a *attempt) judge(header http.Header, raw []byte, unread error, target any) (*Response, error) {
	c := a.client
	isError := a.status >= 400
	verified := false
	switch {
	case isError && !isSigned(header):
		// An error answer may be unsigned.
	case unread != nil:
		return nil, a.notTaken(unread)
	default:
		if err := c.verifier.verify(header, raw); err != nil {
			return nil, a.notTaken(err)
		}
		verified = true
	}
	body := raw
	if unread == nil && verified {
		var err error
		if body, err = c.decrypt(raw); err != nil && !isError {
			return nil, a.notTaken(err)
		} else if err != nil {
			body, unread = raw, err
		}
	}
	if isError {
		return nil, a.apiError(header, body, unread, verified)
	}
	if a.status != http.StatusOK {
		return nil, a.notTaken(errNot200)
	}
	if saysSystemError(body) {
		return nil, a.apiError(header, body, nil, verified)
	}
	if err := decodeObject(body, target); err != nil {
		if err == errNotAnObject && c.cipher == nil && aescbc.LooksEncrypted(body) {
			err = errNoEncryptKey
		}
		return nil, a.notTaken(err)
	}
	return &Response{
		StatusCode: a.status, Header: header, Body: body,
		TraceID: a.traceID, RequestID: a.requestID, Attempts: a.number,
	}, nil
}

// saysSystemError reports whether a success is none: the codes that leave the
// outcome open do so at any status.
func saysSystemError(body []byte) bool {
	if !bytes.Contains(body, []byte(CodeSystemError)) && !bytes.Contains(body, []byte(CodeUnknowError)) {
		return false
	}
	var e APIError
	e.decode(body)
	return e.Code == CodeSystemError || e.Code == CodeUnknowError
}

// decrypt opens a verified body. A plain object is a valid answer to an
// encrypted call, since it is signed.
func (c *Client) decrypt(body []byte) ([]byte, error) {
	if c.cipher == nil || len(body) == 0 || startsObject(body) {
		return body, nil
	}
	plain, err := c.cipher.Decrypt(body)
	if err != nil || !startsObject(plain) { // a wrong key passes for padding once in a while
		return nil, ErrDecrypt
	}
	return plain, nil
}

// apiError decodes an error answer as far as it goes.
func (a *attempt) apiError(header http.Header, body []byte, unread error, verified bool) *APIError {
	e := &APIError{
		StatusCode: a.status, TraceID: a.traceID, RequestID: a.requestID, Attempts: a.number,
		Header: header, Body: body, Verified: verified, cause: unread,
	}
	if unread == nil {
		e.decode(body)
	}
	if e.Code == CodeInvalidSignature && e.cause == nil {
		e.cause = a.client.transport.signer.diagnose(a.watch.signed)
	}
	m := a.mask()
	e.TraceID = m.apply(e.TraceID)
	e.Message = m.apply(e.Message)
	for i, link := range e.Links {
		e.Links[i] = ErrorLink{m.apply(link.Link), m.apply(link.Desc)}
	}
	if shown := m.apply(string(e.Code)); shown != string(e.Code) {
		e.shownCode = printable(shown, maxShownID)
	}
	return e
}

// mask takes out of a text what the call has sent.
func (a *attempt) mask() *mask {
	values := append(sentValues(a.call.url.RawQuery, a.call.plainBody), a.call.appAuthToken, a.watch.signed.signature)
	for _, list := range a.call.header {
		values = append(values, list...)
	}
	return newMask(values)
}

// decode reads code, message and links. A body that is no such object leaves
// them empty.
func (e *APIError) decode(body []byte) {
	if !startsObject(body) || !json.Valid(body) {
		return
	}
	_ = eachMember(body, func(name, value []byte) error {
		switch string(name) {
		case "code":
			s, _ := lenientString(value)
			e.Code = ErrorCode(s)
		case "message":
			e.Message, _ = lenientString(value)
		case "links":
			e.Links = decodeLinks(value)
		}
		return nil
	})
}

// decodeLinks reads links in either form: documented as a string, it also
// arrives as a list of objects.
func decodeLinks(value []byte) []ErrorLink {
	if s, err := lenientString(value); err == nil {
		if s == "" {
			return nil
		}
		return []ErrorLink{{Link: s}}
	}
	var items []json.RawMessage
	if value[0] == '{' {
		items = []json.RawMessage{value}
	} else if json.Unmarshal(value, &items) != nil {
		return nil
	}
	var links []ErrorLink
	for _, item := range items {
		var link ErrorLink
		if s, err := lenientString(item); err == nil {
			link.Link = s
		} else {
			_ = eachMember(item, func(name, value []byte) error {
				switch string(name) {
				case "link":
					link.Link, _ = lenientString(value)
				case "desc":
					link.Desc, _ = lenientString(value)
				}
				return nil
			})
		}
		if link != (ErrorLink{}) {
			links = append(links, link)
		}
	}
	return links
}
