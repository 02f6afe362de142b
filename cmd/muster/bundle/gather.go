package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	httpd "github.com/musterhq/muster/http"
)

// The parts of a bundle.
const (
	Agent    = "agent"    // the peer, its readiness and its settings
	Host     = "host"     // its machine and process
	Group    = "group"    // the other peers and the raft configuration
	Usage    = "usage"    // what is used, and of how much; again and again
	Metrics  = "metrics"  // again and again
	Logs     = "logs"     // of the whole time, from debug on
	Profiles = "profiles" // CPU and a trace at the beginning; heap and goroutines again and again
	Fleet    = "fleet"    // clusters, discoveries and claims, with their names
)

// Parts are all parts; those are gathered that are asked for, and where none is all but Fleet.
var Parts = []string{Agent, Host, Group, Usage, Metrics, Logs, Profiles, Fleet}

// Limits of what is gathered.
const (
	MinDuration = time.Second
	MaxDuration = time.Hour
	MinInterval = time.Second

	cpuFor   = 30 * time.Second
	traceFor = 5 * time.Second
	leastFor = time.Second
)

// maxFile is how many bytes one file may have.
var maxFile int64 = 64 << 20

// Config says what to gather.
type Config struct {
	Client             *httpd.Client
	Duration, Interval time.Duration
	Capture            []string                     // parts; none is all but Fleet
	Program            string                       // what gathers, and its release
	Tell               func(what string, err error) // of each file, whether it was gathered; called by one goroutine at a time
}

// Validate says what is wrong, by the names of the command's options.
func (c *Config) Validate() error {
	if c.Duration < MinDuration || c.Duration > MaxDuration {
		return fmt.Errorf("-duration %s is not between %s and %s", c.Duration, MinDuration, MaxDuration)
	}
	if c.Interval < MinInterval || c.Interval > c.Duration {
		return fmt.Errorf("-interval %s is not between %s and the -duration, %s", c.Interval, MinInterval, c.Duration)
	}
	for _, part := range c.Capture {
		if !slices.Contains(Parts, part) {
			return fmt.Errorf("-capture %q is none of %s", part, strings.Join(Parts, ", "))
		}
	}
	return nil
}

// Index says what a bundle holds; it is its index.json.
type Index struct {
	Peer        string    `json:"peer"`
	ID          string    `json:"id"`
	Group       string    `json:"group"`
	Version     string    `json:"version"` // of the peer
	Program     string    `json:"program"` // that gathered it
	Began       time.Time `json:"began"`
	Took        string    `json:"took"`
	Duration    string    `json:"duration"` // that was wanted
	Interval    string    `json:"interval"`
	Interrupted bool      `json:"interrupted"`
	Capture     []string  `json:"capture"`
	Files       []File    `json:"files"`
}

// File is one file, or why there is none, or not all of it.
type File struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Error string `json:"error,omitempty"`
}

// gathering is one bundle in the making.
type gathering struct {
	Config
	dir    string
	served bool // profiles

	mu    sync.Mutex
	index Index
}

// Gather gathers into an empty directory until the time is over or ctx ends. It fails when the peer does not even say who it is.
func Gather(ctx context.Context, c Config, dir string) (Index, error) {
	if err := c.Validate(); err != nil {
		return Index{}, err
	}
	if len(c.Capture) == 0 {
		c.Capture = slices.DeleteFunc(slices.Clone(Parts), func(part string) bool { return part == Fleet })
	}
	self, err := c.Client.Self(ctx)
	if err != nil {
		return Index{}, err
	}
	began := time.Now()
	g := &gathering{Config: c, dir: dir, index: Index{
		Peer: self.Member.Name, ID: self.Member.ID, Group: self.Group, Version: self.Member.Version, Program: c.Program,
		Began: began.UTC(), Duration: c.Duration.String(), Interval: c.Interval.String(), Capture: c.Capture, Files: []File{},
	}}
	g.run(ctx)
	g.index.Interrupted, g.index.Took = ctx.Err() != nil, time.Since(began).Round(time.Millisecond).String()
	slices.SortFunc(g.index.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return g.index, g.write("index.json", func(to io.Writer) error { return encode(to, g.index) })
}

// run gathers everything that is wanted.
func (g *gathering) run(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, g.Duration+time.Minute) // for what was begun at the end
	defer stop()
	var aside sync.WaitGroup
	logs, enough := context.WithCancel(ctx)
	defer enough()
	if g.wants(Logs) {
		aside.Go(func() { g.logs(logs) })
	}
	if g.wants(Profiles) && g.serves(ctx) {
		aside.Go(func() { g.profile(ctx) })
	}
	began := time.Now()
	g.once(ctx)
	g.samples(ctx, began)
	enough()
	aside.Wait()
}

// samples gathers what moves: at the beginning, at each interval, and in the end. Samples that take longer than that come later.
func (g *gathering) samples(ctx context.Context, began time.Time) {
	g.sample(ctx, 0)
	for n := 1; ctx.Err() == nil; n++ {
		at := min(time.Duration(n)*g.Interval, g.Duration)
		wait := time.NewTimer(at - time.Since(began))
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		if g.sample(ctx, n); at == g.Duration {
			return
		}
	}
}

func (g *gathering) wants(part string) bool { return slices.Contains(g.Capture, part) }

// file gathers one file and tells how that went. What came before a failure stays.
func (g *gathering) file(ctx context.Context, name string, get func(ctx context.Context, to io.Writer) error) {
	if ctx.Err() != nil {
		return
	}
	to := &bounded{left: maxFile}
	err := g.write(name, func(file io.Writer) error {
		to.to = file
		return get(ctx, to)
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // it was enough
	}
	if to.left == maxFile && err != nil {
		_ = os.Remove(filepath.Join(g.dir, name)) // it may not be there
	}
	g.tell(File{Name: name, Bytes: maxFile - to.left}, err)
}

// tell puts a file into the index and tells of it.
func (g *gathering) tell(f File, err error) {
	if err != nil {
		f.Error = err.Error()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.index.Files = append(g.index.Files, f)
	g.Tell(f.Name, err)
}

// write makes a file.
func (g *gathering) write(name string, fill func(io.Writer) error) error {
	path := filepath.Join(g.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = fill(f)
	return errors.Join(err, f.Close())
}

// bounded takes so many bytes.
type bounded struct {
	to   io.Writer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		return 0, fmt.Errorf("there is more than %d MiB; the rest was left out", maxFile>>20)
	}
	n, err := b.to.Write(p)
	b.left -= int64(n)
	return n, err
}

// encode writes JSON for people.
func encode(to io.Writer, v any) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
