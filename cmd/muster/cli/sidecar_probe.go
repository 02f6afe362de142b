package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/musterhq/muster/agent/namedfile"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// ofProbe tells what is wrong with a prober's options as this command has them.
func ofProbe(err error) error {
	invalid, ok := errors.AsType[*fsm.Error](err)
	if !ok || len(invalid.Fields) != 1 {
		return fmt.Errorf("-probe: %w", err)
	}
	for field, why := range invalid.Fields {
		if option, ok := strings.CutPrefix(field, "refresh.config."); ok {
			return fmt.Errorf("-probe or -config: option %q %s", option, why)
		}
		return fmt.Errorf("-probe: %s", why)
	}
	return nil
}

// probed is what -probe names.
type probed struct {
	kind   string
	target refresh.Target
	more   map[string]any // options in its path and query
}

// parseProbe reads -probe. Its errors do not repeat it, since there may be a password in it.
func parseProbe(text string) (probed, error) {
	const like = "redis://127.0.0.1:6379"
	if text == "" {
		return probed{}, fmt.Errorf("no -probe: say which store to ask, such as %s", like)
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return probed{}, fmt.Errorf("-probe is no URL like %s", like)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.User != nil:
		return probed{}, fmt.Errorf("-probe holds a user or a password, which whoever lists processes can read. "+
			"Put the password into a file and name both as options: %s://%s?username=NAME&password_file=FILE", u.Scheme, u.Host)
	case err != nil || port == 0 || u.Hostname() == "":
		return probed{}, fmt.Errorf("-probe names no host and port, as %s does", like)
	case u.Fragment != "":
		return probed{}, errors.New("-probe: what follows # has no meaning")
	}
	p := probed{
		kind: u.Scheme, more: map[string]any{},
		target: refresh.Target{Node: "store", Address: u.Hostname(), Port: int(port)},
	}
	if u.Path != "" && u.Path != "/" {
		p.more["path"] = u.Path
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return probed{}, errors.New("-probe: what follows ? is no list like tls=true&username=muster")
	}
	for name, values := range query {
		if len(values) > 1 || p.more[name] != nil {
			return probed{}, fmt.Errorf("-probe holds option %q twice", name)
		}
		p.more[name] = plainValue(values[0])
	}
	return p, nil
}

// plainValue is a value as JSON would have it: what can only be a truth value, a number or a list is one, all else text.
func plainValue(s string) any {
	var v any
	if s == "true" || s == "false" || s != "" && strings.ContainsRune("[0123456789", rune(s[0])) {
		if json.Unmarshal([]byte(s), &v) == nil {
			return json.RawMessage(s)
		}
	}
	return s
}

// options puts the prober's options together. None may be given twice.
func (p probed) options(given sidecarOptions, keeps local) (fsm.JSON, error) {
	file := ""
	if given.configFile != "" {
		raw, err := keeps.read(given.configFile)
		if err != nil {
			return "", fmt.Errorf("-config-file: %w", err)
		}
		file = raw
	}
	all := map[string]any{}
	for _, from := range []struct {
		flag, text string
		values     map[string]any
	}{{"-config-file", file, nil}, {"-config", given.config, nil}, {"-probe", "", p.more}} {
		values := from.values
		if from.text != "" {
			var read map[string]json.RawMessage
			if err := json.Unmarshal([]byte(from.text), &read); err != nil || read == nil {
				return "", fmt.Errorf("%s is not a JSON object like {\"tls\": true}", from.flag)
			}
			values = make(map[string]any, len(read))
			for k, v := range read {
				values[k] = v
			}
		}
		for k, v := range values {
			if _, twice := all[k]; twice {
				return "", fmt.Errorf("%s: option %q is given twice", from.flag, k)
			}
			all[k] = v
		}
	}
	text, err := json.Marshal(all)
	return fsm.JSON(text), err
}

// local reads secrets for whoever started this process, who may read them anyway: any file and any variable.
type local struct {
	folder string // of files that are named without one
	getenv func(string) string
}

func (l local) path(name string) string {
	if name == "" || l.folder == "" || strings.ContainsRune(name, filepath.Separator) {
		return name
	}
	return filepath.Join(l.folder, name)
}

func (l local) read(name string) (string, error) {
	raw, err := namedfile.Read(l.path(name), namedfile.Rules{Most: maxSecret})
	return strings.TrimRight(string(raw), "\r\n"), err
}

func (l local) reveal(s refresh.Secret) (string, error) {
	if s.Variable == "" {
		return l.read(s.File)
	}
	if secret := l.getenv(s.Variable); secret != "" {
		return secret, nil
	}
	return "", fmt.Errorf("variable %s is not set", s.Variable)
}
