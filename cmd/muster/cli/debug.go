package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cmd/muster/bundle"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) debug() *cobra.Command {
	var output string
	conf := bundle.Config{Program: "muster " + p.Version}
	c := &cobra.Command{
		Use:   "debug",
		Short: "Gather what there is to know about a peer into an archive",
		Long: `Watches the asked peer for a while and gathers into a gzipped tar what somebody needs who looks for what is wrong: who it is,
its settings, its machine, the other peers, metrics and what is used again and again, profiles, and its log from debug on.
An interrupt ends it early and keeps what there is. What cannot be had is told, there and in index.json, and lets the rest be.

The archive holds no secret: a setting is in it only where it is known that it can hold none. The log names clusters, nodes and
addresses; -capture with the parts you want leaves it out. Only -capture fleet gathers clusters, discoveries and claims.

With ACLs it needs a token with the role manage, for the profiles; one with operate gets the rest. Without ACLs the peer serves
profiles only with -enable-debug. Parts: ` + strings.Join(bundle.Parts, ", ") + `.`,
		Example: `  muster debug
  muster debug -duration 10m -interval 1m -output /tmp/peer-b.tar.gz -http-addr 10.0.0.2:8650
  muster debug -duration 5s -interval 5s -capture metrics -capture profiles
  ssh db-17 muster debug -output - > db-17.tar.gz`,
		Args: exactly(0),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, _ []string) error {
			conf.Client, conf.Tell = api, p.tellGathered
			return p.gather(ctx, conf, output)
		}),
	}
	c.Flags().DurationVar(&conf.Duration, "duration", 2*time.Minute, "watch it for `DURATION`")
	c.Flags().DurationVar(&conf.Interval, "interval", 30*time.Second, "gather what moves every `DURATION`")
	c.Flags().StringVar(&output, "output", "", "`FILE` to write, - for the output (default muster-debug-PEER-TIME.tar.gz)")
	c.Flags().StringArrayVar(&conf.Capture, "capture", nil, "gather only this `PART`; may be repeated (default all but fleet)")
	return p.asks(c)
}

// gather gathers into a directory that nobody else may read, and writes the archive. The file is made before all that time is spent.
func (p *Program) gather(ctx context.Context, conf bundle.Config, output string) (err error) {
	if err := conf.Validate(); err != nil {
		return err
	}
	made, err := p.create(output)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "muster-debug-")
	if err != nil {
		return errors.Join(err, made.giveUp())
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(p.Err, "Watching the peer for %s; an interrupt ends it early and keeps what there is.\n", conf.Duration)
	x, err := bundle.Gather(ctx, conf, dir)
	if err != nil {
		return errors.Join(err, made.giveUp())
	}
	if made == nil {
		if made, err = p.create(x.Name() + ".tar.gz"); err != nil {
			return err
		}
	}
	count := &counting{to: made}
	if err := bundle.Archive(count, dir, &x); err != nil {
		return errors.Join(fmt.Errorf("write the archive: %w", err), made.giveUp())
	}
	if err := made.Close(); err != nil {
		return err
	}
	return p.tellBundle(&x, made, count.n)
}

// tellGathered tells of one file while the rest is gathered.
func (p *Program) tellGathered(what string, err error) {
	if err == nil {
		fmt.Fprintf(p.Err, "  %s\n", what)
		return
	}
	fmt.Fprintf(p.Err, "  %s: %s\n", what, printable(err.Error()))
}

// tellBundle tells what came of it, beside the archive where that is the output.
func (p *Program) tellBundle(x *bundle.Index, made *parcel, bytes int64) error {
	missing := 0
	for _, f := range x.Files {
		if f.Error != "" {
			missing++
		}
	}
	to := p.Out
	if made.isOutput() || p.json() {
		to = p.Err
	}
	said := fmt.Sprintf("Gathered %s of %s in %s: %s, %s", counted(len(x.Files)-missing, "file", "files"), x.Peer, x.Took, made.name, size(bytes))
	if missing > 0 {
		said += fmt.Sprintf("; %s could not be had, see above and index.json", counted(missing, "file", "files"))
	}
	fmt.Fprintln(to, said)
	if p.json() && !made.isOutput() {
		return p.writeJSON(struct {
			File string `json:"file"`
			*bundle.Index
		}{made.name, x})
	}
	return nil
}

// parcel is a file that is being made, or the output.
type parcel struct {
	io.Writer
	name string
	file *os.File // nil is the output
}

// create makes a file for its owner alone; nil for no name. It must not be there yet.
func (p *Program) create(name string) (*parcel, error) {
	switch name {
	case "":
		return nil, nil //nolint:nilnil // what it is called is known later
	case "-":
		if f, ok := p.Out.(*os.File); ok && terminal(f) {
			return nil, errors.New("-output - writes an archive, which a terminal cannot show: pipe it, or name a file")
		}
		return &parcel{Writer: p.Out, name: "stdout"}, nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s is there already: -output names another file", name)
	}
	if err != nil {
		return nil, err
	}
	return &parcel{Writer: f, name: name, file: f}, nil
}

func (m *parcel) isOutput() bool { return m.file == nil }

// Close ends writing.
func (m *parcel) Close() error {
	if m.isOutput() {
		return nil
	}
	return m.file.Close()
}

// giveUp takes away what was begun.
func (m *parcel) giveUp() error {
	if m == nil || m.isOutput() {
		return nil
	}
	return errors.Join(m.file.Close(), os.Remove(m.name))
}

// counting counts what is written.
type counting struct {
	to io.Writer
	n  int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}
