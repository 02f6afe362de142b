package kafka_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/kafka"
)

const login = `{"username":"muster","password_env":"KAFKA","sasl":%q}`

func TestLogin(t *testing.T) {
	for word, mechanism := range map[string]string{
		"plain-unencrypted": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512",
	} {
		t.Run(word, func(t *testing.T) {
			c := brokers(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(mechanism, "muster", "hunter2"))
			config, to := fsm.JSON(fmt.Sprintf(login, word)), target(t, c, 0)
			expectShards(t, ask(t, start(t, config, env("hunter2")), to), "controller primary")
			r := ask(t, start(t, config, env("hunter3")), to) // kfake hangs up
			if r.Reason != fsm.ReasonAuth || strings.Contains(r.Detail, "hunter") {
				t.Errorf("with a wrong password the report is %+v", r)
			}
			unreadable := env("")
			unreadable.Reveal = func(refresh.Secret) (string, error) { return "", errors.New("no such file") }
			if r := ask(t, start(t, config, unreadable), to); r.Reason != fsm.ReasonAuth {
				t.Errorf("without a password the report is %+v", r)
			}
			if r := ask(t, start(t, "", env("")), to); r.Reason != fsm.ReasonReset {
				t.Errorf("without a login the report is %+v", r)
			}
		})
	}
}

func TestMechanismNotOffered(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "muster", "hunter2"))
	always(c, int16(kmsg.SASLHandshake), func(r kmsg.Request) kmsg.Response {
		answer := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		answer.ErrorCode, answer.SupportedMechanisms = kerr.UnsupportedSaslMechanism.Code, []string{"GSSAPI"}
		return answer
	})
	r := ask(t, start(t, fsm.JSON(fmt.Sprintf(login, "scram-sha-512")), env("hunter2")), target(t, c, 0))
	if r.Reason != fsm.ReasonAuth || !strings.Contains(r.Detail, "it offers GSSAPI") {
		t.Errorf("report is %+v", r)
	}
}

// A broker that knows the password may say anything.
func TestWhatARefusalSaysIsLeftOut(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "muster", "hunter2"))
	always(c, int16(kmsg.SASLAuthenticate), func(r kmsg.Request) kmsg.Response {
		answer := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
		answer.ErrorMessage = new("hunter2 is wrong")
		return answer
	})
	r := ask(t, start(t, fsm.JSON(fmt.Sprintf(login, "plain-unencrypted")), env("hunter2")), target(t, c, 0))
	if r.Reason != fsm.ReasonAuth || strings.Contains(r.Detail, "hunter2") {
		t.Errorf("report is %+v", r)
	}
}

// One short message must not keep a processor busy for hours.
func TestEndlessScram(t *testing.T) {
	c := brokers(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "muster", "hunter2"))
	always(c, int16(kmsg.SASLAuthenticate), func(r kmsg.Request) kmsg.Response {
		_, first, _ := strings.Cut(string(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes), "r=")
		answer := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.SASLAuthBytes = []byte("r=" + first + "x,s=c2FsdA==,i=2000000000")
		return answer
	})
	r := ask(t, start(t, fsm.JSON(fmt.Sprintf(login, "scram-sha-512")), env("hunter2")), target(t, c, 0))
	if r.Reason != fsm.ReasonAuth || !strings.Contains(r.Detail, "iterations") {
		t.Errorf("report is %+v", r)
	}
}

// rights are those that the documentation names, less one.
func rights(without int) []kfake.ACL {
	all := []kfake.ACL{
		{Resource: kmsg.ACLResourceTypeCluster, Name: "kafka-cluster", Operation: kmsg.ACLOperationDescribeConfigs},
		{Resource: kmsg.ACLResourceTypeCluster, Name: "kafka-cluster", Operation: kmsg.ACLOperationDescribe},
		{Resource: kmsg.ACLResourceTypeTopic, Name: "*", Operation: kmsg.ACLOperationDescribe},
	}
	for i := range all {
		all[i].Pattern, all[i].Allow = kmsg.ACLResourcePatternTypeLiteral, true
	}
	return slices.Delete(all, without, without+1)
}

func TestRights(t *testing.T) {
	all := append(rights(0), rights(2)...)
	for name, c := range map[string]struct {
		config string
		rights []kfake.ACL
		lacks  string
		shards string
	}{
		"all":                            {"", all, "", "controller primary, orders-0 primary"},
		"not for the cluster":            {"", rights(0), "DescribeConfigs on the cluster", ""},
		"not for topics, which are gone": {"", rights(2), "", "controller primary"},
		"not for topics that are named":  {`,"topics":["orders"]`, rights(2), "Describe on the topic orders", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := brokers(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"), kfake.EnableSASL(), kfake.EnableACLs(),
				kfake.User("PLAIN", "muster", "hunter2", c.rights...))
			config := strings.TrimSuffix(fmt.Sprintf(login, "plain-unencrypted"), "}") + c.config + "}"
			r := ask(t, start(t, fsm.JSON(config), env("hunter2")), target(t, cluster, 0))
			if c.lacks == "" {
				expectShards(t, r, c.shards)
			} else if r.Reason != fsm.ReasonAuth || !strings.Contains(r.Detail, c.lacks) {
				t.Errorf("report is %+v, wanted is that the user lacks %s", r, c.lacks)
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	for config, field := range map[fsm.JSON]string{
		`{"password":"hunter2"}`:                                         "password",
		`{"username":"muster","password_env":"K"}`:                       "sasl",
		`{"sasl":"scram-sha-512"}`:                                       "sasl",
		`{"sasl":"scram-sha-512","username":"muster"}`:                   "sasl",
		`{"sasl":"scram-sha-512","password_env":"K"}`:                    "sasl",
		`{"sasl":"gssapi","username":"muster","password_env":"K"}`:       "sasl",
		`{"sasl":"plain","username":"muster","password_env":"K"}`:        "sasl",
		`{"tls_ca_file":"ca.pem"}`:                                       "tls_ca_file",
		`{"max_partitions":-1}`:                                          "max_partitions",
		`{"max_partitions":1024}`:                                        "max_partitions",
		`{"topics":[""]}`:                                                "topics",
		fsm.JSON(`{"topics":["` + strings.Repeat("x", 250) + `"]}`):      "topics",
		fsm.JSON(`{"topics":["x"` + strings.Repeat(`,"x"`, 1024) + `]}`): "topics",
		`{"topics":"orders"}`:                                            "topics",
		`{"brokers":3}`:                                                  "brokers",
	} {
		_, err := kafka.New(config, env(""))
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields["refresh.config."+field] == "" {
			t.Errorf("%.80s: error is %v, wanted is one on %s", config, err, field)
		}
	}
	fine := fsm.JSON(`{"sasl":"plain","username":"muster","password_env":"K","tls":true}`)
	if _, err := kafka.New(fine, env("")); err != nil {
		t.Errorf("%s: %v", fine, err)
	}
}
