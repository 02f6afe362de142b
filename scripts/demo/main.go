// Command demo shows muster on this machine: three peers, a fleet of nodes that misbehave now and then, and a development
// Consul if one can be had. It applies a discovery, shows the clusters and follows the events until Ctrl-C, or for
// DEMO_SECONDS.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

const (
	clusters = 8
	nodes    = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is the running demonstration.
type demo struct {
	rig    *rig.Rig
	bin    string
	group  *rig.Group
	consul string // address, empty without one
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "muster-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := &demo{rig: rig.New(dir)}
	defer func() { err = errors.Join(err, d.rig.Stop()) }()
	if err := d.start(ctx); err != nil {
		return interrupted(ctx, err)
	}
	return interrupted(ctx, d.show(ctx))
}

// interrupted is err, unless the user ended the demo.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the end of ctx is the end that was asked for
	}
	return err
}

// start brings everything up.
func (d *demo) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var err error
	say("Building muster")
	if d.bin, err = rig.Build(ctx, d.rig.Dir); err != nil {
		return err
	}
	say("Starting Consul")
	if _, d.consul, err = d.rig.Consul(ctx); err != nil {
		d.consul = ""
		fmt.Println("   no Consul to be had, the discovery reads a file instead:", firstLine(err))
	}
	say(fmt.Sprintf("Starting a fleet of %d clusters with %d nodes each, on loopback addresses", clusters, nodes))
	if err := d.fleet(); err != nil {
		return err
	}
	say("Starting three peers")
	d.group, err = d.rig.Group(ctx, d.bin, 3, "-log-level", "info")
	return err
}

func (d *demo) fleet() error {
	port, err := rig.Port()
	if err != nil {
		return err
	}
	args := []string{
		"fleet", "-clusters", strconv.Itoa(clusters), "-nodes", strconv.Itoa(nodes), "-port", strconv.Itoa(port), "-churn", "0.4",
	}
	if d.consul != "" {
		args = append(args, "-consul", d.consul)
	} else {
		args = append(args, "-file", d.file())
	}
	_, err = d.rig.Start("fleet", d.bin, args...)
	return err
}

func (d *demo) file() string { return filepath.Join(d.rig.Dir, "fleet.json") }

// show applies the discovery and lets the user watch.
func (d *demo) show(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(d.rig.Dir, "demo.hcl"), []byte(d.discovery()), 0o600); err != nil {
		return err
	}
	if err := d.muster(ctx, "members"); err != nil {
		return err
	}
	fmt.Printf("\n# demo.hcl\n%s", d.discovery())
	if err := d.muster(ctx, "discovery", "apply", filepath.Join(d.rig.Dir, "demo.hcl")); err != nil {
		return err
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	for _, args := range [][]string{{"cluster", "list"}, {"cluster", "show", "fleet-00000"}} {
		if err := d.muster(ctx, args...); err != nil {
			return err
		}
	}
	fmt.Printf("\nThe API of the first peer is http://%s, that of the others on %s and %s.\n",
		d.group.Peers[0].HTTP, d.group.Peers[1].HTTP, d.group.Peers[2].HTTP)
	fmt.Println("Some nodes fail, lag and come back by themselves. Ctrl-C ends the demo.")
	return d.follow(ctx)
}

func (d *demo) discovery() string {
	backend, config := "file", fmt.Sprintf("files = [%q]", d.file())
	cluster := "{{.cluster}}"
	if d.consul != "" {
		backend, config = "consul", fmt.Sprintf("address = %q\n    tags    = [\"muster\"]", d.consul)
		cluster = "{{.service}}"
	}
	return fmt.Sprintf(`discovery "demo" {
  backend = %q
  config {
    %s
  }
  cluster  = %q
  interval = "10s"
  refresh {
    interval = "2s"
    timeout  = "1s"
  }
}
`, backend, config, cluster)
}

// settled waits until every cluster has been asked.
func (d *demo) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return rig.Until(ctx, "the views of all clusters", func(ctx context.Context) error {
		page, err := d.group.Peers[0].API.Clusters(ctx, httpd.List{Limit: 2 * clusters})
		if err != nil {
			return err
		}
		asked := 0
		for _, c := range page.Rows {
			if c.Health != "unknown" && c.Health != "" {
				asked++
			}
		}
		if asked < clusters {
			return fmt.Errorf("%d of %d clusters were asked", asked, clusters)
		}
		return nil
	})
}

// follow shows the events until ctx ends or DEMO_SECONDS have passed.
func (d *demo) follow(ctx context.Context) error {
	if s := os.Getenv("DEMO_SECONDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("DEMO_SECONDS is %q; a number is wanted", s)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(n)*time.Second)
		defer cancel()
	}
	err := d.muster(ctx, "event", "follow")
	if ctx.Err() != nil {
		fmt.Println()
		return nil
	}
	return err
}

// muster runs one command of the program against the first peer, as a user would.
func (d *demo) muster(ctx context.Context, args ...string) error {
	fmt.Printf("\n$ muster %s\n", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, d.bin, append(args, "-http-addr", d.group.Peers[0].HTTP)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("muster %s: %w", args[0], err)
	}
	return nil
}

func say(what string) { fmt.Println("==", what) }

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
