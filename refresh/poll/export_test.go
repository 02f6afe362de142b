package poll

import (
	"context"
	"net"
)

// LookUpBy has names looked up over other connections.
func (d *Dialer) LookUpBy(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	d.names = dial
}
