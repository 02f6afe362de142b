package mongodb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Codes of MongoDB's errors.
const (
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeCommandNotFound      = 59
	codeShutdown             = 91
	codeInvalidConfig        = 93
	codeNotInitialised       = 94
	codeAtlas                = 8000 // of its shared tiers, for what they leave out
	codeInterruptedShutdown  = 11600
)

// client is one connection to one server.
type client struct {
	wire
	hello   string // the command's name; servers before 4.4.2 know it by another
	version string // empty when it may not be asked
}

func (p *Prober) open(ctx context.Context, line *probe.Line, t refresh.Target) (*client, error) {
	conn, err := line.Connect(ctx, t, &p.tls)
	if err != nil {
		return nil, err
	}
	c := &client{wire: wire{conn: conn}, hello: "hello"}
	if p.login.Username != "" {
		if err := p.logIn(c); err != nil {
			return nil, err
		}
	}
	build, err := c.run("admin", bson.D{{Key: "buildInfo", Value: 1}})
	if err != nil && codeOf(err) != codeUnauthorized {
		return nil, err
	}
	c.version = text(build, "version")
	return c, nil
}

// Close closes the connection.
func (c *client) Close() { _ = c.conn.Close() }

// askHello asks what the server is, by the name it knows the question by.
func (c *client) askHello(more ...bson.E) (bson.Raw, error) {
	answer, err := c.run("admin", append(bson.D{{Key: c.hello, Value: 1}}, more...))
	if codeOf(err) == codeCommandNotFound && c.hello == "hello" {
		c.hello = "isMaster"
		return c.askHello(more...)
	}
	return answer, err
}

// facts are what one poll brought.
type facts struct {
	hello   bson.Raw
	version string
	status  bson.Raw // of the replica set; nil when there is none to tell
	refusal int64    // code of the error that came instead of status; 0 when none did
}

func (c *client) facts() (facts, error) {
	hello, err := c.askHello()
	if err != nil {
		return facts{}, err
	}
	f := facts{hello: hello, version: c.version}
	switch {
	case !f.whole():
		return facts{}, refresh.NewFault(fsm.ReasonProtocol, "is no MongoDB server: its %s does not say whether it is a primary", c.hello)
	case !f.replicated():
		return f, nil
	}
	f.status, err = c.run("admin", bson.D{{Key: "replSetGetStatus", Value: 1}})
	switch f.refusal = codeOf(err); f.refusal {
	case codeInvalidConfig, codeNotInitialised, codeUnauthorized, codeCommandNotFound, codeAtlas:
		return f, nil
	}
	if _, ok := f.status.Lookup("myState").AsInt64OK(); err == nil && !ok {
		err = refresh.NewFault(fsm.ReasonProtocol, "replSetGetStatus names no state")
	}
	return f, err
}

// codeOf is the code of an error that a server answered with, 0 for other errors and none.
func codeOf(err error) int64 {
	if said, ok := errors.AsType[*serverError](err); ok {
		return said.code
	}
	return 0
}

// faultOf gives the errors that a server answers with their reasons.
func faultOf(err error) error {
	said, ok := errors.AsType[*serverError](err)
	if !ok {
		return err
	}
	switch said.code {
	case codeAuthenticationFailed:
		return refresh.NewFault(fsm.ReasonAuth, "wrong username or password, or the user is of another auth_source")
	case codeUnauthorized:
		return refresh.NewFault(fsm.ReasonAuth, "%w", err)
	case codeShutdown, codeInterruptedShutdown:
		return refresh.NewFault(fsm.ReasonStore, "%w", err)
	}
	return refresh.NewFault(fsm.ReasonProtocol, "%w", err)
}
