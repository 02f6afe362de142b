package fleet

import "bytes"

// request is what matters of one.
type request struct {
	method, path []byte
	tags         []byte // of If-None-Match
	close        bool
}

// parseRequest reads the head of a request. Requests with a body are refused: no GET of the protocol has one.
func parseRequest(head []byte) (request, bool) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	var r request
	var target, version []byte
	var ok bool
	if r.method, target, ok = bytes.Cut(line, []byte(" ")); !ok {
		return r, false
	}
	if target, version, ok = bytes.Cut(target, []byte(" ")); !ok || !bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return r, false
	}
	r.path, _, _ = bytes.Cut(target, []byte("?"))
	r.close = string(version) == "HTTP/1.0"
	for {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if len(line) == 0 {
			return r, true
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return r, false
		}
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "If-None-Match"):
			r.tags = value
		case is(name, "Connection"):
			r.close = r.close || is(value, "close")
		case is(name, "Content-Length"):
			if string(value) != "0" {
				return r, false
			}
		case is(name, "Transfer-Encoding"):
			return r, false
		}
	}
}

func is(text []byte, want string) bool {
	return len(text) == len(want) && bytes.EqualFold(text, []byte(want))
}

// matches says whether the client has what etag names. Weak and strong tags are the same here.
func (r *request) matches(etag string) bool {
	if len(r.tags) == 0 {
		return false
	}
	if string(r.tags) == etag || string(r.tags) == "*" {
		return true
	}
	for tag := range bytes.SplitSeq(r.tags, []byte(",")) {
		tag = bytes.TrimPrefix(bytes.TrimSpace(tag), []byte("W/"))
		if len(tag) > 0 && string(tag) == etag[len("W/"):] {
			return true
		}
	}
	return false
}
