package fsm

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"
)

// There may be a hundred thousand nodes, and as many listings, on a small machine, and most are not looked at for hours. So
// at rest each is packed into one string: a quarter of what the struct takes with its maps and texts, and nothing for the
// garbage collector to follow. Unpacking copies no text: what is unpacked holds on to the string it came from. The form is
// that of this process alone; logs and snapshots have the rows as CBOR.

// packer goes over the fields of a value one after the other, to pack them into a string or to unpack them from one. One
// function names the fields for both ways.
type packer struct {
	unpacking bool
	in        string // left to unpack
	out       []byte // packed so far
}

// packed is a value as its fields function packs it.
func packed[T any](v *T, fields func(*packer, *T)) string { return packedBy(new(packer), v, fields) }

// packedBy packs many values one after the other in the room of one.
func packedBy[T any](p *packer, v *T, fields func(*packer, *T)) string {
	p.out = slices.Grow(p.out[:0], 256)
	fields(p, v)
	return string(p.out)
}

// unpacked is the value that was packed so.
func unpacked[T any](s string, fields func(*packer, *T)) *T {
	v := new(T)
	fields(&packer{unpacking: true, in: s}, v)
	return v
}

// unpack yields all that each of some rows holds.
func unpack[R, T any](rows iter.Seq[R], all func(R, func(T) bool)) iter.Seq[T] {
	return func(yield func(T) bool) {
		for row := range rows {
			goOn := true
			all(row, func(v T) bool {
				goOn = yield(v)
				return goOn
			})
			if !goOn {
				return
			}
		}
	}
}

func (p *packer) uint(n *uint64) {
	if !p.unpacking {
		p.out = binary.AppendUvarint(p.out, *n)
		return
	}
	v := uint64(0)
	for shift := 0; ; shift += 7 {
		b := p.in[0]
		p.in = p.in[1:]
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			*n = v
			return
		}
	}
}

// packNumber packs a signed number of any type.
func packNumber[N ~int | ~int64](p *packer, n *N) {
	zigzag := uint64(*n)<<1 ^ uint64(int64(*n)>>63)
	p.uint(&zigzag)
	if p.unpacking {
		*n = N(int64(zigzag>>1) ^ -int64(zigzag&1))
	}
}

func (p *packer) flag(b *bool) {
	n := uint64(0)
	if *b {
		n = 1
	}
	p.uint(&n)
	*b = n == 1
}

// frequent are the words that most nodes hold: each is packed as its number.
var frequent = []string{
	string(Present), string(Missing), string(Discovered), string(Commissioned), string(Maintenance), Reachable, NotReachable,
	StateUp, StateDown, StateUnknown, RolePrimary, RoleReplica, "bytes",
}

var frequentNumber = func() map[string]uint64 {
	out := map[string]uint64{}
	for i, word := range frequent {
		out[word] = uint64(i)
	}
	return out
}()

// packText packs a text of any type: its length doubled and its bytes, or a frequent word's number doubled and one.
func packText[S ~string](p *packer, s *S) {
	head := uint64(len(*s)) << 1
	if !p.unpacking {
		if i, ok := frequentNumber[string(*s)]; ok {
			head = i<<1 | 1
			p.uint(&head)
			return
		}
		p.uint(&head)
		p.out = append(p.out, *s...)
		return
	}
	p.uint(&head)
	if head&1 == 1 {
		*s = S(frequent[head>>1])
		return
	}
	*s, p.in = S(p.in[:head>>1]), p.in[head>>1:]
}

// packList packs a list; an empty one comes back as none.
func packList[T any](p *packer, l *[]T, fields func(*packer, *T)) {
	n := uint64(len(*l))
	p.uint(&n)
	if p.unpacking && n > 0 {
		*l = make([]T, n)
	}
	for i := range *l {
		fields(p, &(*l)[i])
	}
}

// packMap packs a map; an empty one comes back as none.
func packMap(p *packer, m *map[string]string) {
	n := uint64(len(*m))
	p.uint(&n)
	if !p.unpacking {
		var few [8]string
		keys := slices.AppendSeq(few[:0], maps.Keys(*m))
		slices.Sort(keys)
		for _, k := range keys {
			v := (*m)[k]
			packText(p, &k)
			packText(p, &v)
		}
		return
	}
	if n > 0 {
		*m = make(map[string]string, n)
	}
	for range n {
		var k, v string
		packText(p, &k)
		packText(p, &v)
		(*m)[k] = v
	}
}

// packOptional packs what may not be there.
func packOptional[T any](p *packer, v **T, fields func(*packer, *T)) {
	there := *v != nil
	p.flag(&there)
	if !there {
		return
	}
	if p.unpacking {
		*v = new(T)
	}
	fields(p, *v)
}

// packRare packs what most values lack by its other encoding.
func packRare[T any](p *packer, v *T, lacks bool) {
	raw := ""
	if !p.unpacking && !lacks {
		raw = string(mustEncode(v))
	}
	packText(p, &raw)
	if p.unpacking && raw != "" {
		if err := decode([]byte(raw), v); err != nil {
			panic(err) // it was encoded above
		}
	}
}
