package zookeeper_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/zookeeper"
)

const follower = "Zookeeper version: 3.8.4-9316c2a7a97e1666d8f4593f34dd6fc36ecc436c, built on 2024-02-12 22:16 UTC\n" +
	"Latency min/avg/max: 0/0.5/3\nReceived: 2\nSent: 1\nConnections: 1\nOutstanding: 0\nZxid: 0x100000002\n" +
	"Mode: follower\nNode count: 5\n"

func followerReport() fsm.Report {
	return fsm.Report{
		Reachable: true, State: fsm.StateUp, Kind: "zookeeper", Version: "3.8.4",
		Shards: []fsm.Shard{{ID: "0", Role: fsm.RoleReplica, Offset: &fsm.Offset{Value: 1<<32 + 2, Unit: "zxid"}}},
	}
}

// answers is a server that answers the one word.
func answers(text string) func(net.Conn) {
	return func(conn net.Conn) {
		var asked [4]byte
		if _, err := io.ReadFull(conn, asked[:]); err == nil && string(asked[:]) == "srvr" {
			_, _ = io.WriteString(conn, text)
		}
	}
}

func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return zookeeper.New("", env) },
		Serve: answers(follower),
		Want:  followerReport(),
		Head:  "Zookeeper version: ",
	})
}

func start(t *testing.T, config fsm.JSON, env refresh.Env) refresh.Prober {
	t.Helper()
	return probetest.Start(t, zookeeper.New, config, env)
}

// ask polls a server that does as handle does with its one connection.
func ask(t *testing.T, handle func(net.Conn)) fsm.Report {
	t.Helper()
	target := probetest.Listen(t, handle)
	target.Node = "z1"
	env := refresh.Env{Dial: poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial}
	return start(t, "", env).Probe(t.Context(), target)
}

func TestWhatAnswersMean(t *testing.T) {
	in := func(old, replacement string) string { return strings.Replace(follower, old, replacement, 1) }
	mode := func(word string) string { return in("follower", word) }
	roled := func(role string) fsm.Report {
		r := followerReport()
		r.Shards[0].Role = role
		return r
	}
	versioned := func(version string) fsm.Report {
		r := followerReport()
		r.Version = version
		return r
	}
	readOnly := roled("read-only")
	readOnly.State, readOnly.StateReason = fsm.StateDown, "read_only"
	readOnly.StateDetail = "the server lost the quorum and serves old reads alone"
	none := followerReport()
	none.Shards[0].Offset = nil
	for name, c := range map[string]struct {
		answer string
		want   fsm.Report
	}{
		"leader":          {mode("leader") + "Proposal sizes last/min/max: 36/32/48\n", roled(fsm.RolePrimary)},
		"follower":        {follower, followerReport()},
		"standalone":      {mode("standalone"), roled(fsm.RolePrimary)},
		"observer":        {mode("observer"), roled("observer")},
		"read-only":       {mode("read-only"), readOnly},
		"a Debian build":  {in("9316c2a7a97e1666d8f4593f34dd6fc36ecc436c", "${mvngit.commit.id}"), followerReport()},
		"a first release": {in("3.8.4-", "3.9.0-beta-"), versioned("3.9.0-beta")},
		"no zxid":         {in("Zxid: 0x100000002\n", ""), none},
		"no such zxid":    {in("0x100000002", "0xffffffffffffffff"), none},
		"not serving": {"This ZooKeeper instance is not currently serving requests\n", fsm.Report{
			Reachable: true, State: fsm.StateDown, StateReason: "not_serving",
			StateDetail: "the server takes part in no quorum: it looks for a leader, or starts",
			Kind:        "zookeeper", Shards: []fsm.Shard{{ID: "0", Role: "looking"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.Node = "z1"
			if diff := cmp.Diff(c.want, ask(t, answers(c.answer))); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	noMode, _, _ := strings.Cut(follower, "ower\n")
	noZxid, _, _ := strings.Cut(follower, "02\nMode")
	for name, c := range map[string]struct{ answer, reason, detail string }{
		"not allowed":  {"srvr is not executed because it is not in the whitelist.\n", fsm.ReasonAuth, "4lw.commands.whitelist"},
		"a web server": {"HTTP/1.1 400 Bad Request\r\n\r\n", fsm.ReasonProtocol, "is no ZooKeeper server"},
		"a mode cut":   {noMode, fsm.ReasonProtocol, "no mode"},
		"a zxid cut":   {noZxid, fsm.ReasonProtocol, "no mode"},
		"no mode":      {"Zookeeper version: 3.8.4\n", fsm.ReasonProtocol, "is no ZooKeeper server"},
		"no version":   {"Mode: leader\n", fsm.ReasonProtocol, "is no ZooKeeper server"},
		"nothing":      {"", fsm.ReasonReset, ""},
		"too much":     {strings.Repeat("Mode: leader\n", 10_000), fsm.ReasonTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, answers(c.answer))
			if r.Reachable || r.Reason != c.reason || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("report is %+v, wanted is the reason %s and %q", r, c.reason, c.detail)
			}
		})
	}
}

func TestConnectionIsNotKept(t *testing.T) {
	gone := make(chan struct{})
	r := ask(t, func(conn net.Conn) {
		answers(follower)(conn)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		close(gone)
	})
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Errorf("the connection is still open after the report %+v", r)
	}
}

func TestConfigRefused(t *testing.T) {
	for config, field := range map[fsm.JSON]string{
		`{"password":"hunter2"}`:                "refresh.config.password",
		`{"username":"muster"}`:                 "refresh.config.username",
		`{"tls_server_name":"zk.example"}`:      "refresh.config.tls_server_name",
		`{"tls":true,"tls_key_file":"key.pem"}`: "refresh.config.tls_cert_file",
		`{"tls":"yes"}`:                         "refresh.config.tls",
	} {
		_, err := zookeeper.New(config, refresh.Env{Reveal: func(refresh.Secret) (string, error) { return "", nil }})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		}
	}
}
