package fsm_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// history writes a log at random. What it proposes is computed from a replica that lags behind by some entries, by the
// functions real proposers use, and then now and then spoiled: so tokens and bases are good or stale, parts come twice or
// too early, and batches mix good and bad.
type history struct {
	state   *fsm.State // every entry applied
	lag     *fsm.State // what proposers read
	entries []entry
	seen    int // entries the lagging replica has applied
	now     fsm.Time
}

// entry is one entry of the log as it was proposed.
type entry struct {
	index    uint64
	now      fsm.Time
	commands []fsm.Command
}

func (e *entry) encode() []byte { return fsm.Entry(e.now, frames(e.commands)...) }

func (e *entry) apply(t failer, s *fsm.State) *fsm.Applied {
	t.Helper()
	a, err := s.Apply(e.index, e.encode())
	if err != nil {
		t.Fatalf("entry %d: %v", e.index, err)
	}
	return a
}

// tell draws a log and hands each entry to check with what it did. The state is as after the entry; before is a reader on
// what was before it.
func tell(t *rapid.T, check func(h *history, e *entry, before *fsm.Reader, a *fsm.Applied)) *history {
	h := &history{state: fsm.NewState(), lag: fsm.NewState(), now: 1_000_000}
	h.write(t, check, &fsm.GroupCreate{Group: "g", Epoch: "e1"})
	h.write(t, check, &fsm.DiscoveryApply{Name: "d", Spec: h.spec(t), Cause: operator})
	for range rapid.IntRange(30, 60).Draw(t, "entries") {
		h.catchUp(t)
		commands := make([]fsm.Command, 0, 3)
		for range rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "commands") {
			commands = append(commands, h.command(t))
		}
		h.write(t, check, commands...)
	}
	return h
}

func (h *history) write(
	t *rapid.T, check func(*history, *entry, *fsm.Reader, *fsm.Applied), commands ...fsm.Command,
) {
	h.now += fsm.Time(rapid.SampledFrom([]int64{1000, 1000, 90_000, 0, -5000}).Draw(t, "time passes"))
	index := uint64(10)
	if n := len(h.entries); n > 0 {
		index = h.entries[n-1].index + uint64(rapid.SampledFrom([]int{1, 1, 3}).Draw(t, "index"))
	}
	e := entry{index: index, now: h.now, commands: commands}
	h.entries = append(h.entries, e)
	before := h.state.Read()
	a := e.apply(t, h.state)
	if check != nil {
		check(h, &e, before, a)
	}
}

// catchUp lets the lagging replica apply some of what it has not seen, mostly all.
func (h *history) catchUp(t *rapid.T) {
	to := len(h.entries)
	if rapid.IntRange(0, 4).Draw(t, "lags") == 4 {
		to = rapid.IntRange(h.seen, to).Draw(t, "seen")
	}
	for ; h.seen < to; h.seen++ {
		h.entries[h.seen].apply(t, h.lag)
	}
}

var operator = fsm.Cause{Kind: fsm.CauseOperator, Accessor: "acc", Address: "10.0.0.9"}

// command draws one command.
func (h *history) command(t *rapid.T) fsm.Command {
	r := h.lag.Read()
	if n := len(h.entries); rapid.IntRange(0, 19).Draw(t, "repeat") == 19 {
		old := h.entries[rapid.IntRange(0, n-1).Draw(t, "which entry")].commands
		return rapid.SampledFrom(old).Draw(t, "which command")
	}
	// rapid prefers small numbers: what goes deepest stands first.
	switch k := rapid.IntRange(0, 30).Draw(t, "kind"); {
	case k < 8:
		return h.refresh(t, r)
	case k < 14:
		return h.run(t, r)
	case k < 17:
		return h.clusterChange(t, r)
	case k < 21:
		return h.grant(t, r, rapid.SampledFrom([]fsm.Kind{fsm.KindRefresh, fsm.KindRun, fsm.KindRefresh, 9}).Draw(t, "kind of grant"))
	case k < 23:
		return h.discoveryCommand(t, r)
	case k < 25:
		return h.unchanged(t, r)
	case k == 25:
		return h.abandon(t, r)
	case k == 26:
		return drawPeerCommand(t)
	case k == 27:
		return h.setSettings(t, r)
	case k == 28:
		return &fsm.OperatorAct{Action: "look", Cause: operator}
	case k == 29:
		return &fsm.EventsTrim{
			First: rapid.Uint64Range(0, r.Meta().Seq+1).Draw(t, "first"), Audit: rapid.IntRange(-1, 4).Draw(t, "audit"),
		}
	}
	return drawGroupCommand(t)
}

func drawGroupCommand(t *rapid.T) fsm.Command {
	switch rapid.IntRange(0, 3).Draw(t, "group command") {
	case 0:
		return &fsm.GroupCreate{Group: rapid.SampledFrom([]string{"g", "other"}).Draw(t, "group"), Epoch: "e9"}
	case 1:
		id := rapid.SampledFrom(peerIDs).Draw(t, "leader")
		return &fsm.LeaderChange{ID: id, Name: "peer-" + id, Term: rapid.Uint64Range(0, 6).Draw(t, "term")}
	case 2:
		return drawTokenCommand(t)
	}
	return &fsm.FeatureRaise{Level: rapid.Uint32Range(0, fsm.FeatureLevel).Draw(t, "level")}
}

func drawTokenCommand(t *rapid.T) fsm.Command {
	made := token(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "token"), fsm.MayRead)
	made.Hash = fsm.HashSecret(rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "secret"))
	switch rapid.IntRange(0, 2).Draw(t, "token command") {
	case 0:
		return &fsm.TokenBootstrap{Token: made, Reset: rapid.SampledFrom([]uint64{0, 0, 11}).Draw(t, "reset"), Cause: operator}
	case 1:
		return &fsm.TokenCreate{Token: made, Cause: operator}
	}
	return &fsm.TokenDelete{Accessors: []string{made.Accessor, "c"}, Cause: operator}
}

func drawPeerCommand(t *rapid.T) fsm.Command {
	id := rapid.SampledFrom(peerIDs).Draw(t, "peer")
	if rapid.IntRange(0, 3).Draw(t, "remove peer") == 3 {
		return &fsm.PeerRemove{ID: id, Reason: "left"}
	}
	p := fsm.Peer{
		ID: id, Name: "peer-" + id, Status: rapid.SampledFrom([]string{fsm.PeerAlive, fsm.PeerGone}).Draw(t, "status"),
		Doubted: fsm.Time(rapid.SampledFrom([]int64{0, 0, 5, 9}).Draw(t, "doubted")),
		Index:   rapid.Uint64Range(0, 9).Draw(t, "index of the sender"),
	}
	if rapid.Bool().Draw(t, "labelled") {
		p.Labels = map[string]string{"zone": "a", "rack": "1", "size": "m"}
	}
	return &fsm.PeerSet{Peer: p}
}

// cas draws a compare-and-set: none, the right one as the replica knows it, a wrong one.
func cas(t *rapid.T, at uint64) *uint64 {
	switch rapid.IntRange(0, 2).Draw(t, "cas") {
	case 0:
		return &at
	case 1:
		at += 1000
		return &at
	}
	return nil
}

func (h *history) setSettings(t *rapid.T, r *fsm.Reader) fsm.Command {
	s := fsm.DefaultSettings()
	s.Voters = rapid.SampledFrom([]int{1, 3, 5}).Draw(t, "voters")
	return &fsm.SettingsSet{Settings: s, CAS: cas(t, r.Settings().Index), Cause: operator}
}

func (h *history) spec(t *rapid.T) fsm.Spec {
	s := spec()
	s.Enabled = rapid.IntRange(0, 5).Draw(t, "disabled") < 5
	s.Admission = rapid.SampledFrom([]string{fsm.AdmissionAuto, fsm.AdmissionAuto, fsm.AdmissionManual}).Draw(t, "admission")
	s.OnDelete = rapid.SampledFrom([]string{fsm.OnDeleteKeep, fsm.OnDeleteRemove}).Draw(t, "on delete")
	s.MissingAfter, s.RemoveAfter = fsm.Second, 3*fsm.Second
	s.MaxShrink = fsm.Percent(rapid.SampledFrom([]int{100, 0}).Draw(t, "max shrink"))
	s.Refresh.LagLimit, s.Refresh.DownAfter = 10, rapid.IntRange(1, 2).Draw(t, "down after")
	return s
}

func (h *history) discoveryCommand(t *rapid.T, r *fsm.Reader) fsm.Command {
	name := rapid.SampledFrom([]string{"d", "e"}).Draw(t, "discovery")
	at, hash := uint64(0), "none"
	if d := r.Discovery(name); d != nil {
		if at = d.Index; d.Held != nil {
			hash = d.Held.Hash
		}
	}
	switch rapid.IntRange(0, 5).Draw(t, "discovery command") {
	case 3, 4:
		return &fsm.DiscoveryDelete{Name: name, CAS: cas(t, at), Cause: operator}
	case 1, 2:
		return &fsm.DiscoveryRelease{Name: name, Hash: hash, Cause: operator}
	}
	return &fsm.DiscoveryApply{Name: name, Spec: h.spec(t), CAS: cas(t, at), Cause: operator}
}

// open draws an open claim of a kind as the replica knows it, nil when there is none; now and then it invents one.
func (h *history) open(t *rapid.T, r *fsm.Reader, kind fsm.Kind) *fsm.Claim {
	var claims []*fsm.Claim
	for c := range r.Claims() {
		if c.Subject.Kind == kind {
			claims = append(claims, c)
		}
	}
	invent := rapid.IntRange(0, 19).Draw(t, "invent a claim") == 19
	if len(claims) == 0 && !invent {
		return nil
	}
	if invent {
		return &fsm.Claim{
			Subject: fsm.Subject{Kind: kind, ID: rapid.Uint64Range(0, 4).Draw(t, "id")},
			Token:   rapid.Uint64Range(0, h.entries[len(h.entries)-1].index+2).Draw(t, "token"), Peer: "p",
		}
	}
	return rapid.SampledFrom(claims).Draw(t, "claim")
}

func (h *history) tickets(t *rapid.T, r *fsm.Reader) (peer string, tickets []fsm.Ticket) {
	for range rapid.IntRange(1, 2).Draw(t, "tickets") {
		if c := h.open(t, r, rapid.SampledFrom([]fsm.Kind{fsm.KindRun, fsm.KindRefresh}).Draw(t, "kind of claim")); c != nil {
			peer, tickets = c.Peer, append(tickets, c.Ticket())
		}
	}
	return peer, tickets
}

func (h *history) abandon(t *rapid.T, r *fsm.Reader) fsm.Command {
	peer, tickets := h.tickets(t, r)
	if rapid.Bool().Draw(t, "expire") {
		return &fsm.ClaimExpire{Peer: peer, Reason: "ttl", Claims: tickets}
	}
	return &fsm.ClaimAbandon{Claims: tickets, Error: "stopping"}
}

func (h *history) unchanged(t *rapid.T, r *fsm.Reader) fsm.Command {
	c := &fsm.RefreshUnchanged{AsOf: r.Meta().Index}
	for range rapid.IntRange(1, 3).Draw(t, "unchanged") {
		if claim := h.open(t, r, fsm.KindRefresh); claim != nil {
			c.Add(claim.Subject.ID, claim.Token, 7)
		}
	}
	return c
}

// grant draws a grant of one kind: of what the replica knows, or of anything.
func (h *history) grant(t *rapid.T, r *fsm.Reader, kind fsm.Kind) fsm.Command {
	g := &fsm.ClaimGrant{
		Kind: kind, Peer: rapid.SampledFrom(peerIDs).Draw(t, "peer"), TTL: fsm.Minute, Alone: rapid.Bool().Draw(t, "alone"),
	}
	for s := range r.Schedules() {
		if s.Subject.Kind == kind && (r.Claim(s.Subject) == nil || rapid.IntRange(0, 9).Draw(t, "again") == 9) {
			g.IDs = append(g.IDs, s.Subject.ID)
		}
	}
	if len(g.IDs) == 0 || rapid.IntRange(0, 9).Draw(t, "any") == 9 {
		g.IDs = rapid.SliceOfN(rapid.Uint64Range(1, 4), 1, 3).Draw(t, "ids")
	} else if rapid.Bool().Draw(t, "one") {
		g.IDs = []uint64{rapid.SampledFrom(g.IDs).Draw(t, "id")}
	}
	reasons := []string{fsm.WhyDue, fsm.WhyAsked, fsm.WhyOdd, fsm.WhyConfirm}
	if kind == fsm.KindRun {
		reasons = []string{fsm.WhyDue, fsm.WhyAsked, fsm.WhyNudge, fsm.WhyDelete}
		if d := r.DiscoveryByID(g.IDs[0]); d != nil && d.Deleting {
			reasons = []string{fsm.WhyDelete, fsm.WhyDue}
		}
	}
	if g.Reason = rapid.SampledFrom(reasons).Draw(t, "reason"); g.Reason == fsm.WhyAsked {
		g.Cause = &operator
	}
	if g.Reason == fsm.WhyConfirm || g.Reason == fsm.WhyNudge {
		g.Names = slices.Clone(nodeIDs[:1])
	}
	return g
}
