package life

import "sync"

// Ending is the end of a peer's life: it comes once, with its cause.
type Ending struct {
	once  sync.Once
	done  chan struct{}
	cause error // nil when it was asked for; read after done
}

// NewEnding makes one that has not come.
func NewEnding() *Ending { return &Ending{done: make(chan struct{})} }

// End has it come, if it has not: nil is that it was asked for.
func (e *Ending) End(cause error) {
	e.once.Do(func() {
		e.cause = cause
		close(e.done)
	})
}

// Done is closed when it has come.
func (e *Ending) Done() <-chan struct{} { return e.done }

// Begun says whether it has come.
func (e *Ending) Begun() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// Cause is why it came, nil when it was asked for. It is to be read once it has come.
func (e *Ending) Cause() error { return e.cause }

// Why is the cause in words.
func (e *Ending) Why() string {
	if e.cause == nil {
		return "asked to"
	}
	return e.cause.Error()
}
