package e2e_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/musterhq/muster/scripts/rig"

	httpd "github.com/musterhq/muster/http"
)

// vaults is a peer that was given a secret wherever it takes one, and shown others where it takes none.
type vaults struct {
	*world
	peer    *rig.Peer
	own     string            // a folder for what was given, which nobody looks through
	secrets map[string]string // by what they are
	said    bytes.Buffer      // what commands and the API have answered
}

// TestSecretsAreNowhere plants secrets, has the peer do all that it does with them, dump its stacks and die, and looks through
// everything that was answered and all that it left behind. The stores it asks repeat what they are told.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, p := w.lone("peer-a")
	v := &vaults{world: w, peer: p, own: t.TempDir(), secrets: map[string]string{
		"variable": "canary-variable-7101", "vault": "canary-vault-7102", "token for nodes": "canary-node-token-7103",
		"token of Consul": "canary-consul-7104", "header of traces": "canary-header-7105", "token nobody knows": "canary-wrong-7106",
		"token in a URL": "canary-url-7107", "login": "canary-basic-7108", "password in a setting": "canary-setting-7109",
		"gossip key":        base64.StdEncoding.EncodeToString([]byte("canary-gossip-key-7110-32-bytes!")),
		"second gossip key": base64.StdEncoding.EncodeToString([]byte("canary-gossip-key-7111-32-bytes!")),
	}}
	v.start()
	w.must(g.Ready(w.soon()))
	v.bootstrap()
	v.discover()
	v.operate()
	v.offend()
	w.must(p.Signal(syscall.SIGQUIT))
	<-p.Done()
	v.search()
}

// put keeps a secret where the peer is told to read it.
func (v *vaults) put(path, text string) string {
	v.Helper()
	v.must(os.MkdirAll(filepath.Dir(path), 0o700))
	v.must(os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (v *vaults) mine(name string) string { return filepath.Join(v.own, name) }

// start gives the peer its secrets, and TLS.
func (v *vaults) start() {
	v.Helper()
	o := office{v.world, v.own}
	o.authority("ca")
	o.issue("ca", "-peer", "peer-a")
	o.issue("ca", "-client", "op")
	pair := filepath.Join(o.path("ca"), "muster-peer-peer-a")
	key, err := os.ReadFile(pair + "-key.pem")
	v.must(err)
	v.secrets["private key"] = strings.Split(string(key), "\n")[1]
	v.peer.API, err = httpd.NewClient(httpd.ClientConfig{Address: "https://" + v.peer.HTTP, TLS: o.client("ca")})
	v.must(err)
	v.put(filepath.Join(v.peer.Data, "secrets", "store"), v.secrets["vault"]+"\n")
	v.must(os.Chmod(v.peer.Data, 0o700))
	v.peer.Under = []string{
		"env", "MUSTER_SECRET_STORE=" + v.secrets["variable"], "MUSTER_SECRET_NODES=" + v.secrets["token for nodes"],
	}
	v.must(v.peer.Start("-bootstrap-expect", "1", "-acl", "-log-level", "debug", "-enable-debug",
		"-ca-file", filepath.Join(o.path("ca"), "muster-ca.pem"), "-cert-file", pair+".pem", "-key-file", pair+"-key.pem",
		"-gossip-key-file", v.put(v.mine("gossip.key"), v.secrets["gossip key"]),
		"-consul-register", "-consul-addr", v.echoes(), "-consul-token-file", v.put(v.mine("consul.token"), v.secrets["token of Consul"]),
		"-trace-endpoint", "http://"+v.echoes(), "-trace-headers-file", v.put(v.mine("headers"), "X-Key: "+v.secrets["header of traces"]+"\n")))
}

// bootstrap makes the first token, and one for readers.
func (v *vaults) bootstrap() {
	v.Helper()
	var first, reader httpd.TokenMade
	v.until("the first token", func(context.Context) error {
		r := v.muster(append([]string{"acl", "bootstrap", "-data-dir", v.peer.Data, "-format=json"}, v.over()...)...)
		if r.code != 0 {
			return fmt.Errorf("%s", r.stderr)
		}
		return json.Unmarshal([]byte(r.stdout), &first)
	})
	v.put(v.mine("token"), first.Secret)
	v.secrets["first token"] = first.Secret
	r := v.muster(append([]string{"acl", "token", "create", "-role", "read", "-format=json", "-token-file", v.mine("token")}, v.over()...)...)
	v.must(json.Unmarshal([]byte(r.stdout), &reader))
	v.secrets["reader's token"] = reader.Secret
}

// over are the options to ask the peer.
func (v *vaults) over() []string {
	return []string{at("https://" + v.peer.HTTP), "-ca-file", filepath.Join(v.own, "ca", "muster-ca.pem")}
}

// does runs a command with the first token, and keeps what it says.
func (v *vaults) does(args ...string) {
	v.Helper()
	if r := v.tries(args...); r.code != 0 {
		v.Errorf("muster %q: exit %d, %s", args, r.code, r.stderr)
	}
}

func (v *vaults) tries(args ...string) result {
	v.Helper()
	r := v.muster(append(append(args, "-token-file", v.mine("token")), v.over()...)...)
	v.said.WriteString(r.stdout + r.stderr)
	return r
}

// echoes is where a server listens that answers each thing it is told with an error that repeats it.
func (v *vaults) echoes() string {
	v.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	v.must(err)
	v.Cleanup(func() { on.Close() })
	go func() {
		for {
			conn, err := on.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				got := make([]byte, 16<<10)
				for {
					n, err := conn.Read(got)
					if err != nil {
						return
					}
					words := strings.Join(strings.Fields(string(got[:n])), " ")
					if strings.Contains(words, "HTTP/1.1") {
						fmt.Fprintf(conn, "HTTP/1.1 403 %s\r\nContent-Length: %d\r\n\r\n%s", words, len(words), words)
						continue
					}
					fmt.Fprintf(conn, "-ERR %s\r\n", words)
				}
			}()
		}
	}()
	return on.Addr().String()
}

// discover has nodes asked with each secret for nodes.
func (v *vaults) discover() {
	v.Helper()
	for name, refresh := range map[string]string{
		"a": `prober = "redis"
    config { password_env = "MUSTER_SECRET_STORE" }`,
		"b": `prober = "redis"
    config {
      username = "muster"
      password_file = "store"
    }`,
		"c": `prober = "sidecar"
    config { token_env = "MUSTER_SECRET_NODES" }`,
		"d": `prober = "http"
    config {
      username = "muster"
      password_file = "store"
    }`,
	} {
		host, port, err := net.SplitHostPort(v.echoes())
		v.must(err)
		list := v.put(v.mine(name+".json"), fmt.Sprintf(`[{"cluster": %q, "nodes": [{"id": "1", "address": %q, "port": %s}]}]`, name, host, port))
		v.does("discovery", "apply", v.put(v.mine(name+".hcl"), fmt.Sprintf(`discovery %q {
  backend = "file"
  config { files = [%q] }
  cluster = "{{.cluster}}"
  interval = "1s"
  refresh {
    interval = "1s"
    %s
  }
}
`, name, list, refresh)))
		v.until("node "+name+"/1 to have failed", func(context.Context) error {
			r := v.tries("cluster", "show", name)
			if !strings.Contains(r.stdout, "unreachable") && !strings.Contains(r.stdout, "down") {
				return fmt.Errorf("%s%s", r.stdout, r.stderr)
			}
			return nil
		})
	}
}

// operate does what operators do.
func (v *vaults) operate() {
	v.Helper()
	v.does("keyring", "install", v.secrets["second gossip key"])
	v.does("keyring", "use", v.secrets["second gossip key"])
	v.does("keyring", "remove", v.secrets["gossip key"])
	v.does("keyring", "list")
	for _, line := range []string{
		"reload", "info", "members", "operator raft list-peers", "operator usage", "settings set -voters 3", "settings show -format=json",
		"cluster list", "node list -format=json", "event list", "event list -format=json",
		"discovery show a -format=json", "discovery list", "discovery preview a", "acl token list", "acl token list -format=json",
		"node maintenance a/1", "snapshot save " + filepath.Join(v.rig.Dir, "saved.backup"),
		"debug -duration 1s -interval 1s -output " + filepath.Join(v.rig.Dir, "saved.bundle"),
	} {
		v.does(strings.Fields(line)...)
	}
	v.tries("cluster", "show", "-live", "b")
	v.tries("cluster", "refresh", "a") // one may be open
	for _, path := range []string{
		"/metrics", "/readyz?verbose", "/v1/agent/configuration", "/v1/agent/self", "/v1/claims", "/v1/events", "/v1/sd/prometheus",
		"/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline", "/debug/pprof/heap",
	} {
		v.asks(path, "X-Muster-Token", v.secrets["first token"])
	}
}

// offend shows secrets where they are refused.
func (v *vaults) offend() {
	v.Helper()
	v.asks("/v1/clusters", "X-Muster-Token", v.secrets["token nobody knows"])
	v.asks("/v1/clusters", "Authorization", "Bearer "+v.secrets["token nobody knows"])
	v.asks("/v1/clusters", "Authorization", v.secrets["login"])
	v.asks("/v1/clusters?token="+v.secrets["token in a URL"], "X-Muster-Token", v.secrets["first token"])
	v.tries("discovery", "apply", v.put(v.mine("leaks.hcl"), fmt.Sprintf(`discovery "leaks" {
  backend = "file"
  config { files = ["/x.json"] }
  refresh {
    prober = "redis"
    config { password = %q }
  }
}
`, v.secrets["password in a setting"])))
}

// asks asks the API by hand, and keeps the answer.
func (v *vaults) asks(path string, header, value string) {
	v.Helper()
	conf := office{v.world, v.own}.client("ca")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(v.soon(), http.MethodGet, "https://"+v.peer.HTTP+path, http.NoBody)
	v.must(err)
	req.Header.Set(header, value)
	res, err := client.Do(req)
	v.must(err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	v.must(err)
	v.said.Write(plain(raw))
}

// plain is what was packed, if it was.
func plain(raw []byte) []byte {
	zip, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return raw
	}
	out, err := io.ReadAll(zip)
	if err != nil {
		return raw
	}
	return out
}

// search looks for each secret in what was said and left. Two places are there to hold some: the keyring, and the secrets for nodes.
func (v *vaults) search() {
	v.Helper()
	texts := map[string][]byte{"what was answered": v.said.Bytes()}
	v.must(filepath.WalkDir(v.rig.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path == filepath.Join(v.peer.Data, "keyring.json") || filepath.Base(filepath.Dir(path)) == "secrets" {
			return err
		}
		raw, err := os.ReadFile(path)
		texts[path] = plain(raw)
		return err
	}))
	log := texts[v.peer.Log]
	for _, want := range []string{"goroutine ", "consul was not told", "refresh ended", "request refused", "gossip keyring changed"} {
		if !bytes.Contains(log, []byte(want)) {
			v.Errorf("the log says nothing of %q, so that nothing can be found there", want)
		}
	}
	if len(texts) < 6 || v.said.Len() < 20_000 {
		v.Errorf("only %d files and %d bytes of answers were looked through", len(texts), v.said.Len())
	}
	for what, secret := range v.secrets {
		raw, _ := base64.StdEncoding.DecodeString(secret) // a key may be as it is, too
		for where, text := range texts {
			if bytes.Contains(text, []byte(secret)) || len(raw) == 32 && bytes.Contains(text, raw) {
				v.Errorf("the %s is in %s", what, where)
			}
		}
	}
}
