package host_test

import (
	"runtime"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/agent/host"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func TestLinuxTellsOfItself(t *testing.T) {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"proc/sys/kernel/osrelease":             "6.1.0-9-amd64\n",
		"proc/uptime":                           "3600.50 7000.00\n",
		"proc/loadavg":                          "0.50 1.25 2.00 1/200 4711\n",
		"proc/meminfo":                          "MemTotal:       2048 kB\nMemFree:         12 kB\nMemAvailable:    1024 kB\n",
		"proc/self/statm":                       "900 3 100 1 0 200 0\n",
		"proc/self/cgroup":                      "0::/system.slice/muster.service\n",
		"sys/fs/cgroup/system.slice/memory.max": "1048576\n",
		"sys/fs/cgroup/system.slice/muster.service/memory.max": "max\n",
		"proc/self/fd/0": "",
		"proc/self/fd/1": "",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	got := host.Look(files, now)
	want := httpd.Host{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: "6.1.0-9-amd64", CPUs: runtime.NumCPU(), Load: []float64{0.5, 1.25, 2},
		Memory: 2 << 20, MemoryFree: 1 << 20, MemoryLimit: 1 << 20, Time: fsm.TimeOf(now),
		Booted: fsm.TimeOf(now.Add(-time.Hour - 500*time.Millisecond)),
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(httpd.Host{}, "Name", "Process")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := got.Process; p.OpenFiles != 2 || p.Resident%3 != 0 || p.Resident == 0 || p.Heap == 0 || p.Goroutines == 0 || p.SoftLimit != 0 {
		t.Errorf("the process is %+v", p)
	}
}

func TestOtherSystemsTellLess(t *testing.T) {
	h := host.Look(fstest.MapFS{"proc/self/cgroup": {Data: []byte("1:name=systemd:/\n")}}, now)
	if h.Memory != 0 || h.MemoryLimit != 0 || h.Booted != 0 || h.Load != nil || h.Process.Resident != 0 || h.Process.Heap == 0 {
		t.Errorf("it is %+v", h)
	}
}

// TestThisMachine reads the real files, as a peer does.
func TestThisMachine(t *testing.T) {
	h := host.Look(host.Files(), time.Now())
	if runtime.GOOS == "linux" && (h.Memory == 0 || h.Process.Resident == 0 || h.Process.OpenFiles == 0 || h.Booted == 0 || len(h.Load) != 3) {
		t.Errorf("it is %+v", h)
	}
}
