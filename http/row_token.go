package httpd

import "github.com/musterhq/muster/fsm"

// TokenRow is a token as it is shown: not what it is proved by.
type TokenRow struct {
	Accessor    string      `json:"accessor"` // its name, in events too
	Roles       []fsm.Right `json:"roles"`
	Description string      `json:"description"`
	Created     fsm.Time    `json:"created,omitzero"` // by the log's time; absent in the answer that makes it
	Expires     fsm.Time    `json:"expires,omitzero"` // absent: never
	Index       uint64      `json:"index"`
}

// TokenMade answers the request that made a token. The secret is told this once and kept nowhere.
type TokenMade struct {
	TokenRow
	Secret string `json:"secret"`
}

// NewToken says what token is wanted.
type NewToken struct {
	Roles       []fsm.Right  `json:"roles"`
	Description string       `json:"description"`
	TTL         fsm.Duration `json:"ttl"` // 0: it never expires
}

// Bootstrap asks for the first token of a group. Proof is what stands in the file acl-bootstrap of the data directory of the
// peer that is asked; Index, once there was a first token, the index at which it was made.
type Bootstrap struct {
	Proof string `json:"proof"`
	Index uint64 `json:"index"`
}

func tokenRow(t *fsm.Token) TokenRow {
	return TokenRow{
		Accessor: t.Accessor, Roles: t.Rights, Description: t.Description, Created: t.Created, Expires: t.Expires, Index: t.Index,
	}
}
