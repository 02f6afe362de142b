package cli

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/musterhq/muster/cmd/muster/table"
)

// heed warns of what may give the token away that a command is about to send. It warns and goes on: whoever runs a peer with
// -insecure on a network of their own has said that they know.
func (p *Program) heed(sent token) {
	if sent.secret == "" {
		return
	}
	if at := clearWay(p.dial.address); at != "" {
		p.warn("the token goes to %s in the clear, where who is on the way can read it: ask at https://, with -ca-file or %s.", at, envCAFile)
	}
	if sent.file == "" {
		return
	}
	if info, err := os.Stat(sent.file); err == nil && info.Mode().Perm()&0o007 != 0 {
		p.warn("the file of the token, %s, is open to everybody on this machine: chmod o= %s", sent.file, sent.file)
	}
}

func (p *Program) warn(format string, args ...any) {
	fmt.Fprintf(p.Err, "%s %s\n", table.Ink{Colour: p.Colour}.Paint(table.Warn, "Warning:"), table.Clean(fmt.Sprintf(format, args...)))
}

// clearWay is the host of an address that is asked over plain HTTP on the network; empty when it is not.
func clearWay(address string) string {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || strings.EqualFold(u.Hostname(), "localhost") {
		return ""
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
		return ""
	}
	return u.Host
}
