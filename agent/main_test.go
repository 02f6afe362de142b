package agent

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that are left once all tests have ended. Those of a bubble must have ended with it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
