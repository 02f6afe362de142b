//go:build !linux || 386 || s390x

package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// openShared says that there is no shared listener here.
func openShared(context.Context, *Config, plan) ([]*net.TCPListener, error) {
	return nil, fmt.Errorf("open the shared listener: %w", errors.ErrUnsupported)
}
