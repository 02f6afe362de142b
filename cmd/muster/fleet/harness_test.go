package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/musterhq/muster/cmd/muster/fleet"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

type played struct {
	*fleet.Fleet
	t    *testing.T
	http *http.Client
	stop func() error // ends Run and returns its error; may be called once more by the cleanup
}

// play runs a fleet until the test ends.
func play(t *testing.T, config fleet.Config) *played {
	t.Helper()
	config.Port = fleet.AnyPort
	config.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	f, err := fleet.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = f.Run(ctx)
	}()
	p := &played{Fleet: f, t: t, http: &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}}
	p.stop = func() error {
		cancel()
		<-ended
		return err
	}
	t.Cleanup(func() {
		p.http.CloseIdleConnections()
		if err := p.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-f.Ready():
	case <-ended:
		t.Fatalf("Run ended early: %v", err)
	}
	return p
}

// node finds a node of the first cluster.
func (p *played) node(i int) fleet.Node {
	p.t.Helper()
	c, err := p.Cluster(p.t.Context(), "fleet-00000")
	if err != nil {
		p.t.Fatal(err)
	}
	return c.Nodes[i]
}

// act does an action on the first cluster unless it names another.
func (p *played) act(v fleet.Verb, a fleet.Action) fleet.Cluster {
	p.t.Helper()
	if a.Cluster == "" {
		a.Cluster = "fleet-00000"
	}
	c, err := p.Act(p.t.Context(), v, a)
	if err != nil {
		p.t.Fatalf("%s %+v: %v", v, a, err)
	}
	return c
}

type reply struct {
	status int
	header http.Header
	body   []byte
	reason string // of the fault, when there is one
	err    error
}

func hostPort(n fleet.Node) string { return net.JoinHostPort(n.Address, strconv.Itoa(n.Port)) }

// ask polls a node as muster does.
func (p *played) ask(n fleet.Node, etag string) reply {
	p.t.Helper()
	return p.askWithin(n, etag, 10*time.Second)
}

func (p *played) askWithin(n fleet.Node, etag string, timeout time.Duration) reply {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+hostPort(n)+refresh.NodePath, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	response, err := p.http.Do(request)
	if err != nil {
		return reply{reason: refresh.FaultOf(err).Reason, err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{reason: refresh.FaultOf(err).Reason}
	}
	return reply{status: response.StatusCode, header: response.Header, body: body}
}

// document asks for a node's document, which has to be one.
func (p *played) document(n fleet.Node) (refresh.Document, string) {
	p.t.Helper()
	r := p.ask(n, "")
	if r.status != http.StatusOK {
		p.t.Fatalf("%s answers %+v", n.ID, r)
	}
	d, err := refresh.Decode(bytes.NewReader(r.body))
	if err != nil {
		p.t.Fatal(err)
	}
	return d, r.header.Get("ETag")
}

// control calls the control endpoint and decodes what it answers.
func (p *played) control(method, path string, body, into any) int {
	p.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.ControlAddr()+path, bytes.NewReader(raw))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := p.http.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode
}

type failure struct {
	Error fsm.Error `json:"error"`
}
