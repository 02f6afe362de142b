package consul

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/hashicorp/consul/api"
)

// tokenFrom says where the token of a connection is read: its own file, else what the peer's variables say.
func tokenFrom(c Connection, config *api.Config) func() (string, error) {
	path, token := c.TokenFile, config.Token
	if path == "" {
		path = config.TokenFile
	}
	if path == "" {
		return func() (string, error) { return token, nil }
	}
	return func() (string, error) { return readToken(path) }
}

const maxToken = 512

// CheckTokenFile says what is wrong with a file that is to hold a token.
func CheckTokenFile(path string) error {
	_, err := readToken(path)
	return err
}

// readToken takes one line of printable characters and nothing else: a file that is not a token is neither sent to the
// address of a config nor repeated in an error.
func readToken(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that nobody writes to would hold up whoever opens it
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("token file %s is not a regular file", path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" {
		return "", fmt.Errorf("token file %s is empty", path)
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(raw) > maxToken || strings.ContainsFunc(token, odd) {
		return "", fmt.Errorf("token file %s does not hold a token: one line of at most %d characters is wanted", path, maxToken)
	}
	return token, nil
}
