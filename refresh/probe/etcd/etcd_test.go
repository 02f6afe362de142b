package etcd_test

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/etcd"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

const (
	leading  = 0xcafe
	settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // the frame that begins what an HTTP/2 server says
)

// leader is the status of a leader.
func leader() *pb.StatusResponse {
	return &pb.StatusResponse{
		Header:  &pb.ResponseHeader{MemberId: leading, ClusterId: 0xbeef, Revision: 3},
		Version: "3.4.23", DbSize: 20480, Leader: leading, RaftIndex: 918, RaftTerm: 2, RaftAppliedIndex: 917,
	}
}

func leaderReport() fsm.Report {
	return fsm.Report{
		Reachable: true, State: fsm.StateUp, Kind: "etcd", Version: "3.4.23", NodeID: "cafe", ClusterID: "beef",
		Shards: []fsm.Shard{{ID: "0", Role: fsm.RolePrimary, Offset: &fsm.Offset{Value: 917, Unit: "index"}}},
	}
}

func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return etcd.New("", env) },
		Serve: (&fake{status: leader()}).serve,
		Want:  leaderReport(),
		Head:  settings,
	})
}

// piped dials handle, once for each connection, whatever the address, which it checks to be the target's.
func piped(t *testing.T, handle func(net.Conn)) refresh.Env {
	t.Helper()
	env := probetest.Piped(t, handle)
	dial := env.Dial
	env.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != target.HostPort() {
			t.Errorf("dialed is %s", address)
		}
		return dial(ctx, network, address)
	}
	return env
}

var target = refresh.Target{Cluster: "keys", Node: "e1", Address: "e1.example", Port: 2379}

func start(t *testing.T, config fsm.JSON, env refresh.Env) refresh.Prober {
	t.Helper()
	return probetest.Start(t, etcd.New, config, env)
}

func TestWhatStatusMeans(t *testing.T) {
	for name, c := range map[string]struct {
		says func(*pb.StatusResponse)
		want func(*fsm.Report)
	}{
		"leader": {func(*pb.StatusResponse) {}, func(*fsm.Report) {}},
		"follower": {
			func(s *pb.StatusResponse) { s.Leader = 7 },
			func(r *fsm.Report) { r.Shards[0].Role = fsm.RoleReplica },
		},
		"learner": {
			func(s *pb.StatusResponse) { s.Leader, s.IsLearner = 7, true },
			func(r *fsm.Report) { r.Shards[0].Role = "learner" },
		},
		"no leader": {
			func(s *pb.StatusResponse) { s.Leader, s.Errors = 0, []string{"etcdserver: no leader"} },
			func(r *fsm.Report) {
				r.Shards[0].Role, r.State, r.StateReason = fsm.RoleReplica, fsm.StateDown, "no_leader"
				r.StateDetail = "the member knows no leader"
			},
		},
		"no space": {
			func(s *pb.StatusResponse) {
				s.Errors = []string{"memberID:7 alarm:NOSPACE ", "memberID:51966  alarm:NOSPACE", "memberID:7 alarm:NOSPACE"}
			},
			func(r *fsm.Report) {
				r.StateReason, r.Attributes = "nospace", map[string]string{"alarms": "NOSPACE 7, NOSPACE cafe"}
			},
		},
		"corrupt": {
			func(s *pb.StatusResponse) {
				s.Leader, s.Errors = 0, []string{"memberID:7 alarm:CORRUPT", "alarm:NOSPACE", "etcdserver: no leader"}
			},
			func(r *fsm.Report) {
				r.Shards[0].Role, r.State, r.StateReason = fsm.RoleReplica, fsm.StateDown, "corrupt"
				r.Attributes = map[string]string{"alarms": "CORRUPT 7, NOSPACE"}
			},
		},
		"before 3.4": {
			func(s *pb.StatusResponse) { s.Version, s.RaftAppliedIndex = "3.3.25", 0 },
			func(r *fsm.Report) { r.Version, r.Shards[0].Offset.Value = "3.3.25", 918 },
		},
		"absurd index": {
			func(s *pb.StatusResponse) { s.RaftAppliedIndex = math.MaxUint64 },
			func(r *fsm.Report) { r.Shards[0].Offset = nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, want := leader(), leaderReport()
			c.says(s)
			c.want(&want)
			want.Node = target.Node
			got := start(t, "", piped(t, (&fake{status: s}).serve)).Probe(t.Context(), target)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatErrorsMean(t *testing.T) {
	large := leader()
	large.Errors = []string{strings.Repeat("x", 300<<10)}
	for name, c := range map[string]struct {
		serve          func(net.Conn)
		reason, detail string
	}{
		"no etcd":         {func(conn net.Conn) { serveOn(grpc.NewServer(), conn) }, fsm.ReasonProtocol, "is no etcd server"},
		"no version":      {(&fake{status: &pb.StatusResponse{}}).serve, fsm.ReasonProtocol, "is no etcd server"},
		"a web server":    {says("HTTP/1.1 400 Bad Request\r\n\r\n"), fsm.ReasonProtocol, "is no etcd server"},
		"a large frame":   {says(settings + "\xff\xff\xff\x00\x00\x00\x00\x00\x00"), fsm.ReasonTooLarge, ""},
		"a large status":  {(&fake{status: large}).serve, fsm.ReasonTooLarge, ""},
		"stopping":        {(&fake{err: rpctypes.ErrGRPCStopped}).serve, fsm.ReasonStore, "server stopped"},
		"too busy":        {(&fake{err: rpctypes.ErrGRPCRequestTooManyRequests}).serve, fsm.ReasonStore, "too many requests"},
		"unable":          {(&fake{err: rpctypes.ErrGRPCNotCapable}).serve, fsm.ReasonProtocol, "not capable"},
		"no login":        {(&fake{err: rpctypes.ErrGRPCUserEmpty}).serve, fsm.ReasonAuth, "role root"},
		"no root":         {(&fake{err: rpctypes.ErrGRPCPermissionDenied}).serve, fsm.ReasonAuth, "role root"},
		"a proxy's no":    {(&fake{err: status.Error(codes.PermissionDenied, "not you")}).serve, fsm.ReasonAuth, "not you"},
		"a proxy's fault": {(&fake{err: status.Error(codes.Internal, "out of luck")}).serve, fsm.ReasonProtocol, "out of luck"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, "", piped(t, c.serve)).Probe(t.Context(), target)
			if r.Reachable || r.Reason != c.reason || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("report is %+v, wanted is the reason %s and %q", r, c.reason, c.detail)
			}
		})
	}
}

// says hears the client out as far as it goes, and answers all of it with a text.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		heard, buf := make(chan struct{}), make([]byte, 4096)
		go func() {
			defer close(heard)
			for {
				if _, err := conn.Read(buf); err != nil {
					return
				}
			}
		}()
		_, _ = conn.Write([]byte(text))
		<-heard
	}
}

// A server that leaves in good order says so between polls, and gRPC closes the connection by itself. It does so once it
// has read that, which GracefulStop waits for.
func TestServerLeavesBetweenPolls(t *testing.T) {
	f := &fake{status: leader()}
	var place net.Addr
	p := start(t, "", refresh.Env{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", place.String())
	}})
	for range 5 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		place = l.Addr()
		s := f.server()
		go func() { _ = s.Serve(l) }()
		r := p.Probe(t.Context(), target)
		s.GracefulStop()
		if !r.Reachable {
			t.Fatalf("report is %+v", r)
		}
	}
}

func TestLoginIsMadeWhenAskedFor(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"right": "battery-staple", "wrong": "hunter2"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := func(file string) fsm.JSON {
		return fsm.JSON(`{"username":"muster","password_file":"` + filepath.Join(dir, file) + `"}`)
	}
	f := &fake{status: leader(), token: "one"}
	env := piped(t, f.serve)
	env.Reveal = reveal
	p := start(t, config("right"), env)
	for range 3 {
		if r := p.Probe(t.Context(), target); !r.Reachable {
			t.Fatalf("report is %+v", r)
		}
	}
	if f.logins != 1 {
		t.Errorf("%d logins for three polls", f.logins)
	}
	f.expire("two")
	if r := p.Probe(t.Context(), target); !r.Reachable || f.logins != 2 {
		t.Errorf("after the token's end: %d logins, report is %+v", f.logins, r)
	}
	r := start(t, config("wrong"), env).Probe(t.Context(), target)
	if r.Reason != fsm.ReasonAuth || strings.Contains(r.Detail, "hunter2") {
		t.Errorf("with a wrong password: report is %+v", r)
	}
	if r := start(t, config("missing"), env).Probe(t.Context(), target); r.Reason != fsm.ReasonAuth {
		t.Errorf("without the file: report is %+v", r)
	}
	f.expire("")
	before := f.logins
	if r := start(t, config("right"), env).Probe(t.Context(), target); !r.Reachable || f.logins != before {
		t.Errorf("a member that does not ask for it: %d logins more, report is %+v", f.logins-before, r)
	}
}

// The address that is dialed is judged by muster's rules only when it is the target's own.
func TestNoProxy(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"} {
		t.Setenv(name, "http://proxy.example:3128")
	}
	p := start(t, "", piped(t, (&fake{status: leader()}).serve))
	if r := p.Probe(t.Context(), target); !r.Reachable {
		t.Errorf("report is %+v", r)
	}
}

func reveal(s refresh.Secret) (string, error) {
	text, err := os.ReadFile(s.File)
	return strings.TrimSpace(string(text)), err
}

func TestConfigRefused(t *testing.T) {
	for config, field := range map[fsm.JSON]string{
		`{"password":"hunter2"}`:                  "refresh.config.password",
		`{"username":"muster"}`:                   "refresh.config.username",
		`{"password_file":"/a"}`:                  "refresh.config.username",
		`{"username":"m","password_file":1}`:      "refresh.config.password_file",
		`{"tls_ca_file":"ca.pem"}`:                "refresh.config.tls_ca_file",
		`{"tls":true,"tls_cert_file":"cert"}`:     "refresh.config.tls_key_file",
		`{"endpoints":["http://somewhere:2379"]}`: "refresh.config.endpoints",
	} {
		_, err := etcd.New(config, refresh.Env{Reveal: reveal})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats the secret: %v", config, err)
		}
	}
}
