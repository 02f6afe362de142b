package httpd

import (
	"context"
	"io"
	"time"

	"github.com/musterhq/muster/fsm"
)

// The interfaces of this file are what the server asks of the running peer. All are used by many goroutines at once, and
// no call may last for ever: each ends with its ctx and has a deadline of its own.

// Level says how fresh a read must be.
type Level uint8

// The levels of a read.
const (
	Default Level = iota // linearizable, on whatever peer it is asked
	Stale                // the asked peer's own replica, as it stands
)

// Contact says how a peer stood with its leader when it answered a read.
type Contact struct {
	Known  bool          // a leader is known
	Last   time.Duration // since it was last heard; 0 on the leader itself
	Leader string        // its address, empty when not known
}

// Replica reads the peer's replica of the state. A Default read sees every write that was acknowledged before it began:
// the peer asks the leader for its index and waits until its own replica has reached it. Without a leader that fails
// with fsm.CodeUnavailable; a Stale read never waits.
type Replica interface {
	Read(ctx context.Context, level Level) (*fsm.Reader, Contact, error)
}

// Log proposes one command to the leader, wherever it is. The result may hold a refusal. The error is a *fsm.Error:
// CodeUnavailable when surely nothing was done, CodeUnknown when nobody can say, CodeTooLarge when it fits no entry.
type Log interface {
	Propose(ctx context.Context, c fsm.Command) (fsm.Result, error)
}

// Clock tells logical time.
type Clock interface {
	Now() fsm.Time
}

// Rules judges settings beyond what fsm knows of them: a backend's or prober's config, filter, template. Their errors
// name the field. Both fill in what was left out and follows from the rest.
type Rules interface {
	Validate(ctx context.Context, spec *fsm.Spec) error
	ValidateRefresh(spec *fsm.RefreshSpec) error
}

// Backups makes copies of the whole state, and takes one up.
type Backups interface {
	// Write writes a backup of what a reader sees.
	Write(to io.Writer, r *fsm.Reader) error
	// Restore verifies a backup whole and replaces the group's state with it, on whatever peer it is asked. What is refused,
	// as CodeInvalid, changed nothing; CodeUnknown when nobody can say.
	Restore(ctx context.Context, from io.Reader, cause fsm.Cause) (Restored, error)
}

// Restored is what came of a restore: the group goes on in a new epoch.
type Restored struct {
	Epoch  string `json:"epoch"`
	Cursor string `json:"cursor"` // before state.restored, the first event of the epoch
	Index  uint64 `json:"index"`  // that of the state, past all before it
	ACL    bool   `json:"acl"`    // the peer that leads has whoever asks show a token
	Tokens int    `json:"tokens"` // those of the backup, which are the good ones now
}

// Work does at once, for an operator, what else is done when it is due.
type Work interface {
	// Ask has the leader grant a claim on the subject now. The result refuses with fsm.CodeClaimed, and the claim in
	// the way, when one is open.
	Ask(ctx context.Context, s fsm.Subject, cause fsm.Cause) (fsm.Result, error)
	// Preview runs a discovery of that name and setting and says what would come of it. Nothing is stored.
	Preview(ctx context.Context, name string, spec fsm.Spec) (Preview, error)
	// Live asks all nodes of a cluster that would be asked by a refresh, one report each. Nothing is stored.
	Live(ctx context.Context, cluster string) ([]fsm.Report, error)
}

// Members is the peer's knowledge of the others.
type Members interface {
	Self() Self
	Members() []Member
	// Join meets the group through one of its members.
	Join(ctx context.Context, address string) error
	// ForceLeave declares a failed member, by name, gone for good.
	ForceLeave(ctx context.Context, name string) error
}

// Raft is the group's raft configuration. Servers are named by id; fsm.CodeNotFound when there is no such one.
type Raft interface {
	Leader() string  // address, empty when none is known
	Peers() []string // addresses of all servers
	Configuration(ctx context.Context) (RaftConfiguration, error)
	// Known is the configuration as this peer has it, also without a leader.
	Known() (RaftConfiguration, error)
	RemovePeer(ctx context.Context, id string) error
	// TransferLeader moves leadership to that server, or to the best one when id is empty.
	TransferLeader(ctx context.Context, id string) error
}

// Access is what tokens need of the peer.
type Access interface {
	// Mint makes the accessor and the secret of a new token, both of chance.
	Mint() (accessor, secret string)
	// Prove says why a proof does not show that who asks may write into this peer's data directory, nil when it does. A peer
	// without one takes it that who asks from its own machine may.
	Prove(proof string, local bool) error
	// Proved takes away what the proof was compared with: it was good once.
	Proved()
}

// Life is the running process.
type Life interface {
	Checks() []Check    // in the order in which they are told
	Warnings() []string // what somebody should look after all the same
	// Reload has the configuration read again; an error means that nothing of it was taken over.
	Reload(ctx context.Context) (Reloaded, error)
	// Leave leaves the group for good; the process ends after it.
	Leave(ctx context.Context) error
}
