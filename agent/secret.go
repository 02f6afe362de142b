package agent

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/musterhq/muster/refresh"
)

// maxSecret bounds a file that holds a secret.
const maxSecret = 64 << 10

// reveal reads a secret from its file, without the line end, or from this process's environment.
func reveal(s refresh.Secret) (string, error) {
	if s.Variable != "" {
		v, ok := os.LookupEnv(s.Variable)
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set on this peer", s.Variable)
		}
		return v, nil
	}
	f, err := os.Open(s.File)
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("secret: %w", err)
	case len(raw) > maxSecret:
		return "", fmt.Errorf("secret: %s is larger than %d bytes", s.File, maxSecret)
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}
