package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/cmd/muster/document"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// judgeNamed says what is wrong with the files that settings name, each where it is named.
func (o *options) judgeNamed(cfg agent.Config) error {
	var wrong []error
	for _, fault := range single(cfg.CheckFiles()) {
		if errors.Is(fault, fs.ErrPermission) {
			fault = fmt.Errorf("%w. Run this as the user that the peer runs as, or with -skip-files", fault)
		}
		wrong = append(wrong, o.found.Place(fault))
	}
	return errors.Join(wrong...)
}

// judgeSecrets says which secrets of the declared discoveries a peer could not reveal. Variables are those of the peer, so of them only
// the names are judged; of files none where the data directory is not known or not there yet.
func (o *options) judgeSecrets(dir string) error {
	keeps := vault{getenv: func(string) string { return "set" }}
	if _, err := os.Stat(dir); dir != "" && err == nil {
		keeps.folder = filepath.Join(dir, secretsFolder)
	}
	var wrong []error
	for i := range o.found.Discoveries {
		d := &o.found.Discoveries[i]
		for _, key := range secretKeys(d) {
			if key.secret.File != "" && keeps.folder == "" {
				continue
			}
			if _, err := keeps.reveal(key.secret); err != nil {
				wrong = append(wrong, d.Place(fsm.Invalid("refresh.config."+key.name, "%s", err)))
			}
		}
	}
	return errors.Join(wrong...)
}

// secretKey is a key of a prober's config that names a secret.
type secretKey struct {
	name   string
	secret refresh.Secret
}

func secretKeys(d *document.Discovery) []secretKey {
	var config map[string]any
	if json.Unmarshal([]byte(d.Spec.Refresh.Config), &config) != nil {
		return nil // there is none
	}
	var out []secretKey
	for _, name := range slices.Sorted(maps.Keys(config)) {
		text, _ := config[name].(string)
		switch {
		case text == "":
		case strings.HasSuffix(name, "_file"):
			out = append(out, secretKey{name, refresh.Secret{File: text}})
		case strings.HasSuffix(name, "_env"):
			out = append(out, secretKey{name, refresh.Secret{Variable: text}})
		}
	}
	return out
}

// single are the errors that were joined.
func single(err error) []error {
	if err == nil {
		return nil
	}
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, one := range many.Unwrap() {
		out = append(out, single(one)...)
	}
	return out
}
