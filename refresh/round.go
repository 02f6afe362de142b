package refresh

import (
	"time"

	"github.com/musterhq/muster/fsm"
)

// round is what the polls of one claim brought, before it is compared.
type round struct {
	cluster uint64
	stand
	claim  *fsm.Claim
	asked  []question
	before []told // what they said when nothing had changed, nil where that is not known to be true of the view
	words  []word // by asked
	failed error  // the third party failed: no node changes
	began  time.Time
	took   fsm.Duration

	first *fsm.View // as it was before any part of this round; nil while none was accepted
	base  uint64    // the version the last part left
}

// word is what one poll brought.
type word struct {
	came   bool
	same   bool        // it is what before says
	tag    string      // for the next round
	report *fsm.Report // nil for what is the same and was not said again
}

// newRound finds out whom a claim is to ask and, where the cluster stands as it did after a round that changed nothing,
// what they said then.
func (w *Worker) newRound(r *fsm.Reader, cluster *fsm.Cluster, claim *fsm.Claim) *round {
	out := &round{
		cluster: cluster.ID, claim: claim, began: w.cfg.Now(),
		stand: stand{epoch: r.Meta().Epoch(), version: cluster.Index, spec: r.RefreshOf(cluster)},
	}
	if s := r.Schedule(claim.Subject); s != nil {
		out.notes = s.Notes
	}
	said := w.said.of(cluster.ID)
	switch {
	case claim.Reason == fsm.WhyConfirm:
		for _, id := range claim.Names {
			if n := r.Node(cluster.ID, id); n != nil && n.Polled() {
				out.asked = append(out.asked, ask(cluster, n, out.spec.Prober))
			}
		}
	case said != nil && said.equal(&out.stand):
		out.asked = said.asked
		if claim.Reason != fsm.WhyAsked && said.whole() {
			out.before = said.told
		}
	default:
		for n := range r.Nodes(cluster.ID) {
			if n.Polled() {
				out.asked = append(out.asked, ask(cluster, n, out.spec.Prober))
			}
		}
	}
	out.words = make([]word, len(out.asked))
	return out
}

func ask(cluster *fsm.Cluster, n *fsm.Node, prober string) question {
	if n.Endpoint.Probe != "" {
		prober = n.Endpoint.Probe
	}
	return question{kind: prober, Target: Target{
		Cluster: cluster.Name, Node: n.ID, Address: n.Endpoint.Address, Port: n.Endpoint.Port, Labels: n.Endpoint.Labels,
	}}
}

// unchanged says whether every node said what it said before.
func (r *round) unchanged() bool {
	if r.before == nil || r.failed != nil {
		return false
	}
	for i := range r.words {
		if !r.words[i].same {
			return false
		}
	}
	return true
}

// forget makes the round one that knows nothing of before. True when there are nodes to be asked once more, in full: those
// that only said it is the same.
func (r *round) forget() (missing bool) {
	if r.before == nil || r.failed != nil {
		return false
	}
	r.before = nil
	for i := range r.words {
		if r.words[i].report == nil {
			r.words[i], missing = word{}, true
		}
	}
	return missing
}

// reports are those there are.
func (r *round) reports() []fsm.Report {
	out := make([]fsm.Report, 0, len(r.words))
	for i := range r.words {
		if r.words[i].report != nil {
			out = append(out, *r.words[i].report)
		}
	}
	return out
}

// said is what the round leaves to ask the next one by.
func (r *round) said(notes *fsm.Notes) *said {
	s := &said{stand: r.stand, asked: r.asked, told: make([]told, len(r.words))}
	s.notes = notes
	for i := range r.words {
		if report := r.words[i].report; report == nil || report.Reachable {
			s.told[i].tag = r.words[i].tag
		} else {
			s.told[i].reason = report.Reason
		}
	}
	return s
}
