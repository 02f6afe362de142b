package probe_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

type options struct {
	Path  string
	Limit int
	Deep  bool
	List  []string
	File  string
}

func read(config fsm.JSON) (options, error) {
	o := options{Path: "/", Limit: 7}
	err := probe.Read(config, probe.Fields{
		"path": &o.Path, "limit": &o.Limit, "deep": &o.Deep, "list": &o.List, "password_file": &o.File,
	})
	return o, err
}

func TestRead(t *testing.T) {
	for config, want := range map[fsm.JSON]options{
		"":                        {Path: "/", Limit: 7},
		`{}`:                      {Path: "/", Limit: 7},
		`{"path":"/x","limit":8}`: {Path: "/x", Limit: 8},
		`{"deep":true,"list":["a"],"password_file":"/p"}`: {Path: "/", Limit: 7, Deep: true, List: []string{"a"}, File: "/p"},
	} {
		got, err := read(config)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", config, err, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	for config, message := range map[fsm.JSON]string{
		`[]`:                   "refresh.config: is not a JSON object",
		`{"port":1}`:           "refresh.config.port: is not known; this prober takes deep, limit, list, password_file, path",
		`{"Path":"/"}`:         "refresh.config.Path: is not known; this prober takes deep, limit, list, password_file, path",
		`{"path":1}`:           "refresh.config.path: is of the type number; wanted is text",
		`{"limit":"1"}`:        "refresh.config.limit: is of the type string; wanted is a whole number",
		`{"limit":1.5}`:        "refresh.config.limit: is of the type number; wanted is a whole number",
		`{"deep":"yes"}`:       "refresh.config.deep: is of the type string; wanted is true or false",
		`{"list":"a"}`:         "refresh.config.list: is of the type string; wanted is a list of texts",
		`{"password_file":{}}`: "refresh.config.password_file: is of the type object; wanted is text",
	} {
		if _, err := read(config); !errors.Is(err, fsm.ErrInvalid) || err.Error() != message {
			t.Errorf("%s: error is %v, wanted is %s", config, err, message)
		}
	}
	if err := probe.Read(`{"a":1}`, nil); err == nil || !strings.Contains(err.Error(), "takes no options") {
		t.Errorf("error is %v", err)
	}
}

func TestSecretsAreRefused(t *testing.T) {
	for _, key := range []string{
		"password", "Password", "redis_password", "passwd", "token", "acl-token", "secret", "client.secret", "api_key",
		"API-Key", "credentials", "private_key", "passphrase", "authorization", "password_file_", "tokens",
	} {
		_, err := read(fsm.JSON(`{"` + key + `":"hunter2"}`))
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || !strings.Contains(invalid.Fields["refresh.config."+key], "secret") {
			t.Errorf("%s: error is %v", key, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats it: %v", key, err)
		}
	}
	for _, path := range []string{"/?token=hunter2", "/x?a=b&api_key=hunter2"} {
		if err := probe.CheckPath("path", path); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error is %v", path, err)
		}
	}
}

func TestCheckSecret(t *testing.T) {
	env := refresh.Env{Reveal: func(refresh.Secret) (string, error) { return "", nil }}
	file, variable := refresh.Secret{File: "/p"}, refresh.Secret{Variable: "P"}
	for _, s := range []refresh.Secret{{}, file, variable} {
		if err := probe.CheckSecret("password", s, env); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
		if err := probe.CheckSecret("password", s, refresh.Env{}); (err != nil) != (s != refresh.Secret{}) {
			t.Errorf("%+v without Reveal: error is %v", s, err)
		}
	}
	if err := probe.CheckSecret("password", refresh.Secret{File: "/p", Variable: "P"}, env); !errors.Is(err, fsm.ErrInvalid) {
		t.Errorf("both: error is %v", err)
	}
}
