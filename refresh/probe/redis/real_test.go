package redis_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

func loopback() refresh.Env {
	return refresh.Env{
		Dial: poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial,
		Reveal: func(s refresh.Secret) (string, error) {
			text, err := os.ReadFile(s.File)
			return strings.TrimSpace(string(text)), err
		},
	}
}

// want checks the one shard that a server reports, and gives its offset.
func want(t *testing.T, p refresh.Prober, s *server, role string) int64 {
	t.Helper()
	r := p.Probe(t.Context(), s.target)
	if !r.Reachable || r.State != fsm.StateUp || r.Kind != "redis" || r.Version == "" || r.NodeID != "" {
		t.Fatalf("report is %+v", r)
	}
	if len(r.Shards) != 1 || r.Shards[0].ID != "0" || r.Shards[0].Role != role || r.Shards[0].Offset == nil {
		t.Fatalf("shards are %+v, wanted is the role %s", r.Shards, role)
	}
	if lag := r.Shards[0].LagMS; role == fsm.RoleReplica && (lag == nil || *lag != 0) || role == fsm.RolePrimary && lag != nil {
		t.Errorf("%s has lag %v", role, lag)
	}
	return r.Shards[0].Offset.Value
}

func TestPrimaryAndReplica(t *testing.T) {
	before := goleak.IgnoreCurrent()
	a, b := run(t, "a", ""), run(t, "b", "")
	p := start(t, "", loopback())
	want(t, p, a, fsm.RolePrimary)
	want(t, p, b, fsm.RolePrimary)

	b.follows(t, a)
	a.do(t, "SET", "key", strings.Repeat("v", 1000))
	written := want(t, p, a, fsm.RolePrimary)
	a.do(t, "WAIT", 1, 20_000)
	if got := want(t, p, b, fsm.RoleReplica); got < written || written < 1000 {
		t.Errorf("the replica is at %d, the primary was at %d", got, written)
	}

	b.do(t, "REPLICAOF", "NO", "ONE")
	a.do(t, "REPLICAOF", b.target.Address, b.target.Port)
	a.Await(t, "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.")
	want(t, p, b, fsm.RolePrimary)
	want(t, p, a, fsm.RoleReplica)

	b.Kill()
	a.Await(t, "Connection with master lost")
	if r := p.Probe(t.Context(), b.target); r.Reason != fsm.ReasonRefused {
		t.Errorf("stopped: report is %+v", r)
	}
	r := p.Probe(t.Context(), a.target)
	if r.Attributes["master_link_status"] != "down" || r.Shards[0].Role != fsm.RoleReplica || r.Shards[0].LagMS == nil {
		t.Errorf("without its primary: report is %+v", r)
	}

	b.start(t)
	want(t, p, b, fsm.RolePrimary)
	p.Close()
	a.Kill()
	b.Kill()
	_, _ = a.admin.Close(), b.admin.Close()
	goleak.VerifyNone(t, before)
}

// TestFailover checks that a failover is told once, whatever is between.
func TestFailover(t *testing.T) {
	a, b := run(t, "a", ""), run(t, "b", "")
	b.follows(t, a)
	roll := probetest.NewRoll(start(t, "", loopback()), a.target, b.target)
	roll.Round(t)
	if roll.Leader("0") != "a" {
		t.Fatalf("the leader is %q", roll.Leader("0"))
	}
	a.Kill()
	roll.Round(t)
	b.do(t, "REPLICAOF", "NO", "ONE")
	told := roll.Until(t, "b leads", func(*fsm.View) bool { return roll.Leader("0") == "b" })
	a.start(t)
	a.follows(t, b)
	told = append(told, roll.Until(t, "a follows", func(v *fsm.View) bool {
		s := v.Nodes["a"].Shard("0")
		return v.Nodes["a"].Well() && s != nil && s.Role == fsm.RoleReplica
	})...)
	if diff := cmp.Diff([]fsm.EventType{fsm.ShardPrimaryChanged}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestRestartBetweenPolls(t *testing.T) {
	a := run(t, "a", "")
	p := start(t, "", loopback())
	want(t, p, a, fsm.RolePrimary)
	a.Kill()
	a.start(t)
	want(t, p, a, fsm.RolePrimary)
}

func TestPasswords(t *testing.T) {
	const secret = "correct-horse"
	a := run(t, "a", secret, "--requirepass", secret)
	a.do(t, "ACL", "SETUSER", "muster", "on", ">battery-staple", "+info", "+cluster|nodes")
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return `"password_file":"` + path + `"`
	}
	for name, c := range map[string]struct {
		config fsm.JSON
		reason string
	}{
		"right":        {fsm.JSON("{" + file("right", secret) + "}"), ""},
		"of a user":    {fsm.JSON(`{"username":"muster",` + file("user", "battery-staple") + "}"), ""},
		"none":         {"", fsm.ReasonAuth},
		"wrong":        {fsm.JSON("{" + file("wrong", "hunter2") + "}"), fsm.ReasonAuth},
		"unknown user": {fsm.JSON(`{"username":"nobody",` + file("other", secret) + "}"), fsm.ReasonAuth},
		"missing file": {`{"password_file":"/does/not/exist"}`, fsm.ReasonAuth},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, c.config, loopback())
			for range 2 {
				r := p.Probe(t.Context(), a.target)
				if r.Reason != c.reason || r.Reachable != (c.reason == "") {
					t.Errorf("report is %+v, wanted is the reason %q", r, c.reason)
				}
				if strings.Contains(r.Detail, secret) || strings.Contains(r.Detail, "hunter2") {
					t.Errorf("the report holds the password: %s", r.Detail)
				}
			}
		})
	}

	env := loopback()
	env.Reveal = func(s refresh.Secret) (string, error) {
		if s != (refresh.Secret{Variable: "REDIS_PASSWORD"}) {
			return "", errors.New("no such secret")
		}
		return secret, nil
	}
	if r := start(t, `{"password_env":"REDIS_PASSWORD"}`, env).Probe(t.Context(), a.target); !r.Reachable {
		t.Errorf("from the environment: report is %+v", r)
	}
}

// Redis repeats the arguments of a command that it does not know.
func TestPasswordIsNotRepeated(t *testing.T) {
	long := strings.Repeat("hunter2-", 40)
	for name, c := range map[string]struct{ password, detail string }{
		"short": {"hunter2", "unknown command 'auth'"},
		"long":  {long, "unknown command 'auth'"},
	} {
		t.Run(name, func(t *testing.T) {
			a := run(t, "a", "", "--rename-command", "AUTH", "")
			env := loopback()
			env.Reveal = func(refresh.Secret) (string, error) { return c.password, nil }
			r := start(t, `{"username":"muster","password_env":"REDIS"}`, env).Probe(t.Context(), a.target)
			if r.Reason != fsm.ReasonAuth || !strings.Contains(r.Detail, c.detail) || strings.Contains(r.Detail, "hunter2") {
				t.Errorf("report is %+v", r)
			}
		})
	}
	env := loopback()
	env.Reveal = func(refresh.Secret) (string, error) { return "hunter2", nil }
	r := start(t, `{"password_env":"REDIS"}`, env).Probe(t.Context(), run(t, "a", "").target)
	if !r.Reachable { // the user default lets in whoever comes
		t.Errorf("a password where none is wanted: report is %+v", r)
	}
}

// A server that loads its data tells its role, and not its slots.
func TestLoadingInClusterMode(t *testing.T) {
	dir := t.TempDir()
	a := run(t, "a", "", "--cluster-enabled", "yes", "--enable-debug-command", "yes", "--dir", dir)
	a.do(t, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	a.do(t, "DEBUG", "POPULATE", 5000, "key", 10)
	a.do(t, "SAVE")
	a.Kill()
	a.Args = append(a.Args, "--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
	a.Start(t)
	a.Await(t, "Loading RDB")
	r := start(t, "", loopback()).Probe(t.Context(), a.target)
	if r.Reason != fsm.ReasonStore || !strings.Contains(r.Detail, "LOADING") {
		t.Errorf("report is %+v", r)
	}
}

func TestClusterMode(t *testing.T) {
	a := run(t, "a", "", "--cluster-enabled", "yes")
	p := start(t, "", loopback())
	if r := p.Probe(t.Context(), a.target); !r.Reachable || len(r.Shards) != 0 {
		t.Errorf("without slots: report is %+v", r)
	}
	a.do(t, "CLUSTER", "ADDSLOTSRANGE", 0, 5460)
	a.do(t, "CLUSTER", "ADDSLOTS", 16383)
	r := p.Probe(t.Context(), a.target)
	ids := []string{}
	for _, s := range r.Shards {
		ids = append(ids, s.ID+" "+s.Role)
	}
	if diff := cmp.Diff([]string{"0-5460,16383 primary"}, ids); diff != "" || r.Attributes["redis_mode"] != "cluster" {
		t.Errorf("report is %+v (-want +got):\n%s", r, diff)
	}
}
