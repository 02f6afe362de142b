package trace

import "time"

// MaxQueued is how many spans wait at most.
const MaxQueued = maxQueued

// StopWait is how long a peer that stops waits for its collector.
const StopWait time.Duration = stopWait
