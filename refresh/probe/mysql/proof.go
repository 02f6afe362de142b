package mysql

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"

	"filippo.io/edwards25519"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// The ways to log in, by the names that servers give them.
const (
	native  = "mysql_native_password"
	caching = "caching_sha2_password"
	sha     = "sha256_password"
	bare    = "mysql_clear_password"
	ed25519 = "client_ed25519"
)

const scrambleLength, longScramble = 20, 32 // bytes

// proves says which ways prove a password without showing it.
var proves = map[string]bool{native: true, caching: true, ed25519: true}

// prove is the first answer to a server that wants a login of this kind.
func (l login) prove(plugin string, scramble []byte) ([]byte, error) {
	short, isShort := exactly(scrambleLength, scramble)
	long, isLong := exactly(longScramble, scramble)
	switch {
	case plugin == native && isShort:
		return proveNative(l.password, short), nil
	case plugin == caching && isShort:
		return proveCaching(l.password, short), nil
	case plugin == ed25519 && isLong:
		return proveEd25519(l.password, long)
	case plugin == bare && l.tls != nil, plugin == sha && l.tls != nil:
		return append([]byte(l.password), 0), nil
	case plugin == bare, plugin == sha:
		return nil, shown(plugin)
	case proves[plugin]:
		return nil, malformed("login")
	}
	return nil, refresh.NewFault(fsm.ReasonAuth, "the server wants a login by %.64q, which is not known here: use %s, %s or %s",
		plugin, caching, ed25519, native)
}

// exactly is a scramble of so many bytes, after which there may be a zero.
func exactly(n int, scramble []byte) ([]byte, bool) {
	if len(scramble) == n+1 && scramble[n] == 0 {
		scramble = scramble[:n]
	}
	return scramble, len(scramble) == n
}

// more answers what a server says beyond its first demand; done means that it needs no answer.
func (l login) more(plugin string, says []byte) (answer []byte, done bool, err error) {
	const proven, unproven = 3, 4
	switch {
	case plugin != caching || len(says) != 1:
		return nil, false, malformed("login")
	case says[0] == proven:
		return nil, true, nil
	case says[0] != unproven:
		return nil, false, malformed("login")
	case l.tls == nil:
		return nil, false, shown(plugin)
	}
	return append([]byte(l.password), 0), false, nil
}

// shown refuses to show a password to whoever listens. Servers offer a public key to encrypt it with, but without TLS nothing
// says whose key that is.
func shown(plugin string) error {
	return refresh.NewFault(fsm.ReasonAuth, "the server wants the password itself (%s), which it gets over TLS only: "+
		"set \"tls\": true", plugin)
}

// proveNative is SHA1(password) xor SHA1(scramble + SHA1(SHA1(password))).
func proveNative(password string, scramble []byte) []byte {
	if password == "" {
		return nil
	}
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	proof := sha1.Sum(append(append([]byte(nil), scramble...), twice[:]...))
	subtle.XORBytes(proof[:], proof[:], once[:])
	return proof[:]
}

// proveCaching is SHA256(password) xor SHA256(SHA256(SHA256(password)) + scramble).
func proveCaching(password string, scramble []byte) []byte {
	if password == "" {
		return nil
	}
	once := sha256.Sum256([]byte(password))
	twice := sha256.Sum256(once[:])
	proof := sha256.Sum256(append(twice[:], scramble...))
	subtle.XORBytes(proof[:], proof[:], once[:])
	return proof[:]
}

// proveEd25519 signs the scramble as Ed25519 does, but for the key: it is the hash of the password, of whatever length, and
// not of a seed of 32 bytes, so the standard library cannot.
func proveEd25519(password string, scramble []byte) ([]byte, error) {
	hash := sha512.Sum512([]byte(password))
	secret, err := edwards25519.NewScalar().SetBytesWithClamping(hash[:32])
	if err != nil {
		return nil, err
	}
	public := new(edwards25519.Point).ScalarBaseMult(secret).Bytes()
	once, err := scalar(hash[32:], scramble)
	if err != nil {
		return nil, err
	}
	point := new(edwards25519.Point).ScalarBaseMult(once).Bytes()
	challenge, err := scalar(point, public, scramble)
	if err != nil {
		return nil, err
	}
	return append(point, edwards25519.NewScalar().MultiplyAdd(challenge, secret, once).Bytes()...), nil
}

func scalar(parts ...[]byte) (*edwards25519.Scalar, error) {
	h := sha512.New()
	for _, part := range parts {
		h.Write(part)
	}
	return edwards25519.NewScalar().SetUniformBytes(h.Sum(nil))
}
