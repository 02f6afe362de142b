package fsm

import (
	"crypto/sha256"
	"iter"
	"slices"
	"strings"
)

// Right is what a token may do.
type Right string

// The rights, which users call roles. Manage holds operate and read, operate holds read; snapshot is apart, since a backup holds
// everything.
const (
	MayRead     Right = "read"
	MayOperate  Right = "operate"  // have runs and refreshes done now, release what is held, move nodes through their lifecycle
	MayManage   Right = "manage"   // settings, discoveries, tokens, peers, restores
	MaySnapshot Right = "snapshot" // save a backup
)

// Rights are all there are, in the order in which tokens hold them.
var Rights = []Right{MayRead, MayOperate, MayManage, MaySnapshot}

const (
	// MaxTokens is how many tokens there may be.
	MaxTokens = 1000
	// MaxDescription is how long the description of a token may be, in bytes.
	MaxDescription = 256
)

// Token is the right of who shows its secret. The state holds the secret's SHA-256 and nothing it could be told from.
type Token struct {
	Accessor    string  `cbor:"1,keyasint" json:"accessor"` // ULID: the public name of the token
	Hash        []byte  `cbor:"2,keyasint" json:"-"`        // SHA-256 of the secret
	Rights      []Right `cbor:"3,keyasint" json:"roles"`
	Description string  `cbor:"4,keyasint,omitempty" json:"description,omitempty"`
	Created     Time    `cbor:"5,keyasint" json:"created"`
	Expires     Time    `cbor:"6,keyasint,omitempty" json:"expires,omitzero"` // 0: never
	Index       uint64  `cbor:"7,keyasint,omitempty" json:"index"`
}

// HashSecret is what the state holds of a secret.
func HashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// Expired says whether the token is of no use any more at a time.
func (t *Token) Expired(now Time) bool { return t.Expires != 0 && t.Expires <= now }

// May says whether the token holds a right, by itself or within a greater one.
func (t *Token) May(need Right) bool {
	return slices.ContainsFunc(t.Rights, func(r Right) bool { return r.holds(need) })
}

func (r Right) holds(need Right) bool {
	switch {
	case r == need:
		return true
	case r == MayManage:
		return need == MayOperate || need == MayRead
	case r == MayOperate:
		return need == MayRead
	}
	return false
}

// Validate refuses a token that no user should have meant, naming the field.
func (t *Token) Validate(now Time) error {
	if len(t.Rights) == 0 {
		return Invalid("roles", "are missing; a token has at least one of %s", rightNames())
	}
	for i, r := range t.Rights {
		switch {
		case !slices.Contains(Rights, r):
			return Invalid("roles", "%q is none of %s", string(r), rightNames())
		case slices.Contains(t.Rights[:i], r):
			return Invalid("roles", "%q is given twice", string(r))
		}
	}
	switch {
	case len(t.Description) > MaxDescription || !printable(t.Description):
		return Invalid("description", "is not at most %d printable characters", MaxDescription)
	case t.Expired(now):
		return Invalid("expires", "%s is over already", t.Expires)
	case t.Accessor == "" || len(t.Accessor) > MaxWord || !printable(t.Accessor):
		return Invalid("accessor", "%q is not 1 to %d printable characters", t.Accessor, MaxWord)
	case len(t.Hash) != sha256.Size:
		return Invalid("hash", "is %d bytes long, not %d", len(t.Hash), sha256.Size)
	}
	return nil
}

func rightNames() string {
	names := make([]string, 0, len(Rights))
	for _, r := range Rights {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// Tokens yields all tokens by accessor, which is by age, from after (exclusive).
func (r *Reader) Tokens(after string) iter.Seq[*Token] {
	return from[Token](r, tableTokens, byID, past(after))
}

// Token is the token of that accessor, or nil.
func (r *Reader) Token(accessor string) *Token {
	return row[Token](r, tableTokens, byID, []byte(accessor))
}

// TokenOf is the token of a secret by the secret's hash, or nil. Who guesses cannot choose the hash, so that how long the look
// takes tells nothing of those that are there.
func (r *Reader) TokenOf(hash []byte) *Token { return row[Token](r, tableTokens, byHash, hash) }

// Expired is the command that takes the expired tokens away, nil while there are none.
func (r *Reader) Expired(now Time) *TokenDelete {
	c := &TokenDelete{Cause: Cause{Kind: CauseGroup}}
	for t := range r.Tokens("") {
		if t.Expired(now) {
			c.Accessors = append(c.Accessors, t.Accessor)
		}
	}
	if len(c.Accessors) == 0 {
		return nil
	}
	return c
}
