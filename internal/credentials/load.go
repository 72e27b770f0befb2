package credentials

import (
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/seed-39a49030/alipay/internal/keys"
)

// pathFields maps each content field to the one that names a file.
var pathFields = map[string]string{
	"PrivateKey":              "PrivateKeyPath",
	"AlipayPublicKey":         "AlipayPublicKeyPath",
	"AppCertContent":          "AppCertPath",
	"AlipayPublicCertContent": "AlipayPublicCertPath",
	"RootCertContent":         "RootCertPath",
}

// load returns the content of a field or of the file that its path variant
// names, and which of the two fields it came from.
func load(field, content, path string) (text, from string, err error) {
	pathField := pathFields[field]
	switch {
	case strings.TrimSpace(content) != "" && path != "":
		return "", field, &Error{field, pathField + " is set too; leave one of the two empty"}
	case path == "":
		return strings.TrimSpace(content), field, nil
	case keys.LooksLikeContent(path):
		return "", pathField, &Error{pathField, "this is the content itself, not the path of a file; put it into " + field}
	}
	text, err = readFile(strings.TrimSpace(path))
	if err != nil {
		return "", pathField, &Error{pathField, whyUnreadable(err, field)}
	}
	if strings.TrimSpace(text) == "" {
		return "", pathField, &Error{pathField, "the file is empty; put the content of " + field + " into it"}
	}
	return text, pathField, nil
}

const maxFileBytes = 1 << 20

var (
	errTooLong    = errors.New("file too long")
	errDirectory  = errors.New("file is a directory")
	errNotRegular = errors.New("file is a pipe, socket or device")
)

// whyUnreadable rewords an error of readFile, which quotes the path: the path may
// be anything, even a misplaced secret.
func whyUnreadable(err error, field string) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file; a relative path starts at the working directory of the process"
	case errors.Is(err, fs.ErrPermission):
		return "the process may not read the file; give its user the right to"
	case errors.Is(err, errDirectory):
		return "this is a directory; name the file in it"
	case errors.Is(err, errNotRegular):
		return "this is a pipe, socket or device; name a regular file, or put its content into " + field
	case errors.Is(err, errTooLong):
		return "the file is larger than 1 MiB; no key or certificate is"
	}
	return "the file cannot be read; check that it is a regular file"
}

// readFile reads regular files only: opening a pipe waits for a writer, and
// reading a device may never end.
func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if err := checkMode(info); err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil { // once more: another file may have taken its place
		return "", err
	}
	if err := checkMode(info); err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxFileBytes:
		return "", errTooLong
	case len(data) > 2 && data[0] == 0x30 && data[1]&0x80 != 0: // a SEQUENCE of some length: binary DER
		return base64.StdEncoding.EncodeToString(data), nil
	}
	return string(data), nil
}

func checkMode(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return errDirectory
	case !info.Mode().IsRegular():
		return errNotRegular
	}
	return nil
}

// isPath is the mistake of giving a file's path instead of its content.
func isPath(field string) *Error {
	pathField, ok := pathFields[field]
	if !ok {
		return &Error{field, "the file holds nothing but the path of a file; name that file here"}
	}
	return &Error{field, "this is the path of a file; set " + pathField + " to read the file, or put its content here"}
}

// found is the mistake of a field that contains something other than it should.
func found(field string, m keys.Material, advice string) *Error {
	what := "found " + m.String()
	if m.Defect != "" {
		what += ", but " + m.Defect
	}
	return &Error{field, what + "; " + advice}
}
