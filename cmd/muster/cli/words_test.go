package cli_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/cli"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

var (
	goVersion = regexp.MustCompile(`go1\.[0-9.]+`)
	colours   = regexp.MustCompile("\x1b\\[[0-9;]*m")
)

func stripColours(s string) string { return colours.ReplaceAllString(s, "") }

func TestLongOptionsTakeOneDashOrTwo(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // the filter asked for
	}{
		{[]string{"cluster", "list", "-filter", "a"}, "a"},
		{[]string{"cluster", "list", "--filter", "a"}, "a"},
		{[]string{"cluster", "list", "-filter=a"}, "a"},
		{[]string{"cluster", "list", "--filter=a"}, "a"},
		{[]string{"cluster", "list", "-stale", "-filter", "-b"}, "-b"},
		{[]string{"cluster", "list", "--filter", "-stale"}, "-stale"},
		{[]string{"-stale", "cluster", "list", "-filter", "a"}, "a"},
	} {
		a := fleet(t)
		r := run{}.do(t, a, c.args...)
		asked := a.requests()
		if len(asked) == 0 || !strings.Contains(asked[0].line, "filter="+c.want) {
			t.Errorf("%q: exit %d, asked %v, want the filter %q; stderr: %s", c.args, r.code, asked, c.want, r.err)
		}
	}
}

func TestWordsAfterTwoDashesAreNoOptions(t *testing.T) {
	a := fleet(t)
	r := run{}.do(t, a, "cluster", "show", "--", "-stale")
	if asked := a.requests(); len(asked) != 1 || asked[0].line != "GET /v1/cluster/-stale" {
		t.Errorf("asked %v, exit %d, %s", asked, r.code, r.err)
	}
}

func TestAnOptionMeansTheSameEverywhere(t *testing.T) {
	takes := map[string]string{}
	every(cli.New(cli.Streams{}, cli.Build{}).Root(), func(c *cobra.Command) {
		for line := range strings.Lines(c.LocalFlags().FlagUsages()) {
			_, after, _ := strings.Cut(line, "--")
			name, rest, _ := strings.Cut(after, " ")
			word := "a value"
			if strings.HasPrefix(rest, "  ") {
				word = "nothing"
			}
			if was, ok := takes[name]; ok && was != word {
				t.Errorf("-%s takes %s elsewhere and %s in %s", name, was, word, c.CommandPath())
			}
			takes[name] = word
		}
	})
	if len(takes) < 30 {
		t.Errorf("only %d options were seen", len(takes))
	}
}

func TestEveryCommandHasExamples(t *testing.T) {
	every(cli.New(cli.Streams{}, cli.Build{}).Root(), func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || !strings.Contains(c.Example, c.CommandPath()) && c.HasParent() {
			t.Errorf("%s: short %q, examples %q", c.CommandPath(), c.Short, c.Example)
		}
	})
}

func every(c *cobra.Command, do func(*cobra.Command)) {
	if c.Name() != "help" {
		do(c)
	}
	for _, inner := range c.Commands() {
		every(inner, do)
	}
}

func TestNearestWordIsNamed(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"custer"}, `(did you mean "cluster"?)`},
		{[]string{"cluster", "lst"}, `(did you mean "list"?)`},
		{[]string{"operator", "raft", "list-pers"}, `(did you mean "list-peers"?)`},
		{[]string{"cluster", "list", "-fliter", "x"}, `(did you mean "-filter"?)`},
		{[]string{"cluster", "list", "--http-adr=x"}, `(did you mean "-http-addr"?)`},
		{[]string{"cluster", "show"}, "usage: muster cluster show NAME"},
		{[]string{"members", "x"}, `takes no argument, but here is "x"`},
		{[]string{"cluster", "list", "-filter"}, "flag needs an argument: -filter"},
		{[]string{"members", "-format=xml"}, `-format "xml" is neither table nor json`},
	} {
		if r := (run{}).do(t, nil, c.args...); r.code != 1 || !strings.Contains(r.err, c.want) || r.out != "" {
			t.Errorf("%q: exit %d, out %q, stderr %q; want %q", c.args, r.code, r.out, r.err, c.want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{
		0: nil, 1: fsm.ErrNotFound, 78: fmt.Errorf("entry 7: %w", fmt.Errorf("kind 99: %w", fsm.ErrNewer)),
	} {
		if got := cli.ExitCode(err); got != want {
			t.Errorf("%v: exit %d, want %d", err, got, want)
		}
	}
	a := newAPI(t).on("GET", "/v1/clusters", []httpd.ClusterRow{}).on("GET", "/v1/nodes", []httpd.NodeRow{}).
		on("GET", "/v1/discoveries", []httpd.DiscoveryRow{})
	for _, what := range []string{"cluster", "node", "discovery"} {
		for _, format := range []string{"table", "json"} {
			r := run{}.do(t, a, what, "list", "-filter", "x == 1", "-format", format)
			if r.code != 2 || !strings.Contains(r.err, "nothing matched") {
				t.Errorf("%s list as %s: exit %d, stderr %q; want 2: a filter matched nothing", what, format, r.code, r.err)
			}
		}
	}
}

func TestNoLeaderSuggestsStale(t *testing.T) {
	a, known := newAPI(t), "false"
	refuse := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Muster-KnownLeader", known)
		reply(w, 503, map[string]any{"error": map[string]string{"code": "unavailable", "message": "nobody confirmed it; or read with ?stale"}})
	}
	a.do("GET", "/v1/clusters", refuse).do("POST", "/v1/nodes/transition", refuse)
	for _, c := range []struct {
		known string
		args  []string
		want  string
	}{
		{"false", []string{"cluster", "list"}, "with -stale\nThere is no leader; -stale reads what the peer itself knows. muster operator raft"},
		{"false", []string{"cluster", "list", "-stale"}, "\nThere is no leader. muster operator raft list-peers -stale shows"},
		{"false", []string{"node", "commission", "orders/orders-1"}, "\nThere is no leader, and without one nothing is changed."},
		{"true", []string{"cluster", "list"}, "with -stale\n"},
		{"true", []string{"node", "commission", "orders/orders-1"}, "with -stale\n"},
	} {
		known = c.known
		r := run{}.do(t, a, c.args...)
		if r.code != 1 || !strings.Contains(r.err, c.want) || strings.Contains(r.err, "There is no leader") != (known == "false") {
			t.Errorf("%q: exit %d, stderr %q; want %q", c.args, r.code, r.err, c.want)
		}
	}
}

// TestInterruptedIsNoSilence: who interrupts a command is not told that nobody answers.
func TestInterruptedIsNoSilence(t *testing.T) {
	for want, args := range map[string][]string{
		"Error: interrupted\n": {"cluster", "list"},
		"Error: interrupted; what was asked for may have been done or not\n": {"node", "commission", "orders/orders-1"},
	} {
		ctx, stop := context.WithCancel(t.Context())
		slow := func(_ http.ResponseWriter, r *http.Request) {
			stop()
			<-r.Context().Done()
		}
		a := newAPI(t).do("GET", "/v1/clusters", slow).do("POST", "/v1/nodes/transition", slow)
		if r := (run{ctx: ctx}).do(t, a, args...); r.err != want || r.code != 1 {
			t.Errorf("%q: exit %d, %q; want %q", args, r.code, r.err, want)
		}
	}
}

func TestRefusalsCarryWhatBelongsToThem(t *testing.T) {
	a := newAPI(t)
	a.fail("POST", "/v1/cluster/orders/refresh", 409, map[string]any{
		"code": "already_claimed", "message": "cluster orders is claimed",
		"claim": httpd.ClaimRow{Peer: "peer-b", Granted: fsm.TimeOf(now.Add(-3e9)), Reason: "due"},
	})
	a.fail("POST", "/v1/nodes/transition", 409, map[string]any{
		"code": "conflict", "message": "no node was moved: a/1 is missing",
		"fields": map[string]string{"a/1": "is missing", "a/2": "is still listed"},
	})
	a.do("GET", "/v1/cluster/orders", func(w http.ResponseWriter, r *http.Request) {
		status, code := http.StatusGone, "gone"
		if query := r.URL.Query(); !query.Has("at") {
			status, code = http.StatusBadRequest, "now"
		} else if query.Get("at") == "" {
			status, code = http.StatusBadRequest, "empty"
		}
		reply(w, status, map[string]any{"error": map[string]any{
			"code": code, "message": "answered " + code, "fields": map[string]string{"oldest": "e2:18"},
		}})
	})
	a.fail("GET", "/v1/events", 410, map[string]any{
		"code": "gone", "message": "no longer kept", "fields": map[string]string{"oldest": "e2:17"},
	})
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"cluster", "refresh", "orders"}, []string{"peer-b has it since 3s (due)"}},
		{[]string{"node", "forget", "a/1", "a/2"}, []string{"a/1 is missing", "a/2 is still listed"}},
		{[]string{"event", "list", "-after", "e1:1"}, []string{"-after e2:17"}},
		{[]string{"cluster", "show", "-at", "3", "orders"}, []string{"answered gone", "-at e2:18"}},
		{[]string{"cluster", "show", "-at", "", "orders"}, []string{"answered empty"}},
	} {
		r := run{}.do(t, a, c.args...)
		for _, want := range c.want {
			if r.code != 1 || !strings.Contains(r.err, want) {
				t.Errorf("%q: exit %d, stderr %q; want %q", c.args, r.code, r.err, want)
			}
		}
	}
}

func TestWhereNobodyAnswers(t *testing.T) {
	r := run{}.do(t, nil, "members")
	for _, want := range []string{"no peer answers at 127.0.0.1:1", "muster agent -dev", "MUSTER_HTTP_ADDR"} {
		if r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("exit %d, stderr %q; want %q", r.code, r.err, want)
		}
	}
}

func TestTokenComesFromTheNearestPlace(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "token"), filepath.Join(dir, "other")
	write(t, file, "from-file\n")
	write(t, other, "from-env-file\n")
	for _, c := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{nil, nil, ""},
		{nil, map[string]string{"MUSTER_HTTP_TOKEN": "from-env", "MUSTER_HTTP_TOKEN_FILE": other}, "from-env"},
		{nil, map[string]string{"MUSTER_HTTP_TOKEN_FILE": other}, "from-env-file"},
		{[]string{"-token-file", file}, map[string]string{"MUSTER_HTTP_TOKEN": "from-env"}, "from-file"},
		{[]string{"-token", "from-option"}, map[string]string{"MUSTER_HTTP_TOKEN": "from-env"}, "from-option"},
	} {
		got := ""
		a := newAPI(t).do("GET", "/v1/agent/members", func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("X-Muster-Token")
			reply(w, http.StatusOK, members())
		})
		if r := (run{env: c.env}).do(t, a, append([]string{"members"}, c.args...)...); r.code != 0 || got != c.want {
			t.Errorf("%q with %v: token %q, want %q (exit %d, %s)", c.args, c.env, got, c.want, r.code, r.err)
		}
	}
	if r := (run{}).do(t, nil, "members", "-token", "a", "-token-file", file); r.code != 1 || !strings.Contains(r.err, "exclude each other") {
		t.Errorf("two tokens: exit %d, %s", r.code, r.err)
	}
}

func TestNothingControlsTheTerminal(t *testing.T) {
	evil := httpd.Member{Name: "a\x1b[2Jb", Address: "x\ny", Status: "\x07"}
	a := newAPI(t).on("GET", "/v1/agent/members", []httpd.Member{evil})
	a.fail("GET", "/v1/clusters", 400, map[string]string{"code": "invalid", "message": "bad\x1b]0;title\x07"})
	for _, args := range [][]string{{"members"}, {"cluster", "list"}} {
		r := run{}.do(t, a, args...)
		if strings.ContainsAny(r.out+r.err, "\x1b\x07") || strings.Count(r.out, "\n") > 2 {
			t.Errorf("%q: out %q, stderr %q", args, r.out, r.err)
		}
	}
}
