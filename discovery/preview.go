package discovery

import (
	"context"

	"github.com/musterhq/muster/fsm"
)

// Preview is what a run would do, were it done now.
type Preview struct {
	Records []fsm.Record
	Changes []fsm.Enrolment // by cluster: those read first, then those that only had been
	Held    *fsm.Held       // the absences that would be held back
}

// Preview reads a source as a full run of a discovery would, and compares it with the replica, storing nothing. A name that
// is not stored yet is that of a new discovery.
func (r *Runner) Preview(ctx context.Context, name string, spec fsm.Spec, now fsm.Time) (Preview, error) {
	records, err := r.read(ctx, spec, Want{})
	if err != nil {
		return Preview{}, err
	}
	read := r.cfg.Replica.Read()
	d := &fsm.Discovery{ID: read.Meta().Discovery + 1, Name: name}
	if stored := read.Discovery(name); stored != nil {
		*d = *stored
	}
	d.Spec = spec
	u := &run{
		claim: &fsm.Claim{Granted: now, Reason: fsm.WhyAsked}, discovery: d, outcome: &fsm.RunOutcome{},
	}
	u.take(read, records)
	out := Preview{Records: records}
	if u.hold {
		out.Held = u.outcome.Held
	}
	for _, cluster := range u.pending {
		if e := u.enlist(read, cluster); !e.IsZero() {
			out.Changes = append(out.Changes, e)
		}
	}
	return out, nil
}
