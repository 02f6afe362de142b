package mongodb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/mongodb"
)

const login = `{"username":"muster","password_env":"MONGODB"}`

func TestLogin(t *testing.T) {
	both := []string{"SCRAM-SHA-1", "SCRAM-SHA-256"}
	for name, u := range map[string]user{
		"SCRAM-SHA-256":             {name: "muster", mechanisms: both},
		"SCRAM-SHA-1":               {name: "muster", mechanisms: both[:1]},
		"before 4.0":                {name: "muster", longWay: true},
		"the long way":              {name: "muster", mechanisms: both, longWay: true},
		"SCRAM-SHA-1, the long way": {name: "muster", mechanisms: both[:1], longWay: true},
	} {
		t.Run(name, func(t *testing.T) {
			u.password = "hunter2"
			server := fake{answers: replica(1, 0), user: &u}.serve
			if r := start(t, login, piped(t, "hunter2", server)).Probe(t.Context(), target); !r.Reachable || len(r.Shards) != 1 {
				t.Errorf("report is %+v", r)
			}
			r := start(t, login, piped(t, "hunter3", server)).Probe(t.Context(), target)
			if r.Reason != fsm.ReasonAuth || strings.Contains(r.Detail, "hunter") {
				t.Errorf("with a wrong password the report is %+v", r)
			}
		})
	}
}

func TestLoginRefused(t *testing.T) {
	known := user{name: "muster", password: "hunter2", mechanisms: []string{"SCRAM-SHA-256"}}
	stranger, external, endless := known, known, known
	stranger.name = "else"
	external.mechanisms = []string{"PLAIN", "MONGODB-X509"}
	endless.iterations = 2_000_000_000
	for name, c := range map[string]struct {
		user     user
		password string
		detail   string
	}{
		"no such user":       {stranger, "hunter2", "wrong username or password"},
		"not by SCRAM":       {external, "hunter2", "only by PLAIN, MONGODB-X509"},
		"billions of rounds": {endless, "hunter2", "iterations"},
		"no text":            {known, "hunter\x002", "what a login cannot"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, login, piped(t, c.password, fake{answers: replica(1, 0), user: &c.user}.serve))
			r := p.Probe(t.Context(), target)
			if r.Reason != fsm.ReasonAuth || !strings.Contains(r.Detail, c.detail) || strings.Contains(r.Detail, "hunter") {
				t.Errorf("report is %+v", r)
			}
		})
	}
}

// Somebody who does not know the password says that the login is done.
func TestServerThatKnowsNoPassword(t *testing.T) {
	yes := map[string]any{
		"hello": hello(), "saslStart": append(hello(), e("done", true), e("payload", []byte("v=QUFBQQ=="))),
		"buildInfo": build, "replSetGetStatus": status(1, 0),
	}
	r := start(t, login, piped(t, "hunter2", fake{answers: yes}.serve)).Probe(t.Context(), target)
	if r.Reason != fsm.ReasonAuth {
		t.Errorf("report is %+v", r)
	}
}

// hello, and no more, is answered to those who are not logged in.
func TestWithoutLogin(t *testing.T) {
	server := fake{answers: replica(2, 0, e("secondary", true)), user: &user{name: "muster", password: "hunter2"}}.serve
	r := start(t, "", piped(t, "", server)).Probe(t.Context(), target)
	if !r.Reachable || len(r.Shards) != 1 || r.Shards[0].Role != fsm.RoleReplica || r.Version != "7.0" {
		t.Errorf("report is %+v", r)
	}
	if !strings.Contains(r.StateDetail, "clusterMonitor") {
		t.Errorf("the detail does not say what is missing: %q", r.StateDetail)
	}
}

func TestConfigRefused(t *testing.T) {
	reveal := func(refresh.Secret) (string, error) { return "", nil }
	for config, field := range map[fsm.JSON]string{
		`{"password":"hunter2"}`:      "password",
		`{"username":"muster"}`:       "username",
		`{"password_env":"M"}`:        "username",
		`{"auth_source":"orders"}`:    "auth_source",
		`{"tls_server_name":"x"}`:     "tls_server_name",
		`{"replica_set":"orders-rs"}`: "replica_set",

		`{"username":"muster","password_env":"M","auth_source":"$external"}`: "auth_source",
		`{"username":"muster","password_env":"M","auth_source":""}`:          "auth_source",
		`{"username":"muster","password_env":"M","auth_source":"a.b"}`:       "auth_source",
	} {
		_, err := mongodb.New(config, refresh.Env{Reveal: reveal})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields["refresh.config."+field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		}
	}
}
