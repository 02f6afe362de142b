package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/cmd/muster/cli"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// now is the time at which everything here is looked at.
var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// asked is a request as a fake peer got it.
type asked struct {
	line string // method, path and query
	body string
}

// api is a fake peer: answers by method and path, and what was asked.
type api struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   []asked
}

func newAPI(t *testing.T) *api {
	a := &api{t: t, answers: map[string]http.HandlerFunc{}}
	a.server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.server.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return a
}

// on answers requests to a path with a value as JSON, and with the headers that a read has.
func (a *api) on(method, path string, v any) *api {
	return a.do(method, path, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, v) })
}

// fail answers with an error of the API.
func (a *api) fail(method, path string, status int, detail any) *api {
	return a.do(method, path, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, status, map[string]any{"error": detail})
	})
}

func (a *api) do(method, path string, h http.HandlerFunc) *api {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[method+" "+path] = h
	return a
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if w.Header().Get("X-Muster-Index") == "" {
		w.Header().Set("X-Muster-Index", "7")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	line := r.Method + " " + r.URL.EscapedPath()
	a.mu.Lock()
	answer := a.answers[line]
	query, _, _ := strings.Cut(r.URL.RawQuery, "#")
	if query != "" {
		line += "?" + query
	}
	a.asked = append(a.asked, asked{line, string(body)})
	a.mu.Unlock()
	if answer == nil {
		reply(w, http.StatusNotFound, map[string]any{"error": map[string]any{"code": "not_found", "message": "there is no " + line}})
		return
	}
	answer(w, r)
}

// requests are what was asked so far.
func (a *api) requests() []asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]asked(nil), a.asked...)
}

// run is one execution of the program, against a peer unless it is nil.
type run struct {
	env    map[string]string
	in     string
	colour bool
	prompt bool
	ctx    context.Context
	out    io.Writer // beside what is kept
}

// result is what came of it.
type result struct {
	out, err string
	code     int
}

func (r run) do(t *testing.T, a *api, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	env := map[string]string{"MUSTER_HTTP_ADDR": "127.0.0.1:1"}
	if a != nil {
		env["MUSTER_HTTP_ADDR"] = a.server.URL
	}
	maps.Copy(env, r.env)
	to := io.Writer(&out)
	if r.out != nil {
		to = io.MultiWriter(&out, r.out)
	}
	ctx := r.ctx
	if ctx == nil {
		ctx = t.Context()
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p := cli.New(cli.Streams{
		In: strings.NewReader(r.in), Out: to, Err: &errs, Getenv: func(k string) string { return env[k] },
		Now: func() time.Time { return now }, Colour: r.colour, Prompt: r.prompt,
	}, cli.Build{Version: "0.1.0", Commit: "abcdef0"})
	code := p.Run(ctx, args)
	said := errs.String()
	if a != nil {
		said = strings.ReplaceAll(said, a.server.URL, "http://PEER")
	}
	return result{out: out.String(), err: said, code: code}
}

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run go test -update to write it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// shown is a result as golden files have it.
func shown(args []string, r result) string {
	text := "$ muster " + strings.Join(args, " ") + "\n" + r.out
	if r.err != "" {
		text += "--- stderr\n" + r.err
	}
	return text + fmt.Sprintf("--- exit %d\n", r.code)
}
