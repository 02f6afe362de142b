package httpd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a running peer of one: a log that applies at once to a real state. It is all the interfaces a server needs.
type peer struct {
	t     testing.TB
	state *fsm.State

	mu    sync.Mutex
	index uint64
	now   fsm.Time

	noLeader  bool                                                           // reads and writes find no leader
	unknown   bool                                                           // writes end with an unknown outcome
	beforeLog func()                                                         // runs once before the next proposal is applied
	validate  func(*fsm.Spec) error                                          // nil accepts what fsm does
	preview   func(context.Context, string, fsm.Spec) (httpd.Preview, error) // nil answers with nothing
	reports   []fsm.Report
	restore   func(from io.Reader, cause fsm.Cause) (httpd.Restored, error)
	checks    []httpd.Check
	warnings  []string
	minted    int         // tokens made
	behind    *fsm.Reader // what stale reads see; nil is the state as it is
	proof     string      // with which the first token is made
	acts      []string    // what members, raft and life were told to do
}

const start = fsm.Time(1_763_800_000_000)

func newPeer(t testing.TB) *peer {
	p := &peer{t: t, state: fsm.NewState(), index: 10, now: start}
	p.apply(&fsm.GroupCreate{Group: "01GROUP", Epoch: "e1"})
	p.apply(&fsm.PeerSet{Peer: fsm.Peer{ID: "p1", Name: "peer-a", Status: fsm.PeerAlive}})
	return p
}

// apply applies one entry and refuses refusals.
func (p *peer) apply(c fsm.Command) fsm.Result {
	p.t.Helper()
	res := p.propose(c)
	if res.Error != nil {
		p.t.Fatalf("%s: %s", fsm.KindName(c), res.Error)
	}
	return res
}

func (p *peer) propose(c fsm.Command) fsm.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.index++
	p.now += 1000
	a, err := p.state.Apply(p.index, fsm.Entry(p.now, fsm.Frame(c)))
	if err != nil {
		p.t.Errorf("apply: %v", err)
		return fsm.Result{}
	}
	return a.Results[0]
}

func (p *peer) Read(_ context.Context, level httpd.Level) (*fsm.Reader, httpd.Contact, error) {
	if level == httpd.Stale && p.behind != nil {
		return p.behind, httpd.Contact{Known: true}, nil
	}
	if p.noLeader && level == httpd.Default {
		return nil, httpd.Contact{}, fsm.Errorf(fsm.CodeUnavailable, "no leader; try again, or read with ?stale")
	}
	return p.state.Read(), httpd.Contact{Known: !p.noLeader, Last: 7 * time.Millisecond, Leader: "127.0.0.1:8651"}, nil
}

func (p *peer) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	if p.noLeader {
		return fsm.Result{}, fsm.Errorf(fsm.CodeUnavailable, "no leader; it was not done, try again")
	}
	if before := p.beforeLog; before != nil {
		p.beforeLog = nil
		before()
	}
	res := p.propose(c)
	if p.unknown {
		return fsm.Result{}, fsm.Errorf(fsm.CodeUnknown, "leadership was lost; it may or may not have been done")
	}
	return res, nil
}

func (p *peer) Now() fsm.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *peer) Validate(_ context.Context, s *fsm.Spec) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if p.validate != nil {
		return p.validate(s)
	}
	return nil
}

func (p *peer) ValidateRefresh(s *fsm.RefreshSpec) error { return s.Validate() }

func (p *peer) Ask(_ context.Context, s fsm.Subject, cause fsm.Cause) (fsm.Result, error) {
	return p.propose(&fsm.ClaimGrant{
		Kind: s.Kind, Peer: "p1", TTL: 15 * fsm.Second, Reason: fsm.WhyAsked, IDs: []uint64{s.ID}, Cause: &cause,
	}), nil
}

func (p *peer) Preview(ctx context.Context, name string, s fsm.Spec) (httpd.Preview, error) {
	if p.preview == nil {
		return httpd.Preview{}, nil
	}
	return p.preview(ctx, name, s)
}

func (p *peer) Live(context.Context, string) ([]fsm.Report, error) { return p.reports, nil }

// Write writes a backup as these tests have them: the state's index in words.
func (p *peer) Write(to io.Writer, r *fsm.Reader) error {
	_, err := fmt.Fprintf(to, "a backup at %d", r.Meta().Index)
	return err
}

func (p *peer) Restore(_ context.Context, from io.Reader, cause fsm.Cause) (httpd.Restored, error) {
	return p.restore(from, cause)
}

func (p *peer) act(words ...string) error {
	p.acts = append(p.acts, strings.Join(words, " "))
	return nil
}

func (p *peer) Self() httpd.Self {
	return httpd.Self{Member: httpd.Member{ID: "p1", Name: "peer-a"}, Group: "muster", State: "leader"}
}

func (p *peer) Members() []httpd.Member {
	return []httpd.Member{{ID: "p1", Name: "peer-a", Status: "alive"}, {ID: "p2", Name: "peer-b", Status: "failed"}}
}
func (p *peer) Join(_ context.Context, a string) error       { return p.act("join", a) }
func (p *peer) ForceLeave(_ context.Context, n string) error { return p.act("force-leave", n) }
func (p *peer) Reload(context.Context) (httpd.Reloaded, error) {
	return httpd.Reloaded{Files: []string{"a.hcl"}}, p.act("reload")
}
func (p *peer) Leave(context.Context) error { return p.act("leave") }
func (p *peer) Leader() string {
	if p.noLeader {
		return ""
	}
	return "127.0.0.1:8651"
}
func (p *peer) Peers() []string { return []string{"127.0.0.1:8651"} }
func (p *peer) Known() (httpd.RaftConfiguration, error) {
	return httpd.RaftConfiguration{Servers: []httpd.RaftServer{{ID: "p1", Name: "peer-a", State: "candidate", Voter: true}}, Index: 3}, nil
}

func (p *peer) Configuration(context.Context) (httpd.RaftConfiguration, error) {
	if p.noLeader {
		return httpd.RaftConfiguration{}, fsm.Errorf(fsm.CodeUnavailable, "no leader; it was not done, try again")
	}
	return httpd.RaftConfiguration{Servers: []httpd.RaftServer{{ID: "p1", Name: "peer-a", Leader: true, Voter: true}}, Index: 3}, nil
}
func (p *peer) RemovePeer(_ context.Context, id string) error     { return p.act("remove", id) }
func (p *peer) TransferLeader(_ context.Context, id string) error { return p.act("transfer", id) }

// Mint makes tokens whose secrets tests know.
func (p *peer) Mint() (accessor, secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.minted++
	return fmt.Sprintf("accessor-%d", p.minted), fmt.Sprintf("secret-%d", p.minted)
}

func (p *peer) Prove(proof string, local bool) error {
	if proof != "" && proof == p.proof || local {
		return nil
	}
	return errors.New("the proof is wrong")
}

func (p *peer) Proved() { p.proof = "" }

func (p *peer) Usage() []httpd.UsageRow {
	return []httpd.UsageRow{{Name: "disk", Of: httpd.OfPeer, Unit: httpd.UnitBytes, Used: 1 << 20, Limit: 1 << 30}}
}

// inside tells its Configuration apart from raft's.
type inside struct{ *peer }

func (inside) Configuration() httpd.Configuration {
	return httpd.Configuration{Settings: []httpd.Setting{{Name: "consul.address", Hidden: true}}}
}

func (p *peer) Host() httpd.Host {
	return httpd.Host{Name: "here", OS: "linux", Arch: "amd64", CPUs: 2, Time: p.Now()}
}

func (p *peer) Checks() []httpd.Check { return slices.Clone(p.checks) }

func (p *peer) Warnings() []string { return p.warnings }

func (p *peer) config() httpd.Config {
	reg := prometheus.NewRegistry()
	return httpd.Config{
		Replica: p, Log: p, Clock: p, Rules: p, Work: p, Backups: p, Members: p, Raft: p, Life: p, Access: p, Keys: keys{p}, Journal: &journal{}, Inside: inside{p},
		Metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), Registerer: reg, Logger: slog.New(slog.DiscardHandler),
	}
}

// face is a server over a peer, asked without a network.
type face struct {
	*peer
	server *httpd.Server
}

func newFace(t testing.TB, change ...func(*httpd.Config)) *face {
	t.Helper()
	p := newPeer(t)
	c := p.config()
	for _, f := range change {
		f(&c)
	}
	s, err := httpd.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return &face{peer: p, server: s}
}

// answer is a recorded answer.
type answer struct {
	*httptest.ResponseRecorder
	t testing.TB
}

// do sends a request; the body is sent as JSON unless it is nil.
func (f *face) do(method, target string, body any, header ...string) answer {
	f.t.Helper()
	var r io.Reader
	var sent []byte
	switch b := body.(type) {
	case nil:
	case string:
		sent = []byte(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			f.t.Fatal(err)
		}
		sent = raw
	}
	if body != nil {
		r = bytes.NewReader(sent)
	}
	req := httptest.NewRequestWithContext(f.t.Context(), method, target, r)
	req.RemoteAddr = "192.0.2.7:4711"
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(w, req)
	checks(f.t, req, sent, w)
	return answer{w, f.t}
}

func (f *face) get(target string, header ...string) answer {
	f.t.Helper()
	return f.do(http.MethodGet, target, nil, header...)
}

// into decodes an answer of a status.
func into[T any](a answer, status int) T {
	a.t.Helper()
	var v T
	if a.Code != status {
		a.t.Fatalf("status %d, want %d: %s", a.Code, status, a.Body)
	}
	if err := json.Unmarshal(a.Body.Bytes(), &v); err != nil {
		a.t.Fatalf("%v: %s", err, a.Body)
	}
	return v
}

// refusal is the JSON of an error.
type refusal struct {
	Error struct {
		Code    fsm.Code
		Message string
		Fields  map[string]string
		Outcome string
		Claim   *httpd.ClaimRow
	}
}

// refuses checks that an answer refuses with a status and code, and returns it.
func (a answer) refuses(status int, code fsm.Code) refusal {
	a.t.Helper()
	r := into[refusal](a, status)
	if r.Error.Code != code || r.Error.Message == "" {
		a.t.Fatalf("error is %+v, want code %s and a message", r.Error, code)
	}
	return r
}

// blames checks that an answer refuses a field with 400, and returns what it says of it.
func (a answer) blames(field string) string {
	a.t.Helper()
	r := a.refuses(http.StatusBadRequest, fsm.CodeInvalid)
	said, ok := r.Error.Fields[field]
	if !ok {
		a.t.Fatalf("fields are %v, want %s", r.Error.Fields, field)
	}
	return said
}

// names is one field of each row of a list.
func names(a answer, field string) []string {
	a.t.Helper()
	var out []string
	for _, row := range into[[]map[string]any](a, http.StatusOK) {
		out = append(out, row[field].(string))
	}
	return out
}

// lastEvent is the newest event.
func (p *peer) lastEvent() *fsm.Event {
	r := p.state.Read()
	for e := range r.Events(r.Meta().Seq - 1) {
		return e
	}
	p.t.Fatal("there is no event")
	return nil
}

func escape(s string) string { return url.QueryEscape(s) }
