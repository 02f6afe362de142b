package backup

import "time"

// Wait is how long it is until the next backup.
func (k *Keeper) Wait() time.Duration { return k.wait() }
