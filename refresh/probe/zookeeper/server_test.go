package zookeeper_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// server is a real ZooKeeper server on loopback ports.
type server struct {
	*probetest.Process
	target refresh.Target
}

// plan makes servers that form one ensemble, with nothing started; those named observer do not vote, and a single one
// stands alone. settings go to each server's configuration.
func plan(t *testing.T, names []string, settings ...string) []*server {
	t.Helper()
	var servers []*server
	var ensemble []string
	for i, name := range names {
		port := probetest.FreePort(t)
		servers = append(servers, &server{
			target: refresh.Target{Cluster: "locks", Node: name, Address: "127.0.0.1", Port: port},
		})
		role := "participant"
		if name == "observer" {
			role = "observer"
		}
		ensemble = append(ensemble, fmt.Sprintf("server.%d=127.0.0.1:%d:%d:%s",
			i+1, probetest.FreePort(t), probetest.FreePort(t), role))
	}
	for i, s := range servers {
		lines := append([]string{
			"tickTime=500", "initLimit=20", "syncLimit=10", "admin.enableServer=false",
			"clientPortAddress=127.0.0.1", "clientPort=" + strconv.Itoa(s.target.Port),
		}, settings...)
		if len(names) > 1 {
			lines = append(lines, ensemble...)
		}
		s.configure(t, i+1, lines)
	}
	return servers
}

func (s *server) configure(t *testing.T, id int, lines []string) {
	t.Helper()
	dir := t.TempDir()
	lines = append(lines, "dataDir="+dir)
	if s.target.Node == "observer" {
		lines = append(lines, "peerType=observer")
	}
	write(t, filepath.Join(dir, "myid"), strconv.Itoa(id)+"\n")
	config := filepath.Join(dir, "zoo.cfg")
	write(t, config, strings.Join(lines, "\n")+"\n")
	library := probetest.Program(t, "MUSTER_ZOOKEEPER", "/usr/share/java/zookeeper.jar")
	path := []string{library}
	for _, name := range []string{"slf4j-simple", "netty-codec", "netty-resolver"} { // its log, and what Debian's list lacks
		path = append(path, filepath.Join(filepath.Dir(library), name+".jar"))
	}
	s.Process = &probetest.Process{
		Path: probetest.Program(t, "MUSTER_JAVA", "java"),
		Args: []string{
			"-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dreadonlymode.enabled=true",
			"-Dzookeeper.serverCnxnFactory=" + factory(lines),
			"-cp", strings.Join(path, ":"),
			"org.apache.zookeeper.server.quorum.QuorumPeerMain", config,
		},
	}
}

// factory is what accepts connections: only one of the two knows TLS.
func factory(lines []string) string {
	for _, line := range lines {
		if strings.HasPrefix(line, "secureClientPort=") {
			return "org.apache.zookeeper.server.NettyServerCnxnFactory"
		}
	}
	return "org.apache.zookeeper.server.NIOServerCnxnFactory"
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listens starts s and waits until it can be asked, whether it serves or not.
func (s *server) listens(t *testing.T) {
	t.Helper()
	s.Start(t)
	s.Await(t, "zookeeper.commitLogCount") // what it says next once its port is bound
}

func loopback() refresh.Env {
	return refresh.Env{
		Dial: poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial,
		Reveal: func(s refresh.Secret) (string, error) {
			text, err := os.ReadFile(s.File)
			return string(text), err
		},
	}
}

// settle polls servers until what they say is as wanted, and gives their reports.
func settle(t *testing.T, p refresh.Prober, servers []*server, as func([]fsm.Report) bool) []fsm.Report {
	t.Helper()
	targets := make([]refresh.Target, 0, len(servers))
	for _, s := range servers {
		targets = append(targets, s.target)
	}
	return probetest.Settle(t, p, targets, as)
}

// role is that of the shard "0"; "" for a server that holds none.
func role(r fsm.Report) string {
	if len(r.Shards) != 1 || r.Shards[0].ID != "0" {
		return ""
	}
	return r.Shards[0].Role
}

// led says that one server leads and all others follow it or observe.
func led(reports []fsm.Report) bool {
	count := map[string]int{}
	for _, r := range reports {
		if r.State != fsm.StateUp {
			return false
		}
		count[role(r)]++
	}
	return count[fsm.RolePrimary] == 1 && count[fsm.RolePrimary]+count[fsm.RoleReplica]+count["observer"] == len(reports)
}
