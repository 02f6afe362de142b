package consul_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul"
	"github.com/musterhq/muster/fsm"
)

// many fills the fake with services of one instance each.
func many(f *fake, n int) {
	for i := range n {
		name := fmt.Sprintf("db-%03d", i)
		f.set(name, instance(name, name, 1))
	}
}

func TestReadIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		many(f, 100)
		b := f.open(t, "{}")
		began := time.Now()
		if got, err := b.Read(t.Context(), discovery.Want{}); err != nil || len(got) != 100 || time.Since(began) > 0 {
			t.Errorf("100 services: %d records in %s, error %v; at once is wanted", len(got), time.Since(began), err)
		}
		many(f, 400)
		began = time.Now()
		got, err := b.Read(t.Context(), discovery.Want{})
		if took := time.Since(began); err != nil || len(got) != 400 || took < 2*time.Second || took > 30*time.Second {
			t.Errorf("400 services: %d records in %s, error %v; 300 of them at 100 a second are wanted", len(got), took, err)
		}
	})
}

// A pace that cannot keep a deadline gives up before it: what was read by then must not pass for everything.
func TestReadThatLacksTimeIsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		many(f, 400)
		ctx, cancel := context.WithTimeout(t.Context(), 995*time.Millisecond)
		defer cancel()
		got, err := f.open(t, "{}").Read(ctx, discovery.Want{})
		if !errors.Is(err, context.DeadlineExceeded) || got != nil {
			t.Errorf("%d records, error %v; wanted: %v", len(got), err, context.DeadlineExceeded)
		}
	})
}

func TestReadHasItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		f.set("orders", instance("orders", "orders-1", 1))
		f.breakWith(on("catalog/service/", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		began := time.Now()
		_, err := f.open(t, "{}").Read(t.Context(), discovery.Want{})
		if took := time.Since(began); err == nil || took > time.Minute {
			t.Errorf("a server that hangs: error %v after %s", err, took)
		}
	})
}

func TestReadsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		many(f, 60)
		var flying, most atomic.Int64
		limited := atomic.Bool{}
		f.breakWith(on("catalog/service/", func(w http.ResponseWriter, r *http.Request) {
			if limited.Load() {
				status(http.StatusTooManyRequests, "slow down")(w, r)
				return
			}
			most.Store(max(most.Load(), flying.Add(1)))
			<-time.After(10 * time.Millisecond)
			flying.Add(-1)
			f.answer(w, r, func() (any, uint64) { return f.of(strings.TrimPrefix(r.URL.Path, "/v1/catalog/service/")) })
		}))
		b := f.open(t, `{"concurrency": 8}`)
		read := func() error {
			most.Store(0)
			_, err := b.Read(t.Context(), discovery.Want{})
			return err
		}
		for _, step := range []struct {
			limited bool
			most    int64
		}{{false, 8}, {true, 0}, {false, 4}, {false, 8}, {false, 8}} {
			synctest.Wait() // what a read that failed had under way is over
			limited.Store(step.limited)
			if err := read(); (err != nil) != step.limited || most.Load() != step.most {
				t.Errorf("limited %t: %d in flight, error %v; wanted %d", step.limited, most.Load(), err, step.most)
			}
		}
	})
}

func TestReadConsistency(t *testing.T) {
	for _, c := range []struct {
		config string
		names  []string
		stale  bool
	}{
		{"{}", nil, true},
		{`{"stale": false}`, nil, false},
		{"{}", []string{"orders"}, false},
	} {
		f := startFake(t)
		f.set("orders", instance("orders", "orders-1", 1))
		var mu sync.Mutex
		seen := map[bool]int{}
		f.breakWith(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/v1/catalog") {
				mu.Lock()
				seen[r.URL.Query().Has("stale")]++
				mu.Unlock()
			}
			return false
		})
		if _, err := f.open(t, c.config).Read(t.Context(), discovery.Want{Names: c.names}); err != nil {
			t.Fatal(err)
		}
		if seen[c.stale] == 0 || seen[!c.stale] != 0 {
			t.Errorf("config %s, names %q: stale reads %d, others %d", c.config, c.names, seen[true], seen[false])
		}
	}
}

func TestReadSelects(t *testing.T) {
	for _, c := range []struct {
		config string
		want   string
	}{
		{`{}`, "db/main,orders,web-1,web-2"},
		{`{"services": ["web-*"]}`, "web-1,web-2"},
		{`{"services": ["*-?"]}`, "web-1,web-2"},
		{`{"services": ["d*n", "orders"]}`, "db/main,orders"},
		{`{"services": ["*", "muster"]}`, "db/main,muster,orders,web-1,web-2"},
		{`{"services": ["consul*"]}`, ""},
		{`{"services": ["consul"]}`, "consul"},
		{`{"tags": ["blue"]}`, "web-1"},
		{`{"meta": {"env": "prod"}}`, "orders"},
		{`{"services": ["ORDERS"]}`, ""},
	} {
		f := startFake(t)
		for _, name := range []string{"consul", "muster", "db/main", "orders", "web-1", "web-2"} {
			i := instance(name, name, 1)
			if name == "web-1" {
				i.ServiceTags = []string{"blue", "x"}
			}
			if name == "orders" {
				i.ServiceMeta = map[string]string{"env": "prod"}
			}
			f.set(name, i)
		}
		got, err := f.open(t, c.config).Read(t.Context(), discovery.Want{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range got {
			names = append(names, r.Node)
		}
		if strings.Join(names, ",") != c.want {
			t.Errorf("%s selects %q; wanted %s", c.config, names, c.want)
		}
	}
}

// Consul looks services up by name without regard to case, and lists them with it.
func TestReadTellsCaseApart(t *testing.T) {
	f := startFake(t)
	both := []*api.CatalogService{instance("Web", "a", 1), instance("web", "b", 1)}
	f.set("Web", both...)
	f.set("web", both...)
	if got, err := f.open(t, "{}").Read(t.Context(), discovery.Want{}); err != nil || len(got) != 2 {
		t.Errorf("%d records, error %v; wanted each once", len(got), err)
	}
}

func TestReadNamesWhatIsWrong(t *testing.T) {
	bad := instance("orders", "orders-1", 1)
	bad.ServiceMeta = map[string]string{"muster-port": "http"}
	for _, c := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
		want  []string
	}{
		{"meta", nil, []string{"consul.test:8500", "orders-1", "muster-port", `"http"`}},
		{"status", on("catalog/service/orders", status(500, "rpc error\nsecond line")), []string{`service "orders"`, "500", "rpc error second line"}},
		{"refused", on("catalog/service/orders", status(403, "Permission denied")), []string{`service "orders"`, "token", "node_prefix"}},
		{"limited", on("catalog/service/orders", status(429, "")), []string{"429", "concurrency"}},
		{"leader", header("catalog/services", "X-Consul-KnownLeader", "false"), []string{"listing services", "leader"}},
	} {
		f := startFake(t)
		f.set("orders", bad)
		f.breakWith(c.fault)
		_, err := f.open(t, `{"address": "consul.test:8500"}`).Read(t.Context(), discovery.Want{})
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q does not speak of %q", c.name, err, want)
			}
		}
	}
}

// TestTokenIsNotRepeated asks what repeats all that it is sent.
func TestTokenIsNotRepeated(t *testing.T) {
	f := startFake(t)
	f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "no rights for %s%s", strings.Repeat("x", 170), r.Header.Get("X-Consul-Token")) // of which a part would be told
		return true
	})
	path := filepath.Join(t.TempDir(), "token")
	writeFile(t, path, "canary-token-of-consul")
	_, err := f.open(t, fmt.Sprintf(`{"token_file": %q}`, path)).Read(t.Context(), discovery.Want{})
	if err == nil || !strings.Contains(err.Error(), "no rights for") || strings.Contains(err.Error(), "canary") {
		t.Errorf("it says %v", err)
	}
}

func TestTokenFile(t *testing.T) {
	dir := t.TempDir()
	f := startFake(t)
	for _, text := range []string{"", "-----BEGIN KEY-----\nabcdefgh\n-----END KEY-----", strings.Repeat("x", 600)} {
		path := filepath.Join(dir, "token")
		writeFile(t, path, text)
		_, err := f.open(t, fmt.Sprintf(`{"token_file": %q}`, path)).Read(t.Context(), discovery.Want{})
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("token file with %.20q: %v; an error that names the file is wanted", text, err)
		}
		if len(text) > 0 && err != nil && strings.Contains(err.Error(), "abcd") {
			t.Errorf("the error holds what is in the file: %v", err)
		}
	}
	if calls := f.calls(); len(calls) > 0 {
		t.Errorf("what is no token led to calls: %q", calls)
	}
}

func TestClosedBackend(t *testing.T) {
	f := startFake(t)
	b := f.open(t, "{}")
	if err := b.(interface{ Close() error }).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(t.Context(), discovery.Want{}); err == nil {
		t.Error("a closed backend reads")
	}
	if err := b.(discovery.Watcher).Watch(t.Context(), func([]string) {}); err == nil {
		t.Error("a closed backend watches")
	}
}

func TestMake(t *testing.T) {
	for _, c := range []struct {
		config, field, message string
	}{
		{`{"servces": ["*"]}`, "config.servces", `did you mean "services"`},
		{`{"token": "abc-secret"}`, "config.token", "token_file"},
		{`{"http_auth": "abc-secret"}`, "config.http_auth", "secrets"},
		{`{"services": "web"}`, "config.services", "a list"},
		{`{"services": []}`, "config.services", "select nothing"},
		{`{"services": [""]}`, "config.services.0", "empty"},
		{`{"concurrency": 0}`, "config.concurrency", "between 1 and 64"},
		{`{"concurrency": "16"}`, "config.concurrency", "a whole number"},
		{`{"watch_services": 129}`, "config.watch_services", "between 0 and 128"},
		{`{"token_file": "abc-secret"}`, "config.token_file", "absolute"},
		{`{"cert_file": "/x"}`, "config.cert_file", "key_file"},
		{`{"address": "http://me:abc-secret@consul:8500"}`, "config.address", "credentials"},
		{`{"address": "ftp://consul"}`, "config.address", "ftp://"},
		{`{"address": "consul"}`, "config.address", "host:port"},
		{`{"address": "unix://consul.sock"}`, "config.address", "absolute"},
		{`["x"]`, "config", "object"},
	} {
		_, err := consul.NewPool().Make(fsm.JSON(c.config), discovery.Env{})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || !strings.Contains(invalid.Fields[c.field], c.message) {
			t.Errorf("%s: %v; wanted is an error of %s about %q", c.config, err, c.field, c.message)
		} else if strings.Contains(err.Error(), "abc-secret") {
			t.Errorf("%s: the error holds the secret: %v", c.config, err)
		}
	}
	for _, config := range []string{
		"", "{}", `{"address": "https://consul.example/prefix"}`, `{"address": "unix:///run/consul.sock"}`,
		`{"address": "[::1]:8500", "datacenter": "dc2", "services": ["a", "b*"], "tags": ["x"], "token_file": "/etc/t"}`,
	} {
		if _, err := consul.NewPool().Make(fsm.JSON(config), discovery.Env{}); err != nil {
			t.Errorf("%s: %v", config, err)
		}
	}
}
