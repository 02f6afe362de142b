package httpd

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/musterhq/muster/fsm"
)

// patched is a document with a merge patch (RFC 7396) over it, read into the document's type. The patch was checked.
func patched[T any](document T, patch []byte) (T, error) {
	var out T
	raw, err := json.Marshal(document)
	if err != nil {
		return out, fmt.Errorf("encode document: %w", err)
	}
	target, err := decodeTree(raw)
	if err != nil {
		return out, err
	}
	over, err := decodeTree(patch)
	if err != nil {
		return out, err
	}
	if _, ok := over.(map[string]any); !ok {
		return out, fsm.Invalid("body", "is no object; a merge patch of one is wanted")
	}
	if raw, err = json.Marshal(merge(target, over)); err != nil {
		return out, fmt.Errorf("encode patched document: %w", err)
	}
	err = decodeStrict(raw, &out)
	return out, err
}

// merge lays a patch over a target: objects key by key, null taking a key away, anything else whole.
func merge(target, patch any) any {
	keys, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out, ok := target.(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	for k, v := range keys {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = merge(out[k], v)
		}
	}
	return out
}

// decodeTree reads JSON without a type, its numbers as they are written.
func decodeTree(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fsm.Invalid("body", "is not JSON: %s", err)
	}
	return v, nil
}
