package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	httpd "github.com/musterhq/muster/http"
)

// Peer is a muster process and where it is.
type Peer struct {
	*Process
	Name   string
	Under  []string // a command line that runs the one given after it, in a network namespace perhaps; nil for none
	Data   string   // its data directory
	HTTP   string
	Port   string // peer port
	Gossip string
	API    *httpd.Client
	Bin    string // the program it runs from its next start on

	rig *Rig
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
	g := r.NewGroup(bin, flags...)
	for i := range n {
		if _, err := g.Add(fmt.Sprintf("peer-%c", 'a'+i)); err != nil {
			return nil, err
		}
	}
	err := g.Found(ctx)
	return g, err
}

// NewGroup makes a group without peers, with further flags of the agent for each that comes.
func (r *Rig) NewGroup(bin string, flags ...string) *Group {
	return &Group{rig: r, bin: bin, extra: flags}
}

// Found starts all peers, which found their group together, and waits until they have a leader.
func (g *Group) Found(ctx context.Context) error {
	for _, p := range g.Peers {
		if err := p.Start(append([]string{"-bootstrap-expect", strconv.Itoa(len(g.Peers))}, g.join(p)...)...); err != nil {
			return err
		}
	}
	return g.Ready(ctx)
}

// Add makes a peer with addresses on loopback and an empty data directory; Start gives it life.
func (g *Group) Add(name string) (*Peer, error) {
	p := g.peer(name)
	err := p.Move()
	return p, err
}

// AddAt is Add for a peer on a host of its own, which a command line leads to.
func (g *Group) AddAt(name, host string, under ...string) (*Peer, error) {
	p := g.peer(name)
	p.Under = under
	err := p.at(host+":8650", host+":8651", host+":8652")
	return p, err
}

func (g *Group) peer(name string) *Peer {
	p := &Peer{Name: name, Data: filepath.Join(g.rig.Dir, name), rig: g.rig, Bin: g.bin}
	g.Peers = append(g.Peers, p)
	return p
}

// Move gives a stopped peer new addresses on loopback.
func (p *Peer) Move() error {
	var at [3]string
	for i := range at {
		var err error
		if at[i], err = Addr(); err != nil {
			return err
		}
	}
	return p.at(at[0], at[1], at[2])
}

func (p *Peer) at(http, port, gossip string) (err error) {
	p.HTTP, p.Port, p.Gossip = http, port, gossip
	p.API, err = httpd.NewClient(httpd.ClientConfig{Address: http})
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
	line := append(slices.Clone(p.Under), p.Bin, "agent", "-data-dir", p.Data, "-name", p.Name,
		"-http-addr", p.HTTP, "-peer-addr", p.Port, "-gossip-addr", p.Gossip)
	line = append(line, flags...)
	var err error
	p.Process, err = p.rig.Start(p.Name, line[0], line[1:]...)
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
