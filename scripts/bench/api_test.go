package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// face answers what reads ask for after a time of its own.
type face struct {
	takes time.Duration
	fail  string // a path that is answered 500
	mu    sync.Mutex
	asked map[string]int
}

func (f *face) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.asked[r.URL.String()]++
	f.mu.Unlock()
	<-time.After(f.takes)
	status, body := http.StatusOK, `{}`
	switch r.URL.Path {
	case f.fail:
		status = http.StatusInternalServerError
	case "/v1/clusters":
		body = `[{"name":"a"}]`
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func facing(t *testing.T, name string, f *face) *rig.Peer {
	t.Helper()
	f.asked = map[string]int{}
	c, err := httpd.NewClient(httpd.ClientConfig{Address: "peer", HTTP: &http.Client{Transport: f}})
	if err != nil {
		t.Fatal(err)
	}
	return &rig.Peer{Name: name, API: c}
}

func TestReadersAskAtAnEvenRateWhateverAnswersTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quick, slow := &face{takes: time.Millisecond}, &face{takes: 900 * time.Millisecond}
		peers := []*rig.Peer{facing(t, "quick", quick), facing(t, "slow", slow)}
		// 2 peers x 4 reads x 5 times at 20 a second are 2 s; the rest is for what is under way.
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+25*time.Millisecond)
		defer cancel()
		took, err := latencies(ctx, peers)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []*face{quick, slow} {
			for _, url := range []string{
				"http://peer/livez?verbose", "http://peer/v1/clusters?limit=100&stale=", "http://peer/v1/clusters?limit=100",
				"http://peer/v1/cluster/fleet-00007",
			} {
				if f.asked[url] != 5 {
					t.Errorf("%s was asked %d times of %v, want 5 times", url, f.asked[url], f.asked)
				}
			}
		}
		for i, values := range took {
			q := quantilesOf(values)
			if q.P50 != 1 || q.Max != 900 {
				t.Errorf("%s took %v ms, want 1 of the one and 900 of the other", reads[i].name, values)
			}
		}
	})
}

func TestWrongAnswersEndTheReading(t *testing.T) {
	for path, name := range map[string]string{
		"/v1/clusters": "page of 100 clusters, stale of p", "/livez": "/livez, which does nothing of p",
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := latencies(t.Context(), []*rig.Peer{facing(t, "p", &face{fail: path})})
			if err == nil || !strings.HasPrefix(err.Error(), name+": ") {
				t.Errorf("%s is answered 500, and it says %v", path, err)
			}
		})
	}
}
