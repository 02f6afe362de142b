package cli_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/redis"
	"github.com/musterhq/muster/refresh/probe/sidecar"
)

// startSidecar runs the command until the test ends, and says where it answers.
func startSidecar(t *testing.T, env map[string]string, args ...string) refresh.Target {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan result, 1)
	go func() {
		r := run{env: env, ctx: ctx, out: write}.do(t, nil, append([]string{"sidecar", "-listen", "127.0.0.1:0"}, args...)...)
		write.Close()
		done <- r
	}()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("it said %q (%v), stderr %s", line, err, (<-done).err)
	}
	t.Cleanup(func() {
		began := time.Now()
		cancel()
		if r := <-done; r.code != 0 {
			t.Errorf("exit %d, stderr %s", r.code, r.err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s to stop", took)
		}
	})
	_, url, _ := strings.Cut(strings.TrimSuffix(line, refresh.NodePath+"\n"), ": ")
	_, address, _ := strings.Cut(url, "://")
	return target(t, address)
}

func target(t *testing.T, address string) refresh.Target {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return refresh.Target{Node: "orders-1", Address: host, Port: n}
}

// prober makes one as a peer would that may ask loopback and reveals files.
func prober(t *testing.T, maker refresh.Maker, config fsm.JSON) refresh.Prober {
	t.Helper()
	client, err := poll.New(poll.Config{Rules: poll.Rules{AllowLoopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	asker, err := maker(config, refresh.Env{HTTP: client, Dial: client.Dial, Reveal: func(s refresh.Secret) (string, error) {
		text, err := os.ReadFile(s.File)
		return strings.TrimSpace(string(text)), err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		asker.Close()
		client.Close()
	})
	return asker.(refresh.Prober)
}

// await asks until the answer is as wanted: what a sidecar knows may be half a second old.
func await(t *testing.T, p refresh.Prober, at refresh.Target, wanted func(fsm.Report) bool) fsm.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		r := p.Probe(ctx, at)
		if wanted(r) {
			return r
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("the last report is %+v", r)
		}
	}
}

func isState(state string) func(fsm.Report) bool {
	return func(r fsm.Report) bool { return r.Reachable && r.State == state }
}

// startRedis starts a real redis-server.
func startRedis(t *testing.T, options ...string) (*probetest.Process, refresh.Target) {
	t.Helper()
	port := probetest.FreePort(t)
	p := &probetest.Process{
		Path: probetest.Program(t, "MUSTER_REDIS", "redis-server"),
		Args: append([]string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--repl-diskless-sync-delay", "0",
		}, options...),
	}
	p.Start(t)
	p.Await(t, "Ready to accept connections")
	return p, refresh.Target{Node: "orders-1", Address: "127.0.0.1", Port: port}
}

func TestSidecarOfRedis(t *testing.T) {
	probetest.Real(t)
	server, store := startRedis(t)
	at := startSidecar(t, nil, "-probe", "redis://"+store.HostPort(), "-attribute", "zone=a")
	direct, through := prober(t, redis.New, ""), prober(t, sidecar.New, "")

	want := direct.Probe(t.Context(), store)
	if !want.Reachable || want.Version == "" || len(want.Shards) != 1 || want.Shards[0].Role != fsm.RolePrimary {
		t.Fatalf("direct: report is %+v", want)
	}
	want.SidecarVersion, want.Attributes["zone"] = "0.1.0", "a"
	if diff := cmp.Diff(want, await(t, through, at, isState(fsm.StateUp))); diff != "" {
		t.Errorf("through the sidecar (-direct +got):\n%s", diff)
	}

	server.Kill()
	stopped := want
	stopped.State, stopped.StateReason = fsm.StateDown, fsm.ReasonStore
	stopped.Shards = []fsm.Shard{{ID: "0", Role: "down"}}
	if diff := cmp.Diff(stopped, await(t, through, at, isState(fsm.StateDown))); diff != "" {
		t.Errorf("stopped (-want +got):\n%s", diff)
	}

	server.Start(t)
	server.Await(t, "Ready to accept connections")
	if diff := cmp.Diff(want, await(t, through, at, isState(fsm.StateUp))); diff != "" {
		t.Errorf("started again (-want +got):\n%s", diff)
	}
}

func TestSidecarTellsLagWithoutADocument(t *testing.T) {
	probetest.Real(t)
	_, primary := startRedis(t)
	replica, store := startRedis(t, "--replicaof", primary.Address, strconv.Itoa(primary.Port))
	replica.Await(t, "sync: Finished with success")
	at := startSidecar(t, nil, "-probe", "redis://"+store.HostPort())
	through := prober(t, sidecar.New, "").(refresh.Conditional)

	first := through.ProbeIf(t.Context(), at, "")
	if len(first.Report.Shards) != 1 || first.Report.Shards[0].Role != fsm.RoleReplica || first.ETag == "" {
		t.Fatalf("first answer is %+v", first)
	}
	want := refresh.Answer{Report: fsm.Report{Node: at.Node}, ETag: first.ETag, NotModified: true, WorstLagMS: new(int64)}
	if diff := cmp.Diff(want, through.ProbeIf(t.Context(), at, first.ETag)); diff != "" {
		t.Errorf("second answer (-want +got):\n%s", diff)
	}
}

func TestSidecarWithAWrongPassword(t *testing.T) {
	probetest.Real(t)
	const secret = "correct-horse"
	_, store := startRedis(t, "--requirepass", secret)
	folder := t.TempDir()
	put := func(text string) {
		if err := os.WriteFile(filepath.Join(folder, "redis"), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("hunter2")
	at := startSidecar(t, map[string]string{"CREDENTIALS_DIRECTORY": folder},
		"-probe", "redis://"+store.HostPort()+"?password_file=redis")
	through := prober(t, sidecar.New, "")
	if r := through.Probe(t.Context(), at); r.Reason != fsm.ReasonAuth {
		t.Errorf("wrong: report is %+v", r)
	}
	put(secret)
	await(t, through, at, isState(fsm.StateUp))
}

// TestSidecarBehindTLSAndToken stands beside a store of which only one status matters.
func TestSidecarBehindTLSAndToken(t *testing.T) {
	store := httptest.NewServer(nil)
	defer store.Close()
	folder := t.TempDir()
	kept := func(name string, text []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certificate, key := certificate(t)
	crt := kept("tls.crt", certificate)
	token, other := kept("token", []byte("knock\n")), kept("other", []byte("hunter2"))
	kept("tls.key", key)
	at := startSidecar(t, map[string]string{"CREDENTIALS_DIRECTORY": folder}, "-node-id", "orders-1",
		"-probe", "http://"+store.Listener.Addr().String()+`/health?expect=["404"]&tls=false&kind=vault`,
		"-tls-cert-file", "tls.crt", "-tls-key-file", "tls.key", "-token-file", "token")

	for config, reason := range map[fsm.JSON]string{
		fsm.JSON(`{"tls":true,"tls_ca_file":"` + crt + `","token_file":"` + token + `"}`): "",
		fsm.JSON(`{"tls":true,"tls_ca_file":"` + crt + `","token_file":"` + other + `"}`): fsm.ReasonAuth,
		fsm.JSON(`{"tls":true,"tls_ca_file":"` + crt + `"}`):                              fsm.ReasonAuth,
		fsm.JSON(`{"tls":true,"token_file":"` + token + `"}`):                             fsm.ReasonTLS,
		fsm.JSON(`{"token_file":"` + token + `"}`):                                        fsm.ReasonHTTPStatus,
	} {
		r := prober(t, sidecar.New, config).Probe(t.Context(), at)
		if r.Reason != reason || r.Reachable != (reason == "") || reason == "" && r.NodeID+r.Kind != "orders-1vault" {
			t.Errorf("%s: report is %+v, wanted is the reason %q", config, r, reason)
		}
	}
}

// certificate is one for 127.0.0.1, with its key.
func certificate(t *testing.T) (crt, key []byte) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	pair := srv.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	crt = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	return crt, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestSidecarDoesNotAskItself has a sidecar of a sidecar that is told to ask its own port.
func TestSidecarDoesNotAskItself(t *testing.T) {
	address := "127.0.0.1:" + strconv.Itoa(probetest.FreePort(t))
	startSidecar(t, nil, "-probe", "sidecar://"+address, "-listen", address)
	transport := &http.Transport{DisableKeepAlives: true}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+refresh.NodePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(said), `"reason":"`+fsm.ReasonForbidden+`"`) {
		t.Errorf("%s: %s (%v)", answer.Status, said, err)
	}
}
