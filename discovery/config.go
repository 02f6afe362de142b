package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// DecodeConfig reads a backend's config into the struct into points at, which holds the defaults and names its keys with
// json tags. An unknown key, a value of the wrong type and a secret are fsm errors that name the key; values are not
// repeated, since one may be a secret put where it does not belong.
func DecodeConfig(config fsm.JSON, into any) error {
	if config == "" {
		return nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(config), &values); err != nil {
		return fsm.Invalid("config", "is not an object of keys and values")
	}
	known := keys(reflect.TypeOf(into).Elem())
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch {
		case slices.Contains(known, key):
		case secret(key) && slices.Contains(known, "token_file"):
			return fsm.Invalid("config."+key, "secrets are not kept in settings, which every peer stores and readers "+
				"see; put it in a file on the peers and name that with token_file")
		case secret(key):
			return fsm.Invalid("config."+key, "secrets are not kept in settings, which every peer stores and readers see")
		default:
			return fsm.Invalid("config."+key, "is not known%s", DidYouMean(key, known))
		}
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(config)))
	err := dec.Decode(into)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return fsm.Invalid("config."+wrong.Field, "is a %s; wanted is %s", wrong.Value, wanted(wrong.Type))
	}
	if err != nil {
		return fsm.Invalid("config", "%s", err)
	}
	return nil
}

func keys(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}

// secret says whether a key asks for a secret as such; one that ends in _file names a place.
func secret(key string) bool {
	k := strings.ToLower(key)
	if strings.HasSuffix(k, "_file") {
		return false
	}
	for _, word := range []string{"token", "password", "passwd", "secret", "credential", "auth", "private", "api_key", "apikey"} {
		if strings.Contains(k, word) {
			return true
		}
	}
	return false
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Pointer:
		return wanted(t.Elem())
	}
	return "a whole number"
}

// DidYouMean is a note to end a message about an unknown word with: " (did you mean \"nodes\"?)", or nothing when no known
// word is near.
func DidYouMean(word string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(word, k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean \"" + best + "\"?)"
}

// distance counts the single-byte changes between two short words; long ones are never near.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
