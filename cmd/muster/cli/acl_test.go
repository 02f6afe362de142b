package cli_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func tokens() []httpd.TokenRow {
	return []httpd.TokenRow{
		{Accessor: "01KB7M4N0Q8Z", Roles: []fsm.Right{fsm.MayManage, fsm.MaySnapshot}, Description: "bootstrap", Created: ago(fsm.Day.Std()), Index: 17},
		{Accessor: "01KB7M4N0Q90", Roles: []fsm.Right{fsm.MayOperate}, Created: ago(fsm.Hour.Std()), Expires: ago(-fsm.Hour.Std()), Index: 20},
		{Accessor: "01KB7M4N0Q91", Roles: []fsm.Right{fsm.MayRead}, Description: "was\x1b[2J here", Created: ago(fsm.Hour.Std()), Expires: ago(fsm.Minute.Std()), Index: 21},
	}
}

// keeper is a fake peer with tokens.
func keeper(t *testing.T) *api {
	made := httpd.TokenMade{TokenRow: tokens()[1], Secret: "muster_secret"}
	return newAPI(t).on("GET", "/v1/acl/tokens", tokens()).on("GET", "/v1/acl/token/self", tokens()[0]).
		on("GET", "/v1/acl/token/01KB7M4N0Q90", tokens()[1]).on("PUT", "/v1/acl/token", made).
		on("DELETE", "/v1/acl/token/01KB7M4N0Q90", httpd.Ack{Index: 30, Changed: true}).
		on("DELETE", "/v1/acl/token/gone", httpd.Ack{Index: 30})
}

func TestTokensAreShown(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{
		{"acl", "token", "list"},
		{"acl", "token", "show"},
		{"acl", "token", "show", "01KB7M4N0Q90"},
		{"acl", "token", "create", "-role", "operate", "-ttl", "2h"},
		{"acl", "token", "delete", "01KB7M4N0Q90", "gone"},
		{"acl", "-help"},
	} {
		all.WriteString(shown(args, run{}.do(t, keeper(t), args...)))
	}
	golden(t, "acl", all.String())
}

func TestTokenIsAskedFor(t *testing.T) {
	a := keeper(t)
	r := run{}.do(t, a, "acl", "token", "create", "-role", "read", "-role", "snapshot", "-description", "ci", "-ttl", "12h", "-format=json")
	var made httpd.TokenMade
	if err := json.Unmarshal([]byte(r.out), &made); err != nil || made.Secret != "muster_secret" || r.code != 0 {
		t.Errorf("it answers %+v, %v", r, err)
	}
	if diff := cmp.Diff(`{"roles":["read","snapshot"],"description":"ci","ttl":"12h"}`, a.requests()[0].body); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if r := (run{}).do(t, a, "acl", "token", "create", "-role", "read", "-ttl", "soon"); r.code != 1 || !strings.Contains(r.err, `-ttl "soon" is not a duration`) {
		t.Errorf("a bad span: %+v", r)
	}
}

// TestBootstrapLaysTheProof checks that the proof stands in the data directory, for nobody else to read, while the peer is asked,
// and that nothing is left.
func TestBootstrapLaysTheProof(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "acl-bootstrap")
	var asked httpd.Bootstrap
	a := newAPI(t).do("PUT", "/v1/acl/bootstrap", func(w http.ResponseWriter, _ *http.Request) {
		raw, err := os.ReadFile(path)
		info, _ := os.Stat(path)
		if proof := strings.TrimSpace(string(raw)); err != nil || len(proof) < 32 || info.Mode().Perm() != 0o600 {
			t.Errorf("the proof is %q, %v, %v", proof, info, err)
		} else {
			asked.Proof = proof
		}
		reply(w, http.StatusOK, httpd.TokenMade{TokenRow: tokens()[0], Secret: "muster_first"})
	})
	bootstrap := []string{"acl", "bootstrap", "-data-dir", dir}
	if r := (run{}).do(t, a, bootstrap...); r.code != 1 || !strings.Contains(r.err, "is no data directory of a peer: it holds no peer.json") {
		t.Errorf("elsewhere: %+v", r)
	}
	if err := os.WriteFile(filepath.Join(dir, "peer.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	reset := []string{"operator", "acl-reset", "-data-dir", dir}
	for _, args := range [][]string{bootstrap, append(reset, "-index", "17")} {
		if err := os.WriteFile(path, []byte("left behind"), 0o644); err != nil {
			t.Fatal(err)
		}
		r := run{}.do(t, a, args...)
		if r.code != 0 || !strings.Contains(r.out, "muster_first") || !strings.Contains(r.out, "shown this once") {
			t.Errorf("%q: %+v", args, r)
		}
		requests := a.requests()
		var got httpd.Bootstrap
		if err := json.Unmarshal([]byte(requests[len(requests)-1].body), &got); err != nil || got.Proof != asked.Proof || (got.Index == 17) != (args[0] == "operator") {
			t.Errorf("%q asks %+v, %v", args, got, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the proof is left behind")
		}
	}
	if r := (run{}).do(t, a, reset...); r.code != 1 || !strings.Contains(r.err, "no -index: muster acl bootstrap -data-dir") {
		t.Errorf("without an index: %+v", r)
	}
}

// TestRestoreTellsWhoseTokensAreGood checks what is said before and after, where the peers ask for tokens.
func TestRestoreTellsWhoseTokensAreGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "muster.backup")
	if err := os.WriteFile(path, archive(t, &fsm.TokenCreate{Token: fsm.Token{
		Accessor: "a", Hash: fsm.HashSecret("s"), Rights: []fsm.Right{fsm.MayManage},
	}}), 0o600); err != nil {
		t.Fatal(err)
	}
	for held, says := range map[int]string{
		1: "The backup holds 1 token: only they will be good.\nRestored snapshot; the group goes on in epoch 01NEW\nGood now: the 1 token of the backup, and no others.\n",
		0: "The backup holds 1 token: only they will be good.\nRestored snapshot; the group goes on in epoch 01NEW\n" +
			"It held no tokens, so that none is good now. Make the first one: muster acl bootstrap -data-dir DIR\n",
	} {
		a := newAPI(t).on("GET", "/v1/agent/self", httpd.Self{Member: httpd.Member{ACL: true}}).
			on("PUT", "/v1/snapshot", httpd.Restored{Epoch: "01NEW", ACL: true, Tokens: held})
		if r := (run{}).do(t, a, "snapshot", "restore", path); r.code != 0 || r.out != says {
			t.Errorf("restore: %+v", r)
		}
	}
	a := newAPI(t).on("GET", "/v1/agent/self", httpd.Self{}).on("PUT", "/v1/snapshot", httpd.Restored{Epoch: "01NEW", Tokens: 1})
	if r := (run{}).do(t, a, "snapshot", "restore", path); r.out != "Restored snapshot; the group goes on in epoch 01NEW\n" {
		t.Errorf("without ACLs: %+v", r)
	}
}

func TestMembersTellWhoLetsAnybodyIn(t *testing.T) {
	rows := members()
	rows[0].ACL = true
	rows[3].Status = "left"
	r := run{}.do(t, newAPI(t).on("GET", "/v1/agent/members", rows), "members")
	if !strings.Contains(r.err, "Warning: ACLs are off on peer-b, worker-1 and on elsewhere") {
		t.Errorf("it says %q", r.err)
	}
	for i := range rows {
		rows[i].ACL = true
	}
	if r := (run{}).do(t, newAPI(t).on("GET", "/v1/agent/members", rows), "members"); r.err != "" {
		t.Errorf("where all agree it says %q", r.err)
	}
}

func TestEventsTellOfTokens(t *testing.T) {
	made := fsm.TokenPart{Accessor: "01KB7M4N0Q90", Rights: []fsm.Right{fsm.MayRead, fsm.MaySnapshot}, Description: "ci", Expires: ago(0)}
	manager := fsm.Cause{Kind: fsm.CauseOperator, Accessor: "01KB7M4N0Q8Z"}
	rows := []httpd.Event{
		{Seq: 1, Type: fsm.ACLBootstrapped, After: part(fsm.TokenPart{Accessor: "01KB7M4N0Q8Z", Rights: fsm.Rights}), Cause: fsm.Cause{Kind: fsm.CauseOperator, Address: "127.0.0.1"}},
		{Seq: 2, Type: fsm.TokenCreated, After: part(made), Cause: manager},
		{Seq: 3, Type: fsm.TokenDeleted, Before: part(made), Cause: fsm.Cause{Kind: fsm.CauseGroup}},
	}
	for i := range rows {
		rows[i].Time = ago(time.Minute)
	}
	r := run{}.do(t, newAPI(t).do("GET", "/v1/events", pages(rows)), "event", "list")
	for _, says := range []string{
		"01KB7M4N0Q8Z                read, operate, manage, snapshot (operator 127.0.0.1)",
		`01KB7M4N0Q90                read, snapshot, "ci", until 2026-11-22T10:00:00.000Z (operator 01KB7M4N0Q8Z)`,
		`01KB7M4N0Q90                read, snapshot, "ci", expired 2026-11-22T10:00:00.000Z`,
	} {
		if !strings.Contains(r.out, says) {
			t.Errorf("it does not say %q:\n%s", says, r.out)
		}
	}
}
