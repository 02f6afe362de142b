package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	httpd "github.com/musterhq/muster/http"
)

// TestViewsGoOnFromWhereTheyWere has clusters in pages of one, of which the second gets its view late and the third is listed
// late.
func TestViewsGoOnFromWhereTheyWere(t *testing.T) {
	health := []string{"healthy", "unknown"}
	asked := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after := r.URL.Query().Get("after")
		asked[after]++
		at := 0
		if after != "" {
			at = int(after[0] - '0')
		}
		if at+1 < len(health) {
			w.Header().Set("X-Muster-Next", fmt.Sprint(at+1))
		}
		fmt.Fprintf(w, `[{"name":"c","health":%q}]`, health[at])
	}))
	defer server.Close()
	api, err := httpd.NewClient(httpd.ClientConfig{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	v := views{api: api}
	for i, step := range []struct {
		health []string
		want   bool
		first  int // how often the first page was asked for so far
	}{
		{[]string{"healthy", "unknown"}, false, 1},
		{[]string{"healthy", "unknown"}, false, 1},
		{[]string{"healthy", "healthy"}, false, 1},
		{[]string{"healthy", "healthy", "healthy"}, true, 2},
	} {
		health = step.health
		all, err := v.more(t.Context(), 3)
		if err != nil || all != step.want || asked[""] != step.first {
			t.Errorf("step %d: all %v, %v; the first page was asked for %d times, want %d", i, all, err, asked[""], step.first)
		}
	}
	server.Close()
	if _, err := v.more(t.Context(), 3); err == nil {
		t.Error("nobody answers, and that is no error")
	}
}
