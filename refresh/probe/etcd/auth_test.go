package etcd_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// gate stands before a member of a release that tells its status to anybody, and is as strict as others are: what only
// root may do decides. Users, passwords, tokens and refusals are the member's own.
type gate struct {
	pb.UnimplementedMaintenanceServer
	pb.UnimplementedAuthServer
	conn *grpc.ClientConn
}

func (g *gate) Status(ctx context.Context, r *pb.StatusRequest) (*pb.StatusResponse, error) {
	if token := metadata.ValueFromIncomingContext(ctx, rpctypes.TokenFieldNameGRPC); len(token) > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, token[0])
	}
	if _, err := pb.NewAuthClient(g.conn).UserList(ctx, &pb.AuthUserListRequest{}); err != nil {
		return nil, err
	}
	return pb.NewMaintenanceClient(g.conn).Status(ctx, r)
}

func (g *gate) Authenticate(ctx context.Context, r *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	return pb.NewAuthClient(g.conn).Authenticate(ctx, r)
}

// open starts a gate before a member and gives its place.
func (g *gate) open(t *testing.T, m *member) refresh.Target {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+m.target.HostPort(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	g.conn = conn
	t.Cleanup(func() { _ = conn.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	pb.RegisterMaintenanceServer(s, g)
	pb.RegisterAuthServer(s, g)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return refresh.Target{Cluster: "keys", Node: "gate", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}

func TestPasswords(t *testing.T) {
	probetest.Real(t)
	m := run(t, []string{"a"})[0]
	admin := m.admin(t)
	for user, password := range map[string]string{"root": "battery-staple", "muster": "correct-horse"} {
		if _, err := admin.UserAdd(t.Context(), user, password); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := admin.UserGrantRole(t.Context(), "root", "root"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.AuthEnable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := start(t, "", loopback()).Probe(t.Context(), m.target); !r.Reachable || r.Shards[0].Role != fsm.RolePrimary {
		t.Errorf("this release tells its status to anybody, yet: report is %+v", r)
	}

	strict := new(gate).open(t, m)
	dir := t.TempDir()
	for name, c := range map[string]struct{ user, password, reason, detail string }{
		"root":           {"root", "battery-staple", "", ""},
		"another user":   {"muster", "correct-horse", fsm.ReasonAuth, "lacks the role root"},
		"wrong password": {"root", "hunter2", fsm.ReasonAuth, "invalid user ID or password"},
		"unknown user":   {"nobody", "hunter2", fsm.ReasonAuth, "invalid user ID or password"},
		"no user":        {"", "", fsm.ReasonAuth, "no user is named"},
	} {
		t.Run(name, func(t *testing.T) {
			config := fsm.JSON("")
			if c.user != "" {
				file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
				if err := os.WriteFile(file, []byte(c.password+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				config = fsm.JSON(`{"username":"` + c.user + `","password_file":"` + file + `"}`)
			}
			p := start(t, config, loopback())
			for range 2 {
				r := p.Probe(t.Context(), strict)
				if r.Reachable != (c.reason == "") || r.Reason != c.reason || !strings.Contains(r.Detail, c.detail) {
					t.Errorf("report is %+v, wanted is the reason %q with %q", r, c.reason, c.detail)
				}
				if strings.Contains(r.Detail, c.password) && c.password != "" {
					t.Errorf("the report holds the password: %s", r.Detail)
				}
			}
		})
	}
}

func TestAlarms(t *testing.T) {
	probetest.Real(t)
	m := run(t, []string{"a"})[0]
	p := start(t, "", loopback())
	id := p.Probe(t.Context(), m.target).NodeID
	raise := func(kind pb.AlarmType) fsm.Report {
		conn := m.admin(t).ActiveConnection()
		self, err := pb.NewMaintenanceClient(conn).Status(t.Context(), &pb.StatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = pb.NewMaintenanceClient(conn).Alarm(t.Context(), &pb.AlarmRequest{
			Action: pb.AlarmRequest_ACTIVATE, MemberID: self.Header.MemberId, Alarm: kind,
		})
		if err != nil {
			t.Fatal(err)
		}
		return p.Probe(t.Context(), m.target)
	}
	r := raise(pb.AlarmType_NOSPACE)
	if r.State != fsm.StateUp || r.StateReason != "nospace" || r.Attributes["alarms"] != "NOSPACE "+id {
		t.Errorf("without space: report is %+v", r)
	}
	r = raise(pb.AlarmType_CORRUPT)
	if r.State != fsm.StateDown || r.StateReason != "corrupt" || r.Attributes["alarms"] != "CORRUPT "+id+", NOSPACE "+id {
		t.Errorf("corrupt: report is %+v", r)
	}
}
