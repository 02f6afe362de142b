package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	maxAnswer  = 256 << 10 // bytes of one message
	maxAnswers = 1 << 20   // bytes of all that is read in one poll: at most two statuses and a login
	maxHeaders = 16 << 10
	buffer     = 4 << 10
)

// gRPC's own log goes to stderr and says nothing that a report does not, and a server can make it say as much as it likes.
// It may only be replaced before gRPC is first used.
func init() {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
}

// client is etcd's client of one member, over a connection that is dialed when it is first asked.
type client struct {
	prober *Prober
	line   *probe.Line
	target refresh.Target
	conn   *grpc.ClientConn
	status clientv3.Maintenance
	auth   clientv3.Auth
	token  string // of the last login; used by one poll at a time

	mu    sync.Mutex
	fault error // the first thing that went wrong with a connection in this poll
}

func (p *Prober) open(_ context.Context, line *probe.Line, t refresh.Target) (*client, error) {
	c := &client{prober: p, line: line, target: t}
	conn, err := grpc.NewClient("passthrough:///"+t.HostPort(),
		grpc.WithContextDialer(c.dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // dial brings TLS
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithReadBufferSize(buffer),
		grpc.WithWriteBufferSize(buffer),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
	)
	if err != nil {
		return nil, fmt.Errorf("grpc: %w", err)
	}
	c.conn = conn
	c.status = clientv3.NewMaintenanceFromMaintenanceClient(pb.NewMaintenanceClient(conn), nil)
	c.auth = clientv3.NewAuthFromAuthClient(pb.NewAuthClient(conn), nil)
	return c, nil
}

// Close closes the connection and ends what gRPC runs for it.
func (c *client) Close() { _ = c.conn.Close() }

// dial makes the connection gRPC asks for. It remembers what goes wrong, since gRPC hands on only a text.
func (c *client) dial(ctx context.Context, _ string) (net.Conn, error) {
	conn, err := c.line.Connect(ctx, c.target, &c.prober.tls, "h2")
	if err != nil {
		c.note(err)
		return nil, err
	}
	return &guard{Conn: conn, note: c.note, ended: make(chan struct{})}, nil
}

func (c *client) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault == nil && !errors.Is(err, net.ErrClosed) {
		c.fault = err
	}
}

// ask gets the member's status, with a login only where it is refused without one.
func (c *client) ask(ctx context.Context) (*clientv3.StatusResponse, error) {
	c.mu.Lock()
	c.fault = nil
	c.mu.Unlock()
	answer, err := c.state(ctx)
	if wantsLogin(err) && c.prober.login.Username != "" {
		if err = c.logIn(ctx); err == nil {
			answer, err = c.state(ctx)
		}
	}
	if err != nil {
		return nil, c.cause(err)
	}
	return answer, nil
}

func (c *client) state(ctx context.Context) (*clientv3.StatusResponse, error) {
	if c.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, c.token)
	}
	return c.status.Status(ctx, c.target.HostPort())
}

func (c *client) logIn(ctx context.Context) error {
	password, err := c.prober.login.Reveal(c.prober.env)
	if err != nil {
		return err
	}
	answer, err := c.auth.Authenticate(ctx, c.prober.login.Username, password)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	c.token = answer.Token
	return nil
}

// cause is what went wrong with the connection, where gRPC only says that it has none.
func (c *client) cause(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, classified := errors.AsType[*refresh.FaultError](c.fault)
	if c.fault != nil && (classified || status.Code(err) == codes.Unavailable) {
		return refresh.FaultOf(c.fault)
	}
	return err
}
