package consul_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// TestFilesAreJudged: each fault is told with its option, all at once, and no secret with it.
func TestFilesAreJudged(t *testing.T) {
	dir, authority := t.TempDir(), probetest.NewAuthority(t)
	shown, key := authority.Issue(t, "").Write(t, dir, "a")
	other, _ := authority.Issue(t, "").Write(t, dir, "b")
	good := consul.Config{TokenFile: written(t, "canary-token\n"), CAFile: written(t, authority.PEM), CertFile: shown, KeyFile: key}
	none := filepath.Join(dir, "none")
	for name, tt := range map[string]struct {
		change func(*consul.Config)
		want   []string // none: all is well
	}{
		"all good":      {func(*consul.Config) {}, nil},
		"nothing named": {func(c *consul.Config) { *c = consul.Config{} }, nil},
		"not there": {func(c *consul.Config) {
			*c = consul.Config{TokenFile: none, CAFile: none, CertFile: none, KeyFile: key}
		}, []string{
			"-consul-token-file: ", "-consul-ca-file: ", "-consul-cert-file: ", "no such file",
		}},
		"no key":       {func(c *consul.Config) { c.KeyFile = dir }, []string{"-consul-key-file: ", "is a directory"}},
		"two lines":    {func(c *consul.Config) { c.TokenFile = written(t, "canary one\ncanary two") }, []string{"-consul-token-file: ", "one line"}},
		"no authority": {func(c *consul.Config) { c.CAFile = good.TokenFile }, []string{"-consul-ca-file: ", "no certificate in PEM"}},
		"no pair":      {func(c *consul.Config) { c.CertFile = other }, []string{"-consul-cert-file " + other, "-consul-key-file " + key, "no pair"}},
	} {
		c := good
		tt.change(&c)
		err := c.CheckFiles()
		if (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range tt.want {
			if err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("%s: %v; want %q", name, err, want)
			}
		}
	}
}
