package refresh

import (
	"context"
	"net"
	"sync"
)

// counted is a connection that says when it is closed for the first time.
type counted struct {
	net.Conn
	closed func()
}

func (c *counted) Close() error {
	c.closed()
	return c.Conn.Close()
}

// countedDial dials as dial does and tells opened of each connection; what opened returns is called when it is closed.
func countedDial(
	dial func(ctx context.Context, network, address string) (net.Conn, error), opened func() (closed func()),
) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &counted{Conn: conn, closed: sync.OnceFunc(opened())}, nil
	}
}
