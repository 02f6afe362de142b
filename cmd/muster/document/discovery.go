package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"reflect"
	"strings"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// Discovery is a discovery as a file has it.
type Discovery struct {
	Name string
	Body json.RawMessage // as it is written, for the API, which fills in what is left out
	Spec fsm.Spec        // with this release's defaults filled in
	At   Place
	root Value
}

// Discoveries reads a file: HCL with any number of discovery blocks, or JSON, an object or a list of them. The name tells
// the syntax by its ending, else the text does by its first character. The error joins one *FaultError for each thing wrong;
// the discoveries without one are returned with it.
func Discoveries(name string, r io.Reader) ([]Discovery, error) {
	raw, err := readAll(name, r)
	if err != nil {
		return nil, err
	}
	roots, err := parse(name, raw)
	if err == nil && len(roots) == 0 {
		return nil, Place{name, 1}.Fault("holds no discovery")
	}
	out, wrong := discoveriesOf(roots)
	return out, errors.Join(err, wrong)
}

func readAll(name string, r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxBytes>>20)
	}
	return raw, nil
}

// discoveriesOf makes discoveries of their trees; those without a fault are returned with what is wrong of the others.
func discoveriesOf(roots []Value) ([]Discovery, error) {
	var out []Discovery
	var wrong faults
	seen := map[string]Place{}
	for _, root := range roots {
		d, err := read(root)
		if err == nil {
			if first, twice := seen[d.Name]; twice {
				err = d.At.Fault("discovery %q is here twice, first in line %d", d.Name, first.Line)
			}
		}
		if err != nil {
			wrong.add(err)
			continue
		}
		seen[d.Name] = d.At
		out = append(out, d)
	}
	return out, wrong.err()
}

// inHCL tells the syntax of a file by the ending of its name, else by its first character.
func inHCL(name string, raw []byte) bool {
	text := bytes.TrimSpace(raw)
	first := byte(0)
	if len(text) > 0 {
		first = text[0]
	}
	ending := path.Ext(name)
	return ending == ".hcl" || ending != ".json" && first != '{' && first != '['
}

func parse(name string, raw []byte) ([]Value, error) {
	if inHCL(name, raw) {
		return parseHCL(name, "discovery", raw)
	}
	v, err := parseJSON(name, raw)
	if err != nil {
		return nil, err
	}
	if v.Kind == List {
		return v.Items, nil
	}
	return []Value{v}, nil
}

// read makes a discovery of its tree.
func read(root Value) (Discovery, error) {
	d := Discovery{At: root.At, root: root}
	if root.Kind != Object {
		return d, root.At.Fault("is %s; wanted is a discovery, an object with a \"name\"", &root)
	}
	var wrong faults
	check("", &root, reflect.TypeFor[httpd.DiscoveryBody](), &wrong)
	if err := wrong.err(); err != nil {
		return d, err
	}
	into := httpd.DiscoveryBody{Spec: fsm.DefaultSpec()}
	d.Body = root.text()
	if err := json.Unmarshal(d.Body, &into); err != nil {
		return d, root.At.Fault("%s", err)
	}
	d.Name, d.Spec = into.Name, into.Spec
	if root.member("name") == nil {
		return d, root.At.Fault("has no \"name\"")
	}
	if err := fsm.CheckDiscoveryName("name", d.Name); err != nil {
		err = d.Place(err)
		return d, err
	}
	return d, nil
}

// Place makes an error about fields of a discovery, an *fsm.Error that names them, one about the lines where they are
// written. Another error is wrapped with the place of the discovery.
func (d *Discovery) Place(err error) error {
	var known *fsm.Error
	if !errors.As(err, &known) || known.Code != fsm.CodeInvalid || len(known.Fields) != 1 {
		return fmt.Errorf("%s: discovery %q: %w", d.At, d.Name, err)
	}
	fault := d.At.Fault("%s", strings.TrimSuffix(known.Message, "."))
	fault.cause = err
	for field := range known.Fields {
		fault.Place = d.root.find(field)
	}
	return fault
}

// Request is what the API previews: the discovery as it is written.
func (d *Discovery) Request() json.RawMessage {
	request := Value{Kind: Object}
	for _, m := range d.root.Members {
		switch m.Key {
		case "last_run", "next_run", "failing", "deleting", "held", "index":
		default:
			request.Members = append(request.Members, m)
		}
	}
	return request.text()
}
