package document

import (
	"io"
	"slices"

	"github.com/musterhq/muster/discovery"
)

// Configuration is a file of a peer's configuration: settings, and discoveries beside them.
type Configuration struct {
	Settings    Value // an object
	Discoveries []Discovery
}

const discoveryBlock = "discovery"

// ReadConfiguration reads a file of a peer's configuration. In HCL discoveries are blocks with a name among the settings; in
// JSON they are members of an object "discovery", by name, or the file is one of discoveries alone, as Discoveries reads
// them. The error joins one *FaultError for each thing wrong; what could be read is returned with it. What the settings mean
// is not judged here.
func ReadConfiguration(name string, r io.Reader) (Configuration, error) {
	raw, err := readAll(name, r)
	if err != nil {
		return Configuration{}, err
	}
	if inHCL(name, raw) {
		return configurationInHCL(name, raw)
	}
	return configurationInJSON(name, raw)
}

func configurationInHCL(name string, raw []byte) (Configuration, error) {
	c := Configuration{Settings: Value{At: Place{name, 1}, Kind: Object}}
	body, err := bodyOf(name, raw)
	if err != nil {
		return c, err
	}
	var wrong faults
	for _, a := range attributesOf(body) {
		wrong.add(c.Settings.addAttribute(a, 0))
	}
	var named []Value
	for _, b := range body.Blocks {
		switch {
		case b.Type == discoveryBlock:
			v, err := namedBlock(b)
			wrong.add(err)
			if err == nil {
				named = append(named, v)
			}
		case len(b.Labels) > 0 && discovery.DidYouMean(b.Type, []string{discoveryBlock}) != "":
			wrong.add(placeOf(b.TypeRange).Fault("%s is no block of this%s", b.Type,
				discovery.DidYouMean(b.Type, []string{discoveryBlock})))
		default:
			wrong.add(c.Settings.addBlock(b, 0))
		}
	}
	c.Discoveries, err = discoveriesOf(named)
	wrong.add(err)
	return c, wrong.err()
}

func configurationInJSON(name string, raw []byte) (Configuration, error) {
	c := Configuration{Settings: Value{At: Place{name, 1}, Kind: Object}}
	root, err := parseJSON(name, raw)
	switch {
	case err != nil:
		return c, err
	case root.Kind == List:
		c.Discoveries, err = discoveriesOf(root.Items)
		return c, err
	case root.Kind == Leaf:
		return c, root.At.Fault("is %s; wanted is an object of settings", &root)
	case likeDiscovery(&root):
		c.Discoveries, err = discoveriesOf([]Value{root})
		return c, err
	}
	c.Settings = root
	block := root.member(discoveryBlock)
	if block == nil {
		return c, nil
	}
	c.Settings.Members = slices.DeleteFunc(slices.Clone(root.Members), func(m Member) bool { return m.Key == discoveryBlock })
	if block.Kind != Object {
		return c, block.At.Fault(`discovery is %s; wanted is an object of discoveries by name`, &block.Value)
	}
	var named []Value
	var wrong faults
	for _, m := range block.Members {
		v := m.Value
		v.At = m.At
		if v.Kind == Object {
			inner := v.member("name")
			if inner != nil {
				wrong.add(inner.At.Fault("name is the key of the discovery: %q", m.Key))
				continue
			}
			v.Members = append(slices.Clip(v.Members), nameMember(m.Key, m.At))
		}
		named = append(named, v)
	}
	c.Discoveries, err = discoveriesOf(named)
	wrong.add(err)
	return c, wrong.err()
}

// likeDiscovery tells a discovery in JSON from settings by keys that only discoveries have.
func likeDiscovery(v *Value) bool {
	return slices.ContainsFunc([]string{"backend", "config", "interval", "refresh"}, func(key string) bool { return v.member(key) != nil })
}
