package fsm

// Pause stops all scheduling for a while: until then no run and no refresh is claimed, whoever asks for it. What is claimed
// already goes on. It is written into the settings, and ends by itself.
type Pause struct {
	Until  Time   `cbor:"1,keyasint" json:"until"`
	Reason string `cbor:"2,keyasint,omitempty" json:"reason,omitempty"`
	Since  Time   `cbor:"3,keyasint" json:"since,omitzero"` // set by Apply
}

// Bounds of a pause. It is a word to other operators, and one that is forgotten must end.
const (
	MaxPause       = 7 * Day
	maxPauseReason = 500 // bytes
)

// Holds says whether it is a pause and lasts at a time.
func (p *Pause) Holds(at Time) bool { return p != nil && at < p.Until }

// Refusal is what whoever wants a run or refresh is told.
func (p *Pause) Refusal() *Error {
	why := ""
	if p.Reason != "" {
		why = ": " + p.Reason
	}
	return Errorf(CodeConflict, "all scheduling is paused until %s%s (muster resume ends the pause)", p.Until, why).
		With("paused_until", p.Until.String())
}

// Validate refuses a pause that is out of bounds at a time, naming the field.
func (p *Pause) Validate(now Time) error {
	switch {
	case p.Until <= now:
		return Invalid("until", "%s is over: it is %s", p.Until, now)
	case p.Until.Sub(now) > MaxPause:
		return Invalid("until", "%s is more than %s ahead", p.Until, MaxPause)
	case len(p.Reason) > maxPauseReason:
		return Invalid("reason", "is %d bytes long; at most %d are allowed", len(p.Reason), maxPauseReason)
	case !printable(p.Reason):
		return Invalid("reason", "%q holds characters that do not print", p.Reason)
	}
	return nil
}

func (p *Pause) same(o *Pause) bool { return p == o || p != nil && o != nil && *p == *o }

// SchedulePause pauses all scheduling, or changes the pause there is. One that says what is there changes nothing.
type SchedulePause struct {
	Pause Pause `cbor:"1,keyasint"`
	Cause Cause `cbor:"2,keyasint"`
}

func (*SchedulePause) number() uint64 { return 60 }

func (c *SchedulePause) apply(tx *txn) Result {
	next := c.Pause
	if !next.Holds(tx.now()) {
		return refuse(Invalid("until", "%s is over: it is %s", next.Until, tx.now()))
	}
	f := Fact{Type: SchedulePaused}
	next.Since = tx.now()
	if old := tx.Settings().Pause; old != nil {
		if next.Since = old.Since; next == *old {
			return Result{}
		}
		f.Before = &PausePart{*old}
	}
	f.After = &PausePart{next}
	tx.setPause(&next)
	tx.append(c.Cause, f)
	return Result{}
}

// ScheduleResume ends the pause: with Until only the one that lasts until then, so that a leader whose pause is over does not
// end one that was made longer meanwhile. Where there is none it changes nothing.
type ScheduleResume struct {
	Until Time  `cbor:"1,keyasint,omitempty"`
	Cause Cause `cbor:"2,keyasint"`
}

func (*ScheduleResume) number() uint64 { return 61 }

func (c *ScheduleResume) apply(tx *txn) Result {
	old := tx.Settings().Pause
	if old == nil || c.Until != 0 && c.Until != old.Until {
		return Result{}
	}
	tx.setPause(nil)
	tx.append(c.Cause, Fact{Type: ScheduleResumed, Before: &PausePart{*old}})
	return Result{}
}

func (tx *txn) setPause(p *Pause) {
	row := *tx.Settings()
	row.Pause, row.Index = p, tx.index
	tx.put(tableSettings, &row)
	tx.applied.Peers = true // what the scheduler looks at anew
}
