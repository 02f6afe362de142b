package rabbitmq_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// broker is a real RabbitMQ node on loopback ports. Its folder, its cookie and its epmd are the test's own.
type broker struct {
	*probetest.Process
	name   string
	target refresh.Target
	amqp   int
}

// brokers makes nodes that form a cluster when they start; none is started. The first has less disk than it wants. It begins
// the cluster, to be joined by the others: one that knows of others tries them for five seconds first.
func brokers(t *testing.T, names ...string) []*broker {
	t.Helper()
	path := probetest.Program(t, "MUSTER_RABBITMQ", "/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
	home, names4369 := t.TempDir(), probetest.FreePort(t)
	write(t, filepath.Join(home, ".erlang.cookie"), "MUSTERTESTS", 0o400)
	write(t, filepath.Join(home, "plugins"), "[rabbitmq_management].\n", 0o600)
	epmd := &probetest.Process{
		Path: probetest.Program(t, "MUSTER_EPMD", "epmd"),
		Args: []string{"-port", strconv.Itoa(names4369), "-address", "127.0.0.1", "-debug"},
	}
	epmd.Start(t)
	epmd.Await(t, "epmd running")
	all := make([]*broker, len(names))
	for i, name := range names {
		dir := t.TempDir()
		b := &broker{name: name + "@localhost", amqp: probetest.FreePort(t)}
		b.target = refresh.Target{Cluster: "orders", Node: name, Address: "127.0.0.1", Port: probetest.FreePort(t)}
		config := fmt.Sprintf("listeners.tcp.default = 127.0.0.1:%d\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %d\n"+
			"cluster_name = orders\ncollect_statistics_interval = 1000\n"+
			"cluster_formation.peer_discovery_backend = classic_config\n", b.amqp, b.target.Port)
		config += fmt.Sprintf("cluster_formation.classic_config.nodes.1 = %s@localhost\n", names[0])
		if i == 0 {
			config += "disk_free_limit.absolute = 1000000GB\n"
		} else {
			config += fmt.Sprintf("cluster_formation.classic_config.nodes.2 = %s\n", b.name)
		}
		write(t, filepath.Join(dir, "rabbitmq.conf"), config, 0o600)
		b.Process = &probetest.Process{Path: path, Env: []string{
			"HOME=" + home, "ERL_EPMD_PORT=" + strconv.Itoa(names4369), "ERL_EPMD_ADDRESS=127.0.0.1",
			"RABBITMQ_NODENAME=" + b.name, "RABBITMQ_DIST_PORT=" + strconv.Itoa(probetest.FreePort(t)),
			"RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_CONFIG_FILE=" + filepath.Join(dir, "rabbitmq.conf"),
			"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(home, "plugins"), "RABBITMQ_PID_FILE=" + filepath.Join(dir, "pid"),
			"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE=" + filepath.Join(dir, "log"),
			"RABBITMQ_LOGS=-", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1",
		}}
		all[i] = b
	}
	return all
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// start starts the node and waits until it serves.
func (b *broker) start(t *testing.T) {
	t.Helper()
	b.Start(t)
	b.Await(t, "startup complete")
}

// put makes something by the HTTP API.
func (b *broker) put(t *testing.T, path, body string) {
	t.Helper()
	b.send(t, http.MethodPut, path, body)
}

func (b *broker) send(t *testing.T, method, path, body string) {
	t.Helper()
	url := "http://" + b.target.HostPort() + "/api/" + path
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	request.SetBasicAuth("guest", "guest")
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusCreated && answer.StatusCode != http.StatusNoContent {
		t.Fatalf("%s %s: %s", method, path, answer.Status)
	}
}

// until polls on a beat until a report holds, and fails the test when that takes longer than three minutes.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit, beat := time.NewTimer(3*time.Minute), time.NewTicker(100*time.Millisecond)
	defer limit.Stop()
	defer beat.Stop()
	for !holds() {
		select {
		case <-beat.C:
		case <-limit.C:
			t.Fatalf("never: %s", what)
		}
	}
}
