package rig

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Root is the folder of the module that the working directory is in.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// Build makes the program in a folder as "make build" does, so that Go compiles for both once, with further flags of go build, and returns its path.
func Build(ctx context.Context, dir string, flags ...string) (string, error) {
	root, err := Root(ctx)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "muster")
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-trimpath", "-o", bin}, flags, []string{"./cmd/muster"})...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build muster: %w\n%s", err, out)
	}
	return bin, nil
}

// Tool is the path of a server that a script of this project finds or fetches: "consul" or "redis". The variable that make
// sets, MUSTER_CONSUL or MUSTER_REDIS, saves running it again.
func Tool(ctx context.Context, name string) (string, error) {
	if path := os.Getenv("MUSTER_" + strings.ToUpper(name)); path != "" {
		return path, nil
	}
	root, err := Root(ctx)
	if err != nil {
		return "", err
	}
	script := filepath.Join(root, "scripts", name+".sh")
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, script)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", script, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

var (
	portsMu sync.Mutex
	ports   = map[int]bool{} // given out by this process
)

var errGiven = errors.New("all were given out before")

// Port is a free port on a loopback address, for TCP and UDP, that this process has not given out before.
func Port() (int, error) {
	portsMu.Lock()
	defer portsMu.Unlock()
	var last error
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, udpErr := net.ListenPacket("udp", l.Addr().String())
		if udpErr == nil {
			_ = u.Close()
		}
		_ = l.Close()
		if udpErr == nil && !ports[port] {
			ports[port] = true
			return port, nil
		}
		last = cmp.Or(udpErr, errGiven)
	}
	return 0, fmt.Errorf("no free port found: %w", last)
}

// Addr is 127.0.0.1 with a free port.
func Addr() (string, error) {
	port, err := Port()
	return fmt.Sprintf("127.0.0.1:%d", port), err
}
