package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// jsonReader reads one JSON text. Tokens hold no line breaks, so the line on which one ends is the line it is on.
type jsonReader struct {
	file    string
	raw     []byte
	dec     *json.Decoder
	counted int64 // bytes of raw in which lines were counted
	lines   int
}

func parseJSON(file string, raw []byte) (value, error) {
	r := &jsonReader{file: file, raw: raw, dec: json.NewDecoder(bytes.NewReader(raw))}
	r.dec.UseNumber()
	if !utf8.Valid(raw) {
		return value{}, r.here().fault("the text is not UTF-8")
	}
	v, err := r.value(0)
	if err != nil {
		return v, err
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return v, r.here().fault("the text goes on after its JSON value")
	}
	return v, nil
}

// here is the place of the last token.
func (r *jsonReader) here() Place {
	at := min(r.dec.InputOffset(), int64(len(r.raw)))
	r.lines += bytes.Count(r.raw[r.counted:at], []byte("\n"))
	r.counted = at
	return Place{File: r.file, Line: 1 + r.lines}
}

func (r *jsonReader) token() (json.Token, error) {
	t, err := r.dec.Token()
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(r.raw[:min(syntax.Offset, int64(len(r.raw)))], []byte("\n"))
		return nil, Place{r.file, line}.fault("is not JSON: %s", syntax)
	case err != nil:
		line := 1 + bytes.Count(bytes.TrimRight(r.raw, "\n"), []byte("\n"))
		return nil, Place{r.file, line}.fault("the text ends within its JSON value")
	}
	return t, nil
}

func (r *jsonReader) value(depth int) (value, error) {
	t, err := r.token()
	if err != nil {
		return value{}, err
	}
	v := value{at: r.here()}
	if depth > maxDepth {
		return v, v.at.fault("nests more than %d deep", maxDepth)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			v.kind = object
			err = r.object(&v, depth)
			break
		}
		v.kind = list
		err = r.list(&v, depth)
	case string:
		v.leaf, err = json.Marshal(t)
	case json.Number:
		v.leaf = json.RawMessage(t)
	default:
		v.leaf = fmt.Append(nil, t)
		if t == nil {
			v.leaf = json.RawMessage("null")
		}
	}
	return v, err
}

func (r *jsonReader) object(v *value, depth int) error {
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return err
		}
		m := member{at: r.here()}
		m.key, _ = t.(string) // a key cannot be anything else
		if m.value, err = r.value(depth + 1); err != nil {
			return err
		}
		if err := v.add(m); err != nil {
			return err
		}
	}
	_, err := r.token()
	return err
}

func (r *jsonReader) list(v *value, depth int) error {
	for r.dec.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
	}
	_, err := r.token()
	return err
}
