package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Prometheus starts one with a configuration, as JSON, and returns the address of its API once that answers.
func (r *Rig) Prometheus(ctx context.Context, config any) (*Process, string, error) {
	bin, err := Tool(ctx, "prometheus")
	if err != nil {
		return nil, "", err
	}
	addr, err := Addr()
	if err != nil {
		return nil, "", err
	}
	raw, err := json.Marshal(config) // which is YAML
	if err != nil {
		return nil, "", err
	}
	path := filepath.Join(r.Dir, "prometheus.yml")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return nil, "", err
	}
	p, err := r.Start("prometheus", bin, "--config.file="+path, "--storage.tsdb.path="+filepath.Join(r.Dir, "tsdb"),
		"--web.listen-address="+addr, "--log.level=warn")
	if err != nil {
		return nil, "", err
	}
	return p, addr, Until(ctx, "Prometheus to answer", func(ctx context.Context) error {
		if !p.Running() {
			return fmt.Errorf("it has ended; see %s", p.Log)
		}
		_, err := get(ctx, "http://"+addr+"/-/ready")
		return err
	})
}
