package refresh_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// sample is the document of the protocol's description.
const sample = `{"protocol": 1,
 "node_id": "orders-2", "cluster_id": "orders",
 "kind": "redis", "version": "7.0.15", "sidecar_version": "0.1.0",
 "state": "up", "reason": "",
 "shards": [{"id": "0-5460", "role": "replica",
             "offset": {"value": 918, "unit": "bytes"}, "lag_ms": 400}],
 "attributes": {"zone": "eu-1a", "maxmemory": 1073741824}}`

func TestSample(t *testing.T) {
	d, err := refresh.Decode(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := fsm.Report{
		Node: "n2", Reachable: true, State: fsm.StateUp, NodeID: "orders-2", ClusterID: "orders",
		Kind: "redis", Version: "7.0.15", SidecarVersion: "0.1.0",
		Shards: []fsm.Shard{{
			ID: "0-5460", Role: "replica", Offset: &fsm.Offset{Value: 918, Unit: "bytes"}, LagMS: new(int64(400)),
		}},
		Attributes: map[string]string{"zone": "eu-1a", "maxmemory": "1073741824"},
	}
	if diff := cmp.Diff(want, d.Report("n2")); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestTolerance(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want fsm.Report
	}{
		"only what must be": {`{"protocol":1,"state":"up"}`, fsm.Report{State: fsm.StateUp}},
		"unknown fields": {
			`{"protocol":1,"state":"up","mood":{"deep":[1]},"shards":[{"id":"0","role":"primary","colour":"red"}]}`,
			fsm.Report{State: fsm.StateUp, Shards: []fsm.Shard{{ID: "0", Role: "primary"}}},
		},
		"an unknown state": {
			`{"protocol":1,"state":"sleeping","reason":"night"}`,
			fsm.Report{State: fsm.StateUnknown, StateReason: "sleeping"},
		},
		"no state": {`{"protocol":1}`, fsm.Report{State: fsm.StateUnknown}},
		"the store stopped": {
			`{"protocol":1,"state":"down","reason":"store_unavailable"}`,
			fsm.Report{State: fsm.StateDown, StateReason: fsm.ReasonStore},
		},
		"attributes as written": {
			`{"protocol":1,"state":"up","attributes":{"a":1.50,"b":1e3,"c":true,"d":"x","e":123456789012345678901234567890,
				"f":null,"g":{"h":1},"i":[1],"j":-0}}`,
			fsm.Report{State: fsm.StateUp, Attributes: map[string]string{
				"a": "1.50", "b": "1e3", "c": "true", "d": "x", "e": "123456789012345678901234567890", "j": "-0",
			}},
		},
		"nulls": {
			`{"protocol":1,"state":"up","reason":null,"shards":null,"attributes":null}`, fsm.Report{State: fsm.StateUp},
		},
		"shards in order, a negative lag": {
			`{"protocol":1,"state":"up","shards":[{"id":"b","role":"MASTER","lag_ms":-5},{"id":"a","offset":{"value":-3}}]}`,
			fsm.Report{State: fsm.StateUp, Shards: []fsm.Shard{{ID: "a", Offset: &fsm.Offset{Value: -3}}, {ID: "b", Role: "MASTER"}}},
		},
		"what does not print": {
			"{\"protocol\":1,\"state\":\"up\",\"version\":\"7\\u0007\\u001b[31m\"}", fsm.Report{State: fsm.StateUp, Version: "7??[31m"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := refresh.Decode(strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Node, c.want.Reachable = "n", true
			if diff := cmp.Diff(c.want, d.Report("n")); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoDocuments(t *testing.T) {
	for name, c := range map[string]struct{ body, reason string }{
		"nothing":               {"", fsm.ReasonDecode},
		"a list":                {"[]", fsm.ReasonDecode},
		"half":                  {sample[:100], fsm.ReasonDecode},
		"two":                   {sample + sample, fsm.ReasonDecode},
		"a text as offset":      {`{"protocol":1,"shards":[{"id":"0","offset":{"value":"918"}}]}`, fsm.ReasonDecode},
		"a fraction":            {`{"protocol":1,"shards":[{"id":"0","offset":{"value":0.5}}]}`, fsm.ReasonDecode},
		"more than 64 bits":     {`{"protocol":1,"shards":[{"id":"0","lag_ms":9223372036854775808}]}`, fsm.ReasonDecode},
		"attributes in a list":  {`{"protocol":1,"attributes":["a"]}`, fsm.ReasonDecode},
		"not a number":          {`{"protocol":1,"attributes":{"a":NaN}}`, fsm.ReasonDecode},
		"deeper than anything":  {`{"protocol":1,"x":` + strings.Repeat("[", 20_000), fsm.ReasonDecode},
		"null":                  {"null", fsm.ReasonProtocol},
		"without its version":   {`{"state":"up"}`, fsm.ReasonProtocol},
		"of the next version":   {`{"protocol":2,"state":"up"}`, fsm.ReasonProtocol},
		"longer than a MiB":     {sample + strings.Repeat(" ", refresh.MaxDocument), fsm.ReasonTooLarge},
		"a version of the moon": {`{"protocol":"1","state":"up"}`, fsm.ReasonDecode},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := refresh.Decode(strings.NewReader(c.body))
			if err == nil {
				t.Fatal("no error")
			}
			if got := refresh.FaultOf(err).Reason; got != c.reason {
				t.Errorf("reason is %s (%v), wanted is %s", got, err, c.reason)
			}
		})
	}
	if _, err := refresh.Decode(strings.NewReader(sample + strings.Repeat(" ", refresh.MaxDocument-len(sample)))); err != nil {
		t.Errorf("exactly a MiB: %v", err)
	}
}

func TestReportsAreBounded(t *testing.T) {
	d := refresh.Document{State: fsm.StateUp, Attributes: refresh.Attributes{}}
	for i := range 2 * fsm.MaxShards {
		d.Shards = append(d.Shards, refresh.DocumentShard{ID: fmt.Sprint(i), Role: strings.Repeat("r", 1000)})
		d.Attributes[fmt.Sprint(i)] = strings.Repeat("v", 1000)
	}
	r := d.Report("n")
	if len(r.Shards) != fsm.MaxShards || len(r.Attributes) != fsm.MaxAttributes || len(r.Shards[0].Role) != fsm.MaxWord {
		t.Errorf("%d shards, %d attributes, a role of %d", len(r.Shards), len(r.Attributes), len(r.Shards[0].Role))
	}
}

// document makes one that a test may change.
func document() refresh.Document {
	d, err := refresh.DecodeBytes([]byte(sample))
	if err != nil {
		panic(err)
	}
	d.Shards = append(d.Shards, refresh.DocumentShard{ID: "5461-9000", Role: "primary"})
	return d
}

func TestETag(t *testing.T) {
	tag := func(change func(d *refresh.Document)) string {
		d := document()
		change(&d)
		tag, err := d.ETag()
		if err != nil {
			t.Fatal(err)
		}
		return tag
	}
	first := tag(func(*refresh.Document) {})
	if len(first) != len(`W/""`)+32 || !strings.HasPrefix(first, `W/"`) {
		t.Errorf("tag is %s", first)
	}
	for name, change := range map[string]func(*refresh.Document){
		"the protocol, which Encode sets": func(d *refresh.Document) { d.Protocol = 0 },
		"an offset":                       func(d *refresh.Document) { d.Shards[0].Offset.Value++ },
		"an offset gone":                  func(d *refresh.Document) { d.Shards[0].Offset = nil },
		"a lag":                           func(d *refresh.Document) { d.Shards[0].LagMS = new(int64(7)) },
		"a lag come":                      func(d *refresh.Document) { d.Shards[1].LagMS = new(int64(7)) },
		"the order of shards":             func(d *refresh.Document) { d.Shards[0], d.Shards[1] = d.Shards[1], d.Shards[0] },
	} {
		if got := tag(change); got != first {
			t.Errorf("%s: the tag has changed", name)
		}
	}
	seen := map[string]string{first: "nothing"}
	for name, change := range map[string]func(*refresh.Document){
		"the node id":         func(d *refresh.Document) { d.NodeID += "x" },
		"the cluster id":      func(d *refresh.Document) { d.ClusterID += "x" },
		"the kind":            func(d *refresh.Document) { d.Kind += "x" },
		"the version":         func(d *refresh.Document) { d.Version += "x" },
		"the sidecar version": func(d *refresh.Document) { d.SidecarVersion += "x" },
		"the state":           func(d *refresh.Document) { d.State = fsm.StateDown },
		"the reason":          func(d *refresh.Document) { d.Reason = "x" },
		"a role":              func(d *refresh.Document) { d.Shards[0].Role = "primary" },
		"a shard id":          func(d *refresh.Document) { d.Shards[0].ID = "0" },
		"a shard gone":        func(d *refresh.Document) { d.Shards = d.Shards[:1] },
		"an attribute": func(d *refresh.Document) {
			d.Attributes = maps.Clone(d.Attributes)
			d.Attributes["zone"] = "eu-1b"
		},
	} {
		got := tag(change)
		if other, ok := seen[got]; ok {
			t.Errorf("%s: the tag is that of a change of %s", name, other)
		}
		seen[got] = name
	}
	d := document()
	if _, err := d.ETag(); err != nil || d.Shards[0].LagMS == nil {
		t.Error("making the tag changed the document")
	}
}

func TestWorstLag(t *testing.T) {
	d := document()
	if got := d.WorstLagMS(); got == nil || *got != 400 {
		t.Errorf("worst lag is %v", got)
	}
	d.Shards[1].LagMS = new(int64(401))
	if got := d.WorstLagMS(); got == nil || *got != 401 {
		t.Errorf("worst lag is %v", got)
	}
	d.Shards = nil
	if got := d.WorstLagMS(); got != nil {
		t.Errorf("worst lag is %d", *got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"protocol":1,"state":"up","attributes":{"a":1.50,"f":null},"shards":[{"lag_ms":-1},{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := refresh.DecodeBytes(body)
		if err != nil {
			return
		}
		out, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := refresh.DecodeBytes(out)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if diff := cmp.Diff(d.Report("n"), again.Report("n")); diff != "" {
			t.Errorf("report after another round (-want +got):\n%s", diff)
		}
		if !json.Valid(out) {
			t.Errorf("no JSON: %s", out)
		}
	})
}
