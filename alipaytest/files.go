package alipaytest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
)

// ReceivedFile is a file of a request in multipart/form-data.
type ReceivedFile struct {
	Field       string // the part's name
	Name        string // the file's name, without directories
	ContentType string
	Content     []byte
}

// maxParts bounds how many files one request of 16 MiB can contain.
const maxParts = 1000

var errParts = errors.New("not a well-formed multipart/form-data")

// readParts takes a body of multipart/form-data apart: the content and type of
// the part data, which is what the signature covers, and the files. It refuses a
// second part data, since a reader might take the other, and any other part that
// is not a file.
func readParts(contentType string, body []byte) (data []byte, dataType string, files []ReceivedFile, err error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil, "", nil, errParts
	}
	reader := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	found := false
	for n := 0; ; n++ {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			return data, dataType, files, nil
		}
		if err != nil || n == maxParts {
			return nil, "", nil, errParts
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, "", nil, errParts
		}
		name, file, kind := part.FormName(), part.FileName(), part.Header.Get("Content-Type")
		switch {
		case name == "data" && file == "" && !found:
			data, dataType, found = content, kind, true
		case name != "" && file != "":
			files = append(files, ReceivedFile{Field: name, Name: file, ContentType: kind, Content: content})
		default:
			return nil, "", nil, errParts
		}
	}
}
