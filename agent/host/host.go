// Package host tells of the machine a peer runs on, and of its process, as the operating system and Go's runtime do. It reads
// files that Linux has; what a system does not tell is left out.
package host

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// Files are those of this machine.
func Files() fs.FS { return os.DirFS("/") }

// Look looks at the machine whose files these are, and at this process.
func Look(files fs.FS, now time.Time) httpd.Host {
	h := httpd.Host{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: word(files, "proc/sys/kernel/osrelease"), CPUs: runtime.NumCPU(),
		Load: load(files), Time: fsm.TimeOf(now), MemoryLimit: memoryLimit(files), Process: process(files),
	}
	h.Name, _ = os.Hostname()
	if up, err := strconv.ParseFloat(word(files, "proc/uptime"), 64); err == nil {
		h.Booted = fsm.TimeOf(now.Add(-time.Duration(up * float64(time.Second))))
	}
	info := lines(files, "proc/meminfo")
	h.Memory, h.MemoryFree = kib(info["MemTotal:"]), kib(info["MemAvailable:"])
	return h
}

// process tells of this process.
func process(files fs.FS) httpd.Process {
	p := httpd.Process{
		PID: os.Getpid(), Go: runtime.Version(), Threads: runtime.GOMAXPROCS(0), Goroutines: runtime.NumGoroutine(),
	}
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/gc/gomemlimit:bytes"},
	}
	metrics.Read(samples)
	p.Heap, p.Reserved, p.SoftLimit = whole(samples[0]), whole(samples[1]), whole(samples[2])
	if p.SoftLimit == math.MaxInt64 {
		p.SoftLimit = 0 // none
	}
	if pages := strings.Fields(text(files, "proc/self/statm")); len(pages) > 1 {
		p.Resident = number(pages[1]) * uint64(os.Getpagesize())
	}
	if open, err := fs.ReadDir(files, "proc/self/fd"); err == nil {
		p.OpenFiles = len(open)
	}
	return p
}

func whole(s metrics.Sample) uint64 {
	if s.Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s.Value.Uint64()
}

// memoryLimit is the least that a control group of this process may use, 0 for no limit.
func memoryLimit(files fs.FS) uint64 {
	least := uint64(0)
	_, group, found := strings.Cut(text(files, "proc/self/cgroup"), "0::/")
	if !found {
		return 0
	}
	group, _, _ = strings.Cut(group, "\n")
	for at := path.Join("sys/fs/cgroup", group); ; at = path.Dir(at) {
		if limit := number(word(files, at+"/memory.max")); limit > 0 && (least == 0 || limit < least) {
			least = limit
		}
		if !strings.HasPrefix(at, "sys/fs/cgroup/") {
			return least
		}
	}
}

// load is the load of the last minute, five and fifteen, nil where it is not known.
func load(files fs.FS) []float64 {
	var out []float64
	for i, one := range strings.Fields(text(files, "proc/loadavg")) {
		if v, err := strconv.ParseFloat(one, 64); err == nil && i < 3 {
			out = append(out, v)
		}
	}
	return out
}

func text(files fs.FS, name string) string {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return ""
	}
	return string(raw)
}

// word is the first word of a file.
func word(files fs.FS, name string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text(files, name)), " ")
	return first
}

// lines are those of a file by their first words.
func lines(files fs.FS, name string) map[string]string {
	out := map[string]string{}
	for scan := bufio.NewScanner(bytes.NewReader([]byte(text(files, name)))); scan.Scan(); {
		first, rest, _ := strings.Cut(scan.Text(), " ")
		out[first] = strings.TrimSpace(rest)
	}
	return out
}

// number is a number of at most 64 bits, 0 for what is none.
func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// kib is an amount that is told in KiB.
func kib(s string) uint64 {
	n, _, _ := strings.Cut(s, " ")
	return number(n) << 10
}
