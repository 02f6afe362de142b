package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	maxAnswers = 256 << 10 // bytes read in one poll
	maxMessage = 64 << 10  // bytes of one message
	maxHeard   = 1 << 20   // bytes read over one connection, after which it is not used again
	goodbye    = time.Second
)

// errSpent stops pgconn from making a second connection, as it would to cancel a query.
var errSpent = errors.New("the connection is gone")

// client is a pgconn connection.
type client struct {
	conn  *pgconn.PgConn
	guard *guard
	close func()
}

func (p *Prober) open(ctx context.Context, line *probe.Line, t refresh.Target) (*client, error) {
	password, err := p.login.Reveal(p.env)
	if err != nil {
		return nil, err
	}
	raw, err := p.connect(ctx, line, t)
	if err != nil {
		return nil, err
	}
	config, err := p.config(t, password)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	c := &client{guard: &guard{}}
	config.DialFunc = once(raw)
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		c.guard.Reader = r
		return pgproto3.NewFrontend(c.guard, w)
	}
	// When ctx ends, the line is hung up. So pgconn need not watch ctx too, at the cost of a goroutine for each question.
	unwatched := context.WithoutCancel(ctx)
	if c.conn, err = pgconn.ConnectConfig(unwatched, config); err != nil {
		return nil, err
	}
	c.close = func() {
		_ = raw.SetDeadline(time.Now().Add(goodbye))
		_ = c.conn.Close(unwatched)
		_ = raw.Close()
		<-c.conn.CleanupDone()
	}
	return c, nil
}

// config is pgconn's, of which every field is set here that libpq's variables and files could have set.
func (p *Prober) config(t refresh.Target, password string) (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig("host=localhost port=5432 user=muster password=none sslmode=disable sslcertmode=allow " +
		"sslnegotiation=postgres target_session_attrs=any connect_timeout=0 channel_binding=prefer " +
		"min_protocol_version=3.0 max_protocol_version=3.0 require_auth=none")
	if err != nil {
		return nil, fmt.Errorf("the peer's own PG variables: %w", err)
	}
	config.Host, config.LookupFunc = t.Address, literally
	config.Database, config.User, config.Password = p.database, p.login.Username, password
	config.TLSConfig, config.Fallbacks, config.ValidateConnect = nil, nil, nil
	config.KerberosSrvName, config.KerberosSpn = "", ""
	config.MaxProtocolMessageBodyLen = maxMessage
	config.RequireAuth = "!password,!gss,!sspi,!oauth"
	if p.tls.On {
		config.RequireAuth = "!gss,!sspi,!oauth"
	}
	config.RuntimeParams = map[string]string{
		"application_name":              "muster",
		"client_encoding":               "UTF8",
		"default_transaction_read_only": "on",
		"search_path":                   "pg_catalog",
		"statement_timeout":             longest,
	}
	return config, nil
}

// longest is the longest that a poll can take, in milliseconds: a question that muster no longer waits for ends by then.
const longest = "5000"

func literally(_ context.Context, host string) ([]string, error) { return []string{host}, nil }

// once hands out one connection.
func once(conn net.Conn) pgconn.DialFunc {
	first := make(chan net.Conn, 1)
	first <- conn
	return func(context.Context, string, string) (net.Conn, error) {
		select {
		case conn := <-first:
			return conn, nil
		default:
			return nil, errSpent
		}
	}
}

// connect dials and, where TLS is on, secures the connection. It is pgconn that sees a *tls.Conn then, and binds SCRAM to it.
func (p *Prober) connect(ctx context.Context, line *probe.Line, t refresh.Target) (net.Conn, error) {
	config, err := p.tls.Config(p.env, t.Address)
	if err != nil {
		return nil, err
	}
	raw, err := line.Dial(ctx, "tcp", t.HostPort())
	if err != nil || config == nil {
		return raw, err
	}
	if err := askTLS(raw); err != nil {
		return nil, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return conn, nil
}

// askTLS asks for TLS. The answer is one byte, so nothing that came in the clear can be taken for what comes after.
func askTLS(conn net.Conn) error {
	request, err := (&pgproto3.SSLRequest{}).Encode(nil)
	if err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	switch answer[0] {
	case 'S':
		return nil
	case 'N':
		return refresh.NewFault(fsm.ReasonTLS, "the server has TLS off: turn it on there (ssl = on), or off in the config")
	}
	return noServer(answer)
}

// Close ends the session. It returns when all that pgconn started has ended.
func (c *client) Close() { c.close() }

// ask asks once, and where the answer leaves the lag open once more.
func (c *client) ask(ctx context.Context) (facts, error) {
	if c.guard.heard > maxHeard {
		return facts{}, probe.ErrStale
	}
	f, err := c.query(ctx, question)
	if err != nil || !f.unclear() {
		return f, err
	}
	later, err := c.query(ctx, aMomentLater)
	if err != nil {
		return facts{}, err
	}
	later.caughtUp = later.replayed >= f.sent()
	return later, nil
}

func (c *client) query(ctx context.Context, sql string) (facts, error) {
	results, err := c.conn.Exec(context.WithoutCancel(ctx), sql).ReadAll()
	switch {
	case err != nil:
		return facts{}, err
	case len(results) == 0:
		return facts{}, refresh.NewFault(fsm.ReasonProtocol, "the server answered nothing")
	}
	last := results[len(results)-1]
	if last.Err != nil {
		return facts{}, last.Err
	}
	return parse(last.Rows)
}
