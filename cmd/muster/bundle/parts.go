package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// asked gathers what a call answers, as JSON.
func asked[T any](ctx context.Context, g *gathering, name string, call func(context.Context) (T, error)) {
	g.file(ctx, name, func(ctx context.Context, to io.Writer) error {
		v, err := call(ctx)
		if err != nil {
			return err
		}
		return encode(to, v)
	})
}

// once gathers what does not move.
func (g *gathering) once(ctx context.Context) {
	c := g.Client
	if g.wants(Agent) {
		asked(ctx, g, "agent/self.json", c.Self)
		asked(ctx, g, "agent/ready.json", c.Ready)
		asked(ctx, g, "agent/configuration.json", c.Configuration)
	}
	if g.wants(Host) {
		asked(ctx, g, "host.json", c.Host)
	}
	if g.wants(Group) {
		asked(ctx, g, "group/members.json", c.Members)
		asked(ctx, g, "group/raft.json", func(ctx context.Context) (httpd.RaftConfiguration, error) {
			return c.RaftConfiguration(ctx, httpd.Read{})
		})
	}
	if g.wants(Fleet) {
		stale := httpd.List{Read: httpd.Read{Stale: true}, Limit: 1000}
		asked(ctx, g, "fleet/clusters.json", func(ctx context.Context) ([]httpd.ClusterRow, error) {
			return httpd.All(ctx, stale, c.Clusters)
		})
		asked(ctx, g, "fleet/discoveries.json", func(ctx context.Context) ([]httpd.DiscoveryRow, error) {
			return httpd.All(ctx, stale, c.Discoveries)
		})
		asked(ctx, g, "fleet/claims.json", func(ctx context.Context) ([]httpd.ClaimRow, error) {
			return httpd.All(ctx, stale, c.Claims)
		})
	}
}

// sample gathers what moves, for the nth time.
func (g *gathering) sample(ctx context.Context, n int) {
	if g.wants(Metrics) {
		g.file(ctx, fmt.Sprintf("metrics/%03d.txt", n), func(ctx context.Context, to io.Writer) error {
			text, err := g.Client.Metrics(ctx)
			if err != nil {
				return err
			}
			_, err = to.Write(text)
			return err
		})
	}
	if g.wants(Usage) {
		asked(ctx, g, fmt.Sprintf("usage/%03d.json", n), func(ctx context.Context) (httpd.Usage, error) {
			u, _, err := g.Client.Usage(ctx, httpd.Read{Stale: true})
			return u, err
		})
	}
	if g.wants(Profiles) && g.served {
		g.profileOf(ctx, fmt.Sprintf("profiles/heap-%03d.pprof", n), httpd.ProfileQuery{Name: "heap"})
		g.profileOf(ctx, fmt.Sprintf("profiles/goroutines-%03d.txt", n), httpd.ProfileQuery{Name: "goroutine", Text: true})
	}
}

// serves says whether the peer serves profiles to who asks, and tells it once when it does not.
func (g *gathering) serves(ctx context.Context) bool {
	err := g.Client.Profile(ctx, httpd.ProfileQuery{Name: "goroutine"}, io.Discard)
	if g.served = err == nil; g.served || ctx.Err() != nil {
		return g.served
	}
	if errors.Is(err, fsm.ErrNotFound) {
		err = errors.New("the peer serves none: it runs without ACLs and without -enable-debug")
	}
	g.tell(File{Name: Profiles}, err)
	return false
}

// profile gathers the profiles that take time, one after the other, so that neither is in the other.
func (g *gathering) profile(ctx context.Context) {
	g.profileOf(ctx, "profiles/cpu.pprof", httpd.ProfileQuery{Name: "profile", For: span(cpuFor, g.Duration/2)})
	g.profileOf(ctx, "profiles/trace.out", httpd.ProfileQuery{Name: "trace", For: span(traceFor, g.Duration/4)})
}

// span is a time for a profile: so long, or less where there is less.
func span(wanted, there time.Duration) time.Duration { return max(min(wanted, there), leastFor) }

func (g *gathering) profileOf(ctx context.Context, name string, q httpd.ProfileQuery) {
	g.file(ctx, name, func(ctx context.Context, to io.Writer) error { return g.Client.Profile(ctx, q, to) })
}

// logs gathers the log until ctx ends.
func (g *gathering) logs(ctx context.Context) {
	g.file(ctx, "log.txt", func(ctx context.Context, to io.Writer) error {
		return g.Client.Monitor(ctx, httpd.MonitorQuery{Level: "debug"}, to)
	})
}
