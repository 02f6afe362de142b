package etcd_test

import (
	"context"
	"net"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// fake is a member that answers with one status, to whoever has a token when one is set.
type fake struct {
	pb.UnimplementedMaintenanceServer
	pb.UnimplementedAuthServer

	status *pb.StatusResponse
	err    error

	mu     sync.Mutex
	token  string // "" tells the status to anybody
	logins int
}

func (f *fake) Status(ctx context.Context, _ *pb.StatusRequest) (*pb.StatusResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	given := metadata.ValueFromIncomingContext(ctx, rpctypes.TokenFieldNameGRPC)
	switch {
	case f.err != nil:
		return nil, f.err
	case f.token != "" && len(given) == 0:
		return nil, rpctypes.ErrGRPCUserEmpty
	case f.token != "" && given[0] != f.token:
		return nil, rpctypes.ErrGRPCInvalidAuthToken
	}
	return f.status, nil
}

func (f *fake) Authenticate(_ context.Context, r *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins++
	if r.Name != "muster" || r.Password != "battery-staple" {
		return nil, rpctypes.ErrGRPCAuthFailed
	}
	return &pb.AuthenticateResponse{Token: f.token}, nil
}

// expire makes another token the valid one.
func (f *fake) expire(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = token
}

func (f *fake) serve(conn net.Conn) { serveOn(f.server(), conn) }

func (f *fake) server() *grpc.Server {
	s := grpc.NewServer()
	pb.RegisterMaintenanceServer(s, f)
	pb.RegisterAuthServer(s, f)
	return s
}

// serveOn lets a gRPC server serve one connection until it is closed from either side.
func serveOn(s *grpc.Server, conn net.Conn) {
	only := &single{addr: conn.LocalAddr(), conns: make(chan net.Conn, 1), gone: make(chan struct{})}
	only.end = sync.OnceFunc(func() { close(only.gone) })
	only.conns <- &watched{conn, only.end}
	_ = s.Serve(only)
	s.Stop()
}

// single is a listener to which one connection comes; it ends with it.
type single struct {
	addr  net.Addr
	conns chan net.Conn
	gone  chan struct{}
	end   func()
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.gone:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error {
	l.end()
	return nil
}

func (l *single) Addr() net.Addr { return l.addr }

type watched struct {
	net.Conn
	closed func()
}

func (c *watched) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
