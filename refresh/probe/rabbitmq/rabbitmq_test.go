package rabbitmq_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/rabbitmq"
)

// pages is a management plugin by path without query, with one user. A body may begin with another status than 200.
type pages map[string]string

func (p pages) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		status, body := "200", p[request.URL.EscapedPath()]
		user, password, _ := request.BasicAuth()
		switch code, rest, ok := strings.Cut(body, " "); {
		case user != "muster" || password != secrets["right"]:
			status, body = "401", `{"error":"not_authorized","reason":"Login failed"}`
		case ok && len(code) == 3:
			status, body = code, rest
		case body == "":
			status = "404"
		}
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 %s X\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body); err != nil {
			return
		}
	}
}

// with is p with other pages in it.
func (p pages) with(other pages) pages {
	all := maps.Clone(p)
	maps.Copy(all, other)
	return all
}

const login = `"username":"muster","password_file":"right"`

var secrets = map[string]string{"right": "battery-staple", "wrong": "hunter2"}

var healthy = pages{
	"/api/overview":     `{"rabbitmq_version":"3.10.8","cluster_name":"orders","node":"a@host","object_totals":{"queues":5}}`,
	"/api/nodes/a@host": `{"partitions":[],"mem_alarm":false,"disk_free_alarm":false,"name":"a@host","running":true}`,
	"/api/queues": `{"items":[{"name":"c1","type":"classic","vhost":"/"},` +
		`{"leader":"a@host","members":["a@host","c@host","b@host"],"name":"q1","type":"quorum","vhost":"/"},` +
		`{"leader":"b@host","members":["b@host","a@host"],"name":"q/2","type":"quorum","vhost":"eu/west"},` +
		`{"leader":"b@host","members":["c@host","b@host"],"name":"q3","type":"quorum","vhost":"/"},` +
		`{"leader":"a@host","members":["a@host"],"name":"s1","type":"stream","vhost":"/"}],"page":1,"total_count":5}`,
}

var healthyReport = fsm.Report{
	Reachable: true, State: fsm.StateUp, Kind: "rabbitmq", Version: "3.10.8", NodeID: "a@host", ClusterID: "orders",
	Shards: []fsm.Shard{{ID: "%2F/q1", Role: fsm.RolePrimary}, {ID: "eu%2Fwest/q/2", Role: fsm.RoleReplica}},
}

func reveal(s refresh.Secret) (string, error) {
	if text, ok := secrets[s.File]; ok {
		return text, nil
	}
	return "", errors.New("no such secret")
}

func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make: func(env refresh.Env) (refresh.Asker, error) {
			env.Reveal = reveal
			return rabbitmq.New("{"+login+"}", env)
		},
		Serve: healthy.serve,
		Want:  healthyReport,
		Head:  "HTTP/1.1 200 OK\r\n\r\n{\"node\":\"",
		HTTP:  true,
	})
}

// start makes a prober of what may be asked over loopback.
func start(t *testing.T, config fsm.JSON) refresh.Prober {
	t.Helper()
	dialer := poll.NewDialer(poll.Rules{AllowLoopback: true})
	return probetest.Start(t, rabbitmq.New, config, refresh.Env{Dial: dialer.Dial, Reveal: reveal})
}

// ask polls a fake once.
func ask(t *testing.T, config fsm.JSON, serve func(net.Conn)) fsm.Report {
	t.Helper()
	target := probetest.Listen(t, serve)
	target.Node = "a"
	return start(t, config).Probe(t.Context(), target)
}

func TestWhatPagesMean(t *testing.T) {
	node := func(text string) pages { return pages{"/api/nodes/a@host": text} }
	queues := func(total int) pages {
		return pages{
			"/api/overview": fmt.Sprintf(`{"rabbitmq_version":"3.10.8","node":"a@host","cluster_name":"orders",`+
				`"object_totals":{"queues":%d}}`, total),
			"/api/queues": "500 asked",
		}
	}
	for name, c := range map[string]struct {
		pages                 pages
		state, reason, detail string
		shards                int
	}{
		"well":            {nil, fsm.StateUp, "", "", 2},
		"without figures": {node(`{"running":true}`), fsm.StateUp, "", "", 2},
		"memory":          {node(`{"running":true,"mem_alarm":true}`), fsm.StateUp, "memory_alarm", "", 2},
		"disk":            {node(`{"running":true,"disk_free_alarm":true}`), fsm.StateUp, "disk_alarm", "", 2},
		"drained":         {node(`{"running":true,"being_drained":true}`), fsm.StateLeaving, "maintenance", "", 2},
		"stopped":         {node(`{"running":false}`), fsm.StateDown, "not_running", "", 2},
		"no queues":       {queues(0), fsm.StateUp, "", "", 0},
		"too many queues": {queues(501), fsm.StateUp, "", "", 0},
		"all that can be": {
			node(`{"running":true,"mem_alarm":true,"disk_free_alarm":true,"partitions":["c@host","b@host"]}`),
			fsm.StateUp, "network_partition,memory_alarm,disk_alarm", "parted from b@host, c@host", 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, "{"+login+"}", healthy.with(c.pages).serve)
			want := healthyReport
			want.Node, want.State, want.StateReason, want.StateDetail = "a", c.state, c.reason, c.detail
			if want.Shards = want.Shards[:c.shards]; c.shards == 0 {
				want.Shards = nil
			}
			if diff := cmp.Diff(want, r); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
	r := ask(t, `{"queues":false,`+login+"}", healthy.with(pages{"/api/queues": "500 asked"}).serve)
	if len(r.Shards) != 0 || !r.Reachable {
		t.Errorf("without queues: report is %+v", r)
	}
}

func TestNoLeader(t *testing.T) {
	for _, leader := range []string{`"leader":null,`, ""} {
		r := ask(t, "{"+login+"}", healthy.with(pages{
			"/api/queues": `{"items":[{` + leader + `"members":["a@host"],"name":"q1","type":"quorum","vhost":"/"}]}`,
		}).serve)
		if diff := cmp.Diff([]fsm.Shard{{ID: "%2F/q1", Role: fsm.RoleReplica}}, r.Shards); diff != "" {
			t.Errorf("shards (-want +got):\n%s", diff)
		}
	}
}

func TestOtherAnswers(t *testing.T) {
	const other = "is no management port of a RabbitMQ node"
	const version = `{"rabbitmq_version":"3.10.8"}`
	const totals = `{"rabbitmq_version":"3.10.8","node":"a@host","object_totals":{}}`
	clientPort := func(conn net.Conn) { fmt.Fprint(conn, "AMQP\x00\x00\x09\x01") }
	for name, c := range map[string]struct {
		config         fsm.JSON
		serve          func(net.Conn)
		reason, detail string
	}{
		"the client port": {"{" + login + "}", clientPort, fsm.ReasonProtocol, other},
		"another's page":  {"{" + login + "}", pages{"/api/overview": "<html>"}.serve, fsm.ReasonDecode, other},
		"no node":         {"{" + login + "}", pages{"/api/overview": "{}"}.serve, fsm.ReasonProtocol, other},
		"some version":    {"{" + login + "}", healthy.with(pages{"/api/overview": version}).serve, fsm.ReasonProtocol, other},
		"no word of it":   {"{" + login + "}", healthy.with(pages{"/api/nodes/a@host": "{}"}).serve, fsm.ReasonProtocol, "is running"},
		"no totals":       {"{" + login + "}", healthy.with(pages{"/api/overview": totals}).serve, fsm.ReasonProtocol, "how many"},
		"no list":         {"{" + login + "}", healthy.with(pages{"/api/queues": "{}"}).serve, fsm.ReasonProtocol, "lists nothing"},
		"no such page":    {"{" + login + "}", pages{}.serve, fsm.ReasonHTTPStatus, other},
		"no queues page":  {"{" + login + "}", healthy.with(pages{"/api/queues": ""}).serve, fsm.ReasonHTTPStatus, other},
		"wrong password":  {`{"username":"muster","password_file":"wrong"}`, healthy.serve, fsm.ReasonAuth, "set_user_tags"},
		"missing file":    {`{"username":"muster","password_file":"missing"}`, healthy.serve, fsm.ReasonAuth, "no such secret"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, c.config, c.serve)
			if r.Reason != c.reason || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("report is %+v, wanted is the reason %s with %q", r, c.reason, c.detail)
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	for config, field := range map[fsm.JSON]string{
		"":                                     "refresh.config.username",
		`{"username":"muster"}`:                "refresh.config.username",
		`{"password":"hunter2"}`:               "refresh.config.password",
		`{"management_port":-1,` + login + `}`: "refresh.config.management_port",
		`{"queues":"all",` + login + `}`:       "refresh.config.queues",
		`{"token_file":"t",` + login + `}`:     "refresh.config.username",
		`{"vhost":"/",` + login + `}`:          "refresh.config.vhost",
	} {
		_, err := rabbitmq.New(config, refresh.Env{Reveal: reveal})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		}
	}
}
