package docs_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/scripts/docs"
	"github.com/musterhq/muster/scripts/rig"
)

// patience is how long a page may take before it is given up, beside all other tests on a busy machine. Alone they take seconds.
const patience = 3 * time.Minute

// root is the folder of the project.
const root = "../.."

// machine has the programs that TestMain found.
var machine docs.Machine

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	if testing.Short() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "muster-docs-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		machine, err = programs(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		return 1
	}
	return m.Run()
}

// programs builds muster into a folder and finds the servers.
func programs(dir string) (m docs.Machine, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if m.Consul, err = rig.Tool(ctx, "consul"); err != nil {
		return m, err
	}
	if m.Redis, err = rig.Tool(ctx, "redis"); err != nil {
		return m, err
	}
	m.Muster, err = rig.Build(ctx, dir)
	return m, err
}

// pages are the pages whose commands are run.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(root + "/docs/*.md")
	if err != nil || len(found) == 0 {
		t.Fatalf("found are %q, %v", found, err)
	}
	return append(found, root+"/README.md")
}

func read(t *testing.T, file string) []docs.Step {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := docs.Read(string(page))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return steps
}

// TestPages does what each page says.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, file := range pages(t) {
		name := filepath.Base(file)
		steps := read(t, file)
		if len(steps) == 0 || testing.Short() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			m := machine
			m.Dir = t.TempDir()
			began := time.Now()
			if err := m.Follow(ctx, steps); err != nil {
				t.Fatalf("%s, %v", file, err)
			}
			t.Logf("%d steps took %s", len(steps), time.Since(began).Round(time.Millisecond))
		})
	}
}

// TestNotRun lists the blocks that are not run. They are few, and each says why.
func TestNotRun(t *testing.T) {
	const most = 9
	count := 0
	for _, file := range pages(t) {
		for _, s := range read(t, file) {
			if s.Kind != docs.NotRun {
				continue
			}
			count++
			first, _, _ := strings.Cut(s.Text, "\n")
			t.Logf("%s:%d: %s: not run: %s", file, s.Line, first, s.Note)
			if len(strings.Fields(s.Note)) < 2 {
				t.Errorf("%s:%d: %q is no reason why a block is not run", file, s.Line, s.Note)
			}
		}
	}
	if count > most {
		t.Errorf("%d blocks are not run, at most %d may be", count, most)
	}
}

// TestIndex: docs/README.md leads to every page.
func TestIndex(t *testing.T) {
	index, err := os.ReadFile(root + "/docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range pages(t) {
		if name := filepath.Base(file); name != "README.md" && !strings.Contains(string(index), "("+name+")") {
			t.Errorf("docs/README.md has no link to %s", name)
		}
	}
}

// TestLinks follows every link between pages.
func TestLinks(t *testing.T) {
	count := 0
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 2 {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		count++
		wrong, err := docs.Broken(path)
		for _, w := range wrong {
			t.Errorf("%s, %s", path, w)
		}
		return err
	})
	if err != nil || count < 10 {
		t.Fatalf("%d pages, %v", count, err)
	}
}
