package peerport_test

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/musterhq/muster/agent/memnet"
)

// piped is a world in memory, fit for a synctest bubble, whose peers have addresses 10.0.0.1:8651 and on.
func piped() (*world, *memnet.Network) {
	n := memnet.New()
	var last atomic.Int32
	return &world{
		addrs: map[string]string{}, dial: n.DialFrom("10.1.0.1"),
		listen: func(*testing.T) net.Listener { return n.Listen(fmt.Sprintf("10.0.0.%d:8651", last.Add(1))) },
	}, n
}
