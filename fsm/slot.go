package fsm

// NextSlot is the first slot of a subject after a time. Slots lie one interval apart, with a phase that is a hash of the
// subject, so that the work of many subjects spreads evenly and missed slots collapse into one.
func NextSlot(s Subject, interval Duration, after Time) Time {
	if interval < Millisecond {
		interval = Second
	}
	phase := Time(mix(s.ID<<2|uint64(s.Kind)) % uint64(interval))
	n := (after - phase) / Time(interval)
	if after < phase {
		n = -1
	}
	return phase + (n+1)*Time(interval)
}

// Due is when a subject is next wanted while it has no open claim: at once, at a look again, or at the first slot after
// its last completion; why says which. Zero is now.
func (s *Schedule) Due(interval Duration) (at Time, why string) {
	if s.AtOnce {
		return 0, WhyDue
	}
	at, why = NextSlot(s.Subject, interval, s.Done), WhyDue
	if s.Odd != 0 && s.Odd < at {
		at, why = s.Odd, WhyOdd
	}
	if s.Confirm != 0 && s.Confirm < at {
		at, why = s.Confirm, WhyConfirm
	}
	return at, why
}

// mix spreads the bits of a number (the finaliser of splitmix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
