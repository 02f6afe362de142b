package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cmd/muster/cli"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestTables(t *testing.T) {
	for name, args := range map[string][]string{
		"cluster_list":          {"cluster", "list"},
		"cluster_show":          {"cluster", "show", "orders"},
		"cluster_show_live":     {"cluster", "show", "-live", "orders"},
		"cluster_show_at":       {"cluster", "show", "-at", "4711", "orders"},
		"cluster_history":       {"cluster", "history", "orders"},
		"cluster_effective":     {"cluster", "effective", "orders"},
		"discovery_history":     {"discovery", "history", "prod"},
		"node_effective":        {"node", "effective", "orders/orders-2"},
		"node_list":             {"node", "list"},
		"node_show":             {"node", "show", "orders/orders-2", "orders/orders-5"},
		"event_list":            {"event", "list"},
		"event_list_last":       {"event", "list", "-last", "2"},
		"discovery_list":        {"discovery", "list"},
		"discovery_show":        {"discovery", "show", "edge"},
		"discovery_release":     {"discovery", "release", "edge"},
		"members":               {"members"},
		"info":                  {"info"},
		"settings_show":         {"settings", "show"},
		"list_peers":            {"operator", "raft", "list-peers"},
		"usage":                 {"operator", "usage"},
		"help_monitor":          {"monitor", "-help"},
		"help_debug":            {"debug", "-help"},
		"version":               {"version"},
		"info_live":             {"info", "-live"},
		"help":                  {"-help"},
		"help_cluster_show":     {"cluster", "show", "-help"},
		"help_node_maintenance": {"node", "maintenance", "-help"},
		"help_agent":            {"agent", "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run{}.do(t, fleet(t), args...)
			golden(t, name, goVersion.ReplaceAllString(shown(args, r), "go1.x"))
		})
	}
}

func TestColourIsForTerminalsAlone(t *testing.T) {
	args := []string{"cluster", "list"}
	golden(t, "cluster_list_colour", shown(args, run{colour: true}.do(t, fleet(t), args...)))
	golden(t, "usage_colour", shown([]string{"operator", "usage"}, run{colour: true}.do(t, fleet(t), "operator", "usage")))
	for _, c := range []struct {
		terminal bool
		env      map[string]string
		want     bool
	}{
		{true, nil, true},
		{false, nil, false},
		{true, map[string]string{"NO_COLOR": "1"}, false},
		{true, map[string]string{"TERM": "dumb"}, false},
	} {
		if got := cli.Colours(c.terminal, func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("terminal %t with %v: colour %t, want %t", c.terminal, c.env, got, c.want)
		}
	}
}

func TestColumnsStayAlignedInColour(t *testing.T) {
	plain := run{}.do(t, fleet(t), "node", "list").out
	painted := run{colour: true}.do(t, fleet(t), "node", "list").out
	if diff := cmp.Diff(plain, stripColours(painted)); diff != "" {
		t.Errorf("a coloured table without its colours is not the plain one (-plain +coloured):\n%s", diff)
	}
	if plain == painted {
		t.Error("nothing was painted")
	}
}

func TestEmptyListsSayWhatToDo(t *testing.T) {
	a := newAPI(t)
	for _, path := range []string{"/v1/clusters", "/v1/nodes", "/v1/discoveries"} {
		a.on("GET", path, []string{})
	}
	a.do("GET", "/v1/events", pages(nil))
	var all strings.Builder
	for _, args := range [][]string{{"cluster", "list"}, {"node", "list"}, {"discovery", "list"}, {"event", "list"}} {
		all.WriteString(shown(args, run{}.do(t, a, args...)))
	}
	golden(t, "empty", all.String())
}

func TestJSONIsTheAPIs(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want any
		into any
	}{
		"clusters":  {[]string{"cluster", "list"}, clusters(), &[]httpd.ClusterRow{}},
		"nodes":     {[]string{"node", "list"}, nodes(), &[]httpd.NodeRow{}},
		"events":    {[]string{"event", "list"}, events(), &[]httpd.Event{}},
		"discovery": {[]string{"discovery", "show", "edge"}, discoveries()[0], &httpd.DiscoveryRow{}},
		"members":   {[]string{"members"}, members(), &[]httpd.Member{}},
		"live":      {[]string{"cluster", "show", "-live", "orders"}, live(), &[]httpd.LiveNode{}},
		"settings":  {[]string{"settings", "show"}, fsm.DefaultSettings(), &fsm.Settings{}},
		"usage":     {[]string{"operator", "usage"}, usage(), &httpd.Usage{}},
		"info":      {[]string{"info"}, self(), &httpd.Self{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := run{}.do(t, fleet(t), append(c.args, "-format=json")...)
			if err := json.Unmarshal([]byte(r.out), c.into); err != nil || r.code != 0 || r.err != "" {
				t.Fatalf("%v, exit %d, stderr %q, of:\n%s", err, r.code, r.err, r.out)
			}
			if diff := cmp.Diff(asJSON(t, c.want), asJSON(t, c.into)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestListsAreReadToTheirEnd(t *testing.T) {
	a := newAPI(t)
	all := clusters()
	a.do("GET", "/v1/clusters", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") == "" {
			w.Header().Set("X-Muster-Next", all[1].Name)
			reply(w, http.StatusOK, all[:2])
			return
		}
		reply(w, http.StatusOK, all[2:])
	})
	out := run{}.do(t, a, "cluster", "list").out
	for _, c := range all {
		if c.Name != all[1].Name && !strings.Contains(out, c.Name) {
			t.Errorf("%s is missing in:\n%s", c.Name, out)
		}
	}
}
