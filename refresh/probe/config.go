package probe

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Fields are the keys that a kind's config may hold, with pointers to where their values go. What is there before is the
// default.
type Fields map[string]any

// Read reads a config into fields. Unknown keys, values of the wrong type and secrets are fsm.Invalid errors; none of them
// repeats a value.
func Read(config fsm.JSON, fields Fields) error {
	if config == "" {
		return nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(config), &values); err != nil {
		return fsm.Invalid("refresh.config", "is not a JSON object")
	}
	for _, key := range sorted(values) {
		field := "refresh.config." + key
		into, known := fields[key]
		switch {
		case names(key):
			return fsm.Invalid(field, "would put a secret into the state; name where it is kept, with %s_file or %s_env", key, key)
		case !known && len(fields) == 0:
			return fsm.Invalid(field, "is not known; this prober takes no options")
		case !known:
			return fsm.Invalid(field, "is not known; this prober takes %s", strings.Join(sorted(fields), ", "))
		}
		if err := json.Unmarshal(values[key], into); err != nil {
			return fsm.Invalid(field, "%s", wrong(err))
		}
	}
	return nil
}

// wrong says what is wrong with a value without showing it.
func wrong(err error) string {
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return "cannot be read"
	}
	found, _, _ := strings.Cut(mismatch.Value, " ")
	wanted := map[string]string{"string": "text", "int": "a whole number", "bool": "true or false"}[mismatch.Type.String()]
	if wanted == "" {
		wanted = "a list of texts"
	}
	return "is of the type " + found + "; wanted is " + wanted
}

// names says whether a key names a secret itself, rather than the place of one.
func names(key string) bool {
	k := strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(key))
	if lower := strings.ToLower(key); strings.HasSuffix(lower, "_file") || strings.HasSuffix(lower, "_env") {
		return false
	}
	return slices.ContainsFunc([]string{
		"password", "passwd", "passphrase", "token", "secret", "credential", "apikey", "privatekey", "authorization",
	}, func(word string) bool { return strings.Contains(k, word) })
}

// CheckPath refuses what is no path of a GET, and a query that carries a secret.
func CheckPath(key, path string) error {
	field := "refresh.config." + key
	u, err := url.ParseRequestURI(path)
	if err != nil || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " #") || !ascii(path) {
		return fsm.Invalid(field, "is not a path like \"/healthz\"")
	}
	for name := range u.Query() {
		if names(name) {
			return fsm.Invalid(field, "would put a secret into the state: %s", name)
		}
	}
	return nil
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// CheckSecret refuses a secret that is named twice, or that this program cannot read.
func CheckSecret(key string, s refresh.Secret, env refresh.Env) error {
	switch {
	case s == refresh.Secret{}:
		return nil
	case s.File != "" && s.Variable != "":
		return fsm.Invalid("refresh.config."+key+"_env", "is set beside %s_file; only one can be", key)
	case env.Reveal == nil && s.File != "":
		return fsm.Invalid("refresh.config."+key+"_file", "cannot be read: secrets are not enabled here")
	case env.Reveal == nil:
		return fsm.Invalid("refresh.config."+key+"_env", "cannot be read: secrets are not enabled here")
	}
	return nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
