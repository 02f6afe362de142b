package poll_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

func TestGoodAnswers(t *testing.T) {
	many := strings.Repeat("0123456789abcdef", 10_000)
	for name, c := range map[string]struct {
		answer  string
		want    refresh.Response
		keeps   bool // whether the connection carries a second request
		hangsUp bool
	}{
		"with a length": {
			"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\nhello",
			refresh.Response{Status: 200, Kept: []string{`"a"`, ""}, Body: []byte("hello")},
			true, false,
		},
		"empty": {
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			refresh.Response{Status: 200, Kept: []string{"", ""}},
			true, false,
		},
		"chunked": {
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nhel\r\n02 \r\nlo\r\n0\r\nX: y\r\n\r\n",
			refresh.Response{Status: 200, Kept: []string{"", ""}, Body: []byte("hello")},
			true, false,
		},
		"until the end": {
			"HTTP/1.1 200 OK\r\n\r\nhello",
			refresh.Response{Status: 200, Kept: []string{"", ""}, Body: []byte("hello")},
			false, true,
		},
		"large": {
			"HTTP/1.1 200 OK\r\nContent-Length: 160000\r\n\r\n" + many,
			refresh.Response{Status: 200, Kept: []string{"", ""}, Body: []byte(many)},
			true, false,
		},
		"asks for the close": {
			"HTTP/1.1 200 OK\r\nConnection: te , Close\r\nContent-Length: 5\r\n\r\nhello",
			refresh.Response{Status: 200, Kept: []string{"", ""}, Body: []byte("hello")},
			false, false,
		},
		"of HTTP/1.0": {
			"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
			refresh.Response{Status: 200, Kept: []string{"", ""}, Body: []byte("hello")},
			false, false,
		},
		"followed by more": {
			"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, you",
			refresh.Response{Status: 200, Kept: []string{"", ""}, Body: []byte("hello")},
			false, false,
		},
		"not modified, with the length of what it stands for": {
			"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\netag: \"t\"\r\nx-muster-lag:  750 \r\n\r\n",
			refresh.Response{Status: 304, Kept: []string{`"t"`, "750"}},
			true, false,
		},
		"after others": {
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
			refresh.Response{Status: 200, Kept: []string{"", ""}, Body: []byte("ok")},
			true, false,
		},
		"of bare newlines": {
			"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
			refresh.Response{Status: 200, Kept: []string{"", ""}, Body: []byte("ok")},
			true, false,
		},
		"the first of two headers": {
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\nETag: \"a\"\r\nETag: \"b\"\r\n\r\n",
			refresh.Response{Status: 200, Kept: []string{`"a"`, ""}},
			true, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			serve := always(c.answer)
			if c.hangsUp {
				serve = once(c.answer)
			}
			client, p := start(t, poll.Config{}, serve)
			r := plain
			r.Keep, r.IfNoneMatch = []string{"ETag", "X-Muster-Lag"}, `"t"`
			for range 2 {
				got, err := client.Fetch(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("response (-want +got):\n%s", diff)
				}
			}
			want := 2
			if c.keeps {
				want = 1
			}
			if dials, _ := p.counts(); dials != want {
				t.Errorf("%d dials for two requests, wanted are %d", dials, want)
			}
		})
	}
}

func TestBadAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct{ answer, reason string }{
		"nothing":                   {"", fsm.ReasonReset},
		"no HTTP":                   {"SSH-2.0-OpenSSH_9.2\r\n\r\n", fsm.ReasonProtocol},
		"HTTP/2":                    {"HTTP/2 200 OK\r\n\r\n", fsm.ReasonProtocol},
		"no status":                 {"HTTP/1.1 OK\r\n\r\n", fsm.ReasonProtocol},
		"a status of four":          {"HTTP/1.1 2000 OK\r\n\r\n", fsm.ReasonProtocol},
		"a status beyond":           {"HTTP/1.1 777 OK\r\n\r\n", fsm.ReasonProtocol},
		"a status below":            {"HTTP/1.1 042 OK\r\n\r\n", fsm.ReasonProtocol},
		"another protocol":          {"HTTP/1.1 101 Switching Protocols\r\n\r\n", fsm.ReasonProtocol},
		"only interim":              {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9), fsm.ReasonProtocol},
		"cut in the status":         {"HTTP/1.1 20", fsm.ReasonReset},
		"cut in the header":         {ok + "Content-Len", fsm.ReasonReset},
		"cut in the body":           {ok + "Content-Length: 9\r\n\r\nhello", fsm.ReasonReset},
		"cut before the body":       {ok + "Content-Length: 9\r\n\r\n", fsm.ReasonReset},
		"cut in a chunk":            {ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhello", fsm.ReasonReset},
		"cut after a chunk":         {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", fsm.ReasonReset},
		"cut in the trailer":        {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", fsm.ReasonReset},
		"no header":                 {ok + "hello\r\n\r\n", fsm.ReasonProtocol},
		"a space before the colon":  {ok + "Content-Length : 5\r\n\r\nhello", fsm.ReasonProtocol},
		"a folded line":             {ok + "X: y\r\n z\r\n\r\n", fsm.ReasonProtocol},
		"a control character":       {ok + "X: \x00\r\n\r\n", fsm.ReasonProtocol},
		"a carriage return":         {ok + "X: a\rY: b\r\n\r\n", fsm.ReasonProtocol},
		"two lengths":               {ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", fsm.ReasonProtocol},
		"a length below nothing":    {ok + "Content-Length: -1\r\n\r\n", fsm.ReasonProtocol},
		"a length with a sign":      {ok + "Content-Length: +5\r\n\r\nhello", fsm.ReasonProtocol},
		"a list of lengths":         {ok + "Content-Length: 5, 5\r\n\r\nhello", fsm.ReasonProtocol},
		"chunked and with a length": {ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", fsm.ReasonProtocol},
		"chunked twice":             {ok + strings.Repeat("Transfer-Encoding: chunked\r\n", 2) + "\r\n0\r\n\r\n", fsm.ReasonProtocol},
		"zipped in transfer":        {ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", fsm.ReasonProtocol},
		"no size":                   {ok + "Transfer-Encoding: chunked\r\n\r\n\r\nhello", fsm.ReasonProtocol},
		"a size below nothing":      {ok + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello", fsm.ReasonProtocol},
		"a size of 0x5":             {ok + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", fsm.ReasonProtocol},
		"a chunk longer than said":  {ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", fsm.ReasonProtocol},
		"unasked 304":               {"HTTP/1.1 304 Not Modified\r\n\r\n", fsm.ReasonProtocol},
		"a redirect":                {"HTTP/1.1 307 Temporary Redirect\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", fsm.ReasonRedirect},
		"created":                   {"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", fsm.ReasonHTTPStatus},
		"unavailable":               {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", fsm.ReasonHTTPStatus},
		"a long line":               {ok + "X: " + strings.Repeat("y", 5<<10) + "\r\n\r\n", fsm.ReasonTooLarge},
		"a long header":             {ok + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 17) + "\r\n", fsm.ReasonTooLarge},
		"long interim answers":      {strings.Repeat("HTTP/1.1 100 Continue\r\n"+strings.Repeat("X: "+strings.Repeat("y", 1500)+"\r\n", 3)+"\r\n", 4), fsm.ReasonTooLarge},
		"a long trailer":            {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 17) + "\r\n", fsm.ReasonTooLarge},
		"a long length":             {ok + "Content-Length: 1001\r\n\r\n", fsm.ReasonTooLarge},
		"a long chunk":              {ok + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", fsm.ReasonTooLarge},
		"many chunks":               {ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 1001), fsm.ReasonTooLarge},
		"much around the chunks":    {ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("e", 2000)+"\r\nx\r\n", 9), fsm.ReasonTooLarge},
		"a long body until the end": {ok + "\r\n" + strings.Repeat("x", 1001), fsm.ReasonTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			client, p := start(t, poll.Config{}, once(c.answer))
			r := plain
			r.MaxBody = 1000
			_, err := client.Fetch(t.Context(), r)
			expectReason(t, err, c.reason)
			if _, open := p.counts(); open != 0 {
				t.Error("the connection was kept")
			}
		})
	}
}

func TestStatusIsTheCallersToJudge(t *testing.T) {
	client, _ := start(t, poll.Config{}, always("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"))
	r := plain
	_, err := client.Fetch(t.Context(), r)
	expectReason(t, err, fsm.ReasonHTTPStatus)
	if detail := refresh.FaultOf(err).Detail; detail != "429 Too Many Requests" {
		t.Errorf("detail is %q", detail)
	}
	r.Status = func(code int) bool { return code == http.StatusTooManyRequests }
	if got, err := client.Fetch(t.Context(), r); err != nil || got.Status != http.StatusTooManyRequests {
		t.Errorf("response is %+v, error %v", got, err)
	}
}
