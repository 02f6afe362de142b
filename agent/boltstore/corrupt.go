package boltstore

import (
	"errors"
	"fmt"
	"path/filepath"
)

// ErrCorrupt is what every CorruptError matches.
var ErrCorrupt = errors.New("log store is corrupt")

// CorruptError says that the file does not hold what was written to it. Nothing
// read from the damaged place was served, and the store has latched.
type CorruptError struct {
	Path   string
	Index  uint64 // of the damaged entry; 0 when no single entry is at fault
	Reason string
}

// Error names the file, the entry and what the operator has to do.
func (e *CorruptError) Error() string {
	what := "the file is corrupt"
	if e.Index != 0 {
		what = fmt.Sprintf("entry %d is corrupt", e.Index)
	}
	return fmt.Sprintf("log store %s: %s: %s; stop this peer, move its data directory %s away and start it again with -join: "+
		"it enters the group as a new peer in the place of this one",
		e.Path, what, e.Reason, filepath.Dir(e.Path))
}

// Unwrap makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }
