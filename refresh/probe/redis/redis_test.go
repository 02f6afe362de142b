package redis_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/redis"
)

const primaryInfo = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\r\n# Memory\r\nmaxmemory:0\r\n" +
	"# Persistence\r\nloading:0\r\n# Replication\r\nrole:master\r\nmaster_repl_offset:918\r\ncluster_enabled:0\r\n"

var primaryReport = fsm.Report{
	Reachable: true, State: fsm.StateUp, Kind: "redis", Version: "7.0.15",
	Shards:     []fsm.Shard{{ID: "0", Role: fsm.RolePrimary, Offset: &fsm.Offset{Value: 918, Unit: "bytes"}}},
	Attributes: map[string]string{"redis_mode": "standalone", "maxmemory": "0"},
}

func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return redis.New("", env) },
		Serve: fake{info: primaryInfo}.serve,
		Want:  primaryReport,
		Head:  "+",
	})
}

// start makes a prober; dial is all it can reach.
func start(t *testing.T, config fsm.JSON, env refresh.Env) refresh.Prober {
	t.Helper()
	return probetest.Start(t, redis.New, config, env)
}

// piped dials handle, once for each connection.
func piped(t *testing.T, handle func(net.Conn)) refresh.Env {
	t.Helper()
	return probetest.Piped(t, handle)
}

const clusterNodes = "aa 10.0.0.1:6379@16379,host slave cc 0 1 2 connected\n" +
	"bb 10.0.0.2:6379@16379 master - 0 1 3 connected 0-5460 5462 [93-<-cc]\n" +
	"cc 10.0.0.3:6379@16379 master,fail? - 0 1 2 connected 5461 5463-16383\n" +
	"dd :0@0 handshake\n"

func TestWhatInfoMeans(t *testing.T) {
	replica := strings.NewReplacer("role:master\r\nmaster_repl_offset:918", "role:slave\r\nmaster_link_status:up\r\n"+
		"master_sync_in_progress:0\r\nslave_repl_offset:917\r\nmaster_repl_offset:917").Replace(primaryInfo)
	offset := &fsm.Offset{Value: 917, Unit: "bytes"}
	for name, c := range map[string]struct {
		info, nodes string
		shard       *fsm.Shard
		state       string
	}{
		"primary": {primaryInfo, "", &primaryReport.Shards[0], fsm.StateUp},
		"replica": {replica, "", &fsm.Shard{ID: "0", Role: fsm.RoleReplica, Offset: offset, LagMS: new(int64)}, fsm.StateUp},
		"link down": {
			strings.Replace(replica, "link_status:up", "link_status:down\r\nmaster_link_down_since_seconds:42", 1), "",
			&fsm.Shard{ID: "0", Role: fsm.RoleReplica, Offset: offset, LagMS: new(int64(42_000))}, fsm.StateUp,
		},
		"link never up": {
			strings.Replace(replica, "link_status:up", "link_status:down\r\nmaster_link_down_since_seconds:-1", 1), "",
			&fsm.Shard{ID: "0", Role: fsm.RoleReplica, Offset: offset}, fsm.StateUp,
		},
		"absurd lag": {
			strings.Replace(replica, "link_status:up", "link_status:down\r\nmaster_link_down_since_seconds:4611686018427387903", 1), "",
			&fsm.Shard{ID: "0", Role: fsm.RoleReplica, Offset: offset, LagMS: new(int64(9223372036854775000))}, fsm.StateUp,
		},
		"taking the whole data": {
			strings.Replace(replica, "sync_in_progress:0", "sync_in_progress:1", 1), "",
			&fsm.Shard{ID: "0", Role: fsm.RoleRecovering, Offset: offset, LagMS: new(int64)}, fsm.StateUp,
		},
		"loading":  {strings.Replace(primaryInfo, "loading:0", "loading:1", 1), "", &primaryReport.Shards[0], fsm.StateJoining},
		"sentinel": {"redis_version:7.0.15\r\nredis_mode:sentinel\r\n", "", nil, fsm.StateUp},
		"primary of a cluster": {
			clustered(primaryInfo), strings.Replace(clusterNodes, "379 master -", "379 myself,master -", 1),
			&fsm.Shard{ID: "0-5460,5462", Role: fsm.RolePrimary, Offset: &fsm.Offset{Value: 918, Unit: "bytes"}}, fsm.StateUp,
		},
		"replica of a cluster": {
			clustered(replica), strings.Replace(clusterNodes, "slave cc", "myself,slave cc", 1),
			&fsm.Shard{ID: "5461,5463-16383", Role: fsm.RoleReplica, Offset: offset, LagMS: new(int64)}, fsm.StateUp,
		},
		"no slots": {clustered(primaryInfo), "aa 10.0.0.1:6379@16379 myself,master - 0 0 0 connected\n", nil, fsm.StateUp},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "", piped(t, fake{info: c.info, nodes: c.nodes}.serve))
			r := p.Probe(t.Context(), refresh.Target{Node: "r1", Address: "r1", Port: 6379})
			if !r.Reachable || r.State != c.state {
				t.Errorf("state is %q, wanted is %q: %+v", r.State, c.state, r)
			}
			var want []fsm.Shard
			if c.shard != nil {
				want = []fsm.Shard{*c.shard}
			}
			if diff := cmp.Diff(want, r.Shards); diff != "" {
				t.Errorf("shards (-want +got):\n%s", diff)
			}
		})
	}
}

// A server that leaves out what it is must not seem to have lost its shard.
func TestHalfAnAnswer(t *testing.T) {
	for name, c := range map[string]struct{ info, nodes, detail string }{
		"no version":    {"role:master\r\n", "", "redis_version"},
		"no role":       {strings.Replace(primaryInfo, "role:", "roll:", 1), "", "role"},
		"no myself":     {clustered(primaryInfo), clusterNodes, "which of them"},
		"nothing more":  {clustered(primaryInfo), "", "which of them"},
		"a line cut up": {clustered(primaryInfo), "bb 10.0.0.2:6379@16379 myself,master -", "which of them"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "", piped(t, fake{info: c.info, nodes: c.nodes}.serve))
			r := p.Probe(t.Context(), refresh.Target{Node: "r1", Address: "r1", Port: 6379})
			if r.Reason != fsm.ReasonProtocol || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("report is %+v, wanted is %q", r, c.detail)
			}
		})
	}
}

func clustered(info string) string {
	return strings.Replace(info, "cluster_enabled:0", "cluster_enabled:1", 1)
}

// Each of these makes the library run out of memory or stack, or wait, if it ever sees them.
func TestHostileReplies(t *testing.T) {
	for name, c := range map[string]struct{ reply, reason string }{
		"a text of 2 GiB":         {"$2147483647\r\n", fsm.ReasonTooLarge},
		"a list of a billion":     {"*1000000000\r\n", fsm.ReasonTooLarge},
		"lists in lists":          {"*2\r\n+k\r\n" + strings.Repeat("*1\r\n", 100_000), fsm.ReasonTooLarge},
		"an endless line":         {"+" + strings.Repeat("x", 2<<20), fsm.ReasonTooLarge},
		"a text of less than all": {"$-7\r\n", fsm.ReasonProtocol},
		"no length":               {"$ten\r\n", fsm.ReasonProtocol},
		"a web server":            {"HTTP/1.1 400 Bad Request\r\n\r\n", fsm.ReasonProtocol},
		"an empty line":           {"\n\n", fsm.ReasonProtocol},
		"a number":                {":12\r\n:12\r\n", fsm.ReasonProtocol},
		"other than INFO":         {"+OK\r\n", fsm.ReasonProtocol},
		"full":                    {"-ERR max number of clients reached\r\n", fsm.ReasonStore},
		"not allowed":             {"-NOPERM this user has no permissions to run the 'info' command\r\n", fsm.ReasonAuth},
		"no login wanted":         {"-ERR Client sent AUTH, but no password is set\r\n", fsm.ReasonAuth},
		"loading":                 {"-LOADING Redis is loading the dataset in memory\r\n", fsm.ReasonStore},
		"in a script":             {"-BUSY Redis is busy running a script.\r\n", fsm.ReasonStore},
		"other refusals":          {"-ERR something else\r\n", fsm.ReasonProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "", piped(t, func(conn net.Conn) {
				buf := make([]byte, 4096)
				for {
					if _, err := conn.Read(buf); err != nil {
						return
					}
					if _, err := conn.Write([]byte(c.reply)); err != nil {
						return
					}
				}
			}))
			if r := p.Probe(t.Context(), refresh.Target{Node: "r1", Address: "r1", Port: 6379}); r.Reason != c.reason {
				t.Errorf("report is %+v, wanted is the reason %q", r, c.reason)
			}
		})
	}
}

// What answers is named, and nothing that it repeats is.
func TestNoRedisServer(t *testing.T) {
	for answer, detail := range map[string]string{
		"SSH-2.0-OpenSSH_9.2\r\n":                        `it answered "SSH-2.0-OpenSSH_9.2\r"`,
		"what is hunter2?\r\n":                           `it answered "what is …?\r"`,
		"unknown command\r\nunknown command hunter2\r\n": `it answered "unknown command\r"`,
		"": "",
	} {
		env := piped(t, func(conn net.Conn) {
			if _, err := conn.Read(make([]byte, 4096)); err == nil {
				_, _ = conn.Write([]byte(answer))
			}
		})
		env.Reveal = func(refresh.Secret) (string, error) { return "hunter2", nil }
		r := start(t, `{"password_env":"REDIS"}`, env).Probe(t.Context(), refresh.Target{Node: "r1", Address: "r1", Port: 6379})
		if r.Reachable || !strings.Contains(r.Detail, detail) || strings.Contains(r.Detail, "hunter2") {
			t.Errorf("%q: report is %+v", answer, r)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	reveal := func(refresh.Secret) (string, error) { return "", nil }
	for config, field := range map[fsm.JSON]string{
		`{"password":"hunter2"}`:                    "refresh.config.password",
		`{"PassWord":"hunter2"}`:                    "refresh.config.PassWord",
		`{"password_file":"/a","password_env":"B"}`: "refresh.config.password_env",
		`{"password_file":["hunter2"]}`:             "refresh.config.password_file",
		`{"username":"muster"}`:                     "refresh.config.username",
		`{"db":1}`:                                  "refresh.config.db",
		`["hunter2"]`:                               "refresh.config",
	} {
		_, err := redis.New(config, refresh.Env{Reveal: reveal})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats the secret: %v", config, err)
		}
	}
	if _, err := redis.New(`{"password_env":"REDIS"}`, refresh.Env{}); !errors.Is(err, fsm.ErrInvalid) {
		t.Errorf("without Reveal: error is %v", err)
	}
}
