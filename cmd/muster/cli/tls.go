package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent/cert"
)

const aDay = 24 * time.Hour

// The files of an authority, as they are called unless told otherwise.
const (
	authorityFile = "muster-ca.pem"
	authorityKey  = "muster-ca-key.pem"
)

func (p *Program) tls() *cobra.Command {
	c := &cobra.Command{
		Use:   "tls",
		Short: "Make an authority and certificates",
		Long: `Peers know each other, and whoever asks them knows them, by certificates. These commands make an
authority and let it sign certificates; they talk to no peer. Another authority does as well: a
peer's certificate needs the name peer.GROUP.muster and the uses serverAuth and clientAuth.`,
		Example: `  muster tls ca create
  muster tls cert create -peer -name peer-a -ip 10.0.0.1
  muster tls cert create -client -name alice`,
	}
	ca := &cobra.Command{Use: "ca", Short: "Make an authority", Example: `  muster tls ca create`}
	ca.AddCommand(p.tlsAuthority())
	certs := &cobra.Command{Use: "cert", Short: "Make certificates", Example: `  muster tls cert create -peer -name peer-a -ip 10.0.0.1
  muster tls cert create -client -name alice`}
	certs.AddCommand(p.tlsCertificate())
	c.AddCommand(ca, certs)
	return c
}

func (p *Program) tlsAuthority() *cobra.Command {
	var days int
	var name string
	var to folder
	c := &cobra.Command{
		Use:   "create",
		Short: "Make an authority that signs certificates for peers and clients",
		Long: `Makes an authority: ` + authorityFile + `, which every peer and client gets, and ` + authorityKey + `, with
which certificates are signed. Whoever has the key can make a peer of himself: keep it off the peers.`,
		Example: `  muster tls ca create
  muster tls ca create -days 3650 -dir /root/muster-ca`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			lasts, err := lifetime(days)
			if err != nil {
				return err
			}
			i, err := cert.NewAuthority(name, p.Now(), lasts)
			if err != nil {
				return err
			}
			return p.keep(i, to.files(authorityFile, authorityKey), to.force)
		},
	}
	f := c.Flags()
	f.IntVar(&days, "days", 1825, "let it last for `N` days")
	f.StringVar(&name, "name", "muster CA", "`NAME` of the authority, for people")
	p.folderFlags(c, &to)
	return c
}

// certificate is what a certificate is asked to be.
type certificate struct {
	peer, client bool
	group, name  string
	dns, ips     []string
	days         int
	ca, key      string
	to           folder
}

func (p *Program) tlsCertificate() *cobra.Command {
	var q certificate
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a certificate for a peer or a client",
		Long: `Makes a certificate and its key, signed by an authority. A peer's is good for its peer port and
for its API, under localhost and the loopback addresses and what -dns and -ip add; a client's is what
muster shows with -client-cert, and no peer ever takes it for a peer's.

Without -name the files are numbered: muster-peer-0.pem, muster-peer-1.pem and on.`,
		Example: `  muster tls cert create -peer -name peer-a -ip 10.0.0.1 -dns muster.example.com
  muster tls cert create -client -name alice -days 30
  muster tls cert create -peer -name peer-a -ip 10.0.0.1 -force      a new one in the place of the old`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error { return p.certify(&q) },
	}
	f := c.Flags()
	f.BoolVar(&q.peer, "peer", false, "make that of a peer")
	f.BoolVar(&q.client, "client", false, "make that of a client")
	f.StringVar(&q.group, "group", "muster", "`NAME` of the group")
	f.StringVar(&q.name, "name", "", "`NAME` of who has it, for people and for the files")
	f.StringArrayVar(&q.dns, "dns", nil, "a further `NAME` it is good for; may be repeated")
	f.StringArrayVar(&q.ips, "ip", nil, "a further `ADDRESS` it is good for; may be repeated")
	f.IntVar(&q.days, "days", 365, "let it last for `N` days")
	f.StringVar(&q.ca, "ca", "", "`FILE` of the authority (default "+authorityFile+" in -dir)")
	f.StringVar(&q.key, "key", "", "`FILE` of the authority's key (default "+authorityKey+" in -dir)")
	p.folderFlags(c, &q.to)
	return c
}

// certify makes what was asked for.
func (p *Program) certify(q *certificate) error {
	lasts, err := lifetime(q.days)
	if err != nil {
		return err
	}
	if q.peer == q.client {
		return errors.New("say either -peer or -client: whose certificate is it to be?")
	}
	r := cert.Request{Name: q.name, Group: q.group, Peer: q.peer, Now: p.Now(), Lasts: lasts}
	if r.DNS, err = dnsNames(q.dns); err != nil {
		return err
	}
	for _, text := range q.ips {
		ip := net.ParseIP(text)
		if ip == nil {
			return fmt.Errorf("-ip %q is no IP address; names go with -dns", text)
		}
		r.IPs = append(r.IPs, ip)
	}
	kind := "client"
	if q.peer {
		kind = "peer"
	}
	to, name, err := q.to.place(q.group+"-"+kind, q.name)
	if err != nil {
		return err
	}
	r.Name = name
	a, err := cert.OpenAuthority(cmp.Or(q.ca, filepath.Join(q.to.dir, authorityFile)),
		cmp.Or(q.key, filepath.Join(q.to.dir, authorityKey)), p.Now())
	if err != nil {
		return err
	}
	i, err := a.Issue(r)
	if err != nil {
		return err
	}
	return p.keep(i, to, q.to.force)
}

func lifetime(days int) (time.Duration, error) {
	const most = 100 * 365
	if days < 1 || days > most {
		return 0, fmt.Errorf("-days %d is not between 1 and %d", days, most)
	}
	return time.Duration(days) * aDay, nil
}

// dnsNames are names as certificates have them.
func dnsNames(given []string) ([]string, error) {
	for _, name := range given {
		switch {
		case net.ParseIP(name) != nil:
			return nil, fmt.Errorf("-dns %q is an address: say -ip %s", name, name)
		case name == "" || len(name) > 253 || strings.ContainsFunc(name, notInName):
			return nil, fmt.Errorf("-dns %q is no DNS name, such as muster.example.com", name)
		}
	}
	return given, nil
}

func notInName(r rune) bool {
	letter := 'a' <= r|0x20 && r|0x20 <= 'z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' && r != '*'
}

// place is the pair of files for what begins with a stem: those of a name, or of the first number that is free.
func (f folder) place(stem, name string) (pairFiles, string, error) {
	if name != "" {
		if strings.ContainsFunc(name, notInName) || strings.Contains(name, "*") {
			return pairFiles{}, "", fmt.Errorf("-name %q may hold letters, digits, '-', '_' and '.' alone: files are called by it", name)
		}
		return f.files(stem+"-"+name+".pem", stem+"-"+name+"-key.pem"), name, nil
	}
	for n := range 10_000 {
		name = strconv.Itoa(n)
		to := f.files(stem+"-"+name+".pem", stem+"-"+name+"-key.pem")
		if to.free() == nil {
			return to, name, nil
		}
	}
	return pairFiles{}, "", fmt.Errorf("there are 10,000 certificates in %s already: give this one a -name", f.dir)
}
