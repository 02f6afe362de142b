package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// machine is what a result was measured on.
type machine struct {
	CPU       string `json:"cpu"`
	CPUs      int    `json:"cpus"`
	MemoryMiB int    `json:"memory_mib"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	OpenFiles uint64 `json:"open_files"` // limit of a process
}

func thisMachine() machine {
	m := machine{CPUs: runtime.NumCPU(), Go: runtime.Version() + " " + runtime.GOARCH}
	m.CPU = field("/proc/cpuinfo", "model name")
	kib, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.Atoi(kib); err == nil {
		m.MemoryMiB = n >> 10
	}
	if raw, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(raw))
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		m.OpenFiles = limit.Max // the Go runtime raises it so far
	}
	return m
}

// ticks are those of all CPUs since the machine started.
type ticks struct{ all, busy float64 }

// clock reads them. What the host of a virtual machine took is busy.
func clock() (ticks, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}, err
	}
	return ticksOf(string(raw))
}

func ticksOf(stat string) (t ticks, err error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	const idle, waiting, stolen = 4, 5, 8 // after the word "cpu"; guests' times, after that, are in the user's
	if len(fields) <= stolen {
		return t, fmt.Errorf("/proc/stat begins with %q", line)
	}
	for i, field := range fields[1 : stolen+1] {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return t, fmt.Errorf("/proc/stat: %w", err)
		}
		t.all += n
		if i+1 != idle && i+1 != waiting {
			t.busy += n
		}
	}
	return t, nil
}

// field is what the first line of a file says after a name and a colon; empty when none does.
func field(path, name string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return fieldOf(string(raw), name)
}

func fieldOf(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// commit is the one that is checked out.
func commit(ctx context.Context) string {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	out := strings.TrimSpace(string(head))
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no", "--", "*.go").Output()
	if err != nil || len(changed) > 0 {
		out += "-dirty"
	}
	return out
}
