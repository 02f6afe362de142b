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

func parseJSON(file string, raw []byte) (Value, error) {
	r := &jsonReader{file: file, raw: raw, dec: json.NewDecoder(bytes.NewReader(raw))}
	r.dec.UseNumber()
	if !utf8.Valid(raw) {
		return Value{}, r.here().Fault("the text is not UTF-8")
	}
	v, err := r.value(0)
	if err != nil {
		return v, err
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return v, r.here().Fault("the text goes on after its JSON value")
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
		return nil, Place{r.file, line}.Fault("is not JSON: %s", syntax)
	case err != nil:
		line := 1 + bytes.Count(bytes.TrimRight(r.raw, "\n"), []byte("\n"))
		return nil, Place{r.file, line}.Fault("the text ends within its JSON value")
	}
	return t, nil
}

func (r *jsonReader) value(depth int) (Value, error) {
	t, err := r.token()
	if err != nil {
		return Value{}, err
	}
	v := Value{At: r.here()}
	if depth > maxDepth {
		return v, v.At.Fault("nests more than %d deep", maxDepth)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			v.Kind = Object
			err = r.object(&v, depth)
			break
		}
		v.Kind = List
		err = r.list(&v, depth)
	case string:
		v.Leaf, err = json.Marshal(t)
	case json.Number:
		v.Leaf = json.RawMessage(t)
	default:
		v.Leaf = fmt.Append(nil, t)
		if t == nil {
			v.Leaf = json.RawMessage("null")
		}
	}
	return v, err
}

func (r *jsonReader) object(v *Value, depth int) error {
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return err
		}
		m := Member{At: r.here()}
		m.Key, _ = t.(string) // a key cannot be anything else
		if m.Value, err = r.value(depth + 1); err != nil {
			return err
		}
		if err := v.add(m); err != nil {
			return err
		}
	}
	_, err := r.token()
	return err
}

func (r *jsonReader) list(v *Value, depth int) error {
	for r.dec.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		v.Items = append(v.Items, item)
	}
	_, err := r.token()
	return err
}
