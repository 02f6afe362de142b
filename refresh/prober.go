package refresh

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

// Target is one node to ask: who it is and where.
type Target struct {
	Cluster, Node string
	Address       string // host name or IP address, without a port
	Port          int
	Labels        map[string]string // read-only
}

// HostPort is where t is dialed. Nothing else of a record ever becomes part of an address.
func (t Target) HostPort() string { return net.JoinHostPort(t.Address, strconv.Itoa(t.Port)) }

// Failed is the report of a poll that failed with err, its reason chosen by FaultOf.
func (t Target) Failed(err error) fsm.Report {
	f := FaultOf(err)
	return fsm.Unreachable(t.Node, f.Reason, f.Detail)
}

// Asker is a Prober or a ClusterProber; which one is found by a type switch, and Probers.Make returns nothing else. An
// Asker may hold connections between polls; Close lets go of them and is called once, after the last poll has returned.
type Asker interface{ Close() }

// Prober asks one node. Any number of Probe calls may run at once, for one target too.
type Prober interface {
	Asker

	// Probe never fails: a node that could not be asked is a report that says why. ctx carries the deadline, and Probe
	// returns at once when ctx ends; the report of a poll that was cancelled says ReasonTimeout, and a caller that
	// cancelled drops it. The report is bounded (fsm.Report.Bound) and belongs to the caller.
	Probe(ctx context.Context, t Target) fsm.Report
}

// ClusterProber asks one place about all of a cluster's nodes.
type ClusterProber interface {
	Asker

	// ProbeCluster returns one report for each target, in their order. An error means that the third party failed: then
	// the refresh fails, and no node changes.
	ProbeCluster(ctx context.Context, targets []Target) ([]fsm.Report, error)
}

// Conditional is a Prober whose nodes can say "as I said before" instead of saying it again.
//
// The tag is the caller's to keep: the prober remembers none. NotModified means that the node is reachable and that its report
// would be, but for offsets and lag, the one the tag came with. The caller keeps tags alone, so it may pass one only while
// such an answer needs no report: while the cluster stands as it did when a round that was told this changed nothing, in the
// same epoch, at the same version, with the same settings and notes (stand). Where that turns out to be no longer so, the node
// is asked again without a tag. Of a node whose lag is near lag_limit no tag is kept.
type Conditional interface {
	Prober

	// ProbeIf is Probe that may be answered by NotModified when etag is not empty.
	ProbeIf(ctx context.Context, t Target, etag string) Answer
}

// Answer is what a conditional poll brought.
type Answer struct {
	Report      fsm.Report // only its Node is set when NotModified
	ETag        string     // for the next poll; empty when there is nothing to be conditional on
	NotModified bool
	WorstLagMS  *int64 // with NotModified: the worst lag of any shard in milliseconds, when the node sent it
}

// Request is one plain GET.
type Request struct {
	Address     string   // host:port, from Target.HostPort
	Path        string   // with its query; begins with "/"
	IfNoneMatch string   // an entity tag, quotes included; empty sends none, and then 304 is an error
	Keep        []string // names of the headers wanted back
	MaxBody     int64    // bytes; zero means MaxDocument

	// Status says which statuses are an answer; nil takes 200 alone. 304 is one whenever IfNoneMatch was sent, and a
	// redirect never is.
	Status func(code int) bool

	ConnectTimeout time.Duration // zero leaves it to the Fetcher
}

// Judge says whether a status is an answer to r: a fault of the reason redirect for those that point elsewhere, of http_status
// for all others that are none.
func (r *Request) Judge(status int) error {
	switch {
	case status == http.StatusNotModified:
		if r.IfNoneMatch != "" {
			return nil
		}
		return NewFault(fsm.ReasonProtocol, "304 in answer to a request without a condition")
	case 300 <= status && status < 400:
		return NewFault(fsm.ReasonRedirect, "%d; redirects are not followed", status)
	case r.Status == nil && status == http.StatusOK, r.Status != nil && r.Status(status):
		return nil
	}
	return NewFault(fsm.ReasonHTTPStatus, "%s", strings.TrimSpace(strconv.Itoa(status)+" "+http.StatusText(status)))
}

// Response is the answer to a Request. It holds nothing of the connection it came over.
type Response struct {
	Status int
	Kept   []string // values of the headers named in Request.Keep, in that order; empty where there was none
	Body   []byte
}

// Fetcher does plain GETs under the dial rules; poll.Client is one. An error is classified by FaultOf.
type Fetcher interface {
	Fetch(ctx context.Context, r Request) (Response, error)
}

// Secret names where a secret is kept: a file, or an environment variable. Exactly one is set.
type Secret struct{ File, Variable string }

// Env is what probers are made with.
type Env struct {
	HTTP Fetcher

	// Dial connects under the same rules as HTTP, for probers with a protocol of their own. Probers bound it in time with
	// ConnectTimeout.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Reveal reads a secret, each time one is needed, so that it may be rotated. It also judges which files and variables
	// a config may name. Nil reveals nothing, and configs that name a secret are refused.
	Reveal func(Secret) (string, error)

	ConnectTimeout time.Duration // set by Make
}

// Maker makes a prober of one kind from its config. It dials nothing. A key it does not know, a value of the wrong type and
// a secret in the config are fsm.Invalid errors on "refresh.config.KEY".
type Maker func(config fsm.JSON, env Env) (Asker, error)

// Probers are the kinds of prober this program was put together with.
type Probers struct {
	Kinds map[string]Maker // by the word in refresh.prober
	Env   Env

	// Opened, when not nil, is told of each connection that a prober of a kind dials itself; what it returns is called once
	// when the connection is closed.
	Opened func(kind string) (closed func())
}

// Make makes a prober of a kind. Callers keep it per (kind, config, connect), since it may hold connections, and close it.
func (p Probers) Make(kind string, config fsm.JSON, connect time.Duration) (Asker, error) {
	maker := p.Kinds[kind]
	if maker == nil {
		return nil, fsm.Invalid("refresh.prober", "%q is none of %s", kind, strings.Join(p.names(), ", "))
	}
	env := p.Env
	env.ConnectTimeout = connect
	if p.Opened != nil && env.Dial != nil {
		env.Dial = countedDial(env.Dial, func() func() { return p.Opened(kind) })
	}
	asker, err := maker(config, env)
	if err != nil {
		return nil, err
	}
	switch asker.(type) {
	case Prober, ClusterProber:
		return asker, nil
	}
	asker.Close()
	return nil, fsm.Invalid("refresh.prober", "%q neither asks a node nor a cluster", kind)
}

func (p Probers) names() []string {
	names := make([]string, 0, len(p.Kinds))
	for name := range p.Kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
