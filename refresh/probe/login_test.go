package probe_test

import (
	"crypto/tls"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

func TestLogin(t *testing.T) {
	var l probe.Login
	if err := probe.Read(`{"username":"muster","password_file":"p"}`, l.Fields()); err != nil {
		t.Fatal(err)
	}
	want := probe.Login{Username: "muster", Password: refresh.Secret{File: "p"}}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := probe.Read(`{"password_env":"P"}`, l.Fields()); err != nil || l.Password.Variable != "P" {
		t.Errorf("login is %+v, error %v", l, err)
	}
	v := &vault{}
	env := refresh.Env{Reveal: v.reveal}
	if err := l.Check(env); !errors.Is(err, fsm.ErrInvalid) {
		t.Errorf("a file and a variable: error is %v", err)
	}
	if err := want.Check(refresh.Env{}); !errors.Is(err, fsm.ErrInvalid) {
		t.Errorf("without Reveal: error is %v", err)
	}
	if err := want.Check(env); err != nil {
		t.Error(err)
	}

	if _, err := want.Reveal(env); err == nil || refresh.FaultOf(err).Reason != fsm.ReasonAuth {
		t.Errorf("a missing file: error is %v", err)
	}
	for _, password := range []string{"old", "new"} {
		v.put("p", password)
		if got, err := want.Reveal(env); err != nil || got != password {
			t.Errorf("password is %q, error %v", got, err)
		}
	}
	if got, err := (&probe.Login{Username: "muster"}).Reveal(refresh.Env{}); err != nil || got != "" {
		t.Errorf("no password: it is %q, error %v", got, err)
	}
}

func TestTLSRefused(t *testing.T) {
	const field = "refresh.config."
	for config, key := range map[fsm.JSON]string{
		`{"tls":true}`:                     "",
		`{"tls":false}`:                    "",
		`{"tls":true,"tls_ca_file":"a"}`:   "",
		`{"tls_ca_file":"a"}`:              "tls_ca_file",
		`{"tls_cert_file":"a"}`:            "tls_cert_file",
		`{"tls_key_file":"a"}`:             "tls_key_file",
		`{"tls_server_name":"a"}`:          "tls_server_name",
		`{"tls":true,"tls_cert_file":"a"}`: "tls_key_file",
		`{"tls":true,"tls_key_file":"a"}`:  "tls_cert_file",
		`{"tls":true,"tls_key_file":"a","tls_cert_file":"b","tls_server_name":"c","tls_ca_file":"d"}`: "",
	} {
		var s probe.TLS
		if err := probe.Read(config, s.Fields()); err != nil {
			t.Fatal(err)
		}
		err := s.Check(refresh.Env{Reveal: new(vault).reveal})
		var invalid *fsm.Error
		if key == "" && err != nil || key != "" && (!errors.As(err, &invalid) || invalid.Fields[field+key] == "") {
			t.Errorf("%s: error is %v, wanted is one on %q", config, err, key)
		}
	}
	named := probe.TLS{On: true, ServerName: "db"}
	if err := named.Check(refresh.Env{}); err != nil {
		t.Errorf("a server's name is no secret: %v", err)
	}
	named.Authorities = "ca"
	if err := named.Check(refresh.Env{}); !errors.Is(err, fsm.ErrInvalid) {
		t.Errorf("without Reveal: error is %v", err)
	}
}

func TestTLSConfig(t *testing.T) {
	v, ca := &vault{}, newAuthority(t)
	env := refresh.Env{Reveal: v.reveal}
	mine, other := ca.Issue(t, ""), ca.Issue(t, "")
	for name, text := range map[string]string{
		"ca": ca.PEM, "cert": mine.Certificate, "key": mine.Key, "other": other.Key, "text": "hunter2 is no certificate",
	} {
		v.put(name, text)
	}
	for name, s := range map[string]probe.TLS{
		"no authorities":              {On: true, Authorities: "none"},
		"authorities are no PEM":      {On: true, Authorities: "text"},
		"authorities are a key":       {On: true, Authorities: "key"},
		"no certificate":              {On: true, Certificate: "none", Key: "key"},
		"no key":                      {On: true, Certificate: "cert", Key: "none"},
		"certificate is no PEM":       {On: true, Certificate: "text", Key: "key"},
		"key of another":              {On: true, Certificate: "cert", Key: "other"},
		"key and certificate swapped": {On: true, Certificate: "key", Key: "cert"},
	} {
		config, err := s.Config(env, "db")
		if err == nil || config != nil || refresh.FaultOf(err).Reason != fsm.ReasonTLS {
			t.Errorf("%s: error is %v", name, err)
		}
		v.expectNoSecret(t, err)
	}

	if config, err := (&probe.TLS{}).Config(refresh.Env{}, "db"); config != nil || err != nil {
		t.Errorf("off: config is %v, error %v", config, err)
	}
	config, err := (&probe.TLS{On: true}).Config(refresh.Env{}, "db")
	if err != nil || config.ServerName != "db" || config.RootCAs != nil || config.Certificates != nil {
		t.Errorf("alone: config is %+v, error %v", config, err)
	}
	if config.MinVersion != tls.VersionTLS12 {
		t.Errorf("versions from %#x on are taken", config.MinVersion)
	}

	all := probe.TLS{On: true, Authorities: "ca", Certificate: "cert", Key: "key", ServerName: "name"}
	first, err := all.Config(env, "db")
	if err != nil || first.ServerName != "name" || first.RootCAs == nil || len(first.Certificates) != 1 {
		t.Fatalf("all: config is %+v, error %v", first, err)
	}
	mine = ca.Issue(t, "")
	v.put("cert", mine.Certificate)
	v.put("key", mine.Key)
	second, err := all.Config(env, "db")
	if err != nil || slices.Equal(first.Certificates[0].Certificate[0], second.Certificates[0].Certificate[0]) {
		t.Errorf("a certificate that was replaced is not taken: error %v", err)
	}
}

func TestJoin(t *testing.T) {
	var l probe.Login
	var s probe.TLS
	got := probe.Join(l.Fields(), s.Fields(), probe.Fields{"more": new(int)})
	if len(got) != len(l.Fields())+len(s.Fields())+1 || got["username"] != &l.Username || got["tls"] != &s.On {
		t.Errorf("fields are %v", got)
	}
}

func TestHide(t *testing.T) {
	for said, want := range map[string]string{
		"unknown 'hunter2', 'hunter2'": "unknown '…', '…'",
		"nothing of it":                "nothing of it",
	} {
		if got := probe.Hide(said, "hunter2"); got != want {
			t.Errorf("%q became %q, wanted is %q", said, got, want)
		}
	}
	if got := probe.Hide("as it is", ""); got != "as it is" {
		t.Errorf("without a secret it became %q", got)
	}
}
