package fsm

import "crypto/sha256"

// TokenBootstrap makes the first token of a group. It is taken once; again only with Reset, the index at which that was done
// last, so that one word of an operator's is good for one time. It is the way back for who lost all tokens, and so is taken
// however many there are.
type TokenBootstrap struct {
	Token Token  `cbor:"1,keyasint"`
	Reset uint64 `cbor:"2,keyasint,omitempty"`
	Cause Cause  `cbor:"3,keyasint"`
}

func (*TokenBootstrap) number() uint64 { return 50 }

func (c *TokenBootstrap) apply(tx *txn) Result {
	if at := tx.meta.Bootstrapped; at != c.Reset {
		if at == 0 {
			return refuse(Errorf(CodeConflict, "ACLs were never bootstrapped in this group: leave the index out"))
		}
		return refuse(Errorf(CodeConflict, "ACLs were bootstrapped already, at index %d", at).With("index", itoa(int(at))))
	}
	if err := tx.addToken(c.Token); err != nil {
		return refuse(err)
	}
	tx.meta.Bootstrapped = tx.index
	tx.append(c.Cause, Fact{Type: ACLBootstrapped, After: partOfToken(&c.Token)})
	return Result{}
}

// TokenCreate makes a token. One that is there already, the same in all, is accepted again.
type TokenCreate struct {
	Token Token `cbor:"1,keyasint"`
	Cause Cause `cbor:"2,keyasint"`
}

func (*TokenCreate) number() uint64 { return 51 }

func (c *TokenCreate) apply(tx *txn) Result {
	if old := tx.Token(c.Token.Accessor); old != nil && string(old.Hash) == string(c.Token.Hash) {
		return Result{}
	}
	if err := tx.roomForToken(); err != nil {
		return refuse(err)
	}
	if err := tx.addToken(c.Token); err != nil {
		return refuse(err)
	}
	tx.append(c.Cause, Fact{Type: TokenCreated, After: partOfToken(&c.Token)})
	return Result{}
}

// TokenDelete takes tokens away; those that are gone already do not matter.
type TokenDelete struct {
	Accessors []string `cbor:"1,keyasint"`
	Cause     Cause    `cbor:"2,keyasint"`
}

func (*TokenDelete) number() uint64 { return 52 }

func (c *TokenDelete) apply(tx *txn) Result {
	for _, accessor := range c.Accessors {
		t := tx.Token(accessor)
		if t == nil {
			continue
		}
		tx.drop(tableTokens, t)
		tx.append(c.Cause, Fact{Type: TokenDeleted, Before: partOfToken(t)})
	}
	return Result{}
}

// roomForToken refuses one token more than there may be.
func (tx *txn) roomForToken() error {
	n := 0
	for range tx.Tokens("") {
		n++
	}
	if n >= MaxTokens {
		return Errorf(CodeConflict, "there are %d tokens, as many as there may be: delete those that nobody uses", n)
	}
	return nil
}

// addToken checks what the table needs of a new token and writes it. Whether it is what a user should have meant its proposer
// has judged (Token.Validate): what prints and which rights there are differs from release to release.
func (tx *txn) addToken(t Token) error {
	switch {
	case t.Accessor == "" || len(t.Hash) != sha256.Size:
		return Errorf(CodeInvalid, "a token has an accessor and a hash of %d bytes", sha256.Size)
	case tx.Token(t.Accessor) != nil || tx.TokenOf(t.Hash) != nil:
		return Errorf(CodeConflict, "there is such a token already: ask again, for another one")
	}
	t.Created, t.Index = tx.now(), tx.index
	tx.put(tableTokens, &t)
	return nil
}

func partOfToken(t *Token) *TokenPart {
	return &TokenPart{Accessor: t.Accessor, Rights: t.Rights, Description: t.Description, Expires: t.Expires}
}
