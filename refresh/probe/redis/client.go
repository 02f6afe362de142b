package redis

import (
	"context"
	"errors"
	"net"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// maxAnswers bounds all that is read in one poll: the few replies of a login, INFO and CLUSTER NODES.
const maxAnswers = 4 << 20

// client is a client of go-redis around one connection.
type client struct {
	redis *redis.Client
	guard *guard
}

// errSpent stops go-redis from making a second connection.
var errSpent = errors.New("the connection is gone")

func (p *Prober) open(ctx context.Context, line *probe.Line, t refresh.Target) (*client, error) {
	password, err := p.login.Reveal(p.env)
	if err != nil {
		return nil, err
	}
	conn, err := line.Connect(ctx, t, &p.tls)
	if err != nil {
		return nil, err
	}
	g := &guard{Conn: conn}
	once := make(chan net.Conn, 1)
	once <- g
	return &client{guard: g, redis: redis.NewClient(&redis.Options{
		Addr:     t.HostPort(),
		Username: p.login.Username,
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
	})}, nil
}

// Close closes the connection, whether or not go-redis took it over.
func (c *client) Close() {
	_ = c.redis.Close()
	_ = c.guard.Close()
}

// facts are what a server said: the fields of INFO, and where cluster mode is on the answer to CLUSTER NODES.
type facts struct {
	info  map[string]string
	nodes string
}

func (c *client) ask(ctx context.Context) (f facts, err error) {
	defer func() {
		if offence := c.guard.offence(); offence != nil {
			err = offence
		}
	}()
	text, err := c.redis.Info(ctx).Result()
	if err != nil {
		return facts{}, err
	}
	f.info = parseInfo(text)
	if f.info["cluster_enabled"] == "1" {
		f.nodes, err = c.redis.ClusterNodes(ctx).Result()
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
