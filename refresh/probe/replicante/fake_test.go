package replicante_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/replicante"
)

// page is how an agent answers one path.
type page struct {
	status int // zero means 200
	body   string
}

// agent answers some paths, and all others with an empty 404.
type agent struct {
	mu    sync.Mutex
	pages map[string]page
	asked []string
}

func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.URL.Path)
	answer, ok := a.pages[r.URL.RequestURI()]
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case answer.status != 0:
		w.WriteHeader(answer.status)
	}
	fmt.Fprint(w, answer.body)
}

// become makes an agent have other pages, and forgets what it was asked.
func (a *agent) become(pages map[string]page) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pages, a.asked = pages, nil
}

// questions are the paths asked for since they were last looked at.
func (a *agent) questions() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	a.asked = nil
	return asked
}

// serve answers on one connection with some pages.
func serve(pages map[string]page) func(net.Conn) {
	return func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			status, body := "404 Not Found", ""
			if answer, ok := pages[r.URL.Path]; ok {
				status, body = "200 OK", answer.body
			}
			if _, err := fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body); err != nil {
				return
			}
		}
	}
}

// start makes a prober, and an agent with its target.
func start(t *testing.T, pages map[string]page) (refresh.Prober, *agent, refresh.Target) {
	t.Helper()
	a := &agent{pages: pages}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	addr := srv.Listener.Addr().(*net.TCPAddr)
	return open(t, ""), a, refresh.Target{Cluster: "orders", Node: "n1", Address: addr.IP.String(), Port: addr.Port}
}

func open(t *testing.T, config fsm.JSON) refresh.Prober {
	t.Helper()
	client, err := poll.New(poll.Config{Rules: poll.Rules{AllowLoopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	asker, err := replicante.New(config, refresh.Env{
		HTTP: client, Dial: client.Dial, ConnectTimeout: 10 * time.Second,
		Reveal: func(s refresh.Secret) (string, error) { return s.Variable, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(asker.Close)
	return asker.(refresh.Prober)
}
