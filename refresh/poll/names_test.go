package poll_test

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

// A name that could not be looked up for want of files is not one that is not known.
func TestNamesWithoutFiles(t *testing.T) {
	for _, c := range []struct {
		errno  syscall.Errno
		reason string
	}{{syscall.EMFILE, refresh.ReasonShortage}, {syscall.ECONNREFUSED, fsm.ReasonDNS}} {
		d := poll.NewDialer(poll.Rules{})
		d.LookUpBy(func(_ context.Context, network, _ string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("socket", c.errno)}
		})
		_, err := d.Dial(t.Context(), "tcp", "orders-1.db.invalid:8655")
		expectReason(t, err, c.reason)
	}
}
