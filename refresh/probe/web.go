package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Web is how kinds that speak HTTP get their pages. Without TLS and without credentials that is the peer's own client, at a
// fraction of the cost.
type Web struct {
	Login Login          // sent as Basic
	Token refresh.Secret // sent as Bearer
	TLS   TLS

	// Conns is how many connections to one address there are at most, all of them kept; a request waits for one. Zero sets no
	// limit and keeps one.
	Conns int
}

// Fields are the keys of a login, of TLS, and token_file and token_env.
func (w *Web) Fields() Fields {
	return Join(w.Login.Fields(), w.TLS.Fields(), Fields{"token_file": &w.Token.File, "token_env": &w.Token.Variable})
}

// Check refuses what contradicts itself.
func (w *Web) Check(env refresh.Env) error {
	if w.Token != (refresh.Secret{}) && w.Login != (Login{}) {
		return fsm.Invalid("refresh.config.username", "is set beside a token; one way to log in is enough")
	}
	if err := w.Login.CheckWhole(env); err != nil {
		return err
	}
	if err := CheckSecret("token", w.Token, env); err != nil {
		return err
	}
	return w.TLS.Check(env)
}

// Pages is a Fetcher that holds connections. 401 and 403 are authentication faults unless the request takes them for answers.
type Pages interface {
	refresh.Fetcher
	Close()
}

// Pages makes the Fetcher for a checked config.
func (w *Web) Pages(env refresh.Env) Pages {
	if *w == (Web{}) {
		return plain{env.HTTP}
	}
	p := &pages{web: *w, env: env}
	p.transport = &http.Transport{
		DialContext:            p.dial,
		DialTLSContext:         p.dialTLS,
		MaxConnsPerHost:        w.Conns,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    max(1, w.Conns),
		IdleConnTimeout:        maxRest,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	return p
}

const maxHeader = 16 << 10 // bytes

type plain struct{ refresh.Fetcher }

func (plain) Close() {}

// Fetch implements refresh.Fetcher.
func (p plain) Fetch(ctx context.Context, r refresh.Request) (refresh.Response, error) {
	asked := r
	r.Status = func(code int) bool { return unwelcome(code) || asked.Judge(code) == nil }
	response, err := p.Fetcher.Fetch(ctx, r)
	if err == nil {
		err = judge(&asked, response.Status)
	}
	if err != nil {
		return refresh.Response{}, err
	}
	return response, nil
}

// judge is r's own judgement, with a better reason for some.
func judge(r *refresh.Request, status int) error {
	err := r.Judge(status)
	if err != nil && unwelcome(status) {
		return refresh.NewFault(fsm.ReasonAuth, "%d %s", status, http.StatusText(status))
	}
	return err
}

func unwelcome(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

type pages struct {
	web       Web
	env       refresh.Env
	transport *http.Transport
}

func (p *pages) Close() { p.transport.CloseIdleConnections() }

// within bounds a connect, its handshake included. The transport lets one go on when its request has ended, so nothing else
// would end it.
func (p *pages) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.env.ConnectTimeout > 0 {
		return context.WithTimeout(ctx, p.env.ConnectTimeout)
	}
	return context.WithCancel(ctx)
}

func (p *pages) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	return p.env.Dial(ctx, network, address)
}

func (p *pages) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	config, err := p.web.TLS.Config(p.env, host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := p.within(ctx)
	defer cancel()
	raw, err := p.env.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn, err := secure(ctx, raw, config)
	if err != nil {
		return nil, err
	}
	return &secured{Conn: conn}, nil
}

// secured remembers why the other side hung up. In TLS 1.3 it may refuse this side's certificate when the first request is on
// its way; the transport, which reads and writes at once, would then often tell of its own close alone.
type secured struct {
	*tls.Conn
	refusal atomic.Pointer[error]
}

func (c *secured) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.refusal.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (c *secured) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if refusal := c.refusal.Load(); err != nil && refusal != nil {
		err = *refusal
	}
	return n, err
}

// Fetch implements refresh.Fetcher.
func (p *pages) Fetch(ctx context.Context, r refresh.Request) (refresh.Response, error) {
	request, err := p.request(ctx, r)
	if err != nil {
		return refresh.Response{}, err
	}
	answer, err := p.transport.RoundTrip(request)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return refresh.Response{}, withoutLogin(fmt.Errorf("get %s: %w", r.Path, err), request)
	}
	response, err := read(answer, r)
	if closing := answer.Body.Close(); err == nil && closing != nil {
		err = fmt.Errorf("read: %w", closing)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return response, err
}

// withoutLogin takes the login out of an error, which shows lines of an answer that cannot be read.
func withoutLogin(err error, request *http.Request) error {
	_, login, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	f := refresh.FaultOf(err)
	if hidden := Hide(f.Detail, login); hidden != f.Detail {
		return refresh.NewFault(f.Reason, "%s", hidden)
	}
	return err
}

func (p *pages) request(ctx context.Context, r refresh.Request) (*http.Request, error) {
	scheme := "http://"
	if p.web.TLS.On {
		scheme = "https://"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+r.Address+r.Path, nil)
	if err != nil || request.URL.Host != r.Address {
		return nil, refresh.NewFault(fsm.ReasonDNS, "%q is no host name or address with a port", r.Address)
	}
	if r.IfNoneMatch != "" {
		request.Header.Set("If-None-Match", r.IfNoneMatch)
	}
	if p.web.Token != (refresh.Secret{}) {
		token, err := reveal("the token", p.web.Token, p.env)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if p.web.Login.Username != "" {
		password, err := p.web.Login.Reveal(p.env)
		if err != nil {
			return nil, err
		}
		request.SetBasicAuth(p.web.Login.Username, password)
	}
	return request, nil
}

func read(answer *http.Response, r refresh.Request) (refresh.Response, error) {
	if err := judge(&r, answer.StatusCode); err != nil {
		return refresh.Response{}, err
	}
	limit := r.MaxBody
	if limit == 0 {
		limit = refresh.MaxDocument
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err != nil {
		return refresh.Response{}, fmt.Errorf("read body: %w", err)
	}
	if int64(len(body)) > limit {
		return refresh.Response{}, refresh.NewFault(fsm.ReasonTooLarge, "the body is longer than %d bytes", limit)
	}
	response := refresh.Response{Status: answer.StatusCode, Body: body, Kept: make([]string, len(r.Keep))}
	for i, name := range r.Keep {
		response.Kept[i] = answer.Header.Get(name)
	}
	return response, nil
}
