package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const deadline = "10m" // of a test binary

// field is where bugs are planted: a directory of changed files and of binaries built with them.
type field struct {
	dir     string
	root    string // of the module
	times   int
	verbose bool
	clean   map[string]error  // what came of tests without any bug, by package and names
	built   map[string]string // binaries without any bug, by package
	with    map[string]string // binaries with the bug that is planted now, by package
}

// harvest is what became of a bug at one of the tests that must catch it.
type harvest struct {
	caught int
	said   string // by the last test that failed
	took   time.Duration
	why    error // it was not caught every time
}

func newField(ctx context.Context, times int) (*field, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	dir, err := os.MkdirTemp("", "planted-")
	if err != nil {
		return nil, err
	}
	return &field{
		dir: dir, root: filepath.Dir(strings.TrimSpace(string(out))), times: times,
		clean: map[string]error{}, built: map[string]string{}, with: map[string]string{},
	}, nil
}

func (f *field) close() { _ = os.RemoveAll(f.dir) }

// plant runs tests with a bug in what they test.
func (f *field) plant(ctx context.Context, b *bug, c catch) (h harvest) {
	began := time.Now()
	defer func() { h.took = time.Since(began) }()
	if h.why = f.passes(ctx, c); h.why != nil {
		return h
	}
	binary, err := f.infested(ctx, b, c.pkg)
	if err != nil {
		return harvest{why: err}
	}
	for range f.times {
		failed, out := f.test(ctx, binary, c)
		if !failed {
			h.why = fmt.Errorf("not caught:\n%s", out)
			continue
		}
		h.caught++
		h.said = out
	}
	return h
}

// passes says why tests cannot catch anything: they fail without a bug.
func (f *field) passes(ctx context.Context, c catch) error {
	key := c.pkg + " " + c.run
	if err, known := f.clean[key]; known {
		return err
	}
	f.clean[key] = func() error {
		binary := f.built[c.pkg]
		if binary == "" {
			binary = filepath.Join(f.dir, "clean"+fileName(c.pkg))
			if err := f.build(ctx, c.pkg, binary); err != nil {
				return err
			}
			f.built[c.pkg] = binary
		}
		out, err := f.command(ctx, binary, c).CombinedOutput()
		if err == nil && bytes.Contains(out, []byte("no tests to run")) {
			err = errors.New("there is no such test")
		}
		if err != nil {
			return fmt.Errorf("without the bug: %w\n%s", err, tail(out))
		}
		return nil
	}()
	return f.clean[key]
}

// infested is a package's test binary with a bug in it, built once for all tests of that package.
func (f *field) infested(ctx context.Context, b *bug, pkg string) (string, error) {
	if f.with[pkg] != "" {
		return f.with[pkg], nil
	}
	overlay, err := f.overlay(b)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(f.dir, "planted-"+fileName(pkg))
	if err := f.build(ctx, pkg, binary, "-overlay", overlay); err != nil {
		return "", err
	}
	f.with[pkg] = binary
	return binary, nil
}

// weed forgets the binaries with the bug planted last.
func (f *field) weed() { clear(f.with) }

func fileName(pkg string) string {
	return strings.NewReplacer("/", "-", ".", "").Replace(pkg) + ".test"
}

// overlay writes the file with the bug in it, and what tells the go command of it.
func (f *field) overlay(b *bug) (string, error) {
	file := filepath.Join(f.root, filepath.FromSlash(b.file))
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	changed, err := b.planted(string(text))
	if err != nil {
		return "", err
	}
	copied, overlay := filepath.Join(f.dir, filepath.Base(file)), filepath.Join(f.dir, "overlay.json")
	raw, err := json.Marshal(map[string]map[string]string{"Replace": {file: copied}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(os.WriteFile(copied, []byte(changed), 0o600), os.WriteFile(overlay, raw, 0o600))
}

func (f *field) build(ctx context.Context, pkg, binary string, args ...string) error {
	args = append(append([]string{"test", "-c", "-ldflags=-s -w", "-o", binary}, args...), pkg)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = f.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("it does not build: %w\n%s", err, tail(out))
	}
	return nil
}

func (f *field) command(ctx context.Context, binary string, c catch) *exec.Cmd {
	args := append([]string{"-test.run", "^(" + c.run + ")$", "-test.failfast", "-test.timeout", deadline}, c.args...)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = filepath.Join(f.root, filepath.FromSlash(c.pkg))
	return cmd
}

// test says whether a test failed, and what was printed.
func (f *field) test(ctx context.Context, binary string, c catch) (failed bool, out string) {
	raw, err := f.command(ctx, binary, c).CombinedOutput()
	told := bytes.Contains(raw, []byte("--- FAIL")) || bytes.Contains(raw, []byte("panic: "))
	late := bytes.Contains(raw, []byte("panic: test timed out"))
	return err != nil && told && !late, tail(raw)
}

// tail is the end of what was printed.
func tail(out []byte) string {
	const most = 2000
	return string(out[max(0, len(out)-most):])
}
