package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/cert"
	"github.com/musterhq/muster/agent/trace"
)

// TestReloadTakesAllOrNothing changes a certificate, a label and what traces are sent with, one of them to what cannot be used: nothing
// changes, wherever the fault is. Then all of it is good, and all of it changes.
func TestReloadTakesAllOrNothing(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		dir := t.TempDir()
		put := func(name string, text []byte) string {
			t.Helper()
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		made := func(i cert.Issued, err error) cert.Issued {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return i
		}
		root := made(cert.NewAuthority("ca", time.Now(), 24*time.Hour))
		ca := put("ca.pem", root.Cert)
		authority, err := cert.OpenAuthority(ca, put("ca-key.pem", root.Key), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		issue := func() cert.Issued {
			t.Helper()
			i := made(authority.Issue(cert.Request{Group: "muster", Peer: true, Now: time.Now(), Lasts: time.Hour}))
			put("a.pem", i.Cert)
			put("a-key.pem", i.Key)
			return i
		}
		issue()
		headers := put("headers", []byte("x-is: first\n"))
		p, f := w.add("peer-a"), &file{}
		p.start(func(c *Config) {
			c.BootstrapExpect, c.Labels = 1, map[string]string{"zone": "a"}
			c.TLS = TLS{CAFile: ca, CertFile: filepath.Join(dir, "a.pem"), KeyFile: filepath.Join(dir, "a-key.pem")}
			c.Trace = trace.Config{Endpoint: "http://127.0.0.1:1", HeadersFile: headers}
			c.Seams.TraceDial = w.net.DialFrom(p.host)
			f.reads(c)
		})
		p.await("its row", rows(1))
		stands := func() string {
			t.Helper()
			conf, err := p.certs.PeerServer("p").GetConfigForClient(nil)
			if err != nil {
				t.Fatal(err)
			}
			return conf.Certificates[0].Leaf.SerialNumber.String() + " " + p.live.Load().labels["zone"]
		}
		before := stands()
		good := issue()
		for what, spoil := range map[string]func(){
			"-trace-headers-file": func() { put("headers", []byte("no header")) },
			"-cert-file":          func() { put("a.pem", []byte("no certificate")) },
			"labels":              func() { f.change = func(c *Config) { c.Labels = map[string]string{"zone": strings.Repeat("z", 600)} } },
		} {
			f.change = func(c *Config) { c.Labels = map[string]string{"zone": "b"} }
			spoil()
			if _, err := p.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing was taken over: "+what) {
				t.Errorf("%s: %v", what, err)
			}
			if got := stands(); got != before {
				t.Errorf("%s: it stood at %s, and after a reload that took nothing over at %s", what, before, got)
			}
			put("headers", []byte("x-is: second\n"))
			put("a.pem", good.Cert)
		}
		f.change = func(c *Config) { c.Labels = map[string]string{"zone": "b"} }
		p.reload()
		if got := stands(); strings.Split(got, " ")[0] == strings.Split(before, " ")[0] || !strings.HasSuffix(got, " b") {
			t.Errorf("it stood at %s, and after a good reload at %s", before, got)
		}
	})
}
