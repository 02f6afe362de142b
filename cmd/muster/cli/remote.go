package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/cmd/muster/table"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// The environment, as help tells it.
const (
	envAddr      = "MUSTER_HTTP_ADDR"
	envToken     = "MUSTER_HTTP_TOKEN"
	envTokenFile = "MUSTER_HTTP_TOKEN_FILE"

	envCAFile     = "MUSTER_CACERT"
	envClientCert = "MUSTER_CLIENT_CERT"
	envClientKey  = "MUSTER_CLIENT_KEY"
	envServerName = "MUSTER_TLS_SERVER_NAME"
)

const formatJSON = "json"

// dial says which peer to ask, and how.
type dial struct {
	address, token, tokenFile string
	tls                       proof
	format                    string
	stale                     bool
	reading                   bool   // the command changes nothing, so -stale may help it
	place                     string // the option that takes a place in the events; empty for -after
}

// asks makes a command and those below it ones that ask a peer.
func (p *Program) asks(c *cobra.Command) *cobra.Command {
	f := c.PersistentFlags()
	f.StringVar(&p.dial.address, "http-addr", "", "`ADDRESS` of the peer to ask, host:port or URL (default $"+envAddr+", else "+agent.DefaultHTTPAddr+")")
	f.StringVar(&p.dial.token, "token", "", "`TOKEN` to ask with (default $"+envToken+")")
	f.StringVar(&p.dial.tokenFile, "token-file", "", "`FILE` that holds the token (default $"+envTokenFile+")")
	p.dial.tls.flags(f)
	f.StringVar(&p.dial.format, "format", "table", "`table` or json: what the API answers")
	f.BoolVar(&p.dial.stale, "stale", false, "read what the asked peer knows, also without a leader")
	return c
}

// verb is a command that asks a peer; reading ones change nothing.
func (p *Program) verb(reading bool, do func(ctx context.Context, api *httpd.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		p.dial.reading = reading
		api, sent, err := p.dialed()
		if err != nil {
			return err
		}
		p.heed(sent)
		return do(c.Context(), api, args)
	}
}

// connect is a client for what people do not wait for, and are told nothing of.
func (p *Program) connect() (*httpd.Client, error) {
	api, _, err := p.dialed()
	return api, err
}

// token is what a command shows, and the file it was in, if it was in one.
type token struct{ secret, file string }

// dialed is a client, with the token that it sends.
func (p *Program) dialed() (*httpd.Client, token, error) {
	d := &p.dial
	if d.format != "table" && d.format != formatJSON {
		return nil, token{}, fmt.Errorf("-format %q is neither table nor json", d.format)
	}
	d.address = cmp.Or(d.address, p.Getenv(envAddr), agent.DefaultHTTPAddr)
	secure, err := d.tls.config(p.Getenv)
	if err != nil {
		return nil, token{}, err
	}
	if secure != nil && !strings.Contains(d.address, "://") {
		d.address = "https://" + d.address
	}
	sent, err := p.token()
	if err != nil {
		return nil, token{}, err
	}
	api, err := httpd.NewClient(httpd.ClientConfig{Address: d.address, Token: sent.secret, TLS: secure})
	return api, sent, err
}

// token is the one that was said nearest: an option before the environment, and of each the token before its file.
func (p *Program) token() (token, error) {
	d := &p.dial
	file := d.tokenFile
	switch {
	case d.token != "" && file != "":
		return token{}, errors.New("-token and -token-file exclude each other")
	case d.token != "":
		return token{secret: d.token}, nil
	case file == "" && p.Getenv(envToken) != "":
		return token{secret: p.Getenv(envToken)}, nil
	case file == "":
		file = p.Getenv(envTokenFile)
	}
	if file == "" {
		return token{}, nil
	}
	raw, err := tokenIn(file)
	if err != nil {
		return token{}, fmt.Errorf("read the token: %w", err)
	}
	return token{strings.TrimSpace(string(raw)), file}, nil
}

// maxToken is the bytes of a file with a token.
const maxToken = 64 << 10

// tokenIn is what a file holds. It may be a pipe, as when a shell runs the program that knows the token.
func tokenIn(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(raw) > maxToken {
		return nil, fmt.Errorf("%s is larger than the %d bytes that are taken", file, maxToken)
	}
	return raw, nil
}

func (p *Program) json() bool { return p.dial.format == formatJSON }

func (p *Program) read() httpd.Read { return httpd.Read{Stale: p.dial.stale} }

func (p *Program) list(filter string) httpd.List {
	return httpd.List{Read: p.read(), Filter: filter, Limit: pageSize}
}

// pageSize is the rows asked for at a time: as many as the API gives.
const pageSize = 1000

// writeJSON writes a value as the API does, for people.
func (p *Program) writeJSON(v any) error {
	e := json.NewEncoder(p.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (p *Program) write(t *table.Table) error { return t.Write(p.Out, p.ink, "") }

// ago is a span until now as people say it, "-" for never.
func (p *Program) ago(t fsm.Time) string {
	if t == 0 {
		return "-"
	}
	return table.Age(p.since(t).Truncate(time.Second))
}

// ahead is a span from now.
func (p *Program) ahead(t fsm.Time) string { return table.Age(-p.since(t).Truncate(time.Second)) }

func (p *Program) since(t fsm.Time) time.Duration { return p.Now().Sub(t.Std()) }

// open opens a file that a command was given; "-" is the input.
func (p *Program) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.In), nil
	}
	return os.Open(name)
}

// called is a file's name as messages show it.
func called(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}

// all reads all pages of a list; never nil, as JSON tells lists.
func all[T any](ctx context.Context, o httpd.List, read func(context.Context, httpd.List) (httpd.Page[T], error)) ([]T, error) {
	rows, err := httpd.All(ctx, o, read)
	if rows == nil {
		rows = []T{}
	}
	return rows, err
}
