package httpd

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

// ClientConfig says how to reach a peer.
type ClientConfig struct {
	Address string        // host:port or a URL
	Token   string        // sent in a header; empty sends none
	TLS     *tls.Config   // of https: whom to trust, and what to show
	HTTP    *http.Client  // nil makes one; with its own, TLS is not looked at
	Timeout time.Duration // for each request beside the wait it asks for, and all its tries; 0 is a minute
	// Retry is for how long a request is sent again that was surely not done: while nobody takes the connection, there is no leader,
	// or the peer has too many requests. 0 sends it once. What may have been done is never sent again.
	Retry time.Duration
}

// Client asks one peer for what the HTTP face offers. What the API refuses comes back as a *StatusError, which is a
// *fsm.Error to errors.As and errors.Is. It may be used by any number of goroutines.
type Client struct {
	base    *url.URL
	token   string
	http    *http.Client
	timeout time.Duration
	retry   time.Duration
}

// NewClient makes a client. It connects to nothing yet.
func NewClient(c ClientConfig) (*Client, error) {
	address := c.Address
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("address %q is neither host:port nor a URL", c.Address)
	}
	out := &Client{base: base, token: c.Token, http: c.HTTP, timeout: c.Timeout, retry: c.Retry}
	if out.http == nil {
		out.http = clientOf(c.TLS)
	}
	if out.http.CheckRedirect == nil {
		own := *out.http
		own.CheckRedirect = stay
		out.http = &own
	}
	if out.timeout == 0 {
		out.timeout = time.Minute
	}
	return out, nil
}

// stay follows no redirect: the API sends none, and the token would go to wherever another one points.
func stay(to *http.Request, from []*http.Request) error {
	return fmt.Errorf("%s redirects to %s, where no token is sent: ask there, if that is the peer", from[0].URL.Host, to.URL.Redacted())
}

func clientOf(conf *tls.Config) *http.Client {
	ordinary, ok := http.DefaultTransport.(*http.Transport)
	if conf == nil || !ok {
		return &http.Client{}
	}
	transport := ordinary.Clone()
	transport.TLSClientConfig = conf
	return &http.Client{Transport: transport}
}

// StatusError is an answer that is no success.
type StatusError struct {
	Status  int
	Refusal *fsm.Error
	Claim   *ClaimRow // the claim in the way, with fsm.CodeClaimed
	// NoLeader says that the peer asked knew no leader: what is wanted of one waits until most voters run.
	NoLeader bool
	told     bool // by the peer, not by a proxy before it
}

func (e *StatusError) Error() string { return e.Refusal.Message }

// Unwrap gives the refusal as it is known everywhere.
func (e *StatusError) Unwrap() error { return e.Refusal }

// Read says how to read. The zero value reads at once and linearizable.
type Read struct {
	Stale bool
	Index uint64        // when not 0, wait until the index of what is read has passed it
	Wait  time.Duration // at most so long; 0 is the server's default
}

func (o Read) query() url.Values {
	q := url.Values{}
	if o.Stale {
		q.Set("stale", "")
	}
	if o.Index > 0 {
		q.Set("index", strconv.FormatUint(o.Index, 10))
	}
	if o.Wait > 0 {
		q.Set("wait", fsm.DurationOf(o.Wait).String())
	}
	return q
}

// span is how long the server may take to answer, beside the work.
func (o Read) span() time.Duration {
	if o.Index == 0 {
		return 0
	}
	wait := o.Wait
	if wait <= 0 {
		wait = defaultWait
	}
	return wait + wait/16
}

// List says which page of a list to read.
type List struct {
	Read
	Filter string // go-bexpr over the names of the row
	Limit  int    // 0 is the server's default
	After  string // Next of the page before
}

func (o List) query() url.Values {
	q := o.Read.query()
	set(q, "filter", o.Filter)
	set(q, "after", o.After)
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	return q
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// ReadMeta is what an answer's headers say of what was read.
type ReadMeta struct {
	Index       uint64
	Epoch       string
	KnownLeader bool
	LastContact time.Duration
	Next        string // of a list: After for the next page, empty at the end
}

func readMeta(h http.Header) ReadMeta {
	m := ReadMeta{Epoch: h.Get("X-Muster-Epoch"), Next: h.Get("X-Muster-Next"), KnownLeader: h.Get("X-Muster-KnownLeader") == "true"}
	// Headers that are absent or wrong leave their fields zero, as documented by their meaning.
	m.Index, _ = strconv.ParseUint(h.Get("X-Muster-Index"), 10, 64)
	ms, _ := strconv.ParseInt(h.Get("X-Muster-LastContact"), 10, 64)
	m.LastContact = time.Duration(ms) * time.Millisecond
	return m
}

// call is one request.
type call struct {
	method string
	path   string
	query  url.Values
	body   any           // nil sends none
	patch  bool          // the body is a merge patch
	raw    io.Reader     // a backup as the body
	span   time.Duration // to wait beside the client's timeout
}

// do sends a request and decodes the answer into a value, or not when it is nil.
func (c *Client) do(ctx context.Context, k call, into any) (ReadMeta, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+k.span)
	defer cancel()
	res, err := c.again(ctx, k)
	if err != nil {
		return ReadMeta{}, err
	}
	defer res.Body.Close()
	meta := readMeta(res.Header)
	if into == nil {
		_, err = io.Copy(io.Discard, res.Body)
	} else {
		err = json.NewDecoder(res.Body).Decode(into)
	}
	if err != nil {
		return meta, fmt.Errorf("%s %s: read answer: %w", k.method, k.path, err)
	}
	return meta, nil
}

// send sends a request. What is no success comes back as the error.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	var body io.Reader
	if k.body != nil {
		raw, err := json.Marshal(k.body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: encode body: %w", k.method, k.path, err)
		}
		body = bytes.NewReader(raw)
	}
	if k.raw != nil {
		body = k.raw
	}
	target := c.base.String() + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", k.method, k.path, err)
	}
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if k.patch {
		req.Header.Set("Content-Type", mergePatch)
	}
	if k.raw != nil {
		req.Header.Set("Content-Type", contentGzip)
		req.Header.Set("Expect", "100-continue") // so that a refusal comes before the body is on its way
	}
	if c.token != "" {
		req.Header.Set("X-Muster-Token", c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= http.StatusBadRequest {
		defer res.Body.Close()
		return nil, statusError(res)
	}
	return res, nil
}

// statusError reads what went wrong; an answer that is not the API's is told by its status.
func statusError(res *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	out := &StatusError{Status: res.StatusCode}
	var body errorBody
	if err != nil || json.Unmarshal(raw, &body) != nil || body.Error.Code == "" {
		out.Refusal = fsm.Errorf(codeOf(res.StatusCode), "%s answered %s", res.Request.URL.Host, res.Status)
		return out
	}
	d := body.Error
	out.Refusal = &fsm.Error{Code: d.Code, Message: d.Message, Fields: d.Fields}
	out.Claim, out.told = d.Claim, true
	out.NoLeader = res.Header.Get("X-Muster-KnownLeader") == "false"
	return out
}

// codeOf is the code for a status that came without one, from a proxy say. A gateway that gave up leaves open what was
// done.
func codeOf(status int) fsm.Code {
	switch status {
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return fsm.CodeUnknown
	case http.StatusServiceUnavailable:
		return fsm.CodeUnavailable
	}
	for code, s := range statuses {
		if s == status && code != fsm.CodeClaimed && code != fsm.CodeStale {
			return code
		}
	}
	return CodeInternal
}

// path joins escaped elements.
func path(elements ...string) string {
	var b strings.Builder
	b.WriteString("/v1")
	for _, e := range elements {
		b.WriteString("/" + url.PathEscape(e))
	}
	return b.String()
}

// get reads one value.
func get[T any](ctx context.Context, c *Client, k call) (T, ReadMeta, error) {
	var out T
	k.method = http.MethodGet
	meta, err := c.do(ctx, k, &out)
	return out, meta, err
}

// Page is one page of a list.
type Page[T any] struct {
	Rows []T
	ReadMeta
}

func list[T any](ctx context.Context, c *Client, o List, elements ...string) (Page[T], error) {
	rows, meta, err := get[[]T](ctx, c, call{path: path(elements...), query: o.query(), span: o.span()})
	return Page[T]{Rows: rows, ReadMeta: meta}, err
}
