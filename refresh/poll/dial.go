package poll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Dialer connects over TCP to what its rules allow. It is safe for concurrent use.
type Dialer struct {
	dialer net.Dialer
	rules  Rules
	names  func(ctx context.Context, network, address string) (net.Conn, error) // to the servers of names
	short  atomic.Uint64                                                        // how often that failed by a shortage of ours
}

// NewDialer makes a Dialer; the rules are not to be changed afterwards.
func NewDialer(rules Rules) *Dialer {
	d := &Dialer{rules: rules, names: new(net.Dialer).DialContext}
	d.dialer = net.Dialer{
		KeepAlive:      -1,
		Resolver:       &net.Resolver{PreferGo: true, Dial: d.lookUp},
		ControlContext: d.control,
	}
	return d
}

// Dial connects to host:port before ctx ends. Each address the host resolves to is judged when it is connected to.
func (d *Dialer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	before := d.short.Load()
	conn, err := d.dialer.DialContext(ctx, network, address)
	if err != nil {
		if _, named := errors.AsType[*net.DNSError](err); named && d.short.Load() != before {
			return nil, refresh.NewFault(refresh.ReasonShortage, "no files to look up names with: %w", err)
		}
		return nil, fmt.Errorf("dial: %w", err)
	}
	return conn, nil
}

// lookUp connects to a server of names. It counts shortages, since package net keeps no error of it but the text.
func (d *Dialer) lookUp(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.names(ctx, network, address)
	if err != nil && refresh.FaultOf(err).Reason == refresh.ReasonShortage {
		d.short.Add(1)
	}
	return conn, err
}

func (d *Dialer) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	switch network {
	case "tcp4", "tcp6":
	default:
		return refresh.NewFault(fsm.ReasonForbidden, "network %s may not be dialed", network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return refresh.NewFault(fsm.ReasonForbidden, "%q may not be dialed: %w", address, err)
	}
	return d.rules.Check(to)
}

// checkAddress refuses what is no host:port: a record may hold any printable text as its address, and it becomes the Host
// header, too.
func checkAddress(address string) error {
	for i := range len(address) {
		switch c := address[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return refresh.NewFault(fsm.ReasonDNS, "%q is no host name or address with a port", address)
		}
	}
	return nil
}
