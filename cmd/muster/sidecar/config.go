package sidecar

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Defaults of the times, and their bounds.
const (
	DefaultInterval = 5 * time.Second
	DefaultTimeout  = 2 * time.Second

	minInterval = time.Second
	minTimeout  = 100 * time.Millisecond
	maxTimeout  = 30 * time.Second
)

// Config is what a Sidecar is made of. Listener, Prober, Log, Registerer and Gatherer must be set; errors name the options of
// the command.
type Config struct {
	Listener net.Listener // Run closes it
	Prober   refresh.Prober
	Target   refresh.Target // the store
	Version  string         // of this program

	NodeID, ClusterID string            // instead of what the prober says
	Attributes        map[string]string // beside the prober's, and before them

	Interval time.Duration // between probes that nobody asked for; default 5 s
	Timeout  time.Duration // of one probe; default 2 s, less than the 3 s that peers wait by default

	Certificate, Key string // PEM files; empty serves without TLS
	ClientCA         string // PEM file; clients need a certificate of these authorities
	TokenFile        string // one token to a line; empty asks for none
	Insecure         bool   // serve off loopback without TLS and a token

	Log        *slog.Logger
	Registerer prometheus.Registerer // takes the sidecar's own metrics
	Gatherer   prometheus.Gatherer   // for /metrics
}

func (c *Config) normalise() error {
	if c.Listener == nil || c.Prober == nil || c.Log == nil || c.Registerer == nil || c.Gatherer == nil {
		return errors.New("sidecar: listener, prober, log, registerer and gatherer are required")
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	switch {
	case c.Interval < minInterval:
		return fmt.Errorf("-interval %s is less than %s", c.Interval, minInterval)
	case c.Timeout < minTimeout || c.Timeout > maxTimeout:
		return fmt.Errorf("-timeout %s is not between %s and %s", c.Timeout, minTimeout, maxTimeout)
	case len(c.NodeID) > fsm.MaxName:
		return fmt.Errorf("-node-id is longer than %d bytes", fsm.MaxName)
	case len(c.ClusterID) > fsm.MaxName:
		return fmt.Errorf("-cluster-id is longer than %d bytes", fsm.MaxName)
	case len(c.Attributes) > fsm.MaxAttributes:
		return fmt.Errorf("-attribute is given %d times; a node has at most %d attributes", len(c.Attributes), fsm.MaxAttributes)
	}
	for k, v := range c.Attributes {
		if len(k) > fsm.MaxName || len(v) > fsm.MaxText {
			return fmt.Errorf("-attribute %.20s…: a name has at most %d bytes, a value %d", k, fsm.MaxName, fsm.MaxText)
		}
	}
	return c.checkDoor()
}

// checkDoor refuses what would let anybody in unasked.
func (c *Config) checkDoor() error {
	switch {
	case c.Certificate == "" && c.Key != "":
		return errors.New("-tls-key-file is set without -tls-cert-file")
	case c.Certificate != "" && c.Key == "":
		return errors.New("-tls-cert-file is set without -tls-key-file")
	case c.Certificate == "" && c.ClientCA != "":
		return errors.New("-tls-client-ca-file is set without -tls-cert-file and -tls-key-file")
	}
	closed := c.Certificate != "" && (c.TokenFile != "" || c.ClientCA != "")
	if c.Insecure || closed || onLoopback(c.Listener.Addr()) {
		return nil
	}
	return fmt.Errorf("-listen %s is not on loopback, and this sidecar lacks TLS (-tls-cert-file, -tls-key-file) or a token "+
		"(-token-file; or -tls-client-ca-file): whoever reaches it may read all it says. Set both, bind to 127.0.0.1, "+
		"or say -insecure if the network is yours alone", c.Listener.Addr())
}

func onLoopback(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}
