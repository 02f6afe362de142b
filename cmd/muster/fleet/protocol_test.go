package fleet_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/cmd/muster/fleet"
	"github.com/musterhq/muster/refresh"
)

func TestDocuments(t *testing.T) {
	p := play(t, fleet.Config{Clusters: 2, Nodes: 3, Shards: 2, Kind: "valkey", Version: "8.1"})
	c, err := p.Cluster(t.Context(), "fleet-00001")
	if err != nil {
		t.Fatal(err)
	}
	roles := [][]string{{"primary", "replica"}, {"replica", "primary"}, {"replica", "replica"}}
	for i, n := range c.Nodes {
		d, _ := p.document(n)
		want := refresh.Document{
			Protocol: 1, NodeID: fmt.Sprintf("fleet-00001-%d", i), ClusterID: "fleet-00001",
			Kind: "valkey", Version: "8.1", State: "up",
			Shards:     []refresh.DocumentShard{{ID: "0", Role: roles[i][0]}, {ID: "1", Role: roles[i][1]}},
			Attributes: refresh.Attributes{"zone": string("abc"[i])},
		}
		if diff := cmp.Diff(want, d, cmpopts.IgnoreFields(refresh.DocumentShard{}, "Offset", "LagMS")); diff != "" {
			t.Errorf("node %d (-want +got):\n%s", i, diff)
		}
		for _, s := range d.Shards {
			switch {
			case s.Offset == nil || s.Offset.Value <= 0 || s.Offset.Unit != "bytes":
				t.Errorf("node %d shard %s: offset %+v", i, s.ID, s.Offset)
			case s.Role == "primary" && s.LagMS != nil:
				t.Errorf("node %d shard %s: a primary says it lags", i, s.ID)
			case s.Role == "replica" && (s.LagMS == nil || *s.LagMS < 1 || *s.LagMS > 40):
				t.Errorf("node %d shard %s: lag %v, want 1 to 40 ms", i, s.ID, s.LagMS)
			}
		}
	}
}

func TestTagOfAnswerIsTheDocuments(t *testing.T) {
	p := play(t, fleet.Config{})
	d, etag := p.document(p.node(1))
	want, err := d.ETag()
	if err != nil {
		t.Fatal(err)
	}
	if etag != want {
		t.Errorf("ETag %s, want %s", etag, want)
	}
}

func TestNotModified(t *testing.T) {
	p := play(t, fleet.Config{})
	_, etag := p.document(p.node(1))
	for _, tags := range []string{etag, strings.TrimPrefix(etag, "W/"), `"other", ` + etag, "*"} {
		r := p.ask(p.node(1), tags)
		if r.status != http.StatusNotModified || len(r.body) != 0 || r.header.Get("ETag") != etag {
			t.Errorf("If-None-Match %s: %+v, want 304 with the tag", tags, r)
		}
		if lag, err := strconv.Atoi(r.header.Get(refresh.LagHeader)); err != nil || lag < 1 || lag > 40 {
			t.Errorf("%s is %q, want 1 to 40", refresh.LagHeader, r.header.Get(refresh.LagHeader))
		}
	}
	if r := p.ask(p.node(1), `W/"other"`); r.status != http.StatusOK {
		t.Errorf("another tag gets %d, want 200", r.status)
	}
	if r := p.ask(p.node(0), etagOf(p, 0)); r.status != http.StatusNotModified || r.header.Get(refresh.LagHeader) != "" {
		t.Errorf("a primary answers %+v, want 304 without a lag", r)
	}
	n, err := p.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n.Polls != 8 || n.NotModified != 5 || n.NotModifiedShare != 0.625 {
		t.Errorf("counts %+v, want 8 polls, 5 of them not modified", n)
	}
}

func etagOf(p *played, i int) string {
	p.t.Helper()
	_, etag := p.document(p.node(i))
	return etag
}

// TestOffsetsGrow looks at what a share says as time goes by, without a network.
func TestOffsetsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		document := fleet.DocumentsOf(t, 2)
		first := document(0)
		<-time.After(time.Minute)
		primary, replica := document(0), document(1)
		if grown := primary.Shards[0].Offset.Value - first.Shards[0].Offset.Value; grown != 60_000*16 {
			t.Errorf("the offset grew by %d in a minute, want 16 per ms", grown)
		}
		behind := primary.Shards[0].Offset.Value - replica.Shards[0].Offset.Value
		if behind != *replica.Shards[0].LagMS*16 {
			t.Errorf("the replica is %d behind, want as much as its lag of %d ms says", behind, *replica.Shards[0].LagMS)
		}
	})
}

// TestRequests sends bytes over one connection each and looks at the statuses that come back until it is closed, or as many
// as are wanted of a connection that is kept.
func TestRequests(t *testing.T) {
	p := play(t, fleet.Config{Nodes: 1})
	get := "GET /v1/node HTTP/1.1\r\nHost: x\r\n"
	long := "X-Long: " + strings.Repeat("x", 4000) + "\r\n"
	tests := map[string]struct {
		send []string
		want []int
		kept bool
	}{
		"two in one":         {[]string{get + "\r\n" + get + "\r\n"}, []int{200, 200}, true},
		"in pieces":          {[]string{get[:9], get[9:], "\r", "\n" + get + "\r\n"}, []int{200, 200}, true},
		"long head":          {[]string{get + long + "\r\n", get + "\r\n"}, []int{200, 200}, true},
		"too long head":      {[]string{get + long + long + long}, []int{431}, false},
		"close":              {[]string{get + "Connection: close\r\n\r\n"}, []int{200}, false},
		"HTTP/1.0":           {[]string{"GET /v1/node HTTP/1.0\r\n\r\n"}, []int{200}, false},
		"query":              {[]string{"GET /v1/node?a=b HTTP/1.1\r\nHost: x\r\n\r\n"}, []int{200}, true},
		"other path":         {[]string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n"}, []int{404}, true},
		"other method":       {[]string{"POST /v1/node HTTP/1.1\r\nHost: x\r\n\r\n"}, []int{405}, true},
		"with a body":        {[]string{get + "Content-Length: 3\r\n\r\nabc"}, []int{400}, false},
		"chunked":            {[]string{get + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}, []int{400}, false},
		"not HTTP":           {[]string{"\x16\x03\x01\r\n\r\n"}, []int{400}, false},
		"line without colon": {[]string{get + "nonsense\r\n\r\n"}, []int{400}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", hostPort(p.node(0)))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, s := range test.send {
				if _, err := io.WriteString(conn, s); err != nil {
					t.Fatal(err)
				}
			}
			in := bufio.NewReader(conn)
			var got []int
			for range test.want {
				r, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					t.Fatal(err)
				}
				r.Body.Close()
				got = append(got, r.StatusCode)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			if test.kept {
				if _, err := io.WriteString(conn, get+"\r\n"); err != nil {
					t.Fatal(err)
				}
				if r, err := http.ReadResponse(in, nil); err != nil {
					t.Errorf("the connection was not kept: %v", err)
				} else {
					r.Body.Close()
				}
			} else if _, err := in.ReadByte(); err == nil {
				t.Error("there is more after the last answer")
			}
		})
	}
}
