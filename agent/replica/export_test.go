package replica

// Fail has the machine be as after an error that may not be skipped; nil changes nothing.
func (m *Machine) Fail(err error) { m.dead = err }
