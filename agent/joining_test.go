package agent

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/consul"
)

func TestCheckJoin(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1": "", "peers:8652": "", "_muster._tcp.test": "", "consul://muster?tag=a": "",
		"consul://": `"consul://": names no service`, "consul:8652": "", "consul://a:b": "is no URL", "http://muster": "http:// is not known",
	} {
		if err := CheckJoin(text); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestFindersAskTheConsulOfTheConfiguration, as whom it says.
func TestFindersAskTheConsulOfTheConfiguration(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Consul-LastContact", "0")
		w.Header().Set("X-Consul-KnownLeader", "true")
		if strings.HasPrefix(r.URL.Path, "/v1/acl/") {
			fmt.Fprint(w, `{"AccessorID": "x"}`)
			return
		}
		fmt.Fprint(w, `[{"Node": {"Address": "10.0.0.1"}, "Service": {"Port": 8652}, "Checks": []}]`)
	}))
	t.Cleanup(s.Close)
	var said strings.Builder
	a := &Agent{log: slog.New(slog.NewTextHandler(&said, nil)), cfg: Config{Consul: consul.Config{Address: s.URL}}}
	finders, err := a.finders()
	if err != nil {
		t.Fatal(err)
	}
	got, err := finders["consul"](t.Context(), &url.URL{Scheme: "consul", Host: "muster"})
	if diff := cmp.Diff([]string{"10.0.0.1:8652"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	a.cfg.Consul = consul.Config{Address: "10.0.0.1:8500", TokenFile: "token"}
	if _, err := a.finders(); err != nil || strings.Count(said.String(), "in the clear") != 1 {
		t.Errorf("of a token in the clear: %v, %s", err, said.String())
	}
	if err := a.rollBack(); err != nil {
		t.Error(err)
	}
}
