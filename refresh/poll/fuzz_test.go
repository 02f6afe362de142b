package poll_test

import (
	"testing"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

// Whatever a node answers, the client neither panics nor hangs nor returns more than was allowed.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nhello",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		c, _ := start(t, poll.Config{}, once(answer))
		r := plain
		r.MaxBody, r.IfNoneMatch, r.Keep = 1000, `"a"`, []string{"ETag"}
		got, err := c.Fetch(t.Context(), r)
		switch {
		case err != nil && refresh.FaultOf(err).Reason == "":
			t.Errorf("no reason for %v", err)
		case err == nil && (len(got.Body) > 1000 || len(got.Kept) != 1 || got.Status != 200 && got.Status != 304):
			t.Errorf("response is %+v", got)
		}
	})
}
