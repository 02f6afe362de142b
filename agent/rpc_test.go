package agent

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
)

// weather is what happens on the way to the requests of raft, in all of a world: by each kind of fault the share that it
// strikes. It also sees who leads in which term.
type weather struct {
	late sync.WaitGroup // requests that are still on their way

	mu      sync.Mutex
	rand    *rand.Rand
	share   map[string]float64
	struck  map[string]int
	leaders map[uint64]raft.ServerID
	rivals  []string // leaders of one term
}

func newWeather(seed uint64) *weather {
	return &weather{
		rand: rand.New(rand.NewPCG(seed, 1)), share: map[string]float64{}, struck: map[string]int{},
		leaders: map[uint64]raft.ServerID{},
	}
}

// The kinds of fault on the way.
const (
	lost    = "request lost"
	unheard = "answer lost"
	delayed = "request delayed"
	twice   = "request twice"
	latter  = "request again, late"
)

var errOnTheWay = errors.New("lost on the way")

// strikes says whether a fault strikes a request.
func (w *weather) strikes(kind string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.share[kind] == 0 || w.rand.Float64() >= w.share[kind] {
		return false
	}
	w.struck[kind]++
	return true
}

func (w *weather) set(kind string, share float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.share[kind] = share
}

// count is how often a fault struck.
func (w *weather) count(kind string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.struck[kind]
}

func (w *weather) happened(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.struck[kind]++
}

func (w *weather) within(least, most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return least + time.Duration(w.rand.Int64N(int64(most-least)))
}

// leads takes down that a peer says it leads in a term.
func (w *weather) leads(term uint64, id raft.ServerID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if was, ok := w.leaders[term]; ok && was != id {
		w.rivals = append(w.rivals, string(was)+" and "+string(id))
	}
	w.leaders[term] = id
}

// wire is a peer's raft transport in the weather.
type wire struct {
	*consensus.Transport
	weather *weather
	self    raft.ServerID
}

// send sends a request, whose answer is taken, through the weather; again sends a copy whose answer goes nowhere.
func (x *wire) send(request, again func() error) error {
	w := x.weather
	if w.strikes(lost) {
		<-time.After(w.within(50*time.Millisecond, 300*time.Millisecond))
		return errOnTheWay
	}
	if w.strikes(delayed) {
		<-time.After(w.within(10*time.Millisecond, 400*time.Millisecond))
	}
	if w.strikes(twice) {
		_ = again()
	}
	if w.strikes(latter) {
		after := w.within(time.Second, 5*time.Second)
		w.late.Go(func() {
			<-time.After(after)
			_ = again()
		})
	}
	err := request()
	if err == nil && w.strikes(unheard) {
		<-time.After(w.within(50*time.Millisecond, 300*time.Millisecond))
		return errOnTheWay
	}
	return err
}

// AppendEntries is raft.Transport's.
func (x *wire) AppendEntries(
	id raft.ServerID, to raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	x.weather.leads(args.Term, x.self)
	own := *args
	return x.send(
		func() error { return x.Transport.AppendEntries(id, to, args, resp) },
		func() error { return x.Transport.AppendEntries(id, to, &own, new(raft.AppendEntriesResponse)) },
	)
}

// RequestVote is raft.Transport's.
func (x *wire) RequestVote(
	id raft.ServerID, to raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse,
) error {
	own := *args
	return x.send(
		func() error { return x.Transport.RequestVote(id, to, args, resp) },
		func() error { return x.Transport.RequestVote(id, to, &own, new(raft.RequestVoteResponse)) },
	)
}

// RequestPreVote is raft.WithPreVote's.
func (x *wire) RequestPreVote(
	id raft.ServerID, to raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse,
) error {
	own := *args
	return x.send(
		func() error { return x.Transport.RequestPreVote(id, to, args, resp) },
		func() error { return x.Transport.RequestPreVote(id, to, &own, new(raft.RequestPreVoteResponse)) },
	)
}

// TimeoutNow is raft.Transport's.
func (x *wire) TimeoutNow(
	id raft.ServerID, to raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse,
) error {
	own := *args
	return x.send(
		func() error { return x.Transport.TimeoutNow(id, to, args, resp) },
		func() error { return x.Transport.TimeoutNow(id, to, &own, new(raft.TimeoutNowResponse)) },
	)
}

// InstallSnapshot is raft.Transport's.
func (x *wire) InstallSnapshot(
	id raft.ServerID, to raft.ServerAddress,
	args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader,
) error {
	x.weather.leads(args.Term, x.self)
	all, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	own := *args
	err = x.send(
		func() error { return x.Transport.InstallSnapshot(id, to, args, resp, bytes.NewReader(all)) },
		func() error {
			return x.Transport.InstallSnapshot(id, to, &own, new(raft.InstallSnapshotResponse), bytes.NewReader(all))
		},
	)
	if err == nil && resp.Success {
		x.weather.happened(installed)
	}
	return err
}
