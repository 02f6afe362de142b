package fsm

// Unhurried says whether a command waits for the leader's beat: nobody looks at what it does before the next one.
func Unhurried(c Command) bool {
	_, ok := c.(*RefreshUnchanged)
	return ok
}

// Fenced says whether a command may be sent any number of times: its tokens let it in once.
func Fenced(c Command) bool {
	switch c.(type) {
	case *RefreshUnchanged, *RefreshComplete, *RunComplete, *ClaimAbandon, *ClaimExpire:
		return true
	}
	return false
}
