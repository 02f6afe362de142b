package poll

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const (
	maxLine    = 4 << 10  // bytes of one line of the header
	maxHeader  = 16 << 10 // bytes of the whole header, interim answers and trailer included
	maxInterim = 5        // answers that only announce another
)

// answer is a response and what its header says about the body and the connection.
type answer struct {
	refresh.Response
	length  int64 // of the body; negative when not said
	chunked bool
	keep    bool // the connection may carry another request
}

// readAnswer reads the answer to r to its end, unless its status is none that r takes.
func readAnswer(in *bufio.Reader, r *refresh.Request) (answer, error) {
	left := maxHeader
	for range maxInterim {
		a, err := readHeader(in, r, &left)
		switch {
		case err != nil:
			return answer{}, err
		case a.Status == http.StatusSwitchingProtocols:
			return answer{}, refresh.NewFault(fsm.ReasonProtocol, "the answer switches protocols unasked")
		case a.Status < 200:
			continue
		}
		if err := r.Judge(a.Status); err != nil {
			return answer{}, err
		}
		if a.Status == http.StatusNotModified || a.Status == http.StatusNoContent {
			return a, nil
		}
		a.Body, err = readBody(in, &a, r.MaxBody, &left)
		return a, err
	}
	return answer{}, refresh.NewFault(fsm.ReasonProtocol, "more than %d interim answers", maxInterim)
}

func readHeader(in *bufio.Reader, r *refresh.Request, left *int) (answer, error) {
	line, err := readLine(in, left)
	if err != nil {
		return answer{}, fmt.Errorf("read status: %w", err)
	}
	a := answer{length: -1}
	if a.Status, a.keep, err = parseStatus(line); err != nil {
		return answer{}, err
	}
	if len(r.Keep) > 0 {
		a.Kept = make([]string, len(r.Keep))
	}
	for {
		line, err := readLine(in, left)
		if err != nil {
			return answer{}, fmt.Errorf("read header: %w", err)
		}
		if len(line) == 0 {
			break
		}
		if err := a.field(line, r); err != nil {
			return answer{}, err
		}
	}
	if a.chunked && a.length >= 0 {
		return answer{}, refresh.NewFault(fsm.ReasonProtocol, "the answer has a length and is chunked, too")
	}
	return a, nil
}

// parseStatus reads "HTTP/1.1 200 OK". Connections of HTTP/1.0 are not kept.
func parseStatus(line []byte) (status int, keep bool, err error) {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	code, _, _ := bytes.Cut(rest, []byte(" "))
	keep = string(version) == "HTTP/1.1"
	if !keep && string(version) != "HTTP/1.0" || len(code) != 3 {
		return 0, false, refresh.NewFault(fsm.ReasonProtocol, "the answer is not HTTP/1.1: %q", line[:min(len(line), 40)])
	}
	for _, c := range code {
		if c < '0' || c > '9' {
			return 0, false, refresh.NewFault(fsm.ReasonProtocol, "%q is not a status", code)
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 || status > 599 {
		return 0, false, refresh.NewFault(fsm.ReasonProtocol, "%d is not a status", status)
	}
	return status, keep, nil
}

// field takes in one line of the header.
func (a *answer) field(line []byte, r *refresh.Request) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || bytes.ContainsAny(line[:colon], " \t") {
		return refresh.NewFault(fsm.ReasonProtocol, "%q is not a line of a header", line[:min(len(line), 40)])
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	switch {
	case is(name, "Content-Length"):
		n, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil || a.length >= 0 && a.length != int64(n) {
			return refresh.NewFault(fsm.ReasonProtocol, "%q is no length, or another one than before", value)
		}
		a.length = int64(n)
	case is(name, "Transfer-Encoding"):
		if a.chunked || !is(value, "chunked") {
			return refresh.NewFault(fsm.ReasonProtocol, "transfer coding %q is not understood", value)
		}
		a.chunked = true
	case is(name, "Connection"):
		for option := range bytes.SplitSeq(value, []byte(",")) {
			if is(bytes.Trim(option, " \t"), "close") {
				a.keep = false
			}
		}
	}
	for i, want := range r.Keep {
		if a.Kept[i] != "" || !is(name, want) {
			continue
		}
		if string(value) == r.IfNoneMatch {
			a.Kept[i] = r.IfNoneMatch // a 304 repeats the tag: no need for a second copy
		} else {
			a.Kept[i] = string(value)
		}
	}
	return nil
}

func is(name []byte, want string) bool {
	return len(name) == len(want) && strings.EqualFold(string(name), want)
}

// readLine reads a line without its end, charged to what is left of a budget. The line is good until the next read.
func readLine(in *bufio.Reader, left *int) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	*left -= len(line)
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || *left < 0:
		return nil, refresh.NewFault(fsm.ReasonTooLarge, "the header is longer than %d bytes, or a line than %d", maxHeader, maxLine)
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil, refresh.NewFault(fsm.ReasonProtocol, "a control character in the header")
		}
	}
	return line, nil
}
