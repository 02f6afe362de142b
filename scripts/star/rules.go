package main

import (
	"fmt"
	"path"
	"strings"
)

const module = "github.com/musterhq/muster"

// reaches says, for each top-level folder, which others its packages may import.
var reaches = map[string][]string{
	"fsm":       {},
	"discovery": {"fsm"},
	"refresh":   {"fsm"},
	"http":      {"fsm"},
	"agent":     {"fsm", "discovery", "refresh", "http"},
	"cmd":       {"fsm", "discovery", "refresh", "http", "agent"},
	"scripts":   {"fsm", "discovery", "refresh", "http", "agent", "cmd"},
}

// homes says where a library may be imported: in these folders and below, in scripts, and in tests. A library
// without a home is for tests alone; one that is not listed may be used by any package but fsm.
var homes = []struct {
	library string // a module, or a prefix of whole path elements of the standard library
	folders []string
}{
	{"github.com/hashicorp/go-memdb", []string{"fsm"}},
	{"github.com/fxamacker/cbor/v2", []string{"fsm", "agent"}},
	{"github.com/hashicorp/go-bexpr", []string{"discovery", "http"}},
	{"github.com/hashicorp/consul/api", []string{"discovery/consul", "refresh/probe/consul", "agent/consul"}},
	{"github.com/redis/go-redis/v9", []string{"refresh/probe/redis"}},
	{"github.com/jackc/pgx/v5", []string{"refresh/probe/postgres"}},
	{"filippo.io/edwards25519", []string{"refresh/probe/mysql"}},
	{"go.etcd.io/etcd", []string{"refresh/probe/etcd", "discovery/etcd"}},
	{"google.golang.org/grpc", []string{"refresh/probe/etcd", "discovery/etcd"}},
	{"go.uber.org/zap", []string{"refresh/probe/etcd"}},
	{"github.com/twmb/franz-go", []string{"refresh/probe/kafka"}},
	{"go.mongodb.org/mongo-driver/v2", []string{"refresh/probe/mongodb"}},
	{"github.com/xdg-go", []string{"refresh/probe/mongodb"}},
	{"github.com/gorilla/mux", []string{"http"}},
	{"github.com/hashicorp/raft", []string{"agent"}},
	{"go.etcd.io/bbolt", []string{"agent"}},
	{"github.com/hashicorp/memberlist", []string{"agent"}},
	{"github.com/hashicorp/go-hclog", []string{"agent"}},
	{"github.com/hashicorp/go-msgpack/v2", []string{"agent"}},
	{"github.com/armon/go-metrics", []string{"agent"}},
	{"go.opentelemetry.io/otel", []string{"agent/trace"}},
	{"go.opentelemetry.io/proto/otlp", nil},
	{"github.com/spf13/cobra", []string{"cmd"}},
	{"github.com/spf13/pflag", []string{"cmd"}},
	{"github.com/hashicorp/hcl/v2", []string{"cmd"}},
	{"github.com/zclconf/go-cty", []string{"cmd"}},
	{"github.com/nats-io", nil},
	{"github.com/go-zookeeper/zk", nil},
	{"github.com/go-sql-driver/mysql", nil},
	{"github.com/twmb/franz-go/pkg/kfake", nil},
	{"github.com/google/go-cmp", nil},
	{"github.com/getkin/kin-openapi", nil},
	{"go.uber.org/goleak", nil},
	{"pgregory.net/rapid", nil},
	{"testing", nil},
	{"net/http/httptest", nil},
}

// fsmImports is all that fsm may import from outside itself: what computes on values and knows no clock, file,
// network, process or chance. An entry that ends in "/..." takes in all below it. time is here for its types and
// math for the limits of integers; pure.go forbids the rest of both.
var fsmImports = []string{
	"bufio", "bytes", "cmp", "container/heap", "context", "encoding", "encoding/...", "errors", "fmt", "hash", "hash/adler32", "hash/crc32",
	"hash/crc64", "hash/fnv", "crypto/sha256", "io", "iter", "maps", "math", "math/bits", "net/netip", "path", "reflect",
	"slices", "sort", "strconv", "strings", "sync", "sync/atomic", "time", "unicode/...", "unicode",
	"github.com/hashicorp/go-memdb", "github.com/fxamacker/cbor/v2",
}

// edge is one import clause.
type edge struct {
	from string // folder of the importing package, below the module's root
	test bool   // the importing file is a test file
	to   string // import path
}

// offence says which rule the edge breaks; empty when it breaks none.
func (e edge) offence() string {
	fromTop, _, _ := strings.Cut(e.from, "/")
	allowed, known := reaches[fromTop]
	if !known {
		return fmt.Sprintf("%q is none of the project's top-level folders", e.from)
	}
	tests := e.test || isTestFolder(e.from)
	if to, ours := strings.CutPrefix(e.to, module+"/"); ours {
		return e.inside(to, tests, allowed)
	}
	if e.to == module {
		return "the module's root holds no package"
	}
	if fromTop == "scripts" || tests {
		return ""
	}
	if fromTop == "fsm" && !covered(fsmImports, e.to) {
		return "not among the few packages that fsm may import (fsmImports in scripts/star/rules.go)"
	}
	for _, home := range homes {
		if !below(e.to, home.library) || belowAny(e.from, home.folders) {
			continue
		}
		if len(home.folders) == 0 {
			return home.library + " is for tests alone"
		}
		return home.library + " is at home in " + strings.Join(home.folders, ", ") + " alone"
	}
	return ""
}

// inside judges an edge between two of the project's own folders.
func (e edge) inside(to string, tests bool, allowed []string) string {
	fromTop, _, _ := strings.Cut(e.from, "/")
	toTop, _, _ := strings.Cut(to, "/")
	if isTestFolder(to) && !tests && fromTop != "scripts" {
		return "only tests may import a package whose name ends in \"test\""
	}
	if fromTop != toTop {
		if belowAny(toTop, allowed) {
			return ""
		}
		if len(allowed) == 0 {
			return fromTop + " imports no other folder"
		}
		return fromTop + " may import only " + strings.Join(allowed, ", ")
	}
	if tests || composes(fromTop) || below(e.from, to) || below(to, e.from) {
		return ""
	}
	// Go's own rule keeps an internal folder within its parent: it is the parent's shared code.
	if parent, _, shared := strings.Cut(to+"/", "/internal/"); shared && below(e.from, parent) {
		return ""
	}
	return "within " + fromTop + " a package imports only those above and below it, not beside it"
}

// composes reports whether a top-level folder's packages may import each other freely: those that put the parts
// together, as against those that are the parts.
func composes(top string) bool {
	return top == "agent" || top == "cmd" || top == "scripts"
}

func isTestFolder(folder string) bool {
	return strings.HasSuffix(path.Base(folder), "test")
}

// below reports whether name is root or lies under it, by whole path elements.
func below(name, root string) bool {
	return name == root || strings.HasPrefix(name, root+"/")
}

func belowAny(name string, roots []string) bool {
	for _, root := range roots {
		if below(name, root) {
			return true
		}
	}
	return false
}

// covered reports whether name is in the list, or under an entry that ends in "/...".
func covered(list []string, name string) bool {
	for _, entry := range list {
		if root, all := strings.CutSuffix(entry, "/..."); name == entry || all && strings.HasPrefix(name, root+"/") {
			return true
		}
	}
	return false
}
