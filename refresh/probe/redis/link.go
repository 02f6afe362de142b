package redis

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// link is a client of go-redis around one connection, used by one poll at a time.
type link struct {
	address string
	guard   *guard
	client  *redis.Client
	since   time.Time // when it became idle
}

// errSpent stops go-redis from making a second connection.
var errSpent = errors.New("the connection is gone")

func newLink(conn net.Conn, address, username, password string) *link {
	g := &guard{Conn: conn}
	once := make(chan net.Conn, 1)
	once <- g
	client := redis.NewClient(&redis.Options{
		Addr:     address,
		Username: username,
		Password: password,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			select {
			case conn := <-once:
				return conn, nil
			default:
				return nil, errSpent
			}
		},
		Protocol:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		ContextTimeoutEnabled:    true,
		MaxRetries:               -1,
		DialerRetries:            1,
		PoolSize:                 1,
		PipelinePoolSize:         -1,
		ConnMaxIdleTime:          -1,
		ReadBufferSize:           4 << 10,
		WriteBufferSize:          1 << 10,
	})
	return &link{address: address, guard: g, client: client}
}

// close closes the connection, whether or not go-redis took it over.
func (l *link) close() {
	_ = l.client.Close()
	_ = l.guard.Close()
}

// facts are what a server said: the fields of INFO, and where cluster mode is on the answer to CLUSTER NODES.
type facts struct {
	info  map[string]string
	nodes string
}

// read asks over l. An error leaves l fit only to be closed; again says that the connection had been closed before any of
// an answer came.
func (l *link) read(ctx context.Context) (f facts, again bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = l.guard.Close() })
	f, err = l.ask(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		return f, false, nil
	}
	heard, offence := l.guard.state()
	switch {
	case offence != nil:
		return facts{}, false, offence
	case ctx.Err() != nil:
		return facts{}, false, ctx.Err()
	}
	err = faultOf(err)
	return facts{}, !heard && refresh.FaultOf(err).Reason == fsm.ReasonReset, err
}

func (l *link) ask(ctx context.Context) (facts, error) {
	text, err := l.client.Info(ctx).Result()
	if err != nil {
		return facts{}, err
	}
	f := facts{info: parseInfo(text)}
	if f.info["cluster_enabled"] == "1" {
		f.nodes, err = l.client.ClusterNodes(ctx).Result()
	}
	return f, err
}

// faultOf gives the errors that a server answers with their reasons.
func faultOf(err error) error {
	var said redis.Error
	switch {
	case redis.IsAuthError(err), redis.IsPermissionError(err):
		return refresh.NewFault(fsm.ReasonAuth, "%w", err)
	case redis.IsMaxClientsError(err):
		return refresh.NewFault(fsm.ReasonStore, "%w", err)
	case errors.As(err, &said):
		return refresh.NewFault(fsm.ReasonProtocol, "%w", err)
	}
	return err
}
