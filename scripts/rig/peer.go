package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	httpd "github.com/musterhq/muster/http"
)

// Peer is a muster process and where it is.
type Peer struct {
	*Process
	Name   string
	Data   string // its data directory
	HTTP   string
	Port   string // peer port
	Gossip string
	API    *httpd.Client

	rig *Rig
	bin string
}

// Group is peers that found their group together.
type Group struct {
	Peers []*Peer
	rig   *Rig
	bin   string
	extra []string
}

// Group starts n peers that found a group, with further flags of the agent for each, and waits until they have a leader.
func (r *Rig) Group(ctx context.Context, bin string, n int, flags ...string) (*Group, error) {
	g := &Group{rig: r, bin: bin, extra: flags}
	for i := range n {
		p, err := g.Add(fmt.Sprintf("peer-%c", 'a'+i))
		if err != nil {
			return nil, err
		}
		if err := p.Start(append([]string{"-bootstrap-expect", strconv.Itoa(n)}, g.join(p)...)...); err != nil {
			return nil, err
		}
	}
	err := g.Ready(ctx)
	return g, err
}

// Add makes a peer with addresses and an empty data directory; Start gives it life.
func (g *Group) Add(name string) (*Peer, error) {
	p := &Peer{Name: name, Data: filepath.Join(g.rig.Dir, name), rig: g.rig, bin: g.bin}
	if err := p.Move(); err != nil {
		return nil, err
	}
	g.Peers = append(g.Peers, p)
	return p, nil
}

// Move gives a stopped peer new addresses.
func (p *Peer) Move() error {
	for _, addr := range []*string{&p.HTTP, &p.Port, &p.Gossip} {
		var err error
		if *addr, err = Addr(); err != nil {
			return err
		}
	}
	var err error
	p.API, err = httpd.NewClient(httpd.ClientConfig{Address: p.HTTP})
	return err
}

// join are the flags by which a peer finds the others.
func (g *Group) join(but *Peer) []string {
	flags := append([]string(nil), g.extra...)
	for _, p := range g.Peers {
		if p != but {
			flags = append(flags, "-join", p.Gossip)
		}
	}
	return flags
}

// Enter starts a peer that joins the others.
func (g *Group) Enter(p *Peer, flags ...string) error { return p.Start(append(flags, g.join(p)...)...) }

// Start runs the peer's process.
func (p *Peer) Start(flags ...string) error {
	args := append([]string{
		"agent", "-data-dir", p.Data, "-name", p.Name,
		"-http-addr", p.HTTP, "-peer-addr", p.Port, "-gossip-addr", p.Gossip,
	}, flags...)
	var err error
	p.Process, err = p.rig.Start(p.Name, p.bin, args...)
	return err
}

// Wipe removes a stopped peer's data directory.
func (p *Peer) Wipe() error { return os.RemoveAll(p.Data) }

// Ready waits until every running peer says it is ready.
func (g *Group) Ready(ctx context.Context) error {
	for _, p := range g.Running() {
		if err := Until(ctx, p.Name+" to be ready", func(ctx context.Context) error {
			if !p.Running() {
				return fmt.Errorf("%s has ended; see %s", p.Name, p.Log)
			}
			ready, err := p.API.Ready(ctx)
			if err == nil && ready.Status != "ok" {
				err = fmt.Errorf("it says %s: %s", ready.Status, strings.Join(ready.Reasons, ", "))
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// Running are the peers whose process runs.
func (g *Group) Running() []*Peer {
	var out []*Peer
	for _, p := range g.Peers {
		if p.Process != nil && p.Process.Running() {
			out = append(out, p)
		}
	}
	return out
}

// Leader is the running peer that leads, as the others see it.
func (g *Group) Leader(ctx context.Context) (*Peer, error) {
	var leader *Peer
	err := Until(ctx, "a leader", func(ctx context.Context) error {
		for _, p := range g.Running() {
			self, err := p.API.Self(ctx)
			if err == nil && self.State == "leader" && self.Leader == p.Name {
				leader = p
				return nil
			}
		}
		return errors.New("no peer leads")
	})
	return leader, err
}
