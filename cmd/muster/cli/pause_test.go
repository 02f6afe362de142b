package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// paused is a fleet all whose scheduling is paused, and that has dead peers removed.
func paused(t *testing.T) *api {
	s := fsm.DefaultSettings()
	s.DeadPeers.RemoveAfter = 72 * fsm.Hour
	s.Pause = &fsm.Pause{Until: ago(-25 * time.Minute), Since: ago(5 * time.Minute), Reason: "moving racks"}
	return fleet(t).on("GET", "/v1/settings", s)
}

func TestPausedScreens(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{{"settings", "show"}, {"cluster", "list"}, {"pause", "-help"}} {
		all.WriteString(shown(args, run{}.do(t, paused(t), args...)))
	}
	golden(t, "paused", all.String())
	if r := (run{}).do(t, paused(t), "cluster", "list", "-format=json"); r.err != "" {
		t.Errorf("programs are told %q", r.err)
	}
}

// TestPauseAsks checks what is asked of the peer, and what is said.
func TestPauseAsks(t *testing.T) {
	a := newAPI(t).on("PUT", "/v1/settings/pause", httpd.Paused{Index: 9, Pause: fsm.Pause{Until: ago(-2 * time.Hour)}})
	a.on("DELETE", "/v1/settings/pause", httpd.Ack{Index: 9, Changed: true})
	for _, c := range []struct {
		args []string
		body string
		say  string
	}{
		{[]string{"pause"}, `{"for":"30m"}`, "All scheduling is paused until 2026-11-22T12:00:00.000Z"},
		{[]string{"pause", "-for", "2h", "-reason", "racks"}, `{"for":"2h","reason":"racks"}`, "paused"},
		{[]string{"resume"}, ``, "Scheduling goes on."},
		{[]string{"resume", "-format=json"}, ``, `"changed": true`},
	} {
		r := run{}.do(t, a, c.args...)
		asked := a.requests()
		if got := strings.TrimSpace(asked[len(asked)-1].body); got != c.body || !strings.Contains(r.out, c.say) || r.code != 0 {
			t.Errorf("%v asks %s and says %q, %q, exit %d", c.args, got, r.out, r.err, r.code)
		}
	}
	a.on("DELETE", "/v1/settings/pause", httpd.Ack{Index: 9})
	if r := (run{}).do(t, a, "resume"); !strings.Contains(r.out, "Nothing was paused") {
		t.Errorf("it says %q", r.out)
	}
}

// TestDeadPeersAreToldOf lists peers that have failed: one that waits for its time, one whose time is over, one that is kept, and
// one that nobody removes.
func TestDeadPeersAreToldOf(t *testing.T) {
	dead := func(name string, failed, remove fsm.Time, kept string) httpd.RaftServer {
		return httpd.RaftServer{ID: "01" + name, Name: name, State: "unheard", Voter: true, FailedAt: failed, RemoveAt: remove, KeptBecause: kept}
	}
	a := newAPI(t).on("GET", "/v1/operator/raft/configuration", httpd.RaftConfiguration{Servers: []httpd.RaftServer{
		{ID: "01A", Name: "peer-a", State: "leader", Leader: true, Voter: true},
		dead("peer-b", ago(time.Hour), ago(-2*time.Hour), ""), dead("peer-c", ago(73*time.Hour), ago(time.Hour), ""),
		dead("peer-d", ago(73*time.Hour), ago(time.Hour), "2 voters would be left"), dead("peer-e", ago(time.Hour), 0, ""),
	}})
	args := []string{"operator", "raft", "list-peers"}
	golden(t, "list_peers_dead", shown(args, run{}.do(t, a, args...)))
}
