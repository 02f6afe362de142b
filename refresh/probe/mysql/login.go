package mysql

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// What the two sides can do; muster claims no more than a login needs. Above all it takes no requests for files.
const (
	canLongPassword = 1 << 0
	canProtocol41   = 1 << 9
	canTLS          = 1 << 11
	canTransactions = 1 << 13
	canSecure       = 1 << 15
	canPlugins      = 1 << 19
	canAttributes   = 1 << 20
	canAnyLength    = 1 << 21
)

const (
	protocolVersion = 10
	utf8mb4         = 45
	maxSteps        = 6 // packets of the server's in one login
)

// greeting is what a server says first.
type greeting struct {
	scramble []byte
	plugin   string
	can      uint32
}

// greet reads a server's first packet. Until it was right, nothing says that this is a server of this kind.
func (p *packets) greet() (greeting, error) {
	head, err := p.in.Peek(headLength + 1)
	if err != nil {
		return greeting{}, err
	}
	known := head[headLength] == protocolVersion || head[headLength] == answerError
	if head[1] > 8 || head[2] != 0 || head[3] != 0 || !known {
		all, _ := p.in.Peek(min(p.in.Buffered(), 40))
		return greeting{}, refresh.NewFault(fsm.ReasonProtocol, "is no MySQL server: it answered %q", all)
	}
	body, err := p.read()
	if err != nil {
		return greeting{}, err
	}
	f := fields{rest: body[1:]}
	f.terminated() // the version, which is asked for again
	f.bytes(4)     // the connection's number
	g := greeting{scramble: append([]byte(nil), f.bytes(8)...)}
	f.bytes(1)
	g.can = uint32(f.number(2))
	f.bytes(3) // character set, status
	g.can |= uint32(f.number(2)) << 16
	f.bytes(1 + 10) // the scramble's length, and what nobody needs
	g.scramble = append(g.scramble, f.bytes(scrambleLength-8)...)
	f.bytes(1)
	if f.short || g.can&canProtocol41 == 0 || g.can&canSecure == 0 || g.can&canPlugins == 0 {
		return greeting{}, refresh.NewFault(fsm.ReasonProtocol, "the server is older than MySQL 5.7 and MariaDB 10.2")
	}
	g.plugin = f.terminated()
	return g, nil
}

// login is who logs in, and over what.
type login struct {
	username, password string
	tls                *tls.Config // nil is without
}

// enter goes through a whole login. It returns the connection to use from then on.
func enter(ctx context.Context, p *packets, l login) (*packets, error) {
	g, err := p.greet()
	if err != nil {
		return nil, err
	}
	head := binary.LittleEndian.AppendUint32(nil, l.can(g))
	head = binary.LittleEndian.AppendUint32(head, maxPacket)
	head = append(append(head, utf8mb4), make([]byte, 23)...)
	if l.tls != nil {
		if p, err = p.secure(ctx, head, g, l.tls); err != nil {
			return nil, err
		}
	}
	// A server's first choice may be a way that is not known here. Then the answer is empty, and the server asks again.
	proof, _ := l.prove(g.plugin, g.scramble)
	if !proves[g.plugin] {
		g.plugin, proof = native, proveNative(l.password, g.scramble)
	}
	body := append(append(head, l.username...), 0)
	body = append(appendText(body, string(proof)), g.plugin...)
	body = append(body, 0)
	if g.can&canAttributes != 0 {
		body = appendText(body, string(appendText(appendText(nil, "program_name"), "muster")))
	}
	if err := p.write(body); err != nil {
		return nil, err
	}
	err = p.converse(l, g)
	return p, err
}

func (l login) can(g greeting) uint32 {
	can := uint32(canLongPassword | canProtocol41 | canTransactions | canSecure | canPlugins | canAttributes | canAnyLength)
	if l.tls != nil {
		can |= canTLS
	}
	return can & (g.can | canLongPassword)
}

// secure turns TLS on. What came in the clear after the greeting could be anybody's, so nothing may have.
func (p *packets) secure(ctx context.Context, head []byte, g greeting, config *tls.Config) (*packets, error) {
	if g.can&canTLS == 0 {
		return nil, refresh.NewFault(fsm.ReasonTLS, "the server has TLS off: turn it on there, or off in the config")
	}
	if p.in.Buffered() > 0 {
		return nil, refresh.NewFault(fsm.ReasonTLS, "the server goes on in the clear")
	}
	if err := p.write(head); err != nil {
		return nil, err
	}
	conn := tls.Client(p.Conn, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	secured := newPackets(conn)
	secured.next = p.next
	return secured, nil
}

// converse answers what the server asks for until it lets the user in.
func (p *packets) converse(l login, g greeting) error {
	for range maxSteps {
		body, err := p.read()
		if err != nil {
			return err
		}
		var answer []byte
		switch body[0] {
		case answerOK:
			return nil
		case answerEnd:
			f := fields{rest: body[1:]}
			g.plugin = f.terminated()
			answer, err = l.prove(g.plugin, f.rest)
		case answerMore:
			var done bool
			if answer, done, err = l.more(g.plugin, body[1:]); done {
				continue
			}
		default:
			err = malformed("login")
		}
		if err != nil {
			return err
		}
		if err := p.write(answer); err != nil {
			return err
		}
	}
	return refresh.NewFault(fsm.ReasonProtocol, "the login does not end")
}

func (p *Prober) open(ctx context.Context, line *probe.Line, t refresh.Target) (*client, error) {
	password, err := p.login.Reveal(p.env)
	if err != nil {
		return nil, err
	}
	config, err := p.tls.Config(p.env, t.Address)
	if err != nil {
		return nil, err
	}
	conn, err := line.Dial(ctx, "tcp", t.HostPort())
	if err != nil {
		return nil, err
	}
	entered, err := enter(ctx, newPackets(conn), login{p.login.Username, password, config})
	if err != nil {
		return nil, err
	}
	return &client{packets: entered}, nil
}
