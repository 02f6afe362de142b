package agent

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func goodConfig() Config {
	reg := prometheus.NewRegistry()
	return Config{
		DataDir: "d", Name: "peer-a", BootstrapExpect: 3,
		Log: slog.New(slog.DiscardHandler), Registerer: reg, Gatherer: reg,
	}
}

var someFiles = TLS{CAFile: "ca.pem", CertFile: "a.pem", KeyFile: "a-key.pem"}

// TestConfigIsJudged breaks one thing at a time: the message names the flag and what would be right.
func TestConfigIsJudged(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		says   []string // none: it is fine
	}{
		{"good", func(*Config) {}, nil},
		{"neither dir nor dev", func(c *Config) { c.DataDir = "" }, []string{"-data-dir", "-dev"}},
		{"dir and dev", func(c *Config) { c.Dev = true }, []string{"-dev", "-data-dir"}},
		{"dev", func(c *Config) { c.Dev, c.DataDir, c.BootstrapExpect = true, "", 0 }, nil},
		{"worker that founds", func(c *Config) { c.Worker = true }, []string{"-worker", "-bootstrap-expect", "-join"}},
		{"worker that joins", func(c *Config) { c.Worker, c.BootstrapExpect = true, 0 }, nil},
		{"expect below", func(c *Config) { c.BootstrapExpect = -1 }, []string{"-bootstrap-expect -1", "1 and 9"}},
		{"expect beyond", func(c *Config) { c.BootstrapExpect = 10 }, []string{"-bootstrap-expect 10", "1 and 9"}},
		{"multiplier", func(c *Config) { c.RaftMultiplier = 11 }, []string{"-raft-multiplier 11", "1 and 10"}},
		{"long name", func(c *Config) { c.Name = strings.Repeat("n", 65) }, []string{"-name"}},
		{"odd name", func(c *Config) { c.Name = "a/b" }, []string{"-name"}},
		{"odd label", func(c *Config) { c.Labels = map[string]string{"": "x"} }, []string{"label"}},
		{"no log", func(c *Config) { c.Log = nil }, []string{"required"}},
		{"a port of a name with records", func(c *Config) { c.Join = []string{"a", "_m._tcp.test:1"} }, []string{
			`-join "_m._tcp.test:1"`, "the records hold the ports",
		}},
		{"no port", func(c *Config) { c.PeerAddr = "127.0.0.1" }, []string{"-peer-addr", "host:port"}},
		{"http off loopback", func(c *Config) { c.HTTPAddr = "10.0.0.1:8650" }, []string{"-http-addr 10.0.0.1:8650", "-insecure"}},
		{"nothing protects", func(c *Config) { c.HTTPAddr = "10.0.0.1:8650" }, []string{
			"-ca-file, -cert-file and -key-file", "muster tls cert create -peer", "-gossip-key-file", "muster keygen", "-acl",
		}},
		{"all but ACLs", func(c *Config) { c.HTTPAddr, c.TLS, c.GossipKeyFile = "10.0.0.1:8650", someFiles, "k" }, []string{
			"-http-addr 10.0.0.1:8650", "It lacks\n  ACLs: -acl", "bind to 127.0.0.1",
		}},
		{"all but the key", func(c *Config) { c.HTTPAddr, c.TLS, c.ACL = "10.0.0.1:8650", someFiles, true }, []string{
			"It lacks\n  a gossip key: -gossip-key-file",
		}},
		{"all but TLS", func(c *Config) { c.HTTPAddr, c.GossipKeyFile, c.ACL = "10.0.0.1:8650", "k", true }, []string{
			"It lacks\n  TLS: -ca-file",
		}},
		{"all three", func(c *Config) {
			c.HTTPAddr, c.TLS, c.GossipKeyFile, c.ACL = "10.0.0.1:8650", someFiles, "k", true
		}, nil},
		{"two files of three", func(c *Config) { c.TLS = TLS{CAFile: "c", KeyFile: "k"} }, []string{
			"-ca-file and -key-file without -cert-file", "muster tls cert create",
		}},
		{"clients without TLS", func(c *Config) { c.TLS.VerifyClient = true }, []string{"-verify-client", "-cert-file"}},
		{"negative rate", func(c *Config) { c.HTTPMaxRate = -1 }, []string{"-http-max-rate-per-client -1"}},
		{"negative connections", func(c *Config) { c.HTTPMaxConns = -1 }, []string{"-http-max-conns-per-client -1"}},
		{"peer off loopback", func(c *Config) { c.PeerAddr = "0.0.0.0:8651" }, []string{"-peer-addr 0.0.0.0:8651", "-insecure"}},
		{"gossip off loopback", func(c *Config) { c.GossipAddr = "[::]:8652" }, []string{"-gossip-addr [::]:8652", "-insecure"}},
		{"every address", func(c *Config) { c.GossipAddr = ":8652" }, []string{"-gossip-addr", "-insecure"}},
		{"gossip by name", func(c *Config) { c.GossipAddr, c.Insecure = "peer-a:8652", true }, []string{
			`-gossip-addr "peer-a:8652"`, "IP address", "10.0.0.1:8652",
		}},
		{"gossip everywhere", func(c *Config) { c.GossipAddr, c.Insecure = "0.0.0.0:8652", true }, []string{
			"-gossip-addr 0.0.0.0:8652", "other peers",
		}},
		{"gossip on no address", func(c *Config) { c.GossipAddr, c.Insecure = ":8652", true }, []string{"-gossip-addr :8652", "other peers"}},
		{"peer everywhere", func(c *Config) { c.PeerAddr, c.Insecure = "[::]:8651", true }, []string{"-peer-addr [::]:8651", "other peers"}},
		{"API everywhere", func(c *Config) { c.HTTPAddr, c.Insecure = "0.0.0.0:8650", true }, nil},
		{"peer by name", func(c *Config) { c.PeerAddr, c.Insecure = "peer-a:8651", true }, nil},
		{"allows others alone", func(c *Config) { c.GossipAllow = []string{"10.0.0.0/8"} }, []string{
			"-gossip-allow 10.0.0.0/8", "-gossip-addr 127.0.0.1:8652",
		}},
		{"allows itself", func(c *Config) { c.GossipAllow = []string{"10.0.0.0/8", "127.0.0.0/8"} }, nil},
		{"group of no certificate", func(c *Config) { c.TLS, c.Group = someFiles, "our group" }, []string{"-group", "letters"}},
		{"explicitly insecure", func(c *Config) {
			c.HTTPAddr, c.PeerAddr, c.GossipAddr, c.Insecure = "10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", true
		}, nil},
		{"loopback in words", func(c *Config) { c.HTTPAddr, c.PeerAddr = "localhost:1", "[::1]:2" }, nil},
		{"all of 127", func(c *Config) { c.HTTPAddr = "127.9.9.9:1" }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := goodConfig()
			c.change(&cfg)
			cfg.withDefaults()
			err := cfg.validate()
			if (err == nil) != (len(c.says) == 0) {
				t.Fatalf("judged with: %v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("the error does not say %q: %v", s, err)
				}
			}
		})
	}
}

// TestDefaults fills in what was not said, and changes nothing of the caller's.
func TestDefaults(t *testing.T) {
	labels := map[string]string{"zone": "a"}
	cfg := goodConfig()
	cfg.Name, cfg.Labels = "", labels
	cfg.withDefaults()
	cfg.Labels["zone"] = "b"
	if labels["zone"] != "a" {
		t.Error("the caller's labels were changed")
	}
	if cfg.HTTPAddr != "127.0.0.1:8650" || cfg.PeerAddr != "127.0.0.1:8651" || cfg.GossipAddr != "127.0.0.1:8652" ||
		cfg.Group != "muster" || cfg.RaftMultiplier != 1 || cfg.Name == "" || cfg.Seams.Now == nil {
		t.Errorf("defaults are %+v", cfg)
	}
}
