package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// program is the path of muster as TestMain built it.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("e2e: not run with -short, make test runs it")
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "muster-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			code = 1
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if program, err = prepare(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

// prepare builds muster, and finds the servers once for all tests.
func prepare(ctx context.Context, dir string) (string, error) {
	for _, name := range []string{"consul", "redis"} {
		path, err := rig.Tool(ctx, name)
		if err == nil {
			err = os.Setenv("MUSTER_"+strings.ToUpper(name), path)
		}
		if err != nil {
			return "", err
		}
	}
	return rig.Build(ctx, dir)
}
