package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
