package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/mint"
)

// accessFace is this peer as package httpd sees it where tokens are made.
type accessFace struct{ *Agent }

const discordEvery = 10 * time.Second

// Mint makes the accessor and the secret of a token.
func (f accessFace) Mint() (accessor, secret string) {
	return mint.ID(f.cfg.Seams.Now()), mint.Secret()
}

// Prove says why a proof does not show that the data directory is in the hands of who asks.
func (f accessFace) Prove(proof string, local bool) error {
	switch {
	case f.dir != nil:
		return f.dir.Proves(proof)
	case !local:
		return errors.New("this peer has no data directory: its first token is made from its own machine")
	}
	return nil
}

// Proved takes the proof away.
func (f accessFace) Proved() {
	if f.dir == nil {
		return
	}
	if err := f.dir.Proved(); err != nil {
		f.log.Warn("the proof of the first token was not removed; remove it by hand", "error", err)
	}
}

// discord says which peers have ACLs off while others have them on: whoever reaches one of those may do everything with the
// group. It is empty while all agree.
func (a *Agent) discord() string {
	var on, off []string
	for _, m := range a.gossip.Members() {
		switch {
		case m.Status == gossip.Left:
		case m.ACL:
			on = append(on, m.Name)
		default:
			off = append(off, m.Name)
		}
	}
	if len(on) == 0 || len(off) == 0 {
		return ""
	}
	slices.Sort(off)
	return fmt.Sprintf("ACLs are off on %s and on elsewhere: whoever reaches the API there may do everything; start all peers with -acl",
		strings.Join(off, ", "))
}

// watchDiscord tells in the log when peers begin or cease to differ about ACLs.
func (a *Agent) watchDiscord(ctx context.Context) error {
	told := ""
	for range life.Beats(ctx, discordEvery) {
		now := a.discord()
		if now == told {
			continue
		}
		if told = now; now == "" {
			a.log.Info("all peers agree about ACLs")
		} else {
			a.log.Warn("peers differ about ACLs", "warning", now)
		}
	}
	return nil
}
