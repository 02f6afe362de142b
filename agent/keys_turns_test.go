package agent

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/keyring"
	"github.com/musterhq/muster/fsm"
)

// TestOperatorsChangeTheKeyringInTurn has one operator use a key and another one remove it at the same moment, through different peers,
// while a third peer keeps both looks waiting: one of them is done, and the other refused for what it finds then.
func TestOperatorsChangeTheKeyringInTurn(t *testing.T) {
	inLockedBubble(t, func(t *testing.T, w *world, _ string) {
		key := keyring.Generate()
		id := idOf(t, key)
		if _, err := (keysFace{w.peers[0].Agent}).InstallKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		one, two := w.leader(), w.follower()
		w.isolate(w.others(one)[slices.IndexFunc(w.others(one), func(p *peer) bool { return p != two })])
		var used, removed error
		var both sync.WaitGroup
		both.Go(func() { _, used = keysFace{one.Agent}.UseKey(t.Context(), id) })
		both.Go(func() { _, removed = keysFace{two.Agent}.RemoveKey(t.Context(), id) })
		both.Wait()
		refused := used
		if errors.Is(removed, fsm.ErrConflict) {
			refused = removed
		}
		if !errors.Is(refused, fsm.ErrConflict) || !strings.Contains(refused.Error(), "would be cut off") {
			t.Errorf("one uses it: %v\nthe other removes it: %v", used, removed)
		}
		for _, p := range []*peer{one, two} {
			for _, o := range []*peer{one, two} {
				if uses := p.keys.IDs()[0]; !slices.Contains(o.keys.IDs(), uses) {
					t.Errorf("%s encrypts with %s, %s holds %v", p.name, uses, o.name, o.keys.IDs())
				}
			}
		}
		w.heal()
	})
}

// TestKeyringStepsOfTwoLeadersDoNotMeet asks a new leader for a step: it waits for as long as a step of the one before may take.
func TestKeyringStepsOfTwoLeadersDoNotMeet(t *testing.T) {
	inLockedBubble(t, func(t *testing.T, w *world, _ string) {
		if err := w.leader().asker.HandOver(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		led := w.leader().term.Load().began
		if _, err := (keysFace{w.follower().Agent}).InstallKey(t.Context(), keyring.Generate()); err != nil {
			t.Fatal(err)
		}
		if after := time.Since(led); after < keyringStep {
			t.Errorf("it was done %s into the term", after)
		}
	})
}
