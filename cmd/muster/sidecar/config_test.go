package sidecar_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/cmd/muster/sidecar"
)

func TestConfigRefused(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pair(t, dir, "a")
	crt, key := filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	for name, c := range map[string]struct {
		change func(*sidecar.Config)
		wanted string // in the error; empty for none
	}{
		"nothing said":  {func(*sidecar.Config) {}, ""},
		"off loopback":  {func(c *sidecar.Config) { c.Listener = listenTo("10.1.0.7:8655") }, "-listen 10.1.0.7:8655"},
		"everywhere":    {func(c *sidecar.Config) { c.Listener = listenTo("[::]:8655") }, "-insecure"},
		"TLS alone":     {func(c *sidecar.Config) { c.Listener, c.Certificate, c.Key = listenTo("10.1.0.7:1"), crt, key }, "-token-file"},
		"token alone":   {func(c *sidecar.Config) { c.Listener, c.TokenFile = listenTo("10.1.0.7:1"), crt }, "-tls-cert-file"},
		"said insecure": {func(c *sidecar.Config) { c.Listener, c.Insecure = listenTo("10.1.0.7:1"), true }, ""},
		"TLS and token": {func(c *sidecar.Config) {
			c.Listener, c.Certificate, c.Key, c.TokenFile = listenTo("10.1.0.7:1"), crt, key, crt
		}, ""},
		"TLS of both": {func(c *sidecar.Config) {
			c.Listener, c.Certificate, c.Key, c.ClientCA = listenTo("10.1.0.7:1"), crt, key, crt
		}, ""},
		"no key":          {func(c *sidecar.Config) { c.Certificate = crt }, "-tls-cert-file"},
		"no certificate":  {func(c *sidecar.Config) { c.Key = key }, "-tls-key-file"},
		"authority alone": {func(c *sidecar.Config) { c.ClientCA = crt }, "-tls-client-ca-file"},
		"no pair":         {func(c *sidecar.Config) { c.Certificate, c.Key = key, crt }, "no pair"},
		"no authority":    {func(c *sidecar.Config) { c.Certificate, c.Key, c.ClientCA = crt, key, key }, "-tls-client-ca-file"},
		"no such file":    {func(c *sidecar.Config) { c.Certificate, c.Key = crt, filepath.Join(dir, "b") }, "-tls-key-file"},
		"no token":        {func(c *sidecar.Config) { c.TokenFile = empty }, "holds no token"},
		"no token file":   {func(c *sidecar.Config) { c.TokenFile = filepath.Join(dir, "b") }, "-token-file"},
		"interval":        {func(c *sidecar.Config) { c.Interval = 1 }, "-interval"},
		"timeout":         {func(c *sidecar.Config) { c.Timeout = 1 }, "-timeout"},
		"node id":         {func(c *sidecar.Config) { c.NodeID = strings.Repeat("n", 254) }, "-node-id"},
		"cluster id":      {func(c *sidecar.Config) { c.ClusterID = strings.Repeat("n", 254) }, "-cluster-id"},
		"attribute":       {func(c *sidecar.Config) { c.Attributes = map[string]string{"a": strings.Repeat("n", 513)} }, "-attribute"},
		"no prober":       {func(c *sidecar.Config) { c.Prober = nil }, "prober"},
	} {
		config := config(&store{})
		c.change(&config)
		_, err := sidecar.New(config)
		if (err != nil) != (c.wanted != "") || err != nil && !strings.Contains(err.Error(), c.wanted) {
			t.Errorf("%s: error is %v, wanted is one with %q", name, err, c.wanted)
		}
	}
}
