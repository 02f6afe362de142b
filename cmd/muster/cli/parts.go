package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/musterhq/muster/agent/namedfile"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul"
	"github.com/musterhq/muster/discovery/file"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	consulprobe "github.com/musterhq/muster/refresh/probe/consul"
	"github.com/musterhq/muster/refresh/probe/etcd"
	httpprobe "github.com/musterhq/muster/refresh/probe/http"
	"github.com/musterhq/muster/refresh/probe/kafka"
	"github.com/musterhq/muster/refresh/probe/memcached"
	"github.com/musterhq/muster/refresh/probe/mongodb"
	"github.com/musterhq/muster/refresh/probe/mysql"
	"github.com/musterhq/muster/refresh/probe/nats"
	"github.com/musterhq/muster/refresh/probe/postgres"
	"github.com/musterhq/muster/refresh/probe/rabbitmq"
	"github.com/musterhq/muster/refresh/probe/redis"
	"github.com/musterhq/muster/refresh/probe/replicante"
	"github.com/musterhq/muster/refresh/probe/sidecar"
	"github.com/musterhq/muster/refresh/probe/tcp"
	"github.com/musterhq/muster/refresh/probe/zookeeper"
)

// backends are the sources this program can read.
func backends() discovery.Backends {
	return discovery.Backends{"consul": consul.NewPool().Make, "file": file.Make}
}

// probers are the ways this program can ask nodes.
func probers() map[string]refresh.Maker {
	return map[string]refresh.Maker{
		"consul": consulprobe.New, "etcd": etcd.New, "http": httpprobe.New, "kafka": kafka.New, "memcached": memcached.New,
		"mongodb": mongodb.New, "mysql": mysql.New, "nats": nats.New, "postgres": postgres.New, "rabbitmq": rabbitmq.New,
		"redis": redis.New, "replicante": replicante.New, "sidecar": sidecar.New, "tcp": tcp.New, "zookeeper": zookeeper.New,
	}
}

const (
	secretsFolder = "secrets" // in the data directory
	secretPrefix  = "MUSTER_SECRET_"
	maxSecret     = 64 << 10 // bytes
)

// vault reads the secrets that probers' configs name. Whoever may apply a discovery chooses the name and also where the
// secret is sent, so only what was put there for this purpose can be had: variables that begin with MUSTER_SECRET_, and
// files in the folder secrets of the data directory.
type vault struct {
	folder string // empty for none
	getenv func(string) string
}

func (v vault) reveal(s refresh.Secret) (string, error) {
	if s.Variable != "" {
		if !strings.HasPrefix(s.Variable, secretPrefix) {
			return "", fmt.Errorf("variable %s does not begin with %s, so it is no secret for nodes", s.Variable, secretPrefix)
		}
		if secret := v.getenv(s.Variable); secret != "" {
			return secret, nil
		}
		return "", fmt.Errorf("variable %s is not set for this peer", s.Variable)
	}
	if v.folder == "" {
		return "", fmt.Errorf("file %s: a peer without a data directory has no secrets in files", s.File)
	}
	name := s.File
	if filepath.IsAbs(name) {
		inside, err := filepath.Rel(v.folder, name)
		if err != nil {
			return "", err
		}
		name = inside
	}
	return v.read(name)
}

// read reads a file of the folder; a link or a path that leads out of it is refused.
func (v vault) read(name string) (string, error) {
	root, err := os.OpenRoot(v.folder)
	if err != nil {
		return "", err
	}
	raw, err := namedfile.ReadIn(root, name, namedfile.Rules{Most: maxSecret})
	if err := errors.Join(err, root.Close()); err != nil {
		return "", err
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

// checkProber judges a prober and its config, without asking anybody.
func checkProber(kind string, config fsm.JSON) error {
	kinds := refresh.Probers{Kinds: probers(), Env: refresh.Env{
		Reveal: func(refresh.Secret) (string, error) { return "", os.ErrNotExist },
	}}
	asker, err := kinds.Make(kind, config, fsm.Second.Std())
	if err != nil {
		return err
	}
	asker.Close()
	return nil
}
