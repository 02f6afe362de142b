package memcached_test

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
	"github.com/musterhq/muster/refresh/probe/memcached"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

const stats = "STAT pid 7\r\nSTAT version 1.6.18\r\nSTAT max_connections 1024\r\nSTAT curr_items 12\r\n" +
	"STAT limit_maxbytes 67108864\r\nSTAT threads 4\r\nEND\r\n"

var report = fsm.Report{
	Reachable: true, State: fsm.StateUp, Kind: "memcached", Version: "1.6.18",
	Attributes: map[string]string{"limit_maxbytes": "67108864", "max_connections": "1024", "threads": "4"},
}

// says answers every line with the same text.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return memcached.New("", env) },
		Serve: says(stats),
		Want:  report,
		Head:  "STAT version ",
	})
}

// loopback is what probers of these tests may reach, with one secret in a file and one in the environment.
func loopback() refresh.Env {
	return refresh.Env{
		Dial: poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial,
		Reveal: func(s refresh.Secret) (string, error) {
			if text, ok := secrets[s.File+s.Variable]; ok {
				return text, nil
			}
			return "", errors.New("no such secret")
		},
	}
}

var secrets = map[string]string{"right": "battery-staple", "wrong": "hunter2", "RIGHT": "battery-staple"}

func start(t *testing.T, config fsm.JSON) refresh.Prober {
	t.Helper()
	return probetest.Start(t, memcached.New, config, loopback())
}

// listen answers each connection with handle until the test ends.
func listen(t *testing.T, handle func(net.Conn)) refresh.Target {
	t.Helper()
	target := probetest.Listen(t, handle)
	target.Node = "m1"
	return target
}

func TestOtherAnswers(t *testing.T) {
	for name, c := range map[string]struct{ text, reason, detail string }{
		"a Redis server": {"-ERR unknown command 'stats'\r\n", fsm.ReasonProtocol, "is no memcached server: it answered \"-ERR"},
		"a web server":   {"HTTP/1.1 400 Bad Request\r\n\r\n", fsm.ReasonProtocol, "is no memcached server"},
		"no statistics":  {"END\r\n", fsm.ReasonProtocol, "hold no version"},
		"full":           {"ERROR Too many open connections\r\n", fsm.ReasonStore, "Too many open connections"},
		"out of memory":  {"SERVER_ERROR out of memory preparing response\r\n", fsm.ReasonStore, "out of memory"},
		"wants a login":  {"CLIENT_ERROR unauthenticated\r\n", fsm.ReasonAuth, "set username and password_file"},
		"no end":         {strings.Repeat("STAT x y\r\n", 10_000), fsm.ReasonTooLarge, "longer than 65536 bytes"},
		"ends within":    {"STAT version 1.6.18\r\nERROR\r\n", fsm.ReasonProtocol, "is no memcached server"},
	} {
		t.Run(name, func(t *testing.T) {
			target := listen(t, says(c.text))
			p := start(t, "")
			r := p.Probe(t.Context(), target)
			p.Close()
			if r.Reason != c.reason || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("report is %+v, wanted is %s with %q", r, c.reason, c.detail)
			}
		})
	}
}

// A server without -Y would store the password.
func TestNoCredentialsUnasked(t *testing.T) {
	heard := make(chan string, 8)
	t.Cleanup(func() { // when the server has ended
		close(heard)
		for line := range heard {
			if line != "stats" {
				t.Errorf("the server was sent %q", line)
			}
		}
	})
	target := listen(t, func(conn net.Conn) {
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			heard <- lines.Text()
			_, _ = io.WriteString(conn, stats)
		}
	})
	p := start(t, `{"username":"muster","password_file":"right"}`)
	want := report
	want.Node = "m1"
	for range 2 {
		if diff := cmp.Diff(want, p.Probe(t.Context(), target)); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	}
	p.Close()
}

// What a server repeats of a login is not told.
func TestCredentialsAreNotRepeated(t *testing.T) {
	target := listen(t, func(conn net.Conn) {
		answer := "CLIENT_ERROR unauthenticated"
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "set ") {
				answer = "what is"
				continue
			}
			if lines.Text() != "stats" {
				answer += " " + lines.Text()
			}
			_, _ = io.WriteString(conn, answer+"\r\n")
		}
	})
	p := start(t, `{"username":"muster","password_file":"right"}`)
	r := p.Probe(t.Context(), target)
	p.Close()
	if r.Reason != fsm.ReasonAuth || !strings.Contains(r.Detail, "muster …") {
		t.Errorf("report is %+v", r)
	}
}

func TestConfigRefused(t *testing.T) {
	for config, field := range map[fsm.JSON]string{
		`{"password":"hunter2"}`:                                  "refresh.config.password",
		`{"username":"muster"}`:                                   "refresh.config.username",
		`{"password_file":"a"}`:                                   "refresh.config.username",
		`{"username":"m","password_file":"a","password_env":"B"}`: "refresh.config.password_env",
		`{"tls_ca_file":"ca.pem"}`:                                "refresh.config.tls_ca_file",
		`{"port":11211}`:                                          "refresh.config.port",
	} {
		_, err := memcached.New(config, loopback())
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		}
	}
}
