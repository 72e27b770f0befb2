package credentials

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/seed-39a49030/alipay/internal/keys"
)

// source is a field for the text of a key or certificate, and the one for the path of
// a file with it.
type source struct{ field, content, pathField, path string }

// loaded is what is in a source.
type loaded struct {
	keys.Material
	text  string
	field string // which of the two it came from
}

func (s source) load() (l loaded, err error) {
	l = loaded{text: strings.TrimSpace(s.content), field: s.field}
	switch {
	case s.path == "":
	case l.text != "":
		return l, mistake(s.field, both("%s is set too; leave one of the two empty", "%s 也设置了；两者只留一个", s.pathField))
	case keys.LooksLikeContent(s.path):
		return l, mistake(s.pathField, both("this is the content itself, not the path of a file; put it into %s", "这是内容本身，不是文件路径；请放到 %s", s.field))
	default:
		l.field = s.pathField
		var reason text
		if l.text, reason = s.readFile(); reason != (text{}) {
			return l, mistake(s.pathField, reason)
		}
	}
	switch l.Material = keys.Inspect(l.text); {
	case l.Kind == keys.Empty && s.path != "":
		return l, mistake(s.pathField, both("the file is empty; put the content of %s into it", "文件是空的；请把 %s 的内容写进去", s.field))
	case l.Kind == keys.PathLike && s.path != "":
		return l, mistake(s.pathField, both("the file contains only the path of another file; name that one here", "文件里只有另一个文件的路径；请在这里写那个文件"))
	case l.Kind == keys.PathLike:
		return l, mistake(s.field, both("this is the path of a file; set %s to read the file, or put its content here", "这是文件路径；请用 %s 读取文件，或把文件内容放在这里", s.pathField))
	}
	return l, nil
}

// mistaken is the mistake of a field that contains something other than it should.
func (l loaded) mistaken(advice text) *Error {
	what := both("found %s", "实际内容：%s", l.Text())
	if l.Defect != (text{}) {
		what = both("%s, but %s", "%s，有误：%s", what, l.Defect)
	}
	return mistake(l.field, what.Then(advice))
}

// readFile reads regular files only: opening a pipe waits for a writer, and
// reading a device may never end.
func (s source) readFile() (content string, reason text) {
	path := strings.TrimSpace(s.path)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", whyUnreadable(err)
	case info.IsDir():
		return "", both("this is a directory; name the file in it", "这是目录；请写明其中的文件")
	case !info.Mode().IsRegular():
		return "", both("this is a pipe, socket or device; name a regular file, or put its content into %s", "这是管道、套接字或设备；请指定普通文件，或把内容放到 %s", s.field)
	case info.Size() > 1<<20:
		return "", both("the file is larger than 1 MiB, so it is no key or certificate; name the right file", "文件超过 1 MiB；密钥和证书没有这么大")
	}
	data, err := os.ReadFile(path)
	switch {
	case err != nil:
		return "", whyUnreadable(err)
	case len(data) > 2 && data[0] == 0x30 && data[1]&0x80 != 0: // a SEQUENCE of some length: binary DER
		return base64.StdEncoding.EncodeToString(data), text{}
	}
	return string(data), text{}
}

// whyUnreadable rewords an error that quotes the path, which may be anything, even a
// misplaced secret.
func whyUnreadable(err error) text {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return both("there is no such file; a relative path starts at the working directory of the process", "没有这个文件；相对路径从进程的工作目录开始")
	case errors.Is(err, fs.ErrPermission):
		return both("the process has no permission to read the file; grant it to the user of the process", "进程无权读取文件；请给运行用户读取权限")
	}
	return both("the file cannot be read; check that it is a regular file", "文件无法读取；请确认是普通文件")
}
