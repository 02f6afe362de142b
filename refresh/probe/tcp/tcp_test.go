package tcp_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/tcp"
)

func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make: func(env refresh.Env) (refresh.Asker, error) {
			return tcp.New(`{"send":"version\r\n","expect":"VERSION ","kind":"memcached"}`, env)
		},
		Serve: func(conn net.Conn) {
			lines := bufio.NewScanner(conn)
			for lines.Scan() {
				_, _ = io.WriteString(conn, "VERSION 1.6.18\r\n")
			}
		},
		Want: fsm.Report{Reachable: true, State: fsm.StateUp, Kind: "memcached"},
		Head: "VER",
	})
}

func TestConnectIsEnough(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	target := refresh.Target{Node: "m1", Address: addr.IP.String(), Port: addr.Port}
	d := poll.NewDialer(poll.Rules{AllowLoopback: true})
	asker, err := tcp.New("", refresh.Env{Dial: d.Dial})
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	p := asker.(refresh.Prober)
	// Nobody accepts: the kernel does.
	want := fsm.Report{Node: "m1", Reachable: true, State: fsm.StateUp}
	if diff := cmp.Diff(want, p.Probe(t.Context(), target)); diff != "" {
		t.Errorf("listening (-want +got):\n%s", diff)
	}
	_ = l.Close()
	if r := p.Probe(t.Context(), target); r.Reason != fsm.ReasonRefused {
		t.Errorf("not listening: report is %+v", r)
	}
}

func TestConfigRefused(t *testing.T) {
	for config, field := range map[fsm.JSON]string{
		`{"send":"x"}`:     "refresh.config.expect",
		`{"expect":1}`:     "refresh.config.expect",
		`{"timeout":"3s"}`: "refresh.config.timeout",
		`{"send":"` + fsm.JSON(strings.Repeat("x", 257)) + `","expect":"y"}`: "refresh.config.send",
		`{"expect":"` + fsm.JSON(strings.Repeat("x", 257)) + `"}`:            "refresh.config.expect",
	} {
		_, err := tcp.New(config, refresh.Env{})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%.40s: error is %v, wanted is one on %s", config, err, field)
		}
	}
}
