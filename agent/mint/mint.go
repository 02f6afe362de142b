// Package mint makes ids and secrets: what nobody else has, and what nobody guesses.
package mint

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// secretPrefix lets scanners of leaked secrets find those of muster.
const secretPrefix = "muster_"

// ID is a ULID, which sorts by the time it was made at. It is unique, but may be guessed.
func ID(at time.Time) string {
	return ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
}

// Secret is more than 256 bits of chance in letters and digits.
func Secret() string { return secretPrefix + strings.ToLower(rand.Text()+rand.Text()) }
