package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	lookupWait    = 5 * time.Second // for what one target stands for
	resolvedLimit = 16              // addresses of one host name
	foundLimit    = 64              // hosts of one name with SRV records, or of one finder
)

// Resolver asks DNS; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// Finder finds the gossip addresses, host:port, that a target with its scheme stands for at the moment. It ends with ctx.
type Finder func(ctx context.Context, target *url.URL) ([]string, error)

// CheckTarget says what is wrong with a target of Join that needs no finder: host, host:port, srv+name or _service._proto.name.
func CheckTarget(text string) error {
	t, err := parseTarget(text)
	if err == nil && t.url != nil {
		err = fmt.Errorf("%s:// is not known", t.url.Scheme)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	return nil
}

// target is something to join through: one of srv, url and host is set.
type target struct {
	srv  string   // a name with SRV records
	url  *url.URL // for the finder of its scheme
	host string
	port uint16
}

func parseTarget(text string) (target, error) {
	if strings.Contains(text, "://") {
		u, err := url.Parse(text)
		if err != nil {
			return target{}, errors.New("is no address and no URL")
		}
		return target{url: u}, nil
	}
	name, srv := strings.CutPrefix(text, "srv+")
	if srv || strings.HasPrefix(name, "_") {
		if name == "" || strings.ContainsAny(name, ":/[] \t") {
			return target{}, errors.New("a name with SRV records stands alone, like _muster._tcp.example.com: the records hold the ports")
		}
		return target{srv: name}, nil
	}
	host, service, err := net.SplitHostPort(withPort(text))
	if err != nil || host == "" || strings.ContainsAny(host, "/@[] \t") {
		return target{}, errors.New("is no address; wanted is HOST, HOST:PORT, or a name with SRV records")
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return target{}, errors.New("port must be 1 to 65535")
	}
	return target{host: host, port: uint16(port)}, nil
}

func withPort(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	return net.JoinHostPort(strings.Trim(addr, "[]"), DefaultPort)
}

// errOwn is when a target leads to this peer only, which is no fault where peers find each other by one name.
var errOwn = errors.New("leads to this peer's own address only")

// found is what a target stands for at the moment. With an error, which names the target, there may be addresses all the same.
type found struct {
	target string
	addrs  []string // ip:port, without this peer's own
	err    error
}

// find looks all targets up at once: a slow one delays the others by lookupWait at most.
func (g *Gossip) find(ctx context.Context, targets []string) []found {
	out := make([]found, len(targets))
	var group errgroup.Group
	group.SetLimit(joinParallel)
	for i, text := range targets {
		group.Go(func() error {
			asking, cancel := context.WithTimeoutCause(ctx, lookupWait, fmt.Errorf("no answer within %s", lookupWait))
			defer cancel()
			addrs, err := g.lookup(asking, text)
			others := slices.DeleteFunc(addrs, func(a string) bool { return a == g.addr })
			if err == nil && len(others) == 0 {
				err = errOwn
			}
			if err != nil {
				err = fmt.Errorf("gossip: join: %s: %w", text, err)
			}
			out[i] = found{text, others, err}
			return nil
		})
	}
	_ = group.Wait()
	return out
}

// lookup gives the addresses of one target, with what kept it from giving all.
func (g *Gossip) lookup(ctx context.Context, text string) ([]string, error) {
	t, err := parseTarget(text)
	switch {
	case err != nil:
		return nil, err
	case t.srv != "":
		return g.lookupSRV(ctx, t.srv)
	case t.url != nil:
		return g.lookupURL(ctx, t.url)
	}
	return g.lookupHost(ctx, t)
}

func (g *Gossip) lookupHost(ctx context.Context, t target) ([]string, error) {
	ips := []netip.Addr{}
	if ip, err := netip.ParseAddr(t.host); err == nil {
		ips = append(ips, ip)
	} else if ips, err = g.cfg.Resolver.LookupNetIP(ctx, "ip", t.host); err != nil {
		return nil, told(ctx, err)
	}
	var out []string
	for _, ip := range ips[:min(resolvedLimit, len(ips))] {
		out = append(out, netip.AddrPortFrom(ip.Unmap(), t.port).String())
	}
	return out, nil
}

// lookupSRV gives the addresses of all hosts that SRV records name, the preferred ones first.
func (g *Gossip) lookupSRV(ctx context.Context, name string) ([]string, error) {
	_, records, err := g.cfg.Resolver.LookupSRV(ctx, "", "", name)
	if err != nil && len(records) == 0 {
		return nil, told(ctx, err)
	}
	var hosts []target
	for _, r := range records {
		hosts = append(hosts, target{host: strings.TrimSuffix(r.Target, "."), port: r.Port})
	}
	addrs, failed := g.lookupHosts(ctx, hosts)
	return addrs, errors.Join(err, failed)
}

func (g *Gossip) lookupURL(ctx context.Context, u *url.URL) ([]string, error) {
	find := g.cfg.Finders[u.Scheme]
	if find == nil {
		return nil, fmt.Errorf("%s:// is not known", u.Scheme)
	}
	said, err := find(ctx, u)
	if err != nil {
		return nil, told(ctx, err)
	}
	var hosts []target
	var errs []error
	for _, text := range said {
		t, err := parseTarget(text)
		if err == nil && t.host == "" {
			err = errors.New("is not HOST:PORT")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", text, err))
			continue
		}
		hosts = append(hosts, t)
	}
	addrs, failed := g.lookupHosts(ctx, hosts)
	return addrs, errors.Join(append(errs, failed)...)
}

func (g *Gossip) lookupHosts(ctx context.Context, hosts []target) ([]string, error) {
	var out []string
	var errs []error
	for _, t := range hosts[:min(foundLimit, len(hosts))] {
		addrs, err := g.lookupHost(ctx, t)
		out = append(out, addrs...)
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

// told is an error of a lookup, or why its time was over.
func told(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
