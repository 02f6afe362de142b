package agent

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/agent/gossip/gossiptest"
	"github.com/musterhq/muster/agent/memnet"
)

// A scenario is ten virtual minutes of a group's life, drawn from a seed: what befalls it, and when.
type scenario struct {
	Seed   uint64
	Peers  int
	Faults []fault

	writable time.Duration // after healing
	acked    int           // writes
}

// fault is one fault of a scenario. Whom it strikes is decided when it does.
type fault struct {
	At   time.Duration // since the beginning
	For  time.Duration
	Kind string
}

func (f fault) String() string {
	return fmt.Sprintf("%s %s for %s", f.At.Round(tickEvery), f.Kind, f.For.Round(tickEvery))
}

const (
	length    = 10 * time.Minute
	calmFrom  = 7 * time.Minute
	stormFrom = 30 * time.Second
)

// draw makes the scenario of a seed. All seeds together have each kind of fault about equally often, and twice as often
// those that often find nobody to strike.
func draw(seed uint64) *scenario {
	r := rand.New(rand.NewPCG(seed, 0))
	s := &scenario{Seed: seed, Peers: 3}
	if r.IntN(3) == 0 {
		s.Peers = 5
	}
	all := kinds()
	names := append(slices.Sorted(maps.Keys(all)), "peer leaves", "peer joins", "leadership moved", "disk lost")
	for at := stormFrom; at < calmFrom-30*time.Second; at += span(r, 8*time.Second, 24*time.Second) {
		name := names[r.IntN(len(names))]
		s.Faults = append(s.Faults, fault{At: at, For: span(r, all[name].least, all[name].most), Kind: name})
	}
	return s
}

// span is a random span.
func span(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// tally is what all scenarios came to.
type tally struct {
	mu       sync.Mutex
	hits     map[string]int
	writable []time.Duration
	acked    int
	reads    int
	refused  int
	accepted int
	entries  int
	merged   int
	torn     int
	undone   int
	lives    int
	resumed  int
}

// TestScenarios plays scenarios. MUSTER_SCENARIOS says how many, or from which seed to which (51-100); MUSTER_SCENARIO=SEED
// plays one and says what befell it.
func TestScenarios(t *testing.T) {
	seeds := scenarios(t)
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // memory is there, time is short
	sum := &tally{hits: map[string]int{}}
	t.Run("seeds", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				if !raced {
					t.Parallel()
				}
				synctest.Test(t, func(t *testing.T) { perform(t, draw(seed), sum) })
			})
		}
	})
	sum.report(t, len(seeds))
}

// scenarios are the seeds to play.
func scenarios(t *testing.T) []uint64 {
	t.Helper()
	first, n := uint64(1), 60
	if testing.Short() {
		n = 1
	}
	if one := os.Getenv("MUSTER_SCENARIO"); one != "" {
		seed, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	if all := os.Getenv("MUSTER_SCENARIOS"); all != "" {
		from, to, ranged := strings.Cut(all, "-")
		if !ranged {
			from, to = "1", from
		}
		last, errLast := strconv.ParseUint(to, 10, 32)
		var err error
		if first, err = strconv.ParseUint(from, 10, 32); errors.Join(err, errLast) != nil || first < 1 || last < first {
			t.Fatalf("MUSTER_SCENARIOS=%s is neither a number nor a range of seeds", all)
		}
		n = int(last - first + 1)
	}
	if raced {
		procs := runtime.GOMAXPROCS(1) // see inEmptyBubble
		t.Cleanup(func() { runtime.GOMAXPROCS(procs) })
	}
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = first + uint64(i)
	}
	return seeds
}

// perform plays one scenario in its bubble.
func perform(t *testing.T, plan *scenario, sum *tally) {
	w := &world{t: t, net: memnet.New(), gossip: gossiptest.NewNetwork(), source: &source{}}
	w.nodes, w.lists = newNodes(w.net), w.source
	defer w.nodes.close()
	s := &scene{
		world: w, scenario: plan, rand: rand.New(rand.NewPCG(plan.Seed, 3)), weather: newWeather(plan.Seed),
		referee: newReferee(), clients: newClients(w.net, plan.Seed), cuts: map[[2]*member]int{}, hits: map[string]int{},
	}
	s.fleet = newFleet(s)
	defer func() {
		if t.Failed() {
			t.Logf("scenario %d, %d peers: %v", plan.Seed, plan.Peers, plan.Faults)
		}
		s.close()
		sum.add(s)
		t.Logf("%d entries, %d snapshots installed", len(s.referee.entries), s.weather.count(installed))
	}()
	s.play(t)
}

// close ends all lives.
func (s *scene) close() {
	for _, m := range s.members {
		m.valve.hold.Store(false)
		m.disk.release()
		if m.stop != nil {
			m.stop()
			<-m.done
			m.stop = nil
		}
	}
}

func (y *tally) add(s *scene) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for k, n := range s.hits {
		y.hits[k] += n
	}
	y.hits[installed] += s.weather.count(installed)
	y.writable = append(y.writable, s.writable)
	y.acked += s.acked
	y.reads += s.clients.reads
	y.resumed += s.clients.resumed
	y.accepted += s.referee.accepted
	y.refused += s.referee.refused
	y.entries += len(s.referee.entries)
	for _, m := range s.members {
		y.merged += int(m.valve.merged.Load())
		y.torn += m.disk.torn
		y.undone += m.disk.undone
		y.lives += m.lives
	}
}

// report shows what befell the groups. Of 300 scenarios each kind must have struck 50 times, and of fewer as many in
// proportion.
func (y *tally) report(t *testing.T, scenarios int) {
	t.Helper()
	var table strings.Builder
	for _, k := range append(slices.Sorted(maps.Keys(kinds())), installed) {
		fmt.Fprintf(&table, "  %-22s %6d\n", k, y.hits[k])
		if least := scenarios / 6; scenarios >= 30 && y.hits[k] < least {
			t.Errorf("%q struck %d times in %d scenarios; at least %d are wanted", k, y.hits[k], scenarios, least)
		}
	}
	slices.Sort(y.writable)
	t.Logf("%d scenarios of %s; faults by kind:\n%s"+
		"%d entries, %d completions accepted, %d refused; %d lives, %d writes torn by crashes, %d snapshots left half written\n"+
		"%d writes acknowledged, %d linearizable reads, followers connected %d times\n"+
		"writable after healing: median %s, most %s",
		scenarios, length, table.String(), y.entries, y.accepted, y.refused, y.lives, y.torn, y.undone,
		y.acked, y.reads, y.resumed, y.writable[len(y.writable)/2], y.writable[len(y.writable)-1])
}
