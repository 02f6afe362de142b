package crashtest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
)

const (
	childRole = "MUSTER_CRASHTEST_CHILD"
	childFile = "MUSTER_CRASHTEST_FILE"
)

// TestMain plays a second process when a test has started the binary as one.
func TestMain(m *testing.M) {
	children := map[string]func(path string) error{
		"append":  appendForEver,
		"cycle":   playCycle,
		"compact": compact,
		"stopped": playStopped,
	}
	if role := os.Getenv(childRole); role != "" {
		if err := children[role](os.Getenv(childFile)); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if testing.Short() {
		fmt.Println("crashtest: not run with -short, make test runs it")
		return
	}
	goleak.VerifyTestMain(m)
}

// child prepares this binary to run one of TestMain's roles on the file.
func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childFile+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// entry is told from all others by its index alone.
func entry(index uint64) *raft.Log {
	return &raft.Log{
		Index: index, Term: 1 + index/10, Type: raft.LogCommand, Data: bytes.Repeat([]byte{byte(index)}, 1+int(index%40)),
		AppendedAt: time.Date(2026, 3, 1, 12, 0, 0, int(index), time.UTC),
	}
}

func entries(first, last uint64) (logs []*raft.Log) {
	for index := first; index <= last; index++ {
		logs = append(logs, entry(index))
	}
	return logs
}

func bigEntry(index uint64) *raft.Log {
	log := entry(index)
	log.Data = bytes.Repeat([]byte{byte(index)}, 60<<10)
	return log
}
