package redis

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

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
	g := &guard{Conn: conn, password: password}
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
		PoolSize:                 2, // one is all there is; after as many failed dials go-redis goes on dialing by itself
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
		} else if said := redis.Error(nil); errors.As(err, &said) {
			err = c.refused(said)
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

// refused is the fault of an error that the server answered with. Redis repeats the arguments of a command that it does not
// know, and where AUTH was renamed one of them is the password.
func (c *client) refused(said redis.Error) error {
	text, _, _ := strings.Cut(said.Error(), ", with args")
	text = probe.Hide(text, c.guard.password)
	switch word, _, _ := strings.Cut(text, " "); {
	case redis.IsPermissionError(said):
		return refresh.NewFault(fsm.ReasonAuth, "%s: ACL SETUSER NAME +info +cluster|nodes", text)
	case redis.IsAuthError(said), slices.ContainsFunc(noLogin, func(part string) bool { return strings.Contains(text, part) }):
		return refresh.NewFault(fsm.ReasonAuth, "%s", text)
	case redis.IsMaxClientsError(said), slices.Contains(unavailable, word):
		return refresh.NewFault(fsm.ReasonStore, "%s", text)
	}
	return refresh.NewFault(fsm.ReasonProtocol, "%s", text)
}

// noLogin are parts of what servers say that take no login, by release and by how they were told not to.
var noLogin = []string{"without any password configured", "no password is set", "unknown command 'auth'", "unknown command `auth`"}

// unavailable begins the errors of a server that is one, and cannot answer now.
var unavailable = []string{"LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"}
