package fsm

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cut makes s fit limit bytes of valid, printable UTF-8: what does not print becomes "?", and a cut falls between runes.
func cut(s string, limit int) string {
	if !printable(s) {
		s = strings.Map(func(r rune) rune {
			if r == utf8.RuneError || !unicode.IsPrint(r) {
				return '?'
			}
			return r
		}, strings.ToValidUTF8(s, "?"))
	}
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// FailureText is an error of a source or prober as commands carry it: one printable line of at most MaxFailure bytes, whatever
// the other side made it say.
func FailureText(err error) string {
	return cut(strings.ReplaceAll(err.Error(), "\n", "; "), MaxFailure)
}

func itoa(n int) string { return strconv.Itoa(n) }

// JSON is a JSON text in canonical form (no spaces, keys sorted), opaque to the state; empty is absent.
type JSON string

// CanonicalJSON brings a JSON text into canonical form, keeping numbers as written. Empty, null and {} are absent.
func CanonicalJSON(raw []byte) (JSON, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return "", nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", err
	}
	if v == nil {
		return "", nil
	}
	if m, ok := v.(map[string]any); ok && len(m) == 0 {
		return "", nil
	}
	out, err := json.Marshal(v)
	return JSON(out), err
}

// MarshalJSON writes the text as it is, {} when absent.
func (j JSON) MarshalJSON() ([]byte, error) {
	if j == "" {
		return []byte("{}"), nil
	}
	return []byte(j), nil
}

// UnmarshalJSON brings what it reads into canonical form.
func (j *JSON) UnmarshalJSON(raw []byte) error {
	c, err := CanonicalJSON(raw)
	*j = c
	return err
}
