package e2e_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/agent/cert"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// office is where a test makes its certificates, with the program.
type office struct {
	*world
	dir string
}

func newOffice(w *world) office { return office{w, w.rig.Dir} }

func (o office) path(name string) string { return filepath.Join(o.dir, name) }

// does runs a command that must do.
func (o office) does(args ...string) string {
	o.Helper()
	r := o.muster(args...)
	if r.code != 0 {
		o.Fatalf("muster %q: exit %d: %s", args, r.code, r.stderr)
	}
	return r.stdout
}

// authority makes an authority in a folder of its name.
func (o office) authority(name string) {
	o.Helper()
	o.must(os.Mkdir(o.path(name), 0o700))
	o.does("tls", "ca", "create", "-dir", o.path(name), "-name", name)
}

// issue makes a certificate in the authority's folder, or puts a new one in its place.
func (o office) issue(authority, kind, name string) {
	o.Helper()
	o.does("tls", "cert", "create", kind, "-dir", o.path(authority), "-name", name, "-force")
}

// give puts a certificate of an authority where a peer looks for its own, the key first.
func (o office) give(authority, name string) {
	o.Helper()
	for _, part := range []string{"-key.pem", ".pem"} {
		b, err := os.ReadFile(filepath.Join(o.path(authority), "muster-peer-"+name+part))
		o.must(err)
		o.must(os.WriteFile(o.path(name+part), b, 0o600))
	}
}

// trust puts authorities where a peer looks for those it trusts.
func (o office) trust(name string, authorities ...string) {
	o.Helper()
	var all []byte
	for _, a := range authorities {
		b, err := os.ReadFile(filepath.Join(o.path(a), "muster-ca.pem"))
		o.must(err)
		all = append(all, b...)
	}
	o.must(os.WriteFile(o.path(name+"-ca.pem"), all, 0o600))
}

// shows are the options by which a command asks a peer, with an operator's certificate.
func (o office) shows(authority string, p *rig.Peer) []string {
	of := func(file string) string { return filepath.Join(o.path(authority), file) }
	return []string{
		at("https://" + p.HTTP), "-ca-file", of("muster-ca.pem"),
		"-client-cert", of("muster-client-op.pem"), "-client-key", of("muster-client-op-key.pem"),
	}
}

// client is what shows says, for Go.
func (o office) client(authority string) *tls.Config {
	o.Helper()
	of := func(file string) string { return filepath.Join(o.path(authority), file) }
	roots, err := cert.LoadAuthorities(of("muster-ca.pem"))
	o.must(err)
	own, err := cert.LoadPair(of("muster-client-op.pem"), of("muster-client-op-key.pem"))
	o.must(err)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}
}

// asks lets the test ask all peers of a group with an operator's certificate.
func (o office) asks(g *rig.Group, authority string) {
	o.Helper()
	for _, p := range g.Peers {
		var err error
		p.API, err = httpd.NewClient(httpd.ClientConfig{Address: "https://" + p.HTTP, TLS: o.client(authority)})
		o.must(err)
	}
}

// start runs a peer with the certificate that was given to it.
func (o office) start(g *rig.Group, p *rig.Peer, flags ...string) {
	o.Helper()
	o.must(g.Enter(p, append(flags, "-ca-file", o.path(p.Name+"-ca.pem"), "-cert-file", o.path(p.Name+".pem"),
		"-key-file", o.path(p.Name+"-key.pem"), "-verify-client")...))
}

// TestOverTLS founds a group with certificates that the program made, asks it with the program, shows it what is not good
// enough, and replaces certificates and their authority while it runs.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := newOffice(w)
	o.authority("old")
	o.issue("old", "-client", "op")
	g := w.rig.NewGroup(program)
	for i := range 3 {
		p, err := g.Add(fmt.Sprintf("peer-%c", 'a'+i))
		w.must(err)
		o.issue("old", "-peer", p.Name)
		o.give("old", p.Name)
		o.trust(p.Name, "old")
	}
	o.asks(g, "old")
	for _, p := range g.Peers {
		o.start(g, p, "-bootstrap-expect", "3")
	}
	w.must(g.Ready(w.soon()))
	for _, p := range g.Peers {
		if out := o.does(append([]string{"members"}, o.shows("old", p)...)...); strings.Count(out, "alive") != 3 {
			t.Errorf("members on %s:\n%s", p.Name, out)
		}
	}
	o.saysWhatToDo(g.Peers[0])
	o.keepsClientsOut(g.Peers[0])

	o.authority("new")
	o.issue("new", "-client", "op")
	asked := "old"
	for i, change := range []func(p *rig.Peer){
		func(p *rig.Peer) { o.trust(p.Name, "old", "new") },
		func(p *rig.Peer) { o.issue("new", "-peer", p.Name); o.give("new", p.Name) },
		func(p *rig.Peer) { o.trust(p.Name, "new") },
	} {
		for _, p := range g.Peers {
			change(p)
		}
		for _, p := range g.Peers {
			r := w.muster(append([]string{"reload"}, o.mixed(asked, i, p)...)...)
			if r.code != 0 {
				t.Fatalf("step %d: reload of %s: %s", i, p.Name, r.stderr)
			}
		}
	}
	o.asks(g, "new")
	w.must(g.Ready(w.soon()))

	// A peer that starts anew connects anew, with the new authority alone.
	again := w.leader(g)
	w.must(again.Stop())
	o.start(g, again)
	w.must(g.Ready(w.soon()))
	w.apply(again, "written", object{"backend": "file", "config": object{"files": []string{"/nowhere.json"}}, "enabled": false})
	if r := w.muster(append([]string{"members"}, o.shows("old", again)...)...); r.code != 1 {
		t.Errorf("the certificate of an authority that was taken away is good still: %s", r.stdout)
	}
}

// mixed are the options to ask a peer while authorities are replaced: its own certificate changes at the reload of step 1.
func (o office) mixed(asked string, step int, p *rig.Peer) []string {
	options := o.shows(asked, p)
	if step == 2 {
		options = o.shows("new", p)
	}
	return options
}

// saysWhatToDo asks in ways that are not good enough.
func (o office) saysWhatToDo(p *rig.Peer) {
	o.Helper()
	ca := filepath.Join(o.path("old"), "muster-ca.pem")
	for want, options := range map[string][]string{
		"ask it at https://":           {at("http://" + p.HTTP)},
		"-ca-file or MUSTER_CACERT":    {at("https://" + p.HTTP)},
		"-client-cert and -client-key": {at("https://" + p.HTTP), "-ca-file", ca},
		"peer.GROUP.muster":            append(o.shows("old", p), "-tls-server-name", "example.com"),
	} {
		r := o.muster(append([]string{"members"}, options...)...)
		if r.code != 1 || !strings.Contains(r.stderr, want) {
			o.Errorf("members %q: exit %d, %q; want %q", options, r.code, r.stderr, want)
		}
	}
}

// keepsClientsOut shows an operator's certificate on the port for peers.
func (o office) keepsClientsOut(p *rig.Peer) {
	o.Helper()
	conf := o.client("old")
	conf.ServerName, conf.NextProtos = "peer.muster.muster", []string{"muster-raft"}
	conn, err := (&tls.Dialer{Config: conf}).DialContext(o.soon(), "tcp", p.Port)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		err = errors.Join(err, conn.Close())
	}
	if err == nil || !strings.Contains(err.Error(), "tls: bad certificate") {
		o.Errorf("a client's certificate on the port for peers: %v", err)
	}
}
