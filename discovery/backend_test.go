package discovery_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// closing is a backend that says when it was closed.
type closing struct{ closed *bool }

func (closing) Read(context.Context, discovery.Want) ([]fsm.Record, error) { return nil, nil }
func (c closing) Close() error                                             { *c.closed = true; return nil }

func TestValidate(t *testing.T) {
	closed := false
	type settings struct {
		Files     []string          `json:"files"`
		TokenFile string            `json:"token_file"`
		Limit     int               `json:"limit"`
		Strict    bool              `json:"strict"`
		Meta      map[string]string `json:"meta"`
	}
	backends := discovery.Backends{"file": func(config fsm.JSON, _ discovery.Env) (discovery.Backend, error) {
		return closing{&closed}, discovery.DecodeConfig(config, &settings{})
	}}
	probers := func(prober string, _ fsm.JSON) error {
		if prober != "sidecar" {
			return fsm.Invalid("refresh.prober", "%q is not known", prober)
		}
		return nil
	}
	good := fsm.DefaultSpec()
	good.Backend, good.Config = "file", `{"files":["/x"],"limit":3,"strict":true,"meta":{"a":"b"},"token_file":"/t"}`
	if err := discovery.Validate(good, backends, probers); err != nil || !closed {
		t.Errorf("a good spec: %v, its backend closed: %t", err, closed)
	}
	for _, c := range []struct {
		field, message string
		change         func(*fsm.Spec)
	}{
		{"backend", `did you mean "file"`, func(s *fsm.Spec) { s.Backend = "fil" }},
		{"backend", "none of", func(s *fsm.Spec) { s.Backend = "dns" }},
		{"interval", "shorter", func(s *fsm.Spec) { s.Interval = 1 }},
		{"config.fils", `did you mean "files"`, func(s *fsm.Spec) { s.Config = `{"fils":[]}` }},
		{"config.else", "not known", func(s *fsm.Spec) { s.Config = `{"else":1}` }},
		{"config.token", "token_file", func(s *fsm.Spec) { s.Config = `{"token":"abc"}` }},
		{"config.db_password", "secrets", func(s *fsm.Spec) { s.Config = `{"db_password":"abc"}` }},
		{"config.files", "a list", func(s *fsm.Spec) { s.Config = `{"files":"abc"}` }},
		{"config.limit", "a whole number", func(s *fsm.Spec) { s.Config = `{"limit":"abc"}` }},
		{"config.strict", "true or false", func(s *fsm.Spec) { s.Config = `{"strict":"abc"}` }},
		{"config.meta", "an object", func(s *fsm.Spec) { s.Config = `{"meta":["abc"]}` }},
		{"config", "an object", func(s *fsm.Spec) { s.Config = `["abc"]` }},
		{"cluster", "no field", func(s *fsm.Spec) { s.Cluster = "{{.x}}" }},
		{"filter", "no field", func(s *fsm.Spec) { s.Filter = `x == "y"` }},
		{"refresh.prober", "not known", func(s *fsm.Spec) { s.Refresh.Prober = "telnet" }},
	} {
		spec := good
		c.change(&spec)
		err := discovery.Validate(spec, backends, probers)
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || !strings.Contains(invalid.Fields[c.field], c.message) {
			t.Errorf("%v; wanted is an error of %s about %q", err, c.field, c.message)
		} else if strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: the error holds the value: %v", c.field, err)
		}
	}
}
