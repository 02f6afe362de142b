package bundle_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cmd/muster/bundle"
)

// gather gathers in virtual time and returns the index, what is in the archive, and how long it took.
func gather(t *testing.T, ctx context.Context, p *peer, change func(*bundle.Config)) (bundle.Index, map[string]string, time.Duration) {
	t.Helper()
	c, dir, began := p.config(), t.TempDir(), time.Now()
	if change != nil {
		change(&c)
	}
	x, err := bundle.Gather(ctx, c, dir)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	p.group.Wait()
	files := unpacked(t, dir, &x)
	return x, files, took
}

func TestBundleHoldsAllParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		x, files, took := gather(t, t.Context(), p, nil)
		want := []string{
			"agent/configuration.json", "agent/ready.json", "agent/self.json", "group/members.json", "group/raft.json", "host.json", "index.json",
			"log.txt", "profiles/cpu.pprof", "profiles/trace.out",
		}
		for _, n := range []string{"000", "001", "002", "003", "004"} { // at 0, 30, 60 and 90 seconds, and in the end
			want = append(want, "metrics/"+n+".txt", "usage/"+n+".json", "profiles/heap-"+n+".pprof", "profiles/goroutines-"+n+".txt")
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		if took != 2*time.Minute {
			t.Errorf("it took %s", took)
		}
		if files["profiles/cpu.pprof"] != "cpu for 30s" || files["profiles/trace.out"] != "trace for 5s" {
			t.Errorf("profiles are %q and %q", files["profiles/cpu.pprof"], files["profiles/trace.out"])
		}
		if lines := strings.Count(files["log.txt"], "level=debug msg=line\n"); lines != 18 {
			t.Errorf("the log has %d lines", lines)
		}
		var told bundle.Index
		if err := json.Unmarshal([]byte(files["index.json"]), &told); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x, told); diff != "" || x.Peer != "peer a/1" || x.Interrupted || x.Name() != "muster-debug-peer-a-1-20000101T000000Z" {
			t.Errorf("index %s:\n%+v\n%s", x.Name(), x, diff)
		}
		for _, f := range x.Files {
			if f.Error != "" || f.Bytes != int64(len(files[f.Name])) {
				t.Errorf("%+v", f)
			}
		}
		if len(x.Files) != len(want)-1 {
			t.Errorf("the index has %d files", len(x.Files))
		}
	})
}

// TestBundleHoldsWhatIsAskedFor: names of clusters only then.
func TestBundleHoldsWhatIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		_, files, _ := gather(t, t.Context(), p, func(c *bundle.Config) { c.Capture = []string{bundle.Fleet, bundle.Host} })
		want := []string{"fleet/claims.json", "fleet/clusters.json", "fleet/discoveries.json", "host.json", "index.json"}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" || !strings.Contains(files["fleet/clusters.json"], "orders") {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		all := slices.Clone(p.asked)
		_, _, _ = gather(t, t.Context(), p, nil)
		if asked := p.asked[len(all):]; slices.ContainsFunc(asked, func(to string) bool { return strings.HasPrefix(to, "/v1/clusters") }) {
			t.Errorf("clusters are asked for though nobody wants them: %q", asked)
		}
	})
}

// TestBundleKeepsWhatItHasWhenInterrupted: a part of the log, and one sample.
func TestBundleKeepsWhatItHasWhenInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
		defer cancel()
		x, files, took := gather(t, ctx, newPeer(t), nil)
		if !x.Interrupted || x.Took != "10.5s" || took != 10500*time.Millisecond {
			t.Errorf("interrupted %t after %s", x.Interrupted, x.Took)
		}
		if strings.Count(files["log.txt"], "\n") != 2 || files["metrics/000.txt"] == "" || files["metrics/001.txt"] != "" {
			t.Errorf("files are %q", slices.Sorted(maps.Keys(files)))
		}
		for _, f := range x.Files {
			if f.Name == "log.txt" && f.Error != "" {
				t.Errorf("that it was enough is told as an error: %+v", f)
			}
		}
	})
}

// TestBundleTellsWhatFailed: parts that a token may not have, and one that breaks off.
func TestBundleTellsWhatFailed(t *testing.T) {
	defer bundle.KeepAtMost(1 << 20)()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		delete(p.answers, "/debug/pprof/trace")
		delete(p.answers, "/v1/agent/configuration")
		p.answers["/v1/agent/monitor"] = func(w http.ResponseWriter, _ *http.Request) {
			line := []byte(strings.Repeat("x", 1<<18))
			for range 70 {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}
		told := map[string]error{}
		x, files, _ := gather(t, t.Context(), p, func(c *bundle.Config) { c.Tell = func(what string, err error) { told[what] = err } })
		for name, want := range map[string]string{
			"profiles/trace.out": "needs the role manage", "agent/configuration.json": "needs the role manage", "log.txt": "more than 1 MiB",
		} {
			at := slices.IndexFunc(x.Files, func(f bundle.File) bool { return f.Name == name })
			if at < 0 || !strings.Contains(x.Files[at].Error, want) || told[name] == nil {
				t.Errorf("%s: not told: %v", name, told[name])
			}
		}
		if _, there := files["profiles/trace.out"]; there || len(files["log.txt"]) != 1<<20 || files["profiles/cpu.pprof"] == "" {
			t.Errorf("files are %q, the log has %d bytes", slices.Sorted(maps.Keys(files)), len(files["log.txt"]))
		}
	})
}

// TestBundleWithoutProfiles asks a peer that serves none, and one that serves them to others: it asks once.
func TestBundleWithoutProfiles(t *testing.T) {
	for status, want := range map[int]string{http.StatusNotFound: "-enable-debug", http.StatusForbidden: "the role manage"} {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			for path := range p.answers {
				if strings.HasPrefix(path, "/debug/") {
					p.refuses(path, status)
				}
			}
			x, files, took := gather(t, t.Context(), p, nil)
			asked := slices.DeleteFunc(slices.Clone(p.asked), func(to string) bool { return !strings.HasPrefix(to, "/debug/") })
			at := slices.IndexFunc(x.Files, func(f bundle.File) bool { return f.Name == "profiles" })
			if at < 0 || !strings.Contains(x.Files[at].Error, want) || len(asked) != 1 || files["metrics/004.txt"] == "" || took != 2*time.Minute {
				t.Errorf("with %d: %+v, asked %q", status, x.Files, asked)
			}
		})
	}
}

// TestBundleNeedsAPeer asks one that does not say who it is.
func TestBundleNeedsAPeer(t *testing.T) {
	p := newPeer(t)
	delete(p.answers, "/v1/agent/self")
	if _, err := bundle.Gather(t.Context(), p.config(), t.TempDir()); err == nil {
		t.Error("it gathers of nobody")
	}
	p.group.Wait()
}

func TestBundleRefuses(t *testing.T) {
	p := newPeer(t)
	for want, change := range map[string]func(*bundle.Config){
		"-duration 0s":     func(c *bundle.Config) { c.Duration = 0 },
		"-duration 2h0m0s": func(c *bundle.Config) { c.Duration = 2 * time.Hour },
		"-interval 3m0s":   func(c *bundle.Config) { c.Interval = 3 * time.Minute },
		"-interval 1ms":    func(c *bundle.Config) { c.Interval = time.Millisecond },
		`-capture "pprof"`: func(c *bundle.Config) { c.Capture = []string{"pprof"} },
	} {
		c := p.config()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if _, err := bundle.Gather(t.Context(), c, t.TempDir()); err == nil || errors.Is(err, context.Canceled) || len(p.asked) > 0 {
			t.Errorf("%s: %v, asked %q", want, err, p.asked)
		}
	}
}
