package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

func TestTapCountsWhatGoesThrough(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 100)+r.URL.Path)
	}))
	defer server.Close()
	tap, err := newTap(t.Context(), server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/a", "/b?index=0", "/c?index=7&wait=60s"} {
		raw, err := get(t.Context(), "http://"+tap.addr+path)
		if err != nil || len(raw) != 102 {
			t.Fatal(len(raw), err)
		}
	}
	want := traffic{requests: 2, blocking: 1, bytes: 306, most: 1}
	if got := tap.seen(); got != want {
		t.Errorf("%+v before it was taken", got)
	}
	if diff := cmp.Diff(want, tap.take(), cmp.AllowUnexported(traffic{})); diff != "" {
		t.Error(diff)
	}
	if got := tap.take(); got != (traffic{}) {
		t.Errorf("%+v after it was taken", got)
	}
	if err := tap.close(); err != nil {
		t.Error(err)
	}
	if _, err := get(context.WithoutCancel(t.Context()), "http://"+tap.addr+"/a"); err == nil {
		t.Error("it serves after its end")
	}
}

// TestTapLeavesOutWhatIsHeldBack has a blocking query and two others under way at once, and then one alone.
func TestTapLeavesOutWhatIsHeldBack(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-answer
	}))
	defer server.Close()
	tap, err := newTap(t.Context(), server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(paths ...string) {
		var g errgroup.Group
		for _, path := range paths {
			g.Go(func() error {
				_, err := get(t.Context(), "http://"+tap.addr+path)
				return err
			})
		}
		for range paths {
			<-arrived
		}
		for range paths {
			answer <- struct{}{}
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	ask("/a?index=7", "/b", "/c?index=0")
	if got, want := tap.take(), (traffic{requests: 2, blocking: 1, most: 2}); got != want {
		t.Errorf("%+v of two at once beside a blocking query", got)
	}
	ask("/d")
	if got, want := tap.take(), (traffic{requests: 1, most: 1}); got != want {
		t.Errorf("%+v of one after them", got)
	}
	ask("/e?index=8")
	if got, want := tap.take(), (traffic{blocking: 1}); got != want {
		t.Errorf("%+v of a blocking query alone", got)
	}
	if err := tap.close(); err != nil {
		t.Error(err)
	}
}
